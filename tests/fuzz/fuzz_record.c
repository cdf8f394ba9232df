/* SPDX-License-Identifier: MIT */
/* The input is what a store holds: records and rows of the history, each a head of four bytes (what
 * it is and whether its check fails, length of the key, length of the value) and its bytes.
 * Properties:
 * - a registry that loads it refuses with a reason, or is in order and has every limit kept;
 * - every record that was damaged is told of before anything else;
 * - one that was loaded lives on, and what it commits can be loaded again;
 * - nothing aborts.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/registry/registry_store.h"
#include "common/store_engine.h"
#include "tests/lib/fakes.h"
#include "tests/lib/state_audit.h"

#define RECORDS_MAX (GATEWAYS_MAX + 32)
#define HEAD_SIZE 4
#define HEAD_SEQ 1000 /* what the records have seen, and the epochs that were given out */
#define HEAD_EPOCH 1000
#define NOW_MS INT64_C(1000000)
#define TICKS 20
#define TICK_MS 30000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct record {
	struct text key, data;
	bool row, damaged;
};

/* A store that holds the input, and takes every commit without keeping it. */
static struct store given;
static struct record records[RECORDS_MAX];
static size_t record_count;
static struct registry_store store, later_store;
static struct registry registry, later;

static int given_load(struct store *self, bool damaged, store_record_fn *each, void *context)
{
	int r = 0;

	(void)self;
	for (size_t i = 0; i < record_count && r == 0; i++)
		if (!records[i].row && records[i].damaged == damaged)
			r = each(context, records[i].key, records[i].data);
	return r;
}

static int given_history(struct store *self, const struct store_query *query, struct store_row *out)
{
	uint64_t seq = HEAD_SEQ;

	(void)self;
	for (size_t i = 0; i < record_count; i++) {
		if (!records[i].row || ++seq < query->from)
			continue;
		*out = (struct store_row){ .seq = seq, .at_ms = NOW_MS, .event = records[i].data };
		return 0;
	}
	return STORE_E_END;
}

/* Borrowed: what is committed stays where it is until the next commit. */
static enum store_event_type given_commit(struct store *self, const struct store_batch *batch)
{
	(void)self;
	record_count = 0;
	for (size_t i = 0; i < batch->put_count; i++) {
		if (batch->puts[i].data.length == 0)
			continue;
		assert(record_count < RECORDS_MAX);
		records[record_count++] =
			(struct record){ .key = batch->puts[i].key, .data = batch->puts[i].data };
	}
	return STORE_COMMITTED;
}

static const struct store_engine given_engine = {
	.load = given_load,
	.commit = given_commit,
	.history = given_history,
};

/* Keys differ, as in any store. */
static bool is_new(struct text key)
{
	for (size_t i = 0; i < record_count; i++)
		if (!records[i].row && text_equal(records[i].key, key))
			return false;
	return true;
}

static void give(const uint8_t *data, size_t size)
{
	uint64_t rows = 0;

	record_count = 0;
	while (size >= HEAD_SIZE && record_count < RECORDS_MAX) {
		size_t key = data[1], value = (size_t)data[2] << 8 | data[3];
		bool row = data[0] & 1, damaged = data[0] & 2;

		data += HEAD_SIZE;
		size -= HEAD_SIZE;
		key = key < size ? key : size;
		value = value < size - key ? value : size - key;
		struct record record = { .key = { (const char *)data, (uint32_t)key },
					 .data = { (const char *)data + key, (uint32_t)value },
					 .row = row,
					 .damaged = damaged };

		if (row || is_new(record.key))
			records[record_count++] = record;
		rows += row;
		data += key + value;
		size -= key + value;
	}
	given = (struct store){ .engine = &given_engine,
				.head = { .seq = rows + HEAD_SEQ, .next_epoch = HEAD_EPOCH },
				.oldest = rows > 0 ? HEAD_SEQ + 1 : 0,
				.room = true };
}

static struct registry_options options_of(const struct store *from)
{
	return (struct registry_options){
		.state = { .users_max = 16,
			   .apps_max = 32,
			   .streams_max = 16,
			   .text_bytes = 2u << 20,
			   .remember_apps = true },
		.incarnation = 1,
		.first_seq = store_head(from).seq,
		.first_epoch = store_head(from).next_epoch,
		.stop_owed_ms = 600000,
		.ending_max_ms = 2000,
		.blind_max_ms = 120000,
	};
}

static int load(struct registry *self, struct registry_store *into, struct store *from,
		void **memory)
{
	const struct registry_options options = options_of(from);
	struct store_fault fault;
	int r;

	*memory = fake_memory(registry_bytes(&options));
	registry_init(self, &options, *memory);
	r = registry_store_init(into, from);
	assert(r == 0);
	r = registry_store_load(into, self, NOW_MS, &fault);
	assert(r <= 0);
	assert(r == 0 || (fault.permanent && memchr(fault.reason, '\0', sizeof fault.reason) &&
			  strlen(fault.reason) > 10));
	return r;
}

static void unload(struct registry *self, struct registry_store *from, void *memory)
{
	registry_store_fini(from);
	fake_free(memory, registry_bytes(&self->options));
}

static void check_state(const struct registry *self)
{
	const char *wrong = state_audit(&self->state, false);

	if (wrong) {
		fprintf(stderr, "the state that was loaded: %s\n", wrong);
		abort();
	}
}

/* Every record there is, as the commit of a run of events that name them writes it. */
static void commit_all(void)
{
	static struct stream_event events[RECORDS_MAX];
	const struct stream_event *list[RECORDS_MAX];
	const struct state *state = &registry.state;
	size_t count = 1;

	events[0] = (struct stream_event){ .type = EVENT_DEPLOYMENT_MARKED };
	for (uint32_t i = 0; i < state->users_fresh; i++)
		if (state->users[i].used)
			events[count++] =
				(struct stream_event){ .type = EVENT_SESSION_OPENED,
						       .user_id = state_text(state,
									     state->users[i].id) };
	for (unsigned i = 0; i < GATEWAYS_MAX && count < RECORDS_MAX; i++) {
		if (state->gateways[i].incarnation == 0)
			continue;
		events[count] = (struct stream_event){ .type = EVENT_GATEWAY_CHANGED };
		events[count++].gateway_changed.gateway = state->gateways[i].incarnation;
	}
	for (size_t i = 0; i < count; i++) {
		events[i].seq = given.head.seq + i + 1;
		list[i] = &events[i];
	}
	assert(registry_store_commit(&store, list, count, NULL, 0) == 0);
}

static void commit_story(const struct effects *fx)
{
	const struct stream_event *list[EFFECTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < fx->count; i++)
		if (fx->items[i].type == EFFECT_STORY)
			list[count++] = &fx->items[i].event;
	assert(registry_store_commit(&store, list, count, NULL, 0) == 0);
}

static void tell_damage(void)
{
	const uint32_t lost = store.lost_count;
	static struct effects fx;
	uint32_t told = 0;

	while (!registry_is_settled(&registry)) {
		assert(registry_deadline(&registry) <= NOW_MS);
		registry_handle(&registry, &(struct input){ .type = INPUT_TICK }, NOW_MS, &fx);
		check_state(&registry);
		for (size_t i = 0; i < fx.count; i++)
			told += fx.items[i].event.type == EVENT_RECORD_QUARANTINED;
		commit_story(&fx);
	}
	assert(told == lost);
}

static void live_on(void)
{
	static struct effects fx;
	int64_t now_ms = NOW_MS;

	for (unsigned i = 0; i < TICKS; i++) {
		now_ms += TICK_MS;
		registry_handle(&registry, &(struct input){ .type = INPUT_TICK }, now_ms, &fx);
		check_state(&registry);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *memory, *later_memory;

	give(data, size);
	if (load(&registry, &store, &given, &memory) == 0) {
		check_state(&registry);
		tell_damage();
		commit_all();
		int r = load(&later, &later_store, &given, &later_memory);

		assert(r == 0);
		check_state(&later);
		unload(&later, &later_store, later_memory);
		live_on();
	}
	unload(&registry, &store, memory);
	return 0;
}
