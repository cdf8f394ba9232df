/* SPDX-License-Identifier: MIT */
/* sim_actors.c - the real cores, with small limits and the times of the default configuration. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "proto/list.h"
#include "tests/sim/sim_world.h"

#include "common/store_engine.h"

#define HISTORY_ROWS 4096
#define HISTORY_AGE_MS (INT64_C(30) * 86400000)
#define ENDING_MAX_MS 2000 /* as registry_main.c */
#define MARK "weirs1mu1at3" /* of the deployment, if its store has none */
#define SMALL_SIZE 65536 /* memory that is zeroed; more is given back and faulted in anew */

static const struct state_options limits = {
	.users_max = 64,
	.apps_max = 256,
	.streams_max = 256,
	.text_bytes = 4 << 20,
};

/* Zeroed memory of @size, the same every time. */
static void *core_memory(struct sim *self, const struct sim_process_state *process, size_t size)
{
	void **memory = &self->memory.cores[process->id];
	size_t *had = &self->memory.core_sizes[process->id];

	if (*had == size && size > SMALL_SIZE) {
		(void)madvise(*memory, size, MADV_DONTNEED);
		return *memory;
	}
	if (*had != size) {
		if (*memory)
			(void)munmap(*memory, *had);
		*memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		assert(*memory != MAP_FAILED);
		*had = size;
	}
	memset(*memory, 0, size > SMALL_SIZE ? 0 : size);
	return *memory;
}

/* Registry --------------------------------------------------------------------------------------
 */

static void registry_input(void *core, const struct input *input, int64_t now_ms,
			   struct effects *fx)
{
	registry_handle(core, input, now_ms, fx);
}

static int64_t registry_due(const void *core)
{
	return registry_deadline(core);
}

/* The answers to requests leave with what they are about: here they are seen by the checks. */
static void tell_committed(struct sim *self, const struct stream_event *const *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sim_note_event(self, "store", "keeps", events[i]);
		self->seq = events[i]->seq;
		if (self->observer.story)
			self->observer.story(self->observer.context, events[i]);
	}
}

static int port_commit(void *context, const struct stream_event *const *events, size_t count,
		       const struct peer_mark *marks, size_t mark_count)
{
	struct sim_process_state *process = context;
	struct sim *self = process->sim;
	bool broken = sim_chance(self, SIM_STORE, self->plan.broken_ppm);
	bool durable = sim_below(self, SIM_STORE, 2) == 0;
	int r;

	if (!sim_process_acts(process))
		return -EIO;
	if (sim_has(self, FAULT_HELD) && self->now_ms < self->held_ms) {
		SIM_SOMETIMES(self, "a commit is put off");
		return -EAGAIN;
	}
	broken = broken && sim_has(self, FAULT_BROKEN);
	if (broken && !durable) {
		SIM_SOMETIMES(self, "a commit fails");
		return -EIO;
	}
	r = registry_store_commit(&self->records, events, count, marks, mark_count);
	if (r < 0)
		return r;
	tell_committed(self, events, count);
	if (!broken)
		return 0;
	SIM_SOMETIMES(self, "a commit is durable, and nobody hears of it");
	return -EIO;
}

static bool port_begin(void *context, uint64_t *upto)
{
	const struct registry *registry = &((struct sim_process_state *)context)->sim->registry;

	*upto = registry->seq;
	return registry_is_settled(registry);
}

static bool port_row(void *context, const struct stream_event *get, uint64_t *cursor,
		     struct stream_event *out)
{
	return state_row_asked(&((struct sim_process_state *)context)->sim->registry.state, get,
			       cursor, out);
}

/* One restart in so many of those that may, of one record: two at once teach no more. */
#define ROT_ONE_IN 3

static void rot(struct sim *self)
{
	const bool strikes = sim_below(self, SIM_ROT, ROT_ONE_IN) == 0;
	const uint64_t pick = sim_draw(self, SIM_ROT), bit = sim_draw(self, SIM_ROT);
	struct text key;

	if (!strikes || !sim_has(self, FAULT_ROT) ||
	    !store_memory_rot(self->store, pick, bit, &key))
		return;
	sim_note(self, "store: the record %.*s is damaged", (int)key.length, key.bytes);
}

static int64_t wall_ms(const struct node_options *options)
{
	return options->port.wall_ms(options->port.context);
}

static void init_registry(struct sim *self, struct sim_process_state *process,
			  struct node_options *options)
{
	const struct store_head head = store_head(self->store);
	struct registry_options core = {
		.state = limits,
		.incarnation = process->incarnation,
		.first_seq = head.seq,
		.first_epoch =
			head.next_epoch ? head.next_epoch : (uint64_t)wall_ms(options) * 1000,
		.stop_owed_ms = self->plan.stop_owed_ms,
		.ending_max_ms = ENDING_MAX_MS,
		.blind_max_ms = scheduler_defaults.gateway_blind_max_ms,
		.mark = MARK,
	};
	struct store_fault fault;
	int r;

	rot(self);
	core.state.hash_seed = process->incarnation;
	core.state.remember_apps = true;
	registry_init(&self->registry, &core, core_memory(self, process, registry_bytes(&core)));
	registry_store_fini(&self->records);
	r = registry_store_init(&self->records, self->store);
	assert(r == 0);
	r = registry_store_load(&self->records, &self->registry, self->now_ms, &fault);
	if (r < 0)
		sim_violation(self, "load", (struct text){ 0 },
			      "the registry cannot read its own store: %s", fault.reason);
	for (uint32_t i = 0; i < self->records.lost_count && self->observer.damaged; i++)
		self->observer.damaged(self->observer.context, self->records.damage[i].bucket);
	if (self->observer.loaded)
		self->observer.loaded(self->observer.context, &self->registry.state);
	options->core = (struct node_core){ .core = &self->registry,
					    .handle = registry_input,
					    .deadline = registry_due };
	options->store = (struct store_port){ .context = process, .commit = port_commit };
	options->snapshot =
		(struct snapshot_port){ .context = process, .begin = port_begin, .row = port_row };
}

/* Scheduler -------------------------------------------------------------------------------------
 */

/* [link, stream_id, epoch, ack_id], each */
static void tell_probes(struct sim_process_state *process, struct text probes)
{
	struct sim *self = process->sim;
	uint32_t count, fields;
	struct wire wire;
	bool read = list_read(probes, &wire, &count);

	while (read && count-- > 0) {
		struct text stream_id, ack_id;
		uint64_t link, epoch;

		read = wire_array(&wire, &fields) && wire_u64(&wire, &link) &&
		       wire_text(&wire, &stream_id) && wire_u64(&wire, &epoch) &&
		       wire_text(&wire, &ack_id);
		if (read)
			self->observer.probed(self->observer.context, process->incarnation,
					      stream_id);
	}
}

static void scheduler_input(void *core, const struct input *input, int64_t now_ms,
			    struct effects *fx)
{
	struct sim_process_state *process = core;
	struct sim *self = process->sim;

	scheduler_handle(&self->scheduler, input, now_ms, fx);
	for (size_t i = 0; self->observer.probed && i < fx->count; i++)
		if (fx->items[i].event.type == EVENT_PROBE_BATCH)
			tell_probes(process, fx->items[i].event.probe_batch.probes);
}

static int64_t scheduler_due(const void *core)
{
	const struct sim_process_state *process = core;

	return scheduler_deadline(&process->sim->scheduler);
}

static void init_scheduler(struct sim *self, struct sim_process_state *process,
			   struct node_options *options)
{
	struct scheduler_options core = scheduler_defaults;

	core.hash_seed = process->incarnation;
	core.streams_max = limits.streams_max;
	core.users_max = limits.users_max;
	core.apps_max = limits.apps_max;
	core.gateways_max = 16;
	core.fires_max = 64;
	core.trace_probes = false;
	scheduler_init(&self->scheduler, &core, core_memory(self, process, scheduler_bytes(&core)));
	options->servers = 1u << ROLE_REGISTRY;
	options->follows = true;
	options->core = (struct node_core){ .core = process,
					    .handle = scheduler_input,
					    .deadline = scheduler_due };
}

/* Unmanaged adapter -----------------------------------------------------------------------------
 */

static void unmanaged_input(void *core, const struct input *input, int64_t now_ms,
			    struct effects *fx)
{
	unmanaged_handle(core, input, now_ms, fx);
}

static int64_t unmanaged_due(const void *core)
{
	return unmanaged_deadline(core);
}

static void init_unmanaged(struct sim *self, struct sim_process_state *process,
			   struct node_options *options)
{
	struct unmanaged_options core = { .state = limits };

	core.state.hash_seed = process->incarnation;
	unmanaged_init(&self->unmanaged, &core, core_memory(self, process, unmanaged_bytes(&core)));
	options->servers = 1u << ROLE_REGISTRY;
	options->follows = true;
	options->core = (struct node_core){ .core = &self->unmanaged,
					    .handle = unmanaged_input,
					    .deadline = unmanaged_due };
}

/* Gateways --------------------------------------------------------------------------------------
 */

static struct gateway *gateway_of(const struct sim_process_state *process)
{
	return process->sim->gateways[process->id - SIM_GATEWAY];
}

static void gateway_input(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	struct sim_process_state *process = core;

	gateway_handle(gateway_of(process), input, now_ms, fx);
	sim_edge_carry_outs(process->sim, process);
}

static int64_t gateway_due(const void *core)
{
	return gateway_deadline(gateway_of(core));
}

static void init_gateway(struct sim *self, struct sim_process_state *process,
			 struct node_options *options)
{
	const struct gateway_options core = {
		.incarnation = process->incarnation,
		.connections_max = SIM_LINKS_MAX,
		.seed = process->incarnation,
		.starts_per_min = 30,
		.starts_burst = 20,
		.arrivals_max = 4,
		.requests_max = 2,
		.requests_waiting_max = 4,
		.beat_ms = 1000,
		.request_timeout_ms = 10000,
		.watch_timeout_ms = self->provider.plan.request_timeout_ms,
		.init_ms = 10000,
		.empty_subscription_grace_ms = 8000,
		.websocket_url = TEXT("ws://weir/app-ws"),
	};
	unsigned place = process->id - SIM_GATEWAY;

	self->gateways[place] =
		gateway_init(core_memory(self, process, gateway_bytes(&core)), &core);
	gateway_set_directory(self->gateways[place], &self->directory);
	options->servers = 1u << ROLE_REGISTRY | 1u << ROLE_SCHEDULER | 1u << ROLE_UNMANAGED |
			   1u << ROLE_MANAGED;
	options->core = (struct node_core){ .core = process,
					    .handle = gateway_input,
					    .deadline = gateway_due };
}

/* Managed adapter -------------------------------------------------------------------------------
 */

static void managed_input(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	managed_handle(core, input, now_ms, fx);
}

static int64_t managed_due(const void *core)
{
	return managed_deadline(core);
}

static void managed_call(void *context, const struct stream_event *event)
{
	struct sim_process_state *process = context;

	sim_provider_call(process->sim, process, event);
}

static void init_managed(struct sim *self, struct sim_process_state *process,
			 struct node_options *options)
{
	const struct sim_provider_plan *plan = &self->provider.plan;
	struct managed_options core = {
		.state = limits,
		.provider = plan->kind,
		.incarnation = process->incarnation,
		.request_timeout_ms = plan->request_timeout_ms,
		.create_timeout_ms = 10000,
		.create_pause_ms = 1000,
		.poll_interval_ms = 2000,
		.playback_deadline_ms = 60000,
		.delete_pause_ms = 1000,
		.deletes_per_s = 1, /* few are owed at once: a larger number would show nothing */
		.reconcile_interval_ms = plan->reconcile_ms,
		.leak_age_s = plan->leak_age_s,
		.create_tries = plan->create_tries,
		.provisions_per_user_per_min = plan->provisions_per_user,
		.provisions_per_min = plan->provisions,
		.owed_per_user_max = plan->owed_per_user,
	};

	core.state.hash_seed = process->incarnation;
	managed_init(&self->managed, &core, core_memory(self, process, managed_bytes(&core)));
	options->servers = 1u << ROLE_REGISTRY;
	options->follows = true;
	options->core = (struct node_core){ .core = &self->managed,
					    .handle = managed_input,
					    .deadline = managed_due,
					    .call = managed_call,
					    .context = process };
}

/* All of them -----------------------------------------------------------------------------------
 */

void sim_actor_init(struct sim *self, struct sim_process_state *process,
		    struct node_options *options)
{
	switch (process->id) {
	case SIM_REGISTRY:
		init_registry(self, process, options);
		return;
	case SIM_SCHEDULER:
		init_scheduler(self, process, options);
		return;
	case SIM_UNMANAGED:
		init_unmanaged(self, process, options);
		return;
	case SIM_MANAGED:
		init_managed(self, process, options);
		return;
	default:
		init_gateway(self, process, options);
		return;
	}
}

void sim_actor_started(struct sim *self, struct sim_process_state *process)
{
	if (process->id != SIM_REGISTRY)
		return;
	for (size_t i = 0; i < self->records.mark_count; i++)
		node_restore(&process->node, &self->records.marks[i]);
}

static void name_process(struct sim *self, uint32_t id)
{
	static const enum role roles[] = { [SIM_REGISTRY] = ROLE_REGISTRY,
					   [SIM_SCHEDULER] = ROLE_SCHEDULER,
					   [SIM_UNMANAGED] = ROLE_UNMANAGED,
					   [SIM_MANAGED] = ROLE_MANAGED };
	struct sim_process_state *process = &self->processes[id];

	process->sim = self;
	process->id = id;
	process->role = id < SIM_GATEWAY ? roles[id] : ROLE_GATEWAY;
	process->awake_ms = process->wake_ms = INT64_MAX;
	for (unsigned wire = 0; wire < NODE_WIRES; wire++)
		process->conns[wire] = SIM_NONE;
	if (id < SIM_GATEWAY)
		(void)snprintf(process->name, sizeof process->name, "%s",
			       words_name(&role_words, process->role));
	else
		(void)snprintf(process->name, sizeof process->name, "gateway-%u",
			       id - SIM_GATEWAY + 1);
}

void sim_actors_open(struct sim *self)
{
	struct store_fault fault;
	int r = store_open(&self->store, "memory",
			   &(struct store_limits){ .history_rows_max = HISTORY_ROWS,
						   .history_age_ms = HISTORY_AGE_MS },
			   &fault);

	assert(r == 0);
	for (uint32_t id = 0; id < SIM_PROCESSES_MAX; id++)
		name_process(self, id);
	for (size_t i = 0; i < SIM_PACKAGES; i++)
		self->apps[i] = (struct gateway_app){
			.package = text_of(sim_packages[i].name),
			.webhook = TEXT("http://app"),
			.permissions = sim_packages[i].may_stream ? GATEWAY_CAMERA : 0,
			.type = sim_packages[i].type,
		};
	self->directory = (struct gateway_directory){ self->apps, SIM_PACKAGES };
}

void sim_actors_close(struct sim *self)
{
	registry_store_fini(&self->records);
	store_close(self->store);
	self->store = NULL;
}
