/* SPDX-License-Identifier: MIT */
/* Goal: an INI file is read exactly or refused with its line: forms, limits and one past each, and
 * time that grows with the file, not with its square.  Method: what the visitor saw, as one text.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "common/ini.h"

static struct ini_fault fault;
static char seen[65536];
static size_t seen_length, entries, stop_after;

static int record(void *context, const struct ini_entry *entry)
{
	(void)context;
	entries++;
	if (seen_length < sizeof seen)
		seen_length += (size_t)snprintf(seen + seen_length, sizeof seen - seen_length,
						"%u %s %s=%s\n", entry->line, entry->section,
						entry->key ? entry->key : "-",
						entry->value ? entry->value : "-");
	return stop_after > 0 && entries == stop_after;
}

static const struct ini_visitor recorder = { NULL, record };

static int parse(const char *text)
{
	seen_length = entries = 0;
	*seen = '\0';
	fault = (struct ini_fault){ 0 };
	return ini_parse(text, strlen(text), &recorder, &fault);
}

struct form {
	char text[160];
	char seen[160];
};

ParameterizedTestParameters(ini, is_read)
{
	static struct form rows[] = {
		{ "", "" },
		{ "\n\n# c\n;c\n \t\r\n", "" },
		{ "[a]", "1 a -=-\n" },
		{ "[a]\nb=c", "1 a -=-\n2 a b=c\n" },
		{ "# c\r\n[a]\r\nb = c d \r\n", "2 a -=-\n3 a b=c d\n" },
		{ "[a]\nb\t=\tc\n", "1 a -=-\n2 a b=c\n" },
		{ "[a]\nb=\nc = \n", "1 a -=-\n2 a b=\n3 a c=\n" },
		{ "[a]\nb=c=d\n", "1 a -=-\n2 a b=c=d\n" },
		{ "[a]\nb=[c]\n", "1 a -=-\n2 a b=[c]\n" },
		{ "[a]\nb = \"c\"\n", "1 a -=-\n2 a b=\"c\"\n" },
		{ "[a]\nb = c # d\n", "1 a -=-\n2 a b=c # d\n" },
		{ "[a]\nb=c\\\nd=e\n", "1 a -=-\n2 a b=c\\\n3 a d=e\n" },
		{ "[a]\n/*=c\n", "" },
		{ "[com.example.app-1_B]\nname = Caf\xc3\xa9\n[default]\nb=c\n",
		  "1 com.example.app-1_B -=-\n2 com.example.app-1_B name=Caf\xc3\xa9\n"
		  "3 default -=-\n4 default b=c\n" },
		{ "[b]\nx=1\n[a]\nx=2\n[c]\n[B]\n",
		  "1 b -=-\n2 b x=1\n3 a -=-\n4 a x=2\n5 c -=-\n6 B -=-\n" },
		{ "[a]\nz=1\ny=2\nx=3\n", "1 a -=-\n2 a z=1\n3 a y=2\n4 a x=3\n" },
	};

	return cr_make_param_array(struct form, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct form *row, ini, is_read)
{
	int r = parse(row->text);

	if (strstr(row->text, "/*")) {
		cr_assert_eq(r, INI_E_INVALID);
		return;
	}
	cr_assert_eq(r, 0, "line %u: %s", fault.line, fault.reason);
	cr_assert_str_eq(seen, row->seen);
}

struct refusal {
	char text[64];
	unsigned line;
	char reason[120];
};

ParameterizedTestParameters(ini, is_refused)
{
#define SECTION_FORM "a section line is [name], of letters, digits, '.', '_' and '-'"
#define KEY_FORM "a key is of letters, digits, '.', '_' and '-'"
#define NO_SECTION "stands before the first [section]"
#define INDENTED "begins with white space; begin it in the first column"
	static struct refusal rows[] = {
		{ "b=c\n[a]\n", 1, NO_SECTION },
		{ "\xef\xbb\xbf[a]\n", 1, NO_SECTION },
		{ "[a]\nb\n", 2, "not of the form key = value" },
		{ "[a]\nb=c\n\nd\n", 4, "not of the form key = value" },
		{ "[x]\n[a]\nb=c\n\nd\n", 5, "not of the form key = value" },
		{ "[a]\n=b\n", 2, "there is no key before the '='" },
		{ "[a]\n b=c\n", 2, INDENTED },
		{ "[a]\nb=c\n\td=e\n", 3, INDENTED },
		{ "[a]\n # c\n", 2, INDENTED },
		{ "[a\n", 1, SECTION_FORM },
		{ "[]\n", 1, SECTION_FORM },
		{ "[", 1, SECTION_FORM },
		{ "[a]]\n", 1, SECTION_FORM },
		{ "[a b]\n", 1, SECTION_FORM },
		{ "[ a]\n", 1, SECTION_FORM },
		{ "[a!b]\n", 1, SECTION_FORM },
		{ "[a] # c\n", 1, SECTION_FORM },
		{ "[\xc3\xa9]\n", 1, SECTION_FORM },
		{ "[a]\nb c=d\n", 2, KEY_FORM },
		{ "[a]\n[b]\nb!c=d\n", 3, KEY_FORM },
		{ "[a]\nb=c\nb=d\n", 3,
		  "the key is there already in this section; delete one of the two" },
		{ "[x]\n[a]\nb=c\nd=e\nB=d\n", 5,
		  "the key is there already in this section; delete one of the two" },
		{ "[a]\n[b]\n[a]\n", 3, "section [a] is there already, at line 1; join the two" },
		{ "[a]\nb=\x01\n", 2, "holds the control byte 0x01" },
		{ "[a]\n#\x7f\n", 2, "holds the control byte 0x7f" },
		{ "[a]\nb=\xff\n", 2, "not UTF-8 text; save the file as UTF-8" },
		{ "[a]\nb=\xc3\n", 2, "not UTF-8 text; save the file as UTF-8" },
	};

	return cr_make_param_array(struct refusal, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct refusal *row, ini, is_refused)
{
	cr_assert_eq(parse(row->text), INI_E_INVALID);
	cr_assert_str_eq(fault.reason, row->reason);
	cr_assert_eq(fault.line, row->line);
}

Test(ini, nul_is_refused)
{
	static const char text[] = "[a]\nb=c\0d\n";

	cr_assert_eq(ini_parse(text, sizeof text - 1, &recorder, &fault), INI_E_INVALID);
	cr_assert_str_eq(fault.reason, "holds the control byte 0x00");
	cr_assert_eq(fault.line, 2);
}

static int parse_sized(size_t section, size_t key, size_t value)
{
	char text[8192];
	size_t used = 0;

	text[used++] = '[';
	memset(text + used, 's', section);
	used += section;
	text[used++] = ']';
	text[used++] = '\n';
	memset(text + used, 'k', key);
	used += key;
	text[used++] = '=';
	memset(text + used, 'v', value);
	text[used + value] = '\0';
	return parse(text);
}

Test(ini, lengths_up_to_their_limits)
{
	cr_assert_eq(parse_sized(INI_SECTION_MAX, INI_KEY_MAX, INI_VALUE_MAX), 0, "%s",
		     fault.reason);
	cr_assert_eq(seen_length,
		     strlen("1  -=-\n2  =\n") + 2 * INI_SECTION_MAX + INI_KEY_MAX + INI_VALUE_MAX);
	cr_assert_eq(parse_sized(INI_SECTION_MAX + 1, 1, 1), INI_E_INVALID);
	cr_assert_str_eq(fault.reason, "the section's name is longer than 128 bytes");
	cr_assert_eq(parse_sized(1, INI_KEY_MAX + 1, 1), INI_E_INVALID);
	cr_assert_str_eq(fault.reason, "the key is longer than 64 bytes");
	cr_assert_eq(parse_sized(1, 1, INI_VALUE_MAX + 1), INI_E_INVALID);
	cr_assert_str_eq(fault.reason, "the value is longer than 4096 bytes");
	cr_assert_eq(parse_sized(1, 1, INI_VALUE_MAX + 200), INI_E_INVALID);
	cr_assert_str_eq(fault.reason, "the line is longer than 4224 bytes");
	cr_assert_eq(fault.line, 2);
}

static char *many_sections(size_t count, size_t *length)
{
	char *text = malloc(count * 40);

	*length = 0;
	cr_assert(text);
	for (size_t i = 0; i < count; i++)
		*length +=
			(size_t)snprintf(text + *length, 40, "[com.example.app%zu]\nname=x\n", i);
	return text;
}

/* The library alone needs 66 s for this: it looks every section up among all. */
Test(ini, ten_thousand_sections_take_no_time, .timeout = 20)
{
	size_t length;
	char *text = many_sections(10000, &length);

	entries = 0;
	cr_assert_eq(ini_parse(text, length, &recorder, &fault), 0);
	cr_assert_eq(entries, 20000);
	free(text);
}

Test(ini, too_many_sections_are_refused)
{
	size_t length;
	char *text = many_sections(INI_SECTIONS_MAX + 1, &length);

	cr_assert_eq(ini_parse(text, length, &recorder, &fault), INI_E_INVALID);
	cr_assert_str_eq(fault.reason, "more than 65536 sections");
	cr_assert_eq(fault.line, 2 * INI_SECTIONS_MAX + 1);
	free(text);
}

Test(ini, too_large_is_refused)
{
	char *text = malloc(INI_FILE_MAX + 1);

	cr_assert(text);
	memset(text, '\n', INI_FILE_MAX + 1);
	cr_assert_eq(ini_parse(text, INI_FILE_MAX, &recorder, &fault), 0);
	cr_assert_eq(ini_parse(text, INI_FILE_MAX + 1, &recorder, &fault), INI_E_INVALID);
	cr_assert_eq(fault.line, 0);
	free(text);
}

Test(ini, the_visitor_may_stop)
{
	stop_after = 2;
	cr_assert_eq(parse("[a]\nb=c\nd=e\n"), INI_E_STOPPED);
	cr_assert_str_eq(seen, "1 a -=-\n2 a b=c\n");
	stop_after = 1;
	cr_assert_eq(parse("[a]\nb=c\nd=e\n"), INI_E_STOPPED);
}

Test(ini, files_are_read_whole_or_not_at_all)
{
	char name[] = "/tmp/weir-test-ini-XXXXXX", *bytes;
	int fd = mkstemp(name);
	size_t length;

	cr_assert_eq(write(fd, "12345", 5), 5);
	cr_assert_eq(ini_read(name, 5, &bytes, &length), 0);
	cr_assert_eq(length, 5);
	cr_assert_arr_eq(bytes, "12345", 5);
	free(bytes);
	cr_assert_eq(ini_read(name, 4, &bytes, &length), -EFBIG);
	cr_assert_eq(ini_read("/tmp", 4, &bytes, &length), -ENODEV);
	cr_assert_eq(ini_read("/dev/zero", 4, &bytes, &length), -ENODEV);
	/* Says it has no bytes, and has some. */
	cr_assert_eq(ini_read("/proc/self/cmdline", 1, &bytes, &length), -EFBIG);
	(void)close(fd);
	(void)unlink(name);
	cr_assert_eq(ini_read(name, 5, &bytes, &length), -ENOENT);
}
