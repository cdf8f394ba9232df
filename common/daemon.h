/* SPDX-License-Identifier: MIT */
/* daemon.h - the shell every daemon shares: arguments, configuration, lock, sockets, loop.
 *
 * A daemon is a core (struct actor) behind one libev loop.  This file's functions feed the core
 * what arrives on its ZeroMQ sockets and carry its effects out; whoever has more I/O (the
 * gateway's sockets, the adapters' HTTP) adds libev watchers to daemon_loop() and calls
 * daemon_effects() and daemon_carry() around its own calls into the core.
 */
#pragma once

#include <ev.h>

#include "common/actor.h"
#include "common/config.h"
#include "common/ports.h"

struct daemon;
struct keyring;

/* The core behind a shell.  All but @handle and @deadline may be NULL. */
struct actor {
	void *core;
	void (*handle)(void *core, const struct input *input, int64_t now_ms, struct effects *fx);
	int64_t (*deadline)(const void *core);
	/* Called after every input of the shell's own once its effects are carried out. */
	void (*after)(void *context);
	/* EFFECT_CALL: what the core wants done.  What comes of it is fed later, never from here.
	 */
	void (*call)(void *context, const struct stream_event *event);
	/* SIGTERM: say goodbye.  Return true when done; false: daemon_stopped() will be called. */
	bool (*stop)(void *context);
	void (*reload)(void *context); /* SIGHUP */
	void (*drain)(void *context); /* SIGUSR1 */
	void *context; /* of the five above */
};

#define DAEMON_EXIT_FAILED 1
#define DAEMON_EXIT_CONFIG 78 /* starting again would not help */

struct daemon_options {
	enum role role;
	const char *name; /* e.g. "gateway-2" */
	const struct config *config; /* borrowed for the daemon's life */
	uint32_t servers; /* set of roles (1u << ROLE_X) whose inbox to connect to */
	bool follows; /* subscribe to the registry's story, with snapshots */
	uint64_t incarnation;
	uint64_t clock; /* ours (common/machine.h); 0: not known */
	int notify_fd; /* readiness for s6; -1: none */
	const char *run_dir; /* where locks and sockets are */
	struct keyring *keyring; /* tcp; borrowed for the daemon's life; NULL: ipc */
	size_t requests_max, request_bytes_max; /* kept per server; 0: see uplink.h */
	struct store_port store; /* registry only; no commit: the story is published unstored */
	struct snapshot_port snapshot; /* registry only; with rows: bind the snapshot socket */
};

/* daemon_open() - take the lock, bind, connect; nothing is said before daemon_run().
 *
 * Return: 0, or -errno; -EBUSY if another process of that name runs (it is named in the log).
 */
int daemon_open(const struct daemon_options *options, const struct actor *actor,
		struct daemon **out);
void daemon_close(struct daemon *daemon);

/* daemon_restore() - before daemon_run(): a mark that an earlier life of ours committed. */
void daemon_restore(struct daemon *daemon, const struct peer_mark *mark);

struct ev_loop *daemon_loop(struct daemon *daemon);

/* daemon_now_ms() - CLOCK_MONOTONIC in ms: the @now_ms of every call into the core. */
int64_t daemon_now_ms(void);

/* daemon_wall_ms() - Unix time in ms, for people. */
int64_t daemon_wall_ms(void);

/* daemon_feed() - one input to the core, its effects carried out. */
void daemon_feed(struct daemon *daemon, const struct input *input);

/* daemon_effects(), daemon_carry() - around a call into the core that daemon_feed() cannot
 * express: hand the (cleared) list to the core, then carry out what it put there.  Never from
 * inside a handler, nor one pair inside another.
 */
struct effects *daemon_effects(struct daemon *daemon);
void daemon_carry(struct daemon *daemon);

/* daemon_ready() - tell the supervisor.  Called by daemon_run() itself once every server has
 * welcomed us and the story is in; whoever has more to wait for sets hold before the run.
 */
void daemon_hold_ready(struct daemon *daemon, bool hold);

/* daemon_is_ready() - connected to every server, story in, not held: what /readyz says. */
bool daemon_is_ready(const struct daemon *daemon);

/* daemon_count() - a named counter of the metrics; @name is a string literal. */
void daemon_count(struct daemon *daemon, const char *name, uint64_t add);

/* daemon_run() - until SIGTERM or SIGINT.
 *
 * Return: 0 after a stop, or -errno: of a commit that failed, among others.
 */
int daemon_run(struct daemon *daemon);

/* daemon_stopped() - the goodbye that actor.stop() began is over. */
void daemon_stopped(struct daemon *daemon);

/* daemon_exit_code() - of a process whose run ended with @r: 0, -errno or an exit code. */
int daemon_exit_code(int r);

/* What a daemon's main() is made of. */
struct daemon_program {
	const char *binary; /* weir-registry */
	const char *summary; /* one line for --help */
	enum role role;
	/* Fill in the rest, open, run.  Return: 0, -errno, or > 0: the exit code (DAEMON_EXIT_*).
	 */
	int (*run)(const struct daemon_options *options);
};

/* daemon_main() - parse the arguments all daemons share and run.
 *
 * Return: exit code: 0, 1, or 78 for a configuration that cannot be used.
 */
int daemon_main(int argc, char **argv, const struct daemon_program *program);
