/* SPDX-License-Identifier: MIT */
/* Goal: everything that happens to weir from outside, in every order that a seed can think of.
 * Method: each user does one thing after another, in bursts and after pauses; the pauses are long
 * enough for streams to live through several keep-alives and for timeouts to fire.
 */
#include "tests/sim/people.h"

#include <stdio.h>
#include <string.h>

#include "tests/sim/checks.h"

#define ARRIVAL_MAX_MS 8000
#define BURST_PAUSE_MAX_MS 1500
#define PAUSE_MIN_MS 3000
#define PAUSE_MAX_MS 45000
#define LONG_PAUSE_MAX_MS 150000 /* several keep-alives, and any deadline */
#define BURST_PPM 300000
#define LONG_PAUSE_PPM 120000
#define VANISH_PPM 500000

/* In the order of the directory: sorted, byte by byte. */
const struct sim_package sim_packages[SIM_PACKAGES] = {
	{ "com.cam.a", APP_TYPE_BACKGROUND, true },  { "com.cam.b", APP_TYPE_BACKGROUND, true },
	{ "com.cam.c", APP_TYPE_STANDARD, true },    { "com.cam.d", APP_TYPE_STANDARD, true },
	{ "com.plain.e", APP_TYPE_STANDARD, false }, { "com.plain.f", APP_TYPE_BACKGROUND, false },
};

struct people people;

void people_after(struct sim *sim, enum sim_part part, struct people_delay delay, sim_fn *fn,
		  void *context, uint64_t tag)
{
	uint64_t width = (uint64_t)(delay.max_ms - delay.min_ms) + 1;

	sim_at(sim, sim_now(sim) + delay.min_ms + (int64_t)sim_below(sim, part, width), fn, context,
	       tag);
}

void people_close(struct sim *sim, enum sim_part part, uint64_t socket, unsigned code)
{
	if (sim_chance(sim, part, VANISH_PPM))
		sim_vanish(sim, socket);
	else
		sim_hang_up(sim, socket, code);
}

/* What people do ------------------------------------------------------------------------------- */

static struct client_app *some_app(struct person *person)
{
	return &person->apps[sim_below(person->sim, SIM_PLAN, person->app_count)];
}

static void start(struct person *person)
{
	app_start_stream(some_app(person));
}

static void stop_own(struct person *person)
{
	struct client_app *app = some_app(person);

	app_stop_stream(app, text_of(app->stream_id));
}

static void stop_without_id(struct person *person)
{
	app_stop_stream(some_app(person), (struct text){ 0 });
}

static void stop_stale(struct person *person)
{
	struct client_app *app = some_app(person);
	uint64_t which = sim_below(person->sim, SIM_PLAN, STREAMS_HELD_MAX);

	app_stop_stream(app, text_of(app->old_ids[which]));
}

static void stop_foreign(struct person *person)
{
	/* One after the other: arguments have no order. */
	struct client_app *app = some_app(person), *other = some_app(person);

	app_stop_stream(app, text_of(other->stream_id));
}

static void stop_twice(struct person *person)
{
	struct client_app *app = some_app(person);

	app_stop_stream(app, text_of(app->stream_id));
	app_stop_stream(app, text_of(app->stream_id));
}

/* A stop and a start in one breath, as an app does that changes its URL. */
static void restart_stream(struct person *person)
{
	struct client_app *app = some_app(person);

	app_stop_stream(app, text_of(app->stream_id));
	app_start_stream(app);
}

static void take_over(struct person *person)
{
	app_start_stream(some_app(person));
	app_start_stream(some_app(person));
}

static void check(struct person *person)
{
	app_check(some_app(person));
}

static void watch(struct person *person)
{
	app_watch(some_app(person));
}

static void unwatch(struct person *person)
{
	app_unwatch(some_app(person));
}

/* Out and in again in one breath. */
static void watch_again(struct person *person)
{
	struct client_app *app = some_app(person);

	app_unwatch(app);
	app_watch(app);
}

static void watch_together(struct person *person)
{
	app_watch(some_app(person));
	app_watch(some_app(person));
}

/* Nobody waits until it is made. */
static void watch_in_vain(struct person *person)
{
	struct client_app *app = some_app(person);

	app_watch(app);
	app_unwatch(app);
}

/* One wants it managed, the other does not. */
static void watch_and_take_over(struct person *person)
{
	app_watch(some_app(person));
	app_start_stream(some_app(person));
}

static void subscribe(struct person *person)
{
	app_subscribe(some_app(person));
}

static void lose_app_socket(struct person *person)
{
	app_lose_socket(some_app(person));
}

static void restart_app(struct person *person)
{
	app_die(some_app(person));
}

static void start_app(struct person *person)
{
	phone_app(person, true, some_app(person)->package);
}

static void stop_app(struct person *person)
{
	phone_app(person, false, some_app(person)->package);
}

static void leave(struct person *person)
{
	phone_leave(person, sim_chance(person->sim, SIM_PLAN, VANISH_PPM));
}

static void toggle_ble(struct person *person)
{
	phone_set_ble(person, !person->phone.ble);
}

static void toggle_wifi(struct person *person)
{
	phone_set_wifi(person, !person->phone.wifi);
}

static void operator_stop(struct person *person)
{
	sim_operator_stop(person->sim, person->id);
}

static const struct deed {
	unsigned weight;
	void (*fn)(struct person *person);
} deeds[] = {
	{ 240, start },		 { 80, stop_own },
	{ 20, stop_without_id }, { 15, stop_stale },
	{ 25, stop_foreign },	 { 20, stop_twice },
	{ 40, restart_stream },	 { 30, take_over },
	{ 40, check },		 { 150, watch },
	{ 30, subscribe },	 { 60, lose_app_socket },
	{ 25, restart_app },	 { 90, start_app },
	{ 30, stop_app },	 { 50, leave },
	{ 35, phone_connect },	 { 20, phone_go_offline },
	{ 40, toggle_ble },	 { 25, toggle_wifi },
	{ 15, phone_say_again }, { 15, phone_say_other },
	{ 20, operator_stop },	 { 60, unwatch },
	{ 25, watch_again },	 { 30, watch_together },
	{ 15, watch_in_vain },	 { 25, watch_and_take_over },
};

static void act(struct person *person)
{
	uint64_t total = 0, drawn;
	size_t i = 0;

	for (i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
		total += deeds[i].weight;
	drawn = sim_below(person->sim, SIM_PLAN, total);
	for (i = 0; drawn >= deeds[i].weight; i++)
		drawn -= deeds[i].weight;
	deeds[i].fn(person);
}

static struct people_delay pause_of(struct person *person)
{
	if (person->burst == 0 && sim_chance(person->sim, SIM_PLAN, BURST_PPM))
		person->burst = 2 + (unsigned)sim_below(person->sim, SIM_PLAN, 6);
	if (person->burst > 0) {
		person->burst--;
		return (struct people_delay){ 0, BURST_PAUSE_MAX_MS };
	}
	if (sim_chance(person->sim, SIM_PLAN, LONG_PAUSE_PPM))
		return (struct people_delay){ PAUSE_MAX_MS, LONG_PAUSE_MAX_MS };
	return (struct people_delay){ PAUSE_MIN_MS, PAUSE_MAX_MS };
}

static void on_deed(void *context, uint64_t tag)
{
	struct person *person = context;

	(void)tag;
	if (sim_healing(person->sim))
		return; /* what runs runs on; nobody begins anything new */
	act(person);
	people_after(person->sim, SIM_PLAN, pause_of(person), on_deed, person, 0);
}

static void on_arrival(void *context, uint64_t tag)
{
	struct person *person = context;

	(void)tag;
	phone_connect(person);
	people_after(person->sim, SIM_PLAN, (struct people_delay){ PAUSE_MIN_MS, ARRIVAL_MAX_MS },
		     on_deed, person, 0);
}

void people_end(void)
{
	for (unsigned i = 0; i < people.count; i++)
		sim_operator_stop(people.sim, people.persons[i].id);
}

/* Who there is --------------------------------------------------------------------------------- */

static void person_init(struct sim *sim, unsigned index)
{
	struct person *person = &people.persons[index];
	unsigned first = (unsigned)sim_below(sim, SIM_PLAN, SIM_PACKAGES);

	*person = (struct person){ .sim = sim, .index = index };
	/* A hyphen in a name is a trap of its own (D14). */
	(void)snprintf(person->name, sizeof person->name, index % 2 ? "u-%u@x" : "u%u@x", index);
	person->id = text_of(person->name);
	person->app_count = 1 + (unsigned)sim_below(sim, SIM_PLAN, PERSON_APPS_MAX);
	for (unsigned i = 0; i < person->app_count; i++)
		app_init(person, i, (first + i) % SIM_PACKAGES);
	phone_init(person);
	device_init(person);
	people_after(sim, SIM_PLAN, (struct people_delay){ 0, ARRIVAL_MAX_MS }, on_arrival, person,
		     0);
}

static void on_post(void *context, unsigned gateway, const struct edge_message *message,
		    struct text user, struct text package, enum hook hook, uint64_t hook_id)
{
	(void)context;
	(void)message;
	for (unsigned i = 0; i < people.count; i++) {
		struct person *person = &people.persons[i];
		struct client_app *app =
			text_equal(person->id, user) ? app_find(person, package) : NULL;

		if (app) {
			app_hook(app, gateway, hook, hook_id);
			return;
		}
	}
	sim_posted(people.sim, gateway, user, package, hook, hook_id, false);
}

void sim_people_init(struct sim *self)
{
	static const struct sim_outside outside = { .post = on_post };

	memset(&people, 0, sizeof people);
	people.sim = self;
	people.count = 2 + (unsigned)sim_below(self, SIM_PLAN, PEOPLE_MAX - 1);
	for (unsigned i = 0; i < people.count; i++)
		person_init(self, i);
	sim_set_outside(self, &outside);
}
