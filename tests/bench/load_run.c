/* SPDX-License-Identifier: MIT */
/* The loop; the phases; who is next to come in. */
#include "tests/bench/load.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EVENTS_MAX 64 /* few: what is ready is measured when the wait returns */
#define DIALS_MAX EVENTS_MAX /* of a pass, so that whoever is on the way is not kept waiting */
#define CATCH_UP_NS (10 * NS_PER_MS) /* of a rate, after a delay of our own */

/* ---- phases ---- */

static void begin_phase(struct load *self, enum goal goal)
{
	self->goal = goal;
	self->cursor = self->in_flight = self->arrived = 0;
	self->total = goal == GOAL_STREAMING ? self->options.users : self->user_count;
	self->phase_ns = self->step_ns = self->progress_ns = self->now_ns;
}

static int64_t after(const struct load *self, int64_t seconds)
{
	return seconds == 0 ? INT64_MAX : self->now_ns + seconds * NS_PER_S;
}

/* From here on is measured; what was lost on the way stays lost. */
static void begin_hold(struct load *self)
{
	self->goal = GOAL_NONE;
	self->figures.probes = self->figures.acks = self->figures.late = 0;
	self->figures.pings = 0;
	self->figures.early_max_us = 0;
	self->figures.late_us = (struct histogram){ 0 };
	self->hold_ns = self->now_ns;
	self->end_ns = after(self, self->options.seconds);
	self->report_ns = after(self, self->options.report_s);
	if (self->options.scenario == SCENARIO_CYCLES)
		cycles_begin(self);
}

static void check_phase(struct load *self)
{
	if (self->arrived < self->total)
		return;
	if (self->goal == GOAL_CONNECTED) {
		report_phase(self, "connected");
		begin_phase(self, GOAL_STREAMING);
	} else {
		report_phase(self, "streaming");
		begin_hold(self);
	}
}

static void arrived(struct load *self, struct user *user)
{
	user->busy = false;
	self->in_flight--;
	self->arrived++;
	self->progress_ns = self->now_ns;
	check_phase(self);
}

void load_gave_up(struct load *self, struct user *user)
{
	if (!user->busy)
		return;
	self->figures.failed++;
	arrived(self, user);
}

static void call_app(struct load *self, struct user *user)
{
	words_start_app(self, user);
	if (self->options.has_webhook)
		user->links[APP].state = LINK_CALLED;
	else
		link_dial(self, user, APP);
}

/* Return: whether the user is where the phase wants users to be; if not, the step is taken. */
static bool is_there(struct load *self, struct user *user)
{
	const enum link_state app = user->links[APP].state;

	if (user->links[GLASSES].state == LINK_DOWN) {
		user->asked_ns = tool_now_ns();
		link_dial(self, user, GLASSES);
	}
	if (user->links[GLASSES].state != LINK_READY)
		return false;
	if (self->goal == GOAL_CONNECTED && !load_keeps_app(self, user))
		return true;
	if (app == LINK_DOWN)
		call_app(self, user);
	if (app != LINK_READY)
		return false;
	if (self->goal == GOAL_CONNECTED)
		return true;
	if (user->stage == STAGE_IDLE)
		words_request(self, user, tool_now_ns());
	return user->stage == STAGE_LIVE;
}

void load_advance(struct load *self, struct user *user)
{
	if (!user->busy || !is_there(self, user))
		return;
	if (self->goal == GOAL_CONNECTED)
		histogram_add(&self->figures.connect_us, load_since_us(self, user->asked_ns));
	else if (!load_keeps_app(self, user))
		link_leave(self, user, APP);
	arrived(self, user);
}

/* Let the next users set out; return: when to look again. */
static int64_t pump(struct load *self)
{
	const uint32_t rate = self->goal == GOAL_CONNECTED ? self->options.connect_rate
							   : self->options.start_rate;
	const uint32_t most = self->options.in_flight_max;
	uint32_t budget = DIALS_MAX;

	if (self->goal == GOAL_NONE)
		return INT64_MAX;
	while (self->cursor < self->total && (most == 0 || self->in_flight < most)) {
		struct user *user = &self->users[self->cursor];

		if (budget-- == 0)
			return self->now_ns;
		if (rate > 0 && self->step_ns > self->now_ns)
			return self->step_ns;
		if (self->step_ns < self->now_ns - CATCH_UP_NS)
			self->step_ns = self->now_ns - CATCH_UP_NS;
		self->step_ns += rate > 0 ? NS_PER_S / rate : 0;
		self->cursor++;
		self->in_flight++;
		user->busy = true;
		load_advance(self, user);
	}
	return self->progress_ns + self->options.stall_s * NS_PER_S;
}

/* ---- the loop ---- */

static void cut_all(struct load *self)
{
	for (uint32_t i = 0; self->goal == GOAL_NONE && i < self->user_count; i++) {
		link_cut(self, &self->users[i], GLASSES);
		link_cut(self, &self->users[i], APP);
	}
}

static void on_signal(struct load *self)
{
	struct signalfd_siginfo info;

	while (read(self->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
		if (info.ssi_signo == SIGUSR1)
			cut_all(self);
		else if (self->cycles.running > 0 && self->cycles.end_ns > self->now_ns)
			cycles_finish(self);
		else
			self->ended = true;
}

static void handle(struct load *self, const struct epoll_event *event)
{
	const uint32_t side = (uint32_t)(event->data.u64 >> 32);
	const uint32_t index = (uint32_t)event->data.u64;

	if (side < SIDES)
		link_event(self, &self->users[index], (enum side)side, event->events);
	else if (side == EVENT_HOOK)
		hooks_event(self, index);
	else if (side == EVENT_HOOK_CALLER)
		hooks_accept(self);
	else
		on_signal(self);
}

static void fire_timers(struct load *self)
{
	uint32_t budget = DIALS_MAX, timer;

	while ((timer = wheel_next(&self->wheel, self->now_ns / NS_PER_MS, &budget)) != WHEEL_NONE)
		link_due(self, timer);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static bool is_stalled(const struct load *self)
{
	return self->goal != GOAL_NONE &&
	       self->now_ns - self->progress_ns >= self->options.stall_s * NS_PER_S;
}

/* Everything that time brings; return: when there is more of it. */
static int64_t work(struct load *self)
{
	int64_t next_ns;

	self->now_ns = tool_now_ns();
	fire_timers(self);
	next_ns = earlier(pump(self), cycles_pump(self));
	if (self->now_ns >= self->report_ns) {
		report_hold(self, "report");
		self->report_ns += self->options.report_s * NS_PER_S;
	}
	if (wheel_deadline(&self->wheel) < INT64_MAX)
		next_ns = earlier(next_ns, wheel_deadline(&self->wheel) * NS_PER_MS);
	return earlier(next_ns, earlier(self->report_ns, self->end_ns));
}

static void wait_until(struct load *self, int64_t due_ns)
{
	struct epoll_event events[EVENTS_MAX];
	const int64_t ahead_ns = due_ns - tool_now_ns(), left_ns = ahead_ns > 0 ? ahead_ns : 0;
	const struct timespec left = { left_ns / NS_PER_S, left_ns % NS_PER_S };
	int count = epoll_pwait2(self->epoll_fd, events, EVENTS_MAX, &left, NULL);

	if (count < 0 && errno != EINTR)
		tool_fail(&load_tool, "epoll", strerror(errno));
	self->now_ns = tool_now_ns();
	for (int i = 0; i < count; i++)
		handle(self, &events[i]);
}

int load_run(struct load *self)
{
	self->now_ns = tool_now_ns();
	self->end_ns = self->report_ns = INT64_MAX;
	begin_phase(self, GOAL_CONNECTED);
	for (;;) {
		int64_t due_ns = work(self);

		if (self->ended || self->now_ns >= self->end_ns)
			break;
		if (is_stalled(self)) {
			report_stall(self);
			return TOOL_WRONG;
		}
		wait_until(self, due_ns);
	}
	if (self->options.scenario == SCENARIO_CYCLES)
		report_cycles(self);
	report_hold(self, "done");
	return report_is_wrong(self) ? TOOL_WRONG : TOOL_FINE;
}
