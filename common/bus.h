/* SPDX-License-Identifier: MIT */
/* bus.h - where each process is found when bus.transport is tcp: [bus] of the configuration.
 *
 * An actor has one configured address; its sockets have fixed ports from there on.  On ipc the
 * run directory says it all, and this file is not asked.
 */
#pragma once

#include "common/config.h"
#include "proto/words.h"

#define BUS_NAME_SIZE 24 /* "lifecycle-scheduler", "gateway-64", terminated */
#define BUS_ENDPOINT_SIZE 80
#define BUS_PORTS 3 /* inbox, outbox, snapshot, in this order */
#define BUS_GATEWAYS_MAX 64 /* as scripts/supervise scales to */
#define BUS_ACTORS_MAX (4 + BUS_GATEWAYS_MAX) /* those there is one of, and gateways */

bool bus_is_tcp(const struct config *config);

/* bus_actor() - the name of the @index-th process that has an address (0, 1, ...).
 *
 * Return: false if there are no more; @name, of BUS_NAME_SIZE bytes, is written on true only.
 */
bool bus_actor(const struct config *config, size_t index, char *name);

/* bus_role() - what the process @name is: "gateway-2" is ROLE_GATEWAY; ROLE_NONE: no daemon. */
enum role bus_role(const char *name);

/* bus_address() - the literal address (of CONFIG_HOST_SIZE bytes) and the port of its inbox.
 *
 * Return: false if it has none, or what is configured is no address.
 */
bool bus_address(const struct config *config, const char *name, char *host, uint16_t *port);

/* bus_endpoint() - "tcp://10.0.0.1:8101" of the socket @suffix ("outbox") of @name.
 *
 * Return: false if there is no such socket; @out, of BUS_ENDPOINT_SIZE bytes, is then untouched.
 */
bool bus_endpoint(const struct config *config, const char *name, const char *suffix, char *out);
