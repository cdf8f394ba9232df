/* SPDX-License-Identifier: MIT */
#include "common/dealer.h"

#include "common/error.h"

static int connect_anew(struct dealer *self)
{
	struct route route = self->options.route;
	int r;

	route.connection = ++*self->options.connections;
	r = transport_connect_dealer(self->options.transport, self->options.server,
				     self->options.suffix, &route, &self->socket.socket,
				     &self->monitor.socket);
	if (r < 0)
		return err_pass(r);
	loop_watch(self->options.loop, &self->socket);
	loop_watch(self->options.loop, &self->monitor);
	return 0;
}

int dealer_open(struct dealer *self, const struct dealer_options *options)
{
	*self = (struct dealer){ .options = *options };
	return err_pass(connect_anew(self));
}

void dealer_close(struct dealer *self)
{
	self->is_connected = false;
	if (!self->socket.socket.handle)
		return;
	loop_unwatch(self->options.loop, &self->monitor);
	loop_unwatch(self->options.loop, &self->socket);
	transport_close_socket(&self->socket.socket);
	transport_close_socket(&self->monitor.socket);
}

int dealer_poll(struct dealer *self)
{
	enum transport_event event;

	while (self->monitor.socket.handle &&
	       (event = transport_monitor(&self->monitor.socket)) != TRANSPORT_NOTHING) {
		if (event == TRANSPORT_CONNECTED && !self->is_connected) {
			self->is_connected = true;
			self->options.connected(self->options.context);
		} else if (event == TRANSPORT_DISCONNECTED && self->is_connected) {
			int r;

			dealer_close(self);
			r = connect_anew(self);
			if (r < 0)
				return err_pass(r);
			self->options.disconnected(self->options.context);
		}
	}
	return 0;
}

bool dealer_send(struct dealer *self, const uint8_t *frame, size_t length)
{
	return transport_send(&self->socket.socket, frame, length) == 0;
}
