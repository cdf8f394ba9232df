/* SPDX-License-Identifier: MIT */
/* managed_destination.h - where a stream may be sent on to (protocol.md 3.1, 6.6).
 *
 * Pure.  What apps name is read here and judged here, so that no destination reaches a provider
 * that has not passed: the form of the URL, and that its host is none of ours.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/stream_event.h"

struct managed_destination {
	struct text url, name; /* @name is empty if there is none */
	const char *error; /* NULL: it may be tried */
};

/* managed_destination_error() - why @url is not allowed, or NULL.
 *
 * rtmp:// or rtmps://, a host, maybe a port; no user, no space, no control byte; at most
 * OUTPUT_URL_MAX bytes.  Unless @private_ok, no name of this machine, and no literal address, in
 * whatever form the resolver would take, that is loopback, link-local, private, shared, multicast
 * or reserved.  What a name leads to is judged where the connection is made (local_reach.h).
 */
const char *managed_destination_error(struct text url, bool private_ok);

/* managed_destinations_ok() - whether @json, maybe empty, is an array of objects with a url. */
bool managed_destinations_ok(struct text json);

#define MANAGED_DESTINATION_BYTES (OUTPUT_URL_MAX + OUTPUT_NAME_MAX)

/* managed_destination_at() - the destination at @index of @json, from 0.
 *
 * Texts borrow from @json or from @buffer, of MANAGED_DESTINATION_BYTES bytes.  A URL beyond
 * OUTPUT_URL_MAX is cut and has an error; a longer name is cut.
 *
 * Return: false if there are not so many.
 */
bool managed_destination_at(struct text json, uint32_t index, bool private_ok, char *buffer,
			    struct managed_destination *out);
