/* An opened mailbox of the model of a maildir, shared by the files of its port.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_LOCAL_H
#define TESTS_MODEL_LOCAL_H

#include "model.h"

struct opened_maildir {
	struct local_mailbox port;
	struct world *world;
	struct keyword_table *keywords;
	struct model_maildir *maildir; /* it is another one, or none, when its id is another */
	uint64_t maildir_id;
	size_t open_handles; /* deliveries and readers */
};

extern const struct local_mailbox_ops model_maildir_ops;

struct opened_maildir *opened_of(struct local_mailbox *mailbox);
/* A file's flags on their way to the engine, and from it. */
uint64_t opened_flags_out(const struct opened_maildir *opened, uint64_t flags);
uint64_t opened_flags_in(const struct opened_maildir *opened, uint64_t flags);
bool opened_is_there(const struct opened_maildir *opened);
/* 0, or SYNCD_ENOTFOUND. */
int opened_check(const struct opened_maildir *opened, struct error *err);
/* A request whose task has the mailbox for a target. */
void opened_post(struct local_mailbox *mailbox, struct port_op *op, int (*run)(struct task *task));

/* model_scan.c */
void opened_scan(struct local_mailbox *mailbox, struct local_scan_req *req);
bool model_mtimes_are(const struct model_maildir *maildir, const struct local_mtimes *known);

#endif
