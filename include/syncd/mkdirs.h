/* Making a directory and those above it.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_MKDIRS_H
#define SYNCD_MKDIRS_H

#include "syncd/error.h"

/* mkdir -p: makes what is missing of the absolute `path`, private to the user (0700). Fails with
 * SYNCD_EIO or SYNCD_ENOSPC naming the directory. */
int mkdirs(const char *path, struct error *err);

#endif
