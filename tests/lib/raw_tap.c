/* SPDX-License-Identifier: MIT */
/* raw_tap.c - raw_tap ENDPOINT ...: writes every byte that any of these PUB sockets sends to
 * stdout, as it comes; says "subscribed" on stderr once each of them has sent something.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <zmq.h>

#define SOCKETS_MAX 32

static bool heard[SOCKETS_MAX];
static int silent;

static int drain(void *socket, int index)
{
	zmq_msg_t message;

	zmq_msg_init(&message);
	if (zmq_msg_recv(&message, socket, 0) < 0)
		return -1;
	(void)fwrite(zmq_msg_data(&message), 1, zmq_msg_size(&message), stdout);
	(void)fflush(stdout);
	zmq_msg_close(&message);
	if (!heard[index] && --silent == 0)
		(void)fprintf(stderr, "subscribed\n");
	heard[index] = true;
	return 0;
}

int main(int argc, char **argv)
{
	void *context = zmq_ctx_new();
	zmq_pollitem_t items[SOCKETS_MAX];
	int unlimited = 0;

	if (argc < 2 || argc > SOCKETS_MAX)
		return EXIT_FAILURE;
	silent = argc - 1;
	for (int i = 0; i < argc - 1; i++) {
		items[i] = (zmq_pollitem_t){ .socket = zmq_socket(context, ZMQ_SUB),
					     .events = ZMQ_POLLIN };
		zmq_setsockopt(items[i].socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited);
		zmq_setsockopt(items[i].socket, ZMQ_SUBSCRIBE, "", 0);
		if (zmq_connect(items[i].socket, argv[i + 1]) < 0)
			return EXIT_FAILURE;
	}
	while (zmq_poll(items, argc - 1, -1) >= 0)
		for (int i = 0; i < argc - 1; i++)
			if (items[i].revents && drain(items[i].socket, i) < 0)
				return EXIT_FAILURE;
	return EXIT_FAILURE;
}
