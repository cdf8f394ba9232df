/* SPDX-License-Identifier: MIT */
/* sim_provider.c - the way to a provider and back: a call travels, has its effect or none, and the
 * answer travels, or the driver says after a while that it does not know.
 *
 * Once a call has left, its effect comes whether the adapter lives or not; the answer is for the
 * life that asked.
 */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim_world.h"

#define CALL_TIMEOUT_MS 10000 /* of the driver: managed.create_timeout_ms */
#define RETRY_MAX_MS 20000
#define SLOW_PPM 30000
#define SLOW_MAX_MS 7900 /* with the rest below the timeout */
#define LATE_PPM 300000 /* of the calls that time out: the effect comes behind that */
#define LATE_MAX_MS 15000
#define MAIL_SIZE (STREAM_EVENT_WIRE_MAX + 64)

/* Either way: an event, as bytes. */
struct sim_mail {
	struct sim *sim;
	struct sim_mail *next; /* that waits for the adapter */
	struct sim_mail *all_next, **all_prev;
	uint64_t life; /* of the adapter that asked; 0: for whoever is there */
	int64_t back_ms; /* a call: how long its answer takes */
	enum call_outcome fate; /* a call; CALL_OK: what it comes to */
	size_t length;
	uint8_t bytes[];
};

static uint64_t draw(struct sim *self, uint64_t bound)
{
	return sim_below(self, SIM_PROVIDER, bound);
}

static int64_t between(struct sim *self, int64_t least, int64_t most)
{
	return least + (int64_t)draw(self, (uint64_t)(most - least) + 1);
}

void sim_provider_draw(struct sim *self)
{
	struct sim_provider_plan *plan = &self->provider.plan;
	uint64_t kind = draw(self, 16);

	plan->kind = kind == 0 ? PROVIDER_NONE : kind < 5 ? PROVIDER_LOCAL : PROVIDER_CLOUDFLARE;
	plan->idempotent = draw(self, 2) == 0;
	plan->ages = draw(self, 4) != 0;
	plan->totals = draw(self, 2) == 0;
	plan->page = 1 + (unsigned)draw(self, INPUTS_PER_PAGE_MAX);
	plan->foreign = (unsigned)draw(self, 24);
	plan->latency_ms = between(self, 1, plan->kind == PROVIDER_LOCAL ? 5 : 1000);
	plan->retry_ppm = (uint32_t)draw(self, 300000);
	plan->refuse_ppm = (uint32_t)draw(self, 100000);
	plan->lost_ppm = (uint32_t)draw(self, 300000);
	plan->stubborn_ppm = (uint32_t)draw(self, 500000);
	plan->hint_lost_ppm = (uint32_t)draw(self, 500000);
	plan->hint_double_ppm = (uint32_t)draw(self, 500000);
	plan->churn_ms = between(self, 200, 30000);
	plan->reconcile_ms = 1000 * between(self, 10, 60);
	plan->leak_age_s = between(self, 20, 90);
	plan->request_timeout_ms = between(self, 0, 2) ? 28000 : 12000;
	plan->create_tries = (uint32_t)between(self, 1, 4);
	plan->provisions_per_user = (uint32_t)between(self, 2, 12);
	plan->provisions = (uint32_t)between(self, 10, 300);
	plan->owed_per_user = (uint32_t)between(self, 2, 9);
}

/* Mail ------------------------------------------------------------------------------------------
 */

static struct sim_mail *write_mail(struct sim *self, const struct stream_event *event)
{
	uint8_t wire[MAIL_SIZE];
	ssize_t length = stream_event_encode(event, STREAM_EVENT_ADDRESSED, wire, sizeof wire);
	struct sim_mail *mail;

	assert(length > 0);
	mail = malloc(sizeof *mail + (size_t)length);
	assert(mail);
	*mail = (struct sim_mail){ .sim = self,
				   .all_next = self->provider.mails,
				   .all_prev = &self->provider.mails,
				   .length = (size_t)length };
	memcpy(mail->bytes, wire, (size_t)length);
	if (self->provider.mails)
		self->provider.mails->all_prev = &mail->all_next;
	self->provider.mails = mail;
	return mail;
}

static void read_mail(const struct sim_mail *mail, struct stream_event *out)
{
	struct wire wire = { mail->bytes, mail->bytes + mail->length };
	int r = stream_event_read(&wire, out);

	assert(r == 0);
}

static void free_mail(struct sim_mail *mail)
{
	*mail->all_prev = mail->all_next;
	if (mail->all_next)
		mail->all_next->all_prev = mail->all_prev;
	free(mail);
}

/* Back ------------------------------------------------------------------------------------------
 */

static void on_said(void *context, uint64_t tag)
{
	struct sim_mail *mail = context;
	struct sim *self = mail->sim;
	struct sim_process_state *process = &self->processes[SIM_MANAGED];
	struct sim_provider *provider = &self->provider;

	(void)tag;
	if (!process->up || (mail->life != 0 && mail->life != process->life)) {
		if (mail->life != 0)
			SIM_SOMETIMES(self, "a provider answers an adapter that has died");
		free_mail(mail);
		return;
	}
	if (provider->last)
		provider->last->next = mail;
	else
		provider->first = mail;
	provider->last = mail;
	sim_process_poke(self, process);
}

void sim_provider_say(struct sim *self, const struct stream_event *event, struct sim_saying how)
{
	struct sim_mail *mail = write_mail(self, event);

	mail->life = how.life;
	sim_at(self, self->now_ms + how.after_ms, on_said, mail, 0);
}

static struct sim_mail *take(struct sim_provider *provider)
{
	struct sim_mail *mail = provider->first;

	provider->first = mail->next;
	if (!provider->first)
		provider->last = NULL;
	return mail;
}

/* What the adapter has been told of is its own to remember. */
static void remember(struct sim *self, const struct stream_event *event, uint64_t life)
{
	struct sim_input *input;

	if (event->type != EVENT_PROVIDER_DONE || event->provider_done.ingest.length == 0)
		return;
	input = sim_input_find(self, event->provider_done.input_id);
	if (!input)
		return;
	input->told = true;
	input->told_life = life;
	input->told_ms = self->now_ms;
}

void sim_provider_step(struct sim *self, struct sim_process_state *process)
{
	for (unsigned i = 0; i < self->plan.inputs_max && self->provider.first; i++) {
		struct sim_mail *mail = take(&self->provider);
		struct input input = { .type = INPUT_MESSAGE, .peer = { .role = ROLE_PROVIDER } };
		struct stream_event event;

		read_mail(mail, &event);
		input.event = &event;
		if (!process->dying) {
			sim_trace(self, mail->bytes, mail->length);
			sim_note_event(self, "provider", "says", &event);
			remember(self, &event, process->life);
			node_feed(&process->node, &input);
		}
		free_mail(mail);
	}
}

bool sim_provider_waits(const struct sim *self, const struct sim_process_state *process)
{
	return process->id == SIM_MANAGED && self->provider.first != NULL;
}

void sim_provider_down(struct sim *self)
{
	while (self->provider.first)
		free_mail(take(&self->provider));
	if (self->provider.plan.kind == PROVIDER_LOCAL)
		sim_inputs_hide(self);
}

/* There -----------------------------------------------------------------------------------------
 */

static uint64_t call_number(const struct stream_event *call)
{
	switch (call->type) {
	case EVENT_PROVIDER_CREATE:
		return call->provider_create.call;
	case EVENT_PROVIDER_DESCRIBE:
		return call->provider_describe.call;
	case EVENT_PROVIDER_DELETE:
		return call->provider_delete.call;
	case EVENT_PROVIDER_LIST:
		return call->provider_list.call;
	case EVENT_PROVIDER_OUTPUT_ADD:
		return call->provider_output_add.call;
	case EVENT_PROVIDER_OUTPUT_REMOVE:
		return call->provider_output_remove.call;
	case EVENT_PROVIDER_QUOTA:
		return call->provider_quota.call;
	default:
		return 0;
	}
}

/* An answer to @call that says nothing but how it went. */
static struct stream_event plain(struct sim *self, const struct stream_event *call,
				 enum call_outcome outcome)
{
	struct stream_event answer = { .type = EVENT_PROVIDER_DONE,
				       .user_id = call->user_id,
				       .stream_id = call->stream_id,
				       .epoch = call->epoch };
	bool timed = draw(self, 2) == 0;
	int64_t retry_ms = between(self, 1, RETRY_MAX_MS);
	struct text detail = outcome == CALL_OK ? (struct text){ 0 } : TEXT("not today");

	retry_ms = outcome == CALL_RETRY && timed ? retry_ms : 0;
	if (call->type == EVENT_PROVIDER_LIST) {
		answer.type = EVENT_PROVIDER_PAGE;
		answer.provider_page.call = call_number(call);
		answer.provider_page.outcome = outcome;
		answer.provider_page.retry_ms = retry_ms;
		answer.provider_page.detail = detail;
		return answer;
	}
	answer.provider_done.call = call_number(call);
	answer.provider_done.outcome = outcome;
	answer.provider_done.retry_ms = retry_ms;
	answer.provider_done.detail = detail;
	return answer;
}

static void on_served(void *context, uint64_t tag)
{
	struct sim_mail *mail = context;
	struct sim *self = mail->sim;
	struct stream_event call, answer;

	(void)tag;
	read_mail(mail, &call);
	answer = plain(self, &call, mail->fate);
	sim_trace(self, mail->bytes, mail->length);
	if (mail->fate == CALL_OK)
		sim_provider_serve(self, &call, &answer);
	if (mail->life != 0 && call_number(&call) != 0)
		sim_provider_say(self, &answer, (struct sim_saying){ mail->back_ms, mail->life });
	free_mail(mail);
}

/* On the way there ------------------------------------------------------------------------------
 */

/* What is to become of a call, drawn when it leaves. */
struct fate {
	enum call_outcome outcome; /* CALL_OK: what it comes to; CALL_UNKNOWN: nobody will know */
	bool effect; /* of the unknown */
	int64_t there_ms, back_ms, lost_ms, late_ms;
};

static struct fate draw_fate(struct sim *self)
{
	const struct sim_provider_plan *plan = &self->provider.plan;
	bool local = plan->kind == PROVIDER_LOCAL;
	bool slow = sim_chance(self, SIM_PROVIDER, SLOW_PPM);
	int64_t slow_ms = between(self, 0, SLOW_MAX_MS);
	struct fate fate = { .there_ms = between(self, 0, plan->latency_ms),
			     .back_ms = between(self, 0, plan->latency_ms),
			     .effect = draw(self, 2) == 0,
			     .lost_ms = draw(self, 2) ? CALL_TIMEOUT_MS
						      : between(self, 0, CALL_TIMEOUT_MS) };
	bool late = sim_chance(self, SIM_PROVIDER, LATE_PPM);
	uint64_t drawn = draw(self, 1000000);

	fate.late_ms = between(self, 0, LATE_MAX_MS);
	if (!late)
		fate.late_ms = 0;
	if (!sim_has(self, FAULT_PROVIDER))
		return (struct fate){ CALL_OK, true, fate.there_ms, fate.back_ms, 0, 0 };
	if (slow && !local)
		fate.back_ms += slow_ms;
	fate.outcome = drawn < plan->refuse_ppm			    ? CALL_REFUSED
		       : drawn < plan->refuse_ppm + plan->retry_ppm ? CALL_RETRY
		       : !local && drawn > 1000000 - plan->lost_ppm ? CALL_UNKNOWN
								    : CALL_OK;
	return fate;
}

static void send_unknown(struct sim *self, struct sim_process_state *process,
			 const struct stream_event *call, const struct fate *fate)
{
	struct stream_event answer = plain(self, call, CALL_UNKNOWN);
	struct sim_mail *mail;

	SIM_SOMETIMES(self, "a call to the provider is never answered");
	sim_provider_say(self, &answer, (struct sim_saying){ fate->lost_ms, process->life });
	if (!fate->effect)
		return;
	SIM_SOMETIMES(self, "a call has its effect and no answer");
	mail = write_mail(self, call);
	mail->fate = CALL_OK;
	sim_at(self,
	       self->now_ms + (fate->late_ms ? fate->lost_ms + fate->late_ms : fate->there_ms),
	       on_served, mail, 0);
}

void sim_provider_call(struct sim *self, struct sim_process_state *process,
		       const struct stream_event *event)
{
	struct fate fate = draw_fate(self);
	struct stream_event call = *event;
	struct sim_mail *mail;

	/* What it is to everybody else is no part of a call. */
	call.source = (struct text){ 0 };
	if (!sim_process_acts(process))
		return;
	sim_note_event(self, "provider", "hears", event);
	if (self->observer.called)
		self->observer.called(self->observer.context, event);
	if (fate.outcome == CALL_UNKNOWN) {
		send_unknown(self, process, &call, &fate);
		return;
	}
	mail = write_mail(self, &call);
	mail->life = process->life;
	mail->fate = event->type == EVENT_PROVIDER_ADOPT ? CALL_OK : fate.outcome;
	mail->back_ms = fate.back_ms;
	sim_at(self, self->now_ms + fate.there_ms, on_served, mail, 0);
}

void sim_provider_fini(struct sim *self)
{
	while (self->provider.mails)
		free_mail(self->provider.mails);
	self->provider.first = self->provider.last = NULL;
}
