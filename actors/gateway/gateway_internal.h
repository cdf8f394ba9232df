/* SPDX-License-Identifier: MIT */
/* gateway_internal.h - the gateway core's state, for its own files and nobody else. */
#pragma once

#include "actors/gateway/gateway_core.h"
#include "common/pool.h"
#include "common/table.h"
#include "proto/list.h"
#include "proto/models.h"

#define GATEWAY_NONE UINT32_MAX /* no slot */
#define EFFECTS_PER_LINK 4 /* the most that one link causes in a slice */

enum link_kind {
	LINK_FREE,
	LINK_RESERVED, /* handed out, not open yet */
	LINK_GLASSES,
	LINK_APP,
	LINK_LEFT, /* we closed it and said so; waits for GATEWAY_CLOSED */
};

enum app_phase {
	APP_SILENT, /* no init yet */
	APP_JUDGED, /* waits for the registry's verdict */
	APP_ACCEPTED,
};

enum request_kind {
	REQUEST_NONE,
	REQUEST_UNMANAGED,
	REQUEST_STOP,
	REQUEST_CHECK,
	REQUEST_WATCH,
	REQUEST_LEAVE,
	REQUEST_KIND_COUNT,
};

/* Deadlines of one length each, so that a list in order of arrival is in order of expiry. */
enum gateway_clock {
	CLOCK_ARRIVAL, /* glasses that wait for their connection_ack; expired they just count no
			  more */
	CLOCK_INIT,
	CLOCK_VERDICT,
	CLOCK_QUEUED, /* a start that waits until fewer are under way */
	CLOCK_REQUEST,
	CLOCK_WATCH,
	CLOCK_COUNT,
	CLOCK_NONE = CLOCK_COUNT,
};

/* Requests that are asked again of another life of their adapter: of one clock each, so that they
 * can be gone through in order.
 */
enum gateway_again {
	AGAIN_UNMANAGED,
	AGAIN_WATCH, /* before what may end it */
	AGAIN_MANAGED,
	AGAIN_COUNT,
};

/* A link waits for one thing at a time, and an app for the answer to its request to watch beside.
 */
enum gateway_due {
	DUE_LINE,
	DUE_WATCH,
	DUE_COUNT,
};

#define WAITING_TEXTS 6

/* Something that has to wait its turn: a request of an app, an order for a device. */
struct waiting {
	uint32_t next;
	uint8_t kind; /* enum request_kind; orders: enum stream_event_type */
	bool oversized, destinations_oversized;
	uint64_t epoch, cause; /* orders only */
	struct pooled texts[WAITING_TEXTS];
};

struct line {
	uint32_t first, last; /* of struct waiting */
	uint8_t count;
};

/* What this device was last told to run, on this socket. */
struct fence {
	uint64_t epoch; /* 0: nothing; the device's stream is unknown */
	bool stopped; /* and then to stop it */
	uint8_t length;
	char stream_id[STREAM_ID_MAX];
};

struct glasses {
	struct fence fence;
	struct pooled model;
	struct pooled filter; /* LIST of message types that some app wants */
	struct line held; /* orders that wait for the connection_ack */
	bool filter_all, acked, has_state, connected;
	uint8_t wifi;
};

/* The newest status delivered of a kind. */
struct delivered {
	uint64_t epoch, stream_seq;
};

/* The last thing said of a managed stream. */
struct said {
	uint64_t epoch, stream_seq;
	uint64_t words; /* hash of what apps could tell apart */
	bool ended; /* it was the last word of that stream */
};

/* A request to watch may have to wait for a provider.  It leaves the line, so that the app can stop
 * or replace meanwhile what is being made.
 */
struct watch {
	uint64_t request; /* outstanding; 0: none */
	struct line line; /* what is kept of it, to ask again; empty: nothing */
	bool overtaken; /* something was asked since that may have ended it */
};

struct app {
	struct pooled package, session, types;
	struct delivered direct, copy;
	struct said managed;
	uint64_t seen_seq; /* the story up to here is behind what it was told */
	int64_t accepted_ms;
	uint64_t request; /* outstanding; 0: none */
	struct line line;
	uint8_t phase; /* enum app_phase */
	uint8_t asked; /* enum request_kind of the outstanding one */
	bool kept; /* the first in line is the outstanding one */
	struct watch watch;
	bool key_ok, replaced, subscribed;
};

/* A place in the list of a clock. */
struct due {
	uint32_t next, previous;
	int64_t ms;
	uint8_t clock; /* CLOCK_NONE: in none */
};

struct link {
	uint64_t id;
	uint32_t user; /* slot, or GATEWAY_NONE */
	uint32_t next; /* among the free */
	uint32_t round; /* in which the registry was last told of it */
	uint8_t kind;
	bool told; /* the registry was told of it at all */
	int64_t opened_ms; /* glasses: the socket; apps: their init */
	struct due dues[DUE_COUNT];
	union {
		struct glasses glasses;
		struct app app;
	};
};

/* A user with sockets here, or with a rate limit that has not recovered yet. */
struct user {
	struct pooled id;
	uint32_t links;
	uint32_t next, previous; /* among those without links, oldest first; next: among the free */
	int64_t starts_free_ms; /* see gateway_rate.h */
};

/* A request of an app; texts are borrowed. */
struct ask {
	enum request_kind kind;
	bool oversized, destinations_oversized;
	struct text stream_id, rtmp_url, video, audio, options, destinations;
};

struct rest {
	uint64_t call; /* 0: free */
	uint64_t request;
	int64_t due_ms;
	enum gateway_action action;
	struct pooled name; /* the package; of calls about outputs: the stream id */
};

struct queue {
	uint32_t first, last;
};

struct gateway {
	struct gateway_options options;
	const struct gateway_directory *directory;
	struct text dashboard; /* package of the app that starts with every session */
	struct gateway_counts counts;

	struct link *links;
	uint32_t link_free, link_next; /* link_next: first slot never used */
	uint64_t link_count; /* ever handed out */
	uint32_t glasses_open, apps_open;

	struct user *users;
	struct table user_index;
	uint32_t user_free, user_next, users_here;
	struct queue user_idle;

	struct table app_index; /* (user, package) to the accepted socket of that app */
	struct waiting *waitings;
	uint32_t waiting_free, waiting_next;
	struct rest rests[GATEWAY_REST_MAX];
	uint32_t rest_count;
	struct queue clocks[CLOCK_COUNT];
	uint32_t clock_counts[CLOCK_COUNT];

	uint64_t requests; /* ids handed out */
	uint32_t starts; /* of unmanaged streams, outstanding */
	uint64_t again[AGAIN_COUNT]; /* asked again from this one on; 0: not */
	uint64_t probe_batch; /* number of the last one heard; told with each beat */
	uint64_t seen_seq; /* the registry's story up to here is behind its answers */

	/* Telling the registry everything, in slices.  round 0: it has never been there. */
	uint32_t round, announce_next;
	bool announcing;
	bool registry_up;
	uint64_t announced_links, announced_apps;

	int64_t now_ms, beat_ms;
	struct list_writer acks;
	int64_t acks_ms;
	unsigned acks_side; /* the other one may still be borrowed */
	uint8_t acks_bytes[2][BATCH_BYTES_MAX];

	bool draining, shut;
	uint32_t drain_next;
	int64_t drain_ms;

	size_t out_count, arena_used;
	struct gateway_out outs[GATEWAY_OUTS_MAX];
	char arena[GATEWAY_OUTS_ARENA];
	struct pool pool;
};

/* ---- gateway_core.c ---- */

struct gateway_out *gateway_out_add(struct gateway *self, enum gateway_out_type type,
				    uint64_t link);
struct edge_message *gateway_send(struct gateway *self, const struct link *link,
				  enum edge_type type);

/* gateway_session_id() - "<user>-<package>", made in the outs' memory. */
struct text gateway_session_id(struct gateway *self, struct text user, struct text package);

/* gateway_tell() - a fact for the registry; it has been told of @link, if not NULL, before. */
struct stream_event *gateway_tell(struct gateway *self, struct link *link,
				  enum stream_event_type type, struct effects *fx);

/* ---- gateway_link.c: slots, users, deadlines ---- */

struct link *gateway_link_find(struct gateway *self, uint64_t id, enum link_kind kind);
struct text gateway_link_user(const struct gateway *self, const struct link *link);
bool gateway_link_is_free(const struct gateway *self);

/* gateway_arriving() - links that wait for the registry's first word. */
uint32_t gateway_arriving(const struct gateway *self);
bool gateway_link_may_arrive(const struct gateway *self);

/* gateway_link_take_user() - count @link among the user's; false if there is no room. */
bool gateway_link_take_user(struct gateway *self, struct link *link, struct text id);

/* gateway_announce_all() - begin to tell the registry of every link. */
void gateway_announce_all(struct gateway *self, struct effects *fx);
/* gateway_link_announce() - tell the registry of an open link unless it knows of it. */
void gateway_link_announce(struct gateway *self, struct link *link, struct effects *fx);

/* gateway_link_leave() - the link is over: tell the registry, forget everything but the id. */
void gateway_link_leave(struct gateway *self, struct link *link, unsigned code, struct effects *fx);

/* gateway_link_close() - close the socket and leave the link. */
void gateway_link_close(struct gateway *self, struct link *link, unsigned code, struct text reason,
			struct effects *fx);
void gateway_link_free(struct gateway *self, struct link *link);

void gateway_clock_start(struct gateway *self, struct link *link, enum gateway_clock clock,
			 int64_t due_ms);
void gateway_clock_stop(struct gateway *self, struct link *link, enum gateway_due due);
static inline enum gateway_due gateway_clock_due(enum gateway_clock clock)
{
	return clock == CLOCK_WATCH ? DUE_WATCH : DUE_LINE;
}

/* gateway_start_wait() - account for one stream request: 0, or ms to wait. */
int64_t gateway_start_wait(struct gateway *self, const struct link *link, int64_t now_ms);

/* gateway_line_*() - waiting entries in order; false if there is no room for one more. */
void gateway_line_init(struct line *line);
bool gateway_line_add(struct gateway *self, struct line *line, const struct waiting *head,
		      const struct text texts[WAITING_TEXTS]);

/* gateway_line_take() - the first; its texts stay readable until the next call into the core. */
void gateway_line_take(struct gateway *self, struct line *line, struct waiting *head,
		       struct text texts[WAITING_TEXTS]);
void gateway_line_clear(struct gateway *self, struct line *line);

/* gateway_line_move() - the first of @from becomes the last of @to. */
void gateway_line_move(struct gateway *self, struct line *from, struct line *to);

/* ---- gateway_glasses.c ---- */

void gateway_glasses_open(struct gateway *self, const struct gateway_edge *edge,
			  struct effects *fx);
void gateway_glasses_message(struct gateway *self, struct link *link,
			     const struct edge_message *message, int64_t now_ms,
			     struct effects *fx);
void gateway_glasses_announce(struct gateway *self, struct link *link, bool resumed,
			      struct effects *fx);
void gateway_glasses_forget(struct gateway *self, struct link *link);
void gateway_glasses_event(struct gateway *self, const struct stream_event *event,
			   struct effects *fx);
void gateway_glasses_probes(struct gateway *self, struct text probes);
void gateway_acks_flush(struct gateway *self, struct effects *fx);

/* ---- gateway_app_link.c ---- */

void gateway_app_open(struct gateway *self, const struct gateway_edge *edge, int64_t now_ms);
void gateway_app_message(struct gateway *self, struct link *link, const struct gateway_edge *edge,
			 int64_t now_ms, struct effects *fx);
void gateway_app_not_json(struct gateway *self, struct link *link, struct effects *fx);
void gateway_app_announce(struct gateway *self, struct link *link, bool resumed,
			  struct effects *fx);
void gateway_app_forget(struct gateway *self, struct link *link);
void gateway_app_expired(struct gateway *self, struct link *link, enum gateway_clock clock,
			 struct effects *fx);
void gateway_app_event(struct gateway *self, const struct stream_event *event, int64_t now_ms,
		       struct effects *fx);

/* gateway_app_fail() - error message and close 1008, or silence on a replaced socket.
 *
 * Return: whether the socket was closed.
 */
bool gateway_app_fail(struct gateway *self, struct link *link, struct text code,
		      struct text message, struct effects *fx);

/* gateway_app_told() - tell the registry what became of the last word about a stream. */
void gateway_app_told(struct gateway *self, const struct stream_event *event, struct text package,
		      bool reached, struct effects *fx);

/* gateway_app_reached() - whether @delivery to @link, maybe NULL, is heard; then it is behind what
 * the app asks from now on.
 */
bool gateway_app_reached(struct link *link, const struct stream_event *delivery);

/* ---- gateway_request.c: what apps ask for, one at a time ---- */

void gateway_request_ask(struct gateway *self, struct link *link, const struct ask *ask,
			 int64_t now_ms, struct effects *fx);
void gateway_request_next(struct gateway *self, struct link *link, int64_t now_ms,
			  struct effects *fx);
void gateway_request_expired(struct gateway *self, struct link *link, enum gateway_clock clock,
			     struct effects *fx);
void gateway_request_queue_expired(struct gateway *self, struct link *link, struct effects *fx);
void gateway_request_event(struct gateway *self, const struct stream_event *event, int64_t now_ms,
			   struct effects *fx);

/* gateway_request_ask_again() - ask another life of the adapter @role what the last one has not
 * answered; what does not fit is left to gateway_request_again() on the next ticks.
 */
void gateway_request_ask_again(struct gateway *self, enum role role, struct effects *fx);
void gateway_request_again(struct gateway *self, struct effects *fx);
bool gateway_request_is_asking(const struct gateway *self);

/* gateway_request_admit() - starts that wait in line go out, as many as may. */
void gateway_request_admit(struct gateway *self, int64_t now_ms, struct effects *fx);
bool gateway_request_is_admitting(const struct gateway *self);
void gateway_request_forget(struct gateway *self, struct link *link);

/* ---- gateway_rest.c: REST calls and webhooks ---- */

void gateway_rest_called(struct gateway *self, const struct gateway_edge *edge, int64_t now_ms,
			 struct effects *fx);
void gateway_rest_gone(struct gateway *self, uint64_t call);
void gateway_rest_result(struct gateway *self, const struct stream_event *event);

/* gateway_rest_take() - remember a call until its answer; NULL, with the answer given, if there
 * are too many.  @name is what the answer will need.
 */
struct rest *gateway_rest_take(struct gateway *self, const struct gateway_edge *edge,
			       struct text name, int64_t now_ms);

/* gateway_rest_find() - the call whose answer carries @request, or NULL. */
struct rest *gateway_rest_find(struct gateway *self, uint64_t request);
void gateway_rest_free(struct gateway *self, struct rest *rest);
struct edge_message *gateway_answer(struct gateway *self, uint64_t call, unsigned status,
				    enum edge_type type);
void gateway_rest_expire(struct gateway *self, int64_t now_ms);
int64_t gateway_rest_deadline(const struct gateway *self);
void gateway_hook_asked(struct gateway *self, const struct stream_event *event, struct effects *fx);
void gateway_hook_posted(struct gateway *self, const struct gateway_edge *edge, struct effects *fx);

/* ---- gateway_outputs.c: REST calls about the outputs of managed streams ---- */

void gateway_output_called(struct gateway *self, const struct gateway_edge *edge, int64_t now_ms,
			   struct effects *fx);
void gateway_output_result(struct gateway *self, const struct stream_event *event);
void gateway_output_refuse(struct gateway *self, uint64_t call, unsigned status, struct text code,
			   struct text message);

/* ---- gateway_managed.c: what apps are told of managed streams ---- */

void gateway_managed_deliver(struct gateway *self, const struct stream_event *event,
			     struct effects *fx);

/* gateway_outputs_json() - a list of outputs as JSON, in the arena of this call; @record: in the
 * form of request.outputs, else in that of deliver.managed.  @count is how many there are.
 */
struct text gateway_outputs_json(struct gateway *self, struct text list, bool record,
				 uint32_t *count);
