/* SPDX-License-Identifier: MIT */
/* Goal: one process per name; frames go both ways over real sockets; what is full, gone, too long
 * or of a wrong shape is told apart; connections that end are replaced so that a busy server
 * hears the new one.  Method: a scratch run directory, sockets on both sides in one process; waits
 * are on descriptors, with a deadline.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <zmq.h>

#include "common/dealer.h"
#include "proto/frame.h"

#define DEADLINE_MS 10000

static char run_dir[] = "/tmp/weir-test-transport-XXXXXX";
static struct transport *transport;

static void setup(void)
{
	cr_assert(mkdtemp(run_dir));
	(void)freopen("/dev/null", "w", stderr);
}

static void teardown(void)
{
	DIR *directory = opendir(run_dir);
	struct dirent *entry;

	transport_close(transport);
	while (directory && (entry = readdir(directory)))
		(void)unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		(void)closedir(directory);
	(void)rmdir(run_dir);
}

TestSuite(transport, .init = setup, .fini = teardown, .timeout = 60);

static void open_transport(void)
{
	cr_assert_eq(transport_open(run_dir, "registry", &transport), 0);
}

/* Sleep until one of @sockets has something to read; false at the deadline. */
static bool wait_for(struct transport_socket *const *sockets, size_t count)
{
	int64_t end_ms = loop_now_ms() + DEADLINE_MS;
	struct pollfd fds[4];

	for (;;) {
		for (size_t i = 0; i < count; i++) {
			sockets[i]->touched = true;
			if (transport_readable(sockets[i]))
				return true;
			fds[i] = (struct pollfd){ .fd = sockets[i]->fd, .events = POLLIN };
		}
		if (loop_now_ms() >= end_ms)
			return false;
		(void)poll(fds, count, 100);
	}
}

static void receive(struct transport_socket *socket, struct transport_message *message, bool routed)
{
	cr_assert(wait_for(&(struct transport_socket *){ socket }, 1));
	cr_assert_eq(routed ? transport_receive_routed(socket, message)
			    : transport_receive(socket, message),
		     0);
}

static void expect(struct transport_socket *socket, const char *text)
{
	struct transport_message message = { .held = false };

	receive(socket, &message, false);
	cr_assert_eq(message.length, strlen(text));
	cr_assert_eq(memcmp(message.bytes, text, message.length), 0);
	transport_release(&message);
}

static void expect_routed(struct transport_socket *socket, const char *text,
			  struct transport_message *from)
{
	receive(socket, from, true);
	cr_assert_eq(from->length, strlen(text));
	cr_assert_eq(memcmp(from->bytes, text, from->length), 0);
	transport_release(from);
}

static void expect_event(struct transport_socket *monitor, enum transport_event event)
{
	cr_assert(wait_for(&(struct transport_socket *){ monitor }, 1));
	cr_assert_eq(transport_monitor(monitor), event);
}

/* A connection may be reported a moment before it takes anything. */
static void send_soon(struct transport_socket *socket, const uint8_t *bytes, size_t length)
{
	int64_t end_ms = loop_now_ms() + DEADLINE_MS;
	int r;

	while ((r = transport_send(socket, bytes, length)) == TRANSPORT_E_BUSY) {
		cr_assert_lt(loop_now_ms(), end_ms);
		(void)poll(&(struct pollfd){ .fd = socket->fd, .events = POLLIN }, 1, 10);
	}
	cr_assert_eq(r, 0);
}

#define BYTES(text) (const uint8_t *)(text), strlen(text)

static const struct route gateway = { ROLE_GATEWAY, 0xa1, 1 };

/* the lock and the directory */

/* A process that holds the lock of "registry" until it is killed. */
static pid_t fork_holder(void)
{
	struct transport *held;
	int ready[2];
	char byte;
	pid_t child;

	cr_assert_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (transport_open(run_dir, "registry", &held) == 0)
			(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

Test(transport, a_second_process_of_the_name_is_refused_and_the_first_goes_on)
{
	struct transport_socket router, dealer, monitor;
	struct transport_message from = { .held = false };
	int status;
	pid_t child = fork_holder();

	cr_assert_eq(transport_open(run_dir, "registry", &transport), -EBUSY);
	cr_assert_null(transport);
	cr_assert_eq(kill(child, SIGKILL), 0);
	cr_assert_eq(waitpid(child, &status, 0), child);

	/* Its death frees the name at once, stale files and all. */
	open_transport();
	struct transport *second = NULL;

	cr_assert_eq(transport_open(run_dir, "registry", &second), -EBUSY);
	cr_assert_eq(transport_bind_router(transport, "inbox", 10, &router), 0);
	cr_assert_eq(transport_connect_dealer(transport, "registry", "inbox", &gateway, &dealer,
					      &monitor),
		     0);
	expect_event(&monitor, TRANSPORT_CONNECTED);
	send_soon(&dealer, BYTES("hello"));
	expect_routed(&router, "hello", &from);
	transport_close_socket(&dealer);
	transport_close_socket(&monitor);
	transport_close_socket(&router);
}

Test(transport, asking_for_the_holder_of_a_name_takes_nothing)
{
	char path[64];

	snprintf(path, sizeof path, "%s/registry.lock", run_dir);
	transport_log_holder(run_dir, "registry");
	cr_assert_neq(access(path, F_OK), 0, "not made");
	open_transport();
	transport_log_holder(run_dir, "registry");
	transport_close(transport);
	open_transport();
}

Test(transport, the_lock_names_its_holder)
{
	char path[64], text[24] = "";
	int fd;

	open_transport();
	snprintf(path, sizeof path, "%s/registry.lock", run_dir);
	fd = open(path, O_RDONLY);
	cr_assert_geq(fd, 0);
	cr_assert_gt(read(fd, text, sizeof text - 1), 0);
	cr_assert_eq(strtol(text, NULL, 10), (long)getpid());
	close(fd);
}

Test(transport, the_run_directory_must_be_ours_alone)
{
	char file[64];
	int fd;

	cr_assert_eq(chmod(run_dir, 0750), 0);
	cr_assert_eq(transport_open(run_dir, "registry", &transport), -EPERM);
	cr_assert_eq(chmod(run_dir, 0700), 0);
	cr_assert_eq(transport_open("/tmp/weir-is-not-here", "registry", &transport), -ENOENT);
	snprintf(file, sizeof file, "%s/file", run_dir);
	fd = open(file, O_CREAT | O_WRONLY, 0700);
	close(fd);
	cr_assert_eq(transport_open(file, "registry", &transport), -ENOTDIR);
}

Test(transport, a_path_that_no_socket_can_have_is_refused)
{
	char longest[256] = "/tmp/", name[NAME_MAX_BYTES + 2];

	memset(longest + 5, 'x', 100);
	cr_assert_eq(transport_open(longest, "registry", &transport), -ENAMETOOLONG);
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	cr_assert_eq(transport_open(run_dir, name, &transport), -ENAMETOOLONG);
}

/* both ways */

Test(transport, a_router_knows_who_speaks_and_answers)
{
	struct transport_socket router, dealer, monitor;
	struct transport_message from = { .held = false };
	struct route route;

	open_transport();
	/* The client may be first. */
	cr_assert_eq(transport_connect_dealer(transport, "registry", "inbox", &gateway, &dealer,
					      &monitor),
		     0);
	cr_assert_eq(transport_send(&dealer, BYTES("too early")), TRANSPORT_E_BUSY);
	cr_assert_eq(transport_bind_router(transport, "inbox", 10, &router), 0);
	expect_event(&monitor, TRANSPORT_CONNECTED);
	send_soon(&dealer, BYTES("ping"));
	expect_routed(&router, "ping", &from);
	cr_assert(route_read(from.route, from.route_length, &route));
	cr_assert_eq(route.role, ROLE_GATEWAY);
	cr_assert_eq(route.incarnation, 0xa1);
	cr_assert_eq(route.connection, 1);
	cr_assert_eq(transport_send_to(&router, from.route, from.route_length, BYTES("pong")), 0);
	expect(&dealer, "pong");
	cr_assert_eq(transport_receive(&dealer, &from), TRANSPORT_E_EMPTY);
	from.route[1] ^= 1;
	cr_assert_eq(transport_send_to(&router, from.route, from.route_length, BYTES("x")),
		     TRANSPORT_E_GONE);
	transport_close_socket(&monitor);
	transport_close_socket(&dealer);
	transport_close_socket(&router);
}

Test(transport, a_full_connection_is_busy)
{
	struct transport_socket router, dealer, monitor;
	struct transport_message from = { .held = false };
	static uint8_t bulk[64 * 1024];
	int sent = 0, r;

	open_transport();
	cr_assert_eq(transport_bind_router(transport, "inbox", 4, &router), 0);
	cr_assert_eq(transport_connect_dealer(transport, "registry", "inbox", &gateway, &dealer,
					      &monitor),
		     0);
	expect_event(&monitor, TRANSPORT_CONNECTED);
	send_soon(&dealer, BYTES("hello"));
	expect_routed(&router, "hello", &from);
	while ((r = transport_send_to(&router, from.route, from.route_length, bulk, sizeof bulk)) ==
	       0)
		cr_assert_lt(sent++, 10000);
	cr_assert_eq(r, TRANSPORT_E_BUSY);
	transport_close_socket(&monitor);
	transport_close_socket(&dealer);
	transport_close_socket(&router);
}

Test(transport, messages_of_a_wrong_shape_are_consumed)
{
	struct transport_socket router, dealer, monitor;
	struct transport_message message = { .held = false };

	open_transport();
	cr_assert_eq(transport_bind_router(transport, "inbox", 10, &router), 0);
	cr_assert_eq(transport_connect_dealer(transport, "registry", "inbox", &gateway, &dealer,
					      &monitor),
		     0);
	expect_event(&monitor, TRANSPORT_CONNECTED);
	send_soon(&dealer, BYTES("first"));
	expect_routed(&router, "first", &message);
	cr_assert_eq(zmq_send(dealer.handle, "one", 3, ZMQ_SNDMORE), 3);
	cr_assert_eq(zmq_send(dealer.handle, "two", 3, ZMQ_SNDMORE), 3);
	cr_assert_eq(zmq_send(dealer.handle, "three", 5, 0), 5);
	send_soon(&dealer, BYTES("good"));
	cr_assert(wait_for(&(struct transport_socket *){ &router }, 1));
	cr_assert_eq(transport_receive_routed(&router, &message), TRANSPORT_E_DROPPED);
	cr_assert_not(message.held);
	expect_routed(&router, "good", &message);
	transport_close_socket(&monitor);
	transport_close_socket(&dealer);
	transport_close_socket(&router);
}

Test(transport, a_message_beyond_the_limit_costs_the_sender_its_connection)
{
	struct transport_socket router, dealer, monitor;
	uint8_t *huge = calloc(1, FRAME_MAX + 1);

	open_transport();
	cr_assert_eq(transport_bind_router(transport, "inbox", 10, &router), 0);
	cr_assert_eq(transport_connect_dealer(transport, "registry", "inbox", &gateway, &dealer,
					      &monitor),
		     0);
	expect_event(&monitor, TRANSPORT_CONNECTED);
	send_soon(&dealer, huge, FRAME_MAX + 1);
	expect_event(&monitor, TRANSPORT_DISCONNECTED);
	free(huge);
	transport_close_socket(&monitor);
	transport_close_socket(&dealer);
	transport_close_socket(&router);
}

Test(transport, a_publisher_knows_whether_anybody_listens)
{
	static const char *const topics[] = { TOPIC_STORY, TOPIC_OPS, NULL };
	struct transport_socket publisher, one, other;
	int listeners = 0;

	open_transport();
	cr_assert_eq(transport_connect_subscriber(transport, "registry", topics, &one), 0);
	cr_assert_eq(transport_bind_publisher(transport, BYTES(TOPIC_WELCOME), &publisher), 0);
	while (listeners == 0) {
		cr_assert(wait_for(&(struct transport_socket *){ &publisher }, 1));
		listeners += transport_subscriptions(&publisher, TOPIC_OPS, 1);
	}
	cr_assert_eq(listeners, 1);
	/* A second one changes nothing, only the end of the last does. */
	cr_assert_eq(transport_connect_subscriber(transport, "registry", topics, &other), 0);
	cr_assert_eq(transport_send(&publisher, BYTES("ops     x")), 0);
	expect(&one, "ops     x");
	transport_close_socket(&other);
	cr_assert_eq(transport_subscriptions(&publisher, TOPIC_OPS, 1), 0);
	transport_close_socket(&one);
	while (listeners > 0) {
		cr_assert(wait_for(&(struct transport_socket *){ &publisher }, 1));
		listeners += transport_subscriptions(&publisher, TOPIC_OPS, 1);
	}
	cr_assert_eq(listeners, 0);
	transport_close_socket(&publisher);
}

Test(transport, subscribers_are_greeted_and_then_hear_their_topics)
{
	static const char *const topics[] = { TOPIC_WELCOME, TOPIC_STORY, NULL };
	struct transport_socket publisher, subscriber;

	open_transport();
	cr_assert_eq(transport_connect_subscriber(transport, "registry", topics, &subscriber), 0);
	cr_assert_eq(transport_bind_publisher(transport, BYTES(TOPIC_WELCOME), &publisher), 0);
	/* The greeting leaves when the publisher's thread looks at its socket. */
	for (int i = 0; i < 2; i++) {
		cr_assert(wait_for(&(struct transport_socket *){ &publisher }, 1));
		(void)transport_subscriptions(&publisher, TOPIC_OPS, 1);
	}
	expect(&subscriber, TOPIC_WELCOME);
	cr_assert_eq(transport_send(&publisher, BYTES("ops     x")), 0);
	cr_assert_eq(transport_send(&publisher, BYTES("story   x")), 0);
	expect(&subscriber, "story   x");
	transport_close_socket(&subscriber);
	transport_close_socket(&publisher);
}

/* the dealer that is replaced */

static struct {
	struct loop loop;
	struct dealer dealer;
	uint32_t connections;
	int ups, downs;
} client;

static void on_connected(void *context)
{
	(void)context;
	client.ups++;
}

static void on_disconnected(void *context)
{
	(void)context;
	client.downs++;
}

static int64_t no_pass(void *context)
{
	(void)context;
	return INT64_MAX;
}

static void open_dealer(void)
{
	int signal_fd = loop_block_signals();

	client.loop.pass = no_pass;
	cr_assert_eq(loop_init(&client.loop, signal_fd), 0);
	cr_assert_eq(dealer_open(&client.dealer,
				 &(struct dealer_options){ .transport = transport,
							   .loop = &client.loop,
							   .server = "registry",
							   .suffix = "inbox",
							   .route = gateway,
							   .connections = &client.connections,
							   .connected = on_connected,
							   .disconnected = on_disconnected }),
		     0);
}

static void poll_until(const int *counter, int value)
{
	while (*counter < value) {
		struct transport_socket *monitor = &client.dealer.monitor.socket;

		cr_assert(wait_for(&monitor, 1));
		cr_assert_eq(dealer_poll(&client.dealer), 0);
	}
}

/* A server that has not read what the old connection brought still hears the new one: with the
 * same routing id it never would.
 */
Test(transport, a_new_connection_is_heard_beside_the_rest_of_the_old_one)
{
	struct transport_socket router;
	struct transport_message from = { .held = false };
	struct route route;
	static uint8_t huge[FRAME_MAX + 1];

	open_transport();
	cr_assert_eq(transport_bind_router(transport, "inbox", 10, &router), 0);
	open_dealer();
	poll_until(&client.ups, 1);
	for (int i = 0; i < 20; i++)
		send_soon(&client.dealer.socket.socket, BYTES("old"));
	send_soon(&client.dealer.socket.socket, huge, sizeof huge); /* ends the connection */
	poll_until(&client.downs, 1);
	poll_until(&client.ups, 2);
	send_soon(&client.dealer.socket.socket, BYTES("new"));
	for (int i = 0; i < 20; i++) {
		expect_routed(&router, "old", &from);
		cr_assert(route_read(from.route, from.route_length, &route));
		cr_assert_eq(route.connection, 1);
	}
	expect_routed(&router, "new", &from);
	cr_assert(route_read(from.route, from.route_length, &route));
	cr_assert_eq(route.incarnation, gateway.incarnation);
	cr_assert_eq(route.connection, 2);
	dealer_close(&client.dealer);
	loop_fini(&client.loop);
	transport_close_socket(&router);
}

Test(transport, a_server_that_is_started_anew_is_found)
{
	struct transport_socket router;
	struct transport_message from = { .held = false };

	open_transport();
	open_dealer();
	for (int life = 1; life <= 3; life++) {
		cr_assert_eq(transport_bind_router(transport, "inbox", 10, &router), 0);
		poll_until(&client.ups, life);
		send_soon(&client.dealer.socket.socket, BYTES("hello"));
		expect_routed(&router, "hello", &from);
		transport_close_socket(&router);
		poll_until(&client.downs, life);
	}
	dealer_close(&client.dealer);
	loop_fini(&client.loop);
}
