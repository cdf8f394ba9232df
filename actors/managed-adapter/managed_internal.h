/* SPDX-License-Identifier: MIT */
/* managed_internal.h - shared by the files of the managed adapter's core. */
#pragma once

#include "actors/managed-adapter/managed_core.h"
#include "common/phase.h"

/* What is being done for one stream; it follows from its record, and from what this life has done.
 */
enum managed_stage {
	STAGE_NONE = 0,
	STAGE_CREATE, /* its input is wanted */
	STAGE_OUTPUTS, /* it is made; the first answers of initial outputs are waited for */
	STAGE_MADE, /* the registry was told so */
	STAGE_FAILED, /* the registry was told that it cannot be made */
	STAGE_START, /* looked at often, until it plays */
	STAGE_LIVE, /* looked at now and then */
	STAGE_DELETE, /* owed, by its id */
	STAGE_SEARCH, /* owed, if it was ever made: lists will tell */
	STAGE_GONE, /* the registry was told that nothing is left */
};

/* What create answered; needed until the story tells it, whose copy has no secret. */
enum made_text {
	MADE_ID,
	MADE_INGEST,
	MADE_HLS,
	MADE_DASH,
	MADE_WEBRTC,
	MADE_PREVIEW,
	MADE_THUMBNAIL,
	MADE_TEXTS
};

struct output_work {
	uint32_t number; /* 0: free */
	uint32_t tries;
	bool removing; /* what the last call was to do */
	uint64_t call; /* under way; 0: none */
	int64_t due_ms; /* the next try */
};

struct managed_work {
	bool used;
	uint8_t stage; /* enum managed_stage */
	uint8_t absent; /* SEARCH: complete lists without it */
	bool doubt; /* an input may have been made that nobody knows of */
	bool details; /* the device streams: what is known of it is told once */
	bool suspect; /* a complete list does not have its input */
	bool paced; /* its deletes take turns, MANAGED_DELETES_PER_S */
	bool turn; /* and it has one, at due_ms */
	uint32_t tries;
	uint64_t call; /* create, describe or delete under way; 0: none */
	int64_t due_ms; /* the next step of the stage; INT64_MAX: it waits */
	int64_t outputs_ms; /* and of its outputs */
	int64_t since_ms; /* the stage is that old */
	int64_t absent_ms; /* of the last list without it */
	uint64_t round; /* of the last comparison that listed its input */
	uint32_t adds; /* initial outputs that the story has not told of */
	struct pooled input_id; /* known to the index, if not empty */
	struct pooled destinations; /* of the request that opened it, as they came */
	struct pooled detail; /* what the provider said last */
	struct pooled made[MADE_TEXTS];
	struct output_work outputs[OUTPUTS_MAX];
};

#define SLOT_AWAY (STATE_NONE - 1) /* of a work that waits for the end of a snapshot */

struct managed_call {
	uint64_t number; /* 0: free */
	uint32_t slot; /* of a work; STATE_NONE: of the comparison; or SLOT_AWAY */
	uint32_t output; /* number; 0: not about an output */
	uint16_t type; /* enum stream_event_type */
};

struct managed_rate {
	uint64_t user; /* hash */
	int64_t began_ms;
	uint32_t count;
};

/* One of our own requests to the registry: an initial output. */
struct managed_add {
	uint64_t request; /* 0: free */
	uint32_t slot; /* of the work; STATE_NONE: there has been a snapshot since */
	uint32_t index; /* among its destinations */
};

/* An input with our mark and without a record. */
struct managed_seen {
	char id[INPUT_ID_MAX];
	uint8_t id_length; /* 0: free */
	bool looked; /* the provider says that nothing publishes to it */
	uint64_t round; /* that listed it last */
	uint64_t age_s; /* as listed; 0: not known */
	int64_t since_ms; /* first seen */
};

/* What must outlive a snapshot: secrets that its story will not have. */
struct managed_kept {
	char stream_id[STREAM_ID_MAX];
	uint8_t length; /* 0: free */
	struct pooled input_id, ingest, destinations;
};

/* What is under way for a stream while nobody knows in which slot it will be. */
struct managed_away {
	char stream_id[STREAM_ID_MAX];
	uint8_t length;
	struct managed_work work;
};

static inline struct text managed_text(const struct managed *self, struct pooled kept)
{
	return state_text(&self->state, kept);
}

static inline struct managed_work *managed_work_of(const struct managed *self,
						   const struct state_stream *stream)
{
	return &self->works[stream - self->state.streams];
}

static inline const struct state_stream *managed_stream_of(const struct managed *self,
							   const struct managed_work *work)
{
	return state_stream_at(&self->state, (uint32_t)(work - self->works));
}

/* The name of its input: as the story told it, or, if the mirror had no room for that, as the
 * provider did.  Empty: not known.
 */
static inline struct text managed_input_of(const struct managed *self,
					   const struct managed_work *work,
					   const struct state_stream *stream)
{
	struct text told = managed_text(self, state_managed_of(&self->state, stream)->input_id);

	return told.length > 0 ? told : pool_text(&self->texts, work->input_id);
}

/* The user's running stream if it is a managed one, or NULL. */
const struct state_stream *managed_active(const struct managed *self,
					  const struct state_user *user);

/* managed_requests.c */
void managed_act(void *context, struct ask *ask);
void managed_on_result(struct managed *self, const struct stream_event *event);
/* The story of @ask: @stream was opened or joined for it. */
void managed_ask_story(struct managed *self, struct ask *ask, const struct state_stream *stream);
/* Whoever waited for @stream: it is provisioned. */
void managed_asks_provisioned(struct managed *self, struct text stream_id);
/* It is closed: @refusal, if it could not be made at all. */
void managed_asks_closed(struct managed *self, struct text stream_id,
			 const struct refusal *refusal);
void managed_asks_left(struct managed *self, struct text stream_id, struct text package);
void managed_asks_output(struct managed *self, struct text stream_id,
			 const struct stream_event *event);
/* A snapshot has ended: what was waited for may have happened before it. */
void managed_asks_synced(struct managed *self);
void managed_answered_step(struct managed *self);
bool managed_answered_due(const struct managed *self);

/* managed_judge.c */
void managed_judge_watch(struct managed *self, const struct ask *ask, struct refusal *out);
void managed_judge_result(const struct managed *self, const struct ask *ask,
			  const struct stream_event *event, struct refusal *out);
void managed_judge_closed(const struct state *state, const struct state_stream *stream,
			  struct refusal *out);

/* managed_governor.c: true, and the seconds to wait, if the user or all users start too much. */
bool managed_governed(struct managed *self, const struct state_user *user, struct text user_id,
		      int64_t *wait_s);

/* managed_deliver.c */
struct managed_words {
	const char *status;
	struct text message;
	bool preview, thumbnail, terminal, reply;
	uint64_t stream_seq;
};

bool managed_deliver_room(const struct managed *self);
void managed_deliver_start(struct managed *self, const struct state_stream *stream);
/* To all who watch; NULL-safe towards users and apps that are gone. */
void managed_tell_all(struct managed *self, const struct state_stream *stream,
		      const struct managed_words *words);
void managed_tell_app(struct managed *self, const struct state_stream *stream, struct text package,
		      const struct managed_words *words);
/* To those who must still be told that it is over for them. */
void managed_tell_owed(struct managed *self, const struct state_stream *stream);
void managed_settle_user(struct managed *self, const struct state_user *user);
void managed_repeat_step(struct managed *self);
/* request.outputs: [number, url, name, package, status, error]. */
struct text managed_outputs_records(struct managed *self, const struct state_stream *stream);

/* managed_calls.c */
/* NULL: no room for it now. */
struct stream_event *managed_call(struct managed *self, enum stream_event_type type, uint32_t slot,
				  uint32_t output, uint64_t *number);
/* Take the call that @number is the answer to out of the table; false: nobody waits for it. */
bool managed_call_answered(struct managed *self, uint64_t number, struct managed_call *out);
int64_t managed_backoff_ms(int64_t first_ms, uint32_t tries, int64_t asked_ms);
int64_t managed_delete_pause_ms(int64_t first_ms, uint32_t tries, int64_t asked_ms);

/* managed_work.c */
bool managed_serves(const struct managed *self, const struct state_stream *stream);
/* Its record has changed, or a snapshot has told of it: do what follows. */
void managed_work_follow(struct managed *self, const struct state_stream *stream);
/* The record of @slot is gone. */
void managed_work_end(struct managed *self, uint32_t slot);
void managed_work_step(struct managed *self, struct managed_work *work);
void managed_works_clear(struct managed *self);
void managed_work_arm(struct managed *self, struct managed_work *work);
void managed_work_timers(struct managed *self);
void managed_work_done(struct managed *self, const struct managed_call *call,
		       const struct stream_event *answer);
void managed_work_look_soon(struct managed *self, struct managed_work *work);
void managed_work_enter(struct managed *self, struct managed_work *work, enum managed_stage stage,
			int64_t due_ms);
/* Its input is known by this id from now on. */
bool managed_work_name(struct managed *self, struct managed_work *work, struct text input_id);
struct managed_work *managed_work_find(const struct managed *self, struct text stream_id,
				       struct text input_id);
void managed_tell_gone(struct managed *self, struct managed_work *work, struct text detail);
struct stream_event *managed_command(struct managed *self, const struct state_stream *stream,
				     enum stream_event_type type);
void managed_adopt_begin(struct managed *self);
void managed_adopt_step(struct managed *self);

/* managed_kept.c */
void managed_kept_keep(struct managed *self, const struct managed_work *work);
/* Empty, if it is of another input: a second answer to create may have named another one. */
struct text managed_kept_ingest(const struct managed *self, struct text stream_id,
				struct text input_id);
struct text managed_kept_destinations(const struct managed *self, struct text stream_id);

uint32_t managed_away_max(const struct managed_options *options);
/* A snapshot begins: what is under way for @work is put aside, if there is anything. */
void managed_away_keep(struct managed *self, struct managed_work *work);
/* It has ended: each goes back to its stream. */
void managed_away_return(struct managed *self);
/* The answer to a call of one that is still away. */
void managed_away_done(struct managed *self, const struct managed_call *call,
		       const struct stream_event *answer);

/* managed_make.c: from wanted to made, or given up */
void managed_make_step(struct managed *self, struct managed_work *work,
		       const struct state_stream *stream);
/* Also to learn once more where to publish to. */
void managed_create(struct managed *self, struct managed_work *work,
		    const struct state_stream *stream);
void managed_make_done(struct managed *self, struct managed_work *work,
		       const struct stream_event *answer);
/* The same while its stream is not known. */
void managed_make_away(struct managed *self, struct managed_work *work,
		       const struct stream_event *answer);
void managed_tell_made(struct managed *self, struct managed_work *work,
		       const struct state_stream *stream);

/* managed_look.c: what the provider sees */
void managed_look_step(struct managed *self, struct managed_work *work,
		       const struct state_stream *stream);
void managed_look_done(struct managed *self, struct managed_work *work,
		       const struct stream_event *answer);
void managed_on_hint(struct managed *self, const struct stream_event *event);

/* managed_outputs.c */
void managed_outputs_open(struct managed *self, struct managed_work *work,
			  const struct state_stream *stream, const struct ask *ask);
/* The URL of a new output, which its story does not have. */
struct text managed_output_url(struct managed *self, const struct state_stream *stream,
			       const struct stream_event *event);
void managed_on_add_result(struct managed *self, const struct stream_event *event);
/* The record of @slot is gone, or all are: what the registry still answers is about another. */
void managed_adds_forget(struct managed *self, uint32_t slot);
/* Call for what is due; the time of what is due next. */
int64_t managed_outputs_step(struct managed *self, struct managed_work *work,
			     const struct state_stream *stream);
/* Initial outputs that have had no answer yet. */
bool managed_outputs_await(const struct managed *self, const struct managed_work *work,
			   const struct state_stream *stream);
void managed_output_done(struct managed *self, struct managed_work *work,
			 const struct managed_call *call, const struct stream_event *answer);
void managed_on_output_hint(struct managed *self, const struct stream_event *event);

/* managed_reconcile.c, managed_leaks.c */
enum managed_sweep_step {
	SWEEP_IDLE,
	SWEEP_QUOTA,
	SWEEP_LIST,
	SWEEP_RECORDS,
	SWEEP_LEAKS,
};

void managed_sweep_soon(struct managed *self, int64_t due_ms);
void managed_sweep_step(struct managed *self);
void managed_sweep_answer(struct managed *self, const struct managed_call *call,
			  const struct stream_event *answer);
void managed_sweep_stop(struct managed *self);
void managed_on_ask(struct managed *self, const struct input *input);
/* managed_leaks.c: an input with our mark of which no record knows. */
void managed_leak_listed(struct managed *self, struct text input_id, uint64_t age_s);
/* Return: true when it is through with them. */
bool managed_leaks_step(struct managed *self);
void managed_leak_answer(struct managed *self, const struct stream_event *answer);
struct stream_event *managed_row(struct managed *self, struct text input_id);
