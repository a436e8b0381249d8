/* Histories: what people do to both sides while syncd works and things break, and
 * the ledger of what must come out.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include "support/model.h"
#include "syncd/sync_pass.h"

#define HISTORY_STEPS_MAX 64
#define HISTORY_FAULTS_MAX 16
#define LEDGER_MAX 256
#define PLACES 5        /* names that mailboxes may have; a place is an index of them */
#define MAILBOXES_MAX 4 /* that exist at the same time on one side */

extern const char *const place_names[PLACES];

enum step_kind {
	STEP_LOCAL_NEW,
	STEP_LOCAL_COPY, /* of a message that came into being locally, into any mailbox */
	STEP_LOCAL_FLAGS,
	STEP_LOCAL_DELETE,
	STEP_LOCAL_MOVE,     /* a file into another mailbox, maybe with another name or flags */
	STEP_LOCAL_COPY_OUT, /* a file into another mailbox */
	STEP_LOCAL_MAKE,     /* a mailbox */
	STEP_LOCAL_RENAME,   /* a mailbox, with or without its inferiors */
	STEP_LOCAL_UNMAKE,   /* a mailbox with all that is in it */
	STEP_REMOTE_NEW,
	STEP_REMOTE_COPY,
	STEP_REMOTE_FLAGS,
	STEP_REMOTE_DELETE,
	STEP_REMOTE_MOVE,
	STEP_REMOTE_COPY_OUT,
	STEP_REMOTE_MAKE,
	STEP_REMOTE_RENAME, /* with its inferiors */
	STEP_REMOTE_UNMAKE,
	STEP_BOTH_NEW, /* one message that both sides have from the start; before the first pass
			  only */
	STEP_SELECT,   /* another set of mailboxes is wanted: one more, or one less */
	STEP_RENUMBER, /* a new UIDVALIDITY of one mailbox */
	STEP_KIND_COUNT,
};

struct step {
	uint64_t at_call; /* happens once so many port calls were made */
	enum step_kind kind;
	uint64_t a; /* choices, taken modulo what there is to choose from */
	uint64_t b;
};

struct history {
	uint64_t seed;
	bool has_mailboxes; /* several of them */
	struct step steps[HISTORY_STEPS_MAX];
	size_t step_count;
	struct fault faults[HISTORY_FAULTS_MAX];
	size_t fault_count;
	unsigned passes; /* run while things break */
};

/* --- The ledger ------------------------------------------------------------------------------
 *
 * What must be true when everything has come to rest, of each message ever made:
 *
 * 1. Both sides are equal, mailbox by mailbox: the same mailboxes, the same messages in them.
 * 2. As many copies exist as users made and did not delete.
 * 3. They are in the mailboxes where users put them. A message that was moved is where it was
 *    moved to and no longer where it was.
 *
 * Where the state cannot know what a user meant, losing a message would be worse than one too
 * many:
 *
 * 4. A deletion is weak when the state did not bind the message, so that its absence could not be
 *    understood: the message may be there or not. It does not count when the other side's copy
 *    was deleted before: that is one deletion.
 * 5. A move is the arrival of the message in one mailbox and its departure from the other. When
 *    the state did not bind it there, one more may stay behind.
 * 6. Moved on one side and deleted on the other, it stays where it was moved to.
 *    Moved back under its own name before the state learns of it, it may never have been away,
 *    so that the deletion counts, or be a new message.
 * 7. Moved on both sides to different mailboxes, it is in one of them or in both.
 * 8. What both sides put into one mailbox (moved there on both, say) may be taken for one message
 *    or for several; what becomes of one of them then holds for it.
 * 9. A power cut that takes back what a user did and nobody flushed makes it weak: a move may
 *    have happened, or not, or have left a copy behind.
 * 9a. A file that came into a mailbox where another one of the same message went may be that one
 *     under another name: what becomes of it on the server then holds for the new one.
 * 10. A new UIDVALIDITY makes all deletions and moves out of that mailbox weak.
 *
 * Of mailboxes:
 *
 * 11. A mailbox that was renamed keeps its messages. All the names it ever had count as one place:
 *     it is left open where it goes when it was renamed on both sides, when the server takes it
 *     along with the one above it, or when another mailbox comes under its old name meanwhile.
 * 12. A rename that cannot be told is a new mailbox and a deleted one: when the state did not know
 *     its ids yet, and less than half of what it knows in there is left by when the engine asks;
 *     when other mailboxes come and go under these names before it is carried out, or when the
 *     server refuses it. Whatever is in there may then be there once more, or become one with what
 *     the other side has; what was deleted or moved away before may be back.
 * 13. Deleting a mailbox deletes all that is in it on that side weakly: when the other side has
 *     something that the state does not know, it is kept with all that is there. What only the
 *     other side had is not lost, nor what was moved out of it.
 * 14. A mailbox that is not wanted for a while is forgotten by the state, and paired anew later:
 *     nothing is deleted by that, but what was deleted or moved away before, or is meanwhile, may
 *     be back.
 * 14a. What was deleted and is restored by a decision is there again, or not: a pass that was cut
 *     short may have restored some of it. Without faults all of it is (decide.c).
 * 15. What comes into a mailbox on the server while the command that deletes it is under way goes
 *     with it: no server can be asked to delete only what was seen.
 *
 * Of what an account may ask (CONTRACT 2.2):
 *
 * 16. With a trash, a deletion in the maildir is a move there, on the server: when the state binds
 *     the message, and unless it is deleted there, too, before it is carried out. What is weak may
 *     go there or not. A server without MOVE copies, and a kill or a refusal before the removal has
 *     it copied once more. A move in the maildir that cannot be one on the server, as the mailbox
 * it went to was never synchronised, or got new UIDs, or was not looked at together with the other
 *     one, is a message that comes and one that is deleted, and this goes to the trash. What is
 *     deleted with its mailbox does not, nor what was deleted from it and had yet to go there.
 * 17. With expunge_deleted, a message that was marked as deleted at any time may be gone, or be in
 *     the trash: a pass may have come by before the mark was taken off. None that is marked is
 *     left.
 * 18. Pulling, nothing is sent; all that the server has is here as it is there. What only the
 *     maildir has stays as users left it. Pushing, it is the other way round, but for messages
 *     marked as deleted, which go from both sides with expunge_deleted (ledger_one_way.c). */

struct ledger_place {
	unsigned created; /* arrived */
	unsigned deleted; /* deleted or moved away, so that the state could know it */
	unsigned deleted_weakly;
	unsigned extra;   /* so many more may be there */
	unsigned trashed; /* of what was deleted since it came to rest last: into the trash, */
	unsigned trashed_firmly; /* and for certain */
	int users_local; /* copies that users have put there and not taken away, by side: whoever */
	int users_remote;   /* else did */
	unsigned put_local; /* of what was created: by whom */
	unsigned put_remote;
};

struct ledger_row {
	bool is_local; /* where it came into being */
	bool is_on_both;
	unsigned created; /* copies, wherever they are */
	unsigned deleted;
	unsigned deleted_weakly;
	unsigned extra;     /* one more may be there */
	unsigned contested; /* moved on both sides: one of the places it was moved to may lack it */
	unsigned moves;
	bool is_marked; /* was, anywhere, as deleted */
	bool is_undone; /* something of what users did */
	uint64_t first_flags;
	unsigned touches[8]; /* changes of each flag bit */
	struct ledger_place places[PLACES];
};

/* How a message left its mailbox. */
enum departure {
	DEPARTURE_FIRM, /* the state can know it */
	DEPARTURE_WEAK,
	DEPARTURE_LATE, /* the other side's copy had left before */
};

/* What the daemon knows of the changes in a mailbox of the maildir. */
struct watch {
	uint64_t maildir_id;
	size_t place;        /* its name */
	bool must_look;      /* at all of it: events are known to be missing */
	bool has_missed;     /* some are, and nobody knows */
	bool has_unrecorded; /* the last pass may have changed files without recording that */
};

struct run {
	struct world world;
	struct history history;
	struct rng rng; /* the daemon's */
	struct watch watches[MODEL_MAILBOXES_MAX];
	bool has_tree; /* passes are begun by the tree */
	unsigned passes_at_once;
	int64_t verify_interval_s;
	int64_t unanswered_wait_s;
	enum sync_direction direction;
	const char *trash; /* a mailbox, or NULL */
	bool expunges_deleted;
	struct sync_limit limit;     /* percent 0: nothing is held */
	enum sync_decision decision; /* on what is held in the next passes */
	uint64_t missed;             /* changes that complete comparisons reported */
	size_t next_step;
	struct ledger_row ledger[LEDGER_MAX];
	uint32_t contents;        /* ledger rows in use; row 0 is not */
	size_t renamed[PLACES];   /* the first of the places that count as one with it */
	bool is_excluded[PLACES]; /* not wanted; until it is to come to rest */
	bool is_renaming[PLACES]; /* since it came to rest last; */
	bool is_blurred[PLACES];  /* in a way that cannot be told (12) */
	bool was_renumbered;
	char why[256]; /* the first violation, "" when all is well */
};

void history_make(struct history *history, uint64_t seed);
void history_print(const struct history *history);

/* Carries out a step of the history on the world and in the ledger (steps.c, step_mailboxes.c). */
void history_step(struct run *run, const struct step *step);
void step_make_mailbox(struct run *run, const struct step *step);
void step_rename_mailbox(struct run *run, const struct step *step);
void step_unmake_mailbox(struct run *run, const struct step *step);
void step_select(struct run *run, const struct step *step);
/* All are wanted. */
void step_select_all(struct run *run);
/* What was half renamed is so in full. */
void step_mend_halves(struct run *run);

/* --- Entries (ledger.c) --- */

size_t place_of(const char *name); /* PLACES when it is none */
/* Whether they are names of one mailbox (11). */
bool ledger_is_one_place(const struct run *run, size_t place, size_t other);

/* Returns its content. */
uint32_t ledger_new(struct run *run, const char *mailbox, bool is_local, uint64_t flags);
/* One that both sides have from the start. */
uint32_t ledger_new_on_both(struct run *run, const char *mailbox, uint64_t flags);
void ledger_copy(struct run *run, uint32_t content, const char *mailbox, bool is_local);
void ledger_move(struct run *run, uint32_t content, const char *from, const char *to,
		 enum departure departure, bool is_local);
/* After a file's move. */
void ledger_return(struct run *run, struct model_file *file);
/* After a message came or went in a mailbox: whether it may have got another name there (9a). */
void ledger_note_rename(struct run *run, uint32_t content, const char *mailbox);
void ledger_delete(struct run *run, uint32_t content, const char *mailbox, enum departure departure,
		   bool is_local);
/* It has these flags there from now on: with the mark of what is deleted it may go (17). */
void ledger_mark(struct run *run, uint32_t content, const char *mailbox, uint64_t flags);
void ledger_touch(struct run *run, uint32_t content, const char *mailbox, uint64_t flags_changed);
void ledger_unsettle(struct run *run, uint32_t content, uint64_t flags_changed);
/* What was to go to the trash from there may not have got there. */
void ledger_untrash(struct run *run, uint32_t content, size_t place);
/* A power cut has undone something a user did. */
void ledger_take_back(struct run *run, const struct model_loss *loss);

/* How a file leaves its mailbox now; a message leaves one on the server. */
enum departure departure_of_file(struct run *run, const struct model_file *file);
enum departure departure_of_message(struct run *run, const struct model_mailbox *mailbox,
				    const struct model_message *message);

/* --- Entries about mailboxes (ledger_mailboxes.c) --- */

void ledger_renumber(struct run *run, const char *mailbox);
/* A mailbox is no longer wanted, so that the state forgets it, or is again. */
void ledger_select(struct run *run, size_t place);
/* What was deleted from any mailbox may be brought back. */
void ledger_restore(struct run *run);
/* Before it is done. */
void ledger_rename(struct run *run, const char *from, const char *to, bool is_local);
/* After a message left a mailbox on the server: a rename that is not carried out yet may have been
 * guessed by it. */
void ledger_doubt_rename(struct run *run, struct model_mailbox *remote);
/* A mailbox is about to be deleted, with messages of which each is then deleted by itself. */
void ledger_unmake(struct run *run, const char *mailbox, bool is_local);
/* A mailbox is made: renames that were not carried out yet may become unclear. */
void ledger_disturb(struct run *run, const char *mailbox);
/* A mailbox of the maildir has just been made: with the lasting id of another it is taken for that
 * one, renamed. */
void ledger_take_over(struct run *run, const struct model_maildir *maildir);
/* Everything is carried out. */
void ledger_rest(struct run *run);

/* --- The comparison (ledger_check.c) --- */

/* One message in one mailbox. */
struct tally {
	unsigned local;
	unsigned remote;
	uint64_t local_flags;
	uint64_t remote_flags;
};

struct tallies {
	struct tally of[LEDGER_MAX][PLACES];
};

/* Adds up what is on both sides. */
void ledger_tally(struct run *run, struct tallies *tallies);

/* Compares both sides with the ledger; fills run->why. */
void ledger_check(struct run *run);
/* The same of an account that is pulled or pushed (ledger_one_way.c). */
void ledger_check_one_way(struct run *run, const struct tallies *tallies);
/* Whether one side may lack the message as it is refused there. */
bool ledger_is_refused(struct run *run, uint32_t content, const char *mailbox);
/* Whether the mailbox is on the side that is to follow, or need not be. */
bool ledger_has_followed(struct run *run, size_t place);
/* Notes a violation; the first one counts. */
void ledger_violated(struct run *run, const char *what, uint32_t content);

/* --- Looks (look.c) --- */

/* What a pass over one mailbox is told of changes, and how it ended. */
struct look_target {
	char name[MAILBOX_NAME_MAX + 1];
	uint64_t maildir_id;
	struct local_hint *hints; /* NULL: the whole mailbox */
	size_t hint_count;
	bool is_remote_quiet;
	size_t events; /* of the mailbox's: those that this look answers */
	bool is_over;
	struct sync_result result; /* of the last pass */
};

struct look {
	bool is_full; /* at which mailboxes there are, and at all of them */
	struct look_target targets[MODEL_MAILBOXES_MAX];
	size_t count;
};

/* Begins a look: whatever a daemon might do now; at everything; at what inotify told, when that
 * is all that changed. Each is ended with how its passes ended. */
void look_choose(struct run *run, struct look *look);
void look_at_all(struct run *run, struct look *look);
void look_by_hints(struct run *run, struct look *look);
void look_end(struct run *run, struct look *look, bool has_died);
/* Whether what inotify told is all that a look needs. */
bool look_may_use_hints(struct run *run);
/* NULL: the look was not at that mailbox. */
struct look_target *look_find(struct look *look, const char *name);

/* --- Passes (passes.c) --- */

/* How the passes of one go ended, all mailboxes taken together. */
struct pass_run {
	const struct run *run;
	bool is_done;
	bool wants_another;
	bool wants_run;
	struct error err; /* the first */
	struct sync_counts counts;
	size_t missed;
	struct look *look;
};

/* Runs them and ends the look. */
void run_pass(struct run *run, struct look *look, bool is_repeat, struct pass_run *pass_run);
bool pass_is_idle(const struct pass_run *pass_run);
uint64_t pass_changes(const struct pass_run *pass_run);

/* --- Decisions (decide.c) --- */

/* On what the next pass holds: mostly none yet. */
void decide_at_random(struct run *run);
/* Nothing breaks any more: one that is carried out to the end. Notes what is there before. */
struct decided {
	struct tallies before;
	bool is_one_sided[PLACES];
	bool is_clear; /* all that is there can be told */
};
void decide_for_good(struct run *run, struct decided *decided);
/* Whether everything came out as it was decided. */
void decide_check(struct run *run, const struct decided *decided);

/* What kind of world the seed makes (configure.c). */
#define VERIFY_INTERVAL_S (24 * 60 * 60)
void run_configure(struct run *run);

/* Runs a history from beginning to end, in memory that may be used again: fresh pages for each
 * would cost more than the run. True when nothing was violated; run->why says what was. */
bool history_run(const struct history *history, struct run *run);

#endif
