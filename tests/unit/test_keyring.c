/* SPDX-License-Identifier: MIT */
/* Goal: keys are read as czmq writes them; a file that is missing, broken, in the wrong place or in
 * reach of others is refused by name with the mend; a reload that fails changes nothing.  Method:
 * a scratch folder.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "common/keyring.h"

#define PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
#define PUBLIC_TEXT "metadata\n    role = \"x\"\ncurve\n    public-key = \"" PUBLIC "\"\n"
#define PAIR_TEXT PUBLIC_TEXT "    secret-key = \"" SECRET "\"\n"

static char directory[] = "/tmp/weir-test-keyring-XXXXXX";
static char error[KEYRING_ERROR_SIZE];
static struct keyring *keyring;

static void put_mode(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "we");

	cr_assert(file);
	(void)fputs(text, file);
	(void)fclose(file);
	cr_assert_eq(chmod(path, mode), 0);
}

static void put(const char *path, const char *text)
{
	put_mode(path, text, 0600);
}

/* A public key that differs from others in its @digits. */
static void put_public(const char *path, const char *digits)
{
	char text[256];

	(void)snprintf(text, sizeof text, "curve\n    public-key = \"%s%s\"\n", digits,
		       &PUBLIC[strlen(digits)]);
	put(path, text);
}

static void setup(void)
{
	cr_assert(mkdtemp(directory));
	cr_assert_eq(chdir(directory), 0);
	cr_assert_eq(mkdir("curve", 0700), 0);
	cr_assert_eq(mkdir("curve/allow", 0700), 0);
	cr_assert_eq(mkdir("curve/allow/gateway", 0700), 0);
	cr_assert_eq(mkdir("curve/allow/registry", 0700), 0);
	put("curve/registry.key_secret", PAIR_TEXT);
	put_public("curve/allow/gateway/gateway-1.pub", "1");
}

static void teardown(void)
{
	static const char *const files[] = {
		"curve/registry.key_secret",
		"curve/allow/gateway/gateway-1.pub",
		"curve/allow/gateway/gateway-2.pub",
		"curve/allow/gateway/gateway-1.new.pub",
		"curve/allow/gateway/note.txt",
		"curve/allow/gateway/Gate.pub",
		"curve/allow/gateway/x",
		"curve/allow/registry/registry.pub",
	};

	keyring_close(keyring);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		(void)unlink(files[i]);
	(void)rmdir("curve/allow/gateway");
	(void)rmdir("curve/allow/registry");
	(void)rmdir("curve/allow/wizard");
	(void)rmdir("curve/allow");
	(void)rmdir("curve");
	(void)rmdir(directory);
}

TestSuite(keyring, .init = setup, .fini = teardown);

static void open_it(void)
{
	cr_assert_eq(keyring_open("curve", "registry", &keyring, error), 0, "%s", error);
}

static void expect_refused(const char *words)
{
	cr_assert_eq(keyring_open("curve", "registry", &keyring, error), KEYRING_E_INVALID);
	cr_assert(strstr(error, words), "%s", error);
	cr_assert_null(keyring);
}

Test(keyring, a_pair_and_the_keys_of_others)
{
	put_public("curve/allow/registry/registry.pub", "2");
	put("curve/allow/gateway/note.txt", "not a key");
	put("curve/allow/gateway/x", "neither");
	open_it();
	cr_assert_str_eq(keyring->public_key, PUBLIC);
	cr_assert_str_eq(keyring->secret_key, SECRET);
	cr_assert_eq(keyring->allow.count, 2);
	cr_assert_str_eq(keyring_server(keyring, ROLE_REGISTRY, "registry") + 1, &PUBLIC[1]);
	cr_assert_null(keyring_server(keyring, ROLE_GATEWAY, "registry"));
	cr_assert_null(keyring_server(keyring, ROLE_GATEWAY, "gateway-2"));
}

/* While its key is changed a process has two. */
Test(keyring, another_key_of_the_same_process)
{
	put_public("curve/allow/gateway/gateway-1.new.pub", "9");
	open_it();
	cr_assert_eq(keyring->allow.count, 2);
	for (size_t i = 0; i < 2; i++)
		cr_assert_str_eq(keyring->allow.items[i].name, "gateway-1");
	cr_assert_eq(*keyring_server(keyring, ROLE_GATEWAY, "gateway-1"), '1');
}

Test(keyring, a_secret_that_others_can_read_is_refused)
{
	static const mode_t modes[] = { 0640, 0604, 0644, 0660, 0610 };

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		cr_assert_eq(chmod("curve/registry.key_secret", modes[i]), 0);
		expect_refused("run: chmod 600 curve/registry.key_secret");
	}
	cr_assert_eq(chmod("curve/registry.key_secret", 0400), 0);
	open_it();
}

struct broken {
	char text[200];
	char words[60];
};

ParameterizedTestParameters(keyring, broken_secret)
{
	static struct broken rows[] = {
		{ "", "holds no public-key" },
		{ PUBLIC_TEXT, "holds no secret-key" },
		{ "curve\n  public-key = \"short\"\n", "line 2: not a key of 40 characters" },
		{ "public-key = " PUBLIC "\n", "line 1: not a key" },
		{ "public-key = \"" PUBLIC "x\"\n", "line 1: not a key" },
		{ "public-key = \"~ne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\"\n", "line 1:" },
		{ PUBLIC_TEXT "public-key = \"" PUBLIC "\"\n", "line 5: not a key" },
		{ PUBLIC_TEXT "secret-key = \"short\"\n", "line 5: not a key" },
		{ "public-key\n", "holds no public-key" },
		{ "public-key =\n", "line 1: not a key" },
		{ "public-key = \"\n", "line 1: not a key" },
		{ "public-key = \"" PUBLIC "\n", "line 1: not a key" },
	};

	return cr_make_param_array(struct broken, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct broken *row, keyring, broken_secret)
{
	put("curve/registry.key_secret", row->text);
	expect_refused(row->words);
	cr_assert(strstr(error, "curve/registry.key_secret"), "%s", error);
	cr_assert_not(strstr(error, SECRET));
}

/* Other editors, other blanks. */
Test(keyring, blanks_and_ends_of_lines_are_no_part_of_a_key)
{
	put("curve/registry.key_secret",
	    "curve\r\n\tpublic-key = \"" PUBLIC "\" \r\n \t secret-key=\"" SECRET "\"");
	open_it();
	cr_assert_str_eq(keyring->public_key, PUBLIC);
	cr_assert_str_eq(keyring->secret_key, SECRET);
}

Test(keyring, what_is_not_there_is_refused)
{
	cr_assert_eq(unlink("curve/registry.key_secret"), 0);
	expect_refused("registry.key_secret: No such file or directory; `weir keys new`");
}

Test(keyring, without_its_folder_nobody_is_let_in)
{
	teardown();
	cr_assert_eq(mkdir(directory, 0700), 0);
	cr_assert_eq(chdir(directory), 0);
	cr_assert_eq(mkdir("curve", 0700), 0);
	put("curve/registry.key_secret", PAIR_TEXT);
	expect_refused("curve/allow: No such file or directory; `weir keys new`");
	cr_assert_eq(mkdir("curve/allow", 0700), 0);
	put("curve/allow/registry", "a file where a folder should be");
	expect_refused("curve/allow/registry: Not a directory");
	(void)unlink("curve/allow/registry");
}

Test(keyring, one_key_too_many_is_refused)
{
	enum { MANY = ZAP_ALLOW_MAX + 1 };
	char path[64], digits[8];

	for (int i = 2; i <= MANY; i++) {
		(void)snprintf(path, sizeof path, "curve/allow/gateway/g-%d.pub", i);
		(void)snprintf(digits, sizeof digits, "%04d", i);
		put_public(path, digits);
	}
	expect_refused("more than 256 keys");
	(void)unlink(path);
	open_it();
	cr_assert_eq(keyring->allow.count, ZAP_ALLOW_MAX);
	for (int i = 2; i <= MANY; i++) {
		(void)snprintf(path, sizeof path, "curve/allow/gateway/g-%d.pub", i);
		(void)unlink(path);
	}
}

Test(keyring, names_are_short_and_plain)
{
	char name[NAME_MAX_BYTES + 2] = "";

	memset(name, 'a', sizeof name - 1);
	cr_expect(keyring_is_name(name, NAME_MAX_BYTES));
	cr_expect_not(keyring_is_name(name, NAME_MAX_BYTES + 1));
	cr_expect_not(keyring_is_name(name, 0));
	cr_expect_not(keyring_is_name("a_b", 3));
}

Test(keyring, a_secret_among_the_public_keys_is_refused)
{
	put("curve/allow/gateway/gateway-2.pub", PAIR_TEXT);
	expect_refused("gateway-2.pub: holds a secret key");
}

Test(keyring, one_key_for_two_is_refused)
{
	put_public("curve/allow/gateway/gateway-2.pub", "1");
	expect_refused("too; every process has its own");
}

Test(keyring, a_role_that_does_not_exist_is_refused)
{
	cr_assert_eq(mkdir("curve/allow/wizard", 0700), 0);
	expect_refused("curve/allow/wizard: no such role; there are registry");
}

Test(keyring, a_file_that_is_no_name_is_refused)
{
	put_public("curve/allow/gateway/Gate.pub", "5");
	expect_refused("Gate.pub: must be called after a process");
}

Test(keyring, a_folder_that_others_can_write_to_is_refused)
{
	cr_assert_eq(chmod("curve/allow/gateway", 0770), 0);
	expect_refused("curve/allow/gateway: others may put keys there; run: chmod go-w");
}

Test(keyring, a_reload_adds_and_takes_away)
{
	size_t removed;

	open_it();
	put_public("curve/allow/gateway/gateway-2.pub", "2");
	cr_assert_eq(keyring_reload(keyring, error, &removed), 0);
	cr_assert_eq(removed, 0);
	cr_assert_eq(keyring->allow.count, 2);
	cr_assert_eq(unlink("curve/allow/gateway/gateway-1.pub"), 0);
	cr_assert_eq(keyring_reload(keyring, error, &removed), 0);
	cr_assert_eq(removed, 1);
	cr_assert_eq(keyring->allow.count, 1);
	cr_assert_str_eq(keyring->allow.items[0].name, "gateway-2");
}

Test(keyring, a_reload_that_fails_changes_nothing)
{
	size_t removed;

	open_it();
	put("curve/allow/gateway/gateway-2.pub", "nonsense");
	cr_assert_eq(keyring_reload(keyring, error, &removed), KEYRING_E_INVALID);
	cr_assert_eq(keyring->allow.count, 1);
	cr_assert_str_eq(keyring->allow.items[0].name, "gateway-1");
}
