/* SPDX-License-Identifier: MIT */
/* story.h - story events in one line each; texts are borrowed from the caller. */
#pragma once

#include "proto/list.h"
#include "proto/stream_event.h"

/* A LIST of the words of @words, which one blank separates.  Valid for the next seven calls. */
static inline struct text list_of(const char *words)
{
	static uint8_t buffers[8][SUBSCRIPTIONS_BYTES];
	static unsigned next;
	struct list_writer list;

	list_begin(&list, buffers[next], sizeof buffers[next]);
	next = (next + 1) % 8;
	while (*words) {
		size_t length = strcspn(words, " ");

		(void)list_add_text(&list, (struct text){ words, (uint32_t)length });
		words += length + (words[length] == ' ');
	}
	return list_end(&list);
}

static inline struct stream_event story_gateway(uint64_t incarnation, enum link_state state)
{
	struct stream_event event = { .type = EVENT_GATEWAY_CHANGED };

	event.gateway_changed.gateway = incarnation;
	event.gateway_changed.name = TEXT("gateway-1");
	event.gateway_changed.state = state;
	return event;
}

/* session.opened, session.ready, session.ending, session.closed */
static inline struct stream_event story_session(const char *user, enum stream_event_type type)
{
	return (struct stream_event){ .type = type, .user_id = text_of(user) };
}

static inline struct stream_event story_link(const char *user, uint64_t gateway, uint64_t link,
					     enum link_state state)
{
	struct stream_event event = { .type = EVENT_LINK_CHANGED, .user_id = text_of(user) };

	event.link_changed.link = link;
	event.link_changed.gateway = gateway;
	event.link_changed.state = state;
	return event;
}

static inline struct stream_event story_glasses(const char *user, const char *model, bool connected,
						enum wifi wifi)
{
	struct stream_event event = { .type = EVENT_GLASSES_CHANGED, .user_id = text_of(user) };

	event.glasses_changed.model = text_of(model);
	event.glasses_changed.connected = connected;
	event.glasses_changed.wifi = wifi;
	return event;
}

static inline struct stream_event story_app(const char *user, const char *package,
					    enum app_state state)
{
	struct stream_event event = { .type = EVENT_APP_CHANGED, .user_id = text_of(user) };

	event.app_changed.package = text_of(package);
	event.app_changed.state = state;
	event.app_changed.app_type = APP_TYPE_BACKGROUND;
	return event;
}

static inline struct stream_event story_app_up(const char *user, const char *package,
					       uint64_t gateway, uint64_t link)
{
	struct stream_event event = story_app(user, package, APP_RUNNING);

	event.app_changed.link = link;
	event.app_changed.gateway = gateway;
	return event;
}

static inline struct stream_event story_subscribed(const char *user, const char *package,
						   const char *types)
{
	struct stream_event event = { .type = EVENT_APP_SUBSCRIBED, .user_id = text_of(user) };

	event.app_subscribed.package = text_of(package);
	event.app_subscribed.types = list_of(types);
	return event;
}

/* Any event of the stream @id; the caller fills in the rest. */
static inline struct stream_event story_stream(const char *user, const char *id, uint64_t epoch,
					       enum stream_event_type type)
{
	return (struct stream_event){
		.type = type, .user_id = text_of(user), .stream_id = text_of(id), .epoch = epoch
	};
}

static inline struct stream_event story_opened(const char *user, const char *id, uint64_t epoch,
					       const char *package)
{
	struct stream_event event = story_stream(user, id, epoch, EVENT_STREAM_OPENED);

	event.stream_opened.kind = KIND_UNMANAGED;
	event.stream_opened.package = text_of(package);
	event.stream_opened.rtmp_url = TEXT("rtmp://h/a/key");
	event.stream_opened.video = TEXT("{\"width\":1280}");
	event.stream_opened.audio = TEXT("{\"bitrate\":64000}");
	event.stream_opened.options = TEXT("{\"durationLimit\":60}");
	return event;
}

static inline struct stream_event story_closed(const char *user, const char *id, uint64_t epoch,
					       bool told_owed, bool stop_owed)
{
	struct stream_event event = story_stream(user, id, epoch, EVENT_STREAM_CLOSED);

	event.stream_closed.end_cause = END_APP_STOP;
	event.stream_closed.hop = HOP_APP;
	event.stream_closed.by = TEXT("pa");
	event.stream_closed.last_ack_age_ms = -1;
	event.stream_closed.told_owed = told_owed;
	event.stream_closed.stop_owed = stop_owed;
	if (stop_owed) {
		event.stream_closed.told_id = text_of(id);
		event.stream_closed.stop_app_id = TEXT("pa");
	}
	return event;
}
