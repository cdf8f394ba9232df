/* SPDX-License-Identifier: MIT */
/* config.h - every setting, once: section, key, type, default, bounds, meaning.
 *
 * K(TYPE, section, key, default, min, max, meaning).  TYPE: INT (int64_t, unit in the name),
 * STR (NUL-terminated text), BOOL, FILE and DIR (path; must exist when not empty).  min and max
 * are bounds of an INT and bytes of a STR.  deploy/weir.conf is checked against this table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#define CONFIG_KEYS(K) \
	K(STR, run, dir, "", 0, 80, "run directory; empty: --run or $WEIR_RUN_DIR") \
	K(BOOL, run, confine, "true", 0, 0, "daemons give up what they do not need; false: for debuggers") \
	K(STR, bus, transport, "ipc", 3, 3, "ipc: all processes on this machine; tcp: on several, and only with keys") \
	K(DIR, bus, curve_dir, "", 0, 480, "of tcp: <name>.key_secret and allow/<role>/<name>.pub; see docs/two-machines.md") \
	K(STR, bus, registry, "127.0.0.1:8100", 3, 64, "address:port of its inbox; its outbox and snapshots have the two ports above") \
	K(STR, bus, lifecycle_scheduler, "127.0.0.1:8104", 3, 64, "address:port of its inbox; its outbox has the port above") \
	K(STR, bus, unmanaged_adapter, "127.0.0.1:8108", 3, 64, "the same") \
	K(STR, bus, managed_adapter, "127.0.0.1:8112", 3, 64, "the same") \
	K(STR, bus, gateways, "127.0.0.1:8120 127.0.0.1:8124 127.0.0.1:8128 127.0.0.1:8132", 3, 2048, "the same of gateway-1, gateway-2 and so on, one blank between two") \
	K(STR, gateway, listen, "127.0.0.1:8002", 3, 64, "address:port, shared by all gateways") \
	K(INT, gateway, direct_base_port, "0", 0, 65000, "gateway-N listens on this + N too; 0: off") \
	K(STR, gateway, public_url, "", 0, 512, "what session webhooks name; empty: ws://<listen>") \
	K(FILE, gateway, jwt_secret_file, "", 0, 512, "HMAC secrets, one a line, 32 bytes or more each") \
	K(FILE, gateway, apps_file, "", 0, 512, "the app directory") \
	K(FILE, gateway, tls_cert_file, "", 0, 512, "PEM; empty: plain HTTP") \
	K(FILE, gateway, tls_key_file, "", 0, 512, "PEM") \
	K(BOOL, gateway, behind_proxy, "false", 0, 0, "plain HTTP is spoken beyond loopback: a proxy in front ends TLS") \
	K(STR, gateway, proxies, "", 0, 512, "addresses, with commas: limits are those of the address in their X-Forwarded-For") \
	K(INT, gateway, connections_max, "20000", 1, 1000000, "sockets of all kinds") \
	K(INT, gateway, connections_per_address_max, "1000", 1, 1000000, "loopback is exempt") \
	K(INT, gateway, admissions_per_s, "2000", 1, 1000000, "connections let in; the others wait in the listen queue") \
	K(INT, gateway, arrivals_max, "4096", 1, 1000000, "glasses and apps let in that wait for the registry; more get 503") \
	K(INT, gateway, requests_max, "128", 1, 1000000, "starts of unmanaged streams under way; the others wait in line") \
	K(INT, gateway, requests_waiting_max, "4096", 1, 1000000, "starts in that line; more is refused") \
	K(INT, gateway, message_max, "65536", 1024, 65536, "bytes of one message; more closes 1009") \
	K(INT, gateway, send_queue_max, "262144", 4096, 16777216, "bytes waiting for one reader; more closes 1013") \
	K(INT, gateway, handshake_ms, "10000", 100, 60000, "from accept to a complete request") \
	K(INT, gateway, messages_per_s, "200", 1, 100000, "text messages on one socket; more closes 1008") \
	K(INT, gateway, messages_burst, "1000", 1, 100000, "allowed at once") \
	K(INT, gateway, controls_per_s, "50", 1, 100000, "control frames on one socket; more closes 1008") \
	K(INT, gateway, starts_per_min, "30", 1, 100000, "stream requests of one user; more is refused") \
	K(INT, gateway, starts_burst, "20", 1, 100000, "allowed at once") \
	K(INT, gateway, beat_ms, "1000", 50, 10000, "sign of life to the scheduler") \
	K(INT, gateway, lease_ms, "5000", 200, 60000, "without a beat for so long it is lost") \
	K(INT, gateway, blind_max_ms, "180000", 1000, 3600000, "lost for so long it is gone") \
	K(INT, gateway, request_timeout_ms, "10000", 100, 60000, "an app's request is answered or refused by then") \
	K(INT, gateway, webhook_timeout_ms, "10000", 100, 60000, "one attempt") \
	K(INT, gateway, webhook_attempts, "2", 1, 10, "of a session webhook") \
	K(INT, gateway, webhook_pause_ms, "1000", 1, 60000, "between attempts") \
	K(STR, registry, store, "sqlite:registry.db", 1, 480, "sqlite:PATH, relative to the run directory; memory: nothing survives a restart") \
	K(INT, registry, shards, "1", 1, 1, "more than one comes with a later release") \
	K(INT, registry, users_max, "131072", 16, 16777216, "users known at once") \
	K(INT, registry, streams_max, "131072", 16, 16777216, "streams and liabilities at once") \
	K(INT, registry, apps_max, "262144", 16, 16777216, "running apps of all users at once") \
	K(INT, registry, text_bytes_max, "268435456", 2097152, 68719476736, "text of all records") \
	K(INT, registry, history_rows_max, "100000", 10, 100000000, "story events kept") \
	K(INT, registry, history_age_s, "604800", 1, 315360000, "and for so long") \
	K(INT, unmanaged, keepalive_interval_ms, "15000", 100, 3600000, "between two probes") \
	K(INT, unmanaged, ack_timeout_ms, "10000", 5, 3600000, "of one probe; less than the interval") \
	K(INT, unmanaged, missed_max, "3", 1, 100, "consecutive probes unanswered that end a stream") \
	K(INT, unmanaged, start_deadline_ms, "60000", 10, 3600000, "without a sign that it started") \
	K(INT, unmanaged, stop_deadline_ms, "60000", 10, 3600000, "without a sign that it stopped") \
	K(INT, unmanaged, grace_ms, "0", 0, 3600000, "more time after the loss of the socket") \
	K(INT, unmanaged, duration_max_ms, "0", 0, 31536000000, "a stream is ended after so long; 0: never") \
	K(INT, managed, keepalive_interval_ms, "15000", 100, 3600000, "between two probes") \
	K(INT, managed, ack_timeout_ms, "10000", 5, 3600000, "of one probe; less than the interval") \
	K(INT, managed, missed_max, "3", 1, 100, "consecutive probes unanswered that end a stream") \
	K(INT, managed, start_deadline_ms, "60000", 10, 3600000, "without a sign that it started") \
	K(INT, managed, stop_deadline_ms, "60000", 10, 3600000, "without a sign that it stopped") \
	K(INT, managed, grace_ms, "0", 0, 3600000, "more time after the loss of the socket") \
	K(INT, managed, duration_max_ms, "0", 0, 31536000000, "a stream is ended after so long; 0: never") \
	K(STR, managed, provider, "local", 1, 16, "local, cloudflare, or none: managed streams are refused as not configured") \
	K(INT, managed, request_timeout_ms, "28000", 1000, 60000, "an app's request is answered or refused by then") \
	K(INT, managed, create_timeout_ms, "10000", 100, 60000, "one call to the provider") \
	K(INT, managed, create_tries, "3", 1, 10, "to make an input, before the app is refused") \
	K(INT, managed, create_pause_ms, "1000", 1, 60000, "before the second try; doubles") \
	K(INT, managed, poll_interval_ms, "2000", 50, 600000, "between two looks at a stream that starts") \
	K(INT, managed, playback_deadline_ms, "60000", 100, 3600000, "looked at for so long; then the story says overdue") \
	K(INT, managed, delete_pause_ms, "1000", 1, 30000, "before an input is deleted once more; doubles up to 30 s") \
	K(INT, managed, reconcile_interval_s, "600", 1, 86400, "between two comparisons of ledger and provider") \
	K(INT, managed, leak_age_s, "3600", 0, 86400, "an input with our mark and without a record is deleted at this age") \
	K(STR, managed, mark, "", 0, 48, "in what is provisioned, to know it again; empty: one made with the store") \
	K(INT, managed, provisions_per_user_per_min, "10", 1, 100000, "streams of one user that need an input; more is refused") \
	K(INT, managed, provisions_per_min, "300", 1, 1000000, "of all users") \
	K(INT, managed, owed_per_user_max, "8", 1, 32, "inputs of one user still to be deleted; more is refused") \
	K(STR, managed, listen, "127.0.0.1:8004", 3, 64, "address:port of callbacks and webhooks") \
	K(BOOL, managed, private_outputs, "false", 0, 0, "outputs may go to loopback, link-local and private addresses") \
	K(STR, cloudflare, api_base, "https://api.cloudflare.com/client/v4", 8, 512, "without the slash at its end") \
	K(STR, cloudflare, account_id, "", 0, 32, "empty: $CLOUDFLARE_ACCOUNT_ID") \
	K(FILE, cloudflare, api_token_file, "", 0, 512, "empty: $CLOUDFLARE_API_TOKEN") \
	K(STR, cloudflare, customer_domain, "", 0, 128, "customer-<code>.cloudflarestream.com; empty: from the provider's answers") \
	K(FILE, cloudflare, webhook_secret_file, "", 0, 512, "what cf-webhook-auth must say; empty: webhooks are refused") \
	K(FILE, cloudflare, ca_file, "", 0, 512, "PEM of who may sign the API's certificate; empty: the system's") \
	K(BOOL, cloudflare, delete_recordings, "true", 0, 0, "when the stream is over") \
	K(INT, cloudflare, recording_wait_s, "120", 0, 86400, "a recording may take so long to appear before the input is deleted") \
	K(INT, cloudflare, delete_recording_after_days, "30", 0, 1096, "asked of the provider; 0: not asked, else 30 or more") \
	K(INT, cloudflare, requests_per_5min, "1000", 10, 100000, "of the account's 1200, all streams together") \
	K(STR, local, rtmp_listen, "127.0.0.1:1935", 3, 64, "address:port the glasses publish to") \
	K(STR, local, http_listen, "127.0.0.1:8005", 3, 64, "address:port viewers read HLS and DASH from") \
	K(STR, local, control_listen, "127.0.0.1:8006", 3, 64, "address:port of the media server's own status; loopback") \
	K(STR, local, public_rtmp_url, "", 0, 512, "what glasses are told; empty: rtmp://<rtmp_listen>/live") \
	K(STR, local, public_http_url, "", 0, 512, "what viewers are told; empty: http://<http_listen>") \
	K(STR, local, media_dir, "media", 1, 480, "segments and the media server's files, relative to the run directory") \
	K(INT, session, grace_ms, "60000", 10, 3600000, "a session outlives its glasses socket so long") \
	K(INT, session, app_grace_ms, "5000", 10, 600000, "an app outlives its socket so long") \
	K(INT, session, app_connect_ms, "5000", 10, 600000, "from the start of an app to its init") \
	K(INT, session, empty_subscription_grace_ms, "8000", 0, 600000, "an empty list so soon after the init is ignored") \
	K(INT, session, glasses_ping_ms, "10000", 50, 600000, "between WebSocket pings") \
	K(INT, session, glasses_pong_ms, "30000", 100, 600000, "without a pong: closed 1001") \
	K(INT, session, app_ping_ms, "10000", 50, 600000, "between WebSocket pings; no deadline") \
	K(INT, session, stop_owed_ms, "600000", 1000, 86400000, "an undelivered stop is given up after") \
	K(STR, log, level, "info", 4, 8, "error, warn, info or debug")
/* clang-format on */

#define CONFIG_MEMBER_INT int64_t
#define CONFIG_MEMBER_STR const char *
#define CONFIG_MEMBER_FILE const char *
#define CONFIG_MEMBER_DIR const char *
#define CONFIG_MEMBER_BOOL bool
#define CONFIG_MEMBER(TYPE, section, key, otherwise, min, max, meaning) \
	CONFIG_MEMBER_##TYPE section##_##key;

/* Members are named section_key: config->gateway_listen, config->unmanaged_missed_max. */
struct config {
	CONFIG_KEYS(CONFIG_MEMBER)
	void *memory; /* what the texts above point into */
};

struct config_source {
	const char *file; /* NULL: defaults */
	const char *const *sets; /* "section.key=value", NULL-terminated; may be NULL */
	char *const *environment; /* WEIR_SECTION_KEY=value; may be NULL */
};

enum {
	_CONFIG_E_SUCCESS,
	CONFIG_E_INVALID, /* @error says what is wrong, where, and how to mend it */
};

#define CONFIG_ERROR_SIZE 512

/* config_load() - defaults, then the file, then the environment, then --set; then checked.
 *
 * @error, of CONFIG_ERROR_SIZE bytes, reads "weir.conf:12: unmanaged.missed_max = 0: must be
 * 1 to 100".  Unknown sections and keys are errors, as is an environment variable WEIR_SECTION_X
 * with a section of ours and an unknown X (WEIR_LOG_PREFIX is the log's own); of several --set of
 * one key the last counts.  A relative path is relative to the file that holds it, or to the
 * working directory in the environment and in --set.  CLOUD_PUBLIC_HOST_NAME=host stands for
 * gateway.public_url = wss://host below WEIR_GATEWAY_PUBLIC_URL.  CLOUDFLARE_ACCOUNT_ID and
 * CLOUDFLARE_API_TOKEN, both there, stand for managed.provider = cloudflare where nothing else
 * sets it; the managed-adapter reads them.  AUGMENTOS_AUTH_JWT_SECRET is not a key: the gateway
 * reads it.
 *
 * @out is written only on success.
 *
 * Return: 0, CONFIG_E_INVALID, or -errno.
 */
int config_load(const struct config_source *source, struct config *out, char *error);
void config_fini(struct config *config);

#define CONFIG_HOST_SIZE 64

/* config_split_listen() - "127.0.0.1:8002", "[::1]:8002" or "localhost:8002" in its parts.
 *
 * @host, of CONFIG_HOST_SIZE bytes, becomes a literal address without brackets.
 *
 * Return: false if @listen is not of that form, or the port is not 1 to 65535.
 */
bool config_split_listen(const char *listen, char *host, uint16_t *port);

/* config_is_secret() - whether a file of @mode is for its owner alone.  Below
 * $CREDENTIALS_DIRECTORY its group may read it.
 */
bool config_is_secret(const char *path, unsigned mode);

/* The table as data, for the loader and for the page deploy/weir.conf. */
enum config_type { CONFIG_INT, CONFIG_STR, CONFIG_FILE, CONFIG_DIR, CONFIG_BOOL };

struct config_key {
	const char *section, *name;
	enum config_type type;
	const char *otherwise; /* the default */
	int64_t min, max;
	const char *meaning;
	size_t offset; /* in struct config */
};

/* config_keys() - all keys, those of a section together. */
const struct config_key *config_keys(size_t *count);
