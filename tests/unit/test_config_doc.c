/* SPDX-License-Identifier: MIT */
/* Goal: the files in deploy/ say what the table says.  Method: compare deploy/weir.conf with what
 * weir-config-doc prints, load it with every setting commented in, read deploy/apps.conf.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "common/config.h"
#include "common/config_doc.h"
#include "common/ini.h"

static char *committed(const char *name)
{
	const char *root = getenv("WEIR_SOURCE_ROOT");
	char path[4096];
	static char content[65536];

	(void)snprintf(path, sizeof path, "%s/%s", root ? root : "/nowhere", name);
	FILE *file = fopen(path, "re");

	cr_assert(file, "%s: set WEIR_SOURCE_ROOT to the top of the source tree", path);
	content[fread(content, 1, sizeof content - 1, file)] = '\0';
	(void)fclose(file);
	return content;
}

/* Take the comment sign away in front of every setting and section.  Return: how many. */
static size_t comment_in(char *content)
{
	size_t shown = 0;

	for (char *at = content; (at = strstr(at, "\n#")); at++)
		if (at[2] != ' ' && at[2] != '\n') {
			memmove(at + 1, at + 2, strlen(at + 2) + 1);
			shown++;
		}
	return shown;
}

Test(config_doc, the_committed_file_is_made_from_the_table)
{
	char *made = NULL;
	size_t size;
	FILE *to = open_memstream(&made, &size);

	config_doc_write(to);
	(void)fclose(to);
	cr_assert_str_eq(committed("deploy/weir.conf"), made,
			 "run: weir-config-doc > deploy/weir.conf");
	free(made);
}

static int compare(void *context, const struct ini_entry *entry)
{
	size_t count, *next = context;
	const struct config_key *keys = config_keys(&count);

	if (!entry->key)
		return 0;
	cr_assert_lt(*next, count);
	cr_assert_str_eq(entry->section, keys[*next].section);
	cr_assert_str_eq(entry->key, keys[*next].name);
	cr_assert_str_eq(entry->value, keys[*next].otherwise);
	++*next;
	return 0;
}

Test(config_doc, every_key_is_there_with_its_default)
{
	char *content = committed("deploy/weir.conf"), path[] = "/tmp/weir-test-XXXXXX";
	char error[CONFIG_ERROR_SIZE];
	size_t count, next = 0;
	const struct ini_visitor visitor = { &next, compare };
	const struct config_source source = { .file = path };
	struct ini_fault fault;
	struct config config;

	(void)config_keys(&count);
	cr_assert_eq(comment_in(content), count);
	cr_assert_eq(ini_parse(content, strlen(content), &visitor, &fault), 0);
	cr_assert_eq(next, count);

	int fd = mkstemp(path);

	cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	(void)close(fd);
	cr_assert_eq(config_load(&source, &config, error), 0, "%s", error);
	(void)unlink(path);
	config_fini(&config);
}

static int collect(void *context, const struct ini_entry *entry)
{
	char *keys = context;

	strncat(keys, entry->key ? entry->key : entry->section, 100);
	strncat(keys, "\n", 2);
	return 0;
}

Test(config_doc, the_app_directory_is_read)
{
	char *content = committed("deploy/apps.conf"), keys[1000] = "";
	const struct ini_visitor visitor = { keys, collect };
	struct ini_fault fault;

	cr_assert_eq(ini_parse(content, strlen(content), &visitor, &fault), 0);
	cr_assert_str_empty(keys, "as installed it knows no app");
	cr_assert_eq(comment_in(content), 6);
	cr_assert_eq(ini_parse(content, strlen(content), &visitor, &fault), 0, "%s", fault.reason);
	cr_assert_str_eq(keys, "com.example.camera\napi_key_sha256\nwebhook\npermissions\ntype\n"
			       "name\n");
}
