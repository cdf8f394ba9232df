/* SPDX-License-Identifier: MIT */
/* Goal: what a stream's life may do, what a device's words mean and how each end is told is what
 * protocol.md 5.3, 5.4 and 11 say.  Method: every cell of every table, against tables written from
 * that text; a cell that nobody wrote down is refused.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "common/phase.h"

static const char letters[PHASE_COUNT + 1] = ".QPSLUTC"; /* by enum phase; '.': refused */

/* A column for each trigger: none, start_delivered, provisioned, device starting, live, stopping,
 * missed, recovered, close.
 */
static const char *const transitions[KIND_COUNT][PHASE_COUNT] = {
	[KIND_NONE] = {
		"........."
		, ".........", ".........", ".........", ".........", ".........", ".........", ".........",
	},
	/* An unmanaged stream has no provisioning.  Probes run while the owner reads "active", so a
	 * miss anywhere else is a mistake of ours.
	 */
	[KIND_UNMANAGED] = {
		[PHASE_NONE] = ".........",
		[PHASE_REQUESTED] = ".S.SLT..C",
		[PHASE_PROVISIONING] = ".........",
		[PHASE_STARTING] = "...SLT..C",
		[PHASE_LIVE] = "...SLTU.C",
		[PHASE_SUSPECT] = "...SLTULC",
		[PHASE_STOPPING] = "...SLT..C",
		[PHASE_CLOSED] = ".........",
	},
	/* A managed one is probed from its start on, and no device can know it before it is
	 * provisioned.
	 */
	[KIND_MANAGED] = {
		[PHASE_NONE] = ".........",
		[PHASE_REQUESTED] = "..P.....C",
		[PHASE_PROVISIONING] = ".S.SLT..C",
		[PHASE_STARTING] = "...SLTU.C",
		[PHASE_LIVE] = "...SLTU.C",
		[PHASE_SUSPECT] = "...SLTULC",
		[PHASE_STOPPING] = "...SLT..C",
		[PHASE_CLOSED] = ".........",
	},
};

Test(phase, every_transition_is_the_written_one)
{
	for (enum kind kind = KIND_NONE; kind < KIND_COUNT; kind++)
		for (enum phase phase = PHASE_NONE; phase < PHASE_COUNT; phase++)
			for (enum phase_trigger trigger = TRIGGER_NONE; trigger < TRIGGER_COUNT;
			     trigger++) {
				char expected = transitions[kind][phase][trigger];
				char got = letters[phase_next(kind, phase, trigger)];

				cr_expect_eq(got, expected, "%s, %s, trigger %d: %c, not %c",
					     words_name(&kind_words, kind),
					     words_name(&phase_words, phase), trigger, got,
					     expected);
			}
}

Test(phase, whatever_is_active_can_be_closed_and_nothing_else)
{
	for (enum phase phase = PHASE_NONE; phase < PHASE_COUNT; phase++) {
		bool active = phase >= PHASE_REQUESTED && phase <= PHASE_STOPPING;
		bool managed = active, unmanaged = active && phase != PHASE_PROVISIONING;

		cr_expect_eq(phase_active(phase), active);
		cr_expect_eq(phase_next(KIND_MANAGED, phase, TRIGGER_CLOSE),
			     managed ? PHASE_CLOSED : PHASE_NONE);
		cr_expect_eq(phase_next(KIND_UNMANAGED, phase, TRIGGER_CLOSE),
			     unmanaged ? PHASE_CLOSED : PHASE_NONE);
	}
}

/* What a device says ------------------------------------------------------------------------ */

struct meaning {
	enum device_status status;
	enum phase_trigger unmanaged;
	enum end_cause unmanaged_end;
	enum phase_trigger managed;
	enum end_cause managed_end;
};

static const struct meaning meanings[] = {
	/* 5.3: activity only.  5.4: absent counts as "notify active". */
	{ DEVICE_NONE, TRIGGER_NONE, END_NONE, TRIGGER_DEVICE_LIVE, END_NONE },
	{ DEVICE_INITIALIZING, TRIGGER_DEVICE_STARTING, END_NONE, TRIGGER_DEVICE_STARTING,
	  END_NONE },
	{ DEVICE_CONNECTING, TRIGGER_DEVICE_STARTING, END_NONE, TRIGGER_DEVICE_STARTING, END_NONE },
	{ DEVICE_RECONNECTING, TRIGGER_DEVICE_STARTING, END_NONE, TRIGGER_DEVICE_LIVE, END_NONE },
	{ DEVICE_STREAMING, TRIGGER_DEVICE_LIVE, END_NONE, TRIGGER_DEVICE_LIVE, END_NONE },
	{ DEVICE_ACTIVE, TRIGGER_DEVICE_LIVE, END_NONE, TRIGGER_DEVICE_LIVE, END_NONE },
	{ DEVICE_RECONNECTED, TRIGGER_DEVICE_LIVE, END_NONE, TRIGGER_DEVICE_LIVE, END_NONE },
	{ DEVICE_STOPPING, TRIGGER_DEVICE_STOPPING, END_NONE, TRIGGER_DEVICE_STOPPING, END_NONE },
	{ DEVICE_STOPPED, TRIGGER_CLOSE, END_DEVICE_STOPPED, TRIGGER_CLOSE, END_DEVICE_STOPPED },
	{ DEVICE_DISCONNECTED, TRIGGER_CLOSE, END_DEVICE_STOPPED, TRIGGER_DEVICE_LIVE, END_NONE },
	{ DEVICE_TIMEOUT, TRIGGER_CLOSE, END_DEVICE_TIMEOUT, TRIGGER_DEVICE_LIVE, END_NONE },
	{ DEVICE_ERROR, TRIGGER_CLOSE, END_DEVICE_ERROR, TRIGGER_CLOSE, END_DEVICE_ERROR },
	{ DEVICE_RECONNECT_FAILED, TRIGGER_CLOSE, END_RECONNECT_FAILED, TRIGGER_DEVICE_LIVE,
	  END_NONE },
	{ DEVICE_OTHER, TRIGGER_CLOSE, END_DEVICE_STOPPED, TRIGGER_DEVICE_LIVE, END_NONE },
};
_Static_assert(sizeof meanings / sizeof meanings[0] == DEVICE_STATUS_COUNT, "one row per status");

Test(phase, every_device_status_means_what_is_written)
{
	for (size_t i = 0; i < DEVICE_STATUS_COUNT; i++) {
		const struct meaning *row = &meanings[i];
		struct status_rule unmanaged = phase_status_rule(KIND_UNMANAGED, row->status);
		struct status_rule managed = phase_status_rule(KIND_MANAGED, row->status);
		const char *word = words_name(&device_status_words, row->status);

		cr_expect_eq(unmanaged.trigger, row->unmanaged, "unmanaged %s", word);
		cr_expect_eq(unmanaged.cause, row->unmanaged_end, "unmanaged %s", word);
		cr_expect_eq(managed.trigger, row->managed, "managed %s", word);
		cr_expect_eq(managed.cause, row->managed_end, "managed %s", word);
	}
}

/* What the owner of an unmanaged stream reads after each status: the cells of 5.3.  NULL: nothing
 * is said.
 */
struct cell {
	enum device_status status;
	const char *initializing, *active, *stopping;
};

static const struct cell cells[] = {
	{ DEVICE_NONE, NULL, NULL, NULL },
	{ DEVICE_INITIALIZING, "initializing", "initializing", "initializing" },
	{ DEVICE_CONNECTING, "initializing", "initializing", "initializing" },
	{ DEVICE_RECONNECTING, "initializing", "initializing", "initializing" },
	{ DEVICE_STREAMING, "active", "active", "active" },
	{ DEVICE_ACTIVE, "active", "active", "active" },
	{ DEVICE_RECONNECTED, "active", "active", "active" },
	{ DEVICE_STOPPING, "stopping", "stopping", "stopping" },
	{ DEVICE_STOPPED, "stopped", "stopped", "stopped" },
	{ DEVICE_DISCONNECTED, "stopped", "stopped", "stopped" },
	{ DEVICE_TIMEOUT, "timeout", "timeout", "timeout" },
	{ DEVICE_ERROR, "stopped", "stopped", "stopped" },
	{ DEVICE_RECONNECT_FAILED, "stopped", "stopped", "stopped" },
	{ DEVICE_OTHER, "stopped", "stopped", "stopped" },
};
_Static_assert(sizeof cells / sizeof cells[0] == DEVICE_STATUS_COUNT, "one row per status");

static const char *word_after(enum phase phase, enum device_status status)
{
	struct status_rule rule = phase_status_rule(KIND_UNMANAGED, status);

	if (rule.trigger == TRIGGER_NONE)
		return NULL;
	if (rule.trigger == TRIGGER_CLOSE)
		return phase_end_rule(KIND_UNMANAGED, rule.cause)->word;
	return phase_app_word(phase_next(KIND_UNMANAGED, phase, rule.trigger));
}

static void expect_word(enum phase phase, enum device_status status, const char *expected)
{
	const char *got = word_after(phase, status);

	cr_expect((got && expected) ? strcmp(got, expected) == 0 : got == expected,
		  "%s in %s: the owner reads %s, not %s", words_name(&device_status_words, status),
		  words_name(&phase_words, phase), got ? got : "nothing",
		  expected ? expected : "nothing");
}

Test(phase, the_owner_reads_the_words_of_the_state_table)
{
	for (size_t i = 0; i < DEVICE_STATUS_COUNT; i++) {
		expect_word(PHASE_REQUESTED, cells[i].status, cells[i].initializing);
		expect_word(PHASE_STARTING, cells[i].status, cells[i].initializing);
		expect_word(PHASE_LIVE, cells[i].status, cells[i].active);
		expect_word(PHASE_SUSPECT, cells[i].status, cells[i].active);
		expect_word(PHASE_STOPPING, cells[i].status, cells[i].stopping);
	}
}

Test(phase, words_of_the_phases)
{
	cr_expect_str_eq(phase_app_word(PHASE_REQUESTED), "initializing");
	cr_expect_str_eq(phase_app_word(PHASE_PROVISIONING), "initializing");
	cr_expect_str_eq(phase_app_word(PHASE_STARTING), "initializing");
	cr_expect_str_eq(phase_app_word(PHASE_LIVE), "active");
	cr_expect_str_eq(phase_app_word(PHASE_SUSPECT), "active");
	cr_expect_str_eq(phase_app_word(PHASE_STOPPING), "stopping");
}

/* How an end is told ------------------------------------------------------------------------ */

enum { NO_STOP = 0, IF_UP = 1, IF_DOWN = 2, ALWAYS = IF_UP | IF_DOWN };

struct ending {
	enum end_cause cause;
	enum hop hop;
	const char *unmanaged;
	int unmanaged_stop;
	const char *managed;
	int managed_stop;
};

static const struct ending endings[] = {
	/* 5.3 and G1, G6: whoever asks for the end gets "stopped", the device a stop; D2 if away.
	 */
	{ END_APP_STOP, HOP_APP, "stopped", ALWAYS, "stopped", ALWAYS },
	{ END_OPERATOR_STOP, HOP_CLOUD, "stopped", ALWAYS, "stopped", ALWAYS },
	{ END_APP_CLOSED, HOP_APP, "stopped", ALWAYS, "stopped", ALWAYS }, /* D5 */
	{ END_DURATION_LIMIT, HOP_CLOUD, "stopped", ALWAYS, "stopped", ALWAYS },
	{ END_RECORD_LOST, HOP_CLOUD, "stopped", ALWAYS, "error", ALWAYS },
	/* G11: no stop before the new start; G9: a managed one is stopped first.  5.6. */
	{ END_TAKEOVER, HOP_APP, "stopped", NO_STOP, "stopped", IF_UP },
	/* G12: the device knows.  5.4: a managed one is stopped although it says so itself. */
	{ END_DEVICE_STOPPED, HOP_GLASSES, "stopped", NO_STOP, "stopped", IF_UP },
	{ END_DEVICE_ERROR, HOP_GLASSES, "stopped", NO_STOP, "error", IF_UP },
	{ END_RECONNECT_FAILED, HOP_GLASSES, "stopped", NO_STOP, "error", IF_UP },
	{ END_DEVICE_TIMEOUT, HOP_GLASSES, "timeout", NO_STOP, "error", IF_UP },
	/* G3: no stop with the socket open; G14: a managed one is.  D2: both once it is back. */
	{ END_PHONE_LOST, HOP_PHONE_LINK, "timeout", IF_DOWN, "error", ALWAYS },
	{ END_GLASSES_LOST, HOP_GLASSES, "timeout", IF_DOWN, "error", ALWAYS },
	{ END_ACKS_MISSED, HOP_GLASSES, "timeout", IF_DOWN, "error", ALWAYS },
	{ END_GATEWAY_LOST, HOP_CLOUD, "timeout", IF_DOWN, "error", ALWAYS },
	/* D4: "timeout", plus stop_rtmp_stream. */
	{ END_NEVER_STARTED, HOP_GLASSES, "timeout", ALWAYS, "error", ALWAYS },
	{ END_STALLED, HOP_GLASSES, "timeout", ALWAYS, "error", ALWAYS },
	{ END_SESSION_ENDED, HOP_PHONE_LINK, "timeout", ALWAYS, "error", ALWAYS }, /* D7 */
	{ END_PROVIDER_ERROR, HOP_PROVIDER, "stopped", ALWAYS, "error", ALWAYS },
};
_Static_assert(sizeof endings / sizeof endings[0] == END_CAUSE_COUNT - 1, "one row per cause");

static void expect_end(enum kind kind, const struct ending *row, const char *word, int stop)
{
	const struct end_rule *rule = phase_end_rule(kind, row->cause);
	const char *cause = words_name(&end_cause_words, row->cause);
	const char *name = words_name(&kind_words, kind);

	cr_expect_str_eq(rule->word, word, "%s %s", name, cause);
	cr_expect_eq(rule->hop, row->hop, "%s %s: hop", name, cause);
	cr_expect_eq(rule->stop_if_up, (stop & IF_UP) != 0, "%s %s: stop if up", name, cause);
	cr_expect_eq(rule->stop_if_down, (stop & IF_DOWN) != 0, "%s %s: stop if down", name, cause);
}

Test(phase, every_end_is_told_as_written)
{
	for (size_t i = 0; i < END_CAUSE_COUNT - 1; i++) {
		expect_end(KIND_UNMANAGED, &endings[i], endings[i].unmanaged,
			   endings[i].unmanaged_stop);
		expect_end(KIND_MANAGED, &endings[i], endings[i].managed, endings[i].managed_stop);
	}
}

/* I7: an app hears one of the words of 4.3, and a terminal one only at the end. */
Test(phase, terminal_words_are_not_words_of_a_phase)
{
	for (size_t i = 0; i < END_CAUSE_COUNT - 1; i++)
		for (enum phase phase = PHASE_REQUESTED; phase < PHASE_CLOSED; phase++)
			cr_expect_str_neq(endings[i].unmanaged, phase_app_word(phase));
}

Test(phase, an_end_without_cause_is_our_own_mistake, .signal = SIGABRT)
{
	(void)phase_end_rule(KIND_UNMANAGED, END_NONE);
}

Test(phase, a_closed_stream_has_no_word, .signal = SIGABRT)
{
	(void)phase_app_word(PHASE_CLOSED);
}
