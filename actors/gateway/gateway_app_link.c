/* SPDX-License-Identifier: MIT */
/* gateway_app_link.c - app sockets: init, subscriptions, and what they are told. */

#include <assert.h>

#include "actors/gateway/gateway_internal.h"

#define APP_KEY_MAX (sizeof(uint32_t) + PACKAGE_MAX)

/* ---- the accepted socket of each app ---- */

static struct text app_key(const struct gateway *self, const struct link *link,
			   char bytes[APP_KEY_MAX])
{
	struct text package = pool_text(&self->pool, link->app.package);

	assert(package.length <= PACKAGE_MAX);
	memcpy(bytes, &link->user, sizeof link->user);
	memcpy(bytes + sizeof link->user, package.bytes, package.length);
	return (struct text){ bytes, (uint32_t)sizeof link->user + package.length };
}

/* The older socket stays open, because the SDK would take its end for the end of the newer one; but
 * nothing is told to it any more.
 */
static void become_newest(struct gateway *self, struct link *link)
{
	char bytes[APP_KEY_MAX];
	struct text key = app_key(self, link, bytes);
	uint32_t older = table_find(&self->app_index, key);

	if (older != TABLE_NONE) {
		self->links[older].app.replaced = true;
		(void)table_remove(&self->app_index, key);
	}
	bool inserted = table_insert(&self->app_index, key, (uint32_t)(link - self->links));

	assert(inserted);
	(void)inserted;
}

static void be_newest_no_more(struct gateway *self, struct link *link)
{
	char bytes[APP_KEY_MAX];

	if (link->app.phase == APP_ACCEPTED && !link->app.replaced)
		(void)table_remove(&self->app_index, app_key(self, link, bytes));
}

/* ---- opening, telling, forgetting ---- */

void gateway_app_open(struct gateway *self, const struct gateway_edge *edge, int64_t now_ms)
{
	struct link *link = gateway_link_find(self, edge->link, LINK_RESERVED);

	if (!link)
		return;
	link->kind = LINK_APP;
	gateway_line_init(&link->app.line);
	gateway_line_init(&link->app.watch.line);
	self->apps_open++;
	gateway_clock_start(self, link, CLOCK_INIT, now_ms + self->options.init_ms);
}

static const struct gateway_app *app_of(const struct gateway *self, const struct link *link)
{
	return gateway_directory_find(self->directory, pool_text(&self->pool, link->app.package));
}

static void tell_subscribed(struct gateway *self, struct link *link, struct text types,
			    bool resumed, struct effects *fx)
{
	struct stream_event *event = gateway_tell(self, link, EVENT_EDGE_APP_SUBSCRIBED, fx);

	event->edge_app_subscribed.link = link->id;
	event->edge_app_subscribed.package = pool_text(&self->pool, link->app.package);
	event->edge_app_subscribed.types = types;
	event->edge_app_subscribed.resumed = resumed;
}

void gateway_app_announce(struct gateway *self, struct link *link, bool resumed, struct effects *fx)
{
	const struct gateway_app *app = app_of(self, link);
	bool accepted = link->app.phase == APP_ACCEPTED;
	struct stream_event *event = gateway_tell(self, link, EVENT_EDGE_APP_OPENED, fx);

	event->edge_app_opened.link = link->id;
	event->edge_app_opened.package = pool_text(&self->pool, link->app.package);
	event->edge_app_opened.key_ok = link->app.key_ok;
	event->edge_app_opened.app_type = app ? app->type : APP_TYPE_NONE;
	/* One that was never accepted asks as if for the first time. */
	event->edge_app_opened.resumed = resumed && accepted;
	event->edge_app_opened.opened_ms = link->opened_ms;
	if (accepted && link->app.subscribed)
		tell_subscribed(self, link, pool_text(&self->pool, link->app.types), true, fx);
}

void gateway_app_forget(struct gateway *self, struct link *link)
{
	be_newest_no_more(self, link);
	gateway_request_forget(self, link);
	pool_drop(&self->pool, &link->app.package);
	pool_drop(&self->pool, &link->app.session);
	pool_drop(&self->pool, &link->app.types);
	self->apps_open--;
}

/* ---- refusals ---- */

bool gateway_app_fail(struct gateway *self, struct link *link, struct text code,
		      struct text message, struct effects *fx)
{
	if (link->app.replaced)
		return false;
	struct edge_message *error = gateway_send(self, link, EDGE_TPA_CONNECTION_ERROR);

	error->tpa_connection_error.code = code;
	error->tpa_connection_error.message = message;
	gateway_link_close(self, link, 1008, edge_close_reason(message), fx);
	return true;
}

static void refuse_init(struct gateway *self, struct link *link, enum result result,
			struct effects *fx)
{
	self->counts.inits_refused++;
	/* The registry has not taken it: there is nothing to tell of its end. */
	link->told = false;
	switch (result) {
	case RESULT_BAD_KEY:
		(void)gateway_app_fail(self, link, TEXT("INVALID_API_KEY"), TEXT("Invalid API key"),
				       fx);
		return;
	case RESULT_APP_NOT_STARTED:
	case RESULT_APP_NOT_RUNNING:
		(void)gateway_app_fail(self, link, TEXT("APP_NOT_STARTED"),
				       TEXT("App not started for this session"), fx);
		return;
	case RESULT_NO_SESSION:
	case RESULT_NOT_FOUND:
		(void)gateway_app_fail(self, link, TEXT("SESSION_NOT_FOUND"),
				       TEXT("Session not found"), fx);
		return;
	default: /* not the app's fault: it comes back after 1013 */
		gateway_link_close(self, link, 1013, TEXT("Try again later"), fx);
	}
}

void gateway_app_not_json(struct gateway *self, struct link *link, struct effects *fx)
{
	gateway_link_close(self, link, 1011, TEXT("Internal server error"), fx);
}

void gateway_app_expired(struct gateway *self, struct link *link, enum gateway_clock clock,
			 struct effects *fx)
{
	if (clock == CLOCK_QUEUED) {
		gateway_request_queue_expired(self, link, fx);
		return;
	}
	if (clock == CLOCK_REQUEST || clock == CLOCK_WATCH) {
		gateway_request_expired(self, link, clock, fx);
		return;
	}
	self->counts.inits_timed_out++;
	if (clock == CLOCK_INIT)
		gateway_link_close(self, link, 1008, TEXT("No init message"), fx);
	else
		gateway_link_close(self, link, 1013, TEXT("Try again later"), fx);
}

/* ---- init ---- */

/* "<user>-<package>"; a user may contain hyphens, and so may a package. */
static bool session_user(struct text session, struct text package, struct text *out)
{
	uint32_t length = session.length;

	if (length > package.length && package.length > 0 &&
	    session.bytes[length - package.length - 1] == '-' &&
	    memcmp(session.bytes + length - package.length, package.bytes, package.length) == 0) {
		*out = (struct text){ session.bytes, length - package.length - 1 };
		return true;
	}
	while (length > 0 && session.bytes[length - 1] != '-')
		length--;
	if (length == 0)
		return false;
	*out = (struct text){ session.bytes, length - 1 };
	return true;
}

static bool keep_init(struct gateway *self, struct link *link, struct text user,
		      const struct edge_message *init)
{
	return pool_keep(&self->pool, init->tpa_connection_init.package, &link->app.package) &&
	       pool_keep(&self->pool, init->tpa_connection_init.session_id, &link->app.session) &&
	       gateway_link_take_user(self, link, user);
}

static void on_init(struct gateway *self, struct link *link, const struct gateway_edge *edge,
		    int64_t now_ms, struct effects *fx)
{
	const struct edge_message *init = edge->message;
	struct text user = edge->user;

	if (user.length == 0 && !session_user(init->tpa_connection_init.session_id,
					      init->tpa_connection_init.package, &user)) {
		self->counts.inits_refused++;
		gateway_link_close(self, link, 1008, TEXT("Invalid session ID format"), fx);
		return;
	}
	if (user.length == 0 || user.length > USER_ID_MAX) {
		refuse_init(self, link, RESULT_NO_SESSION, fx);
		return;
	}
	if (!gateway_link_may_arrive(self)) {
		self->counts.limit_arrivals++;
		refuse_init(self, link, RESULT_FULL, fx);
		return;
	}
	if (!keep_init(self, link, user, init)) {
		self->counts.limit_memory++;
		refuse_init(self, link, RESULT_FULL, fx);
		return;
	}
	link->app.key_ok = edge->key_ok;
	link->opened_ms = self->now_ms;
	link->app.phase = APP_JUDGED;
	gateway_clock_stop(self, link, DUE_LINE);
	gateway_clock_start(self, link, CLOCK_VERDICT, now_ms + GATEWAY_VERDICT_MS);
	if (self->round > 0)
		gateway_link_announce(self, link, fx);
}

static void on_verdict(struct gateway *self, struct link *link, const struct stream_event *event,
		       int64_t now_ms, struct effects *fx)
{
	enum result result = (enum result)event->registry_app_result.result;

	if (result != RESULT_OK) {
		refuse_init(self, link, result, fx);
		return;
	}
	if (link->app.phase != APP_JUDGED)
		return; /* told again, answered again */
	gateway_clock_stop(self, link, DUE_LINE);
	link->app.phase = APP_ACCEPTED;
	link->app.accepted_ms = now_ms;
	become_newest(self, link);
	struct edge_message *ack = gateway_send(self, link, EDGE_TPA_CONNECTION_ACK);

	ack->tpa_connection_ack.session_id = pool_text(&self->pool, link->app.session);
	ack->tpa_connection_ack.capabilities = model_capabilities(event->registry_app_result.model);
	pool_drop(&self->pool, &link->app.session);
	gateway_request_next(self, link, now_ms, fx);
}

/* ---- subscriptions ---- */

static bool needs_camera(struct text type)
{
	return text_is(type, "rtmp_stream_status") || text_is(type, "managed_stream_status");
}

/* What stands in the array, permissions applied, as a LIST in @bytes. */
static struct text read_types(const struct gateway *self, const struct link *link,
			      struct text array, uint8_t bytes[SUBSCRIPTIONS_BYTES])
{
	bool may_stream = gateway_app_may_stream(app_of(self, link));
	char buffer[TYPE_NAME_MAX];
	struct list_writer list;
	struct json_walk walk;
	struct text type;

	list_begin(&list, bytes, SUBSCRIPTIONS_BYTES);
	edge_subscriptions(array, &walk);
	while (list.count < SUBSCRIPTIONS_MAX && edge_subscription_next(&walk, buffer, &type))
		if (may_stream || !needs_camera(type))
			(void)list_add_text(&list, type);
	return list_end(&list);
}

static bool is_empty_array(struct text array)
{
	struct json_walk walk;
	struct json_value value;

	bool opened = json_open(&walk, array, JSON_KIND_ARRAY);

	assert(opened); /* else it would not be there */
	(void)opened;
	return !json_next(&walk, NULL, &value);
}

static void on_subscriptions(struct gateway *self, struct link *link,
			     const struct edge_message *message, int64_t now_ms, struct effects *fx)
{
	uint8_t bytes[SUBSCRIPTIONS_BYTES];
	struct text array = message->subscription_update.subscriptions;
	int64_t grace_ms = self->options.empty_subscription_grace_ms;

	if (link->app.phase != APP_ACCEPTED ||
	    !EDGE_HAS(message, subscription_update, subscriptions) ||
	    (is_empty_array(array) && now_ms - link->app.accepted_ms < grace_ms)) {
		self->counts.messages_ignored++;
		return;
	}
	/* Kept, so that a registry that forgets can be told again. */
	if (!pool_replace(&self->pool, read_types(self, link, array, bytes), &link->app.types)) {
		self->counts.limit_memory++;
		gateway_link_close(self, link, 1013, TEXT("Try again later"), fx);
		return;
	}
	/* Announced first: what is announced now is not told twice. */
	gateway_link_announce(self, link, fx);
	link->app.subscribed = true;
	tell_subscribed(self, link, pool_text(&self->pool, link->app.types), false, fx);
}

/* ---- what they say ---- */

static struct ask watch_of(const struct edge_message *message)
{
	return (struct ask){
		.kind = REQUEST_WATCH,
		.video = message->managed_stream_request.video,
		.audio = message->managed_stream_request.audio,
		.options = message->managed_stream_request.stream,
		.oversized = EDGE_OVERSIZED(message, managed_stream_request, video) ||
			     EDGE_OVERSIZED(message, managed_stream_request, audio) ||
			     EDGE_OVERSIZED(message, managed_stream_request, stream),
		.destinations = message->managed_stream_request.restream,
		.destinations_oversized = EDGE_OVERSIZED(message, managed_stream_request, restream),
	};
}

static void on_request(struct gateway *self, struct link *link, const struct edge_message *message,
		       int64_t now_ms, struct effects *fx)
{
	struct ask ask = { .kind = REQUEST_NONE };

	switch (message->type) {
	case EDGE_RTMP_STREAM_REQUEST:
		ask.kind = REQUEST_UNMANAGED;
		ask.rtmp_url = message->rtmp_stream_request.rtmp_url;
		ask.video = message->rtmp_stream_request.video;
		ask.audio = message->rtmp_stream_request.audio;
		ask.options = message->rtmp_stream_request.stream;
		ask.oversized = EDGE_OVERSIZED(message, rtmp_stream_request, rtmp_url) ||
				EDGE_OVERSIZED(message, rtmp_stream_request, video) ||
				EDGE_OVERSIZED(message, rtmp_stream_request, audio) ||
				EDGE_OVERSIZED(message, rtmp_stream_request, stream);
		break;
	case EDGE_RTMP_STREAM_STOP:
		ask.kind = REQUEST_STOP;
		ask.stream_id = message->rtmp_stream_stop.stream_id;
		break;
	case EDGE_STREAM_STATUS_CHECK:
		ask.kind = REQUEST_CHECK;
		break;
	case EDGE_MANAGED_STREAM_REQUEST:
		ask = watch_of(message);
		break;
	case EDGE_MANAGED_STREAM_STOP:
		ask.kind = REQUEST_LEAVE;
		break;
	default:
		self->counts.messages_ignored++;
		return;
	}
	gateway_request_ask(self, link, &ask, now_ms, fx);
}

void gateway_app_message(struct gateway *self, struct link *link, const struct gateway_edge *edge,
			 int64_t now_ms, struct effects *fx)
{
	if (link->app.phase == APP_SILENT) {
		if (edge->message->type == EDGE_TPA_CONNECTION_INIT)
			on_init(self, link, edge, now_ms, fx);
		else
			refuse_init(self, link, RESULT_NO_SESSION, fx);
		return;
	}
	if (edge->message->type == EDGE_SUBSCRIPTION_UPDATE)
		on_subscriptions(self, link, edge->message, now_ms, fx);
	else
		on_request(self, link, edge->message, now_ms, fx);
}

/* ---- what they are told ---- */

static struct text session_of(struct gateway *self, const struct link *link)
{
	return gateway_session_id(self, gateway_link_user(self, link),
				  pool_text(&self->pool, link->app.package));
}

/* Deliveries are repeated when their outcome got lost: newer ones pass, in order, once. */
static bool is_newer(struct delivered *delivered, const struct stream_event *event)
{
	if (event->epoch < delivered->epoch ||
	    (event->epoch == delivered->epoch && event->stream_seq <= delivered->stream_seq))
		return false;
	*delivered = (struct delivered){ event->epoch, event->stream_seq };
	return true;
}

static void send_status(struct gateway *self, const struct link *link,
			const struct stream_event *event)
{
	if (event->deliver_status.copy) {
		struct edge_message *copy = gateway_send(self, link, EDGE_RTMP_STATUS_COPY);

		copy->rtmp_status_copy.session_id = session_of(self, link);
		copy->rtmp_status_copy.user_id = gateway_link_user(self, link);
		copy->rtmp_status_copy.stream_id = event->stream_id;
		copy->rtmp_status_copy.status = event->deliver_status.status;
		copy->rtmp_status_copy.app_id = event->deliver_status.owner;
		return;
	}
	struct edge_message *status = gateway_send(self, link, EDGE_RTMP_STREAM_STATUS);

	status->rtmp_stream_status.session_id = session_of(self, link);
	status->rtmp_stream_status.stream_id = event->stream_id;
	status->rtmp_stream_status.status = event->deliver_status.status;
	status->rtmp_stream_status.app_id = event->deliver_status.owner;
}

bool gateway_app_reached(struct link *link, const struct stream_event *delivery)
{
	if (!link || link->app.phase != APP_ACCEPTED || link->app.replaced)
		return false;
	if (delivery->cause > link->app.seen_seq)
		link->app.seen_seq = delivery->cause;
	return true;
}

void gateway_app_told(struct gateway *self, const struct stream_event *event, struct text package,
		      bool reached, struct effects *fx)
{
	struct stream_event *told = gateway_tell(self, NULL, EVENT_EDGE_APP_TOLD, fx);

	told->cause = event->cause;
	told->user_id = event->user_id;
	told->stream_id = event->stream_id;
	told->epoch = event->epoch;
	told->edge_app_told.package = package;
	told->edge_app_told.outcome = reached ? OUTCOME_SENT : OUTCOME_DROPPED;
}

static void on_deliver_status(struct gateway *self, struct link *link,
			      const struct stream_event *event, struct effects *fx)
{
	bool copy = event->deliver_status.copy;
	bool reached = gateway_app_reached(link, event);

	if (!reached) {
		self->counts.links_missed++;
	} else if (is_newer(copy ? &link->app.copy : &link->app.direct, event)) {
		self->counts.statuses_sent++;
		send_status(self, link, event);
	} else {
		self->counts.statuses_stale++;
	}
	if (!copy && event->deliver_status.terminal)
		gateway_app_told(self, event, event->deliver_status.package, reached, fx);
}

/* Either kind of socket: the registry has no more use for it. */
static void on_link_close(struct gateway *self, const struct stream_event *event,
			  struct effects *fx)
{
	struct link *link = gateway_link_find(self, event->registry_link_close.link, LINK_APP);

	if (link && event->registry_link_close.app_stopped)
		gateway_send(self, link, EDGE_APP_ENDED);
	if (!link)
		link = gateway_link_find(self, event->registry_link_close.link, LINK_GLASSES);
	if (link)
		gateway_link_close(self, link, (unsigned)event->registry_link_close.code,
				   edge_close_reason(event->registry_link_close.reason), fx);
}

static void on_unknown_link(struct gateway *self, const struct stream_event *event,
			    struct effects *fx)
{
	uint64_t id = event->registry_unknown_link.link;
	struct link *link = gateway_link_find(self, id, LINK_GLASSES);

	if (!link)
		link = gateway_link_find(self, id, LINK_APP);
	/* An answer to a fact older than the announcement says nothing. */
	if (!link || !link->told || link->round != self->round)
		return;
	link->told = false;
	gateway_link_close(self, link, 1012, TEXT("Service restart"), fx);
}

static void on_relay(struct gateway *self, struct link *link, const struct stream_event *event)
{
	struct edge_message *message;

	if (event->type == EVENT_REGISTRY_CAPABILITIES) {
		message = gateway_send(self, link, EDGE_CAPABILITIES_UPDATE);
		message->capabilities_update.capabilities =
			model_capabilities(event->registry_capabilities.model);
		message->capabilities_update.model = event->registry_capabilities.model;
		return;
	}
	message = gateway_send(self, link, EDGE_DATA_STREAM);
	message->data_stream.session_id = session_of(self, link);
	message->data_stream.stream_type = event->registry_relay.type_name;
	message->data_stream.data = event->registry_relay.message;
}

static uint64_t link_of(const struct stream_event *event)
{
	switch (event->type) {
	case EVENT_DELIVER_STATUS:
		return event->deliver_status.link;
	case EVENT_REGISTRY_APP_RESULT:
		return event->registry_app_result.link;
	case EVENT_REGISTRY_CAPABILITIES:
		return event->registry_capabilities.link;
	default:
		return event->registry_relay.link;
	}
}

void gateway_app_event(struct gateway *self, const struct stream_event *event, int64_t now_ms,
		       struct effects *fx)
{
	if (event->type == EVENT_REGISTRY_LINK_CLOSE) {
		on_link_close(self, event, fx);
		return;
	}
	if (event->type == EVENT_REGISTRY_UNKNOWN_LINK && link_of(event) == 0) {
		gateway_announce_all(self, fx);
		return;
	}
	if (event->type == EVENT_REGISTRY_UNKNOWN_LINK) {
		on_unknown_link(self, event, fx);
		return;
	}
	struct link *link = gateway_link_find(self, link_of(event), LINK_APP);

	if (event->type == EVENT_DELIVER_STATUS)
		on_deliver_status(self, link, event, fx);
	else if (!link || link->app.phase == APP_SILENT)
		self->counts.links_missed++;
	else if (event->type == EVENT_REGISTRY_APP_RESULT)
		on_verdict(self, link, event, now_ms, fx);
	else if (link->app.phase == APP_ACCEPTED && !link->app.replaced)
		on_relay(self, link, event);
	else
		self->counts.links_missed++;
}
