/* SPDX-License-Identifier: MIT */
/* Goal: the simulator's provider behaves as real ones do, in what the managed-adapter relies on and
 * in what it must be able to bear.
 * Method: calls served one by one in a world that is nothing but inputs and a clock.
 */
#include <criterion/criterion.h>

#include "tests/sim/sim_world.h"

static struct sim world;
static unsigned hints, deleted;

void sim_at(struct sim *self, int64_t at_ms, sim_fn *fn, void *context, uint64_t tag)
{
	(void)self;
	(void)at_ms;
	(void)fn;
	(void)context;
	(void)tag;
}

uint64_t sim_below(struct sim *self, enum sim_part part, uint64_t bound)
{
	return self->random[part]++ % (bound ? bound : 1);
}

bool sim_chance(struct sim *self, enum sim_part part, uint32_t per_million)
{
	(void)part;
	return per_million > 0 && (self->plan.faults & 1u << FAULT_PROVIDER) != 0;
}

void sim_sometimes(struct sim *self, const char *what)
{
	(void)self;
	(void)what;
}

void sim_provider_say(struct sim *self, const struct stream_event *event, struct sim_saying how)
{
	(void)self;
	(void)how;
	hints += event->type == EVENT_PROVIDER_HINT;
}

static void on_deleted(void *context, const struct sim_input *input)
{
	(void)context;
	(void)input;
	deleted++;
}

static void settle(enum provider_kind kind, bool idempotent)
{
	memset(&world, 0, sizeof world);
	world.now_ms = 1000;
	world.provider.plan = (struct sim_provider_plan){
		.kind = kind, .idempotent = idempotent, .page = 2, .ages = true, .totals = true
	};
	world.observer.input_deleted = on_deleted;
	hints = deleted = 0;
}

static struct stream_event serve(struct stream_event call)
{
	struct stream_event answer = { .type = EVENT_PROVIDER_DONE };

	if (call.type == EVENT_PROVIDER_LIST)
		answer.type = EVENT_PROVIDER_PAGE;
	answer.provider_done.outcome = CALL_OK;
	sim_provider_serve(&world, &call, &answer);
	return answer;
}

static struct stream_event create(const char *stream_id)
{
	struct stream_event call = { .type = EVENT_PROVIDER_CREATE,
				     .stream_id = text_of(stream_id) };

	call.provider_create.mark = TEXT("ours");
	return serve(call);
}

static enum call_outcome delete (const char *input) {
	struct stream_event call = { .type = EVENT_PROVIDER_DELETE };

	call.provider_delete.input_id = text_of(input);
	return serve(call).provider_done.outcome;
}

static struct stream_event describe(const char *input)
{
	struct stream_event call = { .type = EVENT_PROVIDER_DESCRIBE };

	call.provider_describe.input_id = text_of(input);
	return serve(call);
}

static unsigned list(uint64_t page, uint64_t *next)
{
	struct stream_event call = { .type = EVENT_PROVIDER_LIST }, answer;
	struct wire wire;
	uint32_t count;

	call.provider_list.page = page;
	answer = serve(call);
	cr_assert(list_read(answer.provider_page.inputs, &wire, &count));
	*next = answer.provider_page.next_page;
	return count;
}

Test(sim_provider, a_second_create_is_the_first_or_another)
{
	settle(PROVIDER_CLOUDFLARE, true);
	create("m1");
	create("m1");
	cr_assert_eq(world.provider.count, 1);
	settle(PROVIDER_CLOUDFLARE, false);
	create("m1");
	create("m1");
	cr_assert_eq(world.provider.count, 2);
	settle(PROVIDER_LOCAL, false);
	create("m1");
	create("m1");
	cr_assert_eq(world.provider.count, 1);
}

Test(sim_provider, too_many_inputs)
{
	char id[STREAM_ID_SIZE];

	settle(PROVIDER_CLOUDFLARE, false);
	for (unsigned i = 0; i < SIM_INPUTS_MAX; i++) {
		stream_id_make('m', i, id);
		cr_assert_eq(create(id).provider_done.outcome, CALL_OK);
	}
	cr_assert_eq(create("m").provider_done.outcome, CALL_REFUSED);
}

Test(sim_provider, deletes_once_and_after_refusals)
{
	settle(PROVIDER_CLOUDFLARE, true);
	create("m1");
	world.provider.inputs[0].refusals = 2;
	cr_assert_eq(delete ("in000001"), CALL_RETRY);
	cr_assert_eq(delete ("in000001"), CALL_RETRY);
	cr_assert_eq(deleted, 0);
	cr_assert_eq(delete ("in000001"), CALL_OK);
	cr_assert_eq(deleted, 1);
	cr_assert_eq(delete ("in000001"), CALL_GONE);
	cr_assert_eq(describe("in000001").provider_done.outcome, CALL_GONE);
}

Test(sim_provider, lists_in_pages_that_shift)
{
	uint64_t next;

	settle(PROVIDER_CLOUDFLARE, true);
	create("m1");
	create("m2");
	create("m3");
	cr_assert_eq(list(0, &next), 2);
	cr_assert_eq(next, 1);
	cr_assert_eq(list(1, &next), 1);
	cr_assert_eq(next, 0);
	cr_assert_eq(list(0, &next), 2);
	cr_assert_eq(delete ("in000003"), CALL_OK);
	cr_assert_eq(list(1, &next), 0); /* in000001 is on the first page by now */
}

Test(sim_provider, sees_who_publishes_and_says_so)
{
	settle(PROVIDER_CLOUDFLARE, true);
	create("m1");
	world.provider.inputs[0].playable_ms = 5000;
	cr_assert_eq(describe("in000001").provider_done.ingest_state, INGEST_IDLE);
	sim_publish(&world, text_of(world.provider.inputs[0].ingest), true);
	cr_assert_eq(hints, 1);
	cr_assert_eq(describe("in000001").provider_done.ingest_state, INGEST_LIVE);
	cr_assert_not(describe("in000001").provider_done.playable);
	world.now_ms += 5000;
	cr_assert(describe("in000001").provider_done.playable);
	sim_publish(&world, text_of(world.provider.inputs[0].ingest), false);
	cr_assert_eq(describe("in000001").provider_done.ingest_state, INGEST_LOST);
	sim_publish(&world, TEXT("rtmp://elsewhere/x"), true);
	cr_assert_eq(hints, 2);
}

Test(sim_provider, a_local_driver_knows_what_it_is_told)
{
	struct stream_event adopt = { .type = EVENT_PROVIDER_ADOPT };

	settle(PROVIDER_LOCAL, true);
	create("m1");
	create("m2");
	sim_inputs_hide(&world);
	cr_assert_eq(describe("m1").provider_done.outcome, CALL_GONE);
	adopt.provider_adopt.input_id = TEXT("m1");
	serve(adopt);
	cr_assert_eq(describe("m1").provider_done.outcome, CALL_OK);
	adopt.provider_adopt.input_id = (struct text){ 0 };
	serve(adopt);
	cr_assert_eq(world.provider.count, 1);
	cr_assert_eq(deleted, 0);
}

Test(sim_provider, outputs_come_and_go)
{
	struct stream_event add = { .type = EVENT_PROVIDER_OUTPUT_ADD }, answer;
	struct stream_event remove = { .type = EVENT_PROVIDER_OUTPUT_REMOVE };

	settle(PROVIDER_CLOUDFLARE, true);
	create("m1");
	add.provider_output_add.input_id = remove.provider_output_remove.input_id =
		TEXT("in000001");
	add.provider_output_add.output = 1;
	add.provider_output_add.url = TEXT("rtmp://a/b");
	answer = serve(add);
	cr_assert_eq(answer.provider_done.outcome, CALL_OK);
	remove.provider_output_remove.remote_id = answer.provider_done.remote_id;
	cr_assert_eq(serve(remove).provider_done.outcome, CALL_OK);
	cr_assert_eq(serve(remove).provider_done.outcome, CALL_GONE);
	for (unsigned i = 0; i < OUTPUTS_MAX; i++)
		cr_assert_eq(serve(add).provider_done.outcome, CALL_OK);
	cr_assert_eq(serve(add).provider_done.outcome, CALL_REFUSED);
}
