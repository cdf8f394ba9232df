/* SPDX-License-Identifier: MIT */
/* weir-events-doc - print docs/events.md. */
#include <stdlib.h>

#include "proto/events_doc.h"

int main(void)
{
	events_doc_write(stdout);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
