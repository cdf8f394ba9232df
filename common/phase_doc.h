/* SPDX-License-Identifier: MIT */
/* phase_doc.h - docs/cloud-architecture/phases.md, made from the tables of phase.c. */
#pragma once

#include <stdio.h>

/* phase_doc_write() - the whole page. */
void phase_doc_write(FILE *to);
