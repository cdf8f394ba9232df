/* SPDX-License-Identifier: MIT */
#include "actors/gateway/gateway_apps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "common/error.h"
#include "common/ini.h"
#include "proto/schema.h"

#define PERMISSION_MAX 64 /* bytes of one permission's name */

_Static_assert(SHA256_DIGEST_LENGTH == GATEWAY_KEY_HASH_SIZE, "one digest");
_Static_assert(INI_SECTION_MAX >= PACKAGE_MAX, "every package can be a section");

/* An app under construction, with the line of its section. */
struct draft {
	struct gateway_app app;
	unsigned line;
	bool has_key;
};

/* Texts go into one block that is as large as the file: they all stand in it. */
struct reader {
	struct draft *drafts;
	size_t count, size;
	char *texts;
	size_t used, room;
	const char *name;
	char *error;
	int failure; /* -errno; 0: @error says it */
};

static int refuse(struct reader *reader, unsigned line, const char *subject, const char *mend)
{
	snprintf(reader->error, GATEWAY_APPS_ERROR_SIZE, "%s:%u: %.200s: %s", reader->name, line,
		 subject, mend);
	return GATEWAY_APPS_E_INVALID;
}

static struct text keep(struct reader *reader, const char *value)
{
	size_t length = strlen(value);
	char *kept = reader->texts + reader->used;

	if (length > reader->room - reader->used)
		length = reader->room - reader->used; /* never: it stands in the file */
	memcpy(kept, value, length);
	reader->used += length;
	return (struct text){ kept, (uint32_t)length };
}

/* ---- keys ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int read_key(struct reader *reader, struct draft *draft, const struct ini_entry *entry)
{
	bool valid = strlen(entry->value) == 2 * GATEWAY_KEY_HASH_SIZE;

	for (size_t i = 0; valid && i < GATEWAY_KEY_HASH_SIZE; i++) {
		int high = hex_digit(entry->value[2 * i]);
		int low = hex_digit(entry->value[2 * i + 1]);

		valid = high >= 0 && low >= 0;
		draft->app.key_hash[i] = (uint8_t)(high << 4 | (low & 0xf));
	}
	draft->has_key = valid;
	/* The value is not shown: somebody may have written the key itself. */
	return valid ? 0
		     : refuse(reader, entry->line, "api_key_sha256",
			      "must be 64 hexadecimal digits: printf %s KEY | sha256sum");
}

static int read_webhook(struct reader *reader, struct draft *draft, const struct ini_entry *entry)
{
	const char *scheme_end = strstr(entry->value, "://");
	struct text webhook;

	if (strncmp(entry->value, "http://", 7) != 0 && strncmp(entry->value, "https://", 8) != 0)
		return refuse(reader, entry->line, "webhook",
			      "must begin with http:// or https://");
	if (strlen(entry->value) > URL_MAX || strpbrk(entry->value, " \t") != NULL ||
	    scheme_end[3] == '\0' || scheme_end[3] == '/')
		return refuse(reader, entry->line, "webhook",
			      "must be one URL of at most 2048 bytes");
	webhook = keep(reader, entry->value);
	while (webhook.bytes[webhook.length - 1] == '/')
		webhook.length--;
	draft->app.webhook = webhook;
	return 0;
}

static bool is_permission(const char *word, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!((word[i] >= 'A' && word[i] <= 'Z') || word[i] == '_' ||
		      (word[i] >= '0' && word[i] <= '9')))
			return false;
	return length > 0 && length <= PERMISSION_MAX;
}

/* Permissions that have nothing to do with streams are accepted and mean nothing here. */
static int read_permissions(struct reader *reader, struct draft *draft,
			    const struct ini_entry *entry)
{
	for (const char *at = entry->value; *at;) {
		at += strspn(at, " \t");
		size_t field = strcspn(at, ","), length = field;

		while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t'))
			length--;
		if (!is_permission(at, length))
			return refuse(reader, entry->line, "permissions",
				      "must be words such as CAMERA, ALL, comma separated");
		if (length == 6 && memcmp(at, "CAMERA", 6) == 0)
			draft->app.permissions |= GATEWAY_CAMERA;
		if (length == 3 && memcmp(at, "ALL", 3) == 0)
			draft->app.permissions |= GATEWAY_ALL;
		at += field;
		at += *at == ',';
	}
	return 0;
}

static int read_type(struct reader *reader, struct draft *draft, const struct ini_entry *entry)
{
	uint32_t type = words_find(&app_type_words, text_of(entry->value), APP_TYPE_NONE);

	if (type == APP_TYPE_NONE)
		return refuse(reader, entry->line, "type",
			      "must be standard, background or system_dashboard");
	draft->app.type = (enum app_type)type;
	return 0;
}

static int read_name(struct reader *reader, struct draft *draft, const struct ini_entry *entry)
{
	draft->app.name = keep(reader, entry->value);
	return 0;
}

static const struct {
	const char *key;
	int (*read)(struct reader *reader, struct draft *draft, const struct ini_entry *entry);
} keys[] = {
	{ "api_key_sha256", read_key },
	{ "webhook", read_webhook },
	{ "permissions", read_permissions },
	{ "type", read_type },
	{ "name", read_name },
};

/* ---- sections ---- */

static int add_app(struct reader *reader, const struct ini_entry *entry)
{
	if (strlen(entry->section) > PACKAGE_MAX)
		return refuse(reader, entry->line, entry->section,
			      "a package name has at most 128 bytes");
	if (reader->count == reader->size) {
		size_t size = reader->size ? reader->size * 2 : 64;
		struct draft *drafts = reallocarray(reader->drafts, size, sizeof *drafts);

		if (!drafts)
			return reader->failure = err_raise(-ENOMEM);
		reader->drafts = drafts;
		reader->size = size;
	}
	reader->drafts[reader->count++] = (struct draft){
		.app = { .package = keep(reader, entry->section), .type = APP_TYPE_STANDARD },
		.line = entry->line,
	};
	return 0;
}

static int visit(void *context, const struct ini_entry *entry)
{
	struct reader *reader = context;

	if (!entry->key)
		return add_app(reader, entry);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(entry->key, keys[i].key) == 0)
			return keys[i].read(reader, &reader->drafts[reader->count - 1], entry);
	return refuse(reader, entry->line, entry->key,
		      "unknown key: api_key_sha256, webhook, permissions, type and name are known");
}

static int compare(const void *a, const void *b)
{
	return gateway_text_order(((const struct gateway_app *)a)->package,
				  ((const struct gateway_app *)b)->package);
}

/* Apps and their texts in one block. */
static int finish(struct reader *reader, struct gateway_apps *out)
{
	for (size_t i = 0; i < reader->count; i++)
		if (!reader->drafts[i].has_key)
			return refuse(reader, reader->drafts[i].line, "api_key_sha256",
				      "is missing in this section");
	struct gateway_app *apps = reallocarray(NULL, reader->count + 1, sizeof *apps);

	if (!apps)
		return err_raise(-ENOMEM);
	for (size_t i = 0; i < reader->count; i++)
		apps[i] = reader->drafts[i].app;
	qsort(apps, reader->count, sizeof *apps, compare);
	*out = (struct gateway_apps){
		.directory = { .apps = apps, .count = reader->count },
		.memory = reader->texts,
	};
	reader->texts = NULL;
	return 0;
}

static int ini_error(struct reader *reader, const struct ini_fault *fault)
{
	snprintf(reader->error, GATEWAY_APPS_ERROR_SIZE, "%s:%u: %s", reader->name, fault->line,
		 fault->reason);
	return GATEWAY_APPS_E_INVALID;
}

int gateway_apps_parse(const char *bytes, size_t length, const char *name, struct gateway_apps *out,
		       char *error)
{
	struct reader reader = { .room = length, .name = name, .error = error };
	struct ini_fault fault;
	int r;

	reader.texts = malloc(length + 1);
	if (!reader.texts)
		return err_raise(-ENOMEM);
	r = ini_parse(bytes, length, &(struct ini_visitor){ &reader, visit }, &fault);
	if (r == 0)
		r = finish(&reader, out);
	else if (r == INI_E_INVALID)
		r = ini_error(&reader, &fault);
	else if (r == INI_E_STOPPED)
		r = reader.failure < 0 ? err_pass(reader.failure) : GATEWAY_APPS_E_INVALID;
	free(reader.drafts);
	free(reader.texts);
	return r;
}

int gateway_apps_load(const char *file, struct gateway_apps *out, char *error)
{
	char *bytes = NULL;
	size_t length = 0;
	int r;

	if (!*file) {
		*out = (struct gateway_apps){ 0 };
		return 0;
	}
	r = ini_read(file, INI_FILE_MAX, &bytes, &length);
	if (r == -ENOMEM)
		return err_pass(r);
	if (r < 0) {
		snprintf(error, GATEWAY_APPS_ERROR_SIZE, "gateway.apps_file = %s: %s", file,
			 strerror(-r));
		return GATEWAY_APPS_E_INVALID;
	}
	r = gateway_apps_parse(bytes, length, file, out, error);
	free(bytes);
	return r;
}

void gateway_apps_fini(struct gateway_apps *apps)
{
	if (!apps)
		return;
	free((void *)(uintptr_t)apps->directory.apps);
	free(apps->memory);
	*apps = (struct gateway_apps){ 0 };
}

bool gateway_apps_key_ok(const struct gateway_apps *apps, struct text package, struct text api_key)
{
	static const uint8_t nobody[GATEWAY_KEY_HASH_SIZE];
	const struct gateway_app *app = gateway_directory_find(&apps->directory, package);
	uint8_t hash[GATEWAY_KEY_HASH_SIZE];
	bool equal;

	SHA256((const unsigned char *)api_key.bytes, api_key.length, hash);
	equal = CRYPTO_memcmp(hash, app ? app->key_hash : nobody, sizeof hash) == 0;
	return equal && app != NULL;
}
