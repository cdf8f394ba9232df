/* SPDX-License-Identifier: MIT */
/* keyring.h - the keys of a process on tcp, from bus.curve_dir: its own pair, and the public keys
 * of all it talks to.
 *
 *   <name>.key_secret             our pair; for its owner alone
 *   allow/<role>/<name>.pub       who may connect to us, and whom we connect to
 *   allow/<role>/<name>.<x>.pub   another key of the same process, while keys are changed
 *
 * The files are czmq's certificates (zcert), which `weir keys new` writes.
 */
#pragma once

#include "common/zap.h"

#define KEYRING_ERROR_SIZE 512

struct keyring {
	char dir[512];
	char public_key[ZAP_KEY_LENGTH + 1], secret_key[ZAP_KEY_LENGTH + 1];
	struct zap_allow allow;
};

enum {
	_KEYRING_E_SUCCESS,
	KEYRING_E_INVALID, /* @error says which file, what is wrong, and how to mend it */
};

/* keyring_open() - read the pair of @name and the public keys.
 *
 * @error has KEYRING_ERROR_SIZE bytes: "/etc/weir/curve/registry.key_secret: others than its
 * owner may use it (mode 0644); run: chmod 600 ...".
 *
 * Return: 0, KEYRING_E_INVALID or -ENOMEM.  @out is written only on success.
 */
int keyring_open(const char *dir, const char *name, struct keyring **out, char *error);
void keyring_close(struct keyring *self);

/* keyring_reload() - read the public keys again; on failure those there were stay.
 *
 * Return: 0, KEYRING_E_INVALID or -ENOMEM; @removed: how many there were that are no more.
 */
int keyring_reload(struct keyring *self, char *error, size_t *removed);

/* keyring_server() - the public key of the process @name, from allow/@role/@name.pub.
 *
 * Return: NULL if there is no such file.
 */
const char *keyring_server(const struct keyring *self, enum role role, const char *name);

/* keyring_read_allow() - the public keys alone, from @dir/allow.
 *
 * Return: 0, KEYRING_E_INVALID or -ENOMEM; @allow then holds a part of them.
 */
int keyring_read_allow(const char *dir, struct zap_allow *allow, char *error);

/* keyring_is_name() - whether a key file may be called that: 1 to NAME_MAX_BYTES of a-z, 0-9, -. */
bool keyring_is_name(const char *name, size_t length);
