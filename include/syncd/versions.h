/* --version.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_VERSIONS_H
#define SYNCD_VERSIONS_H

/* Prints the program's version and those of the linked libraries on stdout. */
void versions_print(const char *program);

#endif
