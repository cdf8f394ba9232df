/* SPDX-License-Identifier: MIT */
/* local_config.h - what the settings of the local provider come to, for the provider and for
 * weir-media, which runs the media server.
 */
#pragma once

#include <limits.h>
#include <stdio.h>

#include "common/config.h"

#define LOCAL_BASE_SIZE 600 /* bytes of an address that others are told, without the stream */

struct local_config {
	char media_dir[PATH_MAX]; /* absolute if the run directory is */
	char rtmp_url[LOCAL_BASE_SIZE]; /* that glasses are told: rtmp://host:port/live */
	char http_url[LOCAL_BASE_SIZE]; /* that viewers are told: http://host:port */
	char source_url[LOCAL_BASE_SIZE]; /* that our own copies read from */
	char source_host[CONFIG_HOST_SIZE]; /* where they come from */
	char control_url[LOCAL_BASE_SIZE];
	char callback_url[LOCAL_BASE_SIZE];
};

enum {
	_LOCAL_CONFIG_E_SUCCESS,
	LOCAL_CONFIG_E_PATH, /* the media directory has characters that nginx would read as more */
	LOCAL_CONFIG_E_LENGTH, /* an address would be longer than an app can be told */
};

/* local_config_make() - Return: 0 or one of the above. */
int local_config_make(const struct config *config, const char *run_dir, struct local_config *out);

/* local_config_words() - what a refusal of local_config_make() means. */
const char *local_config_words(int refusal);

/* local_config_write() - the media server's own configuration, from deploy/nginx/local.conf.in.
 * @user: whom its workers run as; NULL: as it is started, not by root.
 *
 * Return: false if it cannot be written.
 */
bool local_config_write(FILE *to, const struct config *config, const struct local_config *local,
			const char *user);
