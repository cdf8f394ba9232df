/* SPDX-License-Identifier: MIT */
#include "tests/lib/store_power.h"

#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 4
#define SECTOR 512 /* what a disk writes as a whole */

struct pending {
	struct pending *next;
	int64_t at, length;
	bool truncate; /* to @at */
	char bytes[];
};

/* One per name; it outlives the handles. */
struct medium {
	char path[512];
	char *image; /* what was synced */
	int64_t length, size;
	struct pending *first, **last;
};

struct file {
	sqlite3_file base;
	struct medium *medium;
	sqlite3_file *real;
};

static sqlite3_vfs *real_vfs, power_vfs;
static sqlite3_io_methods methods;
static struct medium media[FILES_MAX];
static bool off;
static uint32_t syncs_before_failure;

/* Media ------------------------------------------------------------------------------------ */

static void forget_pending(struct medium *medium)
{
	for (struct pending *next; medium->first; medium->first = next) {
		next = medium->first->next;
		free(medium->first);
	}
	medium->last = &medium->first;
}

static void image_resize(struct medium *medium, int64_t length)
{
	if (length > medium->size) {
		medium->size = 2 * length;
		medium->image = realloc(medium->image, (size_t)medium->size);
		assert(medium->image);
	}
	if (length > medium->length)
		memset(medium->image + medium->length, 0, (size_t)(length - medium->length));
	medium->length = length;
}

static void image_write(struct medium *medium, int64_t at, const char *bytes, int64_t length)
{
	if (at + length > medium->length)
		image_resize(medium, at + length);
	memcpy(medium->image + at, bytes, (size_t)length);
}

static void image_read(struct medium *medium)
{
	int fd = open(medium->path, O_RDONLY | O_CLOEXEC);
	struct stat file;
	ssize_t length;

	assert(fd >= 0);
	if (fstat(fd, &file) < 0)
		abort();
	image_resize(medium, file.st_size);
	length = medium->length ? pread(fd, medium->image, (size_t)medium->length, 0) : 0;
	assert(length == medium->length);
	(void)length;
	(void)close(fd);
}

static void image_apply(struct medium *medium, const struct pending *write)
{
	if (write->truncate)
		image_resize(medium, write->at);
	else
		image_write(medium, write->at, write->bytes, write->length);
}

/* All, nothing or some sectors of it. */
static void image_apply_some(struct medium *medium, const struct pending *write, struct prng *prng)
{
	uint32_t how = prng_below(prng, 3);

	if (how == 0)
		return;
	if (how == 1 || write->truncate) {
		image_apply(medium, write);
		return;
	}
	for (int64_t done = 0, piece; done < write->length; done += piece) {
		piece = SECTOR - (write->at + done) % SECTOR;
		if (piece > write->length - done)
			piece = write->length - done;
		if (prng_one_in(prng, 2))
			image_write(medium, write->at + done, write->bytes + done, piece);
	}
}

static void add_pending(struct medium *medium, int64_t at, const void *bytes, int64_t length)
{
	struct pending *pending = malloc(sizeof *pending + (size_t)length);

	assert(pending);
	*pending = (struct pending){ .at = at, .length = length, .truncate = !bytes };
	if (bytes)
		memcpy(pending->bytes, bytes, (size_t)length);
	*medium->last = pending;
	medium->last = &pending->next;
}

static struct medium *medium_of(const char *path)
{
	for (int i = 0; i < FILES_MAX; i++) {
		if (strcmp(media[i].path, path) == 0)
			return &media[i];
		if (*media[i].path)
			continue;
		(void)snprintf(media[i].path, sizeof media[i].path, "%s", path);
		media[i].last = &media[i].first;
		image_read(&media[i]);
		return &media[i];
	}
	abort();
}

/* The VFS ---------------------------------------------------------------------------------- */

static struct file *file_of(sqlite3_file *file)
{
	return (struct file *)file;
}

static int power_close(sqlite3_file *file)
{
	return file_of(file)->real->pMethods->xClose(file_of(file)->real);
}

static int power_read(sqlite3_file *file, void *bytes, int length, sqlite3_int64 at)
{
	return file_of(file)->real->pMethods->xRead(file_of(file)->real, bytes, length, at);
}

static int power_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 at)
{
	if (off)
		return SQLITE_IOERR_WRITE;
	add_pending(file_of(file)->medium, at, bytes, length);
	return file_of(file)->real->pMethods->xWrite(file_of(file)->real, bytes, length, at);
}

static int power_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	if (off)
		return SQLITE_IOERR_TRUNCATE;
	add_pending(file_of(file)->medium, size, NULL, 0);
	return file_of(file)->real->pMethods->xTruncate(file_of(file)->real, size);
}

static int power_sync(sqlite3_file *file, int flags)
{
	struct medium *medium = file_of(file)->medium;
	bool fails = off || syncs_before_failure-- == 0;

	(void)flags;
	if (!fails) {
		for (const struct pending *write = medium->first; write; write = write->next)
			image_apply(medium, write);
	}
	forget_pending(medium);
	return fails ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int power_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return file_of(file)->real->pMethods->xFileSize(file_of(file)->real, size);
}

static int power_lock(sqlite3_file *file, int level)
{
	return file_of(file)->real->pMethods->xLock(file_of(file)->real, level);
}

static int power_unlock(sqlite3_file *file, int level)
{
	return file_of(file)->real->pMethods->xUnlock(file_of(file)->real, level);
}

static int power_reserved(sqlite3_file *file, int *out)
{
	return file_of(file)->real->pMethods->xCheckReservedLock(file_of(file)->real, out);
}

static int power_control(sqlite3_file *file, int op, void *argument)
{
	return file_of(file)->real->pMethods->xFileControl(file_of(file)->real, op, argument);
}

static int power_sector(sqlite3_file *file)
{
	(void)file;
	return SECTOR;
}

/* None of the promises that SQLite could rely on, such as writes that stay in order. */
static int power_traits(sqlite3_file *file)
{
	(void)file;
	return 0;
}

static int power_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *out, int flags,
		      int *out_flags)
{
	struct file *file = file_of(out);
	int code;

	(void)vfs;
	file->base.pMethods = NULL;
	file->real = (sqlite3_file *)(file + 1);
	code = real_vfs->xOpen(real_vfs, name, file->real, flags, out_flags);
	if (file->real->pMethods)
		file->base.pMethods = &methods;
	if (code == SQLITE_OK)
		file->medium = medium_of(name);
	return code;
}

/* A name that is gone comes back empty, if ever. */
static int power_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	if (off)
		return SQLITE_IOERR_DELETE;
	for (int i = 0; i < FILES_MAX; i++) {
		if (strcmp(media[i].path, name) != 0)
			continue;
		forget_pending(&media[i]);
		image_resize(&media[i], 0);
	}
	return real_vfs->xDelete(real_vfs, name, sync);
}

void store_power_install(void)
{
	int code;

	real_vfs = sqlite3_vfs_find(NULL);
	methods = (sqlite3_io_methods){
		.iVersion = 1,
		.xClose = power_close,
		.xRead = power_read,
		.xWrite = power_write,
		.xTruncate = power_truncate,
		.xSync = power_sync,
		.xFileSize = power_size,
		.xLock = power_lock,
		.xUnlock = power_unlock,
		.xCheckReservedLock = power_reserved,
		.xFileControl = power_control,
		.xSectorSize = power_sector,
		.xDeviceCharacteristics = power_traits,
	};
	power_vfs = *real_vfs;
	power_vfs.pNext = NULL;
	power_vfs.zName = "power";
	power_vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
	power_vfs.xOpen = power_open;
	power_vfs.xDelete = power_delete;
	syncs_before_failure = UINT32_MAX;
	code = sqlite3_vfs_register(&power_vfs, 1);
	assert(code == SQLITE_OK);
	(void)code;
}

void store_power_fail_sync(uint32_t after)
{
	syncs_before_failure = after;
}

void store_power_off(void)
{
	off = true;
}

static void image_restore(struct medium *medium)
{
	int fd = open(medium->path,
		      O_WRONLY | O_TRUNC | O_CLOEXEC); /* not there: not brought back */
	ssize_t length;

	if (fd < 0)
		return;
	length = medium->length ? write(fd, medium->image, (size_t)medium->length) : 0;
	assert(length == medium->length);
	(void)length;
	(void)close(fd);
}

void store_power_cut(struct prng *prng)
{
	for (int i = 0; i < FILES_MAX && *media[i].path; i++) {
		for (const struct pending *write = media[i].first; write; write = write->next)
			image_apply_some(&media[i], write, prng);
		forget_pending(&media[i]);
		image_restore(&media[i]);
		free(media[i].image);
		media[i] = (struct medium){ 0 };
	}
	off = false;
	syncs_before_failure = UINT32_MAX;
}
