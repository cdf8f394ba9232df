/* SPDX-License-Identifier: MIT */
#include "actors/managed-adapter/local_config.h"

#include <string.h>

#include "actors/managed-adapter/local_text.h"

/* What is behind the base of an address: "/hls/ID/index.m3u8" is the longest. */
#define PLAYBACK_REST (sizeof "/hls//index.m3u8" - 1 + INPUT_ID_MAX)
#define INGEST_REST (sizeof "/?key=" - 1 + INPUT_ID_MAX + 32)
#define CALLBACK_REST 32

/* deploy/nginx/local.conf.in, as the build has turned it into a string. */
static const char template[] =
#include "local_conf.inc"
	;

/* Where to connect to reach who listens on @listen: all addresses include the loopback one. */
static void reach(const char *listen, char *host, size_t size, uint16_t *port)
{
	char given[CONFIG_HOST_SIZE];

	/* It was checked with the configuration. */
	if (!config_split_listen(listen, given, port))
		given[0] = '\0';
	if (strcmp(given, "0.0.0.0") == 0)
		snprintf(host, size, "127.0.0.1");
	else if (strcmp(given, "::") == 0)
		snprintf(host, size, "::1");
	else
		snprintf(host, size, "%s", given);
}

static void put_url(char *url, const char *scheme, const char *listen, const char *path)
{
	char host[CONFIG_HOST_SIZE];
	uint16_t port = 0;
	bool v6;

	reach(listen, host, sizeof host, &port);
	v6 = strchr(host, ':') != NULL;
	snprintf(url, LOCAL_BASE_SIZE, "%s://%s%s%s:%u%s", scheme, v6 ? "[" : "", host,
		 v6 ? "]" : "", port, path);
}

static bool is_plain(const char *path)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@,:~ ";

	return path[strspn(path, allowed)] == '\0';
}

static void copy_base(char *to, const char *from)
{
	size_t length = strlen(from);

	while (length > 0 && from[length - 1] == '/')
		length--;
	text_put((struct text){ from, (uint32_t)length }, to, LOCAL_BASE_SIZE);
}

int local_config_make(const struct config *config, const char *run_dir, struct local_config *out)
{
	const char *given = config->local_media_dir;
	uint16_t port;
	int length = given[0] == '/' ? snprintf(out->media_dir, PATH_MAX, "%s", given)
				     : snprintf(out->media_dir, PATH_MAX, "%s/%s", run_dir, given);

	if (length >= PATH_MAX || !is_plain(out->media_dir))
		return LOCAL_CONFIG_E_PATH;
	put_url(out->rtmp_url, "rtmp", config->local_rtmp_listen, "/" LOCAL_APP);
	put_url(out->http_url, "http", config->local_http_listen, "");
	put_url(out->source_url, "rtmp", config->local_rtmp_listen, "/" LOCAL_APP);
	put_url(out->control_url, "http", config->local_control_listen, "");
	put_url(out->callback_url, "http", config->managed_listen, "");
	reach(config->local_rtmp_listen, out->source_host, sizeof out->source_host, &port);
	if (*config->local_public_rtmp_url)
		copy_base(out->rtmp_url, config->local_public_rtmp_url);
	if (*config->local_public_http_url)
		copy_base(out->http_url, config->local_public_http_url);
	if (strlen(out->http_url) + PLAYBACK_REST > PLAYBACK_URL_MAX ||
	    strlen(out->rtmp_url) + INGEST_REST > URL_MAX)
		return LOCAL_CONFIG_E_LENGTH;
	return 0;
}

const char *local_config_words(int refusal)
{
	switch (refusal) {
	case LOCAL_CONFIG_E_PATH:
		return "the path of local.media_dir may have letters, digits and /._-+@,:~ only";
	case LOCAL_CONFIG_E_LENGTH:
		return "local.public_http_url is too long for what apps are told";
	default:
		return "";
	}
}

static const char *value_of(struct text name, const struct config *config,
			    const struct local_config *local, const char *user)
{
	const struct {
		const char *name, *value;
	} values[] = {
		{ "user", user },
		{ "dir", local->media_dir },
		{ "rtmp_listen", config->local_rtmp_listen },
		{ "http_listen", config->local_http_listen },
		{ "control_listen", config->local_control_listen },
		{ "callback_url", local->callback_url },
		{ "source_host", local->source_host },
	};

	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		if (text_is(name, values[i].name))
			return values[i].value;
	return NULL;
}

bool local_config_write(FILE *to, const struct config *config, const struct local_config *local,
			const char *user)
{
	char directive[64] = "";

	if (user)
		snprintf(directive, sizeof directive, "user %s;", user);
	for (const char *at = template; *at;) {
		size_t length = strcspn(at, "@");

		(void)fwrite(at, 1, length, to);
		at += length;
		if (!*at)
			break;
		length = strcspn(at + 1, "@\n");
		const char *value = value_of((struct text){ at + 1, (uint32_t)length }, config,
					     local, directive);

		if (value) {
			fputs(value, to);
			at += length + 2;
		} else {
			fputc(*at++, to);
		}
	}
	return !ferror(to);
}
