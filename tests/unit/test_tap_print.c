/* SPDX-License-Identifier: MIT */
/* Goal: lines for people and programs: no secret, no cursor movement, always one line, always
 * within its limit.  Method: golden lines, and the largest event there can be.
 */
#include <criterion/criterion.h>

#include "actors/tap/tap_filter.h"
#include "actors/tap/tap_print.h"

static char line[PRINT_LINE_MAX + 1];

static const char *print(bool json, bool colour, const struct stream_event *event)
{
	const struct print_style style = { json, colour };
	size_t length = print_event(&style, event, line);

	cr_assert(length > 0 && length <= PRINT_LINE_MAX);
	line[length] = '\0';
	cr_assert_eq(strchr(line, '\n'), line + length - 1, "one line");
	return line;
}

static const char *record(bool json, struct record value)
{
	const struct print_style style = { json, false };
	size_t length = print_record(&style, &value, line);

	line[length] = '\0';
	return line;
}

static struct stream_event opened(void)
{
	return (struct stream_event){
		.type = EVENT_STREAM_OPENED,
		.source = TEXT("registry"),
		.incarnation = 99,
		.seq = 12,
		.cause = 11,
		.origin = 5,
		.request = 6,
		.user_id = TEXT("alice@example.com"),
		.stream_id = TEXT("s-1"),
		.epoch = 7,
		.sent_ms = 1764000000123,
		.stream_opened.kind = KIND_UNMANAGED,
		.stream_opened.package = TEXT("com.\033[1mexample"),
		.stream_opened.rtmp_url = TEXT("rtmp://host/app/key"),
	};
}

static void in_utc(void)
{
	cr_assert_eq(setenv("TZ", "UTC", 1), 0);
}

Test(print, for_people, .init = in_utc)
{
	const struct stream_event event = opened();

	cr_assert_str_eq(
		print(false, false, &event),
		"16:00:00.123 stream.opened      alice@example.com        s-1         "
		"registry seq=12 cause=11 epoch=7 kind=unmanaged "
		"package=com.\\u001b[1mexample "
		"rtmp_url=rtmp://host/app/\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\n");
	cr_assert_not_null(strstr(print(false, true, &event), "\033[32mstream.opened"));
}

Test(print, without_user_or_time, .init = in_utc)
{
	const struct stream_event event = { .type = EVENT_ACTOR_STOPPED,
					    .source = TEXT("gateway-2") };

	cr_assert_str_eq(print(false, false, &event),
			 "--:--:--.--- actor.stopped      -                        -           "
			 "gateway-2 \n");
}

Test(print, json_hides_secrets)
{
	const struct stream_event event = opened();

	cr_assert_null(strstr(print(true, false, &event), "/key"));
	cr_assert_not_null(strstr(line, "\"seq\":12,\"cause\":11"));
	cr_assert_eq(strncmp(line, "{\"type\":\"stream.opened\",\"source\":\"registry\"", 43), 0);
}

/* Texts at their limits, every byte escaped, as large as an encoded event may be. */
Test(print, the_largest_event_fits)
{
	static char bytes[SUBSCRIPTIONS_BYTES];
	struct stream_event event = { .type = EVENT_STREAM_CLOSED };
	struct stream_event apps = { .type = EVENT_APP_SUBSCRIBED };

	memset(bytes, 1, sizeof bytes);
	event.user_id = (struct text){ bytes, USER_ID_MAX };
	event.stream_id = (struct text){ bytes, STREAM_ID_MAX };
	event.source = (struct text){ bytes, NAME_MAX_BYTES };
	event.stream_closed.by = (struct text){ bytes, PACKAGE_MAX };
	event.stream_closed.detail = (struct text){ bytes, DETAIL_MAX };
	event.stream_closed.told_id = (struct text){ bytes, STREAM_ID_MAX };
	event.stream_closed.stop_app_id = (struct text){ bytes, PACKAGE_MAX };
	for (int json = 0; json < 2; json++)
		cr_assert_gt(strlen(print(json, true, &event)), (size_t)DETAIL_MAX * 6);

	/* An array16 of numbers: three characters at most for every byte. */
	bytes[0] = (char)0xdc;
	bytes[1] = (char)((sizeof bytes - 3) >> 8);
	bytes[2] = (char)((sizeof bytes - 3) & 0xff);
	memset(bytes + 3, 0x7f, sizeof bytes - 3);
	apps.app_subscribed.types = (struct text){ bytes, sizeof bytes };
	for (int json = 0; json < 2; json++)
		cr_assert_gt(strlen(print(json, true, &apps)), sizeof bytes * 3);
}

Test(print, every_published_event)
{
	for (unsigned type = 0; type <= STREAM_EVENT_TYPE_MAX; type++) {
		const struct stream_event event = { .type = (enum stream_event_type)type };

		if (!event_is_published(event.type))
			continue;
		cr_assert_not_null(strstr(print(true, false, &event), stream_event_name(type)));
		cr_assert_not_null(strstr(print(false, false, &event), stream_event_name(type)));
	}
}

Test(print, records, .init = in_utc)
{
	struct record value = { .type = RECORD_GAP,
				.source = "registry",
				.topic = "story",
				.incarnation = 255,
				.from_seq = 42,
				.count = 3,
				.sent_ms = 1764000000123 };

	cr_assert_str_eq(
		record(true, value),
		"{\"type\":\"tap.gap\",\"source\":\"registry\",\"topic\":\"story\","
		"\"incarnation\":255,\"seq\":0,\"cause\":0,\"user_id\":\"\","
		"\"stream_id\":\"\",\"epoch\":0,\"stream_seq\":0,\"sent_ms\":1764000000123,"
		"\"from_seq\":42,\"missed\":3}\n");
	cr_assert_str_eq(
		record(false, value),
		"16:00:00.123 tap.gap            3 events of registry (story) were missed, "
		"from seq 42 on\n");
	value.type = RECORD_RESTART;
	value.previous = 254;
	cr_assert_not_null(strstr(record(true, value), ",\"previous\":254,\"next_seq\":42}\n"));
	cr_assert_not_null(strstr(record(false, value),
				  "registry was started anew (incarnation "
				  "00000000000000ff, story from seq 42 on)\n"));
	value.type = RECORD_DROPPED;
	cr_assert_not_null(strstr(record(true, value), ",\"dropped\":3}\n"));
	cr_assert_not_null(strstr(record(false, value), "3 messages or events of registry could"));
}
