/* What libConfuse does not notice about a file: a brace that is never closed.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_DAEMON_CONFIG_SCAN_H
#define SYNCD_DAEMON_CONFIG_SCAN_H

#include <stdio.h>

/* Reads to the end. The line of the outermost `{` without its `}`, 0 when there is none.
 * Strings and comments count as libConfuse reads them. */
int scan_unclosed_brace(FILE *file);

#endif
