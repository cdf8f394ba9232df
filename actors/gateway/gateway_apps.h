/* SPDX-License-Identifier: MIT */
/* gateway_apps.h - the app directory: a file, read whole or not at all.
 *
 *	[com.example.cam]
 *	api_key_sha256 = <64 hexadecimal digits>
 *	webhook = https://cam.example.com       ; "/webhook" is appended
 *	permissions = CAMERA                    ; CAMERA, ALL, others; comma separated
 *	type = standard                         ; standard (default), background, system_dashboard
 *	name = Camera
 */
#pragma once

#include <stdbool.h>

#include "actors/gateway/gateway_directory.h"

#define GATEWAY_APPS_ERROR_SIZE 512

/* Outcomes the caller must handle; see common/error.h. */
enum {
	_GATEWAY_APPS_E_SUCCESS,
	GATEWAY_APPS_E_INVALID, /* @error says which line, what is wrong and how to mend it */
};

struct gateway_apps {
	struct gateway_directory directory;
	void *memory; /* what the directory points into */
};

/* gateway_apps_parse() - read the text of an app directory; @name is what @error calls it.
 *
 * Ownership: @out is the caller's; release it with gateway_apps_fini().
 *
 * Return: 0, GATEWAY_APPS_E_INVALID with @error, of GATEWAY_APPS_ERROR_SIZE bytes, or -errno;
 * @out is written only on success.
 */
int gateway_apps_parse(const char *bytes, size_t length, const char *name, struct gateway_apps *out,
		       char *error);

/* gateway_apps_load() - the same for a file; an empty @file is an empty directory. */
int gateway_apps_load(const char *file, struct gateway_apps *out, char *error);
void gateway_apps_fini(struct gateway_apps *apps);

/* gateway_apps_key_ok() - whether @api_key is that of @package.
 *
 * Takes the same time for a wrong key and for a package nobody knows.
 */
bool gateway_apps_key_ok(const struct gateway_apps *apps, struct text package, struct text api_key);
