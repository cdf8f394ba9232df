/* SPDX-License-Identifier: MIT */
/* outbox.h - what a daemon publishes: the story (registry only), operational events, beacons;
 * and the story events of a pass, kept whole until they are stored.  Pure: store and wire are
 * behind ports.
 *
 * Store, then speak: whoever owns an outbox calls outbox_commit() before anything of the same
 * pass leaves the process.
 */
#pragma once

#include "common/actor.h"
#include "common/frame_queue.h"
#include "common/ports.h"

#define OUTBOX_BEACON_MS 200
#define OUTBOX_STORY_MAX (8 * 1024 * 1024) /* bytes of one pass */
#define OUTBOX_OPS_MAX (1024 * 1024) /* bytes of one pass; more is dropped and leaves a gap */
#define OUTBOX_KEPT_MAX 4096 /* story events of one pass */
#define OUTBOX_KEPT_BYTES (4 * 1024 * 1024) /* of their texts */

struct outbox_options {
	const char *name;
	uint64_t incarnation;
	const struct store_port *store; /* NULL: the story is only published */
	bool beacons;
	/* Publish a frame, borrowed; never fails. */
	void (*publish)(void *context, const uint8_t *frame, size_t length);
	void *context;
};

struct outbox_stats {
	uint64_t story, ops, ops_dropped, commits, frames;
};

struct outbox {
	struct outbox_options options;
	struct frame_queue story, ops;
	uint64_t story_next, ops_next; /* story_next 0: not known yet */
	int64_t beacon_ms;
	struct stream_event *kept; /* OUTBOX_KEPT_MAX */
	const struct stream_event **kept_list;
	size_t kept_count;
	char *text;
	size_t text_used;
	bool pressing; /* of what is kept, something is waited for */
	bool deaf; /* operational events are numbered, but not published */
	struct outbox_stats stats;
};

/* outbox_init() - Return: 0 or -ENOMEM. */
int outbox_init(struct outbox *self, const struct outbox_options *options);
void outbox_fini(struct outbox *self);

/* outbox_begin_story() - the next story event will have the seq @next; beacons begin. */
void outbox_begin_story(struct outbox *self, uint64_t next);

/* outbox_has_room() - everything that one input may cause still fits into this pass. */
bool outbox_has_room(const struct outbox *self);

/* outbox_story() - @event, whose seq follows that of the one before, leaves after the commit. */
void outbox_story(struct outbox *self, const struct stream_event *event);

/* outbox_ops() - give @event the next operational seq and publish it; dropped without room. */
void outbox_ops(struct outbox *self, struct stream_event *event);

/* outbox_is_stored() - every story event is durable: outbox_commit() has nothing to do. */
bool outbox_is_stored(const struct outbox *self);

/* outbox_is_pressing() - somebody waits for what has not been stored yet: an app, a device. */
bool outbox_is_pressing(const struct outbox *self);

/* outbox_commit() - make the story of this pass durable, with @marks.
 *
 * Return: 0; what the store said: -EAGAIN with everything kept for the next call, or -errno.
 */
int outbox_commit(struct outbox *self, const struct peer_mark *marks, size_t mark_count);

/* outbox_flush() - publish what has been committed, and a beacon when it is time. */
void outbox_flush(struct outbox *self, int64_t now_ms);
int64_t outbox_deadline(const struct outbox *self);
