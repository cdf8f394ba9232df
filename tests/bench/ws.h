/* SPDX-License-Identifier: MIT */
/* ws.h - as much of RFC 6455 as the floor and the load tool need: handshakes and whole frames.
 *
 * Both ends are ours or weir's, so messages in fragments and extensions are refused.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

#define WS_PAYLOAD_MAX 65535 /* as weir's message_max, less one: never the 64-bit length */
#define WS_HEAD_MAX 8 /* of a frame: 2, 2 of length, 4 of mask */
#define WS_FRAME_MAX (WS_PAYLOAD_MAX + WS_HEAD_MAX)
#define WS_HTTP_HEAD_MAX 8192
#define WS_ACCEPT_SIZE 29 /* 20 bytes in base64, terminated */
#define WS_NORMAL 1000
#define WS_POLICY 1008

/* What every client of ours sends, and what must come back (RFC 6455 1.3). */
#define WS_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define WS_KEY_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum ws_opcode { WS_TEXT = 1, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

struct ws_frame {
	enum ws_opcode opcode;
	struct text payload;
	size_t size; /* of the whole frame */
};

enum {
	_WS_E_SUCCESS,
	WS_E_PARTIAL, /* more bytes are needed */
	WS_E_BAD, /* the peer breaks the protocol, or uses more of it than we know */
};

/* ws_read() - take the first frame of @bytes.
 *
 * Ownership: the payload lies within @bytes; a masked one is unmasked there, which happens only
 * when the frame is complete.
 */
int ws_read(uint8_t *bytes, size_t length, struct ws_frame *out);

/* ws_write() - a frame in @out, which has room for @payload and WS_HEAD_MAX bytes.
 *
 * @mask: what a client masks with; 0: not masked, as a server must not.
 * Return: its size.
 */
size_t ws_write(uint8_t *out, enum ws_opcode opcode, struct text payload, uint32_t mask);

/* ws_close_code() - of a close frame's payload; 1005 if it has none. */
unsigned ws_close_code(struct text payload);

/* ws_http_head() - bytes up to the end of the empty line, 0 if it has not come. */
size_t ws_http_head(const uint8_t *bytes, size_t length);

/* ws_http_header() - the value of header @name in @head, without spaces around it; empty if there
 * is none.
 */
struct text ws_http_header(struct text head, struct text name);

/* ws_accept() - what a server answers to a client's @key; false: @key has not 24 bytes. */
bool ws_accept(struct text key, char out[WS_ACCEPT_SIZE]);
