/* Inside the tree: its struct, and the steps it goes through before the passes.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_TREE_INTERNAL_H
#define SYNCD_SYNC_TREE_INTERNAL_H

#include "syncd/must.h"
#include "syncd/sync_boxes.h"
#include "syncd/sync_moves.h"
#include "syncd/sync_tree.h"

/* A mailbox and where it exists. */
struct tree_mailbox {
	char *name;
	bool is_remote;
	bool is_local;
	bool is_known;                /* in the state: */
	struct mailbox_record record; /* without its keywords */
	struct mailbox_status status; /* as the server tells without opening it */
	uint64_t remote_id;           /* mailbox_info.lasting_id */
	uint64_t local_id;
	bool is_remote_quiet;
	/* For all its passes: they are looked at as things are then. */
	const struct local_hint *hints;
	size_t hint_count;
	bool is_unusable;     /* on one side at least: it has no passes */
	bool is_left_alone;   /* as if on neither side */
	bool is_half_local;   /* known, but the maildir has only a part of it, as if cut short */
	bool is_wanted;       /* a pass is due */
	bool leaves_removals; /* the last pass left some to the next one */
	unsigned passes;
	struct sync_tree *tree;
	struct sync_pass *pass; /* running */
};

/* --- Mailboxes that one side lacks (tree_boxes.c, tree_rename.c) --- */

#define BOXES_CHECK 32 /* messages that are compared where a mailbox may be a renamed one */

#define BOXES_CREATES_MAX 8 /* on the server, at once */

struct box_create {
	struct remote_create_req req;
	struct sync_tree *tree;
	bool is_under_way;
};

struct boxes {
	struct sync_box *items; /* one for each of the tree's mailboxes */
	size_t next;
	struct remote_status_req status;
	struct box_create creates[BOXES_CREATES_MAX];
	size_t creating;
	struct remote_create_req trash;
	struct remote_rename_req rename;
	struct mailbox_record record; /* of the one being renamed, with its keywords */
	struct remote_open_req open;
	struct remote_mailbox *remote;
	struct uidset uids;
	struct remote_identify_req identify;
	size_t alike;
	size_t different;
	struct store_commit_req commit;
};

/* --- Mailboxes that were deleted (farewell.c) --- */

#define FAREWELL_GROUP_MESSAGES 1000

struct farewell {
	size_t next;
	struct tree_mailbox *mailbox; /* and what the state has of it */
	struct mailbox_record record;
	struct sync_setaside setaside;
	struct remote_status_req status;
	struct local_mailbox *local;
	struct local_scan_req scan;
	struct local_listing listing;
	size_t removed; /* of the listing */
	struct port_op turn;
	struct remote_open_req open;
	struct remote_mailbox *remote;
	struct remote_observe_req observe;
	struct remote_observation observation;
	struct delta delta;
	struct remote_delete_req delete;
	struct remote_create_req create;
	struct store_commit_req commit;
	bool has_unseen; /* messages that were about to come into the maildir */
	bool is_kept;    /* it has what the state does not know */
	struct error err;
	const struct farewell_step *step;
};

/* --- Looking for moved files (survey.c) --- */

#define SURVEY_PEEKS 64 /* files read at once */

struct survey;

struct survey_peek {
	struct local_examine_req req;
	struct survey *survey;
	uint64_t flags;
};

struct survey {
	size_t next;                  /* mailbox to be looked at */
	struct tree_mailbox *mailbox; /* the one being looked at, and what the state has of it */
	struct mailbox_record record;
	struct sync_setaside setaside;
	struct sync_waiting waiting; /* neither gone nor come */
	bool has_local_journal;
	struct local_mailbox *local;
	struct local_scan_req scan;
	struct local_listing listing;
	struct delta delta;
	size_t peeked; /* into delta: up to here files were read, or are being */
	size_t peeking;
	struct survey_peek peeks[SURVEY_PEEKS];
	struct sync_moves moves;
	bool is_blind; /* one could not be looked at: what is gone elsewhere may be in there */
};

/* --- Carrying them out (transfer.c, transfer_send.c) --- */

#define TRANSFER_BATCH_MESSAGES 10000 /* that share flushes and commits; of one source */
#define TRANSFER_BATCH_GROUPS 64
#define TRANSFER_BATCH_REWRITTEN                                                                   \
	100 /* of them, files to be made durable: they are open till then */

struct transfer;

/* One message that is to be in another mailbox, or to have another name. */
struct transfer_item {
	const struct sync_came *came; /* its mailbox is the target */
	size_t from;                  /* a mailbox of the tree: */
	uint32_t uid;
	uint64_t agreed; /* flags, by the source's keywords; */
	uint64_t flags;  /* by the target's */
	bool is_copy;
	bool is_rewritten;   /* somebody wrote its file: it is read again and made durable */
	bool is_void;        /* its file is no longer what it was */
	uint32_t target_uid; /* where the server says it is now; 0: not told */
	struct local_examine_req examine;
	struct transfer *transfer;
};

/* A mailbox of the tree that a batch concerns. */
struct transfer_side {
	struct tree_mailbox *mailbox;
	struct mailbox_record record;
	bool is_known;
	struct local_mailbox *local; /* NULL: it is not in the maildir */
	struct error err;            /* nothing is moved into it */
	struct local_flush_req flush;
	struct transfer *transfer;
};

/* Items of one source, target and kind. */
struct transfer_group {
	size_t begin;
	size_t end;
	struct transfer_side *target;
	bool is_copy;
	bool is_rename; /* only their files have other names */
	struct uidset uids;
	struct remote_transfer_req request;
	struct transfer *transfer;
	bool is_sent;
	bool is_removed; /* they are gone from the source */
	bool is_doubted; /* the server told UIDs that cannot be */
	struct error err;
};

struct transfer {
	struct transfer_item *items; /* by source, copies first, and target */
	size_t count;
	size_t cap;
	/* The batch under way. */
	size_t begin;
	size_t end;
	struct transfer_side sides[TRANSFER_BATCH_GROUPS + 1]; /* the source is the first */
	size_t side_count;
	struct transfer_group groups[TRANSFER_BATCH_GROUPS];
	size_t group_count;
	size_t next; /* side to be asked about */
	struct remote_status_req status;
	struct remote_open_req open;
	struct remote_mailbox *remote;
	size_t under_way; /* files being read, flushes, or requests */
	struct uidset uids;
	struct remote_expunge_req expunge;
	struct store_commit_req commit;
	bool is_journalled;
	struct error err; /* of the whole batch */
	size_t step;
};

enum tree_state {
	TREE_START,
	TREE_LIST,
	TREE_BOXES,
	TREE_CONSIDER,
	TREE_SURVEY,
	TREE_TRANSFER,
	TREE_PASSES,
	TREE_FAREWELL,
	TREE_PASSES_AGAIN,
	TREE_STATE_COUNT,
};

struct sync_tree {
	struct sync_ports ports;
	struct sync_tree_options options;
	const struct sync_tree_ops *ops;
	enum tree_state state;
	bool is_stepping;
	bool is_piece_over;
	struct tree_mailbox *mailboxes; /* sorted by name, INBOX first; fixed once listed */
	size_t count;
	size_t cap;
	size_t next;      /* first that may still have to be passed over */
	size_t running;   /* passes */
	size_t listing;   /* lists awaited */
	bool lists_inbox; /* the server does, wanted or not */
	unsigned failures;
	int64_t now_s;  /* when the mailboxes were listed */
	char *trash;    /* the server's \Trash, once listed; or NULL */
	bool has_trash; /* the one that the options name was listed */
	struct error err;
	struct remote_list_req remote_list;
	struct local_list_req local_list;
	struct boxes boxes;
	struct store_commit_req consider;
	struct survey survey;
	struct transfer transfer;
	struct farewell farewell;
	struct port_op turn;
};

static inline struct sync_tree *transfer_tree(struct transfer *transfer)
{
	return container_of(transfer, struct sync_tree, transfer);
}

static inline struct sync_tree *farewell_tree(struct farewell *farewell)
{
	return container_of(farewell, struct sync_tree, farewell);
}

/* Whether a kill left anything under way in the mailbox of that id. */
int tree_has_journal(struct sync_tree *tree, uint32_t mailbox_id, bool *has_journal,
		     struct error *err);

enum sync_decision tree_decision(struct sync_tree *tree, const char *name);

/* The step is over; tree->err tells how. May be called inside its start. */
void tree_piece_done(struct sync_tree *tree);

/* Notes what ends the whole; the first counts. */
void tree_fail(struct sync_tree *tree, const struct error *err);

/* Notes what one mailbox met with: too much of it, or such as concerns all, ends the whole. */
void tree_note_failure(struct sync_tree *tree, const struct error *err);

/* A mailbox is over without a pass. */
void tree_ended_without_pass(struct sync_tree *tree, struct tree_mailbox *mailbox,
			     const struct error *err);

struct tree_mailbox *tree_find(struct sync_tree *tree, const char *name);
struct tree_mailbox *tree_add(struct sync_tree *tree, const char *name);

/* tree_list.c: which mailboxes there are, on either side and in the state. */
void tree_list_start(struct sync_tree *tree);
void tree_found_known(void *context, const struct mailbox_record *record);

/* tree_boxes.c: mailboxes that one side lacks, made or renamed; deletions wait for the farewell. */
void tree_boxes_start(struct sync_tree *tree);
void boxes_cancel(struct boxes *boxes);
void boxes_free(struct boxes *boxes);

/* tree_rename.c: whether mailbox `at`, new on the server, is the one that the plan takes it for:
 * boxes.items[at].is_other says no. boxes_checked follows. */
void boxes_check(struct sync_tree *tree, size_t at);
void boxes_checked(struct sync_tree *tree);
/* Renames as the plan says of `at`; boxes_renamed follows. */
void boxes_rename(struct sync_tree *tree, size_t at);
void boxes_renamed(struct sync_tree *tree, size_t at, const struct error *err);

/* farewell.c: what was deleted on one side goes on the other, and what is nowhere is forgotten;
 * behind the passes, as what it held may be elsewhere by now. */
void farewell_start(struct sync_tree *tree);
void farewell_step(struct farewell *farewell);
void farewell_stepped(struct farewell *farewell, const struct port_op *op, int code);
void farewell_fail(struct farewell *farewell, const struct error *err);

/* farewell_anew.c: the steps behind what is removed, or in place of it. Each starts something, and
 * farewell_step follows, or returns false. */
bool farewell_forget(struct farewell *farewell);
bool farewell_make_remote_anew(struct farewell *farewell);
bool farewell_make_local_anew(struct farewell *farewell);
bool farewell_void(struct farewell *farewell);
bool farewell_restore_remote(struct farewell *farewell);
bool farewell_restore_local(struct farewell *farewell);

/* farewell_hold.c: what is too much is held, and that noted in farewell.commit.batch. */
int farewell_judge(struct sync_tree *tree, struct error *err);
/* Tells of a mailbox if its deletion is held. */
void farewell_tell_held(struct sync_tree *tree, size_t at);
void farewell_cancel(struct farewell *farewell);
void farewell_free(struct farewell *farewell);

/* survey.c: files that are no longer where they were, and those that the state does not know;
 * fills survey.moves. */
void survey_start(struct sync_tree *tree);
void survey_cancel(struct survey *survey);
void survey_free(struct survey *survey);

/* transfer_prepare.c: the maildir's part of a batch, as below. What users did is so for good before
 * the server hears of it. */
bool transfer_open_sides(struct transfer *transfer);
bool transfer_ask_status(struct transfer *transfer);
bool transfer_translate(struct transfer *transfer);
bool transfer_examine(struct transfer *transfer);
bool transfer_flush(struct transfer *transfer);
void transfer_side_close(struct transfer_side *side);

/* transfer_send.c: the server's part of a batch. Each starts something, behind which
 * transfer_step is called, or returns false. */
bool transfer_open(struct transfer *transfer);
bool transfer_send(struct transfer *transfer);
bool transfer_expunge(struct transfer *transfer);
void transfer_step(struct transfer *transfer);
void transfer_fail(struct transfer *transfer, const struct error *err);
/* A failure of the session or the login: it is all requests', and leaves open what the server did.
 */
bool transfer_is_link_lost(int code);
/* Whether there is anything to be done for a group still. */
bool transfer_is_due(const struct transfer *transfer, const struct transfer_group *group);

/* transfer_find.c: what of it is a move or a copy; fills the items, sorted. */
int transfer_find(struct sync_tree *tree, struct error *err);

/* transfer.c: and follows on the server. */
void transfer_start(struct sync_tree *tree);
void transfer_cancel(struct transfer *transfer);
void transfer_free(struct transfer *transfer);

#endif
