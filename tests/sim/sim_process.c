/* SPDX-License-Identifier: MIT */
/* sim_process.c - a process: a node with its core, between a start and a crash.
 *
 * Its pass is the one of common/daemon.c, without the sockets.  A crash strikes between any two
 * things that leave a process (a commit, a frame, a message to a client): from then on nothing
 * leaves it, and what it did inside does not matter any more.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/sim/sim_world.h"

#define SPINS_MAX 20000 /* passes without time passing */
#define SERVES_MAX 8 /* slices of snapshots in one pass */
#define CRASH_ACTS_MAX 24 /* a crash comes within so many things that leave */
#define BACK_MAX_MS 30000

bool sim_process_acts(struct sim_process_state *process)
{
	if (process->dying)
		return false;
	if (process->crash_in > 0 && --process->crash_in == 0) {
		process->dying = true;
		return false;
	}
	return true;
}

/* ports of the node */

static int64_t port_now_ms(void *context)
{
	return ((struct sim_process_state *)context)->sim->now_ms;
}

static int64_t port_wall_ms(void *context)
{
	const struct sim *self = ((struct sim_process_state *)context)->sim;

	return INT64_C(1700000000000) + self->now_ms + self->wall_offset_ms;
}

static bool port_send(void *context, enum node_wire wire, const uint8_t *frame, size_t length)
{
	struct sim_process_state *process = context;

	return !sim_process_acts(process) ||
	       sim_bus_send(process->sim, process, wire, frame, length);
}

/* What the registry says to adapters is watched as it leaves. */
static void tell_answers(struct sim *self, const uint8_t *route, size_t route_length,
			 const uint8_t *bytes, size_t length)
{
	struct stream_event event;
	struct frame_head head;
	struct route to;
	struct wire wire;

	if (!route_read(route, route_length, &to) ||
	    (to.role != ROLE_UNMANAGED && to.role != ROLE_MANAGED) ||
	    !frame_read(bytes, length, &head, &wire))
		return;
	for (uint64_t i = 0; i < head.count && stream_event_read(&wire, &event) == 0; i++)
		if (event.type == EVENT_STREAM_RESULT)
			self->observer.answered(self->observer.context, &event);
}

static enum inbox_sent port_send_to(void *context, enum node_wire wire, const uint8_t *route,
				    size_t route_length, const uint8_t *frame, size_t length)
{
	struct sim_process_state *process = context;

	if (!sim_process_acts(process))
		return INBOX_SENT;
	if (process->id == SIM_REGISTRY && wire == NODE_INBOX && process->sim->observer.answered)
		tell_answers(process->sim, route, route_length, frame, length);
	return sim_bus_send_to(process->sim, process, wire, route, route_length, frame, length);
}

static void port_publish(void *context, const uint8_t *frame, size_t length)
{
	struct sim_process_state *process = context;

	if (process->id == SIM_REGISTRY && sim_process_acts(process))
		sim_bus_publish(process->sim, frame, length);
}

static void port_close(void *context)
{
	struct sim_process_state *process = context;

	sim_bus_close(process->sim, process, NODE_ROWS);
}

static void port_open(void *context)
{
	struct sim_process_state *process = context;

	port_close(process);
	sim_bus_open(process->sim, process, NODE_ROWS);
}

static void port_note(void *context, const struct node_note *note)
{
	struct sim_process_state *process = context;

	sim_note(process->sim, "%-11s %s: %s", process->name, note->what, note->detail);
}

static void port_tells(void *context, const struct input *input)
{
	static const char *const words[] = {
		[INPUT_TICK] = "tick",	     [INPUT_MESSAGE] = "hears",
		[INPUT_STORY] = "story",     [INPUT_RESYNC] = "resync",
		[INPUT_SYNCED] = "synced",   [INPUT_BLIND] = "blind",
		[INPUT_PEER_UP] = "peer up", [INPUT_PEER_DOWN] = "peer down",
	};
	struct sim_process_state *process = context;

	if (input->event)
		sim_note_event(process->sim, process->name, words[input->type], input->event);
	else if (input->type != INPUT_TICK)
		sim_note(process->sim, "%-11s %s %s", process->name, words[input->type],
			 input->peer_name ? input->peer_name : "");
}

/* A pass ----------------------------------------------------------------------------------------
 */

static void release(struct sim_process_state *process, unsigned wire)
{
	free(process->reading[wire]);
	process->reading[wire] = NULL;
}

static bool take(struct sim_process_state *process, enum node_wire wire)
{
	const uint8_t *route = NULL;
	struct sim_frame *frame = sim_bus_read(process->sim, process, wire, &route);

	if (!frame)
		return false;
	sim_trace(process->sim, frame->bytes, frame->length);
	process->reading[wire] = frame;
	node_take(&process->node, wire,
		  &(struct node_frame){ .route = route,
					.route_length = route ? ROUTE_LENGTH_MAX : 0,
					.bytes = frame->bytes,
					.length = frame->length });
	return true;
}

static void drain(struct sim_process_state *process, enum node_wire wire, unsigned *inputs)
{
	struct node *node = &process->node;

	while (*inputs > 0) {
		if (node_step(node, wire)) {
			(*inputs)--;
			continue;
		}
		if (node_held(node))
			return;
		release(process, wire);
		if (!node_wants(node, wire) || !take(process, wire))
			return;
		(*inputs)--;
	}
}

static void drain_all(struct sim_process_state *process)
{
	unsigned inputs = process->sim->plan.inputs_max;

	for (unsigned i = 0; i < NODE_WIRES; i++) {
		enum node_wire wire = (process->source_next + i) % NODE_WIRES;

		if (node_has(&process->node, wire))
			drain(process, wire, &inputs);
	}
	process->source_next = (process->source_next + 1) % NODE_WIRES;
}

static bool is_busy(struct sim_process_state *process)
{
	if (node_held(&process->node))
		return false;
	for (unsigned wire = 0; wire < NODE_WIRES; wire++)
		if (process->reading[wire])
			return true;
	return node_is_busy(&process->node) || sim_edge_waits(process) ||
	       sim_provider_waits(process->sim, process) || sim_bus_waits(process->sim, process);
}

static void check_spin(struct sim *self, struct sim_process_state *process)
{
	if (process->spin_ms != self->now_ms)
		process->spins = 0;
	process->spin_ms = self->now_ms;
	if (++process->spins > SPINS_MAX)
		sim_violation(self, "spin", (struct text){ 0 },
			      "%s does one pass after another without end", process->name);
}

static void plan_next(struct sim *self, struct sim_process_state *process)
{
	int64_t due_ms = is_busy(process) ? self->now_ms : node_deadline(&process->node);

	if (due_ms != INT64_MAX)
		sim_process_wake(self, process, due_ms);
}

static int64_t draw_back_ms(struct sim *self)
{
	return (int64_t)sim_below(self, SIM_CRASHES,
				  sim_below(self, SIM_CRASHES, 2) ? BACK_MAX_MS : 2000);
}

static void pass(struct sim *self, struct sim_process_state *process)
{
	bool strikes = sim_chance(self, SIM_CRASHES, self->plan.crash_ppm);
	uint64_t acts = sim_below(self, SIM_CRASHES, CRASH_ACTS_MAX);
	int r;

	check_spin(self, process);
	if (strikes && process->crash_in == 0 && sim_has(self, FAULT_CRASH))
		process->crash_in = 1 + (int64_t)acts;
	sim_bus_poll(self, process);
	drain_all(process);
	if (process->role == ROLE_GATEWAY && !process->dying)
		sim_edge_step(self, process);
	if (process->id == SIM_MANAGED && !process->dying)
		sim_provider_step(self, process);
	node_tick(&process->node);
	for (int i = 0; i < SERVES_MAX && node_serve(&process->node); i++)
		;
	r = node_finish(&process->node);
	if (r < 0 || process->dying)
		sim_process_crash(self, process, draw_back_ms(self));
	else
		plan_next(self, process);
}

static void on_wake(void *context, uint64_t tag)
{
	struct sim_process_state *process = context;

	if (tag != process->wake_serial)
		return;
	process->wake_ms = INT64_MAX;
	pass(process->sim, process);
}

void sim_process_poke(struct sim *self, struct sim_process_state *process)
{
	if (process->up && !process->stalled)
		pass(self, process);
}

void sim_process_wake(struct sim *self, struct sim_process_state *process, int64_t at_ms)
{
	if (!process->up || process->stalled)
		return;
	if (at_ms < self->now_ms)
		at_ms = self->now_ms;
	if (at_ms >= process->wake_ms)
		return;
	process->wake_ms = at_ms;
	sim_at(self, at_ms, on_wake, process, ++process->wake_serial);
}

/* Lives -----------------------------------------------------------------------------------------
 */

static void sleep_on(struct sim_process_state *process)
{
	process->wake_ms = INT64_MAX;
	process->wake_serial++;
}

void sim_process_start(struct sim *self, struct sim_process_state *process)
{
	struct node_options options = { .role = process->role,
					.name = process->name,
					.port = { .context = process,
						  .now_ms = port_now_ms,
						  .wall_ms = port_wall_ms,
						  .send = port_send,
						  .send_to = port_send_to,
						  .publish = port_publish,
						  .open = port_open,
						  .close = port_close,
						  .note = port_note,
						  .tells = self->options.record ? port_tells
										: NULL } };
	int r;

	assert(!process->up);
	process->life++;
	process->starts++;
	/* Names of incarnations differ between processes, and grow. */
	process->incarnation = process->starts << 8 | (process->id + 1);
	options.incarnation = process->incarnation;
	process->connections = 0;
	process->crash_in = 0;
	process->dying = process->stalled = process->frozen = false;
	sim_actor_init(self, process, &options);
	r = node_init(&process->node, &options);
	assert(r == 0);
	process->up = true;
	process->awake_ms = process->began_ms = self->now_ms;
	sim_note(self, "world starts %s, incarnation %llu", process->name,
		 (unsigned long long)process->incarnation);
	sim_actor_started(self, process);
	sim_bus_up(self, process);
	node_begin(&process->node);
	sleep_on(process);
	sim_process_wake(self, process, self->now_ms);
}

static void clear(struct sim_process_state *process)
{
	for (unsigned wire = 0; wire < NODE_WIRES; wire++)
		release(process, wire);
	node_fini(&process->node);
	process->up = process->stalled = process->frozen = process->dying = false;
	process->awake_ms = INT64_MAX;
}

static void on_start(void *context, uint64_t life)
{
	struct sim_process_state *process = context;

	if (process->life == life && !process->up)
		sim_process_start(process->sim, process);
}

void sim_process_crash(struct sim *self, struct sim_process_state *process, int64_t back_ms)
{
	if (!process->up)
		return;
	sim_note(self, "world: %s dies, back in %lld ms", process->name, (long long)back_ms);
	process->life++;
	sim_bus_down(self, process);
	if (process->role == ROLE_GATEWAY)
		sim_edge_down(self, process);
	if (process->id == SIM_MANAGED)
		sim_provider_down(self);
	clear(process);
	sleep_on(process);
	sim_at(self, self->now_ms + back_ms, on_start, process, process->life);
}

static void on_resume(void *context, uint64_t life)
{
	struct sim_process_state *process = context;

	if (process->life == life)
		sim_process_resume(process->sim, process);
}

static void on_freeze(void *context, uint64_t life)
{
	struct sim_process_state *process = context;

	if (process->life == life && process->frozen)
		sim_bus_freeze(process->sim, process);
}

void sim_process_stall(struct sim *self, struct sim_process_state *process, int64_t for_ms,
		       bool frozen)
{
	if (!process->up || process->stalled)
		return;
	sim_note(self, "world: %s %s for %lld ms", process->name, frozen ? "freezes" : "stalls",
		 (long long)for_ms);
	process->stalled = true;
	process->frozen = frozen;
	process->awake_ms = INT64_MAX;
	sleep_on(process);
	if (frozen)
		sim_at(self, self->now_ms + 2000, on_freeze, process, process->life);
	sim_at(self, self->now_ms + for_ms, on_resume, process, process->life);
}

void sim_process_resume(struct sim *self, struct sim_process_state *process)
{
	bool frozen = process->frozen;

	if (!process->stalled)
		return;
	sim_note(self, "world: %s goes on", process->name);
	process->stalled = process->frozen = false;
	process->awake_ms = self->now_ms;
	sim_disturb(self, self->now_ms);
	if (frozen)
		sim_bus_retry(self, process);
	sim_process_wake(self, process, self->now_ms);
}

void sim_process_fini(struct sim *self, struct sim_process_state *process)
{
	(void)self;
	if (process->up)
		clear(process);
}
