/* SPDX-License-Identifier: MIT */
/* stream_id.h - short ids that never repeat (protocol.md 0: 11 characters of [a-z0-9]). */
#pragma once

#include <stdint.h>

#define STREAM_ID_DIGITS 10
#define STREAM_ID_SIZE (STREAM_ID_DIGITS + 2) /* bytes, with letter and terminator */

/* stream_id_make() - the id of the stream with @epoch: @letter and ten base-36 digits.
 *
 * One to one for epochs below 36^10, so ids are as unique as epochs; scattered, so that nobody
 * counts streams by looking at two ids.
 */
void stream_id_make(char letter, uint64_t epoch, char id[STREAM_ID_SIZE]);
