/* SPDX-License-Identifier: MIT */
/* asks.h - what apps ask of an adapter: parked until the mirror is fresh enough, judged, passed on
 * to the registry, answered once.
 *
 * Pure; both adapters have one.  What an ask does is the adapter's: @act is called when the mirror
 * has reached what its gateway had seen.
 */
#pragma once

#include "common/actor.h"
#include "common/state.h"

#define ASKS_MAX 4096 /* requests that wait for the registry or for the mirror */
#define ASKS_TEXT_BYTES (16u << 20)
#define ASKS_MARGIN_MS 1000 /* what ran before its expiry is heard of by then */
#define ASKS_ROOM 24 /* effects that one ask may need: its command, and ten outputs twice */
#define ASKS_ARENA 6144 /* bytes of text of its own: ten outputs, or a reason */

enum ask_step {
	ASK_FREE = 0,
	ASK_PARKED, /* the mirror has not reached what the gateway had seen */
	ASK_ASKED, /* the registry has not answered */
	ASK_ANSWERED, /* done; the story of it has not arrived */
	ASK_TOLD, /* the story has arrived, the answer has not */
	ASK_WAITING, /* both have; what was asked for is still being made */
};

enum ask_text {
	ASK_USER,
	ASK_STREAM, /* that it named, or that the registry named in its answer */
	ASK_PACKAGE,
	ASK_URL,
	ASK_VIDEO,
	ASK_AUDIO,
	ASK_OPTIONS,
	ASK_NAME,
	ASK_DESTINATIONS,
	ASK_TEXTS
};

struct ask {
	uint8_t step; /* enum ask_step */
	uint16_t type; /* enum stream_event_type: one of 60 to 65 */
	bool permitted, oversized, destinations_oversized;
	bool again; /* the registry was asked before; its answer may be lost */
	bool replied; /* the app was told in answer to this very ask */
	struct peer peer; /* who asked */
	uint64_t origin, request, link, seen_seq, output;
	int64_t expires_ms;
	uint64_t cause; /* the adapter's: the story that its answer was about */
	bool look; /* the adapter's: no story is to come, what is known by now has to do */
	struct pooled texts[ASK_TEXTS];
};

struct asks_stats {
	uint64_t refused; /* answered with an error */
	uint64_t full; /* refused for want of room */
	uint64_t expired;
};

struct asks {
	const struct state *state; /* the mirror */
	bool synced;
	uint64_t seq; /* of the last story event applied */
	void (*act)(void *context, struct ask *ask);
	void *context;
	struct asks_stats stats;
	int64_t now_ms; /* of this call, and its effects */
	struct effects *fx;
	uint32_t parked;
	bool more; /* some could act, but this call had no room left for it */
	uint32_t high; /* behind the last one in use */
	struct pool texts;
	struct ask *items;
};

/* Why an ask is answered with an error. */
struct refusal {
	const char *code; /* NULL: not refused */
	enum result result; /* for those that are answered with a result */
	char reason[REASON_MAX];
};

/* asks_bytes() - memory that asks_init() needs; zeroed by the caller, aligned to 64. */
size_t asks_bytes(void);
void asks_init(struct asks *self, const struct state *state, void *memory);

/* asks_begin() - another input is handled; first of all, with nothing borrowed. */
void asks_begin(struct asks *self, struct effects *fx, int64_t now_ms);

struct text asks_text(const struct asks *self, const struct ask *ask, enum ask_text which);

/* asks_keep() - keep @text as one of the texts of @ask; false if there is no room. */
bool asks_keep(struct asks *self, struct ask *ask, enum ask_text which, struct text text);

/* asks_find() - NULL if nobody waits for that. */
struct ask *asks_find(const struct asks *self, uint64_t origin, uint64_t request);

/* asks_at() - the ask at @index below @high, or NULL. */
struct ask *asks_at(const struct asks *self, uint32_t index);

/* asks_take() - a request of an app has come: park it, act if the mirror has seen enough. */
void asks_take(struct asks *self, const struct input *input);

/* asks_pass() - ask the registry on behalf of @ask; the caller fills in the rest. */
struct stream_event *asks_pass(struct asks *self, struct ask *ask, enum stream_event_type type);

/* asks_answer() - the answer to @ask, an OK one; the caller fills in the rest, then drops it. */
struct stream_event *asks_answer(struct asks *self, const struct ask *ask);
void asks_drop(struct asks *self, struct ask *ask);

/* asks_done() - answer and drop @ask; @refusal may be NULL. */
void asks_done(struct asks *self, struct ask *ask, const struct refusal *refusal);

/* asks_have_room() - what one ask may cause still fits into this call. */
bool asks_have_room(const struct asks *self);

/* asks_parked_step() - the mirror has moved on: whoever waited for that acts now. */
void asks_parked_step(struct asks *self);

/* asks_again() - another life of the registry: what it was asked is asked once more. */
void asks_again(struct asks *self);

/* asks_on_story() - the story of @ask has arrived.  Return: true if its answer had come before. */
bool asks_on_story(struct ask *ask);

/* asks_deadline() - when there is something to do: the next one expires, or there was no room. */
int64_t asks_deadline(const struct asks *self);

/* asks_expire() - answer those whose time is over. */
void asks_expire(struct asks *self);

/* asks_judge.c: protocol.md 3.2.  The first failure wins; @out is written whole. */
void asks_refuse(struct refusal *out, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* asks_judge() - checks 1 to 6 for an ask to start a stream of @kind. */
void asks_judge(const struct asks *self, const struct ask *ask, enum kind kind,
		struct refusal *out);

/* asks_judge_options() - the last check of all: what was beyond its limit. */
void asks_judge_options(const struct ask *ask, struct refusal *out);

/* asks_judge_result() - what the registry answered to the opening of a stream. */
void asks_judge_result(const struct asks *self, const struct ask *ask,
		       const struct stream_event *result, struct refusal *out);

/* asks_deliver.c: what both adapters tell devices.  Gateways drop what they have said already, so
 * saying a thing twice is safe and saying it never is the only mistake.
 */
/* asks_deliver() - an addressed message to @gateway about @user; its cause is the last event. */
struct stream_event *asks_deliver(const struct asks *self, uint64_t gateway,
				  enum stream_event_type type, const struct state_user *user);

/* asks_deliver_start() - if the device is there and the start's URL is known; else it stays owed.
 *
 * What the device must still be told to stop is told first.
 */
void asks_deliver_start(const struct asks *self, const struct state_stream *stream,
			struct text app_id);

/* asks_deliver_stop() - if the device is there; else it stays owed (D2). */
void asks_deliver_stop(const struct asks *self, const struct state_stream *stream);
