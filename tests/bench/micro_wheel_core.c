/* SPDX-License-Identifier: MIT */
#include "tests/bench/micro_wheel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/lifecycle-scheduler/scheduler_core.h"
#include "proto/list.h"
#include "tests/lib/fakes.h"

#define BEAT_MS 1000
#define SETTLE_MS (INTERVAL_MS + 5000) /* every stream has been probed and swept */

/* Acks of one gateway that are on their way. */
struct parcel {
	struct parcel *next;
	int64_t at_ms;
	uint32_t gateway;
	uint32_t count;
	size_t length;
	uint8_t list[];
};

static struct stage {
	struct micro_wheel_options options;
	struct micro_steps steps;
	struct scheduler core;
	struct effects fx;
	struct parcel *first, **last;
	uint64_t *heard; /* last batch, by gateway */
	uint64_t seq, cycles, calls, unexpected;
	int64_t now_ms;
} stage;

/* --- gateways ----------------------------------------------------------------------------- */

/* Incarnations are never 0. */
static uint64_t incarnation_of(uint32_t gateway)
{
	return UINT64_C(0x1000) + gateway;
}

static void skip_u64(struct wire *wire)
{
	uint64_t number;

	if (!wire_u64(wire, &number))
		stage.unexpected++;
}

/* The devices of one batch answer: what their gateway will send. */
static void take_probes(const struct effect *effect)
{
	struct text probes = effect->event.probe_batch.probes;
	uint32_t gateway = (uint32_t)(effect->peer.incarnation - incarnation_of(0)), count, members;
	struct parcel *parcel = malloc(sizeof *parcel + probes.length + 3);
	struct text stream_id, ack_id;
	struct list_writer list;
	struct wire wire;

	if (!parcel)
		tool_fail(&micro_wheel_tool, "no memory", NULL);
	list_begin(&list, parcel->list, probes.length + 3);
	*parcel =
		(struct parcel){ .at_ms = stage.now_ms + stage.options.rtt_ms, .gateway = gateway };
	if (!list_read(probes, &wire, &count))
		stage.unexpected++;
	for (; parcel->count < count; parcel->count++) {
		(void)wire_array(&wire, &members);
		skip_u64(&wire);
		(void)wire_text(&wire, &stream_id);
		skip_u64(&wire);
		(void)wire_text(&wire, &ack_id);
		list_open_member(&list, 2);
		list_put_text(&list, stream_id);
		list_put_text(&list, ack_id);
		stage.unexpected += !list_close_member(&list);
	}
	parcel->length = list_end(&list).length;
	stage.heard[gateway] = effect->event.probe_batch.batch;
	*stage.last = parcel;
	stage.last = &parcel->next;
}

static void take_effects(void)
{
	for (size_t i = 0; i < stage.fx.count; i++) {
		const struct effect *effect = &stage.fx.items[i];

		if (effect->event.type == EVENT_PROBE_BATCH)
			take_probes(effect);
		else
			stage.unexpected += effect->type != EFFECT_OPS;
	}
}

static void give(struct input input)
{
	micro_begin(&stage.steps);
	scheduler_handle(&stage.core, &input, stage.now_ms, &stage.fx);
	micro_pause(&stage.steps);
	stage.calls++;
	take_effects();
}

static void give_from(uint32_t gateway, const struct stream_event *event)
{
	give((struct input){ .type = INPUT_MESSAGE,
			     .peer = { ROLE_GATEWAY, incarnation_of(gateway) },
			     .event = event });
}

static void bring_acks(void)
{
	while (stage.first && stage.first->at_ms <= stage.now_ms) {
		struct parcel *parcel = stage.first;
		struct text acks = { (const char *)parcel->list, (uint32_t)parcel->length };

		stage.first = parcel->next;
		if (!stage.first)
			stage.last = &stage.first;
		give_from(parcel->gateway, &(struct stream_event){ .type = EVENT_ACK_BATCH,
								   .ack_batch.acks = acks });
		stage.cycles += parcel->count;
		free(parcel);
	}
}

static void beat(void)
{
	for (uint32_t i = 0; i < stage.options.gateways; i++)
		give_from(i, &(struct stream_event){ .type = EVENT_GATEWAY_BEAT,
						     .gateway_beat.batch = stage.heard[i] });
}

/* --- the story ---------------------------------------------------------------------------- */

static void tell(struct stream_event event)
{
	event.seq = ++stage.seq;
	give((struct input){
		.type = INPUT_STORY, .peer = { .role = ROLE_REGISTRY }, .event = &event });
}

/* The rows of a user with a live stream. */
static void tell_user(uint32_t number, uint64_t chance)
{
	char user[40], stream[16];
	struct stream_event event = { .epoch = number + 1 };

	(void)snprintf(user, sizeof user, "user-%07u@example.com", number);
	(void)snprintf(stream, sizeof stream, "%011" PRIx64, chance);
	event.user_id = text_of(user);
	event.type = EVENT_SESSION_OPENED;
	tell(event);
	event.type = EVENT_LINK_CHANGED;
	event.link_changed.link = number + 1;
	event.link_changed.gateway = incarnation_of(number % stage.options.gateways);
	event.link_changed.state = LINK_UP;
	tell(event);
	event = (struct stream_event){
		.type = EVENT_SNAPSHOT_STREAM,
		.user_id = text_of(user),
		.stream_id = text_of(stream),
		.epoch = number + 1,
		.snapshot_stream = { .kind = KIND_UNMANAGED, .phase = PHASE_LIVE, .opened_seq = 1 }
	};
	tell(event);
}

/* A snapshot spreads the probes of what it names over the interval. */
static void tell_all(void)
{
	struct prng prng = { .state = 7 };

	for (uint32_t i = 0; i < stage.options.gateways; i++) {
		tell((struct stream_event){
			.type = EVENT_GATEWAY_CHANGED,
			.gateway_changed = { .gateway = incarnation_of(i), .state = LINK_UP } });
		give((struct input){ .type = INPUT_PEER_UP,
				     .peer = { ROLE_GATEWAY, incarnation_of(i) },
				     .peer_name = "gateway" });
	}
	give((struct input){ .type = INPUT_RESYNC });
	for (uint32_t i = 0; i < stage.options.gateways; i++)
		tell((struct stream_event){
			.type = EVENT_GATEWAY_CHANGED,
			.gateway_changed = { .gateway = incarnation_of(i), .state = LINK_UP } });
	for (uint32_t i = 0; i < stage.options.streams; i++)
		tell_user(i, prng_next(&prng) >> 20);
	give((struct input){ .type = INPUT_SYNCED });
}

/* --- the run ------------------------------------------------------------------------------ */

static void run_until(int64_t end_ms)
{
	for (; stage.now_ms < end_ms; stage.now_ms += STEP_MS) {
		if (stage.now_ms % BEAT_MS == 0)
			beat();
		while (scheduler_deadline(&stage.core) <= stage.now_ms)
			give((struct input){ .type = INPUT_TICK });
		bring_acks();
		micro_step(&stage.steps);
	}
}

static void start(const struct micro_wheel_options *options)
{
	struct scheduler_options core = scheduler_defaults;

	stage.options = *options;
	stage.last = &stage.first;
	stage.heard = calloc(options->gateways, sizeof *stage.heard);
	if (!stage.heard)
		tool_fail(&micro_wheel_tool, "no memory", NULL);
	core.streams_max = core.users_max = core.apps_max = options->streams;
	core.trace_probes = options->trace;
	core.hash_seed = 11;
	scheduler_init(&stage.core, &core, fake_memory(scheduler_bytes(&core)));
	stage.now_ms = 1000;
	tell_all();
}

static bool all_kept_alive(void)
{
	const struct scheduler_stats *stats = &stage.core.stats;

	return stats->probes_missed == 0 && stats->probes_skipped == 0 && stats->stalls == 0 &&
	       stats->acks_unknown == 0 && stage.unexpected == 0 &&
	       stage.core.stream_slots.count == stage.options.streams &&
	       scheduler_timers(&stage.core) == stage.options.streams + stage.options.gateways;
}

bool micro_wheel_core(const struct micro_wheel_options *options)
{
	size_t before = micro_resident(), after;

	start(options);
	run_until(SETTLE_MS);
	after = micro_resident();
	stage.steps = (struct micro_steps){ 0 };
	stage.cycles = stage.calls = 0;
	run_until(SETTLE_MS + options->seconds * INT64_C(1000));
	printf("\"bytes_per_stream\":%.0f,\"gateways\":%u,\"trace\":%s,\"calls\":%" PRIu64 ",",
	       (double)(after - before) / options->streams, options->gateways,
	       options->trace ? "true" : "false", stage.calls);
	micro_print_steps(&stage.steps, stage.cycles);
	return all_kept_alive();
}
