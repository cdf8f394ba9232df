/* SPDX-License-Identifier: MIT */
/* local_provider.c - the local provider's shell: the media server is looked at and called back by,
 * children copy streams to other servers.
 *
 * A call that depends on the media server waits for a look at its statistics that began after the
 * call did; all that wait share one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/managed-adapter/local_files.h"
#include "actors/managed-adapter/local_internal.h"
#include "actors/managed-adapter/local_text.h"
#include "actors/managed-adapter/managed_http.h"
#include "common/daemon.h"
#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"

#define STAT_MAX (4u << 20) /* bytes; a stream has about 1 KB, and 100 bytes for each reader */
#define CONNECTIONS_MAX 8

/* ---- looking at the media server ---- */

static void on_dropped_stranger(void *context, const struct http_answer *http)
{
	(void)context;
	(void)http; /* if it is still there, the next look finds it again */
}

/* Who publishes to an input of an earlier life that nobody adopted. */
static void drop_strangers(struct provider *self, struct text streams)
{
	struct local_stat_stream stream;

	while (self->settled && local_stat_next(&streams, &stream)) {
		char id[INPUT_ID_MAX + 1];

		if (stream.client == 0 || !local_is_name(stream.name) ||
		    local_find(&self->core, stream.name))
			continue;
		log_info("local.stranger_dropped",
			 log_str("input_id", text_put(stream.name, id, sizeof id)));
		(void)local_drop(self, stream.name, on_dropped_stranger, NULL);
	}
}

static void note_up(struct provider *self, bool up, const char *reason)
{
	if (self->up_known && self->up == up)
		return;
	self->up = up;
	self->up_known = true;
	if (up)
		log_info("local.server_up", log_str("control", self->config.control_url));
	else
		log_warn("local.server_lost", log_str("control", self->config.control_url),
			 log_str("reason", reason));
}

static struct job *find_job(struct provider *self, enum job_state state, bool look)
{
	for (struct job *job = self->first; job; job = job->next)
		if (job->state == state && local_job_needs_look(job) == look)
			return job;
	return NULL;
}

static void on_looked(void *context, const struct http_answer *http)
{
	struct provider *self = context;
	struct local_stat stat;
	struct job *job;
	bool up = http->fate == HTTP_ANSWERED && http->status == 200 &&
		  local_stat_read(http->body, &stat);

	self->looking = false;
	note_up(self, up, http->fate == HTTP_ANSWERED ? "no statistics" : http->error);
	if (up) {
		local_see(&self->core, &stat, self->asked_ms);
		drop_strangers(self, stat.streams);
	}
	while ((job = find_job(self, JOB_LOOKING, true)))
		local_job_serve_looked(job);
	/* Nobody will tell that the publisher has gone, so these would wait for ever. */
	while (!up && (job = find_job(self, JOB_ENDING, true)))
		local_job_serve_looked(job);
	local_take_turn(self);
}

static void look(struct provider *self)
{
	static const char *const headers[] = { NULL };
	char url[LOCAL_ADDRESS_SIZE];

	if (self->looking)
		return;
	self->looking = true;
	self->look_owed = false;
	self->asked_ms = daemon_now_ms();
	for (struct job *job = self->first; job; job = job->next)
		if (job->state == JOB_NEW && local_job_needs_look(job))
			job->state = JOB_LOOKING;
	snprintf(url, sizeof url, "%s/stat", self->config.control_url);
	if (http_client_start(self->client, &(struct http_request){
						    .method = "GET",
						    .url = url,
						    .headers = headers,
						    .timeout_ms = LOCAL_LOOK_TIMEOUT_MS,
						    .answer_max = STAT_MAX,
						    .done = on_looked,
						    .context = self,
					    }))
		return;
	on_looked(self, &(struct http_answer){ .fate = HTTP_NOT_SENT, .error = "no memory" });
}

/* ---- what has changed ---- */

static void tell_input(struct provider *self, const struct local_input *input)
{
	struct stream_event event = { .type = EVENT_PROVIDER_HINT };

	event.provider_hint.input_id = text_of(input->id);
	event.provider_hint.ingest = input->ingest;
	event.provider_hint.sure = true;
	self->options.say(self->options.context, &event);
}

static void tell_output(struct provider *self, const struct local_input *input,
			const struct local_output *output)
{
	struct stream_event event = { .type = EVENT_PROVIDER_OUTPUT_HINT };

	event.provider_output_hint.input_id = text_of(input->id);
	event.provider_output_hint.output = output->number;
	event.provider_output_hint.state = output->state;
	event.provider_output_hint.error = text_of(output->error);
	self->options.say(self->options.context, &event);
}

static void start_child(struct provider *self, const struct local_input *input,
			const struct local_output *output)
{
	struct local_destination destination;
	char source[LOCAL_ADDRESS_SIZE];
	int r = -EINVAL;

	snprintf(source, sizeof source, "%s/%s", self->config.source_url, input->id);
	if (local_destination_read(text_of(output->url), &destination))
		r = local_children_start(self->children, output->serial, source, &destination);
	secret_wipe(&destination, sizeof destination);
	if (r < 0)
		local_child_ended(&self->core, output->serial, "ffmpeg cannot be started",
				  daemon_now_ms());
}

static void follow(struct provider *self)
{
	for (;;) {
		struct local_step step = local_next(&self->core, daemon_now_ms());

		switch (step.type) {
		case LOCAL_STEP_HINT:
			tell_input(self, step.input);
			break;
		case LOCAL_STEP_OUTPUT_HINT:
			tell_output(self, step.input, step.output);
			break;
		case LOCAL_STEP_START:
			start_child(self, step.input, step.output);
			break;
		case LOCAL_STEP_STOP:
			local_children_stop(self->children, step.output->serial);
			break;
		case LOCAL_STEP_NONE:
			return;
		}
	}
}

static bool is_known(void *context, const char *id)
{
	struct provider *self = context;

	return local_find(&self->core, text_of(id)) != NULL;
}

static void arm(struct provider *self, struct ev_timer *timer, int64_t pause_ms)
{
	ev_timer_stop(self->options.loop, timer);
	ev_now_update(self->options.loop);
	ev_timer_set(timer, (double)(pause_ms > 0 ? pause_ms : 0) / 1000, 0);
	ev_timer_start(self->options.loop, timer);
}

static void arm_wake(struct provider *self)
{
	int64_t due_ms = local_deadline(&self->core);

	ev_timer_stop(self->options.loop, &self->wake);
	if (due_ms != INT64_MAX)
		arm(self, &self->wake, due_ms - daemon_now_ms());
}

/* Sooner if there is a reason, never later: turns come at any time. */
static void arm_poll(struct provider *self)
{
	int64_t pause_ms = local_is_waiting(&self->core) ? LOCAL_POLL_SOON_MS : LOCAL_POLL_MS;

	if (!ev_is_active(&self->poll) ||
	    ev_timer_remaining(self->options.loop, &self->poll) * 1000 > (double)pause_ms)
		arm(self, &self->poll, pause_ms);
}

static void on_turn(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct provider *self = timer->data;
	struct job *job, *next;

	(void)loop;
	(void)events;
	while ((job = find_job(self, JOB_NEW, false)))
		local_job_serve(job);
	follow(self);
	/* What they say may bring calls, which come behind the last. */
	for (job = self->first; job; job = next) {
		next = job->next;
		if (job->state == JOB_ENDING)
			local_job_end(job);
	}
	if (find_job(self, JOB_NEW, true) || self->look_owed)
		look(self);
	if (self->sweep_owed)
		local_files_sweep(self->config.media_dir, is_known, self);
	self->sweep_owed = false;
	arm_poll(self);
	arm_wake(self);
}

/* The work is done from the loop, never from where it comes up. */
void local_take_turn(struct provider *self)
{
	if (!ev_is_active(&self->turn))
		arm(self, &self->turn, 0);
}

static void on_poll(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	look(timer->data);
}

static void on_wake(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	local_take_turn(timer->data);
}

static void on_moved(void *context, uint64_t serial)
{
	struct provider *self = context;

	local_child_moved(&self->core, serial, daemon_now_ms());
	local_take_turn(self);
}

static void on_ended(void *context, uint64_t serial, const char *error)
{
	struct provider *self = context;

	local_child_ended(&self->core, serial, error, daemon_now_ms());
	local_take_turn(self);
}

/* ---- callbacks of the media server ---- */

struct callback_texts {
	char app[32], name[INPUT_ID_MAX + 1], key[LOCAL_KEY_LENGTH + 1], client[20];
};

static bool read_callback(struct text body, struct callback_texts *texts,
			  struct local_callback *out)
{
	*texts = (struct callback_texts){ 0 };
	/* Without a key, or with one that is too long, it is a wrong one. */
	if (!local_form_field(body, "key", texts->key, sizeof texts->key))
		texts->key[0] = '\0';
	if (!local_form_field(body, "app", texts->app, sizeof texts->app) ||
	    !local_form_field(body, "name", texts->name, sizeof texts->name) ||
	    !local_form_field(body, "clientid", texts->client, sizeof texts->client) ||
	    !local_is_name(text_of(texts->name)) ||
	    !local_number(text_of(texts->client), &out->client))
		return false;
	out->app = text_of(texts->app);
	out->name = text_of(texts->name);
	out->key = text_of(texts->key);
	return true;
}

static bool is_loopback(const char *peer)
{
	return strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0;
}

static unsigned on_publish(void *context, const struct managed_http_request *request)
{
	static const char *const words[] = {
		[LOCAL_ALLOWED] = "allowed",
		[LOCAL_DENIED_UNKNOWN] = "unknown",
		[LOCAL_DENIED_KEY] = "wrong key",
		[LOCAL_DENIED_LIVE] = "already live",
	};
	struct provider *self = context;
	struct callback_texts texts;
	struct local_callback callback;
	enum local_verdict verdict;

	if (!is_loopback(request->peer) || !read_callback(request->body, &texts, &callback))
		return 403;
	verdict = local_publish(&self->core, &callback, daemon_now_ms());
	secret_wipe(texts.key, sizeof texts.key);
	log_limited_by("local.publish", words[verdict], log_str("input_id", texts.name),
		       log_str("verdict", words[verdict]));
	if (verdict != LOCAL_ALLOWED)
		return 403;
	local_take_turn(self);
	return 200;
}

static unsigned on_publish_done(void *context, const struct managed_http_request *request)
{
	struct provider *self = context;
	struct callback_texts texts;
	struct local_callback callback;

	if (!is_loopback(request->peer) || !read_callback(request->body, &texts, &callback))
		return 403;
	secret_wipe(texts.key, sizeof texts.key);
	local_publish_done(&self->core, &callback);
	local_take_turn(self);
	return 200;
}

/* ---- the driver ---- */

static void put(struct text text, char *buffer, size_t size)
{
	/* What is too long was refused when the event was read. */
	text_put(text, buffer, size);
}

/* Without memory there is no answer: the one call that stays open. */
static struct job *job_new(struct provider *self, enum stream_event_type type, uint64_t call)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job) {
		log_error("local.no_memory", log_u64("call", call));
		return NULL;
	}
	job->provider = self;
	job->type = type;
	job->call = call;
	*self->last = job;
	self->last = &job->next;
	local_take_turn(self);
	return job;
}

static void adopt(struct provider *self, const struct stream_event *event)
{
	char id[INPUT_ID_MAX + 1];

	if (!local_adopt(&self->core, event->provider_adopt.input_id, event->provider_adopt.ingest))
		log_warn("local.not_adopted",
			 log_str("input_id",
				 text_put(event->provider_adopt.input_id, id, sizeof id)));
}

static void local_call(struct provider *self, const struct stream_event *event)
{
	struct text id = { 0 }, url = { 0 };
	uint64_t call = 0, output = 0, page = 0;
	struct job *job;

	switch ((int)event->type) {
	case EVENT_PROVIDER_ADOPT:
		adopt(self, event);
		return;
	case EVENT_PROVIDER_CREATE:
		call = event->provider_create.call;
		id = event->stream_id;
		put(event->provider_create.mark, self->mark, sizeof self->mark);
		break;
	case EVENT_PROVIDER_DESCRIBE:
		call = event->provider_describe.call;
		id = event->provider_describe.input_id;
		break;
	case EVENT_PROVIDER_DELETE:
		call = event->provider_delete.call;
		id = event->provider_delete.input_id;
		break;
	case EVENT_PROVIDER_LIST:
		call = event->provider_list.call;
		page = event->provider_list.page;
		break;
	case EVENT_PROVIDER_OUTPUT_ADD:
		call = event->provider_output_add.call;
		id = event->provider_output_add.input_id;
		output = event->provider_output_add.output;
		url = event->provider_output_add.url;
		break;
	case EVENT_PROVIDER_OUTPUT_REMOVE:
		call = event->provider_output_remove.call;
		id = event->provider_output_remove.input_id;
		output = event->provider_output_remove.output;
		break;
	case EVENT_PROVIDER_QUOTA:
		call = event->provider_quota.call;
		break;
	default:
		return; /* none of ours */
	}
	job = job_new(self, event->type, call);
	if (!job)
		return;
	job->output = output;
	job->page = page;
	put(id, job->id, sizeof job->id);
	put(url, job->url, sizeof job->url);
}

static void local_settled(struct provider *self)
{
	self->settled = self->sweep_owed = self->look_owed = true;
	local_take_turn(self);
}

static void local_shut(struct provider *self)
{
	if (!self)
		return;
	ev_timer_stop(self->options.loop, &self->turn);
	ev_timer_stop(self->options.loop, &self->poll);
	ev_timer_stop(self->options.loop, &self->wake);
	http_client_close(self->client);
	local_children_close(self->children);
	while (self->first)
		local_job_free(self->first);
	secret_wipe(&self->core, sizeof self->core);
	free(self);
}

/* Where this installation listens: no copy of a stream is to come back to it. */
static void list_ports(const struct config *config, char *out, size_t size)
{
	const char *const listens[] = { config->local_rtmp_listen, config->local_http_listen,
					config->local_control_listen, config->managed_listen,
					config->gateway_listen };
	size_t length = 0;

	for (size_t i = 0; i < sizeof listens / sizeof listens[0]; i++) {
		char host[CONFIG_HOST_SIZE];
		uint16_t port;

		if (config_split_listen(listens[i], host, &port))
			length += (size_t)snprintf(out + length, size - length, "%s%u",
						   length ? "," : "", port);
	}
}

static int open_parts(struct provider *self)
{
	const struct config *config = self->options.config;
	int r = http_client_open(
		&(struct http_client_options){ .loop = self->options.loop,
					       .connections_max = CONNECTIONS_MAX },
		&self->client);

	list_ports(config, self->own_ports, sizeof self->own_ports);
	if (r == 0)
		r = local_children_open(
			&(struct local_children_options){ .loop = self->options.loop,
							  .own_ports = self->own_ports,
							  .private_ok =
								  config->managed_private_outputs,
							  .moved = on_moved,
							  .ended = on_ended,
							  .context = self },
			&self->children);
	return err_pass(r);
}

static int local_open(const struct provider_options *options, struct provider **out)
{
	struct provider *self = calloc(1, sizeof *self);
	int r;

	if (!self)
		return err_raise(-ENOMEM);
	self->options = *options;
	self->last = &self->first;
	local_init(&self->core);
	ev_timer_init(&self->turn, on_turn, 0, 0);
	ev_timer_init(&self->poll, on_poll, 0, 0);
	ev_timer_init(&self->wake, on_wake, 0, 0);
	self->turn.data = self->poll.data = self->wake.data = self;
	r = local_config_make(options->config, options->run_dir, &self->config);
	if (r > 0) {
		log_error("local.config_refused", log_str("reason", local_config_words(r)));
		local_shut(self);
		return DAEMON_EXIT_CONFIG;
	}
	r = open_parts(self);
	if (r < 0) {
		local_shut(self);
		return err_pass(r);
	}
	managed_http_route(options->http, "/on_publish", on_publish, self);
	managed_http_route(options->http, "/on_publish_done", on_publish_done, self);
	self->look_owed = true;
	local_take_turn(self);
	*out = self;
	return 0;
}

const struct provider_driver provider_local = {
	.kind = PROVIDER_LOCAL,
	.open = local_open,
	.call = local_call,
	.settled = local_settled,
	.close = local_shut,
};
