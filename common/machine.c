/* SPDX-License-Identifier: MIT */
#include "common/machine.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/table.h"

#define TEXT_MAX 256 /* bytes of a file; an id has 36 */
#define ID_MIN 32 /* less is no id: "uninitialized" of a machine that was never started */
#define CLOCK_SEED 0x636c6f636bU /* the same everywhere */

/* The beginning of @path; 0: there is nothing to read. */
static size_t read_text(const char *path, char text[TEXT_MAX])
{
	CLEANUP(close_at) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, TEXT_MAX);

	return length > 0 ? (size_t)length : 0;
}

uint64_t machine_clock_of(const struct machine_files *files)
{
	char bytes[2 * TEXT_MAX];
	size_t length = read_text(files->boot_id, bytes);
	uint64_t hash;

	if (length < ID_MIN)
		length = read_text(files->machine_id, bytes);
	if (length < ID_MIN)
		return 0;
	length += read_text(files->offsets, bytes + length); /* none: a kernel without them */
	hash = table_hash((struct text){ bytes, (uint32_t)length }, CLOCK_SEED);
	return hash ? hash : 1;
}

uint64_t machine_clock(void)
{
	return machine_clock_of(&(struct machine_files){
		.boot_id = "/proc/sys/kernel/random/boot_id",
		.machine_id = "/etc/machine-id",
		.offsets = "/proc/self/timens_offsets",
	});
}
