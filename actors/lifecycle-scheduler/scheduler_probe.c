/* SPDX-License-Identifier: MIT */
/* scheduler_probe.c - keep-alive: when a stream is probed, what counts as missed.
 *
 * One timer per stream serves both the next probe and the wait for the ack of the last one: the
 * ack timeout is less than the interval, so at most one probe waits.  Only a deadline that was
 * put off because we were blind can outlast the interval; then the next probe takes the place
 * of the one that waits, which is forgiven.
 */
#include "actors/lifecycle-scheduler/scheduler_state.h"

#include <assert.h>

#include "proto/list.h"

#define ACK_DIGITS "0123456789abcdefghijklmnopqrstuvwxyz"
#define ACK_NUMBERS 60466176 /* 36^5 */
#define FIRE_EFFECTS_MAX 3 /* a miss, traced and reported, and the next probe, traced */
#define ACK_CHUNK 32 /* acks whose memory accesses overlap */

static const struct peer registry = { .role = ROLE_REGISTRY };

static const struct scheduler_kind *kind_of(const struct scheduler *self, const struct probe *probe)
{
	return &self->options.kinds[probe->kind];
}

static struct text put_ack_id(uint32_t number, char *buffer)
{
	buffer[0] = 'a';
	for (int i = ACK_ID_LENGTH - 1; i > 0; i--) {
		buffer[i] = ACK_DIGITS[number % 36];
		number /= 36;
	}
	return (struct text){ buffer, ACK_ID_LENGTH };
}

/* The first of first_ms, first_ms + interval_ms, ... that is after now_ms. */
static int64_t next_multiple(int64_t first_ms, int64_t interval_ms, int64_t now_ms)
{
	if (first_ms > now_ms)
		return first_ms;
	return first_ms + ((now_ms - first_ms) / interval_ms + 1) * interval_ms;
}

/* --- reports ------------------------------------------------------------------------------ */

static void name(const struct scheduler *self, uint32_t stream, struct stream_event *event)
{
	const struct probe *probe = &self->probes[stream];

	event->stream_id = scheduler_stream_id(self, stream);
	event->user_id = scheduler_user_id(self, probe->user);
	event->epoch = probe->epoch;
}

/* An operational event, or NULL if nobody wants it or it does not fit. */
static struct stream_event *trace(struct scheduler *self, uint32_t stream,
				  enum stream_event_type type, struct effects *fx)
{
	if (!self->options.trace_probes || fx->deaf)
		return NULL;
	if (effects_room(fx) == 0) {
		self->stats.traces_dropped++;
		return NULL;
	}
	struct stream_event *event = effects_add(fx, EFFECT_OPS, (struct peer){ 0 }, type);

	if (stream != NO_SLOT)
		name(self, stream, event);
	return event;
}

static struct text keep_ack_id(const struct probe *probe, struct effects *fx)
{
	char ack_id[ACK_ID_LENGTH];

	return effects_keep(fx, put_ack_id(probe->ack_number, ack_id));
}

static void report(struct scheduler *self, uint32_t stream, struct effects *fx)
{
	struct probe *probe = &self->probes[stream];
	struct stream_event *event = effects_add(fx, EFFECT_REQUEST, registry, EVENT_STREAM_MISSED);

	name(self, stream, event);
	event->cause = self->watches[stream].cause;
	event->stream_missed.missed = probe->missed;
	event->stream_missed.expired = probe->flags & PROBE_EXPIRED;
	event->stream_missed.last_ack_age_ms =
		probe->activity_ms < 0 ? -1 : self->now_ms - probe->activity_ms;
	probe->flags &= (uint8_t)~PROBE_TOLD;
	probe->flags |= probe->missed > 0 ? PROBE_TOLD : 0;
}

/* --- the timer ---------------------------------------------------------------------------- */

static void rearm(struct scheduler *self, uint32_t stream, struct sight sight)
{
	const struct probe *probe = &self->probes[stream];
	int64_t due_ms = probe->probe_ms;

	if (probe->flags & PROBE_PENDING) {
		/* Blind, look again in time: sight may return at once, and then the window is
		 * one ack timeout from there.
		 */
		int64_t ack_ms = sight.blind ? self->now_ms + kind_of(self, probe)->ack_timeout_ms
					     : probe->ack_ms;

		due_ms = ack_ms < due_ms ? ack_ms : due_ms;
	}
	scheduler_arm(self, SCHEDULER_TIMER_PROBE, stream, due_ms);
}

void scheduler_probe_start(struct scheduler *self, uint32_t stream, bool spread)
{
	struct probe *probe = &self->probes[stream];
	int64_t interval_ms = kind_of(self, probe)->keepalive_interval_ms;

	probe->flags = PROBE_RUNNING;
	probe->missed = 0;
	if (!spread)
		probe->probe_ms = self->now_ms + interval_ms;
	else if (probe->probe_ms != 0) /* its last probe may have been just now */
		probe->probe_ms = next_multiple(probe->probe_ms, interval_ms, self->now_ms);
	else
		probe->probe_ms =
			self->now_ms + (int64_t)(table_hash(scheduler_stream_id(self, stream), 0) %
						 (uint64_t)interval_ms);
	scheduler_arm(self, SCHEDULER_TIMER_PROBE, stream, probe->probe_ms);
}

void scheduler_probe_stop(struct scheduler *self, uint32_t stream)
{
	self->probes[stream].flags = 0;
	self->probes[stream].missed = 0;
	scheduler_disarm(self, SCHEDULER_TIMER_PROBE, stream);
}

void scheduler_probe_relink(struct scheduler *self, uint32_t stream, uint64_t link,
			    uint16_t gateway)
{
	struct probe *probe = &self->probes[stream];

	if (probe->link == link && probe->gateway == gateway)
		return;
	if (probe->flags & PROBE_PENDING) {
		/* What could not be seen of the old link has its full window from here. */
		struct sight old = scheduler_sight_link(self, probe->link, probe->gateway);
		int64_t window_ms = kind_of(self, probe)->ack_timeout_ms;

		if (link != 0 && !(probe->flags & PROBE_SENT))
			probe->flags &= (uint8_t)~PROBE_PENDING;
		else if (old.away)
			probe->ack_ms = self->now_ms + window_ms;
		else if (probe->ack_ms <= old.since_ms)
			probe->ack_ms = old.since_ms + window_ms;
	}
	probe->link = link;
	probe->gateway = gateway;
}

static void miss(struct scheduler *self, uint32_t stream, struct effects *fx)
{
	struct probe *probe = &self->probes[stream];

	probe->missed++;
	self->stats.probes_missed++;
	struct stream_event *event = trace(self, stream, EVENT_PROBE_MISSED, fx);

	if (event) {
		event->probe_missed.ack_id = keep_ack_id(probe, fx);
		event->probe_missed.missed = probe->missed;
		event->probe_missed.sent = probe->flags & PROBE_SENT;
	}
	probe->flags &= (uint8_t) ~(PROBE_PENDING | PROBE_SENT);
	if (probe->missed >= kind_of(self, probe)->missed_max) {
		probe->flags |= PROBE_EXPIRED;
		probe->probe_ms = next_multiple(
			probe->probe_ms, kind_of(self, probe)->keepalive_interval_ms, self->now_ms);
		self->stats.streams_expired++;
	}
	report(self, stream, fx);
}

/* The probe that waits: has its time come, and may it be judged? */
static void judge(struct scheduler *self, uint32_t stream, struct sight sight, struct effects *fx)
{
	struct probe *probe = &self->probes[stream];

	if (sight.blind)
		return;
	if (probe->ack_ms <= sight.since_ms) {
		probe->ack_ms = sight.since_ms + kind_of(self, probe)->ack_timeout_ms;
		self->stats.deadlines_put_off++;
	}
	if (probe->ack_ms <= self->now_ms)
		miss(self, stream, fx);
}

static void send(struct scheduler *self, uint32_t stream)
{
	uint16_t slot = self->probes[stream].gateway;
	struct gateway *gateway = &self->gateways[slot];
	uint32_t item = self->outgoing_count++;

	self->outgoing[item] = (struct outgoing){ .stream = stream, .next = NO_SLOT };
	if (gateway->first == NO_SLOT) {
		gateway->first = item;
		self->touched[self->touched_count++] = slot;
	} else {
		self->outgoing[gateway->last].next = item;
	}
	gateway->last = item;
	self->stats.probes_sent++;
}

/* Make the next probe, sent or not.  Its wait ends before the next one is due even if it was
 * made late.  One made while the story stands still keeps the device alive, and its ack counts,
 * but its wait begins when we see again.
 */
static void probe_now(struct scheduler *self, uint32_t stream, bool up, struct effects *fx)
{
	struct probe *probe = &self->probes[stream];
	int64_t ack_ms = self->now_ms + kind_of(self, probe)->ack_timeout_ms;

	self->stats.probes_forgiven += !!(probe->flags & PROBE_PENDING);
	probe->ack_number = (probe->ack_number + 1) % ACK_NUMBERS;
	probe->ack_ms = ack_ms < probe->probe_ms ? ack_ms : probe->probe_ms - 1;
	if (self->blind)
		probe->ack_ms = self->now_ms;
	probe->flags &= (uint8_t)~PROBE_SENT;
	probe->flags |= up ? PROBE_PENDING | PROBE_SENT : PROBE_PENDING;
	if (up)
		send(self, stream);
	else
		self->stats.probes_unsent++;
	struct stream_event *event = trace(self, stream, EVENT_PROBE_SENT, fx);

	if (event) {
		event->probe_sent.ack_id = keep_ack_id(probe, fx);
		event->probe_sent.link = up ? probe->link : 0;
	}
}

/* Whether nothing counts yet, since the socket was lost only now. */
static bool in_grace(const struct scheduler *self, const struct probe *probe)
{
	const struct user *user = &self->users[probe->user];

	return user->link_state == LINK_DOWN &&
	       self->now_ms - user->link_ms < kind_of(self, probe)->grace_ms;
}

static void on_due(struct scheduler *self, uint32_t stream, struct sight sight, struct effects *fx)
{
	struct probe *probe = &self->probes[stream];
	int64_t due_ms = probe->probe_ms;
	int64_t interval_ms = kind_of(self, probe)->keepalive_interval_ms;
	bool up = probe->link != 0 && !sight.away &&
		  self->gateways[probe->gateway].state != LINK_DOWN;

	probe->probe_ms = next_multiple(due_ms, interval_ms, self->now_ms);
	if (probe->flags & PROBE_EXPIRED) {
		if (!self->blind)
			report(self, stream, fx); /* it has not been ended */
	} else if (due_ms <= self->stalled_ms || sight.away ||
		   (!up && (self->blind || in_grace(self, probe)))) {
		self->stats.probes_skipped += (uint64_t)((probe->probe_ms - due_ms) / interval_ms);
	} else {
		probe_now(self, stream, up, fx);
	}
}

void scheduler_on_probe_timer(struct scheduler *self, uint32_t stream, struct effects *fx)
{
	struct probe *probe = &self->probes[stream];

	if (self->sweeping) {
		scheduler_user_sweep(self, probe->user);
		if (!scheduler_slot_used(&self->stream_slots, stream))
			return;
	}
	struct sight sight = scheduler_sight_link(self, probe->link, probe->gateway);

	if (probe->flags & PROBE_RECOVERED) {
		probe->flags &= (uint8_t)~PROBE_RECOVERED;
		report(self, stream, fx);
	}
	if (probe->flags & PROBE_PENDING)
		judge(self, stream, sight, fx);
	if (probe->probe_ms <= self->now_ms)
		on_due(self, stream, sight, fx);
	rearm(self, stream, sight);
}

/* --- acks --------------------------------------------------------------------------------- */

struct ack {
	struct text stream_id;
	struct text ack_id;
	uint64_t hash;
};

static bool ack_read(struct wire *wire, struct ack *out)
{
	uint32_t count;

	return wire_array(wire, &count) && count == 2 && wire_text(wire, &out->stream_id) &&
	       wire_text(wire, &out->ack_id) && out->stream_id.length <= STREAM_ID_MAX &&
	       out->ack_id.length <= ACK_ID_MAX;
}

static bool is_awaited(const struct probe *probe, struct text ack_id)
{
	char expected[ACK_ID_LENGTH];

	return (probe->flags & PROBE_PENDING) && (probe->flags & PROBE_SENT) &&
	       text_equal(ack_id, put_ack_id(probe->ack_number, expected));
}

static void take_ack(struct scheduler *self, uint32_t stream, struct effects *fx)
{
	struct probe *probe = &self->probes[stream];
	int64_t due_ms = probe->probe_ms;
	bool recovered = probe->missed > 0 || probe->flags & PROBE_TOLD;

	probe->flags &= (uint8_t) ~(PROBE_PENDING | PROBE_SENT);
	probe->missed = 0;
	probe->activity_ms = self->now_ms;
	self->stats.probes_acked++;
	if (recovered) {
		self->stats.streams_recovered++;
		if (effects_room(fx) > 0) {
			report(self, stream, fx);
		} else { /* more acks in one message than reports fit: in the next call */
			probe->flags |= PROBE_RECOVERED;
			due_ms = self->now_ms;
		}
	}
	scheduler_arm(self, SCHEDULER_TIMER_PROBE, stream, due_ms);
}

static void on_ack(struct scheduler *self, const struct ack *ack, struct effects *fx)
{
	uint32_t stream = table_find_key(&self->stream_index, ack->hash, ack->stream_id);
	bool counted = stream != NO_SLOT && is_awaited(&self->probes[stream], ack->ack_id);

	if (counted)
		take_ack(self, stream, fx);
	else
		self->stats.acks_unknown++;
	struct stream_event *event = trace(self, stream, EVENT_PROBE_ACKED, fx);

	if (!event)
		return;
	if (stream == NO_SLOT)
		event->stream_id = effects_keep(fx, ack->stream_id);
	event->probe_acked.ack_id = effects_keep(fx, ack->ack_id);
	event->probe_acked.counted = counted;
}

/* Among a million streams each ack waits for memory three times over: for a chunk of acks at
 * once that is one wait for each step, not one for each ack and step.
 */
static void on_chunk(struct scheduler *self, struct ack *acks, uint32_t count, struct effects *fx)
{
	for (uint32_t i = 0; i < count; i++) {
		acks[i].hash = table_key(&self->stream_index, acks[i].stream_id);
		table_prefetch(&self->stream_index, acks[i].hash);
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t stream = table_hint(&self->stream_index, acks[i].hash);

		if (stream == TABLE_NONE)
			continue;
		__builtin_prefetch(&self->probes[stream]);
		__builtin_prefetch(&self->wheel.timers[stream]);
	}
	for (uint32_t i = 0; i < count; i++)
		on_ack(self, &acks[i], fx);
}

void scheduler_on_acks(struct scheduler *self, struct text acks, struct effects *fx)
{
	struct wire wire;
	uint32_t count;

	if (!list_read(acks, &wire, &count) || count > ACKS_PER_BATCH_MAX) {
		self->stats.malformed++;
		return;
	}
	while (count > 0) {
		struct ack chunk[ACK_CHUNK];
		uint32_t length = 0;
		bool well_formed = true;

		while (length < count && length < ACK_CHUNK && well_formed) {
			well_formed = ack_read(&wire, &chunk[length]);
			length += well_formed;
		}
		on_chunk(self, chunk, length, fx);
		count -= length;
		if (!well_formed) {
			self->stats.malformed++;
			return;
		}
	}
}

/* --- batches ------------------------------------------------------------------------------ */

bool scheduler_probe_room(const struct scheduler *self, const struct effects *fx)
{
	/* Each gateway has one message to come, and one more for every full one. */
	size_t messages = self->touched_count + 1 + SCHEDULER_FIRES_MAX / PROBES_PER_BATCH_MAX;

	return effects_room(fx) >= messages + FIRE_EFFECTS_MAX;
}

static void put_probe(struct list_writer *list, const struct probe *probe)
{
	char ack_id[ACK_ID_LENGTH];

	list_open_member(list, 4);
	list_put_u64(list, probe->link);
	list_put_text(list, (struct text){ probe->id, probe->id_length });
	list_put_u64(list, probe->epoch);
	list_put_text(list, put_ack_id(probe->ack_number, ack_id));
	bool fitted = list_close_member(list);

	assert(fitted); /* scheduler_bytes() has reckoned with the longest */
	(void)fitted;
}

/* One message of the probes from @item on.
 *
 * Return: the first that did not go into it, or NO_SLOT.
 */
static uint32_t put_batch(struct scheduler *self, struct gateway *gateway, uint32_t item,
			  struct list_writer *list, struct effects *fx)
{
	const struct peer peer = { .role = ROLE_GATEWAY, .incarnation = gateway->id };

	for (uint32_t i = 0; i < PROBES_PER_BATCH_MAX && item != NO_SLOT; i++) {
		put_probe(list, &self->probes[self->outgoing[item].stream]);
		item = self->outgoing[item].next;
	}
	struct stream_event *event = effects_add(fx, EFFECT_SEND, peer, EVENT_PROBE_BATCH);

	if (gateway->heard == gateway->sent)
		gateway->unheard_ms = self->now_ms;
	event->probe_batch.probes = list_end(list);
	event->probe_batch.batch = ++gateway->sent;
	return item;
}

void scheduler_probe_flush(struct scheduler *self, struct effects *fx)
{
	size_t size = self->batches_size, used = 0;

	for (uint32_t i = 0; i < self->touched_count; i++) {
		struct gateway *gateway = &self->gateways[self->touched[i]];
		uint32_t item = gateway->first;

		while (item != NO_SLOT) {
			struct list_writer list;

			list_begin(&list, self->batches + used, size - used);
			item = put_batch(self, gateway, item, &list, fx);
			used += list.length;
		}
		gateway->first = NO_SLOT;
		gateway->last = NO_SLOT;
	}
	self->touched_count = 0;
	self->outgoing_count = 0;
}
