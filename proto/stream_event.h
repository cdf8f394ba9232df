/* SPDX-License-Identifier: MIT */
/* stream_event.h - StreamEvent values and their wire form; all of it derives from schema.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/schema.h"
#include "proto/text.h"
#include "proto/wire.h"
#include "proto/words.h"

#define MEMBER_STR(name) struct text name;
#define MEMBER_JSON(name) struct text name;
#define MEMBER_LIST(name) struct text name;
#define MEMBER_ENUM(name) uint32_t name;
#define MEMBER_U64(name) uint64_t name;
#define MEMBER_I64(name) int64_t name;
#define MEMBER_BOOL(name) bool name;
#define MEMBER(S, kind, name, arg, flags, since, meaning) MEMBER_##kind(name)

enum stream_event_type {
	EVENT_NONE = 0,
#define EVENT_TYPE(number, UPPER, lower, name, from, to) EVENT_##UPPER = number,
	STREAM_EVENTS(EVENT_TYPE)
#undef EVENT_TYPE
};

#define STREAM_EVENT_TYPE_MAX 239

/* Texts are borrowed: from the frame after decoding, from the core that made the event before
 * encoding.
 */
struct stream_event {
	enum stream_event_type type;
	STREAM_HEADER_FIELDS(MEMBER, )
	union {
#define EVENT_BODY(number, UPPER, lower, name, from, to) \
	struct { \
		UPPER##_FIELDS(MEMBER, ) \
	} lower;
		STREAM_EVENTS(EVENT_BODY)
#undef EVENT_BODY
	};
};

/* Outcomes of stream_event_read() the caller must handle; see common/error.h. */
enum {
	_STREAM_EVENT_E_SUCCESS,
	STREAM_EVENT_E_MALFORMED, /* not our form, a field missing or over its limit */
	STREAM_EVENT_E_UNKNOWN, /* well formed, but a type or version this build does not know */
};

enum stream_event_form {
	STREAM_EVENT_ADDRESSED, /* with secret fields: for the process that needs them */
	STREAM_EVENT_PUBLIC, /* secret fields are left empty */
};

/* stream_event_name() - e.g. "stream.opened".
 *
 * Return: static string, or NULL if @type is not an event.
 */
const char *stream_event_name(enum stream_event_type type);

/* stream_event_named() - the type with that name, or EVENT_NONE. */
enum stream_event_type stream_event_named(struct text name);

/* stream_event_may() - whether the schema lets @from send @type to @to.
 *
 * @to is ROLE_NONE for what is published.
 */
bool stream_event_may(enum stream_event_type type, enum role from, enum role to);

/* stream_event_wire_max() - the most bytes an event of @type may take, encoded. */
size_t stream_event_wire_max(enum stream_event_type type);

/* stream_event_encode() - write @event into @wire.
 *
 * Units: @size and the result are bytes.  Ownership: nothing is kept or allocated.  A text
 * beyond its limit is our own mistake and aborts: whoever makes events checks what comes from
 * outside.
 *
 * Return: length written (> 0), or -EMSGSIZE if @size is too small.
 */
ssize_t stream_event_encode(const struct stream_event *event, enum stream_event_form form,
			    uint8_t *wire, size_t size);

/* stream_event_read() - read the next event of a frame; @wire is moved behind it.
 *
 * @out borrows from the frame; after a failure it is of no use.  Fields that this build does not
 * know are skipped, so peers may be newer.  Never allocates.
 *
 * Return: 0, STREAM_EVENT_E_MALFORMED or, with @wire behind the event, STREAM_EVENT_E_UNKNOWN.
 */
int stream_event_read(struct wire *wire, struct stream_event *out);

/* stream_event_line() - one "name user stream field=value ..." line for people.
 *
 * Only fields that say something are printed; secrets are redacted, control bytes escaped.
 *
 * Return: @text, always terminated, cut off at @size bytes.
 */
const char *stream_event_line(const struct stream_event *event, char *text, size_t size);

/* stream_event_json() - one JSON object without line end; secrets redacted.
 *
 * Return: length, or -EMSGSIZE if @size bytes do not hold it.
 */
ssize_t stream_event_json(const struct stream_event *event, char *text, size_t size);

/* stream_event_redact() - "rtmp://host/app/••••" of a publish URL, as all printing does.
 *
 * Return: @text, always terminated.
 */
const char *stream_event_redact(struct text url, char *text, size_t size);
