/* SPDX-License-Identifier: MIT */
#include "common/store_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "common/cleanup.h"
#include "common/store_engine.h"

#define PIECE_BYTES 1048576 /* 1 MiB: some 10 ms on a disk of 100 MB/s, fsync included */

/* linux/magic.h knows some of these, but not all. */
static const struct remote {
	uint32_t magic;
	const char *name;
} remotes[] = {
	{ 0x00006969, "nfs" },	 { 0xff534d42, "cifs" },   { 0xfe534d42, "smb2" },
	{ 0x0000517b, "smb" },	 { 0x01021997, "9p" },	   { 0x65735546, "fuse" },
	{ 0x00c36400, "ceph" },	 { 0x5346414f, "afs" },	   { 0x6b414653, "afs" },
	{ 0x73757245, "coda" },	 { 0x0000564c, "ncp" },	   { 0x01161970, "gfs2" },
	{ 0x7461636f, "ocfs2" }, { 0x0bd00bd0, "lustre" }, { 0x786f4256, "vboxsf" },
	{ 0xaad7aaea, "panfs" },
};

const char *store_files_remote(uint32_t magic)
{
	for (size_t i = 0; i < sizeof remotes / sizeof remotes[0]; i++) {
		if (remotes[i].magic == magic)
			return remotes[i].name;
	}
	return NULL;
}

/* The directory part of @path, into @out of STORE_PATH_MAX + 1 bytes. */
static const char *directory_of(const char *path, char *out)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	if (slash == path)
		return "/";
	return text_put((struct text){ path, (uint32_t)(slash - path) }, out, STORE_PATH_MAX + 1);
}

static int sync_directory(const char *directory)
{
	CLEANUP(close_at) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* umask takes bits away from what is created, chmod() gives them back. */
static int prepare_directory(const char *directory, struct store_fault *fault)
{
	struct statfs fs;
	const char *name;

	if (mkdir(directory, 0700) == 0) {
		if (chmod(directory, 0700) < 0)
			return store_refuse(fault, -errno, "%s: chmod: %m", directory);
	} else if (errno != EEXIST) {
		return store_refuse(fault, -errno, "%s: cannot make the directory of the store: %m",
				    directory);
	}
	if (statfs(directory, &fs) < 0)
		return store_refuse(fault, -errno, "%s: statfs: %m", directory);
	name = store_files_remote((uint32_t)fs.f_type);
	if (name)
		return store_refuse(fault, -EROFS,
				    "%s is on %s: a store needs a local file system, "
				    "where locks and fsync hold",
				    directory, name);
	return 0;
}

static int create_file(const char *path, const char *directory, struct store_fault *fault)
{
	CLEANUP(close_at) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return store_refuse(fault, -errno, "%s: cannot create the store: %m", path);
	if (fchmod(fd, 0600) < 0)
		return store_refuse(fault, -errno, "%s: chmod: %m", path);
	r = sync_directory(directory);
	if (r < 0)
		return store_refuse(fault, r, "%s: fsync: %s", directory, strerror(-r));
	return 0;
}

int store_files_prepare(const char *path, struct store_fault *fault)
{
	char buffer[STORE_PATH_MAX + 1];
	const char *directory = directory_of(path, buffer);
	struct stat file;
	int r;

	r = prepare_directory(directory, fault);
	if (r < 0)
		return r;
	if (stat(path, &file) < 0) {
		if (errno != ENOENT)
			return store_refuse(fault, -errno, "%s: %m", path);
		return create_file(path, directory, fault);
	}
	if (!S_ISREG(file.st_mode))
		return store_refuse(fault, -EINVAL, "%s is not a plain file", path);
	if ((file.st_mode & 07777) != 0600 && chmod(path, 0600) < 0)
		return store_refuse(fault, -errno, "%s: chmod: %m", path);
	return 0;
}

/* The reserve ----------------------------------------------------------------------------- */

void store_reserve_init(struct store_reserve *self, const char *path, uint64_t size)
{
	struct stat file;

	*self = (struct store_reserve){ .size = size, .fd = -1 };
	(void)snprintf(self->path, sizeof self->path, "%s.reserve", path);
	/* A piece of one, from a process that was killed, is written anew. */
	if (stat(self->path, &file) == 0 && (uint64_t)file.st_size == size)
		self->written = size;
}

static void stop_writing(struct store_reserve *self)
{
	close_at(&self->fd);
	self->fd = -1;
}

void store_reserve_fini(struct store_reserve *self)
{
	stop_writing(self);
}

bool store_reserve_found(const struct store_reserve *self)
{
	return access(self->path, F_OK) == 0;
}

bool store_reserve_ready(const struct store_reserve *self)
{
	return self->written == self->size;
}

bool store_reserve_drop(struct store_reserve *self)
{
	stop_writing(self);
	self->written = 0;
	return unlink(self->path) == 0;
}

/* Twice: what is written must not be what fills the disk up again. */
static bool has_room_for(const struct store_reserve *self)
{
	char buffer[STORE_PATH_MAX + 1];
	struct statvfs fs;

	if (statvfs(directory_of(self->path, buffer), &fs) < 0)
		return false;
	return (uint64_t)fs.f_bavail * fs.f_frsize >= self->size - self->written + self->size;
}

/* Noise: zeros would be no bytes at all on file systems that compress. */
static void fill_with_noise(uint64_t *words, size_t count, uint64_t seed)
{
	uint64_t x = seed * 2 + 1;

	for (size_t i = 0; i < count; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = x;
	}
}

static int write_piece(struct store_reserve *self)
{
	static uint64_t noise[PIECE_BYTES / sizeof(uint64_t)];
	uint64_t left = self->size - self->written;
	size_t length = left < sizeof noise ? (size_t)left : sizeof noise;
	ssize_t written;

	if (self->fd < 0)
		self->fd = open(self->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
				0600);
	if (self->fd < 0)
		return -errno;
	fill_with_noise(noise, sizeof noise / sizeof noise[0], self->written);
	written = write(self->fd, noise, length);
	if (written < 0)
		return -errno;
	if (fdatasync(self->fd) < 0)
		return -errno;
	self->written += (uint64_t)written;
	return 0;
}

bool store_reserve_step(struct store_reserve *self)
{
	if (store_reserve_ready(self) || !has_room_for(self))
		return false;
	if (write_piece(self) < 0) {
		(void)store_reserve_drop(self);
		return false;
	}
	if (store_reserve_ready(self))
		stop_writing(self);
	return !store_reserve_ready(self);
}
