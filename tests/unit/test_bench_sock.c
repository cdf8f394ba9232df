/* SPDX-License-Identifier: MIT */
/* Goal: what is incomplete or not taken is kept, in order, up to a limit, and nothing is kept
 * otherwise.  Method: a pair of sockets, one end of which is played by the test.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/bench/sock.h"

static struct sock sock;
static int peer = -1;
static uint8_t buffer[2 * SOCK_KEPT_MAX], block[SOCK_KEPT_MAX];

static void setup(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	sock = (struct sock){ .fd = pair[0] };
	peer = pair[1];
}

static void teardown(void)
{
	sock_close(&sock);
	if (peer >= 0)
		(void)close(peer);
	cr_assert_null(sock.in);
	cr_assert_null(sock.out);
	cr_assert_eq(sock.fd, -1);
}

TestSuite(bench_sock, .init = setup, .fini = teardown);

static void peer_says(const char *text)
{
	cr_assert_eq(write(peer, text, strlen(text)), (ssize_t)strlen(text));
}

Test(bench_sock, the_rest_comes_first)
{
	size_t length = 0;

	peer_says("whole,par");
	cr_assert_eq(sock_read(&sock, buffer, sizeof buffer, &length), 0);
	cr_assert_eq(length, 9);
	cr_assert_eq(sock_keep(&sock, buffer + 6, 3), 0);
	cr_assert_eq(sock_read(&sock, buffer, sizeof buffer, &length), SOCK_E_EMPTY);
	peer_says("t");
	cr_assert_eq(sock_read(&sock, buffer, sizeof buffer, &length), 0);
	cr_assert_eq(length, 4);
	cr_assert_arr_eq(buffer, "part", 4);
	cr_assert_null(sock.in, "an idle socket owns nothing");
}

Test(bench_sock, the_end_is_told)
{
	size_t length;

	(void)close(peer);
	peer = -1;
	cr_assert_eq(sock_read(&sock, buffer, sizeof buffer, &length), SOCK_E_CLOSED);
}

Test(bench_sock, no_more_than_the_limit_is_kept_of_a_message)
{
	cr_assert_eq(sock_keep(&sock, block, sizeof block), 0);
	cr_assert_eq(sock_keep(&sock, block, 1), SOCK_E_CLOSED);
}

/* Send until the kernel takes no more; each byte says where it stands.  Return: bytes in all. */
static size_t fill(void)
{
	size_t sent = 0;

	while (!sock.out) {
		for (size_t i = 0; i < 4096; i++)
			block[i] = (uint8_t)((sent + i) % 251);
		cr_assert_eq(sock_send(&sock, block, 4096), 0);
		sent += 4096;
	}
	return sent;
}

Test(bench_sock, what_is_not_taken_follows_in_order)
{
	const size_t sent = fill();
	size_t got = 0;
	ssize_t count;

	while (got < sent) {
		while ((count = read(peer, buffer, sizeof buffer)) > 0)
			for (ssize_t i = 0; i < count; i++, got++)
				cr_assert_eq(buffer[i], got % 251);
		cr_assert_eq(sock_flush(&sock), 0);
	}
	cr_assert_null(sock.out);
}

Test(bench_sock, whoever_does_not_read_is_given_up)
{
	size_t length;

	(void)fill();
	while (sock_send(&sock, block, 4096) == 0)
		;
	/* So that its event comes, whoever did not look at the answer. */
	while (read(peer, buffer, sizeof buffer) > 0)
		;
	cr_assert_eq(read(peer, buffer, 1), 0);
	cr_assert_eq(sock_read(&sock, buffer, sizeof buffer, &length), SOCK_E_CLOSED);
}
