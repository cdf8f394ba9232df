/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_call.h"

#include <inttypes.h>
#include <string.h>

#include "actors/tap/tap_clock.h"
#include "actors/tap/tap_socket.h"
#include "proto/escape.h"

#define HISTORY_PAGE 4096 /* rows asked for at once */

const struct link_server registry_inbox = { "registry.inbox", ROLE_REGISTRY };
const struct link_server registry_snapshot = { "registry.snapshot", ROLE_REGISTRY };
const struct link_server managed_inbox = { "managed-adapter.inbox", ROLE_MANAGED };

int say_away(const struct cli *cli, const char *socket)
{
	char run[ESCAPED_SIZE(RUN_DIR_MAX)];

	if (cli->keyring) {
		say("cannot connect: nobody answers at %s of [bus] in the configuration", socket);
		say("is weir running there, and is our key in its curve_dir, under allow/operator? "
		    "see: weir keys list");
		return EXIT_AWAY;
	}
	(void)escape_put(text_of(cli->run), run, sizeof run);
	say("cannot connect: nobody answers at %s/%s", run, socket);
	say("is weir running? see: scripts/supervise status --run %s; --run DIR names another one",
	    run);
	return EXIT_AWAY;
}

static int explain(const struct cli *cli, const struct call *call, const struct link *link, int r)
{
	const char *server = words_name(&role_words, call->server->role);
	char reason[ESCAPED_SIZE(REASON_MAX)];

	switch (r) {
	case 0:
		return EXIT_DONE;
	case LINK_E_AWAY:
		return say_away(cli, call->server->socket);
	case LINK_E_REFUSED:
		(void)escape_put(text_of(link->reason), reason, sizeof reason);
		say("the %s refuses to answer: %s", server, reason);
		return EXIT_USAGE;
	case LINK_E_SIGNAL:
		return EXIT_INTERRUPTED;
	case LINK_E_LOST:
	case LINK_E_LATE:
		say("no answer from the %s within %" PRId64 " ms (see --timeout)", server,
		    cli->timeout_ms);
		return EXIT_LATE;
	default:
		say("cannot talk to the %s: %s", server, strerror(-r));
		return EXIT_AWAY;
	}
}

/* One connection's worth of it; @deadline_ms moves on with every answer. */
static int attempt(const struct cli *cli, const struct call *call, struct link *link,
		   int64_t *deadline_ms, enum call_verdict *verdict)
{
	struct stream_event event;
	int r = link_open(link, cli, call->server, *deadline_ms);

	if (r == 0)
		r = link_send(link, &call->question, call->numbered);
	while (r == 0 && *verdict == CALL_MORE) {
		r = link_next(link, *deadline_ms, &event);
		if (r != 0 || event.type == EVENT_PEER_ACK)
			continue;
		*deadline_ms = clock_now_ms() + cli->timeout_ms;
		*verdict = call->take(call->context, &event);
	}
	return r;
}

int call_server(const struct cli *cli, const struct call *call)
{
	int64_t deadline_ms = clock_now_ms() + cli->timeout_ms;
	enum call_verdict verdict = CALL_MORE;
	struct link link;
	int r;

	if (!socket_exists(cli, call->server->socket))
		return say_away(cli, call->server->socket);
	for (;;) {
		r = attempt(cli, call, &link, &deadline_ms, &verdict);
		if (r != LINK_E_LOST || clock_now_ms() >= deadline_ms)
			break;
		link_close(&link);
	}
	if (link.dropped > 0)
		say("%" PRIu64 " malformed answers were dropped", link.dropped);
	r = explain(cli, call, &link, r);
	link_close(&link);
	return r == EXIT_DONE && verdict == CALL_STOP ? EXIT_INTERRUPTED : r;
}

struct snapshot {
	struct mirror *mirror;
	bool complete;
};

static enum call_verdict take_row(void *context, const struct stream_event *event)
{
	struct snapshot *snapshot = context;

	return mirror_apply(snapshot->mirror, event, &snapshot->complete) ? CALL_DONE : CALL_MORE;
}

int snapshot_fetch(const struct cli *cli, struct mirror *mirror)
{
	struct snapshot snapshot = { .mirror = mirror };
	const struct call call = {
		.server = &registry_snapshot,
		.question = { .type = EVENT_SNAPSHOT_GET },
		.take = take_row,
		.context = &snapshot,
	};
	int r = call_server(cli, &call);

	if (r != EXIT_DONE || snapshot.complete)
		return r;
	say("rows of the snapshot are missing or could not be read; try again");
	return EXIT_USAGE;
}

struct page {
	const struct history *history;
	uint64_t seen_seq; /* of the last row handed on */
	uint64_t next_seq; /* where the next page begins */
};

static enum call_verdict take_page(void *context, const struct stream_event *event)
{
	struct page *page = context;
	const struct history *history = page->history;

	if (event->type == EVENT_HISTORY_END) {
		page->next_seq = history->once ? 0 : event->history_end.next_seq;
		if (history->oldest_seq)
			*history->oldest_seq = event->history_end.oldest_seq;
		return CALL_DONE;
	}
	if (event->type == EVENT_NONE || event->seq <= page->seen_seq)
		return CALL_MORE; /* not known here, or told before a reconnect */
	if (event->seq >= history->upto_seq) {
		page->next_seq = 0;
		return CALL_DONE;
	}
	page->seen_seq = event->seq;
	enum call_verdict verdict = history->take(history->context, event);

	if (verdict == CALL_DONE)
		page->next_seq = 0;
	return verdict;
}

int history_fetch(const struct cli *cli, const struct history *history)
{
	struct page page = {
		.history = history,
		.seen_seq = history->from_seq > 0 ? history->from_seq - 1 : 0,
		.next_seq = history->from_seq,
	};
	struct call call = {
		.server = &registry_snapshot,
		.question = { .type = EVENT_HISTORY_GET,
			      .user_id = history->user ? text_of(history->user) : TEXT(""),
			      .stream_id = history->stream ? text_of(history->stream) : TEXT(""),
			      .history_get.count_max =
				      history->count_max ? history->count_max : HISTORY_PAGE },
		.take = take_page,
		.context = &page,
	};

	do {
		uint64_t asked = page.next_seq;

		call.question.history_get.from_seq = asked;
		int r = call_server(cli, &call);

		if (r != EXIT_DONE)
			return r;
		if (page.next_seq != 0 && page.next_seq <= asked) {
			say("the registry's history does not go on behind seq %" PRIu64, asked);
			return EXIT_USAGE;
		}
	} while (page.next_seq != 0 && page.next_seq < history->upto_seq);
	return EXIT_DONE;
}
