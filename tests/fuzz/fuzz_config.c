/* SPDX-License-Identifier: MIT */
/* Properties: an INI file that is read reads the same once written out again; a configuration that
 * is accepted keeps every bound of the table, and given key by key with --set is accepted too; one
 * that is refused is refused with a clean text that names the file.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/config.h"
#include "common/ini.h"
#include "proto/escape.h"

#define INPUT_MAX 65536
#define WRITTEN_MAX (4 * INPUT_MAX) /* "a=" grows to "a = \n" at most */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct writing {
	char *text;
	size_t length;
};

static int write_entry(void *context, const struct ini_entry *entry)
{
	struct writing *to = context;
	int length = entry->key ? snprintf(to->text + to->length, WRITTEN_MAX - to->length,
					   "%s = %s\n", entry->key, entry->value)
				: snprintf(to->text + to->length, WRITTEN_MAX - to->length,
					   "[%s]\n", entry->section);

	assert(length > 0 && (size_t)length < WRITTEN_MAX - to->length);
	to->length += (size_t)length;
	return 0;
}

static int rewrite(const char *bytes, size_t length, char *text, size_t *written)
{
	struct writing to = { text, 0 };
	const struct ini_visitor visitor = { &to, write_entry };
	struct ini_fault fault = { 0 };
	int r = ini_parse(bytes, length, &visitor, &fault);

	assert(r == 0 || (r == INI_E_INVALID && *fault.reason));
	*written = to.length;
	return r;
}

static void check_ini(const char *bytes, size_t length)
{
	static char first[WRITTEN_MAX], second[WRITTEN_MAX];
	size_t first_length, second_length;

	if (rewrite(bytes, length, first, &first_length) != 0)
		return;
	assert(rewrite(first, first_length, second, &second_length) == 0);
	assert(second_length == first_length && memcmp(first, second, first_length) == 0);
}

static void check_error(const char *error)
{
	struct text text = text_of(error);
	char out[ESCAPE_SIZE];

	assert(strncmp(error, "/dev/fd/", 8) == 0 && text.length < CONFIG_ERROR_SIZE);
	while (text.length > 0) {
		size_t length, taken = escape_next(text, out, &length);

		/* Quotes and backslashes are ours; all else that is escaped is not clean. */
		assert(length == taken || *text.bytes == '\'' || *text.bytes == '\\' ||
		       *text.bytes == '"');
		text.bytes += taken;
		text.length -= (uint32_t)taken;
	}
}

static void check_set(const char *set)
{
	const char *const sets[] = { set, NULL };
	const struct config_source source = { .sets = sets };
	char error[CONFIG_ERROR_SIZE];
	struct config config;

	/* A rule between two keys may refuse one alone; its form must be right all the same. */
	if (config_load(&source, &config, error) == 0)
		config_fini(&config);
	else
		assert(strstr(error, " than ") || strstr(error, " beside it") ||
		       strstr(error, "would take"));
}

static void check_config(const struct config *config)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		const void *member = (const char *)config + keys[i].offset;
		char set[8192];

		if (keys[i].type == CONFIG_INT) {
			int64_t value = *(const int64_t *)member;

			assert(value >= keys[i].min && value <= keys[i].max);
			(void)snprintf(set, sizeof set, "%s.%s=%" PRId64, keys[i].section,
				       keys[i].name, value);
			check_set(set);
		} else if (keys[i].type == CONFIG_STR) {
			const char *value = *(const char *const *)member;

			assert(strlen(value) <= (size_t)keys[i].max);
			(void)snprintf(set, sizeof set, "%s.%s=%s", keys[i].section, keys[i].name,
				       value);
			check_set(set);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char path[32], error[CONFIG_ERROR_SIZE];
	struct config config;

	if (size > INPUT_MAX)
		return -1;
	check_ini((const char *)data, size);
	if (fd < 0)
		fd = memfd_create("config", MFD_CLOEXEC);
	assert(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	(void)snprintf(path, sizeof path, "/dev/fd/%d", fd);
	const struct config_source source = { .file = path };

	if (config_load(&source, &config, error) == 0) {
		check_config(&config);
		config_fini(&config);
	} else {
		check_error(error);
	}
	return 0;
}
