/* Dates in message headers (RFC 5322 §3.3) as seconds since 1970. Pure arithmetic: no time zone of
 * the process takes part.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_MAIL_DATE_H
#define SYNCD_MAIL_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/buf.h"

/* Reads "Mon, 7 Feb 1994 21:52:25 -0800 (PST)": day of the week and comments anywhere, or none;
 * zones by name (§4.3: others than those named there count as UTC), also behind a number; else as
 * lenient as imap_date_parse. Returns false, *seconds untouched, when it is no date. */
bool mail_date_parse(struct slice text, int64_t *seconds);

/* The date of a Received field's body: what is behind its last semicolon (§3.6.7). */
bool mail_date_of_received(struct slice body, int64_t *seconds);

#endif
