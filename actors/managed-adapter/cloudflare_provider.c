/* SPDX-License-Identifier: MIT */
/* cloudflare_provider.c - the Cloudflare provider's shell: its core, libcurl's requests, the
 * webhook.
 *
 * What the core decides at once must not be said at once (provider.h), so calls are kept, encoded,
 * until the loop comes round.  Bodies and addresses of requests are never logged.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "actors/managed-adapter/cloudflare_core.h"
#include "actors/managed-adapter/managed_http.h"
#include "actors/managed-adapter/provider.h"
#include "common/cleanup.h"
#include "common/daemon.h"
#include "common/error.h"
#include "common/http_client.h"
#include "common/ini.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/secret.h"

#define CONNECTIONS_MAX 32 /* 200 requests per second are allowed from one address */
#define SECRET_SIZE 512
#define URL_SIZE 1024
#define WEBHOOK_PATH "/webhooks/cloudflare"

/* A call that has not begun. */
struct waiting {
	struct waiting *next;
	size_t length;
	uint8_t wire[];
};

/* Where the answer to the request of a slot goes. */
struct line {
	struct provider *provider;
	unsigned slot;
};

struct provider {
	struct provider_options options;
	struct http_client *client;
	struct ev_timer timer; /* calls wait */
	struct waiting *first, **last;
	char token[SECRET_SIZE], webhook_secret[SECRET_SIZE]; /* empty: there is none */
	char account[CLOUDFLARE_ID_MAX + 1];
	struct line lines[CLOUDFLARE_CALLS_MAX];
	struct cloudflare_effects fx;
	struct cloudflare core;
};

/* ---- requests ---- */

static void apply(struct provider *self);

static int64_t wall_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void log_failure(const struct cloudflare_request *request, const struct http_answer *http)
{
	char cause[LOG_CAUSE_SIZE];

	if (http->fate == HTTP_ANSWERED && (http->status < 400 || http->status == 404))
		return;
	(void)snprintf(cause, sizeof cause, "%s %u", request->method, (unsigned)http->status);
	/* Paths hold ids only. */
	log_limited_by("cloudflare.request_failed", cause, log_str("method", request->method),
		       log_str("path", request->path), log_u64("status", http->status),
		       log_u64("code", cloudflare_code(http->body)),
		       log_str("reason", http->error));
}

static void on_answer(void *context, const struct http_answer *http)
{
	const struct line *line = context;
	struct provider *self = line->provider;
	const struct cloudflare_answer answer = {
		.fate = http->fate == HTTP_ANSWERED   ? CLOUDFLARE_ANSWERED
			: http->fate == HTTP_NOT_SENT ? CLOUDFLARE_NOT_SENT
						      : CLOUDFLARE_LOST,
		.status = http->status,
		.body = http->body,
		.retry_after = http_answer_header(http, "Retry-After"),
		.ratelimit = http_answer_header(http, "Ratelimit"),
		.error = text_of(http->error),
		.wall_ms = wall_ms(),
	};

	log_failure(&self->core.jobs[line->slot].request, http);
	cloudflare_answer(&self->core, line->slot, &answer, loop_now_ms(), &self->fx);
	apply(self);
}

static bool start(struct provider *self, const struct cloudflare_request *request,
		  struct line *line)
{
	char url[URL_SIZE], authorization[SECRET_SIZE + 32], key[CLOUDFLARE_KEY_SIZE + 32];
	const char *headers[4] = { NULL };
	size_t count = 0;
	bool started;

	if (request->playback) {
		snprintf(url, sizeof url, "%s%s", self->core.host, request->path);
	} else {
		snprintf(url, sizeof url, "%s/accounts/%s/stream%s",
			 self->options.config->cloudflare_api_base, self->account, request->path);
		snprintf(authorization, sizeof authorization, "Authorization: Bearer %s",
			 self->token);
		headers[count++] = authorization;
	}
	if (request->body[0])
		headers[count++] = "Content-Type: application/json";
	if (request->key[0]) {
		snprintf(key, sizeof key, "Idempotency-Key: %s", request->key);
		headers[count++] = key;
	}
	started = http_client_start(
		self->client, &(struct http_request){
				      .method = request->method,
				      .url = url,
				      .headers = headers,
				      .body = text_of(request->body),
				      .timeout_ms = self->options.config->managed_create_timeout_ms,
				      .answer_max = CLOUDFLARE_ANSWER_MAX,
				      .once = strcmp(request->method, "POST") == 0,
				      .done = on_answer,
				      .context = line,
			      });
	secret_wipe(authorization, sizeof authorization);
	return started;
}

/* What the core wants after an input. */
static void apply(struct provider *self)
{
	static const struct cloudflare_answer not_begun = { .fate = CLOUDFLARE_NOT_SENT,
							    .error = { "out of memory", 13 } };
	struct cloudflare_effects *fx = &self->fx;

	while (fx->request) {
		struct line *line = &self->lines[fx->slot];

		line->provider = self;
		line->slot = fx->slot;
		if (start(self, fx->request, line))
			break;
		cloudflare_answer(&self->core, line->slot, &not_begun, loop_now_ms(), fx);
	}
	for (unsigned i = 0; i < fx->says; i++)
		self->options.say(self->options.context, &fx->say[i]);
}

/* ---- calls ---- */

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct provider *self = timer->data;
	struct waiting *first = self->first;

	(void)events;
	ev_timer_stop(loop, timer);
	self->first = NULL;
	self->last = &self->first;
	while (first) {
		struct wire wire = { first->wire, first->wire + first->length };
		struct waiting *next = first->next;
		struct stream_event event;

		if (stream_event_read(&wire, &event) != 0)
			abort(); /* we wrote it */
		cloudflare_call(&self->core, &event, loop_now_ms(), &self->fx);
		secret_free(first);
		first = next;
		apply(self);
	}
}

static void provider_call(struct provider *self, const struct stream_event *event)
{
	uint8_t wire[STREAM_EVENT_WIRE_MAX];
	ssize_t length = stream_event_encode(event, STREAM_EVENT_ADDRESSED, wire, sizeof wire);
	struct waiting *waiting = length > 0 ? malloc(sizeof *waiting + (size_t)length) : NULL;

	if (!waiting) {
		log_error("cloudflare.call_lost", log_str("type", stream_event_name(event->type)));
		return;
	}
	*waiting = (struct waiting){ .length = (size_t)length };
	memcpy(waiting->wire, wire, (size_t)length);
	secret_wipe(wire, (size_t)length);
	*self->last = waiting;
	self->last = &waiting->next;
	if (!ev_is_active(&self->timer))
		ev_timer_start(self->options.loop, &self->timer);
}

static void provider_settled(struct provider *self)
{
	(void)self; /* what nobody knows is found by listing */
}

/* ---- webhook ---- */

/* By their hashes, so that neither length nor content shows in the time it takes. */
static bool same_secret(struct text given, const char *expected)
{
	uint8_t a[SHA256_DIGEST_LENGTH], b[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)given.bytes, given.length, a);
	SHA256((const unsigned char *)expected, strlen(expected), b);
	return CRYPTO_memcmp(a, b, sizeof a) == 0;
}

static unsigned on_webhook(void *context, const struct managed_http_request *request)
{
	struct provider *self = context;
	unsigned status;

	if (!same_secret(managed_http_header(request, "cf-webhook-auth"), self->webhook_secret)) {
		log_limited("cloudflare.webhook_refused", log_str("peer", request->peer));
		return 401;
	}
	status = cloudflare_hook(&self->core, request->body, &self->fx);
	apply(self);
	return status;
}

/* ---- opening ---- */

static int refuse(const char *key, const char *reason)
{
	log_error("config.invalid", log_str("key", key), log_str("reason", reason));
	return DAEMON_EXIT_CONFIG;
}

/* One line of printable characters: it becomes part of a header. */
static bool is_secret(const char *secret)
{
	for (const char *at = secret; *at; at++)
		if (*at <= ' ' || *at > '~')
			return false;
	return *secret != '\0';
}

static int read_secret(const char *key, const char *file, char *out)
{
	struct stat status;
	char *bytes = NULL;
	size_t length = 0;
	int r;

	if (stat(file, &status) < 0)
		return refuse(key, strerror(errno));
	if (!config_is_secret(file, status.st_mode))
		return refuse(key, "others than its owner may use the file; run: chmod 600");
	r = ini_read(file, SECRET_SIZE - 1, &bytes, &length);
	if (r < 0)
		return refuse(key, strerror(-r));
	while (length > 0 && strchr(" \t\r\n", bytes[length - 1]))
		length--;
	text_put((struct text){ bytes, (uint32_t)length }, out, SECRET_SIZE);
	secret_wipe(bytes, length);
	free(bytes);
	return is_secret(out) ? 0 : refuse(key, "one line of printable characters is expected");
}

static int load_token(struct provider *self)
{
	const char *file = self->options.config->cloudflare_api_token_file;
	const char *environment = getenv("CLOUDFLARE_API_TOKEN");

	if (*file)
		return read_secret("cloudflare.api_token_file", file, self->token);
	if (!environment || strlen(environment) >= SECRET_SIZE || !is_secret(environment))
		return refuse("cloudflare.api_token_file",
			      "name a file with the token, or set CLOUDFLARE_API_TOKEN");
	snprintf(self->token, sizeof self->token, "%s", environment);
	return 0;
}

static int load_settings(struct provider *self)
{
	const struct config *config = self->options.config;
	const char *account = config->cloudflare_account_id, *base = config->cloudflare_api_base;
	const char *secret_file = config->cloudflare_webhook_secret_file;
	int r;

	if (!*account && getenv("CLOUDFLARE_ACCOUNT_ID"))
		account = getenv("CLOUDFLARE_ACCOUNT_ID");
	if (!cloudflare_is_id(text_of(account)))
		return refuse("cloudflare.account_id",
			      "the account's id is expected, here or in CLOUDFLARE_ACCOUNT_ID");
	snprintf(self->account, sizeof self->account, "%s", account);
	if (strncmp(base, "https://", 8) != 0 && strncmp(base, "http://", 7) != 0)
		return refuse("cloudflare.api_base", "https:// or http:// is expected");
	r = load_token(self);
	if (r == 0 && *secret_file)
		r = read_secret("cloudflare.webhook_secret_file", secret_file,
				self->webhook_secret);
	return r;
}

static void init_core(struct provider *self)
{
	const struct config *config = self->options.config;
	const struct cloudflare_options core = {
		.customer_domain = text_of(config->cloudflare_customer_domain),
		.plain = strncmp(config->cloudflare_api_base, "http://", 7) == 0,
		.delete_recordings = config->cloudflare_delete_recordings,
		.recording_wait_ms = config->cloudflare_recording_wait_s * 1000,
		.delete_recording_days = config->cloudflare_delete_recording_after_days,
		.requests_max = config->cloudflare_requests_per_5min,
	};

	cloudflare_init(&self->core, &core);
}

static void provider_close(struct provider *self)
{
	if (!self)
		return;
	http_client_close(self->client); /* first: it holds lines of ours */
	ev_timer_stop(self->options.loop, &self->timer);
	while (self->first) {
		struct waiting *next = self->first->next;

		secret_free(self->first);
		self->first = next;
	}
	secret_wipe(self, sizeof *self);
	free(self);
}
DEFINE_CLEANUP(struct provider *, provider_close);

static int provider_open(const struct provider_options *options, struct provider **out)
{
	const struct http_client_options client = {
		.loop = options->loop,
		.connections_max = CONNECTIONS_MAX,
		.ca_file = options->config->cloudflare_ca_file,
	};
	CLEANUP(provider_close_at) struct provider *self = calloc(1, sizeof *self);
	int r;

	if (!self)
		return err_raise(-ENOMEM);
	self->options = *options;
	self->last = &self->first;
	ev_timer_init(&self->timer, on_timer, 0, 0);
	self->timer.data = self;
	r = load_settings(self);
	if (r != 0)
		return r;
	init_core(self);
	r = http_client_open(&client, &self->client);
	if (r < 0)
		return err_pass(r);
	if (self->webhook_secret[0])
		managed_http_route(options->http, WEBHOOK_PATH, on_webhook, self);
	*out = steal(self);
	return 0;
}

const struct provider_driver provider_cloudflare = {
	.kind = PROVIDER_CLOUDFLARE,
	.open = provider_open,
	.call = provider_call,
	.settled = provider_settled,
	.close = provider_close,
};
