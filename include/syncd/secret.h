/* A password or token: wiped when freed, and of a type that printf cannot take.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SECRET_H
#define SYNCD_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_MAX 65536 /* bytes; OAuth tokens reach a few thousand */

struct secret; /* opaque: there is nothing to print by mistake */

/* A copy of `len` bytes (at most SECRET_MAX). The caller keeps and should wipe
 * its own copy. */
struct secret *secret_new(const char *bytes, size_t len);

struct secret *secret_copy(const struct secret *secret);

/* Wipes and frees; *secret becomes NULL. NULL inside is harmless. */
void secret_free(struct secret **secret);

/* The bytes, NUL-terminated, for the one place that sends them. */
const char *secret_bytes(const struct secret *secret);
size_t secret_len(const struct secret *secret);

/* Overwrites memory in a way the compiler keeps. */
void secret_wipe(void *memory, size_t len);

#endif
