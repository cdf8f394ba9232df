/* SPDX-License-Identifier: MIT */
/* Goal: the role table says what design.md section 3 says, and nothing more.  Method: sets written
 * down here by hand for the events that matter, and rules that hold for all of them; every triple
 * (event, from, to) is asked.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/lib/samples.h"

enum {
	REG = 1 << ROLE_REGISTRY,
	SCH = 1 << ROLE_SCHEDULER,
	UNM = 1 << ROLE_UNMANAGED,
	MAN = 1 << ROLE_MANAGED,
	GW = 1 << ROLE_GATEWAY,
	CON = 1 << ROLE_CONSOLE,
	OP = 1 << ROLE_OPERATOR,
	PUBLISHED = 1 << ROLE_NONE,
	STORY = PUBLISHED | REG | SCH | UNM | MAN | GW | CON | OP, /* also as rows, to anybody */
};

struct row {
	enum stream_event_type type;
	unsigned from, to;
};

static struct row rows[] = {
	{ EVENT_PEER_HELLO, SCH | UNM | MAN | GW | CON | OP, REG | SCH | UNM | MAN },
	{ EVENT_PEER_WELCOME, REG | SCH | UNM | MAN, SCH | UNM | MAN | GW | CON | OP },
	{ EVENT_PEER_ACK, REG | SCH | UNM | MAN, SCH | UNM | MAN | GW | CON | OP },
	{ EVENT_PEER_REFUSED, REG | SCH | UNM | MAN, SCH | UNM | MAN | GW | CON | OP },
	{ EVENT_EDGE_LINK_OPENED, GW, REG },
	{ EVENT_EDGE_STATUS, GW, REG },
	{ EVENT_EDGE_DEVICE_TOLD, GW, REG },
	{ EVENT_EDGE_APP_TOLD, GW, REG },
	{ EVENT_EDGE_APP_OPENED, GW, REG },
	{ EVENT_REGISTRY_APP_RESULT, REG, GW },
	{ EVENT_REGISTRY_LINK_CLOSE, REG, GW },
	{ EVENT_REGISTRY_CHECKED, REG, GW },
	{ EVENT_DELIVER_START, UNM | MAN, GW },
	{ EVENT_DELIVER_STOP, UNM | MAN, GW },
	{ EVENT_DELIVER_STATUS, UNM | MAN, GW },
	{ EVENT_REQUEST_DONE, UNM | MAN, GW },
	{ EVENT_REQUEST_START, GW, UNM | MAN },
	{ EVENT_REQUEST_STOP, GW, UNM | MAN },
	{ EVENT_STREAM_OPEN, UNM | MAN, REG },
	{ EVENT_STREAM_CLOSE, UNM | MAN, REG },
	{ EVENT_STREAM_RESULT, REG, UNM | MAN },
	{ EVENT_STREAM_MISSED, SCH, REG },
	{ EVENT_TIMER_EXPIRED, SCH, REG },
	{ EVENT_GATEWAY_SEEN, SCH, REG },
	{ EVENT_PROBE_BATCH, SCH, GW },
	{ EVENT_ACK_BATCH, GW, SCH },
	{ EVENT_GATEWAY_BEAT, GW, SCH },
	{ EVENT_GATEWAY_CHANGED, REG, STORY },
	{ EVENT_LINK_CHANGED, REG, STORY },
	{ EVENT_STREAM_OPENED, REG, STORY },
	{ EVENT_STREAM_STATUS, REG, STORY },
	{ EVENT_STREAM_MOVED, REG, STORY },
	{ EVENT_STREAM_CLOSED, REG, STORY },
	{ EVENT_STREAM_TOLD, REG, STORY },
	{ EVENT_STREAM_STOP_SETTLED, REG, STORY },
	{ EVENT_SNAPSHOT_GET, UNM | MAN | SCH | CON | OP, REG },
	{ EVENT_SNAPSHOT_BEGIN, REG, UNM | MAN | SCH | CON | OP },
	{ EVENT_SNAPSHOT_STREAM, REG, UNM | MAN | SCH | CON | OP },
	{ EVENT_SNAPSHOT_END, REG, UNM | MAN | SCH | CON | OP },
	{ EVENT_OPERATOR_STOP, OP | CON, REG },
	{ EVENT_OPERATOR_RESULT, REG, OP | CON },
	{ EVENT_HISTORY_GET, OP | CON, REG },
	{ EVENT_HISTORY_END, REG, OP | CON },
	{ EVENT_PROBE_SENT, SCH, PUBLISHED },
	{ EVENT_PROBE_ACKED, SCH, PUBLISHED },
	{ EVENT_PROBE_MISSED, SCH, PUBLISHED },
	{ EVENT_DELIVER_MANAGED, MAN, GW },
	{ EVENT_REQUEST_OUTPUTS, MAN, GW },
	{ EVENT_REQUEST_WATCH, GW, MAN },
	{ EVENT_REQUEST_OUTPUT_ADD, GW, MAN },
	{ EVENT_STREAM_LEAVE, MAN, REG },
	{ EVENT_INPUT_MADE, MAN, REG },
	{ EVENT_INPUT_SEEN, MAN, REG },
	{ EVENT_INPUT_GONE, MAN, REG },
	{ EVENT_OUTPUT_ADD, MAN, REG },
	{ EVENT_OUTPUT_REMOVE, MAN, REG },
	{ EVENT_OUTPUT_SEEN, MAN, REG },
	{ EVENT_DEPLOYMENT_MARKED, REG, STORY },
	{ EVENT_RECORD_QUARANTINED, REG, STORY },
	{ EVENT_RECORD_REBUILT, REG, STORY },
	{ EVENT_STREAM_JOINED, REG, STORY },
	{ EVENT_STREAM_LEFT, REG, STORY },
	{ EVENT_STREAM_PROVISIONED, REG, STORY },
	{ EVENT_STREAM_INGEST, REG, STORY },
	{ EVENT_STREAM_PLAYBACK, REG, STORY },
	{ EVENT_STREAM_OUTPUT, REG, STORY },
	{ EVENT_STREAM_INPUT_SETTLED, REG, STORY },
	{ EVENT_SNAPSHOT_MANAGED, REG, UNM | MAN | SCH | CON | OP },
	{ EVENT_SNAPSHOT_OUTPUTS, REG, UNM | MAN | SCH | CON | OP },
	{ EVENT_SNAPSHOT_STORE, REG, UNM | MAN | SCH | CON | OP },
	{ EVENT_PROVIDER_CREATE, MAN, PUBLISHED },
	{ EVENT_PROVIDER_DONE, MAN, PUBLISHED },
	{ EVENT_PROVIDER_ASK, OP | CON, MAN },
	{ EVENT_PROVIDER_ROW, MAN, OP | CON },
	{ EVENT_PROVIDER_REPORT, MAN, OP | CON },
	{ EVENT_NONE, 0, 0 },
};

ParameterizedTestParameters(roles, important_events)
{
	return cr_make_param_array(struct row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct row *row, roles, important_events)
{
	for (unsigned from = 0; from < 40; from++)
		for (unsigned to = 0; to < 40; to++) {
			bool expected = from < ROLE_COUNT && to < ROLE_COUNT &&
					row->from & 1u << from && row->to & 1u << to;

			cr_assert_eq(stream_event_may(row->type, (enum role)from, (enum role)to),
				     expected, "%s from %s to %s must %sbe allowed",
				     stream_event_name(row->type), words_name(&role_words, from),
				     words_name(&role_words, to), expected ? "" : "not ");
		}
}

#define EACH_TYPE(type) \
	for (enum stream_event_type type = EVENT_NONE; ((type) = sample_next(type)) != EVENT_NONE;)

static bool may(enum stream_event_type type, enum role from, enum role to)
{
	return stream_event_may(type, from, to);
}

/* Operational events come from whoever lives them; all of the story from the registry. */
static bool is_ops(enum stream_event_type type)
{
	return type >= EVENT_ACTOR_STARTED && type < EVENT_PROVIDER_ASK;
}

Test(roles, only_the_registry_tells_the_story)
{
	EACH_TYPE(type)
	{
		for (unsigned from = 0; from < ROLE_COUNT; from++) {
			if (from == ROLE_REGISTRY || is_ops(type))
				continue;
			cr_assert(!may(type, (enum role)from, ROLE_NONE), "%s from %s",
				  stream_event_name(type), words_name(&role_words, from));
		}
	}
}

Test(roles, operational_events_are_only_published)
{
	EACH_TYPE(type)
	{
		for (unsigned from = 0; from < ROLE_COUNT; from++)
			for (unsigned to = 1; to < ROLE_COUNT; to++)
				cr_assert(!is_ops(type) || from == ROLE_REGISTRY ||
						  !may(type, (enum role)from, (enum role)to),
					  "%s", stream_event_name(type));
	}
}

/* Looking is harmless: of what operators may send, only operator.stop changes anything, and
 * provider.ask, which deletes what nobody knows.
 */
Test(roles, operators_and_consoles_can_ask_and_stop)
{
	EACH_TYPE(type)
	{
		bool expected = type == EVENT_PEER_HELLO || type == EVENT_SNAPSHOT_GET ||
				type == EVENT_HISTORY_GET || type == EVENT_OPERATOR_STOP;

		cr_assert_eq(may(type, ROLE_OPERATOR, ROLE_REGISTRY), expected, "%s",
			     stream_event_name(type));
		cr_assert_eq(may(type, ROLE_CONSOLE, ROLE_REGISTRY), expected, "%s",
			     stream_event_name(type));
		cr_assert_eq(may(type, ROLE_OPERATOR, ROLE_MANAGED),
			     type == EVENT_PEER_HELLO || type == EVENT_PROVIDER_ASK, "%s",
			     stream_event_name(type));
		for (unsigned to = 1; to < ROLE_COUNT; to++)
			cr_assert(to == ROLE_REGISTRY || type == EVENT_PEER_HELLO ||
					  type == EVENT_PROVIDER_ASK ||
					  !may(type, ROLE_OPERATOR, (enum role)to),
				  "%s", stream_event_name(type));
	}
}

/* A gateway holds the sockets of strangers: it tells facts and asks, and decides nothing. */
Test(roles, gateways_have_no_command)
{
	EACH_TYPE(type)
	{
		bool is_fact =
			type >= EVENT_EDGE_LINK_OPENED && type < EVENT_REGISTRY_GLASSES_NOTICE;

		cr_assert_eq(may(type, ROLE_GATEWAY, ROLE_REGISTRY),
			     is_fact || type == EVENT_PEER_HELLO, "%s", stream_event_name(type));
	}
}

Test(roles, nobody_speaks_to_itself)
{
	EACH_TYPE(type)
	{
		for (unsigned role = 2; role < ROLE_COUNT; role++)
			cr_assert(!may(type, (enum role)role, (enum role)role) ||
					  (type >= EVENT_PEER_HELLO && type <= EVENT_PEER_REFUSED),
				  "%s", stream_event_name(type));
	}
}
