/* Models of server, disk and state behind the engine's ports, one seeded scheduler
 * and faults at every call: the world the simulator runs the real engine in.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include "syncd/ports.h"

/* --- Randomness: two streams, so that a shorter history keeps its schedule ------ */

struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound); /* 0 .. bound - 1 */

/* --- Faults -------------------------------------------------------------------------- */

enum fault_kind {
	FAULT_NONE,
	FAULT_FAIL,        /* the call fails, nothing was done */
	FAULT_LOSE_REPLY,  /* remote: done, but the answer is lost with the connection */
	FAULT_KILL_BEFORE, /* the process dies */
	FAULT_KILL_AFTER,
	FAULT_POWER_BEFORE, /* the machine dies: what was not flushed is kept, lost or torn */
	FAULT_POWER_AFTER,
	FAULT_KIND_COUNT,
};

struct fault {
	uint64_t at_call;
	enum fault_kind kind;
};

/* --- The world -------------------------------------------------------------------------- */

#define MODEL_MAILBOXES_MAX 8 /* that exist at the same time on one side */
#define MODEL_RETIRED_MAX 16  /* names */
#define MODEL_FILES_MAX 512
#define MODEL_MESSAGES_MAX 512
#define MODEL_VANISHED_MAX 1024
#define MODEL_KEYWORDS 2
#define MODEL_MANY 20 /* so many that vanish at once are worth a second look (DESIGN 5) */
#define MODEL_NS_PER_S 1000000000
#define MODEL_LATE_MAX 64
#define MODEL_LATE_S 60 /* at most */

#define MODEL_HALF_LOST "-"

enum model_place { PLACE_NONE, PLACE_TMP, PLACE_NEW, PLACE_CUR };

/* Something that happened to an entry of new/ or cur/, as inotify tells it. */
struct model_event {
	char *file; /* with its flags */
	bool is_new;
	bool is_gone;
	bool is_own; /* done through the port */
};

/* A mailbox on the disk. Its directories are durable as soon as they are made, renamed or
 * removed: through the port because that promises it, and what users do is kept that simple. */
struct model_maildir {
	uint64_t id;         /* never used again; 0: there is none in this place */
	uint64_t lasting_id; /* as the port tells it: may have been another's that is gone */
	char name[MAILBOX_NAME_MAX + 1];
	struct local_mtimes mtimes;
	struct local_mtimes durable_mtimes;
	struct model_event *events; /* until world_drop_events */
	size_t event_count;
	size_t event_cap;
	uint64_t listings; /* complete ones */
	unsigned opened;   /* through the port */
	/* A rename to there was cut short, with `new` and without `cur`; "": none was.
	 * MODEL_HALF_LOST: it is without a `new` for good. */
	char half_name[MAILBOX_NAME_MAX + 1];
	/* What letter stands for which keyword is each mailbox's own affair. */
	bool has_letters_swapped;
};

/* A file: where directory entries say it is, now and after a power cut. A rename is one step of
 * the file system's journal, between two mailboxes as within one: after a power cut it was made
 * or it was not, never half, so that the file is in one place and never in both or neither. A
 * flush of either directory writes the journal up to there, and with it both its halves. */
struct model_file {
	bool is_used;
	struct world *world;
	struct model_maildir *maildir;
	struct model_maildir *durable_maildir;
	uint32_t content; /* which message; 0: torn beyond recognition */
	bool is_data_durable;
	bool is_users; /* made by a user */
	/* What users did to it since it was last flushed. */
	bool was_deleted;
	bool is_deletion_firm; /* as the ledger counts it */
	unsigned moved;        /* out of durable_maildir; 0: not, else as the ledger counts it */
	bool has_returned;     /* for the ledger, too */
	uint64_t flags_changed;
	int64_t mtime_s;
	uint64_t flags; /* with letters for keywords */
	char name[MAIL_NAME_MAX + 1];
	enum model_place place;
	enum model_place durable_place;
	uint64_t durable_flags;
	char durable_name[MAIL_NAME_MAX + 1];
	/* Of each mailbox, by what is not durable yet; 0: nothing. */
	struct local_mtimes changed[MODEL_MAILBOXES_MAX];
};

/* Something a user did that a power cut took back, before anybody had flushed it or the state
 * knew of it. */
struct model_loss {
	uint32_t content;
	char mailbox[MAILBOX_NAME_MAX + 1]; /* where the file was for all to see */
	bool was_created;
	bool was_deleted_firmly;
	uint64_t flags_changed;
	unsigned moved;                    /* as of the file; */
	char origin[MAILBOX_NAME_MAX + 1]; /* it is back there, */
	bool was_visible;                  /* and was in `mailbox` */
};

struct model_message {
	uint32_t uid;
	uint32_t content;
	uint64_t flags;
	int64_t date_s;
	uint64_t modseq;
};

/* A message that is gone, and the modseq of that (RFC 7162 §3.2.9). */
struct model_vanished {
	uint32_t uid;
	uint64_t modseq;
};

enum model_modseqs { MODSEQS_NONE, MODSEQS_CONDSTORE, MODSEQS_QRESYNC, MODSEQS_KIND_COUNT };

/* A mailbox on the server. */
struct model_mailbox {
	uint64_t id; /* MAILBOXID, never used again; 0: there is none in this place */
	char name[MAILBOX_NAME_MAX + 1];
	struct model_message messages[MODEL_MESSAGES_MAX];
	size_t count;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highestmodseq;
	struct model_vanished vanished[MODEL_VANISHED_MAX];
	size_t vanished_count;
	uint64_t forgotten;      /* nothing is known of what vanished up to this modseq */
	uint64_t others_changes; /* by others than the open session, and told to it if asked */
	uint64_t opens;
	uint64_t listings; /* complete ones */
};

struct model_server {
	struct model_mailbox mailboxes[MODEL_MAILBOXES_MAX];
	uint64_t ids_made;
	uint32_t uidvalidity; /* the last that was given */
	bool has_uidplus;
	bool tells_uidnext;
	bool lies_about_size;
	uint64_t flags_mask;
	uint64_t drops;          /* keywords that it takes and does not keep, whoever gives them */
	uint32_t refuses_fetch;  /* content it never gives, 0: none */
	uint32_t refuses_append; /* content it never takes */
	bool refuses_silently;   /* a FETCH of it succeeds without it */
	unsigned lanes;          /* bodies that it sends side by side */

	enum model_modseqs modseqs;
	bool tells_status;      /* with the list of mailboxes */
	bool forgets_vanished;  /* and then names every UID it does not have */
	bool names_unknown;     /* also as vanished: UIDs that never were, */
	bool names_all;         /* and at times all there are, when these are many */
	bool hides_expunges;    /* CONDSTORE: they do not raise HIGHESTMODSEQ */
	bool is_lazy;           /* does not always tell a session what others did */
	bool bumps_for_nothing; /* a STORE that changes nothing has a modseq (RFC 7162 §3.1.11) */
	bool is_untrustworthy;  /* some changes raise nothing */
	bool has_move;          /* RFC 6851; without it a move is a copy and a removal */
	bool tells_ids;         /* MAILBOXID (RFC 8474) with the list of mailboxes */
	bool tells_email_ids;   /* and EMAILID of messages */
	/* Mailboxes have the same UIDVALIDITY but for those that had to get another: made anew
	 * under an old name. Otherwise no two ever have the same. */
	bool shares_uidvalidity;
	bool renumbers_renamed; /* a mailbox that is renamed gets new UIDs */
	/* Names that mailboxes have given up: with shared UIDVALIDITY none that another mailbox had
	 * can be taken with UIDs that may have been its (RFC 3501 §6.3.4). */
	char retired_names[MODEL_RETIRED_MAX][MAILBOX_NAME_MAX + 1];
	size_t retired_count;
};

/* A row of each table, of whichever mailbox. */
struct model_record {
	uint32_t mailbox_id;
	struct message_record message;
};
struct model_journal {
	uint32_t mailbox_id;
	struct journal_record journal;
};
struct model_setaside {
	uint32_t mailbox_id;
	struct setaside_record setaside;
};

#define MODEL_POP3_MAX 1024

struct model_store {
	struct store_port port;
	struct world *world;
	struct mailbox_record mailboxes[MODEL_MAILBOXES_MAX]; /* in name order */
	size_t mailbox_count;
	uint32_t ids_made;
	struct model_record messages[MODEL_MESSAGES_MAX];
	size_t message_count;
	struct model_journal journal[MODEL_MESSAGES_MAX];
	size_t journal_count;
	struct model_setaside setaside[MODEL_MESSAGES_MAX];
	size_t setaside_count;
	struct pop3_record pop3[MODEL_POP3_MAX]; /* in order of the ids */
	size_t pop3_count;
	uint32_t pop3_ids_made;
};

/* What a connection that was lost had sent, and the server has not carried out yet. */
struct model_late {
	int64_t due_ns;
	uint64_t mailbox_id;
	uint32_t uidvalidity;
	uint32_t content; /* to be added; or 0: */
	uint32_t uid;     /* to be removed */
	uint64_t flags;
	int64_t date_s;
};

struct world {
	struct rng rng; /* the schedule */
	int64_t now_ns;
	int64_t step_ns; /* what one step takes is less than this */
	int64_t tick_ns; /* what the disk's clock counts in; at most two seconds */
	uint64_t calls;  /* port calls so far: what faults and history refer to */
	struct list tasks;
	const struct fault *faults;
	size_t fault_count;
	bool faults_are_on;
	bool is_dead; /* between a crash and world_restart */
	bool was_power_cut;
	uint64_t crashes;
	uint64_t sent;     /* commands that change something on the server */
	uint64_t written;  /* changes in the maildir through the port, but for ... */
	uint64_t removed;  /* ... files that were removed */
	uint64_t withheld; /* bodies that came without a UID */
	struct model_late late[MODEL_LATE_MAX];
	size_t late_count;
	bool is_late; /* what a connection that is lost has sent may be carried out later */

	struct model_server server;
	struct model_maildir maildirs[MODEL_MAILBOXES_MAX];
	uint64_t maildirs_made;
	bool reuses_lasting_ids;
	/* Of the mailbox that was deleted last, for the next one that is as deep or less. */
	uint64_t freed_lasting_id;
	size_t freed_depth;
	struct model_file files[MODEL_FILES_MAX];
	uint64_t names_made;
	struct model_loss losses[MODEL_FILES_MAX];
	size_t loss_count;
	bool names_keywords; /* otherwise all take the bits as they are */
	bool may_see_moving; /* scans may find the directories moving */
	struct model_store store;

	struct remote_account remote;
	struct local_account local;
	struct env_port env;

	/* Called after every port call, for the history's next step; may be NULL. */
	void (*after_call)(struct world *world);
	void *context;
};

/* With one mailbox, INBOX, on both sides. */
void world_init(struct world *world, uint64_t seed);
void world_free(struct world *world);

/* Runs one pending completion, chosen by the schedule; false when there is none. */
bool world_step(struct world *world);

/* After a crash: everything pending has come back as cancelled; the disk shows
 * what survived. */
void world_restart(struct world *world);

int64_t world_now_s(const struct world *world);
void world_wait(struct world *world, int64_t seconds);

/* The oldest `count` events of a mailbox are forgotten. */
void world_drop_events(struct model_maildir *maildir, size_t count);

/* --- For the models ----------------------------------------------------------------------- */

enum lane {
	LANE_REMOTE,  /* of one session, in order */
	LANE_ACCOUNT, /* on whichever connection is free */
	LANE_LOCAL,
	LANE_STORE,
	LANE_ENV,
};

struct task {
	struct list link;
	struct world *world;
	struct port_op *op;
	enum lane lane;
	bool is_held; /* a paused fetch */
	/* Does the work. Returns the completion's code, or TASK_AGAIN to be run once more. */
	int (*run)(struct task *task);
	void *target; /* the remote mailbox, for remote tasks */
	size_t progress;
};

#define TASK_AGAIN 1

/* What a task of a connection that is lost would have done may be done later; and what is due is
 * done, or all of it. */
void model_late_keep(struct task *task);
void model_late_do(struct world *world, bool is_all);

void world_post(struct world *world, enum lane lane, struct port_op *op, void *target,
		int (*run)(struct task *task));
struct task *world_find_task(struct world *world, const struct port_op *op);

/* For synchronous calls: 0, or the failure to return without doing anything.
 * world_leave comes after the work and may be a crash too. */
int world_enter(struct world *world, enum fault_kind *fault, struct error *err);
int world_leave(struct world *world, enum fault_kind fault, struct error *err);

void model_remote_init(struct world *world);
void model_server_init(struct world *world);
void model_disk_init(struct world *world);
void model_local_init(struct world *world);
void model_store_init(struct world *world);
void model_store_free(struct world *world);
/* What the state knows of a mailbox; NULL: nothing. Of a message there; NULL: nothing. */
const struct mailbox_record *model_store_mailbox(const struct world *world, const char *name);
const struct message_record *model_store_message(const struct world *world, uint32_t mailbox_id,
						 uint32_t uid);
const struct message_record *model_store_by_name(const struct world *world, uint32_t mailbox_id,
						 const char *name);
bool model_store_is_journaled(const struct world *world, uint32_t mailbox_id, const char *name);
size_t model_store_count(const struct world *world, const char *mailbox);
/* Whether a record or the journal of the mailbox names the file. */
bool model_store_knows(const struct world *world, const char *mailbox, const char *name);

/* A message's text in CRLF form, made from its content number; the caller frees. */
char *model_body(uint32_t content, size_t *len);
/* The content number of a body, 0 when it is not one of ours. */
uint32_t model_content_of(struct slice body);
void model_identity(uint32_t content, struct digest *identity, uint64_t *size_bytes);

/* --- Keywords (model_keywords.c) --- */

/* Adds their names to the table of a mailbox that is opened. */
void model_keywords_tell(const struct world *world, struct keyword_table *table, bool is_reversed);
/* From the model's bits to the engine's, and back. */
uint64_t model_flags_out(const struct world *world, const struct keyword_table *table,
			 uint64_t flags);
uint64_t model_flags_in(const struct world *world, const struct keyword_table *table,
			uint64_t flags);
/* From keywords to a mailbox's letters, and back. */
uint64_t model_letters(const struct model_maildir *maildir, uint64_t flags);
/* With keywords as they are meant where the file is. */
uint64_t model_file_flags(const struct model_file *file);

/* --- The server's mailboxes (model_mailboxes.c) --- */

/* NULL: there is none. */
struct model_mailbox *model_mailbox_find(struct world *world, const char *name);
/* The n-th that there is, NULL beyond the last. */
struct model_mailbox *model_mailbox_nth(struct world *world, size_t n);
/* Finds it, or makes it. */
struct model_mailbox *model_mailbox_create(struct world *world, const char *name);
/* With its inferiors. SYNCD_ENOTFOUND; SYNCD_ESERVER: refused. */
int model_mailbox_rename(struct world *world, const char *from, const char *to);
/* With its messages. SYNCD_ESERVER: refused. */
int model_mailbox_delete(struct world *world, const char *name);
/* The command that deletes it is under way. */
bool model_mailbox_is_going(const struct world *world, const char *name);
struct mailbox_status model_mailbox_status(const struct world *world,
					   const struct model_mailbox *mailbox);
/* A new UIDVALIDITY, all UIDs and modseqs given anew. */
void model_mailbox_renumber(struct world *world, struct model_mailbox *mailbox);
/* How many levels there are above. */
size_t model_depth_of(const char *name);
/* Whether `name` is below `superior` in the hierarchy. */
bool model_is_inferior(const char *name, const char *superior);

/* --- Messages in them (model_server.c) --- */

/* Changes by others have `is_own` false: an open session may be told of them. */
struct model_message *model_server_add(struct world *world, struct model_mailbox *mailbox,
				       uint32_t content, uint64_t flags, bool is_own);
void model_server_set_flags(struct world *world, struct model_mailbox *mailbox,
			    struct model_message *message, uint64_t flags, bool is_own);
void model_server_remove(struct world *world, struct model_mailbox *mailbox,
			 struct model_message *message, bool is_own);
/* Puts what `message` is into another mailbox, too; returns what is there now. */
struct model_message *model_server_copy(struct world *world, struct model_mailbox *target,
					const struct model_message *message);

/* EMAILID, the same for all messages of a content. */
uint64_t model_email_id(uint32_t content);
struct model_message *model_message_find(struct model_mailbox *mailbox, uint32_t uid);
uint64_t model_next_modseq(struct world *world, struct model_mailbox *mailbox);
/* HIGHESTMODSEQ, 0 when it keeps none. */
uint64_t model_server_modseq(const struct world *world, const struct model_mailbox *mailbox);
/* What changed since that modseq; the counts are the caller's. */
void model_server_delta(struct world *world, const struct model_mailbox *mailbox, uint64_t since,
			struct remote_observation *out);

/* What users do, elsewhere. */
struct model_message *model_message_create(struct world *world, struct model_mailbox *mailbox,
					   uint32_t content, uint64_t flags);
void model_message_set_flags(struct world *world, struct model_mailbox *mailbox,
			     struct model_message *message, uint64_t flags);
void model_message_delete(struct world *world, struct model_mailbox *mailbox,
			  struct model_message *message);

/* --- The disk's mailboxes (model_maildirs.c) --- */

struct model_maildir *model_maildir_find(struct world *world, const char *name);
struct model_maildir *model_maildir_nth(struct world *world, size_t n);
struct model_maildir *model_maildir_create(struct world *world, const char *name);
/* Without its inferiors. SYNCD_ENOTFOUND, SYNCD_EBUSY as of the port; SYNCD_EBUG when half of it
 * stays under a third name. */
int model_maildir_rename(struct world *world, const char *from, const char *to);
/* One that is only half there under its name; or the other half of one under that name. */
bool model_maildir_is_half(const struct model_maildir *maildir);
bool model_maildir_has_lost_half(const struct model_maildir *maildir);
struct model_maildir *model_maildir_find_half(struct world *world, const char *half_name);
/* With all that is in it. */
void model_maildir_delete(struct world *world, struct model_maildir *maildir);
bool model_maildir_is_empty(struct world *world, const struct model_maildir *maildir);

/* --- Files in them (model_disk.c) --- */

struct model_file *model_file_new(struct model_maildir *maildir, struct world *world);
/* By base name, wherever in the mailbox it is; NULL when it is nowhere. */
struct model_file *model_file_find(struct world *world, const struct model_maildir *maildir,
				   struct slice name);
bool model_file_is_visible(const struct model_file *file);
/* A rename or unlink: gives the directories concerned their mtimes and tells of it. */
void model_file_move(struct model_file *file, enum model_place place, uint64_t flags, bool is_own);
/* Everything that is, or was, in the mailbox survives a power cut as it is now. */
void model_disk_flush(struct world *world, const struct model_maildir *maildir);
/* What a power cut leaves. */
void model_disk_lose_power(struct world *world);

/* What users and other programs do; not all of them flush what they did. In INBOX: */
struct model_file *model_file_create(struct world *world, uint32_t content, uint64_t flags,
				     bool is_new);
struct model_file *model_file_create_in(struct world *world, struct model_maildir *maildir,
					uint32_t content, uint64_t flags, bool is_new);
void model_file_set_flags(struct model_file *file, uint64_t flags);
/* Into another mailbox by one rename; or a copy of it. `name` NULL: its own, which must be free
 * there. `moved` is for the ledger. */
void model_file_move_to(struct model_file *file, struct model_maildir *target, const char *name,
			uint64_t flags, unsigned moved);
struct model_file *model_file_copy_to(const struct model_file *file, struct model_maildir *target,
				      const char *name);
/* A name that no file has yet. */
void model_file_make_name(struct world *world, char name[MAIL_NAME_MAX + 1]);
void model_file_delete(struct model_file *file);
/* The n-th visible file (in new or cur) of all mailboxes, NULL beyond the last. */
struct model_file *model_file_visible(struct world *world, size_t n);

#endif
