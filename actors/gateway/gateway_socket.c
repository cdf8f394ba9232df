/* SPDX-License-Identifier: MIT */
#include "actors/gateway/gateway_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/tcp.h> /* its tcp_info is newer than that of netinet/tcp.h */

#include "proto/text.h"

#define BACKLOG 65535 /* who waits while others come in; the system allows net.core.somaxconn */
#define HOST_SIZE 64

static int bind_address(const struct addrinfo *address, bool shared)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) ||
	    bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int error = errno;

		(void)close(fd);
		return -error;
	}
	return fd;
}

/* The host of "host:port" or "[host]:port", and where the port begins. */
static const char *split(const char *address, char host[HOST_SIZE])
{
	const char *colon = strrchr(address, ':');
	size_t length = colon ? (size_t)(colon - address) : 0;

	if (length > 2 && address[0] == '[' && address[length - 1] == ']') {
		address++;
		length -= 2;
	}
	if (length == 0 || length >= HOST_SIZE)
		return NULL;
	(void)text_put((struct text){ address, (uint32_t)length }, host, HOST_SIZE);
	return colon + 1;
}

int gateway_socket_listen(const char *address, int port, bool shared, char *reason)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					       .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char host[HOST_SIZE], digits[16];
	const char *service = split(address, host);
	int fd, r;

	if (!service) {
		(void)snprintf(reason, GATEWAY_REASON_SIZE, "must be address:port");
		return -EINVAL;
	}
	(void)snprintf(digits, sizeof digits, "%d", port);
	r = getaddrinfo(host, port ? digits : service, &hints, &found);
	if (r != 0) {
		(void)snprintf(reason, GATEWAY_REASON_SIZE, "%s", gai_strerror(r));
		return -EINVAL;
	}
	fd = bind_address(found, shared);
	freeaddrinfo(found);
	if (fd < 0)
		(void)snprintf(reason, GATEWAY_REASON_SIZE, "%s", strerror(-fd));
	return fd;
}

static void read_ip(const struct sockaddr_storage *from, uint8_t ip[GATEWAY_ADDRESS_SIZE])
{
	memset(ip, 0, GATEWAY_ADDRESS_SIZE);
	if (from->ss_family == AF_INET6) {
		memcpy(ip, &((const struct sockaddr_in6 *)from)->sin6_addr, GATEWAY_ADDRESS_SIZE);
		return;
	}
	ip[10] = ip[11] = 0xff;
	memcpy(ip + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
}

int gateway_socket_accept(int fd, uint8_t ip[GATEWAY_ADDRESS_SIZE])
{
	struct sockaddr_storage from = { 0 };
	socklen_t size = sizeof from;
	int on = 1;
	int accepted = accept4(fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (accepted < 0)
		return -errno;
	(void)setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	read_ip(&from, ip);
	return accepted;
}

uint64_t gateway_socket_received(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
	    size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
		return 0;
	return info.tcpi_bytes_received;
}
