/* SPDX-License-Identifier: MIT */
/* What is said to glasses and apps about managed streams (protocol.md 4.3, 5.4).  Gateways drop
 * what they have said already, so saying a thing twice is safe and saying it never is the only
 * mistake.
 */
#include "actors/managed-adapter/managed_internal.h"
#include "proto/list.h"

_Static_assert(MANAGED_RECORD_ARENA >= OUTPUT_RECORDS_BYTES + DETAIL_MAX,
	       "one list of records, too");

#define APP_ID TEXT("MANAGED_STREAM")
#define TIMED_OUT "Stream timed out waiting for keep-alive"
#define DEVICE_FAILED "Stream error reported by glasses"

bool managed_deliver_room(const struct managed *self)
{
	return effects_room(self->fx) >= MANAGED_RECORD_ROOM &&
	       EFFECTS_ARENA_SIZE - self->fx->arena_used >= MANAGED_RECORD_ARENA;
}

void managed_deliver_start(struct managed *self, const struct state_stream *stream)
{
	asks_deliver_start(&self->asks, stream, APP_ID);
}

/* ---- outputs ---- */

static struct text word_of(const struct state_output *output, bool record)
{
	if (output->state == OUTPUT_ACTIVE)
		return TEXT("active");
	if (output->state == OUTPUT_ERROR || (record && output->state == OUTPUT_REFUSED))
		return TEXT("error");
	return TEXT("stopped");
}

static bool is_shown(const struct state_output *output)
{
	return output->state == OUTPUT_IDLE || output->state == OUTPUT_ACTIVE ||
	       output->state == OUTPUT_ERROR || output->state == OUTPUT_REMOVING;
}

/* [url, name, status, error]; those named by the first request go without a name. */
static void put_output(const struct managed *self, struct list_writer *list,
		       const struct state_output *output)
{
	bool failed = output->state == OUTPUT_ERROR;

	list_open_member(list, 4);
	list_put_text(list, managed_text(self, output->url));
	list_put_text(list,
		      output->initial ? (struct text){ 0 } : managed_text(self, output->name));
	list_put_text(list, word_of(output, false));
	list_put_text(list, failed ? managed_text(self, output->error) : (struct text){ 0 });
	(void)list_close_member(list);
}

static void put_record(const struct managed *self, struct list_writer *list,
		       const struct state_output *output)
{
	list_open_member(list, 6);
	list_put_u64(list, output->number);
	list_put_text(list, managed_text(self, output->url));
	list_put_text(list, managed_text(self, output->name));
	list_put_text(list, managed_text(self, output->package));
	list_put_text(list, word_of(output, true));
	list_put_text(list, managed_text(self, output->error));
	(void)list_close_member(list);
}

static struct text list_outputs(struct managed *self, const struct state_stream *stream,
				bool record)
{
	const struct state_outputs *outputs = state_outputs_of(&self->state, stream);
	uint8_t bytes[OUTPUT_RECORDS_BYTES];
	struct list_writer list;
	unsigned count = 0;

	list_begin(&list, bytes, record ? OUTPUT_RECORDS_BYTES : OUTPUTS_BYTES);
	for (unsigned i = 0; i < OUTPUTS_MAX && outputs->items[i].number != 0; i++) {
		if (!record && !is_shown(&outputs->items[i]))
			continue;
		if (record)
			put_record(self, &list, &outputs->items[i]);
		else
			put_output(self, &list, &outputs->items[i]);
		count++;
	}
	if (count == 0 && !record)
		return (struct text){ 0 };
	return effects_keep(self->fx, list_end(&list));
}

struct text managed_outputs_records(struct managed *self, const struct state_stream *stream)
{
	return list_outputs(self, stream, true);
}

/* ---- statuses ---- */

static void tell(struct managed *self, const struct state_stream *stream,
		 const struct state_app *app, const struct managed_words *words,
		 struct text outputs)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);
	struct stream_event *event = asks_deliver(&self->asks, app->gateway, EVENT_DELIVER_MANAGED,
						  state_user_of(&self->state, stream->user));

	event->stream_id = managed_text(self, stream->id);
	event->epoch = stream->epoch;
	event->stream_seq = words->stream_seq;
	event->deliver_managed.link = app->link;
	event->deliver_managed.package = managed_text(self, app->package);
	event->deliver_managed.status = text_of(words->status);
	event->deliver_managed.message = words->message;
	event->deliver_managed.hls = managed_text(self, managed->hls);
	event->deliver_managed.dash = managed_text(self, managed->dash);
	event->deliver_managed.webrtc = managed_text(self, managed->webrtc);
	if (words->preview)
		event->deliver_managed.preview = managed_text(self, managed->preview);
	if (words->thumbnail)
		event->deliver_managed.thumbnail = managed_text(self, managed->thumbnail);
	event->deliver_managed.outputs = outputs;
	event->deliver_managed.terminal = words->terminal;
	event->deliver_managed.reply = words->reply;
}

static const struct state_app *reachable(const struct managed *self,
					 const struct state_stream *stream, struct text package)
{
	const struct state_user *user = state_user_of(&self->state, stream->user);
	const struct state_app *app = state_app_find(&self->state, user, package);

	return app && state_app_reachable(&self->state, app) ? app : NULL;
}

void managed_tell_app(struct managed *self, const struct state_stream *stream, struct text package,
		      const struct managed_words *words)
{
	const struct state_app *app = reachable(self, stream, package);

	if (app)
		tell(self, stream, app, words, list_outputs(self, stream, false));
}

/* In the order in which they joined.  @before: only sockets that are older than that. */
static void tell_viewers(struct managed *self, const struct state_stream *stream, enum viewer which,
			 uint64_t before, const struct managed_words *words)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);
	struct text outputs = { 0 };
	bool listed = false;

	for (unsigned i = 0; i < VIEWERS_MAX; i++) {
		const struct state_viewer *viewer = &managed->viewers[i];
		const struct state_app *app =
			viewer->state == which
				? reachable(self, stream, managed_text(self, viewer->package))
				: NULL;

		if (!app || app->opened_seq >= before)
			continue;
		if (!listed)
			outputs = list_outputs(self, stream, false);
		listed = true;
		tell(self, stream, app, words, outputs);
	}
}

void managed_tell_all(struct managed *self, const struct state_stream *stream,
		      const struct managed_words *words)
{
	tell_viewers(self, stream, VIEWER_WATCHING, UINT64_MAX, words);
}

static struct text end_message(const struct managed *self, const struct state_stream *stream)
{
	struct text detail = managed_text(self, stream->detail);

	switch ((enum end_cause)stream->end_cause) {
	case END_DEVICE_ERROR:
	case END_RECONNECT_FAILED:
	case END_DEVICE_TIMEOUT:
		return detail.length > 0 ? detail : TEXT(DEVICE_FAILED);
	case END_ACKS_MISSED:
	case END_GLASSES_LOST:
	case END_PHONE_LOST:
	case END_GATEWAY_LOST:
	case END_NEVER_STARTED:
	case END_STALLED:
	case END_SESSION_ENDED:
		return TEXT(TIMED_OUT);
	case END_PROVIDER_ERROR:
		return detail;
	default:
		return (struct text){ 0 };
	}
}

/* Who left a stream that goes on has just stopped watching; else the end says how it was. */
void managed_tell_owed(struct managed *self, const struct state_stream *stream)
{
	struct managed_words words = { .status = "stopped",
				       .terminal = true,
				       .stream_seq = stream->stream_seq };

	if (!stream->told_owed)
		return;
	if (stream->phase == PHASE_CLOSED) {
		words.status = phase_end_rule(KIND_MANAGED, stream->end_cause)->word;
		words.message = end_message(self, stream);
	}
	tell_viewers(self, stream, VIEWER_OWED, UINT64_MAX, &words);
}

/* ---- what is still owed ---- */

static void settle(struct managed *self, const struct state_stream *stream)
{
	size_t before = self->fx->count;

	managed_tell_owed(self, stream);
	if (stream->phase == PHASE_CLOSED && stream->stop_owed)
		asks_deliver_stop(&self->asks, stream);
	else if (stream->phase != PHASE_CLOSED && !stream->start_delivered &&
		 state_managed_of(&self->state, stream)->input == INPUT_READY)
		managed_deliver_start(self, stream);
	self->stats.said_again += self->fx->count - before;
}

void managed_settle_user(struct managed *self, const struct state_user *user)
{
	const struct state_stream *active = managed_active(self, user);

	if (user->session != SESSION_OPEN && user->session != SESSION_ENDING)
		return;
	for (uint32_t slot = user->liabilities; slot != STATE_NONE;) {
		const struct state_stream *stream = state_stream_at(&self->state, slot);

		slot = stream->next;
		if (stream->kind == KIND_MANAGED && managed_deliver_room(self))
			settle(self, stream);
	}
	if (active && managed_deliver_room(self))
		settle(self, active);
}

/* The last thing that all were told, as far as the record shows it. */
static void repeat_word(struct managed *self, const struct state_stream *stream)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);
	struct managed_words words = { .status = phase_app_word(stream->phase),
				       .stream_seq = stream->status_stream_seq };

	if (managed->input != INPUT_READY)
		return;
	if (stream->phase == PHASE_PROVISIONING || stream->status == DEVICE_NONE)
		words.message = TEXT("Waiting for stream to start...");
	else if (managed->playback == PLAYBACK_LIVE && stream->phase == PHASE_LIVE) {
		words.message = TEXT("Stream is now live");
		words.preview = true;
	}
	tell_viewers(self, stream, VIEWER_WATCHING, stream->status_seq, &words);
}

static void count(struct managed *self, const struct state_stream *stream)
{
	enum input_state input = (enum input_state)state_managed_of(&self->state, stream)->input;

	self->in_use += input == INPUT_READY;
	self->owed += input == INPUT_OWED;
}

void managed_repeat_step(struct managed *self)
{
	for (unsigned looked = 0; looked < MANAGED_SLOTS_PER_CALL; looked++) {
		if (self->repeat_slot >= self->state.streams_fresh) {
			self->repeat_slot = STATE_NONE;
			self->repeat_words = false;
			self->repeat_ms = self->now_ms + MANAGED_REPEAT_MS;
			self->stats.in_use = self->in_use;
			self->stats.owed = self->owed;
			return;
		}
		if (!managed_deliver_room(self))
			return;
		const struct state_stream *stream =
			state_stream_at(&self->state, self->repeat_slot++);

		if (!stream || stream->kind != KIND_MANAGED)
			continue;
		count(self, stream);
		settle(self, stream);
		if (self->repeat_words && phase_active(stream->phase))
			repeat_word(self, stream);
	}
}
