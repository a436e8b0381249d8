/* Refusals in words, each with where it was seen.
 * SPDX-License-Identifier: MIT */
#include "syncd/refusal.h"

#include "syncd/must.h"

bool refusal_is_temporary(struct slice text)
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
		if (slice_case_contains(text, words[i]))
			return true;
	}
	return false;
}
