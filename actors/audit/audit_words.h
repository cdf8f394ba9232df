/* SPDX-License-Identifier: MIT */
/* audit_words.h - how each end is told. */
#pragma once

#include "actors/audit/audit_internal.h"

struct end_words {
	const char *word[2]; /* unmanaged, managed */
	enum hop hop;
};

/* audit_end_words() - NULL for what is no cause. */
const struct end_words *audit_end_words(uint32_t cause);
