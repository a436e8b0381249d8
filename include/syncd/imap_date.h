/* IMAP's INTERNALDATE (RFC 3501 §9, date-time) as seconds since 1970. Pure arithmetic:
 * no time zone of the process takes part.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_IMAP_DATE_H
#define SYNCD_IMAP_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/buf.h"

#define IMAP_DATE_SIZE 27 /* "17-Jul-1996 02:44:25 +0000" and NUL */

/* Writes the date in UTC without quotes, the day padded with a space. What lies outside of the
 * years 1 to 9999 becomes the nearest date inside. */
void imap_date_format(int64_t seconds, char out[IMAP_DATE_SIZE]);

/* Reads " 7-Feb-1994 21:52:25 -0800". Lenient where servers are loose: spaces
 * around, one or two digits of the day, blanks for the hyphens, months in any case, years of two
 * digits (RFC 5322 §4.3), no seconds, second 60, GMT, UT, UTC or Z for the zone, no zone at
 * all (UTC). Returns false, *seconds untouched, when it is no date. */
bool imap_date_parse(struct slice text, int64_t *seconds);

#endif
