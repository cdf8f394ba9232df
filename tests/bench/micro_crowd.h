/* SPDX-License-Identifier: MIT */
/* micro_crowd.h - a registry with many users, each with an app and a live stream, in a store.
 *
 * The core is given what gateways and adapters would say; its events are committed as the shell
 * does it, a few thousand to a commit.
 */
#pragma once

#include "actors/registry/registry_store.h"
#include "tests/bench/tool.h"

struct micro_crowd_options {
	uint32_t users;
	uint32_t managed_every; /* so many streams are one managed one; 0: none is */
};

/* micro_crowd_registry() - options of a registry that has room for the crowd. */
struct registry_options micro_crowd_registry(const struct micro_crowd_options *options,
					     const struct store_head *head);

/* micro_crowd_fill() - make the crowd in @store, which is empty.
 *
 * Return: state_hash() of what the registry knows then.  Errors end the program, as @tool.
 */
uint64_t micro_crowd_fill(const struct tool *tool, struct store *store,
			  const struct micro_crowd_options *options);
