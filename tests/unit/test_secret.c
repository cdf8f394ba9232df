/* SPDX-License-Identifier: MIT */
/* Goal: what is wiped is wiped, all of it and nothing beside it; memory that moves keeps its bytes.
 * Method: look into the buffer.  What is given back is looked for by test_http_client, in the heap.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "common/secret.h"

#define SECRET "live_key_0815"

Test(secret, a_buffer_is_overwritten_and_nothing_beside_it)
{
	char bytes[] = "<" SECRET ">";
	static const char zero[sizeof SECRET - 1];

	secret_wipe(bytes + 1, sizeof SECRET - 1);
	cr_assert_eq(memcmp(bytes + 1, zero, sizeof zero), 0);
	cr_assert_eq(bytes[0], '<');
	cr_assert_eq(bytes[sizeof bytes - 2], '>');
	secret_wipe(NULL, 0);
	secret_free(NULL);
}

Test(secret, memory_that_moves_keeps_its_bytes)
{
	char *bytes = secret_strdup(SECRET);

	cr_assert(bytes);
	bytes = secret_realloc(bytes, 100000);
	cr_assert_str_eq(bytes, SECRET);
	bytes = secret_realloc(bytes, 5);
	cr_assert_eq(memcmp(bytes, SECRET, 5), 0);
	secret_free(bytes);
	bytes = secret_realloc(NULL, 10);
	cr_assert(bytes);
	secret_free(bytes);
	bytes = secret_calloc(3, 4);
	cr_assert_eq(bytes[11], 0);
	secret_free(bytes);
}
