/* SPDX-License-Identifier: MIT */
#include "common/keyring.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/ini.h"
#include "common/secret.h"

#define CERT_FILE_MAX 4096 /* bytes; czmq writes some 400 */
#define PATH_SIZE 768
#define PUBLIC_SUFFIX ".pub"
#define Z85_DIGITS \
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"

static int refuse(char *error, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char *error, const char *path, const char *format, ...)
{
	int length = snprintf(error, KEYRING_ERROR_SIZE, "%s: ", path);
	va_list args;

	va_start(args, format);
	if (length > 0 && length < KEYRING_ERROR_SIZE)
		(void)vsnprintf(error + length, KEYRING_ERROR_SIZE - (size_t)length, format, args);
	va_end(args);
	return KEYRING_E_INVALID;
}

/* certificates */

/* What a certificate holds; empty: it does not. */
struct cert {
	char public_key[ZAP_KEY_LENGTH + 1], secret_key[ZAP_KEY_LENGTH + 1];
};

/* The quoted value of a line "    name = "value""; false if the line is something else. */
static bool read_value(struct text line, const char *name, struct text *value)
{
	while (line.length > 0 && (*line.bytes == ' ' || *line.bytes == '\t'))
		line = (struct text){ line.bytes + 1, line.length - 1 };
	size_t length = strlen(name);

	if (line.length <= length || memcmp(line.bytes, name, length) != 0)
		return false;
	line = (struct text){ line.bytes + length, line.length - (uint32_t)length };
	while (line.length > 0 && (*line.bytes == ' ' || *line.bytes == '='))
		line = (struct text){ line.bytes + 1, line.length - 1 };
	while (line.length > 0 &&
	       (line.bytes[line.length - 1] == '\r' || line.bytes[line.length - 1] == ' '))
		line.length--;
	if (line.length < 2 || line.bytes[0] != '"' || line.bytes[line.length - 1] != '"')
		*value = TEXT("");
	else
		*value = (struct text){ line.bytes + 1, line.length - 2 };
	return true;
}

static bool take_key(struct text value, char *key)
{
	if (value.length != ZAP_KEY_LENGTH || *key)
		return false;
	(void)text_put(value, key, ZAP_KEY_LENGTH + 1);
	return strspn(key, Z85_DIGITS) == ZAP_KEY_LENGTH;
}

/* Return: 0, or the line that is wrong. */
static unsigned read_lines(struct text rest, struct cert *cert)
{
	struct text value;

	for (unsigned number = 1; rest.length > 0; number++) {
		const char *end = memchr(rest.bytes, '\n', rest.length);
		uint32_t length = end ? (uint32_t)(end - rest.bytes) : rest.length;
		struct text line = { rest.bytes, length };

		if ((read_value(line, "public-key", &value) &&
		     !take_key(value, cert->public_key)) ||
		    (read_value(line, "secret-key", &value) && !take_key(value, cert->secret_key)))
			return number;
		length += end != NULL;
		rest = (struct text){ rest.bytes + length, rest.length - length };
	}
	return 0;
}

static int read_cert(const char *path, struct cert *cert, char *error)
{
	size_t length;
	char *bytes;
	int r = ini_read(path, CERT_FILE_MAX, &bytes, &length);

	*cert = (struct cert){ 0 };
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return refuse(error, path, "%s; `weir keys new` makes keys", strerror(-r));

	unsigned line = read_lines((struct text){ bytes, (uint32_t)length }, cert);

	secret_wipe(bytes, length);
	free(bytes);
	if (line == 0 && *cert->public_key)
		return 0;
	secret_wipe(cert, sizeof *cert);
	if (line > 0)
		return refuse(error, path, "line %u: not a key of %d characters in quotes", line,
			      ZAP_KEY_LENGTH);
	return refuse(error, path, "holds no public-key; `weir keys new` makes keys");
}

static int read_public(const char *path, char *key, char *error)
{
	struct cert cert;
	int r = read_cert(path, &cert, error);

	if (r != 0)
		return r;
	bool secret = *cert.secret_key != '\0';

	secret_wipe(cert.secret_key, sizeof cert.secret_key);
	if (secret)
		return refuse(error, path,
			      "holds a secret key, which belongs nowhere but to its owner: delete "
			      "it and make a new one with `weir keys new`");
	memcpy(key, cert.public_key, sizeof cert.public_key);
	return 0;
}

static int read_pair(struct keyring *self, const char *name, char *error)
{
	char path[PATH_SIZE];
	struct stat status;
	struct cert cert;

	(void)snprintf(path, sizeof path, "%s/%s.key_secret", self->dir, name);
	if (stat(path, &status) == 0 && (status.st_mode & 077))
		return refuse(error, path,
			      "others than its owner may use it (mode %04o); run: chmod 600 %s",
			      (unsigned)status.st_mode & 07777, path);
	int r = read_cert(path, &cert, error);

	if (r != 0)
		return r;
	if (!*cert.secret_key)
		return refuse(error, path, "holds no secret-key; `weir keys new` makes keys");
	memcpy(self->public_key, cert.public_key, sizeof cert.public_key);
	memcpy(self->secret_key, cert.secret_key, sizeof cert.secret_key);
	secret_wipe(&cert, sizeof cert);
	return 0;
}

/* public keys */

bool keyring_is_name(const char *name, size_t length)
{
	return length > 0 && length <= NAME_MAX_BYTES &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") >= length;
}

static DIR *open_folder(const char *path, char *error)
{
	DIR *folder = opendir(path);
	struct stat status;

	if (!folder) {
		(void)refuse(error, path, "%s; `weir keys new` makes keys", strerror(errno));
		return NULL;
	}
	if (fstat(dirfd(folder), &status) == 0 && !(status.st_mode & 022))
		return folder;
	(void)closedir(folder);
	(void)refuse(error, path, "others may put keys there; run: chmod go-w %s", path);
	return NULL;
}

/* Whose key allow/@role/@file is: what stands before the first dot. */
static int add_key(struct zap_allow *allow, enum role role, const char *path, const char *file,
		   char *error)
{
	struct zap_allowed *item = &allow->items[allow->count];
	struct zap_allowed entry = { .role = role };
	size_t length = strcspn(file, ".");
	int r;

	entry.current = strcmp(file + length, PUBLIC_SUFFIX) == 0;

	if (!keyring_is_name(file, length))
		return refuse(error, path, "must be called after a process: a-z, 0-9, -");
	(void)text_put((struct text){ file, (uint32_t)length }, entry.name, sizeof entry.name);
	if ((r = read_public(path, entry.key, error)) != 0)
		return r;
	const struct zap_allowed *other = zap_find(allow, text_of(entry.key));

	if (other)
		return refuse(error, path, "is the key of %s too; every process has its own",
			      other->name);
	if (allow->count == ZAP_ALLOW_MAX)
		return refuse(error, path, "more than %d keys", ZAP_ALLOW_MAX);
	*item = entry;
	allow->count++;
	return 0;
}

static int read_role(struct zap_allow *allow, const char *parent, const char *role, char *error)
{
	uint32_t number = words_find(&role_words, text_of(role), ROLE_NONE);
	char path[PATH_SIZE], file[PATH_SIZE + NAME_MAX + 2];
	DIR *folder;
	int r = 0;

	if (snprintf(path, sizeof path, "%s/%s", parent, role) >= (int)sizeof path)
		return refuse(error, parent, "%s", strerror(ENAMETOOLONG));
	if (number == ROLE_NONE)
		return refuse(error, path,
			      "no such role; there are registry, lifecycle-scheduler, "
			      "unmanaged-adapter, managed-adapter, gateway, console, operator");
	if (!(folder = open_folder(path, error)))
		return KEYRING_E_INVALID;
	for (struct dirent *at = readdir(folder); at && r == 0; at = readdir(folder)) {
		size_t length = strlen(at->d_name), suffix = strlen(PUBLIC_SUFFIX);

		/* What an editor or a copy leaves behind lets nobody in. */
		if (*at->d_name == '.' || length <= suffix ||
		    strcmp(at->d_name + length - suffix, PUBLIC_SUFFIX) != 0)
			continue;
		(void)snprintf(file, sizeof file, "%s/%s", path, at->d_name);
		r = add_key(allow, (enum role)number, file, at->d_name, error);
	}
	(void)closedir(folder);
	return r;
}

int keyring_read_allow(const char *dir, struct zap_allow *allow, char *error)
{
	char path[PATH_SIZE];
	DIR *folder;
	int r = 0;

	allow->count = 0;
	(void)snprintf(path, sizeof path, "%s/allow", dir);
	if (!(folder = open_folder(path, error)))
		return KEYRING_E_INVALID;
	for (struct dirent *at = readdir(folder); at && r == 0; at = readdir(folder))
		if (*at->d_name != '.')
			r = read_role(allow, path, at->d_name, error);
	(void)closedir(folder);
	return r;
}

/* the whole */

int keyring_open(const char *dir, const char *name, struct keyring **out, char *error)
{
	struct keyring *self = calloc(1, sizeof *self);
	int r;

	if (!self)
		return -ENOMEM;
	(void)snprintf(self->dir, sizeof self->dir, "%s", dir);
	r = read_pair(self, name, error);
	if (r == 0)
		r = keyring_read_allow(dir, &self->allow, error);
	if (r == 0)
		*out = self;
	else
		keyring_close(self);
	return r;
}

void keyring_close(struct keyring *self)
{
	if (!self)
		return;
	secret_wipe(self->secret_key, sizeof self->secret_key);
	free(self);
}

int keyring_reload(struct keyring *self, char *error, size_t *removed)
{
	CLEANUP(free_at) void *memory = malloc(sizeof(struct zap_allow));
	struct zap_allow *fresh = memory;
	int r;

	if (!fresh)
		return -ENOMEM;
	r = keyring_read_allow(self->dir, fresh, error);
	if (r != 0)
		return r;
	*removed = 0;
	for (size_t i = 0; i < self->allow.count; i++)
		*removed += !zap_find(fresh, text_of(self->allow.items[i].key));
	self->allow = *fresh;
	return 0;
}

const char *keyring_server(const struct keyring *self, enum role role, const char *name)
{
	for (size_t i = 0; i < self->allow.count; i++)
		if (self->allow.items[i].role == role && self->allow.items[i].current &&
		    strcmp(self->allow.items[i].name, name) == 0)
			return self->allow.items[i].key;
	return NULL;
}
