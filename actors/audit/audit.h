/* SPDX-License-Identifier: MIT */
/* audit.h - an independent judge of what weir promises.
 *
 * It knows what a tap has recorded and, if there are any, what apps and glasses have recorded
 * themselves; no core, no common/state.c, no common/phase.c: whoever shared their mistakes would
 * not see them.  Names of the rules: I1 to I15 (always), L1 to L6 (once nothing disturbs).
 *
 * No I/O; memory is the audit's own and out of memory ends the process.
 */
#pragma once

#include "proto/stream_event.h"

/* Times of a system with the defaults of deploy/weir.conf, in ms, and misses. */
#define AUDIT_INTERVAL_MS 15000
#define AUDIT_ACK_TIMEOUT_MS 10000
#define AUDIT_MISSED_MAX 3
#define AUDIT_START_DEADLINE_MS 60000
#define AUDIT_STOP_DEADLINE_MS 60000
#define AUDIT_INPUT_DEADLINE_MS 60000 /* an owed input of a provider that answers is gone */

#define AUDIT_FINDINGS_MAX 1000 /* kept of all rules; further ones are counted */
#define AUDIT_TIME_MAX_MS INT64_C(4102444800000) /* Unix time, the year 2100: later is no time */
#define AUDIT_SENTENCE_SIZE 256 /* terminated */
#define AUDIT_EVIDENCE_MAX 2
#define AUDIT_SECRET_MAX 128 /* bytes of a secret that are looked for */
#define AUDIT_SECRETS_MAX 1000 /* that are looked for; further ones are not */

enum audit_rule {
	RULE_I1,
	RULE_I2,
	RULE_I3,
	RULE_I4,
	RULE_I5,
	RULE_I6,
	RULE_I7,
	RULE_I8,
	RULE_I9,
	RULE_I10,
	RULE_I11,
	RULE_I12,
	RULE_I13,
	RULE_I14,
	RULE_I15,
	RULE_L1,
	RULE_L2,
	RULE_L3,
	RULE_L4,
	RULE_L5,
	RULE_L6,
	RULE_COUNT,
};

/* What a rule needs in the recordings before it can say anything. */
enum audit_need {
	NEED_STORY = 1,
	NEED_PROBES = 2,
	NEED_CALLS = 4,
	NEED_CLIENTS = 8,
	NEED_OPS = 16, /* events of all daemons: they show restarts and standstills */
	NEED_CONNECTIONS = 32, /* never in a recording */
};

struct audit_rule_text {
	const char *id, *title;
	unsigned needs; /* any of them is enough */
	const char *blind; /* what of it no recording shows; NULL: nothing */
};

extern const struct audit_rule_text audit_rules[RULE_COUNT];

/* Times of the configuration under which the recording was made. */
struct audit_options {
	int64_t interval_ms, ack_timeout_ms, start_deadline_ms, stop_deadline_ms;
	int64_t input_deadline_ms;
	int64_t missed_max;
};

extern const struct audit_options audit_defaults;

struct audit_finding {
	enum audit_rule rule;
	uint64_t seq; /* of the story; 0: not an event of it */
	int64_t ms; /* Unix time */
	char user[USER_ID_MAX + 1], stream[STREAM_ID_MAX + 1];
	char sentence[AUDIT_SENTENCE_SIZE];
	uint64_t evidence[AUDIT_EVIDENCE_MAX]; /* numbers of story events; 0: none */
};

struct audit_verdict {
	uint64_t checked, violations;
	uint64_t stuck; /* of the violations: records that are still open beyond their bound */
	const char *unjudged; /* why nothing was judged; NULL: something was */
};

/* One line of a client's own recording. */
enum client_way {
	CLIENT_IN, /* it received @message */
	CLIENT_OUT,
	CLIENT_OPEN, /* its socket opened */
	CLIENT_CLOSE,
};

struct client_line {
	int64_t ms; /* Unix time */
	struct text user, who; /* who: "glasses", "glasses:NAME" or "app:PACKAGE" */
	enum client_way way;
	struct text message; /* JSON object; empty for CLIENT_OPEN and CLIENT_CLOSE */
};

struct audit;

/* audit_open(), audit_close() - a judge who has seen nothing. */
struct audit *audit_open(const struct audit_options *options);
void audit_close(struct audit *audit);

/* audit_event() - the next event of the recording, in its order.  Nothing is borrowed.
 *
 * Events are judged later, when all that was said at the same time has been read.  One that says
 * no time from 0 to AUDIT_TIME_MAX_MS is unreadable.
 */
void audit_event(struct audit *audit, const struct stream_event *event);

/* audit_gap() - @source's @count events of the story (else: its operational ones) are missing here,
 * and the recording says so.
 */
void audit_gap(struct audit *audit, struct text source, bool story, uint64_t count);

/* audit_unreadable() - a line, or as many messages as a tap dropped, that nobody can judge. */
void audit_unreadable(struct audit *audit);

/* audit_client() - the next line of all clients; may come before or between events, by its time. */
void audit_client(struct audit *audit, const struct client_line *line);

/* audit_line() - a recorded line as it stands in the file: no secret may be in it. */
void audit_line(struct audit *audit, struct text line);

/* audit_end() - there is no more: judge what is still held back, and what is left open. */
void audit_end(struct audit *audit);

/* What came of it. */
struct audit_verdict audit_verdict(const struct audit *audit, enum audit_rule rule);
const struct audit_finding *audit_findings(const struct audit *audit, size_t *count);

struct audit_summary {
	uint64_t events, clients, holes, missed, unreadable, clock_steps, violations;
	uint64_t late; /* lines of clients behind the end of the recording: not judged */
	uint64_t first_seq, last_seq; /* of the story */
	int64_t first_ms, last_ms;
};

struct audit_summary audit_summary(const struct audit *audit);
