/* What the files of the store share.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STORE_PRIVATE_H
#define SYNCD_STORE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "env.h"
#include "lock.h"
#include "syncd/list.h"
#include "syncd/loop.h"
#include "syncd/store.h"

/* One transaction at a time; what comes meanwhile waits in `queue`. While `job` runs, only its
 * thread touches `running` and `outcome`, and the map keeps its size. */
struct store_writer {
	struct loop_job job;
	struct loop_defer nothing; /* completes requests that change nothing */
	struct list queue;         /* of store_commit_req.op.link */
	struct list running;
	struct error err;
	int outcome; /* of the transaction: 0, ENV_MAP_FULL or a failure */
	bool is_busy;
};

/* Records read before the map is trimmed; what a read of its own counts as, whatever it finds. */
#define STORE_TRIM_RECORDS 2048
#define STORE_READ_RECORDS 64

struct store {
	struct loop *loop;
	struct env *env;
	int lock_fd;
	char *dir;
	char note[LOCK_NOTE_MAX + 1]; /* of who had the lock before */
	bool is_read_only;
	uint32_t next_mailbox_id;
	uint32_t next_pop3_id;
	char identity[STORE_IDENTITY_LEN + 1];
	char place[STORE_PLACE_MAX + 1];
	size_t read; /* records, since the map was trimmed */
	struct store_writer writer;
};

void store_writer_init(struct store *store);

/* Opens a broken environment anew, unless a transaction is under way in the pool. In the loop's
 * thread, with no transaction open; what it could not do shows when the next one begins. */
void store_mend(struct store *store);

#endif
