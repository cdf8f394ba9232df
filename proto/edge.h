/* SPDX-License-Identifier: MIT */
/* edge.h - the JSON that glasses, apps and REST clients see; all of it derives from
 * edge_schema.h.  Pure: no I/O, clock, log, malloc.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/edge_schema.h"
#include "proto/json.h"
#include "proto/text.h"
#include "proto/words.h"

/* Holds every string of one message, unescaped; edge_table.c proves it. */
#define EDGE_SCRATCH_SIZE 4096
/* Holds every message, encoded, whatever has to be escaped in it: a relayed message and 4 KiB. */
#define EDGE_ENCODED_MAX (RELAY_MAX + 4096)
#define EDGE_TIME_LENGTH 24 /* 2025-12-01T10:00:00.000Z */
#define EDGE_CLOSE_REASON_MAX 123 /* RFC 6455: 125 bytes less the code */

enum edge_side {
	EDGE_FROM_GLASSES,
	EDGE_FROM_APP,
	EDGE_FROM_REST,
	EDGE_TO_GLASSES,
	EDGE_TO_APP,
	EDGE_TO_HOOK,
	EDGE_TO_REST,
};

/* clang-format off */
enum edge_type {
	EDGE_NONE = 0,
#define EDGE_TYPE(UPPER, lower, SIDE, type) EDGE_##UPPER,
	EDGE_MESSAGES(EDGE_TYPE)
#undef EDGE_TYPE
	EDGE_TYPE_COUNT,
};
/* clang-format on */

/* The place of each row in its message, and so its bit: EDGE_ROW_keep_alive_ack_stream_id. */
#define EDGE_ROW(S, kind, name, json, arg, flags, meaning) EDGE_ROW_##S##_##name,
#define EDGE_ROWS(UPPER, lower, SIDE, type) \
	enum { EDGE_##UPPER##_FIELDS(EDGE_ROW, lower) EDGE_ROWS_##lower };
EDGE_MESSAGES(EDGE_ROWS)
#undef EDGE_ROWS
#undef EDGE_ROW

#define EDGE_BIT(lower, name) (UINT32_C(1) << EDGE_ROW_##lower##_##name)
/* Whether @message, which is a @lower, came with the field @name; OPEN rows have bits too. */
#define EDGE_HAS(message, lower, name) (((message)->present & EDGE_BIT(lower, name)) != 0)
#define EDGE_OVERSIZED(message, lower, name) (((message)->oversized & EDGE_BIT(lower, name)) != 0)

#define EDGE_MEMBER_STR(name) struct text name;
#define EDGE_MEMBER_OBJECT(name) struct text name;
#define EDGE_MEMBER_ARRAY(name) struct text name;
#define EDGE_MEMBER_BOOL(name) bool name;
#define EDGE_MEMBER_U64(name) uint64_t name;
#define EDGE_MEMBER_WHEN(name) int64_t name;
#define EDGE_MEMBER_NOW(name)
#define EDGE_MEMBER_FIXED(name)
#define EDGE_MEMBER_OPEN(name)
#define EDGE_MEMBER_CLOSE(name)
#define EDGE_MEMBER(S, kind, name, json, arg, flags, meaning) EDGE_MEMBER_##kind(name)

/* Texts are borrowed: after decoding from the input or, where they had to be unescaped, from the
 * scratch; before encoding from whoever made the message.  A field without its @present bit is
 * zero, but for objects that read as {}.
 */
struct edge_message {
	enum edge_type type;
	uint32_t present; /* EDGE_BIT()s */
	uint32_t oversized; /* beyond the limit: absent, or cut where the schema says so */
	struct text type_name; /* as received; empty if there is none */
	struct text json; /* as received: the object, without white space around it */
	union {
#define EDGE_BODY(UPPER, lower, SIDE, type) \
	struct { \
		EDGE_##UPPER##_FIELDS(EDGE_MEMBER, lower) \
	} lower;
		EDGE_MESSAGES(EDGE_BODY)
#undef EDGE_BODY
	};
};

struct edge_scratch {
	char bytes[EDGE_SCRATCH_SIZE];
};

struct edge_input {
	enum edge_side side;
	enum edge_type type; /* EDGE_NONE: the "type" member says it; else that form, for REST */
	struct text json;
	struct edge_scratch *scratch;
};

/* Outcomes of edge_decode() the caller must handle; see common/error.h. */
enum {
	_EDGE_E_SUCCESS,
	EDGE_E_NOT_JSON, /* or beyond a bound of json.h, or a number we read is out of range */
	EDGE_E_NOT_OBJECT, /* JSON, but something else */
	EDGE_E_NO_TYPE, /* "type" missing, empty, no string or beyond TYPE_NAME_MAX */
	EDGE_E_UNKNOWN, /* a type this side does not have: relay it or ignore it */
};

/* edge_decode() - read one message in a single scan.
 *
 * A field of a wrong type or beyond its limit counts as absent; the latter has its bit in
 * @out->oversized.  Unknown members are ignored, of doubled ones the last wins.  @out is written
 * on success; on EDGE_E_UNKNOWN only @type_name and @json are.  It borrows from @input->json and
 * @input->scratch.
 *
 * Return: 0 or EDGE_E_*.
 */
int edge_decode(const struct edge_input *input, struct edge_message *out);

/* edge_encode() - write @message, as JSON.stringify() would, without terminator.
 *
 * Units: @unix_ms fills the timestamps, @size and the result are bytes.  Errors: a string beyond
 * its limit is our own mistake and aborts.  OBJECT and ARRAY members are written as they are.
 *
 * Return: length written (> 0), or -EMSGSIZE; EDGE_ENCODED_MAX is always enough.
 */
ssize_t edge_encode(const struct edge_message *message, int64_t unix_ms, char *buffer, size_t size);

/* edge_subscriptions() - begin reading the "subscriptions" of a decoded message. */
void edge_subscriptions(struct text array, struct json_walk *walk);

/* edge_subscription_next() - the next type subscribed to: a string, or the "stream" of an object.
 *
 * Anything else, and what is empty or longer than TYPE_NAME_MAX, is passed over.  @out borrows
 * from the array or from @buffer.
 *
 * Return: false at the end.
 */
bool edge_subscription_next(struct json_walk *walk, char buffer[TYPE_NAME_MAX], struct text *out);

/* edge_device_status() - what the device says: DEVICE_NONE if there is no word, DEVICE_OTHER if it
 * is not one of ours.  @message is an EDGE_DEVICE_STREAM_STATUS.
 */
enum device_status edge_device_status(const struct edge_message *message);

/* edge_connected() - whether a glasses_connection_state with this @status means connected. */
bool edge_connected(struct text status);

/* edge_url_ok() - whether glasses may be told to publish to @url: rtmp:// or rtmps://, at most
 * URL_MAX bytes, no space, no control byte.
 */
bool edge_url_ok(struct text url);

/* edge_clean() - @in made fit to be stored, shown and passed on.
 *
 * Control characters and those that change the direction of writing are left out, line breaks and
 * tabs become spaces, what is no UTF-8 is left out; of a publish URL nothing behind the host stays,
 * for that is the key of a stream; the rest is cut to DETAIL_MAX or @size bytes, whichever is less,
 * at a character boundary.
 *
 * Return: the text, in @out; not terminated.
 */
struct text edge_clean(struct text in, char *out, size_t size);

/* edge_cut() - the longest beginning of @text of at most @limit bytes that ends at a character
 * boundary; borrowed.
 */
struct text edge_cut(struct text text, uint32_t limit);

/* edge_close_reason() - @message as far as a close frame holds it; borrowed. */
struct text edge_close_reason(struct text message);

/* edge_time() - ISO 8601 in UTC with milliseconds; not terminated.
 *
 * Times before 1970 and after 9999 are written as the first and last of that range.
 */
void edge_time(int64_t unix_ms, char out[EDGE_TIME_LENGTH]);
