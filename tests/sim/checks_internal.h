/* SPDX-License-Identifier: MIT */
/* checks_internal.h - what the checks remember.  Names of invariants: reliability.md section 1. */
#pragma once

#include "actors/gateway/gateway_core.h"
#include "common/phase.h"
#include "common/state.h"
#include "tests/sim/checks.h"
#include "tests/sim/people.h"
#include "tests/sim/sim_provider.h"

#define CHECK_STREAMS_MAX 16384
#define CHECK_ASKED_MAX 64 /* requests of one app that wait: twice what its line holds */
#define NEVER (-INT64_C(1000000000000000)) /* so that differences do not overflow */

/* Bounds, virtual time.  The world's ordinary delays are below 50 ms a hop. */
#define SLACK_MS 3000 /* hops and commits on the way of a verdict */
#define RECONCILE_BOUND_MS 5000 /* the adapter says again what is owed */
#define REQUEST_BOUND_MS 10000 /* a gateway waits so long for an answer */
#define REQUEST_TURN_MS (REQUEST_BOUND_MS + GATEWAY_QUEUE_MS) /* with its wait in the line */
#define WATCH_BOUND_MS 30000 /* and so long if something has to be made */
#define LATE_MAX_MS 130000 /* a message of ours may be so late: the longest stall, and delays */
#define CLOG_MAX_MS 70000 /* and so late while processes run: the longest clog, and delays */
#define DRAINED_MS 10000 /* after a fault: what it held up has arrived */
#define SERVED_BOUND_MS 60000 /* two tries of an impatient phone */

/* An app that watches a managed stream, or has watched it. */
struct check_viewer {
	bool watching,
		owed; /* says the story; owed: it must still be told that it watches no more */
	unsigned joins, begins; /* how often the story has it join, and it was told so */
	bool begun, ended; /* what it heard last: that it watches, or that it does not any more */
	bool refused; /* the last end that it heard was of nothing that it watched */
	bool must_hear; /* the end, on the socket that it had then */
	char word[16]; /* the last one it heard */
	const char *due_word; /* the one it should have heard; NULL: any */
	int64_t joined_ms, due_ms; /* due: since then */
	int64_t heard_ms, ended_ms, owed_ms, told_ms;
	uint64_t ended_socket, owed_socket;
};

/* A stream as the committed story tells it, and as devices and apps have heard of it. */
struct check_stream {
	char id[STREAM_ID_MAX + 1];
	uint64_t epoch, stream_seq;
	uint64_t origin, request; /* that led to it */
	const struct person *person;
	const struct client_app *owner; /* NULL: an app that nobody plays */
	enum kind kind;
	enum phase phase;
	enum end_cause cause;
	int64_t opened_ms, event_ms, closed_ms;
	uint64_t missed; /* when it closed */
	bool stop_owed, told_owed; /* now */
	bool was_told_owed; /* when it closed */
	bool settled; /* nothing more can come of it */
	/* The device. */
	bool said_end; /* it has said so itself */
	uint64_t probed_life; /* of the scheduler that probed it last; 0: none did */
	int64_t probed_ms;
	int64_t sign_ms, link_ms;
	int64_t status_ms; /* last stream.status */
	/* The owner. */
	bool begun, ended;
	char word[16]; /* the last one it heard */
	const char *due_word; /* the one it should have heard last */
	int64_t due_ms, ended_ms, told_ms; /* told: the story knows of it */
	uint64_t ended_socket, closing_socket; /* closing: accepted when it closed; 0: none */
	/* Managed. */
	int64_t made_ms; /* it has its input since */
	bool input_owed;
	char ingest[SIM_INGEST_SIZE];
	struct check_viewer viewers[PERSON_APPS_MAX]; /* by app of its person */
};

/* How the story names a socket. */
struct check_link {
	uint64_t link, gateway;
};

struct check_person {
	int64_t up_ms; /* since when the newest phone socket is acked; NEVER: it is not */
	int64_t guilty_ms;
	int64_t runs_ms; /* since when the device streams undisturbed; NEVER: it does not */
	int64_t down_ms; /* when the story last said that its link is down */
	int64_t ble_ms; /* when it last could reach its device again */
	int64_t ended_ms; /* when its last stream ended */
	bool stops; /* and owed the device a stop */
	struct check_link socket; /* that the newest phone socket became */
	bool displaced; /* by a socket that its gateway opened later still, be it closed by now
			   (1.4) */
	uint64_t started_epoch, started_socket; /* of the last start that reached the device */
	struct check_stream *live;
};

struct check_asked {
	enum answer expected;
	int64_t asked_ms;
	int64_t opened_ms; /* the story has its stream; NEVER: not yet */
};

struct check_app {
	int64_t accepted_ms; /* NEVER: not accepted */
	int64_t grace_ms; /* when the story last put it into grace */
	struct check_link socket; /* that the accepted socket became */
	struct check_asked asked[CHECK_ASKED_MAX];
	unsigned asked_count;
	int64_t turn_ms; /* when one of them was answered last */
	int64_t watched_ms, asked_ms; /* when it last wanted to watch, and was owed an answer */
	unsigned excuses; /* for being told that it does not watch: its requests and stops */
};

/* An input that no record accounts for. */
struct check_stray {
	char id[SIM_INPUT_ID_SIZE];
	int64_t since_ms, seen_ms;
};

#define CHECK_STRAYS_MAX 128

struct checks {
	struct sim *sim;
	struct state replay; /* of the committed story */
	void *replay_memory;
	struct check_stream *streams;
	unsigned stream_count, low; /* below low all are settled */
	struct check_person persons[PEOPLE_MAX];
	struct check_app apps[PEOPLE_MAX][PERSON_APPS_MAX];
	uint64_t seq, epoch; /* of the last event, of the last stream opened */
	uint64_t steps;
	enum bucket damaged; /* a record of that kind, in the load at hand */
	const struct check_stream *must_end; /* before this step is over: its record was lost */
	struct check_stray strays[CHECK_STRAYS_MAX];
	int64_t paced_ms; /* the last delete of what an earlier life of the adapter had left */
	uint64_t paced_life; /* that it was in */
	int64_t story_ms; /* of the last event */
	int64_t looked_ms; /* when bounds were looked at last */
};

extern struct checks checks;

struct check_person *check_person(const struct person *person);
/* check_displaces() - whether that socket takes the place of the phone's newest one. */
bool check_displaces(const struct person *person, uint64_t gateway, uint64_t link,
		     int64_t opened_ms);
struct check_app *check_app(const struct client_app *app);
struct check_stream *check_stream_find(struct text id);
const struct person *check_person_find(struct text user);

/* check_app_reachable() - the story has @app running with an open socket. */
bool check_app_reachable(const struct client_app *app);

/* check_reachable() - the story has the owner running with an open socket. */
bool check_reachable(const struct check_stream *stream);

/* check_link() - what a gateway made of @socket; checks_world.c. */
struct check_link check_link(uint64_t socket);

/* check_fail() - sim_violation() with the stream's id, which may be NULL. */
#define check_fail(invariant, stream, ...) \
	sim_violation(checks.sim, (invariant), \
		      (stream) ? text_of((stream)->id) : (struct text){ 0 }, __VA_ARGS__)

/* checks_verdict.c: before @event is applied to the replay. */
void check_verdict(const struct check_stream *stream, int64_t now_ms);
void check_suspect(const struct check_stream *stream, int64_t now_ms);
void check_session_ending(const struct stream_event *event, int64_t now_ms);
void check_app_changed(const struct stream_event *event, int64_t now_ms);
void check_gateway_changed(const struct stream_event *event);

/* checks_app.c */
void check_app_running(const struct client_app *app, const struct stream_event *event);
void check_app_opened(const struct client_app *app, enum answer expected);
void check_app_closing(struct check_stream *stream, bool reachable);
void check_app_bounds(int64_t now_ms);
void check_app_word(const struct check_stream *stream, int64_t now_ms);
void check_app_end(const struct check_stream *stream, int64_t now_ms);
void check_apps_healed(void);

/* checks_managed.c: viewers; before @event is applied to the replay. */
struct check_viewer *check_viewer(struct check_stream *stream, struct text package);
void check_managed_opened(struct check_stream *stream);
void check_managed_story(struct check_stream *stream, const struct stream_event *event);
void check_managed_closed(struct check_stream *stream, const struct stream_event *event);
void check_viewers(struct check_stream *stream, int64_t now_ms);
bool check_viewers_settled(const struct check_stream *stream);

/* checks_provider.c: inputs */
void check_called(const struct stream_event *call);
void check_input_made(const struct sim_input *input);
void check_input_deleted(const struct sim_input *input);
void check_provisioned(struct check_stream *stream, const struct stream_event *event);
void check_inputs(int64_t now_ms);
void check_quiet(void);

/* checks_time.c */
void check_bounds(int64_t now_ms);
void check_timers(void);
void check_probed(uint64_t life, struct text stream_id);
void check_healed(void);

/* checks_places.c: looks at @event before it is applied to the replay. */
void check_places(const struct stream_event *event);
void check_places_managed(const struct stream_event *event); /* checks_places_managed.c */
