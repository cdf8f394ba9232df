/* SPDX-License-Identifier: MIT */
/* gateway_main.c - shell of a gateway: carries out what the core wants, signals, configuration. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "actors/gateway/gateway_shell.h"
#include "common/error.h"
#include "common/log.h"

#define FAREWELL_MS 1000 /* for the close frames, on the way down */
#define FAREWELL_CHECK_S 0.02
#define REQUEST_BYTES_MAX (64u << 20) /* for the registry: mostly relayed messages */

/* ---- effects at the edge ---- */

static void carry_send(struct gateway_shell *shell, const struct gateway_out *out, int64_t wall_ms)
{
	ssize_t length =
		edge_encode(&out->message, wall_ms, gateway_ws_buffer(shell->ws), EDGE_ENCODED_MAX);

	if (length > 0)
		gateway_ws_send(shell->ws, out->link, (size_t)length);
}

static void carry_probe(struct gateway_shell *shell, const struct gateway_out *out)
{
	struct edge_message message = { .type = EDGE_KEEP_RTMP_STREAM_ALIVE };
	ssize_t length;

	message.keep_rtmp_stream_alive.stream_id = out->stream_id;
	message.keep_rtmp_stream_alive.ack_id = out->ack_id;
	length = edge_encode(&message, 0, gateway_ws_buffer(shell->ws), EDGE_ENCODED_MAX);
	if (length > 0)
		gateway_ws_send(shell->ws, out->link, (size_t)length);
}

static void carry_post(struct gateway_shell *shell, const struct gateway_out *out, int64_t wall_ms)
{
	ssize_t length = edge_encode(&out->message, wall_ms, shell->answer, sizeof shell->answer);
	const struct gateway_hook hook = {
		.url = out->url,
		.user = out->user,
		.package = out->package,
		.hook = out->hook,
		.hook_id = out->hook_id,
		.body = { shell->answer, length > 0 ? (uint32_t)length : 0 },
		.attempts = out->hook == HOOK_SESSION ? shell->config->gateway_webhook_attempts : 1,
	};

	daemon_count(shell->daemon, "gateway.hooks", 1);
	if (!gateway_hooks_post(shell->hooks, &hook))
		log_limited("gateway.hook_dropped", log_u64("hook_id", out->hook_id));
}

static void carry_answer(struct gateway_shell *shell, const struct gateway_out *out,
			 int64_t wall_ms)
{
	ssize_t length = edge_encode(&out->message, wall_ms, shell->answer, sizeof shell->answer);

	gateway_ws_answer(shell->ws, out->call, out->code,
			  (struct text){ shell->answer, length > 0 ? (uint32_t)length : 0 });
}

/* For whoever looks after security; what sockets and doors refuse is told there. */
static bool is_audited(const char *name)
{
	static const char *const others[] = { "gateway.inits_refused", "gateway.starts_fenced",
					      "gateway.stops_fenced" };

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strcmp(name, others[i]) == 0)
			return true;
	return strncmp(name, "gateway.limit_", strlen("gateway.limit_")) == 0;
}

static void tell(struct gateway_shell *shell, const char *name, uint64_t more)
{
	daemon_count(shell->daemon, name, more);
	if (is_audited(name))
		log_limited(name, log_u64("count", more));
}

static void tell_counts(struct gateway_shell *shell)
{
	const struct gateway_counts *now = gateway_counts(shell->core);

	if (memcmp(now, &shell->counted, sizeof *now) == 0)
		return;
#define TELL(member, name) \
	if (now->member != shell->counted.member) \
		tell(shell, name, now->member - shell->counted.member);
	GATEWAY_COUNTERS(TELL)
#undef TELL
	shell->counted = *now;
}

/* Before the effects for the bus: they may say that this was done. */
static void carry_outs(struct gateway_shell *shell)
{
	size_t count;
	const struct gateway_out *outs = gateway_outs(shell->core, &count);
	int64_t wall_ms = count > 0 ? daemon_wall_ms() : 0;

	for (size_t i = 0; i < count; i++) {
		const struct gateway_out *out = &outs[i];

		switch (out->type) {
		case GATEWAY_SEND:
			carry_send(shell, out, wall_ms);
			break;
		case GATEWAY_PROBE:
			carry_probe(shell, out);
			break;
		case GATEWAY_CLOSE:
			gateway_ws_shut(shell->ws, out->link, out->code, out->reason);
			break;
		case GATEWAY_POST:
			carry_post(shell, out, wall_ms);
			break;
		case GATEWAY_ANSWER:
			carry_answer(shell, out, wall_ms);
			break;
		}
	}
	tell_counts(shell);
}

static void handle(void *core, const struct input *input, int64_t now_ms, struct effects *fx)
{
	struct gateway_shell *shell = core;

	gateway_handle(shell->core, input, now_ms, fx);
	carry_outs(shell);
}

static int64_t deadline(const void *core)
{
	return gateway_deadline(((const struct gateway_shell *)core)->core);
}

void gateway_feed(struct gateway_shell *shell, const struct gateway_edge *edge)
{
	gateway_edge(shell->core, edge, daemon_now_ms(), daemon_effects(shell->daemon));
	carry_outs(shell);
	daemon_carry(shell->daemon);
}

static void on_posted(void *context, const struct gateway_hook *hook, bool ok)
{
	gateway_feed(context, &(struct gateway_edge){ .type = GATEWAY_POSTED,
						      .user = hook->user,
						      .package = hook->package,
						      .hook = hook->hook,
						      .hook_id = hook->hook_id,
						      .ok = ok });
}

/* ---- configuration that can change ---- */

static int load_apps(struct gateway_shell *shell)
{
	char error[GATEWAY_APPS_ERROR_SIZE];
	struct gateway_apps apps, old = shell->apps;
	int r = gateway_apps_load(shell->config->gateway_apps_file, &apps, error);

	if (r != 0) {
		log_error("gateway.apps_refused", log_str("reason", r < 0 ? strerror(-r) : error));
		return r;
	}
	shell->apps = apps;
	gateway_set_directory(shell->core, &shell->apps.directory);
	gateway_apps_fini(&old);
	log_info("gateway.apps_loaded", log_u64("apps", shell->apps.directory.count));
	return 0;
}

static int load_secrets(struct gateway_shell *shell)
{
	char error[GATEWAY_ERROR_SIZE];
	int r = gateway_secrets_load(shell->config->gateway_jwt_secret_file,
				     getenv("AUGMENTOS_AUTH_JWT_SECRET"), &shell->secrets, error);

	if (r != 0) {
		log_error("gateway.secrets_refused", log_str("reason", error));
		return r;
	}
	log_info("gateway.secrets_loaded", log_u64("secrets", shell->secrets.count));
	return 0;
}

/* SIGHUP: what cannot be read stays as it was, and is said. */
static void reload(void *context)
{
	struct gateway_shell *shell = context;

	(void)load_apps(shell);
	(void)load_secrets(shell);
	(void)gateway_ws_reload_tls(shell->ws);
}

/* ---- going away ---- */

/* With a port of our own the shared one is left to the others: they take whom we send away. */
static void drain(void *context)
{
	struct gateway_shell *shell = context;

	if (gateway_ws_has_direct(shell->ws))
		gateway_ws_deafen(shell->ws, false);
	gateway_feed(shell, &(struct gateway_edge){ .type = GATEWAY_DRAIN });
}

static void on_farewell(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct gateway_shell *shell = timer->data;

	(void)events;
	if (gateway_ws_connections(shell->ws) > 0 && daemon_now_ms() < shell->farewell_ms)
		return;
	ev_timer_stop(loop, timer);
	daemon_stopped(shell->daemon);
}

static bool stop(void *context)
{
	struct gateway_shell *shell = context;

	gateway_ws_deafen(shell->ws, true);
	gateway_feed(shell, &(struct gateway_edge){ .type = GATEWAY_SHUT });
	if (gateway_ws_connections(shell->ws) == 0)
		return true;
	shell->farewell_ms = daemon_now_ms() + FAREWELL_MS;
	ev_timer_init(&shell->farewell, on_farewell, FAREWELL_CHECK_S, FAREWELL_CHECK_S);
	shell->farewell.data = shell;
	ev_timer_start(daemon_loop(shell->daemon), &shell->farewell);
	return false;
}

/* ---- opening ---- */

/* Fewer than configured if the system does not give us so many descriptors: daemon_open() takes all
 * that it gives.
 */
static uint32_t connections_max(const struct config *config)
{
	int64_t wanted = config->gateway_connections_max;
	struct rlimit limit;
	uint32_t possible;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		limit.rlim_max = RLIM_INFINITY;
	possible = gateway_connections_for(wanted, limit.rlim_max);
	if (possible < wanted)
		log_warn("gateway.connections_limited", log_i64("configured", wanted),
			 log_i64("connections_max", possible),
			 log_u64("descriptors", limit.rlim_max),
			 log_u64("descriptors_needed", gateway_descriptors_for(wanted)),
			 log_i64("gateways_needed", (wanted + possible - 1) / possible),
			 log_str("mend",
				 "raise the hard limit of open files to descriptors_needed "
				 "(LimitNOFILE, ulimit -Hn), or run gateways_needed gateways"));
	return possible;
}

/* gateway-N listens on the base port + N as well. */
static int direct_port(const struct config *config, const char *name)
{
	const char *dash = strrchr(name, '-');
	char *end = NULL;
	long number = dash ? strtol(dash + 1, &end, 10) : 0;
	int64_t port = config->gateway_direct_base_port + number;

	if (config->gateway_direct_base_port == 0 || !end || *end != '\0' || number <= 0 ||
	    port > UINT16_MAX)
		return 0;
	return (int)port;
}

static struct text websocket_url(struct gateway_shell *shell)
{
	const struct config *config = shell->config;
	const char *scheme = *config->gateway_tls_cert_file ? "wss" : "ws";
	int given = (int)strlen(config->gateway_public_url);
	int length;

	while (given > 0 && config->gateway_public_url[given - 1] == '/')
		given--;
	if (given > 0)
		length = snprintf(shell->websocket_url, sizeof shell->websocket_url, "%.*s/app-ws",
				  given, config->gateway_public_url);
	else
		length = snprintf(shell->websocket_url, sizeof shell->websocket_url,
				  "%s://%s/app-ws", scheme, config->gateway_listen);
	return (struct text){ shell->websocket_url, (uint32_t)length };
}

static int open_core(struct gateway_shell *shell, const struct daemon_options *daemon,
		     uint32_t connections, uint64_t seed)
{
	const struct config *config = shell->config;
	const struct gateway_options options = {
		.incarnation = daemon->incarnation,
		.connections_max = connections,
		.seed = seed,
		.starts_per_min = config->gateway_starts_per_min,
		.starts_burst = config->gateway_starts_burst,
		.arrivals_max = (uint32_t)config->gateway_arrivals_max,
		.requests_max = (uint32_t)config->gateway_requests_max,
		.requests_waiting_max = (uint32_t)config->gateway_requests_waiting_max,
		.beat_ms = config->gateway_beat_ms,
		.request_timeout_ms = config->gateway_request_timeout_ms,
		.watch_timeout_ms = config->managed_request_timeout_ms,
		.init_ms = config->gateway_handshake_ms,
		.empty_subscription_grace_ms = config->session_empty_subscription_grace_ms,
		.websocket_url = websocket_url(shell),
	};
	/* Pages cost memory only once they are touched. */
	void *memory = mmap(NULL, gateway_bytes(&options), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return err_raise(-errno);
	shell->core = gateway_init(memory, &options);
	return 0;
}

static int open_edge(struct gateway_shell *shell, const struct daemon_options *daemon,
		     uint32_t connections, uint64_t seed)
{
	const struct config *config = shell->config;
	const struct gateway_ws_options ws = {
		.loop = daemon_loop(shell->daemon),
		.listen = config->gateway_listen,
		.direct_port = direct_port(config, daemon->name),
		.proxies = config->gateway_proxies,
		.tls_cert_file = config->gateway_tls_cert_file,
		.tls_key_file = config->gateway_tls_key_file,
		.connections_max = connections,
		.connections_per_address_max =
			(uint32_t)config->gateway_connections_per_address_max,
		.message_max = (uint32_t)config->gateway_message_max,
		.send_queue_max = (uint32_t)config->gateway_send_queue_max,
		.handshake_ms = config->gateway_handshake_ms,
		.admissions_per_s = config->gateway_admissions_per_s,
		.messages_per_s = config->gateway_messages_per_s,
		.messages_burst = config->gateway_messages_burst,
		.controls_per_s = config->gateway_controls_per_s,
		.glasses_ping_ms = config->session_glasses_ping_ms,
		.glasses_pong_ms = config->session_glasses_pong_ms,
		.app_ping_ms = config->session_app_ping_ms,
		.seed = seed,
		.events = gateway_doors(shell),
	};
	const struct gateway_hooks_options hooks = {
		.loop = daemon_loop(shell->daemon),
		.timeout_ms = config->gateway_webhook_timeout_ms,
		.pause_ms = config->gateway_webhook_pause_ms,
		.done = on_posted,
		.context = shell,
	};
	int r = gateway_ws_open(&ws, &shell->ws);

	if (r == GATEWAY_WS_E_TLS)
		return DAEMON_EXIT_CONFIG;
	if (r != 0)
		return r < 0 ? err_pass(r) : DAEMON_EXIT_FAILED;
	return err_pass(gateway_hooks_open(&hooks, &shell->hooks));
}

static int serve(struct gateway_shell *shell, const struct daemon_options *given,
		 uint32_t connections, uint64_t seed)
{
	struct daemon_options options = *given;
	int r;

	options.servers = 1u << ROLE_REGISTRY | 1u << ROLE_SCHEDULER | 1u << ROLE_UNMANAGED |
			  1u << ROLE_MANAGED;
	options.request_bytes_max = REQUEST_BYTES_MAX;
	r = daemon_open(&options,
			&(struct actor){ .core = shell,
					 .handle = handle,
					 .deadline = deadline,
					 .stop = stop,
					 .reload = reload,
					 .drain = drain,
					 .context = shell },
			&shell->daemon);
	if (r < 0)
		return r == -EBUSY ? DAEMON_EXIT_FAILED : err_pass(r);
	r = open_edge(shell, given, connections, seed);
	if (r == 0) {
		shell->started_ms = daemon_now_ms();
		gateway_ws_accept(shell->ws);
		r = err_pass(daemon_run(shell->daemon));
	}
	gateway_hooks_close(shell->hooks);
	gateway_ws_close(shell->ws);
	daemon_close(shell->daemon);
	return r;
}

static int run(const struct daemon_options *given)
{
	static struct gateway_shell shell; /* too large for the stack */
	uint32_t connections = connections_max(given->config);
	uint64_t seed = 0;
	int r;

	if (getrandom(&seed, sizeof seed, 0) < 0)
		return err_raise(-errno);
	shell.config = given->config;
	r = open_core(&shell, given, connections, seed);
	if (r < 0)
		return err_pass(r);
	if (load_secrets(&shell) != 0)
		return DAEMON_EXIT_CONFIG;
	r = load_apps(&shell);
	if (r != 0)
		return r < 0 ? err_pass(r) : DAEMON_EXIT_CONFIG;
	r = serve(&shell, given, connections, seed);
	gateway_apps_fini(&shell.apps);
	gateway_secrets_wipe(&shell.secrets);
	return r;
}

int main(int argc, char **argv)
{
	return daemon_main(
		argc, argv,
		&(struct daemon_program){ .binary = "weir-gateway",
					  .summary = "the sockets: glasses, apps, REST, webhooks",
					  .role = ROLE_GATEWAY,
					  .run = run });
}
