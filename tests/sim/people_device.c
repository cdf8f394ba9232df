/* SPDX-License-Identifier: MIT */
/* The glasses: what the firmware does with start, stop and keep-alive (protocol.md section 8).
 * Refusals, `stopped` and `stopping` carry no streamId, any stop stops whatever runs, and acks are
 * also sent for foreign ids: that is how the firmware is.
 */
#include <string.h>

#include "tests/sim/checks.h"
#include "tests/sim/people.h"

#define SELF_TIMEOUT_MS 60000
#define PAUSE_MS 500
#define BOOT_MS 1000
#define BEGIN_MS 50
#define CONNECT_MIN_MS 500
#define CONNECT_MAX_MS 3000
#define SELF_RECOVERY_MS 1000
#define ATTEMPTS_MAX 10
#define JITTER_MS 300
#define AFFLICTION_MIN_MS 2000 /* until the quirk shows */
#define AFFLICTION_MAX_MS 100000
#define LATE_MIN_MS 10500 /* later than an ack may be */
#define LATE_MAX_MS 20000
#define RELENT_PPM 500000 /* goes on after all */
#define RELENT_MIN_MS 3000
#define RELENT_MAX_MS 20000
#define ACK_MAX_MS 300
#define PROMPT_PPM 700000 /* acks at once */

static const unsigned quirk_weights[QUIRK_COUNT] = {
	[QUIRK_NONE] = 48,	 [QUIRK_REFUSES] = 3,	  [QUIRK_CAMERA_BUSY] = 2,
	[QUIRK_MUTE] = 3,	 [QUIRK_HANGS] = 3,	  [QUIRK_RECONNECTS] = 4,
	[QUIRK_LOOPS] = 3,	 [QUIRK_ZOMBIE] = 3,	  [QUIRK_EXHAUSTED] = 2,
	[QUIRK_FATAL] = 3,	 [QUIRK_NO_ACKS] = 6,	  [QUIRK_LATE_ACKS] = 4,
	[QUIRK_WRONG_ACKS] = 4,	 [QUIRK_DOUBLE_ACKS] = 3, [QUIRK_STOPS] = 2,
	[QUIRK_DISCONNECTS] = 2, [QUIRK_TIMES_OUT] = 1,	  [QUIRK_LINGERS] = 3,
	[QUIRK_ODD_WORD] = 1,	 [QUIRK_NO_WORD] = 2,
};

bool device_runs(const struct device *device)
{
	return device->phase >= DEVICE_BEGINNING;
}

static enum quirk draw_quirk(struct sim *sim)
{
	uint64_t total = 0, drawn;
	unsigned quirk = 0;

	for (unsigned i = 0; i < QUIRK_COUNT; i++)
		total += quirk_weights[i];
	drawn = sim_below(sim, SIM_DEVICES, total);
	while (drawn >= quirk_weights[quirk])
		drawn -= quirk_weights[quirk++];
	return (enum quirk)quirk;
}

static void later(struct person *person, struct people_delay delay, sim_fn *fn)
{
	people_after(person->sim, SIM_DEVICES, delay, fn, person, person->device.life);
}

/* Undisturbed, as far as it knows; publishing is another matter. */
static void streams(struct person *person, bool on)
{
	checks_device_runs(person, on);
	sim_publish(person->sim, text_of(person->device.url), on);
}

/* What it says --------------------------------------------------------------------------------- */

static bool carry(struct person *person, const struct edge_message *message)
{
	return person->phone.ble && phone_say(person, message);
}

static void say(struct person *person, const char *word, const char *details)
{
	struct edge_message message = { .type = EDGE_DEVICE_STREAM_STATUS };

	if (word) {
		message.present |= EDGE_BIT(device_stream_status, status);
		message.device_stream_status.status = text_of(word);
	}
	if (details) {
		message.present |= EDGE_BIT(device_stream_status, error_details);
		message.device_stream_status.error_details = text_of(details);
	}
	(void)carry(person, &message);
}

/* With the id: everything that happens while a stream runs (8.4). */
static void say_own(struct person *person, const char *word, const char *details)
{
	struct edge_message message = { .type = EDGE_DEVICE_STREAM_STATUS };

	message.present = EDGE_BIT(device_stream_status, stream_id);
	message.device_stream_status.stream_id = text_of(person->device.stream_id);
	if (word) {
		message.present |= EDGE_BIT(device_stream_status, status);
		message.device_stream_status.status = text_of(word);
	}
	if (details) {
		message.present |= EDGE_BIT(device_stream_status, error_details);
		message.device_stream_status.error_details = text_of(details);
	}
	if (carry(person, &message))
		checks_device_sign(person, text_of(person->device.stream_id));
	else
		checks_device_guilty(person);
}

/* The last word about a stream, with its id. */
static void say_end(struct person *person, const char *word, const char *details)
{
	checks_device_ended(person);
	say_own(person, word, details);
}

static void end(struct person *person)
{
	struct device *device = &person->device;

	device->phase = DEVICE_IDLE;
	device->life++;
	device->self_life++;
	streams(person, false);
}

/* The id is cleared before the words are made, hence without it, and in this order (8.3). */
static void end_reported(struct person *person)
{
	end(person);
	say(person, "stopped", NULL);
	say(person, "stopping", NULL);
}

static void on_self_timeout(void *context, uint64_t tag)
{
	struct person *person = context;

	if (tag != person->device.self_life)
		return;
	SIM_SOMETIMES(person->sim, "device stops itself after 60 s");
	say_end(person, "error", "Stream timed out - no keep-alive from cloud");
	end_reported(person);
}

static void restart_self_timer(struct person *person)
{
	person->device.self_life++;
	sim_at(person->sim, sim_now(person->sim) + SELF_TIMEOUT_MS, on_self_timeout, person,
	       person->device.self_life);
}

/* Its quirks ----------------------------------------------------------------------------------- */

static void on_connected(void *context, uint64_t tag);

static void exhausted(struct person *person)
{
	say_end(person, "reconnect_failed", NULL);
	end(person);
	say(person, "stopped", NULL);
}

static void on_attempt(void *context, uint64_t tag)
{
	struct person *person = context;
	struct device *device = &person->device;
	int64_t wait_ms = 1000;

	if (tag != device->life)
		return;
	say_own(person, "reconnecting", NULL);
	if (device->attempt >= ATTEMPTS_MAX) {
		exhausted(person);
		return;
	}
	if (device->attempt >= device->attempts) {
		device->phase = DEVICE_RUNNING;
		streams(person, true);
		say_own(person, "reconnected", NULL);
		return;
	}
	for (unsigned i = 0; i < device->attempt; i++)
		wait_ms += wait_ms / 2;
	device->attempt++;
	later(person, (struct people_delay){ wait_ms, wait_ms + JITTER_MS }, on_attempt);
}

static void on_loop(void *context, uint64_t tag)
{
	struct person *person = context;
	struct device *device = &person->device;

	if (tag != device->life)
		return;
	say_own(person, "reconnecting", NULL);
	say_own(person, "initializing", NULL);
	if (device->attempt++ < device->attempts)
		later(person, (struct people_delay){ 2000, 2000 + JITTER_MS }, on_loop);
	else
		later(person, (struct people_delay){ CONNECT_MIN_MS, CONNECT_MAX_MS },
		      on_connected);
}

static void retry(struct person *person, unsigned attempt, unsigned attempts, sim_fn *fn)
{
	struct device *device = &person->device;

	device->phase = DEVICE_RETRYING;
	device->attempt = attempt;
	device->attempts = attempts;
	streams(person, false);
	later(person,
	      (struct people_delay){ SELF_RECOVERY_MS + 1000, SELF_RECOVERY_MS + 1000 + JITTER_MS },
	      fn);
}

static void die(struct person *person, const char *word, const char *details)
{
	say_end(person, word, details);
	end(person);
	say(person, "stopped", NULL);
}

/* It was not meant. */
static void on_second_thoughts(void *context, uint64_t tag)
{
	struct person *person = context;

	if (tag != person->device.life)
		return;
	streams(person, true);
	say_own(person, "streaming", NULL);
}

static void linger(struct person *person)
{
	streams(person, false);
	say_own(person, "stopping", NULL);
	if (sim_chance(person->sim, SIM_DEVICES, RELENT_PPM))
		later(person, (struct people_delay){ RELENT_MIN_MS, RELENT_MAX_MS },
		      on_second_thoughts);
}

static void on_affliction(void *context, uint64_t tag)
{
	struct person *person = context;
	struct device *device = &person->device;
	unsigned some = (unsigned)sim_below(person->sim, SIM_DEVICES, 5);

	if (tag != device->life || device->phase != DEVICE_RUNNING)
		return;
	device->afflicted = true;
	switch (device->quirk) {
	case QUIRK_RECONNECTS:
		retry(person, 1, 1 + some, on_attempt);
		return;
	case QUIRK_LOOPS:
		retry(person, 1, some, on_loop);
		return;
	case QUIRK_EXHAUSTED:
		retry(person, ATTEMPTS_MAX, ATTEMPTS_MAX, on_attempt);
		return;
	case QUIRK_FATAL:
		die(person, "error", "RTMP connection failed: refused");
		return;
	case QUIRK_STOPS:
		die(person, "stopped", NULL);
		return;
	case QUIRK_DISCONNECTS:
		die(person, "disconnected", NULL);
		return;
	case QUIRK_TIMES_OUT:
		die(person, "timeout", NULL);
		return;
	case QUIRK_ODD_WORD:
		die(person, "melting", NULL);
		return;
	case QUIRK_LINGERS:
		linger(person);
		return;
	case QUIRK_ZOMBIE:
		sim_publish(person->sim, text_of(device->url), false);
		return;
	case QUIRK_NO_WORD:
		say_own(person, NULL, NULL);
		return;
	default: /* the rest is in how it acks */
		return;
	}
}

/* Start ---------------------------------------------------------------------------------------- */

static void on_connected(void *context, uint64_t tag)
{
	struct person *person = context;
	struct device *device = &person->device;

	if (tag != device->life)
		return;
	device->phase = DEVICE_RUNNING;
	streams(person, true);
	if (!device->afflicted)
		restart_self_timer(person); /* a reconnection does not (8.5) */
	say_own(person, sim_chance(person->sim, SIM_DEVICES, 900000) ? "streaming" : "active",
		NULL);
	if (!device->afflicted)
		later(person, (struct people_delay){ AFFLICTION_MIN_MS, AFFLICTION_MAX_MS },
		      on_affliction);
}

static void on_begun(void *context, uint64_t tag)
{
	struct person *person = context;
	struct device *device = &person->device;

	if (tag != device->life)
		return;
	if (device->quirk == QUIRK_MUTE)
		return;
	say_own(person, "initializing", NULL);
	if (device->quirk == QUIRK_CAMERA_BUSY) {
		die(person, "error", "camera_busy");
		return;
	}
	if (device->quirk != QUIRK_HANGS)
		later(person, (struct people_delay){ CONNECT_MIN_MS, CONNECT_MAX_MS },
		      on_connected);
}

static void begin(void *context, uint64_t tag)
{
	struct person *person = context;
	struct device *device = &person->device;
	int64_t boot_ms = device->booted ? 0 : BOOT_MS;

	if (tag != device->life)
		return;
	memcpy(device->stream_id, device->next_id, sizeof device->stream_id);
	memcpy(device->url, device->next_url, sizeof device->url);
	device->booted = true;
	device->afflicted = false;
	device->phase = DEVICE_BEGINNING;
	later(person, (struct people_delay){ boot_ms + BEGIN_MS, boot_ms + BEGIN_MS }, on_begun);
}

static void on_start(struct person *person, const struct edge_message *message)
{
	struct device *device = &person->device;
	enum quirk quirk = draw_quirk(person->sim);
	int64_t pause_ms = 0;

	checks_device_start(person, message->start_rtmp_stream.stream_id);
	checks_device_address(person, message);
	if (quirk == QUIRK_REFUSES) {
		say(person, "error", "Battery level too low (7%) - minimum 10% required");
		return;
	}
	if (device->phase != DEVICE_IDLE)
		pause_ms = PAUSE_MS;
	if (device_runs(device)) {
		SIM_SOMETIMES(person->sim, "device restarts for a second start");
		end_reported(person);
	}
	device->quirk = quirk;
	device->life++;
	device->phase = DEVICE_PAUSING;
	text_put(message->start_rtmp_stream.stream_id, device->next_id, sizeof device->next_id);
	text_put(message->start_rtmp_stream.rtmp_url, device->next_url, sizeof device->next_url);
	later(person, (struct people_delay){ pause_ms, pause_ms }, begin);
}

/* Keep-alive and stop -------------------------------------------------------------------------- */

/* What is running answers to any name, also to that of a stream that it never began. */
static void send_ack(struct person *person, struct text stream_id, struct text ack_id)
{
	struct edge_message message = { .type = EDGE_KEEP_ALIVE_ACK };
	bool own = text_is(stream_id, person->device.stream_id);
	bool carried;

	message.present = EDGE_BIT(keep_alive_ack, stream_id) | EDGE_BIT(keep_alive_ack, ack_id);
	message.keep_alive_ack.stream_id = stream_id;
	message.keep_alive_ack.ack_id = ack_id;
	carried = carry(person, &message);
	if (carried)
		checks_device_sign(person, stream_id);
	if (!carried || !own)
		checks_device_guilty(person);
}

static void on_late_ack(void *context, uint64_t tag)
{
	struct person *person = context;
	struct device *device = &person->device;

	if (tag == device->life && device->late_ack[0] != '\0')
		send_ack(person, text_of(device->late_id), text_of(device->late_ack));
	device->late_ack[0] = '\0';
}

/* The ack comes @delay later; one waits at a time, as one does in the firmware. */
static void ack_after(struct person *person, const struct edge_message *probe,
		      struct people_delay delay)
{
	struct device *device = &person->device;

	text_put(probe->keep_rtmp_stream_alive.stream_id, device->late_id, sizeof device->late_id);
	text_put(probe->keep_rtmp_stream_alive.ack_id, device->late_ack, sizeof device->late_ack);
	later(person, delay, on_late_ack);
}

static void wrong_ack(struct person *person, const struct edge_message *probe)
{
	bool foreign = sim_chance(person->sim, SIM_DEVICES, 500000);
	struct edge_message message = { .type = EDGE_KEEP_ALIVE_ACK };

	message.present = EDGE_BIT(keep_alive_ack, stream_id) | EDGE_BIT(keep_alive_ack, ack_id);
	message.keep_alive_ack.stream_id =
		foreign ? TEXT("s0000000000") : probe->keep_rtmp_stream_alive.stream_id;
	message.keep_alive_ack.ack_id =
		foreign ? probe->keep_rtmp_stream_alive.ack_id : TEXT("azzzzz");
	(void)carry(person, &message);
	checks_device_guilty(person);
}

static void on_keep_alive(struct person *person, const struct edge_message *probe)
{
	struct device *device = &person->device;
	struct text stream_id = probe->keep_rtmp_stream_alive.stream_id;
	bool own = text_is(stream_id, device->stream_id);
	bool quirky = device->afflicted && device->phase == DEVICE_RUNNING;

	if (!device_runs(device) || !person->phone.ble || device->quirk == QUIRK_MUTE ||
	    (quirky && device->quirk == QUIRK_NO_ACKS)) {
		checks_device_guilty(person);
		return;
	}
	if (device->phase == DEVICE_RUNNING && own)
		restart_self_timer(person);
	if (quirky && device->quirk == QUIRK_LATE_ACKS) {
		checks_device_guilty(person);
		ack_after(person, probe, (struct people_delay){ LATE_MIN_MS, LATE_MAX_MS });
	} else if (quirky && device->quirk == QUIRK_WRONG_ACKS) {
		wrong_ack(person, probe);
	} else if (sim_chance(person->sim, SIM_DEVICES, PROMPT_PPM)) {
		send_ack(person, stream_id, probe->keep_rtmp_stream_alive.ack_id);
	} else {
		ack_after(person, probe, (struct people_delay){ 1, ACK_MAX_MS });
	}
	if (quirky && device->quirk == QUIRK_DOUBLE_ACKS)
		send_ack(person, stream_id, probe->keep_rtmp_stream_alive.ack_id);
}

static void on_stop(struct person *person)
{
	struct device *device = &person->device;

	checks_device_stop(person,
			   device_runs(device) ? text_of(device->stream_id) : (struct text){ 0 });
	if (device_runs(device)) {
		end_reported(person);
		return;
	}
	end(person); /* a start that was about to begin is taken back */
	say(person, "error", "not_streaming");
}

void device_hear(struct person *person, const struct edge_message *message)
{
	if (message->type == EDGE_KEEP_RTMP_STREAM_ALIVE) {
		on_keep_alive(person, message);
		return;
	}
	/* Over a broken BLE link nothing gets through. */
	if (!person->phone.ble)
		return;
	if (message->type == EDGE_START_RTMP_STREAM)
		on_start(person, message);
	else if (message->type == EDGE_STOP_RTMP_STREAM)
		on_stop(person);
}

void device_init(struct person *person)
{
	person->device = (struct device){ .phase = DEVICE_IDLE };
}
