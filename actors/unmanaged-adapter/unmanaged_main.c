/* SPDX-License-Identifier: MIT */
/* unmanaged_main.c - shell of the unmanaged adapter. */
#include <errno.h>
#include <sys/mman.h>

#include "actors/unmanaged-adapter/unmanaged_core.h"
#include "common/daemon.h"
#include "common/error.h"

static void handle(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	unmanaged_handle(core, input, now_ms, fx);
}

static int64_t deadline(const void *core)
{
	return unmanaged_deadline(core);
}

static int run(const struct daemon_options *given)
{
	static struct unmanaged core;
	const struct config *config = given->config;
	const struct unmanaged_options core_options = {
		.state = { .users_max = (uint32_t)config->registry_users_max,
			   .apps_max = (uint32_t)config->registry_apps_max,
			   .streams_max = (uint32_t)config->registry_streams_max,
			   .text_bytes = (size_t)config->registry_text_bytes_max,
			   .hash_seed = given->incarnation },
	};
	struct daemon_options options = *given;
	struct daemon *daemon;
	int r;

	/* Sized for the limits; pages cost memory only once they are touched. */
	void *memory = mmap(NULL, unmanaged_bytes(&core_options), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return err_raise(-errno);
	unmanaged_init(&core, &core_options, memory);
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
			   &(struct daemon_program){ .binary = "weir-unmanaged-adapter",
						     .summary = "the rules of direct RTMP streams",
						     .role = ROLE_UNMANAGED,
						     .run = run });
}
