/* What a mailbox is for, as its server says (RFC 6154 §2).
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SPECIAL_USE_H
#define SYNCD_SPECIAL_USE_H

#include "syncd/buf.h"

/* Of several that a mailbox has, the first of these counts: what is All or Flagged only shows what
 * is elsewhere. */
enum special_use {
	SPECIAL_USE_NONE,
	SPECIAL_USE_TRASH,
	SPECIAL_USE_SENT,
	SPECIAL_USE_DRAFTS,
	SPECIAL_USE_JUNK,
	SPECIAL_USE_ARCHIVE,
	SPECIAL_USE_ALL,
	SPECIAL_USE_FLAGGED,
};

/* "trash" and so on; NULL for none. A static string. */
const char *special_use_name(enum special_use use);

/* Of a mailbox attribute such as "\Trash", in any case; NONE for any other. */
enum special_use special_use_of_attribute(struct slice attribute);

/* Which of two uses of one mailbox counts. */
enum special_use special_use_join(enum special_use one, enum special_use other);

#endif
