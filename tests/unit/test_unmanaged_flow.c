/* SPDX-License-Identifier: MIT */
/* Goal: an app's request becomes one start, its words and its end, whoever restarts on the way.
 * Method: registry and adapter back to back (tests/lib/cores.h); what leaves for the gateways is
 * compared with the transcripts of protocol.md section 10.
 */
#include <criterion/criterion.h>

#include "tests/lib/cores.h"

static struct cores cores;

static void setup(void)
{
	cores_open(&cores);
	cores_glasses_up(&cores, 11);
	cores_app_up(&cores, "pa", 21);
	cores_forget(&cores);
}

static void teardown(void)
{
	cores_close(&cores);
}

static void expect_word(size_t nth, const char *word, bool copy)
{
	const struct stream_event *event = cores_sent(&cores, EVENT_DELIVER_STATUS, nth);

	cr_assert(event, "status %zu was not delivered", nth);
	cr_assert(text_is(event->deliver_status.status, word), "status %zu is %.*s, not %s", nth,
		  (int)event->deliver_status.status.length, event->deliver_status.status.bytes,
		  word);
	cr_assert_eq(event->deliver_status.copy, copy);
}

Test(unmanaged_flow, start_live_stop, .init = setup, .fini = teardown)
{
	cores_start(&cores, "pa", 1, "rtmp://h/app/key");
	const struct stream_event *start = cores_sent(&cores, EVENT_DELIVER_START, 0);

	cr_assert(start);
	cr_assert(text_is(start->deliver_start.rtmp_url, "rtmp://h/app/key"));
	cr_assert_eq(start->deliver_start.link, 11);
	cr_assert_eq(start->stream_id.length, 11);
	expect_word(0, "initializing", false);
	cr_assert_eq(cores_sent(&cores, EVENT_REQUEST_DONE, 0)->request_done.result, RESULT_OK);
	cores_status(&cores, DEVICE_STREAMING);
	expect_word(1, "active", false);
	cores_stop(&cores, "pa", 2, "");
	expect_word(2, "stopped", false);
	cr_assert(cores_sent(&cores, EVENT_DELIVER_STOP, 0));
	cr_assert_null(cores_active(&cores));
}

Test(unmanaged_flow, adapter_restart_delivers_what_is_owed, .init = setup, .fini = teardown)
{
	cores_start(&cores, "pa", 1, "rtmp://h/app/key");
	cores_status(&cores, DEVICE_STREAMING);
	cores_forget(&cores);
	cores.adapter_down = true;
	cores_status(&cores, DEVICE_ERROR);
	cr_assert_null(cores_sent(&cores, EVENT_DELIVER_STATUS, 0));
	cores.adapter_down = false;
	cores_restart_adapter(&cores);
	expect_word(0, "stopped", false);
	cr_assert(cores_sent(&cores, EVENT_DELIVER_STATUS, 0)->deliver_status.terminal);
}
