/* SPDX-License-Identifier: MIT */
/* gateway_glasses.c - glasses sockets: what they say, and the fence before what they are told. */

#include "actors/gateway/gateway_internal.h"

/* ---- opening, telling, forgetting ---- */

void gateway_glasses_open(struct gateway *self, const struct gateway_edge *edge, struct effects *fx)
{
	struct link *link = gateway_link_find(self, edge->link, LINK_RESERVED);

	if (!link)
		return;
	if (!gateway_link_take_user(self, link, edge->user)) {
		struct gateway_out *out = gateway_out_add(self, GATEWAY_CLOSE, link->id);

		self->counts.limit_memory++;
		out->code = 1013;
		out->reason = TEXT("Try again later");
		link->kind = LINK_LEFT;
		return;
	}
	link->kind = LINK_GLASSES;
	link->opened_ms = self->now_ms;
	gateway_line_init(&link->glasses.held);
	self->glasses_open++;
	gateway_clock_start(self, link, CLOCK_ARRIVAL, self->now_ms + GATEWAY_ARRIVAL_MS);
	/* Before the registry has been there for the first time its arrival announces everything.
	 */
	if (self->round > 0)
		gateway_link_announce(self, link, fx);
}

static void tell_state(struct gateway *self, struct link *link, enum wifi wifi, bool resumed,
		       struct effects *fx)
{
	struct stream_event *event = gateway_tell(self, link, EVENT_EDGE_GLASSES, fx);

	event->edge_glasses.link = link->id;
	event->edge_glasses.model = pool_text(&self->pool, link->glasses.model);
	event->edge_glasses.has_state = link->glasses.has_state;
	event->edge_glasses.connected = link->glasses.connected;
	event->edge_glasses.wifi = wifi;
	event->edge_glasses.resumed = resumed;
}

void gateway_glasses_announce(struct gateway *self, struct link *link, bool resumed,
			      struct effects *fx)
{
	struct stream_event *event = gateway_tell(self, link, EVENT_EDGE_LINK_OPENED, fx);

	event->edge_link_opened.link = link->id;
	/* One that waits for its connection_ack still has to get it. */
	event->edge_link_opened.resumed = resumed && link->glasses.acked;
	event->edge_link_opened.dashboard = self->dashboard;
	event->edge_link_opened.opened_ms = link->opened_ms;
	if (link->glasses.has_state)
		tell_state(self, link, link->glasses.wifi, resumed, fx);
}

void gateway_glasses_forget(struct gateway *self, struct link *link)
{
	pool_drop(&self->pool, &link->glasses.model);
	pool_drop(&self->pool, &link->glasses.filter);
	gateway_line_clear(self, &link->glasses.held);
	self->glasses_open--;
}

/* Without its state, or what apps want of it, it would be there for nobody. */
static void on_memory(struct gateway *self, struct link *link, struct effects *fx)
{
	self->counts.limit_memory++;
	gateway_link_close(self, link, 1013, TEXT("Try again later"), fx);
}

/* ---- what they say ---- */

static void on_state(struct gateway *self, struct link *link, const struct edge_message *message,
		     struct effects *fx)
{
	struct glasses *glasses = &link->glasses;
	enum wifi wifi = WIFI_UNKNOWN;
	bool connected = edge_connected(message->glasses_connection_state.status);
	struct text model =
		connected ? message->glasses_connection_state.model : (struct text){ 0 };

	if (EDGE_HAS(message, glasses_connection_state, wifi))
		wifi = message->glasses_connection_state.wifi_connected ? WIFI_ON : WIFI_OFF;
	/* The state is told when the link is: not a second time. */
	gateway_link_announce(self, link, fx);
	if (!pool_replace(&self->pool, model, &glasses->model)) {
		on_memory(self, link, fx);
		return;
	}
	glasses->has_state = true;
	glasses->connected = connected;
	if (wifi != WIFI_UNKNOWN)
		glasses->wifi = (uint8_t)wifi;
	tell_state(self, link, wifi, false, fx);
}

static void on_app(struct gateway *self, struct link *link, const struct edge_message *message,
		   struct effects *fx)
{
	bool start = message->type == EDGE_START_APP;
	struct text package = start ? message->start_app.package : message->stop_app.package;
	const struct gateway_app *app = gateway_directory_find(self->directory, package);
	struct stream_event *event;

	if (package.length == 0) {
		self->counts.messages_ignored++;
		return;
	}
	event = gateway_tell(self, link, start ? EVENT_EDGE_APP_START : EVENT_EDGE_APP_STOP, fx);
	if (start) {
		event->edge_app_start.package = package;
		event->edge_app_start.known = app != NULL;
		event->edge_app_start.app_type = app ? app->type : APP_TYPE_NONE;
	} else {
		event->edge_app_stop.package = package;
		event->edge_app_stop.known = app != NULL;
	}
}

static void on_status(struct gateway *self, struct link *link, const struct edge_message *message,
		      struct effects *fx)
{
	char clean[DETAIL_MAX];
	struct text detail = message->device_stream_status.error_details;

	if (message->device_stream_status.stream_id.length == 0) {
		self->counts.messages_ignored++;
		return;
	}
	if (detail.length == 0)
		detail = message->device_stream_status.reason;
	struct stream_event *event = gateway_tell(self, link, EVENT_EDGE_STATUS, fx);

	event->stream_id = message->device_stream_status.stream_id;
	event->edge_status.link = link->id;
	event->edge_status.status = edge_device_status(message);
	event->edge_status.detail = effects_keep(fx, edge_clean(detail, clean, sizeof clean));
}

void gateway_acks_flush(struct gateway *self, struct effects *fx)
{
	static const struct peer scheduler = { .role = ROLE_SCHEDULER };

	effects_add(fx, EFFECT_SEND, scheduler, EVENT_ACK_BATCH)->ack_batch.acks =
		list_end(&self->acks);
	/* The list just handed out is borrowed until the effects are carried out. */
	self->acks_side ^= 1;
	list_begin(&self->acks, self->acks_bytes[self->acks_side],
		   sizeof self->acks_bytes[self->acks_side]);
}

static bool add_ack(struct gateway *self, struct text stream_id, struct text ack_id)
{
	list_open_member(&self->acks, 2);
	list_put_text(&self->acks, stream_id);
	list_put_text(&self->acks, ack_id);
	return list_close_member(&self->acks);
}

static void on_ack(struct gateway *self, const struct edge_message *message, int64_t now_ms,
		   struct effects *fx)
{
	struct text stream_id = message->keep_alive_ack.stream_id;
	struct text ack_id = message->keep_alive_ack.ack_id;

	if (stream_id.length == 0 || ack_id.length == 0) {
		self->counts.messages_ignored++;
		return;
	}
	if (self->acks.count == 0)
		self->acks_ms = now_ms + GATEWAY_ACK_AGE_MS;
	self->counts.acks++;
	(void)add_ack(self, stream_id, ack_id); /* 512 of the longest fit */
	if (self->acks.count == ACKS_PER_BATCH_MAX)
		gateway_acks_flush(self, fx);
}

static bool wanted(const struct gateway *self, const struct glasses *glasses, struct text type)
{
	struct wire wire;
	struct text name;
	uint32_t count;

	if (glasses->filter_all)
		return true;
	if (!list_read(pool_text(&self->pool, glasses->filter), &wire, &count))
		return false;
	while (count-- > 0 && wire_text(&wire, &name))
		if (text_equal(name, type))
			return true;
	return false;
}

static void on_other(struct gateway *self, struct link *link, const struct edge_message *message,
		     struct effects *fx)
{
	if (message->type_name.length == 0 || !wanted(self, &link->glasses, message->type_name)) {
		self->counts.messages_ignored++;
		return;
	}
	/* Nobody wants yesterday's words, and what waits for the registry is room for facts. */
	if (!self->registry_up) {
		self->counts.relays_dropped++;
		return;
	}
	struct stream_event *event = gateway_tell(self, link, EVENT_EDGE_RELAY, fx);

	event->edge_relay.type_name = message->type_name;
	event->edge_relay.message = message->json;
	self->counts.messages_relayed++;
}

void gateway_glasses_message(struct gateway *self, struct link *link,
			     const struct edge_message *message, int64_t now_ms, struct effects *fx)
{
	switch (message->type) {
	case EDGE_KEEP_ALIVE_ACK:
		on_ack(self, message, now_ms, fx);
		return;
	case EDGE_DEVICE_STREAM_STATUS:
		on_status(self, link, message, fx);
		return;
	case EDGE_GLASSES_CONNECTION_STATE:
		on_state(self, link, message, fx);
		return;
	case EDGE_CONNECTION_INIT:
		/* The first ack is the registry's to give. */
		if (link->glasses.acked)
			gateway_send(self, link, EDGE_CONNECTION_ACK)->connection_ack.session_id =
				gateway_link_user(self, link);
		return;
	case EDGE_START_APP:
	case EDGE_STOP_APP:
		on_app(self, link, message, fx);
		return;
	default:
		on_other(self, link, message, fx);
	}
}

/* ---- what they are told ---- */

static bool same_stream(const struct fence *fence, const struct stream_event *event)
{
	return fence->epoch == event->epoch &&
	       text_equal((struct text){ fence->stream_id, fence->length }, event->stream_id);
}

static void fence_set(struct fence *fence, const struct stream_event *order)
{
	*fence =
		(struct fence){ .epoch = order->epoch, .length = (uint8_t)order->stream_id.length };
	if (order->stream_id.length > 0)
		memcpy(fence->stream_id, order->stream_id.bytes, order->stream_id.length);
}

static void device_told(struct gateway *self, const struct stream_event *order, uint64_t link,
			enum outcome outcome, struct effects *fx)
{
	struct stream_event *event = gateway_tell(self, NULL, EVENT_EDGE_DEVICE_TOLD, fx);

	event->cause = order->cause;
	event->user_id = order->user_id;
	event->stream_id = order->stream_id;
	event->epoch = order->epoch;
	event->edge_device_told.link = outcome == OUTCOME_NO_LINK ? 0 : link;
	event->edge_device_told.stop = order->type == EVENT_DELIVER_STOP;
	event->edge_device_told.outcome = outcome;
}

static enum outcome start_device(struct gateway *self, struct link *link,
				 const struct stream_event *order)
{
	struct fence *fence = &link->glasses.fence;

	if (fence->epoch != 0 && same_stream(fence, order) && !fence->stopped)
		return OUTCOME_SENT; /* already, on this socket */
	if (fence->epoch != 0 && order->epoch <= fence->epoch) {
		self->counts.starts_fenced++;
		return OUTCOME_FENCED;
	}
	struct edge_message *message = gateway_send(self, link, EDGE_START_RTMP_STREAM);

	message->start_rtmp_stream.session_id = gateway_link_user(self, link);
	message->start_rtmp_stream.rtmp_url = order->deliver_start.rtmp_url;
	message->start_rtmp_stream.app_id = order->deliver_start.app_id;
	message->start_rtmp_stream.stream_id = order->stream_id;
	message->start_rtmp_stream.video = order->deliver_start.video;
	message->start_rtmp_stream.audio = order->deliver_start.audio;
	message->start_rtmp_stream.stream = order->deliver_start.options;
	fence_set(fence, order);
	self->counts.starts_sent++;
	return OUTCOME_SENT;
}

/* Whether the device may be running the stream of @event, as far as this socket knows. */
static bool may_run(const struct fence *fence, const struct stream_event *event)
{
	if (fence->epoch == 0)
		return true;
	return fence->stopped ? event->epoch > fence->epoch : same_stream(fence, event);
}

/* Any stop stops whatever runs: it passes only if that is to end.  So it is of all that is older
 * than the stream of the stop, even if that one was never started here: it has taken their place.
 */
static bool stop_passes(const struct fence *fence, const struct stream_event *order)
{
	return may_run(fence, order) || order->epoch > fence->epoch ||
	       (order->stream_id.length == 0 && order->epoch == fence->epoch);
}

static enum outcome stop_device(struct gateway *self, struct link *link,
				const struct stream_event *order)
{
	struct fence *fence = &link->glasses.fence;

	if (fence->stopped && same_stream(fence, order) && order->stream_id.length > 0)
		return OUTCOME_SENT; /* already, on this socket */
	if (!stop_passes(fence, order)) {
		self->counts.stops_fenced++;
		return OUTCOME_FENCED;
	}
	struct edge_message *message = gateway_send(self, link, EDGE_STOP_RTMP_STREAM);

	message->stop_rtmp_stream.session_id = gateway_link_user(self, link);
	message->stop_rtmp_stream.app_id = order->deliver_stop.app_id;
	message->stop_rtmp_stream.stream_id = order->deliver_stop.told_id;
	/* A start that comes late, of this stream or an older one, finds the fence shut. */
	if (fence->epoch == 0 || order->epoch > fence->epoch)
		fence_set(fence, order);
	fence->stopped = fence->epoch != 0;
	self->counts.stops_sent++;
	return OUTCOME_SENT;
}

static void carry_out(struct gateway *self, struct link *link, const struct stream_event *order,
		      struct effects *fx)
{
	gateway_link_announce(self, link, fx);
	device_told(self, order, link->id,
		    order->type == EVENT_DELIVER_STOP ? stop_device(self, link, order)
						      : start_device(self, link, order),
		    fx);
}

enum {
	HELD_STREAM_ID,
	HELD_APP_ID,
	HELD_URL,
	HELD_TOLD_ID = HELD_URL,
	HELD_VIDEO,
	HELD_AUDIO,
	HELD_OPTIONS
};

/* The connection_ack comes first on a socket: what overtook it waits for it. */
static bool hold(struct gateway *self, struct link *link, const struct stream_event *order)
{
	const struct waiting head = { .kind = (uint8_t)order->type,
				      .epoch = order->epoch,
				      .cause = order->cause };
	struct text texts[WAITING_TEXTS] = { [HELD_STREAM_ID] = order->stream_id };

	if (order->type == EVENT_DELIVER_STOP) {
		texts[HELD_APP_ID] = order->deliver_stop.app_id;
		texts[HELD_TOLD_ID] = order->deliver_stop.told_id;
	} else {
		texts[HELD_APP_ID] = order->deliver_start.app_id;
		texts[HELD_URL] = order->deliver_start.rtmp_url;
		texts[HELD_VIDEO] = order->deliver_start.video;
		texts[HELD_AUDIO] = order->deliver_start.audio;
		texts[HELD_OPTIONS] = order->deliver_start.options;
	}
	return link->glasses.held.count < GATEWAY_HELD_MAX &&
	       gateway_line_add(self, &link->glasses.held, &head, texts);
}

static void release_held(struct gateway *self, struct link *link, struct effects *fx)
{
	while (link->glasses.held.count > 0) {
		struct text texts[WAITING_TEXTS];
		struct waiting head;

		gateway_line_take(self, &link->glasses.held, &head, texts);
		struct stream_event order = {
			.type = (enum stream_event_type)head.kind,
			.user_id = gateway_link_user(self, link),
			.stream_id = texts[HELD_STREAM_ID],
			.epoch = head.epoch,
			.cause = head.cause,
		};

		if (order.type == EVENT_DELIVER_STOP) {
			order.deliver_stop.app_id = texts[HELD_APP_ID];
			order.deliver_stop.told_id = texts[HELD_TOLD_ID];
		} else {
			order.deliver_start.app_id = texts[HELD_APP_ID];
			order.deliver_start.rtmp_url = texts[HELD_URL];
			order.deliver_start.video = texts[HELD_VIDEO];
			order.deliver_start.audio = texts[HELD_AUDIO];
			order.deliver_start.options = texts[HELD_OPTIONS];
		}
		carry_out(self, link, &order, fx);
	}
}

static void on_order(struct gateway *self, const struct stream_event *order, struct effects *fx)
{
	bool stop = order->type == EVENT_DELIVER_STOP;
	uint64_t id = stop ? order->deliver_stop.link : order->deliver_start.link;
	struct link *link = gateway_link_find(self, id, LINK_GLASSES);

	if (link && text_equal(gateway_link_user(self, link), order->user_id)) {
		if (link->glasses.acked) {
			carry_out(self, link, order, fx);
			return;
		}
		if (hold(self, link, order))
			return;
	}
	self->counts.links_missed++;
	device_told(self, order, id, OUTCOME_NO_LINK, fx);
}

static void on_notice(struct gateway *self, struct link *link, const struct stream_event *event,
		      struct effects *fx)
{
	struct text user = gateway_link_user(self, link);
	struct text package = event->registry_glasses_notice.package;

	switch ((enum notice)event->registry_glasses_notice.notice) {
	case NOTICE_CONNECTION_ACK:
		link->glasses.acked = true;
		gateway_clock_stop(self, link, DUE_LINE);
		gateway_send(self, link, EDGE_CONNECTION_ACK)->connection_ack.session_id = user;
		release_held(self, link, fx);
		return;
	case NOTICE_APP_STATE_CHANGE:
		gateway_send(self, link, EDGE_APP_STATE_CHANGE)->app_state_change.session_id = user;
		return;
	case NOTICE_APP_STARTED:
		gateway_send(self, link, EDGE_APP_STARTED)->app_started.package = package;
		return;
	case NOTICE_APP_STOPPED:
		gateway_send(self, link, EDGE_APP_STOPPED)->app_stopped.package = package;
		return;
	case NOTICE_NONE:
		return;
	}
}

void gateway_glasses_event(struct gateway *self, const struct stream_event *event,
			   struct effects *fx)
{
	struct link *link;

	if (event->type == EVENT_DELIVER_START || event->type == EVENT_DELIVER_STOP) {
		on_order(self, event, fx);
		return;
	}
	link = gateway_link_find(self,
				 event->type == EVENT_REGISTRY_RELAY_FILTER
					 ? event->registry_relay_filter.link
					 : event->registry_glasses_notice.link,
				 LINK_GLASSES);
	if (!link) {
		self->counts.links_missed++;
		return;
	}
	if (event->type == EVENT_REGISTRY_GLASSES_NOTICE) {
		on_notice(self, link, event, fx);
		return;
	}
	link->glasses.filter_all = event->registry_relay_filter.all;
	if (!pool_replace(&self->pool, event->registry_relay_filter.types, &link->glasses.filter))
		on_memory(self, link, fx);
}

/* ---- keep-alives ---- */

/* [link, stream_id, epoch, ack_id] */
static bool read_probe(struct wire *wire, uint64_t *link, struct stream_event *probe,
		       struct text *ack_id)
{
	uint32_t fields;

	return wire_array(wire, &fields) && fields == 4 && wire_u64(wire, link) &&
	       wire_text(wire, &probe->stream_id) && wire_u64(wire, &probe->epoch) &&
	       wire_text(wire, ack_id) && probe->stream_id.length <= STREAM_ID_MAX &&
	       ack_id->length <= ACK_ID_MAX;
}

void gateway_glasses_probes(struct gateway *self, struct text probes)
{
	struct stream_event probe;
	struct wire wire;
	uint32_t count;

	if (!list_read(probes, &wire, &count) || count > PROBES_PER_BATCH_MAX) {
		self->counts.messages_ignored++;
		return;
	}
	while (count-- > 0) {
		struct text ack_id;
		uint64_t id;

		if (!read_probe(&wire, &id, &probe, &ack_id)) {
			self->counts.messages_ignored++;
			return;
		}
		struct link *link = gateway_link_find(self, id, LINK_GLASSES);

		if (!link || !may_run(&link->glasses.fence, &probe)) {
			self->counts.probes_dropped++;
			continue;
		}
		struct gateway_out *out = gateway_out_add(self, GATEWAY_PROBE, id);

		out->stream_id = probe.stream_id;
		out->ack_id = ack_id;
		self->counts.probes_sent++;
	}
}
