/* SPDX-License-Identifier: MIT */
/* cores.h - a registry and an unmanaged adapter wired back to back for unit tests.
 *
 * Every message is carried at once: story events to the adapter, its requests to the registry.
 * What leaves towards gateways and the scheduler is recorded in @sent.
 */
#pragma once

#include "actors/registry/registry_core.h"
#include "actors/unmanaged-adapter/unmanaged_core.h"

#define SENT_MAX 512
#define HELD_MAX 1024
#define GATEWAY_A 0xa
#define GATEWAY_B 0xb

struct sent {
	struct peer to;
	struct stream_event event;
};

struct cores {
	struct registry *registry;
	struct unmanaged *unmanaged;
	void *registry_memory, *unmanaged_memory;
	int64_t now_ms;
	struct sent sent[SENT_MAX]; /* to gateways */
	size_t sent_count;
	struct stream_event story[SENT_MAX];
	size_t story_count;
	char *texts[4 * SENT_MAX]; /* owned copies of what the recorded events borrow */
	size_t text_count;
	bool adapter_down; /* it hears and says nothing */
	/* The adapter dies after so many more inputs it takes and effects it has carried out; 0: it
	 * does not.  @positions counts those that there have been.
	 */
	unsigned crash_in, positions;
	bool result_first; /* an answer overtakes the story that it is about */
	bool holding; /* the story waits in @held */
	struct text held[HELD_MAX]; /* encoded, owned */
	size_t held_count;
	/* Looks at each message to a gateway as it is sent; may be NULL. */
	void (*on_sent)(const struct cores *self, const struct sent *sent);
};

void cores_open(struct cores *self);
/* cores_open_with() - with other limits than the few of cores_open(). */
void cores_open_with(struct cores *self, const struct state_options *limits);
void cores_close(struct cores *self);

/* cores_release() - let the adapter hear the story that was held, and hold no more. */
void cores_release(struct cores *self);

/* cores_restart_adapter() - a new life of the adapter: snapshot, then live. */
void cores_restart_adapter(struct cores *self);

/* cores_say() - @event from @peer to the registry, or to the adapter if it is a request. */
void cores_say(struct cores *self, struct peer peer, const struct stream_event *event);

/* cores_hear() - any input to the registry; @cores_adapter_hear() to the adapter. */
void cores_hear(struct cores *self, const struct input *input);
void cores_adapter_hear(struct cores *self, const struct input *input);

/* cores_tick() - let @ms pass, both cores ticked at each of their deadlines on the way. */
void cores_tick(struct cores *self, int64_t ms);

/* cores_forget() - empty the records. */
void cores_forget(struct cores *self);

/* cores_sent() - the @nth recorded message of @type to gateways, or NULL. */
const struct stream_event *cores_sent(const struct cores *self, enum stream_event_type type,
				      size_t nth);

/* cores_told() - the @nth recorded story event of @type, or NULL. */
const struct stream_event *cores_told(const struct cores *self, enum stream_event_type type,
				      size_t nth);

/* Scenes most tests begin with; user "u@x", packages "pa", "pb" on gateway B, glasses on A. */
void cores_glasses_up(struct cores *self, uint64_t link);
void cores_glasses_down(struct cores *self, uint64_t link);
void cores_app_up(struct cores *self, const char *package, uint64_t link);
void cores_app_opened(struct cores *self, const char *package, uint64_t link);
void cores_app_closed(struct cores *self, const char *package, uint64_t link);
void cores_subscribe(struct cores *self, const char *package, uint64_t link, const char *types);
void cores_start(struct cores *self, const char *package, uint64_t request, const char *url);
void cores_stop(struct cores *self, const char *package, uint64_t request, const char *stream_id);
void cores_status(struct cores *self, enum device_status status);

/* cores_active() - the user's active record, or NULL. */
const struct state_stream *cores_active(const struct cores *self);
/* cores_id() - its id, terminated, valid for four calls; "" if there is none. */
const char *cores_id(const struct cores *self);
/* cores_expired() - the scheduler's verdict on it. */
void cores_expired(struct cores *self);
