/* SPDX-License-Identifier: MIT */
/* Goal: whatever the connection loses, doubles or delays, and whoever is started anew, a server
 * that lives handles every request exactly once and in order; a server started anew handles what
 * the client announces first, then everything that was never acknowledged, in order.
 *
 * Method: one uplink and one inbox around a wire that behaves as ZeroMQ does and worse: besides
 * losing a suffix when a connection ends and delivering late what an old connection carried, it
 * loses and doubles frames in the middle.  Everything is drawn from a seed; SIM_SEED=N replays
 * one, SIM_SEEDS=N runs more of them.
 */
#include <stdio.h>

#include <criterion/criterion.h>

#include "common/inbox.h"
#include "common/uplink.h"
#include "tests/lib/bus.h"

#define STEPS 3000
#define IDS_MAX 20000
#define ANNOUNCEMENT UINT64_C(1000000) /* ids from here on; the round is in the thousands */
#define LINES_MAX 4

/* What one connection carries in one direction. */
struct wire_line {
	struct bus_line line;
	uint32_t connection;
	bool open;
};

static struct {
	uint64_t seed, prng;
	int64_t now_ms;
	struct uplink uplink;
	struct inbox inbox;
	uint64_t client_life, server_life;
	bool connected, server_alive, server_stalled, clogged;
	uint32_t connection;
	struct wire_line up[LINES_MAX]; /* old connections deliver late */
	struct bus_line down;
	unsigned loss, doubling;

	uint64_t next_id, asked; /* ids 1..asked were requested */
	uint64_t rounds; /* of announcements */
	bool acked[IDS_MAX];
	/* of the present life of the server: */
	uint64_t last_id; /* handled last */
	uint64_t announced; /* of the present round, handled */
	uint64_t round, round_size;
	bool handled[IDS_MAX]; /* by this life */
	bool ever[IDS_MAX]; /* by any */
	bool owed[IDS_MAX]; /* not acknowledged when this life began */
	uint64_t restarts, breaks, server_gone;
} w;

#define CHECK(condition, ...) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, __VA_ARGS__); \
			cr_assert(false, "%s; replay: SIM_SEED=%lu", #condition, \
				  (unsigned long)w.seed); \
		} \
	} while (0)

/* the client */

static void ask(uint64_t id)
{
	struct stream_event event = { .type = EVENT_EDGE_LINK_CLOSED,
				      .source = TEXT("gateway-1"),
				      .incarnation = w.client_life,
				      .request = id };

	CHECK(uplink_request(&w.uplink, &event), "ring full\n");
}

static bool client_send(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	if (!w.connected || w.clogged)
		return false;
	if (chance(&w.prng, w.loss))
		return true;
	for (unsigned copies = 1 + chance(&w.prng, w.doubling); copies > 0; copies--)
		for (size_t i = 0; i < LINES_MAX; i++)
			if (w.up[i].open && w.up[i].connection == w.connection)
				bus_put(&w.up[i].line, frame, length);
	return true;
}

static void client_input(void *context, const struct input *input)
{
	(void)context;
	if (input->type != INPUT_PEER_UP || input->known)
		return;
	w.round = ++w.rounds;
	w.round_size = chance_of(&w.prng, 5);
	for (uint64_t i = 0; i < w.round_size; i++)
		ask(ANNOUNCEMENT + w.round * 1000 + i);
}

/* the server */

static enum inbox_sent server_send(void *context, const uint8_t *route, size_t route_length,
				   const uint8_t *frame, size_t length)
{
	struct route to = { 0 };

	(void)context;
	cr_assert(route_read(route, route_length, &to));
	if (!w.connected || to.connection != w.connection) {
		w.server_gone++;
		return INBOX_GONE;
	}
	if (w.clogged)
		return INBOX_BUSY;
	if (!chance(&w.prng, w.loss))
		for (unsigned copies = 1 + chance(&w.prng, w.doubling); copies > 0; copies--)
			bus_put(&w.down, frame, length);
	return INBOX_SENT;
}

static void handle_announcement(uint64_t id)
{
	uint64_t round = (id - ANNOUNCEMENT) / 1000;

	/* The round before may still be handled by a life that has just been replaced. */
	CHECK(w.last_id == 0, "announcement %lu behind request %lu\n", (unsigned long)id,
	      (unsigned long)w.last_id);
	CHECK(round == w.round, "round %lu, not %lu\n", (unsigned long)round,
	      (unsigned long)w.round);
	CHECK((id - ANNOUNCEMENT) % 1000 == w.announced, "announcements out of order\n");
	w.announced++;
}

static void server_input(void *context, const struct input *input)
{
	uint64_t id;

	(void)context;
	if (input->type != INPUT_MESSAGE)
		return;
	id = input->event->request;
	if (id >= ANNOUNCEMENT) {
		handle_announcement(id);
		return;
	}
	CHECK(!w.handled[id], "%lu handled twice by one life\n", (unsigned long)id);
	CHECK(id > w.last_id, "%lu after %lu\n", (unsigned long)id, (unsigned long)w.last_id);
	CHECK(w.announced == w.round_size, "%lu before %lu of %lu announcements\n",
	      (unsigned long)id, (unsigned long)w.announced, (unsigned long)w.round_size);
	for (uint64_t skipped = w.last_id + 1; skipped < id; skipped++)
		CHECK(!w.owed[skipped], "%lu was owed and is left out\n", (unsigned long)skipped);
	w.handled[id] = w.ever[id] = true;
	w.last_id = id;
}

static void note_acked(void)
{
	/* What is not in the ring any more has been acknowledged; ids in the ring are the last. */
	size_t kept = 0;
	const struct request_ring *ring = &w.uplink.ring;

	for (size_t i = 0; i < ring->count; i++)
		kept += !(ring->entries[ring->first + i] & 1u << 31);
	for (uint64_t id = 1; id + kept <= w.asked; id++) {
		if (w.acked[id])
			continue;
		w.acked[id] = true;
		CHECK(w.ever[id], "%lu acknowledged and never handled\n", (unsigned long)id);
	}
}

static void begin_server(void)
{
	const struct inbox_options options = { .role = ROLE_REGISTRY,
					       .name = "registry",
					       .incarnation = ++w.server_life,
					       .port = { .send = server_send,
							 .input = server_input } };

	cr_assert_eq(inbox_init(&w.inbox, &options), 0);
	w.server_alive = true;
	w.last_id = w.announced = w.round_size = 0;
	w.round = 0;
	memset(w.handled, 0, sizeof w.handled);
	note_acked();
	for (uint64_t id = 0; id < IDS_MAX; id++)
		w.owed[id] = id >= 1 && id <= w.asked && !w.acked[id];
}

/* the wire */

static void break_connection(void)
{
	if (!w.connected)
		return;
	w.breaks++;
	w.connected = false;
	bus_drop(&w.down);
	for (size_t i = 0; i < LINES_MAX; i++) {
		struct wire_line *up = &w.up[i];

		if (!up->open || up->connection != w.connection)
			continue;
		/* A random prefix may still arrive. */
		for (size_t lost = chance_of(&w.prng, (unsigned)bus_count(&up->line) + 1); lost > 0;
		     lost--)
			free(up->line.frames[--up->line.tail % BUS_FRAMES_MAX].bytes);
	}
	uplink_disconnected(&w.uplink);
}

static void connect_wire(void)
{
	struct wire_line *free_line = NULL;

	if (w.connected || !w.server_alive)
		return;
	for (size_t i = 0; i < LINES_MAX; i++)
		if (!w.up[i].open || bus_count(&w.up[i].line) == 0)
			free_line = &w.up[i];
	if (!free_line)
		return;
	free_line->open = true;
	free_line->connection = ++w.connection;
	w.connected = true;
	uplink_connected(&w.uplink, w.now_ms);
}

static void restart_server(void)
{
	break_connection();
	for (size_t i = 0; i < LINES_MAX; i++)
		bus_drop(&w.up[i].line);
	if (w.server_alive)
		inbox_fini(&w.inbox);
	w.server_alive = false;
	w.restarts++;
	begin_server();
}

/* A server takes frames of all connections it still has something of, in any order. */
static void deliver_up(void)
{
	struct wire_line *up = &w.up[chance_of(&w.prng, LINES_MAX)];
	uint8_t route[ROUTE_LENGTH_MAX];
	struct bus_frame frame;

	if (!w.server_alive || w.server_stalled || !up->open || bus_count(&up->line) == 0)
		return;
	frame = bus_take(&up->line);
	route_write(&(struct route){ ROLE_GATEWAY, w.client_life, up->connection }, route);
	inbox_frame(&w.inbox, route, sizeof route, NULL, frame.bytes, frame.length, w.now_ms);
	while (inbox_step(&w.inbox, w.now_ms))
		;
	free(frame.bytes);
}

static void deliver_down(void)
{
	struct bus_frame frame = bus_take(&w.down);

	if (frame.length == 0)
		return;
	uplink_frame(&w.uplink, frame.bytes, frame.length);
	while (uplink_step(&w.uplink, w.now_ms))
		;
	free(frame.bytes);
	note_acked();
}

/* the run */

static void pass_client(void)
{
	uplink_tick(&w.uplink, w.now_ms);
	uplink_flush(&w.uplink, w.now_ms);
}

static void pass_server(void)
{
	if (!w.server_alive || w.server_stalled)
		return;
	inbox_tick(&w.inbox, w.now_ms);
	inbox_flush(&w.inbox, w.now_ms);
}

static void step(bool faults)
{
	unsigned what = chance_of(&w.prng, 100);

	if (what < 25 && faults) {
		for (unsigned count = 1 + chance_of(&w.prng, 4); count > 0; count--)
			ask(++w.asked);
	} else if (what < 50) {
		deliver_up();
	} else if (what < 70) {
		deliver_down();
	} else if (what < 80) {
		pass_client();
	} else if (what < 90) {
		pass_server();
	} else if (what < 94) {
		w.now_ms += chance_of(&w.prng, 100) < 5 ? 500 : chance_of(&w.prng, 20);
	} else if (what < 96) {
		connect_wire();
	} else if (faults && chance(&w.prng, 40)) {
		switch (chance_of(&w.prng, 8)) {
		case 0:
		case 1:
		case 2:
			break_connection();
			return;
		case 3:
			if (chance(&w.prng, 50))
				restart_server();
			return;
		case 4:
		case 5:
			w.server_stalled = !w.server_stalled;
			return;
		default:
			w.clogged = !w.clogged;
			return;
		}
	}
}

static void finish(void)
{
	note_acked();
	CHECK(uplink_is_settled(&w.uplink), "%zu requests are left, state %d\n",
	      w.uplink.ring.count, w.uplink.state);
	for (uint64_t id = 1; id <= w.asked; id++) {
		CHECK(w.ever[id], "%lu was never handled\n", (unsigned long)id);
		CHECK(!w.owed[id] || w.handled[id], "%lu was owed to the last life\n",
		      (unsigned long)id);
	}
	CHECK(w.announced == w.round_size, "announcements are missing\n");
}

static void run(uint64_t seed)
{
	const struct uplink_options options = { .role = ROLE_GATEWAY,
						.name = "gateway-1",
						.server = ROLE_REGISTRY,
						.incarnation = 0xc1,
						.port = { .send = client_send,
							  .input = client_input } };
	unsigned long steps = 0;

	memset(&w, 0, sizeof w);
	w.seed = w.prng = seed;
	w.client_life = options.incarnation;
	w.server_life = 0x100;
	w.loss = chance(&w.prng, 50) ? chance_of(&w.prng, 30) : 0;
	w.doubling = chance(&w.prng, 50) ? chance_of(&w.prng, 30) : 0;
	cr_assert_eq(uplink_init(&w.uplink, &options), 0);
	begin_server();
	for (int i = 0; i < STEPS; i++)
		step(true);

	/* Healed: everything must come to rest. */
	w.loss = w.doubling = 0;
	w.server_stalled = w.clogged = false;
	while ((!uplink_is_settled(&w.uplink) || w.uplink.state != UPLINK_WELCOMED) &&
	       steps++ < 500000)
		step(false);
	finish();
	uplink_fini(&w.uplink);
	inbox_fini(&w.inbox);
	bus_drop(&w.down);
	for (size_t i = 0; i < LINES_MAX; i++)
		bus_drop(&w.up[i].line);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

Test(requests, are_handled_exactly_once_by_a_life_and_in_order, .timeout = 170)
{
	uint64_t replay = number("SIM_SEED", 0), seeds = number("SIM_SEEDS", 400);
	uint64_t restarts = 0, breaks = 0, asked = 0, resent = 0, duplicates = 0, gaps = 0,
		 stale = 0, gone = 0;

	for (uint64_t seed = replay ? replay : 1; seed <= (replay ? replay : seeds); seed++) {
		run(seed);
		restarts += w.restarts;
		breaks += w.breaks;
		asked += w.asked;
		resent += w.uplink.stats.requests_resent;
		duplicates += w.inbox.stats.duplicates;
		gaps += w.inbox.stats.gaps;
		stale += w.inbox.stats.stale;
		gone += w.server_gone;
	}
	cr_log_info("%lu requests, %lu restarts, %lu breaks, %lu resent", (unsigned long)asked,
		    (unsigned long)restarts, (unsigned long)breaks, (unsigned long)resent);
	if (replay)
		return;
	/* The faults do reach the interesting places. */
	cr_assert_gt(restarts, 0);
	cr_assert_gt(breaks, restarts);
	cr_assert_gt(resent, 0);
	cr_assert_gt(duplicates, 0);
	cr_assert_gt(gaps, 0);
	cr_assert_gt(stale, 0);
	cr_assert_gt(gone, 0);
}
