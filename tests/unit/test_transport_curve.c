/* SPDX-License-Identifier: MIT */
/* Goal: over tcp a frame comes with whose key it is; strangers are refused, and a process that
 * would let them in sees it itself; connections end when they shall.  Method: two processes' worth
 * of sockets in one, on a loopback address that is this test's own.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <zmq.h>

#include "common/loop.h"
#include "common/transport.h"

#define DEADLINE_MS 10000

static char run_dir[] = "/tmp/weir-test-curve-XXXXXX";
static struct config config;
static struct keyring server_keys, client_keys;
static struct transport *server, *client;
static struct transport_socket zap, router, dealer, monitor;
static char address[64]; /* host:port of the registry */

static const struct route route = { ROLE_GATEWAY, 0xa1, 1 };

static void allow(struct keyring *keyring, enum role role, const char *name, const char *key)
{
	struct zap_allowed *item = &keyring->allow.items[keyring->allow.count++];

	*item = (struct zap_allowed){ .role = role, .current = true };
	(void)snprintf(item->name, sizeof item->name, "%s", name);
	(void)snprintf(item->key, sizeof item->key, "%s", key);
}

static void setup(void)
{
	char set[128], error[CONFIG_ERROR_SIZE];
	const char *sets[] = { "bus.transport=tcp", "bus.curve_dir=/tmp", set, NULL };
	int pid = getpid();

	(void)freopen("/dev/null", "w", stderr);
	cr_assert(mkdtemp(run_dir));
	(void)snprintf(address, sizeof address, "127.%d.%d.%d:8100", 1 + (pid >> 16 & 63),
		       pid >> 8 & 255, 1 + (pid & 127));
	(void)snprintf(set, sizeof set, "bus.registry=%s", address);
	cr_assert_eq(config_load(&(struct config_source){ .sets = sets }, &config, error), 0, "%s",
		     error);
	cr_assert_eq(zmq_curve_keypair(server_keys.public_key, server_keys.secret_key), 0);
	cr_assert_eq(zmq_curve_keypair(client_keys.public_key, client_keys.secret_key), 0);
	allow(&server_keys, ROLE_GATEWAY, "gateway-1", client_keys.public_key);
	allow(&client_keys, ROLE_REGISTRY, "registry", server_keys.public_key);
	cr_assert_eq(transport_open(run_dir, "registry", &server), 0);
	cr_assert_eq(transport_secure(server, &config, &server_keys, ROLE_REGISTRY, &zap), 0);
}

static void teardown(void)
{
	struct transport_socket *sockets[] = { &monitor, &dealer, &router, &zap };
	DIR *directory;
	struct dirent *entry;

	for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++)
		transport_close_socket(sockets[i]);
	transport_close(client);
	transport_close(server);
	config_fini(&config);
	directory = opendir(run_dir);
	while (directory && (entry = readdir(directory)))
		(void)unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		(void)closedir(directory);
	(void)rmdir(run_dir);
}

TestSuite(transport_curve, .init = setup, .fini = teardown, .timeout = 60);

static void bind_inbox(void)
{
	cr_assert_eq(transport_bind_router(server, "inbox", 10, &router), 0);
}

static void connect_client(void)
{
	static struct transport_socket unused;

	cr_assert_eq(transport_open(run_dir, "gateway-1", &client), 0);
	cr_assert_eq(transport_secure(client, &config, &client_keys, ROLE_GATEWAY, &unused), 0);
	transport_close_socket(&unused);
	cr_assert_eq(
		transport_connect_dealer(client, "registry", "inbox", &route, &dealer, &monitor),
		0);
}

/* Answer libzmq until @wanted has something to read. */
static void serve_until(struct transport_socket *wanted)
{
	int64_t end_ms = loop_now_ms() + DEADLINE_MS;
	struct pollfd fds[] = { { .fd = zap.fd, .events = POLLIN },
				{ .fd = router.fd, .events = POLLIN },
				{ .fd = wanted->fd, .events = POLLIN } };

	for (;;) {
		zap.touched = router.touched = wanted->touched = true;
		transport_answer(&zap, 8);
		(void)transport_readable(&router);
		if (transport_readable(wanted))
			return;
		cr_assert_lt(loop_now_ms(), end_ms);
		(void)poll(fds, 3, 100);
	}
}

static void expect_event(enum transport_event event)
{
	serve_until(&monitor);
	cr_assert_eq(transport_monitor(&monitor), event);
}

Test(transport_curve, a_frame_comes_with_the_owner_of_its_key)
{
	struct transport_message message = { .held = false };

	bind_inbox();
	connect_client();
	expect_event(TRANSPORT_CONNECTED);
	while (transport_send(&dealer, (const uint8_t *)"ping", 4) == TRANSPORT_E_BUSY)
		(void)poll(&(struct pollfd){ .fd = dealer.fd, .events = POLLIN }, 1, 10);
	serve_until(&router);
	cr_assert_eq(transport_receive_routed(&router, &message), 0);
	cr_assert_str_eq(message.user, "gateway:gateway-1");
	transport_release(&message);
}

Test(transport_curve, strangers_are_seen_to_be_refused)
{
	static const char *const suffixes[] = { "inbox", "outbox", "snapshot", NULL };
	struct transport_socket outbox, snapshot;

	bind_inbox();
	cr_assert_eq(transport_bind_publisher(server, (const uint8_t *)"hi", 2, &outbox), 0);
	cr_assert_eq(transport_bind_router(server, "snapshot", 10, &snapshot), 0);
	cr_assert_eq(transport_prove(server, &zap, suffixes), 0);
	transport_close_socket(&outbox);
	transport_close_socket(&snapshot);
}

static const char *const inbox_only[] = { "inbox", NULL };

Test(transport_curve, nothing_seen_is_no_proof)
{
	int64_t begun_ms = loop_now_ms();

	cr_assert_eq(transport_prove(server, &zap, inbox_only), -ETIMEDOUT);
	cr_assert_geq(loop_now_ms() - begun_ms, TRANSPORT_PROOF_MS);
}

/* Something of ours that was bound without keys, or without asking who comes. */
static void bind_carelessly(void *context, void **out, bool armed)
{
	char endpoint[80];
	int yes = 1;

	*out = zmq_socket(context, ZMQ_ROUTER);
	if (armed) {
		cr_assert_eq(zmq_setsockopt(*out, ZMQ_CURVE_SERVER, &yes, sizeof yes), 0);
		cr_assert_eq(zmq_setsockopt(*out, ZMQ_CURVE_SECRETKEY, server_keys.secret_key,
					    ZAP_KEY_LENGTH),
			     0);
	}
	(void)snprintf(endpoint, sizeof endpoint, "tcp://%s", address);
	cr_assert_eq(zmq_bind(*out, endpoint), 0);
}

ParameterizedTestParameters(transport_curve, a_careless_socket_is_found_out)
{
	static bool armed[] = { false, true };

	return cr_make_param_array(bool, armed, 2);
}

ParameterizedTest(bool *armed, transport_curve, a_careless_socket_is_found_out)
{
	void *context = zmq_ctx_new(), *careless;

	bind_carelessly(context, &careless, *armed);
	cr_assert_eq(transport_prove(server, &zap, inbox_only), -EACCES);
	(void)zmq_close(careless);
	(void)zmq_ctx_term(context);
}

Test(transport_curve, evicted_connections_end_and_are_judged_again)
{
	bind_inbox();
	connect_client();
	expect_event(TRANSPORT_CONNECTED);
	cr_assert_eq(transport_evict(&router), 0);
	expect_event(TRANSPORT_DISCONNECTED);
	expect_event(TRANSPORT_CONNECTED);
	server_keys.allow.count = 0;
	cr_assert_eq(transport_evict(&router), 0);
	expect_event(TRANSPORT_DISCONNECTED);
	cr_assert_eq(transport_prove(server, &zap, inbox_only), 0);
	monitor.touched = true;
	cr_assert_eq(transport_monitor(&monitor), TRANSPORT_NOTHING);
}

Test(transport_curve, a_server_without_a_public_key_here_is_a_wrong_configuration)
{
	client_keys.allow.count = 0;
	cr_assert_eq(transport_open(run_dir, "gateway-1", &client), 0);
	struct transport_socket unused;

	cr_assert_eq(transport_secure(client, &config, &client_keys, ROLE_GATEWAY, &unused), 0);
	transport_close_socket(&unused);
	cr_assert_eq(
		transport_connect_dealer(client, "registry", "inbox", &route, &dealer, &monitor),
		-EUCLEAN);
}
