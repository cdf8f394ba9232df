/* SPDX-License-Identifier: MIT */
/* audit_internal.h - what the judge remembers. */
#pragma once

#include "actors/audit/audit.h"
#include "actors/audit/audit_index.h"

/* Bounds.  All but LAG_MS excuse what a recording cannot show. */
#define LAG_MS 250 /* the story is read so much ahead of all others: it is what led to them */
#define TAIL_MS 1000 /* a recording does not end for all sources at once */
#define READ_AHEAD_MS 10000 /* sources stand in a recording out of order by less than this */
#define CLOCK_SLACK_MS 1000 /* a clock that goes back further was set */
#define JITTER_MS 250 /* between a moment and the time that an event says */
#define SLACK_MS 5000 /* restarts of a process, commits, hops: on top of every bound */
#define SILENCE_MS 25000 /* daemons publish their metrics every 10 s: one was stopped */
#define CREATE_MS 25000 /* an input is made, or refused */
#define REQUEST_MS 10000
#define SECRET_MIN 8 /* bytes: what is shorter is found everywhere */
#define TRACE_JUMP_MAX 1000000 /* events: behind a larger hole no cause is known */
#define NEVER (INT64_MIN / 2) /* findings print differences to it */

/* Limits that weir promises; see docs and actors/registry/README.md. */
#define VIEWERS_LIMIT 16
#define OUTPUTS_LIMIT 10
#define LIABILITIES_LIMIT 64

enum watching {
	WATCH_UNKNOWN,
	WATCH_YES,
	WATCH_LEFT,
	WATCH_OWED, /* it must still be told */
	WATCH_TOLD,
};

struct audit_viewer {
	char package[PACKAGE_MAX + 1];
	enum watching state;
};

/* What the scheduler says about a stream's probes; of no worth beyond a hole in what it said. */
struct audit_probes {
	unsigned era; /* of audit.probe_era */
	int64_t sent_ms; /* of the last one; NEVER */
	char ack_id[17];
	bool waits; /* neither acked nor missed */
	bool counted; /* how many were missed is known */
	uint64_t missed;
};

struct audit_stream {
	char id[STREAM_ID_MAX + 1];
	struct audit_user *user;
	unsigned era; /* of audit.era: what follows is worth nothing if a hole came since */
	bool whole; /* seen from its opening on, without a hole */
	enum kind kind;
	char package[PACKAGE_MAX + 1]; /* the owner */
	uint64_t epoch, stream_seq, origin, request;
	enum phase phase;
	uint32_t phases; /* set of those it has been in */
	uint64_t opened_seq, closed_seq, phase_seq, missed;
	int64_t opened_ms, closed_ms, status_ms, suspect_ms;
	int64_t activity_ms; /* what the deadline of its phase counts from */
	enum end_cause cause;
	bool told_owed, stop_owed, input_owed;
	struct audit_viewer *viewers;
	unsigned viewer_count;
	uint32_t outputs; /* set of numbers that are there */
	char input_id[65]; /* of its record */
	char made_id[65]; /* what the provider answered last */
	unsigned made_era; /* of audit.call_era */
	struct audit_probes probes;
};

struct audit_user {
	char id[USER_ID_MAX + 1];
	unsigned era;
	bool whole; /* its session was opened here, without a hole since */
	struct audit_stream *live; /* of this era */
	uint64_t epoch;
	unsigned liabilities;
};

/* One daemon, and one kind of its numbers. */
struct audit_source {
	char name[NAME_MAX_BYTES + 2]; /* with a * if its numbers are not the story's */
	bool story;
	uint64_t incarnation, seq;
	uint64_t top; /* the highest number of this store; a tap may show older ones once more */
	uint64_t announced; /* missing events that the recording has owned up to */
	int64_t ms, due_ms; /* of its last event; when it was, or will be, judged */
	bool gone; /* stopped in order, or a gateway given up */
	bool lost; /* a gateway whose lease has expired */
};

struct audit_input {
	char id[65];
	char stream[STREAM_ID_MAX + 1];
	bool foreign; /* a list showed it without our mark */
	int64_t settled_ms; /* when the story said that it is gone; NEVER */
};

/* How an app takes part in a stream, as it sees it. */
struct audit_hearing {
	char stream[STREAM_ID_MAX + 1];
	bool began; /* it heard something that was not its end */
	unsigned began_socket; /* the last time */
	bool ended;
	unsigned socket; /* on which it heard of the end */
	bool asked; /* it asked for something since */
	int64_t told_ms; /* the story says that it was told of the end; NEVER */
	unsigned told_socket; /* which it had then */
	uint64_t told_seq;
};

struct audit_client {
	char key[USER_ID_MAX + PACKAGE_MAX + 16]; /* both of: */
	char user[USER_ID_MAX + 1], who[PACKAGE_MAX + 8];
	unsigned socket; /* counts those it has had */
	bool connected;
	int64_t ms; /* of its last line */
	char started[STREAM_ID_MAX + 1]; /* glasses */
	unsigned started_socket;
	struct audit_hearing *hearings;
	size_t hearing_count;
	int64_t asked_ms; /* a request that waits for its answer; NEVER */
	bool asked_managed;
};

/* What a story event was, for those that name it as their cause. */
struct audit_trace {
	uint16_t type;
	uint32_t user; /* hash; 0: of nobody */
};

struct audit_held;

struct audit {
	struct audit_options options;
	struct audit_index streams, users, sources, inputs, clients;
	struct audit_verdict verdicts[RULE_COUNT];
	struct audit_finding *findings;
	size_t finding_count;
	struct audit_summary summary;
	struct audit_held *held; /* heap by (due_ms, serial) */
	size_t held_count, held_room;
	uint64_t held_serial;
	int64_t read_ms; /* the newest time read */
	const struct stream_event *event; /* being judged, or NULL */
	int64_t now_ms;
	unsigned era, probe_era, call_era; /* count holes; begin with 1 */
	int64_t calm_ms; /* nothing has disturbed since */
	int64_t failed_ms; /* the last call that the provider did not take; NEVER */
	int64_t list_ms; /* when the last list of inputs was asked for; NEVER */
	int64_t live_ms; /* the first operational event; NEVER */
	int64_t heard_ms; /* the last line of any client; NEVER */
	char mark[49];
	unsigned seen; /* set of enum audit_need */
	struct audit_trace *traces;
	size_t trace_room;
	uint64_t trace_first;
	struct audit_index requests; /* (origin, request, what) that had an effect */
	char (*secrets)[AUDIT_SECRET_MAX + 1];
	size_t secret_count;
};

/* audit_judge() - count a judgement; if it does not hold, keep the finding.
 *
 * @stream may be NULL.  @evidence is the story event that it contradicts, or 0; the event being
 * judged is added.
 *
 * Return: @holds.
 */
bool audit_judge(struct audit *audit, enum audit_rule rule, bool holds,
		 const struct audit_stream *stream, uint64_t evidence, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* audit_stuck() - the same of what is left open at the end. */
void audit_stuck(struct audit *audit, enum audit_rule rule, bool stuck,
		 const struct audit_stream *stream, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* audit_disturb() - something happened that excuses delays: bounds are counted from now. */
void audit_disturb(struct audit *audit);

/* audit_calm() - since when nothing disturbs; INT64_MAX if something does right now. */
int64_t audit_calm(const struct audit *audit);

/* What is remembered of a stream or user; made if it is new, and emptied if a hole came since. */
struct audit_stream *audit_stream(struct audit *audit, const struct stream_event *event);
struct audit_stream *audit_stream_find(const struct audit *audit, struct text id);
struct audit_user *audit_user(struct audit *audit, struct text id);
struct audit_viewer *audit_viewer(struct audit_stream *stream, struct text package);

/* audit_source_of() - the daemon that says @event; one that publishes two kinds of numbers is two.
 */
struct audit_source *audit_source_of(struct audit *audit, const struct stream_event *event);

/* audit_waited() - at least @least_ms have passed from @since_ms to @until_ms, or nobody knows. */
static inline bool audit_waited(int64_t since_ms, int64_t until_ms, int64_t least_ms)
{
	return since_ms == NEVER || until_ms < since_ms || until_ms - since_ms >= least_ms;
}

/* The rules.  Each sees an event before audit_learn() takes it in. */
void audit_numbers(struct audit *audit, const struct stream_event *event);
void audit_slots(struct audit *audit, const struct stream_event *event);
void audit_words(struct audit *audit, const struct stream_event *event);
void audit_tellings(struct audit *audit, const struct stream_event *event);
void audit_ends(struct audit *audit, const struct stream_event *event);
void audit_viewers(struct audit *audit, const struct stream_event *event);
void audit_secrets(struct audit *audit, const struct stream_event *event);
void audit_bounds(struct audit *audit, const struct stream_event *event);
void audit_silence(struct audit *audit, const struct stream_event *event);
void audit_inputs(struct audit *audit, const struct stream_event *event);
void audit_learn(struct audit *audit, const struct stream_event *event);
void audit_probes(struct audit *audit, const struct stream_event *event);
void audit_calls(struct audit *audit, const struct stream_event *event);
void audit_client_secrets(struct audit *audit, const struct client_line *line);
void audit_heard(struct audit *audit, const struct client_line *line);
void audit_client_told(struct audit *audit, const struct stream_event *event);
void audit_trace(struct audit *audit, const struct stream_event *event);
const struct audit_trace *audit_traced(const struct audit *audit, uint64_t seq);
uint32_t audit_hash(struct text text);

/* At the end of the recording. */
void audit_bounds_end(struct audit *audit);
void audit_inputs_end(struct audit *audit);
void audit_clients_end(struct audit *audit);
