/* SPDX-License-Identifier: MIT */
/* managed_stage.h - a real registry and a real managed adapter, a provider that does as it is told,
 * one user "u@x" with glasses and apps; what leaves is written down as text.
 *
 * The log has one line for each thing said:
 *
 *	G start S1 rtmp://in/I1        G stop S1
 *	pa active 'Stream is now live' preview [rtmp://a/k=stopped] reply final
 *	done 7 ok                      done 7 INTERNAL_ERROR: Invalid RTMP URL
 *	create S1   delete I1   out+ 1 rtmp://a/k   out- 1 R1   describe I1   list 0   quota   adopt
 *I1 row I1 ready listed            report ok leaks=1 foreign=0 ...
 *
 * S1 is the first stream that was seen, I1 the first input that was made.
 */
#pragma once

#include "actors/managed-adapter/managed_core.h"
#include "actors/registry/registry_core.h"

#define STAGE_LOG_BYTES 65536
#define STAGE_INPUTS_MAX 64
#define STAGE_CALLS_MAX 4096
#define STAGE_PLANS_MAX 64
#define STAGE_QUEUE_MAX 4096

struct stage_input {
	char id[16], stream_id[STREAM_ID_MAX + 1], mark[MARK_MAX + 1];
	uint64_t age_s;
	bool there, described_once;
	enum ingest ingest;
	bool playable, details;
};

/* What the next call of @type comes to; @effect: what was asked for happens all the same. */
struct stage_plan {
	enum stream_event_type type;
	enum call_outcome outcome;
	const char *detail;
	int64_t retry_ms;
	bool effect;
	bool silent; /* never answered: only for the end of a life */
};

struct stage {
	struct managed_options options; /* may be changed before stage_open() */
	uint32_t streams_max;
	struct registry *registry;
	struct managed *managed;
	int64_t now_ms;
	char log[STAGE_LOG_BYTES];
	size_t log_length;
	bool log_looks; /* also describe, list, quota and adopt */
	bool hold; /* calls wait for stage_release() */
	bool adapter_down;
	bool registry_late; /* what is for the registry waits for stage_let_through() */
	bool story_late; /* and what the story tells */
	uint32_t gone_said; /* input.gone, to the registry */
	bool honours; /* a create with a known stream id gives the same input once more */
	bool device_silent; /* the gateway does not say that it has told the device */
	bool apps_silent; /* nor the apps */
	struct stage_input inputs[STAGE_INPUTS_MAX];
	uint32_t inputs_count;
	uint32_t page_size;
	struct stage_plan plans[STAGE_PLANS_MAX];
	uint32_t plans_count;
	/* The adapter dies behind so many more effects it has carried out; 0: it does not. */
	uint32_t crash_in, positions;
};

extern struct stage stage;

void stage_defaults(void); /* of the options; then stage_open() */
void stage_open(void);
void stage_ready(void); /* with the defaults, the first comparison done, nothing said */
void stage_close(void);

void stage_plan(enum stream_event_type type, enum call_outcome outcome, const char *detail);
void stage_plan_effect(enum stream_event_type type, enum call_outcome outcome, const char *detail);

/* What is held is answered now, in order. */
void stage_release(void);
uint32_t stage_held(void);

void stage_let_through(void);
void stage_lose_late(void); /* it never comes */

/* stage_pass() - let @ms pass, everything done at its time. */
void stage_pass(int64_t ms);
void stage_restart(void); /* a new life of the adapter; calls of the old one are never answered */
void stage_resync(void); /* the same life hears a snapshot */
void stage_rows(void); /* of it, the rows; then the story may go on */
void stage_synced(void); /* and its end */

void stage_glasses_up(void);
void stage_glasses_down(void);
void stage_app_up(const char *package, uint64_t link);
void stage_app_closed(const char *package, uint64_t link);
void stage_app_stop(const char *package); /* by the user (D5) */
void stage_watch(const char *package, uint64_t request);
void stage_watch_to(const char *package, uint64_t request, const char *destinations);
void stage_stop(const char *package, uint64_t request);
void stage_output_add(const char *package, uint64_t request, const char *url, const char *name);
void stage_output_remove(const char *package, uint64_t request, uint64_t output);
void stage_output_list(const char *package, uint64_t request);
void stage_unmanaged(const char *package); /* takes over */
void stage_device(enum device_status status);
void stage_device_says(enum device_status status, const char *detail);
void stage_expired(void); /* the scheduler's verdict */
void stage_ask(uint64_t request, bool reconcile, bool dry_run);
void stage_hint(const char *input_id, enum ingest ingest, bool sure);
void stage_output_hint(const char *input_id, uint64_t output, enum output_state state,
		       const char *error);

/* Any message, to the registry or to the adapter. */
void stage_say(struct peer from, struct stream_event event);
void stage_handle(const struct input *input);

const struct state_stream *stage_active(void);
/* Any message about the running stream; the caller fills in the rest. */
struct stream_event stage_about(enum stream_event_type type);
uint32_t stage_inputs_there(void);
struct stage_input *stage_input(const char *id);
struct stage_input *stage_input_add(const char *id, const char *mark, uint64_t age_s);

/* stage_expect() - the log is this, lines joined by "; "; then it is emptied. */
#define stage_expect(...) stage_expect_at(__FILE__, __LINE__, __VA_ARGS__)
void stage_expect_at(const char *file, int line, const char *expected);
bool stage_said(const char *line); /* somewhere in the log */
unsigned stage_count(const char *words); /* how often */
void stage_forget(void);
