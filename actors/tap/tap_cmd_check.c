/* SPDX-License-Identifier: MIT */
/* tap_cmd_check.c - `weir check`: is all well?  For monitoring systems. */

#include <string.h>

#include <czmq.h>

#include "actors/tap/tap_ages.h"
#include "actors/tap/tap_call.h"
#include "actors/tap/tap_check.h"
#include "actors/tap/tap_clock.h"
#include "actors/tap/tap_inputs.h"
#include "actors/tap/tap_range.h"
#include "actors/tap/tap_socket.h"
#include "actors/tap/tap_sources.h"
#include "actors/tap/tap_stuck.h"

#define LIMIT_MAX INT64_C(1000000000)
#define QUOTA_WARNING 80 /* percent: there is time to do something about it */

struct values {
	const char *form;
	struct check_limits limits;
	struct stuck_bounds bounds;
};

static struct values values = {
	.form = "nagios",
	.limits = { .warning = { [CHECK_PROVIDER] = 1,
				 [CHECK_GATEWAYS_LOST] = 1,
				 [CHECK_INPUTS_LEAKED] = 1,
				 [CHECK_QUARANTINED] = 1,
				 [CHECK_ROWS_DAMAGED] = 1,
				 [CHECK_QUOTA] = QUOTA_WARNING },
		    .critical = { [CHECK_REACHABLE] = 1,
				  [CHECK_STORY] = 1,
				  [CHECK_STUCK] = 1,
				  [CHECK_GATEWAYS_UP] = 1 } },
	.bounds = STUCK_BOUNDS_DEFAULT,
};

#define LIMIT(name_, level, FACT, meaning_) \
	{ \
		.name = name_, .kind = OPTION_NUMBER, .value = "N", .min = 1, .max = LIMIT_MAX, \
		.offset = offsetof(struct values, limits.level) + CHECK_##FACT * sizeof(int64_t), \
		.meaning = meaning_ \
	}

static const struct option_row rows[] = {
	{ .name = "format",
	  .kind = OPTION_TEXT,
	  .value = "nagios|prom|json",
	  .min = 1,
	  .max = 8,
	  .offset = offsetof(struct values, form),
	  .meaning = "one line with performance data (default), Prometheus text, an object" },
	LIMIT("stuck-warning", warning, STUCK, "so many stuck streams, see below"),
	LIMIT("stuck-critical", critical, STUCK, "likewise (default 1)"),
	LIMIT("suspect-warning", warning, SUSPECT, "so many suspect streams"),
	LIMIT("suspect-critical", critical, SUSPECT, "likewise"),
	LIMIT("active-warning", warning, ACTIVE, "so many streams at once"),
	LIMIT("active-critical", critical, ACTIVE, "likewise"),
	LIMIT("gateways-warning", warning, GATEWAYS_UP, "fewer gateways than N are up"),
	LIMIT("gateways-critical", critical, GATEWAYS_UP, "likewise (default 1)"),
	LIMIT("lost-warning", warning, GATEWAYS_LOST, "so many lost gateways (default 1)"),
	LIMIT("lost-critical", critical, GATEWAYS_LOST, "likewise"),
	LIMIT("owed-warning", warning, OWED, "so many liabilities"),
	LIMIT("owed-critical", critical, OWED, "likewise"),
	LIMIT("inputs-owed-warning", warning, INPUTS_OWED, "so many inputs to be deleted"),
	LIMIT("inputs-owed-critical", critical, INPUTS_OWED, "likewise"),
	LIMIT("leaks-warning", warning, INPUTS_LEAKED, "so many leaked inputs (default 1)"),
	LIMIT("leaks-critical", critical, INPUTS_LEAKED, "likewise"),
	LIMIT("quota-warning", warning, QUOTA, "so many percent of the quota (default 80)"),
	LIMIT("quota-critical", critical, QUOTA, "likewise"),
	LIMIT("history-warning", warning, HISTORY, "the history reaches back fewer seconds"),
	LIMIT("history-critical", critical, HISTORY, "likewise"),
	LIMIT("quarantined-warning", warning, QUARANTINED,
	      "so many damaged records in quarantine (default 1)"),
	LIMIT("quarantined-critical", critical, QUARANTINED, "likewise"),
	LIMIT("answer-warning", warning, ANSWER, "the snapshot took so many ms"),
	LIMIT("answer-critical", critical, ANSWER, "likewise"),
	STUCK_ROWS(struct values),
};

static const char *const examples[] = {
	"weir check",
	"weir check --suspect-warning 10 --gateways-critical 2 --timeout 2000",
	"weir check --format prom > /var/lib/node_exporter/weir.prom.new",
	"weir check --format json | jq -r '.state, .problems[]'",
	NULL,
};

/* The newest number that the registry's outbox has told of, events or beacons. */
static bool read_head(struct source *source, uint64_t *next_seq)
{
	struct frame_head head;
	struct wire events;
	zmq_msg_t message;
	bool found = false;

	zmq_msg_init(&message);
	while (socket_receive(source->socket, &message) > 0)
		if (frame_read(zmq_msg_data(&message), zmq_msg_size(&message), &head, &events) &&
		    memcmp(head.topic, TOPIC_STORY, FRAME_TOPIC_SIZE) == 0) {
			*next_seq = head.first_seq + head.count;
			found = true;
		}
	zmq_msg_close(&message);
	return found;
}

/* Whether the outbox gets as far as the snapshot was, before the time is over: beacons tell of the
 * newest event even while nothing happens.
 */
static int64_t hear_story(const struct cli *cli, uint64_t upto)
{
	static struct sources sources; /* too large for the stack */
	int64_t deadline_ms = clock_now_ms() + cli->timeout_ms;
	uint64_t next_seq = 0;

	if (sources_open(&sources, cli, false) == EXIT_DONE)
		while (next_seq <= upto && clock_now_ms() < deadline_ms) {
			struct source *source = &sources.items[SOURCE_REGISTRY];
			zmq_pollitem_t item = { .socket = zsock_resolve(source->socket),
						.events = ZMQ_POLLIN };

			if (zmq_poll(&item, 1, clock_wait_ms(deadline_ms)) > 0)
				(void)read_head(source, &next_seq);
		}
	sources_close(&sources);
	return next_seq > upto;
}

/* Whoever has no managed-adapter, or one without a provider, has nothing to be told of. */
static void ask_provider(const struct cli *cli, struct check *check)
{
	struct inputs inputs = { 0 };
	const struct stream_event *report = &inputs.report;

	if (!socket_exists(cli, managed_inbox.socket))
		return;
	if (inputs_fetch(cli, &inputs, false, false) != EXIT_DONE)
		check->facts[CHECK_PROVIDER] = 0;
	else if (report->provider_report.result == RESULT_OK)
		check_provider(check, report);
	else
		check->facts[CHECK_PROVIDER] =
			report->provider_report.provider == PROVIDER_NONE ? -1 : 0;
	inputs_fini(&inputs);
}

static int look(const struct cli *cli, struct check *check)
{
	int64_t start_ms = clock_now_ms(), now_ms;
	struct range range = { 0 };
	struct mirror mirror;

	mirror_init(&mirror);
	int r = snapshot_fetch(cli, &mirror);

	if (r == EXIT_DONE) {
		check->facts[CHECK_REACHABLE] = 1;
		check->facts[CHECK_ANSWER] = clock_now_ms() - start_ms;
		check->facts[CHECK_STORY] = hear_story(cli, mirror.upto);
		r = ages_of_cut_off(cli, &mirror);
	}
	now_ms = clock_wall_ms();
	if (r == EXIT_DONE) {
		(void)stuck_mark(&mirror, &values.bounds, now_ms);
		check_count(check, &mirror, now_ms);
		r = range_resolve(cli, &range, now_ms);
	}
	if (r == EXIT_DONE && range.oldest_seq > 0)
		check->facts[CHECK_HISTORY] = (now_ms - range.oldest_ms) / 1000;
	if (r == EXIT_DONE)
		ask_provider(cli, check);
	if (check->facts[CHECK_QUARANTINED] > 0)
		say("records of the store were damaged and are in quarantine: see who was touched "
		    "with `weir timeline`, and docs/operator.md on what to do");
	mirror_fini(&mirror);
	return r;
}

static int run(const struct cli *cli, const struct option_words *words)
{
	bool as_json = cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL;
	const char *form = as_json ? "json" : values.form;
	struct check check;

	(void)words;
	if (strcmp(form, "nagios") != 0 && strcmp(form, "prom") != 0 && strcmp(form, "json") != 0) {
		say("--format takes nagios, prom or json, not '%s'", form);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < CHECK_FACT_COUNT; i++)
		check.facts[i] = -1;
	check.facts[CHECK_REACHABLE] = 0;
	int r = look(cli, &check);

	if (strcmp(form, "prom") == 0)
		check_prom(&check, stdout);
	else if (strcmp(form, "json") == 0)
		check_json(&check, &values.limits, stdout);
	else
		check_nagios(&check, &values.limits, stdout);
	if (strcmp(form, "nagios") != 0)
		return r;
	/* What answered once and then failed is not known to be bad. */
	return r != EXIT_DONE && check.facts[CHECK_REACHABLE] > 0
		       ? CHECK_UNKNOWN
		       : (int)check_worst(&check, &values.limits);
}

const struct command command_check = {
	.name = "check",
	.words_usage = "",
	.summary = "tell a monitoring system whether all is well",
	.about = "Looks whether the registry answers, whether its story arrives, at streams that "
		 "are suspect\n"
		 "or stuck, at gateways, at what is owed, at the provider's inputs and quota, and "
		 "at "
		 "how\n"
		 "far the history reaches back.  A threshold that is not given and has no default "
		 "never\n"
		 "warns; of a provider, only if there is a managed-adapter.\n"
		 "\n" STUCK_RULE "\n"
		 "exit status of --format nagios: 0 OK, 1 warning, 2 critical (also: nobody "
		 "answers),\n"
		 "3 unknown; of prom and json that of every other command: 0 looked, 1 wrong "
		 "usage,\n"
		 "2 cannot connect, 3 no answer, and what is known is printed in any case\n",
	.examples = examples,
	.options = rows,
	.option_count = COUNT_OF(rows),
	.values = &values,
	.run = run,
};
