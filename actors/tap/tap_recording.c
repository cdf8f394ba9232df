/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actors/tap/tap_arena.h"
#include "actors/tap/tap_say.h"
#include "proto/json.h"
#include "proto/list.h"
#include "proto/stream_event_table.h"

FILE *recording_open(const char *path)
{
	FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

	if (!from)
		say("cannot read %s: %s", path, strerror(errno));
	return from;
}

void recording_init(struct recording *recording, FILE *from)
{
	*recording = (struct recording){ .from = from };
}

void recording_fini(struct recording *recording)
{
	free(recording->line);
	free(recording->texts);
	*recording = (struct recording){ 0 };
}

/* Room for what one value becomes: no text or list takes more bytes than the JSON it is read from,
 * and the 3 bytes of a list's head.
 */
static bool read_text(struct recording *recording, const struct json_value *value, struct text *out)
{
	char *room = recording->texts + recording->texts_used;

	if (!json_text(value, room, recording->texts_size - recording->texts_used, out))
		return false;
	if (out->bytes == room)
		recording->texts_used += out->length;
	return true;
}

static bool add_scalar(struct recording *recording, struct list_writer *list,
		       const struct json_value *value, bool member)
{
	struct text text;
	uint64_t number;

	if (json_u64(value, &number) == JSON_IN_RANGE) {
		if (!member)
			return list_add_u64(list, number);
		list_put_u64(list, number);
		return true;
	}
	if (!read_text(recording, value, &text))
		return false;
	if (!member)
		return list_add_text(list, text);
	list_put_text(list, text);
	return true;
}

/* A member that is an array of scalars itself. */
static bool add_array(struct recording *recording, struct list_writer *list, struct text raw)
{
	struct json_value value;
	struct json_walk walk;
	uint32_t count = 0;

	if (!json_open(&walk, raw, JSON_KIND_ARRAY))
		return false;
	while (json_next(&walk, NULL, &value))
		count++;
	if (walk.failed || !json_open(&walk, raw, JSON_KIND_ARRAY))
		return false;
	list_open_member(list, count);
	while (json_next(&walk, NULL, &value))
		if (!add_scalar(recording, list, &value, true))
			return false;
	return list_close_member(list);
}

static bool read_list(struct recording *recording, const struct json_value *value, size_t limit,
		      struct text *out)
{
	struct list_writer list;
	struct json_value member;
	struct json_walk walk;
	uint8_t bytes[BATCH_BYTES_MAX];

	if (!json_open(&walk, value->raw, JSON_KIND_ARRAY))
		return false;
	list_begin(&list, bytes, limit < sizeof bytes ? limit : sizeof bytes);
	while (json_next(&walk, NULL, &member))
		if (!(member.kind == JSON_KIND_ARRAY
			      ? add_array(recording, &list, member.raw)
			      : add_scalar(recording, &list, &member, false)))
			return false;
	if (walk.failed)
		return false;
	struct text whole = list_end(&list);
	char *room = recording->texts + recording->texts_used;

	if (whole.length > recording->texts_size - recording->texts_used)
		return false;
	memcpy(room, whole.bytes, whole.length);
	recording->texts_used += whole.length;
	*out = (struct text){ room, whole.length };
	return true;
}

static bool read_value(struct recording *recording, const struct field *field,
		       const struct json_value *value, void *slot)
{
	char word[JSON_WORD_MAX];
	struct text text;

	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
		return read_text(recording, value, slot) &&
		       ((struct text *)slot)->length <= field->limit;
	case FIELD_LIST:
		return read_list(recording, value, field->limit, slot);
	case FIELD_ENUM:
		if (!json_text(value, word, sizeof word, &text))
			return false;
		*(uint32_t *)slot = words_find(field->words, text, 0);
		return true;
	case FIELD_U64:
		return json_u64(value, slot) == JSON_IN_RANGE;
	case FIELD_I64:
		return json_i64(value, slot) == JSON_IN_RANGE;
	case FIELD_BOOL:
		return json_bool(value, slot);
	}
	return false;
}

static bool read_event(struct recording *recording, struct text line, enum stream_event_type type,
		       struct stream_event *out)
{
	const struct schema *schema = stream_event_schema(type);
	struct json_value key, value;
	struct json_walk walk;

	*out = (struct stream_event){ .type = type };
	(void)json_open(&walk, line, JSON_KIND_OBJECT);
	while (json_next(&walk, &key, &value))
		for (size_t i = 0; i < schema->field_count; i++) {
			const struct field *field = &schema->fields[i];

			if (json_is(&key, text_of(field->name)) &&
			    !read_value(recording, field, &value, (char *)out + field->offset))
				return false;
		}
	return true;
}

static void read_number(const struct json_value *key, const char *name,
			const struct json_value *value, uint64_t *out)
{
	if (json_is(key, text_of(name)))
		(void)json_u64(value, out);
}

static void read_name(const struct json_value *key, const char *name,
		      const struct json_value *value, char *to, size_t size)
{
	struct text text;

	if (json_is(key, text_of(name)) && json_text(value, to, size - 1, &text)) {
		memmove(to, text.bytes, text.length);
		to[text.length] = '\0';
	}
}

static void read_record(struct recording *recording, struct text line, struct record *out)
{
	struct json_value key, value;
	struct json_walk walk;

	*recording->source = *recording->topic = '\0';
	out->source = recording->source;
	out->topic = recording->topic;
	(void)json_open(&walk, line, JSON_KIND_OBJECT);
	while (json_next(&walk, &key, &value)) {
		read_name(&key, "source", &value, recording->source, sizeof recording->source);
		read_name(&key, "topic", &value, recording->topic, sizeof recording->topic);
		read_number(&key, "incarnation", &value, &out->incarnation);
		read_number(&key, "previous", &value, &out->previous);
		read_number(&key, "from_seq", &value, &out->from_seq);
		read_number(&key, "next_seq", &value, &out->from_seq);
		read_number(&key, "missed", &value, &out->count);
		read_number(&key, "dropped", &value, &out->count);
		if (json_is(&key, TEXT("sent_ms")))
			(void)json_i64(&value, &out->sent_ms);
	}
}

/* The member "type" of a line that is JSON from one end to the other; "" if there is none. */
static struct text type_of(struct text line, char word[static JSON_WORD_MAX])
{
	struct text type = TEXT("");
	struct json_value key, value;
	struct json_walk walk;

	if (!json_open(&walk, line, JSON_KIND_OBJECT))
		return type;
	while (json_next(&walk, &key, &value))
		if (json_is(&key, TEXT("type")))
			(void)json_text(&value, word, JSON_WORD_MAX, &type);
	return walk.failed ? TEXT("") : type;
}

static enum recorded read_line(struct recording *recording, struct text line,
			       struct stream_event *event, struct record *record)
{
	char word[JSON_WORD_MAX];
	struct text name = type_of(line, word);
	enum stream_event_type type = stream_event_named(name);

	*record = (struct record){ 0 };
	if (print_record_named(name, &record->type)) {
		read_record(recording, line, record);
		return RECORDED_RECORD;
	}
	if (type == EVENT_NONE || !read_event(recording, line, type, event))
		return RECORDED_UNREADABLE;
	return RECORDED_EVENT;
}

enum recorded recording_next(struct recording *recording, struct stream_event *event,
			     struct record *record)
{
	ssize_t length = getline(&recording->line, &recording->line_size, recording->from);

	if (length < 0)
		return RECORDED_END;
	while (length > 0 &&
	       (recording->line[length - 1] == '\n' || recording->line[length - 1] == '\r'))
		length--;
	if (length == 0)
		return RECORDED_NOTHING;
	if (length > PRINT_LINE_MAX)
		return RECORDED_UNREADABLE;
	if (!recording->texts) {
		recording->texts_size = 2 * PRINT_LINE_MAX;
		recording->texts = memory_grow(NULL, recording->texts_size, 1);
	}
	recording->texts_used = 0;
	return read_line(recording, (struct text){ recording->line, (uint32_t)length }, event,
			 record);
}
