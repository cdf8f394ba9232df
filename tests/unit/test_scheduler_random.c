/* SPDX-License-Identifier: MIT */
/* Goal: whatever happens to us, to the registry and to the gateways, a device that answers its
 * probes is never given up, one that has stopped is, in time, and probes never burst.  Method: a
 * small world of devices, gateways and a registry that believes us, moved by a seed that is
 * printed with every failure.
 */
#include <stdio.h>

#include "tests/lib/scheduler_world.h"

#define DEVICES 24
#define GATEWAYS 3
#define ACKS_MAX 4096
#define STEP_MS 50
#define GONE_MS 40000
#define INTERVAL_MS 15000

struct device {
	char user[16], stream[16];
	bool session, streaming, link, answers;
	bool settled; /* has answered since the last fault */
	uint64_t epoch, link_id, session_seq, link_seq, stream_seq;
	int gateway;
	int64_t back_ms; /* when a lost link returns */
	int64_t probe_ms; /* when the last probe was sent to it */
};

struct pending_ack {
	int64_t at_ms;
	int gateway;
	struct device *device;
	char stream[16], id[8];
};

static struct {
	uint64_t seed, state;
	struct device devices[DEVICES];
	enum link_state told[GATEWAYS]; /* what the registry believes */
	uint64_t gateway_seq[GATEWAYS];
	int64_t cut_until_ms[GATEWAYS]; /* no message passes between it and us; 0: not cut */
	struct pending_ack acks[ACKS_MAX];
	size_t ack_count;
	uint64_t links, epochs;
	int64_t beat_ms, born_ms, blind_until_ms;
	bool mute; /* the story does not reach us */
} sim;

static uint64_t draw(uint64_t below) /* splitmix64 */
{
	uint64_t z = sim.state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % below;
}

#define CHECK(condition) \
	cr_assert(condition, "seed %lu at %ld: %s", (unsigned long)sim.seed, (long)world.now_ms, \
		  #condition)

static uint64_t id_of(int which)
{
	return 0x100 + (uint64_t)which;
}

static int which_of(uint64_t id)
{
	CHECK(id >= 0x100 && id < 0x100 + GATEWAYS);
	return (int)(id - 0x100);
}

static enum kind kind_of(const struct device *device)
{
	return (device - sim.devices) % 2 ? KIND_MANAGED : KIND_UNMANAGED;
}

/* --- the registry, which believes us ---------------------------------------------------------- */

static void say(struct stream_event event, uint64_t *seq)
{
	*seq = ++world.seq;
	if (!sim.mute)
		tell_row(event, *seq);
}

static void set_gateway(int which, enum link_state state)
{
	sim.told[which] = state;
	say(gateway(id_of(which), state), &sim.gateway_seq[which]);
}

static void lose_link(struct device *device, int64_t back_ms)
{
	device->link = false;
	device->settled = false;
	device->back_ms = device->answers ? back_ms : INT64_MAX;
	say(link_down(device->user), &device->link_seq);
}

static void open_link(struct device *device)
{
	do
		device->gateway = (int)draw(GATEWAYS);
	while (sim.cut_until_ms[device->gateway] > 0);
	if (sim.told[device->gateway] != LINK_UP)
		set_gateway(device->gateway, LINK_UP);
	device->link = true;
	device->link_id = ++sim.links;
	say(link_up(device->user, device->link_id, id_of(device->gateway)), &device->link_seq);
}

static void begin(struct device *device)
{
	device->answers = true;
	device->settled = false;
	device->epoch = ++sim.epochs;
	snprintf(device->stream, sizeof device->stream, "s%lu", (unsigned long)device->epoch);
	if (!device->session)
		say(session(device->user, EVENT_SESSION_OPENED), &device->session_seq);
	device->session = true;
	if (!device->link)
		open_link(device);
	device->streaming = true;
	device->probe_ms = -1;
	say(opened(device->user, device->stream, device->epoch, kind_of(device)),
	    &device->stream_seq);
	say(status(device->user, device->stream, device->epoch, PHASE_LIVE), &device->stream_seq);
}

static void end(struct device *device)
{
	device->streaming = false;
	say(closed(device->user, device->stream, device->epoch), &device->stream_seq);
}

static void tell_all(void)
{
	sim.mute = false;
	sim.blind_until_ms = 0;
	resync();
	for (int i = 0; i < GATEWAYS; i++)
		if (sim.told[i] != LINK_DOWN)
			tell_row(gateway(id_of(i), sim.told[i]), sim.gateway_seq[i]);
	for (int i = 0; i < DEVICES; i++) {
		const struct device *device = &sim.devices[i];

		if (!device->session)
			continue;
		tell_row(session(device->user, EVENT_SESSION_OPENED), device->session_seq);
		tell_row(device->link
				 ? link_up(device->user, device->link_id, id_of(device->gateway))
				 : link_down(device->user),
			 device->link_seq);
		if (device->streaming)
			tell_row(row(device->user, device->stream, device->epoch, kind_of(device),
				     PHASE_LIVE),
				 device->stream_seq);
	}
	synced();
}

/* --- what the core says
 * --------------------------------------------------------------------------- */

static struct device *find(const char *user, const char *stream)
{
	for (int i = 0; i < DEVICES; i++) {
		struct device *device = &sim.devices[i];

		if (strcmp(stream ? device->stream : device->user, stream ? stream : user) == 0)
			return device;
	}
	return NULL;
}

static void on_probe(const struct record *record)
{
	struct device *device = find(NULL, record->stream_id);
	int which = which_of(record->peer.incarnation);

	if (!device || !device->link || device->link_id != record->link ||
	    sim.cut_until_ms[which] > 0)
		return;
	CHECK(device->probe_ms <= sim.born_ms ||
	      record->at_ms - device->probe_ms >= INTERVAL_MS * 2 / 3);
	device->probe_ms = record->at_ms;
	if (!device->answers)
		return;
	CHECK(sim.ack_count < ACKS_MAX);
	struct pending_ack *pending = &sim.acks[sim.ack_count++];

	*pending = (struct pending_ack){ .at_ms = record->at_ms + (int64_t)draw(3000),
					 .gateway = which,
					 .device = device };
	memcpy(pending->stream, record->stream_id, sizeof pending->stream);
	memcpy(pending->id, record->ack_id, sizeof pending->id);
}

static void on_lease(const struct record *record)
{
	int which = which_of(record->gateway);

	CHECK(sim.cut_until_ms[which] > 0); /* else it has beaten */
	if (record->after_ms < GONE_MS) {
		if (sim.told[which] == LINK_UP)
			set_gateway(which, LINK_LOST);
		return;
	}
	set_gateway(which, LINK_DOWN);
	for (int i = 0; i < DEVICES; i++)
		if (sim.devices[i].link && sim.devices[i].gateway == which)
			lose_link(&sim.devices[i], world.now_ms + 3000);
}

static void on_grace(const struct record *record)
{
	struct device *device = find(record->user_id, NULL);

	CHECK(record->timer == TIMER_SESSION_GRACE && device);
	if (!device->session || device->link || record->cause != device->link_seq)
		return;
	CHECK(!device->answers);
	if (device->streaming)
		end(device);
	device->session = false;
	say(session(device->user, EVENT_SESSION_CLOSED), &device->session_seq);
}

static void react(void)
{
	for (size_t i = 0; i < world.count; i++) {
		const struct record record = world.records[i];
		struct device *device = find(NULL, record.stream_id);

		if (record.type == EVENT_PROBE_BATCH) {
			on_probe(&record);
		} else if (record.type == EVENT_STREAM_MISSED) {
			if (!record.expired || !device || !device->streaming)
				continue;
			CHECK(!device->answers);
			end(device);
		} else if (record.type == EVENT_GATEWAY_SEEN) {
			if (sim.told[which_of(record.gateway)] == LINK_LOST)
				set_gateway(which_of(record.gateway), LINK_UP);
		} else if (record.timer == TIMER_GATEWAY_LEASE) {
			on_lease(&record);
		} else {
			on_grace(&record);
		}
	}
	forget();
}

/* --- time
 * ------------------------------------------------------------------------------------------ */

static void deliver(void)
{
	for (size_t i = 0; i < sim.ack_count;) {
		struct pending_ack pending = sim.acks[i];

		if (pending.at_ms > world.now_ms) {
			i++;
			continue;
		}
		sim.acks[i] = sim.acks[--sim.ack_count];
		if (sim.cut_until_ms[pending.gateway] > 0)
			continue;
		ack_from(id_of(pending.gateway), pending.stream, pending.id);
		if (world.now_ms - pending.at_ms < 3000)
			pending.device->settled = true;
	}
	for (int i = 0; i < GATEWAYS && world.now_ms - sim.beat_ms >= 1000; i++)
		if (sim.cut_until_ms[i] == 0)
			beat(id_of(i));
	sim.beat_ms = world.now_ms - sim.beat_ms >= 1000 ? world.now_ms : sim.beat_ms;
}

static void repair(void)
{
	for (int i = 0; i < GATEWAYS; i++)
		if (sim.cut_until_ms[i] > 0 && sim.cut_until_ms[i] <= world.now_ms) {
			sim.cut_until_ms[i] = 0;
			if (sim.told[i] == LINK_DOWN)
				set_gateway(i, LINK_UP); /* it says hello again */
			peer(id_of(i), INPUT_PEER_UP);
		}
	for (int i = 0; i < DEVICES; i++)
		if (!sim.devices[i].link && sim.devices[i].session &&
		    sim.devices[i].back_ms <= world.now_ms)
			open_link(&sim.devices[i]);
	if (sim.blind_until_ms > 0 && sim.blind_until_ms <= world.now_ms)
		tell_all();
}

static void step(int64_t ms)
{
	sleep_until(world.now_ms + ms);
	/* A shell reads its sockets and looks at the time in turn; either may be first. */
	if (draw(2))
		deliver();
	do {
		give((struct input){ .type = INPUT_TICK });
		deliver();
	} while (scheduler_deadline(&world.core) <= world.now_ms);
	react();
	repair();
	react();
}

static void restart(void)
{
	struct scheduler_options options = world_options();
	int64_t now_ms = world.now_ms;
	uint64_t seq = world.seq;

	options.fires_max = 1 + (uint32_t)draw(50);
	options.gateway_lease_ms = 5000;
	options.gateway_blind_max_ms = GONE_MS;
	world_start(options);
	world.now_ms = sim.born_ms = now_ms;
	world.seq = seq;
	tell_all();
	for (int i = 0; i < GATEWAYS; i++)
		if (sim.cut_until_ms[i] == 0)
			peer(id_of(i), INPUT_PEER_UP);
	react();
}

static void fault(void)
{
	struct device *device = &sim.devices[draw(DEVICES)];
	int which = (int)draw(GATEWAYS - 1); /* one stays reachable */

	switch (draw(7)) {
	case 0:
		step(1100 + (int64_t)draw(90000));
		break;
	case 1:
		give((struct input){ .type = INPUT_BLIND });
		sim.mute = true;
		sim.blind_until_ms = world.now_ms + (int64_t)draw(90000);
		break;
	case 2:
		restart();
		break;
	case 3:
		sim.cut_until_ms[which] = world.now_ms + (int64_t)draw(80000);
		if (draw(2))
			peer(id_of(which), INPUT_PEER_DOWN);
		break;
	case 4:
		if (device->link && device->streaming)
			lose_link(device, world.now_ms + (int64_t)draw(20000));
		break;
	case 5:
		tell_all();
		break;
	case 6:
		device->answers = false;
		if (device->link && draw(2))
			lose_link(device, INT64_MAX);
		break;
	}
	react();
}

/* Whether all who can answer have done so: two faults in a row may cost a probe each. */
static bool settled(void)
{
	for (int i = 0; i < DEVICES; i++)
		if (sim.devices[i].streaming && sim.devices[i].answers && !sim.devices[i].settled)
			return false;
	return true;
}

static void run(uint64_t seed)
{
	memset(&sim, 0, sizeof sim);
	sim.seed = sim.state = seed;
	memset(&world, 0, sizeof world);
	for (int i = 0; i < DEVICES; i++)
		snprintf(sim.devices[i].user, sizeof sim.devices[i].user, "u%d", i);
	restart();
	for (int i = 0; i < GATEWAYS; i++)
		set_gateway(i, LINK_UP);
	for (int64_t until_ms = 3600000; world.now_ms < until_ms;) {
		struct device *device = &sim.devices[draw(DEVICES)];

		step(STEP_MS);
		if (draw(20) == 0 && !device->streaming && (device->link || !device->session))
			begin(device);
		if (settled() && draw(100) == 0) {
			for (int i = 0; i < DEVICES; i++)
				sim.devices[i].settled = false;
			for (uint64_t faults = 1 + draw(3); faults > 0; faults--)
				fault();
		}
	}
	/* All is well again, and then every device falls silent. */
	for (int64_t until_ms = world.now_ms + 160000; world.now_ms < until_ms;)
		step(STEP_MS);
	for (int i = 0; i < DEVICES; i++)
		CHECK(!sim.devices[i].streaming || sim.devices[i].answers);
	for (int i = 0; i < DEVICES; i++)
		sim.devices[i].answers = false;
	for (int64_t until_ms = world.now_ms + 58050; world.now_ms < until_ms;)
		step(STEP_MS); /* an ack may be on its way: 55 s after it, and it takes 3 s */
	for (int i = 0; i < DEVICES; i++)
		CHECK(!sim.devices[i].streaming);
	CHECK(world.core.armed[SCHEDULER_TIMER_PROBE] == 0);
	CHECK(world.core.armed[SCHEDULER_TIMER_PHASE] == 0);
	CHECK(world.core.stream_slots.count == 0);
}

Test(random, devices_that_answer_live_and_others_do_not, .timeout = 600)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		run(seed);
}
