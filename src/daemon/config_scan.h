/* What libConfuse does not notice about a file, or does not get right.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_DAEMON_CONFIG_SCAN_H
#define SYNCD_DAEMON_CONFIG_SCAN_H

#include <stddef.h>

struct scan_findings {
	const char *fault; /* NULL: none; a static string */
	int line;          /* of the fault */
	int open_line;     /* of the outermost `{` without its `}`; 0: there is none */
};

/* Makes a file's text fit for libConfuse, in place: comments become blanks, as it counts the lines
 * of some of them more than once. `text` is NUL-terminated behind `len`. Faults are a string or a
 * comment that never ends, a variable that is not set (libConfuse takes it for an empty one), and a
 * NUL byte. */
struct scan_findings scan_text(char *text, size_t len);

#endif
