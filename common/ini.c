/* SPDX-License-Identifier: MIT */
#include "common/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini_configobj.h>

#include "common/error.h"
#include "proto/escape.h"

#define LINE_MAX_BYTES (INI_KEY_MAX + INI_VALUE_MAX + 64)

/* One section: its lines, from "[name]" up to the next section. */
struct section {
	struct text name;
	struct text lines;
	unsigned first_line;
};

struct sections {
	struct section *items;
	size_t count, size;
};

static int refuse(struct ini_fault *fault, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct ini_fault *fault, unsigned line, const char *format, ...)
{
	va_list args;

	fault->line = line;
	va_start(args, format);
	(void)vsnprintf(fault->reason, sizeof fault->reason, format, args);
	va_end(args);
	return INI_E_INVALID;
}

static int read_all(int fd, size_t size, char *bytes, size_t *length)
{
	ssize_t got;

	for (*length = 0; *length < size; *length += (size_t)got) {
		got = read(fd, bytes + *length, size - *length);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got < 0)
			return -errno;
		else if (got == 0)
			break;
	}
	return 0;
}

int ini_read(const char *path, size_t max, char **bytes, size_t *length)
{
	/* O_NONBLOCK: opening a named pipe must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	int r;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		r = -errno;
	else if (!S_ISREG(status.st_mode))
		r = -ENODEV;
	else if (status.st_size > (off_t)max)
		r = -EFBIG;
	else
		r = 0;
	/* One byte more than allowed, so that a file that grows meanwhile is noticed. */
	char *buffer = r == 0 ? malloc(max + 1) : NULL;
	size_t used = 0;

	if (r == 0)
		r = buffer ? read_all(fd, max + 1, buffer, &used) : err_raise(-ENOMEM);
	if (r == 0 && used > max)
		r = -EFBIG;
	(void)close(fd);
	if (r < 0) {
		free(buffer);
		return r;
	}
	*bytes = buffer;
	*length = used;
	return 0;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static bool is_name(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

static struct text trimmed(struct text line)
{
	while (line.length > 0 && is_blank(line.bytes[line.length - 1]))
		line.length--;
	return line;
}

static int check_bytes(struct text line, unsigned number, struct ini_fault *fault)
{
	if (line.length > LINE_MAX_BYTES)
		return refuse(fault, number, "the line is longer than %d bytes", LINE_MAX_BYTES);
	while (line.length > 0) {
		unsigned char byte = (unsigned char)line.bytes[0];
		size_t length = escape_utf8(line);

		if (length == 0)
			return refuse(fault, number, "not UTF-8 text; save the file as UTF-8");
		if ((byte < 0x20 && !is_blank((char)byte)) || byte == 0x7f)
			return refuse(fault, number, "holds the control byte 0x%02x", byte);
		line.bytes += length;
		line.length -= (uint32_t)length;
	}
	return 0;
}

static int add_section(struct sections *sections, struct text line, unsigned number,
		       struct ini_fault *fault)
{
	struct text name = { line.bytes + 1, 0 };

	while (1 + name.length < line.length && is_name(name.bytes[name.length]))
		name.length++;
	if (name.length == 0 || name.length + 2 != line.length ||
	    line.bytes[line.length - 1] != ']')
		return refuse(fault, number,
			      "a section line is [name], of letters, digits, '.', '_' and '-'");
	if (name.length > INI_SECTION_MAX)
		return refuse(fault, number, "the section's name is longer than %d bytes",
			      INI_SECTION_MAX);
	if (sections->count == INI_SECTIONS_MAX)
		return refuse(fault, number, "more than %d sections", INI_SECTIONS_MAX);
	if (sections->count == sections->size) {
		size_t size = sections->size ? sections->size * 2 : 64;
		struct section *items = reallocarray(sections->items, size, sizeof *items);

		if (!items)
			return err_raise(-ENOMEM);
		sections->items = items;
		sections->size = size;
	}
	sections->items[sections->count++] =
		(struct section){ .name = name, .lines = { line.bytes, 0 }, .first_line = number };
	return 0;
}

/* The library answers an odd key in ways of its own, some without a line. */
static int check_key(struct text line, unsigned number, struct ini_fault *fault)
{
	const char *equal = memchr(line.bytes, '=', line.length);

	if (!equal)
		return 0; /* the library complains */
	struct text key = trimmed((struct text){ line.bytes, (uint32_t)(equal - line.bytes) });

	if (key.length > INI_KEY_MAX)
		return refuse(fault, number, "the key is longer than %d bytes", INI_KEY_MAX);
	for (uint32_t i = 0; i < key.length; i++)
		if (!is_name(key.bytes[i]))
			return refuse(fault, number,
				      "a key is of letters, digits, '.', '_' and '-'");
	return 0;
}

static int check_line(struct sections *sections, struct text line, unsigned number,
		      struct ini_fault *fault)
{
	int r = check_bytes(line, number, fault);

	if (r != 0)
		return r;
	line = trimmed(line);
	if (line.length == 0 || line.bytes[0] == '#' || line.bytes[0] == ';')
		return 0;
	if (is_blank(line.bytes[0]))
		return refuse(fault, number,
			      "begins with white space; begin it in the first column");
	if (line.bytes[0] == '[')
		return add_section(sections, line, number, fault);
	if (sections->count == 0)
		return refuse(fault, number, "stands before the first [section]");
	return check_key(line, number, fault);
}

/* Cut the file into sections.  The library would do it, in time that grows with the square of
 * their number: 66 s for an app directory of 10,000 packages, measured with 0.6.2.
 */
static int split(const char *bytes, size_t length, struct sections *sections,
		 struct ini_fault *fault)
{
	const char *end = bytes + length;
	unsigned number = 0;

	for (const char *at = bytes; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *next = newline ? newline + 1 : end;
		struct text line = { at, (uint32_t)((newline ? newline : end) - at) };
		int r = check_line(sections, line, ++number, fault);

		if (r != 0)
			return r;
		if (sections->count > 0) {
			struct section *last = &sections->items[sections->count - 1];

			last->lines.length = (uint32_t)(next - last->lines.bytes);
		}
		at = next;
	}
	return 0;
}

static int compare_names(const void *left, const void *right)
{
	const struct section *a = *(const struct section *const *)left;
	const struct section *b = *(const struct section *const *)right;
	uint32_t shorter = a->name.length < b->name.length ? a->name.length : b->name.length;
	int order = memcmp(a->name.bytes, b->name.bytes, shorter);

	if (order != 0)
		return order;
	if (a->name.length != b->name.length)
		return a->name.length < b->name.length ? -1 : 1;
	return a->first_line < b->first_line ? -1 : a->first_line > b->first_line;
}

static int check_doubles(const struct sections *sections, struct ini_fault *fault)
{
	const struct section **sorted = calloc(sections->count + 1, sizeof *sorted);
	int r = 0;

	if (!sorted)
		return err_raise(-ENOMEM);
	for (size_t i = 0; i < sections->count; i++)
		sorted[i] = &sections->items[i];
	qsort(sorted, sections->count, sizeof *sorted, compare_names);
	for (size_t i = 1; i < sections->count && r == 0; i++)
		if (text_equal(sorted[i - 1]->name, sorted[i]->name))
			r = refuse(fault, sorted[i]->first_line,
				   "section [%.*s] is there already, at line %u; join the two",
				   (int)sorted[i]->name.length, sorted[i]->name.bytes,
				   sorted[i - 1]->first_line);
	free(sorted);
	return r;
}

/* The library's complaints read "Error (10) on line 3: Duplicate key is not allowed." */
static int library_fault(struct ini_cfgobj *object, unsigned first_line, struct ini_fault *fault)
{
	static const char *const reasons[] = {
		[ERR_NOEQUAL] = "not of the form key = value",
		[ERR_NOKEY] = "there is no key before the '='",
		[ERR_DUPKEY] = "the key is there already in this section; delete one of the two",
	};
	unsigned code = 0, line = 1;
	char **errors = NULL;

	if (ini_config_get_errors(object, &errors) != 0)
		return err_raise(-ENOMEM);
	const char *text = errors && errors[0] ? errors[0] : "cannot be read";

	if (sscanf(text, "Error (%u) on line %u", &code, &line) != 2 || line == 0)
		code = 0, line = 1;
	bool known = code < sizeof reasons / sizeof reasons[0] && reasons[code];

	(void)refuse(fault, first_line + line - 1, "%s", known ? reasons[code] : text);
	ini_config_free_errors(errors);
	return INI_E_INVALID;
}

static int visit_key(const char *section, char *key, struct ini_cfgobj *object, unsigned first_line,
		     const struct ini_visitor *visitor, struct ini_fault *fault)
{
	struct value_obj *value = NULL;
	const char *string = NULL;
	uint32_t line = 0;

	if (ini_get_config_valueobj(section, key, object, INI_GET_FIRST_VALUE, &value) != 0 ||
	    !value || value_get_line(value, &line) != 0 ||
	    value_get_concatenated(value, &string) != 0 || !string)
		return err_raise(-ENOMEM);
	line += first_line - 1;
	if (strlen(string) > INI_VALUE_MAX)
		return refuse(fault, line, "the value is longer than %d bytes", INI_VALUE_MAX);
	const struct ini_entry entry = { section, key, string, line };

	return visitor->visit(visitor->context, &entry) == 0 ? 0 : INI_E_STOPPED;
}

static int visit_parsed(const char *name, const struct section *section, struct ini_cfgobj *object,
			const struct ini_visitor *visitor, struct ini_fault *fault)
{
	const struct ini_entry head = { .section = name, .line = section->first_line };
	int count = 0, error = 0, r = 0;

	if (visitor->visit(visitor->context, &head) != 0)
		return INI_E_STOPPED;
	char **keys = ini_get_attribute_list(object, name, &count, &error);

	if (!keys)
		return err_raise(-ENOMEM);
	for (int i = 0; i < count && r == 0; i++)
		r = visit_key(name, keys[i], object, section->first_line, visitor, fault);
	ini_free_attribute_list(keys);
	return r;
}

static int visit_section(const struct section *section, const struct ini_visitor *visitor,
			 struct ini_fault *fault)
{
	struct ini_cfgobj *object = NULL;
	struct ini_cfgfile *file = NULL;
	char name[INI_SECTION_MAX + 1];
	int r;

	(void)text_put(section->name, name, sizeof name);
	if (ini_config_create(&object) != 0)
		return err_raise(-ENOMEM);
	if (ini_config_file_from_mem((void *)(uintptr_t)section->lines.bytes, section->lines.length,
				     &file) != 0) {
		r = err_raise(-ENOMEM); /* its other reason, bad UTF-8, is excluded above */
	} else {
		r = ini_config_parse(file, INI_STOP_ON_ANY, INI_MV1S_ERROR | INI_MS_ERROR,
				     INI_PARSE_NOWRAP | INI_PARSE_NO_C_COMMENTS, object);
		if (r == 0)
			r = visit_parsed(name, section, object, visitor, fault);
		else if (r == ENOMEM)
			r = err_raise(-ENOMEM);
		else
			r = library_fault(object, section->first_line, fault);
	}
	ini_config_file_destroy(file);
	ini_config_destroy(object);
	return r;
}

int ini_parse(const char *bytes, size_t length, const struct ini_visitor *visitor,
	      struct ini_fault *fault)
{
	struct sections sections = { 0 };
	int r;

	if (length > INI_FILE_MAX)
		return refuse(fault, 0, "larger than %d bytes", INI_FILE_MAX);
	r = split(bytes, length, &sections, fault);
	if (r == 0)
		r = check_doubles(&sections, fault);
	for (size_t i = 0; i < sections.count && r == 0; i++)
		r = visit_section(&sections.items[i], visitor, fault);
	free(sections.items);
	return r;
}
