/* SPDX-License-Identifier: MIT */
/* Goal: whatever part of the story is lost, however often the registry or the snapshot's
 * connection is lost, a follower's mirror is equal to the registry once the faults stop; and live
 * events reach the core without a gap.
 *
 * Method: a model of a registry publishes changes of a few entities and serves snapshots through
 * the real inbox and snapshots, in slices, while the story goes on.  What the old life of a
 * registry left in the pipes arrives in between.  SIM_SEED=N replays, SIM_SEEDS=N runs more.
 */
#include <stdio.h>

#include <criterion/criterion.h>

#include "common/follower.h"
#include "common/snapshots.h"
#include "tests/lib/bus.h"

#define STEPS 4000
#define ENTITIES 96
#define US UINT64_C(0xf0)

struct entity {
	uint64_t value, seq; /* value 0: there is none */
};

static struct {
	uint64_t seed, prng;
	int64_t now_ms;
	unsigned loss;
	/* the registry */
	uint64_t incarnation, seq;
	struct entity truth[ENTITIES];
	struct inbox inbox;
	struct snapshots snapshots;
	bool alive, stalled;
	int64_t beacon_ms;
	/* the wires; [1]: what an earlier life left */
	struct bus_line story[2], up, down;
	bool connected, wanted, told;
	uint32_t connection;
	/* the follower */
	struct follower follower;
	struct entity mirror[ENTITIES];
	bool live;
	uint64_t last_seq;
	uint64_t syncs, restarts, blind;
} w;

#define CHECK(condition, ...) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, __VA_ARGS__); \
			cr_assert(false, "%s; replay: SIM_SEED=%lu", #condition, \
				  (unsigned long)w.seed); \
		} \
	} while (0)

static char names[ENTITIES][8];

static struct stream_event event_of(size_t entity)
{
	snprintf(names[entity], sizeof names[entity], "s%zu", entity);
	return (struct stream_event){ .type = EVENT_STREAM_MOVED,
				      .seq = w.truth[entity].seq,
				      .stream_id = text_of(names[entity]),
				      .stream_moved.missed = w.truth[entity].value };
}

/* the registry */

static void publish(const struct stream_event *events, size_t count)
{
	static uint8_t bytes[FRAME_MAX];
	uint64_t first = count ? events[0].seq : w.seq + 1;
	size_t length = bus_frame_of(bytes, sizeof bytes, TOPIC_STORY, "registry", w.incarnation,
				     first, events, count);

	if (w.told && !chance(&w.prng, w.loss) && bus_count(&w.story[0]) < 50)
		bus_put(&w.story[0], bytes, length);
}

static void change(void)
{
	struct stream_event events[4];
	size_t count = 1 + chance_of(&w.prng, 4);

	for (size_t i = 0; i < count; i++) {
		struct entity *entity = &w.truth[chance_of(&w.prng, ENTITIES)];

		entity->seq = ++w.seq;
		entity->value = chance(&w.prng, 30) ? 0 : chance_next(&w.prng) | 1;
		events[i] = event_of((size_t)(entity - w.truth));
	}
	publish(events, count);
}

static bool port_begin(void *context, uint64_t *upto)
{
	(void)context;
	*upto = w.seq;
	return !chance(&w.prng, 5);
}

static bool port_row(void *context, const struct stream_event *get, uint64_t *cursor,
		     struct stream_event *out)
{
	(void)context;
	(void)get;
	while (*cursor < ENTITIES && w.truth[*cursor].value == 0)
		++*cursor;
	if (*cursor == ENTITIES)
		return false;
	*out = event_of((*cursor)++);
	return true;
}

static const struct snapshot_port rows = { .begin = port_begin, .row = port_row };

static enum inbox_sent inbox_to_wire(void *context, const uint8_t *route, size_t route_length,
				     const uint8_t *frame, size_t length)
{
	struct route to = { 0 };

	(void)context;
	cr_assert(route_read(route, route_length, &to));
	if (!w.connected || to.connection != w.connection)
		return INBOX_GONE;
	if (bus_count(&w.down) > 3)
		return INBOX_BUSY;
	bus_put(&w.down, frame, length);
	return INBOX_SENT;
}

static void inbox_to_snapshots(void *context, const struct input *input)
{
	(void)context;
	snapshots_input(&w.snapshots, input);
}

static void begin_registry(void)
{
	const struct inbox_options options = { .role = ROLE_REGISTRY,
					       .name = "registry",
					       .incarnation = ++w.incarnation,
					       .transient = true,
					       .port = { .send = inbox_to_wire,
							 .input = inbox_to_snapshots } };

	cr_assert_eq(inbox_init(&w.inbox, &options), 0);
	snapshots_init(&w.snapshots, &w.inbox, &rows);
	w.alive = true;
	w.told = false;
	w.beacon_ms = w.now_ms;
}

static void break_connection(void)
{
	if (!w.connected)
		return;
	w.connected = false;
	bus_drop(&w.up);
	bus_drop(&w.down);
	follower_disconnected(&w.follower, w.now_ms);
}

static void restart_registry(void)
{
	w.restarts++;
	break_connection();
	inbox_fini(&w.inbox);
	bus_drop(&w.story[1]);
	w.story[1] = w.story[0];
	memset(&w.story[0], 0, sizeof w.story[0]);
	if (chance(&w.prng, 30)) {
		/* A store that does not last. */
		memset(w.truth, 0, sizeof w.truth);
		w.seq = chance_of(&w.prng, 3);
	}
	begin_registry();
}

static void pass_registry(void)
{
	if (w.stalled)
		return;
	if (!w.told) {
		/* The subscriber has found the new life: it is greeted. */
		w.told = true;
		bus_put(&w.story[0], (const uint8_t *)TOPIC_WELCOME, FRAME_TOPIC_SIZE);
	}
	if (w.beacon_ms <= w.now_ms) {
		publish(NULL, 0);
		w.beacon_ms = w.now_ms + 200;
	}
	inbox_tick(&w.inbox, w.now_ms);
	snapshots_step(&w.snapshots);
	inbox_flush(&w.inbox, w.now_ms);
}

static void deliver_up(void)
{
	uint8_t route[ROUTE_LENGTH_MAX];
	struct bus_frame frame;

	if (w.stalled || bus_count(&w.up) == 0)
		return;
	frame = bus_take(&w.up);
	route_write(&(struct route){ ROLE_UNMANAGED, US, w.connection }, route);
	inbox_frame(&w.inbox, route, sizeof route, NULL, frame.bytes, frame.length, w.now_ms);
	while (inbox_step(&w.inbox, w.now_ms))
		;
	free(frame.bytes);
}

/* the follower */

static void apply(const struct stream_event *event)
{
	struct entity *entity;
	char id[8];

	text_put(event->stream_id, id, sizeof id);
	entity = &w.mirror[strtoul(id + 1, NULL, 10)];
	if (w.live)
		CHECK(event->seq == w.last_seq + 1, "seq %lu behind %lu\n",
		      (unsigned long)event->seq, (unsigned long)w.last_seq);
	w.last_seq = event->seq;
	if (event->seq <= entity->seq)
		return;
	*entity = (struct entity){ event->stream_moved.missed, event->seq };
}

static void follower_input(void *context, const struct input *input)
{
	(void)context;
	switch (input->type) {
	case INPUT_RESYNC:
		memset(w.mirror, 0, sizeof w.mirror);
		w.live = false;
		return;
	case INPUT_STORY:
		apply(input->event);
		return;
	case INPUT_SYNCED:
		w.syncs++;
		w.live = true;
		w.last_seq = w.follower.expected - 1;
		return;
	case INPUT_BLIND:
		w.blind++;
		return;
	default:
		CHECK(false, "input %d\n", input->type);
	}
}

static void follower_open(void *context)
{
	(void)context;
	w.wanted = true;
}

static void follower_close(void *context)
{
	(void)context;
	w.wanted = w.connected = false;
	bus_drop(&w.up);
	bus_drop(&w.down);
}

static bool follower_send(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	if (!w.connected)
		return false;
	bus_put(&w.up, frame, length);
	return true;
}

static void connect_follower(void)
{
	if (!w.wanted || w.connected)
		return;
	w.connected = true;
	w.connection++;
	follower_connected(&w.follower, w.now_ms);
}

static void deliver_down(void)
{
	struct bus_frame frame = bus_take(&w.down);

	if (frame.length == 0)
		return;
	follower_answer(&w.follower, frame.bytes, frame.length);
	while (follower_answer_step(&w.follower, w.now_ms))
		;
	free(frame.bytes);
}

static void deliver_story(void)
{
	struct bus_frame frame;

	for (unsigned steps = chance_of(&w.prng, 8); steps > 0; steps--)
		if (!follower_step(&w.follower, w.now_ms))
			break;
	if (!follower_wants_story(&w.follower))
		return;
	frame = bus_take(&w.story[chance_of(&w.prng, 2)]);
	if (frame.length == 0)
		return;
	follower_story(&w.follower, frame.bytes, frame.length, w.now_ms);
	while (w.follower.story.open && !w.follower.buffered)
		follower_step(&w.follower, w.now_ms);
	free(frame.bytes);
}

/* the run */

static void fault(void)
{
	switch (chance_of(&w.prng, 6)) {
	case 0:
		if (chance(&w.prng, 25))
			restart_registry();
		return;
	case 1:
		break_connection();
		return;
	case 2:
		w.stalled = !w.stalled;
		return;
	default:
		return;
	}
}

static void step(bool faults)
{
	unsigned what = chance_of(&w.prng, 100);

	if (what < 15 && faults && !w.stalled)
		change();
	else if (what < 35)
		deliver_story();
	else if (what < 50)
		deliver_down();
	else if (what < 60)
		deliver_up();
	else if (what < 75)
		pass_registry();
	else if (what < 85)
		follower_tick(&w.follower, w.now_ms);
	else if (what < 90)
		connect_follower();
	else if (what < 97)
		w.now_ms += chance_of(&w.prng, 100) < 5 ? 700 : chance_of(&w.prng, 40);
	else if (faults)
		fault();
}

static bool is_at_rest(void)
{
	return follower_is_live(&w.follower) && w.follower.incarnation == w.incarnation &&
	       w.follower.expected == w.seq + 1 && !w.follower.story.open &&
	       bus_count(&w.story[0]) == 0;
}

static void run(uint64_t seed)
{
	unsigned long steps = 0;

	memset(&w, 0, sizeof w);
	w.seed = w.prng = seed;
	w.incarnation = 100;
	w.loss = chance(&w.prng, 50) ? chance_of(&w.prng, 20) : 0;
	follower_init(&w.follower,
		      &(struct follower_options){ .role = ROLE_UNMANAGED,
						  .name = "unmanaged-adapter",
						  .incarnation = US,
						  .buffer_max = chance(&w.prng, 50) ? 0 : 2048,
						  .port = { .input = follower_input,
							    .open = follower_open,
							    .close = follower_close,
							    .send = follower_send } });
	begin_registry();
	for (int i = 0; i < STEPS; i++)
		step(true);
	w.loss = 0;
	w.stalled = false;
	while (!is_at_rest() && steps++ < 400000)
		step(false);
	CHECK(is_at_rest(), "state %d, expects %lu, truth is at %lu\n", w.follower.state,
	      (unsigned long)w.follower.expected, (unsigned long)w.seq);
	for (size_t i = 0; i < ENTITIES; i++)
		CHECK(w.mirror[i].value == w.truth[i].value, "entity %zu differs\n", i);
	follower_fini(&w.follower);
	inbox_fini(&w.inbox);
	for (size_t i = 0; i < 2; i++)
		bus_drop(&w.story[i]);
	bus_drop(&w.up);
	bus_drop(&w.down);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

Test(follower_sim, the_mirror_equals_the_registry_once_faults_stop, .timeout = 170)
{
	uint64_t replay = number("SIM_SEED", 0), seeds = number("SIM_SEEDS", 400);
	uint64_t syncs = 0, restarts = 0, gaps = 0, start_overs = 0, overflows = 0, blind = 0,
		 events = 0, refused = 0;

	for (uint64_t seed = replay ? replay : 1; seed <= (replay ? replay : seeds); seed++) {
		run(seed);
		syncs += w.syncs;
		restarts += w.restarts;
		gaps += w.follower.stats.gaps;
		start_overs += w.follower.stats.start_overs;
		overflows += w.follower.stats.overflows;
		events += w.follower.stats.events;
		blind += w.blind;
		refused += w.snapshots.stats.refused;
	}
	cr_log_info("%lu events, %lu syncs, %lu restarts, %lu gaps, %lu start overs, %lu blind",
		    (unsigned long)events, (unsigned long)syncs, (unsigned long)restarts,
		    (unsigned long)gaps, (unsigned long)start_overs, (unsigned long)blind);
	if (replay)
		return;
	cr_assert_gt(syncs, seeds);
	cr_assert_gt(restarts, 0);
	cr_assert_gt(gaps, 0);
	cr_assert_gt(start_overs, 0);
	cr_assert_gt(overflows, 0);
	cr_assert_gt(blind, 0);
	cr_assert_gt(refused, 0);
}
