/* SPDX-License-Identifier: MIT */
#include "actors/audit/audit_held.h"

#include <stdlib.h>

#include "actors/tap/tap_arena.h"
#include "proto/stream_event_table.h"

static bool is_before(const struct audit_held *a, const struct audit_held *b)
{
	return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->serial < b->serial);
}

static void swap(struct audit_held *a, struct audit_held *b)
{
	struct audit_held kept = *a;

	*a = *b;
	*b = kept;
}

static void put(struct audit *audit, struct audit_held *held)
{
	size_t at = audit->held_count++;

	if (at == audit->held_room) {
		audit->held_room = at ? 2 * at : 64;
		audit->held = memory_grow(audit->held, audit->held_room, sizeof *audit->held);
	}
	held->serial = audit->held_serial++;
	audit->held[at] = *held;
	for (; at > 0 && is_before(&audit->held[at], &audit->held[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&audit->held[at], &audit->held[(at - 1) / 2]);
}

/* Moves @text to @to, and @to behind it. */
static void keep(struct text *text, char **to)
{
	if (text->length > 0)
		memcpy(*to, text->bytes, text->length);
	text->bytes = *to;
	*to += text->length;
}

void held_event(struct audit *audit, int64_t due_ms, const struct stream_event *event)
{
	const struct schema *schema = stream_event_schema(event->type);
	struct audit_held held = { .due_ms = due_ms, .event = *event };
	size_t bytes = 1;
	char *to = NULL;

	for (unsigned pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < schema->field_count; i++) {
			const struct field *field = &schema->fields[i];
			struct text *text = (struct text *)((char *)&held.event + field->offset);

			if (!field_is_text(field))
				continue;
			if (pass == 0)
				bytes += text->length;
			else
				keep(text, &to);
		}
		if (pass == 0)
			to = held.texts = memory_grow(NULL, bytes, 1);
	}
	put(audit, &held);
}

void held_client(struct audit *audit, int64_t due_ms, const struct client_line *line)
{
	struct audit_held held = { .due_ms = due_ms, .line = *line };
	char *to = held.texts =
		memory_grow(NULL, line->user.length + line->who.length + line->message.length, 1);

	keep(&held.line.user, &to);
	keep(&held.line.who, &to);
	keep(&held.line.message, &to);
	put(audit, &held);
}

bool held_take(struct audit *audit, int64_t until_ms, struct audit_held *out)
{
	struct audit_held *held = audit->held;

	if (audit->held_count == 0 || held[0].due_ms > until_ms)
		return false;
	*out = held[0];
	held[0] = held[--audit->held_count];
	for (size_t at = 0;;) {
		size_t least = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
			if (child < audit->held_count && is_before(&held[child], &held[least]))
				least = child;
		if (least == at)
			return true;
		swap(&held[at], &held[least]);
		at = least;
	}
}

void held_fini(struct audit *audit)
{
	for (size_t i = 0; i < audit->held_count; i++)
		free(audit->held[i].texts);
	free(audit->held);
}
