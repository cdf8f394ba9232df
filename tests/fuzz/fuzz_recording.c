/* SPDX-License-Identifier: MIT */
/* The input is a file: what a tap has written, and among it lines of clients.  Properties:
 * - it is read to its end, and the judge comes to a verdict, whatever it says;
 * - what is kept of it is bounded by its size;
 * - an event that is read is printed, and read back as the same;
 * - what is found is bounded, terminated, and belongs to a rule.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/audit/audit.h"
#include "actors/audit/audit_client_file.h"
#include "actors/tap/tap_filter.h"
#include "actors/tap/tap_mirror.h"
#include "actors/tap/tap_recording.h"
#include "proto/stream_event_table.h"
#include "tests/fuzz/memory.h"

#define MEMORY_BASE (8u << 20) /* the judge's own tables, and buffers for one line */
#define MEMORY_PER_BYTE \
	4096 /* a record for each event, and no event takes fewer bytes than ten \
	      */
#define CLIENT_PREFIX "{\"t_ms\""
#define CLIENT_ROOM 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct print_style style = { .json = true };

static bool is_client(const char *line)
{
	return strncmp(line, CLIENT_PREFIX, strlen(CLIENT_PREFIX)) == 0;
}

static void take_client(struct audit *audit, struct text line)
{
	static char room[CLIENT_ROOM];
	struct client_line read;
	const char *wrong;

	if (line.length > sizeof room)
		return;
	wrong = client_line_read(line, room, sizeof room, &read);
	assert(!wrong || *wrong);
	if (!wrong)
		audit_client(audit, &read);
}

/* What is printed redacted is redacted again when it comes back. */
static void drop_secrets(struct stream_event *event)
{
	const struct schema *schema = stream_event_schema(event->type);

	for (size_t i = 0; i < schema->field_count; i++)
		if (schema->fields[i].secret)
			*(struct text *)(void *)((char *)event + schema->fields[i].offset) =
				TEXT("");
}

/* Printed, read, printed: nothing is lost. */
static void check_again(const struct stream_event *given)
{
	static char first[PRINT_LINE_MAX + 1], second[PRINT_LINE_MAX + 1];
	struct stream_event event = *given, again;
	size_t length;
	struct recording recording;
	struct record record;
	FILE *from;

	drop_secrets(&event);
	length = print_event(&style, &event, first);
	assert(length > 0 && length <= PRINT_LINE_MAX);
	from = fmemopen(first, length, "r");
	assert(from);
	recording_init(&recording, from);
	if (recording_next(&recording, &again, &record) == RECORDED_EVENT) {
		assert(again.type == event.type);
		assert(print_event(&style, &again, second) == length);
		assert(memcmp(first, second, length) == 0);
	}
	recording_fini(&recording);
	(void)fclose(from);
}

static void take(struct audit *audit, struct mirror *mirror, enum recorded found,
		 const struct stream_event *event, const struct record *record)
{
	bool complete;

	if (found == RECORDED_EVENT) {
		check_again(event);
		(void)mirror_apply(mirror, event, &complete);
		mirror_date(mirror, event);
	}
	if (found == RECORDED_EVENT && event_is_published(event->type))
		audit_event(audit, event);
	else if (found == RECORDED_RECORD && record->type == RECORD_GAP)
		audit_gap(audit, text_of(record->source), strncmp(record->topic, "story", 5) == 0,
			  record->count);
	else if (found == RECORDED_UNREADABLE)
		audit_unreadable(audit);
}

static void check_findings(struct audit *audit)
{
	const struct audit_finding *findings;
	size_t count;

	findings = audit_findings(audit, &count);
	assert(count <= AUDIT_FINDINGS_MAX);
	for (size_t i = 0; i < count; i++)
		assert(findings[i].rule < RULE_COUNT && *findings[i].sentence &&
		       memchr(findings[i].sentence, '\0', AUDIT_SENTENCE_SIZE));
	for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
		struct audit_verdict verdict = audit_verdict(audit, rule);

		assert(verdict.violations <= verdict.checked || verdict.unjudged);
	}
}

static void read_all(FILE *from, size_t bound)
{
	struct audit *audit = audit_open(&audit_defaults);
	struct recording recording;
	struct stream_event event;
	struct mirror mirror;
	struct record record;
	enum recorded found;

	mirror_init(&mirror);
	recording_init(&recording, from);
	while ((found = recording_next(&recording, &event, &record)) != RECORDED_END) {
		if (found != RECORDED_NOTHING && is_client(recording.line)) {
			take_client(audit, text_of(recording.line));
			continue;
		}
		if (found != RECORDED_NOTHING)
			audit_line(audit, text_of(recording.line));
		take(audit, &mirror, found, &event, &record);
	}
	audit_end(audit);
	assert(memory_in_use() <= bound);
	check_findings(audit);
	recording_fini(&recording);
	mirror_fini(&mirror);
	audit_close(audit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bound = memory_in_use() + MEMORY_BASE + MEMORY_PER_BYTE * size;
	FILE *from;

	if (size == 0)
		return -1;
	from = fmemopen((void *)(uintptr_t)data, size, "r");
	assert(from);
	read_all(from, bound);
	(void)fclose(from);
	return 0;
}
