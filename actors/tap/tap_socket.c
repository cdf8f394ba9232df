/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_socket.h"

#include <errno.h>
#include <sys/stat.h>

#include <czmq.h>

#include "proto/frame.h"

#define HWM 1000 /* messages; beyond it a publisher drops, and the numbers show it */
#define RECONNECT_MS 10
#define RECONNECT_MAX_MS 500
#define HEARTBEAT_MS 500
#define HEARTBEAT_TIMEOUT_MS 1500
#define HEARTBEAT_TTL_MS 2000
#define HANDSHAKE_MS 2000 /* libzmq would wait 30 s for a greeting that got lost */

bool socket_exists(const struct cli *cli, const char *name)
{
	char path[ENDPOINT_MAX];
	struct stat status;

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

bool socket_connect(zsock_t *socket, const struct cli *cli, const char *name)
{
	char endpoint[ENDPOINT_MAX];

	(void)snprintf(endpoint, sizeof endpoint, "ipc://%s/%s", cli->run, name);
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
