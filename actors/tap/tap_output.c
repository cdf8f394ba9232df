/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/tap/tap_clock.h"

/* A terminal or a pipe that is writable may still block in the middle of a write.  Opened anew it
 * does not, and whoever shares the old description is not surprised by another mode.
 */
static int reopen(int fd, const struct stat *status)
{
	char path[32];

	if (!isatty(fd) && !S_ISFIFO(status->st_mode))
		return -1;
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void output_init(struct output *output, int fd, int signal_fd)
{
	struct stat status = { 0 };

	(void)fstat(fd, &status);
	output->opened = reopen(fd, &status);
	output->fd = output->opened < 0 ? fd : output->opened;
	output->signal_fd = signal_fd;
	output->deadline_ms = INT64_MAX;
	output->state = OUTPUT_OPEN;
	output->error = 0;
	output->used = 0;
	/* What polls as writable takes PIPE_BUF bytes, what cannot block what it has room for. */
	output->chunk = output->opened >= 0 || S_ISREG(status.st_mode) ? OUTPUT_SIZE : PIPE_BUF;
}

void output_fini(struct output *output)
{
	output_flush(output);
	if (output->opened >= 0)
		(void)close(output->opened);
}

char *output_room(struct output *output, size_t size)
{
	assert(size <= OUTPUT_SIZE);
	if (OUTPUT_SIZE - output->used < size)
		output_flush(output);
	return output->bytes + output->used;
}

void output_take(struct output *output, size_t length)
{
	assert(length <= OUTPUT_SIZE - output->used);
	output->used += length;
}

/* Waits until the descriptor takes bytes, or for the reason to give up, which is the new state. */
static void wait_writable(struct output *output)
{
	for (;;) {
		struct pollfd items[] = {
			{ .fd = output->fd, .events = POLLOUT },
			{ .fd = output->signal_fd, .events = POLLIN },
		};
		int ready = poll(items, 2, (int)clock_wait_ms(output->deadline_ms));

		if (ready < 0 && errno != EINTR) {
			output->state = OUTPUT_FAILED;
			output->error = errno;
			return;
		}
		if (ready > 0 && items[0].revents & POLLOUT)
			return;
		if (ready > 0) {
			output->state = items[0].revents ? OUTPUT_CLOSED : OUTPUT_SIGNAL;
			return;
		}
		if (ready == 0 && clock_now_ms() >= output->deadline_ms) {
			output->state = OUTPUT_LATE;
			return;
		}
	}
}

static size_t write_chunk(struct output *output, const char *bytes, size_t length)
{
	ssize_t written = write(output->fd, bytes, length < output->chunk ? length : output->chunk);

	if (written >= 0)
		return (size_t)written;
	if (errno == EPIPE || errno == ECONNRESET) {
		output->state = OUTPUT_CLOSED;
	} else if (errno != EINTR && errno != EAGAIN) {
		output->state = OUTPUT_FAILED;
		output->error = errno;
	}
	return 0;
}

void output_flush(struct output *output)
{
	size_t done = 0;

	while (done < output->used && output->state == OUTPUT_OPEN) {
		wait_writable(output);
		if (output->state == OUTPUT_OPEN)
			done += write_chunk(output, output->bytes + done, output->used - done);
	}
	output->used = 0;
}
