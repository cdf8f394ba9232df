/* SPDX-License-Identifier: MIT */
/* config_doc.h - deploy/weir.conf, made from the table in config.h. */
#pragma once

#include <stdio.h>

/* config_doc_write() - the whole file: every key with its meaning, bounds and default. */
void config_doc_write(FILE *to);
