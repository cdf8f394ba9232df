/* SPDX-License-Identifier: MIT */
/* Goal: what one pass may cause is bounded, and what did not fit comes in the next ones: nobody is
 * forgotten.  Method: many at once of everything that is done in slices; deadlines beside it.
 */
#include "actors/gateway/gateway_internal.h"
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_slices, .init = stage_open, .fini = stage_close);

#define MANY 1000
#define START "{\"type\":\"rtmp_stream_request\",\"rtmpUrl\":\"rtmp://h/a/k\"}"

static void reopen(struct gateway_options options)
{
	stage_close();
	options.connections_max = MANY;
	options.beat_ms = 3600000;
	stage_open_with(options);
	stage_registry(false);
	stage_tick();
}

static uint64_t app_of(unsigned number)
{
	char session[64];
	uint64_t link = stage_app_socket();

	(void)snprintf(session, sizeof session, "u%u@x-" PACKAGE, number);
	stage_init(link, session, PACKAGE);
	return link;
}

/* Ticks until nothing is due; how many sockets were closed. */
static unsigned close_all(unsigned *ticks)
{
	unsigned closed = 0;

	for (*ticks = 0; gateway_deadline(stage.core) <= stage.now_ms; ++*ticks) {
		stage_tick();
		cr_assert_leq(stage.fx.count, EFFECTS_MAX);
		for (size_t i = 0; i < stage_out_count(); i++)
			closed += stage_out(i)->type == GATEWAY_CLOSE;
	}
	return closed;
}

Test(gateway_slices, many_that_said_nothing)
{
	unsigned ticks;

	reopen(stage_options());
	for (unsigned i = 0; i < MANY; i++)
		(void)stage_app_socket();
	stage.now_ms += stage_options().init_ms;
	cr_assert_eq(close_all(&ticks), MANY);
	cr_assert_gt(ticks, 1);
	cr_assert_eq(gateway_counts(stage.core)->inits_timed_out, MANY);
}

/* And while so many are closed, a drain waits for its turn. */
Test(gateway_slices, many_without_a_verdict)
{
	uint64_t glasses;
	unsigned ticks;

	reopen(stage_options());
	for (unsigned i = 0; i < MANY - 1; i++)
		(void)app_of(i);
	glasses = stage_glasses();
	stage_edge((struct gateway_edge){ .type = GATEWAY_DRAIN });
	cr_assert_eq(stage_out_count(), GATEWAY_DRAIN_SLICE);
	stage.now_ms += GATEWAY_VERDICT_MS;
	stage_tick();
	cr_assert_gt(stage.fx.count, GATEWAY_DRAIN_SLICE);
	cr_assert_leq(stage.fx.count, EFFECTS_MAX);
	unsigned closed = GATEWAY_DRAIN_SLICE + (unsigned)stage_out_count();

	while (closed < MANY) {
		unsigned more = close_all(&ticks);

		cr_assert(more > 0 || gateway_deadline(stage.core) < INT64_MAX);
		closed += more;
		stage.now_ms += GATEWAY_DRAIN_PAUSE_MS;
	}
	cr_assert_eq(closed, MANY);
	cr_assert_eq(gateway_totals(stage.core).glasses + gateway_totals(stage.core).apps, 0);
	cr_assert_null(gateway_link_find(stage.core, glasses, LINK_GLASSES));
}

/* Those that get no answer make room for as many that waited in line. */
Test(gateway_slices, many_starts_that_waited)
{
	struct gateway_options options = stage_options();
	unsigned started = 0;

	options.requests_max = 300;
	options.requests_waiting_max = 300;
	reopen(options);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t link = app_of(i);

		stage_verdict(link, RESULT_OK, 9);
		stage_app_say(link, START);
	}
	stage.now_ms += options.request_timeout_ms - GATEWAY_QUEUE_MS / 2;
	for (unsigned i = 300; i < 600; i++) {
		uint64_t link = app_of(i);

		stage_verdict(link, RESULT_OK, 9);
		stage_app_say(link, START);
		cr_assert_eq(stage.fx.count, 0);
	}
	stage.now_ms += GATEWAY_QUEUE_MS / 2;
	while (gateway_deadline(stage.core) <= stage.now_ms) {
		stage_tick();
		cr_assert_leq(stage.fx.count, EFFECTS_MAX);
		for (size_t i = 0; stage_effect(EVENT_REQUEST_START, i); i++)
			started++;
	}
	cr_assert_eq(gateway_counts(stage.core)->requests_timed_out, 300);
	cr_assert_eq(started, 300);
}

Test(gateway_slices, shutting_down_does_not_pause)
{
	unsigned ticks, closed;

	reopen(stage_options());
	for (unsigned i = 0; i < 3 * GATEWAY_DRAIN_SLICE; i++)
		(void)app_of(i);
	stage_edge((struct gateway_edge){ .type = GATEWAY_SHUT });
	closed = (unsigned)stage_out_count();
	cr_assert_eq(closed, GATEWAY_DRAIN_SLICE);
	cr_assert_eq(gateway_deadline(stage.core), stage.now_ms);
	closed += close_all(&ticks);
	cr_assert_eq(closed, 3 * GATEWAY_DRAIN_SLICE);
}

Test(gateway_slices, what_is_said_while_shutting_down_is_not_heard)
{
	uint64_t last = 0;

	reopen(stage_options());
	for (unsigned i = 0; i < GATEWAY_DRAIN_SLICE; i++)
		(void)app_of(i);
	last = stage_glasses();
	stage_edge((struct gateway_edge){ .type = GATEWAY_SHUT });
	cr_assert_not_null(gateway_link_find(stage.core, last, LINK_GLASSES));
	stage_glasses_say(last, "{\"type\":\"start_app\",\"packageName\":\"" PACKAGE "\"}");
	cr_assert_eq(stage.fx.count, 0);
}

/* The earliest of what is waited for. */
Test(gateway_slices, rest_calls_are_waited_for)
{
	struct gateway_edge call = { .type = GATEWAY_REST,
				     .action = GATEWAY_APP_START,
				     .user = TEXT(USER),
				     .package = TEXT("no.such") };
	int64_t first_ms;

	reopen(stage_options());
	for (unsigned i = 0; i < 2; i++) {
		call.call = ++stage.calls;
		stage_edge(call);
		cr_assert_not(stage_told(EVENT_EDGE_APP_START)->edge_app_start.known);
		cr_assert_eq(stage_told(EVENT_EDGE_APP_START)->edge_app_start.app_type,
			     APP_TYPE_NONE);
		stage.now_ms += 1000;
	}
	first_ms = stage.now_ms - 2000 + stage_options().request_timeout_ms;
	cr_assert_eq(gateway_deadline(stage.core), first_ms);
	stage.now_ms = first_ms;
	stage_tick();
	cr_assert_eq(stage_out(0)->call, stage.calls - 1);
	cr_assert_eq(gateway_deadline(stage.core), first_ms + 1000);
}

/* Each connection brings the memory that it needs. */
Test(gateway_slices, memory_follows_the_connections)
{
	struct gateway_options few = stage_options(), many = stage_options();

	few.connections_max = 10000;
	many.connections_max = 20000;
	cr_assert_geq(gateway_bytes(&many) - gateway_bytes(&few), 10000 * 1024);
}

/* ---- apps are found by a hash ---- */

struct hashed {
	uint32_t hash, user, number;
};

static int by_hash(const void *left, const void *right)
{
	const struct hashed *a = left, *b = right;

	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

static struct text app_key(const struct hashed *app, char bytes[32])
{
	memcpy(bytes, &app->user, sizeof app->user);
	int length = snprintf(bytes + sizeof app->user, 32 - sizeof app->user, "p%u", app->number);

	return (struct text){ bytes, (uint32_t)sizeof app->user + (uint32_t)length };
}

/* Two apps of one user, or one each of two, of which the index keeps the same hash. */
static void find_twins(bool of_one, struct hashed twins[2])
{
	static struct hashed hashed[400000];
	const uint32_t count = sizeof hashed / sizeof hashed[0];
	char bytes[32];
	uint32_t at = 1;

	for (uint32_t i = 0; i < count; i++) {
		hashed[i] = (struct hashed){ .user = of_one ? 0 : i % 2, .number = i };
		hashed[i].hash = (uint32_t)table_hash(app_key(&hashed[i], bytes), 0);
	}
	qsort(hashed, count, sizeof hashed[0], by_hash);
	while (at < count && (hashed[at].hash != hashed[at - 1].hash ||
			      (!of_one && hashed[at].user == hashed[at - 1].user)))
		at++;
	cr_assert_lt(at, count);
	memcpy(twins, &hashed[at - 1], 2 * sizeof twins[0]);
}

Test(gateway_slices, apps_of_one_hash_do_not_replace_each_other)
{
	for (unsigned of_one = 0; of_one < 2; of_one++) {
		struct hashed twins[2];
		uint64_t links[2];

		reopen(stage_options());
		(void)stage_glasses_of("u0"); /* the first two places */
		(void)stage_glasses_of("u1");
		find_twins(of_one, twins);
		for (unsigned i = 0; i < 2; i++) {
			char package[16], session[32];

			(void)snprintf(package, sizeof package, "p%u", twins[i].number);
			(void)snprintf(session, sizeof session, "u%u-%s", twins[i].user, package);
			links[i] = stage_app_socket();
			stage_init(links[i], session, package);
			stage_verdict(links[i], RESULT_OK, 9);
		}
		for (unsigned i = 0; i < 2; i++)
			cr_assert_not(
				gateway_link_find(stage.core, links[i], LINK_APP)->app.replaced);
	}
}
