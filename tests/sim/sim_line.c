/* SPDX-License-Identifier: MIT */
/* sim_line.c - one direction of a connection: in order, nothing twice, late at times. */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim_world.h"

#define TAIL_MAX_MS 20000
#define LATE_MS 100 /* more than this is a fault at work */

/* Lines -----------------------------------------------------------------------------------------
 */

static void cut_behind(struct sim_line *line, unsigned keep)
{
	struct sim_frame **at = &line->first;

	line->last = NULL;
	line->count = keep;
	for (; keep > 0; keep--) {
		line->last = *at;
		at = &(*at)->next;
	}
	while (*at) {
		struct sim_frame *frame = *at;

		*at = frame->next;
		free(frame);
	}
}

void sim_line_empty(struct sim_line *line)
{
	cut_behind(line, 0);
}

/* Of what has not arrived, any suffix may be lost. */
void sim_line_lose_suffix(struct sim *self, struct sim_line *line)
{
	unsigned there = 0;

	for (struct sim_frame *frame = line->first; frame && frame->at_ms <= self->now_ms;
	     frame = frame->next)
		there++;
	cut_behind(line, there + (unsigned)sim_below(self, SIM_BUS, line->count - there + 1));
}

static int64_t delay(struct sim *self)
{
	uint64_t most = sim_has(self, FAULT_DELAY) ? (uint64_t)self->plan.delay_ms : 0;
	int64_t ms = (int64_t)sim_below(self, SIM_BUS, most + 1);

	if (sim_chance(self, SIM_BUS, self->plan.tail_ppm) && sim_has(self, FAULT_DELAY))
		ms += (int64_t)sim_below(self, SIM_BUS, TAIL_MAX_MS);
	return ms;
}

void sim_line_push(struct sim *self, struct sim_line *line, const uint8_t *bytes, size_t length)
{
	struct sim_frame *frame = malloc(sizeof *frame + length);
	int64_t at_ms = self->now_ms + delay(self);

	assert(frame);
	at_ms = at_ms > line->last_ms ? at_ms : line->last_ms;
	at_ms = at_ms > line->clogged_ms ? at_ms : line->clogged_ms;
	*frame = (struct sim_frame){ .at_ms = at_ms, .length = (uint32_t)length };
	memcpy(frame->bytes, bytes, length);
	line->last_ms = at_ms;
	if (at_ms > self->now_ms + LATE_MS)
		sim_disturb(self, at_ms);
	if (line->last)
		line->last->next = frame;
	else
		line->first = frame;
	line->last = frame;
	line->count++;
}

bool sim_line_has_arrived(const struct sim *self, const struct sim_line *line)
{
	return line->first && line->first->at_ms <= self->now_ms;
}

struct sim_frame *sim_line_pop(struct sim *self, struct sim_line *line)
{
	struct sim_frame *frame = line->first;

	if (!sim_line_has_arrived(self, line))
		return NULL;
	line->first = frame->next;
	if (!line->first)
		line->last = NULL;
	line->count--;
	return frame;
}

void sim_line_clog(struct sim *self, struct sim_line *line, int64_t until_ms)
{
	sim_disturb(self, until_ms);
	if (until_ms > line->clogged_ms)
		line->clogged_ms = until_ms;
	for (struct sim_frame *frame = line->first; frame; frame = frame->next)
		if (frame->at_ms > self->now_ms && frame->at_ms < until_ms)
			frame->at_ms = until_ms;
	if (line->first && line->last_ms < until_ms)
		line->last_ms = until_ms;
}

/* Arrivals --------------------------------------------------------------------------------------
 */

void sim_line_arm(struct sim *self, struct sim_line *line, sim_fn *fn, void *context,
		  uint64_t generation)
{
	if (line->armed || !line->first)
		return;
	line->armed = true;
	sim_at(self, line->first->at_ms, fn, context, generation);
}

void sim_line_unclog(struct sim *self, struct sim_line *line)
{
	line->clogged_ms = 0;
	line->last_ms = self->now_ms;
	for (struct sim_frame *frame = line->first; frame; frame = frame->next)
		if (frame->at_ms > self->now_ms)
			frame->at_ms = self->now_ms;
	line->armed = false; /* one arrival too many is harmless */
}
