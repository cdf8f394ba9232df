/* SPDX-License-Identifier: MIT */
/* ini.h - INI files, read strictly: weir.conf and the app directory.
 *
 * A file consists of "[section]" lines, "key = value" lines, comment lines that start with '#' or
 * ';', and empty lines; a line is never continued.  Whatever else it holds is refused with its
 * line, as is a section or a key given twice.  ini.c alone sees libini_config.
 */
#pragma once

#include <stddef.h>

#define INI_FILE_MAX (4 * 1024 * 1024) /* bytes */
#define INI_SECTIONS_MAX 65536
#define INI_SECTION_MAX 128 /* bytes; as long as a package name may be */
#define INI_KEY_MAX 64 /* bytes */
#define INI_VALUE_MAX 4096 /* bytes */
#define INI_REASON_SIZE 256

enum {
	_INI_E_SUCCESS,
	INI_E_INVALID, /* @fault says what is wrong, and where */
	INI_E_STOPPED, /* the visitor did not want to go on */
};

struct ini_entry {
	const char *section;
	const char *key; /* NULL: the section line itself */
	const char *value; /* without white space around it */
	unsigned line; /* from 1 */
};

/* Sees every section line, each followed by its keys in the order of the file.  Entries are
 * borrowed for the call.  Returns 0, or anything else to stop.
 */
struct ini_visitor {
	void *context;
	int (*visit)(void *context, const struct ini_entry *entry);
};

struct ini_fault {
	unsigned line; /* 0: the file as a whole */
	char reason[INI_REASON_SIZE];
};

/* ini_read() - the whole of the regular file @path, in memory the caller frees.
 *
 * Return: 0; -EFBIG beyond @max bytes, -ENODEV for what is not a regular file, or -errno.
 */
int ini_read(const char *path, size_t max, char **bytes, size_t *length);

/* ini_parse() - show @length bytes at @bytes to @visitor.
 *
 * A fault may be found after @visitor has seen earlier sections: build aside, then take over.
 *
 * Return: 0, INI_E_INVALID, INI_E_STOPPED or -ENOMEM.
 */
int ini_parse(const char *bytes, size_t length, const struct ini_visitor *visitor,
	      struct ini_fault *fault);
