/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_draft.h"
#include "common/error.h"
#include "common/ini.h"
#include "proto/text.h"

#define WORD_MAX 64 /* longer words are not compared */
#define FILE_MAX (1024 * 1024) /* bytes of weir.conf: a thousand times what all keys take */

static const struct config_key *key_at(size_t index)
{
	size_t count;

	return &config_keys(&count)[index];
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* How many letters must be added, taken away or changed to make one word of the other. */
static unsigned distance(const char *a, const char *b)
{
	size_t length_a = strlen(a), length_b = strlen(b);
	unsigned row[WORD_MAX + 1];

	if (length_a > WORD_MAX || length_b > WORD_MAX)
		return UINT32_MAX;
	for (size_t j = 0; j <= length_b; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= length_a; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= length_b; j++) {
			unsigned change = diagonal + (tolower((unsigned char)a[i - 1]) !=
						      tolower((unsigned char)b[j - 1]));

			diagonal = row[j];
			row[j] = least(change, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[length_b];
}

static bool is_near(unsigned letters, const char *word)
{
	return letters <= 1 + strlen(word) / 4;
}

/* The key that was most likely meant; NULL if none is near.  A key of the right section wins over
 * one of the same name elsewhere.
 */
static const struct config_key *nearest_key(const char *section, const char *name)
{
	const struct config_key *best = NULL;
	unsigned best_cost = UINT32_MAX;

	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		const struct config_key *key = key_at(i);
		unsigned letters = distance(name, key->name);

		if (!is_near(letters, name))
			continue;
		unsigned cost = letters * 8 + least(7, distance(section, key->section));

		if (cost < best_cost) {
			best_cost = cost;
			best = key;
		}
	}
	return best;
}

static const char *nearest_section(const char *section)
{
	const char *best = NULL;
	unsigned best_letters = UINT32_MAX;

	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		const char *known = key_at(i)->section;
		unsigned letters = distance(section, known);

		if (is_near(letters, section) && letters < best_letters) {
			best_letters = letters;
			best = known;
		}
	}
	return best;
}

static bool is_section(const char *section)
{
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
		if (strcmp(key_at(i)->section, section) == 0)
			return true;
	return false;
}

static int unknown_section(const struct config_draft *draft, const struct config_place *place,
			   const char *section)
{
	const char *meant = nearest_section(section);
	char subject[INI_SECTION_MAX + 3];

	(void)snprintf(subject, sizeof subject, "[%s]", section);
	if (meant)
		return config_fail(draft, place, subject, "unknown section; did you mean [%s]?",
				   meant);
	return config_fail(draft, place, subject,
			   "unknown section; deploy/weir.conf shows them all");
}

static int unknown_key(const struct config_draft *draft, const struct config_place *place,
		       const char *section, const char *name)
{
	const struct config_key *meant = nearest_key(section, name);
	char subject[INI_SECTION_MAX + INI_KEY_MAX + 2];

	(void)snprintf(subject, sizeof subject, "%s.%s", section, name);
	if (meant)
		return config_fail(draft, place, subject, "unknown key; did you mean %s.%s?",
				   meant->section, meant->name);
	return config_fail(draft, place, subject, "unknown key; deploy/weir.conf shows them all");
}

/* A later setting of the same key replaces an earlier one. */
static int set(struct config_draft *draft, size_t key, const struct config_place *place,
	       const char *text)
{
	struct config_setting *setting = &draft->settings[key];
	char *copy = strdup(text);

	if (!copy)
		return err_raise(-ENOMEM);
	free(setting->text);
	*setting = (struct config_setting){ .place = *place, .text = copy };
	return 0;
}

static size_t find_key(const char *section, const char *name)
{
	size_t i = 0;

	while (i < CONFIG_KEY_COUNT &&
	       (strcmp(key_at(i)->section, section) != 0 || strcmp(key_at(i)->name, name) != 0))
		i++;
	return i;
}

static int set_named(struct config_draft *draft, const struct config_place *place,
		     const struct ini_entry *entry)
{
	size_t key = entry->key ? find_key(entry->section, entry->key) : CONFIG_KEY_COUNT;

	if (key < CONFIG_KEY_COUNT)
		return set(draft, key, place, entry->value);
	if (!is_section(entry->section))
		return unknown_section(draft, place, entry->section);
	return entry->key ? unknown_key(draft, place, entry->section, entry->key) : 0;
}

struct file_reading {
	struct config_draft *draft;
	int r;
};

/* Slips of the hand that would otherwise become part of a value. */
static const char *slip(const char *value)
{
	size_t length = strlen(value);

	if (length >= 2 && value[0] == '"' && value[length - 1] == '"')
		return "write the value without quotes";
	if (strstr(value, " #") || strstr(value, "\t#") || strstr(value, " ;"))
		return "a comment needs a line of its own";
	return NULL;
}

static int visit(void *context, const struct ini_entry *entry)
{
	struct file_reading *reading = context;
	const struct config_place place = { .origin = ORIGIN_FILE, .line = entry->line };
	const char *wrong = entry->key ? slip(entry->value) : NULL;

	reading->r = set_named(reading->draft, &place, entry);
	if (reading->r == 0 && wrong)
		reading->r = config_refuse(reading->draft,
					   (enum config_index)find_key(entry->section, entry->key),
					   "%s", wrong);
	return reading->r;
}

static int read_file(struct config_draft *draft)
{
	struct config_place place = { .origin = ORIGIN_FILE };
	struct file_reading reading = { .draft = draft };
	const struct ini_visitor visitor = { &reading, visit };
	struct ini_fault fault = { 0 };
	char *bytes;
	size_t length;
	int r = ini_read(draft->source->file, FILE_MAX, &bytes, &length);

	if (r == -ENOMEM)
		return r;
	if (r == -ENODEV)
		return config_fail(draft, &place, "", "is not a regular file");
	if (r == -EFBIG)
		return config_fail(draft, &place, "", "is larger than %d bytes", FILE_MAX);
	if (r < 0)
		return config_fail(draft, &place, "", "%s; give the right file with --conf",
				   strerror(-r));
	r = ini_parse(bytes, length, &visitor, &fault);
	free(bytes);
	if (r == INI_E_STOPPED)
		return reading.r;
	if (r == INI_E_INVALID) {
		place.line = fault.line;
		return config_fail(draft, &place, "", "%s", fault.reason);
	}
	return r;
}

static void variable_of(const struct config_key *key, char *name, size_t size)
{
	(void)snprintf(name, size, "WEIR_%s_%s", key->section, key->name);
	for (; *name; name++)
		*name = (char)toupper((unsigned char)*name);
}

#define VARIABLE_SIZE 128

/* "WEIR_GATEWAY_LISEN" has a section of ours, so it is meant for us and is wrong.  Other WEIR_
 * variables belong to the scripts.
 */
static int unknown_variable(const struct config_draft *draft, const struct config_place *place,
			    struct text name)
{
	char section[VARIABLE_SIZE], expected[VARIABLE_SIZE], given[VARIABLE_SIZE];

	(void)text_put(name, given, sizeof given);
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		const struct config_key *key = key_at(i);
		int length = snprintf(section, sizeof section, "WEIR_%s_", key->section);

		if (strncasecmp(given, section, (size_t)length) != 0)
			continue;
		const struct config_key *meant = nearest_key(key->section, given + length);

		if (!meant)
			return config_fail(draft, place, given,
					   "unknown key; deploy/weir.conf shows them all");
		variable_of(meant, expected, sizeof expected);
		return config_fail(draft, place, given, "unknown key; did you mean %s?", expected);
	}
	return 0;
}

static int read_variable(struct config_draft *draft, const char *variable)
{
	const struct config_place place = { .origin = ORIGIN_ENVIRONMENT, .variable = variable };
	struct text name = { variable, (uint32_t)strcspn(variable, "=") };
	char expected[VARIABLE_SIZE];

	if (strncmp(variable, "WEIR_", 5) != 0 || variable[name.length] != '=' ||
	    text_is(name, "WEIR_LOG_PREFIX"))
		return 0;
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		variable_of(key_at(i), expected, sizeof expected);
		if (text_is(name, expected))
			return set(draft, i, &place, variable + name.length + 1);
	}
	return unknown_variable(draft, &place, name);
}

/* The name the original cloud knew; WEIR_GATEWAY_PUBLIC_URL wins over it. */
static int read_host_name(struct config_draft *draft, const char *variable)
{
	const struct config_place place = { .origin = ORIGIN_ENVIRONMENT, .variable = variable };
	static const char name[] = "CLOUD_PUBLIC_HOST_NAME=";
	const char *host = variable + sizeof name - 1;
	char *url;
	int r;

	if (strncmp(variable, name, sizeof name - 1) != 0 || !*host)
		return 0;
	if (asprintf(&url, "wss://%s", host) < 0)
		return err_raise(-ENOMEM);
	r = set(draft, KEY_gateway_public_url, &place, url);
	free(url);
	return r;
}

static int read_environment(struct config_draft *draft)
{
	int r = 0;

	for (char *const *at = draft->source->environment; *at && r == 0; at++)
		r = read_host_name(draft, *at);
	for (char *const *at = draft->source->environment; *at && r == 0; at++)
		r = read_variable(draft, *at);
	return r;
}

/* The vendor's own names: who sets both wants that provider, unless he says otherwise. */
static int read_vendor(struct config_draft *draft)
{
	static const char account[] = "CLOUDFLARE_ACCOUNT_ID=", token[] = "CLOUDFLARE_API_TOKEN=";
	const struct config_place place = { .origin = ORIGIN_ENVIRONMENT,
					    .variable = "CLOUDFLARE_ACCOUNT_ID=..." };
	bool has_account = false, has_token = false;

	for (char *const *at = draft->source->environment; at && *at; at++) {
		has_account |=
			strncmp(*at, account, sizeof account - 1) == 0 && (*at)[sizeof account - 1];
		has_token |= strncmp(*at, token, sizeof token - 1) == 0 && (*at)[sizeof token - 1];
	}
	if (!has_account || !has_token ||
	    draft->settings[KEY_managed_provider].place.origin != ORIGIN_DEFAULT)
		return 0;
	return set(draft, KEY_managed_provider, &place, "cloudflare");
}

static int read_set(struct config_draft *draft, const char *given)
{
	const struct config_place place = { .origin = ORIGIN_SET };
	size_t dot = strcspn(given, ".="), equal = strcspn(given, "=");
	char section[INI_SECTION_MAX + 1], key[INI_KEY_MAX + 1];

	if (given[dot] != '.' || given[equal] != '=' || dot >= sizeof section || dot == 0 ||
	    equal - dot - 1 >= sizeof key || equal == dot + 1)
		return config_fail(draft, &place, given, "must be section.key=value");
	(void)text_put((struct text){ given, (uint32_t)dot }, section, sizeof section);
	(void)text_put((struct text){ given + dot + 1, (uint32_t)(equal - dot - 1) }, key,
		       sizeof key);
	return set_named(
		draft, &place,
		&(struct ini_entry){ .section = section, .key = key, .value = given + equal + 1 });
}

/* A relative path in the file is relative to the file. */
static int place_path(struct config_draft *draft, struct config_setting *setting)
{
	const char *file = draft->source->file;

	if (!setting->text || setting->place.origin != ORIGIN_FILE || !*setting->text ||
	    *setting->text == '/')
		return 0;
	const char *slash = strrchr(file, '/');

	if (slash &&
	    asprintf(&setting->path, "%.*s/%s", (int)(slash - file), file, setting->text) < 0) {
		setting->path = NULL;
		return err_raise(-ENOMEM);
	}
	return 0;
}

int config_read(struct config_draft *draft)
{
	int r = 0;

	if (draft->source->file)
		r = read_file(draft);
	if (r == 0 && draft->source->environment)
		r = read_environment(draft);
	for (const char *const *at = draft->source->sets; at && *at && r == 0; at++)
		r = read_set(draft, *at);
	if (r == 0)
		r = read_vendor(draft);
	for (size_t i = 0; i < CONFIG_KEY_COUNT && r == 0; i++)
		if (key_at(i)->type == CONFIG_FILE || key_at(i)->type == CONFIG_DIR)
			r = place_path(draft, &draft->settings[i]);
	return r;
}
