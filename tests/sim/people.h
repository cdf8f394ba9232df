/* SPDX-License-Identifier: MIT */
/* people.h - who lives in the world of the simulator: users, each with a phone, glasses and apps.
 *
 * They behave as protocol.md sections 2.8, 3.3 and 8 say, oddities included, and decide by
 * sim_draw() alone.  A timer carries the life of what it was armed for; a newer life makes it void.
 */
#pragma once

#include "tests/sim/sim.h"

#define PEOPLE_MAX 8
#define PERSON_APPS_MAX 4
#define PHONE_OLDER_MAX 4 /* replaced sockets that a phone still holds */
#define APP_OLDER_MAX 4
#define DEVICE_URL_SIZE 128
#define STREAMS_HELD_MAX 4 /* streams that an app remembers, for stops that come late */

struct person;

enum device_phase {
	DEVICE_IDLE,
	DEVICE_PAUSING, /* between the end of an old stream and the start of the next */
	DEVICE_BEGINNING,
	DEVICE_RUNNING,
	DEVICE_RETRYING,
};

/* What goes wrong with a stream on the device's side; drawn when it starts. */
enum quirk {
	QUIRK_NONE,
	QUIRK_REFUSES, /* error without an id: battery, WiFi */
	QUIRK_CAMERA_BUSY, /* error with an id */
	QUIRK_MUTE, /* never says or acks anything */
	QUIRK_HANGS, /* initializing, then no more words */
	QUIRK_RECONNECTS, /* S1 */
	QUIRK_LOOPS, /* S2 */
	QUIRK_ZOMBIE, /* S3 */
	QUIRK_EXHAUSTED, /* S4 */
	QUIRK_FATAL, /* S5 */
	QUIRK_NO_ACKS,
	QUIRK_LATE_ACKS, /* after their window */
	QUIRK_WRONG_ACKS, /* of another stream, or with another ack id */
	QUIRK_DOUBLE_ACKS,
	QUIRK_STOPS, /* stopped, with an id */
	QUIRK_DISCONNECTS,
	QUIRK_TIMES_OUT,
	QUIRK_LINGERS, /* stopping, then no more words */
	QUIRK_ODD_WORD,
	QUIRK_NO_WORD, /* a status without a status */
	QUIRK_COUNT,
};

struct device {
	enum device_phase phase;
	enum quirk quirk;
	char stream_id[STREAM_ID_MAX + 1]; /* what it runs, or ran last */
	char next_id[STREAM_ID_MAX + 1];
	char url[DEVICE_URL_SIZE], next_url[DEVICE_URL_SIZE]; /* where it publishes */
	uint64_t life; /* of its timers */
	uint64_t self_life; /* of its own 60 s timer */
	unsigned attempt, attempts;
	bool booted, afflicted; /* the quirk has begun */
	char late_id[STREAM_ID_MAX + 1], late_ack[ACK_ID_MAX + 1];
};

struct phone {
	struct sim_client client;
	int64_t opened_ms; /* when it opened the newest */
	uint64_t socket; /* newest; 0: none */
	uint64_t older[PHONE_OLDER_MAX];
	uint64_t life; /* of its reconnect timer */
	bool acked; /* the newest socket has its connection_ack */
	bool been_here; /* has started its apps */
	bool offline, ble, wifi;
	int64_t online_ms; /* when it was offline last */
};

struct client_app {
	struct person *person;
	unsigned package;
	struct sim_client client;
	uint64_t socket; /* newest; 0: none */
	uint64_t older[APP_OLDER_MAX]; /* sockets of sessions that were replaced */
	uint64_t life; /* of its timers */
	unsigned gateway; /* of the newest socket */
	unsigned failures; /* in a row, of its reconnects */
	bool accepted; /* the newest socket has its ack */
	bool reconnecting; /* the newest socket is not the session's first */
	bool streaming; /* the SDK's flag */
	bool watching; /* and the one for managed streams, which it keeps apart */
	char stream_id[STREAM_ID_MAX + 1]; /* of the last status */
	char old_ids[STREAMS_HELD_MAX][STREAM_ID_MAX + 1];
	unsigned old_next;
	/* The webhook that waits for its answer. */
	enum hook hook;
	uint64_t hook_id;
	unsigned hook_gateway;
	uint64_t hook_life;
};

struct person {
	struct sim *sim;
	unsigned index;
	char name[16];
	struct text id;
	struct phone phone;
	struct device device;
	struct client_app apps[PERSON_APPS_MAX];
	unsigned app_count;
	unsigned burst; /* things still done in a hurry */
};

struct people {
	struct sim *sim;
	struct person persons[PEOPLE_MAX];
	unsigned count;
	unsigned urls; /* publish URLs handed out */
};

extern struct people people;

/* people_after() - call @fn with @tag in @min_ms to @max_ms from now. */
struct people_delay {
	int64_t min_ms, max_ms;
};
void people_after(struct sim *sim, enum sim_part part, struct people_delay delay, sim_fn *fn,
		  void *context, uint64_t tag);

/* people_end() - an operator ends whatever runs. */
void people_end(void);

/* people_close() - hang up or vanish: both happen. */
void people_close(struct sim *sim, enum sim_part part, uint64_t socket, unsigned code);

/* Phone ---------------------------------------------------------------------------------------- */

void phone_init(struct person *person);
void phone_connect(struct person *person); /* one more socket; the older one stays */
bool phone_say(struct person *person, const struct edge_message *message);
void phone_say_state(struct person *person);
void phone_app(struct person *person, bool start, unsigned package);
void phone_leave(struct person *person, bool vanish); /* comes back by itself */
void phone_go_offline(struct person *person);
void phone_set_ble(struct person *person, bool up);
void phone_set_wifi(struct person *person, bool on);
void phone_say_again(struct person *person); /* connection_init */
void phone_say_other(struct person *person); /* a type that only apps know */

/* Device --------------------------------------------------------------------------------------- */

void device_init(struct person *person);
void device_hear(struct person *person, const struct edge_message *message);
bool device_runs(const struct device *device);

/* App ------------------------------------------------------------------------------------------ */

void app_init(struct person *person, unsigned index, unsigned package);
struct client_app *app_find(struct person *person, struct text package);
void app_hook(struct client_app *app, unsigned gateway, enum hook hook, uint64_t hook_id);
void app_start_stream(struct client_app *app);
void app_stop_stream(struct client_app *app, struct text stream_id);
void app_check(struct client_app *app);
void app_subscribe(struct client_app *app);
void app_watch(struct client_app *app); /* starts a managed stream, or joins the one there is */
void app_unwatch(struct client_app *app);
void app_shown(struct client_app *app, uint64_t socket, const struct edge_message *message);
void app_say(struct client_app *app, const struct edge_message *message);
void app_lose_socket(struct client_app *app); /* the SDK comes back */
void app_die(struct client_app *app); /* the process is gone; a webhook begins it anew */
