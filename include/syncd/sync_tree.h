/* The set of mailboxes of one account: which exist where, what is to be made on the
 * other side, and a pass over each, several at once.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_TREE_H
#define SYNCD_SYNC_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "syncd/error.h"
#include "syncd/sync_boxes.h"
#include "syncd/sync_pass.h"

struct sync_tree;

/* A mailbox known to exist on both sides, and why it is to be passed over. Borrowed until done. */
struct sync_target {
	const char *name;     /* canonical */
	bool is_remote_quiet; /* as for a pass, */
	const struct local_hint *hints;
	size_t hint_count;
};

struct sync_tree_options {
	const char *account; /* for the log */
	enum sync_direction direction;
	struct sync_limit deletion_limit; /* as for a pass, and of the account's with mailboxes */
	bool expunges_deleted;            /* as for a pass */
	uint64_t max_size_bytes;          /* as for a pass */
	/* As for a pass; or, with finds_trash, the server's \Trash: the first that it lists. With
	 * targets nothing is listed, and it is what a former tree found (NULL: none). */
	const char *trash;
	bool finds_trash;
	/* Mailboxes made (deleted) on the other side are made (deleted) on this one. */
	bool may_create_local;
	bool may_create_remote;
	bool may_remove_local;
	bool may_remove_remote;
	bool selects_for_good;     /* what `selects` leaves out is forgotten */
	bool wants_subscribed;     /* what is not subscribed is left out too */
	bool is_dry_run;           /* as for a pass; mailboxes are not made either */
	unsigned passes_at_once;   /* at least 1 */
	int64_t verify_interval_s; /* as for a pass */
	int64_t unanswered_wait_s; /* as for a pass */
	/* With targets: passes over just these, without looking which mailboxes exist.
	 * Without (NULL): every mailbox for which `selects` says so, but for those that the
	 * server's status and the directories' times show to be as they were. */
	const struct sync_target *targets;
	size_t target_count;
	void *context; /* the caller's */
};

/* What the caller hears; `name` is valid during the call. All but `done` may be NULL. */
struct sync_tree_ops {
	bool (*selects)(struct sync_tree *tree, const char *name);
	/* What a person has decided on deletions that are held in a mailbox, or of it; NULL:
	 * nothing on any. */
	enum sync_decision (*decides)(struct sync_tree *tree, const char *name);
	/* The server lists a mailbox, selected or not. */
	void (*listed)(struct sync_tree *tree, const struct mailbox_info *info);
	void (*begun)(struct sync_tree *tree, const char *name);
	void (*progress)(struct sync_tree *tree, const char *name, const struct sync_counts *done,
			 uint64_t total);
	/* A mailbox is over. It may come once more when a pass wanted another. */
	void (*ended)(struct sync_tree *tree, const char *name, const struct sync_result *result);
	/* A mailbox was found unchanged on both sides, without a pass. */
	void (*unchanged)(struct sync_tree *tree, const char *name);
	/* A mailbox was deleted, or has another name now, on both sides; or it is excluded. */
	void (*vanished)(struct sync_tree *tree, const char *name);
	/* Dry run: a mailbox would be made, deleted, or renamed from `from` (else NULL). */
	void (*would)(struct sync_tree *tree, const char *name, enum sync_box_action action,
		      const char *from);
	/* Dry run: what a pass would do. */
	void (*planned)(struct sync_tree *tree, const char *name, const struct sync_plan *plan,
			const struct keyword_table *keywords);
	/* The end, once. `err` is about the account as a whole (root, login, network); failures
	 * of single mailboxes were told by `ended`. The tree is freed behind it. */
	void (*done)(struct sync_tree *tree, const struct error *err);
};

/* Ports, ops and names must outlive the tree; options are copied. `done` never comes inside. */
struct sync_tree *sync_tree_start(const struct sync_ports *ports,
				  const struct sync_tree_options *options,
				  const struct sync_tree_ops *ops);

/* Ends it as soon as what is under way has come back; `done` follows with
 * SYNCD_ECANCELLED. */
void sync_tree_cancel(struct sync_tree *tree);

void *sync_tree_context(const struct sync_tree *tree);

/* In `done`: the server's \Trash as it was listed, or NULL. */
const char *sync_tree_found_trash(const struct sync_tree *tree);

#endif
