/* SPDX-License-Identifier: MIT */
/* audit_client_file.h - the recordings of apps and glasses; the form is in the README. */
#pragma once

#include "actors/audit/audit.h"

/* client_line_read() - one JSON object.
 *
 * @out borrows from @line and from @room of @size bytes.
 *
 * Return: NULL, or what is wrong with the line.
 */
const char *client_line_read(struct text line, char *room, size_t size, struct client_line *out);
