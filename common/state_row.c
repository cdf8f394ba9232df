/* SPDX-License-Identifier: MIT */
/* A snapshot as a run of story events, and the records of a store. */
#include "common/state_internal.h"

/* The cursor is (part << 48 | slot << 8 | step).  Everything is walked by its slot, never along a
 * list: a slot stays while its entity lives, so the story may go on between two rows and still
 * nothing is left out that was there from the first row to the last.
 */
enum { PART_MARK, PART_GATEWAYS, PART_USERS, PART_APPS, PART_STREAMS, PART_DONE };
enum { STEP_SESSION, STEP_ENDING, STEP_LINK, STEP_GLASSES, STEP_USER_DONE };
enum { STEP_APP, STEP_SUBSCRIBED, STEP_APP_DONE };
enum { STEP_STREAM, STEP_MANAGED }; /* and on: state_managed_row() counts its own */

static uint64_t cursor_of(unsigned part, uint32_t slot, unsigned step)
{
	return (uint64_t)part << 48 | (uint64_t)slot << 8 | step;
}

bool state_mark_row(const struct state *self, struct stream_event *out)
{
	*out = (struct stream_event){ .type = EVENT_DEPLOYMENT_MARKED, .seq = self->mark_seq };
	out->deployment_marked.mark = text_of(self->mark);
	return self->mark[0] != '\0';
}

void state_gateway_row(const struct state_gateway *gateway, struct stream_event *out)
{
	*out = (struct stream_event){ .type = EVENT_GATEWAY_CHANGED, .seq = gateway->seq };
	out->gateway_changed.gateway = gateway->incarnation;
	out->gateway_changed.name = text_of(gateway->name);
	out->gateway_changed.clock = gateway->clock;
	out->gateway_changed.state = gateway->state;
}

static void app_row(const struct state *self, const struct state_app *app, unsigned step,
		    struct stream_event *out)
{
	if (step == STEP_APP) {
		*out = (struct stream_event){ .type = EVENT_APP_CHANGED, .seq = app->seq };
		out->app_changed.package = state_text(self, app->package);
		out->app_changed.state = app->state;
		out->app_changed.app_type = app->type;
		out->app_changed.link = app->link;
		out->app_changed.gateway = app->gateway;
		out->app_changed.opened_ms = app->opened_ms;
		return;
	}
	*out = (struct stream_event){ .type = EVENT_APP_SUBSCRIBED, .seq = app->subscribed_seq };
	out->app_subscribed.package = state_text(self, app->package);
	out->app_subscribed.types = state_text(self, app->types);
}

/* @url: also when nobody has to be told of it any more. */
static void stream_row(const struct state *self, const struct state_stream *stream, bool url,
		       struct stream_event *out)
{
	*out = (struct stream_event){ .type = EVENT_SNAPSHOT_STREAM,
				      .seq = stream->seq,
				      .stream_id = state_text(self, stream->id),
				      .epoch = stream->epoch,
				      .stream_seq = stream->stream_seq };
	out->snapshot_stream.kind = stream->kind;
	out->snapshot_stream.package = state_text(self, stream->package);
	/* A managed input is taken over by its URL (provider.adopt). */
	if (url || !stream->start_delivered || stream->kind == KIND_MANAGED)
		out->snapshot_stream.rtmp_url = state_text(self, stream->rtmp_url);
	if (!stream->start_delivered) {
		out->snapshot_stream.video = state_text(self, stream->video);
		out->snapshot_stream.audio = state_text(self, stream->audio);
		out->snapshot_stream.options = state_text(self, stream->options);
	}
	out->snapshot_stream.phase = stream->phase;
	out->snapshot_stream.created_ms = stream->created_ms;
	out->snapshot_stream.activity_ms = stream->activity_ms;
	out->snapshot_stream.opened_seq = stream->opened_seq;
	out->snapshot_stream.phase_seq = stream->activity_seq;
	out->snapshot_stream.status_seq = stream->status_seq;
	out->snapshot_stream.status_stream_seq = stream->status_stream_seq;
	out->snapshot_stream.missed = stream->missed;
	out->snapshot_stream.start_delivered = stream->start_delivered;
	out->snapshot_stream.was_live = stream->was_live;
	out->snapshot_stream.stop_owed = stream->stop_owed;
	out->snapshot_stream.told_id = state_text(self, stream->told_id);
	out->snapshot_stream.stop_app_id = state_text(self, stream->stop_app_id);
	out->snapshot_stream.told_owed = stream->told_owed;
	out->snapshot_stream.end_cause = stream->end_cause;
	out->snapshot_stream.hop = stream->hop;
	out->snapshot_stream.closed_ms = stream->closed_ms;
	out->snapshot_stream.by = state_text(self, stream->by);
	out->snapshot_stream.status = stream->status;
	out->snapshot_stream.detail = state_text(self, stream->detail);
	out->snapshot_stream.link_state = stream->link_state;
	out->snapshot_stream.last_ack_age_ms = stream->last_ack_age_ms;
	out->user_id = state_text(self, self->users[stream->user].id);
}

static bool session_row(const struct state_user *user, unsigned step, struct stream_event *out)
{
	if (user->session == SESSION_NONE)
		return false;
	if (step == STEP_ENDING && user->session != SESSION_ENDING)
		return false;
	*out = (struct stream_event){ .type = step == STEP_ENDING ? EVENT_SESSION_ENDING
								  : EVENT_SESSION_OPENED,
				      .seq = user->session_seq,
				      .epoch = user->last_epoch };
	if (step == STEP_SESSION) {
		out->session_opened.waiting = user->session == SESSION_WAITING;
		/* One older, so that the ending row behind it still counts as news. */
		out->seq -= user->session == SESSION_ENDING;
	}
	return true;
}

static bool link_row(const struct state *self, const struct state_user *user, unsigned step,
		     struct stream_event *out)
{
	if (step == STEP_LINK) {
		if (user->link_state == LINK_NONE)
			return false;
		*out = (struct stream_event){ .type = EVENT_LINK_CHANGED, .seq = user->link_seq };
		out->link_changed.link = user->link;
		out->link_changed.gateway = user->gateway;
		out->link_changed.state = user->link_state;
		out->link_changed.opened_ms = user->link_opened_ms;
		return true;
	}
	if (user->glasses_seq == 0 || user->session == SESSION_NONE)
		return false;
	*out = (struct stream_event){ .type = EVENT_GLASSES_CHANGED, .seq = user->glasses_seq };
	out->glasses_changed.model = state_text(self, user->model);
	out->glasses_changed.connected = user->connected;
	out->glasses_changed.wifi = user->wifi;
	return true;
}

/* Each part_row(): the row at (@slot, @step), moved on past what has none; false: the slot is done.
 */
static bool part_mark(const struct state *self, uint32_t slot, unsigned *step,
		      struct stream_event *out)
{
	(void)slot;
	return *step == 0 && state_mark_row(self, out);
}

static bool part_gateways(const struct state *self, uint32_t slot, unsigned *step,
			  struct stream_event *out)
{
	if (self->gateways[slot].incarnation == 0 || *step > 0)
		return false;
	state_gateway_row(&self->gateways[slot], out);
	return true;
}

static bool user_row(const struct state *self, const struct state_user *user, unsigned *step,
		     struct stream_event *out)
{
	for (; *step < STEP_USER_DONE; (*step)++) {
		bool there = *step <= STEP_ENDING ? session_row(user, *step, out)
						  : link_row(self, user, *step, out);
		if (!there)
			continue;
		out->user_id = state_text(self, user->id);
		return true;
	}
	return false;
}

static bool part_users(const struct state *self, uint32_t slot, unsigned *step,
		       struct stream_event *out)
{
	const struct state_user *user = &self->users[slot];

	return user->used && !user->dormant && user_row(self, user, step, out);
}

/* Apps that do not run are remembered here and nowhere else. */
static bool part_apps(const struct state *self, uint32_t slot, unsigned *step,
		      struct stream_event *out)
{
	const struct state_app *app = &self->apps[slot];

	if (app->package.length == 0 || app->state == APP_STOPPED || *step >= STEP_APP_DONE ||
	    (*step == STEP_SUBSCRIBED && app->types.length == 0))
		return false;
	app_row(self, app, *step, out);
	out->user_id = state_text(self, self->users[app->user].id);
	return true;
}

static bool part_streams(const struct state *self, uint32_t slot, unsigned *step,
			 struct stream_event *out)
{
	const struct state_stream *stream = &self->streams[slot];

	if (stream->phase == PHASE_NONE)
		return false;
	if (*step == STEP_STREAM) {
		stream_row(self, stream, false, out);
		return true;
	}
	return state_managed_row(self, stream, *step - STEP_MANAGED, out);
}

static bool (*const part_row[PART_DONE])(const struct state *self, uint32_t slot, unsigned *step,
					 struct stream_event *out) = {
	[PART_MARK] = part_mark, [PART_GATEWAYS] = part_gateways, [PART_USERS] = part_users,
	[PART_APPS] = part_apps, [PART_STREAMS] = part_streams,
};

bool state_row(const struct state *self, uint64_t *cursor, struct stream_event *out)
{
	const uint32_t slots[PART_DONE] = {
		[PART_MARK] = 1,
		[PART_GATEWAYS] = GATEWAYS_MAX,
		[PART_USERS] = self->users_fresh,
		[PART_APPS] = self->apps_fresh,
		[PART_STREAMS] = self->streams_fresh,
	};
	unsigned part = (unsigned)(*cursor >> 48);
	uint32_t slot = (uint32_t)(*cursor >> 8);
	unsigned step = (unsigned)(*cursor & 0xff);

	for (; part < PART_DONE; part++, slot = 0)
		for (; slot < slots[part]; slot++, step = 0)
			if (part_row[part](self, slot, &step, out)) {
				*cursor = cursor_of(part, slot, step + 1);
				return true;
			}
	*cursor = cursor_of(PART_DONE, 0, 0);
	return false;
}

/* The first of what @user has in @part, and the one behind @slot; STATE_NONE: there is none. */
static uint32_t first_of(const struct state *self, const struct state_user *user, unsigned part)
{
	if (part == PART_USERS)
		return (uint32_t)(user - self->users);
	if (part == PART_APPS)
		return user->apps;
	return user->active != STATE_NONE ? user->active : user->liabilities;
}

static uint32_t next_of(const struct state *self, const struct state_user *user, unsigned part,
			uint32_t slot)
{
	if (part == PART_USERS)
		return STATE_NONE;
	if (part == PART_APPS)
		return self->apps[slot].next;
	return slot == user->active ? user->liabilities : self->streams[slot].next;
}

static bool is_of(const struct state *self, const struct state_user *user, unsigned part,
		  uint32_t slot)
{
	uint32_t place = (uint32_t)(user - self->users);

	if (part == PART_APPS)
		return self->apps[slot].user == place;
	return part == PART_USERS ? slot == place : self->streams[slot].user == place;
}

/* Along the lists: the rows come in one go, or what has changed meanwhile may be left out. */
static bool row_of(const struct state *self, const struct state_user *user, uint64_t *cursor,
		   struct stream_event *out)
{
	bool begins = *cursor == 0;
	unsigned part = begins ? PART_USERS : (unsigned)(*cursor >> 48);
	uint32_t slot = begins ? first_of(self, user, part) : (uint32_t)(*cursor >> 8);
	unsigned step = (unsigned)(*cursor & 0xff);

	while (part < PART_DONE) {
		for (; slot != STATE_NONE && is_of(self, user, part, slot);
		     slot = next_of(self, user, part, slot), step = 0)
			if (part_row[part](self, slot, &step, out)) {
				*cursor = cursor_of(part, slot, step + 1);
				return true;
			}
		slot = first_of(self, user, ++part);
		step = 0;
	}
	return false;
}

bool state_row_asked(const struct state *self, const struct stream_event *get, uint64_t *cursor,
		     struct stream_event *out)
{
	const struct state_user *user;
	const struct state_stream *stream;

	if (get->user_id.length == 0 && get->stream_id.length == 0)
		return state_row(self, cursor, out);
	user = state_user_find(self, get->user_id);
	stream = user ? NULL : state_stream_find(self, get->stream_id);
	if (stream)
		user = state_user_of(self, stream->user);
	return user && row_of(self, user, cursor, out);
}

void state_record_begin(const struct state *self, const struct state_user *user,
			struct state_record *record)
{
	(void)self;
	*record = (struct state_record){ .user = user,
					 .app = user->apps,
					 .stream = user->active != STATE_NONE ? user->active
									      : user->liabilities };
}

static void remembered_row(const struct state *self, const struct state_app *app,
			   struct stream_event *out)
{
	*out = (struct stream_event){ .type = EVENT_SNAPSHOT_REMEMBERED, .seq = app->seq };
	out->user_id = state_text(self, self->users[app->user].id);
	out->snapshot_remembered.package = state_text(self, app->package);
	out->snapshot_remembered.app_type = app->type;
}

/* The active stream first, then those that owe something. */
static bool record_stream(const struct state *self, struct state_record *record,
			  struct stream_event *out)
{
	for (; record->stream != STATE_NONE; record->stream_step = STEP_STREAM) {
		const struct state_stream *stream = &self->streams[record->stream];
		const unsigned step = record->stream_step++;

		if (step == STEP_STREAM) {
			stream_row(self, stream, true, out);
			return true;
		}
		if (state_managed_row(self, stream, step - STEP_MANAGED, out))
			return true;
		record->stream = record->stream == record->user->active ? record->user->liabilities
									: stream->next;
	}
	return false;
}

static bool record_app(const struct state *self, struct state_record *record,
		       struct stream_event *out)
{
	for (; record->app != STATE_NONE; record->app_step = 0) {
		const struct state_app *app = &self->apps[record->app];
		bool runs = app->state != APP_STOPPED;

		if (runs && part_apps(self, record->app, &record->app_step, out)) {
			record->app_step++;
			return true;
		}
		record->app = app->next;
		if (!runs) {
			remembered_row(self, app, out);
			return true;
		}
	}
	return false;
}

/* Streams before apps: a user of whom only apps are remembered is put away at once. */
bool state_record_next(const struct state *self, struct state_record *record,
		       struct stream_event *out)
{
	if (user_row(self, record->user, &record->user_step, out)) {
		record->user_step++;
		return true;
	}
	return record_stream(self, record, out) || record_app(self, record, out);
}
