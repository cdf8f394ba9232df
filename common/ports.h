/* SPDX-License-Identifier: MIT */
/* ports.h - what the registry's shell lends to the parts that store, publish and serve. */
#pragma once

#include "proto/stream_event.h"

/* How far the numbered requests of a peer have been taken: kept with what they caused. */
struct peer_mark {
	enum role role;
	uint64_t incarnation;
	struct text name; /* borrowed */
	uint64_t next; /* number of the request expected next */
};

#define PEER_MARKS_MAX 256 /* peers that last: processes, no operators */

/* Where the story is made durable. */
struct store_port {
	void *context;
	/* All of @events and @marks or nothing; on success they are durable.  They are borrowed
	 * for the call.
	 *
	 * Return: 0; -EAGAIN: not now, ask again with the same; or another -errno: it is over, and
	 * what memory knows must be told to nobody.  -EUCLEAN: starting again would not help.
	 */
	int (*commit)(void *context, const struct stream_event *const *events, size_t count,
		      const struct peer_mark *marks, size_t mark_count);
};

/* Where snapshots and history come from.  Rows are borrowed until the next call. */
struct snapshot_port {
	void *context;
	/* @upto: the story seq that is in the rows for sure.  False: not now. */
	bool (*begin)(void *context, uint64_t *upto);
	/* The row at *@cursor, which starts at 0 and is moved on; false: there are no more.  If
	 * @get names a user or a stream: of that user only.
	 */
	bool (*row)(void *context, const struct stream_event *get, uint64_t *cursor,
		    struct stream_event *out);
	/* The next story event that @get asks for, likewise; count_max is counted by the caller.
	 * An event of no type: none found yet, ask again.  NULL: no history is kept.
	 */
	bool (*history)(void *context, const struct stream_event *get, uint64_t *cursor,
			struct stream_event *out);
	/* With history: oldest story seq kept; 0: none. */
	uint64_t (*oldest)(void *context);
};
