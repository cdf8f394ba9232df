/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_sources.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include <czmq.h>

#include "actors/tap/tap_call.h"
#include "actors/tap/tap_socket.h"
#include "common/bus.h"
#include "common/keyring.h"

#define SUFFIX ".outbox"
#define REGISTRY "registry"

/* The name of the process whose outbox @file is; false if it is no outbox. */
static bool outbox_name(const char *file, char name[static NAME_MAX_BYTES + 1])
{
	size_t length = strspn(file, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (length == 0 || length > NAME_MAX_BYTES || strcmp(file + length, SUFFIX) != 0)
		return false;
	(void)text_put((struct text){ file, (uint32_t)length }, name, NAME_MAX_BYTES + 1);
	return true;
}

static bool is_known(const struct sources *sources, const char *name)
{
	for (size_t i = 0; i < sources->count; i++)
		if (strcmp(sources->items[i].name, name) == 0)
			return true;
	return false;
}

/* Who has an address and no key yet may be a gateway that is not set up yet. */
static bool is_trusted(const struct sources *sources, const char *name)
{
	return keyring_server(sources->cli->keyring, bus_role(name), name) != NULL;
}

static int connect_source(const struct sources *sources, struct source *source)
{
	char file[NAME_MAX_BYTES + sizeof SUFFIX];

	source->socket = socket_new(ZMQ_SUB, 0);
	(void)snprintf(file, sizeof file, "%s" SUFFIX, source->name);
	if (!source->socket) {
		say("cannot open a socket: %s", strerror(errno));
		return EXIT_AWAY;
	}
	zsock_set_subscribe(source->socket, TOPIC_WELCOME);
	if (strcmp(source->name, REGISTRY) == 0)
		zsock_set_subscribe(source->socket, TOPIC_STORY);
	if (sources->ops)
		zsock_set_subscribe(source->socket, TOPIC_OPS);
	if (!socket_connect(source->socket, sources->cli, file)) {
		say("cannot connect to %s: %s", file, strerror(errno));
		return EXIT_AWAY;
	}
	return EXIT_DONE;
}

static int subscribe(struct sources *sources, const char *name)
{
	struct source *source = &sources->items[sources->count];

	if (sources->count == SOURCES_MAX) {
		if (!sources->overflow)
			say("more than %d daemons: '%s' and further ones are left out", SOURCES_MAX,
			    name);
		sources->overflow = true;
		return EXIT_DONE;
	}
	*source = (struct source){ 0 };
	(void)snprintf(source->name, sizeof source->name, "%s", name);
	sources->count++;
	return connect_source(sources, source);
}

/* On tcp: those that are configured. */
static int scan_config(struct sources *sources)
{
	char name[BUS_NAME_SIZE];
	int r = EXIT_DONE;

	for (size_t i = 0; r == EXIT_DONE && bus_actor(sources->cli->config, i, name); i++)
		if (!is_known(sources, name) && is_trusted(sources, name))
			r = subscribe(sources, name);
	return r;
}

int sources_scan(struct sources *sources)
{
	char name[NAME_MAX_BYTES + 1];
	int r = EXIT_DONE;

	if (!sources->ops)
		return EXIT_DONE;
	if (sources->cli->keyring)
		return scan_config(sources);
	DIR *folder = opendir(sources->cli->run);

	if (!folder)
		return EXIT_DONE; /* gone for now: what is subscribed reconnects by itself */
	for (struct dirent *entry = readdir(folder); entry && r == EXIT_DONE;
	     entry = readdir(folder))
		if (outbox_name(entry->d_name, name) && !is_known(sources, name))
			r = subscribe(sources, name);
	(void)closedir(folder);
	return r;
}

int sources_open(struct sources *sources, const struct cli *cli, bool ops)
{
	sources->cli = cli;
	sources->ops = ops;
	sources->count = 0;
	sources->overflow = false;
	if (!socket_exists(cli, REGISTRY SUFFIX))
		return say_away(cli, REGISTRY SUFFIX);
	int r = subscribe(sources, REGISTRY);

	return r == EXIT_DONE ? sources_scan(sources) : r;
}

void sources_close(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		zsock_destroy(&sources->items[i].socket);
	sources->count = 0;
}

bool sources_live(const struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		if (!sources->items[i].welcomed)
			return false;
	return sources->items[SOURCE_REGISTRY].story.known;
}
