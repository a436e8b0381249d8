/* What real servers do beside the standard, each with where it was seen.
 * Tolerances of the grammar itself are the parser's (imap_parser.h).
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <string.h>

#include "syncd/must.h"

#include "imap_private.h"

static bool contains_word(struct slice text, const char *word)
{
	size_t len = strlen(word);

	for (size_t at = 0; at + len <= text.len; at++) {
		if (slice_case_equals_str((struct slice){ text.data + at, len }, word))
			return true;
	}
	return false;
}

bool imap_quirk_is_throttled(struct slice text)
{
	static const char *const words[] = {
		"throttled", /* Outlook: "Request is throttled. Suggested Backoff
			      * Time: N milliseconds" (imapsync/imapsync#212) */
		"authenticated but not connected", /* Exchange: throttling among others
						    * (Webklex/php-imap#464) */
		"bandwidth limits", /* Gmail: "Account exceeded command or bandwidth limits."
				     * (ljmerza/ha-email-sensor#16) */
		"too many simultaneous connections", /* Gmail (imapsync/imapsync#61) */
		"too many connections",
		"maximum number of connections", /* Dovecot, mail_max_userip_connections
						  * (mscdex/node-imap#606) */
		"try again later",
		"temporarily unavailable",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (contains_word(text, words[i]))
			return true;
	}
	return false;
}

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
	return contains_word(server_name, "Cyrus") ? IMAP_CAP_OBJECTID : 0;
}

/* A UIDVALIDITY of 0 breaks the grammar but was seen (modern-email/defects#52). To us 0 means
 * "never synchronised", so it becomes a value that no clock-made UIDVALIDITY reaches soon. */
uint32_t imap_quirk_uidvalidity(uint32_t uidvalidity)
{
	return uidvalidity == 0 ? UINT32_MAX : uidvalidity;
}
