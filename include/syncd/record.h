/* What the state remembers: plain data passed between the engine and the store.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_RECORD_H
#define SYNCD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/flags.h"
#include "syncd/identity.h"
#include "syncd/list.h"

#define MAIL_NAME_MAX 255     /* bytes of a base name (the file name before ":2,") */
#define MAILBOX_NAME_MAX 1000 /* bytes of a mailbox's canonical name */
#define REASON_MAX 256

/* What the mtimes of a mailbox's two directories were; 0: not known. */
struct local_mtimes {
	int64_t cur_ns;
	int64_t new_ns;
};

/* Deletions that were too many to be carried out unasked. */
struct held_deletions {
	uint32_t count; /* when they were found to be; 0: none are held */
	uint32_t total; /* messages there were then */
};

/* A mailbox as last agreed. `name` is canonical: UTF-8, levels joined by '/', a
 * '/' inside a level as "%2F". */
struct mailbox_record {
	uint32_t id;          /* ours, never used again */
	uint32_t uidvalidity; /* 0: never synchronised */
	uint32_t uidnext;
	/* Where the next look at each side may begin: all before has been applied. */
	uint64_t highestmodseq; /* 0: with a listing */
	uint32_t exists;        /* messages on the server then */
	struct local_mtimes mtimes;
	int64_t verified_s; /* when both sides were last listed in full */
	/* mailbox_info.lasting_id of each side when they were last seen; 0: not known. */
	uint64_t remote_id;
	uint64_t local_id;
	uint32_t email_uidnext; /* smaller UIDs have their email_id, if the server has any */
	uint64_t unkept; /* keywords that the server takes and does not keep: the maildir's alone */
	struct held_deletions held_remote; /* that would be on the server, */
	struct held_deletions held_local;  /* and in the maildir */
	uint64_t policy; /* a digest of what decided which changes matter; another: list anew */
	struct keyword_table keywords;
	char name[MAILBOX_NAME_MAX + 1];
};

/* Whether any deletions are held, on either side. */
bool mailbox_has_held(const struct mailbox_record *mailbox);

/* The order in which people see mailboxes, and passes go over them: INBOX, then by bytes. */
int mailbox_name_compare(const char *a, const char *b);

/* A message both sides have, as last agreed. */
struct message_record {
	uint32_t uid;
	uint64_t flags;
	uint64_t size_bytes; /* CRLF form */
	struct digest identity;
	uint64_t
		email_id; /* equal ones are one message, wherever it is (RFC 8474 §5); 0: unknown */
	char name[MAIL_NAME_MAX + 1];
};

struct message_place {
	uint32_t mailbox_id;
	uint32_t uid;
};

/* What a listing in name order yields. */
struct name_record {
	uint32_t uid;
	uint64_t flags;
	char name[MAIL_NAME_MAX + 1];
};

enum journal_kind {
	/* The message `uid` is recorded and durable in tmp/ under `name`, its
	 * rename into place not yet known to be durable (DESIGN 5 "staged"). */
	JOURNAL_DELIVER = 1,
	/* An APPEND of `name` was about to be sent; its outcome is not recorded. */
	JOURNAL_APPEND = 2,
	/* The message `uid` was about to be removed on the server because its file was gone: it may
	 * have been. A file that is back since then is a new message. Named by the UID. */
	JOURNAL_EXPUNGE = 3,
	/* Files were about to be removed because their messages are gone from the server: that one
	 * is missing need not be somebody's doing. One for the mailbox, with no name of its own. */
	JOURNAL_REMOVE = 4,
};

#define JOURNAL_ANSWERED 1 /* long ago */

/* An action under way that is not safe to repeat blindly. Keyed by kind and name. */
struct journal_record {
	enum journal_kind kind;
	uint32_t uid;           /* deliver, expunge */
	uint64_t flags;         /* both: as delivered / as appended */
	uint32_t uidvalidity;   /* append, expunge */
	uint32_t uidnext;       /* append: no smaller UID can be the new message's */
	uint64_t size_bytes;    /* append */
	struct digest identity; /* append */
	/* Append, expunge: when a look at the server first left it open (sync_waiting.h); 0: there
	 * was none yet. JOURNAL_ANSWERED: the server has answered, so that it is not carrying it
	 * out any more, but not told all. */
	int64_t looked_s;
	char name[MAIL_NAME_MAX + 1];
};

/* A message that one side refuses, keyed by uid (remote) or name (local). */
struct setaside_record {
	uint32_t uid; /* refused to be fetched; 0: a local one refused by the server */
	char name[MAIL_NAME_MAX + 1];
	int64_t next_try_s;
	uint32_t attempts; /* 0: it was not refused, but is larger than max_size */
	char reason[REASON_MAX];
};

enum pop3_state {
	POP3_STAGED = 1,    /* durable in tmp/, its rename into new/ not yet known to be durable */
	POP3_DELIVERED = 2, /* durable in the maildir: the server's copy may go */
};

/* A message that was downloaded from a maildrop. */
struct pop3_record {
	uint32_t id; /* ours, never used again */
	enum pop3_state state;
	struct digest uid; /* digest_of_text of its unique-id; all zero: the server has none */
	struct digest identity;
	uint64_t size_bytes;    /* CRLF form, of what arrived */
	uint64_t listed_bytes;  /* as the server's listing told */
	int64_t first_seen_s;   /* when it was downloaded */
	int64_t absent_since_s; /* 0: it was in the last complete listing */
	char name[MAIL_NAME_MAX + 1];
};

enum store_change_kind {
	STORE_PUT_MAILBOX,
	STORE_PUT_MESSAGE, /* replaces the record of that UID, and its old name's entry */
	STORE_SET_FLAGS,   /* message.uid, message.flags; nothing when there is no record */
	STORE_DELETE_MESSAGE,
	STORE_PUT_JOURNAL,
	STORE_DELETE_JOURNAL, /* by kind and name */
	STORE_PUT_SETASIDE,
	STORE_DELETE_SETASIDE, /* by uid, or name when uid is 0 */
	/* The mailbox's own record, journal, messages set aside, and count; its messages must
	 * have been deleted before. Nothing when there is no record. */
	STORE_DELETE_MAILBOX,
	STORE_PUT_POP3,
	STORE_DELETE_POP3, /* by id; nothing when there is no record */
};

struct store_change {
	enum store_change_kind kind;
	uint32_t mailbox_id;
	struct store_change *next;
	union {
		struct mailbox_record mailbox; /* keywords deep-copied, owned */
		struct message_record message;
		struct journal_record journal;
		struct setaside_record setaside;
		struct pop3_record pop3;
		uint32_t pop3_id; /* of one to be deleted */
	} u;
};

/* Changes that become durable together or not at all, applied in order.
 * Each change is allocated at the size its kind needs. */
struct store_batch {
	struct store_change *first;
	struct store_change **last;
	size_t count;
};

void store_batch_init(struct store_batch *batch);
void store_batch_free(struct store_batch *batch);

/* Moves all of `from` behind what `to` has; `from` becomes empty. */
void store_batch_move(struct store_batch *to, struct store_batch *from);

void store_batch_put_mailbox(struct store_batch *batch, const struct mailbox_record *mailbox);
void store_batch_delete_mailbox(struct store_batch *batch, uint32_t mailbox_id);
void store_batch_put_message(struct store_batch *batch, uint32_t mailbox_id,
			     const struct message_record *message);
void store_batch_set_flags(struct store_batch *batch, uint32_t mailbox_id, uint32_t uid,
			   uint64_t flags);
void store_batch_delete_message(struct store_batch *batch, uint32_t mailbox_id, uint32_t uid);
void store_batch_put_journal(struct store_batch *batch, uint32_t mailbox_id,
			     const struct journal_record *journal);
void store_batch_delete_journal(struct store_batch *batch, uint32_t mailbox_id,
				enum journal_kind kind, const char *name);
/* The same for JOURNAL_EXPUNGE. */
void store_batch_put_expunge(struct store_batch *batch, uint32_t mailbox_id, uint32_t uidvalidity,
			     uint32_t uid, int64_t looked_s);
void store_batch_delete_expunge(struct store_batch *batch, uint32_t mailbox_id, uint32_t uid);

/* And for JOURNAL_REMOVE. */
void store_batch_put_removal(struct store_batch *batch, uint32_t mailbox_id);
void store_batch_delete_removal(struct store_batch *batch, uint32_t mailbox_id);

void store_batch_put_setaside(struct store_batch *batch, uint32_t mailbox_id,
			      const struct setaside_record *setaside);
void store_batch_delete_setaside(struct store_batch *batch, uint32_t mailbox_id, uint32_t uid,
				 const char *name);

void store_batch_put_pop3(struct store_batch *batch, const struct pop3_record *pop3);
void store_batch_delete_pop3(struct store_batch *batch, uint32_t id);

#endif
