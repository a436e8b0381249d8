/* What a lost connection left open: a server may still be carrying out what was sent before, and
 * store an upload, or remove a message, when another connection has looked already. It is left
 * alone for a while. Pure. SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_WAITING_H
#define SYNCD_SYNC_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/record.h"
#include "syncd/uidset.h"

struct sync_waiting {
	char **names; /* of files that may be on the server by now */
	size_t count;
	size_t cap;
	/* With names: the last UID there was when they were looked for. One behind it may be
	 * theirs. */
	uint32_t looked_uid;
	struct uidset uids; /* of messages that may be gone from there */
};

void sync_waiting_free(struct sync_waiting *waiting);

/* Takes up an entry of JOURNAL_APPEND or JOURNAL_EXPUNGE. */
void sync_waiting_add(struct sync_waiting *waiting, const struct journal_record *journal);
/* Behind the last one, before anything is asked. */
void sync_waiting_sort(struct sync_waiting *waiting);
/* `waiting` NULL: nothing waits; `name` may be NULL too. */
bool sync_waiting_has_name(const struct sync_waiting *waiting, const char *name);
/* Whether a message that is new on the server may be one of those; uid may be 0: of none. */
bool sync_waiting_has_come(const struct sync_waiting *waiting, uint32_t uid);

/* For how many seconds an entry still waits that a look at the server has left open now, of
 * `wait_s` from the first such look on. *looked_s is when that was. */
int64_t sync_waiting_left_s(const struct journal_record *journal, int64_t now_s, int64_t wait_s,
			    int64_t *looked_s);

#endif
