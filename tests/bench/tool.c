/* SPDX-License-Identifier: MIT */
#include "tests/bench/tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>

#define DESCRIPTORS_MAX 1048576 /* tables are made for so many, also if the limit is higher */

void tool_fail(const struct tool *tool, const char *fault, const char *what)
{
	fprintf(stderr, "%s: %s%s%s; see --help\n", tool->name, fault, what ? ": " : "",
		what ? what : "");
	exit(TOOL_USAGE);
}

void tool_help(const struct tool *tool)
{
	exit(fputs(tool->usage, stdout) < 0 || fflush(stdout) != 0 ? TOOL_USAGE : TOOL_FINE);
}

static bool read_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *out >= least &&
	       *out <= most;
}

uint64_t tool_number(const struct tool *tool, const char *text, uint64_t least, uint64_t most)
{
	char fault[96];
	uint64_t value;

	if (read_number(text, least, most, &value))
		return value;
	(void)snprintf(fault, sizeof fault, "wants a number from %llu to %llu",
		       (unsigned long long)least, (unsigned long long)most);
	tool_fail(tool, fault, text);
}

bool tool_address(const char *text, struct sockaddr_in *out)
{
	const char *colon = strrchr(text, ':');
	char host[INET_ADDRSTRLEN];
	uint64_t port;

	if (!colon || (size_t)(colon - text) >= sizeof host ||
	    !read_number(colon + 1, 1, UINT16_MAX, &port))
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	*out = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	return inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

uint32_t tool_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur < DESCRIPTORS_MAX ? (uint32_t)limit.rlim_cur : DESCRIPTORS_MAX;
}

int tool_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int64_t tool_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}
