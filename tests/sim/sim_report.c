/* SPDX-License-Identifier: MIT */
/* sim_report.c - what is remembered of a run, and what is said when it breaks. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim_world.h"

#define PLACES_INDEX 1024 /* by address of the literal; power of two */

/* Remembering -----------------------------------------------------------------------------------
 */

static struct sim_event *add(struct sim *self)
{
	struct sim_event *event = &self->memory.events[self->events_count++ % SIM_EVENTS_KEPT];

	event->at_ms = self->now_ms;
	event->step = self->steps;
	event->line[0] = '\0';
	return event;
}

static void show(const struct sim *self, const struct sim_event *event)
{
	if (self->options.verbose)
		printf("%10.3f %8llu  %s\n", (double)event->at_ms / 1000,
		       (unsigned long long)event->step, event->line);
}

void sim_note(struct sim *self, const char *format, ...)
{
	va_list arguments;

	if (!self->options.record)
		return;
	struct sim_event *event = add(self);

	va_start(arguments, format);
	(void)vsnprintf(event->line, sizeof event->line, format, arguments);
	va_end(arguments);
	show(self, event);
}

void sim_note_event(struct sim *self, const char *who, const char *what,
		    const struct stream_event *event)
{
	char line[SIM_LINE_SIZE - 40];

	if (!self->options.record)
		return;
	struct sim_event *kept = add(self);

	(void)snprintf(kept->line, sizeof kept->line, "%-11s %-6s %s", who, what,
		       stream_event_line(event, line, sizeof line));
	show(self, kept);
}

/* Reporting -------------------------------------------------------------------------------------
 */

__attribute__((format(printf, 2, 3))) static void put(struct sim *self, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(self->report + self->report_length,
			   sizeof self->report - self->report_length, format, arguments);
	va_end(arguments);
	if (length > 0)
		self->report_length += (size_t)length;
	if (self->report_length >= sizeof self->report)
		self->report_length = sizeof self->report - 1;
}

/* What the world does concerns everybody; of the rest what names the stream or its user, or, if
 * neither is known, all but signs of life.
 */
static bool concerns(const struct sim_event *event, const char *stream_id, const char *user)
{
	if (strstr(event->line, "world") == event->line)
		return true;
	if (*stream_id == '\0' && *user == '\0')
		return !strstr(event->line, " gateway.beat ");
	return (*stream_id && strstr(event->line, stream_id)) ||
	       (*user && strstr(event->line, user));
}

/* The user that is named in what is said about it: a word with an @. */
static void find_named(const char *why, char user[USER_ID_MAX + 1])
{
	const char *at = strchr(why, '@'), *from = at, *to = at;

	if (!at)
		return;
	while (from > why && from[-1] != ' ')
		from--;
	while (*to != '\0' && !strchr(" ,;:", *to))
		to++;
	text_put((struct text){ from, (uint32_t)(to - from) }, user, USER_ID_MAX + 1);
}

static void find_user(const struct sim *self, const char *stream_id, char user[USER_ID_MAX + 1])
{
	const struct state *state = &self->registry.state;
	const struct state_stream *stream = sim_is_up(self, SIM_REGISTRY) && *stream_id
						    ? state_stream_find(state, text_of(stream_id))
						    : NULL;
	const struct state_user *owner = stream ? state_user_of(state, stream->user) : NULL;

	user[0] = '\0';
	if (owner)
		text_put(state_text(state, owner->id), user, USER_ID_MAX + 1);
}

static void put_events(struct sim *self, const char *stream_id, const char *user)
{
	uint64_t oldest =
		self->events_count > SIM_EVENTS_KEPT ? self->events_count - SIM_EVENTS_KEPT : 0;
	uint64_t from = self->events_count;
	unsigned left = SIM_EVENTS_SHOWN;

	while (from > oldest && left > 0)
		left -= concerns(&self->memory.events[--from % SIM_EVENTS_KEPT], stream_id, user);
	for (; from < self->events_count; from++) {
		const struct sim_event *event = &self->memory.events[from % SIM_EVENTS_KEPT];

		if (concerns(event, stream_id, user))
			put(self, "  %10.3f %7llu  %s\n", (double)event->at_ms / 1000,
			    (unsigned long long)event->step, event->line);
	}
}

static void put_faults(struct sim *self)
{
	put(self, "faults:");
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		if (self->plan.faults & 1u << i)
			put(self, " %s", sim_fault_name((enum sim_fault)i));
	put(self, "; gateways: %u\n", self->plan.gateways);
}

void sim_report(struct sim *self, const char *invariant, struct text stream_id, const char *why)
{
	char stream[STREAM_ID_MAX + 1], user[USER_ID_MAX + 1];

	self->broken = true;
	(void)snprintf(self->invariant, sizeof self->invariant, "%s", invariant);
	self->report_length = 0;
	put(self, "seed %llu step %llu at %.3f s%s: %s is broken: %s\n",
	    (unsigned long long)self->options.seed, (unsigned long long)self->steps,
	    (double)self->now_ms / 1000, self->healing ? " (healing)" : "", invariant, why);
	put_faults(self);
	if (self->options.record) {
		text_put(stream_id, stream, sizeof stream);
		find_user(self, stream, user);
		if (*user == '\0')
			find_named(why, user);
		put_events(self, stream, user);
	}
	put(self, "replay: scripts/sim --seed %llu --steps %llu\n",
	    (unsigned long long)self->options.seed, (unsigned long long)self->options.steps);
}

void sim_violation(struct sim *self, const char *invariant, struct text stream_id,
		   const char *format, ...)
{
	char why[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, sizeof why, format, arguments);
	va_end(arguments);
	sim_report(self, invariant, stream_id, why);
	longjmp(self->end, 1);
}

/* Places that are to be reached ------------------------------------------------------------------
 */

size_t sim_places_count(void)
{
	return (size_t)(__stop_sim_places - __start_sim_places);
}

/* Where @what stands among the places; the addresses of literals are of no consequence. */
static size_t place_of(const char *what)
{
	static struct {
		const char *what;
		size_t place;
	} index[PLACES_INDEX];
	size_t at = ((uintptr_t)what >> 2) & (PLACES_INDEX - 1);

	for (; index[at].what && index[at].what != what; at = (at + 1) & (PLACES_INDEX - 1))
		;
	if (index[at].what)
		return index[at].place;
	index[at].what = what;
	while (__start_sim_places[index[at].place] != what)
		index[at].place++;
	return index[at].place;
}

void sim_sometimes(struct sim *self, const char *what)
{
	if (self->options.fired)
		self->options.fired[place_of(what)]++;
	sim_note(self, "reached: %s", what);
}
