/* SPDX-License-Identifier: MIT */
/* torture - every scene of tests/torture; see torture.h.
 *
 * The linker sends our own calls of malloc() and its relatives here (--wrap); libraries keep
 * theirs.
 */
#include "tests/torture/torture.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define NEVER UINT64_MAX

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
__attribute__((format(printf, 2, 3))) int __wrap_asprintf(char **out, const char *format, ...);

static uint64_t asked, fail_from = NEVER, fail_to = NEVER;

void torture_calm(void)
{
	fail_from = fail_to = NEVER;
}

static bool fails(void)
{
	uint64_t number = asked++;

	if (number < fail_from || number > fail_to)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return fails() ? NULL : __real_realloc(memory, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(memory, count, size);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
	return fails() ? ENOMEM : __real_posix_memalign(memory, alignment, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
	va_list arguments;
	int length;

	if (fails())
		return -1;
	va_start(arguments, format);
	length = vasprintf(out, format, arguments);
	va_end(arguments);
	return length;
}

/* The scene with allocations @from to @to failing; @count: how many there were. */
static int play(const struct torture *torture, uint64_t from, uint64_t to, uint64_t *count)
{
	int r;

	asked = 0;
	fail_from = from;
	fail_to = to;
	/* The last line names what a crash happened in. */
	if (from != NEVER)
		(void)printf("# %s: allocation %llu%s fails\n", torture->name,
			     (unsigned long long)from, to == NEVER ? " and all behind it" : "");
	(void)fflush(stdout);
	r = torture->scene();
	torture_calm();
	*count = asked;
	return r;
}

static bool judge(const struct torture *torture)
{
	uint64_t count, ignored;
	int r = play(torture, NEVER, NEVER, &count);

	if (r != 0) {
		(void)printf("# %s: %d with all the memory there is\n", torture->name, r);
		return false;
	}
	if (torture->allocates != (count > 0)) {
		(void)printf("# %s: allocates %llu times\n", torture->name,
			     (unsigned long long)count);
		return false;
	}
	for (uint64_t at = 0; at < count; at++) {
		(void)play(torture, at, at, &ignored);
		r = play(torture, at, NEVER, &ignored);
		if (torture->refuses && at == 0 && r == 0) {
			(void)printf("# %s: went on without memory\n", torture->name);
			return false;
		}
	}
	(void)printf("# %s: %llu allocations\n", torture->name, (unsigned long long)count);
	return true;
}

int main(void)
{
	bool all = true;

	log_init("torture", LOG_LEVEL_ERROR);
	(void)printf("1..%zu\n", torture_count);
	for (size_t i = 0; i < torture_count; i++) {
		bool good = judge(&tortures[i]);

		(void)printf("%s %zu - %s\n", good ? "ok" : "not ok", i + 1, tortures[i].name);
		all = all && good;
	}
	return all ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct torture tortures[] = {
	{ "inbox", scene_inbox, true, true },
	{ "outbox", scene_outbox, true, true },
	{ "uplink", scene_uplink, true, true },
	{ "node", scene_node, true, true },
	{ "registry's records", scene_record, true, true },
	{ "store in memory", scene_store_memory, true, true },
	{ "store in a file", scene_store_sqlite, true, true },
	{ "app directory", scene_apps, true, true },
	{ "configuration", scene_config, true, true },
	{ "ini file", scene_ini, true, true },
	{ "edge JSON", scene_edge, false, false },
	{ "gateway's sockets, opened", scene_gateway_open, true, true },
	{ "gateway's sockets, used", scene_gateway_talk, false, true },
	{ "callbacks", scene_callbacks, false, true },
};
const size_t torture_count = sizeof tortures / sizeof tortures[0];
