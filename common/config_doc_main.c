/* SPDX-License-Identifier: MIT */
/* weir-config-doc - print deploy/weir.conf. */
#include <stdlib.h>

#include "common/config_doc.h"

int main(void)
{
	config_doc_write(stdout);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
