/* Mailbox names in modified UTF-7 (RFC 3501 §5.1.3) from and to UTF-8.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_IMAP_UTF7_H
#define SYNCD_IMAP_UTF7_H

#include "syncd/buf.h"

/* Appends the encoded form of a UTF-8 name. Returns 0, SYNCD_EPROTO when the name
 * is not well-formed UTF-8 or holds a NUL, SYNCD_ELIMIT when `out` is full; nothing
 * is appended unless 0. */
int imap_utf7_encode(struct slice utf8, struct buf *out);

/* Appends the UTF-8 form of a name. Strict: 0 means that encoding the result
 * gives exactly `utf7` again. A server's name that is not such (8-bit bytes, a
 * shift that does not end, printable ASCII in base64, half a surrogate pair, ...) gives
 * SYNCD_EPROTO: it has no UTF-8 form and the caller must keep its bytes as they
 * are. SYNCD_ELIMIT when `out` is full; nothing is appended unless 0. */
int imap_utf7_decode(struct slice utf7, struct buf *out);

#endif
