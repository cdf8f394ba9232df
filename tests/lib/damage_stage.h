/* SPDX-License-Identifier: MIT */
/* damage_stage.h - a registry whose story is committed to a store, and the life after it, which
 * finds records there that are damaged.
 */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/registry/registry_store.h"
#include "common/store_engine.h"
#include "tests/lib/fakes.h"
#include "tests/lib/registry_bench.h"
#include "tests/lib/state_audit.h"

#define U "u@x"
#define OTHER "v@x"
#define ROWS 1000

static struct store *store;
static struct registry_store records, later_records;
static struct registry later;
static void *later_memory;
static struct store_fault fault;
static struct effects fx;

static inline void commit_of(struct registry_store *self, const struct effects *list,
			     const struct peer_mark *marks, size_t mark_count)
{
	const struct stream_event *events[EFFECTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].type == EFFECT_STORY)
			events[count++] = &list->items[i].event;
	cr_assert_eq(registry_store_commit(self, events, count, marks, mark_count), 0);
}

static inline void commit(void)
{
	commit_of(&records, &bench.fx, NULL, 0);
}

static inline void hello(struct peer gateway, const char *name)
{
	bench_input(&(struct input){ .type = INPUT_PEER_UP, .peer = gateway, .peer_name = name });
	commit();
}

static inline void open_of(uint64_t rows, const struct registry_options *options)
{
	const struct store_limits limits = { .history_rows_max = rows,
					     .history_age_ms = INT64_MAX / 2 };
	size_t gateways;

	bench_open(options);
	gateways = bench.registry.seq;
	cr_assert_eq(store_open(&store, "memory", &limits, &fault), 0);
	cr_assert_eq(registry_store_init(&records, store), 0);
	cr_assert_eq(registry_store_load(&records, &bench.registry, 0, &fault), 0);
	/* What the bench has said to it before there was a store. */
	for (size_t i = 0; i < gateways; i++) {
		const struct state_gateway *gateway = &bench.registry.state.gateways[i];
		struct stream_event event;
		const struct stream_event *list = &event;

		state_gateway_row(gateway, &event);
		cr_assert_eq(registry_store_commit(&records, &list, 1, NULL, 0), 0);
	}
}

static inline void open_with(uint64_t rows)
{
	const struct registry_options options = bench_options();

	open_of(rows, &options);
}

static inline void open_small(uint32_t users_max)
{
	struct registry_options options = bench_options();

	options.state.users_max = users_max;
	open_of(ROWS, &options);
}

static inline void setup(void)
{
	open_with(ROWS);
}

static inline void teardown(void)
{
	registry_store_fini(&later_records);
	if (later_memory)
		fake_free(later_memory, registry_bytes(&later.options));
	later_memory = NULL;
	registry_store_fini(&records);
	store_close(store);
	bench_close();
}

static inline void app_runs(const char *user, const char *package, uint64_t link)
{
	app_start(user, package, APP_TYPE_BACKGROUND);
	commit();
	app_opened(user, package, link);
	commit();
}

static inline void streams(const char *user, uint64_t link)
{
	glasses_up(user, link);
	commit();
	app_runs(user, "pa", link + 100);
	stream_open(user, "pa", link);
	commit();
	stream_status(user, DEVICE_ACTIVE);
	commit();
}

/* Changes a bit of the record @key. */
static inline void rot(const char *key)
{
	struct text found;

	for (uint64_t pick = 0; pick < 400; pick++) {
		cr_assert(store_memory_rot(store, pick, 77, &found));
		if (text_is(found, key))
			return;
		cr_assert(store_memory_rot(store, pick, 77, &found), "back again");
	}
	cr_assert_fail("there is no record %s", key);
}

static inline int load_later(void)
{
	const struct store_head head = store_head(store);
	struct registry_options options = bench.registry.options;

	if (later_memory) {
		registry_store_fini(&later_records);
		fake_free(later_memory, registry_bytes(&later.options));
	}
	options.first_seq = head.seq;
	options.first_epoch = head.next_epoch;
	options.incarnation++;
	later_memory = fake_memory(registry_bytes(&options));
	registry_init(&later, &options, later_memory);
	cr_assert_eq(registry_store_init(&later_records, store), 0);
	return registry_store_load(&later_records, &later, bench.now_ms, &fault);
}

/* The next life, up to where it has told of all that was lost; its effects stay to be looked at. */
static inline void next_life(void)
{
	const char *wrong;

	cr_assert_eq(load_later(), 0, "%s", fault.reason);
	cr_assert_eq(registry_deadline(&later),
		     registry_is_settled(&later) ? later.next_sweep_ms : 0);
	registry_handle(&later, &(struct input){ .type = INPUT_TICK }, bench.now_ms, &fx);
	cr_assert(registry_is_settled(&later));
	wrong = state_audit(&later.state, true);
	cr_assert(!wrong, "%s", wrong);
	commit_of(&later_records, &fx, NULL, 0);
}

/* And one that finds nothing wrong any more, and knows the same. */
static inline void one_more_life(void)
{
	const uint64_t hash = state_hash(&later.state);

	cr_assert_eq(load_later(), 0, "%s", fault.reason);
	cr_assert_eq(later_records.lost_count, 0);
	cr_assert(registry_is_settled(&later));
	cr_assert_eq(state_hash(&later.state), hash);
}

static inline const struct stream_event *told(enum stream_event_type type, unsigned nth)
{
	for (size_t i = 0; i < fx.count; i++)
		if (fx.items[i].event.type == type && nth-- == 0)
			return &fx.items[i].event;
	return NULL;
}

static inline const struct state_stream *active_of(const char *user)
{
	const struct state_user *found = state_user_find(&later.state, text_of(user));

	return found ? state_active(&later.state, found) : NULL;
}

static inline void expect_quarantined(enum bucket bucket, const char *user)
{
	const struct stream_event *event = told(EVENT_RECORD_QUARANTINED, 0);

	cr_assert_not_null(event);
	cr_assert_eq(event->record_quarantined.bucket, bucket);
	cr_assert_eq(event->record_quarantined.reason, DAMAGE_CHECK);
	cr_assert_neq(event->record_quarantined.key_hash, 0);
	cr_assert(text_is(event->user_id, user), "%.*s", (int)event->user_id.length,
		  event->user_id.bytes);
	cr_assert_null(told(EVENT_RECORD_QUARANTINED, 1));
	cr_assert_eq(store_quarantined(store), 1);
}

static inline void put_raw(const char *key, struct text data)
{
	const struct store_put raw = { text_of(key), data };
	struct store_event done;

	cr_assert_eq(
		store_commit(store,
			     &(struct store_batch){ .puts = &raw,
						    .put_count = 1,
						    .next_epoch = store_head(store).next_epoch }),
		0);
	cr_assert_eq(store_drive(store, 0, &done), 0);
}
