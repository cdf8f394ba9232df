/* SPDX-License-Identifier: MIT */
/* Goal: snapshots and history reach many clients fairly, in slices, with secrets only for those
 * who need them, and end as they should; the slow cost nothing.  Method: a table of rows behind
 * the port, a real inbox, clients that read what left.
 */
#include <stdio.h>

#include <criterion/criterion.h>

#include "common/snapshots.h"
#include "tests/lib/bus.h"

#define US UINT64_C(0x5e17e1)
#define CLIENTS_MAX (SNAPSHOTS_MAX + 2)

static struct inbox inbox;
static struct snapshots snapshots;
static uint64_t row_count = 100, upto = 77;
static uint64_t history_upto = 50, history_gap = 1; /* every how many is asked for */
static bool ready = true;
static char url[] = "rtmp://host/app/key";

/* What each client has got so far. */
static struct seen {
	bool busy, gone;
	size_t rows, begins, ends, refusals, secrets, frames;
	uint64_t last_seq, end_rows, end_upto, next_seq, oldest_seq, request, bytes;
} seen[CLIENTS_MAX];

static bool port_begin(void *context, uint64_t *out)
{
	(void)context;
	*out = upto;
	return ready;
}

static bool port_row(void *context, const struct stream_event *get, uint64_t *cursor,
		     struct stream_event *out)
{
	(void)context;
	(void)get;
	if (*cursor == row_count)
		return false;
	*out = (struct stream_event){ .type = EVENT_SNAPSHOT_STREAM,
				      .seq = ++*cursor,
				      .snapshot_stream.rtmp_url = text_of(url) };
	return true;
}

static bool port_history(void *context, const struct stream_event *get, uint64_t *cursor,
			 struct stream_event *out)
{
	(void)context;
	cr_assert(text_is(get->user_id, "user@example.com"));
	if (*cursor < get->history_get.from_seq)
		*cursor = get->history_get.from_seq;
	if (*cursor > history_upto)
		return false;
	if (*cursor % history_gap != 0) {
		++*cursor;
		*out = (struct stream_event){ 0 };
		return true;
	}
	*out = (struct stream_event){ .type = EVENT_STREAM_MOVED,
				      .source = TEXT("registry"),
				      .incarnation = 1, /* an earlier life */
				      .seq = (*cursor)++ };
	return true;
}

static uint64_t port_oldest(void *context)
{
	(void)context;
	return 3;
}

static const struct snapshot_port port = { NULL, port_begin, port_row, port_history, port_oldest };

static void take_row(struct seen *client, const struct stream_event *event)
{
	client->rows++;
	cr_assert_gt(event->seq, client->last_seq);
	client->last_seq = event->seq;
}

static void take(struct seen *client, const struct stream_event *event)
{
	switch ((int)event->type) {
	case EVENT_SNAPSHOT_BEGIN:
		client->begins++;
		client->request = event->request;
		return;
	case EVENT_SNAPSHOT_END:
		client->ends++;
		client->end_rows = event->snapshot_end.rows;
		client->end_upto = event->snapshot_end.upto;
		return;
	case EVENT_HISTORY_END:
		client->ends++;
		client->request = event->request;
		client->next_seq = event->history_end.next_seq;
		client->oldest_seq = event->history_end.oldest_seq;
		return;
	case EVENT_PEER_REFUSED:
		client->refusals++;
		return;
	case EVENT_SNAPSHOT_STREAM:
		client->secrets += event->snapshot_stream.rtmp_url.length > 0;
		take_row(client, event);
		return;
	case EVENT_STREAM_MOVED:
		take_row(client, event);
		return;
	default:
		return;
	}
}

static enum inbox_sent wire_send(void *context, const uint8_t *route, size_t route_length,
				 const uint8_t *frame, size_t length)
{
	struct frame_head head;
	struct stream_event event;
	struct wire wire;
	struct route to;
	struct seen *client;

	(void)context;
	cr_assert(route_read(route, route_length, &to));
	client = &seen[to.incarnation];
	if (client->gone)
		return INBOX_GONE;
	if (client->busy)
		return INBOX_BUSY;
	client->frames++;
	client->bytes += length;
	cr_assert(frame_read(frame, length, &head, &wire));
	for (size_t i = 0; i < head.count; i++) {
		cr_assert_eq(stream_event_read(&wire, &event), 0);
		take(client, &event);
	}
	return INBOX_SENT;
}

static void to_snapshots(void *context, const struct input *input)
{
	(void)context;
	snapshots_input(&snapshots, input);
}

static void setup(void)
{
	const struct inbox_options options = { .role = ROLE_REGISTRY,
					       .name = "registry",
					       .incarnation = US,
					       .transient = true,
					       .port = { .send = wire_send,
							 .input = to_snapshots } };

	cr_assert_eq(inbox_init(&inbox, &options), 0);
	snapshots_init(&snapshots, &inbox, &port);
}

static void teardown(void)
{
	inbox_fini(&inbox);
}

TestSuite(snapshots, .init = setup, .fini = teardown);

/* A hello and @get in one frame, as a follower sends them. */
static void ask(enum role role, uint64_t client, uint32_t connection, struct stream_event get)
{
	uint8_t bytes[2048], route[ROUTE_LENGTH_MAX];
	char name[16];
	struct stream_event events[2] = { { .type = EVENT_PEER_HELLO }, get };
	size_t length;

	snprintf(name, sizeof name, "client-%d", (int)client);
	events[0].peer_hello.role = role;
	events[0].peer_hello.name = text_of(name);
	events[0].peer_hello.protocol = STREAM_PROTOCOL_VERSION;
	length = bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, name, client, 0, events, 2);
	route_write(&(struct route){ role, client, connection }, route);
	inbox_frame(&inbox, route, sizeof route, NULL, bytes, length, 0);
	while (inbox_step(&inbox, 0))
		;
}

static void ask_snapshot(enum role role, uint64_t client)
{
	ask(role, client, 1, (struct stream_event){ .type = EVENT_SNAPSHOT_GET, .request = 9 });
}

static void ask_history(uint64_t client, uint64_t from, uint64_t count_max)
{
	seen[client] = (struct seen){ 0 };
	ask(ROLE_OPERATOR, client, 1,
	    (struct stream_event){ .type = EVENT_HISTORY_GET,
				   .request = 9,
				   .user_id = TEXT("user@example.com"),
				   .history_get = { .from_seq = from, .count_max = count_max } });
}

/* One pass of a daemon. */
static void pass(void)
{
	while (snapshots_step(&snapshots))
		;
	inbox_flush(&inbox, 0);
	inbox_tick(&inbox, 0);
}

static void pass_until_idle(void)
{
	int passes = 0;

	do {
		pass();
		cr_assert_lt(passes++, 10000);
	} while (snapshots_is_busy(&snapshots));
}

Test(snapshots, rows_stand_between_begin_and_end)
{
	ask_snapshot(ROLE_SCHEDULER, 1);
	pass_until_idle();
	cr_assert_eq(seen[1].begins, 1);
	cr_assert_eq(seen[1].request, 9);
	cr_assert_eq(seen[1].rows, 100);
	cr_assert_eq(seen[1].ends, 1);
	cr_assert_eq(seen[1].end_rows, 100);
	cr_assert_eq(seen[1].end_upto, 77);
}

Test(snapshots, only_adapters_see_secrets)
{
	static const enum role roles[] = { ROLE_UNMANAGED, ROLE_MANAGED, ROLE_SCHEDULER,
					   ROLE_CONSOLE, ROLE_OPERATOR };

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		ask_snapshot(roles[i], i + 1);
	pass_until_idle();
	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		cr_assert_eq(seen[i + 1].rows, 100);
		cr_assert_eq(seen[i + 1].secrets, i < 2 ? 100 : 0, "role %d", roles[i]);
	}
}

Test(snapshots, a_slice_is_limited_and_everybody_gets_one)
{
	row_count = 100000;
	for (uint64_t client = 1; client <= 5; client++)
		ask_snapshot(ROLE_UNMANAGED, client);
	pass();
	for (uint64_t client = 1; client <= 5; client++) {
		cr_assert_gt(seen[client].bytes, SNAPSHOTS_SLICE_BYTES / 2);
		cr_assert_lt(seen[client].bytes, SNAPSHOTS_SLICE_BYTES + 16 * 1024);
	}
	cr_assert(snapshots_is_busy(&snapshots));
	pass_until_idle();
	for (uint64_t client = 1; client <= 5; client++) {
		cr_assert_eq(seen[client].rows, row_count);
		cr_assert_eq(seen[client].ends, 1);
	}
}

Test(snapshots, a_slow_client_costs_one_slice_and_holds_up_nobody)
{
	row_count = 10000;
	ask_snapshot(ROLE_UNMANAGED, 1);
	ask_snapshot(ROLE_UNMANAGED, 2);
	seen[1].busy = true;
	pass_until_idle();
	cr_assert_eq(seen[2].ends, 1);
	cr_assert_eq(seen[1].frames, 0);
	cr_assert_lt(inbox_waiting(&inbox, &(struct peer){ ROLE_UNMANAGED, 1 }),
		     SNAPSHOTS_SLICE_BYTES + 16 * 1024);
	cr_assert_eq(inbox.stats.overflows, 0);
	seen[1].busy = false;
	inbox_flush(&inbox, INBOX_RETRY_MS);
	pass_until_idle();
	cr_assert_eq(seen[1].rows, row_count);
	cr_assert_eq(seen[1].ends, 1);
}

Test(snapshots, whoever_leaves_is_not_served_on)
{
	row_count = 100000;
	ask_snapshot(ROLE_UNMANAGED, 1);
	seen[1].gone = true;
	pass();
	pass();
	cr_assert_eq(snapshots.count, 0);
	cr_assert_not(snapshots_is_busy(&snapshots));
	/* Back on another connection: what was asked before is void, a new question counts. */
	seen[1] = (struct seen){ 0 };
	ask(ROLE_UNMANAGED, 1, 2,
	    (struct stream_event){ .type = EVENT_SNAPSHOT_GET, .request = 9 });
	pass_until_idle();
	cr_assert_eq(seen[1].rows, row_count);
}

Test(snapshots, a_new_question_replaces_the_old_one)
{
	row_count = 100000;
	ask_snapshot(ROLE_UNMANAGED, 1);
	pass();
	cr_assert_gt(seen[1].rows, 0);
	seen[1] = (struct seen){ 0 };
	ask_snapshot(ROLE_UNMANAGED, 1);
	pass_until_idle();
	cr_assert_eq(seen[1].begins, 1);
	cr_assert_eq(seen[1].ends, 1);
	cr_assert_eq(seen[1].end_rows, row_count);
}

Test(snapshots, not_more_at_once_than_there_is_room_for)
{
	row_count = 100000;
	for (uint64_t client = 0; client <= SNAPSHOTS_MAX; client++)
		ask_snapshot(ROLE_OPERATOR, client ? client : CLIENTS_MAX - 1);
	cr_assert_eq(snapshots.count, SNAPSHOTS_MAX);
	pass();
	cr_assert_eq(seen[SNAPSHOTS_MAX].refusals, 1);
	cr_assert_eq(snapshots.stats.refused, 1);
}

Test(snapshots, a_registry_that_is_not_ready_says_so)
{
	ready = false;
	ask_snapshot(ROLE_SCHEDULER, 1);
	pass_until_idle();
	cr_assert_eq(seen[1].refusals, 1);
	cr_assert_eq(seen[1].begins, 0);
	cr_assert_eq(snapshots.count, 0);
}

Test(snapshots, other_messages_are_refused_here)
{
	ask(ROLE_OPERATOR, 1, 1, (struct stream_event){ .type = EVENT_OPERATOR_STOP });
	pass_until_idle();
	cr_assert_eq(seen[1].refusals, 1);
}

Test(snapshots, history_ends_with_where_to_go_on)
{
	ask_history(1, 10, 0);
	pass_until_idle();
	cr_assert_eq(seen[1].rows, 41);
	cr_assert_eq(seen[1].last_seq, 50);
	cr_assert_eq(seen[1].next_seq, 0);
	cr_assert_eq(seen[1].oldest_seq, 3);
	cr_assert_eq(seen[1].request, 9);

	ask_history(1, 10, 5);
	pass_until_idle();
	cr_assert_eq(seen[1].rows, 5);
	cr_assert_eq(seen[1].next_seq, 15);

	ask_history(1, 46, 5); /* exactly what there is */
	pass_until_idle();
	cr_assert_eq(seen[1].rows, 5);
	cr_assert_eq(seen[1].next_seq, 0);

	ask_history(1, 51, 5);
	pass_until_idle();
	cr_assert_eq(seen[1].rows, 0);
	cr_assert_eq(seen[1].ends, 1);
}

/* One row in five: each step between them is a turn of its own, and none counts as a row. */
Test(snapshots, a_long_way_between_two_rows_of_history_is_walked_in_turns)
{
	history_gap = 5;
	ask_history(1, 10, 3);
	ask_history(2, 10, 3);
	for (int i = 0; i < 2; i++)
		cr_assert(snapshots_step(&snapshots));
	cr_assert_eq(snapshots.stats.rows, 2, "one for each");
	pass_until_idle();
	for (int client = 1; client <= 2; client++) {
		cr_assert_eq(seen[client].rows, 3);
		cr_assert_eq(seen[client].last_seq, 20);
		cr_assert_eq(seen[client].next_seq, 25);
	}
}

Test(snapshots, without_a_history_there_is_nothing_to_ask_for)
{
	static const struct snapshot_port rows_alone = { .begin = port_begin, .row = port_row };

	snapshots.port = &rows_alone;
	ask_history(1, 10, 0);
	pass_until_idle();
	cr_assert_eq(seen[1].refusals, 1);
	cr_assert_eq(seen[1].ends, 0);
}

Test(snapshots, histories_count_among_those_at_once)
{
	row_count = 100000;
	for (uint64_t client = 1; client <= SNAPSHOTS_MAX; client++)
		ask_snapshot(ROLE_OPERATOR, client);
	ask_history(CLIENTS_MAX - 1, 10, 0);
	pass();
	cr_assert_eq(seen[CLIENTS_MAX - 1].refusals, 1);
	cr_assert_eq(snapshots.stats.histories, 0);
}

/* The flush finds out, and the core is told with the next tick. */
Test(snapshots, who_is_found_gone_is_not_served_until_that_is_told)
{
	row_count = 100000;
	ask_snapshot(ROLE_UNMANAGED, 1);
	seen[1].gone = true;
	inbox_flush(&inbox, 0);
	cr_assert_not(snapshots_is_busy(&snapshots));
	cr_assert_not(snapshots_step(&snapshots));
	cr_assert_eq(snapshots.count, 0);
	inbox_tick(&inbox, 0);
	cr_assert_eq(snapshots.stats.abandoned, 1);
}
