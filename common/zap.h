/* SPDX-License-Identifier: MIT */
/* zap.h - who may connect to which socket over tcp: the table of public keys, and the decision on
 * one request of libzmq's (ZeroMQ RFC 27).  Pure.
 *
 * A key stands for one process: its role and its name.  They are attached to everything that
 * arrives on the connection, and zap_owner_read() reads them there: what a peer says of itself
 * must agree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/stream_event.h"

#define ZAP_KEY_LENGTH 40 /* a CURVE key as Z85 text */
#define ZAP_ALLOW_MAX 256 /* public keys */
#define ZAP_USER_SIZE (20 + 1 + NAME_MAX_BYTES + 1) /* "lifecycle-scheduler:<name>" */

struct zap_allowed {
	enum role role;
	char name[NAME_MAX_BYTES + 1];
	char key[ZAP_KEY_LENGTH + 1];
	bool current; /* what others connect to it with; false: another one of its keys */
};

struct zap_allow {
	struct zap_allowed items[ZAP_ALLOW_MAX];
	size_t count;
};

/* What libzmq asks. */
struct zap_request {
	struct text version; /* of the protocol */
	struct text domain; /* the suffix of our socket: inbox, outbox, snapshot */
	struct text mechanism;
	struct text key; /* Z85; empty if what came is not the size of a key */
};

struct zap_reply {
	const char *status; /* 200, 400 or 500, as the RFC has it; literals */
	const char *reason;
	char user[ZAP_USER_SIZE]; /* role:name; empty unless 200 */
};

/* zap_decide() - whether who holds @request's key may use that socket of ours (@own). */
void zap_decide(const struct zap_request *request, const struct zap_allow *allow, enum role own,
		struct zap_reply *out);

/* zap_find() - the entry of @key; NULL if it is not allowed. */
const struct zap_allowed *zap_find(const struct zap_allow *allow, struct text key);

/* Whose key it was that a message came under. */
struct zap_owner {
	bool known; /* false on ipc: who can open the run directory is us */
	enum role role;
	struct text name; /* points into the user id */
};

/* zap_owner_read() - @user is the id that zap_decide() made; NULL: there is none. */
struct zap_owner zap_owner_read(const char *user);

/* zap_owner_is() - whether the owner of the key may call itself @role and @name.  Operators share
 * a key and name themselves.
 */
bool zap_owner_is_role(const struct zap_owner *owner, enum role role);
bool zap_owner_is_name(const struct zap_owner *owner, struct text name);
