/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_mirror.h"

#include <assert.h>
#include <stdlib.h>

#include <czmq.h>

#include "actors/tap/tap_mirror_managed.h"

/* Keys are the ids of the records: the arena owns them. */
static zhashx_t *new_index(void)
{
	zhashx_t *index = zhashx_new();

	assert(index);
	zhashx_set_key_duplicator(index, NULL);
	zhashx_set_key_destructor(index, NULL);
	return index;
}

void mirror_init(struct mirror *mirror)
{
	*mirror = (struct mirror){ .users = new_index(), .managed = new_index() };
}

void mirror_fini(struct mirror *mirror)
{
	zhashx_destroy(&mirror->users);
	zhashx_destroy(&mirror->managed);
	free(mirror->streams);
	free(mirror->gateways);
	arena_fini(&mirror->arena);
}

struct mirror_user *mirror_user(const struct mirror *mirror, struct text id)
{
	char key[USER_ID_MAX + 1];

	if (id.length > USER_ID_MAX)
		return NULL;
	return zhashx_lookup(mirror->users, text_put(id, key, sizeof key));
}

static struct mirror_user *make_user(struct mirror *mirror, struct text id)
{
	struct mirror_user *user = mirror_user(mirror, id);

	if (user)
		return user;
	user = arena_take(&mirror->arena, sizeof *user);
	user->id = arena_keep(&mirror->arena, id);
	user->session = "none";
	(void)zhashx_insert(mirror->users, user->id.bytes, user);
	return user;
}

static struct mirror_app *make_app(struct mirror *mirror, struct mirror_user *user,
				   struct text package)
{
	struct mirror_app **slot = &user->apps;

	while (*slot && !text_equal((*slot)->package, package))
		slot = &(*slot)->next;
	if (!*slot) {
		*slot = arena_take(&mirror->arena, sizeof **slot);
		(*slot)->package = arena_keep(&mirror->arena, package);
	}
	return *slot;
}

const struct mirror_stream *mirror_stream(const struct mirror *mirror, struct text id)
{
	for (size_t i = 0; i < mirror->stream_count; i++)
		if (text_equal(mirror->streams[i].id, id))
			return &mirror->streams[i];
	return NULL;
}

const struct mirror_gateway *mirror_gateway(const struct mirror *mirror, uint64_t incarnation)
{
	for (size_t i = 0; i < mirror->gateway_count; i++)
		if (mirror->gateways[i].incarnation == incarnation)
			return &mirror->gateways[i];
	return NULL;
}

struct text mirror_gateway_name(const struct mirror *mirror, uint64_t incarnation)
{
	const struct mirror_gateway *gateway = mirror_gateway(mirror, incarnation);

	if (gateway)
		return gateway->name;
	return incarnation == 0 ? TEXT("") : TEXT("?");
}

static void on_gateway(struct mirror *mirror, const struct stream_event *event)
{
	uint64_t incarnation = event->gateway_changed.gateway;
	struct mirror_gateway *gateway =
		(struct mirror_gateway *)mirror_gateway(mirror, incarnation);

	if (!gateway) {
		if (mirror->gateway_count == mirror->gateway_room) {
			mirror->gateway_room = mirror->gateway_room ? mirror->gateway_room * 2 : 16;
			mirror->gateways = memory_grow(mirror->gateways, mirror->gateway_room,
						       sizeof *mirror->gateways);
		}
		gateway = &mirror->gateways[mirror->gateway_count++];
	}
	*gateway = (struct mirror_gateway){
		.incarnation = incarnation,
		.name = arena_keep(&mirror->arena, event->gateway_changed.name),
		.reason = arena_keep(&mirror->arena, event->gateway_changed.reason),
		.state = (enum link_state)event->gateway_changed.state,
	};
}

static void on_app(struct mirror *mirror, const struct stream_event *event)
{
	struct mirror_user *user = make_user(mirror, event->user_id);
	struct mirror_app *app = make_app(mirror, user, event->app_changed.package);

	app->state = (enum app_state)event->app_changed.state;
	app->app_type = (enum app_type)event->app_changed.app_type;
	app->link = event->app_changed.link;
	app->gateway = event->app_changed.gateway;
	app->reason = arena_keep(&mirror->arena, event->app_changed.reason);
	app->seq = event->seq;
}

static void on_link(struct mirror *mirror, const struct stream_event *event)
{
	struct mirror_user *user = make_user(mirror, event->user_id);

	user->has_link = true;
	user->link_state = (enum link_state)event->link_changed.state;
	user->link = event->link_changed.link;
	user->gateway = event->link_changed.gateway;
	user->link_code = event->link_changed.code;
	user->link_seq = event->seq;
}

static void on_session(struct mirror *mirror, const struct stream_event *event, const char *word)
{
	struct mirror_user *user = make_user(mirror, event->user_id);

	user->session = word;
	user->session_seq = event->seq;
}

static void on_glasses(struct mirror *mirror, const struct stream_event *event)
{
	struct mirror_user *user = make_user(mirror, event->user_id);

	user->has_glasses = true;
	user->model = arena_keep(&mirror->arena, event->glasses_changed.model);
	user->connected = event->glasses_changed.connected;
	user->wifi = (enum wifi)event->glasses_changed.wifi;
	user->glasses_seq = event->seq;
}

static void on_stream(struct mirror *mirror, const struct stream_event *event)
{
	struct arena *arena = &mirror->arena;

	if (mirror->stream_count == mirror->stream_room) {
		mirror->stream_room = mirror->stream_room ? mirror->stream_room * 2 : 256;
		mirror->streams =
			memory_grow(mirror->streams, mirror->stream_room, sizeof *mirror->streams);
	}
	mirror->streams[mirror->stream_count++] = (struct mirror_stream){
		.user = make_user(mirror, event->user_id),
		.id = arena_keep(arena, event->stream_id),
		.package = arena_keep(arena, event->snapshot_stream.package),
		.kind = (enum kind)event->snapshot_stream.kind,
		.phase = (enum phase)event->snapshot_stream.phase,
		.epoch = event->epoch,
		.missed = event->snapshot_stream.missed,
		.created_ms = event->snapshot_stream.created_ms,
		.activity_ms = event->snapshot_stream.activity_ms,
		.start_delivered = event->snapshot_stream.start_delivered,
		.stop_owed = event->snapshot_stream.stop_owed,
		.told_owed = event->snapshot_stream.told_owed,
		.told_id = arena_keep(arena, event->snapshot_stream.told_id),
		.stop_app_id = arena_keep(arena, event->snapshot_stream.stop_app_id),
		.end_cause = (enum end_cause)event->snapshot_stream.end_cause,
		.hop = (enum hop)event->snapshot_stream.hop,
		.video = arena_keep(arena, event->snapshot_stream.video),
		.audio = arena_keep(arena, event->snapshot_stream.audio),
		.options = arena_keep(arena, event->snapshot_stream.options),
	};
}

static void on_begin(struct mirror *mirror, const struct stream_event *event)
{
	mirror_fini(mirror);
	mirror_init(mirror);
	mirror->upto = event->snapshot_begin.upto;
}

static void date_app(struct mirror *mirror, struct mirror_user *user,
		     const struct stream_event *event)
{
	struct mirror_app *app = user->apps;

	while (app && app->seq != event->seq)
		app = app->next;
	if (!app)
		return;
	app->at_ms = event->sent_ms;
	app->reason = arena_keep(&mirror->arena, event->app_changed.reason);
}

void mirror_date(struct mirror *mirror, const struct stream_event *event)
{
	struct mirror_user *user = mirror_user(mirror, event->user_id);

	if (event->type == EVENT_STREAM_OUTPUT)
		mirror_output_told(mirror, event);
	if (!user)
		return;
	if (event->seq == user->session_seq)
		user->session_at_ms = event->sent_ms;
	if (event->seq == user->glasses_seq)
		user->glasses_at_ms = event->sent_ms;
	if (event->seq == user->link_seq && event->type == EVENT_LINK_CHANGED) {
		user->link_at_ms = event->sent_ms;
		user->link_code = event->link_changed.code;
	}
	if (event->type == EVENT_APP_CHANGED)
		date_app(mirror, user, event);
}

static int oldest_first(const void *a, const void *b)
{
	const struct mirror_stream *one = a, *other = b;

	if (one->created_ms != other->created_ms)
		return one->created_ms < other->created_ms ? -1 : 1;
	return strcmp(one->id.bytes, other->id.bytes);
}

static int by_name(const void *a, const void *b)
{
	const struct mirror_gateway *one = a, *other = b;

	/* gateway-2 before gateway-10 */
	return strverscmp(one->name.bytes, other->name.bytes);
}

static void count_sockets(struct mirror *mirror)
{
	for (struct mirror_user *user = zhashx_first(mirror->users); user;
	     user = zhashx_next(mirror->users)) {
		for (size_t i = 0; i < mirror->gateway_count; i++) {
			struct mirror_gateway *gateway = &mirror->gateways[i];

			if (user->gateway == gateway->incarnation && user->link_state == LINK_UP)
				gateway->links++;
			for (struct mirror_app *app = user->apps; app; app = app->next)
				if (app->gateway == gateway->incarnation && app->link != 0)
					gateway->apps++;
		}
	}
}

static void on_end(struct mirror *mirror)
{
	if (mirror->stream_count > 0)
		qsort(mirror->streams, mirror->stream_count, sizeof *mirror->streams, oldest_first);
	if (mirror->gateway_count > 0)
		qsort(mirror->gateways, mirror->gateway_count, sizeof *mirror->gateways, by_name);
	count_sockets(mirror);
	for (size_t i = 0; i < mirror->stream_count; i++)
		if (mirror->streams[i].kind == KIND_MANAGED)
			mirror->streams[i].managed =
				mirror_managed_made(mirror, mirror->streams[i].id);
}

bool mirror_apply(struct mirror *mirror, const struct stream_event *event, bool *complete)
{
	mirror->rows++;
	switch ((int)event->type) {
	case EVENT_SNAPSHOT_BEGIN:
		on_begin(mirror, event);
		break;
	case EVENT_SNAPSHOT_END:
		*complete = event->snapshot_end.rows == mirror->rows - 1;
		on_end(mirror);
		return true;
	case EVENT_SNAPSHOT_STORE:
		mirror->store_known = true;
		mirror->quarantined = event->snapshot_store.quarantined;
		mirror->rows_damaged = event->snapshot_store.rows_damaged;
		break;
	case EVENT_GATEWAY_CHANGED:
		on_gateway(mirror, event);
		break;
	case EVENT_SESSION_OPENED:
		on_session(mirror, event, event->session_opened.waiting ? "waiting" : "open");
		break;
	case EVENT_SESSION_READY:
		on_session(mirror, event, "ready");
		break;
	case EVENT_SESSION_ENDING:
		on_session(mirror, event, "ending");
		break;
	case EVENT_LINK_CHANGED:
		on_link(mirror, event);
		break;
	case EVENT_GLASSES_CHANGED:
		on_glasses(mirror, event);
		break;
	case EVENT_APP_CHANGED:
		on_app(mirror, event);
		break;
	case EVENT_APP_SUBSCRIBED:
		make_app(mirror, make_user(mirror, event->user_id), event->app_subscribed.package)
			->subscriptions = arena_keep(&mirror->arena, event->app_subscribed.types);
		break;
	case EVENT_SNAPSHOT_STREAM:
		on_stream(mirror, event);
		break;
	case EVENT_SNAPSHOT_MANAGED:
		mirror_managed_row(mirror, event);
		break;
	case EVENT_SNAPSHOT_OUTPUTS:
		mirror_outputs_row(mirror, event);
		break;
	default:
		break; /* a row this build has no use for */
	}
	return false;
}
