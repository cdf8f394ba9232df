/* SPDX-License-Identifier: MIT */
/* Starts and stops at a given rate, whether or not the last ones have been answered.
 *
 * Each is begun by a user who is free.  If none is, or if we are late, it waits and counts from
 * when it was due: a server that stalls is not spared what it would have been asked meanwhile.
 */
#include "tests/bench/load.h"

#include <stdio.h>

#define LATE_NS NS_PER_MS /* our own lag below this is not the server's: counted from the write */
#define LINGER_NS (10 * NS_PER_S) /* for what is under way at the end */

void cycles_begin(struct load *self)
{
	struct cycles *cycles = &self->cycles;

	cycles->began_ns = cycles->due_ns = self->now_ns;
	cycles->end_ns = self->end_ns;
	/* What is under way then has a while to end. */
	if (self->end_ns != INT64_MAX)
		self->end_ns += LINGER_NS;
	cycles->first_free = cycles->last_free = NOBODY;
	for (uint32_t i = self->options.users; i < self->user_count; i++)
		cycles_look(self, &self->users[i]);
}

void cycles_finish(struct load *self)
{
	if (self->cycles.end_ns > self->now_ns) {
		self->cycles.end_ns = self->now_ns;
		self->end_ns = self->now_ns + LINGER_NS;
	}
}

void cycles_look(struct load *self, struct user *user)
{
	struct cycles *cycles = &self->cycles;

	if (cycles->began_ns == 0 || !user_cycles(self, user) || user->in_line ||
	    user->stage != STAGE_IDLE || user->links[GLASSES].state != LINK_READY ||
	    user->links[APP].state != LINK_READY)
		return;
	user->in_line = true;
	user->next = NOBODY;
	if (cycles->first_free == NOBODY)
		cycles->first_free = user_index(self, user);
	else
		self->users[cycles->last_free].next = user_index(self, user);
	cycles->last_free = user_index(self, user);
}

/* The one who waits longest, NULL: nobody; those who lost a socket meanwhile are passed over. */
static struct user *take_free(struct load *self)
{
	struct cycles *cycles = &self->cycles;

	while (cycles->first_free != NOBODY) {
		struct user *user = &self->users[cycles->first_free];

		cycles->first_free = user->next;
		user->in_line = false;
		if (user->links[GLASSES].state == LINK_READY &&
		    user->links[APP].state == LINK_READY)
			return user;
	}
	return NULL;
}

int64_t cycles_pump(struct load *self)
{
	struct cycles *cycles = &self->cycles;
	const int64_t step_ns = (int64_t)(NS_PER_S / self->options.rate);

	if (cycles->began_ns == 0)
		return INT64_MAX;
	for (;;) {
		const int64_t now_ns = tool_now_ns();
		struct user *user;

		if (cycles->due_ns >= cycles->end_ns || now_ns >= cycles->end_ns) {
			self->ended |= cycles->running == 0;
			return INT64_MAX;
		}
		if (cycles->due_ns > now_ns)
			return cycles->due_ns;
		user = take_free(self);
		if (!user)
			return INT64_MAX;
		const bool late = now_ns - cycles->due_ns > LATE_NS;

		cycles->begun++;
		cycles->running++;
		cycles->late += late;
		words_request(self, user, late ? cycles->due_ns : now_ns);
		cycles->due_ns += step_ns;
	}
}

void cycles_started(struct load *self, struct user *user)
{
	histogram_add(&self->cycles.start_us, load_since_us(self, user->asked_ns));
}

void cycles_ended(struct load *self, struct user *user)
{
	if (!user_cycles(self, user))
		return;
	histogram_add(&self->cycles.stop_us, load_since_us(self, user->asked_ns));
	self->cycles.count++;
	self->cycles.running--;
	cycles_look(self, user);
}

void cycles_refused(struct load *self, struct user *user)
{
	self->cycles.refused++;
	self->cycles.running--;
	user->stage = STAGE_IDLE;
}

void cycles_broken(struct load *self, struct user *user)
{
	if (!user_cycles(self, user) || user->stage == STAGE_IDLE)
		return;
	self->cycles.broken++;
	self->cycles.running--;
	user->stage = STAGE_IDLE;
}
