/* The four ports through which the engine acts: remote, local, store, env. The
 * daemon plugs in IMAP, maildir, LMDB and libuv, the simulator models of them.
 *
 * What completes later is a request embedded in the caller's struct: `done` is
 * called exactly once, never inside the call that started it, and is the
 * callee's last statement about that request. On failure req->err says why.
 * Everything else is synchronous and quick (page cache, directory entries).
 *
 * Mailbox names are canonical everywhere here (record.h); the adapters map them
 * to the server's separator, prefix and modified UTF-7, and to paths.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_PORTS_H
#define SYNCD_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/buf.h"
#include "syncd/error.h"
#include "syncd/flags.h"
#include "syncd/identity.h"
#include "syncd/list.h"
#include "syncd/record.h"
#include "syncd/special_use.h"
#include "syncd/uidset.h"

struct port_op;
typedef void (*port_done)(struct port_op *op, int code);

/* The common head of every request. */
struct port_op {
	port_done done;
	struct error err;
	struct list link; /* the adapter's */
	void *impl;       /* the adapter's */
};

/* ---- env ------------------------------------------------------------------ */

struct env_port;
struct env_ops {
	int64_t (*wall_s)(struct env_port *env);
	uint64_t (*random)(struct env_port *env);
	/* Completes `op` with 0 in the loop's next turn. */
	void (*defer)(struct env_port *env, struct port_op *op);
};
struct env_port {
	const struct env_ops *ops;
};

/* ---- remote ---------------------------------------------------------------- */

struct remote_account;
struct remote_mailbox;

/* What a server tells of a mailbox that is not opened (STATUS, RFC 3501 §6.3.10). */
struct mailbox_status {
	uint32_t uidvalidity; /* 0: nothing was told */
	uint32_t uidnext;
	uint32_t messages;
	uint64_t highestmodseq; /* 0: the mailbox has none (RFC 7162 §3.1.2) */
};

struct mailbox_info {
	const char *name; /* canonical; valid during the callback */
	bool is_selectable;
	bool is_marked_unusable;      /* a name we cannot represent; listed for status only */
	struct mailbox_status status; /* remote only */
	/* What stays when the mailbox is renamed: of MAILBOXID (RFC 8474 §4) as the server tells it
	 * with the list, locally of the directory. 0: not known. */
	uint64_t lasting_id;
	enum special_use use; /* remote only */
	/* Remote only: it is there, but not to be synchronised, and so neither deleted nor made;
	 * what the state knows of it may be forgotten. */
	bool is_left_alone;
};

/* Every mailbox, with its status as far as that spares looking into it: where the server
 * has HIGHESTMODSEQ, and tells in a round trip or two (RFC 5819). */
struct remote_list_req {
	struct port_op op;
	/* Whose status is wanted. NULL: none is asked for. */
	bool (*selects)(struct remote_list_req *req, const char *name);
	/* What is not subscribed is left alone; INBOX always counts as subscribed. */
	bool wants_subscribed;
	void (*found)(struct remote_list_req *req, const struct mailbox_info *info);
};

struct remote_create_req {
	struct port_op op;
	const char *name; /* borrowed until done; creating what exists is success */
};

/* Inferior mailboxes go with it (RFC 3501 §6.3.5). SYNCD_ENOTFOUND: there is no `from`. */
struct remote_rename_req {
	struct port_op op;
	const char *from; /* both borrowed until done */
	const char *to;
};

/* With all messages in it; inferior mailboxes stay. Gone already is success. */
struct remote_delete_req {
	struct port_op op;
	const char *name; /* borrowed until done */
};

/* One mailbox that is not opened. SYNCD_ENOTFOUND: there is none. */
struct remote_status_req {
	struct port_op op;
	const char *name;             /* borrowed until done */
	struct mailbox_status status; /* result */
};

struct remote_open_req {
	struct port_op op;
	const char *name;               /* borrowed until done */
	struct keyword_table *keywords; /* borrowed until the mailbox is closed; names are added */
	/* What the state has: changes since then are wanted. 0: all that is there. */
	uint32_t known_uidvalidity;
	uint64_t known_modseq;
	/* There are messages known of which UIDNEXT can tell that they are others by now: it is
	 * asked for where opening does not tell it. */
	bool wants_uidnext;
	struct remote_mailbox *mailbox; /* result, owned by the caller until remote close */
	uint32_t uidvalidity;           /* results of SELECT */
	uint32_t uidnext;               /* 0: the server does not say */
	uint32_t exists;
	bool is_read_only;
	uint64_t flags_mask;    /* flags the server keeps (PERMANENTFLAGS), */
	uint64_t named_flags;   /* and those of them that it names: others it only says it would */
	uint64_t highestmodseq; /* 0: none that is to be trusted */
	bool has_email_ids;     /* email_ids tells them; else it tells sizes only */
};

struct remote_flags {
	uint32_t uid;
	uint64_t flags;
};

/* What a look at the server yields: a complete listing, or only what changed since the
 * modseq that `open` was given (is_delta). */
struct remote_observation {
	struct remote_flags *items; /* sorted by uid, each once */
	size_t count;
	size_t cap;
	bool is_delta;
	bool is_complete; /* listing only: all messages are in it; otherwise none may count as gone
			   */
	bool tells_gone;  /* delta only: `gone` holds all that vanished (QRESYNC, RFC 7162 §3.2) */
	struct uidset gone;     /* delta only; may name what was never known */
	uint32_t exists;        /* messages in the mailbox when this was told */
	uint32_t uidnext;       /* 0: not known */
	uint64_t highestmodseq; /* all up to this one is in here; 0: none */
};

void remote_observation_init(struct remote_observation *obs);
void remote_observation_free(struct remote_observation *obs);
void remote_observation_add(struct remote_observation *obs, uint32_t uid, uint64_t flags);
/* Sorts by UID and keeps the last of equal ones. */
void remote_observation_sort(struct remote_observation *obs);
/* Once sorted: whether it tells of that UID as being there. */
bool remote_observation_has(const struct remote_observation *obs, uint32_t uid);

struct remote_observe_req {
	struct port_op op;
	bool wants_all; /* a listing, even where the server could tell what changed */
	struct remote_observation *result; /* the caller's, initialised */
};

/* The UIDs of all messages, without their flags. */
struct remote_search_req {
	struct port_op op;
	struct uidset *present; /* the caller's, empty */
	bool is_complete;       /* result; otherwise what is not in it may be there all the same */
};

#define REMOTE_LANES_MAX 8

/* Messages asked for arrive in any order, each in one piece: begin, data..., end; up to
 * REMOTE_LANES_MAX of them side by side, told apart by `lane` (from 0 on). Whose the
 * body was and its date are told at the end, as a server may name a response's items
 * in any order (RFC 3501 §7.4.2); others than those asked for may come too. Messages that do
 * not arrive although the request succeeded are simply missing; bodies without an end when the
 * request is done were cut. */
struct remote_fetch_req {
	struct port_op op;
	const struct uidset *uids; /* borrowed until done */
	/* The size may lie. Anything but 0 gives the whole request up with that code. */
	int (*begin)(struct remote_fetch_req *req, unsigned lane, uint64_t size_bytes);
	/* CRLF form. */
	int (*data)(struct remote_fetch_req *req, unsigned lane, struct slice data);
	/* The date is INTERNALDATE in seconds since 1970. uid 0: the server did not say whose
	 * it was; the body is to be dropped. */
	int (*end)(struct remote_fetch_req *req, unsigned lane, uint32_t uid,
		   int64_t internaldate_s);
};

struct remote_append_req {
	struct port_op op;
	uint64_t size_bytes; /* exactly what `read` will give, CRLF form */
	bool has_nul;        /* needs literal8 (RFC 3516) */
	uint64_t flags;
	int64_t internaldate_s;
	/* Fills up to `size` bytes, *len of them; 0 at the end. A failure fails the
	 * request with that code. Called only until done. */
	int (*read)(struct remote_append_req *req, char *out, size_t size, size_t *len);
	bool is_alone; /* it shares no command with others */
	uint32_t uid;  /* result; 0: the server does not say (no UIDPLUS) */
	/* Result of a failure: refused together with others, of which one may be to blame, and
	 * stored all the same for all we know. Alone it would be clear. */
	bool is_unclear;
};

struct remote_store_req {
	struct port_op op;
	const struct uidset *uids; /* borrowed until done; unknown UIDs are no error */
	uint64_t add;
	uint64_t remove;
};

struct remote_expunge_req {
	struct port_op op;
	const struct uidset *uids; /* as above; only these go, whoever else is marked \Deleted */
};

/* In place of a target: there is no mailbox of the special use that was asked for. Never a name;
 * SYNCD_ENOTFOUND says so. */
#define REMOTE_NO_TRASH ""

/* Into another mailbox of the account, with flags, keywords and date: UID MOVE (RFC 6851), else
 * UID COPY and the removal of just these; or UID COPY alone. A failure may come after some were
 * told. */
struct remote_transfer_req {
	struct port_op op;
	const struct uidset *uids; /* borrowed until done; unknown UIDs are no error */
	const char *target;        /* canonical, borrowed until done; or REMOTE_NO_TRASH */
	bool is_move;
	/* Where one of them is now (COPYUID, RFC 4315 §3); may be NULL. */
	void (*transferred)(struct remote_transfer_req *req, uint32_t uid, uint32_t target_uid);
	/* Results. Of `target`; 0: the server does not tell where they are (no UIDPLUS). */
	uint32_t target_uidvalidity;
	bool is_removed; /* moved: they are gone from this mailbox */
};

/* Header digests of messages: for pairing and for appends whose answer was lost. */
struct remote_identify_req {
	struct port_op op;
	const struct uidset *uids; /* borrowed until done; a range up to UINT32_MAX is allowed */
	void (*found)(struct remote_identify_req *req, uint32_t uid, const struct digest *identity,
		      uint64_t size_bytes, uint64_t flags);
	uint64_t named_flags; /* result: as of open, by now */
};

/* How large messages are; and what is the same of all copies of a message in the account, and of no
 * other message (EMAILID, RFC 8474 §5.1, or Gmail's X-GM-MSGID). */
struct remote_email_ids_req {
	struct port_op op;
	const struct uidset *uids; /* borrowed until done; unknown UIDs are no error */
	/* In any order; id 0: the server has none. The size may lie. */
	void (*found)(struct remote_email_ids_req *req, uint32_t uid, uint64_t email_id,
		      uint64_t size_bytes);
};

/* The end of a pass: how far the state may say that it has seen everything. */
struct remote_settle_req {
	struct port_op op;
	/* Results. All changes up to this modseq were told by observe or are our own of this
	 * session (RFC 7162 §3.1.3: a STORE tells the new one); 0: not known. */
	uint64_t highestmodseq;
	uint32_t exists;
	bool has_news; /* others changed something that observe did not tell */
};

struct remote_account_ops {
	void (*list)(struct remote_account *account, struct remote_list_req *req);
	void (*create)(struct remote_account *account, struct remote_create_req *req);
	void (*rename)(struct remote_account *account, struct remote_rename_req *req);
	void (*remove)(struct remote_account *account, struct remote_delete_req *req);
	void (*status)(struct remote_account *account, struct remote_status_req *req);
	void (*open)(struct remote_account *account, struct remote_open_req *req);
};
struct remote_account {
	const struct remote_account_ops *ops;
};

/* On one opened mailbox. Errors that end the session (SYNCD_ENET, ...) fail every
 * request after them too. SYNCD_EMESSAGE: refused for this message or set only.
 * SYNCD_EVALIDITY: UIDVALIDITY changed under us. */
struct remote_mailbox_ops {
	void (*observe)(struct remote_mailbox *mailbox, struct remote_observe_req *req);
	void (*search)(struct remote_mailbox *mailbox, struct remote_search_req *req);
	void (*fetch)(struct remote_mailbox *mailbox, struct remote_fetch_req *req);
	/* Slows a fetch down: while paused nothing more is asked for or read from the network.
	 * What was read already is told all the same: up to 64 KB, with begin and end as it comes.
	 */
	void (*fetch_pause)(struct remote_mailbox *mailbox, struct remote_fetch_req *req);
	void (*fetch_resume)(struct remote_mailbox *mailbox, struct remote_fetch_req *req);
	void (*append)(struct remote_mailbox *mailbox, struct remote_append_req *req);
	void (*store)(struct remote_mailbox *mailbox, struct remote_store_req *req);
	void (*expunge)(struct remote_mailbox *mailbox, struct remote_expunge_req *req);
	void (*transfer)(struct remote_mailbox *mailbox, struct remote_transfer_req *req);
	void (*identify)(struct remote_mailbox *mailbox, struct remote_identify_req *req);
	void (*email_ids)(struct remote_mailbox *mailbox, struct remote_email_ids_req *req);
	void (*settle)(struct remote_mailbox *mailbox, struct remote_settle_req *req);
	/* Makes every request under way complete soon, with SYNCD_ECANCELLED. */
	void (*cancel)(struct remote_mailbox *mailbox);
	/* Gives the mailbox back; no request may be under way. Frees it. */
	void (*close)(struct remote_mailbox *mailbox);
};
struct remote_mailbox {
	const struct remote_mailbox_ops *ops;
};

/* ---- local ----------------------------------------------------------------- */

struct local_account;
struct local_mailbox;
struct local_delivery;
struct local_reader;

struct local_list_req {
	struct port_op op;
	void (*found)(struct local_list_req *req, const struct mailbox_info *info);
};

struct local_item {
	const char *name; /* base name, in the listing's memory */
	uint64_t flags;
	bool is_gone; /* delta only */
};

/* A complete listing of cur/ and new/, or only what changed (is_delta). */
struct local_listing {
	struct local_item *items; /* sorted by name (strcmp), each once */
	size_t count;
	size_t cap;
	bool is_delta;
	/* The directories stood still while they were read, or of a delta, every file hinted at
	 * was found or is surely gone. Otherwise what is missing must not count as gone. */
	bool is_stable;
	/* Of a listing that is stable and of directories that had changed no later than two
	 * seconds before (DESIGN 5), or of a delta because of them; else 0. */
	struct local_mtimes mtimes;
	struct local_arena *arena; /* the names' memory */
};

void local_listing_init(struct local_listing *listing);
void local_listing_free(struct local_listing *listing);
/* Copies the name. */
void local_listing_add(struct local_listing *listing, struct slice name, uint64_t flags);
/* Delta: a message that is gone. */
void local_listing_add_gone(struct local_listing *listing, struct slice name);
/* Sorts by name; of equal names one stays, with the flags of both, there if one of them is. */
void local_listing_sort(struct local_listing *listing);

/* A file name that appeared in or vanished from a directory, as inotify told. */
struct local_hint {
	const char *file; /* with its flags, such as "1.M2.host:2,S" */
	bool is_new;      /* in new/, else in cur/ */
	bool is_gone;     /* it vanished or was renamed away */
};

struct local_scan_req {
	struct port_op op;
	/* With hints, in the order of the events: only the messages these files belong to are
	 * looked at, and the result is a delta. Borrowed until done. */
	const struct local_hint *hints;
	size_t hint_count;
	/* Without: when both are the directories' own still, nothing is read and the result is a
	 * delta without items. */
	struct local_mtimes known;
	struct local_listing *result; /* the caller's, initialised */
};

struct local_flush_req {
	struct port_op op;
};

/* Reads one message through to learn what an APPEND must announce. */
struct local_examine_req {
	struct port_op op;   /* SYNCD_ENOTFOUND: gone meanwhile; SYNCD_EMESSAGE: unreadable file, a
				directory... */
	const char *name;    /* borrowed until done */
	bool is_peek;        /* the next flush need not make it durable */
	uint64_t size_bytes; /* results: CRLF form */
	bool has_nul;
	int64_t mtime_s;
	uint64_t flags;
	struct digest identity;
};

struct local_account_ops {
	/* The root is there and carries its mark: 0, or SYNCD_EROOT. `is_first`: the
	 * state knows no mailbox yet, so a missing root or mark is made. */
	int (*check)(struct local_account *account, bool is_first, struct error *err);
	void (*list)(struct local_account *account, struct local_list_req *req);
	/* Whether the mailbox's directories have these mtimes (two stat calls). */
	bool (*is_unchanged)(struct local_account *account, const char *name,
			     const struct local_mtimes *known);
	/* Makes the mailbox's directories durable; existing ones are fine. */
	int (*create)(struct local_account *account, const char *name, struct error *err);
	/* Without the mailboxes below it, which stay where they are; durable. When only part of it
	 * is there under the old name, the rest is under the new one already, and follows.
	 * SYNCD_ENOTFOUND: nothing is there under the old name; SYNCD_EBUSY: another mailbox has
	 * the new one. It must not be open. */
	int (*rename)(struct local_account *account, const char *from, const char *to,
		      struct error *err);
	/* Durable; only a mailbox without messages, else SYNCD_EBUSY and it stays a mailbox. What
	 * else is in its directory stays there. Gone already is success. It must not be open. */
	int (*remove)(struct local_account *account, const char *name, struct error *err);
	/* Fills *mailbox, owned by the caller until close. `keywords` is borrowed until then. */
	int (*open)(struct local_account *account, const char *name, struct keyword_table *keywords,
		    struct local_mailbox **mailbox, struct error *err);
};
struct local_account {
	const struct local_account_ops *ops;
};

struct local_mailbox_ops {
	void (*scan)(struct local_mailbox *mailbox, struct local_scan_req *req);

	/* Flags the maildir can hold, given the keywords known so far: system flags and
	 * those keywords that have or can get one of the 26 letters; no keywords while files
	 * carry letters that no name is known for. */
	uint64_t (*flags_mask)(struct local_mailbox *mailbox);

	/* Delivery: a new file in tmp/, there at the latest when the next flush is done, which
	 * then tells if it could not be written. `name` (MAIL_NAME_MAX + 1 bytes) receives its
	 * base name at deliver_end, when the size is known. Bytes arrive in CRLF form and are
	 * stored as `line_endings` wants. The digest and CRLF size are of what arrived. */
	int (*deliver_begin)(struct local_mailbox *mailbox, struct local_delivery **delivery,
			     struct error *err);
	int (*deliver_write)(struct local_delivery *delivery, struct slice data, struct error *err);
	/* Gives the file its mtime. Frees the delivery in any outcome. */
	int (*deliver_end)(struct local_delivery *delivery, int64_t mtime_s, char *name,
			   uint64_t *size_bytes, struct digest *identity, struct error *err);
	void (*deliver_abort)(struct local_delivery *delivery);

	/* The same of a message that another mailbox has: its file gets a second name in tmp/. It
	 * is the file of base name `original` in `from`, last known with `flags` (by from's
	 * keywords). It is looked for where it should be only. Any failure: the message is to be
	 * delivered instead. */
	int (*link)(struct local_mailbox *mailbox, const struct mailbox_record *from,
		    const char *original, uint64_t flags, char *name, struct error *err);

	/* Makes durable what this mailbox is now: all that was delivered to tmp/, the files
	 * examined, and every entry, rename and removal in its directories, whoever did it: the
	 * state must never know more than the disk keeps. */
	void (*flush)(struct local_mailbox *mailbox, struct local_flush_req *req);

	/* Moves a delivered file from tmp/ into new/ (no flags) or cur/. In place already:
	 * 0 as well. SYNCD_ENOTFOUND: neither. */
	int (*publish)(struct local_mailbox *mailbox, const char *name, uint64_t flags,
		       struct error *err);

	/* Adds and removes flags on the file as it is now; a file in new/ moves to cur/ when it
	 * gets any. `expected`: the flags it had last, which tell where to look first; elsewhere it
	 * is found too. SYNCD_ENOTFOUND when it is gone. */
	int (*set_flags)(struct local_mailbox *mailbox, const char *name, uint64_t expected,
			 uint64_t add, uint64_t remove, struct error *err);

	/* The file's keywords become exactly those in `flags`, whatever its letters meant where it
	 * came from; its system flags stay. SYNCD_ENOTFOUND when it is gone. */
	int (*set_keywords)(struct local_mailbox *mailbox, const char *name, uint64_t flags,
			    struct error *err);

	/* Gone already is success. */
	int (*remove)(struct local_mailbox *mailbox, const char *name, uint64_t expected,
		      struct error *err);

	/* Whether the file is there as long as its name says (",S="), which spares reading it where
	 * the name says whose it is. False where that cannot be told at a glance. */
	bool (*is_whole)(struct local_mailbox *mailbox, const char *name, uint64_t flags);

	void (*examine)(struct local_mailbox *mailbox, struct local_examine_req *req);

	/* Reads in CRLF form. Mails do not change, so this gives what examine measured, unless
	 * someone broke that rule (the adapter then fails with SYNCD_EMESSAGE, not short).
	 * SYNCD_ENOTFOUND: it is gone; SYNCD_EMESSAGE: it cannot be read. */
	int (*reader_open)(struct local_mailbox *mailbox, const char *name,
			   struct local_reader **reader, struct error *err);
	int (*reader_read)(struct local_reader *reader, char *out, size_t size, size_t *len,
			   struct error *err);
	void (*reader_close)(struct local_reader *reader);

	/* Removes our own leftovers from tmp/ that `is_staged` does not claim. */
	int (*clean_tmp)(struct local_mailbox *mailbox,
			 bool (*is_staged)(void *context, const char *name), void *context,
			 struct error *err);

	/* As on the remote side. */
	void (*cancel)(struct local_mailbox *mailbox);
	void (*close)(struct local_mailbox *mailbox);
};
struct local_mailbox {
	const struct local_mailbox_ops *ops;
};

/* ---- store ------------------------------------------------------------------ */

struct store_port;

struct store_commit_req {
	struct port_op op;
	struct store_batch batch; /* consumed: empty after done */
};

/* Reads copy out and hold nothing; they see every commit that is done. They
 * return 0 or a negative code with `err`; counts and "found" are results. */
struct store_ops {
	/* Where the account has messages of that identity: up to `max`, *count of them. */
	int (*messages_by_identity)(struct store_port *store, const struct digest *identity,
				    struct message_place *out, size_t max, size_t *count,
				    struct error *err);
	/* The same by email_id, which is not 0. */
	int (*messages_by_email_id)(struct store_port *store, uint64_t email_id,
				    struct message_place *out, size_t max, size_t *count,
				    struct error *err);
	/* The mailbox's record (free its keywords with keyword_table_free). */
	int (*mailbox_get)(struct store_port *store, const char *name, bool *found,
			   struct mailbox_record *out, struct error *err);
	/* Every mailbox in name order. */
	int (*mailbox_each)(struct store_port *store,
			    void (*each)(void *context, const struct mailbox_record *mailbox),
			    void *context, struct error *err);
	/* An id never used before in this store; not durable until a mailbox is put with it. */
	uint32_t (*mailbox_new_id)(struct store_port *store);

	int (*message_get)(struct store_port *store, uint32_t mailbox_id, uint32_t uid, bool *found,
			   struct message_record *out, struct error *err);
	int (*message_by_name)(struct store_port *store, uint32_t mailbox_id, const char *name,
			       bool *found, struct message_record *out, struct error *err);
	/* Up to `max` records with a greater UID / name, in order; *count of them. */
	int (*messages_after)(struct store_port *store, uint32_t mailbox_id, uint32_t after_uid,
			      struct remote_flags *out, size_t max, size_t *count,
			      struct error *err);
	int (*names_after)(struct store_port *store, uint32_t mailbox_id, const char *after_name,
			   struct name_record *out, size_t max, size_t *count, struct error *err);
	int (*message_count)(struct store_port *store, uint32_t mailbox_id, size_t *count,
			     struct error *err);

	int (*journal_each)(struct store_port *store, uint32_t mailbox_id,
			    void (*each)(void *context, const struct journal_record *journal),
			    void *context, struct error *err);
	int (*setaside_each)(struct store_port *store, uint32_t mailbox_id,
			     void (*each)(void *context, const struct setaside_record *setaside),
			     void *context, struct error *err);

	/* What was downloaded from a maildrop, in order of the ids. */
	int (*pop3_each)(struct store_port *store,
			 void (*each)(void *context, const struct pop3_record *pop3), void *context,
			 struct error *err);
	/* An id never used before in this store; not durable until a record is put with it. */
	uint32_t (*pop3_new_id)(struct store_port *store);

	/* Durable when done says 0; not there at all otherwise, unless the process or
	 * machine dies before done. Commits become durable in the order of the calls. */
	void (*commit)(struct store_port *store, struct store_commit_req *req);
};
struct store_port {
	const struct store_ops *ops;
};

#endif
