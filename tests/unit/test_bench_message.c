/* SPDX-License-Identifier: MIT */
/* Goal: the benches find in a message what stands there, and nothing that does not.  Method: the
 * protocol's own messages, and each of them cut short; a token against one signed elsewhere.
 */
#include <criterion/criterion.h>

#include "tests/bench/message.h"
#include "tests/bench/token.h"

static const struct text probe =
	TEXT("{\"type\":\"keep_rtmp_stream_alive\",\"streamId\":\"sabc\",\"ackId\":\"17\"}");

Test(bench_message, fields_of_a_probe)
{
	cr_assert(text_is(message_type(probe), "keep_rtmp_stream_alive"));
	cr_assert(text_is(message_field(probe, FIELD("streamId")), "sabc"));
	cr_assert(text_is(message_field(probe, FIELD("ackId")), "17"));
	cr_assert_eq(message_field(probe, FIELD("status")).length, 0);
}

Test(bench_message, a_value_without_an_end_is_none)
{
	/* Without the last quote there is no ackId, whatever stands before the cut. */
	for (uint32_t cut = 0; cut < probe.length - 1; cut++)
		cr_assert_eq(
			message_field((struct text){ probe.bytes, cut }, FIELD("ackId")).length, 0);
}

Test(bench_message, users_are_numbers)
{
	cr_assert_eq(message_user(TEXT("u0@load.example")), 0);
	cr_assert_eq(message_user(TEXT("u19@load.example-com.example.load")), 19);
	cr_assert_eq(message_user(TEXT("u999999999@x")), 999999999);
	cr_assert_eq(message_user(TEXT("u1000000000@x")), UINT32_MAX, "one digit more");
	cr_assert_eq(message_user(TEXT("u@x")), UINT32_MAX);
	cr_assert_eq(message_user(TEXT("19@x")), UINT32_MAX);
	cr_assert_eq(message_user(TEXT("u19")), UINT32_MAX);
	cr_assert_eq(message_user(TEXT("u1x@x")), UINT32_MAX);
	cr_assert_eq(message_user(TEXT("")), UINT32_MAX);
}

Test(bench_message, a_token_signed_elsewhere)
{
	char token[TOKEN_SIZE];

	token_make("a-secret-of-thirty-two-bytes-000", "u7@load.example", token);
	cr_assert_str_eq(
		token,
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJlbWFpbCI6InU3QGxvYWQuZXhhbXBsZSJ9.zj"
		"dVhEJVYQsbiUWkOigdbaLvH3vXgtVqJacWEeEdnZQ");
}
