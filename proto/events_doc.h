/* SPDX-License-Identifier: MIT */
/* events_doc.h - docs/events.md, made from schema.h and words.h. */
#pragma once

#include <stdio.h>

/* events_doc_write() - the whole page. */
void events_doc_write(FILE *to);
