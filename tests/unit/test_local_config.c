/* SPDX-License-Identifier: MIT */
/* Goal: the media server gets a configuration in which everything is filled in, and others are told
 * addresses that lead to it.  Method: settings as somebody would write them, the result read back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "actors/managed-adapter/local_config.h"
#include "proto/schema.h"

static struct config config;
static struct local_config local;
static char error[CONFIG_ERROR_SIZE];

static int make(const char *first, const char *second)
{
	const char *const sets[] = { "managed.provider=local", first, first ? second : NULL, NULL };

	config_fini(&config);
	cr_assert_eq(config_load(&(struct config_source){ .sets = sets }, &config, error), 0, "%s",
		     error);
	return local_config_make(&config, "/run/weir", &local);
}

static char *written(const char *user)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	cr_assert(local_config_write(file, &config, &local, user));
	cr_assert_eq(fclose(file), 0);
	return text;
}

Test(local_config, addresses)
{
	cr_assert_eq(make(NULL, NULL), 0);
	cr_expect_str_eq(local.media_dir, "/run/weir/media");
	cr_expect_str_eq(local.rtmp_url, "rtmp://127.0.0.1:1935/live");
	cr_expect_str_eq(local.http_url, "http://127.0.0.1:8005");
	cr_expect_str_eq(local.source_url, "rtmp://127.0.0.1:1935/live");
	cr_expect_str_eq(local.control_url, "http://127.0.0.1:8006");
	cr_expect_str_eq(local.callback_url, "http://127.0.0.1:8004");
	cr_assert_eq(make("local.rtmp_listen=0.0.0.0:1935",
			  "local.public_rtmp_url=rtmps://media.example.com/live/"),
		     0);
	cr_expect_str_eq(local.rtmp_url, "rtmps://media.example.com/live");
	cr_expect_str_eq(local.source_url, "rtmp://127.0.0.1:1935/live");
	cr_expect_str_eq(local.source_host, "127.0.0.1");
	cr_assert_eq(make("local.rtmp_listen=192.0.2.1:1935", "local.media_dir=/srv/media"), 0);
	cr_expect_str_eq(local.source_host, "192.0.2.1");
	cr_expect_str_eq(local.media_dir, "/srv/media");
	cr_assert_eq(make("local.http_listen=[::1]:8005", NULL), 0);
	cr_expect_str_eq(local.http_url, "http://[::1]:8005");
	config_fini(&config);
}

Test(local_config, what_cannot_be_used)
{
	char set[600] = "local.public_http_url=http://";
	size_t used = strlen(set), room;

	cr_expect_eq(make("local.media_dir=a\"b", NULL), LOCAL_CONFIG_E_PATH);
	cr_expect_eq(make("local.media_dir=a$b", NULL), LOCAL_CONFIG_E_PATH);
	cr_expect_eq(make("local.media_dir=a;b", NULL), LOCAL_CONFIG_E_PATH);
	/* "/hls/ID/index.m3u8" with the longest id must fit behind it. */
	room = PLAYBACK_URL_MAX - strlen("/hls//index.m3u8") - INPUT_ID_MAX - strlen("http://");
	memset(set + used, 'x', room);
	cr_expect_eq(make(set, NULL), 0);
	set[used + room] = 'x';
	cr_expect_eq(make(set, NULL), LOCAL_CONFIG_E_LENGTH);
	cr_expect(local_config_words(LOCAL_CONFIG_E_LENGTH)[0]);
	cr_expect(local_config_words(LOCAL_CONFIG_E_PATH)[0]);
	config_fini(&config);
}

Test(local_config, everything_is_filled_in)
{
	char *text;

	cr_assert_eq(make("local.rtmp_listen=192.0.2.1:1999", NULL), 0);
	text = written(NULL);
	cr_expect(strstr(text, "\tlisten 192.0.2.1:1999;\n"));
	cr_expect(strstr(text, "\tlisten 127.0.0.1:8005;\n"));
	cr_expect(strstr(text, "\tlisten 127.0.0.1:8006;\n"));
	cr_expect(strstr(text, "hls_path \"/run/weir/media/hls\";"));
	cr_expect(strstr(text, "on_publish http://127.0.0.1:8004/on_publish;"));
	cr_expect(strstr(text, "allow play 192.0.2.1;"));
	cr_expect_not(strstr(text, "\nuser "));
	/* But for one in the comment at its head. */
	cr_expect_null(strchr(strchr(text, '@') + 1, '@'));
	cr_expect_eq(strncmp(text, "# The media server", 18), 0);
	cr_expect_str_eq(text + strlen(text) - 3, "\n}\n");
	free(text);
	text = written("nobody");
	cr_expect(strstr(text, "\nuser nobody;\n"));
	free(text);
	config_fini(&config);
}
