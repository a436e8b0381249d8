/* What the lines of POP3 responses say (RFC 1939 §3, §5, §7; RFC 2449 §3, §5, §8). Each function
 * reads one line without its end; slices it gives point into that.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_POP3_LINE_H
#define SYNCD_POP3_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/buf.h"

/* Bytes of a unique-id. RFC 1939 has 70; 288 were seen
 * (jbostoen/itop-jb-mail-to-ticket-automation-v2#60). */
#define POP3_UID_MAX 480

#define POP3_CODE_MAX 64       /* bytes of a response code, without its argument */
#define POP3_TIMESTAMP_MAX 255 /* bytes of a greeting's timestamp */

enum pop3_indicator {
	POP3_OK,
	POP3_ERR,
	POP3_CHALLENGE, /* "+ " of an exchange (RFC 5034 §4) */
};

/* A response's first line. */
struct pop3_status {
	enum pop3_indicator indicator;
	struct slice code;          /* "SYS/TEMP" of "[SYS/TEMP] text"; empty: none */
	struct slice code_argument; /* "300" of "[LOGIN-DELAY 300]", which is seen though no RFC
				     * has it; or empty */
	struct slice text;          /* what follows; of a challenge the base64 */
};

/* False: it is no such line. "+ERR" is a refusal (hmailserver/hmailserver#594); the indicator may
 * be in any case, and a blank behind it missing. A code is read whether or not RESP-CODES is
 * offered: it can come before that is known. */
bool pop3_line_status(struct slice line, struct pop3_status *status);

/* The code is `name`, or more detailed: "SYS" and "SYS/TEMP" are both of "SYS/TEMP/DISK". */
bool pop3_line_has_code(const struct pop3_status *status, const char *name);

/* A LIST line: message number and size; whatever else it says is ignored (RFC 1939 §5). */
bool pop3_line_scan(struct slice line, uint32_t *number, uint64_t *size_bytes);

/* A UIDL line. The unique-id is all that follows the number, blanks around it left out: not
 * empty, no control characters, at most POP3_UID_MAX bytes. */
bool pop3_line_unique_id(struct slice line, uint32_t *number, struct slice *uid);

/* The text of STAT's answer: how many messages, and their size together. */
bool pop3_line_drop(struct slice text, uint32_t *count, uint64_t *size_bytes);

/* Finds the timestamp for APOP in a greeting's text, "<" and ">" with it. Only a proper msg-id
 * counts: others are how an attacker shapes digests (CVE-2007-1558). */
bool pop3_line_timestamp(struct slice text, struct slice *timestamp);

/* Takes the next word off `rest`; false: there is none. */
bool pop3_line_word(struct slice *rest, struct slice *word);

/* A whole word in digits, at most `most`. */
bool pop3_line_number(struct slice word, uint64_t most, uint64_t *value);

#endif
