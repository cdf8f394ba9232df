/* SPDX-License-Identifier: MIT */
#include "tests/lib/fake_sim.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/fakes.h"

#define ENTRIES_MAX 4096

struct entry {
	int64_t at_ms;
	sim_fn *fn;
	void *context;
	uint64_t tag;
};

/* The world is only a name here: everything stands in fake_sim. */
struct sim {
	struct prng prng;
	struct entry entries[ENTRIES_MAX]; /* in the order of sim_at() */
	unsigned count;
};

struct fake_sim fake_sim;
static struct sim world;

struct sim *fake_sim_open(uint64_t seed)
{
	fake_sim = (struct fake_sim){ .now_ms = 1000000 };
	world = (struct sim){ .prng = { seed } };
	return &world;
}

static unsigned next_entry(void)
{
	unsigned first = 0;

	for (unsigned i = 1; i < world.count; i++)
		if (world.entries[i].at_ms < world.entries[first].at_ms)
			first = i;
	return first;
}

void fake_sim_run(int64_t ms)
{
	int64_t end_ms = fake_sim.now_ms + ms;

	while (world.count > 0) {
		unsigned next = next_entry();
		struct entry entry = world.entries[next];

		if (entry.at_ms > end_ms)
			break;
		world.count--;
		memmove(&world.entries[next], &world.entries[next + 1],
			(world.count - next) * sizeof entry);
		fake_sim.now_ms = entry.at_ms;
		entry.fn(entry.context, entry.tag);
	}
	fake_sim.now_ms = end_ms;
}

unsigned fake_sim_count(enum edge_type type)
{
	unsigned count = 0;

	for (unsigned i = 0; i < fake_sim.said_count; i++)
		count += fake_sim.said[i].type == type;
	return count;
}

const struct fake_said *fake_sim_last(enum edge_type type)
{
	for (unsigned i = fake_sim.said_count; i-- > 0;)
		if (fake_sim.said[i].type == type)
			return &fake_sim.said[i];
	return NULL;
}

void fake_sim_hear(uint64_t socket, const struct edge_message *message)
{
	const struct sim_client *client = fake_sim.sockets[socket].client;

	client->heard(client->context, socket, message);
}

void fake_sim_close(uint64_t socket, unsigned code)
{
	struct fake_socket *end = &fake_sim.sockets[socket];

	end->open = false;
	end->client->closed(end->client->context, socket, code);
}

/* sim.h ---------------------------------------------------------------------------------------- */

int64_t sim_now(const struct sim *self)
{
	(void)self;
	return fake_sim.now_ms;
}

void sim_at(struct sim *self, int64_t at_ms, sim_fn *fn, void *context, uint64_t tag)
{
	assert(self->count < ENTRIES_MAX && at_ms >= fake_sim.now_ms);
	self->entries[self->count++] = (struct entry){ at_ms, fn, context, tag };
}

uint64_t sim_draw(struct sim *self, enum sim_part part)
{
	(void)part;
	return prng_next(&self->prng);
}

uint64_t sim_below(struct sim *self, enum sim_part part, uint64_t bound)
{
	return sim_draw(self, part) % bound;
}

bool sim_chance(struct sim *self, enum sim_part part, uint32_t per_million)
{
	return sim_below(self, part, 1000000) < per_million;
}

bool sim_healing(const struct sim *self)
{
	(void)self;
	return fake_sim.healing;
}

unsigned sim_gateways(const struct sim *self)
{
	(void)self;
	return 2;
}

static uint64_t open_socket(const struct sim_client *client, bool app)
{
	if (fake_sim.refusing)
		return 0;
	assert(fake_sim.socket_count + 1 < sizeof fake_sim.sockets / sizeof fake_sim.sockets[0]);
	fake_sim.sockets[++fake_sim.socket_count] =
		(struct fake_socket){ .client = client, .app = app, .open = true };
	return fake_sim.socket_count;
}

uint64_t sim_open_glasses(struct sim *self, unsigned gateway, struct text user,
			  const struct sim_client *client)
{
	(void)self;
	(void)gateway;
	(void)user;
	return open_socket(client, false);
}

uint64_t sim_open_app(struct sim *self, unsigned gateway, const struct sim_client *client)
{
	(void)self;
	(void)gateway;
	return open_socket(client, true);
}

static void keep_texts(struct fake_said *said, const struct edge_message *message)
{
	struct text id = { 0 }, ack = { 0 }, word = { 0 };

	if (message->type == EDGE_KEEP_ALIVE_ACK) {
		id = message->keep_alive_ack.stream_id;
		ack = message->keep_alive_ack.ack_id;
	} else if (message->type == EDGE_DEVICE_STREAM_STATUS) {
		id = message->device_stream_status.stream_id;
		word = message->device_stream_status.status;
	} else if (message->type == EDGE_RTMP_STREAM_STOP) {
		id = message->rtmp_stream_stop.stream_id;
	} else if (message->type == EDGE_TPA_CONNECTION_INIT) {
		word = message->tpa_connection_init.session_id;
	}
	text_put(id, said->stream_id, sizeof said->stream_id);
	text_put(ack, said->ack_id, sizeof said->ack_id);
	text_put(word, said->word, sizeof said->word);
}

void sim_say(struct sim *self, uint64_t socket, const struct edge_message *message, bool key_ok)
{
	(void)self;
	struct fake_said *said = &fake_sim.said[fake_sim.said_count++];

	assert(fake_sim.said_count < FAKE_SAID_MAX);
	*said = (struct fake_said){
		.at_ms = fake_sim.now_ms, .socket = socket, .type = message->type, .key_ok = key_ok
	};
	keep_texts(said, message);
}

void sim_hang_up(struct sim *self, uint64_t socket, unsigned code)
{
	(void)self;
	fake_sim.sockets[socket].open = false;
	fake_sim.sockets[socket].code = code;
}

void sim_vanish(struct sim *self, uint64_t socket)
{
	(void)self;
	fake_sim.sockets[socket].vanished = true;
}

void sim_posted(struct sim *self, unsigned gateway, struct text user, struct text package,
		enum hook hook, uint64_t hook_id, bool ok)
{
	(void)self;
	(void)gateway;
	(void)user;
	(void)package;
	(void)hook;
	(void)hook_id;
	assert(fake_sim.posted_count < FAKE_POSTED_MAX);
	fake_sim.posted[fake_sim.posted_count++] = ok;
}

bool sim_is_up(const struct sim *self, enum sim_process process)
{
	(void)self;
	(void)process;
	return true;
}

const struct state *sim_truth(const struct sim *self)
{
	(void)self;
	return NULL;
}

const struct registry *sim_registry(const struct sim *self)
{
	(void)self;
	return fake_sim.registry;
}

const struct scheduler *sim_scheduler(const struct sim *self)
{
	(void)self;
	return fake_sim.scheduler;
}

const struct managed *sim_managed(const struct sim *self)
{
	(void)self;
	return fake_sim.managed;
}

const struct sim_input *sim_inputs(const struct sim *self, unsigned *count)
{
	(void)self;
	*count = fake_sim.input_count;
	return fake_sim.inputs;
}

const struct sim_provider_plan *sim_provider_plan(const struct sim *self)
{
	(void)self;
	return &fake_sim.provider;
}

uint64_t sim_life(const struct sim *self, enum sim_process process)
{
	(void)self;
	(void)process;
	return fake_sim.adapter_life;
}

int64_t sim_began_ms(const struct sim *self, enum sim_process process)
{
	(void)self;
	(void)process;
	return fake_sim.adapter_began_ms;
}

void sim_publish(struct sim *self, struct text url, bool on)
{
	(void)self;
	if (on || text_is(url, fake_sim.published))
		text_put(on ? url : (struct text){ 0 }, fake_sim.published,
			 sizeof fake_sim.published);
}

const struct unmanaged *sim_unmanaged(const struct sim *self)
{
	(void)self;
	return fake_sim.unmanaged;
}

int64_t sim_calm_since(const struct sim *self)
{
	(void)self;
	return fake_sim.calm_ms;
}

int64_t sim_awake_since(const struct sim *self, enum sim_process process)
{
	(void)self;
	(void)process;
	return fake_sim.awake_ms;
}

void sim_operator_stop(struct sim *self, struct text user)
{
	(void)self;
	(void)user;
	fake_sim.operator_stops++;
}

void sim_violation(struct sim *self, const char *invariant, struct text stream_id,
		   const char *format, ...)
{
	(void)self;
	(void)stream_id;
	(void)format;
	if (fake_sim.violation[0] == '\0')
		(void)snprintf(fake_sim.violation, sizeof fake_sim.violation, "%s", invariant);
}

void sim_sometimes(struct sim *self, const char *what)
{
	(void)self;
	(void)what;
}

void sim_set_outside(struct sim *self, const struct sim_outside *outside)
{
	(void)self;
	fake_sim.outside = outside;
}

void sim_set_observer(struct sim *self, const struct sim_observer *observer)
{
	(void)self;
	fake_sim.observer = observer;
}
