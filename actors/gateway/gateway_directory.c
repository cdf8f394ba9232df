/* SPDX-License-Identifier: MIT */
#include "actors/gateway/gateway_directory.h"

int gateway_text_order(struct text a, struct text b)
{
	uint32_t length = a.length < b.length ? a.length : b.length;
	int order = length > 0 ? memcmp(a.bytes, b.bytes, length) : 0;

	if (order != 0)
		return order;
	return a.length < b.length ? -1 : a.length > b.length;
}

const struct gateway_app *gateway_directory_find(const struct gateway_directory *directory,
						 struct text package)
{
	size_t from = 0, to = directory ? directory->count : 0;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = gateway_text_order(directory->apps[middle].package, package);

		if (order == 0)
			return &directory->apps[middle];
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

bool gateway_app_may_stream(const struct gateway_app *app)
{
	return app && (app->permissions & (GATEWAY_CAMERA | GATEWAY_ALL)) != 0;
}
