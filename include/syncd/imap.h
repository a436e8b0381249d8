/* What is asked on an authenticated IMAP session (RFC 3501 §6.3, §6.4 and extensions).
 *
 * Each request is embedded in the caller's struct, which must stay in place until
 * `done`: called once, never inside the start, code 0 or negative with `err` filled. When the
 * session ends, all its requests complete with the reason. The caller fills the members named as
 * inputs and the callbacks, and zeroes the rest. SPDX-License-Identifier: MIT */
#ifndef SYNCD_IMAP_H
#define SYNCD_IMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/identity.h"
#include "syncd/imap_command.h"
#include "syncd/imap_mailbox.h"
#include "syncd/imap_session.h"
#include "syncd/list.h"
#include "syncd/loop.h"
#include "syncd/special_use.h"
#include "syncd/uid_pile.h"
#include "syncd/uidset.h"

#define IMAP_NAME_MAX 4096 /* bytes of a mailbox name as on the wire */

/* --- Mailboxes. Names are those of the wire: prefix, separator, modified UTF-7. ---- */

/* What STATUS tells (RFC 3501 §7.2.4, RFC 7162 §3.1.7, RFC 8474 §4.3). */
struct imap_told {
	uint32_t uidvalidity; /* 0: neither this nor the next three */
	uint32_t uidnext;
	uint32_t messages;
	uint64_t highestmodseq; /* 0: none */
	uint64_t mailbox_id;    /* a number made of MAILBOXID; 0: none */
};

/* What STATUS is asked for: how a mailbox stands; with IMAP_CAP_OBJECTID its MAILBOXID. */
enum imap_status_wish {
	IMAP_WANTS_STATUS = 1 << 0,
	IMAP_WANTS_ID = 1 << 1,
};

/* What LIST says of a mailbox. */
struct imap_listed {
	struct slice name;
	bool is_damaged; /* the line could not be read, or its name is too long; `name` is what
			    there is */
	bool is_selectable;
	bool is_subscribed;   /* where it is asked for, and by LSUB */
	enum special_use use; /* servers may tell it without being asked */
};

/* LIST: `found` for each mailbox, with `wishes` and IMAP_CAP_LIST_STATUS also `told`
 * (RFC 5819), before or after, perhaps
 * nothing; a name is valid during the call and may come twice. */
struct imap_list {
	struct imap_command command;
	struct slice pattern;  /* inputs; borrowed until it is started: "*" is everything */
	unsigned wishes;       /* of STATUS */
	bool wants_use;        /* only with IMAP_CAP_SPECIAL_USE, and IMAP_CAP_LIST_EXTENDED */
	bool wants_subscribed; /* only with IMAP_CAP_LIST_EXTENDED */
	void (*found)(struct imap_list *list, const struct imap_listed *listed);
	void (*told)(struct imap_list *list, struct slice name, const struct imap_told *told);
};
void imap_list_start(struct imap_session *session, struct imap_list *list, imap_command_done done);
/* LSUB instead, with `found` only: what is subscribed, whether or not it exists (RFC 3501 §6.3.9).
 */
void imap_lsub_start(struct imap_session *session, struct imap_list *list, imap_command_done done);

/* STATUS of one mailbox, which should not be the selected one. */
struct imap_status {
	struct imap_command command;
	struct slice name; /* inputs, borrowed until done */
	unsigned wishes;
	struct imap_told told; /* result */
};
void imap_status_start(struct imap_session *session, struct imap_status *status,
		       imap_command_done done);

/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE: the verb and a name or two. SYNCD_ESERVER,
 * SYNCD_ENOTFOUND. */
void imap_create_start(struct imap_session *session, struct imap_command *command,
		       struct slice name, imap_command_done done);
void imap_delete_start(struct imap_session *session, struct imap_command *command,
		       struct slice name, imap_command_done done);
void imap_rename_start(struct imap_session *session, struct imap_command *command,
		       struct slice from, struct slice to, imap_command_done done);
void imap_subscribe_start(struct imap_session *session, struct imap_command *command,
			  struct slice name, imap_command_done done);
void imap_unsubscribe_start(struct imap_session *session, struct imap_command *command,
			    struct slice name, imap_command_done done);

void imap_noop_start(struct imap_session *session, struct imap_command *command,
		     imap_command_done done);

/* --- Looking at messages ----------------------------------------------------- */

/* UID and flags of every message, or of those that are new or changed; one may be told twice. */
struct imap_listing {
	struct imap_command command;
	uint64_t changed_since; /* input; 0: every message (else RFC 7162 §3.1.4.1) */
	bool is_damaged;        /* result: something could not be read */
	void (*found)(struct imap_listing *listing, uint32_t uid, uint64_t flags);
	imap_command_done done;
	uint32_t highest; /* up to here it is still to be listed */
};
void imap_listing_start(struct imap_session *session, struct imap_listing *listing,
			imap_command_done done);

/* The UIDs of all messages, in ranges as they come (RFC 3501 §6.4.4, RFC 4731). */
struct imap_search {
	struct imap_command command;
	void (*found)(struct imap_search *search, uint32_t low, uint32_t high);
	bool is_damaged; /* result: something could not be read */
	imap_command_done done;
	uint32_t highest; /* up to here it is still to be searched */
};
void imap_search_start(struct imap_session *session, struct imap_search *search,
		       imap_command_done done);

/* Bodies, the highest UIDs first, each in one piece: begin, data..., end. The end tells whose it
 * was and its date (the time of arrival when the server says none), after the whole response; uid
 * 0: it is to be dropped, for the server did not say, it is none that is still awaited, or the
 * session's end has cut it. What the server does not send is missing. SYNCD_EMESSAGE when it
 * says NO; what it sent before has been told. Negative codes of begin, data and end give the fetch
 * up: the rest of what is in the pipe is dropped, a body begun has no end. */
struct imap_fetch {
	/* Borrowed: what is still to be asked for. It is taken out when it is, and is back in when
	 * the session has ended before it came. Several fetches may share it; an emptied one
	 * lets them end. */
	struct uidset *left;
	bool is_further; /* input: begins with less in the pipe, to leave the others more */
	int (*begin)(struct imap_fetch *fetch, uint64_t size_bytes);
	int (*data)(struct imap_fetch *fetch, struct slice data);
	int (*end)(struct imap_fetch *fetch, uint32_t uid, int64_t internaldate_s);
	void (*done)(struct imap_fetch *fetch, int code);
	struct error err;
	bool is_lost;                 /* result: the error is the session's end */
	struct imap_fetch_work *work; /* the module's */
};
void imap_fetch_start(struct imap_session *session, struct imap_fetch *fetch);
/* As in ports.h; pauses the whole session. */
void imap_fetch_pause(struct imap_fetch *fetch);
void imap_fetch_resume(struct imap_fetch *fetch);
/* Asks for nothing more; done follows when what is in the pipe has come, */
void imap_fetch_stop(struct imap_fetch *fetch);
/* or has been read past, with SYNCD_ECANCELLED. */
void imap_fetch_cancel(struct imap_fetch *fetch);

/* Identity digest, size and flags, without bodies; or email_id and size. */
struct imap_identify {
	const struct uidset *uids; /* input, borrowed */
	/* One of the two. The email_id is of EMAILID (RFC 8474 §5.1) or X-GM-MSGID where the
	 * session has IMAP_CAP_EMAILID or IMAP_CAP_GMAIL, else 0. */
	void (*found_email_id)(struct imap_identify *identify, uint32_t uid, uint64_t email_id,
			       uint64_t size_bytes);
	void (*found)(struct imap_identify *identify, uint32_t uid, const struct digest *identity,
		      uint64_t size_bytes, uint64_t flags);
	void (*done)(struct imap_identify *identify, int code);
	struct error err;
	struct imap_command command;
	struct uidset left;  /* still to be answered */
	uint32_t asked;      /* the highest UID of the command under way */
	uint32_t unanswered; /* up to here it did not answer */
	bool is_torn;        /* nor say up to where */
	struct buf header;
	bool has_header;
	struct loop_defer defer;
};
void imap_identify_start(struct imap_session *session, struct imap_identify *identify);

/* --- Changing messages --------------------------------------------------------- */

/* One command over a UID set of any size, cut into lines a server takes, one after another. */
struct imap_uid_run {
	const struct uidset *uids; /* input, borrowed */
	void (*done)(struct imap_uid_run *run, int code);
	struct error err;
	struct imap_command command;
	const struct imap_command_type *type;
	struct uidset_place place;
	struct uidset_place begun; /* where the command under way began, */
	uint64_t count;            /* how many messages it names, */
	uint64_t most;             /* of at most so many that the server takes */
	bool is_cut;               /* it was carried out in part, */
	bool is_repeated;          /* and is to be begun again */
	struct buf suffix;         /* what follows the set */
	uint64_t flags;            /* of a STORE */
	bool is_added;
	struct slice name; /* and then */
	struct loop_defer defer;
};

/* UID STORE +FLAGS.SILENT or -FLAGS.SILENT. `flags` not 0. SYNCD_EMESSAGE when refused. */
void imap_store_start(struct imap_session *session, struct imap_uid_run *run, bool is_added,
		      uint64_t flags);

/* UID EXPUNGE (RFC 4315): those of the set that are marked \Deleted go. */
void imap_uid_expunge_start(struct imap_session *session, struct imap_uid_run *run);

/* UID MOVE (with IMAP_CAP_MOVE only) or UID COPY to another mailbox (RFC 6851, RFC 3501 §6.4.7). A
 * failure may come after a part was moved or copied. SYNCD_EMESSAGE, SYNCD_ENOSPC; SYNCD_ENOTFOUND:
 * there is no such mailbox. */
struct imap_transfer {
	const struct uidset *uids; /* inputs, borrowed until done */
	struct slice mailbox;
	bool is_move;
	/* Where one of them is now (COPYUID, RFC 4315 §3); may be NULL. Called while the server's
	 * bytes are read: it only takes notes. */
	void (*copied)(struct imap_transfer *transfer, uint32_t uid, uint32_t target_uid);
	void (*done)(struct imap_transfer *transfer, int code);
	struct error err;
	uint32_t uidvalidity; /* results: the target's; 0: nothing was told */
	struct uidset told;   /* of whom `copied` was; the caller frees it when done */
	bool is_untold;       /* some may be there too, without a word */
	bool has_told;        /* the module's: by the command under way */
	struct imap_uid_run run;
};
void imap_transfer_start(struct imap_session *session, struct imap_transfer *transfer);

/* Removes these messages and no others, whoever else is marked \Deleted (DESIGN 5). SYNCD_EMESSAGE
 * when that cannot be done; without UIDPLUS the marks are then as before. */
struct imap_expunge {
	const struct uidset *uids; /* input, borrowed */
	void (*done)(struct imap_expunge *expunge, int code);
	struct error err;
	struct imap_uid_run run;
	struct imap_command command;
	struct uid_pile named; /* without UIDPLUS: what a search has named so far */
	struct uidset found;   /* and what the last one did */
	struct uidset others;  /* whose marks are to be put back */
	struct uidset ours;    /* those of `uids` that were not marked before */
	bool is_damaged;       /* a search's answer was */
	bool has_found_ours;   /* the last search did */
	bool has_uidplus;
	unsigned searches;
	unsigned step;
	struct loop_defer defer;
};
void imap_expunge_start(struct imap_session *session, struct imap_expunge *expunge);

#define IMAP_APPEND_MESSAGES_MAX 100 /* of one command */

/* One message of an APPEND. */
struct imap_append_message {
	struct list link;
	uint64_t flags; /* inputs */
	int64_t internaldate_s;
	uint64_t size_bytes;
	bool has_nul; /* sent as literal8: only with IMAP_CAP_BINARY */
	/* Fills up to `size` bytes; a failure, or an end that is not at size_bytes, breaks the
	 * session, as the announced literal cannot be taken back. */
	int (*read)(struct imap_append_message *message, char *out, size_t size, size_t *len);
	uint32_t uid; /* result; 0: the server does not say */
};

/* APPEND of one message (RFC 3501 §6.3.11, UIDPLUS RFC 4315), or, with IMAP_CAP_MULTIAPPEND, of
 * many: the server stores all of them or none (RFC 3502). Several commands may be started at once.
 */
struct imap_append {
	struct imap_command command;
	struct slice mailbox; /* inputs */
	struct keyword_table *keywords;
	struct list messages; /* 1 to IMAP_APPEND_MESSAGES_MAX, borrowed until done */
	uint32_t uidvalidity; /* results; 0: the server does not say */
	/* The message that could not be read, with the command's error; the session is over then
	 * and what it says of the others. */
	struct imap_append_message *unreadable;
	struct list *sending;
	uint64_t sent; /* of that one */
};
void imap_append_start(struct imap_session *session, struct imap_append *append,
		       imap_command_done done);

/* --- Waiting for news ------------------------------------------------------------ */

#define IMAP_IDLE_MS (28 * 60 * 1000) /* servers may log out after 30 minutes (RFC 2177) */
/* A server that says nothing this long is asked: Dovecot would have said "Still here". */
#define IMAP_SILENCE_MS (10 * 60 * 1000)

/* Stays in IDLE, renewed in time and after silence, until another command is started or the
 * session ends. What changes, the mailbox's user is told (imap_mailbox.h). */
struct imap_idle {
	void (*done)(struct imap_idle *idle, int code);
	struct error err;
	struct imap_command command;
	struct loop_timer renew;
	uint64_t began_ms;
	bool is_ending;
	bool is_accepted;
	bool is_stopped; /* not to be renewed */
};
void imap_idle_start(struct imap_session *session, struct imap_idle *idle);
/* Ends it; done follows. Harmless when it is ending. */
void imap_idle_stop(struct imap_idle *idle);

/* What STATUS told of a mailbox without being asked (RFC 5465 §5.1 to §5.3): what is new, and
 * perhaps more. 0: not told. */
struct imap_news {
	struct slice name; /* as on the wire */
	uint32_t uidvalidity;
	uint32_t uidnext;
	bool has_messages;
	uint32_t messages;
	uint64_t highestmodseq;
};

enum imap_notify_state {
	IMAP_NOTIFY_SETTING,
	IMAP_NOTIFY_LIVE,
	IMAP_NOTIFY_ENDING,
	IMAP_NOTIFY_OVER,
};

/* NOTIFY (RFC 5465): the server tells of changes in all of the user's mailboxes, in IDLE or
 * while no command is in flight, until this is stopped or the session ends. As the first thing it
 * tells how each mailbox stands; but what happens in the one that is selected, its user is told,
 * as in IDLE. Any LIST or STATUS that no command asked for is taken for news. */
struct imap_notify {
	bool is_alone; /* input: nothing else keeps the session alive, so it says NOOP in time */
	/* What comes from now on are changes. */
	void (*live)(struct imap_notify *notify);
	void (*status)(struct imap_notify *notify, const struct imap_news *news);
	/* A mailbox came or went, or another thing about it changed. `is_there`: one can select it.
	 * A renamed one came, and went by its old name. */
	void (*listed)(struct imap_notify *notify, struct slice name, bool is_there);
	/* Some changes went untold. */
	void (*lost)(struct imap_notify *notify);
	/* Code 0 after a stop; SYNCD_ESERVER and others when the server refuses; or, with
	 * has_overflown, SYNCD_EBUSY: it gave up telling (§5.8). */
	void (*done)(struct imap_notify *notify, int code);
	struct error err;
	bool has_overflown;
	enum imap_notify_state state; /* the rest is the module's */
	struct imap_session *session;
	struct imap_command command;
	struct imap_command noop;
	struct loop_timer awake;
	unsigned events;   /* asked for */
	unsigned accepted; /* those that the server would take instead */
};
void imap_notify_start(struct imap_session *session, struct imap_notify *notify);
/* The server shall tell no more; done follows. Only while it is live. */
void imap_notify_stop(struct imap_notify *notify);

#endif
