/* What real servers do beside the standard, each with where it was seen.
 * Tolerances of the grammar itself are the parser's (imap_parser.h).
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "imap_private.h"

/* Yahoo says UNAVAILABLE of single messages, for ever (imapsync/imapsync#119): a FETCH refused so
 * is about its messages, or they would hold up the mailbox for ever. */
bool imap_quirk_is_about_message(const struct error *err)
{
	return err->code == SYNCD_EBUSY && strcmp(err->server_code, "UNAVAILABLE") == 0;
}

/* Cyrus 3.6.1 fills MAILBOXID in STATUS with whatever is in its memory, parentheses and line ends
 * too, so that the response cannot be read (seen; its SELECT tells the right one, and FETCH the
 * right EMAILID). */
uint32_t imap_quirk_lacks(struct slice server_name)
{
	return slice_case_contains(server_name, "Cyrus") ? IMAP_CAP_OBJECTID : 0;
}

/* A UIDVALIDITY of 0 breaks the grammar but was seen (modern-email/defects#52). To us 0 means
 * "never synchronised", so it becomes a value that no clock-made UIDVALIDITY reaches soon. */
uint32_t imap_quirk_uidvalidity(uint32_t uidvalidity)
{
	return uidvalidity == 0 ? UINT32_MAX : uidvalidity;
}
