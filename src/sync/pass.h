/* Inside the pass: its struct and the pieces of work it is made of. Each piece
 * is started once, when the one before is over, and ends with pass_piece_done.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_PASS_INTERNAL_H
#define SYNCD_SYNC_PASS_INTERNAL_H

#include "syncd/sync_pass.h"

#define DELIVER_GROUP_MESSAGES 500
#define DELIVER_GROUP_BYTES (8u * 1024 * 1024) /* two of them may be in memory */
#define APPEND_GROUP_MESSAGES 100
#define CHANGE_GROUP_MESSAGES 1000
#define CHANGE_STORES_MAX                                                                          \
	8 /* in the pipe at once: a server looks at its disk once for all of them */

/* --- Delivery (deliver.c) --- */

/* Messages whose bodies are in tmp/ and that share a flush and a commit. */
struct deliver_group {
	struct message_record *items;
	size_t count;
	size_t cap;
	uint64_t bytes;
};

/* --- What need not be fetched (deliver_link.c) --- */

/* A message to be delivered, as the server tells it by its email_id. */
struct deliver_link {
	uint32_t uid;
	uint64_t email_id;
	uint64_t size_bytes;
};

struct deliver_links {
	struct remote_email_ids_req ids;
	struct deliver_link *items; /* by UID */
	size_t count;
	size_t cap;
	size_t next;                  /* first that was not tried */
	struct mailbox_record source; /* where the last file was found; id 0: none yet */
};

struct deliver {
	const struct sync_action *actions; /* SYNC_FETCH, by UID */
	size_t count;
	struct uidset missing; /* still to come */
	struct uidset asked;   /* of the request under way */
	uint64_t chunk;        /* messages asked for at a time; shrinks after a refusal */
	struct deliver_links links;
	struct uidset linked; /* came that way */
	struct remote_fetch_req fetch;
	bool is_fetching;
	bool is_paused;
	struct local_delivery *deliveries[REMOTE_LANES_MAX]; /* of the messages arriving now */
	struct deliver_group filling;
	struct deliver_group staging;   /* being flushed and committed */
	struct deliver_group published; /* renamed; journal to be cleared */
	bool is_staging;
	bool is_broken; /* the local side failed: nothing more can be staged */
	struct local_flush_req flush;
	struct store_commit_req commit;
};

/* --- Matching by identity (match.c) --- */

/* A message of one side that the state does not know. */
struct candidate {
	struct digest identity;
	uint64_t size_bytes;
	uint64_t flags;
	uint32_t uid;     /* remote */
	const char *name; /* local; borrowed */
	size_t index;     /* the owner's */
	bool is_paired;
};

struct candidates {
	struct candidate *items;
	size_t count;
	size_t cap;
};

/* Appends of the journal or of a group, whose UIDs the server has to be asked for. */
struct match {
	struct sync_pass *pass;
	struct candidates locals;
	struct candidates remotes;
	struct uidset uids; /* asked about */
	struct remote_identify_req identify;
};

/* --- Upload (upload.c) --- */

struct upload_item {
	struct local_examine_req examine;
	struct remote_append_req append;
	struct local_reader *reader;
	struct sync_pass *pass;
	const struct sync_action *action;
	struct error err;     /* SYNCD_EMESSAGE: refused by one side */
	bool is_due;          /* to be sent next */
	bool is_sent;         /* the server has said OK */
	bool is_untraceable;  /* and yet it cannot be found there */
	bool is_journal_void; /* it was journalled, and then not sent */
};

struct upload_group {
	struct upload_item *items;
	size_t count;
	size_t under_way;   /* being examined or sent */
	bool is_journalled; /* the journal names it */
};

struct upload {
	const struct sync_action *actions; /* SYNC_APPEND */
	size_t count;
	size_t next;                /* first not yet in a group */
	struct upload_group ready;  /* examined and journalled, or about to be */
	struct upload_group flying; /* on its way to the server */
	bool is_preparing;
	bool is_flying;
	bool is_stopped;  /* over quota */
	bool is_broken;   /* a commit failed */
	uint32_t uidnext; /* no smaller UID can be given to what is appended */
	struct match match;
	struct store_commit_req commit;
};

/* --- Changes (change.c) --- */

/* One change of flags on the server, of all messages that get it. */
struct change_store {
	struct remote_store_req req;
	struct uidset uids;
	struct sync_pass *pass;
	bool is_in_flight;
};

struct change {
	size_t next; /* into the plan */
	struct uidset uids;
	struct uidset failed; /* flags not stored: not to be agreed */
	struct change_store stores[CHANGE_STORES_MAX];
	size_t in_flight; /* of them */
	struct remote_expunge_req expunge;
	struct remote_store_req unmark; /* what goes to the trash */
	struct remote_transfer_req transfer;
	size_t recorded;          /* into the plan: up to here the state has it */
	bool is_removing;         /* the journal says so (JOURNAL_REMOVE) */
	struct store_batch batch; /* what the pieces before left for our commit */
	struct store_commit_req commit;
	struct port_op turn;
};

/* --- Keywords that the server drops (kept.c) --- */

#define KEPT_MAX 64 /* keywords there can be */

struct kept {
	struct {
		uint32_t uid;
		uint64_t flags;
	} stored[KEPT_MAX]; /* one message for each that was given to the server */
	size_t count;
	uint64_t covered;
	uint64_t missing; /* on those messages */
	uint64_t dropped;
	struct uidset uids;
	struct remote_identify_req identify;
	struct store_commit_req commit;
};

/* --- Email ids (email.c) --- */

struct email {
	struct remote_email_ids_req ids;
	struct uidset asked;
	uint32_t uidnext; /* up to here they are known */
	bool is_last;     /* behind `asked` there are no more */
	struct store_commit_req commit;
};

/* --- A mailbox that may not be the known one (doubt.c) --- */

struct doubt {
	struct remote_search_req search;
	struct remote_identify_req identify;
	struct uidset uids;
	uint32_t last[64]; /* known UIDs; */
	uint32_t highest;  /* of them, that the server told of */
};

/* --- Recovery (recover.c) --- */

struct recover {
	struct journal_record *journal;
	size_t count;
	size_t cap;
	struct uidset expunged; /* by us, perhaps: their files were gone */
	struct sync_waiting waiting;
	struct match match;
	struct store_commit_req commit;
};

/* --- Pairing (pair.c) --- */

struct pair {
	struct match match;
	struct local_examine_req examine;
	size_t next;        /* local delta entry to examine */
	size_t count;       /* pairs found */
	uint32_t after_uid; /* reset: messages up to here are forgotten */
	struct store_commit_req commit;
};

enum pass_state {
	PASS_START,
	PASS_LOAD,
	PASS_MEND,
	PASS_LOOK,
	PASS_OPEN,
	PASS_DOUBT,
	PASS_RECOVER,
	PASS_RESET,
	PASS_OBSERVE,
	PASS_CONFIRM,
	PASS_PAIR,
	PASS_PLAN,
	PASS_DELIVER,
	PASS_UPLOAD,
	PASS_CHANGE,
	PASS_KEPT,
	PASS_EMAIL,
	PASS_SETTLE,
	PASS_FINISH,
	PASS_CLOSE,
	PASS_STATE_COUNT,
};

struct sync_pass {
	struct sync_ports ports;
	struct sync_pass_options options;
	sync_pass_done done;
	enum pass_state state;
	bool is_stepping; /* an enter function is running: a piece that is over at once only notes
			     it */
	bool is_piece_over;
	struct error err;     /* the first failure */
	struct error refusal; /* the first thing that could not be done while the rest went on */
	struct sync_result result;
	char name[MAILBOX_NAME_MAX + 1];
	struct mailbox_record mailbox;
	bool is_mailbox_recorded; /* the state has `mailbox` as it is, but for new keywords: */
	size_t keywords_recorded; /* how many of them it has */
	int64_t now_s;            /* when the pass began */
	bool is_verifying;        /* listings are compared with what the deltas told */
	bool wants_all;           /* listings of both sides */
	bool needs_remote; /* else nothing is asked of the server unless something is to be done */
	struct remote_open_req open;
	struct remote_mailbox *remote; /* NULL: not opened (yet) */
	struct local_mailbox *local;
	struct sync_setaside setaside;
	struct remote_observation observation;
	struct local_listing listing;
	struct delta local_delta;
	struct delta remote_delta;
	struct sync_plan plan;
	size_t looking; /* looks awaited */
	struct remote_observe_req observe;
	struct remote_search_req search;
	struct uidset present; /* what it found */
	struct local_scan_req scan;
	bool is_local_checked;  /* verifying: the directories' times told of no change */
	bool is_remote_checked; /* verifying: `told` holds what the server's delta named, */
	bool is_told_complete;  /* deletions too */
	struct uidset told;
	bool are_counts_equal;    /* both sides have as many, so that nothing is gone */
	bool is_left_over;        /* something was put off to the next pass */
	bool is_decided;          /* a person's decision was asked for, and applies: */
	bool restores_remote;     /* what would be deleted on the server is brought back here, */
	bool restores_local;      /* and the other way round */
	bool is_listing_stripped; /* of keywords that are to be synchronised by now */
	struct remote_settle_req settle;
	struct doubt doubt;
	bool is_restored; /* its UIDs mean others, although UIDVALIDITY is the same */
	struct recover recover;
	struct pair pair;
	struct deliver deliver;
	struct upload upload;
	struct change change;
	struct kept kept;
	struct email email;
	struct store_commit_req finish;
	struct local_flush_req flush; /* pass_flush_commit's */
	struct store_commit_req *behind_flush;
	struct port_op turn;
};

/* A piece is over; pass->err tells how. May be called inside its start. */
void pass_piece_done(struct sync_pass *pass);

/* The options', or that of a mailbox that can only be read. */
enum sync_direction pass_direction(const struct sync_pass *pass);

/* A digest of what decides which changes matter. */
uint64_t pass_policy(const struct sync_pass *pass);

/* How many messages share a flush and a commit: `best` unless the options say. */
size_t pass_group(const struct sync_pass *pass, size_t best);

/* Notes a failure; the first one counts. `err` may be pass->err itself. */
void pass_fail(struct sync_pass *pass, const struct error *err);

/* Notes something that could not be done while the rest goes on: told at the pass's end. */
void pass_refuse(struct sync_pass *pass, const struct error *err);

/* Messages on the server that the state only knows as refused. */
size_t pass_aside_count(const struct sync_pass *pass);

/* Tells of a maildir that changed while it was read. */
void pass_note_moving(struct sync_pass *pass);

/* True when nothing new may be started. */
bool pass_is_failing(const struct sync_pass *pass);

/* Commits req->batch; a keyword or UIDVALIDITY that the state lacks goes with it, as
 * the records use their bits and UIDs. */
void pass_commit(struct sync_pass *pass, struct store_commit_req *req, port_done done);

/* The same behind a flush of the maildir: for records that tell of files as they are now.
 * One at a time. A failed flush completes the request with its error. */
void pass_flush_commit(struct sync_pass *pass, struct store_commit_req *req, port_done done);

/* Records in `batch` that one side refuses a message (uid, or name when uid is 0). */
void pass_set_aside(struct sync_pass *pass, struct store_batch *batch, uint32_t uid,
		    const char *name, const struct error *why);
/* The same for ever: trying again could do harm. */
void pass_set_aside_for_good(struct sync_pass *pass, struct store_batch *batch, const char *name,
			     const struct error *why);
/* A message that is larger than max_size is set aside without having been tried, until the
 * configuration is another one. */
void pass_leave_too_large(struct sync_pass *pass, struct store_batch *batch, uint32_t uid,
			  uint64_t size_bytes);
void pass_forget_too_large(struct sync_pass *pass);
void pass_clear_aside(struct sync_pass *pass, struct store_batch *batch, uint32_t uid,
		      const char *name);

/* Asks the server for the identity of the messages in match->uids and fills
 * match->remotes with those that the state does not know; `done` comes on
 * match->identify.op. The second form asks for every UID from `first_uid` on. */
void match_identify(struct sync_pass *pass, struct match *match, port_done done);
void match_identify_from(struct sync_pass *pass, struct match *match, uint32_t first_uid,
			 port_done done);

void candidates_add(struct candidates *candidates, const struct candidate *candidate);

/* Pairs equal messages in order: equal sizes first; what is left with equal headers and
 * a Message-ID next, since a size may lie. Calls back for each pair. Sorts both. */
void match_pairs(struct match *match,
		 void (*paired)(struct sync_pass *pass, const struct candidate *local,
				const struct candidate *remote));
void match_clear(struct match *match);
void match_free(struct match *match);

/* Whether the state has a message of that UID; a store failure fails the pass. */
int pass_uid_is_known(struct sync_pass *pass, uint32_t uid, bool *is_known);

/* True when the mailbox's record in the state is complete. */
bool pass_is_recorded(const struct sync_pass *pass);

/* Takes out of the plan what is not to be removed, or not now; or says what is to be restored. */
int pass_guard(struct sync_pass *pass, struct error *err);
bool pass_is_restoring(const struct sync_pass *pass);
/* Lets the state forget, in place of removing, what is to be restored: a message that the state
 * does not know is new, and the next pass brings it to the other side. */
void pass_restore(struct sync_pass *pass);

/* The server's UIDVALIDITY; 1 where it says 0 (QUIRKS). */
uint32_t pass_uidvalidity(const struct sync_pass *pass);

/* Merges both listings with the state into pass->local_delta and remote_delta,
 * messages set aside left out unless due at `now_s`. */
int pass_make_deltas(struct sync_pass *pass, int64_t now_s, struct error *err);

/* The look at the server tells what is not there any more. */
bool pass_sees_gone(const struct sync_pass *pass);

/* All that was seen has been applied, so that the next look may begin behind it. */
bool pass_is_settled(const struct sync_pass *pass);

/* --- The states, each started once --- */

void load_start(struct sync_pass *pass);
void mend_start(struct sync_pass *pass);
void look_start(struct sync_pass *pass);
void open_start(struct sync_pass *pass);
void observe_start(struct sync_pass *pass);
void confirm_start(struct sync_pass *pass);
/* Verifying: tells what no delta had told. */
void look_report_missed(struct sync_pass *pass);
void settle_start(struct sync_pass *pass);
void finish_start(struct sync_pass *pass);
void reset_start(struct sync_pass *pass);
void pair_start(struct sync_pass *pass);
void pair_free(struct pair *pair);
void deliver_start(struct sync_pass *pass);
void deliver_free(struct deliver *deliver);
/* Continues the delivery. */
void deliver_continue(struct sync_pass *pass);
/* Whether the group that is being filled is to be staged before more comes. */
bool deliver_is_full(const struct sync_pass *pass);
/* What came, for the group being filled; its flags are put in here. */
void deliver_take(struct sync_pass *pass, const struct message_record *record);
/* Asks for the email_ids of what is missing; deliver_continue follows. */
void deliver_links_start(struct sync_pass *pass);
/* Links as many messages that are here as the group takes. */
void deliver_links_take(struct sync_pass *pass);
bool deliver_links_are_over(const struct deliver *deliver);
/* 0: not known. */
uint64_t deliver_email_id(const struct deliver *deliver, uint32_t uid);
void deliver_links_free(struct deliver_links *links);
/* Notes that the server took these flags for a message. */
void kept_note(struct sync_pass *pass, uint32_t uid, uint64_t flags);
/* Takes those that are the maildir's alone out of what was seen of it. */
void kept_strip(struct sync_pass *pass);
/* Trusts the server again with keywords that it tells of. Before the deltas are made. */
void kept_review(struct sync_pass *pass);
void kept_start(struct sync_pass *pass);
void kept_free(struct kept *kept);
void email_start(struct sync_pass *pass);
void email_free(struct email *email);
void upload_start(struct sync_pass *pass);
void upload_free(struct upload *upload);
void change_start(struct sync_pass *pass);
void change_free(struct change *change);
void doubt_start(struct sync_pass *pass);
void doubt_free(struct doubt *doubt);
void recover_start(struct sync_pass *pass);
void recover_free(struct recover *recover);
/* Whether what the server lacks was removed there by ourselves, and its file is back by now. */
bool recover_is_back(struct sync_pass *pass, const struct sync_action *action);
/* Whether the server may still be carrying it out for a connection that was lost. */
bool recover_is_under_way(const struct sync_pass *pass, const struct sync_action *action);
/* Behind the plan: which removals on the server wait on. */
void recover_judge_removals(struct sync_pass *pass);

#endif
