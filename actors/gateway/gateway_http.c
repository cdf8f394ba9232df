/* SPDX-License-Identifier: MIT */
#include "actors/gateway/gateway_http.h"

#include "proto/json.h"

/* "*" stands for one name. */
static const struct {
	const char *method, *path;
	enum gateway_route route;
} routes[] = {
	{ "GET", "/health", GATEWAY_ROUTE_HEALTH },
	{ "GET", "/healthz", GATEWAY_ROUTE_ALIVE },
	{ "GET", "/readyz", GATEWAY_ROUTE_READY },
	{ "GET", "/api/public/permissions/*", GATEWAY_ROUTE_PERMISSIONS },
	{ "POST", "/apps/*/start", GATEWAY_ROUTE_APP_START },
	{ "POST", "/apps/*/stop", GATEWAY_ROUTE_APP_STOP },
	{ "POST", "/api/apps/*/start", GATEWAY_ROUTE_APP_START },
	{ "POST", "/api/apps/*/stop", GATEWAY_ROUTE_APP_STOP },
	{ "POST", "/api/client/device/state", GATEWAY_ROUTE_DEVICE_STATE },
	{ "POST", "/api/streams/*/outputs", GATEWAY_ROUTE_OUTPUT_ADD },
	{ "GET", "/api/streams/*/outputs", GATEWAY_ROUTE_OUTPUT_LIST },
	{ "DELETE", "/api/streams/*/outputs/*", GATEWAY_ROUTE_OUTPUT_REMOVE },
};

static bool match(const char *pattern, struct text path, struct gateway_names *names)
{
	const char *at = path.bytes, *end = path.bytes + path.length;
	struct text *name = &names->first;

	*names = (struct gateway_names){ 0 };
	for (; *pattern; pattern++) {
		const char *from = at;

		if (*pattern != '*') {
			if (at == end || *at++ != *pattern)
				return false;
			continue;
		}
		while (at < end && *at != '/')
			at++;
		*name = (struct text){ from, (uint32_t)(at - from) };
		if (name->length == 0 || name->length > PACKAGE_MAX)
			return false;
		name = &names->second;
	}
	return at == end;
}

enum gateway_route gateway_http_route(const char *method, struct text path,
				      struct gateway_names *names)
{
	enum gateway_route other = GATEWAY_ROUTE_UNKNOWN;

	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (!match(routes[i].path, path, names))
			continue;
		if (strcmp(method, routes[i].method) == 0)
			return routes[i].route;
		other = GATEWAY_ROUTE_METHOD;
	}
	*names = (struct gateway_names){ 0 };
	return other;
}

struct text gateway_http_bearer(struct text authorization)
{
	const char *space = authorization.length > 0
				    ? memchr(authorization.bytes, ' ', authorization.length)
				    : NULL;
	struct text word = { 0 };

	if (!space)
		return word;
	word.bytes = space + 1;
	word.length = authorization.length - (uint32_t)(word.bytes - authorization.bytes);
	space = word.length > 0 ? memchr(word.bytes, ' ', word.length) : NULL;
	if (space)
		word.length = (uint32_t)(space - word.bytes);
	return word;
}

struct text gateway_http_permissions(const struct gateway_app *app, char *bytes, size_t size)
{
	static const struct {
		enum gateway_permission permission;
		struct text json;
	} names[] = {
		{ GATEWAY_CAMERA, { "{\"type\":\"CAMERA\"}", 17 } },
		{ GATEWAY_ALL, { "{\"type\":\"ALL\"}", 14 } },
	};
	struct json_writer writer = { .bytes = bytes, .size = size };
	bool more = false;

	json_put_raw(&writer, TEXT("{\"success\":true,\"packageName\":"));
	json_put_string(&writer, app->package);
	json_put_raw(&writer, TEXT(",\"permissions\":["));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!(app->permissions & names[i].permission))
			continue;
		json_put_raw(&writer, more ? TEXT(",") : TEXT(""));
		json_put_raw(&writer, names[i].json);
		more = true;
	}
	json_put_raw(&writer, TEXT("]}"));
	return (struct text){ bytes, writer.full ? 0 : (uint32_t)writer.length };
}
