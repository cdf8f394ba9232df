/* SPDX-License-Identifier: MIT */
/* Goal: an input is deleted after its recordings, in the one order that loses nothing, from every
 * step at which it may have failed before; it is kept while a recording may still appear.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/cloudflare_stage.h"

#define DISABLE "PUT /live_inputs/" ID
#define VIDEOS "GET /live_inputs/" ID "/videos"
#define DELETE "DELETE /live_inputs/" ID
#define ENDED ",\"status\":{\"current\":{\"state\":\"client_disconnect\"}}"
#define LIVE_VIDEO "{\"uid\":\"v1\",\"status\":{\"state\":\"live-inprogress\"}}"
#define READY(n) "{\"uid\":\"v" n "\",\"status\":{\"state\":\"ready\"}}"

TestSuite(cloudflare_delete, .init = stage_open, .fini = stage_close);

static void ask(const char *expected)
{
	cr_assert_str_eq(asked(), expected);
}

static void begin(const char *more)
{
	char body[1024];

	call_delete(ID);
	ask(DISABLE);
	cr_assert_str_eq(fx.request->body, "{\"enabled\":false}");
	snprintf(body, sizeof body, INPUT_OF("%s"), more);
	reply(200, body);
}

Test(cloudflare_delete, never_connected)
{
	begin(",\"status\":null");
	ask(VIDEOS);
	reply(200, OK_OF("[]"));
	ask(DELETE);
	reply(200, "");
	(void)said(CALL_OK);
}

Test(cloudflare_delete, recordings_first)
{
	begin(ENDED);
	ask(VIDEOS);
	reply(200, OK_OF("[" READY("1") "," READY("2") "]"));
	ask("DELETE /v2");
	reply(200, "");
	ask("DELETE /v1");
	reply(404, ""); /* fine */
	ask(DELETE);
	reply(200, "");
	(void)said(CALL_OK);
}

Test(cloudflare_delete, recordings_may_be_wanted)
{
	stage_close();
	stage_options.delete_recordings = false;
	stage_open();
	begin(ENDED);
	reply(200, OK_OF("[" READY("1") "]"));
	ask(DELETE);
}

Test(cloudflare_delete, kept_while_a_recording_is_being_made)
{
	begin(ENDED);
	reply(200, OK_OF("[" READY("2") "," LIVE_VIDEO "]"));
	cr_assert_eq(said(CALL_RETRY)->provider_done.retry_ms, CLOUDFLARE_RECORDING_PAUSE_MS);
	now_ms += 10 * stage_options.recording_wait_ms; /* for as long as it takes */
	begin(ENDED);
	reply(200, OK_OF("[" LIVE_VIDEO "]"));
	(void)said(CALL_RETRY);
}

Test(cloudflare_delete, kept_until_the_recording_is_listed_or_time_is_up)
{
	begin(ENDED);
	reply(200, OK_OF("[]"));
	cr_assert_eq(said(CALL_RETRY)->provider_done.retry_ms, CLOUDFLARE_RECORDING_PAUSE_MS);
	now_ms += stage_options.recording_wait_ms - 1000;
	begin(ENDED);
	reply(200, OK_OF("[]"));
	cr_assert_eq(said(CALL_RETRY)->provider_done.retry_ms, 1000);
	now_ms += 1000;
	begin(ENDED);
	reply(200, OK_OF("[]"));
	ask(DELETE);
	reply(200, "");
	(void)said(CALL_OK);
	begin(ENDED); /* it waits anew: that one is over */
	reply(200, OK_OF("[]"));
	(void)said(CALL_RETRY);
}

Test(cloudflare_delete, once_seen_a_recording_is_not_waited_for_again)
{
	begin(ENDED);
	reply(200, OK_OF("[" READY("1") "]"));
	reply(200, "");
	ask(DELETE);
	reply(500, "");
	(void)said(CALL_UNKNOWN);
	begin(ENDED);
	reply(200, OK_OF("[]"));
	ask(DELETE);
}

Test(cloudflare_delete, more_recordings_than_are_remembered)
{
	char body[2048] = "{\"success\":true,\"result\":[";
	unsigned deleted = 0;

	for (int i = 0; i <= CLOUDFLARE_VIDEOS_MAX; i++)
		snprintf(body + strlen(body), sizeof body - strlen(body), "%s{\"uid\":\"v%d\"}",
			 i ? "," : "", i);
	strncat(body, "]}", sizeof body - strlen(body) - 1);
	begin(ENDED);
	reply(200, body);
	for (; strncmp(asked(), "DELETE /v", 9) == 0; deleted++)
		reply(200, "");
	cr_assert_eq(deleted, CLOUDFLARE_VIDEOS_MAX);
	ask(VIDEOS);
	reply(200, OK_OF("[" READY("8") "]"));
	ask("DELETE /v8");
	reply(200, "");
	ask(DELETE);
}

/* A vendor that never lets a recording go does not keep the call for ever. */
Test(cloudflare_delete, it_ends_after_so_many_requests)
{
	char body[2048] = "{\"success\":true,\"result\":[";
	unsigned requests = 1;

	for (int i = 0; i <= CLOUDFLARE_VIDEOS_MAX; i++)
		snprintf(body + strlen(body), sizeof body - strlen(body), "%s{\"uid\":\"v%d\"}",
			 i ? "," : "", i);
	strncat(body, "]}", sizeof body - strlen(body) - 1);
	begin(ENDED);
	for (; fx.request; requests++)
		reply(200, fx.request->method[0] == 'G' ? body : "");
	cr_assert_eq(requests, CLOUDFLARE_REQUESTS_MAX);
	cr_assert_eq(said(CALL_RETRY)->provider_done.retry_ms, CLOUDFLARE_BUSY_MS);
}

Test(cloudflare_delete, gone_at_every_step)
{
	call_delete(ID);
	reply(404, "");
	(void)said(CALL_GONE);
	begin(",\"status\":null");
	reply(404, ""); /* perhaps only the operation is not offered */
	ask(DELETE);
	reply(404, "");
	(void)said(CALL_GONE);
}

/* A failure at any step ends the call as what it was, and the next one begins at the beginning. */
Test(cloudflare_delete, a_failure_at_every_step)
{
	static const struct {
		unsigned status;
		enum call_outcome read, change;
	} rows[] = {
		{ 500, CALL_RETRY, CALL_UNKNOWN },
		{ 400, CALL_REFUSED, CALL_REFUSED },
		{ 401, CALL_UNCONFIGURED, CALL_UNCONFIGURED },
	};

	for (unsigned step = 0; step < 4; step++)
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			call_delete(ID);
			for (unsigned done = 0; done < step; done++)
				reply(200, done == 0   ? INPUT_OF(ENDED)
					   : done == 1 ? OK_OF("[" READY("1") "]")
						       : "");
			reply(rows[i].status, "");
			(void)said(step == 1 ? rows[i].read : rows[i].change);
			now_ms += CLOUDFLARE_UNCONFIGURED_MS;
		}
}

Test(cloudflare_delete, a_limit_at_every_step)
{
	for (unsigned step = 0; step < 4; step++) {
		call_delete(ID);
		for (unsigned done = 0; done < step; done++)
			reply(200, done == 0   ? INPUT_OF(ENDED)
				   : done == 1 ? OK_OF("[" READY("1") "]")
					       : "");
		reply_header(429, "7");
		cr_assert_eq(said(CALL_RETRY)->provider_done.retry_ms, 7000);
		now_ms += 7000;
	}
}

Test(cloudflare_delete, an_unreadable_input_counts_as_used)
{
	call_delete(ID);
	reply(200, OK_OF("{\"uid\":7}"));
	ask(VIDEOS);
	reply(200, OK_OF("[]"));
	(void)said(CALL_RETRY);
	begin(",\"status\":null");
	reply(200, OK_OF("{}")); /* no array */
	(void)said(CALL_RETRY);
}

Test(cloudflare_delete, as_many_waits_as_there_is_room_for)
{
	char id[CLOUDFLARE_ID_MAX + 1];

	for (int i = 0; i <= CLOUDFLARE_WAITS_MAX; i++) {
		now_ms++;
		core->spent[core->budget_slot % CLOUDFLARE_BUDGET_SLOTS] = 0;
		snprintf(id, sizeof id, "i%d", i);
		call_delete(id);
		reply(200, INPUT_OF(ENDED));
		reply(200, OK_OF("[]"));
		(void)said(CALL_RETRY);
	}
	/* The oldest was forgotten and waits anew; the others go on. */
	now_ms += stage_options.recording_wait_ms;
	call_delete("i1");
	reply(200, INPUT_OF(ENDED));
	reply(200, OK_OF("[]"));
	ask("DELETE /live_inputs/i1");
	call_delete("i0");
	reply(200, INPUT_OF(ENDED));
	reply(200, OK_OF("[]"));
	(void)said(CALL_RETRY);
}
