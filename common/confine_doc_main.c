/* SPDX-License-Identifier: MIT */
/* weir-confine-doc - print the table of docs/hardening.md. */
#include <stdlib.h>

#include "common/confine.h"

int main(void)
{
	confine_write_table(stdout);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
