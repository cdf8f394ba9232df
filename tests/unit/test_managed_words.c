/* SPDX-License-Identifier: MIT */
/* Goal: apps and glasses hear of a managed stream what protocol.md 5.4 and 10 (G6, G7, G9, G10,
 * G14) say, in that order and no more.  Method: the registry and the adapter, a provider that does
 * as it is told; the whole of what is said is compared.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/managed_stage.h"

#define WAITING "initializing 'Waiting for stream to start...'"

static void setup(void)
{
	stage_defaults();
	stage_open();
}

static void teardown(void)
{
	stage_close();
}

TestSuite(managed_words, .init = setup, .fini = teardown);

static void started(void)
{
	stage_watch("pa", 1);
	stage_expect("create S1; G start S1 rtmp://in/I1; pa " WAITING "; done 1 ok");
}

static void streaming(void)
{
	started();
	stage_device(DEVICE_STREAMING);
	stage_expect("pa active");
}

Test(managed_words, one_viewer_from_start_to_end)
{
	started();
	stage_device(DEVICE_INITIALIZING);
	stage_expect("pa initializing");
	stage_device(DEVICE_STREAMING);
	stage_expect("pa active");
	stage_input("I1")->playable = true;
	stage_pass(2100);
	stage_expect("pa active 'Stream is now live' preview");
	stage_stop("pa", 2);
	stage_expect("done 2 ok; pa stopped final; pa stopped final; G stop S1");
	stage_pass(60000);
	stage_expect("delete I1");
	cr_assert_eq(stage_inputs_there(), 0);
	cr_assert_eq(stage.registry->state.streams_count, 0);
}

/* 5.4, row by row ---------------------------------------------------------------------------- */

Test(managed_words, what_each_word_of_the_device_becomes)
{
	static const struct {
		enum device_status status;
		const char *said;
	} rows[] = {
		{ DEVICE_INITIALIZING, "pa initializing; pb initializing" },
		{ DEVICE_CONNECTING, "pa initializing; pb initializing" },
		{ DEVICE_STREAMING, "pa active; pb active" },
		{ DEVICE_ACTIVE, "pa active; pb active" },
		{ DEVICE_STOPPING, "pa stopping; pb stopping" },
		{ DEVICE_RECONNECTING, "pa active; pb active" },
		{ DEVICE_RECONNECTED, "pa active; pb active" },
		{ DEVICE_DISCONNECTED, "pa active; pb active" },
		{ DEVICE_TIMEOUT, "pa active; pb active" },
		{ DEVICE_RECONNECT_FAILED, "pa active; pb active" },
		{ DEVICE_OTHER, "pa active; pb active" },
		{ DEVICE_NONE, "pa active; pb active" },
	};

	started();
	stage_watch("pb", 2);
	stage_expect("pb active reply; done 2 ok");
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		stage_device(rows[i].status);
		stage_expect(rows[i].said);
	}
}

Test(managed_words, the_device_has_stopped)
{
	streaming();
	stage_watch("pb", 2);
	stage_forget();
	stage_device(DEVICE_STOPPED);
	stage_expect("pa stopped final; pb stopped final; G stop S1");
}

Test(managed_words, the_device_fails)
{
	streaming();
	stage_device_says(DEVICE_ERROR, "camera busy");
	stage_expect("pa error 'camera busy' final; G stop S1");
	stage_watch("pa", 2);
	stage_forget();
	stage_device(DEVICE_ERROR);
	stage_expect("pa error 'Stream error reported by glasses' final; G stop S2");
}

/* G14 */
Test(managed_words, keep_alives_are_not_answered)
{
	streaming();
	stage_watch("pb", 2);
	stage_forget();
	stage_expired();
	stage_expect("pa error 'Stream timed out waiting for keep-alive' final; "
		     "pb error 'Stream timed out waiting for keep-alive' final; "
		     "G stop S1");
}

/* G7 */
Test(managed_words, two_viewers_come_and_go)
{
	streaming();
	stage_watch("pb", 2);
	stage_expect("pb active reply; done 2 ok");
	stage_stop("pa", 3);
	stage_expect("done 3 ok; pa stopped final");
	stage_watch("pa", 4);
	stage_expect("pa active reply; done 4 ok");
	stage_stop("pa", 5);
	stage_expect("done 5 ok; pa stopped final");
	stage_stop("pb", 6);
	stage_expect("done 6 ok; pb stopped final; pb stopped final; G stop S1");
}

Test(managed_words, a_request_is_answered_whenever_it_comes)
{
	streaming();
	for (uint64_t request = 2; request < 5; request++) {
		char expected[64];

		stage_watch("pa", request);
		(void)snprintf(expected, sizeof expected, "pa active reply; done %u ok",
			       (unsigned)request);
		stage_expect(expected);
	}
}

Test(managed_words, a_stop_by_one_who_does_not_watch)
{
	stage_stop("pb", 9);
	stage_expect("done 9 ok");
	streaming();
	stage_stop("pb", 2);
	stage_expect("pb stopped reply; done 2 ok");
	cr_assert(stage_active());
}

/* G9 */
Test(managed_words, an_unmanaged_stream_takes_over)
{
	streaming();
	stage_watch("pb", 2);
	stage_forget();
	stage_unmanaged("pc");
	stage_app_up("pc", 23);
	stage_unmanaged("pc");
	stage_expect("pa stopped final; pb stopped final; G stop S1");
}

/* G10 */
Test(managed_words, refused_while_an_unmanaged_stream_runs)
{
	stage_unmanaged("pa");
	stage_watch("pb", 1);
	stage_expect("done 1 INTERNAL_ERROR: Cannot start managed stream - unmanaged stream "
		     "already active");
	cr_assert_eq(stage.inputs_count, 0);
}

/* 6.4 ---------------------------------------------------------------------------------------- */

Test(managed_words, details_once_and_live_once)
{
	started();
	stage_input("I1")->details = true;
	stage_device(DEVICE_STREAMING);
	stage_pass(20);
	stage_expect("pa active; pa active 'Stream details updated' preview thumbnail");
	stage_device(DEVICE_STREAMING);
	stage_pass(20);
	stage_expect("pa active");
	stage_input("I1")->playable = true;
	stage_pass(2000);
	stage_expect("pa active 'Stream is now live' preview");
	stage_pass(600000);
	stage_expect("");
}

/* 6.5: the device's word makes a look out of turn; "live" still comes at the beat of the polls. */
Test(managed_words, live_at_the_beat_of_the_polls)
{
	started();
	stage_input("I1")->playable = true;
	stage_pass(700);
	stage_device(DEVICE_STREAMING);
	stage_expect("pa active");
	stage_pass(1200);
	stage_expect("");
	stage_pass(200);
	stage_expect("pa active 'Stream is now live' preview");
}

Test(managed_words, overdue_is_told_to_nobody_and_live_later_is)
{
	streaming();
	stage_pass(59000);
	cr_assert_eq(state_managed_of(&stage.registry->state, stage_active())->playback,
		     PLAYBACK_UNKNOWN);
	stage_pass(2000);
	cr_assert_eq(state_managed_of(&stage.registry->state, stage_active())->playback,
		     PLAYBACK_OVERDUE);
	stage_expect("");
	stage_input("I1")->playable = true;
	stage_hint("I1", INGEST_LIVE, false);
	stage_pass(20);
	stage_expect("pa active 'Stream is now live' preview");
}

/* Who is told -------------------------------------------------------------------------------- */

Test(managed_words, nothing_unasked_to_an_app_that_comes_back)
{
	streaming();
	stage_app_closed("pa", 21);
	stage_app_up("pa", 31);
	stage_restart();
	stage_pass(6000);
	stage_expect("");
	stage_watch("pa", 2);
	stage_expect("pa active reply; done 2 ok");
	stage_device(DEVICE_STOPPING);
	stage_expect("pa stopping");
}

Test(managed_words, an_app_that_is_stopped_watches_no_more)
{
	streaming();
	stage_watch("pb", 2);
	stage_forget();
	stage_app_stop("pa");
	stage_device(DEVICE_ACTIVE);
	stage_expect("pb active");
	stage_app_stop("pb");
	stage_pass(100);
	stage_expect("G stop S1; delete I1");
}

Test(managed_words, what_is_owed_is_said_until_it_is_told)
{
	streaming();
	stage.apps_silent = stage.device_silent = true;
	stage_stop("pa", 2);
	stage_pass(100);
	stage_forget();
	stage_pass(5001);
	stage_expect("pa stopped final; G stop S1");
	stage.apps_silent = stage.device_silent = false;
	stage_pass(5001);
	stage_expect("pa stopped final; G stop S1");
	stage_pass(20000);
	stage_expect("");
}

Test(managed_words, the_start_waits_for_the_device)
{
	stage_watch("pb", 1);
	stage_forget();
	stage_stop("pb", 2);
	stage_pass(100);
	stage_forget();
	stage.hold = true;
	stage_watch("pa", 3);
	stage_glasses_down();
	stage_release();
	stage_expect("create S2; pa " WAITING "; done 3 ok");
	stage_glasses_up();
	stage_expect("G start S2 rtmp://in/I2");
}

/* Limits ------------------------------------------------------------------------------------- */

Test(managed_words, ten_outputs_and_sixteen_viewers_in_one_go)
{
	char json[DESTINATIONS_MAX] = "[", package[8];

	for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
		char url[340];
		size_t length = strlen(json);

		memset(url, 'k', sizeof url - 1);
		url[sizeof url - 1] = '\0';
		(void)snprintf(url, 32, "rtmp://h%u/app/", i);
		url[strlen(url)] = 'k';
		(void)snprintf(json + length, sizeof json - length, "%s{\"url\":\"%s\"}",
			       i > 0 ? "," : "", url);
	}
	(void)strncat(json, "]", 2);
	cr_assert_lt(strlen(json), DESTINATIONS_MAX);
	for (unsigned i = 0; i < VIEWERS_MAX - 2; i++) {
		(void)snprintf(package, sizeof package, "p%u", i);
		stage_app_up(package, 100 + i);
	}
	stage.hold = true;
	stage_watch_to("pa", 1, json);
	stage_watch("pb", 2);
	for (unsigned i = 0; i < VIEWERS_MAX - 2; i++) {
		(void)snprintf(package, sizeof package, "p%u", i);
		stage_watch(package, 10 + i);
	}
	stage.hold = false;
	stage_release();
	stage_pass(10);
	cr_assert(stage_said("done 23 ok"), "%s", stage.log);
	cr_assert(stage_said("p13 initializing"));
	stage_forget();
	stage_expired();
	cr_assert(stage_said("p13 error"));
	cr_assert(stage_said("G stop S1"));
}

/* Ingest: for people, never for apps ---------------------------------------------------------- */

static enum ingest ingest(void)
{
	return (enum ingest)state_managed_of(&stage.registry->state, stage_active())->ingest;
}

Test(managed_words, what_is_seen_of_the_picture_ends_nothing)
{
	streaming();
	stage_input("I1")->ingest = INGEST_LIVE;
	stage_hint("I1", INGEST_LIVE, false);
	cr_assert_eq(ingest(), INGEST_UNKNOWN, "what we are told is looked at first");
	stage_pass(20);
	cr_assert_eq(ingest(), INGEST_LIVE);
	stage_hint("I1", INGEST_LOST, true);
	cr_assert_eq(ingest(), INGEST_LOST, "what we saw ourselves is not");
	stage_hint("nothing", INGEST_ENDED, true);
	cr_assert_eq(ingest(), INGEST_LOST);
	stage_input("I1")->playable = true;
	stage_pass(2100);
	stage_input("I1")->ingest = INGEST_ENDED;
	stage_pass(61000);
	cr_assert_eq(ingest(), INGEST_ENDED);
	cr_assert(stage_active());
	stage_expect("pa active 'Stream is now live' preview");
}
