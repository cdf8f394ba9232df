/* SPDX-License-Identifier: MIT */
/* Goal: what comes too late, from another life, or from nobody who may say it, changes nothing but
 * a counter.  Method: the branches of the core that neither the other tests nor the simulator take.
 */
#include "proto/stream_event_table.h"
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_unasked, .init = stage_open, .fini = stage_close);

Test(gateway_unasked, a_socket_that_is_gone_says_nothing_more)
{
	uint64_t link = stage_glasses();

	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = 1000 });
	stage_glasses_say(link, "{\"type\":\"start_app\",\"packageName\":\"" PACKAGE "\"}");
	cr_expect_eq(stage.fx.count, 0);
	cr_expect_eq(stage_out_count(), 0);
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = 1000 });
	cr_expect_eq(stage.fx.count, 0);
	/* Its slot is another's by now: the old name is not good for that one. */
	cr_assert_neq(stage_glasses(), link);
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = 1000 });
	cr_expect_eq(gateway_totals(stage.core).glasses, 1);
}

Test(gateway_unasked, opening_needs_a_link_that_was_reserved)
{
	stage_edge((struct gateway_edge){ .type = GATEWAY_APP_OPENED, .link = 12345 });
	stage_edge((struct gateway_edge){
		.type = GATEWAY_GLASSES_OPENED, .link = 12345, .user = TEXT(USER) });
	cr_expect_eq(stage.fx.count, 0);
	cr_expect_eq(gateway_totals(stage.core).glasses, 0);
	cr_expect_eq(gateway_totals(stage.core).apps, 0);
}

Test(gateway_unasked, a_message_that_nobody_sends_us_is_counted)
{
	uint64_t before = gateway_counts(stage.core)->messages_ignored;

	stage_bus(&(struct stream_event){ .type = EVENT_STREAM_OPENED });
	cr_expect_eq(gateway_counts(stage.core)->messages_ignored, before + 1);
	cr_expect_eq(stage.fx.count, 0);
	stage_input(
		&(struct input){ .type = INPUT_STORY,
				 .event = &(struct stream_event){ .type = EVENT_STREAM_OPENED } });
	cr_expect_eq(stage.fx.count, 0);
}

/* Told of the batch of an earlier life, the new one would take its own first ones for heard. */
Test(gateway_unasked, a_scheduler_anew_counts_its_batches_anew)
{
	stage_bus(&(struct stream_event){ .type = EVENT_PROBE_BATCH,
					  .probe_batch = { .batch = 7, .probes = TEXT("\x90") } });
	stage.now_ms += 1000;
	stage_tick();
	cr_assert_not_null(stage_told(EVENT_GATEWAY_BEAT));
	cr_expect_eq(stage_told(EVENT_GATEWAY_BEAT)->gateway_beat.batch, 7);
	for (int known = 1; known >= 0; known--) {
		stage_input(&(struct input){ .type = INPUT_PEER_UP,
					     .peer = { ROLE_SCHEDULER, 8 },
					     .peer_name = "lifecycle-scheduler",
					     .known = known });
		stage.now_ms += 1000;
		stage_tick();
		cr_assert_not_null(stage_told(EVENT_GATEWAY_BEAT));
		cr_expect_eq(stage_told(EVENT_GATEWAY_BEAT)->gateway_beat.batch, known ? 7 : 0);
	}
}

/* What is no probe ends the batch; what stood before it has been sent. */
Test(gateway_unasked, probes_that_cannot_be_read)
{
	static const struct {
		const char *bytes;
		uint32_t length;
	} broken[] = {
		{ "\x01", 1 }, /* no list */
		{ "\x91\x93\x01\xa1s\x01", 6 }, /* three fields */
		{ "\x91\x94\xa1x\xa1s\x01\xa1"
		  "a",
		  9 }, /* the link is a text */
		{ "\x91\x94\x01\x01\x01\xa1"
		  "a",
		  7 }, /* the stream is a number */
		{ "\x91\x94\x01\xa1s\xa1x\xa1"
		  "a",
		  9 }, /* the epoch is a text */
		{ "\x91\x94\x01\xa1s\x01\x01", 7 }, /* the ack is a number */
	};
	static uint8_t bytes[256];
	char longest[STREAM_ID_MAX + ACK_ID_MAX + 1];
	struct list_writer list;

	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		uint64_t before = gateway_counts(stage.core)->messages_ignored;
		const struct text probes = { broken[i].bytes, broken[i].length };

		stage_bus(
			&(struct stream_event){ .type = EVENT_PROBE_BATCH,
						.probe_batch = { .batch = 1, .probes = probes } });
		cr_expect_eq(gateway_counts(stage.core)->messages_ignored, before + 1, "row %zu",
			     i);
		cr_expect_eq(stage_out_count(), 0);
	}
	memset(longest, 'x', sizeof longest);
	for (unsigned i = 0; i < 2; i++) { /* ids one byte too long */
		uint64_t before = gateway_counts(stage.core)->messages_ignored;

		list_begin(&list, bytes, sizeof bytes);
		list_open_member(&list, 4);
		list_put_u64(&list, 1);
		list_put_text(&list, (struct text){ longest, STREAM_ID_MAX + (i == 0) });
		list_put_u64(&list, 1);
		list_put_text(&list, (struct text){ longest, ACK_ID_MAX + (i == 1) });
		cr_assert(list_close_member(&list));
		stage_bus(&(struct stream_event){
			.type = EVENT_PROBE_BATCH,
			.probe_batch = { .batch = 1, .probes = list_end(&list) } });
		cr_expect_eq(gateway_counts(stage.core)->messages_ignored, before + 1);
	}
}

Test(gateway_unasked, glasses_that_name_nothing)
{
	uint64_t link = stage_glasses();

	stage_glasses_say(link, "{\"type\":\"keep_alive_ack\",\"ackId\":\"a1\"}");
	stage_glasses_say(link, "{\"type\":\"keep_alive_ack\",\"streamId\":\"s1\"}");
	cr_expect_eq(gateway_counts(stage.core)->messages_ignored, 2);
	cr_expect_eq(gateway_counts(stage.core)->acks, 0);
	stage_glasses_say(link, "{\"type\":\"start_app\",\"packageName\":\"no.such\"}");
	cr_expect_not(stage_told(EVENT_EDGE_APP_START)->edge_app_start.known);
	cr_expect_eq(stage_told(EVENT_EDGE_APP_START)->edge_app_start.app_type, APP_TYPE_NONE);
}

/* Nothing is wanted by a filter that is none. */
Test(gateway_unasked, a_filter_that_cannot_be_read)
{
	uint64_t link = stage_glasses();
	static const struct text filters[] = { { "\x01", 1 }, { "\x92\x01\xa1t", 4 } };

	for (size_t i = 0; i < 2; i++) {
		stage_bus(&(struct stream_event){
			.type = EVENT_REGISTRY_RELAY_FILTER,
			.registry_relay_filter = { .link = link, .types = filters[i] } });
		stage_glasses_say(link, "{\"type\":\"t\"}");
		cr_expect_null(stage_told(EVENT_EDGE_RELAY));
	}
}

Test(gateway_unasked, a_session_of_nobody)
{
	uint64_t link = stage_app_socket();

	stage_init(link, "-" PACKAGE, PACKAGE);
	cr_expect_null(stage_told(EVENT_EDGE_APP_OPENED));
	stage_expect_sent(0, link, APP_ERROR("SESSION_NOT_FOUND", "Session not found"));
	stage_expect_close(1, link, 1008, "Session not found");
}

Test(gateway_unasked, subscriptions_before_the_verdict)
{
	uint64_t link = stage_app_socket();

	stage_init(link, SESSION, PACKAGE);
	stage_app_say(link, "{\"type\":\"subscription_update\",\"subscriptions\":[\"all\"]}");
	cr_expect_null(stage_told(EVENT_EDGE_APP_SUBSCRIBED));
	cr_expect_eq(gateway_counts(stage.core)->messages_ignored, 1);
}

/* What the registry says of a link that it was not told of, or before it was told again. */
Test(gateway_unasked, a_link_that_is_unknown_as_it_must_be)
{
	struct stream_event unknown = { .type = EVENT_REGISTRY_UNKNOWN_LINK };
	uint64_t replaced = stage_app(PACKAGE);

	(void)stage_app(PACKAGE);
	stage_registry(true); /* the older of two is not told again */
	unknown.registry_unknown_link.link = replaced;
	stage_bus(&unknown);
	cr_expect_eq(stage_out_count(), 0);
	uint64_t silent = stage_app_socket();

	unknown.registry_unknown_link.link = silent;
	stage_bus(&unknown);
	cr_expect_eq(stage_out_count(), 0);
}

Test(gateway_unasked, an_app_is_closed_without_having_been_stopped)
{
	uint64_t link = stage_app(PACKAGE);

	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_LINK_CLOSE,
		.registry_link_close = { .link = link, .code = 1000, .reason = TEXT("Bye") } });
	cr_expect_eq(stage_out_count(), 1);
	stage_expect_close(0, link, 1000, "Bye");
}

Test(gateway_unasked, nothing_is_relayed_to_a_replaced_socket)
{
	uint64_t older = stage_app(PACKAGE), before;

	(void)stage_app(PACKAGE);
	before = gateway_counts(stage.core)->links_missed;
	stage_bus(&(struct stream_event){ .type = EVENT_REGISTRY_RELAY,
					  .registry_relay = { .link = older,
							      .type_name = TEXT("t"),
							      .message = TEXT("{}") } });
	cr_expect_eq(stage_out_count(), 0);
	cr_expect_eq(gateway_counts(stage.core)->links_missed, before + 1);
}

Test(gateway_unasked, the_end_of_no_socket)
{
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = 0 });
	cr_expect_eq(stage.fx.count + stage_out_count(), 0);
	cr_expect_neq(gateway_reserve(stage.core), 0);
}

Test(gateway_unasked, words_for_an_app_that_is_not_there_are_counted)
{
	uint64_t before = gateway_counts(stage.core)->links_missed;
	uint64_t silent = stage_app_socket();

	stage_verdict(silent, RESULT_OK, 1); /* it has not asked yet */
	cr_expect_eq(gateway_counts(stage.core)->links_missed, before + 1);
	stage_verdict(silent + (1 << GATEWAY_LINK_BITS), RESULT_OK, 1);
	cr_expect_eq(gateway_counts(stage.core)->links_missed, before + 2);
	cr_expect_eq(stage_out_count(), 0);
}

Test(gateway_unasked, nobody_is_an_app_without_a_directory)
{
	cr_expect_null(gateway_directory_find(NULL, TEXT(PACKAGE)));
	cr_expect_not(gateway_app_may_stream(NULL));
	cr_expect_eq(gateway_text_order(TEXT("a"), TEXT("ab")), -1);
}

/* ---- what the bus may say, the edge can be told ---- */

static char longest[RELAY_MAX];

/* Every text at its limit, each byte of it to be escaped; enumerations at their @nth value. */
static struct stream_event at_the_limit(enum stream_event_type type, uint64_t link, unsigned nth)
{
	const struct schema *schema = stream_event_schema((uint64_t)type);
	struct stream_event event = { .type = type };

	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		void *value = (char *)&event + field->offset;

		if (field->kind == FIELD_STR)
			*(struct text *)value = (struct text){ longest, (uint32_t)field->limit };
		else if (field->kind == FIELD_ENUM)
			*(uint32_t *)value = nth % field->words->count;
		else if (field->kind == FIELD_U64)
			*(uint64_t *)value = strcmp(field->name, "link") == 0 ? link : 1;
		else if (field->kind == FIELD_BOOL)
			*(bool *)value = nth % 2;
	}
	event.user_id = TEXT(USER);
	return event;
}

static void expect_sayable(enum stream_event_type type)
{
	static char buffer[EDGE_ENCODED_MAX];

	for (size_t i = 0; i < stage_out_count(); i++) {
		const struct gateway_out *out = stage_out(i);

		if (out->type == GATEWAY_SEND || out->type == GATEWAY_ANSWER ||
		    out->type == GATEWAY_POST)
			cr_assert_gt(edge_encode(&out->message, 0, buffer, sizeof buffer), 0, "%s",
				     stream_event_name(type));
	}
}

Test(gateway_unasked, whatever_the_bus_may_say_can_be_said)
{
	static const enum role roles[] = { ROLE_REGISTRY, ROLE_SCHEDULER, ROLE_UNMANAGED,
					   ROLE_MANAGED };
	unsigned said = 0;

	memset(longest, 1, sizeof longest);
	for (enum stream_event_type type = 1; type <= STREAM_EVENT_TYPE_MAX; type++) {
		bool may = false;

		for (size_t i = 0; i < sizeof roles / sizeof roles[0] && stream_event_name(type);
		     i++)
			may |= stream_event_may(type, roles[i], ROLE_GATEWAY);
		for (unsigned nth = 0; may && nth < 16; nth++) {
			uint64_t links[] = { stage_glasses(), stage_app(PACKAGE) };

			for (size_t i = 0; i < 2; i++) {
				struct stream_event event = at_the_limit(type, links[i], nth);

				stage_bus(&event);
				expect_sayable(type);
				said += stage_out_count() > 0;
				stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED,
								  .link = links[i] });
			}
		}
	}
	cr_assert_gt(said, 50);
}
