/* SPDX-License-Identifier: MIT */
/* The phone: the socket between one user's glasses and weir (protocol.md section 1).  It comes back
 * five seconds after a loss, to whatever gateway there is, and carries what the device says.
 */
#include <string.h>

#include "tests/sim/checks.h"
#include "tests/sim/people.h"

#define APART_MS 1000 /* of two sockets that are opened together nobody can tell which is newer */
#define RECONNECT_MS 5000
#define PATIENCE_MIN_MS 15000 /* for the connection_ack */
#define PATIENCE_MAX_MS 30000
#define OFFLINE_MIN_MS 6000
#define OFFLINE_MAX_MS 200000 /* longer than the session's grace */
#define STATE_PAUSE_MAX_MS 400
#define BLE_MIN_MS 1000
#define BLE_MAX_MS 90000
#define EAGER_PPM 100000 /* says its state before the connection_ack */
#define NEVER_BACK_PPM 300000 /* of those offline when all is healed */
#define MODEL "Mentra Live"

static void forget_older(struct phone *phone, uint64_t socket)
{
	for (unsigned i = 0; i < PHONE_OLDER_MAX; i++)
		if (phone->older[i] == socket)
			phone->older[i] = 0;
}

/* What does not fit among the older ones is closed. */
static void keep_older(struct person *person, uint64_t socket)
{
	struct phone *phone = &person->phone;

	for (unsigned i = 0; i < PHONE_OLDER_MAX; i++)
		if (phone->older[i] == 0) {
			phone->older[i] = socket;
			return;
		}
	sim_hang_up(person->sim, socket, 1000);
}

static void on_reconnect(void *context, uint64_t tag)
{
	struct person *person = context;

	if (tag == person->phone.life && !person->phone.offline && person->phone.socket == 0)
		phone_connect(person);
}

static void reconnect_soon(struct person *person)
{
	person->phone.life++;
	sim_at(person->sim, sim_now(person->sim) + RECONNECT_MS, on_reconnect, person,
	       person->phone.life);
}

static void gone(struct person *person)
{
	person->phone.socket = 0;
	person->phone.acked = false;
	checks_phone_down(person);
	if (!person->phone.offline)
		reconnect_soon(person);
}

/* No connection_ack: another try is better than waiting politely. */
static void on_impatience(void *context, uint64_t tag)
{
	struct person *person = context;

	if (person->phone.socket != tag || person->phone.acked)
		return;
	SIM_SOMETIMES(person->sim, "phone loses its patience");
	person->phone.socket = 0;
	sim_hang_up(person->sim, tag, 1000);
	gone(person);
}

void phone_connect(struct person *person)
{
	struct phone *phone = &person->phone;
	struct sim *sim = person->sim;
	unsigned gateway = (unsigned)sim_below(sim, SIM_DEVICES, sim_gateways(sim));
	uint64_t socket;

	if (phone->offline || (phone->socket != 0 && sim_now(sim) - phone->opened_ms < APART_MS))
		return;
	phone->opened_ms = sim_now(sim);
	socket = sim_open_glasses(sim, gateway, person->id, &phone->client);
	if (socket == 0) {
		if (phone->socket == 0)
			reconnect_soon(person);
		return;
	}
	if (phone->socket != 0) {
		SIM_SOMETIMES(sim, "two sockets of a phone");
		keep_older(person, phone->socket);
		checks_phone_down(person);
	}
	phone->socket = socket;
	phone->acked = false;
	phone->life++;
	people_after(sim, SIM_DEVICES, (struct people_delay){ PATIENCE_MIN_MS, PATIENCE_MAX_MS },
		     on_impatience, person, socket);
	if (sim_chance(sim, SIM_DEVICES, EAGER_PPM))
		phone_say_state(person);
}

bool phone_say(struct person *person, const struct edge_message *message)
{
	if (person->phone.socket == 0)
		return false;
	sim_say(person->sim, person->phone.socket, message, false);
	return true;
}

void phone_say_state(struct person *person)
{
	struct edge_message message = { .type = EDGE_GLASSES_CONNECTION_STATE };

	message.present = EDGE_BIT(glasses_connection_state, model) |
			  EDGE_BIT(glasses_connection_state, status) |
			  EDGE_BIT(glasses_connection_state, wifi) |
			  EDGE_BIT(glasses_connection_state, wifi_connected);
	message.glasses_connection_state.model = TEXT(MODEL);
	message.glasses_connection_state.status =
		person->phone.ble ? TEXT("CONNECTED") : TEXT("DISCONNECTED");
	message.glasses_connection_state.wifi_connected = person->phone.wifi;
	(void)phone_say(person, &message);
}

void phone_app(struct person *person, bool start, unsigned package)
{
	struct edge_message message = { .type = start ? EDGE_START_APP : EDGE_STOP_APP };

	if (start) {
		message.present = EDGE_BIT(start_app, package);
		message.start_app.package = text_of(sim_packages[package].name);
	} else {
		message.present = EDGE_BIT(stop_app, package);
		message.stop_app.package = text_of(sim_packages[package].name);
	}
	(void)phone_say(person, &message);
}

static void on_state_due(void *context, uint64_t tag)
{
	struct person *person = context;

	if (person->phone.socket != tag)
		return;
	phone_say_state(person);
	for (unsigned i = 0; i < person->app_count && !person->phone.been_here; i++)
		phone_app(person, true, person->apps[i].package);
	person->phone.been_here = true;
}

static void heard(void *context, uint64_t socket, const struct edge_message *message)
{
	struct person *person = context;
	struct phone *phone = &person->phone;

	if (socket != phone->socket)
		return; /* the app on the phone has let go of its older sockets */
	if (message->type == EDGE_CONNECTION_ACK) {
		if (!phone->acked)
			checks_phone_up(person);
		phone->acked = true;
		people_after(person->sim, SIM_DEVICES,
			     (struct people_delay){ 0, STATE_PAUSE_MAX_MS }, on_state_due, person,
			     socket);
		return;
	}
	device_hear(person, message);
}

static void closed(void *context, uint64_t socket, unsigned code)
{
	struct person *person = context;

	(void)code; /* it comes back after any */
	forget_older(&person->phone, socket);
	if (socket == person->phone.socket)
		gone(person);
}

void phone_leave(struct person *person, bool vanish)
{
	uint64_t socket = person->phone.socket;

	if (socket == 0)
		return;
	if (vanish)
		SIM_SOMETIMES(person->sim, "phone vanishes without a word");
	person->phone.socket = 0;
	if (vanish)
		sim_vanish(person->sim, socket);
	else
		sim_hang_up(person->sim, socket, 1000);
	gone(person);
}

static void on_online(void *context, uint64_t tag)
{
	struct person *person = context;

	if (tag != person->phone.life)
		return;
	/* Some are away for good: what they left behind has to end. */
	if (sim_healing(person->sim) && sim_chance(person->sim, SIM_DEVICES, NEVER_BACK_PPM))
		return;
	person->phone.offline = false;
	person->phone.online_ms = sim_now(person->sim);
	if (person->phone.socket == 0)
		phone_connect(person);
}

void phone_go_offline(struct person *person)
{
	struct phone *phone = &person->phone;

	if (phone->offline)
		return;
	phone->offline = true;
	for (unsigned i = 0; i < PHONE_OLDER_MAX; i++) {
		if (phone->older[i] != 0)
			sim_vanish(person->sim, phone->older[i]);
		phone->older[i] = 0;
	}
	if (phone->socket != 0)
		phone_leave(person, true);
	phone->life++;
	people_after(person->sim, SIM_DEVICES,
		     (struct people_delay){ OFFLINE_MIN_MS, OFFLINE_MAX_MS }, on_online, person,
		     phone->life);
}

static void on_ble_back(void *context, uint64_t tag)
{
	(void)tag;
	phone_set_ble(context, true);
}

void phone_set_ble(struct person *person, bool up)
{
	if (person->phone.ble == up)
		return;
	person->phone.ble = up;
	phone_say_state(person);
	if (up)
		checks_phone_reaches(person);
	else
		people_after(person->sim, SIM_DEVICES,
			     (struct people_delay){ BLE_MIN_MS, BLE_MAX_MS }, on_ble_back, person,
			     0);
}

static void on_wifi_back(void *context, uint64_t tag)
{
	(void)tag;
	phone_set_wifi(context, true);
}

void phone_set_wifi(struct person *person, bool on)
{
	if (person->phone.wifi == on)
		return;
	person->phone.wifi = on;
	phone_say_state(person);
	if (!on)
		people_after(person->sim, SIM_DEVICES,
			     (struct people_delay){ BLE_MIN_MS, BLE_MAX_MS }, on_wifi_back, person,
			     0);
}

void phone_say_again(struct person *person)
{
	(void)phone_say(person, &(struct edge_message){ .type = EDGE_CONNECTION_INIT });
}

void phone_say_other(struct person *person)
{
	const struct edge_message message = { .type = EDGE_NONE,
					      .type_name = TEXT("button_press"),
					      .json = TEXT("{\"type\":\"button_press\"}") };

	(void)phone_say(person, &message);
}

void phone_init(struct person *person)
{
	person->phone = (struct phone){
		.client = { .context = person, .heard = heard, .closed = closed },
		.ble = true,
		.wifi = true,
	};
}
