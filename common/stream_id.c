/* SPDX-License-Identifier: MIT */
#include "common/stream_id.h"

#define SPACE UINT64_C(3656158440062976) /* 36^10 */

void stream_id_make(char letter, uint64_t epoch, char id[STREAM_ID_SIZE])
{
	/* Multiplication by a number without the factors 2 and 3 permutes the space. */
	unsigned __int128 product = (unsigned __int128)(epoch % SPACE) * UINT64_C(2718281828459045);
	uint64_t scattered = (uint64_t)((product + UINT64_C(314159265358979)) % SPACE);

	id[0] = letter;
	for (int i = STREAM_ID_DIGITS; i > 0; i--, scattered /= 36)
		id[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[scattered % 36];
	id[STREAM_ID_DIGITS + 1] = '\0';
}
