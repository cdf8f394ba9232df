/* SPDX-License-Identifier: MIT */
/* tap_cmd_keys.c - `weir keys`: key pairs for processes on several machines. */

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <czmq.h>

#include "actors/tap/tap_command.h"
#include "actors/tap/tap_table.h"
#include "common/bus.h"
#include "common/keyring.h"

#define DIR_MAX 480 /* bytes, as bus.curve_dir */
#define PATH_SIZE (DIR_MAX + 128)

static struct {
	const char *role, *dir;
} values;

#define ROW(name_, value_, member, max_, meaning_) \
	{ \
		.name = name_, .kind = OPTION_TEXT, .value = value_, .min = 1, .max = max_, \
		.offset = offsetof(__typeof__(values), member), .meaning = meaning_ \
	}

static const struct option_row rows[] = {
	ROW("role", "ROLE", role, NAME_MAX_BYTES,
	    "new: what the process is: registry, gateway, operator ... (default: from NAME)"),
	ROW("dir", "DIR", dir, DIR_MAX, "where the keys are (default: bus.curve_dir of --conf)"),
};

static const char *const examples[] = {
	"weir keys new registry --dir /etc/weir/curve",
	"weir keys new gateway-1 --role gateway --conf /etc/weir/weir.conf",
	"weir keys new operator --role operator --dir ~/.weir",
	"weir keys list --dir /etc/weir/curve -o json | jq -r '.[] | select(.secret) | .name'",
	NULL,
};

static const char *find_dir(const struct cli *cli)
{
	if (values.dir)
		return values.dir;
	if (cli->config && *cli->config->bus_curve_dir)
		return cli->config->bus_curve_dir;
	say("keys needs --dir DIR, or --conf FILE with a bus.curve_dir");
	return NULL;
}

/* new */

struct pair {
	char secret[PATH_SIZE], public[PATH_SIZE]; /* the files */
};

static bool make_folder(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return true;
	say("cannot make %s: %s", path, strerror(errno));
	return false;
}

static bool make_folders(const char *dir, const char *role)
{
	char path[PATH_SIZE];

	if (!make_folder(dir))
		return false;
	(void)snprintf(path, sizeof path, "%s/allow", dir);
	if (!make_folder(path))
		return false;
	(void)snprintf(path, sizeof path, "%s/allow/%s", dir, role);
	return make_folder(path);
}

/* The public half of @cert, readable for all, in a file that was not there. */
static int save_public(zcert_t *cert, const struct pair *pair)
{
	(void)umask(022);
	if (zcert_save_public(cert, pair->public) == 0)
		return EXIT_DONE;
	say("cannot write %s: %s", pair->public, strerror(errno));
	return EXIT_USAGE;
}

static int save_pair(zcert_t *cert, const struct pair *pair)
{
	(void)umask(077);
	if (zcert_save_secret(cert, pair->secret) != 0 || chmod(pair->secret, 0600) != 0) {
		say("cannot write %s: %s", pair->secret, strerror(errno));
		return EXIT_USAGE;
	}
	return save_public(cert, pair);
}

static int make_pair(const char *name, const char *role, const struct pair *pair)
{
	bool has_secret = access(pair->secret, F_OK) == 0;
	bool has_public = access(pair->public, F_OK) == 0;

	if (has_secret && has_public) {
		(void)printf("%s is there already, nothing is changed\n", pair->secret);
		return EXIT_DONE;
	}
	if (has_public) {
		say("%s is there, its secret key is not here: take a copy of it from where it is; "
		    "or, for a new key, remove that file first",
		    pair->public);
		return EXIT_USAGE;
	}
	zcert_t *cert = has_secret ? zcert_load(pair->secret) : zcert_new();

	if (!cert) {
		say("cannot read %s", pair->secret);
		return EXIT_USAGE;
	}
	zcert_set_meta(cert, "name", "%s", name);
	zcert_set_meta(cert, "role", "%s", role);
	int r = has_secret ? save_public(cert, pair) : save_pair(cert, pair);

	zcert_destroy(&cert);
	if (r == EXIT_DONE)
		(void)printf("%s: secret, for the machine of %s alone\n%s: public, for every "
			     "machine\n",
			     pair->secret, name, pair->public);
	return r;
}

static int new_keys(const struct cli *cli, const char *dir, const char *name)
{
	const char *role = values.role ? values.role : words_name(&role_words, bus_role(name));
	uint32_t number = words_find(&role_words, text_of(role), ROLE_NONE);
	struct pair pair;

	(void)cli;
	if (!keyring_is_name(name, strlen(name))) {
		say("a name has 1 to %d of a-z, 0-9 and -, not '%s'", NAME_MAX_BYTES, name);
		return EXIT_USAGE;
	}
	if (number == ROLE_NONE || number == ROLE_PROVIDER) {
		say("keys new %s needs --role: registry, lifecycle-scheduler, unmanaged-adapter, "
		    "managed-adapter, gateway or operator",
		    name);
		return EXIT_USAGE;
	}
	if (bus_role(name) != ROLE_NONE && bus_role(name) != number) {
		say("%s can be the name of a %s alone", name,
		    words_name(&role_words, bus_role(name)));
		return EXIT_USAGE;
	}
	if (!make_folders(dir, role))
		return EXIT_USAGE;
	(void)snprintf(pair.secret, sizeof pair.secret, "%s/%s.key_secret", dir, name);
	(void)snprintf(pair.public, sizeof pair.public, "%s/allow/%s/%s.pub", dir, role, name);
	return make_pair(name, role, &pair);
}

/* list */

static bool has_secret(const char *dir, const struct zap_allowed *item)
{
	char path[PATH_SIZE];

	(void)snprintf(path, sizeof path, "%s/%s.key_secret", dir, item->name);
	return item->current && access(path, F_OK) == 0;
}

static void print_json(const char *dir, const struct zap_allow *allow, enum format format)
{
	struct json_rows list;

	json_rows_begin(&list, stdout, format);
	for (size_t i = 0; i < allow->count; i++) {
		const struct zap_allowed *item = &allow->items[i];
		struct json_out *json = json_row_open(&list);

		json_out_word(json, "role", words_name(&role_words, item->role));
		json_out_word(json, "name", item->name);
		json_out_word(json, "public_key", item->key);
		json_out_bool(json, "secret", has_secret(dir, item));
		json_row_close(&list);
	}
	json_rows_end(&list);
}

static void print_table(const struct cli *cli, const char *dir, const struct zap_allow *allow)
{
	static const struct text_table_column columns[] = {
		{ .title = "ROLE" },
		{ .title = "NAME" },
		{ .title = "PUBLIC KEY" },
		{ .title = "SECRET" },
	};
	struct text_table table;

	text_table_init(&table, columns, COUNT_OF(columns));
	for (size_t i = 0; i < allow->count; i++) {
		const struct zap_allowed *item = &allow->items[i];

		text_table_add_string(&table, words_name(&role_words, item->role), COLOUR_NONE);
		text_table_add_string(&table, item->name, COLOUR_NONE);
		text_table_add_string(&table, item->key, COLOUR_DIM);
		text_table_add_string(&table, has_secret(dir, item) ? "here" : "-", COLOUR_NONE);
	}
	text_table_print(&table, stdout, cli->width, cli->colour);
	text_table_fini(&table);
}

static int list_keys(const struct cli *cli, const char *dir)
{
	static struct zap_allow allow; /* too large for a stack */
	char error[KEYRING_ERROR_SIZE];

	if (keyring_read_allow(dir, &allow, error) != 0) {
		say("%s", error);
		return EXIT_USAGE;
	}
	if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL)
		print_json(dir, &allow, cli->format);
	else if (allow.count == 0)
		(void)puts("no keys");
	else
		print_table(cli, dir, &allow);
	return EXIT_DONE;
}

static int run(const struct cli *cli, const struct option_words *words)
{
	const char *word = words->items[0];
	const char *dir = find_dir(cli);

	if (!dir)
		return EXIT_USAGE;
	if (strcmp(word, "new") == 0 && words->count == 2)
		return new_keys(cli, dir, words->items[1]);
	if (strcmp(word, "list") == 0 && words->count == 1 && !values.role)
		return list_keys(cli, dir);
	say("keys takes `new NAME --role ROLE` or `list`; `weir keys --help` says more");
	return EXIT_USAGE;
}

const struct command command_keys = {
	.name = "keys",
	.words_usage = "new NAME|list",
	.summary = "make and list the keys of processes on several machines",
	.about = "Needed where bus.transport is tcp; docs/two-machines.md says how.  Talks to "
		 "nobody.\n"
		 "  new NAME   make the pair of the process NAME: DIR/NAME.key_secret, which only "
		 "its\n"
		 "             machine may have, and DIR/allow/ROLE/NAME.pub, which every machine "
		 "needs.\n"
		 "             A key that is there is never overwritten: that is said, and it is "
		 "done.\n"
		 "  list       who is let in, as DIR/allow has it, and whose secret key is here\n",
	.examples = examples,
	.options = rows,
	.option_count = COUNT_OF(rows),
	.values = &values,
	.words_min = 1,
	.words_max = 2,
	.offline = true,
	.run = run,
};
