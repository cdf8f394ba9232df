/* SPDX-License-Identifier: MIT */
/* Goal: a listing passes for complete only if it is: every input once, in pages of ours, whatever
 * the vendor makes of its own.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/list.h"
#include "tests/lib/cloudflare_stage.h"

#define FIRST "GET /live_inputs?include_counts=true"

TestSuite(cloudflare_list, .init = stage_open, .fini = stage_close);

static char body[4 << 20];

/* Inputs numbered from @from, newest first: created so many seconds before midnight. */
static void reply_inputs(unsigned from, unsigned count, unsigned total)
{
	int used = snprintf(body, sizeof body, "{\"success\":true,\"result\":{\"liveInputs\":[");

	for (unsigned i = from; i < from + count; i++)
		used += snprintf(body + used, sizeof body - (size_t)used,
				 "%s{\"uid\":\"i%u\",\"meta\":{\"owner\":\"mark\",\"op\":\"s%u\"},"
				 "\"created\":\"2014-01-01T%02u:%02u:%02uZ\"}",
				 i == from ? "" : ",", i, i, 23 - i / 3600, 59 - i / 60 % 60,
				 59 - i % 60);
	snprintf(body + used, sizeof body - (size_t)used, "],\"range\":%u,\"total\":%u}}", count,
		 total);
	reply(200, body);
}

/* The inputs of the page, which must be numbered from @from; what comes next. */
static uint64_t expect_page(unsigned from, unsigned count)
{
	const struct stream_event *event = said(CALL_OK);
	uint32_t members, fields;
	struct text id, mark, op;
	struct wire wire;
	uint64_t age_s;
	char expected[16];

	cr_assert(list_read(event->provider_page.inputs, &wire, &members));
	cr_assert_eq(members, count);
	for (unsigned i = from; i < from + count; i++) {
		cr_assert(wire_array(&wire, &fields) && fields == 4 && wire_text(&wire, &id) &&
			  wire_text(&wire, &mark) && wire_text(&wire, &op) &&
			  wire_u64(&wire, &age_s));
		snprintf(expected, sizeof expected, "i%u", i);
		cr_assert(text_is(id, expected), "%.*s", (int)id.length, id.bytes);
		snprintf(expected, sizeof expected, "s%u", i);
		cr_assert(text_is(op, expected) && text_is(mark, "mark"));
		cr_assert_eq(age_s, 8401 + i); /* it is 02:20 */
	}
	return event->provider_page.next_page;
}

Test(cloudflare_list, none)
{
	call_list(0);
	cr_assert_str_eq(asked(), FIRST);
	reply(200, OK_OF("{\"liveInputs\":[],\"range\":0,\"total\":0}"));
	cr_assert_eq(expect_page(0, 0), 0);
}

Test(cloudflare_list, one_vendor_page_in_several_of_ours)
{
	call_list(0);
	reply_inputs(0, 2 * INPUTS_PER_PAGE_MAX + 1, 2 * INPUTS_PER_PAGE_MAX + 1);
	cr_assert_eq(expect_page(0, INPUTS_PER_PAGE_MAX), INPUTS_PER_PAGE_MAX);
	cr_assert_eq(said(CALL_OK)->provider_page.total, 2 * INPUTS_PER_PAGE_MAX + 1);
	call_list(INPUTS_PER_PAGE_MAX);
	cr_assert_eq(expect_page(INPUTS_PER_PAGE_MAX, INPUTS_PER_PAGE_MAX),
		     2 * INPUTS_PER_PAGE_MAX);
	call_list(2 * INPUTS_PER_PAGE_MAX);
	cr_assert_eq(expect_page(2 * INPUTS_PER_PAGE_MAX, 1), 0);
	cr_assert_eq(cloudflare_spent(core), 1);
}

Test(cloudflare_list, several_vendor_pages)
{
	call_list(0);
	reply_inputs(0, INPUTS_PER_PAGE_MAX, 20);
	cr_assert_eq(expect_page(0, INPUTS_PER_PAGE_MAX), INPUTS_PER_PAGE_MAX);
	call_list(INPUTS_PER_PAGE_MAX);
	cr_assert_str_eq(asked(), FIRST "&before=2014-01-01T23:59:44Z");
	reply_inputs(INPUTS_PER_PAGE_MAX - 1, 5, 20); /* the last one again */
	cr_assert_eq(expect_page(INPUTS_PER_PAGE_MAX, 4), 0);
}

Test(cloudflare_list, it_changes_meanwhile)
{
	call_list(0);
	reply_inputs(0, 3, 20);
	cr_assert_eq(expect_page(0, 3), 3);
	call_list(3);
	reply(200, OK_OF("{\"liveInputs\":[],\"range\":0,\"total\":3}")); /* the rest was deleted */
	cr_assert_eq(expect_page(3, 0), 0);
}

Test(cloudflare_list, half_a_list_is_none)
{
	call_list(0);
	reply_inputs(0, 3, 20);
	(void)expect_page(0, 3);
	call_list(3);
	reply_inputs(0, 3, 20); /* the vendor knows no pages */
	(void)said(CALL_RETRY);
	call_list(0);
	reply(200, OK_OF("{\"liveInputs\":[],\"total\":7}"));
	(void)said(CALL_RETRY);
	call_list(0);
	reply(200, OK_OF("{\"liveInputs\":[{\"uid\":\"a\"}],\"total\":2}")); /* no time to go by */
	(void)said(CALL_RETRY);
}

Test(cloudflare_list, failures)
{
	static const char *const bodies[] = { OK_OF("[]"), OK_OF("{\"liveInputs\":{}}"), "<html>",
					      OK_OF("null") };

	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		call_list(0);
		reply(200, bodies[i]);
		(void)said(CALL_RETRY);
	}
	call_list(0);
	reply(404, "");
	(void)said(CALL_REFUSED);
	call_list(0);
	reply_lost();
	(void)said(CALL_RETRY);
}

Test(cloudflare_list, one_listing_at_a_time)
{
	unsigned slot;

	call_list(0);
	reply_inputs(0, 3, 20);
	call_list(3);
	slot = fx.slot;
	call_list(0); /* somebody else begins */
	reply_inputs(0, 2, 20);
	(void)said(CALL_OK);
	cloudflare_answer(core, slot,
			  &(struct cloudflare_answer){ .status = 200, .body = text_of(body) },
			  now_ms, &fx);
	cr_assert_eq(fx.say[0].provider_page.outcome, CALL_RETRY);
	call_list(3);
	(void)said(CALL_RETRY);
	call_list(2);
	cr_assert_not_null(fx.request);
}

Test(cloudflare_list, as_many_as_there_is_room_for)
{
	const unsigned page = CLOUDFLARE_LISTED_MAX / 2;

	call_list(0);
	reply_inputs(0, page, 2 * page + 1);
	(void)said(CALL_OK);
	call_list(page);
	reply_inputs(page, page, 2 * page + 1);
	(void)said(CALL_OK);
	call_list(2 * page);
	reply_inputs(2 * page, 1, 2 * page + 1);
	(void)said(CALL_REFUSED);
}

Test(cloudflare_list, the_longest_page_fits)
{
	int used = snprintf(body, sizeof body, "{\"success\":true,\"result\":{\"liveInputs\":[");
	char mark[MARK_MAX + 1], op[STREAM_ID_MAX + 1];
	uint32_t members;
	struct wire wire;

	memset(mark, 'm', MARK_MAX);
	memset(op, 's', STREAM_ID_MAX);
	mark[MARK_MAX] = op[STREAM_ID_MAX] = '\0';
	for (unsigned i = 0; i < INPUTS_PER_PAGE_MAX; i++)
		used += snprintf(body + used, sizeof body - (size_t)used,
				 "%s{\"uid\":\"%032u\",\"meta\":{\"owner\":\"%s\",\"op\":\"%s\"},"
				 "\"created\":\"0000-01-01T00:00:00Z\"}",
				 i ? "," : "", i, mark, op);
	snprintf(body + used, sizeof body - (size_t)used, "]}}");
	call_list(0);
	reply(200, body);
	cr_assert(list_read(said(CALL_OK)->provider_page.inputs, &wire, &members));
	cr_assert_eq(members, INPUTS_PER_PAGE_MAX);
}
