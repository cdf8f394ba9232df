/* SPDX-License-Identifier: MIT */
/* tap_mirror.h - what a snapshot of the registry says, as records that refer to each other.
 *
 * No I/O; memory is the mirror's own.  Secrets have no member here.
 */
#pragma once

#include "actors/tap/tap_arena.h"
#include "proto/stream_event.h"

struct mirror_gateway {
	uint64_t incarnation;
	struct text name, reason;
	enum link_state state;
	uint64_t links, apps; /* sockets it holds, counted from the other rows */
};

struct mirror_app {
	struct mirror_app *next;
	struct text package, reason;
	struct text subscriptions; /* a LIST */
	enum app_state state;
	enum app_type app_type;
	uint64_t link, gateway; /* its newest socket; 0: none */
	uint64_t seq; /* of the event that made it so */
	int64_t at_ms; /* Unix time of that event; 0: not known, here and below */
};

struct mirror_user {
	struct text id;
	const char *session; /* "waiting", "open", "ready", "ending"; "none" */
	bool has_link, has_glasses;
	enum link_state link_state;
	uint64_t link, gateway, link_code;
	struct text model;
	bool connected;
	enum wifi wifi;
	uint64_t session_seq, link_seq, glasses_seq;
	int64_t session_at_ms, link_at_ms, glasses_at_ms;
	struct mirror_app *apps;
};

/* The managed half of a stream. */
struct mirror_managed {
	enum provider_kind provider;
	enum input_state input;
	enum ingest ingest;
	enum playback playback;
	struct text input_id, hls, dash, webrtc, preview, thumbnail;
	struct mirror_viewer *viewers; /* in the order they joined */
	uint64_t watching; /* how many of them watch */
	struct mirror_output *outputs; /* by number */
};

struct mirror_viewer {
	struct mirror_viewer *next;
	struct text package;
	enum viewer state;
};

struct mirror_output {
	struct mirror_output *next;
	uint64_t number;
	enum output_state state;
	struct text name, package, error; /* never the destination: it is a secret */
};

struct mirror_stream {
	struct mirror_user *user;
	const struct mirror_managed *managed; /* NULL: it is unmanaged */
	struct text id, package;
	enum kind kind;
	enum phase phase;
	uint64_t epoch, missed;
	int64_t created_ms, activity_ms;
	bool start_delivered, stop_owed, told_owed;
	struct text told_id, stop_app_id; /* of the stop that is owed */
	enum end_cause end_cause;
	enum hop hop;
	struct text video, audio, options;
	const char *stuck; /* why it is, if somebody asked (tap_stuck.h); else NULL */
};

struct mirror {
	struct arena arena;
	struct _zhashx_t *users; /* id -> struct mirror_user * */
	struct _zhashx_t *managed; /* stream id -> struct mirror_managed * */
	struct mirror_stream *streams;
	size_t stream_count, stream_room;
	struct mirror_gateway *gateways;
	size_t gateway_count, gateway_room;
	uint64_t upto; /* story seq that the rows stand for */
	uint64_t rows; /* taken since snapshot.begin */
	bool store_known; /* the registry has told of its store: */
	uint64_t quarantined, rows_damaged;
};

void mirror_init(struct mirror *mirror);
void mirror_fini(struct mirror *mirror);

/* mirror_apply() - take the next event of a snapshot.
 *
 * snapshot.begin forgets everything before it.  @event is borrowed for the call.
 *
 * Return: true once snapshot.end has come; if its count of rows is not ours something was lost,
 * and @complete is false.
 */
bool mirror_apply(struct mirror *mirror, const struct stream_event *event, bool *complete);

/* mirror_date() - @event of the history gives a fact that it made its time, and what no row tells:
 * the close code of a link, the reason of an app's state, the outputs of a stream.
 */
void mirror_date(struct mirror *mirror, const struct stream_event *event);

/* mirror_user() - the user of that id, or NULL. */
struct mirror_user *mirror_user(const struct mirror *mirror, struct text id);

/* mirror_stream() - the stream of that id, or NULL. */
const struct mirror_stream *mirror_stream(const struct mirror *mirror, struct text id);

/* mirror_input_owed() - its input must still be deleted, or looked for. */
bool mirror_input_owed(const struct mirror_stream *stream);

/* mirror_gateway() - the gateway of that incarnation, or NULL. */
const struct mirror_gateway *mirror_gateway(const struct mirror *mirror, uint64_t incarnation);

/* mirror_gateway_name() - its name; "" for 0, "?" for one that no row told of. */
struct text mirror_gateway_name(const struct mirror *mirror, uint64_t incarnation);
