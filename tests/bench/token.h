/* SPDX-License-Identifier: MIT */
/* token.h - who a user is, and the core token that proves it (protocol.md 1.1). */
#pragma once

#define USER_ID_FORMAT "u%u@load.example"
#define USER_ID_SIZE 32
#define TOKEN_SIZE 256

/* token_make() - HS256 over the claim `email`, signed with @secret, into @out, terminated. */
void token_make(const char *secret, const char *email, char out[TOKEN_SIZE]);
