/* SPDX-License-Identifier: MIT */
#include "tests/lib/fake_registry_wire.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "proto/list.h"
#include "proto/stream_event_table.h"

#define LISTS_SIZE 65536

static uint8_t lists[LISTS_SIZE]; /* of the events being made */
static size_t lists_used;

void die(const char *what)
{
	(void)fprintf(stderr, "fake_registry: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

void *bind_socket(void *context, int type, const char *run, const char *name, const char *suffix)
{
	const int hwm = 1000, linger_ms = 0, yes = 1;
	const int64_t max = FRAME_MAX;
	char endpoint[256];
	void *socket = zmq_socket(context, type);

	if (!socket || zmq_setsockopt(socket, ZMQ_SNDHWM, &hwm, sizeof hwm) < 0 ||
	    zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof hwm) < 0 ||
	    zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms) < 0 ||
	    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max) < 0)
		die("socket");
	if (type == ZMQ_XPUB) {
		(void)zmq_setsockopt(socket, ZMQ_XPUB_WELCOME_MSG, TOPIC_WELCOME, FRAME_TOPIC_SIZE);
		/* Each subscriber is heard, also of a topic that another has. */
		(void)zmq_setsockopt(socket, ZMQ_XPUB_VERBOSE, &yes, sizeof yes);
	} else {
		(void)zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &yes, sizeof yes);
	}
	(void)snprintf(endpoint, sizeof endpoint, "ipc://%s/%s.%s", run, name, suffix);
	if (zmq_bind(socket, endpoint) < 0)
		die(endpoint);
	return socket;
}

/* Members that are lists themselves hold texts, numbers and truth values. */
static void add_member(struct list_writer *list, json_t *member)
{
	json_t *item;
	size_t i;

	list_open_member(list, (uint32_t)json_array_size(member));
	json_array_foreach(member, i, item)
	{
		if (json_is_string(item))
			list_put_text(list, text_of(json_string_value(item)));
		else if (json_is_boolean(item))
			list_put_u64(list, json_is_true(item));
		else
			list_put_u64(list, (uint64_t)json_integer_value(item));
	}
	(void)list_close_member(list);
}

static struct text list_from_json(json_t *value)
{
	struct list_writer list;
	json_t *item;
	size_t i;

	list_begin(&list, lists + lists_used, sizeof lists - lists_used);
	json_array_foreach(value, i, item)
	{
		if (json_is_array(item))
			add_member(&list, item);
		else
			(void)list_add_text(&list, text_of(json_string_value(item)));
	}
	struct text text = list_end(&list);

	lists_used += text.length;
	return text;
}

static void set_field(struct stream_event *event, const struct field *field, json_t *value)
{
	void *slot = (char *)event + field->offset;

	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
		*(struct text *)slot = (struct text){ json_string_value(value),
						      (uint32_t)json_string_length(value) };
		return;
	case FIELD_LIST:
		*(struct text *)slot = list_from_json(value);
		return;
	case FIELD_ENUM:
		*(uint32_t *)slot = words_find(field->words, text_of(json_string_value(value)), 0);
		return;
	case FIELD_U64:
	case FIELD_I64:
		*(int64_t *)slot = json_integer_value(value);
		return;
	case FIELD_BOOL:
		*(bool *)slot = json_is_true(value);
		return;
	}
}

void events_begin(void)
{
	lists_used = 0;
}

struct stream_event event_from_json(json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "type"));
	struct stream_event event = { .type = stream_event_named(text_of(name ? name : "")) };
	const struct schema *schema = stream_event_schema(event.type);

	if (!schema) {
		(void)fprintf(stderr, "fake_registry: no event '%s'\n", name ? name : "");
		exit(EXIT_FAILURE);
	}
	for (size_t i = 0; i < schema->field_count; i++) {
		json_t *value = json_object_get(object, schema->fields[i].name);

		if (value)
			set_field(&event, &schema->fields[i], value);
	}
	return event;
}

void answer_begin(struct answer *answer)
{
	frame_begin(&answer->frame, answer->bytes, sizeof answer->bytes, TOPIC_DIRECT,
		    answer->incarnation, 0);
}

void answer_send(struct answer *answer)
{
	frame_end(&answer->frame);
	(void)zmq_send(answer->socket, answer->peer, answer->peer_length, ZMQ_SNDMORE);
	(void)zmq_send(answer->socket, answer->bytes, answer->frame.length, 0);
	answer_begin(answer);
}

void answer_add(struct answer *answer, struct stream_event event)
{
	event.source = text_of(answer->source);
	event.incarnation = answer->incarnation;
	if (!frame_add(&answer->frame, &event, STREAM_EVENT_ADDRESSED)) {
		answer_send(answer);
		bool added = frame_add(&answer->frame, &event, STREAM_EVENT_ADDRESSED);
		assert(added);
	}
}

void answer_garbage(struct answer *answer)
{
	(void)zmq_send(answer->socket, answer->peer, answer->peer_length, ZMQ_SNDMORE);
	(void)zmq_send(answer->socket, "direct  and then nothing right", 30, 0);
	(void)zmq_send(answer->socket, answer->peer, answer->peer_length, ZMQ_SNDMORE);
	(void)zmq_send(answer->socket, "two", 3, ZMQ_SNDMORE);
	(void)zmq_send(answer->socket, "parts", 5, 0);
}

void answer_too_much(struct answer *answer)
{
	static uint8_t bytes[FRAME_MAX + 1];

	(void)zmq_send(answer->socket, answer->peer, answer->peer_length, ZMQ_SNDMORE);
	(void)zmq_send(answer->socket, bytes, sizeof bytes, 0);
}
