/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config_draft.h"
#include "common/ini.h"
#include "common/log.h"
#include "common/secret.h"
#include "common/store.h"
#include "proto/text.h"
#include "proto/words.h"

#define SECRET_MIN 32 /* bytes of one secret; HMAC-SHA256 gains nothing from fewer */
#define SECRET_FILE_MAX 65536 /* bytes */
#define PROXIES_MAX 16 /* as gateway_forwarded.h has room for */
#define GATEWAYS_MAX 64 /* as scripts/supervise scales to */

static const struct config_key *key_at(enum config_index index)
{
	size_t count;

	return &config_keys(&count)[index];
}

static const char *string_of(const struct config *config, enum config_index key)
{
	return *(const char *const *)((const char *)config + key_at(key)->offset);
}

static int64_t number_of(const struct config *config, enum config_index key)
{
	return *(const int64_t *)((const char *)config + key_at(key)->offset);
}

static bool is_given(const struct config_draft *draft, enum config_index key)
{
	return draft->settings[key].place.origin != ORIGIN_DEFAULT;
}

/* The first must be less than the second. */
struct order {
	enum config_index less, more;
};

static const struct order orders[] = {
	{ KEY_unmanaged_ack_timeout_ms, KEY_unmanaged_keepalive_interval_ms },
	{ KEY_managed_ack_timeout_ms, KEY_managed_keepalive_interval_ms },
	{ KEY_gateway_beat_ms, KEY_gateway_lease_ms },
	{ KEY_gateway_lease_ms, KEY_gateway_blind_max_ms },
	{ KEY_session_glasses_ping_ms, KEY_session_glasses_pong_ms },
};

static int check_order(const struct config_draft *draft, const struct config *config,
		       const struct order *order)
{
	/* Blame what somebody wrote, not the default it collides with. */
	bool blame_less = is_given(draft, order->less) || !is_given(draft, order->more);
	enum config_index blamed = blame_less ? order->less : order->more;
	enum config_index other = blame_less ? order->more : order->less;
	const struct config_key *key = key_at(other);

	if (number_of(config, order->less) < number_of(config, order->more))
		return 0;
	return config_refuse(draft, blamed, "must be %s than %s.%s (%s%" PRId64 ")",
			     blame_less ? "less" : "more", key->section, key->name,
			     is_given(draft, other) ? "" : "default ", number_of(config, other));
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static bool is_everywhere(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static int split_listen(const struct config_draft *draft, const struct config *config,
			enum config_index key, char *host, uint16_t *port)
{
	if (config_split_listen(string_of(config, key), host, port))
		return 0;
	return config_refuse(draft, key,
			     "must be address:port, such as 127.0.0.1:8002, 0.0.0.0:8002 or "
			     "[::1]:8002, with a port from 1 to 65535");
}

/* Where the media server listens, and who calls it or is called by it. */
static int check_media(const struct config_draft *draft, const struct config *config)
{
	static const struct {
		enum config_index listen, url; /* what others are told */
	} rows[] = { { KEY_local_rtmp_listen, KEY_local_public_rtmp_url },
		     { KEY_local_http_listen, KEY_local_public_http_url } };
	bool local = strcmp(config->managed_provider, "local") == 0;
	char host[CONFIG_HOST_SIZE];
	uint16_t port;
	int r;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct config_key *url = key_at(rows[i].url);

		if ((r = split_listen(draft, config, rows[i].listen, host, &port)) != 0)
			return r;
		if (local && is_everywhere(host) && !*string_of(config, rows[i].url))
			return config_refuse(draft, rows[i].listen,
					     "needs %s.%s beside it: what to connect to",
					     url->section, url->name);
	}
	if ((r = split_listen(draft, config, KEY_local_control_listen, host, &port)) != 0)
		return r;
	if (!is_loopback(host))
		return config_refuse(draft, KEY_local_control_listen,
				     "must be a loopback address: whoever reaches it may cut off "
				     "streams");
	if ((r = split_listen(draft, config, KEY_managed_listen, host, &port)) != 0)
		return r;
	if (local && !is_loopback(host))
		return config_refuse(draft, KEY_managed_listen,
				     "must be a loopback address: stream keys arrive there");
	return 0;
}

static int check_listen(const struct config_draft *draft, const struct config *config)
{
	char host[CONFIG_HOST_SIZE];
	uint16_t port;
	int r = split_listen(draft, config, KEY_gateway_listen, host, &port);

	if (r != 0)
		return r;
	int64_t base = config->gateway_direct_base_port;

	if (base > 0 && port > base && port <= base + GATEWAYS_MAX)
		return config_refuse(draft, KEY_gateway_direct_base_port,
				     "gateway-%" PRId64 " would take the shared port of "
				     "gateway.listen; keep it out of %" PRId64 " to %" PRId64,
				     port - base, base + 1, base + GATEWAYS_MAX);
	return 0;
}

static int check_url(const struct config_draft *draft, const struct config *config)
{
	const char *url = config->gateway_public_url;
	const char *host = strstr(url, "://");

	if (!*url ||
	    (host && host[3] && (strncmp(url, "ws://", 5) == 0 || strncmp(url, "wss://", 6) == 0)))
		return 0;
	return config_refuse(draft, KEY_gateway_public_url,
			     "must be ws://host[:port] or wss://host[:port]");
}

static int check_words(const struct config_draft *draft, const struct config *config)
{
	enum log_level level;

	if (!log_level_parse(config->log_level, &level))
		return config_refuse(draft, KEY_log_level, "must be error, warn, info or debug");
	if (strcmp(config->registry_store, STORE_MEMORY) != 0 &&
	    (strncmp(config->registry_store, STORE_SQLITE, strlen(STORE_SQLITE)) != 0 ||
	     config->registry_store[strlen(STORE_SQLITE)] == '\0'))
		return config_refuse(draft, KEY_registry_store, "must be sqlite:PATH or memory");
	if (words_find(&provider_words, text_of(config->managed_provider), PROVIDER_COUNT) ==
	    PROVIDER_COUNT)
		return config_refuse(draft, KEY_managed_provider,
				     "must be local, cloudflare or none");
	return 0;
}

static int check_proxies(const struct config_draft *draft, const struct config *config)
{
	const char *at = config->gateway_proxies;

	for (unsigned count = 0; *at; count++) {
		size_t gap = strspn(at, " \t"), length = strcspn(at + gap, ", \t");
		char address[INET6_ADDRSTRLEN] = "";
		uint8_t ip[16];

		if (length < sizeof address)
			memcpy(address, at + gap, length);
		if (count == PROXIES_MAX ||
		    (inet_pton(AF_INET, address, ip) != 1 && inet_pton(AF_INET6, address, ip) != 1))
			return config_refuse(draft, KEY_gateway_proxies,
					     "must be at most %d addresses with commas between "
					     "them, such as 10.0.0.1, 2001:db8::1",
					     PROXIES_MAX);
		at += gap + length;
		at += strspn(at, " \t");
		if (*at == ',' && at[1])
			at++;
		else if (*at)
			return config_refuse(draft, KEY_gateway_proxies,
					     "has \"%s\" behind an address", at);
	}
	return 0;
}

/* Tokens and keys are not to go over a network in the clear. */
static int check_plain(const struct config_draft *draft, const struct config *config)
{
	char host[CONFIG_HOST_SIZE];
	uint16_t port;

	if (*config->gateway_tls_cert_file || config->gateway_behind_proxy ||
	    !config_split_listen(config->gateway_listen, host, &port) || is_loopback(host))
		return 0;
	return config_refuse(draft, KEY_gateway_listen,
			     "needs gateway.tls_cert_file beyond loopback; or set "
			     "gateway.behind_proxy = true if a proxy in front ends TLS");
}

static int check_tls(const struct config_draft *draft, const struct config *config)
{
	bool cert = *config->gateway_tls_cert_file != '\0';
	bool key = *config->gateway_tls_key_file != '\0';

	if (cert && !key)
		return config_refuse(draft, KEY_gateway_tls_cert_file,
				     "needs gateway.tls_key_file beside it");
	if (key && !cert)
		return config_refuse(draft, KEY_gateway_tls_key_file,
				     "needs gateway.tls_cert_file beside it");
	return check_plain(draft, config);
}

static int check_file(const struct config_draft *draft, const struct config *config,
		      enum config_index key)
{
	const char *path = string_of(config, key);
	struct stat status;

	if (!*path)
		return 0;
	if (stat(path, &status) < 0) {
		/* Another daemon's file, out of this one's reach: that daemon will see. */
		if (errno == EACCES)
			return 0;
		return config_refuse(draft, key, "%s; create it, or leave the key empty",
				     strerror(errno));
	}
	if (key_at(key)->type == CONFIG_DIR && !S_ISDIR(status.st_mode))
		return config_refuse(draft, key, "is not a directory");
	if (key_at(key)->type == CONFIG_FILE && !S_ISREG(status.st_mode))
		return config_refuse(draft, key, "is not a regular file");
	return 0;
}

bool config_is_secret(const char *path, unsigned mode)
{
	const char *given = secure_getenv("CREDENTIALS_DIRECTORY");
	size_t length = given ? strlen(given) : 0;

	/* systemd gives a credential to a user by an access list, which shows as a group's right.
	 */
	if (length > 0 && strncmp(path, given, length) == 0 && path[length] == '/' &&
	    !strstr(path + length, "/../"))
		mode &= ~(unsigned)S_IRGRP;
	return !(mode & (S_IRWXG | S_IRWXO));
}

/* A file with a secret: nobody but its owner may read or write it. */
static int check_secret_mode(const struct config_draft *draft, const struct config *config,
			     enum config_index key)
{
	const char *path = string_of(config, key);
	struct stat status;

	if (!*path || stat(path, &status) < 0 || config_is_secret(path, status.st_mode))
		return 0;
	return config_refuse(draft, key,
			     "others than its owner may use it (mode %04o); run: chmod 600 %s",
			     (unsigned)status.st_mode & 07777, path);
}

/* One secret a line.  Return: the first line that is too short, with its length; 0: none. */
static unsigned short_line(struct text text, unsigned *secrets, uint32_t *length)
{
	unsigned number = 0;

	for (*secrets = 0; text.length > 0;) {
		const char *newline = memchr(text.bytes, '\n', text.length);
		uint32_t size = newline ? (uint32_t)(newline - text.bytes) + 1 : text.length;

		*length = size - (newline != NULL);
		if (*length > 0 && text.bytes[*length - 1] == '\r')
			--*length;
		number++;
		if (*length > 0 && *length < SECRET_MIN)
			return number;
		*secrets += *length > 0;
		text.bytes += size;
		text.length -= size;
	}
	return 0;
}

static int check_secrets(const struct config_draft *draft, const struct config *config,
			 enum config_index key)
{
	const char *path = string_of(config, key);
	static const char mend[] = "openssl rand -hex 32 makes a good one";
	unsigned secrets, line;
	uint32_t found;
	size_t length;
	char *bytes;

	if (!*path)
		return 0;
	int r = ini_read(path, SECRET_FILE_MAX, &bytes, &length);

	if (r == -EACCES)
		return 0; /* see check_file() */
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return config_refuse(draft, key, "%s", strerror(-r));
	line = short_line((struct text){ bytes, (uint32_t)length }, &secrets, &found);
	secret_wipe(bytes, length);
	free(bytes);
	if (line > 0)
		return config_refuse(draft, key,
				     "the secret in line %u has %" PRIu32
				     " bytes, %d are needed; %s",
				     line, found, SECRET_MIN, mend);
	if (secrets == 0)
		return config_refuse(draft, key, "holds no secret; %s", mend);
	return 0;
}

static const enum config_index secret_files[] = {
	KEY_gateway_jwt_secret_file,
	KEY_gateway_tls_key_file,
	KEY_cloudflare_api_token_file,
	KEY_cloudflare_webhook_secret_file,
};

int config_check(const struct config_draft *draft, const struct config *config)
{
	int r = 0;

	for (size_t i = 0; i < sizeof orders / sizeof orders[0] && r == 0; i++)
		r = check_order(draft, config, &orders[i]);
	if (r == 0)
		r = check_listen(draft, config);
	if (r == 0)
		r = config_check_bus(draft, config);
	if (r == 0)
		r = check_media(draft, config);
	if (r == 0)
		r = check_url(draft, config);
	if (r == 0)
		r = check_words(draft, config);
	if (r == 0)
		r = check_tls(draft, config);
	if (r == 0)
		r = check_proxies(draft, config);
	for (size_t i = 0; i < CONFIG_KEY_COUNT && r == 0; i++)
		if (key_at((enum config_index)i)->type == CONFIG_FILE ||
		    key_at((enum config_index)i)->type == CONFIG_DIR)
			r = check_file(draft, config, (enum config_index)i);
	for (size_t i = 0; i < sizeof secret_files / sizeof secret_files[0] && r == 0; i++)
		r = check_secret_mode(draft, config, secret_files[i]);
	if (r == 0)
		r = check_secrets(draft, config, KEY_gateway_jwt_secret_file);
	return r;
}
