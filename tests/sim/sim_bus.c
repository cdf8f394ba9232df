/* SPDX-License-Identifier: MIT */
/* sim_bus.c - connections as ZeroMQ has them.
 *
 * Inside a connection frames keep their order and none comes twice; what is lost is a suffix, when
 * it ends.  A process never hears from a connection it has let go of, but a ROUTER still reads what
 * had arrived on one, beside what comes on the next.  A publisher drops for a subscriber whose
 * queue is full, and before the subscription has reached it.
 */
#include <assert.h>

#include "tests/sim/sim_world.h"

#define RECONNECT_MAX_MS 500
#define NOTICE_MAX_MS 50 /* until the other end sees that a process is gone */
#define HEARTBEAT_MS 2000 /* until it sees that one stands still */
#define LATE_MAX_MS 3000 /* what a ROUTER still reads of a connection that has ended */

static struct sim_process_state *client_of(const struct sim_conn *conn)
{
	return conn->client == SIM_NONE ? NULL : &conn->sim->processes[conn->client];
}

static struct sim_process_state *server_of(const struct sim_conn *conn)
{
	return &conn->sim->processes[conn->server];
}

/* Arrivals --------------------------------------------------------------------------------------
 */

static void on_to_server(void *context, uint64_t generation);
static void on_to_client(void *context, uint64_t generation);
static void on_published(void *context, uint64_t generation);

static void arm(struct sim_conn *conn)
{
	sim_line_arm(conn->sim, &conn->to_server, on_to_server, conn, conn->generation);
	sim_line_arm(conn->sim, &conn->to_client, on_to_client, conn, conn->generation);
}

/* A place of a connection that nobody knows any more and nothing travels on. */
static void free_unused(struct sim_conn *conn)
{
	if (conn->held || conn->known || conn->to_server.first)
		return;
	sim_line_empty(&conn->to_client);
	conn->used = false;
	conn->generation++;
}

static void on_to_server(void *context, uint64_t generation)
{
	struct sim_conn *conn = context;

	if (conn->generation != generation)
		return;
	conn->to_server.armed = false;
	if (sim_line_has_arrived(conn->sim, &conn->to_server))
		sim_process_poke(conn->sim, server_of(conn));
	else
		arm(conn);
}

static void on_to_client(void *context, uint64_t generation)
{
	struct sim_conn *conn = context;

	if (conn->generation != generation)
		return;
	conn->to_client.armed = false;
	if (!sim_line_has_arrived(conn->sim, &conn->to_client))
		arm(conn);
	else if (conn->client == SIM_NONE)
		sim_line_empty(&conn->to_client);
	else
		sim_process_poke(conn->sim, client_of(conn));
}

static void on_published(void *context, uint64_t generation)
{
	struct sim_sub *sub = context;
	struct sim *self = sub->sim;

	if (sub->generation != generation)
		return;
	sub->line.armed = false;
	if (sim_line_has_arrived(self, &sub->line))
		sim_process_poke(self, &self->processes[sub->process]);
	else
		sim_line_arm(self, &sub->line, on_published, sub, generation);
}

/* Connecting ------------------------------------------------------------------------------------
 */

static void on_connect(void *context, uint64_t generation)
{
	struct sim_conn *conn = context;
	struct sim *self = conn->sim;
	struct sim_process_state *server = server_of(conn);

	if (conn->generation != generation || !conn->held || conn->up || conn->ended)
		return;
	/* A socket file whose owner is away, or one that does not answer the handshake. */
	if (!server->up || server->frozen || client_of(conn)->frozen)
		return;
	conn->up = conn->known = conn->made = true;
	sim_disturb(self, self->now_ms);
	sim_process_wake(self, client_of(conn), self->now_ms);
}

static void try_connect(struct sim *self, struct sim_conn *conn, uint64_t most_ms)
{
	int64_t ms = 1 + (int64_t)sim_below(self, SIM_BUS, most_ms);

	sim_at(self, self->now_ms + ms, on_connect, conn, conn->generation);
}

static struct sim_conn *new_conn(struct sim *self)
{
	uint32_t place = 0;

	while (place < self->conns_high && self->conns[place].used)
		place++;
	assert(place < SIM_CONNS_MAX);
	if (place == self->conns_high)
		self->conns_high++;

	struct sim_conn *conn = &self->conns[place];
	uint64_t generation = conn->generation + 1;

	*conn = (struct sim_conn){ .sim = self, .used = true, .generation = generation };
	return conn;
}

static enum role server_role(enum node_wire wire)
{
	return wire == NODE_ROWS ? ROLE_REGISTRY : (enum role)(wire - NODE_UPLINK);
}

static uint32_t process_of(enum role role)
{
	static const uint32_t processes[ROLE_COUNT] = { [ROLE_REGISTRY] = SIM_REGISTRY,
							[ROLE_SCHEDULER] = SIM_SCHEDULER,
							[ROLE_UNMANAGED] = SIM_UNMANAGED,
							[ROLE_MANAGED] = SIM_MANAGED };

	return processes[role];
}

void sim_bus_open(struct sim *self, struct sim_process_state *process, enum node_wire wire)
{
	struct sim_conn *conn = new_conn(self);

	assert(process->conns[wire] == SIM_NONE);
	process->conns[wire] = (uint32_t)(conn - self->conns);
	conn->client = process->id;
	conn->server = process_of(server_role(wire));
	conn->wire = wire;
	conn->router = wire == NODE_ROWS ? NODE_SNAPSHOTS : NODE_INBOX;
	conn->held = true;
	route_write(&(struct route){ .role = process->role,
				     .incarnation = process->incarnation,
				     .connection = ++process->connections },
		    conn->route);
	try_connect(self, conn, 10);
}

static void on_forget(void *context, uint64_t generation)
{
	struct sim_conn *conn = context;

	if (conn->generation != generation)
		return;
	conn->known = false;
	free_unused(conn);
}

/* The ROUTER learns that nobody is at the other end; what has arrived by then it still reads. */
static void end_at_server(struct sim *self, struct sim_conn *conn, uint64_t notice_max_ms)
{
	int64_t notice_ms = (int64_t)sim_below(self, SIM_BUS, notice_max_ms + 1);
	int64_t late_ms = (int64_t)sim_below(self, SIM_BUS, LATE_MAX_MS);

	if (sim_below(self, SIM_BUS, 4) == 0)
		sim_line_clog(self, &conn->to_server, self->now_ms + late_ms);
	sim_disturb(self, conn->to_server.first ? conn->to_server.last_ms : self->now_ms);
	sim_at(self, self->now_ms + notice_ms, on_forget, conn, conn->generation);
}

static void on_ended(void *context, uint64_t generation)
{
	struct sim_conn *conn = context;

	if (conn->generation != generation || !conn->held)
		return;
	conn->ended = true;
	sim_process_wake(conn->sim, client_of(conn), conn->sim->now_ms);
}

static void end_at_client(struct sim *self, struct sim_conn *conn, uint64_t notice_max_ms)
{
	int64_t notice_ms = (int64_t)sim_below(self, SIM_BUS, notice_max_ms + 1);

	if (conn->held)
		sim_at(self, self->now_ms + notice_ms, on_ended, conn, conn->generation);
}

void sim_bus_cut(struct sim *self, struct sim_conn *conn)
{
	if (!conn->up)
		return;
	sim_note(self, "bus: %s loses its connection to %s",
		 client_of(conn) ? client_of(conn)->name : "operator", server_of(conn)->name);
	conn->up = false;
	sim_disturb(self, self->now_ms);
	sim_line_lose_suffix(self, &conn->to_server);
	sim_line_lose_suffix(self, &conn->to_client);
	end_at_server(self, conn, HEARTBEAT_MS);
	end_at_client(self, conn, HEARTBEAT_MS);
}

void sim_bus_close(struct sim *self, struct sim_process_state *process, enum node_wire wire)
{
	uint32_t place = process->conns[wire];

	if (place == SIM_NONE)
		return;
	struct sim_conn *conn = &self->conns[place];

	process->conns[wire] = SIM_NONE;
	conn->held = false;
	sim_line_empty(&conn->to_client);
	if (conn->up) {
		conn->up = false;
		sim_line_lose_suffix(self, &conn->to_server);
		end_at_server(self, conn, NOTICE_MAX_MS);
	}
	free_unused(conn);
}

/* What the monitors have to say: before anything is read, as the daemons do. */
static void poll_wire(struct sim *self, struct sim_process_state *process, enum node_wire wire)
{
	struct sim_conn *conn = &self->conns[process->conns[wire]];

	if (conn->made) {
		conn->made = false;
		conn->connected = true;
		node_connected(&process->node, wire);
	}
	if (process->conns[wire] != SIM_NONE && conn == &self->conns[process->conns[wire]] &&
	    conn->ended && conn->connected) {
		sim_bus_close(self, process, wire);
		sim_bus_open(self, process, wire);
		node_disconnected(&process->node, wire);
	}
}

void sim_bus_poll(struct sim *self, struct sim_process_state *process)
{
	for (unsigned wire = NODE_ROWS; wire < NODE_WIRES; wire++)
		if (process->conns[wire] != SIM_NONE)
			poll_wire(self, process, (enum node_wire)wire);
	for (size_t i = 0; process->id == SIM_REGISTRY && i < SIM_GATEWAY; i++) {
		struct sim_sub *sub = &self->processes[i].sub;

		/* Greeted only when the publisher's thread next touches its socket. */
		if (!sub->live || sub->greeted)
			continue;
		sub->greeted = true;
		sim_line_push(self, &sub->line, (const uint8_t *)TOPIC_WELCOME, FRAME_TOPIC_SIZE);
		sim_line_arm(self, &sub->line, on_published, sub, sub->generation);
	}
}

/* Sending ---------------------------------------------------------------------------------------
 */

bool sim_bus_send(struct sim *self, struct sim_process_state *process, enum node_wire wire,
		  const uint8_t *frame, size_t length)
{
	struct sim_conn *conn;

	if (process->conns[wire] == SIM_NONE)
		return false;
	conn = &self->conns[process->conns[wire]];
	/* Between its end and the notice of it the connection swallows what it is given. */
	if (!conn->up)
		return conn->connected && !conn->ended;
	if (conn->to_server.count >= self->plan.queue_max)
		return false;
	sim_line_push(self, &conn->to_server, frame, length);
	arm(conn);
	return true;
}

enum inbox_sent sim_bus_send_to(struct sim *self, struct sim_process_state *process,
				enum node_wire wire, const uint8_t *route, size_t route_length,
				const uint8_t *frame, size_t length)
{
	for (size_t i = 0; i < self->conns_high; i++) {
		struct sim_conn *conn = &self->conns[i];
		unsigned most = wire == NODE_SNAPSHOTS ? self->plan.snapshot_queue_max
						       : self->plan.queue_max;

		if (!conn->used || !conn->known || conn->server != process->id ||
		    conn->router != wire || memcmp(conn->route, route, route_length) != 0)
			continue;
		if (!conn->up)
			return INBOX_SENT;
		if (conn->to_client.count >= most)
			return INBOX_BUSY;
		sim_line_push(self, &conn->to_client, frame, length);
		arm(conn);
		return INBOX_SENT;
	}
	return INBOX_GONE;
}

void sim_bus_publish(struct sim *self, const uint8_t *frame, size_t length)
{
	if (memcmp(frame, TOPIC_STORY, FRAME_TOPIC_SIZE) != 0)
		return;
	for (size_t i = 0; i < SIM_GATEWAY; i++) {
		struct sim_sub *sub = &self->processes[i].sub;
		bool drops = sim_chance(self, SIM_BUS, self->plan.pub_drop_ppm);

		if (!sub->live || !sub->greeted)
			continue;
		if (sub->line.count >= self->plan.publisher_queue_max ||
		    (drops && sim_has(self, FAULT_PUB))) {
			sim_disturb(self, self->now_ms);
			continue;
		}
		sim_line_push(self, &sub->line, frame, length);
		sim_line_arm(self, &sub->line, on_published, sub, sub->generation);
	}
}

/* Receiving -------------------------------------------------------------------------------------
 */

/* A ROUTER takes from one connection after the other. */
static struct sim_frame *read_router(struct sim *self, struct sim_process_state *process,
				     enum node_wire wire, const uint8_t **route)
{
	uint32_t *turn = &process->router_next[wire == NODE_SNAPSHOTS];

	for (uint32_t i = 0; i < self->conns_high; i++) {
		struct sim_conn *conn = &self->conns[(*turn + i) % self->conns_high];

		if (!conn->used || conn->server != process->id || conn->router != wire ||
		    !sim_line_has_arrived(self, &conn->to_server))
			continue;
		struct sim_frame *frame = sim_line_pop(self, &conn->to_server);

		*turn = (*turn + i + 1) % self->conns_high;
		*route = conn->route;
		arm(conn);
		free_unused(conn);
		return frame;
	}
	return NULL;
}

struct sim_frame *sim_bus_read(struct sim *self, struct sim_process_state *process,
			       enum node_wire wire, const uint8_t **route)
{
	struct sim_frame *frame;
	struct sim_conn *conn;

	if (wire == NODE_INBOX || wire == NODE_SNAPSHOTS)
		return read_router(self, process, wire, route);
	if (wire == NODE_STORY) {
		frame = sim_line_pop(self, &process->sub.line);
		sim_line_arm(self, &process->sub.line, on_published, &process->sub,
			     process->sub.generation);
		return frame;
	}
	if (process->conns[wire] == SIM_NONE)
		return NULL;
	conn = &self->conns[process->conns[wire]];
	frame = sim_line_pop(self, &conn->to_client);
	arm(conn);
	return frame;
}

bool sim_bus_waits(const struct sim *self, const struct sim_process_state *process)
{
	if (process->sub.used && sim_line_has_arrived(self, &process->sub.line) &&
	    node_wants(&process->node, NODE_STORY))
		return true;
	for (size_t i = 0; i < self->conns_high; i++) {
		const struct sim_conn *conn = &self->conns[i];

		if (!conn->used)
			continue;
		if (conn->server == process->id && sim_line_has_arrived(self, &conn->to_server))
			return true;
		if (conn->client == process->id && conn->held &&
		    (conn->made || (conn->ended && conn->connected) ||
		     sim_line_has_arrived(self, &conn->to_client)))
			return true;
	}
	return false;
}

/* The lives of processes ------------------------------------------------------------------------
 */

static void on_subscribed(void *context, uint64_t generation)
{
	struct sim_sub *sub = context;
	struct sim *self = sub->sim;
	struct sim_process_state *registry = &self->processes[SIM_REGISTRY];

	if (sub->generation != generation || sub->live || !registry->up || registry->frozen ||
	    self->processes[sub->process].frozen)
		return;
	sub->live = true;
	sub->greeted = false;
	sim_disturb(self, self->now_ms);
	sim_process_wake(self, registry, self->now_ms);
}

static void subscribe(struct sim *self, struct sim_sub *sub)
{
	if (sub->used && !sub->live)
		sim_at(self, self->now_ms + 1 + (int64_t)sim_below(self, SIM_BUS, RECONNECT_MAX_MS),
		       on_subscribed, sub, sub->generation);
}

void sim_bus_cut_sub(struct sim *self, struct sim_sub *sub)
{
	if (!sub->live)
		return;
	sim_note(self, "bus: %s loses its subscription", self->processes[sub->process].name);
	sub->live = false;
	sim_disturb(self, self->now_ms);
	sim_line_lose_suffix(self, &sub->line);
	subscribe(self, sub);
}

void sim_bus_retry(struct sim *self, struct sim_process_state *process)
{
	for (size_t i = 0; i < self->conns_high; i++) {
		struct sim_conn *conn = &self->conns[i];

		if (conn->used && conn->held && !conn->up && !conn->ended &&
		    (conn->server == process->id || conn->client == process->id))
			try_connect(self, conn, RECONNECT_MAX_MS);
	}
	for (size_t i = 0; i < SIM_GATEWAY; i++)
		if (process->id == SIM_REGISTRY || i == process->id)
			subscribe(self, &self->processes[i].sub);
}

void sim_bus_up(struct sim *self, struct sim_process_state *process)
{
	const struct node *node = &process->node;

	for (unsigned wire = NODE_UPLINK; wire < NODE_WIRES; wire++)
		if (node_has(node, (enum node_wire)wire))
			sim_bus_open(self, process, (enum node_wire)wire);
	process->sub = (struct sim_sub){ .sim = self,
					 .process = process->id,
					 .generation = process->sub.generation + 1,
					 .used = node_has(node, NODE_STORY) };
	sim_bus_retry(self, process);
}

void sim_bus_down(struct sim *self, struct sim_process_state *process)
{
	for (unsigned wire = NODE_ROWS; wire < NODE_WIRES; wire++)
		sim_bus_close(self, process, (enum node_wire)wire);
	for (size_t i = 0; i < self->conns_high; i++) {
		struct sim_conn *conn = &self->conns[i];

		if (!conn->used || conn->server != process->id)
			continue;
		sim_line_empty(&conn->to_server);
		sim_line_lose_suffix(self, &conn->to_client);
		conn->known = false;
		if (conn->up)
			end_at_client(self, conn, NOTICE_MAX_MS);
		conn->up = false;
		free_unused(conn);
	}
	sim_line_empty(&process->sub.line);
	process->sub.used = process->sub.live = false;
	process->sub.generation++;
	for (size_t i = 0; process->id == SIM_REGISTRY && i < SIM_GATEWAY; i++) {
		struct sim_sub *sub = &self->processes[i].sub;

		if (sub->live)
			sim_line_lose_suffix(self, &sub->line);
		sub->live = false;
	}
}

/* Its I/O thread stands still too: the others give up on it, and it finds out when it wakes. */
void sim_bus_freeze(struct sim *self, struct sim_process_state *process)
{
	for (size_t i = 0; i < self->conns_high; i++) {
		struct sim_conn *conn = &self->conns[i];

		if (conn->used && (conn->server == process->id || conn->client == process->id))
			sim_bus_cut(self, conn);
	}
	for (size_t i = 0; i < SIM_GATEWAY; i++)
		if (process->id == SIM_REGISTRY || i == process->id)
			sim_bus_cut_sub(self, &self->processes[i].sub);
}

bool sim_bus_is_calm(const struct sim *self)
{
	for (size_t i = 0; i < SIM_GATEWAY + self->plan.gateways; i++) {
		const struct sim_process_state *process = &self->processes[i];

		if (process->sub.used && !process->sub.live)
			return false;
		for (unsigned wire = NODE_UPLINK; wire < NODE_WIRES; wire++)
			if (process->conns[wire] != SIM_NONE &&
			    !self->conns[process->conns[wire]].up)
				return false;
	}
	return true;
}

/* What was late is there now. */
void sim_bus_unclog(struct sim *self)
{
	for (size_t i = 0; i < self->conns_high; i++) {
		struct sim_conn *conn = &self->conns[i];

		if (!conn->used)
			continue;
		sim_line_unclog(self, &conn->to_server);
		sim_line_unclog(self, &conn->to_client);
		arm(conn);
	}
	for (size_t i = 0; i < SIM_GATEWAY; i++) {
		struct sim_sub *sub = &self->processes[i].sub;

		sim_line_unclog(self, &sub->line);
		sim_line_arm(self, &sub->line, on_published, sub, sub->generation);
	}
	self->disturbed_ms = self->now_ms;
}

/* Somebody with the command line tool: a hello, a message, and gone. */
void sim_bus_operator(struct sim *self, const struct stream_event *event)
{
	struct sim_conn *conn;
	uint64_t incarnation = ++self->operators << 32;
	struct stream_event hello = { .type = EVENT_PEER_HELLO,
				      .source = TEXT("operator"),
				      .incarnation = incarnation,
				      .peer_hello = { .role = ROLE_OPERATOR,
						      .name = TEXT("operator"),
						      .protocol = STREAM_PROTOCOL_VERSION,
						      .first_request = 1 } };
	struct stream_event message = *event;
	uint8_t bytes[4096];
	struct frame_writer frame;

	if (!sim_is_up(self, SIM_REGISTRY))
		return;
	message.source = TEXT("operator");
	message.incarnation = incarnation;
	frame_begin(&frame, bytes, sizeof bytes, TOPIC_DIRECT, incarnation, 0);
	bool added = frame_add(&frame, &hello, STREAM_EVENT_ADDRESSED) &&
		     frame_add(&frame, &message, STREAM_EVENT_ADDRESSED);

	assert(added);
	frame_end(&frame);
	conn = new_conn(self);
	conn->client = SIM_NONE;
	conn->server = SIM_REGISTRY;
	conn->router = NODE_INBOX;
	conn->up = conn->known = true;
	route_write(&(struct route){ .role = ROLE_OPERATOR,
				     .incarnation = incarnation,
				     .connection = 1 },
		    conn->route);
	sim_line_push(self, &conn->to_server, bytes, frame.length);
	arm(conn);
	sim_at(self, self->now_ms + 60000, on_forget, conn, conn->generation);
}

void sim_bus_fini(struct sim *self)
{
	for (size_t i = 0; i < self->conns_high; i++) {
		sim_line_empty(&self->conns[i].to_server);
		sim_line_empty(&self->conns[i].to_client);
	}
	for (size_t i = 0; i < SIM_GATEWAY; i++)
		sim_line_empty(&self->processes[i].sub.line);
}
