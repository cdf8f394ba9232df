/* SPDX-License-Identifier: MIT */
/* provider_stage.c - a provider without the rest of weir: calls come as lines of JSON on stdin,
 * what it says goes as lines of JSON to stdout.  {"type": "settled"} stands for the end of the
 * adoptions. Takes the arguments of a daemon.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "actors/managed-adapter/managed_http.h"
#include "actors/managed-adapter/provider.h"
#include "common/daemon.h"
#include "common/log.h"
#include "tests/lib/fake_registry_wire.h"

static const struct provider_driver *driver;
static struct provider *provider;
static char input[65536];
static size_t input_length;

/* Secrets are redacted in the JSON of an event, but the ingest is what tests publish to. */
static void say(void *context, const struct stream_event *event)
{
	char text[65536];
	struct text ingest = event->type == EVENT_PROVIDER_DONE ? event->provider_done.ingest
								: (struct text){ 0 };

	(void)context;
	if (stream_event_json(event, text, sizeof text) < 0)
		abort();
	printf("{\"event\":%s,\"address\":\"%.*s\"}\n", text, (int)ingest.length,
	       ingest.bytes ? ingest.bytes : "");
	fflush(stdout);
}

static void obey(const char *line)
{
	json_t *command = json_loads(line, 0, NULL);
	const char *type = json_string_value(json_object_get(command, "type"));

	if (type && strcmp(type, "settled") == 0) {
		driver->settled(provider);
	} else if (type) {
		struct stream_event event = event_from_json(command);

		driver->call(provider, &event);
	}
	json_decref(command);
}

static void on_input(struct ev_loop *loop, struct ev_io *io, int events)
{
	ssize_t count = read(io->fd, input + input_length, sizeof input - input_length - 1);
	char *newline;

	(void)events;
	if (count <= 0) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	input_length += (size_t)count;
	input[input_length] = '\0';
	while ((newline = strchr(input, '\n'))) {
		*newline = '\0';
		obey(input);
		input_length -= (size_t)(newline + 1 - input);
		memmove(input, newline + 1, input_length + 1);
	}
}

static int run(const struct daemon_options *options)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct managed_http *http;
	struct ev_io io;
	int r = managed_http_open(loop, options->config->managed_listen, &http);

	if (r < 0)
		return r;
	driver = strcmp(options->config->managed_provider, "local") == 0 ? &provider_local
									 : &provider_cloudflare;
	r = driver->open(&(struct provider_options){ .loop = loop,
						     .config = options->config,
						     .http = http,
						     .run_dir = options->run_dir,
						     .say = say },
			 &provider);
	if (r != 0)
		return r;
	printf("ready\n");
	fflush(stdout);
	ev_io_init(&io, on_input, STDIN_FILENO, EV_READ);
	ev_io_start(loop, &io);
	(void)ev_run(loop, 0);
	driver->close(provider);
	managed_http_close(http);
	ev_loop_destroy(loop);
	return 0;
}

int main(int argc, char **argv)
{
	return daemon_main(argc, argv,
			   &(struct daemon_program){ .binary = "provider_stage",
						     .summary = "a provider for tests",
						     .role = ROLE_MANAGED,
						     .run = run });
}
