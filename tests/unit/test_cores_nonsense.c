/* SPDX-License-Identifier: MIT */
/* Goal: whatever a peer says, as long as it is well formed, nobody aborts, nothing leaks and
 * nothing half made stays (style.md: a peer's mistake is dropped and counted).  Method: messages of
 * every type with every field at random, from the schema; names are few, so that some of it hits.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/unmanaged-adapter/unmanaged_core.h"
#include "proto/stream_event_table.h"
#include "tests/lib/fakes.h"
#include "tests/lib/registry_bench.h"
#include "tests/lib/state_audit.h"
#include "tests/lib/story.h"

#define STEPS 15000

static struct prng prng;
static uint64_t seq; /* of the story told so far */

static uint64_t number(void)
{
	static const uint64_t edges[] = { 0, 1, GATEWAY_A, GATEWAY_B, UINT64_MAX, 100, 101, 102 };

	switch (prng_below(&prng, 4)) {
	case 0:
		return prng_below(&prng, 20);
	case 1:
		return seq - prng_below(&prng, 3);
	case 2:
		return prng_next(&prng);
	default:
		return edges[prng_below(&prng, sizeof edges / sizeof edges[0])];
	}
}

/* Users, packages, ids alike: what fits the field is what counts. */
static struct text words(const struct field *field)
{
	static char longest[RELAY_MAX];
	static const char *const names[] = { "",   "u1", "u2", "u3",	    "pa",
					     "pb", "s1", "s2", "gateway-1", "gateway-2" };

	if (prng_one_in(&prng, 50)) {
		memset(longest, 'x', sizeof longest);
		return (struct text){ longest, (uint32_t)field->limit };
	}
	return text_of(names[prng_below(&prng, sizeof names / sizeof names[0])]);
}

/* As in the rows of viewers and outputs, right or nearly so. */
static struct text rows_list(const struct field *field)
{
	static uint8_t bytes[4096];
	struct list_writer list;

	list_begin(&list, bytes, field->limit < sizeof bytes ? field->limit : sizeof bytes);
	for (unsigned i = prng_below(&prng, 4); i > 0; i--) {
		bool viewer = prng_one_in(&prng, 2);

		list_open_member(&list, viewer ? 2 : 8);
		for (unsigned k = viewer ? 2 : 0; k < (viewer ? 3 : 2); k++)
			viewer ? list_put_text(&list, text_of(prng_one_in(&prng, 2) ? "pa" : "pb"))
			       : list_put_u64(&list, prng_below(&prng, 8));
		for (unsigned k = 0; k < 5 && !viewer; k++)
			list_put_text(&list, TEXT("rtmp://a/b/c"));
		list_put_u64(&list, prng_below(&prng, 3));
		(void)list_close_member(&list);
	}
	return list_end(&list);
}

static void fill(struct stream_event *event, const struct field *field)
{
	void *value = (char *)event + field->offset;

	switch (field->kind) {
	case FIELD_STR:
		*(struct text *)value = words(field);
		break;
	case FIELD_JSON:
		*(struct text *)value = TEXT("{}");
		break;
	case FIELD_LIST:
		*(struct text *)value = prng_one_in(&prng, 2)	? rows_list(field)
					: prng_one_in(&prng, 2) ? list_of("all vad")
								: list_of("rtmp_stream_status");
		break;
	case FIELD_ENUM:
		*(uint32_t *)value = prng_below(&prng, field->words->count);
		break;
	case FIELD_U64:
		*(uint64_t *)value = number();
		break;
	case FIELD_I64:
		*(int64_t *)value = (int64_t)number();
		break;
	case FIELD_BOOL:
		*(bool *)value = prng_one_in(&prng, 2);
		break;
	}
}

static struct stream_event nonsense(enum stream_event_type type)
{
	const struct schema *schema = stream_event_schema((uint64_t)type);
	struct stream_event event = { .type = type };

	for (size_t i = 0; i < schema->field_count; i++)
		fill(&event, &schema->fields[i]);
	return event;
}

/* A type that @from may send to @to; @to ROLE_NONE: what the registry publishes. */
static enum stream_event_type pick(enum role from, enum role to)
{
	for (;;) {
		enum stream_event_type type = prng_below(&prng, STREAM_EVENT_TYPE_MAX + 1);

		if (stream_event_name(type) && stream_event_may(type, from, to))
			return type;
	}
}

/* Half of the glasses and apps come in order, so that there is something to hit. */
static void something_real(void)
{
	static const char *const users[] = { "u1", "u2", "u3" };
	const char *user = users[prng_below(&prng, 3)];

	switch (prng_below(&prng, 4)) {
	case 0:
		glasses_up(user, 1 + prng_below(&prng, 20));
		return;
	case 1:
		app_up(user, prng_one_in(&prng, 2) ? "pa" : "pb", 1 + prng_below(&prng, 20));
		return;
	case 2:
		stream_open(user, prng_one_in(&prng, 2) ? "pa" : "pb", 0);
		return;
	default:
		if (the_stream(user))
			stream_status(user, DEVICE_STREAMING);
		return;
	}
}

Test(cores_nonsense, the_registry_takes_anything, .init = bench_setup)
{
	static const enum role roles[] = { ROLE_GATEWAY,   ROLE_GATEWAY, ROLE_SCHEDULER,
					   ROLE_UNMANAGED, ROLE_MANAGED, ROLE_OPERATOR };

	prng.state = 7;
	bench.check_every = 4;
	for (unsigned step = 0; step < STEPS; step++) {
		enum role role = roles[prng_below(&prng, sizeof roles / sizeof roles[0])];
		struct stream_event event = nonsense(pick(role, ROLE_REGISTRY));

		seq = bench.registry.seq;
		bench_say((struct peer){ role, prng_one_in(&prng, 8) ? number() | 1 : GATEWAY_A },
			  &event);
		if (prng_one_in(&prng, 3))
			something_real();
		if (prng_one_in(&prng, 50))
			bench_input(&(struct input){ .type = INPUT_PEER_UP,
						     .peer = { ROLE_GATEWAY, GATEWAY_A },
						     .peer_name = "gateway-1" });
		if (prng_one_in(&prng, 10))
			bench_tick(prng_below(&prng, 3000));
	}
	cr_assert_gt(bench.registry.stats.ignored, 500);
	cr_assert_gt(bench.registry.next_epoch, 120, "something happened in between");
}

static struct unmanaged adapter;
static struct effects fx;

static void adapter_input(enum input_type type, const struct stream_event *event)
{
	unmanaged_handle(&adapter,
			 &(struct input){ .type = type,
					  .peer = { ROLE_GATEWAY, GATEWAY_A },
					  .peer_name = "gateway-1",
					  .seq = seq,
					  .event = event },
			 1000 + seq, &fx);
}

/* Its mirror hears a story that no registry would tell. */
Test(cores_nonsense, the_adapter_takes_anything)
{
	const struct unmanaged_options options = {
		.state = { .users_max = 4,
			   .apps_max = 24,
			   .streams_max = 6,
			   .text_bytes = 2u << 20 },
	};
	const char *wrong;

	prng.state = 9;
	unmanaged_init(&adapter, &options, fake_memory(unmanaged_bytes(&options)));
	for (unsigned step = 0; step < STEPS; step++) {
		enum role from = prng_one_in(&prng, 4) ? ROLE_REGISTRY : ROLE_GATEWAY;
		struct stream_event event = nonsense(pick(from, ROLE_UNMANAGED));

		if (prng_one_in(&prng, 2)) {
			event = nonsense(pick(ROLE_REGISTRY, ROLE_NONE));
			event.seq = ++seq;
			adapter_input(INPUT_STORY, &event);
		} else if (event.type < 100) {
			adapter_input(INPUT_MESSAGE, &event);
		}
		if (prng_one_in(&prng, 300))
			adapter_input(INPUT_RESYNC, NULL);
		if (prng_one_in(&prng, 50))
			adapter_input(INPUT_SYNCED, NULL);
		if (prng_one_in(&prng, 10))
			adapter_input(INPUT_TICK, NULL);
		if (prng_one_in(&prng, 50))
			adapter_input(INPUT_PEER_UP, NULL);
		wrong = state_audit(&adapter.state, false);
		cr_assert(!wrong, "step %u: %s", step, wrong);
	}
}

/* A follower whose rows and story are mixed beyond recognition. */
Test(cores_nonsense, a_state_takes_any_story)
{
	const struct state_options options = {
		.users_max = 3, .apps_max = 20, .streams_max = 4, .text_bytes = 16 * POOL_PAGE_SIZE
	};
	struct state state;

	prng.state = 11;
	state_init(&state, &options, fake_memory(state_bytes(&options)));
	for (unsigned step = 0; step < STEPS; step++) {
		static const enum stream_event_type rows[] = { EVENT_SNAPSHOT_STREAM,
							       EVENT_SNAPSHOT_MANAGED,
							       EVENT_SNAPSHOT_OUTPUTS };
		struct stream_event event =
			nonsense(prng_one_in(&prng, 4) ? rows[prng_below(&prng, 3)]
						       : pick(ROLE_REGISTRY, ROLE_NONE));
		const char *wrong;

		event.seq = prng_one_in(&prng, 5) ? number() % (seq + 2) : ++seq;
		(void)state_apply(&state, &event);
		wrong = state_audit(&state, false);
		cr_assert(!wrong, "step %u, after %s: %s", step, stream_event_name(event.type),
			  wrong);
		state_settle(&state);
		if (prng_one_in(&prng, 5000))
			state_clear(&state);
	}
}
