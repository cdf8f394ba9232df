/* SPDX-License-Identifier: MIT */
/* cleanup.h - scope-bound ownership: declare with CLEANUP(), hand over with steal(). */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

#define DEFINE_CLEANUP(type, release) \
	static inline void release##_at(type *slot) \
	{ \
		int saved_errno = errno; \
		if (*slot) \
			release(*slot); \
		errno = saved_errno; \
	} \
	struct release##_needs_semicolon

#define steal(pointer) \
	({ \
		__typeof__(pointer) *slot_ = &(pointer); \
		__typeof__(pointer) taken_ = *slot_; \
		*slot_ = NULL; \
		taken_; \
	})

DEFINE_CLEANUP(void *, free);

static inline void close_at(int *fd)
{
	int saved_errno = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved_errno;
}
