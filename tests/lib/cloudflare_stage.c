/* SPDX-License-Identifier: MIT */
#include "tests/lib/cloudflare_stage.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

struct cloudflare *core;
struct cloudflare_effects fx;
int64_t now_ms;
uint64_t stage_calls;
struct cloudflare_options stage_options = {
	.delete_recordings = true,
	.recording_wait_ms = 120000,
	.delete_recording_days = 30,
	.requests_max = 1000,
};

void stage_open(void)
{
	core = calloc(1, sizeof *core);
	cr_assert_not_null(core);
	now_ms = 1000000;
	cloudflare_init(core, &stage_options);
}

void stage_close(void)
{
	free(core);
}

/* ---- calls ---- */

static void call(struct stream_event *event)
{
	event->user_id = TEXT("u@x.y");
	cloudflare_call(core, event, now_ms, &fx);
}

void call_create(const char *stream_id)
{
	call(&(struct stream_event){
		.type = EVENT_PROVIDER_CREATE,
		.stream_id = text_of(stream_id),
		.provider_create = { .call = ++stage_calls, .mark = TEXT("mark") } });
}

void call_describe(const char *input)
{
	call(&(struct stream_event){
		.type = EVENT_PROVIDER_DESCRIBE,
		.provider_describe = { .call = ++stage_calls, .input_id = text_of(input) } });
}

void call_delete(const char *input)
{
	call(&(struct stream_event){
		.type = EVENT_PROVIDER_DELETE,
		.provider_delete = { .call = ++stage_calls, .input_id = text_of(input) } });
}

void call_list(uint64_t page)
{
	call(&(struct stream_event){ .type = EVENT_PROVIDER_LIST,
				     .provider_list = { .call = ++stage_calls, .page = page } });
}

void call_output_add(const char *input, const char *url)
{
	call(&(struct stream_event){ .type = EVENT_PROVIDER_OUTPUT_ADD,
				     .provider_output_add = { .call = ++stage_calls,
							      .input_id = text_of(input),
							      .output = 1,
							      .url = text_of(url) } });
}

void call_output_remove(const char *input, const char *remote, const char *url)
{
	call(&(struct stream_event){ .type = EVENT_PROVIDER_OUTPUT_REMOVE,
				     .provider_output_remove = { .call = ++stage_calls,
								 .input_id = text_of(input),
								 .output = 1,
								 .remote_id = text_of(remote),
								 .url = text_of(url) } });
}

void call_quota(void)
{
	call(&(struct stream_event){ .type = EVENT_PROVIDER_QUOTA,
				     .provider_quota = { .call = ++stage_calls } });
}

/* ---- requests and answers ---- */

const char *asked(void)
{
	static char text[CLOUDFLARE_PATH_SIZE + 16];

	text[0] = '\0';
	if (fx.request)
		snprintf(text, sizeof text, "%s %s", fx.request->method, fx.request->path);
	return text;
}

static void answer(const struct cloudflare_answer *given)
{
	cr_assert_not_null(fx.request, "nothing was asked");
	cloudflare_answer(core, fx.slot, given, now_ms, &fx);
}

void reply(unsigned status, const char *body)
{
	answer(&(struct cloudflare_answer){
		.status = status, .body = text_of(body), .wall_ms = INT64_C(1388629200000) });
}

void reply_header(unsigned status, const char *retry_after)
{
	answer(&(struct cloudflare_answer){ .status = status,
					    .retry_after = text_of(retry_after) });
}

void reply_limits(unsigned status, const char *body, const char *ratelimit)
{
	answer(&(struct cloudflare_answer){
		.status = status, .body = text_of(body), .ratelimit = text_of(ratelimit) });
}

void reply_lost(void)
{
	answer(&(struct cloudflare_answer){ .fate = CLOUDFLARE_LOST, .error = TEXT("lost") });
}

void reply_not_sent(void)
{
	answer(&(struct cloudflare_answer){ .fate = CLOUDFLARE_NOT_SENT,
					    .error = TEXT("not sent") });
}

const struct stream_event *said(enum call_outcome outcome)
{
	const struct stream_event *event = &fx.say[fx.says - 1];
	bool page = event->type == EVENT_PROVIDER_PAGE;
	uint32_t found;

	cr_assert_null(fx.request, "%s", asked());
	cr_assert_gt(fx.says, 0, "nothing was said");
	cr_assert(page || event->type == EVENT_PROVIDER_DONE);
	cr_assert_eq(page ? event->provider_page.call : event->provider_done.call, stage_calls);
	found = page ? event->provider_page.outcome : event->provider_done.outcome;
	cr_assert_eq(found, outcome, "said %s: %.*s", words_name(&call_outcome_words, found),
		     (int)event->provider_done.detail.length, event->provider_done.detail.bytes);
	return event;
}
