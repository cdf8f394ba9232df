/* SPDX-License-Identifier: MIT */
/* Goal: viewers are told when it is over, and what nobody knows any more does not stay.  Method: a
 * scratch directory with files of a known age.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "actors/managed-adapter/local_files.h"

static char directory[] = "/tmp/weir-test-files-XXXXXX";

static void make_folder(const char *name)
{
	char path[200];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	cr_assert_eq(mkdir(path, 0700), 0);
}

static void set_age(const char *name, time_t age_s)
{
	struct timespec times[2] = { { .tv_sec = time(NULL) - age_s },
				     { .tv_sec = time(NULL) - age_s } };
	char path[200];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void write_file(const char *name, const char *text)
{
	char path[200];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "w");
	cr_assert(file);
	fputs(text, file);
	cr_assert_eq(fclose(file), 0);
}

static bool exists(const char *name)
{
	char path[200];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

static void setup(void)
{
	cr_assert(mkdtemp(directory));
	make_folder("hls");
	make_folder("dash");
	make_folder("hls/one");
}

TestSuite(local_files, .init = setup);

static bool knows_one(void *context, const char *id)
{
	(void)context;
	return strcmp(id, "one") == 0;
}

Test(local_files, playable_once_both_are_there)
{
	cr_expect_not(local_files_playable(directory, "one"));
	write_file("hls/one/index.m3u8", "#EXTM3U\n");
	cr_expect_not(local_files_playable(directory, "one"));
	write_file("dash/one.mpd", "<MPD/>");
	cr_expect(local_files_playable(directory, "one"));
}

Test(local_files, the_end_is_written_once)
{
	char path[200], text[100] = "";
	FILE *file;

	local_files_end(directory, "one");
	cr_expect_not(exists("hls/one/index.m3u8"), "nothing was there to end");
	write_file("hls/one/index.m3u8", "#EXTM3U\n");
	local_files_end(directory, "one");
	local_files_end(directory, "one");
	snprintf(path, sizeof path, "%s/hls/one/index.m3u8", directory);
	file = fopen(path, "r");
	cr_assert(file);
	cr_expect_gt(fread(text, 1, sizeof text - 1, file), 0);
	(void)fclose(file);
	cr_expect_str_eq(text, "#EXTM3U\n#EXT-X-ENDLIST\n");
}

Test(local_files, what_is_old_and_unknown_goes)
{
	static const char *const old[] = { "dash/gone.mpd", "dash/gone-1.m4v", "dash/one.mpd",
					   "dash/one-1.m4v" };

	make_folder("hls/gone");
	make_folder("hls/young");
	write_file("hls/gone/1.ts", "x");
	write_file("dash/young.mpd", "x");
	for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
		write_file(old[i], "x");
		set_age(old[i], LOCAL_LEFTOVER_S + 1);
	}
	set_age("hls/gone", LOCAL_LEFTOVER_S + 1);
	set_age("hls/one", LOCAL_LEFTOVER_S + 1);
	local_files_sweep(directory, knows_one, NULL);
	cr_expect_not(exists("hls/gone"));
	cr_expect_not(exists("dash/gone.mpd"));
	cr_expect_not(exists("dash/gone-1.m4v"));
	cr_expect(exists("hls/one"));
	cr_expect(exists("dash/one.mpd"));
	cr_expect(exists("dash/one-1.m4v"));
	cr_expect(exists("hls/young"));
	cr_expect(exists("dash/young.mpd"));
}
