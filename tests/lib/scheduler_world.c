/* SPDX-License-Identifier: MIT */
#include "tests/lib/scheduler_world.h"

#include <stdlib.h>

#include "proto/list.h"

struct world world;

static void *memory;

struct scheduler_options world_options(void)
{
	struct scheduler_options options = scheduler_defaults;

	options.streams_max = options.users_max = options.apps_max = 64;
	options.gateways_max = 8;
	options.gateway_lease_ms = INT64_C(1) << 40;
	options.gateway_blind_max_ms = INT64_C(1) << 41;
	options.trace_probes = false;
	return options;
}

void world_start(struct scheduler_options options)
{
	free(memory);
	memory = malloc(scheduler_bytes(&options)); /* not zeroed: init has to */
	cr_assert_not_null(memory);
	memset(memory, 0xa5, scheduler_bytes(&options));
	memset(&world, 0, sizeof world);
	world.seq = 100;
	scheduler_init(&world.core, &options, memory);
}

static struct record *add(const struct effect *effect)
{
	cr_assert_lt(world.count, WORLD_RECORDS_MAX);
	struct record *record = &world.records[world.count++];

	*record = (struct record){ .at_ms = world.now_ms,
				   .effect = effect->type,
				   .peer = effect->peer,
				   .type = effect->event.type,
				   .epoch = effect->event.epoch,
				   .cause = effect->event.cause };
	text_put(effect->event.user_id, record->user_id, sizeof record->user_id);
	text_put(effect->event.stream_id, record->stream_id, sizeof record->stream_id);
	return record;
}

/* The number of the last batch for gateway @id, 0 if there was none. */
static uint64_t *heard(uint64_t id)
{
	size_t i = 0;

	while (world.heard[i].gateway != id && world.heard[i].gateway != 0)
		i++;
	cr_assert_lt(i, WORLD_GATEWAYS_MAX - 1);
	world.heard[i].gateway = id;
	return &world.heard[i].batch;
}

static void add_batch(const struct effect *effect)
{
	struct wire wire;
	uint32_t count, members;
	struct text stream_id, ack_id;

	cr_assert_eq(effect->type, EFFECT_SEND);
	cr_assert_eq(effect->peer.role, ROLE_GATEWAY);
	cr_assert(list_read(effect->event.probe_batch.probes, &wire, &count));
	cr_assert_leq(effect->event.probe_batch.probes.length, BATCH_BYTES_MAX);
	cr_assert_leq(count, PROBES_PER_BATCH_MAX);
	cr_assert_gt(count, 0);
	while (count-- > 0) {
		struct record *record = add(effect);

		cr_assert(wire_array(&wire, &members) && members == 4);
		cr_assert(wire_u64(&wire, &record->link) && wire_text(&wire, &stream_id) &&
			  wire_u64(&wire, &record->epoch) && wire_text(&wire, &ack_id));
		text_put(stream_id, record->stream_id, sizeof record->stream_id);
		text_put(ack_id, record->ack_id, sizeof record->ack_id);
		record->sent = true;
	}
	cr_assert_eq(wire.at, wire.end);
	*heard(effect->peer.incarnation) = effect->event.probe_batch.batch;
}

static void add_event(const struct effect *effect)
{
	const struct stream_event *event = &effect->event;
	struct record *record = add(effect);

	switch ((int)event->type) {
	case EVENT_STREAM_MISSED:
		record->missed = event->stream_missed.missed;
		record->expired = event->stream_missed.expired;
		record->after_ms = event->stream_missed.last_ack_age_ms;
		break;
	case EVENT_TIMER_EXPIRED:
		record->timer = event->timer_expired.timer;
		record->gateway = event->timer_expired.gateway;
		record->after_ms = event->timer_expired.after_ms;
		text_put(event->timer_expired.package, record->package, sizeof record->package);
		break;
	case EVENT_GATEWAY_SEEN:
		record->gateway = event->gateway_seen.gateway;
		break;
	case EVENT_PROBE_SENT:
		record->link = event->probe_sent.link;
		text_put(event->probe_sent.ack_id, record->ack_id, sizeof record->ack_id);
		break;
	case EVENT_PROBE_ACKED:
		record->counted = event->probe_acked.counted;
		text_put(event->probe_acked.ack_id, record->ack_id, sizeof record->ack_id);
		break;
	case EVENT_PROBE_MISSED:
		record->sent = event->probe_missed.sent;
		record->missed = event->probe_missed.missed;
		text_put(event->probe_missed.ack_id, record->ack_id, sizeof record->ack_id);
		break;
	default:
		cr_assert_fail("an effect that the scheduler has no business with: %d",
			       event->type);
	}
	if (event->type >= EVENT_PROBE_SENT) {
		cr_assert_eq(effect->type, EFFECT_OPS);
	} else {
		cr_assert_eq(effect->type, EFFECT_REQUEST);
		cr_assert_eq(effect->peer.role, ROLE_REGISTRY);
		cr_assert_eq(effect->peer.incarnation, 0);
	}
}

void give(struct input input)
{
	world.calls++;
	scheduler_handle(&world.core, &input, world.now_ms, &world.fx);
	for (size_t i = 0; i < world.fx.count; i++)
		if (world.fx.items[i].event.type == EVENT_PROBE_BATCH)
			add_batch(&world.fx.items[i]);
		else
			add_event(&world.fx.items[i]);
}

void at(int64_t now_ms)
{
	cr_assert_geq(now_ms, world.now_ms);
	while (scheduler_deadline(&world.core) <= now_ms) {
		int64_t due_ms = scheduler_deadline(&world.core);

		world.now_ms = due_ms > world.now_ms ? due_ms : world.now_ms;
		world.ticks++;
		give((struct input){ .type = INPUT_TICK });
	}
	world.now_ms = now_ms;
}

void sleep_until(int64_t now_ms)
{
	cr_assert_geq(now_ms, world.now_ms);
	world.now_ms = now_ms;
}

const struct record *expect(int64_t at_ms, enum stream_event_type type)
{
	cr_assert_lt(world.taken, world.count, "nothing was said; expected %s at %ld",
		     stream_event_name(type), (long)at_ms);
	const struct record *record = &world.records[world.taken++];

	cr_assert_eq(record->type, type, "%s at %ld instead of %s at %ld",
		     stream_event_name(record->type), (long)record->at_ms, stream_event_name(type),
		     (long)at_ms);
	cr_assert_eq(record->at_ms, at_ms, "%s at %ld instead of %ld", stream_event_name(type),
		     (long)record->at_ms, (long)at_ms);
	return record;
}

void quiet(void)
{
	const struct record *record = &world.records[world.taken];

	cr_assert_eq(world.taken, world.count, "%s at %ld was not expected",
		     stream_event_name(record->type), (long)record->at_ms);
}

void forget(void)
{
	world.taken = world.count = 0;
}

size_t count_of(enum stream_event_type type)
{
	size_t count = 0;

	for (size_t i = 0; i < world.count; i++)
		count += world.records[i].type == type;
	return count;
}

void tell_row(struct stream_event event, uint64_t seq)
{
	event.seq = seq;
	give((struct input){
		.type = INPUT_STORY, .peer = { .role = ROLE_REGISTRY }, .event = &event });
}

uint64_t tell(struct stream_event event)
{
	tell_row(event, ++world.seq);
	return world.seq;
}

static struct stream_event about(enum stream_event_type type, const char *user)
{
	struct stream_event event = { .type = type };

	event.user_id = text_of(user);
	return event;
}

static struct stream_event about_stream(enum stream_event_type type, const char *user,
					const char *stream, uint64_t epoch)
{
	struct stream_event event = about(type, user);

	event.stream_id = text_of(stream);
	event.epoch = epoch;
	return event;
}

struct stream_event opened(const char *user, const char *stream, uint64_t epoch, enum kind kind)
{
	struct stream_event event = about_stream(EVENT_STREAM_OPENED, user, stream, epoch);

	event.stream_opened.kind = kind;
	return event;
}

struct stream_event status(const char *user, const char *stream, uint64_t epoch, enum phase phase)
{
	struct stream_event event = about_stream(EVENT_STREAM_STATUS, user, stream, epoch);

	event.stream_status.phase = phase;
	return event;
}

struct stream_event moved(const char *user, const char *stream, uint64_t epoch, enum phase phase)
{
	struct stream_event event = about_stream(EVENT_STREAM_MOVED, user, stream, epoch);

	event.stream_moved.phase = phase;
	return event;
}

struct stream_event closed(const char *user, const char *stream, uint64_t epoch)
{
	return about_stream(EVENT_STREAM_CLOSED, user, stream, epoch);
}

struct stream_event row(const char *user, const char *stream, uint64_t epoch, enum kind kind,
			enum phase phase)
{
	struct stream_event event = about_stream(EVENT_SNAPSHOT_STREAM, user, stream, epoch);

	event.snapshot_stream.kind = kind;
	event.snapshot_stream.phase = phase;
	return event;
}

struct stream_event session(const char *user, enum stream_event_type type)
{
	return about(type, user);
}

struct stream_event link_up(const char *user, uint64_t link, uint64_t id)
{
	struct stream_event event = about(EVENT_LINK_CHANGED, user);

	event.link_changed.state = LINK_UP;
	event.link_changed.link = link;
	event.link_changed.gateway = id;
	return event;
}

struct stream_event link_down(const char *user)
{
	struct stream_event event = about(EVENT_LINK_CHANGED, user);

	event.link_changed.state = LINK_DOWN;
	return event;
}

struct stream_event glasses(const char *user)
{
	return about(EVENT_GLASSES_CHANGED, user);
}

struct stream_event app(const char *user, const char *package, enum app_state state)
{
	struct stream_event event = about(EVENT_APP_CHANGED, user);

	event.app_changed.package = text_of(package);
	event.app_changed.state = state;
	return event;
}

struct stream_event gateway(uint64_t id, enum link_state state)
{
	struct stream_event event = { .type = EVENT_GATEWAY_CHANGED };

	event.gateway_changed.gateway = id;
	event.gateway_changed.state = state;
	return event;
}

void peer(uint64_t id, enum input_type type)
{
	give((struct input){ .type = type,
			     .peer = { .role = ROLE_GATEWAY, .incarnation = id },
			     .peer_name = "gateway-1" });
}

void connect_gateway(uint64_t id)
{
	tell(gateway(id, LINK_UP));
	peer(id, INPUT_PEER_UP);
}

static void message(uint64_t id, const struct stream_event *event)
{
	give((struct input){ .type = INPUT_MESSAGE,
			     .peer = { .role = ROLE_GATEWAY, .incarnation = id },
			     .event = event });
}

void beat(uint64_t id)
{
	message(id, &(struct stream_event){ .type = EVENT_GATEWAY_BEAT,
					    .gateway_beat.batch = *heard(id) });
}

void ack_from(uint64_t id, const char *stream, const char *ack_id)
{
	struct stream_event event = { .type = EVENT_ACK_BATCH };
	struct list_writer list;
	uint8_t bytes[256];

	list_begin(&list, bytes, sizeof bytes);
	list_open_member(&list, 2);
	list_put_text(&list, text_of(stream));
	list_put_text(&list, text_of(ack_id));
	cr_assert(list_close_member(&list));
	event.ack_batch.acks = list_end(&list);
	message(id, &event);
}

void ack(const char *stream, const char *ack_id)
{
	ack_from(GATEWAY_A, stream, ack_id);
}

void answer(const struct record *probe)
{
	ack_from(probe->peer.incarnation, probe->stream_id, probe->ack_id);
}

void live(const char *user, const char *stream)
{
	connect_gateway(GATEWAY_A);
	tell(session(user, EVENT_SESSION_OPENED));
	tell(link_up(user, 1, GATEWAY_A));
	tell(opened(user, stream, 1, KIND_UNMANAGED));
	tell(moved(user, stream, 1, PHASE_STARTING));
	tell(status(user, stream, 1, PHASE_LIVE));
}

void resync(void)
{
	give((struct input){ .type = INPUT_RESYNC });
}

void synced(void)
{
	give((struct input){ .type = INPUT_SYNCED });
}
