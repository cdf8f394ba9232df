/* SPDX-License-Identifier: MIT */
/* managed_address.h - addresses: literal ones in URLs, in every form a resolver takes, and those
 * that names lead to.
 */
#pragma once

#include "proto/text.h"

enum managed_address {
	ADDRESS_NONE, /* not a literal: a name */
	ADDRESS_INVALID, /* neither */
	ADDRESS_PUBLIC,
	ADDRESS_INTERNAL, /* loopback, link-local, private, shared, multicast or reserved */
};

/* managed_address_4() - as inet_aton() reads it: one to four numbers, decimal, octal or hex. */
enum managed_address managed_address_4(struct text host);

/* managed_address_6() - what stands between the brackets; one that carries an IPv4 address is
 * judged by that.
 */
enum managed_address managed_address_6(struct text host);

#define MANAGED_ADDRESS_SIZE 16 /* IPv6; IPv4 as ::ffff:a.b.c.d */

/* managed_address_judge() - ADDRESS_PUBLIC or ADDRESS_INTERNAL. */
enum managed_address managed_address_judge(const uint8_t bytes[MANAGED_ADDRESS_SIZE]);
