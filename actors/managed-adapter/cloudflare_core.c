/* SPDX-License-Identifier: MIT */
/* cloudflare_core.c - calls and answers, and what may be asked when. */
#include <assert.h>
#include <stdio.h>

#include "actors/managed-adapter/cloudflare_internal.h"

#define SLOT_MS (CLOUDFLARE_BUDGET_MS / (CLOUDFLARE_BUDGET_SLOTS - 1))

void cloudflare_init(struct cloudflare *self, const struct cloudflare_options *options)
{
	struct text domain = options->customer_domain;
	bool scheme = domain.length >= 4 && memcmp(domain.bytes, "http", 4) == 0;

	self->options = *options;
	if (domain.length > 0)
		snprintf(self->host, sizeof self->host, "%s%.*s", scheme ? "" : "https://",
			 (int)domain.length, domain.bytes);
}

/* ---- the budget of the token, and its blocks ---- */

static void budget_turn(struct cloudflare *self, int64_t now_ms)
{
	int64_t slot = now_ms / SLOT_MS;

	for (int i = 0; i < CLOUDFLARE_BUDGET_SLOTS && self->budget_slot < slot; i++)
		self->spent[++self->budget_slot % CLOUDFLARE_BUDGET_SLOTS] = 0;
	self->budget_slot = slot;
}

uint32_t cloudflare_spent(const struct cloudflare *self)
{
	uint32_t sum = 0;

	for (int i = 0; i < CLOUDFLARE_BUDGET_SLOTS; i++)
		sum += self->spent[i];
	return sum;
}

bool cloudflare_low(const struct cloudflare *self, int64_t now_ms)
{
	return cloudflare_spent(self) > self->options.requests_max / 2 || now_ms < self->slow_ms;
}

/* Until the oldest requests are older than the budget's time. */
static int64_t budget_wait_ms(const struct cloudflare *self, int64_t now_ms)
{
	int64_t slot = self->budget_slot - CLOUDFLARE_BUDGET_SLOTS + 1;

	while (slot < self->budget_slot &&
	       (slot < 0 || self->spent[slot % CLOUDFLARE_BUDGET_SLOTS] == 0))
		slot++;
	return (slot + CLOUDFLARE_BUDGET_SLOTS) * SLOT_MS - now_ms;
}

/* 0: it may be asked now.  A tenth of the budget is for deletes alone. */
static int64_t gate_ms(struct cloudflare *self, bool is_delete, int64_t now_ms)
{
	int64_t most = self->options.requests_max;
	int64_t opens_ms = is_delete ? self->blocked_ms : self->slow_ms;

	budget_turn(self, now_ms);
	if (now_ms < opens_ms)
		return opens_ms - now_ms;
	if (cloudflare_spent(self) < (is_delete ? most : most - most / 10))
		return 0;
	return budget_wait_ms(self, now_ms);
}

static void block(struct cloudflare *self, int64_t until_ms)
{
	if (until_ms > self->blocked_ms)
		self->blocked_ms = until_ms;
	if (until_ms + CLOUDFLARE_DELETES_FIRST_MS > self->slow_ms)
		self->slow_ms = until_ms + CLOUDFLARE_DELETES_FIRST_MS;
}

/* What every answer of the API says about the token. */
static void learn_limits(struct cloudflare *self, const struct cloudflare_answer *answer,
			 const struct cloudflare_verdict *verdict, int64_t now_ms)
{
	uint64_t left;
	int64_t reset_ms;

	if (verdict->retry_ms > 0)
		block(self, now_ms + verdict->retry_ms);
	if (verdict->outcome == CALL_UNCONFIGURED)
		self->unconfigured_ms = now_ms + CLOUDFLARE_UNCONFIGURED_MS;
	if (cloudflare_ratelimit(answer->ratelimit, &left, &reset_ms) &&
	    left < CLOUDFLARE_LEFT_MIN && now_ms + reset_ms > self->slow_ms)
		self->slow_ms = now_ms + reset_ms;
}

/* ---- asking and saying ---- */

static bool is_delete(enum cloudflare_step step)
{
	return step >= CLOUDFLARE_DELETE_DISABLE && step <= CLOUDFLARE_DELETE_INPUT;
}

static void say_retry(const struct cloudflare_turn *turn, int64_t retry_ms, const char *detail)
{
	struct stream_event *event = cloudflare_say(turn, CALL_RETRY, detail);

	if (event->type == EVENT_PROVIDER_PAGE)
		event->provider_page.retry_ms = retry_ms;
	else
		event->provider_done.retry_ms = retry_ms;
}

void cloudflare_ask(const struct cloudflare_turn *turn, enum cloudflare_step step)
{
	struct cloudflare *self = turn->self;
	struct cloudflare_job *job = turn->job;
	int64_t wait_ms;

	job->step = step;
	if (++job->requests > CLOUDFLARE_REQUESTS_MAX) {
		say_retry(turn, CLOUDFLARE_BUSY_MS, "more is left to do");
		return;
	}
	if (!job->request.playback) {
		if (turn->now_ms < self->unconfigured_ms) {
			(void)cloudflare_say(turn, CALL_UNCONFIGURED,
					     "the provider does not accept our token");
			return;
		}
		wait_ms = gate_ms(self, is_delete(step), turn->now_ms);
		if (wait_ms > 0) {
			say_retry(turn, wait_ms, "the provider's rate limit");
			return;
		}
		self->spent[self->budget_slot % CLOUDFLARE_BUDGET_SLOTS]++;
	}
	turn->fx->request = &job->request;
	turn->fx->slot = (unsigned)(job - self->jobs);
}

struct stream_event *cloudflare_say(const struct cloudflare_turn *turn, enum call_outcome outcome,
				    const char *detail)
{
	struct cloudflare_effects *fx = turn->fx;
	struct cloudflare_job *job = turn->job;
	struct stream_event *event = &fx->say[fx->says++];

	snprintf(fx->detail, sizeof fx->detail, "%s", detail);
	*event = (struct stream_event){
		.type = job->step == CLOUDFLARE_LIST ? EVENT_PROVIDER_PAGE : EVENT_PROVIDER_DONE,
		.user_id = text_of(job->user_id),
		.stream_id = text_of(job->stream_id),
		.epoch = job->epoch,
	};
	if (event->type == EVENT_PROVIDER_PAGE) {
		event->provider_page.call = job->call;
		event->provider_page.outcome = outcome;
		event->provider_page.detail = text_of(fx->detail);
	} else {
		event->provider_done.call = job->call;
		event->provider_done.outcome = outcome;
		event->provider_done.detail = text_of(fx->detail);
	}
	job->step = CLOUDFLARE_IDLE; /* its texts stay until the slot is used again */
	return event;
}

void cloudflare_fail(const struct cloudflare_turn *turn)
{
	const struct cloudflare_verdict *verdict = turn->verdict;

	/* What waits for the token is told what the others will be told. */
	if (verdict->retry_ms > 0)
		say_retry(turn, gate_ms(turn->self, is_delete(turn->job->step), turn->now_ms),
			  verdict->detail);
	else
		(void)cloudflare_say(turn, verdict->outcome, verdict->detail);
}

/* ---- calls ---- */

static struct cloudflare_job *job_free(struct cloudflare *self)
{
	for (unsigned i = 0; i < CLOUDFLARE_CALLS_MAX; i++)
		if (self->jobs[i].step == CLOUDFLARE_IDLE)
			return &self->jobs[i];
	return NULL;
}

/* What all calls have; 0: this is none. */
static uint64_t call_number(const struct stream_event *event, enum cloudflare_step *step,
			    struct text *input)
{
	*input = TEXT("0"); /* any that is one */
#define CALL(UPPER, lower, first) \
	case EVENT_##UPPER: \
		*step = first; \
		return event->lower.call;
#define CALL_ON(UPPER, lower, first) \
	case EVENT_##UPPER: \
		*step = first; \
		*input = event->lower.input_id; \
		return event->lower.call;
	switch ((int)event->type) {
		CALL(PROVIDER_CREATE, provider_create, CLOUDFLARE_CREATE)
		CALL(PROVIDER_LIST, provider_list, CLOUDFLARE_LIST)
		CALL(PROVIDER_QUOTA, provider_quota, CLOUDFLARE_QUOTA)
		CALL_ON(PROVIDER_DESCRIBE, provider_describe, CLOUDFLARE_DESCRIBE_INPUT)
		CALL_ON(PROVIDER_DELETE, provider_delete, CLOUDFLARE_DELETE_DISABLE)
		CALL_ON(PROVIDER_OUTPUT_ADD, provider_output_add, CLOUDFLARE_OUTPUT_ADD)
		CALL_ON(PROVIDER_OUTPUT_REMOVE, provider_output_remove, CLOUDFLARE_OUTPUT_REMOVE)
	default:
		return 0;
	}
#undef CALL
#undef CALL_ON
}

static void begin_create(const struct cloudflare_turn *turn, const struct stream_event *event)
{
	if (cloudflare_ask_create(&turn->job->request, event->provider_create.mark,
				  event->stream_id, turn->self->options.delete_recording_days))
		cloudflare_ask(turn, CLOUDFLARE_CREATE);
	else
		(void)cloudflare_say(turn, CALL_REFUSED, "not a mark, or not a stream id");
}

static void begin(const struct cloudflare_turn *turn, const struct stream_event *event)
{
	struct cloudflare_job *job = turn->job;

	switch ((int)event->type) {
	case EVENT_PROVIDER_CREATE:
		begin_create(turn, event);
		return;
	case EVENT_PROVIDER_LIST:
		cloudflare_begin_list(turn, event->provider_list.page);
		return;
	case EVENT_PROVIDER_QUOTA:
		cloudflare_ask_quota(&job->request);
		cloudflare_ask(turn, CLOUDFLARE_QUOTA);
		return;
	case EVENT_PROVIDER_DESCRIBE:
		cloudflare_begin_describe(turn);
		return;
	case EVENT_PROVIDER_DELETE:
		cloudflare_ask_disable(&job->request, job->input);
		cloudflare_ask(turn, CLOUDFLARE_DELETE_DISABLE);
		return;
	case EVENT_PROVIDER_OUTPUT_ADD:
		job->output = event->provider_output_add.output;
		text_put(event->provider_output_add.url, job->url, sizeof job->url);
		cloudflare_begin_output_add(turn);
		return;
	case EVENT_PROVIDER_OUTPUT_REMOVE:
		job->output = event->provider_output_remove.output;
		text_put(event->provider_output_remove.url, job->url, sizeof job->url);
		text_put(event->provider_output_remove.remote_id, job->remote, sizeof job->remote);
		cloudflare_begin_output_remove(turn);
		return;
	}
}

static void job_reset(struct cloudflare_job *job, const struct stream_event *event)
{
	job->requests = job->video_count = 0;
	job->videos_left = job->broadcast = job->not_playable = job->playable = false;
	job->output = 0;
	job->epoch = event->epoch;
	job->url[0] = job->remote[0] = '\0';
	job->seen = (struct cloudflare_input){ .state = INGEST_UNKNOWN };
	text_put(event->user_id, job->user_id, sizeof job->user_id);
	text_put(event->stream_id, job->stream_id, sizeof job->stream_id);
}

static void effects_empty(struct cloudflare_effects *fx)
{
	fx->request = NULL;
	fx->says = 0;
}

void cloudflare_call(struct cloudflare *self, const struct stream_event *event, int64_t now_ms,
		     struct cloudflare_effects *fx)
{
	struct cloudflare_job spare = { 0 }, *job = job_free(self);
	struct cloudflare_turn turn = { .self = self, .now_ms = now_ms, .fx = fx };
	enum cloudflare_step step = CLOUDFLARE_IDLE;
	struct text input;
	uint64_t call = call_number(event, &step, &input);

	effects_empty(fx);
	if (call == 0)
		return;
	turn.job = job ? job : &spare;
	turn.job->call = call;
	turn.job->step = step;
	if (!job) {
		say_retry(&turn, CLOUDFLARE_BUSY_MS, "too many calls at once");
		fx->say[0].user_id = fx->say[0].stream_id = (struct text){ 0 };
		return;
	}
	job_reset(job, event);
	if (!cloudflare_is_id(input)) {
		(void)cloudflare_say(&turn, CALL_REFUSED, "not the id of an input");
		return;
	}
	text_put(input, job->input, sizeof job->input);
	begin(&turn, event);
}

/* ---- answers ---- */

typedef void on_answer(const struct cloudflare_turn *turn);

static on_answer *const on_step[CLOUDFLARE_STEP_COUNT] = {
	[CLOUDFLARE_CREATE] = cloudflare_on_create,
	[CLOUDFLARE_DESCRIBE_LIFECYCLE] = cloudflare_on_lifecycle,
	[CLOUDFLARE_DESCRIBE_INPUT] = cloudflare_on_input,
	[CLOUDFLARE_DESCRIBE_OUTPUTS] = cloudflare_on_outputs,
	[CLOUDFLARE_DELETE_DISABLE] = cloudflare_on_disabled,
	[CLOUDFLARE_DELETE_VIDEOS] = cloudflare_on_videos,
	[CLOUDFLARE_DELETE_VIDEO] = cloudflare_on_video_deleted,
	[CLOUDFLARE_DELETE_INPUT] = cloudflare_on_deleted,
	[CLOUDFLARE_LIST] = cloudflare_on_list,
	[CLOUDFLARE_OUTPUT_LOOK] = cloudflare_on_output_look,
	[CLOUDFLARE_OUTPUT_ADD] = cloudflare_on_output_add,
	[CLOUDFLARE_OUTPUT_FIND] = cloudflare_on_output_find,
	[CLOUDFLARE_OUTPUT_REMOVE] = cloudflare_on_output_remove,
	[CLOUDFLARE_QUOTA] = cloudflare_on_quota,
};

void cloudflare_answer(struct cloudflare *self, unsigned slot,
		       const struct cloudflare_answer *answer, int64_t now_ms,
		       struct cloudflare_effects *fx)
{
	struct cloudflare_verdict verdict;
	struct cloudflare_turn turn = {
		.self = self,
		.job = &self->jobs[slot],
		.answer = answer,
		.verdict = &verdict,
		.now_ms = now_ms,
		.fx = fx,
	};

	assert(slot < CLOUDFLARE_CALLS_MAX && turn.job->step != CLOUDFLARE_IDLE);
	effects_empty(fx);
	cloudflare_judge(&turn.job->request, answer, &verdict);
	if (!turn.job->request.playback)
		learn_limits(self, answer, &verdict, now_ms);
	on_step[turn.job->step](&turn);
}

/* ---- webhooks ---- */

/* It may come twice and out of order: what is not newer than the newest is not news. */
unsigned cloudflare_hook(struct cloudflare *self, struct text body, struct cloudflare_effects *fx)
{
	struct cloudflare_note *note;

	effects_empty(fx);
	if (!cloudflare_read_hook(body, &fx->hook))
		return 400;
	note = cloudflare_note(self, fx->hook.id);
	if (note->updated[0] && fx->hook.updated[0] &&
	    !cloudflare_later(fx->hook.updated, note->updated))
		return 200;
	memcpy(note->updated, fx->hook.updated, sizeof note->updated);
	fx->say[fx->says++] = (struct stream_event){
		.type = EVENT_PROVIDER_HINT,
		.provider_hint = { .input_id = text_of(fx->hook.id),
				   .ingest = fx->hook.state,
				   .detail = text_of(fx->hook.detail) },
	};
	return 200;
}
