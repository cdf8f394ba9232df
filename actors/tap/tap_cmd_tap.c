/* SPDX-License-Identifier: MIT */
/* tap_cmd_tap.c - `weir tap`: sockets, signals and deadlines around tap_live.c. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <czmq.h>

#include "actors/tap/tap_at.h"
#include "actors/tap/tap_call.h"
#include "actors/tap/tap_clock.h"
#include "actors/tap/tap_live.h"
#include "actors/tap/tap_recording.h"
#include "actors/tap/tap_socket.h"

#define BATCH_MAX 64 /* frames of one source per wake-up: signals and deadlines wait for them */
#define SCAN_MS 1000 /* between two looks for new outboxes */
#define SETTLE_MS 500 /* from the registry's welcome on, for the rest: two beacons and spare */
#define PATH_MAX_BYTES 4096
#define FOR_MAX_MS INT64_C(1000000000)

struct values {
	struct filter filter;
	bool ops, no_ops, strict, history;
	const char *from, *until, *at, *replay;
	int64_t count, for_ms, ready_fd;
	struct option_list expects;
};

static struct values values;

#define ROW(name_, kind_, value_, member, min_, max_, meaning_) \
	{ \
		.name = name_, .kind = kind_, .value = value_, .min = min_, .max = max_, \
		.offset = offsetof(struct values, member), .meaning = meaning_ \
	}

static const struct option_row rows[] = {
	ROW("user", OPTION_TEXT, "USER", filter.user, 1, USER_ID_MAX,
	    "only events about this user"),
	ROW("stream", OPTION_TEXT, "STREAM", filter.stream, 1, STREAM_ID_MAX,
	    "only events about this stream"),
	ROW("type", OPTION_LIST, "PATTERN", filter.types, 1, 64,
	    "only events whose name matches, e.g. 'stream.*'; repeatable"),
	ROW("source", OPTION_TEXT, "PATTERN", filter.source, 1, 64,
	    "only events of these daemons, e.g. 'gateway-*'"),
	ROW("ops", OPTION_FLAG, NULL, ops, 0, 0,
	    "operational events of all daemons too (default in text form)"),
	ROW("no-ops", OPTION_FLAG, NULL, no_ops, 0, 0, "only the registry's story"),
	ROW("history", OPTION_FLAG, NULL, history, 0, 0,
	    "the registry's kept history first; gaps are filled from it"),
	ROW("from", OPTION_TEXT, "WHEN", from, 1, WHEN_TEXT_MAX,
	    "the history from then on, and on into the present"),
	ROW("until", OPTION_TEXT, "WHEN", until, 1, WHEN_TEXT_MAX,
	    "end there; what is past comes from the history"),
	ROW("at", OPTION_TEXT, "WHEN", at, 1, WHEN_TEXT_MAX,
	    "list the streams as they were then; with --user, --stream, --replay"),
	ROW("replay", OPTION_TEXT, "FILE", replay, 1, PATH_MAX_BYTES,
	    "read what `weir tap -o jsonl` wrote instead of tapping; - for stdin"),
	ROW("count", OPTION_NUMBER, "N", count, 1, INT64_MAX, "end after N events"),
	ROW("for", OPTION_SECONDS, "SECONDS", for_ms, 1, FOR_MAX_MS, "end after so long"),
	ROW("expect", OPTION_LIST, "TYPE[:FIELD=VALUE,...]", expects, 1, EXPECT_TEXT_MAX - 1,
	    "end well once this was seen; repeatable, in order"),
	ROW("strict", OPTION_FLAG, NULL, strict, 0, 0, "end with status 4 if events were missed"),
	ROW("ready-fd", OPTION_NUMBER, "N", ready_fd, 1, 1023,
	    "write a line to descriptor N once subscribed"),
};

static const char *const examples[] = {
	"weir tap                                        # everything, as it happens",
	"weir tap --user alice@example.com --no-ops      # one user's story",
	"weir tap --history --stream s-4k2j9x1qa         # a stream from its first event on",
	"weir tap --from -5m --until -1m                 # what happened then",
	"weir tap --from 4711 --strict -o jsonl          # from that event on, or status 4",
	"weir tap --at 10:30                             # the streams as they were at half past "
	"ten",
	"weir tap --replay night.jsonl --stream s-4k2j9x1qa",
	"weir tap -o jsonl --type 'stream.*' | jq -c '[.seq,.type,.stream_id]'",
	"weir tap --for 90 --expect stream.opened --expect stream.closed:end_cause=phone_lost",
	NULL,
};

struct tap {
	struct cli cli;
	struct sources sources;
	struct output output;
	struct live live;
	int64_t connect_ms; /* when to give up on the registry's welcome */
	int64_t settle_ms; /* when to stop waiting for the others' */
	int64_t end_ms; /* when it is over; INT64_MAX: never */
	int64_t silent_ms; /* when to give up on the registry's first head */
	int64_t scan_ms;
	bool ready;
};

/* The end of the time that --for, or --timeout with --expect, gives. */
static int on_end(struct tap *tap)
{
	const struct expects *expects = &tap->live.expects;

	if (expects->seen == expects->count)
		return EXIT_DONE;
	say("not seen in time: %s (number %zu of %zu expected)",
	    expects->items[expects->seen].written, expects->seen + 1, expects->count);
	return EXIT_LATE;
}

static enum call_verdict take_history(void *context, const struct stream_event *event)
{
	struct tap *tap = context;

	if (event_is_published(event->type))
		live_row(&tap->live, event);
	return tap->live.finished || tap->output.state != OUTPUT_OPEN ||
			       clock_now_ms() >= tap->end_ms
		       ? CALL_STOP
		       : CALL_MORE;
}

static int backfill(struct live *live, uint64_t from_seq, uint64_t upto_seq)
{
	struct tap *tap = live->options.context;
	/* Rows that fill a gap are counted, so all of them are asked for. */
	bool all = live->filling;
	const struct history history = {
		.from_seq = from_seq,
		.upto_seq = upto_seq,
		.user = all ? NULL : live->options.filter.user,
		.stream = all ? NULL : live->options.filter.stream,
		.take = take_history,
		.context = tap,
	};
	int r = history_fetch(&tap->cli, &history);

	if (r == EXIT_INTERRUPTED && clock_now_ms() >= tap->end_ms)
		return on_end(tap);
	return r;
}

static bool check_patterns(bool *ops)
{
	for (size_t i = 0; i < values.filter.types.count; i++) {
		enum pattern_scope scope = pattern_scope(values.filter.types.items[i]);

		if (scope == PATTERN_NOTHING) {
			say("no event matches --type '%s'; see: weir help events",
			    values.filter.types.items[i]);
			return false;
		}
		*ops = *ops || scope == PATTERN_OPS;
	}
	return true;
}

static int configure(struct tap *tap, const struct cli *cli, const struct range *range, bool *ops)
{
	enum format format = cli->format;
	char problem[PROBLEM_SIZE];

	if (format == FORMAT_DEFAULT)
		format = isatty(STDOUT_FILENO) ? FORMAT_TEXT : FORMAT_JSONL;
	*ops = values.ops || format == FORMAT_TEXT;
	live_init(&tap->live,
		  &(struct live_options){
			  .filter = values.filter,
			  .range = *range,
			  .style = { .json = format != FORMAT_TEXT, .colour = cli->colour },
			  .count_max = (uint64_t)values.count,
			  .strict = values.strict,
			  .backfill = values.history || range_is_given(range) ? backfill : NULL,
			  .context = tap,
		  },
		  &tap->output);
	if (!check_patterns(ops))
		return EXIT_USAGE;
	if (!expects_parse(&tap->live.expects, &values.expects, problem, sizeof problem)) {
		say("%s", problem);
		return EXIT_USAGE;
	}
	*ops = !values.no_ops && (*ops || expects_ops(&tap->live.expects));
	if (values.ops && values.no_ops) {
		say("--ops and --no-ops exclude each other");
		return EXIT_USAGE;
	}
	if (values.count > 0 && values.expects.count > 0) {
		say("--count and --expect exclude each other: give --for a time instead");
		return EXIT_USAGE;
	}
	if (values.ready_fd > 0 && fcntl((int)values.ready_fd, F_GETFD) < 0) {
		say("--ready-fd %" PRId64 ": no such descriptor is open", values.ready_fd);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static void announce(struct tap *tap, int64_t now_ms)
{
	const struct when *until = &tap->live.options.range.until;
	int64_t end_ms = INT64_MAX;

	if (values.for_ms > 0)
		end_ms = now_ms + values.for_ms;
	else if (until->kind == WHEN_TIME)
		end_ms = now_ms + until->at_ms - clock_wall_ms();
	else if (tap->live.expects.count > 0)
		end_ms = now_ms + tap->cli.timeout_ms;

	tap->ready = true;
	tap->end_ms = tap->output.deadline_ms = end_ms;
	if (values.ready_fd > 0) {
		(void)!write((int)values.ready_fd, "subscribed\n", strlen("subscribed\n"));
		(void)close((int)values.ready_fd);
	} else {
		(void)fputs("tap: subscribed\n", stderr);
	}
}

/* Only who knows a position of the story can say what it missed from there on. */
static void settle(struct tap *tap, int64_t now_ms)
{
	const struct source *registry = &tap->sources.items[SOURCE_REGISTRY];

	if (tap->settle_ms == INT64_MAX) {
		tap->settle_ms = now_ms + SETTLE_MS;
		tap->silent_ms = now_ms + tap->cli.timeout_ms;
		tap->connect_ms = INT64_MAX;
	}
	if (sources_live(&tap->sources) || (registry->story.known && now_ms >= tap->settle_ms))
		announce(tap, now_ms);
}

static int on_silence(struct tap *tap, int64_t now_ms)
{
	if (tap->live.options.backfill) {
		say("the registry's outbox is silent, so the history has no end to join");
		return EXIT_LATE;
	}
	say("the registry's outbox is silent: what it misses until it speaks is not known");
	tap->silent_ms = INT64_MAX;
	announce(tap, now_ms);
	return EXIT_DONE;
}

/* What time alone brings about. */
static int on_time(struct tap *tap, int64_t now_ms)
{
	const struct source *registry = &tap->sources.items[SOURCE_REGISTRY];

	if (!tap->ready && registry->welcomed)
		settle(tap, now_ms);
	if (now_ms >= tap->connect_ms)
		return say_away(&tap->cli, "registry.outbox");
	if (registry->story.known)
		tap->silent_ms = INT64_MAX;
	if (now_ms >= tap->silent_ms)
		return on_silence(tap, now_ms);
	if (now_ms >= tap->scan_ms) {
		tap->scan_ms = now_ms + SCAN_MS;
		return sources_scan(&tap->sources);
	}
	return EXIT_DONE;
}

static int64_t next_ms(const struct tap *tap)
{
	const struct source *registry = &tap->sources.items[SOURCE_REGISTRY];
	const int64_t times[] = { tap->connect_ms,
				  tap->ready || !registry->story.known ? INT64_MAX : tap->settle_ms,
				  tap->end_ms, tap->silent_ms,
				  tap->sources.ops ? tap->scan_ms : INT64_MAX };
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < COUNT_OF(times); i++)
		if (times[i] < first)
			first = times[i];
	return first;
}

static void drain(struct tap *tap, struct source *source)
{
	zmq_msg_t message;

	zmq_msg_init(&message);
	for (int i = 0; i < BATCH_MAX && !tap->live.finished; i++) {
		int r = socket_receive(source->socket, &message);

		if (r == 0)
			break;
		if (r > 0)
			live_message(&tap->live, source, zmq_msg_data(&message),
				     zmq_msg_size(&message));
		else
			live_lost(&tap->live, source);
	}
	zmq_msg_close(&message);
}

/* Waits once and takes what has come.  Returns an exit code. */
static int step(struct tap *tap)
{
	zmq_pollitem_t items[SOURCES_MAX + 2];
	size_t count = tap->sources.count;

	for (size_t i = 0; i < count; i++)
		items[i] = (zmq_pollitem_t){
			.socket = zsock_resolve(tap->sources.items[i].socket),
			.events = ZMQ_POLLIN,
		};
	items[count] = (zmq_pollitem_t){ .fd = tap->cli.signal_fd, .events = ZMQ_POLLIN };
	items[count + 1] = (zmq_pollitem_t){ .fd = STDOUT_FILENO, .events = ZMQ_POLLERR };
	if (zmq_poll(items, (int)count + 2, clock_wait_ms(next_ms(tap))) < 0 &&
	    zmq_errno() != EINTR) {
		say("cannot wait for events: %s", zmq_strerror(zmq_errno()));
		return EXIT_AWAY;
	}
	if (items[count].revents || items[count + 1].revents)
		return EXIT_INTERRUPTED;
	for (size_t i = 0; i < count; i++)
		if (items[i].revents)
			drain(tap, &tap->sources.items[i]);
	return on_time(tap, clock_now_ms());
}

static int on_output(struct tap *tap)
{
	output_flush(&tap->output);
	switch (tap->output.state) {
	case OUTPUT_OPEN:
		return EXIT_DONE;
	case OUTPUT_CLOSED:
	case OUTPUT_SIGNAL:
		return EXIT_INTERRUPTED;
	case OUTPUT_LATE:
		return on_end(tap);
	case OUTPUT_FAILED:
		break;
	}
	say("cannot write: %s", strerror(tap->output.error));
	return EXIT_USAGE;
}

static int loop(struct tap *tap)
{
	int64_t now_ms = clock_now_ms();

	tap->connect_ms = now_ms + tap->cli.timeout_ms;
	tap->scan_ms = now_ms + SCAN_MS;
	tap->settle_ms = tap->end_ms = tap->silent_ms = INT64_MAX;
	for (;;) {
		int r = step(tap);
		int written = on_output(tap);

		if (tap->live.finished && written == EXIT_DONE)
			return tap->live.behind ? on_end(tap) : tap->live.code;
		if (r != EXIT_DONE || written != EXIT_DONE)
			return r != EXIT_DONE ? r : written;
		if (clock_now_ms() >= tap->end_ms)
			return on_end(tap);
	}
}

/* Signals are read, not handled: whatever is buffered still leaves. */
static int open_signals(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What the history has no more of what was asked for. */
static void tell_missing(struct tap *tap)
{
	const struct range *range = &tap->live.options.range;
	char time[TEXT_TIME_SIZE];

	if (range->missing > 0)
		live_record(&tap->live, &(struct record){ .type = RECORD_GAP,
							  .source = "registry",
							  .topic = "story",
							  .from_seq = range->from_seq,
							  .count = range->missing,
							  .sent_ms = clock_wall_ms() });
	if (!range->begins_late)
		return;
	say("the history begins with #%" PRIu64 " at %s: what was before is not kept",
	    range->oldest_seq, text_time(range->oldest_ms, time));
	if (values.strict) {
		tap->live.finished = true;
		tap->live.code = EXIT_GAP;
	}
}

/* How a tap ends that has nothing to wait for. */
static int end_past(struct tap *tap, int r)
{
	int written = on_output(tap);

	if (written != EXIT_DONE)
		return written;
	if (tap->live.finished && !tap->live.behind)
		return tap->live.code;
	return tap->live.behind || r == EXIT_DONE ? on_end(tap) : r;
}

static int run_past(struct tap *tap)
{
	const struct range *range = &tap->live.options.range;
	bool numbered = range->until.kind == WHEN_SEQ;
	int r = EXIT_DONE;

	tell_missing(tap);
	if (!tap->live.finished)
		r = backfill(&tap->live, range->from_seq,
			     numbered ? range->until.seq + 1 : UINT64_MAX);
	return end_past(tap, r);
}

static void replay_event(struct tap *tap, const struct stream_event *event)
{
	const struct source source = { .name = "recording" };

	if (!event_is_published(event->type))
		live_lost(&tap->live, &source);
	else if (!values.no_ops || event_is_story(event->type))
		live_event(&tap->live, event);
}

static int run_replay(struct tap *tap)
{
	const struct source source = { .name = "recording" };
	struct recording recording;
	struct stream_event event;
	struct record record;
	enum recorded found = RECORDED_NOTHING;
	FILE *from = recording_open(values.replay);

	if (!from)
		return EXIT_USAGE;
	recording_init(&recording, from);
	while (found != RECORDED_END && !tap->live.finished && tap->output.state == OUTPUT_OPEN) {
		found = recording_next(&recording, &event, &record);
		if (found == RECORDED_EVENT)
			replay_event(tap, &event);
		else if (found == RECORDED_RECORD)
			live_record(&tap->live, &record);
		else if (found == RECORDED_UNREADABLE)
			live_lost(&tap->live, &source);
	}
	recording_fini(&recording);
	if (from != stdin)
		(void)fclose(from);
	return end_past(tap, EXIT_DONE);
}

static int run_live(struct tap *tap, bool ops)
{
	int r = sources_open(&tap->sources, &tap->cli, ops);

	tell_missing(tap);
	if (r == EXIT_DONE)
		r = tap->live.finished ? end_past(tap, r) : loop(tap);
	sources_close(&tap->sources);
	return r;
}

static int run_at(const struct cli *cli)
{
	struct at at = { .user = values.filter.user,
			 .stream = values.filter.stream,
			 .replay = values.replay };

	if (when_parse(values.at, clock_wall_ms(), &at.when))
		return at_print(cli, &at);
	say("--at takes a moment (%s), not '%s'", WHEN_FORMS, values.at);
	return EXIT_USAGE;
}

/* The parts that exclude each other; what they are was said. */
static bool check_modes(void)
{
	bool ranged = values.from || values.until;

	if (values.at && (ranged || values.history || values.expects.count > 0 ||
			  values.count > 0 || values.for_ms > 0)) {
		say("--at shows one moment: it takes --user, --stream and --replay only");
		return false;
	}
	if (values.replay && (values.history || values.ready_fd > 0 || values.for_ms > 0)) {
		say("--replay reads a recording: there is no --history, --for or --ready-fd");
		return false;
	}
	return true;
}

static int start(struct tap *tap, const struct cli *cli, struct range *range, bool *ops)
{
	int r = configure(tap, cli, range, ops);

	if (r != EXIT_DONE || values.replay || !range_is_given(range))
		return r;
	r = range_resolve(cli, range, clock_wall_ms());
	tap->live.options.range = *range;
	return r;
}

static int run(const struct cli *cli, const struct option_words *words)
{
	static struct tap tap; /* too large for the stack */
	struct range range;
	bool ops;

	(void)words;
	if (!check_modes())
		return EXIT_USAGE;
	if (values.at)
		return run_at(cli);
	if (!range_parse(&range, values.from, values.until, clock_wall_ms()))
		return EXIT_USAGE;
	int r = start(&tap, cli, &range, &ops);

	if (r != EXIT_DONE)
		return r;
	tap.cli = *cli;
	tap.end_ms = INT64_MAX;
	/* A read of stdin waits for nothing else, so signals have to end it as they always do. */
	tap.cli.signal_fd = values.replay ? -1 : open_signals();
	if (tap.cli.signal_fd < 0 && !values.replay) {
		say("cannot watch for signals: %s", strerror(errno));
		return EXIT_USAGE;
	}
	output_init(&tap.output, STDOUT_FILENO, tap.cli.signal_fd);
	if (values.replay)
		r = run_replay(&tap);
	else if (range.past)
		r = run_past(&tap);
	else
		r = run_live(&tap, ops);
	output_fini(&tap.output);
	if (tap.cli.signal_fd >= 0)
		(void)close(tap.cli.signal_fd);
	return r;
}

const struct command command_tap = {
	.name = "tap",
	.words_usage = "",
	.summary = "show events as they happen",
	.about = "Events of the registry's story and, with --ops, operational events of every "
		 "daemon:\n"
		 "one JSON object a line if stdout is no terminal, else one line for people.  "
		 "Between\n"
		 "them tap.gap says exactly how many events were missed, tap.restart that a daemon "
		 "was\n"
		 "started anew, tap.dropped that something could not be read.  \"tap: subscribed\" "
		 "on\n"
		 "stderr says that nothing that happens from then on is overlooked.\n"
		 "\n"
		 "--from and --until take the number of an event, -5m (or s, h, d), +30s, 10:11:12 "
		 "of "
		 "today,\n"
		 "2026-11-23T10:11:12 (local; with a Z in UTC) or @UNIXTIME; both ends are in.  "
		 "What is "
		 "past\n"
		 "comes from the registry's history, and what that has lost is counted by tap.gap, "
		 "or "
		 "said on\n"
		 "stderr where only a time was given.  --at lists the streams as they were at a "
		 "moment, "
		 "out\n"
		 "of the same history.  --replay takes a recording in place of both.\n"
		 "\n"
		 "--expect ends with 0 once all expected events have been printed, in their order, "
		 "and "
		 "with 3\n"
		 "if --for, --until or else --timeout passes first.  Filters apply to expected "
		 "events "
		 "too.\n"
		 "\n"
		 "exit status: 0 done; 1 wrong usage; 2 cannot connect; 3 not seen in time; 4 "
		 "missed "
		 "events\n"
		 "under --strict\n",
	.examples = examples,
	.options = rows,
	.option_count = COUNT_OF(rows),
	.values = &values,
	.run = run,
};
