/* SPDX-License-Identifier: MIT */
/* scheduler_stream.c - streams: what the story says of them, and the deadlines of their phases. */
#include "actors/lifecycle-scheduler/scheduler_state.h"

#include <assert.h>

#define ACK_NUMBERS 60466176 /* 36^5 */
#define ACK_START_MS 100 /* probes of a stream are farther apart than that */

/* Which deadline a phase has. */
static const uint8_t deadlines[PHASE_COUNT] = {
	[PHASE_REQUESTED] = TIMER_START_DEADLINE,
	[PHASE_PROVISIONING] = TIMER_START_DEADLINE,
	[PHASE_STARTING] = TIMER_START_DEADLINE,
	[PHASE_STOPPING] = TIMER_STOP_DEADLINE,
};

/* What an event says of a stream. */
struct told {
	uint32_t kind; /* KIND_NONE: not said */
	uint32_t phase;
	uint64_t cause;
	uint64_t missed; /* rows: what the registry has counted */
	uint64_t opened; /* seq of its opening; 0: not said */
	bool activity; /* the device said something */
	bool row;
};

struct text scheduler_stream_id(const struct scheduler *self, uint32_t stream)
{
	return (struct text){ self->probes[stream].id, self->probes[stream].id_length };
}

bool scheduler_stream_match(const void *self, uint32_t slot, struct text key)
{
	return text_equal(scheduler_stream_id(self, slot), key);
}

void scheduler_stream_drop(struct scheduler *self, uint32_t stream)
{
	scheduler_probe_stop(self, stream);
	scheduler_disarm(self, SCHEDULER_TIMER_PHASE, stream);
	scheduler_disarm(self, SCHEDULER_TIMER_DURATION, stream);
	self->users[self->probes[stream].user].stream = NO_SLOT;
	(void)table_remove(&self->stream_index, scheduler_stream_id(self, stream));
	scheduler_slot_give(&self->stream_slots, stream);
}

static uint32_t make(struct scheduler *self, uint32_t user, const struct stream_event *event)
{
	struct text id = event->stream_id;

	if (id.length == 0 || id.length > SCHEDULER_ID_MAX) {
		self->stats.ids_refused++;
		return NO_SLOT;
	}
	uint32_t slot = scheduler_slot_take(&self->stream_slots);

	if (slot == NO_SLOT) {
		self->stats.streams_refused++;
		return NO_SLOT;
	}
	struct user *owner = &self->users[user];

	/* Ack numbers count up by one per probe from a start that moves faster than they do: so
	 * they do not come again when this process starts anew.
	 */
	self->probes[slot] = (struct probe){
		.id_length = (uint8_t)id.length,
		.epoch = event->epoch,
		.link = owner->link,
		.activity_ms = -1,
		.ack_number = (uint32_t)((self->now_ms / ACK_START_MS) % ACK_NUMBERS),
		.user = user,
		.gateway = owner->gateway,
	};
	memcpy(self->probes[slot].id, id.bytes, id.length);
	self->watches[slot] = (struct watch){ 0 };
	owner->stream = slot;
	(void)table_insert(&self->stream_index, id, slot); /* as many cells as slots */
	return slot;
}

static uint32_t find(struct scheduler *self, struct text id)
{
	uint32_t slot = table_find(&self->stream_index, id);

	if (slot == NO_SLOT || !self->sweeping)
		return slot;
	scheduler_user_sweep(self, self->probes[slot].user);
	return scheduler_slot_used(&self->stream_slots, slot) ? slot : NO_SLOT;
}

/* --- phases ------------------------------------------------------------------------------- */

static int64_t duration_ms(const struct scheduler *self, const struct probe *probe)
{
	const struct scheduler_kind *kind = &self->options.kinds[probe->kind];

	return deadlines[probe->phase] == TIMER_STOP_DEADLINE ? kind->stop_deadline_ms
							      : kind->start_deadline_ms;
}

static void apply_phase(struct scheduler *self, uint32_t slot, const struct told *told)
{
	struct probe *probe = &self->probes[slot];
	struct watch *watch = &self->watches[slot];
	bool running = probe->flags & PROBE_RUNNING;
	bool wanted = self->options.kinds[probe->kind].probe_phases >> probe->phase & 1;

	if (wanted && !running)
		scheduler_probe_start(self, slot, told->row);
	else if (!wanted && running)
		scheduler_probe_stop(self, slot);
	if (told->row) {
		probe->flags &= (uint8_t)~PROBE_TOLD;
		probe->flags |= told->missed > 0 ? PROBE_TOLD : 0;
	}
	watch->armed_ms = self->now_ms;
	probe->flags &= (uint8_t)~PROBE_HELD;
	if (deadlines[probe->phase] == TIMER_NONE)
		scheduler_disarm(self, SCHEDULER_TIMER_PHASE, slot);
	else
		scheduler_arm(self, SCHEDULER_TIMER_PHASE, slot,
			      self->now_ms + duration_ms(self, probe));
}

/* From when we first hear of it: no clock says when an earlier life of ours did. */
static void apply_opened(struct scheduler *self, uint32_t slot, uint64_t opened)
{
	const struct scheduler_kind *kind = &self->options.kinds[self->probes[slot].kind];

	if (self->watches[slot].opened != 0 || opened == 0)
		return;
	self->watches[slot].opened = opened;
	if (kind->duration_max_ms > 0)
		scheduler_arm(self, SCHEDULER_TIMER_DURATION, slot,
			      self->now_ms + kind->duration_max_ms);
}

/* A row of what has happened meanwhile counts fewer misses than we did: the device has said
 * something that we never heard of.  If nothing has, it is our last report that is not there yet.
 */
static void forgive(struct scheduler *self, uint32_t slot, const struct told *told)
{
	struct probe *probe = &self->probes[slot];

	if (!told->row || told->cause == self->watches[slot].cause || probe->missed <= told->missed)
		return;
	probe->missed = (uint16_t)told->missed;
	probe->flags &= (uint8_t) ~(PROBE_EXPIRED | PROBE_RECOVERED);
}

static void apply(struct scheduler *self, uint32_t slot, const struct told *told)
{
	struct probe *probe = &self->probes[slot];

	if (told->activity) {
		probe->activity_ms = self->now_ms;
		probe->missed = 0;
		probe->flags &= (uint8_t) ~(PROBE_EXPIRED | PROBE_RECOVERED | PROBE_TOLD);
	}
	probe->phase = (uint8_t)told->phase;
	if (told->kind != KIND_NONE)
		probe->kind = (uint8_t)told->kind;
	if (probe->kind == KIND_NONE)
		return; /* the row that says it follows */
	apply_phase(self, slot, told);
	apply_opened(self, slot, told->opened);
}

/* --- the story ---------------------------------------------------------------------------- */

/* Whether @event is about the user's present stream or a later one.  A stream that the snapshot
 * under way has not named yet does not count.
 */
static bool is_current(struct scheduler *self, const struct user *user,
		       const struct stream_event *event)
{
	uint32_t slot = user->stream;
	bool current = event->epoch > user->closed_epoch &&
		       (slot == NO_SLOT || self->watches[slot].generation != self->generation ||
			event->epoch >= self->probes[slot].epoch);

	self->stats.stale += !current;
	return current;
}

/* The slot of the stream that @event is about, made if need be; NO_SLOT: nothing to do. */
static uint32_t touch(struct scheduler *self, const struct stream_event *event)
{
	uint32_t user = scheduler_user_touch(self, event->user_id);

	if (user == NO_SLOT || !is_current(self, &self->users[user], event))
		return NO_SLOT;
	uint32_t slot = find(self, event->stream_id);

	if (slot != NO_SLOT)
		return self->probes[slot].user == user ? slot : NO_SLOT;
	if (self->users[user].stream != NO_SLOT) /* an older one, whose end we have not seen */
		scheduler_stream_drop(self, self->users[user].stream);
	slot = make(self, user, event);
	if (slot == NO_SLOT)
		scheduler_user_release(self, user);
	return slot;
}

static void tell(struct scheduler *self, const struct stream_event *event, const struct told *told)
{
	if (told->kind >= KIND_COUNT || told->phase >= PHASE_COUNT || told->phase == PHASE_NONE) {
		self->stats.malformed++;
		return;
	}
	if (told->phase == PHASE_CLOSED) /* stream.closed follows */
		return;
	/* Outside a snapshot every stream begins with an event that says its kind. */
	uint32_t slot = told->kind != KIND_NONE || self->syncing ? touch(self, event)
								 : find(self, event->stream_id);

	if (slot == NO_SLOT)
		return;
	struct probe *probe = &self->probes[slot];
	struct watch *watch = &self->watches[slot];
	bool newer = watch->generation != self->generation || event->seq > watch->seq;

	if (probe->epoch != event->epoch || (!newer && probe->kind != KIND_NONE)) {
		self->stats.stale++;
		return;
	}
	if (!newer) { /* an old row that says what kind a stream is that we know better else */
		struct told kind = { .kind = told->kind,
				     .phase = probe->phase,
				     .cause = watch->cause,
				     .opened = told->opened,
				     .row = true };

		apply(self, slot, &kind);
		return;
	}
	watch->generation = self->generation;
	watch->seq = event->seq;
	forgive(self, slot, told);
	watch->cause = told->cause;
	apply(self, slot, told);
}

void scheduler_on_opened(struct scheduler *self, const struct stream_event *event)
{
	tell(self, event,
	     &(struct told){ .kind = event->stream_opened.kind,
			     .phase = event->stream_opened.kind == KIND_NONE ? PHASE_NONE
									     : PHASE_REQUESTED,
			     .cause = event->seq,
			     .opened = event->seq });
}

void scheduler_on_status(struct scheduler *self, const struct stream_event *event)
{
	tell(self, event,
	     &(struct told){
		     .phase = event->stream_status.phase, .cause = event->seq, .activity = true });
}

void scheduler_on_moved(struct scheduler *self, const struct stream_event *event)
{
	tell(self, event,
	     &(struct told){ .phase = event->stream_moved.phase, .cause = event->seq });
}

static void close_stream(struct scheduler *self, uint32_t user, const struct stream_event *event)
{
	if (user == NO_SLOT)
		return;
	uint32_t slot = self->users[user].stream;

	if (event->epoch > self->users[user].closed_epoch)
		self->users[user].closed_epoch = event->epoch;
	if (slot != NO_SLOT && self->probes[slot].epoch <= event->epoch)
		scheduler_stream_drop(self, slot);
	scheduler_user_release(self, user);
}

void scheduler_on_closed(struct scheduler *self, const struct stream_event *event)
{
	/* While syncing its end is kept, lest an older row that follows begin it again. */
	close_stream(self,
		     self->syncing ? scheduler_user_touch(self, event->user_id)
				   : scheduler_user_find(self, event->user_id),
		     event);
}

void scheduler_on_row(struct scheduler *self, const struct stream_event *event)
{
	uint64_t cause = event->snapshot_stream.phase_seq;

	if (event->snapshot_stream.phase == PHASE_CLOSED) {
		/* Only liabilities are left of it. */
		close_stream(self, scheduler_user_find(self, event->user_id), event);
		return;
	}
	tell(self, event,
	     &(struct told){ .kind = event->snapshot_stream.kind,
			     .phase = event->snapshot_stream.kind == KIND_NONE
					      ? PHASE_NONE
					      : event->snapshot_stream.phase,
			     .cause = cause != 0 ? cause : event->seq,
			     .missed = event->snapshot_stream.missed,
			     .opened = event->snapshot_stream.opened_seq,
			     .row = true });
}

/* In these phases it is the device that is waited for. */
static struct sight sight_of(const struct scheduler *self, const struct probe *probe)
{
	if (probe->phase == PHASE_STARTING || probe->phase == PHASE_STOPPING)
		return scheduler_sight_link(self, probe->link, probe->gateway);
	return scheduler_sight(self);
}

static void report(const struct scheduler *self, uint32_t slot, struct stream_event *event)
{
	event->user_id = scheduler_user_id(self, self->probes[slot].user);
	event->stream_id = scheduler_stream_id(self, slot);
	event->epoch = self->probes[slot].epoch;
}

void scheduler_on_phase_timer(struct scheduler *self, uint32_t slot, struct effects *fx)
{
	struct probe *probe = &self->probes[slot];
	const struct watch *watch = &self->watches[slot];
	int64_t due_ms = wheel_due(&self->wheel, self->timer_base[SCHEDULER_TIMER_PHASE] + slot);
	bool held = probe->flags & PROBE_HELD;

	if (self->sweeping) {
		scheduler_user_sweep(self, probe->user);
		if (!scheduler_slot_used(&self->stream_slots, slot))
			return;
	}
	int64_t again_ms = scheduler_put_off(self, sight_of(self, probe), &held, due_ms,
					     self->options.kinds[probe->kind].ack_timeout_ms);

	probe->flags &= (uint8_t)~PROBE_HELD;
	probe->flags |= held ? PROBE_HELD : 0;
	if (again_ms == 0) {
		report(self, slot,
		       scheduler_expired(self, deadlines[probe->phase], watch->cause,
					 watch->armed_ms, fx));
		again_ms = self->now_ms + duration_ms(self, probe); /* if it was not ended */
	}
	scheduler_arm(self, SCHEDULER_TIMER_PHASE, slot, again_ms);
}

/* Whatever anybody sees: its time is over. */
void scheduler_on_duration_timer(struct scheduler *self, uint32_t slot, struct effects *fx)
{
	const struct scheduler_kind *kind = &self->options.kinds[self->probes[slot].kind];

	if (self->sweeping) {
		scheduler_user_sweep(self, self->probes[slot].user);
		if (!scheduler_slot_used(&self->stream_slots, slot))
			return;
	}
	report(self, slot,
	       scheduler_expired(self, TIMER_DURATION, self->watches[slot].opened,
				 self->now_ms - kind->duration_max_ms, fx));
	/* If it was not ended. */
	scheduler_arm(self, SCHEDULER_TIMER_DURATION, slot, self->now_ms + SCHEDULER_WINDOW_MAX_MS);
}
