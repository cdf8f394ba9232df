/* SPDX-License-Identifier: MIT */
/* Goal: what comes from the media server, its clients and ffmpeg is read exactly or refused.
 * Method: tables of what is right, and of everything that is nearly right.
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "actors/managed-adapter/local_text.h"

Test(local_text, names_of_inputs)
{
	char longest[INPUT_ID_MAX + 2];

	memset(longest, 'a', sizeof longest);
	cr_expect(local_is_name(TEXT("abcXYZ019_")));
	cr_expect(local_is_name((struct text){ longest, INPUT_ID_MAX }));
	cr_expect_not(local_is_name((struct text){ longest, INPUT_ID_MAX + 1 }));
	cr_expect_not(local_is_name(TEXT("")));
	cr_expect_not(local_is_name(TEXT("a-b")));
	cr_expect_not(local_is_name(TEXT("a/b")));
	cr_expect_not(local_is_name(TEXT("..")));
	cr_expect_not(local_is_name(TEXT("a\0b")));
}

Test(local_text, numbers)
{
	uint64_t number = 7;

	cr_expect(local_number(TEXT("0"), &number) && number == 0);
	cr_expect(local_number(TEXT("999999999999999999"), &number) &&
		  number == 999999999999999999);
	cr_expect_not(local_number(TEXT("1000000000000000000"), &number));
	cr_expect_not(local_number(TEXT(""), &number));
	cr_expect_not(local_number(TEXT("-1"), &number));
	cr_expect_not(local_number(TEXT("1 "), &number));
	cr_expect_not(local_number(TEXT("1\0"), &number));
	cr_expect_eq(number, 999999999999999999, "untouched");
}

struct form_row {
	char form[80], name[16], value[32];
	bool found;
};

ParameterizedTestParameters(local_text, form)
{
	static struct form_row rows[] = {
		{ "app=live&name=x&key=s3cret", "key", "s3cret", true },
		{ "app=live&name=x&key=s3cret", "app", "live", true },
		{ "key=", "key", "", true },
		{ "key", "key", "", true },
		{ "a=1&&b=2", "b", "2", true },
		{ "name=a%2fb+c%20d", "name", "a/b c d", true },
		{ "name=a=b", "name", "a=b", true },
		{ "", "key", "", false },
		{ "xkey=1&keyx=2", "key", "", false },
		{ "key=1&key=1", "key", "", false },
		{ "key=%", "key", "", false },
		{ "key=%4", "key", "", false },
		{ "key=%4g", "key", "", false },
		{ "key=%g4", "key", "", false },
		{ "key=%00", "key", "", false },
		{ "key=0123456789012345678901234567890", "key", "0123456789012345678901234567890",
		  true },
		{ "key=01234567890123456789012345678901", "key", "", false },
	};

	return cr_make_param_array(struct form_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct form_row *row, local_text, form)
{
	char value[32] = "";

	cr_assert_eq(local_form_field(text_of(row->form), row->name, value, sizeof value),
		     row->found, "%s", row->form);
	if (row->found)
		cr_assert_str_eq(value, row->value);
}

#define CLIENT(id, flags) "<client><id>" id "</id><address>127.0.0.1</address>" flags "</client>"
#define STREAM(name, clients) "<stream>\n<name>" name "</name>\n" clients "</stream>"
#define STAT(streams) \
	"<?xml version=\"1.0\"?>\n<rtmp>\n<pid>4711</pid><server>\n" \
	"<application><name>other</name><live>" STREAM( \
		"not-ours", \
		CLIENT("9", "<publishing/>")) "</live></application>\n" \
					      "<application>\n<name>live</name>\n<live>" streams \
					      "</live></application></server></rtmp>"

Test(local_text, statistics)
{
	struct text xml =
		TEXT(STAT(STREAM("one", CLIENT("3", "") CLIENT("4", "<publishing/><active/>"))
				  STREAM("two", CLIENT("5", ""))
					  STREAM("three", CLIENT("6", "<publishing/>"))));
	struct local_stat_stream stream;
	struct local_stat stat;

	cr_assert(local_stat_read(xml, &stat));
	cr_expect_eq(stat.pid, 4711);
	cr_assert(local_stat_next(&stat.streams, &stream));
	cr_expect(text_is(stream.name, "one") && stream.client == 4 && stream.active);
	cr_assert(local_stat_next(&stat.streams, &stream));
	cr_expect(text_is(stream.name, "two") && stream.client == 0 && !stream.active);
	cr_assert(local_stat_next(&stat.streams, &stream));
	cr_expect(text_is(stream.name, "three") && stream.client == 6 && !stream.active);
	cr_expect_not(local_stat_next(&stat.streams, &stream));
}

Test(local_text, statistics_that_were_cut_off_are_refused)
{
	static const char xml[] = STAT(STREAM("one", CLIENT("4", "<publishing/>")));
	struct local_stat stat = { .pid = 1 };

	for (uint32_t length = 0; length < sizeof xml - 1; length++)
		cr_expect_not(local_stat_read((struct text){ xml, length }, &stat), "%u", length);
	cr_expect_eq(stat.pid, 1, "untouched");
	cr_expect_not(local_stat_read(TEXT("<rtmp><pid>x</pid></rtmp>"), &stat));
	cr_expect_not(local_stat_read(TEXT("<rtmp><pid>1</pid></rtmp>"), &stat));
	cr_expect_not(local_stat_read(TEXT("<html>404</html>"), &stat));
	cr_expect_not(local_stat_read(TEXT("<rtmp></rtmp>"), &stat));
	cr_expect_not(local_stat_read(TEXT("<rtmp><pid>1</pid><application></application></rtmp>"),
				      &stat));
}

Test(local_text, a_publisher_without_a_number_is_none)
{
	struct text streams = TEXT(STREAM("one", "<client><publishing/></client>")
					   STREAM("two", CLIENT("x", "<publishing/><active/>")));
	struct local_stat_stream stream;

	for (unsigned i = 0; i < 2; i++) {
		cr_assert(local_stat_next(&streams, &stream));
		cr_expect(stream.client == 0 && !stream.active);
	}
}

Test(local_text, an_escape_that_is_cut_by_a_zero)
{
	char value[32];

	cr_expect_not(local_form_field(TEXT("key=%\0aa"), "key", value, sizeof value));
	cr_expect_not(local_form_field(TEXT("key=%a\0a"), "key", value, sizeof value));
}

struct destination_row {
	char url[64], place[40], app[32], playpath[32];
};

ParameterizedTestParameters(local_text, destination)
{
	static struct destination_row rows[] = {
		{ "rtmp://a/live/key", "rtmp://a/", "live", "key" },
		{ "rtmps://a:443/live/key?x=1&y=2", "rtmps://a:443/", "live", "key?x=1&y=2" },
		{ "rtmp://[::1]:1/app/inst/key", "rtmp://[::1]:1/", "app/inst", "key" },
		{ "rtmp://a/app/inst/key/more", "rtmp://a/", "app/inst", "key/more" },
		{ "rtmp://a/app?k=1/key", "rtmp://a/", "app?k=1", "key" },
		{ "rtmp://a/live", "", "", "" },
		{ "rtmp://a/live/", "", "", "" },
		{ "rtmp://a//key", "", "", "" },
		{ "rtmp://a", "", "", "" },
		{ "rtmp:///live/key", "", "", "" },
		{ "http://a/live/key", "", "", "" },
		{ "RTMP://a/live/key", "", "", "" },
		{ "rtmp://u:p@a/live/key", "", "", "" },
		{ "rtmp://a?b/live/key", "", "", "" },
		{ "rtmp://a#b/live/key", "", "", "" },
		{ "rtmp://a/live/k ey", "", "", "" },
		{ "rtmp://a/live/k\ney", "", "", "" },
		{ "rtmp://a/live/k\x80y", "", "", "" },
		{ "rtmp://a/live/k\x7fy", "", "", "" },
		{ "", "", "", "" },
	};

	return cr_make_param_array(struct destination_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct destination_row *row, local_text, destination)
{
	struct local_destination read;
	bool good = row->place[0];

	cr_assert_eq(local_destination_read(text_of(row->url), &read), good, "%s", row->url);
	if (!good)
		return;
	cr_assert_str_eq(read.place, row->place);
	cr_assert_str_eq(read.app, row->app);
	cr_assert_str_eq(read.playpath, row->playpath);
}

Test(local_text, destinations_have_a_limit)
{
	char url[OUTPUT_URL_MAX + 2] = "rtmp://a/live/";
	struct local_destination read;
	size_t used = strlen(url);

	memset(url + used, 'k', sizeof url - 1 - used);
	url[OUTPUT_URL_MAX + 1] = '\0';
	cr_expect_not(local_destination_read(text_of(url), &read));
	url[OUTPUT_URL_MAX] = '\0';
	cr_expect(local_destination_read(text_of(url), &read));
	cr_expect_eq(strlen(read.playpath), OUTPUT_URL_MAX - used);
}

/* Whatever ffmpeg says, what we say is ours. */
Test(local_text, last_words)
{
	cr_expect_str_eq(local_words(TEXT("[tcp] Connection to tcp://127.0.0.1:9?tcp_nodelay=0 "
					  "failed: Connection refused"),
				     1),
			 "connection refused");
	cr_expect_str_eq(local_words(TEXT("[rtmp] Server error: Already publishing key123"), 1),
			 "refused by the destination");
	cr_expect_str_eq(local_words(TEXT("av_interleaved_write_frame(): Broken pipe"), 1),
			 "connection lost");
	cr_expect_str_eq(local_words(TEXT("rtmp://a/live/key123: Input/output error"), 1),
			 "connection failed");
	cr_expect_str_eq(local_words(TEXT("[tls] Peer certificate failed verification\n"
					  "rtmps://a/: Input/output error"),
				     1),
			 "certificate not accepted");
	cr_expect_str_eq(local_words(TEXT("destination not allowed\n"), 1),
			 "destination not allowed");
	cr_expect_str_eq(local_words(TEXT("key123"), 1), "ended");
	cr_expect_str_eq(local_words(TEXT(""), 127), "ffmpeg cannot be started");
}
