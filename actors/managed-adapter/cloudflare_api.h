/* SPDX-License-Identifier: MIT */
/* cloudflare_api.h - requests to Cloudflare Stream, and what its answers say; pure.
 *
 * Whatever arrives is from outside: it is checked, bounded and copied, and what is missing or of
 * another form than expected counts as not said.  An id is put into a path only if it is one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/json.h"
#include "proto/schema.h"
#include "proto/text.h"
#include "proto/words.h"

#define CLOUDFLARE_ID_MAX 32 /* of inputs, outputs and videos */
#define CLOUDFLARE_TIME_MAX 40 /* 2021-09-23T05:05:53.451415Z has 27 */
#define CLOUDFLARE_ANSWER_MAX 1048576 /* a page of 1000 inputs has about 300 KB */
#define CLOUDFLARE_PATH_SIZE 256
#define CLOUDFLARE_KEY_SIZE (MARK_MAX + STREAM_ID_MAX + 2) /* of the 255 it may have */
#define CLOUDFLARE_BODY_SIZE 2048
#define CLOUDFLARE_RETRY_DEFAULT_MS 60000 /* 429 without a readable Retry-After */
#define CLOUDFLARE_RETRY_MAX_MS 600000 /* more is not believed */

/* ---- requests ---- */

struct cloudflare_request {
	const char *method;
	bool playback; /* to the customer's host, without the token; else to the API */
	bool effect; /* it changes something there */
	char path[CLOUDFLARE_PATH_SIZE]; /* below .../accounts/<id>/stream, or the host */
	char key[CLOUDFLARE_KEY_SIZE]; /* Idempotency-Key; empty: none */
	char body[CLOUDFLARE_BODY_SIZE]; /* JSON; empty: none */
};

/* cloudflare_is_id() - whether @id may stand in a path. */
bool cloudflare_is_id(struct text id);

/* cloudflare_ask_create() - @delete_days: after which recordings vanish; 0: not asked.
 *
 * Return: false if @mark or @stream_id are too long or would need escapes in a header.
 */
bool cloudflare_ask_create(struct cloudflare_request *request, struct text mark,
			   struct text stream_id, int64_t delete_days);

/* The ids have been checked with cloudflare_is_id(). */
void cloudflare_ask_input(struct cloudflare_request *request, const char *input);
void cloudflare_ask_disable(struct cloudflare_request *request, const char *input);
void cloudflare_ask_delete(struct cloudflare_request *request, const char *input);
void cloudflare_ask_videos(struct cloudflare_request *request, const char *input);
void cloudflare_ask_video_delete(struct cloudflare_request *request, const char *video);
void cloudflare_ask_outputs(struct cloudflare_request *request, const char *input);
void cloudflare_ask_output_remove(struct cloudflare_request *request, const char *input,
				  const char *output);
void cloudflare_ask_lifecycle(struct cloudflare_request *request, const char *input);
void cloudflare_ask_quota(struct cloudflare_request *request);

/* cloudflare_ask_list() - inputs made before @before, of a listed input; empty: from the newest. */
void cloudflare_ask_list(struct cloudflare_request *request, const char *before);

/* cloudflare_split() - a destination as the API wants it: at the last / of its path.
 *
 * Return: false if there is nothing behind it that could be the key.
 */
bool cloudflare_split(struct text destination, struct text *url, struct text *key);

/* cloudflare_ask_output_add() - Return: false if @destination cannot be split. */
bool cloudflare_ask_output_add(struct cloudflare_request *request, const char *input,
			       struct text destination);

/* ---- answers ---- */

enum cloudflare_fate {
	CLOUDFLARE_ANSWERED,
	CLOUDFLARE_NOT_SENT, /* it had no effect */
	CLOUDFLARE_LOST, /* the answer did not come, or was too large */
};

/* Borrowed for the call. */
struct cloudflare_answer {
	enum cloudflare_fate fate;
	unsigned status; /* 0: there was none */
	struct text body;
	struct text retry_after, ratelimit; /* headers; empty: not there */
	struct text error; /* unless answered: what went wrong */
	int64_t wall_ms; /* Unix time at which it came */
};

struct cloudflare_verdict {
	enum call_outcome outcome;
	int64_t retry_ms; /* 429: the whole token must wait so long; else 0 */
	struct json_value result; /* ok: borrowed from the body; null if there was none */
	char detail[DETAIL_MAX + 1]; /* not ok: why, for people; never with a URL in it */
};

/* cloudflare_judge() - what the answer to @request means. */
void cloudflare_judge(const struct cloudflare_request *request,
		      const struct cloudflare_answer *answer, struct cloudflare_verdict *out);

/* cloudflare_ratelimit() - the header '"default";r=<left>;t=<seconds>'; false if it is not one. */
bool cloudflare_ratelimit(struct text header, uint64_t *left, int64_t *reset_ms);

/* ---- what results say (cloudflare_read.c) ---- */

/* An input; what was not said is empty. */
struct cloudflare_input {
	char id[CLOUDFLARE_ID_MAX + 1];
	char mark[MARK_MAX + 1], stream_id[STREAM_ID_MAX + 1]; /* meta.owner, meta.op */
	char created[CLOUDFLARE_TIME_MAX + 1];
	char ingest[URL_MAX + 1]; /* with the key */
	char hls[PLAYBACK_URL_MAX + 1], dash[PLAYBACK_URL_MAX + 1], webrtc[PLAYBACK_URL_MAX + 1];
	char host[PLAYBACK_URL_MAX + 1]; /* https://customer-<code>.cloudflarestream.com */
	enum ingest state;
	bool broadcast; /* there is one, or was */
};

struct cloudflare_output {
	char id[CLOUDFLARE_ID_MAX + 1];
	char url[OUTPUT_URL_MAX + 1], key[OUTPUT_URL_MAX + 1];
	enum output_state state; /* none: not said */
	char error[OUTPUT_ERROR_MAX + 1];
};

struct cloudflare_video {
	char id[CLOUDFLARE_ID_MAX + 1];
	bool live;
};

struct cloudflare_hook {
	char id[CLOUDFLARE_ID_MAX + 1];
	enum ingest state;
	char updated[CLOUDFLARE_TIME_MAX + 1];
	char detail[DETAIL_MAX + 1];
};

/* cloudflare_read_input() - false if it has no id: then it is none. */
bool cloudflare_read_input(const struct json_value *result, struct cloudflare_input *out);

/* cloudflare_items() - begin to walk an array of the things below; false if it is none.
 * The next functions skip what is no such thing; false at the end, or with @walk->failed.
 */
bool cloudflare_items(const struct json_value *result, struct json_walk *walk);
bool cloudflare_next_input(struct json_walk *walk, struct cloudflare_input *out);
bool cloudflare_next_output(struct json_walk *walk, struct cloudflare_output *out);
bool cloudflare_next_video(struct json_walk *walk, struct cloudflare_video *out);

/* cloudflare_read_output() - false if it has no id. */
bool cloudflare_read_output(const struct json_value *result, struct cloudflare_output *out);

/* cloudflare_read_list() - the array of inputs, and how many there are in all; 0: not said. */
bool cloudflare_read_list(const struct json_value *result, struct json_walk *walk, uint64_t *total);

/* cloudflare_read_quota() - minutes, rounded up; @limit 0: not said. */
bool cloudflare_read_quota(const struct json_value *result, uint64_t *used, uint64_t *limit);

/* cloudflare_read_lifecycle() - @body is no envelope; false if it does not say. */
bool cloudflare_read_lifecycle(struct text body, bool *live);

/* cloudflare_read_hook() - the body of a live webhook; false if it is none. */
bool cloudflare_read_hook(struct text body, struct cloudflare_hook *out);

/* cloudflare_age_s() - since @created; 0: not known, else at least 1. */
uint64_t cloudflare_age_s(const char *created, int64_t wall_ms);

/* cloudflare_message() - errors[0].message of an envelope; empty if there is none. */
void cloudflare_message(struct text body, char *out, size_t size);

/* cloudflare_code() - errors[0].code; 0 if there is none. */
uint64_t cloudflare_code(struct text body);

/* cloudflare_envelope() - a whole document with "success"; @result is null if it is missing. */
bool cloudflare_envelope(struct text body, bool *success, struct json_value *result);
