/* SPDX-License-Identifier: MIT */
#include "actors/lifecycle-scheduler/scheduler_state.h"

#include <assert.h>

#define PHASES_LIVE (1u << PHASE_LIVE | 1u << PHASE_SUSPECT)
#define MEMORY_ALIGN 64 /* a cache line */
#define OUTGOING_BYTES_MAX 44 /* [u64, text of 15, u64, text of 6]: 1 + 9 + 16 + 9 + 7, rounded */

const struct scheduler_options scheduler_defaults = {
	.kinds = {
		[KIND_UNMANAGED] = {
			.keepalive_interval_ms = 15000,
			.ack_timeout_ms = 10000,
			.start_deadline_ms = 60000,
			.stop_deadline_ms = 60000,
			.missed_max = 3,
			.probe_phases = PHASES_LIVE,
		},
		[KIND_MANAGED] = {
			.keepalive_interval_ms = 15000,
			.ack_timeout_ms = 10000,
			.start_deadline_ms = 60000,
			.stop_deadline_ms = 60000,
			.missed_max = 3,
			.probe_phases = 1u << PHASE_STARTING | PHASES_LIVE,
		},
	},
	.session_grace_ms = 60000,
	.app_grace_ms = 5000,
	.app_connect_ms = 5000,
	.app_hook_max_ms = 12000,
	.gateway_lease_ms = 5000,
	.gateway_blind_max_ms = 180000,
	.stall_ms = 1000,
	.streams_max = 100000,
	.users_max = 100000,
	.apps_max = 100000,
	.gateways_max = 1024,
	.fires_max = SCHEDULER_FIRES_MAX,
	.trace_probes = true,
};

static uint32_t long_ids_max(const struct scheduler_options *options)
{
	return options->users_max / LONG_IDS_PER_USER + 1;
}

static uint32_t timers_max(const struct scheduler_options *options)
{
	return 3 * options->streams_max + options->users_max + options->apps_max +
	       options->gateways_max;
}

/* Memory being dealt out; with base NULL it is only measured. */
struct memory {
	uint8_t *base;
	size_t used;
};

static void *carve(struct memory *memory, size_t bytes)
{
	void *part = memory->base ? memory->base + memory->used : NULL;

	memory->used += (bytes + MEMORY_ALIGN - 1) & ~(size_t)(MEMORY_ALIGN - 1);
	return part;
}

static void carve_slots(struct memory *memory, struct scheduler_slots *slots, uint32_t capacity)
{
	*slots = (struct scheduler_slots){ .capacity = capacity, .free = NO_SLOT };
	slots->next = carve(memory, capacity * sizeof *slots->next);
}

static void carve_table(struct memory *memory, struct table *table, uint32_t capacity,
			struct table_keys keys)
{
	void *cells = carve(memory, table_bytes(capacity));

	if (cells)
		table_init(table, cells, capacity, keys);
}

/* The order of parts: what is touched most first.  Used twice, to measure and to deal out. */
static void deal(struct scheduler *self, struct memory *memory)
{
	const struct scheduler_options *options = &self->options;
	uint32_t timers = timers_max(options);
	void *wheel = carve(memory, wheel_bytes(timers));

	if (wheel)
		wheel_init(&self->wheel, wheel, timers);
	self->probes = carve(memory, options->streams_max * sizeof *self->probes);
	self->watches = carve(memory, options->streams_max * sizeof *self->watches);
	self->users = carve(memory, options->users_max * sizeof *self->users);
	self->long_ids = carve(memory, long_ids_max(options) * sizeof *self->long_ids);
	self->apps = carve(memory, options->apps_max * sizeof *self->apps);
	self->gateways = carve(memory, options->gateways_max * sizeof *self->gateways);
	self->outgoing = carve(memory, options->fires_max * sizeof *self->outgoing);
	self->touched = carve(memory, EFFECTS_MAX * sizeof *self->touched);
	self->batches_size = (size_t)options->fires_max * OUTGOING_BYTES_MAX + EFFECTS_MAX * 3;
	self->batches = carve(memory, self->batches_size);
	carve_slots(memory, &self->stream_slots, options->streams_max);
	carve_slots(memory, &self->user_slots, options->users_max);
	carve_slots(memory, &self->long_id_slots, long_ids_max(options));
	carve_slots(memory, &self->app_slots, options->apps_max);
	carve_slots(memory, &self->gateway_slots, options->gateways_max);
	struct table_keys keys = { .match = scheduler_stream_match, .context = self };

	carve_table(memory, &self->stream_index, options->streams_max, keys);
	keys.match = scheduler_gateway_match;
	carve_table(memory, &self->gateway_index, options->gateways_max, keys);
	keys.seed = options->hash_seed;
	keys.match = scheduler_user_match;
	carve_table(memory, &self->user_index, options->users_max, keys);
	keys.match = scheduler_app_match;
	carve_table(memory, &self->app_index, options->apps_max, keys);
}

size_t scheduler_bytes(const struct scheduler_options *options)
{
	struct scheduler measured = { .options = *options };
	struct memory memory = { 0 };

	deal(&measured, &memory);
	return memory.used + MEMORY_ALIGN;
}

static void check(const struct scheduler_options *options)
{
	for (int kind = KIND_NONE + 1; kind < KIND_COUNT; kind++) {
		const struct scheduler_kind *timing = &options->kinds[kind];

		assert(timing->keepalive_interval_ms >= SCHEDULER_INTERVAL_MIN_MS);
		assert(timing->ack_timeout_ms > 0);
		assert(timing->ack_timeout_ms < timing->keepalive_interval_ms);
		assert(timing->start_deadline_ms > 0 && timing->stop_deadline_ms > 0);
		assert(timing->grace_ms >= 0 && timing->duration_max_ms >= 0);
		assert(timing->missed_max > 0 && timing->missed_max <= SCHEDULER_MISSED_MAX);
	}
	assert(options->session_grace_ms > 0 && options->app_grace_ms > 0);
	assert(options->app_connect_ms > 0 && options->app_hook_max_ms > 0);
	assert(options->gateway_lease_ms > 0);
	assert(options->gateway_blind_max_ms > options->gateway_lease_ms);
	assert(options->stall_ms > 0);
	assert(options->streams_max > 0 && options->users_max > 0 && options->apps_max > 0);
	assert(options->gateways_max > 0 && options->gateways_max <= SCHEDULER_GATEWAYS_MAX);
	assert(options->fires_max > 0 && options->fires_max <= SCHEDULER_FIRES_MAX);
}

/* Whoever sleeps through a whole ack timeout may have slept through the ack; and a probe that is
 * later than a third of the interval would be too near to the next one: it is left out.
 */
static int64_t stall_of(const struct scheduler_kind *kind, int64_t stall_ms)
{
	int64_t third_ms = kind->keepalive_interval_ms / 3;
	int64_t most_ms = third_ms < kind->ack_timeout_ms ? third_ms : kind->ack_timeout_ms;

	return stall_ms < most_ms ? stall_ms : most_ms;
}

void scheduler_init(struct scheduler *self, const struct scheduler_options *options, void *memory)
{
	uintptr_t begin = ((uintptr_t)memory + MEMORY_ALIGN - 1) & ~(uintptr_t)(MEMORY_ALIGN - 1);
	struct memory parts = { .base = (uint8_t *)begin };
	const uint32_t counts[SCHEDULER_TIMER_COUNT] = {
		[SCHEDULER_TIMER_PROBE] = options->streams_max,
		[SCHEDULER_TIMER_PHASE] = options->streams_max,
		[SCHEDULER_TIMER_DURATION] = options->streams_max,
		[SCHEDULER_TIMER_SESSION] = options->users_max,
		[SCHEDULER_TIMER_APP] = options->apps_max,
		[SCHEDULER_TIMER_GATEWAY] = options->gateways_max,
	};
	uint32_t base = 0;

	check(options);
	memset(self, 0, sizeof *self);
	self->options = *options;
	self->deadline_ms = INT64_MAX;
	self->stalled_ms = -1;
	self->sight_ms = -1;
	self->generation = 1; /* new entities carry 0: named by no snapshot */
	deal(self, &parts);
	for (int kind = 0; kind < SCHEDULER_TIMER_COUNT; kind++) {
		self->timer_base[kind] = base;
		base += counts[kind];
	}
	for (int kind = KIND_NONE + 1; kind < KIND_COUNT; kind++)
		self->options.stall_ms =
			stall_of(&self->options.kinds[kind], self->options.stall_ms);
}

/* --- inputs ------------------------------------------------------------------------------- */

/* Whoever wakes late has not seen what happened meanwhile.  A backlog that is being worked off is
 * no stall: there the last tick counts, not the deadline.
 */
static void notice_stall(struct scheduler *self, int64_t now_ms)
{
	int64_t expected_ms = self->deadline_ms;

	self->late_ms = 0;
	if (expected_ms == INT64_MAX)
		return;
	if (expected_ms < self->tick_ms)
		expected_ms = self->tick_ms;
	if (expected_ms < self->stalled_ms)
		expected_ms = self->stalled_ms;
	self->late_ms = now_ms - expected_ms;
	if (self->late_ms <= self->options.stall_ms)
		return;
	self->late_ms = 0; /* from now on */
	self->stalled_ms = now_ms;
	self->sight_ms = now_ms;
	self->stats.stalls++;
}

static void sweep(struct scheduler *self)
{
	uint32_t end = self->sweep_next + SCHEDULER_SWEEP_MAX;

	if (end > self->user_slots.high)
		end = self->user_slots.high;
	for (uint32_t user = self->sweep_next; user < end; user++)
		if (scheduler_slot_used(&self->user_slots, user))
			scheduler_user_sweep(self, user);
	self->sweep_next = end;
	self->sweeping = end < self->user_slots.high;
}

static void fire(struct scheduler *self, uint32_t timer, struct effects *fx)
{
	int kind = 0; /* nearly always: probes come first */

	while (kind + 1 < SCHEDULER_TIMER_COUNT && timer >= self->timer_base[kind + 1])
		kind++;
	uint32_t slot = timer - self->timer_base[kind];

	self->armed[kind]--;
	switch ((enum scheduler_timer)kind) {
	case SCHEDULER_TIMER_PROBE:
		scheduler_on_probe_timer(self, slot, fx);
		return;
	case SCHEDULER_TIMER_PHASE:
		scheduler_on_phase_timer(self, slot, fx);
		return;
	case SCHEDULER_TIMER_DURATION:
		scheduler_on_duration_timer(self, slot, fx);
		return;
	case SCHEDULER_TIMER_SESSION:
		scheduler_on_session_timer(self, slot, fx);
		return;
	case SCHEDULER_TIMER_APP:
		scheduler_on_app_timer(self, slot, fx);
		return;
	case SCHEDULER_TIMER_GATEWAY:
		scheduler_on_gateway_timer(self, slot, fx);
		return;
	case SCHEDULER_TIMER_COUNT:
		assert(!"a timer of no kind");
	}
}

/* Timers of the same stream stand apart by its slot: what is prefetched for the wheel's next
 * ticks is the probe's cache line.
 */
static void prefetch(const struct scheduler *self)
{
	uint32_t timer = wheel_ahead(&self->wheel);

	if (timer < self->options.streams_max)
		__builtin_prefetch(&self->probes[timer]);
}

static void on_tick(struct scheduler *self, struct effects *fx)
{
	uint32_t budget = self->options.fires_max;

	/* What we are about to judge may wait in a socket, since we slept past its time: let the
	 * shell go round once.  scheduler_deadline() still says at once.
	 */
	self->deferred = self->late_ms > SCHEDULER_LATE_MS && !self->deferred;
	if (self->deferred)
		return;
	self->tick_ms = self->now_ms;
	if (self->sweeping)
		sweep(self);
	while (scheduler_probe_room(self, fx)) {
		uint32_t timer = wheel_next(&self->wheel, self->now_ms, &budget);

		if (timer == WHEEL_NONE)
			break;
		prefetch(self);
		fire(self, timer, fx);
	}
	scheduler_probe_flush(self, fx);
}

typedef void (*story_handler)(struct scheduler *self, const struct stream_event *event);

/* What is not in the table is of no concern to timers. */
static const story_handler story[STREAM_EVENT_TYPE_MAX + 1] = {
	[EVENT_GATEWAY_CHANGED] = scheduler_on_gateway_changed,
	[EVENT_SESSION_OPENED] = scheduler_on_session,
	[EVENT_SESSION_READY] = scheduler_on_session,
	[EVENT_SESSION_ENDING] = scheduler_on_session,
	[EVENT_SESSION_CLOSED] = scheduler_on_session_closed,
	[EVENT_LINK_CHANGED] = scheduler_on_link_changed,
	[EVENT_APP_CHANGED] = scheduler_on_app_changed,
	[EVENT_STREAM_OPENED] = scheduler_on_opened,
	[EVENT_STREAM_STATUS] = scheduler_on_status,
	[EVENT_STREAM_MOVED] = scheduler_on_moved,
	[EVENT_STREAM_CLOSED] = scheduler_on_closed,
	[EVENT_SNAPSHOT_STREAM] = scheduler_on_row,
};

static void see_again(struct scheduler *self)
{
	self->blind = false;
	self->sight_ms = self->now_ms;
}

static void on_story(struct scheduler *self, const struct stream_event *event)
{
	if (self->blind && !self->syncing)
		see_again(self);
	if (story[event->type])
		story[event->type](self, event);
}

static void on_message(struct scheduler *self, const struct input *input, struct effects *fx)
{
	if (input->peer.role != ROLE_GATEWAY)
		return;
	scheduler_on_gateway_up(self, input->peer.incarnation, false, fx);
	if (input->event->type == EVENT_ACK_BATCH)
		scheduler_on_acks(self, input->event->ack_batch.acks, fx);
	else if (input->event->type == EVENT_GATEWAY_BEAT)
		scheduler_on_gateway_beat(self, input->peer.incarnation,
					  input->event->gateway_beat.batch);
}

static void on_resync(struct scheduler *self)
{
	self->stats.resyncs++;
	self->generation++;
	self->blind = true;
	self->syncing = true;
	self->sweeping = false;
}

static void on_synced(struct scheduler *self)
{
	bool syncing = self->syncing;

	self->syncing = false;
	if (self->blind)
		see_again(self);
	if (!syncing)
		return; /* the story has come back without a gap */
	self->sweeping = true;
	self->sweep_next = 0;
	scheduler_gateway_sweep(self);
}

static void dispatch(struct scheduler *self, const struct input *input, struct effects *fx)
{
	switch (input->type) {
	case INPUT_TICK:
		on_tick(self, fx);
		return;
	case INPUT_MESSAGE:
		on_message(self, input, fx);
		return;
	case INPUT_STORY:
		on_story(self, input->event);
		return;
	case INPUT_RESYNC:
		on_resync(self);
		return;
	case INPUT_SYNCED:
		on_synced(self);
		return;
	case INPUT_BLIND:
		self->stats.blinds += !self->blind;
		self->blind = true;
		return;
	case INPUT_PEER_UP:
		if (input->peer.role == ROLE_GATEWAY)
			scheduler_on_gateway_up(self, input->peer.incarnation, true, fx);
		return;
	case INPUT_PEER_DOWN:
		if (input->peer.role == ROLE_GATEWAY)
			scheduler_on_gateway_down(self, input->peer.incarnation);
		return;
	}
}

void scheduler_handle(struct scheduler *self, const struct input *input, int64_t now_ms,
		      struct effects *fx)
{
	assert(now_ms >= self->now_ms);
	effects_clear(fx);
	notice_stall(self, now_ms);
	self->now_ms = now_ms;
	wheel_settle(&self->wheel, now_ms);
	dispatch(self, input, fx);
	self->deadline_ms = self->sweeping ? now_ms : wheel_deadline(&self->wheel);
}

int64_t scheduler_deadline(const struct scheduler *self)
{
	return self->deadline_ms;
}

uint32_t scheduler_timers(const struct scheduler *self)
{
	return self->wheel.count;
}
