/* SPDX-License-Identifier: MIT */
/* cloudflare_stage.h - the Cloudflare core alone: calls go in, its requests are answered by hand.
 */
#pragma once

#include "actors/managed-adapter/cloudflare_core.h"

#define ID "66be4bf738797e01e1fca35a7bdecdcd"
#define OTHER "77be4bf738797e01e1fca35a7bdecdcd"
#define OUT "baea4d9c515887b80289d5c33cf01145"
#define OK_OF(result) "{\"success\":true,\"errors\":[],\"messages\":[],\"result\":" result "}"
#define INPUT_OF(more) \
	OK_OF("{\"uid\":\"" ID "\",\"rtmps\":{\"url\":\"rtmps://in.example/live/\"," \
	      "\"streamKey\":\"KEY\"}" more "}")
#define HOST "https://customer-x.example"
#define PLAYBACK \
	",\"playback\":{\"hls\":\"" HOST "/" ID "/manifest/video.m3u8\",\"dash\":\"" HOST "/" ID \
	"/manifest/video.mpd\"}"

extern struct cloudflare *core;
extern struct cloudflare_effects fx;
extern int64_t now_ms;
extern struct cloudflare_options stage_options; /* before stage_open() */

void stage_open(void);
void stage_close(void);

/* Calls; the number of each is stage_calls. */
extern uint64_t stage_calls;
void call_create(const char *stream_id);
void call_describe(const char *input);
void call_delete(const char *input);
void call_list(uint64_t page);
void call_output_add(const char *input, const char *url);
void call_output_remove(const char *input, const char *remote, const char *url);
void call_quota(void);

/* The request that the last input led to; "" if there was none: "GET /live_inputs/...". */
const char *asked(void);

/* Answer it. */
void reply(unsigned status, const char *body);
void reply_header(unsigned status, const char *retry_after);
void reply_limits(unsigned status, const char *body, const char *ratelimit);
void reply_lost(void);
void reply_not_sent(void);

/* What is said: the answer to the newest call, which must be the last that is said. */
const struct stream_event *said(enum call_outcome outcome);
