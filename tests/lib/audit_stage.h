/* SPDX-License-Identifier: MIT */
/* audit_stage.h - small histories for the auditor: numbers and times are filled in. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/audit/audit.h"
#include "actors/tap/tap_filter.h"
#include "tests/lib/story.h"

#define USER "alice@example.com"
#define PA "com.example.cam"
#define PB "com.example.second"
#define AT_MS INT64_C(1764000000000)

struct audit_stage {
	struct audit *audit;
	uint64_t seq, incarnation, ops_seq[2], ops_incarnation, request;
	int64_t ms;
	struct {
		const char *id;
		uint64_t seq;
	} streams[8];
};

static struct audit_stage stage;

static inline void stage_begin(void)
{
	stage = (struct audit_stage){ .incarnation = 7, .ops_incarnation = 70, .ms = AT_MS };
	stage.audit = audit_open(&audit_defaults);
}

static inline uint64_t next_of(struct text stream)
{
	for (unsigned i = 0; i < 8; i++) {
		if (stage.streams[i].id && !text_is(stream, stage.streams[i].id))
			continue;
		stage.streams[i].id = stream.bytes;
		return ++stage.streams[i].seq;
	}
	return 0;
}

static inline void wait_ms(int64_t ms)
{
	stage.ms += ms;
}

/* The next event of the story. */
static inline uint64_t tell(struct stream_event event)
{
	event.source = TEXT("registry");
	event.incarnation = stage.incarnation;
	event.seq = ++stage.seq;
	event.sent_ms = stage.ms;
	if (event.stream_id.length > 0 && event.stream_seq == 0)
		event.stream_seq = next_of(event.stream_id);
	if ((event.type == EVENT_STREAM_OPENED || event.type == EVENT_STREAM_JOINED) &&
	    event.request == 0) {
		event.origin = 9;
		event.request = ++stage.request;
	}
	if (event.type == EVENT_STREAM_OPENED) /* as it is published */
		event.stream_opened.rtmp_url = TEXT("");
	audit_event(stage.audit, &event);
	return event.seq;
}

/* The next operational event of the lifecycle-scheduler, or of the managed-adapter. */
static inline void note(struct stream_event event)
{
	bool managed = event.type >= EVENT_PROVIDER_CREATE;

	event.source = managed ? TEXT("managed-adapter") : TEXT("lifecycle-scheduler");
	event.incarnation = stage.ops_incarnation;
	event.seq = ++stage.ops_seq[managed];
	event.sent_ms = stage.ms;
	audit_event(stage.audit, &event);
}

static inline struct stream_event session(void)
{
	return story_session(USER, EVENT_SESSION_OPENED);
}

static inline struct stream_event opened(const char *id, uint64_t epoch)
{
	return story_opened(USER, id, epoch, PA);
}

static inline struct stream_event opened_managed(const char *id, uint64_t epoch)
{
	struct stream_event event = opened(id, epoch);

	event.stream_opened.kind = KIND_MANAGED;
	event.stream_opened.provider = PROVIDER_LOCAL;
	return event;
}

static inline struct stream_event status(const char *id, uint64_t epoch, enum device_status word,
					 enum phase phase)
{
	struct stream_event event = story_stream(USER, id, epoch, EVENT_STREAM_STATUS);

	event.stream_status.status = word;
	event.stream_status.phase = phase;
	return event;
}

static inline struct stream_event moved(const char *id, uint64_t epoch, enum phase phase,
					uint64_t missed)
{
	struct stream_event event = story_stream(USER, id, epoch, EVENT_STREAM_MOVED);

	event.stream_moved.phase = phase;
	event.stream_moved.missed = missed;
	event.stream_moved.start_delivered = true;
	return event;
}

static inline struct stream_event closed(const char *id, uint64_t epoch, bool told_owed)
{
	return story_closed(USER, id, epoch, told_owed, false);
}

/* An end for silence; @cause is the number of what shows it. */
static inline struct stream_event silent(const char *id, uint64_t epoch, uint64_t missed,
					 uint64_t cause)
{
	struct stream_event event = closed(id, epoch, false);

	event.cause = cause;
	event.stream_closed.end_cause = END_ACKS_MISSED;
	event.stream_closed.hop = HOP_GLASSES;
	event.stream_closed.missed = missed;
	return event;
}

static inline struct stream_event told(const char *id, uint64_t epoch, const char *package)
{
	struct stream_event event = story_stream(USER, id, epoch, EVENT_STREAM_TOLD);

	event.stream_told.package = text_of(package);
	event.stream_told.outcome = OUTCOME_SENT;
	return event;
}

static inline struct stream_event provisioned(const char *id, uint64_t epoch, const char *input)
{
	struct stream_event event = story_stream(USER, id, epoch, EVENT_STREAM_PROVISIONED);

	event.stream_provisioned.input_id = text_of(input);
	event.stream_provisioned.phase = PHASE_PROVISIONING;
	return event;
}

/* From its opening to live. */
static inline void go_live(const char *id, uint64_t epoch)
{
	tell(opened(id, epoch));
	tell(moved(id, epoch, PHASE_STARTING, 0));
	tell(status(id, epoch, DEVICE_STREAMING, PHASE_LIVE));
}

static inline void go_live_managed(const char *id, uint64_t epoch, const char *input)
{
	tell(opened_managed(id, epoch));
	tell(provisioned(id, epoch, input));
	tell(moved(id, epoch, PHASE_STARTING, 0));
	tell(status(id, epoch, DEVICE_STREAMING, PHASE_LIVE));
}

static inline void tell_client(const char *who, enum client_way way, const char *message)
{
	struct client_line line = { .ms = stage.ms,
				    .user = TEXT(USER),
				    .who = text_of(who),
				    .way = way,
				    .message = text_of(message) };

	audit_client(stage.audit, &line);
}

/* The recording goes on for a while. */
static inline void finish(void)
{
	wait_ms(5000);
	tell(story_session("bob@example.com", EVENT_SESSION_OPENED));
	audit_end(stage.audit);
}

/* The audit is over: @rule has @violations, every other rule has none.  RULE_COUNT: none has. */
static inline void expect(enum audit_rule rule, uint64_t violations)
{
	const struct audit_finding *findings;
	size_t count;

	finish();
	findings = audit_findings(stage.audit, &count);
	for (size_t i = 0; i < count; i++)
		cr_expect_eq(findings[i].rule, rule, "%s: %s", audit_rules[findings[i].rule].id,
			     findings[i].sentence);
	cr_expect_eq(audit_summary(stage.audit).violations, violations);
	if (rule < RULE_COUNT)
		cr_expect_gt(audit_verdict(stage.audit, rule).checked, 0);
	audit_close(stage.audit);
}

/* Nothing is wrong, and @rule has been looked at. */
static inline void expect_well(enum audit_rule rule)
{
	finish();
	cr_expect_gt(audit_verdict(stage.audit, rule).checked, 0, "%s", audit_rules[rule].id);
	expect(RULE_COUNT, 0);
}
