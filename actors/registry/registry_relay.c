/* SPDX-License-Identifier: MIT */
/* Subscriptions, and what glasses say beside streaming: relayed to the apps that want it. */
#include "actors/registry/registry_internal.h"

#include <assert.h>

#include "proto/list.h"

void registry_capabilities(struct registry *self, const struct state_user *user)
{
	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->state.apps[slot].next) {
		const struct state_app *app = &self->state.apps[slot];

		if (!state_app_reachable(&self->state, app))
			continue;
		struct stream_event *event =
			registry_send(self, (struct peer){ ROLE_GATEWAY, app->gateway },
				      EVENT_REGISTRY_CAPABILITIES, user);

		event->registry_capabilities.link = app->link;
		event->registry_capabilities.model = registry_text(self, user->model);
	}
}

static bool list_has(struct text types, struct text wanted)
{
	struct wire wire;
	struct text type;
	uint32_t count;

	bool readable = list_read(types, &wire, &count);

	assert(readable); /* it was ours, or WANTS_OTHER was read from it */
	for (; count > 0 && wire_text(&wire, &type); count--)
		if (text_equal(type, wanted))
			return true;
	return false;
}

/* False: not all of them fit. */
static bool add_types(struct list_writer *list, struct text types)
{
	struct wire wire;
	struct text type;
	uint32_t count;

	bool readable = list_read(types, &wire, &count);

	assert(readable);
	for (; count > 0 && wire_text(&wire, &type); count--)
		if (!list_has(list_end(list), type) && !list_add_text(list, type))
			return false;
	return true;
}

/* What the gateway of these glasses need not even send to us. */
void registry_relay_filter(struct registry *self, const struct state_user *user)
{
	uint8_t buffer[SUBSCRIPTIONS_BYTES];
	struct list_writer list;
	bool all = false;

	if (user->link_state != LINK_UP)
		return;
	list_begin(&list, buffer, sizeof buffer);
	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->state.apps[slot].next) {
		const struct state_app *app = &self->state.apps[slot];

		all |= (app->wants & WANTS_ALL) != 0;
		/* More different types than one list holds: let everything come, we filter it here.
		 */
		if (app->wants & WANTS_OTHER)
			all |= !add_types(&list, registry_text(self, app->types));
	}
	struct stream_event *event =
		registry_send(self, (struct peer){ ROLE_GATEWAY, user->gateway },
			      EVENT_REGISTRY_RELAY_FILTER, user);

	event->registry_relay_filter.link = user->link;
	event->registry_relay_filter.all = all;
	event->registry_relay_filter.types = effects_keep(self->fx, list_end(&list));
}

/* Strings, no more than there may be (protocol.md 2.5). */
static bool is_subscriptions(struct text types)
{
	struct wire wire;
	struct text type;
	uint32_t count;

	if (!list_read(types, &wire, &count) || count > SUBSCRIPTIONS_MAX)
		return false;
	while (count > 0 && wire_text(&wire, &type))
		count--;
	return count == 0;
}

void registry_on_app_subscribed(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);
	struct state_app *app =
		state_app_find(&self->state, user, event->edge_app_subscribed.package);

	if (!app || app->state != APP_RUNNING || app->link != event->edge_app_subscribed.link ||
	    app->gateway != input->peer.incarnation ||
	    !is_subscriptions(event->edge_app_subscribed.types)) {
		self->stats.ignored++;
		return;
	}
	if (!text_equal(registry_text(self, app->types), event->edge_app_subscribed.types)) {
		if (!pool_has_room(&self->state.pool, SUBSCRIPTIONS_BYTES)) {
			self->stats.full++;
			return;
		}
		struct stream_event *change = registry_story(self, EVENT_APP_SUBSCRIBED, user);

		change->app_subscribed.package = registry_text(self, app->package);
		change->app_subscribed.types = event->edge_app_subscribed.types;
		registry_tell(self, change);
		registry_relay_filter(self, user);
	}
	if (!event->edge_app_subscribed.resumed)
		registry_notice(self, user, NOTICE_APP_STATE_CHANGE, (struct text){ 0 });
}

void registry_on_relay(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);

	if (!user || user->session == SESSION_NONE) {
		self->stats.ignored++;
		return;
	}
	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->state.apps[slot].next) {
		const struct state_app *app = &self->state.apps[slot];

		if (!state_app_reachable(&self->state, app) ||
		    !((app->wants & WANTS_ALL) ||
		      ((app->wants & WANTS_OTHER) &&
		       list_has(registry_text(self, app->types), event->edge_relay.type_name))))
			continue;
		struct stream_event *copy =
			registry_send(self, (struct peer){ ROLE_GATEWAY, app->gateway },
				      EVENT_REGISTRY_RELAY, user);

		copy->registry_relay.link = app->link;
		copy->registry_relay.type_name = event->edge_relay.type_name;
		copy->registry_relay.message = event->edge_relay.message;
	}
}
