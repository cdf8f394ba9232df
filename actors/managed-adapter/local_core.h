/* SPDX-License-Identifier: MIT */
/* local_core.h - what the local provider knows and decides: inputs, their keys and publishers, and
 * the copies that go on to other servers.  Pure; local_provider.c is its shell.
 *
 * Level-triggered: whatever has changed, local_next() says what is to be done about it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/schema.h"
#include "proto/text.h"
#include "proto/words.h"

/* Each has a publisher and a few readers of the 4096 connections that local.conf.in allows. */
#define LOCAL_INPUTS_MAX 512
#define LOCAL_KEY_LENGTH 32 /* 128 bits in hex */
#define LOCAL_POLL_MS 2000 /* between two looks at the media server */
#define LOCAL_POLL_SOON_MS 300 /* after a publisher was let in: does it send? */
#define LOCAL_BACKOFF_MS 1000 /* before a copy is tried again; doubles */
#define LOCAL_BACKOFF_MAX_MS 30000
#define LOCAL_STEADY_MS 10000 /* a copy that ran so long begins with the shortest pause again */
#define LOCAL_STALLED_MS 10000 /* a copy that moves nothing for so long is begun anew */

enum local_child { LOCAL_CHILD_NONE, LOCAL_CHILD_RUNNING, LOCAL_CHILD_STOPPING };

struct local_output {
	uint64_t number; /* 0: free */
	char url[OUTPUT_URL_MAX + 1];
	char error[OUTPUT_ERROR_MAX + 1];
	enum output_state state, told;
	enum local_child child;
	uint64_t serial; /* of its child */
	bool removed; /* free once its child is gone */
	int64_t began_ms, moved_ms, retry_ms, pause_ms;
};

struct local_input {
	char id[INPUT_ID_MAX + 1]; /* empty: free */
	char key[LOCAL_KEY_LENGTH + 1];
	uint64_t client; /* that publishes, or was allowed to; 0: nobody */
	int64_t client_ms; /* since when */
	enum ingest ingest, told;
	bool closing; /* is being deleted: nobody may publish */
	bool adopted; /* the media server was not asked about it yet in this life */
	struct local_output outputs[OUTPUTS_MAX];
};

struct local_core {
	uint64_t worker; /* pid of who serves; clients are numbered anew by each */
	uint64_t serials;
	struct local_input inputs[LOCAL_INPUTS_MAX];
};

enum local_step_type {
	LOCAL_STEP_NONE,
	LOCAL_STEP_HINT, /* tell what became of the input */
	LOCAL_STEP_OUTPUT_HINT, /* tell what became of the output */
	LOCAL_STEP_START, /* a child for the output, under its serial */
	LOCAL_STEP_STOP, /* the child */
};

struct local_step {
	enum local_step_type type;
	struct local_input *input;
	struct local_output *output;
};

struct local_callback {
	struct text app, name, key;
	uint64_t client;
};

enum local_verdict {
	LOCAL_ALLOWED,
	LOCAL_DENIED_UNKNOWN, /* no such input, or it is being deleted */
	LOCAL_DENIED_KEY,
	LOCAL_DENIED_LIVE, /* somebody publishes already */
};

struct local_stat;

void local_init(struct local_core *self);

/* local_find() - the input called @id, also one that is closing; NULL: none. */
struct local_input *local_find(struct local_core *self, struct text id);

/* local_create() - the input called @id, new with @key, or as it is.
 *
 * Return: NULL if there is no room, or @id cannot be the name of an input.
 */
struct local_input *local_create(struct local_core *self, struct text id, const char *key);

/* local_adopt() - an input of an earlier life; its key is the one in @ingest.
 *
 * Return: NULL as above, or if there is no key.
 */
struct local_input *local_adopt(struct local_core *self, struct text id, struct text ingest);

/* local_close() - nobody may publish to it any more, its copies end. */
void local_close(struct local_input *input);

/* local_is_quiet() - it has no child left. */
bool local_is_quiet(const struct local_input *input);
void local_forget(struct local_input *input);

/* local_publish() - may @callback publish?  local_publish_done() - it ends; both at @now_ms. */
enum local_verdict local_publish(struct local_core *self, const struct local_callback *callback,
				 int64_t now_ms);
void local_publish_done(struct local_core *self, const struct local_callback *callback);

/* local_see() - what the media server said of itself; it was asked at @asked_ms. */
void local_see(struct local_core *self, const struct local_stat *stat, int64_t asked_ms);

/* local_is_waiting() - somebody was let in of whom the media server said nothing yet. */
bool local_is_waiting(const struct local_core *self);

/* local_output_add() - a copy to @url; again with the same number: the one there is.
 *
 * Return: NULL if there is no room.
 */
struct local_output *local_output_add(struct local_input *input, uint64_t number, struct text url);
struct local_output *local_output_find(struct local_input *input, uint64_t number);
void local_output_remove(struct local_output *output);

/* local_child_moved() - the copy under @serial goes on; local_child_ended() - it is over, for the
 * reason @error; NULL: its source has ended.
 */
void local_child_moved(struct local_core *self, uint64_t serial, int64_t now_ms);
void local_child_ended(struct local_core *self, uint64_t serial, const char *error, int64_t now_ms);

/* local_next() - the next thing to do, taken as done; LOCAL_STEP_NONE: nothing. */
struct local_step local_next(struct local_core *self, int64_t now_ms);

/* local_deadline() - when local_next() will have more to say by itself; INT64_MAX: never. */
int64_t local_deadline(const struct local_core *self);
