/* SPDX-License-Identifier: MIT */
/* weir-phase-doc - print docs/cloud-architecture/phases.md. */
#include <stdlib.h>

#include "common/phase_doc.h"

int main(void)
{
	phase_doc_write(stdout);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
