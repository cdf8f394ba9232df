/* SPDX-License-Identifier: MIT */
/* transport_private.h - for transport*.c only. */
#pragma once

#include "common/bus.h"
#include "common/transport.h"

#define ENDPOINT_SIZE (sizeof "ipc://" + TRANSPORT_PATH_MAX)

_Static_assert(ENDPOINT_SIZE >= BUS_ENDPOINT_SIZE, "one buffer for both");

struct transport {
	void *context;
	int lock_fd;
	uint64_t monitors; /* so far; names them */
	char run_dir[TRANSPORT_PATH_MAX + 1];
	char name[NAME_MAX_BYTES + 1];

	/* on tcp */
	const struct config *config;
	const struct keyring *keyring; /* NULL: ipc */
	enum role role;
	bool proving; /* it is us who knock */
};

/* transport_create() - a socket of @type with the options that all have in common. */
int transport_create(struct transport *self, int type, struct transport_socket *out);

/* transport_curve() - the options of a socket that is to be bound or connected on tcp, and where.
 *
 * Return: 0, -EUCLEAN if there is no address or no key, or -errno.
 */
int transport_curve(struct transport_socket *socket, const char *name, const char *suffix,
		    bool bind, char *endpoint);

/* transport_curve_owner() - whose key @message came under. */
void transport_curve_owner(struct transport_message *message);
