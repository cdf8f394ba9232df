/* SPDX-License-Identifier: MIT */
#include "actors/gateway/gateway_jwt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/config.h"
#include "common/ini.h"
#include "common/secret.h"
#include "proto/json.h"

#define DECODED_MAX (GATEWAY_TOKEN_MAX / 4 * 3)

/* ---- base64url ---- */

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

/* Without padding, and with no bit set that no byte uses: one spelling for each value. */
static bool decode(struct text in, uint8_t *out, size_t size, size_t *length)
{
	uint32_t bits = 0, count = 0;
	size_t used = 0;

	for (uint32_t i = 0; i < in.length; i++) {
		int digit = digit_of(in.bytes[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		if (used == size)
			return false;
		out[used++] = (uint8_t)(bits >> count);
	}
	*length = used;
	return count < 6 && (bits & ((1u << count) - 1)) == 0;
}

/* ---- header ---- */

static const EVP_MD *algorithm(const struct json_value *alg)
{
	if (alg->kind != JSON_KIND_STRING)
		return NULL;
	if (json_is(alg, TEXT("HS256")))
		return EVP_sha256();
	if (json_is(alg, TEXT("HS384")))
		return EVP_sha384();
	return json_is(alg, TEXT("HS512")) ? EVP_sha512() : NULL;
}

static const EVP_MD *read_header(struct text json)
{
	const EVP_MD *hash = NULL;
	struct json_walk walk;
	struct json_value key, value;

	if (!json_open(&walk, json, JSON_KIND_OBJECT))
		return NULL;
	while (json_next(&walk, &key, &value)) {
		/* What must be understood is not: RFC 7515 4.1.11. */
		if (json_is(&key, TEXT("crit")))
			return NULL;
		if (!json_is(&key, TEXT("alg")))
			continue;
		if (hash)
			return NULL; /* twice: who reads which? */
		hash = algorithm(&value);
		if (!hash)
			return NULL;
	}
	return walk.failed ? NULL : hash;
}

/* ---- signature ---- */

static bool is_signed(const struct gateway_secrets *secrets, const EVP_MD *hash, struct text body,
		      const uint8_t *signature, size_t length)
{
	unsigned matches = 0;

	if (length != (size_t)EVP_MD_get_size(hash))
		return false;
	for (size_t i = 0; i < secrets->count; i++) {
		uint8_t expected[EVP_MAX_MD_SIZE];
		unsigned size = 0;

		if (!HMAC(hash, secrets->items[i].bytes, (int)secrets->items[i].length,
			  (const unsigned char *)body.bytes, body.length, expected, &size))
			continue;
		matches |= CRYPTO_memcmp(expected, signature, length) == 0;
	}
	return matches != 0;
}

/* ---- claims ---- */

static bool has_control(struct text text)
{
	for (uint32_t i = 0; i < text.length; i++) {
		unsigned char byte = (unsigned char)text.bytes[i];

		if (byte < 0x20 || byte == 0x7f)
			return true;
		/* U+0080 to U+009F */
		if (byte == 0xc2 && i + 1 < text.length && (unsigned char)text.bytes[i + 1] < 0xa0)
			return true;
	}
	return false;
}

struct claim {
	struct text name;
	size_t offset; /* of the text in struct gateway_claims */
	uint32_t limit;
};

#define CLAIM(json, member, max) \
	{ \
		{ json, sizeof json - 1 }, offsetof(struct gateway_claims, member), max \
	}
static const struct claim claims[] = {
	CLAIM("email", email, USER_ID_MAX),
	CLAIM("packageName", package, PACKAGE_MAX),
	CLAIM("apiKey", api_key, EDGE_API_KEY_MAX),
};
#define CLAIM_COUNT (sizeof claims / sizeof claims[0])

struct claims_reader {
	struct gateway_claims *out;
	size_t used;
	bool seen[CLAIM_COUNT], seen_exp, seen_nbf;
	int64_t unix_s;
};

static bool read_time(struct claims_reader *reader, const struct json_value *key,
		      const struct json_value *value)
{
	bool is_exp = json_is(key, TEXT("exp"));
	bool *seen = is_exp ? &reader->seen_exp : &reader->seen_nbf;
	double at;

	if (*seen || !json_number(value, &at))
		return false;
	*seen = true;
	if (is_exp)
		return (double)reader->unix_s < at;
	return (double)reader->unix_s + GATEWAY_NOT_BEFORE_LEEWAY_S >= at;
}

static bool read_text(struct claims_reader *reader, size_t index, const struct json_value *value)
{
	const struct claim *claim = &claims[index];
	char *bytes = reader->out->bytes + reader->used;
	struct text text;

	if (reader->seen[index] || !json_text(value, bytes, claim->limit, &text) ||
	    text.length == 0 || has_control(text))
		return false;
	reader->seen[index] = true;
	if (text.bytes != bytes)
		memcpy(bytes, text.bytes, text.length);
	*(struct text *)((char *)reader->out + claim->offset) = (struct text){ bytes, text.length };
	reader->used += text.length;
	return true;
}

static bool read_claim(struct claims_reader *reader, const struct json_value *key,
		       const struct json_value *value)
{
	if (json_is(key, TEXT("exp")) || json_is(key, TEXT("nbf")))
		return read_time(reader, key, value);
	for (size_t i = 0; i < CLAIM_COUNT; i++)
		if (json_is(key, claims[i].name))
			return read_text(reader, i, value);
	return true;
}

static bool read_payload(struct text json, int64_t unix_s, struct gateway_claims *out)
{
	struct claims_reader reader = { .out = out, .unix_s = unix_s };
	struct json_walk walk;
	struct json_value key, value;

	if (!json_open(&walk, json, JSON_KIND_OBJECT))
		return false;
	while (json_next(&walk, &key, &value))
		if (!read_claim(&reader, &key, &value))
			return false;
	return !walk.failed;
}

/* ---- the token ---- */

/* Up to the next dot, which is stepped over; the whole rest if there is none. */
static struct text take_part(struct text *rest)
{
	const char *dot = rest->length > 0 ? memchr(rest->bytes, '.', rest->length) : NULL;
	struct text part = *rest;

	if (dot) {
		part.length = (uint32_t)(dot - rest->bytes);
		rest->bytes = dot + 1;
		rest->length -= part.length + 1;
	} else {
		*rest = (struct text){ 0 };
	}
	return part;
}

int gateway_jwt_verify(const struct gateway_secrets *secrets, struct text token, int64_t unix_s,
		       struct gateway_claims *out)
{
	uint8_t bytes[DECODED_MAX], signature[EVP_MAX_MD_SIZE];
	struct gateway_claims read = { 0 };
	struct text rest = token, parts[3];
	size_t length, signature_length;
	const EVP_MD *hash;

	if (token.length == 0 || token.length > GATEWAY_TOKEN_MAX)
		return GATEWAY_JWT_E_REFUSED;
	for (int i = 0; i < 3; i++)
		parts[i] = take_part(&rest);
	if (!parts[2].bytes || rest.bytes || !decode(parts[0], bytes, sizeof bytes, &length))
		return GATEWAY_JWT_E_REFUSED;
	hash = read_header((struct text){ (char *)bytes, (uint32_t)length });
	if (!hash || !decode(parts[2], signature, sizeof signature, &signature_length) ||
	    !is_signed(secrets, hash,
		       (struct text){ token.bytes, parts[0].length + 1 + parts[1].length },
		       signature, signature_length) ||
	    !decode(parts[1], bytes, sizeof bytes, &length) ||
	    !read_payload((struct text){ (char *)bytes, (uint32_t)length }, unix_s, &read))
		return GATEWAY_JWT_E_REFUSED;
	*out = read;
	/* The texts stand in the bytes beside them: move them along. */
	for (size_t i = 0; i < CLAIM_COUNT; i++) {
		struct text *text = (struct text *)((char *)out + claims[i].offset);

		if (text->bytes)
			text->bytes = out->bytes + (text->bytes - read.bytes);
	}
	secret_wipe(bytes, sizeof bytes);
	secret_wipe(&read, sizeof read);
	return 0;
}

/* ---- secrets ---- */

void gateway_secrets_wipe(struct gateway_secrets *secrets)
{
	if (secrets)
		secret_wipe(secrets, sizeof *secrets);
}

static struct text take_line(struct text *rest)
{
	const char *end = memchr(rest->bytes, '\n', rest->length);
	struct text line = *rest;

	if (end)
		line.length = (uint32_t)(end - rest->bytes);
	rest->bytes += line.length + (end != NULL);
	rest->length -= line.length + (end != NULL);
	if (line.length > 0 && line.bytes[line.length - 1] == '\r')
		line.length--;
	return line;
}

int gateway_secrets_parse(struct text lines, const char *name, struct gateway_secrets *out,
			  char *error)
{
	struct gateway_secrets read = { 0 };
	unsigned number = 0;
	int r = GATEWAY_JWT_E_CONFIG;

	while (lines.length > 0) {
		struct text line = take_line(&lines);

		number++;
		if (line.length == 0)
			continue;
		if (line.length < GATEWAY_SECRET_MIN || line.length > GATEWAY_SECRET_MAX) {
			snprintf(error, GATEWAY_ERROR_SIZE,
				 "%s:%u: the secret has %u bytes: must be %d to %d", name, number,
				 line.length, GATEWAY_SECRET_MIN, GATEWAY_SECRET_MAX);
			goto out;
		}
		if (read.count == GATEWAY_SECRETS_MAX) {
			snprintf(error, GATEWAY_ERROR_SIZE, "%s:%u: more than %d secrets", name,
				 number, GATEWAY_SECRETS_MAX);
			goto out;
		}
		memcpy(read.items[read.count].bytes, line.bytes, line.length);
		read.items[read.count++].length = line.length;
	}
	if (read.count == 0) {
		snprintf(error, GATEWAY_ERROR_SIZE,
			 "%s: no secret: write one of %d random bytes or more on a line", name,
			 GATEWAY_SECRET_MIN);
		goto out;
	}
	*out = read;
	r = 0;
out:
	gateway_secrets_wipe(&read);
	return r;
}

static int config_error(const char *file, const char *what, char *error)
{
	snprintf(error, GATEWAY_ERROR_SIZE, "gateway.jwt_secret_file = %s: %s", file, what);
	return GATEWAY_JWT_E_CONFIG;
}

static int load_file(const char *file, struct gateway_secrets *out, char *error)
{
	struct stat status;
	char *bytes = NULL;
	size_t length = 0;
	int r;

	if (stat(file, &status) < 0)
		return config_error(file, strerror(errno), error);
	if (!config_is_secret(file, status.st_mode))
		return config_error(file, "others than its owner may use it; run: chmod 600",
				    error);
	r = ini_read(file, GATEWAY_SECRET_FILE_MAX, &bytes, &length);
	if (r == -EFBIG)
		return config_error(file, "too long: one secret a line is expected", error);
	if (r < 0)
		return config_error(file, strerror(-r), error);
	r = gateway_secrets_parse((struct text){ bytes, (uint32_t)length }, file, out, error);
	secret_wipe(bytes, length);
	free(bytes);
	return r;
}

int gateway_secrets_load(const char *file, const char *environment, struct gateway_secrets *out,
			 char *error)
{
	if (*file)
		return load_file(file, out, error);
	if (environment && *environment)
		return gateway_secrets_parse(text_of(environment), "AUGMENTOS_AUTH_JWT_SECRET", out,
					     error);
	snprintf(error, GATEWAY_ERROR_SIZE,
		 "gateway.jwt_secret_file is not set: name a file with a secret of %d bytes or "
		 "more, or set AUGMENTOS_AUTH_JWT_SECRET",
		 GATEWAY_SECRET_MIN);
	return GATEWAY_JWT_E_CONFIG;
}
