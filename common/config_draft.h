/* SPDX-License-Identifier: MIT */
/* config_draft.h - settings on their way into a struct config; for config*.c only. */
#pragma once

#include "common/config.h"

#define CONFIG_ONE(TYPE, section, key, otherwise, min, max, meaning) +1
enum { CONFIG_KEY_COUNT = 0 CONFIG_KEYS(CONFIG_ONE) };

/* Where a key stands in config_keys(): KEY_gateway_listen. */
#define CONFIG_INDEX(TYPE, section, key, otherwise, min, max, meaning) KEY_##section##_##key,
enum config_index { CONFIG_KEYS(CONFIG_INDEX) };

enum config_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_SET };

/* Where a setting was made. */
struct config_place {
	enum config_origin origin;
	unsigned line; /* ORIGIN_FILE; 0: the file as a whole */
	const char *variable; /* ORIGIN_ENVIRONMENT: borrowed "NAME=value" */
};

struct config_setting {
	struct config_place place;
	char *text; /* owned; NULL: the default */
	char *path; /* owned; of a FILE: @text, relative to the working directory */
};

struct config_draft {
	const struct config_source *source;
	char *error; /* CONFIG_ERROR_SIZE bytes */
	struct config_setting settings[CONFIG_KEY_COUNT];
};

/* config_refuse() - say where @key was set, to what, and what is wrong with that.
 *
 * Return: CONFIG_E_INVALID.
 */
int config_refuse(const struct config_draft *draft, enum config_index key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* config_fail() - the same for what has no key of ours; @subject may be empty.
 *
 * Return: CONFIG_E_INVALID.
 */
int config_fail(const struct config_draft *draft, const struct config_place *place,
		const char *subject, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* config_read() - file, environment and --set into @draft.
 *
 * Return: 0, CONFIG_E_INVALID or -errno.
 */
int config_read(struct config_draft *draft);

/* config_check() - refuse what is in bounds but makes no sense, and files that cannot be used.
 *
 * Return: 0, CONFIG_E_INVALID or -errno.
 */
int config_check(const struct config_draft *draft, const struct config *config);

/* config_check_bus() - the same for the addresses of tcp.  Return: 0 or CONFIG_E_INVALID. */
int config_check_bus(const struct config_draft *draft, const struct config *config);
