/* SPDX-License-Identifier: MIT */
/* sim_provider.h - a model of what is behind EFFECT_CALL: live inputs that somebody else keeps,
 * with answers that come late, twice or never.
 *
 * Of the provider the adapter's death changes nothing; of the driver it takes everything: what is
 * under way still has its effect, and nobody hears of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/stream_event.h"

#define SIM_INPUTS_MAX 512
#define SIM_INPUT_ID_SIZE 32
#define SIM_INGEST_SIZE 80

struct sim;
struct sim_process_state;

struct sim_output {
	bool used;
	uint64_t number; /* ours; 0: the adapter's number was not told */
	char id[SIM_INPUT_ID_SIZE];
	char url[OUTPUT_URL_MAX + 1];
};

/* A live input, as it is there, whoever knows of it. */
struct sim_input {
	bool used;
	bool foreign; /* made by somebody else, and nobody's business */
	bool hidden; /* the local driver has died since, and this life does not know it */
	bool live; /* a device publishes */
	bool told; /* an answer that named it was handed to the adapter */
	char id[SIM_INPUT_ID_SIZE], mark[MARK_MAX + 1], stream_id[STREAM_ID_MAX + 1];
	char ingest[SIM_INGEST_SIZE];
	uint64_t told_life; /* of the adapter, when it was told */
	int64_t created_ms, told_ms, live_ms;
	int64_t playable_ms; /* after so long live it can be watched */
	unsigned refusals; /* so many times a deletion has to be asked for again */
	struct sim_output outputs[OUTPUTS_MAX];
};

/* How this world's provider is; drawn once. */
struct sim_provider_plan {
	enum provider_kind kind;
	bool idempotent; /* the id of the operation makes a second create return the first input */
	bool ages; /* it tells when inputs were created */
	bool totals;
	unsigned page; /* inputs */
	unsigned foreign; /* inputs of others, in the beginning */
	int64_t latency_ms; /* most, each way */
	/* With FAULT_PROVIDER, per million calls. */
	uint32_t retry_ppm, refuse_ppm, lost_ppm, stubborn_ppm;
	uint32_t hint_lost_ppm, hint_double_ppm;
	int64_t churn_ms; /* mean time between two changes that others make */
	/* Limits and times of the adapter. */
	int64_t reconcile_ms, leak_age_s, request_timeout_ms;
	uint32_t create_tries, provisions_per_user, provisions, owed_per_user;
};

struct sim_mail;

struct sim_provider {
	struct sim_provider_plan plan;
	struct sim_input inputs[SIM_INPUTS_MAX]; /* without gaps, the oldest first */
	unsigned count;
	uint64_t made; /* ids of inputs and outputs */
	struct sim_mail *mails; /* all of them */
	struct sim_mail *first, *last; /* that wait for the adapter to take them */
};

/* sim_provider.c: calls and answers */
void sim_provider_draw(struct sim *self);
void sim_provider_call(struct sim *self, struct sim_process_state *process,
		       const struct stream_event *event);
/* sim_provider_say() - @event to the adapter in @after_ms, if the life that is there then is
 * @life, or whatever it is if that is 0; its texts are copied.
 */
struct sim_saying {
	int64_t after_ms;
	uint64_t life;
};
void sim_provider_say(struct sim *self, const struct stream_event *event, struct sim_saying how);
void sim_provider_step(struct sim *self, struct sim_process_state *process);
bool sim_provider_waits(const struct sim *self, const struct sim_process_state *process);
void sim_provider_down(struct sim *self);
void sim_provider_fini(struct sim *self);

/* sim_provider_calls.c: what a call does there; @answer is filled in, its texts are borrowed until
 * the next one.
 */
void sim_provider_serve(struct sim *self, const struct stream_event *call,
			struct stream_event *answer);

/* sim_inputs.c: the inputs */
void sim_inputs_begin(struct sim *self);
struct sim_input *sim_input_find(struct sim *self, struct text id);
struct sim_input *sim_input_of(struct sim *self, struct text mark, struct text stream_id);
/* sim_input_make() - NULL: there are too many. */
struct sim_input *sim_input_make(struct sim *self, struct text mark, struct text stream_id);
void sim_input_delete(struct sim *self, struct sim_input *input);
/* The local driver dies, and what it had made is hidden; it is told of some; the rest is gone. */
void sim_inputs_hide(struct sim *self);
bool sim_input_adopt(struct sim *self, struct text id);
void sim_inputs_settle(struct sim *self);
