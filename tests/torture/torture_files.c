/* SPDX-License-Identifier: MIT */
/* What is read from files, and what is kept in one; and what never allocates. */
#include "tests/torture/torture.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/gateway/gateway_apps.h"
#include "common/config.h"
#include "common/ini.h"
#include "common/store.h"
#include "proto/edge.h"

#define PATH_SIZE 32
#define KEY "api_key_sha256 = 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683\n"

/* A file with @text; unlink @path. */
static void write_file(char path[static PATH_SIZE], const char *text)
{
	FILE *file;
	int fd;

	(void)snprintf(path, PATH_SIZE, "/tmp/torture-XXXXXX");
	fd = mkstemp(path);
	assert(fd >= 0);
	file = fdopen(fd, "w");
	assert(file && fputs(text, file) >= 0);
	assert(fclose(file) == 0);
}

int scene_apps(void)
{
	char path[PATH_SIZE], error[GATEWAY_APPS_ERROR_SIZE] = "", text[16384];
	struct gateway_apps apps = { 0 };
	size_t length = 0;
	int r;

	for (unsigned i = 0; i < 100; i++)
		length += (size_t)snprintf(text + length, sizeof text - length,
					   "[com.example.app%u]\n" KEY "webhook = http://h\n", i);
	write_file(path, text);
	r = gateway_apps_load(path, &apps, error);
	(void)unlink(path);
	if (r == 0)
		assert(apps.directory.count == 100);
	else
		assert(r == -ENOMEM || *error);
	gateway_apps_fini(&apps);
	return r;
}

/* A path that is relative to the file it stands in. */
int scene_config(void)
{
	const char *const sets[] = { "gateway.starts_per_min=5", "gateway.listen=127.0.0.1:1",
				     NULL };
	char path[PATH_SIZE], apps[PATH_SIZE], text[128], error[CONFIG_ERROR_SIZE] = "";
	struct config config;
	int r;

	write_file(apps, "");
	(void)snprintf(text, sizeof text, "[gateway]\napps_file = %s\npublic_url = wss://h\n",
		       strrchr(apps, '/') + 1);
	write_file(path, text);
	r = config_load(&(struct config_source){ .file = path, .sets = sets }, &config, error);
	(void)unlink(path);
	(void)unlink(apps);
	if (r == 0)
		config_fini(&config);
	else
		assert(r == -ENOMEM || *error);
	return r;
}

static int see(void *context, const struct ini_entry *entry)
{
	(void)entry;
	++*(unsigned *)context;
	return 0;
}

int scene_ini(void)
{
	char path[PATH_SIZE], *bytes = NULL;
	struct ini_fault fault;
	unsigned seen = 0;
	size_t length = 0;
	int r;

	write_file(path, "[b]\nx = 1\ny = 2\n[a]\nz = 3\n");
	r = ini_read(path, INI_FILE_MAX, &bytes, &length);
	(void)unlink(path);
	if (r == 0)
		r = ini_parse(bytes, length, &(struct ini_visitor){ &seen, see }, &fault);
	assert(r != 0 || seen == 5);
	free(bytes);
	return r;
}

int scene_store_sqlite(void)
{
	const struct store_limits limits = { .history_rows_max = 16,
					     .history_age_ms = INT64_MAX / 2,
					     .reserve_bytes = 65536 };
	static const char *const left[] = { "", "-wal", "-shm", ".reserve", ".lock", "-journal" };
	char directory[] = "/tmp/torture-XXXXXX", uri[64], file[64];
	struct store_fault fault = { .reason = "" };
	struct store *store = NULL;
	int r;

	assert(mkdtemp(directory));
	(void)snprintf(uri, sizeof uri, STORE_SQLITE "%s/store", directory);
	r = store_open(&store, uri, &limits, &fault);
	if (r == 0)
		store_close(store);
	else
		assert(*fault.reason);
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
		(void)snprintf(file, sizeof file, "%s/store%s", directory, left[i]);
		(void)unlink(file);
	}
	assert(rmdir(directory) == 0);
	return r;
}

int scene_edge(void)
{
	static char out[EDGE_ENCODED_MAX];
	static struct edge_scratch scratch;
	const struct edge_input input = {
		.side = EDGE_FROM_APP,
		.json = TEXT("{\"type\":\"rtmp_stream_request\",\"packageName\":\"a\\u0062\","
			     "\"rtmpUrl\":\"rtmp://h/a/k\",\"video\":{\"width\":1}}"),
		.scratch = &scratch,
	};
	struct edge_message message;

	assert(edge_decode(&input, &message) == 0);
	assert(edge_encode(&message, 0, out, sizeof out) > 0);
	return 0;
}
