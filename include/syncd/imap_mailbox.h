/* The selected mailbox of an IMAP session: what the server told of it, SELECT itself, and who
 * keeps account of what changes there (RFC 3501 §6.3.1, §7; RFC 7162).
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_IMAP_MAILBOX_H
#define SYNCD_IMAP_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/flags.h"
#include "syncd/imap_command.h"

struct imap_session;

/* A FETCH response that tells flags or a modseq, whatever it is the answer to. */
struct imap_fetched {
	uint32_t uid; /* 0: the server did not say */
	bool has_flags;
	uint64_t flags;
	uint64_t modseq; /* 0: not told */
	bool is_own;     /* as a command under way asked for it to be */
	bool was_asked;  /* a command that only looks has taken it as its answer */
};

/* Keeps account of a mailbox's changes. Called while the server's bytes are read: it
 * only takes notes. Embedded in the user's struct. */
struct imap_mailbox_user;
struct imap_mailbox_user_ops {
	void (*fetched)(struct imap_mailbox_user *user, const struct imap_fetched *fetched);
	/* VANISHED. `is_earlier`: before this session (RFC 7162 §3.2.10.1). `is_own`: a command
	 * under way removes them. */
	void (*vanished)(struct imap_mailbox_user *user, uint32_t low, uint32_t high,
			 bool is_earlier, bool is_own);
	/* EXPUNGE: one message went, whose UID the server does not tell. */
	void (*expunged)(struct imap_mailbox_user *user);
	/* EXISTS told another number than there were; since SELECT was answered. */
	void (*counted)(struct imap_mailbox_user *user, uint32_t before, uint32_t now);
	/* A HIGHESTMODSEQ told since SELECT was answered; in a tagged answer or not. */
	void (*highestmodseq)(struct imap_mailbox_user *user, uint64_t modseq, bool is_tagged);
	/* A FETCH or VANISHED response that broke the grammar: it may have told anything. */
	void (*damaged)(struct imap_mailbox_user *user, bool was_asked);
};
struct imap_mailbox_user {
	const struct imap_mailbox_user_ops *ops;
};

/* The selected mailbox as the server told so far. */
struct imap_mailbox {
	bool is_selected;
	bool is_read_only;
	bool has_exists; /* the server told `exists` */
	uint32_t exists;
	uint32_t uidvalidity;
	uint32_t uidnext;         /* 0: the server does not say */
	uint64_t highestmodseq;   /* the last one told; 0: none that is to be trusted */
	bool has_no_modseq;       /* NOMODSEQ, or what cannot be trusted: never `highestmodseq` */
	uint64_t flags_mask;      /* flags that can be stored (PERMANENTFLAGS) */
	uint64_t named_flags;     /* without those that "\\*" stands for */
	uint32_t changes;         /* counts EXISTS, EXPUNGE and VANISHED */
	bool is_validity_changed; /* another UIDVALIDITY was told since SELECT */
	bool has_permanent_flags;
	/* Changes were told before it was clear of which mailbox: they went nowhere. */
	bool has_missed;
	struct keyword_table *keywords; /* as given to SELECT, as `user` */
	struct imap_mailbox_user *user;
};

/* SELECT. What the server says is in imap_session_mailbox. */
struct imap_select {
	struct imap_command command;
	struct slice name; /* inputs; the name may go when the command is started */
	/* Borrowed until the next SELECT, imap_session_forget_mailbox or the session's end; gets
	 * the names of keywords seen. */
	struct keyword_table *keywords;
	struct imap_mailbox_user *user; /* borrowed likewise, or NULL */
	/* With both and QRESYNC the server tells what changed since then (RFC 7162 §3.2.5). */
	uint32_t known_uidvalidity;
	uint64_t known_modseq;
};
void imap_select_start(struct imap_session *session, struct imap_select *select,
		       imap_command_done done);

/* Leaves a mailbox that is forgotten already, and removes nothing there: UNSELECT (RFC 3691), or
 * where the server has none, EXAMINE of it and CLOSE (RFC 3501 §6.4.2). */
struct imap_unselect {
	struct imap_command command;
	void (*done)(struct imap_unselect *unselect, int code);
};
void imap_unselect_start(struct imap_session *session, struct imap_unselect *unselect);

#endif
