/* SPDX-License-Identifier: MIT */
/* replay - a fuzz target without its fuzzer: every file of a directory once.
 *
 * usage: fuzz target linked with this, DIRECTORY...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each input in memory of its own, so that valgrind and sanitizers see a byte too far. */
static void replay(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	FILE *file = fopen(path, "re");
	size_t length = file ? fread(bytes, 1, sizeof bytes, file) : 0;
	uint8_t *data = malloc(length ? length : 1);

	if (!file || !data || fclose(file) != 0) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	memcpy(data, bytes, length);
	(void)printf("%s\n", path); /* the last one is the culprit */
	(void)fflush(stdout);
	(void)LLVMFuzzerTestOneInput(data, length);
	free(data);
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay_all(const char *directory)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_input, alphasort);

	for (int i = 0; i < count; i++) {
		char path[4096];

		(void)snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
		replay(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return count;
}

int main(int argc, char **argv)
{
	int r = argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;

	for (int i = 1; i < argc; i++)
		if (replay_all(argv[i]) <= 0) {
			(void)fprintf(stderr, "replay: no input in %s\n", argv[i]);
			r = EXIT_FAILURE;
		}
	return r;
}
