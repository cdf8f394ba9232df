/* SPDX-License-Identifier: MIT */
#include "common/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/log.h"
#include "common/transport_private.h"
#include "proto/frame.h"

#define SUFFIX_LONGEST ".snapshot"

/* zeromq-notes, section 4.  High-water marks count messages. */
#define HWM 1000
#define PUBLISHER_SEND_MAX 4000 /* rides out a pause of a healthy subscriber */
#define BACKLOG 1024 /* reconnect storms */
#define HEARTBEAT_IVL_MS 500
#define HEARTBEAT_TIMEOUT_MS 1500
#define HEARTBEAT_TTL_MS 2000
#define HANDSHAKE_IVL_MS 2000 /* libzmq would wait 30 s for a greeting that got lost */
#define CONNECT_TIMEOUT_MS 2000 /* TCP would repeat its SYN after 1, 2, 4 ... 64 s */
#define RECONNECT_IVL_MS 10
#define RECONNECT_MAX_MS 500

_Static_assert(sizeof(zmq_msg_t) == TRANSPORT_MESSAGE_SIZE, "transport_message holds a zmq_msg_t");

/* the run directory and its lock */

int transport_check_run_dir(const char *run_dir)
{
	struct stat status;

	if (stat(run_dir, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	if (status.st_uid != geteuid() || (status.st_mode & 07777) != 0700)
		return -EPERM;
	return 0;
}

/* Say who holds the lock; the holder writes its pid as soon as it has it. */
static void log_holder(int fd, const char *path)
{
	char text[24] = "";
	ssize_t length = pread(fd, text, sizeof text - 1, 0);
	long pid = length > 0 ? strtol(text, NULL, 10) : 0;

	log_error("transport.locked", log_str("lock", path), log_i64("pid", pid));
}

void transport_log_holder(const char *run_dir, const char *name)
{
	char path[TRANSPORT_PATH_MAX + sizeof ".lock"];
	CLEANUP(close_at) int fd = -1;

	(void)snprintf(path, sizeof path, "%s/%s.lock", run_dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		log_holder(fd, path);
}

static int take_lock(const char *path, int *out)
{
	CLEANUP(close_at) int fd = -1;
	struct stat held, named;
	char text[24];

	/* Until what is locked is what the path names: somebody may clean up meanwhile. */
	do {
		close_at(&fd);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return err_raise(-errno);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno != EWOULDBLOCK)
				return err_raise(-errno);
			log_holder(fd, path);
			return -EBUSY;
		}
		if (fstat(fd, &held) < 0)
			return err_raise(-errno);
	} while (stat(path, &named) < 0 || named.st_ino != held.st_ino ||
		 named.st_dev != held.st_dev);

	int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
		return err_raise(-errno);
	*out = fd;
	fd = -1;
	return 0;
}

/* What an earlier life of ours has left.  libzmq would do it when it binds, but then a daemon may
 * no longer remove anything (confine.h).
 */
static void remove_sockets(const struct transport *self)
{
	static const char *const suffixes[] = { "outbox", "inbox", "snapshot" };
	char path[sizeof self->run_dir + sizeof self->name + sizeof SUFFIX_LONGEST];

	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		snprintf(path, sizeof path, "%s/%s.%s", self->run_dir, self->name, suffixes[i]);
		(void)unlink(path);
	}
}

static int open_context(struct transport *self)
{
	self->context = zmq_ctx_new();
	if (!self->context)
		return err_raise(-zmq_errno());
	if (zmq_ctx_set(self->context, ZMQ_IO_THREADS, 1) < 0 ||
	    zmq_ctx_set(self->context, ZMQ_BLOCKY, 0) < 0)
		return err_raise(-zmq_errno());
	return 0;
}

int transport_open(const char *run_dir, const char *name, struct transport **out)
{
	struct transport *self;
	char path[TRANSPORT_PATH_MAX + 16];
	int r;

	if (strlen(name) > NAME_MAX_BYTES ||
	    strlen(run_dir) + 1 + strlen(name) + strlen(SUFFIX_LONGEST) > TRANSPORT_PATH_MAX)
		return err_raise(-ENAMETOOLONG);
	r = transport_check_run_dir(run_dir);
	if (r < 0)
		return err_raise(r);
	self = calloc(1, sizeof *self);
	if (!self)
		return err_raise(-ENOMEM);
	self->lock_fd = -1;
	snprintf(self->run_dir, sizeof self->run_dir, "%s", run_dir);
	snprintf(self->name, sizeof self->name, "%s", name);
	snprintf(path, sizeof path, "%s/%s.lock", run_dir, name);
	r = take_lock(path, &self->lock_fd);
	if (r == 0) {
		remove_sockets(self);
		r = open_context(self);
	}
	if (r < 0) {
		transport_close(self);
		return r;
	}
	*out = self;
	return 0;
}

void transport_close(struct transport *self)
{
	if (!self)
		return;
	while (self->context && zmq_ctx_term(self->context) < 0 && zmq_errno() == EINTR)
		;
	/* The lock goes last: whoever waits for it finds the sockets free. */
	if (self->lock_fd >= 0)
		(void)close(self->lock_fd);
	free(self);
}

/* sockets */

static int set_number(void *handle, int option, int value)
{
	return zmq_setsockopt(handle, option, &value, sizeof value) < 0 ? -zmq_errno() : 0;
}

struct number {
	int option, value;
};

static int set_numbers(void *handle, const struct number *numbers, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = set_number(handle, numbers[i].option, numbers[i].value);
	return r;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int transport_create(struct transport *self, int type, struct transport_socket *out)
{
	static const struct number numbers[] = {
		{ ZMQ_LINGER, 0 },
		{ ZMQ_SNDHWM, HWM },
		{ ZMQ_RCVHWM, HWM },
		{ ZMQ_HEARTBEAT_IVL, HEARTBEAT_IVL_MS },
		{ ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS },
		{ ZMQ_HEARTBEAT_TTL, HEARTBEAT_TTL_MS },
		{ ZMQ_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS },
		{ ZMQ_RECONNECT_IVL, RECONNECT_IVL_MS },
		{ ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS },
		{ ZMQ_HANDSHAKE_IVL, HANDSHAKE_IVL_MS },
		{ ZMQ_BACKLOG, BACKLOG },
	};
	const int64_t message_max = FRAME_MAX;
	size_t size = sizeof out->fd;
	int r;

	*out = (struct transport_socket){ .fd = -1, .touched = true, .owner = self };
	out->handle = zmq_socket(self->context, type);
	if (!out->handle)
		return -zmq_errno();
	r = set_numbers(out->handle, numbers, COUNT(numbers));
	if (r == 0 &&
	    zmq_setsockopt(out->handle, ZMQ_MAXMSGSIZE, &message_max, sizeof message_max) < 0)
		r = -zmq_errno();
	if (r == 0 && zmq_getsockopt(out->handle, ZMQ_FD, &out->fd, &size) < 0)
		r = -zmq_errno();
	if (r < 0)
		transport_close_socket(out);
	return r;
}

static int endpoint_of(const struct transport *self, const char *name, const char *suffix,
		       char *endpoint)
{
	int length =
		snprintf(endpoint, ENDPOINT_SIZE, "ipc://%s/%s.%s", self->run_dir, name, suffix);

	return length < (int)ENDPOINT_SIZE ? 0 : -ENAMETOOLONG;
}

static int attach(struct transport_socket *socket, const char *name, const char *suffix, bool bind)
{
	char endpoint[ENDPOINT_SIZE];
	int r = socket->owner->keyring ? transport_curve(socket, name, suffix, bind, endpoint)
				       : endpoint_of(socket->owner, name, suffix, endpoint);

	if (r == 0 && (bind ? zmq_bind : zmq_connect)(socket->handle, endpoint) < 0)
		r = -zmq_errno();
	return r;
}

/* The end of every open function: @r, and nothing left behind if it is an error. */
static int opened(int r, struct transport_socket *socket)
{
	if (r == 0)
		return 0;
	transport_close_socket(socket);
	return r == -EUCLEAN ? r : err_raise(r);
}

int transport_bind_router(struct transport *self, const char *suffix, int send_max,
			  struct transport_socket *out)
{
	const struct number numbers[] = {
		{ ZMQ_ROUTER_MANDATORY, 1 },
		{ ZMQ_ROUTER_HANDOVER, 0 },
		{ ZMQ_SNDHWM, send_max },
	};
	int r = transport_create(self, ZMQ_ROUTER, out);

	if (r == 0)
		r = set_numbers(out->handle, numbers, COUNT(numbers));
	if (r == 0)
		r = attach(out, self->name, suffix, true);
	return opened(r, out);
}

int transport_bind_publisher(struct transport *self, const uint8_t *welcome, size_t length,
			     struct transport_socket *out)
{
	static const struct number numbers[] = {
		{ ZMQ_SNDHWM, PUBLISHER_SEND_MAX },
		{ ZMQ_XPUB_NODROP, 0 },
	};
	int r = transport_create(self, ZMQ_XPUB, out);

	if (r == 0)
		r = set_numbers(out->handle, numbers, COUNT(numbers));
	if (r == 0 && zmq_setsockopt(out->handle, ZMQ_XPUB_WELCOME_MSG, welcome, length) < 0)
		r = -zmq_errno();
	if (r == 0)
		r = attach(out, self->name, "outbox", true);
	return opened(r, out);
}

static int monitor_dealer(struct transport *self, struct transport_socket *dealer,
			  struct transport_socket *out)
{
	char endpoint[40];
	int r;

	snprintf(endpoint, sizeof endpoint, "inproc://monitor-%llu",
		 (unsigned long long)++self->monitors);
	if (zmq_socket_monitor(dealer->handle, endpoint,
			       ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) < 0)
		return -zmq_errno();
	r = transport_create(self, ZMQ_PAIR, out);
	if (r == 0 && zmq_connect(out->handle, endpoint) < 0) {
		r = -zmq_errno();
		transport_close_socket(out);
	}
	return r;
}

int transport_connect_dealer(struct transport *self, const char *server, const char *suffix,
			     const struct route *route, struct transport_socket *out,
			     struct transport_socket *monitor)
{
	uint8_t id[ROUTE_LENGTH_MAX];
	int r = transport_create(self, ZMQ_DEALER, out);

	route_write(route, id);
	*monitor = (struct transport_socket){ .fd = -1 };
	if (r == 0)
		r = set_number(out->handle, ZMQ_IMMEDIATE, 1);
	if (r == 0 && zmq_setsockopt(out->handle, ZMQ_ROUTING_ID, id, sizeof id) < 0)
		r = -zmq_errno();
	if (r == 0)
		r = monitor_dealer(self, out, monitor);
	if (r == 0)
		r = attach(out, server, suffix, false);
	if (r < 0)
		transport_close_socket(monitor);
	return opened(r, out);
}

int transport_connect_subscriber(struct transport *self, const char *server,
				 const char *const *topics, struct transport_socket *out)
{
	int r = transport_create(self, ZMQ_SUB, out);

	for (size_t i = 0; r == 0 && topics[i]; i++)
		if (zmq_setsockopt(out->handle, ZMQ_SUBSCRIBE, topics[i], strlen(topics[i])) < 0)
			r = -zmq_errno();
	if (r == 0)
		r = attach(out, server, "outbox", false);
	return opened(r, out);
}

void transport_close_socket(struct transport_socket *socket)
{
	if (!socket->handle)
		return;
	(void)zmq_socket_monitor(socket->handle, NULL, 0);
	(void)zmq_close(socket->handle);
	*socket = (struct transport_socket){ .fd = -1 };
}

/* receiving */

bool transport_readable(struct transport_socket *socket)
{
	int events = 0;
	size_t size = sizeof events;

	if (!socket->touched || !socket->handle)
		return false;
	if (zmq_getsockopt(socket->handle, ZMQ_EVENTS, &events, &size) < 0)
		return false;
	socket->touched = (events & ZMQ_POLLIN) != 0;
	return socket->touched;
}

static bool has_more(void *handle)
{
	int more = 0;
	size_t size = sizeof more;

	return zmq_getsockopt(handle, ZMQ_RCVMORE, &more, &size) == 0 && more != 0;
}

void transport_release(struct transport_message *message)
{
	if (!message->held)
		return;
	(void)zmq_msg_close((zmq_msg_t *)(void *)&message->opaque);
	message->held = false;
	message->bytes = NULL;
	message->length = 0;
}

/* Read one part into @message.  Return: 0, TRANSPORT_E_EMPTY or -errno. */
static int receive_part(struct transport_socket *socket, struct transport_message *message)
{
	zmq_msg_t *part = (zmq_msg_t *)(void *)&message->opaque;

	socket->touched = true;
	(void)zmq_msg_init(part);
	if (zmq_msg_recv(part, socket->handle, ZMQ_DONTWAIT) < 0) {
		int error = zmq_errno();

		(void)zmq_msg_close(part);
		if (error == EAGAIN || error == EINTR)
			return TRANSPORT_E_EMPTY;
		return err_raise(-error);
	}
	message->held = true;
	message->bytes = zmq_msg_data(part);
	message->length = zmq_msg_size(part);
	return 0;
}

/* A message is one part, behind the routing id if there is one: consume what is too much. */
static int refuse_rest(struct transport_socket *socket, struct transport_message *message)
{
	if (!has_more(socket->handle))
		return 0;
	do {
		transport_release(message);
		if (receive_part(socket, message) != 0)
			break;
	} while (has_more(socket->handle));
	transport_release(message);
	return TRANSPORT_E_DROPPED;
}

int transport_receive(struct transport_socket *socket, struct transport_message *message)
{
	int r = receive_part(socket, message);

	return r == 0 ? refuse_rest(socket, message) : r;
}

int transport_receive_routed(struct transport_socket *socket, struct transport_message *message)
{
	int r = receive_part(socket, message);

	if (r != 0)
		return r;
	message->user = NULL;
	message->route_length =
		message->length < sizeof message->route ? message->length : sizeof message->route;
	memcpy(message->route, message->bytes, message->route_length);
	transport_release(message);
	if (!has_more(socket->handle))
		return TRANSPORT_E_DROPPED;
	r = receive_part(socket, message);
	if (r == TRANSPORT_E_EMPTY)
		return TRANSPORT_E_DROPPED;
	if (r == 0)
		r = refuse_rest(socket, message);
	if (r == 0 && socket->owner->keyring)
		transport_curve_owner(message);
	return r;
}

/* A byte that says whether it is wanted, and the prefix. */
static int covers(const struct transport_message *message, const char *topic)
{
	size_t length = message->length - 1;

	if (message->length == 0 || message->bytes[0] > 1 || length > strlen(topic) ||
	    memcmp(message->bytes + 1, topic, length) != 0)
		return 0;
	return message->bytes[0] ? 1 : -1;
}

int transport_subscriptions(struct transport_socket *publisher, const char *topic, int max)
{
	struct transport_message message = { .held = false };
	int grown = 0;

	for (int i = 0; i < max && transport_readable(publisher); i++) {
		int r = transport_receive(publisher, &message);

		if (r == TRANSPORT_E_EMPTY)
			break;
		grown += r == 0 ? covers(&message, topic) : 0;
		transport_release(&message);
	}
	return grown;
}

/* sending */

int transport_send(struct transport_socket *socket, const uint8_t *bytes, size_t length)
{
	if (!socket->handle)
		return TRANSPORT_E_BUSY;
	socket->touched = true;
	if (zmq_send(socket->handle, bytes, length, ZMQ_DONTWAIT) >= 0)
		return 0;
	if (zmq_errno() == EAGAIN || zmq_errno() == EINTR)
		return TRANSPORT_E_BUSY;
	return err_raise(-zmq_errno());
}

int transport_send_to(struct transport_socket *socket, const uint8_t *route, size_t route_length,
		      const uint8_t *bytes, size_t length)
{
	socket->touched = true;
	if (zmq_send(socket->handle, route, route_length, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
		if (zmq_errno() == EAGAIN || zmq_errno() == EINTR)
			return TRANSPORT_E_BUSY;
		if (zmq_errno() == EHOSTUNREACH)
			return TRANSPORT_E_GONE;
		return err_raise(-zmq_errno());
	}
	/* The pipe was checked with the first part; if it dies in between, the rest is dropped. */
	if (zmq_send(socket->handle, bytes, length, ZMQ_DONTWAIT) >= 0)
		return 0;
	return zmq_errno() == EAGAIN || zmq_errno() == EHOSTUNREACH ? TRANSPORT_E_GONE
								    : err_raise(-zmq_errno());
}

enum transport_event transport_monitor(struct transport_socket *monitor)
{
	struct transport_message message = { .held = false };
	uint16_t event = 0;

	if (!transport_readable(monitor) || receive_part(monitor, &message) != 0)
		return TRANSPORT_NOTHING;
	if (message.length >= sizeof event)
		memcpy(&event, message.bytes, sizeof event);
	transport_release(&message);
	/* The second part names the address. */
	while (has_more(monitor->handle) && receive_part(monitor, &message) == 0)
		transport_release(&message);
	return event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? TRANSPORT_CONNECTED
						      : TRANSPORT_DISCONNECTED;
}
