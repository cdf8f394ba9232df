/* SPDX-License-Identifier: MIT */
/* load.h - one process full of users: each with glasses, an app and a live stream.
 *
 * A user is an index; its number, --first + index, names it.  All memory is taken at the start, a
 * user is some 150 bytes; what is read and written goes through buffers of the process.
 *
 *   load_run.c     the loop; the phases; who is next to come in
 *   load_link.c    connections: made, read, lost, made again
 *   load_words.c   what glasses and apps hear, and what they say
 *   load_cycles.c  starts and stops at a given rate
 *   load_hooks.c   the apps' webhooks
 *   load_report.c  figures
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include "common/wheel.h"
#include "tests/bench/histogram.h"
#include "tests/bench/sock.h"
#include "tests/bench/tool.h"
#include "tests/bench/ws.h"

#define TARGETS_MAX 64
#define HOOKS_MAX 1024 /* connections of webhooks at once; a gateway has 256 at most */
#define CODES_MAX 8 /* of refusals told apart; the others are counted as the last */
#define CODE_SIZE 64
#define STREAM_ID_MAX 23
#define CREDENTIAL_MAX 512
#define PACKAGE_MAX_BYTES 128
#define NOBODY UINT32_MAX

enum scenario { SCENARIO_HOLD, SCENARIO_CYCLES, SCENARIO_STORM };

struct load_options {
	enum scenario scenario;
	struct sockaddr_in targets[TARGETS_MAX], webhook;
	uint32_t target_count, users, first, sources, cycle_users;
	uint32_t connect_rate, start_rate, in_flight_max; /* rates: a second, 0: no limit */
	double rate; /* cycles a second */
	int64_t interval_ms, late_ms, seconds, report_s, stall_s; /* seconds, report_s 0: never */
	const char *package;
	char secret[CREDENTIAL_MAX + 1], api_key[CREDENTIAL_MAX + 1];
	bool open, has_webhook, apps_leave, reconnect;
};

enum side { GLASSES, APP, SIDES };

/* In the data of epoll, above the index: a link's side, or one of these. */
enum event_kind { EVENT_HOOK = SIDES, EVENT_HOOK_CALLER, EVENT_SIGNAL };

enum link_state {
	LINK_DOWN,
	LINK_CALLED, /* app: its webhook is awaited */
	LINK_WAITING, /* until it is dialled again */
	LINK_CONNECTING,
	LINK_UPGRADING,
	LINK_OPEN, /* acknowledgement awaited */
	LINK_READY,
};

struct link {
	struct sock sock;
	enum link_state state;
	int64_t lost_ns; /* when it was cut off; 0: it was not */
};

enum stage {
	STAGE_IDLE,
	STAGE_ASKED,
	STAGE_STARTED, /* the glasses were told */
	STAGE_LIVE, /* so was the app */
	STAGE_STOPPING,
	STAGE_LOST,
};

struct user {
	struct link links[SIDES];
	int64_t asked_ns; /* for the start or the stop that is under way */
	/* Arrival of the last probe, or the start; negative: since then only, the one before is
	 * not to be measured against; 0: no glasses. */
	int64_t probe_ns;
	uint32_t next; /* in the line of those free for a cycle */
	enum stage stage;
	bool busy; /* on its way to what the phase is for */
	bool in_line;
	bool ended[SIDES]; /* stopping: who heard of it */
	char stream_id[STREAM_ID_MAX + 1];
};

struct refusals {
	char code[CODE_SIZE];
	uint64_t count;
};

struct figures {
	uint64_t probes, acks, late, pings, reconnects, disconnects, lost_streams, statuses_bad;
	uint64_t turned_away; /* told to come again */
	uint64_t failed; /* users who never got where they should */
	struct refusals refusals[CODES_MAX];
	struct histogram late_us, connect_us, start_us;
	int64_t early_max_us;
};

struct cycles {
	int64_t began_ns, due_ns, end_ns; /* began_ns 0: not yet */
	uint32_t first_free, last_free; /* NOBODY: none */
	uint64_t count, begun, late, refused, broken, running;
	struct histogram start_us, stop_us;
};

enum goal { GOAL_CONNECTED, GOAL_STREAMING, GOAL_NONE };

struct load {
	struct load_options options;
	struct user *users; /* those who hold a stream, then those of the cycles */
	uint32_t user_count;
	struct wheel wheel; /* index * SIDES + side: when to dial again */
	void *wheel_memory;
	int epoll_fd, signal_fd, hook_fd;
	struct sock hooks[HOOKS_MAX];
	uint64_t random;
	int64_t now_ns; /* of what is being worked on */

	enum goal goal;
	uint32_t cursor, in_flight, arrived, total; /* of the phase */
	int64_t phase_ns, step_ns, progress_ns; /* begun; next one may set out; last one arrived */

	int64_t hold_ns, end_ns, report_ns; /* begun; over; next report; INT64_MAX: never */
	uint32_t links_down; /* of those that should be up */
	uint32_t links_cut; /* since all were up */
	int64_t cut_ns;
	struct histogram back_us;
	bool ended;

	struct figures figures;
	struct cycles cycles;
};

extern const struct tool load_tool;

static inline uint32_t user_index(const struct load *self, const struct user *user)
{
	return (uint32_t)(user - self->users);
}

static inline bool user_cycles(const struct load *self, const struct user *user)
{
	return user_index(self, user) >= self->options.users;
}

/* Since @from_ns, which may lie within the work on what this pass has found: then by the clock. */
static inline uint64_t load_since_us(const struct load *self, int64_t from_ns)
{
	const int64_t now_ns = self->now_ns > from_ns ? self->now_ns : tool_now_ns();

	return (uint64_t)(now_ns - from_ns) / 1000;
}

/* Whether the app stays once its user's stream is live. */
static inline bool load_keeps_app(const struct load *self, const struct user *user)
{
	return !self->options.apps_leave || user_cycles(self, user);
}

/* load_options_take() - from the command line, or exit. */
void load_options_take(int argc, char **argv, struct load_options *out);

/* ---- load_run.c ---- */

/* load_run() - all of it; return: exit code. */
int load_run(struct load *self);

/* load_advance() - the next step of a user who is busy. */
void load_advance(struct load *self, struct user *user);

/* load_gave_up() - a user who is busy will not arrive. */
void load_gave_up(struct load *self, struct user *user);

/* ---- load_link.c ---- */

uint32_t load_random(struct load *self);

void link_dial(struct load *self, struct user *user, enum side side);

/* link_event() - of epoll; link_due() - of the wheel. */
void link_event(struct load *self, struct user *user, enum side side, uint32_t events);
void link_due(struct load *self, uint32_t timer);

/* link_ready() - it was acknowledged. */
void link_ready(struct load *self, struct user *user, enum side side);

/* link_leave() - close it, and do not miss it. */
void link_leave(struct load *self, struct user *user, enum side side);

/* link_cut() - as if the network had failed: dial again at once. */
void link_cut(struct load *self, struct user *user, enum side side);

/* link_say() - one text message. */
__attribute__((format(printf, 4, 5))) void link_say(struct load *self, struct user *user,
						    enum side side, const char *format, ...);

/* ---- load_words.c ---- */

/* words_greet() - what an app says first; glasses wait. */
void words_greet(struct load *self, struct user *user, enum side side);

/* words_took() - one message. */
void words_took(struct load *self, struct user *user, enum side side, struct text json);

void words_start_app(struct load *self, struct user *user);
void words_request(struct load *self, struct user *user, int64_t since_ns);
void words_stop(struct load *self, struct user *user);

/* ---- load_cycles.c ---- */

void cycles_begin(struct load *self);

/* cycles_pump() - begin what is due; return: when the next one is, INT64_MAX: it waits for a user,
 * or never.
 */
int64_t cycles_pump(struct load *self);

/* cycles_finish() - begin no more; what is under way has a while to end. */
void cycles_finish(struct load *self);

/* cycles_look() - @user may be free. */
void cycles_look(struct load *self, struct user *user);
void cycles_started(struct load *self, struct user *user);
void cycles_ended(struct load *self, struct user *user);

/* cycles_refused() - the app is sent away for it; its user is free when it is back. */
void cycles_refused(struct load *self, struct user *user);

/* cycles_broken() - one of the user's sockets was lost. */
void cycles_broken(struct load *self, struct user *user);

/* ---- load_hooks.c ---- */

void hooks_accept(struct load *self);
void hooks_event(struct load *self, uint32_t slot);

/* ---- load_report.c ---- */

void report_phase(struct load *self, const char *phase);
void report_hold(struct load *self, const char *phase);
void report_cycles(struct load *self);
void report_back(struct load *self);

/* report_stall() - on stderr: what users wait for. */
void report_stall(struct load *self);

/* report_is_wrong() - something was measured that must not be. */
bool report_is_wrong(struct load *self);
