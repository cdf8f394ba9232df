/* SPDX-License-Identifier: MIT */
/* Goal: what a role may not say reaches no core, whichever socket it comes in on, and is counted
 * and told.  Method: every type of event x every sender x every receiver, into the inbox of a
 * server, the uplink of a client, and the story and rows of a follower; what the schema's rows say
 * is read here once more, without stream_event_may().
 */
#include <criterion/criterion.h>

#include "common/follower.h"
#include "common/inbox.h"
#include "common/uplink.h"
#include "tests/lib/bus.h"
#include "tests/lib/samples.h"

#define SERVER UINT64_C(0x5e17e1)
#define CLIENT UINT64_C(0xc11e47)

static size_t fed;
static const char *noted;
static uint8_t bytes[FRAME_MAX];

static void count_input(void *context, const struct input *input)
{
	(void)context;
	fed += input->type == INPUT_MESSAGE || input->type == INPUT_STORY;
}

static void note(void *context, const char *what, const char *detail)
{
	(void)context;
	(void)detail;
	noted = what;
}

static void note_peer(void *context, const struct inbox_note *entry)
{
	(void)context;
	noted = entry->what;
}

static bool sink(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	(void)frame;
	(void)length;
	return true;
}

static enum inbox_sent sink_route(void *context, const uint8_t *route, size_t route_length,
				  const uint8_t *frame, size_t length)
{
	(void)route;
	(void)route_length;
	return sink(context, frame, length) ? INBOX_SENT : INBOX_BUSY;
}

static void nothing(void *context)
{
	(void)context;
}

/* Whether the schema has a row for it, apart from what is published. */
static bool is_addressed(enum stream_event_type type, enum role from, enum role to)
{
	const struct schema *schema = stream_event_schema(type);

	return schema->from & 1u << from && schema->to & 1u << to;
}

static bool is_published(enum stream_event_type type, enum role from)
{
	const struct schema *schema = stream_event_schema(type);

	return schema->from & 1u << from && schema->to == TO_ALL;
}

/* Those about the connection itself are below. */
static enum stream_event_type next_type(enum stream_event_type type)
{
	do
		type = sample_next(type);
	while (type != EVENT_NONE && type <= EVENT_PEER_REFUSED);
	return type;
}

#define EACH_TYPE(type) \
	enum stream_event_type type = next_type(EVENT_NONE); \
	type != EVENT_NONE; \
	type = next_type(type)

static size_t frame_of(enum stream_event_type type, const char *topic, uint64_t from,
		       uint64_t first)
{
	const struct stream_event event = { .type = type, .seq = first };

	return bus_frame_of(bytes, sizeof bytes, topic, "speaker", from, first, &event, 1);
}

static void check(enum stream_event_type type, enum role from, enum role to, bool allowed,
		  uint64_t violations)
{
	const char *name = stream_event_name(type);

	cr_assert_eq(fed, allowed, "%s from %u to %u: %zu", name, from, to, fed);
	cr_assert_eq(violations, !allowed, "%s from %u to %u is counted", name, from, to);
	cr_assert(allowed || (noted && strcmp(noted, "audit.violation") == 0),
		  "%s from %u to %u is told", name, from, to);
	fed = 0;
	noted = NULL;
}

/* ---- what servers are told ---- */

static void inbox_takes(struct inbox *inbox, const struct route *from, size_t length)
{
	uint8_t route[ROUTE_LENGTH_MAX];

	route_write(from, route);
	inbox_frame(inbox, route, sizeof route, NULL, bytes, length, 0);
	while (inbox_step(inbox, 0))
		;
}

static size_t hello(enum role role)
{
	const struct stream_event event = { .type = EVENT_PEER_HELLO,
					    .peer_hello = { .role = role,
							    .name = TEXT("speaker"),
							    .protocol = STREAM_PROTOCOL_VERSION,
							    .first_request = 1 } };

	return bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, "speaker", CLIENT, 0, &event, 1);
}

static void walk_inbox(enum role from, enum role to)
{
	const struct route route = { from, CLIENT, 1 };
	struct inbox inbox;

	cr_assert_eq(
		inbox_init(&inbox, &(struct inbox_options){ .role = to,
							    .name = "server",
							    .incarnation = SERVER,
							    .port = { NULL, sink_route, count_input,
								      note_peer } }),
		0);
	inbox_takes(&inbox, &route, hello(from));
	if (!is_addressed(EVENT_PEER_HELLO, from, to)) {
		cr_assert_eq(inbox.stats.hellos_refused, 1, "%u is not served by %u", from, to);
		inbox_takes(&inbox, &route, frame_of(EVENT_EDGE_CHECK, TOPIC_DIRECT, CLIENT, 0));
		cr_assert_eq(inbox.stats.strangers, 1);
		cr_assert_eq(fed, 0);
	} else {
		for (EACH_TYPE(type)) {
			uint64_t before = inbox.stats.violations;

			inbox_takes(&inbox, &route, frame_of(type, TOPIC_DIRECT, CLIENT, 0));
			check(type, from, to, is_addressed(type, from, to),
			      inbox.stats.violations - before);
		}
	}
	inbox_fini(&inbox);
}

Test(role_walk, inboxes)
{
	for (unsigned from = ROLE_NONE + 1; from < ROLE_COUNT; from++)
		for (unsigned to = ROLE_NONE + 1; to < ROLE_COUNT; to++)
			walk_inbox((enum role)from, (enum role)to);
}

/* ---- what servers say ---- */

static void uplink_takes(struct uplink *uplink, size_t length)
{
	uplink_frame(uplink, bytes, length);
	while (uplink_step(uplink, 0))
		;
}

static size_t welcome(enum role server)
{
	const struct stream_event event = {
		.type = EVENT_PEER_WELCOME,
		.peer_welcome = { .role = server, .name = TEXT("speaker"), .next_request = 1 }
	};

	return bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, "speaker", SERVER, 0, &event, 1);
}

static void walk_uplink(enum role from, enum role to)
{
	struct uplink uplink;

	cr_assert_eq(
		uplink_init(&uplink, &(struct uplink_options){ .role = to,
							       .name = "client",
							       .incarnation = CLIENT,
							       .server = from,
							       .port = { NULL, sink, nothing,
									 count_input, note } }),
		0);
	uplink_connected(&uplink, 0);
	uplink_takes(&uplink, welcome(from));
	cr_assert_eq(uplink.state, UPLINK_WELCOMED);
	for (EACH_TYPE(type)) {
		uint64_t before = uplink.stats.violations;

		uplink_takes(&uplink, frame_of(type, TOPIC_DIRECT, SERVER, 0));
		check(type, from, to, is_addressed(type, from, to),
		      uplink.stats.violations - before);
	}
	uplink_fini(&uplink);
}

Test(role_walk, uplinks)
{
	for (unsigned from = ROLE_NONE + 1; from < ROLE_COUNT; from++)
		for (unsigned to = ROLE_NONE + 1; to < ROLE_COUNT; to++)
			walk_uplink((enum role)from, (enum role)to);
}

/* ---- what the registry tells ---- */

static void answer(struct follower *follower, struct stream_event event)
{
	size_t length =
		bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, "speaker", SERVER, 0, &event, 1);

	follower_answer(follower, bytes, length);
	while (follower_answer_step(follower, 0))
		;
}

static void walk_follower(enum role to)
{
	struct follower follower;
	uint64_t rows = 0;

	follower_init(&follower, &(struct follower_options){ .role = to,
							     .name = "client",
							     .incarnation = CLIENT,
							     .port = { .input = count_input,
								       .open = nothing,
								       .close = nothing,
								       .send = sink,
								       .note = note } });
	follower_story(&follower, (const uint8_t *)TOPIC_WELCOME, FRAME_TOPIC_SIZE, 0);
	follower_connected(&follower, 0);
	answer(&follower,
	       (struct stream_event){ .type = EVENT_SNAPSHOT_BEGIN, .request = follower.request });
	for (EACH_TYPE(type)) {
		bool row =
			is_addressed(type, ROLE_REGISTRY, to) || is_published(type, ROLE_REGISTRY);
		uint64_t before = follower.stats.violations;

		if (type == EVENT_SNAPSHOT_BEGIN || type == EVENT_SNAPSHOT_END)
			continue;
		answer(&follower, (struct stream_event){ .type = type });
		rows += row;
		check(type, ROLE_REGISTRY, to, row, follower.stats.violations - before);
	}
	answer(&follower, (struct stream_event){ .type = EVENT_SNAPSHOT_END,
						 .request = follower.request,
						 .snapshot_end.rows = rows });
	while (follower_step(&follower, 0))
		;
	cr_assert(follower_is_live(&follower));
	for (EACH_TYPE(type)) {
		uint64_t before = follower.stats.violations;

		follower_story(&follower, bytes,
			       frame_of(type, TOPIC_STORY, SERVER, follower.expected), 0);
		while (follower_step(&follower, 0))
			;
		check(type, ROLE_REGISTRY, to, is_published(type, ROLE_REGISTRY),
		      follower.stats.violations - before);
	}
	cr_assert(follower_is_live(&follower), "what is dropped makes no gap");
	follower_fini(&follower);
}

Test(role_walk, followers)
{
	for (unsigned to = ROLE_NONE + 1; to < ROLE_COUNT; to++)
		if (is_addressed(EVENT_SNAPSHOT_STREAM, ROLE_REGISTRY, (enum role)to))
			walk_follower((enum role)to);
}
