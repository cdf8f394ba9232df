/* SPDX-License-Identifier: MIT */
#include "actors/managed-adapter/managed_http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "common/config.h"
#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"

#define PEER_SIZE INET6_ADDRSTRLEN

struct route {
	const char *path;
	managed_http_handler *handler;
	void *context;
};

struct managed_http {
	struct ev_loop *loop;
	struct MHD_Daemon *daemon;
	struct MHD_Response *empty;
	struct ev_io io;
	struct ev_timer timer;
	struct route routes[MANAGED_HTTP_ROUTES_MAX];
	size_t route_count;
};

/* A request whose body is still coming in. */
struct intake {
	size_t length, size;
	bool too_large;
	char *bytes;
};

/* ---- the loop ---- */

static void run(struct managed_http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	(void)MHD_run(http->daemon);
	ev_timer_stop(http->loop, &http->timer);
	if (MHD_get_timeout(http->daemon, &timeout_ms) != MHD_YES)
		return;
	ev_now_update(http->loop);
	ev_timer_set(&http->timer, (double)timeout_ms / 1000, 0);
	ev_timer_start(http->loop, &http->timer);
}

static void on_socket(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)loop;
	(void)events;
	run(io->data);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	run(timer->data);
}

/* ---- requests ---- */

static const char *peer_of(struct MHD_Connection *connection, char *buffer)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;
	const void *bytes = NULL;

	if (address && address->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	else if (address && address->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	if (!bytes || !inet_ntop(address->sa_family, bytes, buffer, PEER_SIZE))
		return "";
	return buffer;
}

struct text managed_http_header(const struct managed_http_request *request, const char *name)
{
	const char *value = MHD_lookup_connection_value(request->opaque, MHD_HEADER_KIND, name);

	return value ? text_of(value) : (struct text){ 0 };
}

static const struct route *find_route(const struct managed_http *http, const char *path)
{
	for (size_t i = 0; i < http->route_count; i++)
		if (strcmp(http->routes[i].path, path) == 0)
			return &http->routes[i];
	return NULL;
}

static bool add(struct intake *intake, const char *bytes, size_t count)
{
	size_t size = intake->size;

	if (intake->too_large || count > MANAGED_HTTP_BODY_MAX - intake->length) {
		intake->too_large = true;
		return true;
	}
	while (size < intake->length + count)
		size = size ? 2 * size : 1024;
	if (size != intake->size) {
		char *larger = secret_realloc(intake->bytes, size);

		if (!larger)
			return false;
		intake->bytes = larger;
		intake->size = size;
	}
	memcpy(intake->bytes + intake->length, bytes, count);
	intake->length += count;
	return true;
}

static unsigned answer(struct managed_http *http, struct MHD_Connection *connection,
		       const char *path, const char *method, const struct intake *intake)
{
	const struct route *route = find_route(http, path);
	char peer[PEER_SIZE];
	struct managed_http_request request = {
		.method = method,
		.path = path,
		.peer = peer_of(connection, peer),
		.body = { intake->bytes, (uint32_t)intake->length },
		.opaque = connection,
	};

	if (!route)
		return MHD_HTTP_NOT_FOUND;
	if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	if (intake->too_large)
		return MHD_HTTP_CONTENT_TOO_LARGE;
	return route->handler(route->context, &request);
}

/* Called with the headers, with each part of the body, and once more behind its end. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **request_data)
{
	struct managed_http *http = context;
	struct intake *intake = *request_data;

	(void)version;
	if (!intake) {
		*request_data = calloc(1, sizeof *intake);
		return *request_data ? MHD_YES : MHD_NO;
	}
	if (*upload_size > 0) {
		if (!add(intake, upload, *upload_size))
			return MHD_NO;
		*upload_size = 0;
		return MHD_YES;
	}
	return MHD_queue_response(connection, answer(http, connection, url, method, intake),
				  http->empty);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_data,
			 enum MHD_RequestTerminationCode code)
{
	struct intake *intake = *request_data;

	(void)context;
	(void)connection;
	(void)code;
	if (!intake)
		return;
	secret_free(intake->bytes); /* it may have held a stream key */
	free(intake);
	*request_data = NULL;
}

/* It writes sentences; what matters is counted by whoever answers. */
static void on_words(void *context, const char *format, va_list arguments)
{
	(void)context;
	(void)format;
	(void)arguments;
}

/* ---- opening ---- */

static bool read_address(const char *listen, struct sockaddr_storage *out)
{
	char host[CONFIG_HOST_SIZE];
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
	uint16_t port;

	memset(out, 0, sizeof *out);
	if (!config_split_listen(listen, host, &port))
		return false;
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
}

static struct MHD_Daemon *start(struct managed_http *http, struct sockaddr_storage *address)
{
	unsigned flags = MHD_USE_EPOLL | (address->ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);

	errno = 0;
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER,
				on_words, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)address,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)MANAGED_HTTP_CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)MANAGED_HTTP_IDLE_S,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
}

int managed_http_open(struct ev_loop *loop, const char *listen, struct managed_http **out)
{
	struct managed_http *http = calloc(1, sizeof *http);
	const union MHD_DaemonInfo *info;
	struct sockaddr_storage address;

	if (!http)
		return err_raise(-ENOMEM);
	http->loop = loop;
	http->empty = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	http->daemon = read_address(listen, &address) ? start(http, &address) : NULL;
	info = http->daemon ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!http->empty || !info) {
		int r = errno ? -errno : -EINVAL;

		log_error("managed.http_failed", log_str("listen", listen),
			  log_str("reason", strerror(-r)));
		managed_http_close(http);
		return err_raise(r);
	}
	ev_io_init(&http->io, on_socket, info->epoll_fd, EV_READ);
	http->io.data = http;
	ev_io_start(loop, &http->io);
	ev_timer_init(&http->timer, on_timer, 0, 0);
	http->timer.data = http;
	*out = http;
	return 0;
}

void managed_http_close(struct managed_http *http)
{
	if (!http)
		return;
	ev_io_stop(http->loop, &http->io);
	ev_timer_stop(http->loop, &http->timer);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	if (http->empty)
		MHD_destroy_response(http->empty);
	free(http);
}

void managed_http_route(struct managed_http *http, const char *path, managed_http_handler *handler,
			void *context)
{
	assert(http->route_count < MANAGED_HTTP_ROUTES_MAX);
	http->routes[http->route_count++] =
		(struct route){ .path = path, .handler = handler, .context = context };
}
