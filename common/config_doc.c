/* SPDX-License-Identifier: MIT */
#include "common/config_doc.h"

#include <inttypes.h>
#include <string.h>

#include "common/config.h"

static const char head[] =
	"# weir.conf: every setting of weir, with its meaning, its bounds and its default.\n"
	"#\n"
	"# A setting that is commented out has the value shown; take the # away to change it.  A\n"
	"# comment needs a line of its own.  Values are written without quotes, numbers without a\n"
	"# unit: it stands in the key's name.  A relative path is relative to this file.\n"
	"#\n"
	"# The environment (WEIR_SECTION_KEY=value, in capitals) overrides this file, and --set\n"
	"# section.key=value overrides both.  Unknown keys and values that make no sense are "
	"refused\n"
	"# at the start (exit 78) with the line and the mend.\n"
	"#\n"
	"# Made by weir-config-doc from common/config.h; a unit test compares the two.\n";

static void write_key(FILE *to, const struct config_key *key)
{
	fprintf(to, "\n# %s\n", key->meaning);
	switch (key->type) {
	case CONFIG_INT:
		if (key->min == key->max)
			fprintf(to, "# only %" PRId64 "\n", key->min);
		else
			fprintf(to, "# %" PRId64 " to %" PRId64 "\n", key->min, key->max);
		break;
	case CONFIG_STR:
		if (key->min > 0)
			fprintf(to, "# text of %" PRId64 " to %" PRId64 " bytes\n", key->min,
				key->max);
		else
			fprintf(to, "# text of at most %" PRId64 " bytes\n", key->max);
		break;
	case CONFIG_FILE:
		fprintf(to, "# a file; empty: none\n");
		break;
	case CONFIG_DIR:
		fprintf(to, "# a directory; empty: none\n");
		break;
	case CONFIG_BOOL:
		fprintf(to, "# true or false\n");
		break;
	}
	fprintf(to, "#%s =%s%s\n", key->name, *key->otherwise ? " " : "", key->otherwise);
}

void config_doc_write(FILE *to)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	const char *section = "";

	fputs(head, to);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(keys[i].section, section) != 0)
			fprintf(to, "\n[%s]\n", keys[i].section);
		section = keys[i].section;
		write_key(to, &keys[i]);
	}
}
