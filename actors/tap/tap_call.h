/* SPDX-License-Identifier: MIT */
/* tap_call.h - ask a daemon something and take its answers, across its restarts. */
#pragma once

#include "actors/tap/tap_command.h"
#include "actors/tap/tap_link.h"
#include "actors/tap/tap_mirror.h"
#include "proto/stream_event.h"

enum call_verdict {
	CALL_MORE, /* wait for the next answer */
	CALL_DONE,
	CALL_STOP, /* nobody wants the rest */
};

/* The ROUTERs that operators ask. */
extern const struct link_server registry_inbox, registry_snapshot, managed_inbox;

struct call {
	const struct link_server *server;
	struct stream_event question; /* the same at every attempt */
	bool numbered; /* it is a command: handled once, whatever happens to connections */
	/* Called with every answer but peer.ack; @event is borrowed for the call. */
	enum call_verdict (*take)(void *context, const struct stream_event *event);
	void *context;
};

/* call_server() - connect, ask, take the answers.
 *
 * If the connection breaks it is all done again, so @take may see answers twice.  Gives up when
 * nothing has come for cli->timeout_ms.
 *
 * Return: EXIT_DONE, or EXIT_INTERRUPTED for CALL_STOP and signals; else an exit code whose
 * reason was said on stderr.
 */
int call_server(const struct cli *cli, const struct call *call);

/* snapshot_fetch() - the registry's present state; @mirror is initialised by the caller.
 *
 * Return: as call_server(); EXIT_USAGE if rows could not be read.
 */
int snapshot_fetch(const struct cli *cli, struct mirror *mirror);

/* What history_fetch() is asked for. */
struct history {
	uint64_t from_seq; /* 0: the oldest kept */
	uint64_t upto_seq; /* rows before it; UINT64_MAX: all there are */
	const char *user, *stream; /* only rows about them; NULL: all */
	uint64_t count_max; /* rows asked for at once; 0: as many as are good */
	bool once; /* ask once: no more than count_max rows */
	/* CALL_DONE: nothing more is wanted. */
	enum call_verdict (*take)(void *context, const struct stream_event *event);
	void *context;
	uint64_t *oldest_seq; /* if not NULL: where the history begins, if it was read to an end */
};

/* history_fetch() - hand kept story events to @take, each once, in order.
 *
 * Return: as call_server().
 */
int history_fetch(const struct cli *cli, const struct history *history);

/* say_away() - that nothing answers in the run directory, and what to do; EXIT_AWAY. */
int say_away(const struct cli *cli, const char *socket);
