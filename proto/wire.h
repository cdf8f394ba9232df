/* SPDX-License-Identifier: MIT */
/* wire.h - bounded reader for the msgpack subset StreamEvents use; never allocates.
 *
 * Every function returns false, with @wire left somewhere inside, if the bytes are not what
 * was asked for.  msgpack-c's own unpacker is not used on a peer's bytes: it reserves memory
 * for whatever count a five-byte header announces.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

#define WIRE_DEPTH_MAX 4 /* nesting inside a LIST field */

struct wire {
	const uint8_t *at;
	const uint8_t *end;
};

bool wire_array(struct wire *wire, uint32_t *count);
bool wire_text(struct wire *wire, struct text *out); /* without NUL; borrowed from the frame */
bool wire_u64_tagged(struct wire *wire, uint64_t *out);
bool wire_i64_tagged(struct wire *wire, int64_t *out);
bool wire_bool(struct wire *wire, bool *out);

/* Most numbers are small: a byte that is its own tag. */
static inline bool wire_u64(struct wire *wire, uint64_t *out)
{
	if (wire->at == wire->end || *wire->at >= 0x80)
		return wire_u64_tagged(wire, out);
	*out = *wire->at++;
	return true;
}

static inline bool wire_i64(struct wire *wire, int64_t *out)
{
	if (wire->at == wire->end || *wire->at >= 0x80)
		return wire_i64_tagged(wire, out);
	*out = *wire->at++;
	return true;
}

/* wire_list() - one whole array, unread; its members are checked for form and depth. */
bool wire_list(struct wire *wire, struct text *out);

/* wire_skip() - one value of the subset, arrays up to WIRE_DEPTH_MAX deep included. */
bool wire_skip(struct wire *wire);
