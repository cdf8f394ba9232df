/* SPDX-License-Identifier: MIT */
#include "tests/bench/ws.h"

#include <strings.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#define FIN 0x80
#define MASKED 0x80
#define SHORT_MAX 125 /* payload whose length stands in the first two bytes */
#define LENGTH_16 126
#define LENGTH_64 127
#define KEY_LENGTH 24
#define CLOSE_CODE_NONE 1005

static void mask_bytes(uint8_t *bytes, size_t length, uint32_t mask)
{
	const uint64_t wide = (uint64_t)mask << 32 | mask;
	size_t i = 0;

	for (; i + 8 <= length; i += 8) {
		uint64_t word;

		memcpy(&word, bytes + i, 8);
		word ^= wide;
		memcpy(bytes + i, &word, 8);
	}
	for (; i < length; i++)
		bytes[i] ^= ((const uint8_t *)&mask)[i % 4];
}

static bool is_known(uint8_t first)
{
	switch (first) {
	case FIN | WS_TEXT:
	case FIN | WS_CLOSE:
	case FIN | WS_PING:
	case FIN | WS_PONG:
		return true;
	}
	return false;
}

int ws_read(uint8_t *bytes, size_t length, struct ws_frame *out)
{
	size_t head = 2, payload;
	uint32_t mask = 0;

	if (length < head)
		return WS_E_PARTIAL;
	payload = bytes[1] & ~MASKED;
	if (!is_known(bytes[0]) || payload == LENGTH_64)
		return WS_E_BAD;
	head += payload == LENGTH_16 ? 2 : 0;
	head += bytes[1] & MASKED ? sizeof mask : 0;
	if (length < head)
		return WS_E_PARTIAL;
	if (payload == LENGTH_16)
		payload = (size_t)bytes[2] << 8 | bytes[3];
	if (length < head + payload)
		return WS_E_PARTIAL;
	if (bytes[1] & MASKED) {
		memcpy(&mask, bytes + head - sizeof mask, sizeof mask);
		mask_bytes(bytes + head, payload, mask);
	}
	*out = (struct ws_frame){
		.opcode = bytes[0] & ~FIN,
		.payload = { (const char *)bytes + head, (uint32_t)payload },
		.size = head + payload,
	};
	return 0;
}

size_t ws_write(uint8_t *out, enum ws_opcode opcode, struct text payload, uint32_t mask)
{
	size_t head = 2;

	out[0] = FIN | (uint8_t)opcode;
	if (payload.length <= SHORT_MAX) {
		out[1] = (uint8_t)payload.length;
	} else {
		out[1] = LENGTH_16;
		out[2] = (uint8_t)(payload.length >> 8);
		out[3] = (uint8_t)payload.length;
		head += 2;
	}
	if (mask != 0) {
		out[1] |= MASKED;
		memcpy(out + head, &mask, sizeof mask);
		head += sizeof mask;
	}
	if (payload.length > 0)
		memcpy(out + head, payload.bytes, payload.length);
	if (mask != 0)
		mask_bytes(out + head, payload.length, mask);
	return head + payload.length;
}

unsigned ws_close_code(struct text payload)
{
	if (payload.length < 2)
		return CLOSE_CODE_NONE;
	return (unsigned)(uint8_t)payload.bytes[0] << 8 | (uint8_t)payload.bytes[1];
}

size_t ws_http_head(const uint8_t *bytes, size_t length)
{
	const uint8_t *end = memmem(bytes, length, "\r\n\r\n", 4);

	return end ? (size_t)(end - bytes) + 4 : 0;
}

struct text ws_http_header(struct text head, struct text name)
{
	const char *at = head.bytes, *end = head.bytes + head.length, *line;

	while ((line = memmem(at, (size_t)(end - at), "\r\n", 2)) != NULL) {
		at = line + 2;
		if ((size_t)(end - at) <= name.length || at[name.length] != ':' ||
		    strncasecmp(at, name.bytes, name.length) != 0)
			continue;
		at += name.length + 1;
		line = memmem(at, (size_t)(end - at), "\r\n", 2);
		line = line ? line : end;
		while (at < line && *at == ' ')
			at++;
		while (at < line && line[-1] == ' ')
			line--;
		return (struct text){ at, (uint32_t)(line - at) };
	}
	return (struct text){ 0 };
}

bool ws_accept(struct text key, char out[WS_ACCEPT_SIZE])
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t joined[KEY_LENGTH + sizeof magic - 1], digest[SHA_DIGEST_LENGTH];

	if (key.length != KEY_LENGTH)
		return false;
	memcpy(joined, key.bytes, KEY_LENGTH);
	memcpy(joined + KEY_LENGTH, magic, sizeof magic - 1);
	SHA1(joined, sizeof joined, digest);
	EVP_EncodeBlock((uint8_t *)out, digest, sizeof digest);
	return true;
}
