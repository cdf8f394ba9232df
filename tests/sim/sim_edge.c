/* SPDX-License-Identifier: MIT */
/* sim_edge.c - the sockets of a gateway, as gateway_main.c, gateway_doors.c and gateway_ws.c have
 * them: what is said travels for a while, a close is a handshake, a client that is gone without a
 * word is found out by its pongs, and what came in while the process stood still waits.
 */
#include <assert.h>

#include "tests/sim/sim_world.h"

#define TRAVEL_MAX_MS 20
#define SLOW_PPM 5000 /* of the messages, with FAULT_EDGE */
#define SLOW_MAX_MS 3000
#define PING_MS 10000
#define PONG_MS 30000
#define LINGER_MS 10000 /* GATEWAY_LINGER_MS */
#define HOOK_TIMEOUT_MS 10000
#define HOOK_ATTEMPTS_MS 21000 /* two attempts and the pause between them */
#define RESET_MAX_MS 100
#define SILENT_MIN_MS 15000 /* a network that is gone, seen by nobody's pings */
#define SILENT_MAX_MS 120000
#define SLOT_BITS 10
#define DRAIN_MS 10000 /* from a drain to the stop */
#define FAREWELL_MS 1500 /* for close frames and last requests, on the way down */

static void on_in(void *context, uint64_t tag);
static void on_out(void *context, uint64_t tag);

static void post(struct sim *self, struct sim_parcel *parcel, int64_t at_ms)
{
	sim_at(self, at_ms, parcel->type >= PARCEL_HEAR ? on_out : on_in, parcel, 0);
}

static int64_t travel_ms(struct sim *self)
{
	int64_t ms = (int64_t)sim_below(self, SIM_EDGE, TRAVEL_MAX_MS + 1);
	int64_t slow_ms = (int64_t)sim_below(self, SIM_EDGE, SLOW_MAX_MS);

	if (sim_chance(self, SIM_EDGE, SLOW_PPM) && sim_has(self, FAULT_EDGE)) {
		sim_disturb(self, self->now_ms + slow_ms);
		ms += slow_ms;
	}
	return ms;
}

/* Sockets ---------------------------------------------------------------------------------------
 */

static struct sim_process_state *gateway_process(struct sim *self, unsigned gateway)
{
	return &self->processes[SIM_GATEWAY + gateway];
}

static struct sim_socket *find(struct sim *self, uint64_t id)
{
	struct sim_socket *socket = &self->sockets[id & ((1u << SLOT_BITS) - 1)];

	return socket->state != SOCKET_FREE && socket->id == id ? socket : NULL;
}

static struct sim_socket *find_link(struct sim *self, unsigned gateway, uint64_t link)
{
	uint32_t place = self->links[gateway][gateway_slot(link)];
	struct sim_socket *socket = place ? &self->sockets[place - 1] : NULL;

	return socket && socket->link == link && socket->state == SOCKET_OPEN ? socket : NULL;
}

static void tell_closed(struct sim_socket *socket, unsigned code)
{
	const struct sim_client *client = socket->client;

	if (socket->told)
		return;
	socket->told = socket->left = true;
	client->closed(client->context, socket->id, code);
}

static void free_socket(struct sim *self, struct sim_socket *socket)
{
	if (socket->link != 0 && socket->life == gateway_process(self, socket->gateway)->life)
		self->links[socket->gateway][gateway_slot(socket->link)] = 0;
	socket->state = SOCKET_FREE;
	tell_closed(socket, 1006);
}

static struct sim_parcel *socket_parcel(struct sim_socket *socket, enum sim_parcel_type type,
					const struct edge_message *message, unsigned code)
{
	struct sim_parcel *parcel =
		sim_parcel_new(socket->sim, type, &(struct sim_contents){ .message = message });

	parcel->socket = socket->id;
	parcel->gateway = socket->gateway;
	parcel->life = socket->life;
	parcel->code = code;
	return parcel;
}

/* In order behind what went before in that direction, no earlier than @at_ms. */
static void send(struct sim_socket *socket, enum sim_parcel_type type,
		 const struct edge_message *message, unsigned code)
{
	struct sim *self = socket->sim;
	int64_t *last_ms = type >= PARCEL_HEAR ? &socket->out_ms : &socket->in_ms;
	int64_t at_ms = self->now_ms + travel_ms(self);

	*last_ms = at_ms > *last_ms ? at_ms : *last_ms;
	post(self, socket_parcel(socket, type, message, code), *last_ms);
}

/* Overtaking what is on its way, which is lost. */
static void send_late(struct sim_socket *socket, enum sim_parcel_type type, unsigned code,
		      int64_t after_ms)
{
	post(socket->sim, socket_parcel(socket, type, NULL, code), socket->sim->now_ms + after_ms);
}

static uint64_t open_socket(struct sim *self, unsigned gateway, struct text user, bool glasses,
			    const struct sim_client *client)
{
	struct sim_process_state *process = gateway_process(self, gateway);
	uint32_t slot = 0;

	if (gateway >= self->plan.gateways || !process->up)
		return 0;
	while (slot < SIM_SOCKETS_MAX && self->sockets[slot].state != SOCKET_FREE)
		slot++;
	if (slot == SIM_SOCKETS_MAX)
		return 0;
	struct sim_socket *socket = &self->sockets[slot];

	*socket = (struct sim_socket){ .sim = self,
				       .state = SOCKET_OPENING,
				       .id = ++self->sockets_opened << SLOT_BITS | slot,
				       .gateway = gateway,
				       .life = process->life,
				       .glasses = glasses,
				       .user_length = user.length,
				       .client = client };
	assert(user.length <= sizeof socket->user);
	if (user.length > 0)
		memcpy(socket->user, user.bytes, user.length);
	send(socket, PARCEL_OPEN, NULL, 0);
	return socket->id;
}

uint64_t sim_open_glasses(struct sim *self, unsigned gateway, struct text user,
			  const struct sim_client *client)
{
	return open_socket(self, gateway, user, true, client);
}

uint64_t sim_open_app(struct sim *self, unsigned gateway, const struct sim_client *client)
{
	return open_socket(self, gateway, (struct text){ 0 }, false, client);
}

void sim_say(struct sim *self, uint64_t id, const struct edge_message *message, bool key_ok)
{
	struct sim_socket *socket = find(self, id);
	struct sim_parcel *parcel;
	int64_t at_ms;

	if (!socket || socket->left || socket->deaf)
		return;
	parcel = socket_parcel(socket, PARCEL_SAY, message, 0);
	parcel->key_ok = key_ok;
	at_ms = self->now_ms + travel_ms(self);
	socket->in_ms = at_ms > socket->in_ms ? at_ms : socket->in_ms;
	post(self, parcel, socket->in_ms);
}

void sim_hang_up(struct sim *self, uint64_t id, unsigned code)
{
	struct sim_socket *socket = find(self, id);

	if (!socket || socket->left || socket->deaf)
		return;
	socket->left = true;
	send(socket, PARCEL_CLOSED, NULL, code);
}

void sim_vanish(struct sim *self, uint64_t id)
{
	struct sim_socket *socket = find(self, id);
	int64_t since_pong_ms = (int64_t)sim_below(self, SIM_EDGE, PING_MS);
	int64_t quick_ms = (int64_t)sim_below(self, SIM_EDGE, RESET_MAX_MS);
	int64_t silent_ms =
		SILENT_MIN_MS + (int64_t)sim_below(self, SIM_EDGE, SILENT_MAX_MS - SILENT_MIN_MS);
	bool resets = sim_below(self, SIM_EDGE, 2) == 0;

	if (!socket || socket->left || socket->deaf)
		return;
	socket->deaf = true;
	if (socket->glasses)
		send_late(socket, PARCEL_LOST, 1001, PONG_MS - since_pong_ms);
	else
		send_late(socket, PARCEL_CLOSED, 1006, resets ? quick_ms : silent_ms);
}

/* Something between them gives up: each end learns of it in its own time. */
static void cut(struct sim *self, struct sim_socket *socket)
{
	int64_t client_ms = (int64_t)sim_below(self, SIM_EDGE, 5000);
	int64_t gateway_ms = (int64_t)sim_below(self, SIM_EDGE, 5000);

	sim_note(self, "edge: a socket of gateway-%u is cut", socket->gateway + 1);
	sim_disturb(self, self->now_ms + 5000);
	send_late(socket, PARCEL_SHUT, 1006, client_ms);
	send_late(socket, PARCEL_CLOSED, 1006, gateway_ms);
}

void sim_edge_cut(struct sim *self)
{
	struct sim_socket *socket = &self->sockets[sim_below(self, SIM_EDGE, SIM_SOCKETS_MAX / 8)];

	if (socket->state == SOCKET_OPEN && !socket->left && !socket->deaf)
		cut(self, socket);
}

/* Into the gateway ------------------------------------------------------------------------------
 */

static void feed(struct sim *self, struct sim_process_state *process,
		 const struct gateway_edge *edge)
{
	struct gateway *core = self->gateways[process->id - SIM_GATEWAY];

	gateway_edge(core, edge, self->now_ms, node_effects(&process->node));
	sim_edge_carry_outs(self, process);
	node_carry(&process->node);
}

static void on_open(struct sim *self, struct sim_process_state *process, struct sim_socket *socket)
{
	struct gateway *core = self->gateways[socket->gateway];
	uint64_t link = gateway_draining(core) ? 0 : gateway_reserve(core);

	if (link == 0) {
		socket->state = SOCKET_CLOSING;
		send(socket, PARCEL_SHUT, NULL, 1006);
		return;
	}
	socket->state = SOCKET_OPEN;
	socket->link = link;
	self->links[socket->gateway][gateway_slot(link)] = (uint32_t)(socket - self->sockets) + 1;
	feed(self, process,
	     &(struct gateway_edge){ .type = socket->glasses ? GATEWAY_GLASSES_OPENED
							     : GATEWAY_APP_OPENED,
				     .link = link,
				     .user = { socket->user, socket->user_length } });
}

static void on_lost(struct sim *self, struct sim_process_state *process, struct sim_socket *socket)
{
	/* After a stall its pongs may still be unread: one ping more. */
	if (process->awake_ms > process->began_ms && self->now_ms - process->awake_ms < PING_MS) {
		send_late(socket, PARCEL_LOST, 1001, process->awake_ms + PING_MS - self->now_ms);
		return;
	}
	SIM_SOMETIMES(self, "a gateway misses the pongs of glasses");
	socket->state = SOCKET_CLOSING;
	feed(self, process,
	     &(struct gateway_edge){ .type = GATEWAY_LOST, .link = socket->link, .code = 1001 });
	send_late(socket, PARCEL_CLOSED, 1001, LINGER_MS);
}

static void on_closed(struct sim *self, struct sim_process_state *process,
		      struct sim_socket *socket, unsigned code)
{
	uint64_t link = socket->link;

	free_socket(self, socket);
	if (link != 0)
		feed(self, process,
		     &(struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = code });
}

static void on_posted(struct sim *self, struct sim_process_state *process,
		      const struct sim_parcel *parcel)
{
	feed(self, process,
	     &(struct gateway_edge){ .type = GATEWAY_POSTED,
				     .user = parcel->user,
				     .package = parcel->package,
				     .hook = parcel->hook,
				     .hook_id = parcel->hook_id,
				     .ok = parcel->key_ok });
}

static void handle(struct sim *self, struct sim_process_state *process,
		   const struct sim_parcel *parcel)
{
	struct sim_socket *socket = find(self, parcel->socket);

	sim_trace(self, &parcel->socket, sizeof parcel->socket);
	if (parcel->type == PARCEL_POSTED)
		on_posted(self, process, parcel);
	else if (parcel->type == PARCEL_DRAIN)
		feed(self, process, &(struct gateway_edge){ .type = GATEWAY_DRAIN });
	else if (parcel->type == PARCEL_SHUTDOWN)
		feed(self, process, &(struct gateway_edge){ .type = GATEWAY_SHUT });
	if (!socket)
		return;
	if (parcel->type == PARCEL_OPEN)
		on_open(self, process, socket);
	else if (parcel->type == PARCEL_CLOSED)
		on_closed(self, process, socket, parcel->code);
	else if (parcel->type == PARCEL_LOST && socket->state == SOCKET_OPEN)
		on_lost(self, process, socket);
	else if (parcel->type == PARCEL_SAY && socket->state == SOCKET_OPEN)
		feed(self, process,
		     &(struct gateway_edge){ .type = GATEWAY_MESSAGE,
					     .link = socket->link,
					     .message = &parcel->message,
					     .key_ok = parcel->key_ok });
}

void sim_edge_step(struct sim *self, struct sim_process_state *process)
{
	struct sim_parcel *parcel;

	for (unsigned i = 0; i < self->plan.inputs_max && (parcel = process->edge_first); i++) {
		process->edge_first = parcel->next;
		if (!process->edge_first)
			process->edge_last = NULL;
		if (!process->dying)
			handle(self, process, parcel);
		sim_parcel_free(parcel);
	}
}

bool sim_edge_waits(const struct sim_process_state *process)
{
	return process->edge_first != NULL;
}

static void on_in(void *context, uint64_t tag)
{
	struct sim_parcel *parcel = context;
	struct sim *self = parcel->sim;
	struct sim_process_state *process = gateway_process(self, parcel->gateway);

	(void)tag;
	if (!process->up || process->life != parcel->life) {
		sim_parcel_free(parcel);
		return;
	}
	if (process->edge_last)
		process->edge_last->next = parcel;
	else
		process->edge_first = parcel;
	process->edge_last = parcel;
	sim_process_poke(self, process);
}

/* Out of the gateway ----------------------------------------------------------------------------
 */

static struct sim_hook *find_hook(struct sim *self, unsigned gateway, uint64_t life,
				  uint64_t hook_id)
{
	for (size_t i = 0; i < SIM_HOOKS_MAX; i++) {
		struct sim_hook *hook = &self->hooks[i];

		if (hook->used && hook->gateway == gateway && hook->life == life &&
		    hook->hook_id == hook_id)
			return hook;
	}
	return NULL;
}

static void on_hook_timeout(void *context, uint64_t tag);

static void carry_post(struct sim *self, struct sim_process_state *process,
		       const struct gateway_out *out)
{
	const struct sim_contents contents = { &out->message, out->user, out->package };
	struct sim_parcel *parcel = sim_parcel_new(self, PARCEL_POST, &contents);
	struct sim_parcel *timeout = sim_parcel_new(self, PARCEL_POSTED, &contents);
	size_t place = 0;

	while (self->hooks[place].used)
		assert(++place < SIM_HOOKS_MAX);
	self->hooks[place] = (struct sim_hook){ .used = true,
						.gateway = process->id - SIM_GATEWAY,
						.life = process->life,
						.hook = out->hook,
						.hook_id = out->hook_id };
	parcel->gateway = timeout->gateway = process->id - SIM_GATEWAY;
	parcel->life = timeout->life = process->life;
	parcel->hook = timeout->hook = out->hook;
	parcel->hook_id = timeout->hook_id = out->hook_id;
	post(self, parcel, self->now_ms + travel_ms(self));
	sim_at(self,
	       self->now_ms + (out->hook == HOOK_SESSION ? HOOK_ATTEMPTS_MS : HOOK_TIMEOUT_MS),
	       on_hook_timeout, timeout, 0);
}

static void on_hook_timeout(void *context, uint64_t tag)
{
	struct sim_parcel *parcel = context;
	struct sim_hook *hook =
		find_hook(parcel->sim, parcel->gateway, parcel->life, parcel->hook_id);

	(void)tag;
	if (!hook) {
		sim_parcel_free(parcel);
		return;
	}
	hook->used = false;
	on_in(parcel, 0);
}

void sim_posted(struct sim *self, unsigned gateway, struct text user, struct text package,
		enum hook hook, uint64_t hook_id, bool ok)
{
	uint64_t life = gateway_process(self, gateway)->life;
	struct sim_hook *waits = find_hook(self, gateway, life, hook_id);
	struct sim_parcel *parcel;

	if (!waits)
		return;
	waits->used = false;
	parcel = sim_parcel_new(self, PARCEL_POSTED,
				&(struct sim_contents){ .user = user, .package = package });
	parcel->gateway = gateway;
	parcel->life = life;
	parcel->hook = hook;
	parcel->hook_id = hook_id;
	parcel->key_ok = ok;
	post(self, parcel, self->now_ms + travel_ms(self));
}

static void carry_probe(struct sim_socket *socket, const struct gateway_out *out)
{
	struct edge_message message = { .type = EDGE_KEEP_RTMP_STREAM_ALIVE };

	message.keep_rtmp_stream_alive.stream_id = out->stream_id;
	message.keep_rtmp_stream_alive.ack_id = out->ack_id;
	send(socket, PARCEL_HEAR, &message, 0);
}

static void carry_close(struct sim_socket *socket, unsigned code)
{
	socket->state = SOCKET_CLOSING;
	send(socket, PARCEL_SHUT, NULL, code);
	if (socket->deaf)
		send_late(socket, PARCEL_CLOSED, code, LINGER_MS);
}

void sim_edge_carry_outs(struct sim *self, struct sim_process_state *process)
{
	unsigned gateway = process->id - SIM_GATEWAY;
	size_t count;
	const struct gateway_out *outs = gateway_outs(self->gateways[gateway], &count);

	for (size_t i = 0; i < count && sim_process_acts(process); i++) {
		const struct gateway_out *out = &outs[i];
		struct sim_socket *socket;

		if (out->type == GATEWAY_POST) {
			carry_post(self, process, out);
			continue;
		}
		socket = find_link(self, gateway, out->link);
		if (!socket)
			continue;
		if (out->type == GATEWAY_SEND)
			send(socket, PARCEL_HEAR, &out->message, 0);
		else if (out->type == GATEWAY_PROBE)
			carry_probe(socket, out);
		else if (out->type == GATEWAY_CLOSE)
			carry_close(socket, out->code);
	}
}

static void hear(struct sim_socket *socket, const struct edge_message *message)
{
	if (socket->left || socket->deaf)
		return;
	socket->client->heard(socket->client->context, socket->id, message);
}

static void shut(struct sim *self, struct sim_socket *socket, unsigned code)
{
	const struct sim_process_state *process = gateway_process(self, socket->gateway);
	bool answers =
		!socket->deaf && !socket->left && process->up && process->life == socket->life;

	if (!socket->deaf && !socket->left)
		tell_closed(socket, code);
	if (answers)
		send(socket, PARCEL_CLOSED, NULL, code);
	else if (!process->up || process->life != socket->life)
		free_socket(self, socket);
}

static void on_out(void *context, uint64_t tag)
{
	struct sim_parcel *parcel = context;
	struct sim *self = parcel->sim;
	struct sim_socket *socket = find(self, parcel->socket);
	const struct sim_outside *outside = &self->outside;

	(void)tag;
	sim_trace(self, &parcel->socket, sizeof parcel->socket);
	if (parcel->type == PARCEL_POST && outside->post)
		outside->post(outside->context, parcel->gateway, &parcel->message, parcel->user,
			      parcel->package, parcel->hook, parcel->hook_id);
	else if (socket && parcel->type == PARCEL_HEAR)
		hear(socket, &parcel->message);
	else if (socket && parcel->type == PARCEL_SHUT)
		shut(self, socket, parcel->code);
	sim_parcel_free(parcel);
}

/* Lives -----------------------------------------------------------------------------------------
 */

/* The system closes its sockets: what had not left is lost. */
void sim_edge_down(struct sim *self, struct sim_process_state *process)
{
	unsigned gateway = process->id - SIM_GATEWAY;

	while (process->edge_first) {
		struct sim_parcel *parcel = process->edge_first;

		process->edge_first = parcel->next;
		sim_parcel_free(parcel);
	}
	process->edge_last = NULL;
	memset(self->links[gateway], 0, sizeof self->links[gateway]);
	for (size_t i = 0; i < SIM_HOOKS_MAX; i++)
		if (self->hooks[i].used && self->hooks[i].gateway == gateway)
			self->hooks[i].used = false;
	for (size_t i = 0; i < SIM_SOCKETS_MAX; i++) {
		struct sim_socket *socket = &self->sockets[i];

		if (socket->state == SOCKET_FREE || socket->gateway != gateway)
			continue;
		socket->state = SOCKET_CLOSING;
		send_late(socket, PARCEL_SHUT, 1006,
			  (int64_t)sim_below(self, SIM_EDGE, RESET_MAX_MS));
	}
}

static void on_farewell(void *context, uint64_t life)
{
	struct sim_process_state *process = context;

	if (process->life == life && process->up)
		sim_process_crash(process->sim, process,
				  process->sim->healing ? 0 : process->back_ms);
}

static void signal_process(struct sim_process_state *process, enum sim_parcel_type type,
			   int64_t after_ms)
{
	struct sim *self = process->sim;
	struct sim_parcel *parcel = sim_parcel_new(self, type, &(struct sim_contents){ 0 });

	parcel->gateway = process->id - SIM_GATEWAY;
	parcel->life = process->life;
	post(self, parcel, self->now_ms + after_ms);
}

void sim_edge_leave(struct sim *self, struct sim_process_state *process, bool drain,
		    int64_t back_ms)
{
	int64_t stop_ms = drain ? DRAIN_MS : 0;

	if (!process->up)
		return;
	sim_note(self, "world: %s is %s", process->name, drain ? "drained" : "stopped");
	sim_disturb(self, self->now_ms + stop_ms + FAREWELL_MS);
	process->back_ms = back_ms;
	if (drain)
		signal_process(process, PARCEL_DRAIN, 0);
	signal_process(process, PARCEL_SHUTDOWN, stop_ms);
	sim_at(self, self->now_ms + stop_ms + FAREWELL_MS, on_farewell, process, process->life);
}

void sim_edge_fini(struct sim *self)
{
	while (self->parcels)
		sim_parcel_free(self->parcels);
}

void sim_operator_stop(struct sim *self, struct text user)
{
	struct stream_event event = { .type = EVENT_OPERATOR_STOP, .user_id = user };

	event.operator_stop.by = TEXT("operator");
	sim_bus_operator(self, &event);
}
