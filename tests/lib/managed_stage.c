/* SPDX-License-Identifier: MIT */
#include "tests/lib/managed_stage.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/lib/fakes.h"
#include "tests/lib/managed_stage_internal.h"

struct stage stage;

static struct stage_packet *queue[STAGE_QUEUE_MAX];
static size_t queue_head, queue_tail;
static struct stage_packet *late[STAGE_QUEUE_MAX];
static size_t late_count;
static void *registry_memory, *managed_memory;
static uint64_t lives = 1000; /* incarnations; nobody else has these */

/* ---- messages ---- */

struct stage_packet *stage_packet_of(int to, struct peer from, const struct stream_event *event,
				     bool published)
{
	struct stage_packet *packet = malloc(sizeof *packet);
	ssize_t length =
		stream_event_encode(event, published ? STREAM_EVENT_PUBLIC : STREAM_EVENT_ADDRESSED,
				    packet->bytes, sizeof packet->bytes);

	cr_assert_gt(length, 0, "%s cannot be encoded", stream_event_name(event->type));
	packet->to = to;
	packet->from = from;
	packet->length = (size_t)length;
	return packet;
}

void stage_put(int to, struct peer from, const struct stream_event *event, bool published)
{
	assert(queue_tail - queue_head < STAGE_QUEUE_MAX);
	queue[queue_tail++ % STAGE_QUEUE_MAX] = stage_packet_of(to, from, event, published);
}

void stage_packet_read(const struct stage_packet *packet, struct stream_event *out)
{
	struct wire wire = { packet->bytes, packet->bytes + packet->length };

	cr_assert_eq(stream_event_read(&wire, out), 0);
}

static void confirm(const struct stream_event *event)
{
	struct stream_event told = { .cause = event->cause,
				     .user_id = event->user_id,
				     .stream_id = event->stream_id,
				     .epoch = event->epoch };

	if (event->type == EVENT_DELIVER_MANAGED && event->deliver_managed.terminal &&
	    !stage.apps_silent) {
		told.type = EVENT_EDGE_APP_TOLD;
		told.edge_app_told.package = event->deliver_managed.package;
		told.edge_app_told.outcome = OUTCOME_SENT;
	} else if ((event->type == EVENT_DELIVER_START || event->type == EVENT_DELIVER_STOP) &&
		   !stage.device_silent) {
		told.type = EVENT_EDGE_DEVICE_TOLD;
		told.edge_device_told.link = event->type == EVENT_DELIVER_START
						     ? event->deliver_start.link
						     : event->deliver_stop.link;
		told.edge_device_told.stop = event->type == EVENT_DELIVER_STOP;
		told.edge_device_told.outcome = OUTCOME_SENT;
	} else {
		return;
	}
	stage_put(TO_REGISTRY_CORE, (struct peer){ ROLE_GATEWAY, STAGE_GATEWAY }, &told, false);
}

/* ---- the cores ---- */

/* Webhooks are answered at once, and well. */
static void answer_hook(const struct stream_event *hook)
{
	struct stream_event done = { .type = EVENT_EDGE_HOOK_DONE, .user_id = hook->user_id };

	done.edge_hook_done.package = hook->registry_hook.package;
	done.edge_hook_done.hook = hook->registry_hook.hook;
	done.edge_hook_done.hook_id = hook->registry_hook.hook_id;
	done.edge_hook_done.ok = true;
	stage_put(TO_REGISTRY_CORE, (struct peer){ ROLE_GATEWAY, STAGE_GATEWAY }, &done, false);
}

static void registry_hears(const struct input *input)
{
	static struct effects fx;

	registry_handle(stage.registry, input, stage.now_ms, &fx);
	for (size_t i = 0; i < fx.count; i++) {
		const struct effect *effect = &fx.items[i];

		if (effect->type == EFFECT_STORY) {
			stage_name(effect->event.stream_id);
			stage_put(TO_ADAPTER_STORY, (struct peer){ 0 }, &effect->event, true);
		} else if (effect->event.type == EVENT_REGISTRY_HOOK) {
			answer_hook(&effect->event);
		} else if (effect->peer.role == ROLE_MANAGED) {
			stage_put(TO_ADAPTER, (struct peer){ ROLE_REGISTRY, 1 }, &effect->event,
				  false);
		}
	}
}

static bool dies(void)
{
	stage.positions++;
	if (stage.crash_in == 0 || --stage.crash_in > 0)
		return stage.adapter_down;
	stage.adapter_down = true;
	return true;
}

static void adapter_hears(const struct input *input)
{
	static struct effects fx;

	if (stage.adapter_down || dies())
		return;
	managed_handle(stage.managed, input, stage.now_ms, &fx);
	for (size_t i = 0; i < fx.count && !dies(); i++) {
		const struct effect *effect = &fx.items[i];

		if (effect->type == EFFECT_REQUEST) {
			stage.gone_said += effect->event.type == EVENT_INPUT_GONE;
			stage_put(TO_REGISTRY_CORE, (struct peer){ ROLE_MANAGED, lives },
				  &effect->event, false);
		} else if (effect->type == EFFECT_CALL) {
			stage_call_made(&effect->event);
		} else if (effect->type == EFFECT_SEND) {
			stage_log_sent(&effect->event);
			confirm(&effect->event);
		}
	}
}

void stage_handle(const struct input *input)
{
	adapter_hears(input);
	stage_pump();
}

void stage_pump(void)
{
	while (queue_head < queue_tail) {
		struct stage_packet *packet = queue[queue_head++ % STAGE_QUEUE_MAX];
		struct stream_event event;

		if ((packet->to == TO_REGISTRY_CORE && stage.registry_late) ||
		    (packet->to == TO_ADAPTER_STORY && stage.story_late)) {
			late[late_count++] = packet;
			continue;
		}
		stage_packet_read(packet, &event);
		struct input input = { .type = packet->to == TO_ADAPTER_STORY ? INPUT_STORY
									      : INPUT_MESSAGE,
				       .peer = packet->from,
				       .wall_ms = stage.now_ms,
				       .event = &event };
		if (packet->to == TO_REGISTRY_CORE)
			registry_hears(&input);
		else
			adapter_hears(&input);
		free(packet);
	}
}

void stage_let_through(void)
{
	stage.registry_late = stage.story_late = false;
	for (size_t i = 0; i < late_count; i++)
		queue[queue_tail++ % STAGE_QUEUE_MAX] = late[i];
	late_count = 0;
	stage_pump();
}

void stage_lose_late(void)
{
	stage.registry_late = stage.story_late = false;
	while (late_count > 0)
		free(late[--late_count]);
}

void stage_say(struct peer from, struct stream_event event)
{
	bool asks = event.type >= EVENT_REQUEST_START && event.type <= EVENT_REQUEST_OUTPUT_LIST;

	stage_put(asks || event.type == EVENT_PROVIDER_ASK || from.role == ROLE_PROVIDER ||
				  event.type == EVENT_STREAM_RESULT
			  ? TO_ADAPTER
			  : TO_REGISTRY_CORE,
		  from, &event, false);
	stage_pump();
}

void stage_pass(int64_t ms)
{
	const int64_t end_ms = stage.now_ms + ms;

	stage_pump();
	for (unsigned guard = 0;; guard++) {
		int64_t registry_ms = registry_deadline(stage.registry);
		int64_t adapter_ms =
			stage.adapter_down ? INT64_MAX : managed_deadline(stage.managed);
		int64_t next_ms = registry_ms < adapter_ms ? registry_ms : adapter_ms;
		const struct input tick = { .type = INPUT_TICK };

		cr_assert_lt(guard, 200000, "it never comes to rest");
		if (next_ms > end_ms)
			break;
		if (next_ms > stage.now_ms)
			stage.now_ms = next_ms;
		if (registry_ms <= stage.now_ms)
			registry_hears(&tick);
		if (adapter_ms <= stage.now_ms)
			adapter_hears(&tick);
		stage_pump();
	}
	stage.now_ms = end_ms;
}

void stage_rows(void)
{
	struct stream_event row;
	uint64_t cursor = 0;

	adapter_hears(&(struct input){ .type = INPUT_RESYNC });
	while (state_row(&stage.registry->state, &cursor, &row)) {
		uint8_t bytes[STREAM_EVENT_WIRE_MAX];
		ssize_t length =
			stream_event_encode(&row, STREAM_EVENT_ADDRESSED, bytes, sizeof bytes);
		struct wire wire = { bytes, bytes + length };
		struct stream_event copy;

		cr_assert_gt(length, 0);
		cr_assert_eq(stream_event_read(&wire, &copy), 0);
		adapter_hears(&(struct input){ .type = INPUT_STORY, .event = &copy });
	}
}

void stage_synced(void)
{
	adapter_hears(&(struct input){ .type = INPUT_SYNCED, .seq = stage.registry->seq });
	stage_pass(0);
}

void stage_resync(void)
{
	stage_rows();
	stage_synced();
}

static void adapter_close(void)
{
	if (!stage.managed)
		return;
	fake_free(managed_memory, managed_bytes(&stage.managed->options));
	fake_free(stage.managed, sizeof *stage.managed);
	stage.managed = NULL;
}

void stage_restart(void)
{
	stage.adapter_down = true; /* what is on its way to it is lost */
	stage.crash_in = 0;
	stage_pump();
	stage_drop_held();
	adapter_close();
	stage.options.incarnation = ++lives;
	stage.managed = fake_memory(sizeof *stage.managed);
	managed_memory = fake_memory(managed_bytes(&stage.options));
	managed_init(stage.managed, &stage.options, managed_memory);
	stage.adapter_down = false;
	stage_resync();
}

void stage_defaults(void)
{
	memset(&stage, 0, sizeof stage);
	stage_forget_names();
	queue_head = queue_tail = 0;
	stage_drop_held();
	stage.now_ms = 1000000;
	stage.honours = true;
	stage.page_size = INPUTS_PER_PAGE_MAX;
	stage.options = (struct managed_options){
		.state = { .users_max = 16,
			   .apps_max = 64,
			   .streams_max = 32,
			   .text_bytes = 8u << 20 },
		.provider = PROVIDER_CLOUDFLARE,
		.request_timeout_ms = 28000,
		.create_timeout_ms = 10000,
		.create_tries = 3,
		.create_pause_ms = 1000,
		.poll_interval_ms = 2000,
		.playback_deadline_ms = 60000,
		.delete_pause_ms = 1000,
		.deletes_per_s = MANAGED_DELETES_PER_S,
		.reconcile_interval_ms = 600000,
		.leak_age_s = 3600,
		.provisions_per_user_per_min = 10,
		.provisions_per_min = 300,
		.owed_per_user_max = 8,
	};
}

void stage_open(void)
{
	struct registry_options options = { .state = stage.options.state,
					    .incarnation = 1,
					    .first_epoch = 100,
					    .stop_owed_ms = 600000,
					    .ending_max_ms = 2000,
					    .blind_max_ms = 120000,
					    .mark = STAGE_MARK };

	options.state.remember_apps = true;
	stage.registry = fake_memory(sizeof *stage.registry);
	registry_memory = fake_memory(registry_bytes(&options));
	registry_init(stage.registry, &options, registry_memory);
	stage.adapter_down = true;
	registry_hears(&(struct input){ .type = INPUT_PEER_UP,
					.peer = { ROLE_GATEWAY, STAGE_GATEWAY },
					.peer_name = "gateway-1" });
	registry_hears(&(struct input){ .type = INPUT_TICK });
	stage_restart();
	stage_glasses_up();
	stage_app_up("pa", 21);
	stage_app_up("pb", 22);
	stage_forget();
}

void stage_ready(void)
{
	stage_defaults();
	stage_open();
	stage_pass(1000);
	stage_forget();
}

void stage_close(void)
{
	stage.adapter_down = true;
	stage_pump();
	stage_drop_held();
	adapter_close();
	fake_free(registry_memory, registry_bytes(&stage.registry->options));
	fake_free(stage.registry, sizeof *stage.registry);
}
