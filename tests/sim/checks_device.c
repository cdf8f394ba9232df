/* SPDX-License-Identifier: MIT */
/* What reaches devices, and what they say. */
#include "tests/sim/checks_internal.h"

/* The newest socket of a user is the one that was opened last, and when it closes the others count
 * for nothing, as in the original (protocol.md 1.4).  One that was opened before never displaces.
 */
bool check_displaces(const struct person *person, uint64_t gateway, uint64_t link,
		     int64_t opened_ms)
{
	const struct check_person *mine = check_person(person);

	return (link != mine->socket.link || gateway != mine->socket.gateway) &&
	       opened_ms >= person->phone.opened_ms;
}

void checks_phone_up(const struct person *person)
{
	const struct state_user *user = state_user_find(&checks.replay, person->id);
	struct check_person *mine = check_person(person);

	mine->socket = check_link(person->phone.socket);
	mine->displaced =
		user && check_displaces(person, user->gateway, user->link, user->link_opened_ms);
	mine->up_ms = mine->displaced ? NEVER : sim_now(checks.sim);
}

void checks_phone_down(const struct person *person)
{
	check_person(person)->up_ms = NEVER;
	check_person(person)->displaced = false;
}

void checks_phone_reaches(const struct person *person)
{
	check_person(person)->ble_ms = sim_now(checks.sim);
}

void checks_device_runs(const struct person *person, bool runs)
{
	check_person(person)->runs_ms = runs ? sim_now(checks.sim) : NEVER;
}

void checks_device_guilty(const struct person *person)
{
	check_person(person)->guilty_ms = sim_now(checks.sim);
}

void checks_device_sign(const struct person *person, struct text stream_id)
{
	struct check_stream *live = check_person(person)->live;

	if (live && text_is(stream_id, live->id))
		live->sign_ms = sim_now(checks.sim);
}

void checks_device_ended(const struct person *person)
{
	struct check_stream *stream = check_stream_find(text_of(person->device.stream_id));

	if (stream)
		stream->said_end = true;
}

/* I2: what an older epoch carries does not reach the device any more. */
void checks_device_start(const struct person *person, struct text stream_id)
{
	struct check_stream *stream = check_stream_find(stream_id);
	struct check_person *mine = check_person(person);

	if (!stream || stream->person != person) {
		check_fail("I4 acknowledged is durable", stream,
			   "a start of a stream that the story does not have");
		return;
	}
	if (stream->epoch < mine->started_epoch)
		check_fail("I2 an old start is fenced", stream, "epoch %llu after %llu",
			   (unsigned long long)stream->epoch,
			   (unsigned long long)mine->started_epoch);
	if (stream->epoch == mine->started_epoch && person->phone.socket == mine->started_socket)
		check_fail("I2 a start is given once", stream, "it came again on the same socket");
	if (stream->epoch == mine->started_epoch)
		SIM_SOMETIMES(checks.sim, "the same start reaches the device on another socket");
	if (stream->phase == PHASE_CLOSED)
		SIM_SOMETIMES(checks.sim, "a start reaches the device after the end");
	mine->started_epoch = stream->epoch;
	mine->started_socket = person->phone.socket;
}

/* I3: the device stops whatever it runs, so the stop has to mean that. */
void checks_device_stop(const struct person *person, struct text running)
{
	const struct check_stream *stream = check_stream_find(running);

	if (running.length == 0) {
		SIM_SOMETIMES(checks.sim, "a stop reaches a device that runs nothing");
		return;
	}
	if (!stream)
		return; /* it would not have been told to start it */
	if (stream->phase != PHASE_CLOSED)
		check_fail("I3 no stop for another stream", stream, "it was to go on");
	if (stream->closed_ms != NEVER &&
	    sim_now(checks.sim) - stream->closed_ms > RECONCILE_BOUND_MS)
		SIM_SOMETIMES(checks.sim, "a stop that was owed reaches the device later");
	(void)person;
}
