/* SPDX-License-Identifier: MIT */
/* store_files.h - the files of a store on a disk: where they may lie, who may read them, and the
 * reserve that is given up when the disk is full.
 *
 * Nothing here opens a database that exists: closing any descriptor of it drops every lock that
 * the process has on it (fcntl(2)).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/store.h"

/* store_files_remote() - the name of a file system of statfs()'s @magic that a store must not lie
 * on, because locks or fsync there are not what they are on a local disk; NULL: it may.
 */
const char *store_files_remote(uint32_t magic);

/* store_files_prepare() - the directory of @path exists, with mode 0700 if it had to be made; it is
 * local; @path is a plain file of mode 0600, empty if it had to be made.
 *
 * Return: 0, or -errno with *@fault filled in.
 */
int store_files_prepare(const char *path, struct store_fault *fault);

struct store_reserve {
	char path[STORE_PATH_MAX + sizeof ".reserve"];
	uint64_t size; /* bytes */
	uint64_t written; /* so far; size: it is there */
	int fd; /* while it is being written; -1: it is not */
};

/* store_reserve_init() - the reserve that belongs to the store @path; @path fits. */
void store_reserve_init(struct store_reserve *self, const char *path, uint64_t size);
void store_reserve_fini(struct store_reserve *self);

/* store_reserve_found() - is there any file of its name?  @self need not be written. */
bool store_reserve_found(const struct store_reserve *self);

bool store_reserve_ready(const struct store_reserve *self);

/* store_reserve_drop() - give the room back to the file system; false: there was none to give. */
bool store_reserve_drop(struct store_reserve *self);

/* store_reserve_step() - write a piece of it, if the disk has room for twice what is missing.
 *
 * Return: true if the next call should follow soon; false if it is ready or cannot be now.
 */
bool store_reserve_step(struct store_reserve *self);
