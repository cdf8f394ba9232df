/* SPDX-License-Identifier: MIT */
#include "tests/bench/token.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* Base64 with the two other characters and without padding, terminated; return: its length. */
static size_t encode(const void *bytes, size_t length, char *out)
{
	size_t used = (size_t)EVP_EncodeBlock((unsigned char *)out, bytes, (int)length);

	while (used > 0 && out[used - 1] == '=')
		used--;
	out[used] = '\0';
	for (size_t i = 0; i < used; i++)
		if (out[i] == '+')
			out[i] = '-';
		else if (out[i] == '/')
			out[i] = '_';
	return used;
}

void token_make(const char *secret, const char *email, char out[TOKEN_SIZE])
{
	static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	unsigned char signature[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	char claims[80];
	size_t used = encode(header, sizeof header - 1, out);

	(void)snprintf(claims, sizeof claims, "{\"email\":\"%s\"}", email);
	out[used++] = '.';
	used += encode(claims, strlen(claims), out + used);
	(void)HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)out, used, signature,
		   &size);
	out[used++] = '.';
	(void)encode(signature, size, out + used);
}
