/* SPDX-License-Identifier: MIT */
/* sim_world.h - the parts of the simulated world, for the files that make it up. */
#pragma once

#include <setjmp.h>

#include "actors/gateway/gateway_core.h"
#include "actors/lifecycle-scheduler/scheduler_core.h"
#include "actors/managed-adapter/managed_core.h"
#include "actors/registry/registry_store.h"
#include "actors/unmanaged-adapter/unmanaged_core.h"
#include "common/node.h"
#include "common/stream_id.h"
#include "proto/list.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_provider.h"

#define SIM_CONNS_MAX 512
#define SIM_SOCKETS_MAX 512
#define SIM_LINKS_MAX 128 /* sockets of one gateway */
#define SIM_HOOKS_MAX 256
#define SIM_EVENTS_KEPT 8192 /* lines of what led to a violation, before they are filtered */
#define SIM_EVENTS_SHOWN 40
#define SIM_LINE_SIZE 400
#define SIM_NONE UINT32_MAX

/* Chance ----------------------------------------------------------------------------------------
 *
 * A class of faults is on or off for a whole run, and has a rate; --minimize takes them away.
 */
enum sim_fault {
	FAULT_CUT, /* connections end, and lose a suffix */
	FAULT_PUB, /* the publisher drops for a subscriber */
	FAULT_DELAY, /* up to 50 ms on the bus, with a tail to 20 s */
	FAULT_CLOG, /* a connection stands still for up to 60 s */
	FAULT_SWIZZLE, /* some stop one by one and go on in another order */
	FAULT_CRASH, /* between any two things that leave a process */
	FAULT_KILL, /* several processes at once */
	FAULT_STALL, /* up to 120 s, with or without its I/O thread */
	FAULT_WALL, /* the wall clock jumps by up to 10 days */
	FAULT_HELD, /* commits are put off for a while */
	FAULT_BROKEN, /* a commit fails for good, or is durable and nobody hears of it */
	FAULT_EDGE, /* sockets of clients end; their network is slow */
	FAULT_NARROW, /* small queues and batches of one */
	FAULT_LEAVE, /* a gateway is stopped politely, or drained before */
	FAULT_PROVIDER, /* calls are refused or lost, hints lie, others use the same account */
	FAULT_ROT, /* a bit of a stored record changes while the registry is down */
	FAULT_COUNT,
};

/* Parts of chance beside those of sim.h: the plan of faults, the clients' network, the provider. */
#define SIM_FAULTS ((enum sim_part)SIM_PARTS)
#define SIM_EDGE ((enum sim_part)(SIM_PARTS + 1))
#define SIM_PROVIDER ((enum sim_part)(SIM_PARTS + 2))
#define SIM_ROT ((enum sim_part)(SIM_PARTS + 3))
#define SIM_RANDOMS (SIM_PARTS + 4)

struct sim_plan {
	uint32_t faults; /* set of 1 << enum sim_fault */
	uint32_t pub_drop_ppm, tail_ppm, crash_ppm, broken_ppm;
	/* Mean times between two of them. */
	int64_t cut_ms, clog_ms, swizzle_ms, kill_ms, stall_ms, wall_ms, held_ms, edge_ms, leave_ms;
	int64_t delay_ms; /* most */
	int64_t stop_owed_ms;
	unsigned gateways;
	unsigned queue_max, snapshot_queue_max, publisher_queue_max, inputs_max;
};

/* Frames ----------------------------------------------------------------------------------------
 */

struct sim_frame {
	struct sim_frame *next;
	int64_t at_ms; /* it can be read from then on */
	uint32_t length;
	uint8_t bytes[];
};

/* One direction: FIFO, nothing twice, and what is lost is a suffix. */
struct sim_line {
	struct sim_frame *first, *last;
	unsigned count;
	int64_t last_ms; /* no frame arrives before the one in front of it */
	int64_t clogged_ms; /* nor before this */
	bool armed; /* an arrival is on the heap */
};

/* A DEALER's connection to a ROUTER. */
struct sim_conn {
	struct sim *sim;
	bool used;
	uint64_t generation; /* of the place: stale heap entries know it */
	uint32_t client, server; /* processes; SIM_NONE: an operator */
	enum node_wire wire, router; /* of the client; of the server */
	uint8_t route[ROUTE_LENGTH_MAX];
	bool held; /* by its client's socket */
	bool up; /* both may send */
	bool known; /* to the server's ROUTER */
	bool made, ended; /* told by the client's monitor, not yet looked at */
	bool connected; /* the client has looked at it */
	struct sim_line to_server, to_client;
};

/* A subscription to the registry's story; its queue outlives the connection. */
struct sim_sub {
	struct sim *sim;
	uint32_t process;
	uint64_t generation;
	bool used, live, greeted;
	struct sim_line line;
};

/* Processes -------------------------------------------------------------------------------------
 */

struct sim_parcel;

struct sim_process_state {
	struct sim *sim;
	uint32_t id;
	enum role role;
	char name[32];
	bool up, stalled;
	bool frozen; /* its I/O thread stands still as well */
	bool dying; /* in the middle of a pass: nothing of it leaves any more */
	uint64_t life; /* counts starts and ends: stale heap entries know it */
	uint64_t incarnation, starts;
	int64_t awake_ms; /* up and not stalled since; INT64_MAX */
	int64_t wake_ms; /* the pass on the heap; INT64_MAX */
	uint64_t wake_serial;
	unsigned spins; /* passes in a row without time passing */
	int64_t spin_ms;
	int64_t crash_in; /* so many more things that leave it, then it dies; 0: not */
	struct node node;
	uint32_t conns[NODE_WIRES]; /* of its DEALERs; SIM_NONE */
	uint32_t connections; /* counted in its life */
	struct sim_sub sub;
	struct sim_frame *reading[NODE_WIRES]; /* what the node walks */
	uint32_t router_next[2]; /* whose turn it is */
	unsigned source_next;
	struct sim_parcel *edge_first, *edge_last; /* gateways: what came in at the edge */
	int64_t back_ms; /* gateways: of a polite stop */
	int64_t began_ms; /* its present life */
};

/* The edge --------------------------------------------------------------------------------------
 */

enum sim_socket_state {
	SOCKET_FREE,
	SOCKET_OPENING, /* the gateway has not heard of it */
	SOCKET_OPEN,
	SOCKET_CLOSING, /* the gateway closes it */
};

struct sim_socket {
	struct sim *sim;
	enum sim_socket_state state;
	uint64_t id, link;
	unsigned gateway;
	uint64_t life; /* of the gateway's process */
	bool glasses;
	bool deaf; /* the client is gone without a word */
	bool left; /* the client has closed it, or was told that it is closed */
	bool told; /* that it is closed */
	unsigned code; /* that the gateway closes it with */
	char user[USER_ID_MAX];
	uint32_t user_length;
	const struct sim_client *client;
	int64_t in_ms, out_ms; /* of the last parcel of each direction */
};

enum sim_parcel_type {
	PARCEL_OPEN,
	PARCEL_SAY,
	PARCEL_LOST,
	PARCEL_CLOSED,
	PARCEL_POSTED,
	PARCEL_DRAIN,
	PARCEL_SHUTDOWN,
	PARCEL_HEAR, /* from here on towards the outside */
	PARCEL_SHUT,
	PARCEL_POST,
};

struct sim_parcel {
	struct sim *sim;
	struct sim_parcel *next;
	struct sim_parcel *all_next, **all_prev;
	enum sim_parcel_type type;
	uint64_t socket;
	unsigned gateway;
	uint64_t life;
	unsigned code;
	bool key_ok; /* or, of PARCEL_POSTED, whether it was answered well */
	enum hook hook;
	uint64_t hook_id;
	struct text user, package; /* in @texts */
	struct edge_message message;
	char texts[];
};

/* A webhook that is posted and not answered. */
struct sim_hook {
	bool used;
	unsigned gateway;
	uint64_t life;
	enum hook hook;
	uint64_t hook_id;
};

/* The world -------------------------------------------------------------------------------------
 */

struct sim_entry {
	int64_t at_ms;
	uint64_t serial;
	sim_fn *fn;
	void *context;
	uint64_t tag;
};

struct sim_event {
	int64_t at_ms;
	uint64_t step;
	char line[SIM_LINE_SIZE];
};

struct sim_options {
	uint64_t seed;
	uint64_t steps;
	uint32_t without; /* fault classes that stay off */
	bool record; /* remember what happens, for a report: a failed seed is run again so */
	bool verbose; /* and print it as it happens */
	uint64_t *fired; /* by place: how often */
};

/* Memory that one run after another uses. */
struct sim_memory {
	struct sim_entry *heap;
	size_t heap_size;
	struct sim_event *events; /* SIM_EVENTS_KEPT */
	void *cores[SIM_PROCESSES_MAX];
	size_t core_sizes[SIM_PROCESSES_MAX];
};

struct sim {
	struct sim_memory memory;
	struct sim_options options;
	struct sim_plan plan;
	uint64_t random[SIM_RANDOMS];
	int64_t now_ms, wall_offset_ms;
	uint64_t steps, serial, trace;
	uint64_t stream_ms; /* active streams, times how long */
	bool healing;
	size_t heap_count;
	struct sim_process_state processes[SIM_PROCESSES_MAX];
	struct sim_conn conns[SIM_CONNS_MAX];
	uint32_t conns_high;
	struct sim_socket sockets[SIM_SOCKETS_MAX];
	uint64_t sockets_opened, operators;
	struct sim_parcel *parcels; /* all of them */
	struct sim_hook hooks[SIM_HOOKS_MAX];
	uint32_t links[SIM_GATEWAYS_MAX][SIM_LINKS_MAX]; /* socket + 1, by slot of the link */
	struct sim_outside outside;
	struct sim_observer observer;
	struct store *store;
	struct registry_store records;
	struct registry registry;
	struct scheduler scheduler;
	struct unmanaged unmanaged;
	struct managed managed;
	struct sim_provider provider;
	struct gateway *gateways[SIM_GATEWAYS_MAX];
	struct gateway_app apps[SIM_PACKAGES];
	struct gateway_directory directory;
	uint64_t seq; /* of the last event that is durable */
	int64_t held_ms; /* commits are put off until */
	int64_t disturbed_ms; /* a fault was, or will be, at work until */
	uint64_t events_count;
	jmp_buf end;
	bool broken;
	char invariant[64];
	char report[65536];
	size_t report_length;
};

/* sim.c */
void sim_disturb(struct sim *self, int64_t until_ms);
static inline bool sim_has(const struct sim *self, enum sim_fault fault)
{
	return !self->healing && (self->plan.faults & 1u << fault) != 0;
}
void sim_trace(struct sim *self, const void *bytes, size_t length);

/* sim_plan.c */
void sim_plan_draw(struct sim *self);
void sim_plan_begin(struct sim *self);
const char *sim_fault_name(enum sim_fault fault);

/* sim_line.c */
void sim_line_push(struct sim *self, struct sim_line *line, const uint8_t *bytes, size_t length);
bool sim_line_has_arrived(const struct sim *self, const struct sim_line *line);
/* sim_line_pop() - the next frame that has arrived, now the caller's; NULL: none. */
struct sim_frame *sim_line_pop(struct sim *self, struct sim_line *line);
void sim_line_empty(struct sim_line *line);
/* sim_line_lose_suffix() - of what has not arrived, any suffix may be lost. */
void sim_line_lose_suffix(struct sim *self, struct sim_line *line);
void sim_line_clog(struct sim *self, struct sim_line *line, int64_t until_ms);
void sim_line_unclog(struct sim *self, struct sim_line *line);
/* sim_line_arm() - call @fn when the first frame arrives, unless that is on the heap. */
void sim_line_arm(struct sim *self, struct sim_line *line, sim_fn *fn, void *context,
		  uint64_t generation);

/* sim_bus.c */
void sim_bus_open(struct sim *self, struct sim_process_state *process, enum node_wire wire);
void sim_bus_close(struct sim *self, struct sim_process_state *process, enum node_wire wire);
void sim_bus_cut(struct sim *self, struct sim_conn *conn);
void sim_bus_cut_sub(struct sim *self, struct sim_sub *sub);
bool sim_bus_send(struct sim *self, struct sim_process_state *process, enum node_wire wire,
		  const uint8_t *frame, size_t length);
enum inbox_sent sim_bus_send_to(struct sim *self, struct sim_process_state *process,
				enum node_wire wire, const uint8_t *route, size_t route_length,
				const uint8_t *frame, size_t length);
void sim_bus_publish(struct sim *self, const uint8_t *frame, size_t length);
void sim_bus_poll(struct sim *self, struct sim_process_state *process);
/* sim_bus_read() - the next frame that waits on @wire, now the caller's; NULL: none. */
struct sim_frame *sim_bus_read(struct sim *self, struct sim_process_state *process,
			       enum node_wire wire, const uint8_t **route);
bool sim_bus_waits(const struct sim *self, const struct sim_process_state *process);
/* sim_bus_retry() - it answers handshakes again. */
void sim_bus_retry(struct sim *self, struct sim_process_state *process);
void sim_bus_up(struct sim *self, struct sim_process_state *process);
void sim_bus_down(struct sim *self, struct sim_process_state *process);
void sim_bus_freeze(struct sim *self, struct sim_process_state *process);
bool sim_bus_is_calm(const struct sim *self);
void sim_bus_operator(struct sim *self, const struct stream_event *event);
void sim_bus_fini(struct sim *self);
void sim_bus_unclog(struct sim *self);

/* sim_process.c */
void sim_process_start(struct sim *self, struct sim_process_state *process);
void sim_process_crash(struct sim *self, struct sim_process_state *process, int64_t back_ms);
void sim_process_stall(struct sim *self, struct sim_process_state *process, int64_t for_ms,
		       bool frozen);
void sim_process_resume(struct sim *self, struct sim_process_state *process);
/* sim_process_poke() - something has arrived: a pass at once; never from inside another. */
void sim_process_poke(struct sim *self, struct sim_process_state *process);
void sim_process_wake(struct sim *self, struct sim_process_state *process, int64_t at_ms);
void sim_process_fini(struct sim *self, struct sim_process_state *process);
/* sim_process_acts() - something leaves the process now; false: it died before that. */
bool sim_process_acts(struct sim_process_state *process);

/* sim_actors.c */
void sim_actors_open(struct sim *self);
void sim_actors_close(struct sim *self);
/* sim_actor_init() - a fresh core behind @options, which are filled in. */
void sim_actor_init(struct sim *self, struct sim_process_state *process,
		    struct node_options *options);
void sim_actor_started(struct sim *self, struct sim_process_state *process);

/* sim_parcel.c */
struct sim_contents {
	const struct edge_message *message; /* may be NULL */
	struct text user, package;
};
struct sim_parcel *sim_parcel_new(struct sim *self, enum sim_parcel_type type,
				  const struct sim_contents *contents);
void sim_parcel_free(struct sim_parcel *parcel);

/* sim_edge.c */
void sim_edge_step(struct sim *self, struct sim_process_state *process);
bool sim_edge_waits(const struct sim_process_state *process);
void sim_edge_carry_outs(struct sim *self, struct sim_process_state *process);
void sim_edge_down(struct sim *self, struct sim_process_state *process);
void sim_edge_cut(struct sim *self); /* a socket of a client ends */
/* sim_edge_leave() - as SIGTERM does, or SIGUSR1 some time before; it is back after @back_ms. */
void sim_edge_leave(struct sim *self, struct sim_process_state *process, bool drain,
		    int64_t back_ms);
void sim_edge_fini(struct sim *self);

/* sim_report.c */
__attribute__((format(printf, 2, 3))) void sim_note(struct sim *self, const char *format, ...);
void sim_note_event(struct sim *self, const char *who, const char *what,
		    const struct stream_event *event);
void sim_report(struct sim *self, const char *invariant, struct text stream_id, const char *why);
size_t sim_places_count(void);

/* sim_run() - one seed, from beginning to end.
 *
 * Return: true if nothing was broken; else self->report says what.
 */
bool sim_run(struct sim *self, const struct sim_options *options);

/* sim_new() - memory for one world, used for one seed after another. */
struct sim *sim_new(void);
void sim_delete(struct sim *self);
