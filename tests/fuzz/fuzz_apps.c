/* SPDX-License-Identifier: MIT */
/* The input is an app directory.  Properties: one that is read is in order, its texts stand in its
 * own memory and within their limits, and it reads the same once written out again; one that is
 * refused is refused with a text that names file and line, and does not show what was given as the
 * hash of a key: somebody may have written the key itself.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/gateway/gateway_apps.h"
#include "proto/schema.h"

#define INPUT_MAX 16384
#define WRITTEN_MAX (16 * INPUT_MAX) /* an app of 70 bytes grows to 200 */
#define SECRET "Zq7the-key-itselfZq7"
#define NAME "apps.conf"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct gateway_apps *apps, struct text text, size_t room)
{
	const char *memory = apps->memory;

	if (text.length > 0)
		assert(text.bytes >= memory && text.bytes + text.length <= memory + room);
}

static void check_apps(const struct gateway_apps *apps, size_t room)
{
	for (size_t i = 0; i < apps->directory.count; i++) {
		const struct gateway_app *app = &apps->directory.apps[i];

		check_text(apps, app->package, room);
		check_text(apps, app->webhook, room);
		check_text(apps, app->name, room);
		assert(app->package.length > 0 && app->package.length <= PACKAGE_MAX);
		assert(app->webhook.length <= URL_MAX);
		if (app->webhook.length > 0)
			assert(memcmp(app->webhook.bytes, "http", 4) == 0 &&
			       app->webhook.bytes[app->webhook.length - 1] != '/');
		assert(app->type != APP_TYPE_NONE);
		assert(gateway_directory_find(&apps->directory, app->package) == app);
		assert(i == 0 || gateway_text_order(app[-1].package, app->package) < 0);
		assert(!gateway_apps_key_ok(apps, app->package, TEXT(SECRET)));
	}
}

static size_t write_app(const struct gateway_app *app, char *to, size_t size)
{
	char hash[2 * GATEWAY_KEY_HASH_SIZE + 1];
	int length;

	for (size_t i = 0; i < GATEWAY_KEY_HASH_SIZE; i++)
		(void)snprintf(hash + 2 * i, 3, "%02x", app->key_hash[i]);
	length = snprintf(
		to, size, "[%.*s]\napi_key_sha256 = %s\ntype = %s\nname = %.*s\n%s%.*s\n%s",
		(int)app->package.length, app->package.bytes, hash,
		words_name(&app_type_words, app->type), (int)app->name.length, app->name.bytes,
		app->webhook.length ? "webhook = " : "", (int)app->webhook.length,
		app->webhook.bytes,
		app->permissions == (GATEWAY_CAMERA | GATEWAY_ALL) ? "permissions = ALL, CAMERA\n"
		: app->permissions == GATEWAY_CAMERA		   ? "permissions = CAMERA\n"
		: app->permissions == GATEWAY_ALL		   ? "permissions = ALL\n"
								   : "");
	assert(length > 0 && (size_t)length < size);
	return (size_t)length;
}

static void check_again(const struct gateway_apps *apps)
{
	static char written[WRITTEN_MAX];
	char error[GATEWAY_APPS_ERROR_SIZE];
	struct gateway_apps again;
	size_t length = 0;

	for (size_t i = 0; i < apps->directory.count; i++)
		length += write_app(&apps->directory.apps[i], written + length,
				    sizeof written - length);
	assert(gateway_apps_parse(written, length, NAME, &again, error) == 0);
	assert(again.directory.count == apps->directory.count);
	for (size_t i = 0; i < apps->directory.count; i++) {
		const struct gateway_app *a = &apps->directory.apps[i];
		const struct gateway_app *b = &again.directory.apps[i];

		assert(text_equal(a->package, b->package) && text_equal(a->webhook, b->webhook) &&
		       text_equal(a->name, b->name) && a->permissions == b->permissions &&
		       a->type == b->type &&
		       memcmp(a->key_hash, b->key_hash, sizeof a->key_hash) == 0);
	}
	gateway_apps_fini(&again);
}

static void check_refusal(const char *error)
{
	assert(strlen(error) < GATEWAY_APPS_ERROR_SIZE);
	assert(strncmp(error, NAME ":", strlen(NAME ":")) == 0);
	assert(!strstr(error, SECRET));
}

static void parse(const char *bytes, size_t length)
{
	char error[GATEWAY_APPS_ERROR_SIZE] = "";
	struct gateway_apps apps;
	int r = gateway_apps_parse(bytes, length, NAME, &apps, error);

	assert(r == 0 || r == GATEWAY_APPS_E_INVALID);
	if (r != 0) {
		check_refusal(error);
		return;
	}
	check_apps(&apps, length);
	check_again(&apps);
	gateway_apps_fini(&apps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char line[] = "\napi_key_sha256 = " SECRET "\n";
	char *bytes;

	/* The fuzzer finds our secret out: then it is none. */
	if (size > INPUT_MAX || memmem(data, size, SECRET, 3))
		return -1;
	bytes = malloc(size + sizeof line);
	assert(bytes);
	memcpy(bytes, data, size);
	parse(bytes, size);
	memcpy(bytes + size, line, sizeof line - 1);
	parse(bytes, size + sizeof line - 1);
	free(bytes);
	return 0;
}
