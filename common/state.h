/* SPDX-License-Identifier: MIT */
/* state.h - what the registry's story has told so far.
 *
 * The one place where a story event changes anything: the registry applies its own events here
 * before it releases them, adapters apply what they follow.  Replaying the story therefore gives
 * the same state everywhere.  Pure; memory comes from the caller; every table has a capacity.
 */
#pragma once

#include "common/pool.h"
#include "common/table.h"
#include "proto/stream_event.h"

#define GATEWAYS_MAX 128
#define APPS_PER_USER_MAX 16
#define STATE_NONE TABLE_NONE /* no slot */
#define STATE_OUTPUT_NUMBER_MAX 1000000 /* of one stream, in all its life */
_Static_assert(STATE_NONE == UINT32_MAX, "slots are plain numbers");

enum session_state {
	SESSION_NONE = 0, /* not here; its apps may be remembered */
	SESSION_WAITING, /* new: connection_ack waits for the apps that ran before */
	SESSION_OPEN,
	SESSION_ENDING, /* grace is over: statuses are told, then the apps are closed */
};

/* What an app is subscribed to, as far as anybody but the relay cares. */
enum {
	WANTS_RTMP_STATUS = 1 << 0,
	WANTS_MANAGED_STATUS = 1 << 1,
	WANTS_ALL = 1 << 2, /* "all" or "*" */
	WANTS_OTHER = 1 << 3,
};

struct state_gateway {
	uint64_t incarnation; /* 0: free slot */
	char name[NAME_MAX_BYTES + 1];
	enum link_state state;
	uint64_t seq;
	uint64_t clock; /* that the times of its sockets are told by; 0: not known */
};

struct state_user {
	struct pooled id, model;
	uint64_t session_seq, link_seq, glasses_seq;
	uint64_t link, gateway; /* glasses socket and its holder; valid while link_state is UP */
	int64_t link_opened_ms; /* by its gateway's clock; 0: not known */
	uint64_t last_epoch;
	uint32_t apps; /* list through state_app.next */
	uint32_t active; /* the one live stream, or STATE_NONE */
	uint32_t liabilities; /* closed streams that still owe something, through .next */
	uint32_t older, newer; /* dormant users; .older links free slots too */
	uint32_t streams; /* records that are its own, in whichever list or in none */
	uint8_t session, link_state, wifi; /* enum session_state, link_state, wifi */
	bool used, connected, dormant;
};

struct state_app {
	struct pooled package, types;
	uint64_t seq, subscribed_seq; /* story seqs that last changed it and its subscriptions */
	uint64_t link, gateway; /* newest socket; link 0: none */
	uint64_t opened_seq; /* when it took that socket */
	int64_t opened_ms; /* when that socket's init came; as state_user.link_opened_ms */
	uint32_t user, next;
	uint8_t state, type, wants; /* enum app_state, app_type; WANTS_* */
};

struct state_stream {
	struct pooled id, package, rtmp_url, video, audio, options, by, detail, told_id,
		stop_app_id;
	uint64_t epoch, seq, stream_seq;
	uint64_t opened_seq;
	uint64_t activity_seq; /* last event but the end: timers of the stream carry it */
	uint64_t status_seq, status_stream_seq; /* last event that apps are told of */
	int64_t created_ms, activity_ms, closed_ms; /* Unix time, for people */
	int64_t last_ack_age_ms;
	uint64_t missed;
	uint32_t user, next;
	uint8_t kind, phase, end_cause, hop, status, link_state;
	/* told_owed of a managed stream: some viewer is VIEWER_OWED; input_owed: INPUT_OWED. */
	bool start_delivered, was_live, stop_owed, told_owed, input_owed;
};

/* The managed half of a stream.  It is versioned by itself, so that its row, which follows that of
 * the stream in a snapshot, and the story may come in any order.
 */
struct state_viewer {
	struct pooled package;
	uint8_t state; /* enum viewer */
};

struct state_output {
	struct pooled url, name, package, remote_id, error; /* @package added it */
	uint32_t number; /* from 1; 0: free */
	uint8_t state; /* enum output_state */
	bool initial;
};

struct state_managed {
	uint64_t seq; /* last event that changed it, outputs aside */
	struct pooled input_id, hls, dash, webrtc, preview, thumbnail;
	struct state_viewer viewers[VIEWERS_MAX]; /* in the order they joined, without gaps */
	uint8_t provider, input, ingest, playback; /* enums of those names; input: input_state */
};

struct state_outputs {
	uint64_t seq; /* 0: there never were any */
	struct state_output items[OUTPUTS_MAX]; /* by number, without gaps */
	uint32_t next_number;
};

#define STATE_LISTS_BYTES (VIEWERS_BYTES + OUTPUT_RECORDS_BYTES)

struct state_options {
	uint32_t users_max, apps_max, streams_max;
	size_t text_bytes; /* region of the pool */
	uint64_t hash_seed; /* of the user index: users choose their names */
	bool remember_apps; /* keep the running apps of a closed session for its user's return */
};

struct state {
	struct state_options options;
	struct state_gateway gateways[GATEWAYS_MAX];
	char mark[MARK_MAX + 1]; /* of this deployment, in what it provisions; empty: none yet */
	uint64_t mark_seq;
	struct state_user *users;
	struct state_app *apps;
	struct state_stream *streams;
	struct state_managed *managed; /* by slot of streams; of managed ones only */
	struct state_outputs *outputs; /* likewise */
	uint8_t *lists; /* rows' lists are built here */
	uint32_t users_free, apps_free, streams_free; /* heads of freed slots */
	uint32_t users_fresh, apps_fresh, streams_fresh; /* first slots never used */
	uint32_t users_count, apps_count, streams_count; /* in use; users include the dormant */
	uint32_t sessions_count, active_count, dormant_count;
	uint32_t dormant_oldest, dormant_newest;
	struct table user_index, stream_index;
	struct pool pool;
	/* May be set: a user who was remembered is about to be forgotten, for want of room. */
	void (*forgets)(void *context, struct text user_id);
	void *forgets_context;
};

/* state_bytes() - memory that state_init() needs for @options; zeroed by the caller. */
size_t state_bytes(const struct state_options *options);
void state_init(struct state *self, const struct state_options *options, void *memory);

/* state_clear() - forget everything. */
void state_clear(struct state *self);

/* state_settle() - free texts that the last events replaced; call when nothing borrows them. */
void state_settle(struct state *self);

enum {
	_STATE_E_SUCCESS,
	STATE_E_OLD, /* the entity has seen this event or a newer one: nothing changed */
	STATE_E_FULL, /* a table or the pool is full: nothing changed that matters */
};

/* state_apply() - let @event of the story, or a snapshot row, take effect.
 *
 * Events of other kinds change nothing.  Return: 0, STATE_E_OLD or STATE_E_FULL.
 */
int state_apply(struct state *self, const struct stream_event *event);

/* state_has_room() - one more user, app and stream with texts of any allowed size will fit. */
bool state_has_room(const struct state *self);

/* Look-ups: NULL if there is none.  Slots stay valid until the entity is gone. */
struct state_user *state_user_find(const struct state *self, struct text id);
struct state_stream *state_stream_find(const struct state *self, struct text id);
struct state_app *state_app_find(const struct state *self, const struct state_user *user,
				 struct text package);
struct state_gateway *state_gateway_find(const struct state *self, uint64_t incarnation);
struct state_user *state_user_of(const struct state *self, uint32_t slot);
struct state_app *state_app_at(const struct state *self, uint32_t slot);
struct state_stream *state_stream_at(const struct state *self, uint32_t slot);
struct state_stream *state_active(const struct state *self, const struct state_user *user);

/* Of a managed stream; never NULL, also while nothing is known of it. */
struct state_managed *state_managed_of(const struct state *self, const struct state_stream *stream);
struct state_outputs *state_outputs_of(const struct state *self, const struct state_stream *stream);
/* NULL if there is none.  A viewer that left and must still be told is one, too. */
struct state_viewer *state_viewer_find(const struct state *self, const struct state_stream *stream,
				       struct text package);
struct state_output *state_output_find(const struct state *self, const struct state_stream *stream,
				       uint64_t number);
uint32_t state_viewers_watching(const struct state *self, const struct state_stream *stream);

/* state_viewers_owed() - whether somebody must be told if @stream ended now by @cause: who can be
 * reached of those who watch, and who left and was not told yet.
 */
bool state_viewers_owed(const struct state *self, const struct state_stream *stream,
			enum end_cause cause);

struct text state_text(const struct state *self, struct pooled kept);

/* state_link() - the glasses link as it is known now: a lost gateway makes it lost. */
enum link_state state_link(const struct state *self, const struct state_user *user);

/* state_app_running() - it may ask for streams; its socket may be lost for a moment. */
static inline bool state_app_running(const struct state_app *app)
{
	return app->state == APP_RUNNING || app->state == APP_GRACE;
}

/* state_app_reachable() - running with an open socket on a gateway that is not gone. */
bool state_app_reachable(const struct state *self, const struct state_app *app);

/* state_wants_of() - WANTS_* of a list of subscriptions. */
uint8_t state_wants_of(struct text types);

/* state_row() - the next row of a snapshot.
 *
 * @cursor starts at 0 and is opaque; texts are borrowed until the next state_apply().  Rows made
 * between two applies are consistent; a follower orders the rest by seq.
 *
 * Return: false when there are no more.
 */
bool state_row(const struct state *self, uint64_t *cursor, struct stream_event *out);

/* state_row_asked() - likewise; if @get names a user, or a stream and no user that
 * there is, only the rows of that user.
 */
bool state_row_asked(const struct state *self, const struct stream_event *get, uint64_t *cursor,
		     struct stream_event *out);

/* What a store keeps of one user: rows that rebuild it in an empty state, secrets and remembered
 * apps included.  Texts are borrowed until the next state_apply().
 */
struct state_record {
	const struct state_user *user;
	unsigned user_step, app_step, stream_step;
	uint32_t app, stream; /* that come next */
};

void state_record_begin(const struct state *self, const struct state_user *user,
			struct state_record *record);
/* state_record_next() - false when there are no more rows. */
bool state_record_next(const struct state *self, struct state_record *record,
		       struct stream_event *out);

/* state_mark_row() - the row that rebuilds the mark; false if there is none. */
bool state_mark_row(const struct state *self, struct stream_event *out);

/* state_gateway_row() - the row that rebuilds @gateway. */
void state_gateway_row(const struct state_gateway *gateway, struct stream_event *out);

/* state_hash() - of everything a replay must rebuild; for tests. */
uint64_t state_hash(const struct state *self);
