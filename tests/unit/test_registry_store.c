/* SPDX-License-Identifier: MIT */
/* Goal: what a registry has committed is what its next life knows.  Method: random stories, each
 * input committed as the shell does it, and a second registry loaded from the store at random
 * moments: same state, same answers, same marks, and nothing but records of those who are there.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "actors/registry/registry_store.h"
#include "tests/lib/fakes.h"
#include "tests/lib/random_edge.h"
#include "tests/lib/registry_bench.h"
#include "tests/lib/state_audit.h"

#define U "u@x"

static struct store *store;
static struct registry_store records, later_records;
static struct registry later;
static void *later_memory;
static struct store_fault fault;

/* The bench has let them say hello before there was a store. */
static void commit_gateways(void)
{
	struct stream_event events[GATEWAYS_MAX];
	const struct stream_event *list[GATEWAYS_MAX];

	for (unsigned i = 0; i < bench.registry.seq; i++) {
		events[i] = (struct stream_event){ .type = EVENT_GATEWAY_CHANGED, .seq = i + 1 };
		events[i].gateway_changed.gateway = bench.registry.state.gateways[i].incarnation;
		list[i] = &events[i];
	}
	cr_assert_eq(registry_store_commit(&records, list, bench.registry.seq, NULL, 0), 0);
}

static void open_store(const struct registry_options *options)
{
	const struct store_limits limits = { .history_rows_max = 100000,
					     .history_age_ms = INT64_MAX / 2 };

	bench_open(options);
	cr_assert_eq(store_open(&store, "memory", &limits, &fault), 0);
	cr_assert_eq(registry_store_init(&records, store), 0);
	cr_assert_eq(registry_store_load(&records, &bench.registry, bench.now_ms, &fault), 0);
	commit_gateways();
}

static void setup(void)
{
	struct registry_options options = bench_options();

	open_store(&options);
}

static void teardown(void)
{
	registry_store_fini(&records);
	store_close(store);
	bench_close();
}

/* The story events of the last input, with @marks. */
static void commit(const struct peer_mark *marks, size_t mark_count)
{
	const struct stream_event *events[EFFECTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < bench.fx.count; i++)
		if (bench.fx.items[i].type == EFFECT_STORY)
			events[count++] = &bench.fx.items[i].event;
	cr_assert_eq(registry_store_commit(&records, events, count, marks, mark_count), 0);
}

static int load_later(const struct registry_options *changed)
{
	const struct store_head head = store_head(store);
	struct registry_options options = changed ? *changed : bench.registry.options;

	options.first_seq = head.seq;
	options.first_epoch = head.next_epoch;
	later_memory = fake_memory(registry_bytes(&options));
	registry_init(&later, &options, later_memory);
	cr_assert_eq(registry_store_init(&later_records, store), 0);
	return registry_store_load(&later_records, &later, bench.now_ms, &fault);
}

static void close_later(void)
{
	registry_store_fini(&later_records);
	fake_free(later_memory, registry_bytes(&later.options));
}

static void expect_same(uint64_t seed)
{
	const char *wrong;

	cr_assert_eq(load_later(NULL), 0, "seed %llu: %s", (unsigned long long)seed, fault.reason);
	wrong = state_audit(&later.state, true);
	cr_assert(!wrong, "seed %llu: %s", (unsigned long long)seed, wrong);
	cr_assert_eq(state_hash(&later.state), state_hash(&bench.registry.state),
		     "seed %llu at %llu", (unsigned long long)seed,
		     (unsigned long long)bench.registry.seq);
	cr_assert_eq(later.seq, bench.registry.seq);
	cr_assert_eq(later.next_epoch, bench.registry.next_epoch);
	cr_assert_eq(later.state.users_count, bench.registry.state.users_count);
	cr_assert_eq(later.state.apps_count, bench.registry.state.apps_count);
	close_later();
}

Test(registry_store, whatever_has_happened)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct registry_options options = bench_options();
		struct random_edge edge;

		options.state.users_max = 3 + seed % 3;
		options.state.apps_max = 20 + (uint32_t)(seed % 40);
		options.state.streams_max = 4 + (uint32_t)(seed % 60);
		options.state.text_bytes = 20 * POOL_PAGE_SIZE + (seed % 7) * POOL_PAGE_SIZE;
		open_store(&options);
		bench.check_every = 50;
		random_edge_init(&edge, &bench.registry, seed);
		edge.commands = true;
		for (unsigned i = 0; i < RANDOM_GATEWAYS + 400; i++) {
			struct random_input input;

			if (i < RANDOM_GATEWAYS)
				random_edge_hello(&edge, i, &input);
			else
				random_edge_next(&edge, &input);
			bench_input(&input.input);
			commit(NULL, 0);
			if (prng_one_in(&edge.prng, 20))
				expect_same(seed);
		}
		expect_same(seed);
		teardown();
	}
}

static const struct stream_event *asked_again(struct stream_event *open)
{
	static struct effects fx;

	registry_handle(&later,
			&(struct input){ .type = INPUT_MESSAGE,
					 .peer = { ROLE_UNMANAGED, 7 },
					 .event = open },
			bench.now_ms, &fx);
	cr_assert_eq(fx.count, 1, "an answer and nothing else");
	cr_assert_eq(fx.items[0].event.type, EVENT_STREAM_RESULT);
	return &fx.items[0].event;
}

Test(registry_store, a_request_of_an_earlier_life_has_been_answered, .init = setup,
     .fini = teardown)
{
	struct stream_event open = about(U, EVENT_STREAM_OPEN);
	char first[STREAM_ID_MAX + 1];

	glasses_up(U, 11);
	commit(NULL, 0);
	app_start(U, "pa", APP_TYPE_STANDARD);
	commit(NULL, 0);
	app_opened(U, "pa", 21);
	commit(NULL, 0);
	stream_open(U, "pa", 77);
	commit(NULL, 0);
	(void)snprintf(first, sizeof first, "%s", the_id(the_stream(U)));
	open.origin = bench_fx(EVENT_STREAM_OPENED, 0)->origin;
	open.request = bench_fx(EVENT_STREAM_OPENED, 0)->request;
	open.stream_open.kind = KIND_UNMANAGED;
	open.stream_open.package = TEXT("pa");
	open.stream_open.rtmp_url = TEXT("rtmp://x/y");
	cr_assert_neq(open.request, 0);
	/* Taken over by another: the stop of the first is no answer to it. */
	stream_open(U, "pa", 78);
	commit(NULL, 0);
	cr_assert_eq(load_later(NULL), 0);
	const struct stream_event *result = asked_again(&open);

	cr_assert_eq(result->stream_result.result, RESULT_OK);
	cr_assert(text_is(result->stream_id, first));
	cr_assert_eq(later.stats.answered_again, 1);
	close_later();
}

Test(registry_store, the_mark_is_kept)
{
	struct registry_options options = bench_options();

	open_store(&options);
	bench.registry.options.mark = "abc123";
	glasses_up(U, 11);
	cr_assert_eq(bench_fx(EVENT_DEPLOYMENT_MARKED, 0)->seq, 3, "a store without one gets it");
	commit(NULL, 0);
	options.mark = "another";
	cr_assert_eq(load_later(&options), 0, "%s", fault.reason);
	cr_assert_str_eq(later.state.mark, "abc123");
	cr_assert_eq(later.state.mark_seq, 3);
	close_later();
	teardown();
}

/* Secrets too: the device's next start, and a provider's restart, need them. */
Test(registry_store, the_ledger_is_kept, .init = setup, .fini = teardown)
{
	struct stream_event event;

	glasses_up(U, 11);
	commit(NULL, 0);
	app_start(U, "pa", APP_TYPE_BACKGROUND);
	commit(NULL, 0);
	app_opened(U, "pa", 21);
	commit(NULL, 0);
	watch(U, "pa");
	commit(NULL, 0);
	input_made(U, "in1");
	commit(NULL, 0);
	event = about(U, EVENT_OUTPUT_ADD);
	event.request = 4;
	event.stream_id = text_of(the_id(the_stream(U)));
	event.epoch = the_stream(U)->epoch;
	event.output_add.package = TEXT("pa");
	event.output_add.url = TEXT("rtmp://a/b/key");
	bench_say((struct peer){ ROLE_MANAGED, 8 }, &event);
	cr_assert_eq(bench_answer(), RESULT_OK);
	commit(NULL, 0);
	expect_same(0);
	cr_assert_eq(load_later(NULL), 0);
	const struct state_stream *stream = state_stream_find(&later.state, event.stream_id);

	cr_assert(text_is(state_text(&later.state, stream->rtmp_url), "rtmp://h/live/key"));
	cr_assert(text_is(state_text(&later.state, state_output_find(&later.state, stream, 1)->url),
			  "rtmp://a/b/key"));
	close_later();
	unwatch(U, "pa");
	commit(NULL, 0);
	expect_same(0);
}

Test(registry_store, marks_are_kept_by_name, .init = setup, .fini = teardown)
{
	const struct peer_mark first[] = { { ROLE_GATEWAY, 5, TEXT("gateway-1"), 10 },
					   { ROLE_UNMANAGED, 6, TEXT("unmanaged-adapter"), 3 } };
	const struct peer_mark second = { ROLE_GATEWAY, 9, TEXT("gateway-1"), 2 };

	glasses_up(U, 11);
	commit(first, 2);
	glasses_state(U, "Mentra Live");
	commit(&second, 1);
	cr_assert_eq(load_later(NULL), 0);
	cr_assert_eq(later_records.mark_count, 2);
	cr_assert_eq(later_records.marks[0].role, ROLE_GATEWAY);
	cr_assert_eq(later_records.marks[0].incarnation, 9);
	cr_assert_eq(later_records.marks[0].next, 2);
	cr_assert(text_is(later_records.marks[0].name, "gateway-1"));
	cr_assert_eq(later_records.marks[1].next, 3);
	close_later();
}

static int count_users(void *context, struct text key, struct text data)
{
	unsigned *count = context;

	(void)data;
	*count += key.bytes[0] == 'u';
	return 0;
}

static unsigned users_in_store(void)
{
	unsigned count = 0;

	cr_assert_eq(store_load(store, count_users, &count), 0);
	return count;
}

Test(registry_store, who_is_gone_leaves_no_record, .init = setup, .fini = teardown)
{
	glasses_up(U, 11);
	commit(NULL, 0);
	cr_assert_eq(users_in_store(), 1);
	glasses_down(U, 11);
	commit(NULL, 0);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	commit(NULL, 0);
	cr_assert_null(the_user(U));
	cr_assert_eq(users_in_store(), 0);
}

/* Remembering apps ends where room is needed: so does the record. */
Test(registry_store, who_is_forgotten_leaves_no_record)
{
	struct registry_options options = bench_options();

	options.state.users_max = 2;
	open_store(&options);
	for (unsigned i = 0; i < 5; i++) {
		char user[8];

		(void)snprintf(user, sizeof user, "u%u", i);
		glasses_up(user, 11 + i);
		commit(NULL, 0);
		app_start(user, "pa", APP_TYPE_STANDARD);
		commit(NULL, 0);
		app_opened(user, "pa", 21 + i);
		commit(NULL, 0);
		glasses_down(user, 11 + i);
		commit(NULL, 0);
		timer(TIMER_SESSION_GRACE, user, "", the_user(user)->link_seq);
		commit(NULL, 0);
		cr_assert(the_user(user)->dormant);
		cr_assert_leq(users_in_store(), 2);
	}
	expect_same(0);
	teardown();
}

Test(registry_store, one_user_past_the_limit_is_refused, .init = setup, .fini = teardown)
{
	struct registry_options options = bench_options();

	glasses_up("u1", 11);
	commit(NULL, 0);
	glasses_up("u2", 12);
	commit(NULL, 0);
	options.state.users_max = 1;
	cr_assert_eq(load_later(&options), -ENOSPC);
	cr_assert(fault.permanent);
	cr_assert(strstr(fault.reason, "u/u2: no room left"), "%s", fault.reason);
	cr_assert(strstr(fault.reason, "registry.users_max"), "%s", fault.reason);
	close_later();
}

static void put(const char *key, struct text data)
{
	const struct store_put raw = { text_of(key), data };
	const struct store_head head = store_head(store);
	struct store_event done;

	cr_assert_eq(store_commit(store, &(struct store_batch){ .puts = &raw,
								.put_count = 1,
								.next_epoch = head.next_epoch }),
		     0);
	cr_assert_eq(store_drive(store, 0, &done), 0);
	cr_assert_eq(done.type, STORE_COMMITTED);
}

Test(registry_store, a_record_of_a_newer_build, .init = setup, .fini = teardown)
{
	put("u/x", TEXT("\x02"));
	cr_assert_eq(load_later(NULL), -EPROTO);
	cr_assert(strstr(fault.reason, "newer build"), "%s", fault.reason);
	close_later();
}

Test(registry_store, many_users_in_one_commit)
{
	struct registry_options options = bench_options();
	const struct stream_event *list[1000];
	static struct stream_event events[1000];
	static char names[1000][8];

	options.state.users_max = 1000;
	options.state.apps_max = 20000;
	options.state.text_bytes = 256 * POOL_PAGE_SIZE;
	open_store(&options);
	bench.check_every = 500;
	for (unsigned i = 0; i < 500; i++) {
		(void)snprintf(names[i], sizeof names[i], "u%u", i);
		glasses_up(names[i], 11 + i);
	}
	/* Each twice: one record for one commit. */
	for (unsigned i = 0; i < 1000; i++) {
		events[i] = (struct stream_event){ .type = EVENT_SESSION_READY,
						   .seq = store_head(store).seq + i + 1,
						   .user_id = text_of(names[i / 2]) };
		list[i] = &events[i];
	}
	cr_assert_eq(registry_store_commit(&records, list, 1000, NULL, 0), 0);
	cr_assert_eq(users_in_store(), 500);
	teardown();
}

/* Were it taken, the first event about it would be older than the record, and the registry end. */
Test(registry_store, a_record_newer_than_the_head, .init = setup, .fini = teardown)
{
	struct stream_event row = { .type = EVENT_SESSION_OPENED, .user_id = TEXT("x") };
	uint8_t bytes[STREAM_EVENT_WIRE_MAX] = { RECORD_VERSION };
	const struct store_head head = store_head(store);
	ssize_t length;

	for (int epochs = 0; epochs < 2; epochs++) {
		row.seq = head.seq + !epochs;
		row.epoch = epochs ? head.next_epoch : 0;
		length = stream_event_encode(&row, STREAM_EVENT_ADDRESSED, bytes + 1,
					     sizeof bytes - 1);
		cr_assert_gt(length, 0);
		put("u/x", (struct text){ (const char *)bytes, 1 + (uint32_t)length });
		cr_assert_eq(load_later(NULL), -EUCLEAN);
		cr_assert(fault.permanent);
		cr_assert(strstr(fault.reason, "record u/x: is newer"), "%s", fault.reason);
		close_later();
	}
}

/* Remembering is a courtesy: where there is no room for more users it ends, and nothing fails. */
Test(registry_store, what_is_remembered_is_left_out_without_room, .init = setup, .fini = teardown)
{
	struct registry_options options = bench_options();
	struct stream_event row = { .type = EVENT_SNAPSHOT_REMEMBERED };
	uint8_t bytes[STREAM_EVENT_WIRE_MAX] = { RECORD_VERSION };
	char key[16];

	row.snapshot_remembered.package = TEXT("com.example.cam");
	row.snapshot_remembered.app_type = APP_TYPE_STANDARD;
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(key, sizeof key, "u/u%u", i);
		row.user_id = text_of(key + 2);
		ssize_t length = stream_event_encode(&row, STREAM_EVENT_ADDRESSED, bytes + 1,
						     sizeof bytes - 1);

		cr_assert_gt(length, 0);
		put(key, (struct text){ (const char *)bytes, 1 + (uint32_t)length });
	}
	options.state.users_max = 4;
	cr_assert_eq(load_later(&options), 0, "%s", fault.reason);
	cr_assert_leq(later.state.users_count, 4);
	close_later();
}
