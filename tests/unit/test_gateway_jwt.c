/* SPDX-License-Identifier: MIT */
/* Goal: a token is believed only if everything about it is right; every rule with a token that
 * breaks it alone.  Tokens are made here, by other code than the one that reads them.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "actors/gateway/gateway_jwt.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define OTHER "abcdefghijklmnopqrstuvwxyzABCDEF"
#define NOW INT64_C(1764583200)

static struct gateway_secrets secrets;

static void setup(void)
{
	char error[GATEWAY_ERROR_SIZE];

	cr_assert_eq(
		gateway_secrets_parse(TEXT(OTHER "\n\n" SECRET "\r\n"), "file", &secrets, error),
		0);
	cr_assert_eq(secrets.count, 2);
}

TestSuite(gateway_jwt, .init = setup);

/* base64url by way of the library's base64. */
static void encode(const void *bytes, size_t length, char *out)
{
	int end = EVP_EncodeBlock((unsigned char *)out, bytes, (int)length);

	while (end > 0 && out[end - 1] == '=')
		out[--end] = '\0';
	for (; *out; out++)
		*out = *out == '+' ? '-' : *out == '/' ? '_' : *out;
}

static const char *make(const char *header, const char *payload, const char *secret,
			const EVP_MD *hash)
{
	static char token[4 * GATEWAY_TOKEN_MAX];
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	encode(header, strlen(header), token);
	strncat(token, ".", 2);
	encode(payload, strlen(payload), token + strlen(token));
	HMAC(hash, secret, (int)strlen(secret), (const unsigned char *)token, strlen(token), mac,
	     &size);
	strncat(token, ".", 2);
	encode(mac, size, token + strlen(token));
	return token;
}

static const char *usual(const char *payload)
{
	return make("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", payload, SECRET, EVP_sha256());
}

static struct gateway_claims claims;

static bool believed(const char *token)
{
	return gateway_jwt_verify(&secrets, text_of(token), NOW, &claims) == 0;
}

Test(gateway_jwt, claims_are_read)
{
	cr_assert(believed(
		usual("{\"sub\":\"x\",\"email\":\"a\\u0062@x\",\"organizations\":[],\"iat\":1,"
		      "\"packageName\":\"com.p\",\"apiKey\":\"k\\\"\"}")));
	cr_assert(text_is(claims.email, "ab@x"));
	cr_assert(text_is(claims.package, "com.p"));
	cr_assert(text_is(claims.api_key, "k\""));
	cr_assert(believed(usual("{}")));
	cr_assert_eq(claims.email.length + claims.package.length, 0);
}

Test(gateway_jwt, three_algorithms)
{
	cr_assert(believed(make("{\"alg\":\"HS384\"}", "{}", SECRET, EVP_sha384())));
	cr_assert(believed(make("{\"alg\":\"HS512\"}", "{}", SECRET, EVP_sha512())));
	cr_assert(believed(make("{\"alg\":\"HS256\"}", "{}", OTHER, EVP_sha256())), "any secret");
	static const char *const headers[] = {
		"{\"alg\":\"none\"}",
		"{\"alg\":\"RS256\"}",
		"{\"alg\":\"HS1\"}",
		"{\"alg\":\"hs256\"}",
		"{\"alg\":\"HS384\"}", /* and signed with another */
		"{\"alg\":7}",
		"{\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
		"{\"alg\":\"HS256\",\"crit\":[]}",
		"{\"alg\":\"HS256\"",
		"[\"alg\",\"HS256\"]",
		"",
	};

	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
		cr_assert_not(believed(make(headers[i], "{}", SECRET, EVP_sha256())), "%s",
			      headers[i]);
}

Test(gateway_jwt, signatures)
{
	char token[512];
	size_t length;

	cr_assert_not(believed(make("{\"alg\":\"HS256\"}", "{}", SECRET "x", EVP_sha256())));
	snprintf(token, sizeof token, "%s", usual("{\"email\":\"a@x\"}"));
	length = strlen(token);
	for (size_t i = 0; i < length; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		cr_assert_not(believed(token), "byte %zu", i);
		token[i] = was;
		cr_assert_neq(gateway_jwt_verify(&secrets, (struct text){ token, (uint32_t)i }, NOW,
						 &claims),
			      0, "cut at %zu", i);
	}
	cr_assert(believed(token));
}

Test(gateway_jwt, parts)
{
	char token[512];

	snprintf(token, sizeof token, "%s.x", usual("{}"));
	cr_assert_not(believed(token), "four");
	snprintf(token, sizeof token, "%s.", usual("{}"));
	cr_assert_not(believed(token), "four, the last empty");
	snprintf(token, sizeof token, "%s=", usual("{}"));
	cr_assert_not(believed(token), "padding");
	snprintf(token, sizeof token, "%s ", usual("{}"));
	cr_assert_not(believed(token), "white space");
	cr_assert_not(believed(""));
	cr_assert_not(believed("."));
	cr_assert_not(believed(".."));
	cr_assert_not(believed("garbage"));
}

Test(gateway_jwt, times)
{
	static const struct {
		const char *payload;
		bool good;
	} rows[] = {
		{ "{\"exp\":1764583201}", true },
		{ "{\"exp\":1764583200}", false },
		{ "{\"exp\":1764583200.5}", true },
		{ "{\"exp\":0}", false },
		{ "{\"exp\":\"1864583200\"}", false },
		{ "{\"exp\":null}", false },
		{ "{\"exp\":1864583200,\"exp\":1}", false },
		{ "{\"nbf\":1764583260}", true },
		{ "{\"nbf\":1764583261}", false },
		{ "{\"nbf\":1e300}", false },
		{ "{\"nbf\":-5}", true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_assert_eq(believed(usual(rows[i].payload)), rows[i].good, "%s", rows[i].payload);
}

Test(gateway_jwt, emails)
{
	static const char *const refused[] = {
		"{\"email\":7}",
		"{\"email\":\"\"}",
		"{\"email\":\"a\\u0000@x\"}",
		"{\"email\":\"a\\n@x\"}",
		"{\"email\":\"a\\u007f@x\"}",
		"{\"email\":\"a\\u0085@x\"}",
		"{\"email\":\"a@x\",\"email\":\"b@x\"}",
		"{\"email\":\"a@x\"} x",
		"[]",
		"not json",
	};
	char payload[512] = "{\"email\":\"";
	size_t head = strlen(payload);

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		cr_assert_not(believed(usual(refused[i])), "%s", refused[i]);
	for (int extra = 0; extra < 2; extra++) {
		memset(payload + head, 'm', USER_ID_MAX + (size_t)extra);
		snprintf(payload + head + USER_ID_MAX + extra, 4, "\"}");
		cr_assert_eq(believed(usual(payload)), extra == 0);
	}
}

Test(gateway_jwt, one_byte_too_long)
{
	static char payload[GATEWAY_TOKEN_MAX];
	size_t length = 0;

	/* Each step of three bytes makes the token four characters longer. */
	for (size_t pad = 3; length <= GATEWAY_TOKEN_MAX; pad += 3) {
		snprintf(payload, sizeof payload, "{\"x\":\"%0*d\"}", (int)pad, 0);
		length = strlen(usual(payload));
		cr_assert_eq(believed(usual(payload)), length <= GATEWAY_TOKEN_MAX, "%zu", length);
	}
}

/* ---- secrets ---- */

static void refused(struct text lines, const char *words)
{
	char error[GATEWAY_ERROR_SIZE] = "";
	struct gateway_secrets out;

	cr_assert_eq(gateway_secrets_parse(lines, "s.txt", &out, error), GATEWAY_JWT_E_CONFIG);
	cr_assert_not_null(strstr(error, words), "%s", error);
	cr_assert_null(strstr(error, "01234567"), "the secret itself: %s", error);
}

Test(gateway_jwt, secrets_are_long_and_few)
{
	char lines[GATEWAY_SECRET_FILE_MAX];
	size_t length = 0;

	refused(TEXT(""), "no secret");
	refused(TEXT("\n\r\n"), "no secret");
	refused(TEXT(OTHER "\n0123456789abcdef0123456789abcde\n"),
		"s.txt:2: the secret has 31 bytes");
	memset(lines, '0', GATEWAY_SECRET_MAX + 1);
	refused((struct text){ lines, GATEWAY_SECRET_MAX + 1 }, "has 513 bytes");
	for (int i = 0; i <= GATEWAY_SECRETS_MAX; i++)
		length += (size_t)snprintf(lines + length, sizeof lines - length, "%s\n", SECRET);
	refused((struct text){ lines, (uint32_t)length }, "s.txt:9: more than 8 secrets");
}

Test(gateway_jwt, files)
{
	char error[GATEWAY_ERROR_SIZE], path[] = "/tmp/weir-secrets-XXXXXX";
	int fd = mkstemp(path);
	struct gateway_secrets out;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, SECRET "\n", sizeof SECRET), (ssize_t)sizeof SECRET);
	cr_assert_eq(gateway_secrets_load(path, NULL, &out, error), 0);
	cr_assert_eq(out.count, 1);
	cr_assert_eq(fchmod(fd, 0644), 0);
	cr_assert_eq(gateway_secrets_load(path, SECRET, &out, error), GATEWAY_JWT_E_CONFIG);
	cr_assert_not_null(strstr(error, "others than its owner may use it"));
	cr_assert_eq(fchmod(fd, 0640), 0);
	cr_assert_eq(gateway_secrets_load(path, NULL, &out, error), GATEWAY_JWT_E_CONFIG);
	setenv("CREDENTIALS_DIRECTORY", "/tmp", 1);
	cr_assert_eq(gateway_secrets_load(path, NULL, &out, error), 0,
		     "the directory keeps others out");
	cr_assert_eq(fchmod(fd, 0644), 0);
	cr_assert_eq(gateway_secrets_load(path, NULL, &out, error), GATEWAY_JWT_E_CONFIG);
	cr_assert_eq(fchmod(fd, 0640), 0);
	setenv("CREDENTIALS_DIRECTORY", "/tm", 1);
	cr_assert_eq(gateway_secrets_load(path, NULL, &out, error), GATEWAY_JWT_E_CONFIG);
	unsetenv("CREDENTIALS_DIRECTORY");
	close(fd);
	unlink(path);
	cr_assert_eq(gateway_secrets_load(path, SECRET, &out, error), GATEWAY_JWT_E_CONFIG);
	cr_assert_eq(gateway_secrets_load("", SECRET, &out, error), 0);
	cr_assert_eq(gateway_secrets_load("", "short", &out, error), GATEWAY_JWT_E_CONFIG);
	cr_assert_eq(gateway_secrets_load("", "", &out, error), GATEWAY_JWT_E_CONFIG);
	cr_assert_not_null(strstr(error, "AUGMENTOS_AUTH_JWT_SECRET"));
	gateway_secrets_wipe(&out);
	cr_assert_eq(out.count, 0);
}
