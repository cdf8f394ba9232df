/* SPDX-License-Identifier: MIT */
/* tool.h - what the load tool and the floor share as programs: arguments, limits, signals, time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

enum { TOOL_FINE, TOOL_WRONG, TOOL_USAGE }; /* exit codes */

struct tool {
	const char *name, *usage;
};

/* tool_fail() - say what is wrong with what (may be NULL), and exit TOOL_USAGE. */
__attribute__((noreturn)) void tool_fail(const struct tool *tool, const char *fault,
					 const char *what);

/* tool_help() - print the usage and exit. */
__attribute__((noreturn)) void tool_help(const struct tool *tool);

/* tool_number() - @text as a number from @least to @most, or tool_fail(). */
uint64_t tool_number(const struct tool *tool, const char *text, uint64_t least, uint64_t most);

/* tool_address() - read ADDR:PORT (IPv4). */
bool tool_address(const char *text, struct sockaddr_in *out);

/* tool_raise_descriptors() - to the hard limit; return: that. */
uint32_t tool_raise_descriptors(void);

/* tool_signals() - SIGTERM, SIGINT and SIGUSR1 arrive on the returned descriptor. */
int tool_signals(void);

/* tool_now_ns() - CLOCK_MONOTONIC. */
int64_t tool_now_ns(void);
