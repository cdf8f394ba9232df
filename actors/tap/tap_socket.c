/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_socket.h"

#include <errno.h>
#include <sys/stat.h>

#include <czmq.h>

#include "common/bus.h"
#include "common/keyring.h"
#include "proto/frame.h"

#define HWM 1000 /* messages; beyond it a publisher drops, and the numbers show it */
#define RECONNECT_MS 10
#define RECONNECT_MAX_MS 500
#define HEARTBEAT_MS 500
#define HEARTBEAT_TIMEOUT_MS 1500
#define HEARTBEAT_TTL_MS 2000
#define HANDSHAKE_MS 2000 /* libzmq would wait 30 s for a greeting that got lost */

#define ENDPOINT_MAX (sizeof "ipc://" + RUN_DIR_MAX + sizeof "/lifecycle-scheduler.outbox.lock")

_Static_assert(ENDPOINT_MAX >= BUS_ENDPOINT_SIZE, "one buffer for both");

/* "registry.inbox" in its parts.  Return: the suffix. */
static const char *split_name(const char *name, char owner[static NAME_MAX_BYTES + 1])
{
	size_t length = strcspn(name, ".");

	(void)text_put((struct text){ name, (uint32_t)length }, owner, NAME_MAX_BYTES + 1);
	return name[length] ? name + length + 1 : "";
}

static bool find_endpoint(const struct cli *cli, const char *name,
			  char owner[static NAME_MAX_BYTES + 1], char *endpoint)
{
	const char *suffix = split_name(name, owner);

	return bus_endpoint(cli->config, owner, suffix, endpoint);
}

bool socket_exists(const struct cli *cli, const char *name)
{
	char path[ENDPOINT_MAX], owner[NAME_MAX_BYTES + 1];
	struct stat status;

	if (cli->keyring)
		return find_endpoint(cli, name, owner, path);
	(void)snprintf(path, sizeof path, "%s/%s", cli->run, name);
	return stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

zsock_t *socket_new(int type, int linger_ms)
{
	zsock_t *socket = zsock_new(type);

	if (!socket)
		return NULL;
	zsock_set_linger(socket, linger_ms);
	zsock_set_sndhwm(socket, HWM);
	zsock_set_rcvhwm(socket, HWM);
	zsock_set_maxmsgsize(socket, FRAME_MAX);
	zsock_set_reconnect_ivl(socket, RECONNECT_MS);
	zsock_set_reconnect_ivl_max(socket, RECONNECT_MAX_MS);
	zsock_set_heartbeat_ivl(socket, HEARTBEAT_MS);
	zsock_set_heartbeat_timeout(socket, HEARTBEAT_TIMEOUT_MS);
	zsock_set_heartbeat_ttl(socket, HEARTBEAT_TTL_MS);
	zsock_set_handshake_ivl(socket, HANDSHAKE_MS);
	return socket;
}

/* With our key, to the owner of that one. */
static bool secure(zsock_t *socket, const struct cli *cli, const char *owner)
{
	const char *server = keyring_server(cli->keyring, bus_role(owner), owner);

	if (!server) {
		errno = ENOKEY;
		return false;
	}
	zsock_set_ipv6(socket, 1);
	zsock_set_curve_publickey(socket, cli->keyring->public_key);
	zsock_set_curve_secretkey(socket, cli->keyring->secret_key);
	zsock_set_curve_serverkey(socket, server);
	return true;
}

bool socket_connect(zsock_t *socket, const struct cli *cli, const char *name)
{
	char endpoint[ENDPOINT_MAX], owner[NAME_MAX_BYTES + 1];

	if (!cli->keyring)
		(void)snprintf(endpoint, sizeof endpoint, "ipc://%s/%s", cli->run, name);
	else if (!find_endpoint(cli, name, owner, endpoint) || !secure(socket, cli, owner))
		return false;
	return zmq_connect(zsock_resolve(socket), endpoint) == 0;
}

int socket_receive(zsock_t *socket, zmq_msg_t *message)
{
	void *handle = zsock_resolve(socket);
	unsigned parts = 1;

	if (zmq_msg_recv(message, handle, ZMQ_DONTWAIT) < 0)
		return zmq_errno() == EAGAIN || zmq_errno() == EINTR ? 0 : -zmq_errno();
	/* Parts of one message arrive together: none of these waits. */
	for (; zmq_msg_more(message); parts++)
		if (zmq_msg_recv(message, handle, 0) < 0)
			return -zmq_errno();
	return parts == 1 ? 1 : -EMSGSIZE;
}
