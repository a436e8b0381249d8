/* Whether LMDB may be trusted with a database file. It takes what stands in its pages for granted,
 * and damage there ends the process by a signal, or writes over what is good.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STORE_VERIFY_H
#define SYNCD_STORE_VERIFY_H

#include "syncd/error.h"

/* Reads through the file DIR/data.mdb of a database that nobody has open: both headers, every page
 * of every table, the lists of free pages. What LMDB finds in a file that passes leads it nowhere
 * but to pages of their kind, each with one use, and to keys in order. Of what the values mean only
 * their place is looked at. A missing or empty file passes, and so does one in a format that this
 * version of LMDB has not written (LMDB says so itself).
 *
 * 0, or SYNCD_EIO: damaged, or not readable. */
int verify_database(const char *dir, struct error *err);

#define VERIFY_STAMP_MAX 160

/* What changes whenever the file is written to or replaced; "" when there is none. */
void verify_stamp(const char *dir, char stamp[VERIFY_STAMP_MAX]);

#endif
