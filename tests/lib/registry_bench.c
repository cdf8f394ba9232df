/* SPDX-License-Identifier: MIT */
#include "tests/lib/registry_bench.h"

#include "tests/lib/fakes.h"
#include "tests/lib/state_audit.h"

struct bench bench;

struct registry_options bench_options(void)
{
	return (struct registry_options){
		.state = { .users_max = 64,
			   .apps_max = 256,
			   .streams_max = 128,
			   .text_bytes = 8u << 20,
			   .remember_apps = true },
		.incarnation = 1,
		.first_epoch = 100,
		.stop_owed_ms = 600000,
		.ending_max_ms = 2000,
		.blind_max_ms = 120000,
	};
}

static void hello(uint64_t gateway, const char *name)
{
	bench_input(&(struct input){
		.type = INPUT_PEER_UP, .peer = { ROLE_GATEWAY, gateway }, .peer_name = name });
}

void bench_open(const struct registry_options *options)
{
	struct state_options mirror = options->state;

	mirror.remember_apps = false;
	bench.now_ms = 1000000;
	bench.next_request = 1000;
	bench.registry_memory = fake_memory(registry_bytes(options));
	bench.mirror_memory = fake_memory(state_bytes(&mirror));
	registry_init(&bench.registry, options, bench.registry_memory);
	state_init(&bench.mirror, &mirror, bench.mirror_memory);
	hello(GATEWAY_A, "gateway-1");
	hello(GATEWAY_B, "gateway-2");
}

void bench_close(void)
{
	const struct registry_options *options = &bench.registry.options;

	fake_free(bench.mirror_memory, state_bytes(&options->state));
	fake_free(bench.registry_memory, registry_bytes(options));
	memset(&bench, 0, sizeof bench);
}

void bench_setup(void)
{
	const struct registry_options options = bench_options();

	bench_open(&options);
}

static void restore(const struct state *from, struct registry *to)
{
	struct stream_event row;

	for (unsigned i = 0; i < GATEWAYS_MAX; i++) {
		if (from->gateways[i].incarnation == 0)
			continue;
		state_gateway_row(&from->gateways[i], &row);
		cr_assert_eq(registry_load_row(to, &row), 0);
	}
	for (uint32_t slot = 0; slot < from->users_fresh; slot++) {
		const struct state_user *user = state_user_of(from, slot);
		struct state_record record;

		if (!user)
			continue;
		state_record_begin(from, user, &record);
		while (state_record_next(from, &record, &row))
			cr_assert_eq(registry_load_row(to, &row), 0);
	}
}

void bench_restart(void)
{
	struct registry_options options = bench.registry.options;
	static struct registry next;
	void *memory = fake_memory(registry_bytes(&options));

	options.first_seq = bench.registry.seq;
	options.first_epoch = bench.registry.next_epoch;
	options.incarnation++;
	registry_init(&next, &options, memory);
	restore(&bench.registry.state, &next);
	fake_free(bench.registry_memory, registry_bytes(&options));
	bench.registry = next;
	/* Its tables look themselves up by their owner. */
	bench.registry.state.user_index.keys.context = &bench.registry.state;
	bench.registry.state.stream_index.keys.context = &bench.registry.state;
	bench.registry_memory = memory;
	registry_loaded(&bench.registry, bench.now_ms);
}

/* Checks ----------------------------------------------------------------------------------- */

static void check_story(const struct stream_event *event, uint64_t expected)
{
	uint8_t wire[STREAM_EVENT_WIRE_MAX];
	struct stream_event published;
	ssize_t length = stream_event_encode(event, STREAM_EVENT_PUBLIC, wire, sizeof wire);
	struct wire reader = { wire, wire + length };

	cr_assert_eq(event->seq, expected, "the story has a gap");
	cr_assert_eq(event->sent_ms, bench.now_ms, "an event says when it was");
	cr_assert(length > 0 && stream_event_read(&reader, &published) == 0);
	cr_assert_eq(state_apply(&bench.mirror, &published), 0, "%s is no news",
		     stream_event_name(event->type));
	state_settle(&bench.mirror);
	if (bench.on_story)
		bench.on_story(&published);
}

static void check_sent(const struct effect *effect)
{
	static uint8_t wire[STREAM_EVENT_RELAY_WIRE_MAX];
	enum stream_event_type type = effect->event.type;

	cr_assert_eq(effect->type, EFFECT_SEND);
	cr_assert(stream_event_may(type, ROLE_REGISTRY, effect->peer.role), "%s is not for a %s",
		  stream_event_name(type), words_name(&role_words, effect->peer.role));
	cr_assert(stream_event_encode(&effect->event, STREAM_EVENT_ADDRESSED, wire, sizeof wire) >
		  0);
}

static void check_states(void)
{
	const char *wrong = state_audit(&bench.registry.state, true);

	cr_assert(!wrong, "after \"%s\": %s", bench_said(), wrong);
	wrong = state_audit(&bench.mirror, true);
	cr_assert(!wrong, "after \"%s\", follower: %s", bench_said(), wrong);
	cr_assert_eq(state_hash(&bench.mirror), state_hash(&bench.registry.state),
		     "after \"%s\" a follower knows something else", bench_said());
}

static void check(uint64_t seq)
{
	for (size_t i = 0; i < bench.fx.count; i++)
		if (bench.fx.items[i].type == EFFECT_STORY)
			check_story(&bench.fx.items[i].event, ++seq);
		else
			check_sent(&bench.fx.items[i]);
	cr_assert_eq(seq, bench.registry.seq);
	if (bench.check_every == 0 || ++bench.inputs % bench.check_every == 0)
		check_states();
}

void bench_input(const struct input *input)
{
	struct input stamped = *input;
	uint64_t seq = bench.registry.seq;

	stamped.wall_ms = bench.now_ms;
	registry_handle(&bench.registry, &stamped, bench.now_ms, &bench.fx);
	check(seq);
}

void bench_say(struct peer peer, const struct stream_event *event)
{
	bench_input(&(struct input){ .type = INPUT_MESSAGE, .peer = peer, .event = event });
}

void bench_tick(int64_t ms)
{
	const int64_t end_ms = bench.now_ms + ms;

	for (unsigned guard = 0; registry_deadline(&bench.registry) <= end_ms; guard++) {
		cr_assert(guard < 100000, "the deadline does not move");
		if (registry_deadline(&bench.registry) > bench.now_ms)
			bench.now_ms = registry_deadline(&bench.registry);
		bench_input(&(struct input){ .type = INPUT_TICK });
	}
	bench.now_ms = end_ms;
}

/* What was said ---------------------------------------------------------------------------- */

const char *bench_said(void)
{
	static char said[EFFECTS_MAX * 32];
	size_t used = 0;

	said[0] = '\0';
	for (size_t i = 0; i < bench.fx.count; i++) {
		if (used > 0)
			said[used++] = ' ';
		text_put(text_of(stream_event_name(bench.fx.items[i].event.type)), said + used,
			 sizeof said - used);
		used += strlen(said + used);
	}
	return said;
}

static const struct effect *find(enum stream_event_type type, size_t nth)
{
	for (size_t i = 0; i < bench.fx.count; i++)
		if (bench.fx.items[i].event.type == type && nth-- == 0)
			return &bench.fx.items[i];
	return NULL;
}

const struct stream_event *bench_fx(enum stream_event_type type, size_t nth)
{
	const struct effect *effect = find(type, nth);

	cr_assert(effect, "no %s (%zu) in \"%s\"", stream_event_name(type), nth, bench_said());
	return &effect->event;
}

struct peer bench_peer(enum stream_event_type type, size_t nth)
{
	const struct effect *effect = find(type, nth);

	cr_assert(effect, "no %s (%zu) in \"%s\"", stream_event_name(type), nth, bench_said());
	return effect->peer;
}

enum result bench_answer(void)
{
	return (enum result)bench_fx(EVENT_STREAM_RESULT, 0)->stream_result.result;
}

/* Scenes ----------------------------------------------------------------------------------- */

static const struct peer gateway_a = { ROLE_GATEWAY, GATEWAY_A };
static const struct peer gateway_b = { ROLE_GATEWAY, GATEWAY_B };
static const struct peer scheduler = { ROLE_SCHEDULER, 3 };

struct stream_event about(const char *user, enum stream_event_type type)
{
	return (struct stream_event){ .type = type, .user_id = text_of(user) };
}

void glasses_up(const char *user, uint64_t link)
{
	struct stream_event event = about(user, EVENT_EDGE_LINK_OPENED);

	event.edge_link_opened.link = link;
	bench_say(gateway_a, &event);
}

void glasses_down(const char *user, uint64_t link)
{
	struct stream_event event = about(user, EVENT_EDGE_LINK_CLOSED);

	event.edge_link_closed.link = link;
	event.edge_link_closed.code = 1006;
	bench_say(gateway_a, &event);
}

void glasses_state(const char *user, const char *model)
{
	struct stream_event event = about(user, EVENT_EDGE_GLASSES);

	event.edge_glasses.has_state = true;
	event.edge_glasses.connected = *model != '\0';
	event.edge_glasses.model = text_of(model);
	event.edge_glasses.wifi = WIFI_ON;
	bench_say(gateway_a, &event);
}

void app_start(const char *user, const char *package, enum app_type type)
{
	struct stream_event event = about(user, EVENT_EDGE_APP_START);

	event.edge_app_start.package = text_of(package);
	event.edge_app_start.known = true;
	event.edge_app_start.app_type = type;
	bench_say(gateway_a, &event);
}

void app_stop(const char *user, const char *package)
{
	struct stream_event event = about(user, EVENT_EDGE_APP_STOP);

	event.edge_app_stop.package = text_of(package);
	event.edge_app_stop.known = true;
	bench_say(gateway_a, &event);
}

void app_opened(const char *user, const char *package, uint64_t link)
{
	struct stream_event event = about(user, EVENT_EDGE_APP_OPENED);
	const struct state_app *app = the_app(user, package);

	event.edge_app_opened.link = link;
	event.edge_app_opened.package = text_of(package);
	event.edge_app_opened.key_ok = true;
	event.edge_app_opened.app_type = app ? app->type : APP_TYPE_BACKGROUND;
	bench_say(gateway_b, &event);
}

void app_closed(const char *user, const char *package, uint64_t link)
{
	struct stream_event event = about(user, EVENT_EDGE_APP_CLOSED);

	event.edge_app_closed.link = link;
	event.edge_app_closed.package = text_of(package);
	event.edge_app_closed.code = 1006;
	bench_say(gateway_b, &event);
}

void app_up(const char *user, const char *package, uint64_t link)
{
	app_start(user, package, APP_TYPE_BACKGROUND);
	app_opened(user, package, link);
}

void hook_done(const char *user, const char *package, enum hook hook)
{
	struct stream_event event = about(user, EVENT_EDGE_HOOK_DONE);
	const struct state_app *app = the_app(user, package);

	cr_assert(app, "%s is not there", package);
	event.edge_hook_done.package = text_of(package);
	event.edge_hook_done.hook = hook;
	event.edge_hook_done.hook_id = bench.registry.apps[app - bench.registry.state.apps].hook_id;
	event.edge_hook_done.ok = true;
	bench_say(gateway_a, &event);
}

void timer(enum timer which, const char *user, const char *package, uint64_t cause)
{
	struct stream_event event = about(user, EVENT_TIMER_EXPIRED);

	event.timer_expired.timer = which;
	event.timer_expired.package = text_of(package);
	event.cause = cause;
	bench_say(scheduler, &event);
}

void gateway_lease(uint64_t gateway, int64_t after_ms)
{
	struct stream_event event = { .type = EVENT_TIMER_EXPIRED };

	event.timer_expired.timer = TIMER_GATEWAY_LEASE;
	event.timer_expired.gateway = gateway;
	event.timer_expired.after_ms = after_ms;
	bench_say(scheduler, &event);
}

void stream_open(const char *user, const char *package, uint64_t request)
{
	struct stream_event event = about(user, EVENT_STREAM_OPEN);

	event.origin = GATEWAY_B;
	event.request = request ? request : bench.next_request++;
	event.stream_open.kind = KIND_UNMANAGED;
	event.stream_open.package = text_of(package);
	event.stream_open.rtmp_url = TEXT("rtmp://h/app/key");
	event.stream_open.video = TEXT("{\"width\":1280}");
	event.stream_open.audio = event.stream_open.options = TEXT("{}");
	bench_say((struct peer){ ROLE_UNMANAGED, 7 }, &event);
}

static const struct peer managed = { ROLE_MANAGED, 8 };

void watch(const char *user, const char *package)
{
	struct stream_event event = about(user, EVENT_STREAM_OPEN);

	event.origin = GATEWAY_B;
	event.request = bench.next_request++;
	event.stream_open.kind = KIND_MANAGED;
	event.stream_open.provider = PROVIDER_LOCAL;
	event.stream_open.package = text_of(package);
	event.stream_open.video = event.stream_open.audio = event.stream_open.options = TEXT("{}");
	bench_say(managed, &event);
}

static struct stream_event about_stream(const struct state_stream *stream,
					enum stream_event_type type)
{
	struct stream_event event = { .type = type };

	cr_assert(stream, "there is no stream");
	event.user_id = state_text(&bench.registry.state,
				   state_user_of(&bench.registry.state, stream->user)->id);
	event.stream_id = text_of(the_id(stream));
	event.epoch = stream->epoch;
	return event;
}

void unwatch(const char *user, const char *package)
{
	struct stream_event event = about_stream(the_stream(user), EVENT_STREAM_LEAVE);

	event.origin = GATEWAY_B;
	event.request = bench.next_request++;
	event.stream_leave.package = text_of(package);
	bench_say(managed, &event);
}

void input_made(const char *user, const char *input_id)
{
	struct stream_event event = about_stream(the_stream(user), EVENT_INPUT_MADE);

	event.input_made.input_id = text_of(input_id);
	event.input_made.ingest = TEXT("rtmp://h/live/key");
	event.input_made.hls = TEXT("https://h/1.m3u8");
	event.input_made.dash = TEXT("https://h/1.mpd");
	event.input_made.preview = TEXT("https://h/p");
	bench_say(managed, &event);
}

void input_gone(const struct state_stream *stream, const char *input_id)
{
	struct stream_event event = about_stream(stream, EVENT_INPUT_GONE);

	event.input_gone.input_id = text_of(input_id);
	event.input_gone.detail = TEXT("deleted");
	bench_say(managed, &event);
}

void stream_status(const char *user, enum device_status status)
{
	struct stream_event event = about(user, EVENT_EDGE_STATUS);

	cr_assert(the_stream(user), "no stream is active");
	event.stream_id = text_of(the_id(the_stream(user)));
	event.edge_status.status = status;
	bench_say(gateway_a, &event);
}

struct state_user *the_user(const char *user)
{
	return state_user_find(&bench.registry.state, text_of(user));
}

struct state_app *the_app(const char *user, const char *package)
{
	return state_app_find(&bench.registry.state, the_user(user), text_of(package));
}

struct state_stream *the_stream(const char *user)
{
	return state_active(&bench.registry.state, the_user(user));
}

const char *the_id(const struct state_stream *stream)
{
	static char ids[4][STREAM_ID_MAX + 1];
	static unsigned next;

	cr_assert(stream, "there is no stream");
	next = (next + 1) % 4;
	return text_put(state_text(&bench.registry.state, stream->id), ids[next], sizeof ids[0]);
}

void bench_empty(void)
{
	const struct registry *registry = &bench.registry;

	bench_tick(2000);
	cr_assert_eq(registry->state.users_count, 0);
	cr_assert_eq(registry->state.apps_count, 0);
	cr_assert_eq(registry->state.streams_count, 0);
	cr_assert_eq(registry->state.sessions_count, 0);
	cr_assert_eq(registry->state.active_count, 0);
	cr_assert_eq(registry->state.pool.used_bytes, 0);
	cr_assert_eq(registry->endings_count, 0);
	for (unsigned i = 0; i < REGISTRY_WAITERS_MAX; i++)
		cr_assert_eq(registry->waiters[i].app, STATE_NONE, "somebody still waits");
}
