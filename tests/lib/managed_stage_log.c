/* SPDX-License-Identifier: MIT */
/* What was said, as text (tests/lib/managed_stage.h). */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/list.h"
#include "tests/lib/managed_stage_internal.h"

static char stream_ids[256][STREAM_ID_MAX + 1];

static void write_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void write_log(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int length = vsnprintf(stage.log + stage.log_length, STAGE_LOG_BYTES - stage.log_length,
			       format, args);
	va_end(args);
	stage.log_length += (size_t)length;
	cr_assert_lt(stage.log_length, STAGE_LOG_BYTES - 1);
}

void stage_forget(void)
{
	stage.log_length = 0;
	stage.log[0] = '\0';
}

void stage_expect_at(const char *file, int line, const char *expected)
{
	cr_expect_str_eq(stage.log, expected, "%s:%d\nsaid:     %s\nexpected: %s", file, line,
			 stage.log, expected);
	stage_forget();
}

bool stage_said(const char *line)
{
	return strstr(stage.log, line) != NULL;
}

unsigned stage_count(const char *words)
{
	unsigned count = 0;

	for (const char *at = stage.log; (at = strstr(at, words)); at += strlen(words))
		count++;
	return count;
}

/* S1 for the first stream that was heard of. */
static const char *stream_name(struct text id)
{
	static char names[8][16];
	static unsigned next;
	unsigned i = 0;

	if (id.length == 0)
		return "-";
	while (i < 255 && stream_ids[i][0] && !text_is(id, stream_ids[i]))
		i++;
	(void)text_put(id, stream_ids[i], sizeof stream_ids[i]);
	next = (next + 1) % 8;
	(void)snprintf(names[next], sizeof names[next], "S%u", i + 1);
	return names[next];
}

#define T(text) (int)(text).length, (text).length ? (text).bytes : ""

static void begin_line(void)
{
	if (stage.log_length > 0)
		write_log("; ");
}

static void log_outputs(struct text outputs)
{
	struct wire wire;
	uint32_t count, fields;

	if (outputs.length == 0)
		return;
	cr_assert(list_read(outputs, &wire, &count));
	write_log(" [");
	for (uint32_t i = 0; i < count; i++) {
		struct text url, name, status, error;

		cr_assert(wire_array(&wire, &fields) && fields == 4 && wire_text(&wire, &url) &&
			  wire_text(&wire, &name) && wire_text(&wire, &status) &&
			  wire_text(&wire, &error));
		write_log("%s%.*s", i > 0 ? " " : "", T(url));
		if (name.length > 0)
			write_log("(%.*s)", T(name));
		write_log("=%.*s", T(status));
		if (error.length > 0)
			write_log("(%.*s)", T(error));
	}
	write_log("]");
}

static void log_records(struct text outputs)
{
	struct text url, name, package, status, error;
	struct wire wire;
	uint32_t count, fields;
	uint64_t number;

	cr_assert(list_read(outputs, &wire, &count));
	for (uint32_t i = 0; i < count; i++) {
		cr_assert(wire_array(&wire, &fields) && fields == 6 && wire_u64(&wire, &number) &&
			  wire_text(&wire, &url) && wire_text(&wire, &name) &&
			  wire_text(&wire, &package) && wire_text(&wire, &status) &&
			  wire_text(&wire, &error));
		write_log(" %u:%.*s(%.*s)%.*s=%.*s%s%.*s", (unsigned)number, T(url), T(name),
			  T(package), T(status), error.length > 0 ? ":" : "", T(error));
	}
}

static void log_managed(const struct stream_event *event)
{
	begin_line();
	write_log("%.*s %.*s", T(event->deliver_managed.package), T(event->deliver_managed.status));
	if (event->deliver_managed.message.length > 0)
		write_log(" '%.*s'", T(event->deliver_managed.message));
	if (event->deliver_managed.preview.length > 0)
		write_log(" preview");
	if (event->deliver_managed.thumbnail.length > 0)
		write_log(" thumbnail");
	log_outputs(event->deliver_managed.outputs);
	if (event->deliver_managed.reply)
		write_log(" reply");
	if (event->deliver_managed.terminal)
		write_log(" final");
}

static void log_row(const struct stream_event *event)
{
	begin_line();
	write_log("row %.*s %s%s%s%s", T(event->provider_row.input_id),
		  words_name(&input_state_words, event->provider_row.input),
		  event->provider_row.listed ? " listed" : "",
		  event->provider_row.leak ? " leak" : "",
		  event->provider_row.deleted ? " deleted" : "");
}

static void log_report(const struct stream_event *event)
{
	begin_line();
	write_log("report %s in_use=%u owed=%u leaks=%u foreign=%u deleted=%u rows=%u",
		  words_name(&result_words, event->provider_report.result),
		  (unsigned)event->provider_report.in_use, (unsigned)event->provider_report.owed,
		  (unsigned)event->provider_report.leaks, (unsigned)event->provider_report.foreign,
		  (unsigned)event->provider_report.deleted, (unsigned)event->provider_report.rows);
	if (event->provider_report.retry_ms > 0)
		write_log(" retry_ms=%d: %.*s", (int)event->provider_report.retry_ms,
			  (int)event->provider_report.reason.length,
			  event->provider_report.reason.bytes);
}

void stage_log_sent(const struct stream_event *event)
{
	switch (event->type) {
	case EVENT_DELIVER_START:
		begin_line();
		write_log("G start %s %.*s", stream_name(event->stream_id),
			  T(event->deliver_start.rtmp_url));
		cr_assert(text_is(event->deliver_start.app_id, "MANAGED_STREAM"));
		return;
	case EVENT_DELIVER_STOP:
		begin_line();
		write_log("G stop %s", stream_name(event->stream_id));
		return;
	case EVENT_DELIVER_MANAGED:
		log_managed(event);
		return;
	case EVENT_REQUEST_DONE:
		begin_line();
		write_log("done %u %s", (unsigned)event->request,
			  event->request_done.result == RESULT_OK ? "ok" : "");
		if (event->request_done.result != RESULT_OK)
			write_log("%.*s: %.*s", T(event->request_done.code),
				  T(event->request_done.reason));
		return;
	case EVENT_REQUEST_OUTPUTS:
		begin_line();
		write_log("outputs %u %s %u", (unsigned)event->request,
			  words_name(&result_words, event->request_outputs.result),
			  (unsigned)event->request_outputs.output);
		if (event->request_outputs.reason.length > 0)
			write_log(" %.*s", T(event->request_outputs.reason));
		if (event->request_outputs.outputs.length > 0)
			log_records(event->request_outputs.outputs);
		return;
	case EVENT_PROVIDER_ROW:
		log_row(event);
		return;
	case EVENT_PROVIDER_REPORT:
		log_report(event);
		return;
	default:
		return; /* of the registry, to gateways */
	}
}

void stage_log_call(const struct stream_event *call)
{
	bool looks = call->type == EVENT_PROVIDER_DESCRIBE || call->type == EVENT_PROVIDER_LIST ||
		     call->type == EVENT_PROVIDER_QUOTA || call->type == EVENT_PROVIDER_ADOPT;

	if (looks && !stage.log_looks)
		return;
	begin_line();
	if (call->type == EVENT_PROVIDER_CREATE)
		write_log("create %s", stream_name(call->stream_id));
	else if (call->type == EVENT_PROVIDER_DELETE)
		write_log("delete %.*s", T(call->provider_delete.input_id));
	else if (call->type == EVENT_PROVIDER_DESCRIBE)
		write_log("describe %.*s", T(call->provider_describe.input_id));
	else if (call->type == EVENT_PROVIDER_LIST)
		write_log("list %u", (unsigned)call->provider_list.page);
	else if (call->type == EVENT_PROVIDER_QUOTA)
		write_log("quota");
	else if (call->type == EVENT_PROVIDER_OUTPUT_ADD)
		write_log("out+ %u %.*s", (unsigned)call->provider_output_add.output,
			  T(call->provider_output_add.url));
	else if (call->type == EVENT_PROVIDER_OUTPUT_REMOVE)
		write_log("out- %u %.*s", (unsigned)call->provider_output_remove.output,
			  T(call->provider_output_remove.remote_id));
	else
		write_log("adopt %.*s", T(call->provider_adopt.input_id));
}

void stage_name(struct text stream_id)
{
	(void)stream_name(stream_id);
}

void stage_forget_names(void)
{
	memset(stream_ids, 0, sizeof stream_ids);
}
