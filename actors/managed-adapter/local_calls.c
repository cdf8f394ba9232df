/* SPDX-License-Identifier: MIT */
/* local_calls.c - how each call to the local provider is answered. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "actors/managed-adapter/local_files.h"
#include "actors/managed-adapter/local_internal.h"
#include "actors/managed-adapter/local_text.h"
#include "proto/list.h"

#define AGAIN_MS 300 /* who was let in a moment ago cannot be dropped yet */

/* ---- answers ---- */

void local_job_free(struct job *job)
{
	struct provider *self = job->provider;
	struct job **at = &self->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (self->last == &job->next)
		self->last = at;
	explicit_bzero(job, sizeof *job);
	free(job);
}

/* The last thing done with a job: what is said may bring the next call.  Call 0 is part of an
 * adoption, which is not answered.
 */
static void answer(struct job *job, struct stream_event *event)
{
	struct provider *self = job->provider;

	if (job->call == 0) {
		local_job_free(job);
		return;
	}
	if (event->type == EVENT_PROVIDER_PAGE)
		event->provider_page.call = job->call;
	else
		event->provider_done.call = job->call;
	self->options.say(self->options.context, event);
	local_job_free(job);
}

static void finish(struct job *job, enum call_outcome outcome, const char *detail)
{
	struct stream_event event = { .type = EVENT_PROVIDER_DONE };

	if (job->type == EVENT_PROVIDER_LIST) {
		event.type = EVENT_PROVIDER_PAGE;
		event.provider_page.outcome = outcome;
		event.provider_page.detail = text_of(detail);
	} else {
		event.provider_done.outcome = outcome;
		event.provider_done.detail = text_of(detail);
	}
	answer(job, &event);
}

static void finish_away(struct job *job)
{
	char detail[LOCAL_BASE_SIZE + 64];

	snprintf(detail, sizeof detail, "the media server does not answer on %s",
		 job->provider->options.config->local_control_listen);
	finish(job, CALL_RETRY, detail);
}

/* ---- calls that wait for a look ---- */

/* The addresses of an input; @event borrows from @buffers. */
struct addresses {
	char ingest[URL_MAX + 1];
	char hls[LOCAL_ADDRESS_SIZE],
		dash[LOCAL_ADDRESS_SIZE]; /* local_config_make() saw to it that they fit */
};

static void put_playback(const struct provider *self, const struct local_input *input,
			 struct addresses *buffers, struct stream_event *event)
{
	snprintf(buffers->hls, sizeof buffers->hls, "%s/hls/%s/index.m3u8", self->config.http_url,
		 input->id);
	snprintf(buffers->dash, sizeof buffers->dash, "%s/dash/%s.mpd", self->config.http_url,
		 input->id);
	event->provider_done.hls = text_of(buffers->hls);
	event->provider_done.dash = text_of(buffers->dash);
}

static void make_key(char key[LOCAL_KEY_LENGTH + 1])
{
	unsigned char bytes[LOCAL_KEY_LENGTH / 2];

	while (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		continue;
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(key + 2 * i, 3, "%02x", bytes[i]);
}

static void serve_create(struct job *job)
{
	struct provider *self = job->provider;
	struct stream_event event = { .type = EVENT_PROVIDER_DONE };
	struct addresses buffers;
	char key[LOCAL_KEY_LENGTH + 1];
	struct local_input *input;

	make_key(key);
	input = local_create(&self->core, text_of(job->id), key);
	explicit_bzero(key, sizeof key);
	if (!input || input->closing) {
		finish(job, input ? CALL_RETRY : CALL_REFUSED,
		       input ? "the input is being deleted" : "no room for another input");
		return;
	}
	snprintf(buffers.ingest, sizeof buffers.ingest, "%s/%s?key=%s", self->config.rtmp_url,
		 input->id, input->key);
	put_playback(self, input, &buffers, &event);
	event.provider_done.outcome = CALL_OK;
	event.provider_done.input_id = text_of(input->id);
	event.provider_done.ingest = text_of(buffers.ingest);
	answer(job, &event);
	explicit_bzero(&buffers, sizeof buffers);
}

static void serve_describe(struct job *job)
{
	struct provider *self = job->provider;
	struct stream_event event = { .type = EVENT_PROVIDER_DONE };
	const struct local_input *input = local_find(&self->core, text_of(job->id));
	struct addresses buffers;

	if (!input) {
		finish(job, CALL_GONE, "no such input");
		return;
	}
	put_playback(self, input, &buffers, &event);
	event.provider_done.outcome = CALL_OK;
	event.provider_done.ingest_state = input->ingest;
	event.provider_done.playable = input->ingest == INGEST_LIVE &&
				       local_files_playable(self->config.media_dir, input->id);
	answer(job, &event);
}

static void put_row(struct list_writer *list, const struct provider *self,
		    const struct local_input *input)
{
	list_open_member(list, 4);
	list_put_text(list, text_of(input->id));
	list_put_text(list, text_of(self->mark));
	list_put_text(list, text_of(input->id)); /* the stream that it was made for */
	list_put_u64(list, 0);
	(void)list_close_member(list);
}

/* Page N begins at slot N of the table: what comes and goes meanwhile moves nothing. */
static void serve_list(struct job *job)
{
	struct provider *self = job->provider;
	struct stream_event event = { .type = EVENT_PROVIDER_PAGE };
	uint8_t bytes[INPUTS_BYTES];
	struct list_writer list;
	uint64_t rows = 0, slot = job->page;

	list_begin(&list, bytes, sizeof bytes);
	for (; slot < LOCAL_INPUTS_MAX && rows < INPUTS_PER_PAGE_MAX; slot++) {
		if (!self->core.inputs[slot].id[0])
			continue;
		put_row(&list, self, &self->core.inputs[slot]);
		rows++;
	}
	for (size_t i = 0; i < LOCAL_INPUTS_MAX; i++)
		event.provider_page.total += self->core.inputs[i].id[0] != '\0';
	event.provider_page.outcome = CALL_OK;
	event.provider_page.inputs = list_end(&list);
	event.provider_page.next_page = slot < LOCAL_INPUTS_MAX ? slot : 0;
	if (job->page == 0)
		self->sweep_owed = self->settled;
	answer(job, &event);
}

/* ---- cutting a publisher off ---- */

static void on_dropped(void *context, const struct http_answer *http)
{
	struct job *job = context;
	struct provider *self = job->provider;
	struct local_input *input = local_find(&self->core, text_of(job->id));
	uint64_t count = 0;

	if (http->fate != HTTP_ANSWERED || http->status != 200) {
		finish_away(job);
		return;
	}
	(void)local_number(http->body, &count);
	/* It was let in a moment ago and is not there yet, or it is nobody's input and goes right
	 * now: the next try will find it, or see it gone.
	 */
	if (input ? input->client != 0 && count == 0 : count > 0) {
		struct stream_event event = { .type = EVENT_PROVIDER_DONE };

		event.provider_done.outcome = CALL_RETRY;
		event.provider_done.retry_ms = AGAIN_MS;
		event.provider_done.detail = TEXT("the publisher is just coming or going");
		answer(job, &event);
		return;
	}
	job->state = JOB_ENDING;
	local_job_end(job);
	local_take_turn(self);
}

bool local_drop(struct provider *self, struct text name,
		void (*done)(void *context, const struct http_answer *http), void *context)
{
	static const char *const headers[] = { NULL };
	char url[LOCAL_ADDRESS_SIZE];

	snprintf(url, sizeof url, "%s/control/drop/publisher?app=" LOCAL_APP "&name=%.*s",
		 self->config.control_url, (int)name.length, name.bytes);
	return http_client_start(self->client, &(struct http_request){
						       .method = "GET",
						       .url = url,
						       .headers = headers,
						       .timeout_ms = LOCAL_LOOK_TIMEOUT_MS,
						       .answer_max = 64,
						       .done = done,
						       .context = context,
					       });
}

static void serve_delete(struct job *job)
{
	struct provider *self = job->provider;
	struct local_input *input = local_find(&self->core, text_of(job->id));

	if (!local_is_name(text_of(job->id))) {
		finish(job, CALL_GONE, "no such input");
		return;
	}
	job->known = input != NULL;
	if (input)
		local_close(input);
	job->state = JOB_DROPPING;
	if (!local_drop(self, text_of(job->id), on_dropped, job))
		finish_away(job);
}

/* ---- calls that wait for children ---- */

void local_job_end(struct job *job)
{
	struct provider *self = job->provider;
	struct local_input *input = local_find(&self->core, text_of(job->id));

	if (job->type == EVENT_PROVIDER_OUTPUT_REMOVE) {
		if (!input || !local_output_find(input, job->output))
			finish(job, CALL_OK, "");
		return;
	}
	/* Until the publisher is gone, the media server writes its list of segments anew. */
	if (input && (input->client != 0 || !local_is_quiet(input)))
		return;
	if (input)
		local_forget(input);
	local_files_end(self->config.media_dir, job->id);
	finish(job, job->known ? CALL_OK : CALL_GONE, "");
}

static void serve_output_add(struct job *job)
{
	struct provider *self = job->provider;
	struct local_input *input = local_find(&self->core, text_of(job->id));
	struct stream_event event = { .type = EVENT_PROVIDER_DONE };
	struct local_destination destination;
	struct local_output *output;
	char remote_id[24];

	if (!input || input->closing) {
		finish(job, CALL_GONE, "no such input");
		return;
	}
	if (!local_destination_read(text_of(job->url), &destination)) {
		finish(job, CALL_REFUSED, "the destination must be rtmp(s)://host/app/key");
		return;
	}
	explicit_bzero(&destination, sizeof destination);
	output = local_output_add(input, job->output, text_of(job->url));
	if (!output) {
		finish(job, CALL_REFUSED, "no room for another output");
		return;
	}
	/* What the ledger has of an earlier life's is old. */
	if (job->call == 0)
		output->told = OUTPUT_NONE;
	snprintf(remote_id, sizeof remote_id, "%" PRIu64, job->output);
	event.provider_done.outcome = CALL_OK;
	event.provider_done.remote_id = text_of(remote_id);
	answer(job, &event);
}

static void serve_output_remove(struct job *job)
{
	struct local_input *input = local_find(&job->provider->core, text_of(job->id));
	struct local_output *output = input ? local_output_find(input, job->output) : NULL;

	if (!output) {
		finish(job, CALL_GONE, "no such output");
		return;
	}
	local_output_remove(output);
	job->state = JOB_ENDING;
	local_job_end(job);
}

void local_job_serve(struct job *job)
{
	switch ((int)job->type) {
	case EVENT_PROVIDER_OUTPUT_ADD:
		serve_output_add(job);
		return;
	case EVENT_PROVIDER_OUTPUT_REMOVE:
		serve_output_remove(job);
		return;
	default:
		finish(job, CALL_OK, ""); /* quota: there is none */
		return;
	}
}

void local_job_serve_looked(struct job *job)
{
	if (!job->provider->up) {
		finish_away(job);
		return;
	}
	switch ((int)job->type) {
	case EVENT_PROVIDER_CREATE:
		serve_create(job);
		return;
	case EVENT_PROVIDER_DESCRIBE:
		serve_describe(job);
		return;
	case EVENT_PROVIDER_DELETE:
		serve_delete(job);
		return;
	default:
		serve_list(job);
		return;
	}
}

bool local_job_needs_look(const struct job *job)
{
	return job->type == EVENT_PROVIDER_CREATE || job->type == EVENT_PROVIDER_DESCRIBE ||
	       job->type == EVENT_PROVIDER_DELETE || job->type == EVENT_PROVIDER_LIST;
}
