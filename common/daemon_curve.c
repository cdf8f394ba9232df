/* SPDX-License-Identifier: MIT */
/* daemon_curve.c - a daemon on tcp: who is let in, that strangers are not, and what a reload of
 * the keys changes.
 */
#include "common/daemon_private.h"
#include "common/error.h"
#include "common/log.h"

#define ANSWERS_MAX 64 /* of those who connect, per pass */

int daemon_curve_open(struct daemon *self)
{
	const struct daemon_options *options = &self->options;

	if (!options->keyring)
		return 0;
	int r = transport_secure(self->transport, options->config, options->keyring, options->role,
				 &self->zap_socket.socket);

	if (r < 0)
		return err_pass(r);
	loop_watch(&self->loop, &self->zap_socket);
	return 0;
}

int daemon_curve_prove(struct daemon *self)
{
	const char *suffixes[] = { "inbox", "outbox",
				   node_has(&self->node, NODE_SNAPSHOTS) ? "snapshot" : NULL,
				   NULL };

	if (!self->options.keyring)
		return 0;
	return err_pass(transport_prove(self->transport, &self->zap_socket.socket, suffixes));
}

void daemon_curve_answer(struct daemon *self)
{
	transport_answer(&self->zap_socket.socket, ANSWERS_MAX);
}

/* Whoever was let in would stay for ever, so all have to come again. */
static void evict(struct daemon *self)
{
	struct loop_socket *bound[] = { &self->publisher, &self->inbox_socket,
					&self->snapshot_socket };

	for (size_t i = 0; i < sizeof bound / sizeof bound[0]; i++) {
		int r = bound[i]->socket.handle ? transport_evict(&bound[i]->socket) : 0;

		if (r < 0)
			daemon_fail(self, r);
	}
}

void daemon_curve_reload(struct daemon *self)
{
	struct keyring *keyring = self->options.keyring;
	char error[KEYRING_ERROR_SIZE] = "out of memory";
	size_t removed;

	if (!keyring)
		return;
	if (keyring_reload(keyring, error, &removed) != 0) {
		log_error("curve.reload_refused", log_str("detail", error));
		return;
	}
	log_info("curve.reloaded", log_u64("keys", keyring->allow.count),
		 log_u64("removed", removed));
	if (removed > 0)
		evict(self);
}
