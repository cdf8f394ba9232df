/* SPDX-License-Identifier: MIT */
#include "tests/lib/fake_edge.h"

#include <assert.h>
#include <stdio.h>

void fake_edge_open(struct fake_edge *self, struct cores *cores)
{
	memset(self, 0, sizeof *self);
	self->cores = cores;
}

void fake_edge_forget(struct fake_edge *self)
{
	self->device[0] = self->done[0] = '\0';
	for (unsigned i = 0; i < FAKE_APPS; i++)
		self->apps[i].heard[0] = '\0';
}

struct fake_app *fake_edge_app(struct fake_edge *self, const char *package)
{
	for (unsigned i = 0; i < FAKE_APPS; i++) {
		struct fake_app *app = &self->apps[i];

		if (app->package[0] == '\0')
			(void)snprintf(app->package, sizeof app->package, "%s", package);
		if (strcmp(app->package, package) == 0)
			return app;
	}
	assert(!"too many apps");
	return NULL;
}

const char *fake_edge_name(struct fake_edge *self, struct text id)
{
	static char names[4][16];
	static unsigned next;
	unsigned number = 0;

	if (id.length == 0)
		return "-";
	while (number < self->id_count && !text_is(id, self->ids[number]))
		number++;
	if (number == self->id_count) {
		assert(number < sizeof self->ids / sizeof self->ids[0]);
		(void)text_put(id, self->ids[self->id_count++], sizeof self->ids[0]);
	}
	next = (next + 1) % 4;
	(void)snprintf(names[next], sizeof names[0], "S%u", number + 1);
	return names[next];
}

static void note(char *log, const char *what)
{
	size_t used = strlen(log);

	assert(used + strlen(what) + 2 < FAKE_LOG);
	(void)snprintf(log + used, FAKE_LOG - used, "%s%s", used > 0 ? " " : "", what);
}

/* The device ------------------------------------------------------------------------------- */

static bool same_stream(const struct fake_edge *self, const struct stream_event *order)
{
	return self->fence_epoch == order->epoch && text_is(order->stream_id, self->fence_id);
}

static void fence_set(struct fake_edge *self, const struct stream_event *order)
{
	self->fence_epoch = order->epoch;
	(void)text_put(order->stream_id, self->fence_id, sizeof self->fence_id);
	self->fence_stopped = false;
}

static enum outcome start(struct fake_edge *self, const struct stream_event *order)
{
	char line[64];

	if (self->fence_epoch != 0 && same_stream(self, order) && !self->fence_stopped)
		return OUTCOME_SENT;
	if (self->fence_epoch != 0 && order->epoch <= self->fence_epoch)
		return OUTCOME_FENCED;
	(void)snprintf(line, sizeof line, "start %s %.*s", fake_edge_name(self, order->stream_id),
		       (int)order->deliver_start.app_id.length, order->deliver_start.app_id.bytes);
	note(self->device, line);
	fence_set(self, order);
	return OUTCOME_SENT;
}

static bool stop_passes(const struct fake_edge *self, const struct stream_event *order)
{
	if (self->fence_epoch == 0)
		return true;
	if (self->fence_stopped ? order->epoch > self->fence_epoch : same_stream(self, order))
		return true;
	return order->stream_id.length == 0 && order->epoch >= self->fence_epoch;
}

static enum outcome stop(struct fake_edge *self, const struct stream_event *order)
{
	char line[64];

	if (self->fence_stopped && same_stream(self, order) && order->stream_id.length > 0)
		return OUTCOME_SENT;
	if (!stop_passes(self, order))
		return OUTCOME_FENCED;
	(void)snprintf(line, sizeof line, "stop %s %.*s",
		       fake_edge_name(self, order->deliver_stop.told_id),
		       (int)order->deliver_stop.app_id.length, order->deliver_stop.app_id.bytes);
	note(self->device, line);
	if (self->fence_epoch == 0 || order->epoch > self->fence_epoch)
		fence_set(self, order);
	self->fence_stopped = self->fence_epoch != 0;
	return OUTCOME_SENT;
}

static void on_order(struct fake_edge *self, const struct stream_event *order)
{
	bool stops = order->type == EVENT_DELIVER_STOP;
	uint64_t link = stops ? order->deliver_stop.link : order->deliver_start.link;
	struct stream_event told = { .type = EVENT_EDGE_DEVICE_TOLD,
				     .user_id = order->user_id,
				     .stream_id = order->stream_id,
				     .epoch = order->epoch };

	told.edge_device_told.stop = stops;
	told.edge_device_told.outcome = link != self->link || link == 0 ? OUTCOME_NO_LINK
					: stops				? stop(self, order)
									: start(self, order);
	if (!self->silent)
		cores_say(self->cores, (struct peer){ ROLE_GATEWAY, GATEWAY_A }, &told);
}

/* The apps --------------------------------------------------------------------------------- */

static bool is_newer(uint64_t *epoch, uint64_t *seq, const struct stream_event *event)
{
	if (event->epoch < *epoch || (event->epoch == *epoch && event->stream_seq <= *seq))
		return false;
	*epoch = event->epoch;
	*seq = event->stream_seq;
	return true;
}

static void on_word(struct fake_edge *self, const struct stream_event *event)
{
	char package[16], line[64];
	struct fake_app *app = fake_edge_app(
		self, text_put(event->deliver_status.package, package, sizeof package));
	bool copy = event->deliver_status.copy;
	bool reached = app->link != 0 && app->link == event->deliver_status.link;
	struct stream_event told = { .type = EVENT_EDGE_APP_TOLD,
				     .user_id = event->user_id,
				     .stream_id = event->stream_id,
				     .epoch = event->epoch };

	if (reached && (copy ? is_newer(&app->copy_epoch, &app->copy_seq, event)
			     : is_newer(&app->direct_epoch, &app->direct_seq, event))) {
		(void)snprintf(line, sizeof line, "%s%s:%.*s", copy ? "+" : "",
			       fake_edge_name(self, event->stream_id),
			       (int)event->deliver_status.status.length,
			       event->deliver_status.status.bytes);
		note(app->heard, line);
	}
	if (copy || !event->deliver_status.terminal || self->silent)
		return;
	told.edge_app_told.package = event->deliver_status.package;
	told.edge_app_told.outcome = reached ? OUTCOME_SENT : OUTCOME_DROPPED;
	cores_say(self->cores, (struct peer){ ROLE_GATEWAY, GATEWAY_B }, &told);
}

static void on_done(struct fake_edge *self, const struct stream_event *event)
{
	char line[96], code[CODE_MAX + 1];

	(void)text_put(event->request_done.code, code, sizeof code);
	(void)snprintf(line, sizeof line, "%u:%s", (unsigned)event->request,
		       event->request_done.result == RESULT_OK ? "ok" : code);
	note(self->done, line);
}

/* What is told back may cause more to be sent: it is appended, and found here. */
void fake_edge_pump(struct fake_edge *self)
{
	while (self->seen < self->cores->sent_count) {
		struct stream_event event = self->cores->sent[self->seen++].event;

		switch (event.type) {
		case EVENT_DELIVER_START:
		case EVENT_DELIVER_STOP:
			on_order(self, &event);
			break;
		case EVENT_DELIVER_STATUS:
			on_word(self, &event);
			break;
		case EVENT_REQUEST_DONE:
			on_done(self, &event);
			break;
		default:
			break;
		}
	}
	cores_forget(self->cores);
	self->seen = 0;
}

/* Scenes ----------------------------------------------------------------------------------- */

void fake_edge_glasses_up(struct fake_edge *self, uint64_t link)
{
	self->link = link;
	self->fence_epoch = 0;
	self->fence_id[0] = '\0';
	self->fence_stopped = false;
	cores_glasses_up(self->cores, link);
	fake_edge_pump(self);
}

void fake_edge_glasses_down(struct fake_edge *self)
{
	uint64_t link = self->link;

	self->link = 0;
	cores_glasses_down(self->cores, link);
	fake_edge_pump(self);
}

void fake_edge_app_up(struct fake_edge *self, const char *package, uint64_t link)
{
	struct fake_app *app = fake_edge_app(self, package);

	app->link = link;
	app->direct_epoch = app->direct_seq = app->copy_epoch = app->copy_seq = 0;
	cores_app_up(self->cores, package, link);
	fake_edge_pump(self);
}

void fake_edge_app_down(struct fake_edge *self, const char *package)
{
	struct fake_app *app = fake_edge_app(self, package);
	uint64_t link = app->link;

	app->link = 0;
	cores_app_closed(self->cores, package, link);
	fake_edge_pump(self);
}
