/* SPDX-License-Identifier: MIT */
/* scheduler_main.c - shell of the lifecycle scheduler. */
#include <errno.h>
#include <sys/mman.h>

#include "actors/lifecycle-scheduler/scheduler_core.h"
#include "common/daemon.h"
#include "common/error.h"

static void handle(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	scheduler_handle(core, input, now_ms, fx);
}

static int64_t deadline(const void *core)
{
	return scheduler_deadline(core);
}

#define KIND_OPTIONS(config, kind, defaults) \
	(struct scheduler_kind) \
	{ \
		.keepalive_interval_ms = (config)->kind##_keepalive_interval_ms, \
		.ack_timeout_ms = (config)->kind##_ack_timeout_ms, \
		.start_deadline_ms = (config)->kind##_start_deadline_ms, \
		.stop_deadline_ms = (config)->kind##_stop_deadline_ms, \
		.grace_ms = (config)->kind##_grace_ms, \
		.duration_max_ms = (config)->kind##_duration_max_ms, \
		.missed_max = (uint32_t)(config)->kind##_missed_max, \
		.probe_phases = (defaults).probe_phases, \
	}

static struct scheduler_options options_of(const struct daemon_options *daemon)
{
	const struct config *config = daemon->config;
	struct scheduler_options options = scheduler_defaults;

	options.kinds[KIND_UNMANAGED] =
		KIND_OPTIONS(config, unmanaged, scheduler_defaults.kinds[KIND_UNMANAGED]);
	options.kinds[KIND_MANAGED] =
		KIND_OPTIONS(config, managed, scheduler_defaults.kinds[KIND_MANAGED]);
	options.session_grace_ms = config->session_grace_ms;
	options.app_grace_ms = config->session_app_grace_ms;
	options.app_connect_ms = config->session_app_connect_ms;
	options.gateway_lease_ms = config->gateway_lease_ms;
	options.gateway_blind_max_ms = config->gateway_blind_max_ms;
	options.hash_seed = daemon->incarnation; /* users and apps choose their names */
	options.streams_max = (uint32_t)config->registry_streams_max;
	options.users_max = (uint32_t)config->registry_users_max;
	options.apps_max = (uint32_t)config->registry_apps_max;
	return options;
}

static int run(const struct daemon_options *given)
{
	static struct scheduler core;
	const struct scheduler_options core_options = options_of(given);
	struct daemon_options options = *given;
	struct daemon *daemon;
	int r;

	/* Sized for the limits; pages cost memory only once they are touched. */
	void *memory = mmap(NULL, scheduler_bytes(&core_options), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return err_raise(-errno);
	scheduler_init(&core, &core_options, memory);
	options.servers = 1u << ROLE_REGISTRY;
	options.follows = true;
	r = daemon_open(&options,
			&(struct actor){ .core = &core, .handle = handle, .deadline = deadline },
			&daemon);
	if (r < 0)
		return err_pass(r);
	r = daemon_run(daemon);
	daemon_close(daemon);
	return err_pass(r);
}

int main(int argc, char **argv)
{
	return daemon_main(argc, argv,
			   &(struct daemon_program){ .binary = "weir-lifecycle-scheduler",
						     .summary = "keeps every timer",
						     .role = ROLE_SCHEDULER,
						     .run = run });
}
