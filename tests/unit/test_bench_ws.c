/* SPDX-License-Identifier: MIT */
/* Goal: the frames and handshakes of the benches are those of RFC 6455, whole or not yet there, and
 * what they do not know they refuse.  Method: the standard's own examples, every truncation, both
 * sides of each length.
 */
#include <criterion/criterion.h>

#include "tests/bench/ws.h"

#define MASK UINT32_C(0x3d21fa37) /* 37 fa 21 3d in memory */

static uint8_t bytes[WS_FRAME_MAX];
static char payload[WS_PAYLOAD_MAX];
static struct ws_frame frame;

Test(bench_ws, the_standards_unmasked_hello)
{
	static const uint8_t hello[] = { 0x81, 0x05, 'H', 'e', 'l', 'l', 'o' };

	cr_assert_eq(ws_write(bytes, WS_TEXT, TEXT("Hello"), 0), sizeof hello);
	cr_assert_arr_eq(bytes, hello, sizeof hello);
}

Test(bench_ws, the_standards_masked_hello)
{
	static const uint8_t hello[] = { 0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
					 0x7f, 0x9f, 0x4d, 0x51, 0x58 };

	cr_assert_eq(ws_write(bytes, WS_TEXT, TEXT("Hello"), MASK), sizeof hello);
	cr_assert_arr_eq(bytes, hello, sizeof hello);
	cr_assert_eq(ws_read(bytes, sizeof hello, &frame), 0);
	cr_assert(text_is(frame.payload, "Hello"));
	cr_assert_eq(frame.opcode, WS_TEXT);
	cr_assert_eq(frame.size, sizeof hello);
}

static void goes_round(uint32_t length, uint32_t mask, size_t head)
{
	size_t size = ws_write(bytes, WS_TEXT, (struct text){ payload, length }, mask);

	cr_assert_eq(size, head + length);
	for (size_t cut = 0; cut < size; cut += cut < 16 ? 1 : 1009)
		cr_assert_eq(ws_read(bytes, cut, &frame), WS_E_PARTIAL, "%zu of %zu", cut, size);
	cr_assert_eq(ws_read(bytes, size, &frame), 0);
	cr_assert_eq(frame.size, size);
	cr_assert(text_equal(frame.payload, (struct text){ payload, length }));
}

Test(bench_ws, both_sides_of_each_length)
{
	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (char)(i * 31);
	goes_round(0, 0, 2);
	goes_round(125, 0, 2);
	goes_round(126, 0, 4);
	goes_round(WS_PAYLOAD_MAX, 0, 4);
	goes_round(0, MASK, 6);
	goes_round(125, MASK, 6);
	goes_round(126, MASK, 8);
	goes_round(WS_PAYLOAD_MAX, MASK, WS_HEAD_MAX);
}

Test(bench_ws, what_follows_a_frame_is_left)
{
	size_t first = ws_write(bytes, WS_PING, TEXT("a"), MASK);
	size_t second = ws_write(bytes + first, WS_TEXT, TEXT("b"), MASK);

	cr_assert_eq(ws_read(bytes, first + second, &frame), 0);
	cr_assert_eq(frame.opcode, WS_PING);
	cr_assert_eq(frame.size, first);
	cr_assert_eq(ws_read(bytes + first, second, &frame), 0);
	cr_assert(text_is(frame.payload, "b"));
}

Test(bench_ws, what_it_does_not_know_is_refused)
{
	static uint8_t bad[][2] = {
		{ 0x01, 0 }, /* the first of some fragments */
		{ 0x80, 0 }, /* the last */
		{ 0x82, 0 }, /* binary */
		{ 0xc1, 0 }, /* compressed */
		{ 0x81, 127 }, /* one past what 16 bits can say */
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert_eq(ws_read(bad[i], 2, &frame), WS_E_BAD, "%zu", i);
}

Test(bench_ws, close_codes)
{
	cr_assert_eq(ws_close_code(TEXT("\x03\xf0later")), WS_POLICY);
	cr_assert_eq(ws_close_code(TEXT("\x03\xe8")), WS_NORMAL);
	cr_assert_eq(ws_close_code(TEXT("\x03")), 1005);
}

Test(bench_ws, the_standards_handshake)
{
	char accept[WS_ACCEPT_SIZE];

	cr_assert(ws_accept(TEXT(WS_KEY), accept));
	cr_assert_str_eq(accept, WS_KEY_ACCEPT);
	cr_assert_not(ws_accept(TEXT("dGhlIHNhbXBsZSBub25jZQ="), accept), "one byte short");
	cr_assert_not(ws_accept(TEXT("dGhlIHNhbXBsZSBub25jZQ==="), accept), "one byte more");
}

Test(bench_ws, heads_and_their_headers)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key:  k \r\n\r\n";
	const struct text text = TEXT(head);

	for (size_t cut = 0; cut < sizeof head - 1; cut++)
		cr_assert_eq(ws_http_head((const uint8_t *)head, cut), 0);
	cr_assert_eq(ws_http_head((const uint8_t *)head, sizeof head - 1), sizeof head - 1);
	cr_assert(text_is(ws_http_header(text, TEXT("host")), "a"));
	cr_assert(text_is(ws_http_header(text, TEXT("SEC-WEBSOCKET-KEY")), "k"));
	cr_assert_eq(ws_http_header(text, TEXT("Sec-WebSocket")).length, 0);
	cr_assert_eq(ws_http_header(text, TEXT("GET / HTTP/1.1")).length, 0);
}
