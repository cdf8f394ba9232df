/* SPDX-License-Identifier: MIT */
/* What the people on the stage do (tests/lib/managed_stage.h). */
#include <criterion/criterion.h>

#include "tests/lib/managed_stage.h"

#define GATEWAY UINT64_C(10)
#define GLASSES 11

static const struct peer gateway = { ROLE_GATEWAY, GATEWAY };

static struct stream_event by_user(enum stream_event_type type)
{
	return (struct stream_event){ .type = type, .user_id = TEXT("u@x") };
}

const struct state_stream *stage_active(void)
{
	return state_active(&stage.registry->state,
			    state_user_find(&stage.registry->state, TEXT("u@x")));
}

struct stream_event stage_about(enum stream_event_type type)
{
	const struct state_stream *active = stage_active();

	cr_assert(active);
	struct stream_event event = by_user(type);

	event.stream_id = state_text(&stage.registry->state, active->id);
	event.epoch = active->epoch;
	return event;
}

void stage_glasses_up(void)
{
	struct stream_event event = by_user(EVENT_EDGE_LINK_OPENED);

	event.edge_link_opened.link = GLASSES;
	stage_say(gateway, event);
	event = by_user(EVENT_EDGE_GLASSES);
	event.edge_glasses.link = GLASSES;
	event.edge_glasses.has_state = event.edge_glasses.connected = true;
	event.edge_glasses.model = TEXT("Mentra Live");
	event.edge_glasses.wifi = WIFI_ON;
	stage_say(gateway, event);
}

void stage_glasses_down(void)
{
	struct stream_event event = by_user(EVENT_EDGE_LINK_CLOSED);

	event.edge_link_closed.link = GLASSES;
	event.edge_link_closed.code = 1006;
	stage_say(gateway, event);
}

void stage_app_up(const char *package, uint64_t link)
{
	struct stream_event event = by_user(EVENT_EDGE_APP_START);

	event.edge_app_start.package = text_of(package);
	event.edge_app_start.known = true;
	event.edge_app_start.app_type = APP_TYPE_BACKGROUND;
	stage_say(gateway, event);
	event = by_user(EVENT_EDGE_APP_OPENED);
	event.edge_app_opened.link = link;
	event.edge_app_opened.package = text_of(package);
	event.edge_app_opened.key_ok = true;
	event.edge_app_opened.app_type = APP_TYPE_BACKGROUND;
	stage_say(gateway, event);
}

void stage_app_closed(const char *package, uint64_t link)
{
	struct stream_event event = by_user(EVENT_EDGE_APP_CLOSED);

	event.edge_app_closed.link = link;
	event.edge_app_closed.package = text_of(package);
	event.edge_app_closed.code = 1006;
	stage_say(gateway, event);
}

void stage_app_stop(const char *package)
{
	struct stream_event event = by_user(EVENT_EDGE_APP_STOP);

	event.edge_app_stop.package = text_of(package);
	event.edge_app_stop.known = true;
	stage_say(gateway, event);
}

/* What each request of an app carries. */
static struct stream_event request_of(enum stream_event_type type, uint64_t request,
				      int64_t timeout_ms)
{
	struct stream_event event = by_user(type);

	event.origin = GATEWAY;
	event.request = request;
	event.expires_ms = stage.now_ms + timeout_ms;
	return event;
}

void stage_watch_to(const char *package, uint64_t request, const char *destinations)
{
	struct stream_event event =
		request_of(EVENT_REQUEST_WATCH, request, stage.options.request_timeout_ms);

	event.request_watch.link = 1;
	event.request_watch.package = text_of(package);
	event.request_watch.permitted = true;
	event.request_watch.seen_seq = stage.registry->seq;
	event.request_watch.video = event.request_watch.audio = event.request_watch.options =
		TEXT("{}");
	event.request_watch.destinations = text_of(destinations);
	stage_say(gateway, event);
}

void stage_watch(const char *package, uint64_t request)
{
	stage_watch_to(package, request, "");
}

void stage_stop(const char *package, uint64_t request)
{
	struct stream_event event = request_of(EVENT_REQUEST_STOP, request, 10000);

	event.request_stop.link = 1;
	event.request_stop.package = text_of(package);
	event.request_stop.seen_seq = stage.registry->seq;
	stage_say(gateway, event);
}

/* Calls by REST do not say whose the stream is. */
static struct stream_event about_outputs(enum stream_event_type type, uint64_t request)
{
	struct stream_event event = request_of(type, request, 10000);
	const struct state_stream *active = stage_active();

	event.user_id = (struct text){ 0 };
	event.stream_id = active ? state_text(&stage.registry->state, active->id) : TEXT("none");
	return event;
}

void stage_output_add(const char *package, uint64_t request, const char *url, const char *name)
{
	struct stream_event event = about_outputs(EVENT_REQUEST_OUTPUT_ADD, request);

	event.request_output_add.package = text_of(package);
	event.request_output_add.url = text_of(url);
	event.request_output_add.name = text_of(name);
	stage_say(gateway, event);
}

void stage_output_remove(const char *package, uint64_t request, uint64_t output)
{
	struct stream_event event = about_outputs(EVENT_REQUEST_OUTPUT_REMOVE, request);

	event.request_output_remove.package = text_of(package);
	event.request_output_remove.output = output;
	stage_say(gateway, event);
}

void stage_output_list(const char *package, uint64_t request)
{
	struct stream_event event = about_outputs(EVENT_REQUEST_OUTPUT_LIST, request);

	event.request_output_list.package = text_of(package);
	stage_say(gateway, event);
}

void stage_unmanaged(const char *package)
{
	static uint64_t requests = 1000;
	struct stream_event event = by_user(EVENT_STREAM_OPEN);

	event.origin = GATEWAY;
	event.request = ++requests;
	event.stream_open.kind = KIND_UNMANAGED;
	event.stream_open.package = text_of(package);
	event.stream_open.rtmp_url = TEXT("rtmp://direct/key");
	event.stream_open.video = event.stream_open.audio = event.stream_open.options = TEXT("{}");
	stage_say((struct peer){ ROLE_UNMANAGED, 5 }, event);
}

void stage_device_says(enum device_status status, const char *detail)
{
	struct stream_event event = by_user(EVENT_EDGE_STATUS);
	const struct state_stream *active = stage_active();

	cr_assert(active);
	event.stream_id = state_text(&stage.registry->state, active->id);
	event.edge_status.link = GLASSES;
	event.edge_status.status = status;
	event.edge_status.detail = text_of(detail);
	stage_say(gateway, event);
}

void stage_device(enum device_status status)
{
	stage_device_says(status, "");
}

void stage_expired(void)
{
	struct stream_event event = by_user(EVENT_STREAM_MISSED);
	const struct state_stream *active = stage_active();

	cr_assert(active);
	event.stream_id = state_text(&stage.registry->state, active->id);
	event.epoch = active->epoch;
	event.cause = active->activity_seq;
	event.stream_missed.missed = 3;
	event.stream_missed.expired = true;
	event.stream_missed.last_ack_age_ms = 40000;
	stage_say((struct peer){ ROLE_SCHEDULER, 3 }, event);
}

void stage_ask(uint64_t request, bool reconcile, bool dry_run)
{
	struct stream_event event = { .type = EVENT_PROVIDER_ASK,
				      .origin = 99,
				      .request = request };

	event.provider_ask.reconcile = reconcile;
	event.provider_ask.dry_run = dry_run;
	stage_say((struct peer){ ROLE_OPERATOR, 99 }, event);
}

void stage_hint(const char *input_id, enum ingest ingest, bool sure)
{
	struct stream_event event = { .type = EVENT_PROVIDER_HINT };

	event.provider_hint.input_id = text_of(input_id);
	event.provider_hint.ingest = ingest;
	event.provider_hint.sure = sure;
	stage_say((struct peer){ ROLE_PROVIDER, 0 }, event);
}

void stage_output_hint(const char *input_id, uint64_t output, enum output_state state,
		       const char *error)
{
	struct stream_event event = { .type = EVENT_PROVIDER_OUTPUT_HINT };

	event.provider_output_hint.input_id = text_of(input_id);
	event.provider_output_hint.output = output;
	event.provider_output_hint.state = state;
	event.provider_output_hint.error = text_of(error);
	stage_say((struct peer){ ROLE_PROVIDER, 0 }, event);
}
