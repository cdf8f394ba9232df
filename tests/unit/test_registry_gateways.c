/* SPDX-License-Identifier: MIT */
/* Goal: a gateway that is silent loses nothing, one that is gone takes its sockets with it, whoever
 * has many.  Method: hello, lease, goodbye; what a dead gateway held is looked for afterwards.
 */
#include <stdio.h>

#include "tests/lib/registry_bench.h"

#define U "u@x"

static void hello(uint64_t incarnation, const char *name)
{
	bench_input(&(struct input){
		.type = INPUT_PEER_UP, .peer = { ROLE_GATEWAY, incarnation }, .peer_name = name });
}

static void seen(uint64_t gateway)
{
	struct stream_event event = { .type = EVENT_GATEWAY_SEEN };

	event.gateway_seen.gateway = gateway;
	bench_say((struct peer){ ROLE_SCHEDULER, 3 }, &event);
}

static void leaving(uint64_t gateway)
{
	bench_say((struct peer){ ROLE_GATEWAY, gateway },
		  &(struct stream_event){ .type = EVENT_EDGE_LEAVING });
}

static enum link_state link_of(const char *user)
{
	return state_link(&bench.registry.state, the_user(user));
}

Test(registry_gateways, hello_and_hello_again, .init = bench_setup)
{
	hello(20, "gateway-3");
	expect_said("gateway.changed");
	cr_assert_eq(bench_fx(EVENT_GATEWAY_CHANGED, 0)->gateway_changed.state, LINK_UP);
	cr_assert(text_is(bench_fx(EVENT_GATEWAY_CHANGED, 0)->gateway_changed.name, "gateway-3"));
	hello(20, "gateway-3");
	expect_said("");
	bench_input(&(struct input){
		.type = INPUT_PEER_UP, .peer = { ROLE_SCHEDULER, 5 }, .peer_name = "scheduler" });
	expect_said("");
	bench_input(&(struct input){
		.type = INPUT_PEER_DOWN, .peer = { ROLE_GATEWAY, 20 }, .peer_name = "gateway-3" });
	expect_said(""); /* its lease will tell */
}

Test(registry_gateways, a_lost_gateway_is_not_a_dead_one, .init = bench_setup)
{
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	gateway_lease(GATEWAY_A, 5000);
	expect_said("gateway.changed");
	cr_assert_eq(bench_fx(EVENT_GATEWAY_CHANGED, 0)->gateway_changed.state, LINK_LOST);
	cr_assert_eq(link_of(U), LINK_LOST);
	cr_assert_eq(the_user(U)->link_state, LINK_UP, "nothing is known");
	gateway_lease(GATEWAY_A, 10000);
	expect_said("");
	stream_open(U, "pa", 0);
	cr_assert_eq(bench_answer(), RESULT_NO_LINK);
	seen(GATEWAY_A);
	expect_said("gateway.changed");
	cr_assert_eq(link_of(U), LINK_UP);
	seen(GATEWAY_A);
	expect_said("");
	seen(99);
	expect_said("");
	gateway_lease(GATEWAY_A, 5000);
	hello(GATEWAY_A, "gateway-1");
	expect_said("gateway.changed");
	cr_assert_eq(link_of(U), LINK_UP, "it never stopped holding it");
}

Test(registry_gateways, lost_too_long_is_gone, .init = bench_setup)
{
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	gateway_lease(GATEWAY_A, 5000);
	gateway_lease(GATEWAY_A, 120000);
	expect_said("gateway.changed");
	cr_assert_eq(bench_fx(EVENT_GATEWAY_CHANGED, 0)->gateway_changed.state, LINK_DOWN);
	cr_assert_eq(registry_deadline(&bench.registry), 0, "it wants to sweep at once");
	bench_tick(0);
	expect_said("link.changed");
	cr_assert_eq(bench_fx(EVENT_LINK_CHANGED, 0)->link_changed.code, 0);
	cr_assert_eq(the_user(U)->link_state, LINK_DOWN);
	cr_assert_eq(the_app(U, "pa")->state, APP_RUNNING, "its gateway lives");
	gateway_lease(GATEWAY_A, 125000);
	expect_said("");
	glasses_up(U, 12);
	expect_said("registry.unknown_link");
}

Test(registry_gateways, leaving_takes_everything_along, .init = bench_setup)
{
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	leaving(GATEWAY_B);
	expect_said("gateway.changed");
	bench_tick(0);
	expect_said("app.changed");
	cr_assert_eq(the_app(U, "pa")->state, APP_GRACE);
	leaving(GATEWAY_B);
	expect_said("");
	app_opened(U, "pa", 22);
	expect_said("registry.unknown_link"); /* nobody would ever sweep it */
	cr_assert_eq(bench_fx(EVENT_REGISTRY_UNKNOWN_LINK, 0)->registry_unknown_link.link, 22);
	cr_assert_eq(the_app(U, "pa")->state, APP_GRACE);
}

Test(registry_gateways, a_successor_replaces_by_name, .init = bench_setup)
{
	glasses_up(U, 11);
	hello(20, "gateway-1");
	expect_said("gateway.changed gateway.changed");
	cr_assert_eq(bench_fx(EVENT_GATEWAY_CHANGED, 0)->gateway_changed.gateway, GATEWAY_A);
	cr_assert_eq(bench_fx(EVENT_GATEWAY_CHANGED, 0)->gateway_changed.state, LINK_DOWN);
	cr_assert_eq(bench_fx(EVENT_GATEWAY_CHANGED, 1)->gateway_changed.gateway, 20);
	bench_tick(0);
	expect_said("link.changed");
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	event.edge_link_opened.link = 1;
	bench_say((struct peer){ ROLE_GATEWAY, 20 }, &event);
	cr_assert_eq(link_of(U), LINK_UP);
}

/* A user who is back on another gateway before the sweep comes by is left alone. */
Test(registry_gateways, the_sweep_takes_only_what_the_dead_one_held, .init = bench_setup)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	glasses_up(U, 11);
	app_up(U, "pa", 21);
	app_opened(U, "pa", 22);
	leaving(GATEWAY_A);
	event.edge_link_opened.link = 3;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
	bench_tick(0);
	expect_said("");
	cr_assert_eq(link_of(U), LINK_UP);
	cr_assert_eq(the_app(U, "pa")->link, 22);
}

Test(registry_gateways, an_app_that_is_being_stopped_goes_on_stopping, .init = bench_setup)
{
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	app_stop(U, "pa");
	leaving(GATEWAY_B);
	bench_tick(0);
	expect_said("");
	cr_assert_eq(the_app(U, "pa")->state, APP_STOPPING);
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_null(the_app(U, "pa"));
}

/* Many users: slices of REGISTRY_SWEEP_USERS, and never more effects than fit. */
Test(registry_gateways, a_sweep_of_many_users_is_done_in_slices)
{
	enum { USERS = 5000 };
	struct registry_options options = bench_options();
	static char names[USERS][8];
	size_t most = 0, told = 0;

	options.state.users_max = USERS;
	options.state.apps_max = 4 * USERS;
	options.state.text_bytes = 32u << 20;
	bench_open(&options);
	bench.check_every = 2000;
	for (unsigned i = 0; i < USERS; i++) {
		(void)snprintf(names[i], sizeof names[i], "u%u", i);
		glasses_up(names[i], i + 1);
		if (i % 3 == 0)
			app_up(names[i], "pa", USERS + i);
	}
	leaving(GATEWAY_A);
	leaving(GATEWAY_B);
	unsigned ticks = 0;

	for (; registry_deadline(&bench.registry) == 0; ticks++) {
		cr_assert(ticks < 1000);
		bench_input(&(struct input){ .type = INPUT_TICK });
		told += bench.fx.count;
		most = bench.fx.count > most ? bench.fx.count : most;
	}
	cr_assert_eq(told, USERS + USERS / 3 + 1);
	cr_assert_leq(most, EFFECTS_MAX);
	for (unsigned i = 0; i < USERS; i++) {
		cr_assert_eq(the_user(names[i])->link_state, LINK_DOWN);
		cr_assert(i % 3 || the_app(names[i], "pa")->state == APP_GRACE);
	}
}

Test(registry_gateways, a_link_that_comes_back_while_the_sweep_is_on_its_way)
{
	enum { USERS = 600 };
	struct registry_options options = bench_options();
	static char names[USERS][8];

	options.state.users_max = options.state.apps_max = USERS;
	bench_open(&options);
	bench.check_every = 100;
	for (unsigned i = 0; i < USERS; i++) {
		(void)snprintf(names[i], sizeof names[i], "u%u", i);
		glasses_up(names[i], i + 1);
	}
	leaving(GATEWAY_A);
	bench_input(&(struct input){ .type = INPUT_TICK });
	cr_assert_eq(the_user(names[0])->link_state, LINK_DOWN);
	cr_assert_eq(the_user(names[USERS - 1])->link_state, LINK_UP, "not its turn yet");
	for (unsigned i = 0; i < 2; i++) {
		struct stream_event event = about(names[i * (USERS - 1)], EVENT_EDGE_LINK_OPENED);

		event.edge_link_opened.link = 9000 + i;
		bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
	}
	bench_tick(0);
	cr_assert_eq(link_of(names[0]), LINK_UP);
	cr_assert_eq(link_of(names[USERS - 1]), LINK_UP);
	cr_assert_eq(link_of(names[USERS - 2]), LINK_DOWN);
}

Test(registry_gateways, more_gone_at_once_than_sweeps, .init = bench_setup)
{
	enum { GATEWAYS = REGISTRY_SWEEPS_MAX + 4 };
	static char names[GATEWAYS][16], users[GATEWAYS][8];

	for (unsigned i = 0; i < GATEWAYS; i++) {
		struct stream_event event;

		(void)snprintf(names[i], sizeof names[i], "gateway-%u", 10 + i);
		(void)snprintf(users[i], sizeof users[i], "u%u", i);
		hello(100 + i, names[i]);
		event = about(users[i], EVENT_EDGE_LINK_OPENED);
		event.edge_link_opened.link = 1;
		bench_say((struct peer){ ROLE_GATEWAY, 100 + i }, &event);
	}
	for (unsigned i = 0; i < GATEWAYS; i++)
		leaving(100 + i);
	bench_tick(0);
	for (unsigned i = 0; i < GATEWAYS; i++)
		cr_assert_eq(the_user(users[i])->link_state, LINK_DOWN, "%u", i);
}

Test(registry_gateways, one_gateway_past_the_limit, .init = bench_setup)
{
	static char names[GATEWAYS_MAX + 1][16];

	for (unsigned i = 2; i < GATEWAYS_MAX; i++) {
		(void)snprintf(names[i], sizeof names[i], "gateway-%u", i + 1);
		hello(100 + i, names[i]);
		expect_said("gateway.changed");
	}
	hello(999, "gateway-999");
	expect_said("");
	cr_assert_eq(bench.registry.stats.full, 1);
	hello(1000, "gateway-5"); /* a successor finds the place of its predecessor */
	expect_said("gateway.changed gateway.changed");
	leaving(1000);
	hello(999, "gateway-999");
	expect_said("gateway.changed");
}
