/* SPDX-License-Identifier: MIT */
#include "common/machine.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/table.h"

#define TEXT_MAX 256 /* bytes of a file; an id has 36 */
#define ID_DIGITS 32
#define CLOCK_SEED 0x636c6f636bU /* the same everywhere */

/* The beginning of @path; 0: there is nothing to read. */
static size_t read_text(const char *path, char text[TEXT_MAX])
{
	CLEANUP(close_at) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, TEXT_MAX);

	return length > 0 ? (size_t)length : 0;
}

/* The id of this start of the machine, into @text; 0: nobody knows it. */
static size_t boot_id(const struct machine_sources *sources, char text[TEXT_MAX])
{
	size_t length = sources->told ? strlen(sources->told) : 0;

	if (length == 0)
		return read_text(sources->boot_id, text);
	if (length > TEXT_MAX)
		length = TEXT_MAX;
	memcpy(text, sources->told, length);
	return length;
}

/* Ids come with and without hyphens, and with an end of line. */
static size_t only_digits(char *text, size_t length)
{
	size_t kept = 0;

	for (size_t i = 0; i < length; i++)
		if (isxdigit((unsigned char)text[i]))
			text[kept++] = (char)tolower((unsigned char)text[i]);
	return kept;
}

uint64_t machine_clock_of(const struct machine_sources *sources)
{
	char bytes[2 * TEXT_MAX];
	size_t length = only_digits(bytes, boot_id(sources, bytes));
	uint64_t hash;

	if (length != ID_DIGITS)
		return 0;
	length += read_text(sources->offsets, bytes + length); /* none: a kernel without them */
	hash = table_hash((struct text){ bytes, (uint32_t)length }, CLOCK_SEED);
	return hash ? hash : 1;
}

static uint64_t any_number(void)
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof number, 0) != sizeof number)
		number = (uint64_t)getpid();
	return number ? number : 1;
}

uint64_t machine_clock(void)
{
	uint64_t clock = machine_clock_of(&(struct machine_sources){
		.told = getenv("WEIR_BOOT_ID"),
		.boot_id = "/proc/sys/kernel/random/boot_id",
		.offsets = "/proc/self/timens_offsets",
	});

	return clock ? clock : any_number();
}
