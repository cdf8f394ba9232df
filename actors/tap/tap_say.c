/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_say.h"

#include <stdarg.h>
#include <stdio.h>

void say(const char *format, ...)
{
	va_list args;

	(void)fputs("weir: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
}
