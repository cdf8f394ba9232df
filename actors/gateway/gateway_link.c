/* SPDX-License-Identifier: MIT */
/* gateway_link.c - slots of sockets, the users behind them, their deadlines. */

#include <assert.h>

#include "actors/gateway/gateway_internal.h"
#include "actors/gateway/gateway_rate.h"

#define MINUTE_MS 60000

/* ---- users ---- */

static void idle_remove(struct gateway *self, struct user *user)
{
	struct queue *idle = &self->user_idle;

	if (user->previous == GATEWAY_NONE)
		idle->first = user->next;
	else
		self->users[user->previous].next = user->next;
	if (user->next == GATEWAY_NONE)
		idle->last = user->previous;
	else
		self->users[user->next].previous = user->previous;
}

static void idle_append(struct gateway *self, uint32_t slot)
{
	struct queue *idle = &self->user_idle;
	struct user *user = &self->users[slot];

	user->previous = idle->last;
	user->next = GATEWAY_NONE;
	if (idle->last == GATEWAY_NONE)
		idle->first = slot;
	else
		self->users[idle->last].next = slot;
	idle->last = slot;
}

static void user_free(struct gateway *self, uint32_t slot)
{
	struct user *user = &self->users[slot];

	(void)table_remove(&self->user_index, pool_text(&self->pool, user->id));
	pool_drop(&self->pool, &user->id);
	*user = (struct user){ .next = self->user_free };
	self->user_free = slot;
}

static uint32_t user_slot(struct gateway *self)
{
	uint32_t slot = self->user_free;

	if (slot != GATEWAY_NONE) {
		self->user_free = self->users[slot].next;
		return slot;
	}
	if (self->user_next < self->options.connections_max)
		return self->user_next++;
	/* All are in use, and no more links than users exist: somebody is here without one. */
	slot = self->user_idle.first;
	assert(slot != GATEWAY_NONE);
	idle_remove(self, &self->users[slot]);
	user_free(self, slot);
	self->user_free = self->users[slot].next;
	return slot;
}

static uint32_t user_make(struct gateway *self, struct text id)
{
	uint32_t slot = user_slot(self);
	struct user *user = &self->users[slot];

	*user = (struct user){ 0 };
	if (!pool_keep(&self->pool, id, &user->id)) {
		*user = (struct user){ .next = self->user_free };
		self->user_free = slot;
		return GATEWAY_NONE;
	}
	bool inserted = table_insert(&self->user_index, id, slot);

	assert(inserted);
	(void)inserted;
	return slot;
}

bool gateway_link_take_user(struct gateway *self, struct link *link, struct text id)
{
	uint32_t slot = table_find(&self->user_index, id);

	assert(link->user == GATEWAY_NONE);
	if (slot == TABLE_NONE)
		slot = user_make(self, id);
	else if (self->users[slot].links == 0)
		idle_remove(self, &self->users[slot]);
	if (slot == GATEWAY_NONE)
		return false;
	link->user = slot;
	if (self->users[slot].links++ == 0)
		self->users_here++;
	return true;
}

/* A user whose limit has not recovered is remembered: coming back does not reset it. */
static void drop_user(struct gateway *self, struct link *link)
{
	uint32_t slot = link->user;
	struct user *user = &self->users[slot];

	link->user = GATEWAY_NONE;
	if (--user->links > 0)
		return;
	self->users_here--;
	if (user->starts_free_ms > self->now_ms)
		idle_append(self, slot);
	else
		user_free(self, slot);
}

int64_t gateway_start_wait(struct gateway *self, const struct link *link, int64_t now_ms)
{
	const struct gateway_rate rate = {
		.cost = (MINUTE_MS + self->options.starts_per_min - 1) /
			self->options.starts_per_min,
		.burst = self->options.starts_burst,
	};

	return gateway_rate_take(rate, &self->users[link->user].starts_free_ms, now_ms);
}

/* ---- links ---- */

bool gateway_link_is_free(const struct gateway *self)
{
	return self->link_free != GATEWAY_NONE || self->link_next < self->options.connections_max;
}

uint32_t gateway_arriving(const struct gateway *self)
{
	return self->clock_counts[CLOCK_ARRIVAL] + self->clock_counts[CLOCK_VERDICT];
}

bool gateway_link_may_arrive(const struct gateway *self)
{
	return self->options.arrivals_max == 0 ||
	       gateway_arriving(self) < self->options.arrivals_max;
}

uint64_t gateway_reserve(struct gateway *self)
{
	uint32_t slot = self->link_free;

	if (slot != GATEWAY_NONE)
		self->link_free = self->links[slot].next;
	else if (self->link_next < self->options.connections_max)
		slot = self->link_next++;
	else
		return 0;
	struct link *link = &self->links[slot];

	*link = (struct link){
		.id = ++self->link_count << GATEWAY_LINK_BITS | slot,
		.user = GATEWAY_NONE,
		.kind = LINK_RESERVED,
		.dues = { { .clock = CLOCK_NONE }, { .clock = CLOCK_NONE } },
	};
	return link->id;
}

void gateway_link_free(struct gateway *self, struct link *link)
{
	assert(link->kind == LINK_RESERVED || link->kind == LINK_LEFT);
	*link = (struct link){ .next = self->link_free };
	self->link_free = (uint32_t)(link - self->links);
}

void gateway_release(struct gateway *self, uint64_t id)
{
	struct link *link = gateway_link_find(self, id, LINK_RESERVED);

	if (link)
		gateway_link_free(self, link);
}

struct link *gateway_link_find(struct gateway *self, uint64_t id, enum link_kind kind)
{
	uint32_t slot = gateway_slot(id);

	if (slot >= self->link_next || self->links[slot].id != id || self->links[slot].kind != kind)
		return NULL;
	return &self->links[slot];
}

struct text gateway_link_user(const struct gateway *self, const struct link *link)
{
	return pool_text(&self->pool, self->users[link->user].id);
}

void gateway_link_announce(struct gateway *self, struct link *link, struct effects *fx)
{
	bool resumed = link->told;

	if (link->told && link->round == self->round)
		return;
	/* Nobody yet; or one of two of which only the newer counts, whatever order they are told
	 * in. */
	if (link->kind == LINK_APP && (link->app.phase == APP_SILENT || link->app.replaced))
		return;
	link->told = true;
	link->round = self->round;
	if (link->kind == LINK_GLASSES) {
		self->announced_links++;
		gateway_glasses_announce(self, link, resumed, fx);
	} else {
		self->announced_apps++;
		gateway_app_announce(self, link, resumed, fx);
	}
}

static void tell_closed(struct gateway *self, struct link *link, unsigned code, struct effects *fx)
{
	struct stream_event *event;

	/* A registry that has not heard of it in this round takes it for gone anyway, and so does
	 * one that knows that we leave.
	 */
	if (!link->told || link->round != self->round || self->shut)
		return;
	if (link->kind == LINK_GLASSES) {
		event = gateway_tell(self, link, EVENT_EDGE_LINK_CLOSED, fx);
		event->edge_link_closed.link = link->id;
		event->edge_link_closed.code = code;
	} else {
		event = gateway_tell(self, link, EVENT_EDGE_APP_CLOSED, fx);
		event->edge_app_closed.link = link->id;
		event->edge_app_closed.package = pool_text(&self->pool, link->app.package);
		event->edge_app_closed.code = code;
	}
}

void gateway_link_leave(struct gateway *self, struct link *link, unsigned code, struct effects *fx)
{
	gateway_clock_stop(self, link, DUE_LINE);
	gateway_clock_stop(self, link, DUE_WATCH);
	tell_closed(self, link, code, fx);
	if (link->kind == LINK_GLASSES)
		gateway_glasses_forget(self, link);
	else
		gateway_app_forget(self, link);
	if (link->user != GATEWAY_NONE)
		drop_user(self, link);
	link->kind = LINK_LEFT;
}

void gateway_link_close(struct gateway *self, struct link *link, unsigned code, struct text reason,
			struct effects *fx)
{
	struct gateway_out *out = gateway_out_add(self, GATEWAY_CLOSE, link->id);

	out->code = code;
	out->reason = reason;
	gateway_link_leave(self, link, code, fx);
}

/* ---- deadlines ---- */

void gateway_clock_start(struct gateway *self, struct link *link, enum gateway_clock clock,
			 int64_t due_ms)
{
	enum gateway_due which = gateway_clock_due(clock);
	struct due *due = &link->dues[which];
	struct queue *queue = &self->clocks[clock];
	uint32_t slot = (uint32_t)(link - self->links);

	assert(due->clock == CLOCK_NONE);
	assert(queue->last == GATEWAY_NONE || self->links[queue->last].dues[which].ms <= due_ms);
	*due = (struct due){
		.next = GATEWAY_NONE, .previous = queue->last, .ms = due_ms, .clock = (uint8_t)clock
	};
	if (queue->last == GATEWAY_NONE)
		queue->first = slot;
	else
		self->links[queue->last].dues[which].next = slot;
	queue->last = slot;
	self->clock_counts[clock]++;
}

void gateway_clock_stop(struct gateway *self, struct link *link, enum gateway_due which)
{
	struct due *due = &link->dues[which];

	if (due->clock == CLOCK_NONE)
		return;
	struct queue *queue = &self->clocks[due->clock];

	self->clock_counts[due->clock]--;
	if (due->previous == GATEWAY_NONE)
		queue->first = due->next;
	else
		self->links[due->previous].dues[which].next = due->next;
	if (due->next == GATEWAY_NONE)
		queue->last = due->previous;
	else
		self->links[due->next].dues[which].previous = due->previous;
	due->clock = CLOCK_NONE;
}

/* ---- lines ---- */

void gateway_line_init(struct line *line)
{
	*line = (struct line){ .first = GATEWAY_NONE, .last = GATEWAY_NONE };
}

static void waiting_release(struct gateway *self, uint32_t slot)
{
	struct waiting *waiting = &self->waitings[slot];

	for (int i = 0; i < WAITING_TEXTS; i++)
		pool_drop(&self->pool, &waiting->texts[i]);
	*waiting = (struct waiting){ .next = self->waiting_free };
	self->waiting_free = slot;
}

static uint32_t waiting_slot(struct gateway *self)
{
	uint32_t slot = self->waiting_free;

	if (slot != GATEWAY_NONE) {
		self->waiting_free = self->waitings[slot].next;
		return slot;
	}
	return self->waiting_next < self->options.connections_max ? self->waiting_next++
								  : GATEWAY_NONE;
}

static void line_append(struct gateway *self, struct line *line, uint32_t slot)
{
	if (line->last == GATEWAY_NONE)
		line->first = slot;
	else
		self->waitings[line->last].next = slot;
	line->last = slot;
	line->count++;
}

bool gateway_line_add(struct gateway *self, struct line *line, const struct waiting *head,
		      const struct text texts[WAITING_TEXTS])
{
	uint32_t slot = waiting_slot(self);

	if (slot == GATEWAY_NONE)
		return false;
	struct waiting *waiting = &self->waitings[slot];

	*waiting = *head;
	memset(waiting->texts, 0, sizeof waiting->texts);
	waiting->next = GATEWAY_NONE;
	for (int i = 0; i < WAITING_TEXTS; i++)
		if (!pool_keep(&self->pool, texts[i], &waiting->texts[i])) {
			waiting_release(self, slot);
			return false;
		}
	line_append(self, line, slot);
	return true;
}

void gateway_line_take(struct gateway *self, struct line *line, struct waiting *head,
		       struct text texts[WAITING_TEXTS])
{
	uint32_t slot = line->first;

	assert(slot != GATEWAY_NONE);
	*head = self->waitings[slot];
	for (int i = 0; i < WAITING_TEXTS; i++)
		texts[i] = pool_text(&self->pool, head->texts[i]);
	line->first = head->next;
	if (line->first == GATEWAY_NONE)
		line->last = GATEWAY_NONE;
	line->count--;
	waiting_release(self, slot);
}

void gateway_line_move(struct gateway *self, struct line *from, struct line *to)
{
	uint32_t slot = from->first;

	assert(slot != GATEWAY_NONE);
	from->first = self->waitings[slot].next;
	if (from->first == GATEWAY_NONE)
		from->last = GATEWAY_NONE;
	from->count--;
	self->waitings[slot].next = GATEWAY_NONE;
	line_append(self, to, slot);
}

void gateway_line_clear(struct gateway *self, struct line *line)
{
	struct text texts[WAITING_TEXTS];
	struct waiting head;

	while (line->count > 0)
		gateway_line_take(self, line, &head, texts);
}
