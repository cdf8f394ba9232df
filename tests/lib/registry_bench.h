/* SPDX-License-Identifier: MIT */
/* registry_bench.h - a registry on the bench: one input at a time, its effects to look at, and
 * after each the checks that must always hold:
 *
 *   the story has no gap, fits the wire, and is what the roles may say;
 *   a follower that hears only what is published has the same state_hash();
 *   every list, counter and text of the state is where it belongs (state_audit.h).
 */
#pragma once

#include <criterion/criterion.h>

#include "actors/registry/registry_core.h"

#define GATEWAY_A UINT64_C(0xa) /* names gateway-1, gateway-2; both are up from the start */
#define GATEWAY_B UINT64_C(0xb)

struct bench {
	struct registry registry;
	struct effects fx; /* of the last input */
	struct state mirror;
	int64_t now_ms;
	uint64_t next_request;
	unsigned check_every; /* look at the whole state after so many inputs; 0: after each */
	unsigned inputs;
	void (*on_story)(const struct stream_event *event); /* each, as published; may be NULL */
	void *registry_memory, *mirror_memory;
};

extern struct bench bench;

/* bench_options() - small tables, as bench_open() takes them. */
struct registry_options bench_options(void);
void bench_open(const struct registry_options *options);
void bench_setup(void); /* bench_open() with bench_options() */
void bench_close(void); /* only for tests that open many */
void bench_restart(void); /* another life that knows what the records of this one say */

void bench_input(const struct input *input);
void bench_say(struct peer peer, const struct stream_event *event);
void bench_tick(int64_t ms); /* let time pass, ticking when the core asks for it */

/* bench_said() - names of the last input's effects, in order, blanks between; "" if none. */
const char *bench_said(void);
/* bench_fx(), bench_peer() - the @nth effect of @type of the last input; fails if there is none. */
const struct stream_event *bench_fx(enum stream_event_type type, size_t nth);
struct peer bench_peer(enum stream_event_type type, size_t nth);

#define expect_said(names) \
	cr_assert_str_eq(bench_said(), names, "said \"%s\" instead of \"%s\"", bench_said(), names)

/* Scenes; user "u@x" unless said, glasses on GATEWAY_A, apps on GATEWAY_B. */
struct stream_event about(const char *user, enum stream_event_type type);
void glasses_up(const char *user, uint64_t link);
void glasses_down(const char *user, uint64_t link);
void glasses_state(const char *user, const char *model);
void app_start(const char *user, const char *package, enum app_type type);
void app_stop(const char *user, const char *package);
void app_opened(const char *user, const char *package, uint64_t link);
void app_closed(const char *user, const char *package, uint64_t link);
void app_up(const char *user, const char *package, uint64_t link); /* start and init */
void hook_done(const char *user, const char *package, enum hook hook);
void timer(enum timer timer, const char *user, const char *package, uint64_t cause);
void stream_open(const char *user, const char *package, uint64_t request);
void watch(const char *user, const char *package); /* opens a managed one, or joins it */
void unwatch(const char *user, const char *package); /* stream.leave */
void input_made(const char *user, const char *input_id); /* of the active stream */
/* About @stream, whether it still runs or not; "": none was ever made. */
void input_gone(const struct state_stream *stream, const char *input_id);
void stream_status(const char *user, enum device_status status);
void gateway_lease(uint64_t gateway, int64_t after_ms);

/* bench_answer() - the result in the last input's stream.result. */
enum result bench_answer(void);

struct state_user *the_user(const char *user);
struct state_app *the_app(const char *user, const char *package);
struct state_stream *the_stream(const char *user); /* the active one, or NULL */
const char *the_id(const struct state_stream *stream); /* terminated; valid for four calls */

/* bench_empty() - nothing is left: no user, app, stream, text, waiter, ending. */
void bench_empty(void);
