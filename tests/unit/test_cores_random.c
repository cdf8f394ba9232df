/* SPDX-License-Identifier: MIT */
/* Goal: whatever the edge says, in whatever order, with the adapter dying, answers overtaking the
 * story and the story coming late: one stream of a user, epochs that grow, an end with a cause for
 * every stream, no start but of an active stream and no stop of one, one last word to each owner,
 * and nothing left when all is over.  Method: random worlds from seeds (tests/lib/random_edge.h),
 * the invariants checked after every step; WEIR_SEED=N replays one.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/phase.h"
#include "tests/lib/cores.h"
#include "tests/lib/random_edge.h"
#include "tests/lib/state_audit.h"

#define SEEDS 500
#define STEPS 300
#define STREAMS_MAX 4096

static struct cores cores;
static struct random_edge edge;
static uint64_t seed;
static unsigned step;

/* What has been seen of each stream; the epoch names it. */
static struct seen {
	uint64_t opened_seq, end_stream_seq;
	char end_word[12];
	bool closed;
} seen[STREAMS_MAX];

static uint64_t last_epoch, last_seq;

#define FIRST_EPOCH 100

#define must(holds, ...) \
	do { \
		if (!(holds)) { \
			(void)fprintf(stderr, \
				      "WEIR_SEED=%llu, step %u: ", (unsigned long long)seed, \
				      step); \
			(void)fprintf(stderr, __VA_ARGS__); \
			(void)fprintf(stderr, "\n"); \
			cr_assert_fail("WEIR_SEED=%llu, step %u", (unsigned long long)seed, step); \
		} \
	} while (0)

static struct seen *seen_of(uint64_t epoch)
{
	must(epoch >= FIRST_EPOCH && epoch < FIRST_EPOCH + STREAMS_MAX, "epoch %llu",
	     (unsigned long long)epoch);
	return &seen[epoch - FIRST_EPOCH];
}

/* Each message ------------------------------------------------------------------------------- */

static const struct state_stream *mirrored(const struct stream_event *event)
{
	return state_stream_find(&cores.unmanaged->state, event->stream_id);
}

static void check_order(const struct stream_event *event)
{
	const struct state_stream *stream = mirrored(event);
	const struct state_user *user = state_user_find(&cores.unmanaged->state, event->user_id);
	bool active = stream && phase_active((enum phase)stream->phase);

	must(user, "an order for nobody");
	if (event->type == EVENT_DELIVER_START) {
		must(active && stream->epoch == event->epoch, "a start of what does not run");
		must(event->deliver_start.rtmp_url.length > 0, "a start without its URL");
		must(stream->kind == KIND_UNMANAGED, "a start of a managed stream");
		must(state_active(&cores.unmanaged->state, user) == stream,
		     "a start of an older one");
	} else if (event->stream_id.length == 0) {
		must(!state_active(&cores.unmanaged->state, user), "an orphan stop, but one runs");
	} else {
		must(!active, "a stop of what runs");
		must(stream && stream->stop_owed, "a stop that nobody owes");
	}
	must(state_link(&cores.unmanaged->state, user) == LINK_UP, "an order without a link");
}

static bool is_word(struct text word)
{
	return text_is(word, "initializing") || text_is(word, "active") ||
	       text_is(word, "stopping") || text_is(word, "stopped") || text_is(word, "timeout");
}

static void check_word(const struct stream_event *event)
{
	struct seen *stream = seen_of(event->epoch);
	bool ends = text_is(event->deliver_status.status, "stopped") ||
		    text_is(event->deliver_status.status, "timeout");
	char word[12];

	must(is_word(event->deliver_status.status), "a word that no app knows");
	must(!event->deliver_status.terminal || ends, "an end without its word");
	must(event->deliver_status.copy || event->deliver_status.terminal == ends,
	     "a direct word that ends without saying so");
	must(event->deliver_status.link != 0 && event->stream_seq > 0, "a word into nowhere");
	if (!ends) {
		must(stream->end_stream_seq == 0 || event->stream_seq < stream->end_stream_seq,
		     "a word after the last");
		return;
	}
	(void)text_put(event->deliver_status.status, word, sizeof word);
	if (stream->end_stream_seq == 0) {
		stream->end_stream_seq = event->stream_seq;
		(void)snprintf(stream->end_word, sizeof stream->end_word, "%s", word);
	}
	/* I6: the gateway drops what has the same number, so it must have it. */
	must(stream->end_stream_seq == event->stream_seq, "a second end");
	must(strcmp(stream->end_word, word) == 0, "an end in other words");
}

static void on_sent(const struct cores *self, const struct sent *sent)
{
	(void)self;
	switch (sent->event.type) {
	case EVENT_DELIVER_START:
	case EVENT_DELIVER_STOP:
		check_order(&sent->event);
		return;
	case EVENT_DELIVER_STATUS:
		check_word(&sent->event);
		return;
	default:
		must(stream_event_may(sent->event.type, ROLE_REGISTRY, sent->to.role) ||
			     sent->event.type == EVENT_REQUEST_DONE,
		     "%s is not for a %s", stream_event_name(sent->event.type),
		     words_name(&role_words, sent->to.role));
		return;
	}
}

/* Each step ---------------------------------------------------------------------------------- */

static void check_event(const struct stream_event *event)
{
	must(event->seq == ++last_seq, "the story has a gap");
	if (event->type == EVENT_STREAM_OPENED) {
		must(event->epoch > last_epoch, "an epoch that does not grow");
		last_epoch = event->epoch;
		seen_of(event->epoch)->opened_seq = event->seq;
		must(event->stream_seq == 1, "a stream that does not begin");
	}
	if (event->type == EVENT_STREAM_CLOSED) {
		must(event->stream_closed.end_cause != END_NONE &&
			     event->stream_closed.hop != HOP_NONE,
		     "an end that is not explained");
		must(!seen_of(event->epoch)->closed, "an end after the end");
		seen_of(event->epoch)->closed = true;
	}
}

static void check_slots(void)
{
	const struct state *state = &cores.registry->state;

	for (uint32_t i = 0; i < state->streams_fresh; i++)
		for (uint32_t k = 0; k < i && state->streams[i].phase != PHASE_NONE; k++)
			must(state->streams[k].user != state->streams[i].user ||
				     !phase_active((enum phase)state->streams[i].phase) ||
				     !phase_active((enum phase)state->streams[k].phase),
			     "two active streams of a user");
}

static void check(void)
{
	const char *wrong = state_audit(&cores.registry->state, true);

	for (size_t i = 0; i < cores.story_count; i++)
		check_event(&cores.story[i]);
	must(!wrong, "registry: %s", wrong);
	check_slots();
	if (cores.adapter_down || cores.holding)
		return;
	wrong = state_audit(&cores.unmanaged->state, true);
	must(!wrong, "adapter: %s", wrong);
	must(state_hash(&cores.registry->state) == state_hash(&cores.unmanaged->state),
	     "the adapter knows something else");
}

/* What gateways say of what they were sent: most of it, sooner or later. */
static void confirm(const struct sent *sent, unsigned one_lost_in)
{
	const struct stream_event *order = &sent->event;
	struct stream_event told = { .type = EVENT_EDGE_DEVICE_TOLD,
				     .user_id = order->user_id,
				     .stream_id = order->stream_id,
				     .epoch = order->epoch };
	uint32_t outcome = OUTCOME_SENT;

	if (one_lost_in && prng_one_in(&edge.prng, one_lost_in))
		return;
	if (one_lost_in && prng_one_in(&edge.prng, 8))
		outcome = prng_below(&edge.prng, OUTCOME_COUNT);
	if (order->type == EVENT_DELIVER_STATUS) {
		if (order->deliver_status.copy || !order->deliver_status.terminal)
			return;
		told.type = EVENT_EDGE_APP_TOLD;
		told.edge_app_told.package = order->deliver_status.package;
		told.edge_app_told.outcome = outcome;
	} else if (order->type == EVENT_DELIVER_START || order->type == EVENT_DELIVER_STOP) {
		told.edge_device_told.stop = order->type == EVENT_DELIVER_STOP;
		told.edge_device_told.outcome = outcome;
	} else {
		return;
	}
	cores_say(&cores, sent->to, &told);
}

static void settle(unsigned one_lost_in)
{
	for (size_t i = 0; i < cores.sent_count; i++)
		confirm(&(struct sent){ cores.sent[i].to, cores.sent[i].event }, one_lost_in);
	check();
	cores_forget(&cores);
}

static void disturb(void)
{
	if (prng_one_in(&edge.prng, 60))
		cores.crash_in = 1 + prng_below(&edge.prng, 20);
	if (cores.adapter_down && prng_one_in(&edge.prng, 10))
		cores_restart_adapter(&cores);
	if (prng_one_in(&edge.prng, 150) && !cores.adapter_down)
		cores_restart_adapter(&cores);
	if (prng_one_in(&edge.prng, 40))
		cores.result_first = !cores.result_first;
	if (cores.held_count > HELD_MAX / 4 || (cores.holding && prng_one_in(&edge.prng, 8)))
		cores_release(&cores);
	else if (prng_one_in(&edge.prng, 30))
		cores.holding = true;
}

static void take_step(void)
{
	struct random_input input;

	random_edge_next(&edge, &input);
	if (input.input.type != INPUT_MESSAGE)
		cores_hear(&cores, &input.input);
	else
		cores_say(&cores, input.input.peer, input.input.event);
	if (prng_one_in(&edge.prng, 4))
		cores_tick(&cores, prng_below(&edge.prng, 3000));
	settle(4);
}

/* The end: everything is confirmed, the users leave for good. */
static void leave(struct text user_id)
{
	const struct state_user *user = state_user_find(&cores.registry->state, user_id);
	struct stream_event event = { .type = EVENT_EDGE_LINK_CLOSED, .user_id = user_id };

	if (!user || user->session == SESSION_NONE)
		return;
	event.edge_link_closed.link = user->link;
	cores_say(&cores, (struct peer){ ROLE_GATEWAY, user->gateway }, &event);
	event = (struct stream_event){ .type = EVENT_TIMER_EXPIRED,
				       .user_id = user_id,
				       .cause = user->link_seq };
	event.timer_expired.timer = TIMER_SESSION_GRACE;
	cores_say(&cores, (struct peer){ ROLE_SCHEDULER, 3 }, &event);
	settle(0);
}

static void finish(void)
{
	cores.crash_in = 0;
	cores_release(&cores);
	if (cores.adapter_down)
		cores_restart_adapter(&cores);
	settle(0);
	for (unsigned i = 0; i < RANDOM_USERS; i++)
		leave(random_user(i));
	for (struct random_input input; random_edge_settle(&edge, &input);)
		cores_say(&cores, input.input.peer, input.input.event);
	/* What devices are owed is given up after ten minutes. */
	for (unsigned i = 0; i < 130; i++) {
		cores_tick(&cores, 5000);
		settle(0);
	}
	must(cores.registry->state.streams_count == 0, "a stream is left");
	must(cores.registry->state.sessions_count == 0, "a session is left");
	must(cores.registry->endings_count == 0, "an ending is left");
	must(cores.registry->state.users_count == cores.registry->state.dormant_count,
	     "a user is left");
	must(cores.unmanaged->state.users_count == 0, "the adapter keeps a user");
	must(cores.unmanaged->state.pool.used_bytes == 0, "the adapter keeps a text");
	must(cores.unmanaged->asks.high == 0, "a request is left");
	must(cores.unmanaged->asks.texts.used_bytes == 0, "the text of a request is left");
	for (unsigned i = 0; i < REGISTRY_WAITERS_MAX; i++)
		must(cores.registry->waiters[i].app == STATE_NONE, "somebody waits");
	for (uint64_t epoch = FIRST_EPOCH; epoch <= last_epoch; epoch++)
		must(seen_of(epoch)->opened_seq == 0 || seen_of(epoch)->closed,
		     "a stream has no end");
}

static void run_world(uint64_t world)
{
	const struct state_options limits = { .users_max = 6,
					      .apps_max = 32 + (uint32_t)(world % 5) * 8,
					      .streams_max = 8 + (uint32_t)(world % 7) * 20,
					      .text_bytes = 24 * POOL_PAGE_SIZE };

	seed = world;
	step = 0;
	last_epoch = last_seq = 0;
	memset(seen, 0, sizeof seen);
	cores_open_with(&cores, &limits);
	last_seq = cores.registry->seq;
	cores.on_sent = on_sent;
	random_edge_init(&edge, cores.registry, world);
	for (step = 1; step <= STEPS; step++) {
		disturb();
		take_step();
	}
	finish();
	cores_close(&cores);
}

Test(cores_random, worlds)
{
	const char *only = getenv("WEIR_SEED");
	const char *seeds = getenv("WEIR_SEEDS");
	uint64_t count = seeds ? strtoull(seeds, NULL, 10) : SEEDS;

	if (only) {
		run_world(strtoull(only, NULL, 10));
		return;
	}
	for (uint64_t world = 1; world <= count; world++)
		run_world(world);
}
