/* SPDX-License-Identifier: MIT */
/* managed_main.c - shell of the managed-adapter: the core, the provider that the configuration
 * names, and the listener for what providers call back.
 */
#include <errno.h>
#include <sys/mman.h>

#include "actors/managed-adapter/managed_core.h"
#include "actors/managed-adapter/managed_http.h"
#include "actors/managed-adapter/provider.h"
#include "common/daemon.h"
#include "common/error.h"
#include "common/log.h"

struct shell {
	struct managed core;
	struct managed_stats counted; /* what the metrics have */
	struct daemon *daemon;
	struct managed_http *http;
	const struct provider_driver *driver; /* NULL: managed streams are refused */
	struct provider *provider;
};

/* Gauges of the ledger are in the answer to provider.ask. */
#define MANAGED_COUNTERS(C) \
	C(out_of_step, "managed.out_of_step") \
	C(said_again, "managed.said_again") \
	C(governed, "managed.governed") \
	C(destinations_refused, "managed.destinations_refused") \
	C(calls, "managed.calls") \
	C(outcomes[CALL_OK], "managed.calls_ok") \
	C(outcomes[CALL_GONE], "managed.calls_gone") \
	C(outcomes[CALL_RETRY], "managed.calls_retry") \
	C(outcomes[CALL_REFUSED], "managed.calls_refused") \
	C(outcomes[CALL_UNKNOWN], "managed.calls_unknown") \
	C(outcomes[CALL_UNCONFIGURED], "managed.calls_unconfigured") \
	C(answers_late, "managed.answers_late") \
	C(created, "managed.inputs_created") \
	C(deleted, "managed.inputs_deleted") \
	C(deletes_refused, "managed.deletes_refused") \
	C(reconciled, "managed.reconciled") \
	C(leaks_deleted, "managed.leaks_deleted")

static void count(struct shell *shell)
{
	const struct managed_stats *now = &shell->core.stats;

	if (memcmp(now, &shell->counted, sizeof *now) == 0)
		return;
#define TELL(member, name) \
	if (now->member != shell->counted.member) \
		daemon_count(shell->daemon, name, now->member - shell->counted.member);
	MANAGED_COUNTERS(TELL)
#undef TELL
	if (now->foreign > 0 && now->foreign != shell->counted.foreign)
		log_warn("audit.foreign_inputs", log_u64("inputs", now->foreign));
	shell->counted = *now;
}

static void log_ask(const struct input *input)
{
	if (input->type != INPUT_MESSAGE || input->event->type != EVENT_PROVIDER_ASK ||
	    !input->event->provider_ask.reconcile)
		return;
	log_info("audit.provider_reconcile", log_str("peer", input->peer_name),
		 log_bool("dry_run", input->event->provider_ask.dry_run));
}

/* A leak has no stream: nothing but our mark is known of it. */
static void log_delete(const struct stream_event *event)
{
	char input_id[INPUT_ID_MAX + 1], stream_id[STREAM_ID_MAX + 1];

	log_info("audit.provider_delete",
		 log_str("input_id",
			 text_put(event->provider_delete.input_id, input_id, sizeof input_id)),
		 log_str("stream_id", text_put(event->stream_id, stream_id, sizeof stream_id)),
		 log_str("reason", event->stream_id.length > 0 ? "its stream is over" : "leak"));
}

static void handle(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	struct shell *shell = core;

	log_ask(input);
	managed_handle(&shell->core, input, now_ms, fx);
	count(shell);
}

static int64_t deadline(const void *core)
{
	return managed_deadline(&((const struct shell *)core)->core);
}

/* The copies of an earlier life ended with it: the driver is told of them with the input. */
static void adopt_outputs(struct shell *shell, const struct stream_event *adopted)
{
	const struct state *state = &shell->core.state;
	const struct state_stream *stream = state_stream_find(state, adopted->stream_id);

	for (size_t i = 0; stream && i < OUTPUTS_MAX; i++) {
		const struct state_output *output = &state_outputs_of(state, stream)->items[i];
		struct stream_event event = { .type = EVENT_PROVIDER_OUTPUT_ADD,
					      .stream_id = adopted->stream_id };

		if (output->state != OUTPUT_IDLE && output->state != OUTPUT_ACTIVE &&
		    output->state != OUTPUT_ERROR)
			continue;
		event.provider_output_add.input_id = adopted->provider_adopt.input_id;
		event.provider_output_add.output = output->number;
		event.provider_output_add.url = state_text(state, output->url);
		shell->driver->call(shell->provider, &event);
	}
}

static void call(void *context, const struct stream_event *event)
{
	struct shell *shell = context;

	/* See managed_core.h: the one without an input comes behind the last. */
	if (event->type == EVENT_PROVIDER_ADOPT && event->provider_adopt.input_id.length == 0) {
		shell->driver->settled(shell->provider);
		return;
	}
	if (event->type == EVENT_PROVIDER_DELETE)
		log_delete(event);
	shell->driver->call(shell->provider, event);
	if (event->type == EVENT_PROVIDER_ADOPT && shell->driver->kind == PROVIDER_LOCAL)
		adopt_outputs(shell, event);
}

/* For people, as the calls are, and for the core. */
static void say(void *context, const struct stream_event *event)
{
	struct shell *shell = context;

	*effects_add(daemon_effects(shell->daemon), EFFECT_OPS, (struct peer){ 0 }, event->type) =
		*event;
	daemon_carry(shell->daemon);
	daemon_feed(shell->daemon, &(struct input){ .type = INPUT_MESSAGE,
						    .peer = { .role = ROLE_PROVIDER },
						    .event = event });
}

static const struct provider_driver *find_driver(enum provider_kind kind)
{
	switch (kind) {
	case PROVIDER_LOCAL:
		return &provider_local;
	case PROVIDER_CLOUDFLARE:
		return &provider_cloudflare;
	case PROVIDER_NONE:
		break;
	}
	return NULL;
}

static int open_core(struct shell *shell, const struct daemon_options *given)
{
	const struct config *config = given->config;
	const struct managed_options options = {
		.state = { .users_max = (uint32_t)config->registry_users_max,
			   .apps_max = (uint32_t)config->registry_apps_max,
			   .streams_max = (uint32_t)config->registry_streams_max,
			   .text_bytes = (size_t)config->registry_text_bytes_max,
			   .hash_seed = given->incarnation },
		.provider = shell->driver ? shell->driver->kind : PROVIDER_NONE,
		.incarnation = given->incarnation,
		.private_outputs = config->managed_private_outputs,
		.request_timeout_ms = config->managed_request_timeout_ms,
		.create_timeout_ms = config->managed_create_timeout_ms,
		.create_pause_ms = config->managed_create_pause_ms,
		.poll_interval_ms = config->managed_poll_interval_ms,
		.playback_deadline_ms = config->managed_playback_deadline_ms,
		.delete_pause_ms = config->managed_delete_pause_ms,
		.deletes_per_s = shell->driver == &provider_local ? MANAGED_LOCAL_DELETES_PER_S
								  : MANAGED_DELETES_PER_S,
		.reconcile_interval_ms = config->managed_reconcile_interval_s * 1000,
		.leak_age_s = config->managed_leak_age_s,
		.create_tries = (uint32_t)config->managed_create_tries,
		.provisions_per_user_per_min =
			(uint32_t)config->managed_provisions_per_user_per_min,
		.provisions_per_min = (uint32_t)config->managed_provisions_per_min,
		.owed_per_user_max = (uint32_t)config->managed_owed_per_user_max,
	};
	/* Sized for the limits; pages cost memory only once they are touched. */
	void *memory = mmap(NULL, managed_bytes(&options), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return err_raise(-errno);
	managed_init(&shell->core, &options, memory);
	return 0;
}

static int open_provider(struct shell *shell, const struct daemon_options *given)
{
	struct provider_options options = {
		.loop = daemon_loop(shell->daemon),
		.config = given->config,
		.run_dir = given->run_dir,
		.say = say,
		.context = shell,
	};
	int r;

	if (!shell->driver)
		return 0;
	r = managed_http_open(options.loop, given->config->managed_listen, &shell->http);
	if (r < 0)
		return err_pass(r);
	options.http = shell->http;
	return shell->driver->open(&options, &shell->provider);
}

static int serve(struct shell *shell, const struct daemon_options *given)
{
	struct daemon_options options = *given;
	int r;

	options.servers = 1u << ROLE_REGISTRY;
	options.follows = true;
	r = daemon_open(&options,
			&(struct actor){ .core = shell,
					 .handle = handle,
					 .deadline = deadline,
					 .call = call,
					 .context = shell },
			&shell->daemon);
	if (r < 0)
		return err_pass(r);
	r = open_provider(shell, given);
	if (r == 0)
		r = err_pass(daemon_run(shell->daemon));
	if (shell->provider)
		shell->driver->close(shell->provider);
	managed_http_close(shell->http);
	daemon_close(shell->daemon);
	return r;
}

static int run(const struct daemon_options *given)
{
	static struct shell shell; /* too large for the stack */
	uint32_t kind = words_find(&provider_words, text_of(given->config->managed_provider),
				   PROVIDER_NONE);
	int r;

	shell.driver = find_driver((enum provider_kind)kind);
	r = open_core(&shell, given);
	if (r < 0)
		return err_pass(r);
	return serve(&shell, given);
}

int main(int argc, char **argv)
{
	return daemon_main(argc, argv,
			   &(struct daemon_program){ .binary = "weir-managed-adapter",
						     .summary = "the rules of managed streams, and "
								"the provider that carries them",
						     .role = ROLE_MANAGED,
						     .run = run });
}
