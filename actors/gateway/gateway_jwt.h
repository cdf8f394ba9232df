/* SPDX-License-Identifier: MIT */
/* gateway_jwt.h - JSON Web Tokens signed with HMAC, verified; the secrets they are signed with.
 *
 * HS256, HS384 and HS512 only.  Every secret is tried and compared in full, so that neither the
 * secret that fits nor how much of a signature is right shows in the time it takes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/edge.h"
#include "proto/text.h"

#define GATEWAY_TOKEN_MAX 8192 /* bytes */
#define GATEWAY_SECRETS_MAX 8
#define GATEWAY_SECRET_MIN 32 /* bytes; less could be guessed */
#define GATEWAY_SECRET_MAX 512 /* bytes */
#define GATEWAY_SECRET_FILE_MAX (GATEWAY_SECRETS_MAX * (GATEWAY_SECRET_MAX + 2))
/* A token issued just now by a clock that is ahead of ours is good; one that is over is over. */
#define GATEWAY_NOT_BEFORE_LEEWAY_S 60

struct gateway_secrets {
	size_t count;
	struct {
		size_t length;
		uint8_t bytes[GATEWAY_SECRET_MAX];
	} items[GATEWAY_SECRETS_MAX];
};

/* What a token says; a claim that it does not make is empty. */
struct gateway_claims {
	struct text email, package, api_key; /* in @bytes */
	char bytes[USER_ID_MAX + PACKAGE_MAX + EDGE_API_KEY_MAX];
};

/* Outcomes the caller must handle; see common/error.h. */
enum {
	_GATEWAY_JWT_E_SUCCESS,
	GATEWAY_JWT_E_REFUSED, /* not a token we believe, whatever the reason */
	GATEWAY_JWT_E_CONFIG, /* @error says what is wrong and how to mend it */
};

#define GATEWAY_ERROR_SIZE 512

/* gateway_secrets_parse() - one secret a line; empty lines are passed over.
 *
 * @name is what @error, of GATEWAY_ERROR_SIZE bytes, calls the source.
 *
 * Return: 0 or GATEWAY_JWT_E_CONFIG; @out is written only on success.
 */
int gateway_secrets_parse(struct text lines, const char *name, struct gateway_secrets *out,
			  char *error);

/* gateway_secrets_load() - from @file, or, if that is empty, from @environment (may be NULL).
 *
 * A file that others than its owner may use is refused (config_is_secret()).
 *
 * Return: 0 or GATEWAY_JWT_E_CONFIG; @out is written only on success.
 */
int gateway_secrets_load(const char *file, const char *environment, struct gateway_secrets *out,
			 char *error);

/* gateway_secrets_wipe() - overwrite them. */
void gateway_secrets_wipe(struct gateway_secrets *secrets);

/* gateway_jwt_verify() - check signature, form and time of @token.
 *
 * @unix_s is the wall clock: tokens live by it.
 *
 * Return: 0, or GATEWAY_JWT_E_REFUSED; @out is written only on success.
 */
int gateway_jwt_verify(const struct gateway_secrets *secrets, struct text token, int64_t unix_s,
		       struct gateway_claims *out);
