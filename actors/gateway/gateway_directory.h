/* SPDX-License-Identifier: MIT */
/* gateway_directory.h - the apps that may connect, as the core sees them.  Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"
#include "proto/words.h"

#define GATEWAY_KEY_HASH_SIZE 32 /* SHA-256 */

enum gateway_permission {
	GATEWAY_CAMERA = 1 << 0,
	GATEWAY_ALL = 1 << 1,
};

struct gateway_app {
	struct text package;
	struct text webhook; /* base URL; empty: the app cannot be called */
	struct text name; /* for people */
	unsigned permissions; /* of gateway_permission */
	enum app_type type;
	uint8_t key_hash[GATEWAY_KEY_HASH_SIZE];
};

/* Sorted by package, byte by byte; no package twice. */
struct gateway_directory {
	const struct gateway_app *apps;
	size_t count;
};

/* gateway_text_order() - the order of packages: negative, 0 or positive as memcmp(). */
int gateway_text_order(struct text a, struct text b);

/* gateway_directory_find() - the app of that package, or NULL. */
const struct gateway_app *gateway_directory_find(const struct gateway_directory *directory,
						 struct text package);

/* gateway_app_may_stream() - whether it has CAMERA or ALL; @app may be NULL. */
bool gateway_app_may_stream(const struct gateway_app *app);
