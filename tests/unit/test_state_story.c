/* SPDX-License-Identifier: MIT */
/* Goal: whoever follows the story knows what the registry knows, whether it heard everything, took
 * a snapshot between two events, or took one in slices while the story went on.  Method: random
 * stories made by a registry (tests/lib/random_edge.h), each event and row carried as bytes, and
 * state_hash() compared.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/lib/fakes.h"
#include "tests/lib/random_edge.h"
#include "tests/lib/registry_bench.h"
#include "tests/lib/state_audit.h"

#define STORY_BYTES (16u << 20)
#define STORY_MAX 65536

/* The story so far, as published. */
static struct {
	uint8_t *bytes;
	size_t used, count;
	size_t at[STORY_MAX + 1];
} story;

static struct random_edge edge;

static void record(const struct stream_event *event)
{
	ssize_t length = stream_event_encode(event, STREAM_EVENT_PUBLIC, story.bytes + story.used,
					     STORY_BYTES - story.used);

	cr_assert(length > 0 && story.count < STORY_MAX);
	cr_assert_eq(event->seq, story.count + 1);
	story.at[story.count++] = story.used;
	story.used += (size_t)length;
	story.at[story.count] = story.used;
}

static void begin(uint64_t seed)
{
	struct registry_options options = bench_options();

	memset(&story, 0, sizeof story);
	story.bytes = fake_memory(STORY_BYTES);
	bench.on_story = record;
	/* Small tables, so that some fill up. */
	options.state.users_max = 3 + seed % 3;
	options.state.apps_max = 20 + (uint32_t)(seed % 40);
	options.state.streams_max = 4 + (uint32_t)(seed % 60);
	options.state.text_bytes = 20 * POOL_PAGE_SIZE + (seed % 7) * POOL_PAGE_SIZE;
	bench_open(&options);
	random_edge_init(&edge, &bench.registry, seed);
	edge.commands = true;
	for (unsigned i = 0; i < RANDOM_GATEWAYS; i++) {
		struct random_input input;

		random_edge_hello(&edge, i, &input);
		bench_input(&input.input);
	}
}

static void end(void)
{
	bench_close();
	fake_free(story.bytes, STORY_BYTES);
}

static void step(void)
{
	struct random_input input;

	random_edge_next(&edge, &input);
	bench_input(&input.input);
	if (prng_one_in(&edge.prng, 4))
		bench_tick(prng_below(&edge.prng, 1500));
	if (prng_one_in(&edge.prng, 200))
		bench_tick(700000);
}

/* A follower of its own --------------------------------------------------------------------- */

static struct state follower;
static void *follower_memory;

static void follower_open(void)
{
	struct state_options options = bench.registry.options.state;

	options.remember_apps = false;
	follower_memory = fake_memory(state_bytes(&options));
	state_init(&follower, &options, follower_memory);
}

static void follower_close(void)
{
	fake_free(follower_memory, state_bytes(&bench.registry.options.state));
}

static void hear(const uint8_t *bytes, size_t length)
{
	struct wire wire = { bytes, bytes + length };
	struct stream_event event;
	const char *wrong;

	cr_assert_eq(stream_event_read(&wire, &event), 0);
	(void)state_apply(&follower, &event);
	wrong = state_audit(&follower, false);
	cr_assert(!wrong, "after %s: %s", stream_event_name(event.type), wrong);
	state_settle(&follower);
}

static void hear_story(uint64_t after)
{
	for (size_t i = (size_t)after; i < story.count; i++)
		hear(story.bytes + story.at[i], story.at[i + 1] - story.at[i]);
}

/* Up to @count rows; false if there were no more. */
static bool hear_rows(uint64_t *cursor, unsigned count)
{
	for (; count > 0; count--) {
		uint8_t bytes[STREAM_EVENT_WIRE_MAX];
		struct stream_event row;
		ssize_t length;

		if (!state_row(&bench.registry.state, cursor, &row))
			return false;
		length = stream_event_encode(&row, STREAM_EVENT_ADDRESSED, bytes, sizeof bytes);
		cr_assert_gt(length, 0);
		hear(bytes, (size_t)length);
	}
	return true;
}

static void expect_same(uint64_t seed, uint64_t begun)
{
	const char *wrong = state_audit(&follower, true);

	cr_assert(!wrong, "seed %llu: %s", (unsigned long long)seed, wrong);
	cr_assert_eq(state_hash(&follower), state_hash(&bench.registry.state),
		     "seed %llu: snapshot begun at %llu, done at %llu", (unsigned long long)seed,
		     (unsigned long long)begun, (unsigned long long)bench.registry.seq);
}

Test(state_story, replay_from_the_beginning)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		begin(seed);
		for (unsigned i = 0; i < 400; i++)
			step();
		follower_open();
		hear_story(0);
		expect_same(seed, 0);
		follower_close();
		end();
	}
}

Test(state_story, a_snapshot_between_two_events)
{
	for (uint64_t seed = 100; seed < 120; seed++) {
		begin(seed);
		for (unsigned i = 0; i < 300; i++) {
			uint64_t cursor = 0;

			step();
			if (!prng_one_in(&edge.prng, 5))
				continue;
			follower_open();
			cr_assert_not(hear_rows(&cursor, UINT32_MAX));
			expect_same(seed, bench.registry.seq);
			follower_close();
		}
		end();
	}
}

/* Rows in slices of any size, any number of events between them, then the story since the first. */
Test(state_story, a_snapshot_while_the_story_goes_on)
{
	for (uint64_t seed = 1000; seed < 1150; seed++) {
		struct prng pace = { seed };
		bool more = true;

		begin(seed);
		for (unsigned i = prng_below(&pace, 150); i > 0; i--)
			step();
		for (unsigned snapshots = 0; snapshots < 4; snapshots++) {
			uint64_t begun = bench.registry.seq;
			uint64_t cursor = 0;

			follower_open();
			for (more = true; more; more = hear_rows(&cursor, 1 + prng_below(&pace, 4)))
				for (unsigned i = prng_below(&pace, 6); i > 0; i--)
					step();
			hear_story(begun);
			expect_same(seed, begun);
			for (unsigned i = 0; i < 30; i++) {
				uint64_t before = bench.registry.seq;

				step();
				hear_story(before);
				expect_same(seed, begun);
			}
			follower_close();
		}
		end();
	}
}

/* The rows of @get, or of a whole snapshot those of @user, whatever their order. */
static uint64_t digest_rows(const struct stream_event *get, struct text user, unsigned *count)
{
	struct stream_event row;
	uint64_t cursor = 0, digest = 0;

	for (*count = 0; state_row_asked(&bench.registry.state, get, &cursor, &row);) {
		uint8_t bytes[STREAM_EVENT_WIRE_MAX];
		ssize_t length;

		if (!text_equal(row.user_id, user))
			continue;
		length = stream_event_encode(&row, STREAM_EVENT_ADDRESSED, bytes, sizeof bytes);
		cr_assert_gt(length, 0);
		digest += table_hash((struct text){ (const char *)bytes, (uint32_t)length }, 0);
		++*count;
	}
	return digest;
}

/* A question that names a user, or a stream, is answered with the rows of that user and no other.
 */
Test(state_story, a_snapshot_of_one_user)
{
	const struct stream_event everything = { 0 };
	unsigned users = 0, streams = 0;

	for (uint64_t seed = 200; seed < 240; seed++) {
		const struct state *state = &bench.registry.state;

		begin(seed);
		for (unsigned i = 0; i < 300; i++)
			step();
		for (unsigned i = 0; i < RANDOM_USERS; i++) {
			struct stream_event get = { .user_id = random_user(i) };
			unsigned all, asked;
			uint64_t want = digest_rows(&everything, get.user_id, &all);

			cr_assert_eq(digest_rows(&get, get.user_id, &asked), want);
			cr_assert_eq(asked, all);
			users += all > 0;
		}
		for (uint32_t i = 0; i < state->options.streams_max; i++) {
			const struct state_stream *stream = &state->streams[i];
			struct text user;
			unsigned all, asked;

			if (stream->phase == PHASE_NONE)
				continue;
			user = state_text(state, state->users[stream->user].id);
			struct stream_event get = { .user_id = state_text(state, stream->id) };
			uint64_t want = digest_rows(&everything, user, &all);

			get.stream_id = get.user_id;
			cr_assert_eq(digest_rows(&get, user, &asked), want);
			cr_assert_eq(asked, all);
			streams++;
		}
		end();
	}
	cr_assert(users > 50 && streams > 20, "%u users, %u streams", users, streams);
}

Test(state_story, a_snapshot_of_nobody)
{
	struct stream_event get = { .user_id = TEXT("nobody"), .stream_id = TEXT("none") };
	struct stream_event row;
	uint64_t cursor = 0;

	begin(1);
	cr_assert_not(state_row_asked(&bench.registry.state, &get, &cursor, &row));
	for (unsigned i = 0; i < 100; i++)
		step();
	cr_assert_not(state_row_asked(&bench.registry.state, &get, &cursor, &row));
	cr_assert_not(state_row_asked(&bench.registry.state, &get, &cursor, &row),
		      "and so it stays");
	end();
}

/* Rows of one user while its streams and apps come and go: never one of somebody else. */
Test(state_story, a_snapshot_of_one_user_while_the_story_goes_on)
{
	unsigned rows = 0;

	for (uint64_t seed = 300; seed < 400; seed++) {
		begin(seed);
		for (unsigned i = 0; i < 100; i++)
			step();
		for (unsigned i = 0; i < RANDOM_USERS; i++) {
			struct stream_event get = { .user_id = random_user(i) }, row;

			for (uint64_t cursor = 0;
			     state_row_asked(&bench.registry.state, &get, &cursor, &row); rows++) {
				cr_assert(text_equal(row.user_id, get.user_id));
				for (unsigned k = prng_below(&edge.prng, 4); k > 0; k--)
					step();
			}
		}
		end();
	}
	cr_assert_gt(rows, 500);
}

/* What is over leaves nothing: sessions end, what is owed is given up, the texts are freed. */
Test(state_story, after_everything_nothing_is_left)
{
	for (uint64_t seed = 5000; seed < 5020; seed++) {
		begin(seed);
		for (unsigned i = 0; i < 300; i++)
			step();
		for (unsigned i = 0; i < RANDOM_USERS; i++) {
			struct stream_event event = { .type = EVENT_EDGE_LINK_CLOSED,
						      .user_id = random_user(i) };
			const struct state_user *user =
				state_user_find(&bench.registry.state, event.user_id);

			if (!user || user->session == SESSION_NONE)
				continue;
			event.edge_link_closed.link = user->link;
			bench_say((struct peer){ ROLE_GATEWAY, user->gateway }, &event);
			if (user->used)
				timer(TIMER_SESSION_GRACE, event.user_id.bytes, "", user->link_seq);
		}
		for (struct random_input input; random_edge_settle(&edge, &input);)
			bench_input(&input.input);
		bench_tick(bench.registry.options.stop_owed_ms + 10000);
		cr_assert_eq(bench.mirror.users_count, 0, "seed %llu", (unsigned long long)seed);
		cr_assert_eq(bench.mirror.streams_count, 0);
		cr_assert_eq(bench.mirror.pool.used_bytes, 0);
		cr_assert_eq(bench.registry.state.users_count, bench.registry.state.dormant_count);
		end();
	}
}
