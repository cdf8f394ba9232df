/* SPDX-License-Identifier: MIT */
/* fake_registry.c - a registry, and a managed-adapter, that say what a test tells them to, right or
 * wrong.
 *
 *   fake_registry RUN
 *
 * Binds RUN/registry.inbox, .snapshot and .outbox and obeys one JSON object a line on stdin;
 * each is answered {"done":...} once it is carried out.  What arrives is reported on stdout.
 * Nothing is done by time, so a test decides the order of everything.
 *
 *   {"do":"rows","events":[E...]}             what a snapshot holds from now on
 *   {"do":"story","events":[E...],"lose":B}   numbered, kept, published (lose: kept only)
 *   {"do":"ops","source":S,"events":[E...]}   operational events of S
 *   {"do":"outbox","source":S}                another daemon's outbox
 *   {"do":"skip","source":S,"topic":T,"count":N}  N numbers that nobody ever hears of
 *   {"do":"beacon","source":S,"topic":T}
 *   {"do":"restart","source":S,"seq":N}       another incarnation; seq: of its next events
 *   {"do":"raw","source":S,"hex":H,"parts":N} bytes as they are, N parts of them
 *   {"do":"forget","count":N}                 drop the N oldest events of the history
 *   {"do":"managed"}                          also binds RUN/managed-adapter.inbox
 *   {"do":"inputs","events":[E...],"report":E}  what provider.ask is answered from now on
 *   {"do":"set", KEY:VALUE...}                see struct behaviour
 *
 * An event E is an object: "type" and the fields of proto/schema.h; enumerations are words,
 * lists are arrays of strings, or of arrays of strings, numbers and truth values.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <zmq.h>

#include "tests/lib/fake_registry_wire.h"

#define OUTBOXES_MAX 8
#define HISTORY_MAX 1024
#define ITEMS_MAX 4 /* polled beside the outboxes */

enum topic { STORY, OPS, TOPIC_COUNT };

struct outbox {
	char name[NAME_MAX_BYTES + 1];
	void *socket;
	uint64_t incarnation;
	uint64_t next_seq[TOPIC_COUNT];
};

/* How requests are answered. */
struct behaviour {
	int refuse; /* peer.refused instead of peer.welcome */
	int mute; /* welcome, then silence */
	int garble; /* a malformed frame before every answer */
	int miscount; /* snapshot.end, provider.report count a row too many */
	int cut; /* the next snapshot breaks off in the middle, and so does the connection */
	int silent; /* no beacon when somebody subscribes to the story */
	int page; /* rows of a history page at most */
	char result[32], reason[REASON_MAX + 1]; /* of operator.stop */
};

static struct {
	const char *run;
	void *context, *inbox, *snapshot, *managed;
	struct outbox outboxes[OUTBOXES_MAX];
	size_t outbox_count;
	json_t *rows, *history, *inputs, *report;
	struct behaviour behaviour;
} fake = { .behaviour = { .page = 1024, .result = "ok" } };

static struct outbox *add_outbox(const char *name)
{
	struct outbox *outbox = &fake.outboxes[fake.outbox_count];

	assert(fake.outbox_count < OUTBOXES_MAX);
	(void)snprintf(outbox->name, sizeof outbox->name, "%s", name);
	outbox->incarnation = 1000 + fake.outbox_count++;
	outbox->next_seq[STORY] = outbox->next_seq[OPS] = 1;
	outbox->socket = bind_socket(fake.context, ZMQ_XPUB, fake.run, name, "outbox");
	return outbox;
}

static struct outbox *find_outbox(json_t *command)
{
	const char *name = json_string_value(json_object_get(command, "source"));

	for (size_t i = 0; i < fake.outbox_count; i++)
		if (strcmp(fake.outboxes[i].name, name ? name : "registry") == 0)
			return &fake.outboxes[i];
	return NULL;
}

static void publish(struct outbox *outbox, enum topic topic, json_t *events, bool lose)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame_writer frame;
	json_t *item;
	size_t i;

	frame_begin(&frame, bytes, sizeof bytes, topic == STORY ? TOPIC_STORY : TOPIC_OPS,
		    outbox->incarnation, outbox->next_seq[topic]);
	json_array_foreach(events, i, item)
	{
		json_object_set_new(item, "source", json_string(outbox->name));
		json_object_set_new(item, "seq", json_integer((json_int_t)outbox->next_seq[topic]));
		json_object_set_new(item, "incarnation",
				    json_integer((json_int_t)outbox->incarnation));
		outbox->next_seq[topic]++;
		if (topic == STORY)
			json_array_append(fake.history, item);
		events_begin();
		struct stream_event event = event_from_json(item);

		bool added = frame_add(&frame, &event, STREAM_EVENT_PUBLIC);
		assert(added);
	}
	frame_end(&frame);
	if (!lose && zmq_send(outbox->socket, bytes, frame.length, ZMQ_DONTWAIT) < 0)
		die("publish");
}

static int digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void send_raw(struct outbox *outbox, const char *hex, json_int_t parts)
{
	uint8_t bytes[4096];
	size_t length = strlen(hex) / 2;

	assert(length <= sizeof bytes);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	for (; parts > 0; parts--)
		(void)zmq_send(outbox->socket, bytes, length, parts > 1 ? ZMQ_SNDMORE : 0);
}

static void on_hello(struct answer *answer)
{
	struct stream_event event = { .type = EVENT_PEER_WELCOME };

	if (fake.behaviour.refuse) {
		event.type = EVENT_PEER_REFUSED;
		event.peer_refused.reason = text_of(fake.behaviour.reason);
	} else {
		event.peer_welcome.role =
			answer->socket == fake.managed ? ROLE_MANAGED : ROLE_REGISTRY;
		event.peer_welcome.name = text_of(answer->source);
	}
	answer_add(answer, event);
	answer_send(answer);
}

static void on_snapshot_get(struct answer *answer)
{
	uint64_t upto = fake.outboxes[0].next_seq[STORY] - 1;
	size_t count = json_array_size(fake.rows), i;
	json_t *row;

	answer_add(answer, (struct stream_event){ .type = EVENT_SNAPSHOT_BEGIN,
						  .snapshot_begin.upto = upto });
	json_array_foreach(fake.rows, i, row)
	{
		events_begin();
		answer_add(answer, event_from_json(row));
		if (fake.behaviour.cut && i == count / 2) {
			fake.behaviour.cut = 0;
			answer_send(answer);
			answer_too_much(answer);
			return;
		}
	}
	count += fake.behaviour.miscount != 0;
	answer_add(answer, (struct stream_event){ .type = EVENT_SNAPSHOT_END,
						  .snapshot_end.upto = upto,
						  .snapshot_end.rows = count });
	answer_send(answer);
}

static bool in_history_page(const struct stream_event *event, const struct stream_event *asked)
{
	return event->seq >= asked->history_get.from_seq &&
	       (asked->user_id.length == 0 || text_equal(event->user_id, asked->user_id)) &&
	       (asked->stream_id.length == 0 || text_equal(event->stream_id, asked->stream_id));
}

static void on_history_get(struct answer *answer, const struct stream_event *asked)
{
	struct stream_event end = { .type = EVENT_HISTORY_END };
	size_t i;
	int rows = 0;
	json_t *item;

	json_array_foreach(fake.history, i, item)
	{
		events_begin();
		struct stream_event event = event_from_json(item);

		if (end.history_end.oldest_seq == 0)
			end.history_end.oldest_seq = event.seq;
		if (!in_history_page(&event, asked))
			continue;
		if (rows++ == fake.behaviour.page) {
			end.history_end.next_seq = event.seq;
			break;
		}
		answer_add(answer, event);
	}
	answer_add(answer, end);
	answer_send(answer);
}

static void on_operator_stop(struct answer *answer, const struct stream_event *asked)
{
	struct stream_event event = {
		.type = EVENT_OPERATOR_RESULT,
		.origin = asked->origin,
		.request = asked->request,
		.user_id = asked->user_id,
		.stream_id = asked->stream_id,
		.operator_result.result =
			words_find(&result_words, text_of(fake.behaviour.result), RESULT_FAILED),
		.operator_result.reason = text_of(fake.behaviour.reason),
	};

	answer_add(answer, (struct stream_event){ .type = EVENT_PEER_ACK, .peer_ack.upto = 1 });
	answer_add(answer, event);
	answer_send(answer);
}

static void on_provider_ask(struct answer *answer, const struct stream_event *asked)
{
	struct stream_event event;
	json_t *row;
	size_t i;

	answer_add(answer, (struct stream_event){ .type = EVENT_PEER_ACK, .peer_ack.upto = 1 });
	json_array_foreach(fake.inputs, i, row)
	{
		events_begin();
		event = event_from_json(row);
		event.origin = asked->origin;
		event.request = asked->request;
		answer_add(answer, event);
	}
	event = event_from_json(fake.report);
	event.origin = asked->origin;
	event.request = asked->request;
	event.provider_report.rows = json_array_size(fake.inputs) + (fake.behaviour.miscount != 0);
	answer_add(answer, event);
	answer_send(answer);
}

static void on_request(struct answer *answer, const struct stream_event *event)
{
	answer_begin(answer);
	if (fake.behaviour.garble)
		answer_garbage(answer);
	if (event->type == EVENT_PEER_HELLO)
		on_hello(answer);
	else if (fake.behaviour.mute)
		return;
	else if (event->type == EVENT_SNAPSHOT_GET)
		on_snapshot_get(answer);
	else if (event->type == EVENT_HISTORY_GET)
		on_history_get(answer, event);
	else if (event->type == EVENT_OPERATOR_STOP)
		on_operator_stop(answer, event);
	else if (event->type == EVENT_PROVIDER_ASK && fake.report)
		on_provider_ask(answer, event);
}

static void report(const struct answer *answer, const char *socket, const struct frame_head *head,
		   const struct stream_event *event)
{
	static char text[65536];

	(void)stream_event_json(event, text, sizeof text);
	(void)printf("{\"socket\":\"%s\",\"number\":%" PRIu64 ",\"incarnation\":\"%016" PRIx64
		     "\",\"peer\":\"",
		     socket, head->first_seq, head->incarnation);
	for (size_t i = 0; i < answer->peer_length; i++)
		(void)printf("%02x", answer->peer[i]);
	(void)printf("\",\"got\":%s}\n", text);
}

static void on_router(void *socket, const char *source, const char *name)
{
	static struct answer answer;
	uint8_t bytes[16384];
	int length;

	if (!socket)
		return;
	answer.socket = socket;
	answer.source = source;
	answer.incarnation = fake.outboxes[0].incarnation;
	while ((length = zmq_recv(socket, answer.peer, sizeof answer.peer, ZMQ_DONTWAIT)) > 0) {
		struct stream_event event;
		struct frame_head head;
		struct wire wire;

		answer.peer_length = (size_t)length;
		length = zmq_recv(socket, bytes, sizeof bytes, 0);
		if (length < 0 || (size_t)length > sizeof bytes ||
		    !frame_read(bytes, (size_t)length, &head, &wire) ||
		    memcmp(head.topic, TOPIC_DIRECT, FRAME_TOPIC_SIZE) != 0) {
			(void)puts("{\"malformed\":true}");
			continue;
		}
		while (head.count-- > 0 && stream_event_read(&wire, &event) == 0) {
			report(&answer, name, &head, &event);
			on_request(&answer, &event);
		}
	}
}

static void on_subscription(struct outbox *outbox)
{
	uint8_t bytes[64];
	int length;

	while ((length = zmq_recv(outbox->socket, bytes, sizeof bytes, ZMQ_DONTWAIT)) > 0) {
		(void)printf("{\"source\":\"%s\",\"%s\":\"%.*s\"}\n", outbox->name,
			     bytes[0] ? "subscribed" : "unsubscribed", length - 1,
			     (char *)bytes + 1);
		/* In place of the beacons that a real one sends all the time. */
		if (length == 1 + FRAME_TOPIC_SIZE && bytes[0] && !fake.behaviour.silent &&
		    memcmp(bytes + 1, TOPIC_STORY, FRAME_TOPIC_SIZE) == 0)
			publish(outbox, STORY, NULL, false);
	}
}

static enum topic topic_of(json_t *command)
{
	const char *topic = json_string_value(json_object_get(command, "topic"));

	return topic && strcmp(topic, "ops") == 0 ? OPS : STORY;
}

static void set_behaviour(json_t *command)
{
	struct behaviour *behaviour = &fake.behaviour;

	(void)json_unpack(command, "{s?b,s?b,s?b,s?b,s?b,s?b,s?i}", "refuse", &behaviour->refuse,
			  "mute", &behaviour->mute, "garble", &behaviour->garble, "miscount",
			  &behaviour->miscount, "cut", &behaviour->cut, "silent",
			  &behaviour->silent, "page", &behaviour->page);
	const char *result = json_string_value(json_object_get(command, "result"));
	const char *reason = json_string_value(json_object_get(command, "reason"));

	if (result)
		(void)snprintf(behaviour->result, sizeof behaviour->result, "%s", result);
	if (reason)
		(void)snprintf(behaviour->reason, sizeof behaviour->reason, "%s", reason);
}

static void obey(json_t *command, const char *what)
{
	struct outbox *outbox = find_outbox(command);
	json_t *events = json_object_get(command, "events");
	json_int_t count = json_integer_value(json_object_get(command, "count"));

	if (strcmp(what, "rows") == 0) {
		json_decref(fake.rows);
		fake.rows = json_incref(events);
	} else if (strcmp(what, "managed") == 0) {
		fake.managed =
			bind_socket(fake.context, ZMQ_ROUTER, fake.run, "managed-adapter", "inbox");
	} else if (strcmp(what, "inputs") == 0) {
		json_decref(fake.inputs);
		json_decref(fake.report);
		fake.inputs = json_incref(events);
		fake.report = json_incref(json_object_get(command, "report"));
	} else if (strcmp(what, "story") == 0) {
		publish(outbox, STORY, events, json_is_true(json_object_get(command, "lose")));
	} else if (strcmp(what, "ops") == 0) {
		publish(outbox, OPS, events, false);
	} else if (strcmp(what, "outbox") == 0) {
		(void)add_outbox(json_string_value(json_object_get(command, "source")));
	} else if (strcmp(what, "skip") == 0) {
		outbox->next_seq[topic_of(command)] += (uint64_t)count;
	} else if (strcmp(what, "beacon") == 0) {
		publish(outbox, topic_of(command), NULL, false);
	} else if (strcmp(what, "restart") == 0) {
		json_t *seq = json_object_get(command, "seq");

		outbox->incarnation += 1000;
		outbox->next_seq[OPS] = 1;
		if (seq)
			outbox->next_seq[STORY] = (uint64_t)json_integer_value(seq);
	} else if (strcmp(what, "raw") == 0) {
		send_raw(outbox, json_string_value(json_object_get(command, "hex")),
			 json_integer_value(json_object_get(command, "parts")));
	} else if (strcmp(what, "forget") == 0) {
		for (; count > 0; count--)
			(void)json_array_remove(fake.history, 0);
	} else if (strcmp(what, "set") == 0) {
		set_behaviour(command);
	} else {
		(void)fprintf(stderr, "fake_registry: cannot do '%s'\n", what);
		exit(EXIT_FAILURE);
	}
	(void)printf("{\"done\":\"%s\"}\n", what);
}

/* Returns false at the end of stdin. */
static bool on_stdin(void)
{
	static char *line;
	static size_t size;
	json_error_t error;

	if (getline(&line, &size, stdin) < 0)
		return false;
	json_t *command = json_loads(line, 0, &error);
	const char *what = json_string_value(json_object_get(command, "do"));

	if (!what) {
		(void)fprintf(stderr, "fake_registry: %s: %s", error.text, line);
		exit(EXIT_FAILURE);
	}
	obey(command, what);
	json_decref(command);
	return true;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fputs("usage: fake_registry RUN\n", stderr);
		return EXIT_FAILURE;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)setvbuf(stdin, NULL, _IONBF, 0); /* what poll says must be true of getline */
	fake.run = argv[1];
	fake.context = zmq_ctx_new();
	fake.rows = json_array();
	fake.history = json_array();
	fake.inbox = bind_socket(fake.context, ZMQ_ROUTER, fake.run, "registry", "inbox");
	fake.snapshot = bind_socket(fake.context, ZMQ_ROUTER, fake.run, "registry", "snapshot");
	(void)add_outbox("registry");
	(void)puts("{\"done\":\"start\"}");
	for (;;) {
		zmq_pollitem_t items[ITEMS_MAX + OUTBOXES_MAX] = {
			{ .fd = STDIN_FILENO, .events = ZMQ_POLLIN },
			{ .socket = fake.inbox, .events = ZMQ_POLLIN },
			{ .socket = fake.snapshot, .events = ZMQ_POLLIN },
		};
		int count = 3;

		for (size_t i = 0; i < fake.outbox_count; i++)
			items[count++] = (zmq_pollitem_t){ .socket = fake.outboxes[i].socket,
							   .events = ZMQ_POLLIN };
		if (fake.managed)
			items[count++] =
				(zmq_pollitem_t){ .socket = fake.managed, .events = ZMQ_POLLIN };
		if (zmq_poll(items, count, -1) < 0)
			die("poll");
		for (size_t i = 0; i < fake.outbox_count; i++)
			on_subscription(&fake.outboxes[i]);
		on_router(fake.inbox, "registry", "inbox");
		on_router(fake.snapshot, "registry", "snapshot");
		on_router(fake.managed, "managed-adapter", "managed");
		if (items[0].revents && !on_stdin())
			break;
	}
	(void)zmq_close(fake.inbox);
	(void)zmq_close(fake.snapshot);
	if (fake.managed)
		(void)zmq_close(fake.managed);
	for (size_t i = 0; i < fake.outbox_count; i++)
		(void)zmq_close(fake.outboxes[i].socket);
	(void)zmq_ctx_term(fake.context);
	json_decref(fake.rows);
	json_decref(fake.history);
	json_decref(fake.inputs);
	json_decref(fake.report);
	return EXIT_SUCCESS;
}
