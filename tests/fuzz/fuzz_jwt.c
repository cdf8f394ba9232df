/* SPDX-License-Identifier: MIT */
/* The input is a token, and the payload of one that is signed as it should be.  Properties:
 * - whatever is believed was signed by us: an arbitrary token never is;
 * - what a signed payload claims stays within its limits, in the caller's memory, without control
 *   characters;
 * - a refusal leaves the output untouched.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "actors/gateway/gateway_jwt.h"

#define SECRET "fuzz-fuzz-fuzz-fuzz-fuzz-fuzz-fuzz"
#define NOW 1764583200
#define HEADER "eyJhbGciOiJIUzI1NiJ9" /* {"alg":"HS256"} */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_claim(const struct gateway_claims *claims, struct text claim, uint32_t limit)
{
	check(claim.length <= limit);
	if (claim.length == 0)
		return;
	check(claim.bytes >= claims->bytes &&
	      claim.bytes + claim.length <= claims->bytes + sizeof claims->bytes);
	for (uint32_t i = 0; i < claim.length; i++)
		check((unsigned char)claim.bytes[i] >= 0x20 && claim.bytes[i] != 0x7f);
}

static size_t encode(const void *bytes, size_t length, char *out)
{
	int end = EVP_EncodeBlock((unsigned char *)out, bytes, (int)length);

	while (end > 0 && out[end - 1] == '=')
		end--;
	for (int i = 0; i < end; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	return (size_t)end;
}

static void verify(const struct gateway_secrets *secrets, struct text token, bool is_ours)
{
	struct gateway_claims claims, before;

	memset(&claims, 0x5a, sizeof claims);
	before = claims;
	if (gateway_jwt_verify(secrets, token, NOW, &claims) != 0) {
		check(memcmp(&claims, &before, sizeof claims) == 0);
		return;
	}
	check(is_ours);
	check_claim(&claims, claims.email, USER_ID_MAX);
	check_claim(&claims, claims.package, PACKAGE_MAX);
	check_claim(&claims, claims.api_key, EDGE_API_KEY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char token[4 * GATEWAY_TOKEN_MAX];
	static struct gateway_secrets secrets;
	char error[GATEWAY_ERROR_SIZE];
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_size = 0;
	size_t length = sizeof HEADER;

	if (secrets.count == 0)
		check(gateway_secrets_parse(TEXT(SECRET), "fuzz", &secrets, error) == 0);
	verify(&secrets, (struct text){ (const char *)data, (uint32_t)size }, false);
	if (size > GATEWAY_TOKEN_MAX)
		return 0;
	memcpy(token, HEADER ".", sizeof HEADER);
	length += encode(data, size, token + length);
	HMAC(EVP_sha256(), SECRET, sizeof SECRET - 1, (const unsigned char *)token, length, mac,
	     &mac_size);
	token[length++] = '.';
	length += encode(mac, mac_size, token + length);
	verify(&secrets, (struct text){ token, (uint32_t)length }, true);
	return 0;
}
