/* What the files of the local adapter share.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ADAPTER_LOCAL_PRIVATE_H
#define SYNCD_ADAPTER_LOCAL_PRIVATE_H

#include <stdatomic.h>

#include "syncd/adapter_local.h"

struct adapter_local {
	struct local_account account;
	struct loop *loop;
	char *log_name; /* may be NULL */
	struct maildir_root root;
	struct maildir_namer namer;
	enum maildir_line_endings line_endings;
	struct list works;
	size_t open_mailboxes;
	char **warned; /* paths that were warned of, each once */
	size_t warned_count;
	size_t warned_cap;
};

/* A request under way in the pool. First member of what it needs, which is allocated and freed
 * with it. */
struct local_work {
	struct loop_job job;
	struct list link;
	struct port_op *op;
	atomic_bool is_cancelled;
	/* In the pool: does the work. */
	int (*run)(struct local_work *work, struct error *err);
	/* In the loop: gives the results to the request, or with `code` not 0 frees them.
	 * Returns the request's code. */
	int (*finish)(struct local_work *work, int code, struct error *err);
	int code;
	struct error err;
};

/* Takes `work` over. A code other than 0 is a failure known already: `run` is left out. */
void local_work_start(struct loop *loop, struct list *works, struct local_work *work,
		      struct port_op *op, int code);

/* Fills *mailbox; see local_account_ops.open. */
int local_mailbox_open(struct adapter_local *local, const char *name,
		       struct keyword_table *keywords, struct local_mailbox **mailbox,
		       struct error *err);

#endif
