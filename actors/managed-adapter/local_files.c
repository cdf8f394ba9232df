/* SPDX-License-Identifier: MIT */
#include "actors/managed-adapter/local_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "actors/managed-adapter/local_text.h"
#include "common/cleanup.h"
#include "common/log.h"

DEFINE_CLEANUP(DIR *, closedir);

static const char end_mark[] = "#EXT-X-ENDLIST\n";

bool local_files_playable(const char *media_dir, const char *id)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/hls/%s/index.m3u8", media_dir, id);
	if (access(path, R_OK) < 0)
		return false;
	snprintf(path, sizeof path, "%s/dash/%s.mpd", media_dir, id);
	return access(path, R_OK) == 0;
}

void local_files_end(const char *media_dir, const char *id)
{
	CLEANUP(close_at) int fd = -1;
	char path[PATH_MAX], tail[sizeof end_mark - 1];
	off_t end;

	snprintf(path, sizeof path, "%s/hls/%s/index.m3u8", media_dir, id);
	fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return; /* nobody ever published, or all of it was cleared up */
	end = lseek(fd, 0, SEEK_END);
	if (end >= (off_t)sizeof tail &&
	    pread(fd, tail, sizeof tail, end - (off_t)sizeof tail) == (ssize_t)sizeof tail &&
	    memcmp(tail, end_mark, sizeof tail) == 0)
		return;
	if (write(fd, end_mark, sizeof tail) != (ssize_t)sizeof tail)
		log_limited("local.end_not_written", log_str("input_id", id),
			    log_str("reason", strerror(errno)));
}

/* The input that a file belongs to: "ID" for HLS, "ID.mpd" and "ID-..." for DASH. */
static bool name_input(const char *file, char *id, size_t size)
{
	size_t length = strcspn(file, ".-");

	if (length == 0 || length >= size)
		return false;
	memcpy(id, file, length);
	id[length] = '\0';
	return true;
}

static void remove_folder(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(closedir_at) DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

	if (!folder) {
		close_at(&fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(folder));)
		(void)unlinkat(dirfd(folder), entry->d_name, 0);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

static void sweep_folder(const char *path, bool (*is_known)(void *context, const char *id),
			 void *context)
{
	CLEANUP(closedir_at) DIR *folder = opendir(path);
	time_t old = time(NULL) - LOCAL_LEFTOVER_S;
	char id[INPUT_ID_MAX + 1];
	struct stat status;
	uint64_t removed = 0;

	if (!folder)
		return;
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (!name_input(entry->d_name, id, sizeof id) || is_known(context, id) ||
		    fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    status.st_mtime > old)
			continue;
		removed++;
		if (S_ISDIR(status.st_mode))
			remove_folder(dirfd(folder), entry->d_name);
		else
			(void)unlinkat(dirfd(folder), entry->d_name, 0);
	}
	if (removed > 0)
		log_info("local.leftovers_removed", log_str("folder", path),
			 log_u64("count", removed));
}

void local_files_sweep(const char *media_dir, bool (*is_known)(void *context, const char *id),
		       void *context)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/hls", media_dir);
	sweep_folder(path, is_known, context);
	snprintf(path, sizeof path, "%s/dash", media_dir);
	sweep_folder(path, is_known, context);
}
