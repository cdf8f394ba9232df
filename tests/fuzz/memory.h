/* SPDX-License-Identifier: MIT */
/* memory.h - how much of the heap is in use, under a sanitizer or without. */
#pragma once

#include <malloc.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_SANITIZED 1
#include <sanitizer/allocator_interface.h>
#endif
#endif

static inline size_t memory_in_use(void)
{
#ifdef MEMORY_SANITIZED
	return __sanitizer_get_current_allocated_bytes();
#else
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
#endif
}
