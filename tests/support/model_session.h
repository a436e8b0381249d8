/* A connection to the model of an IMAP server, shared by the files of its port.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_SESSION_H
#define TESTS_MODEL_SESSION_H

#include "model.h"

/* A body that has begun to arrive. */
struct model_lane {
	bool is_open;
	struct model_message message; /* as it was then: it may be expunged meanwhile */
	char *body;
};

/* What a transfer under way has done. */
struct model_transfer {
	struct {
		uint32_t uid;
		uint32_t target_uid;
	} pairs[MODEL_MESSAGES_MAX];
	size_t count;
	size_t told;
	uint64_t target_id;
	uint32_t uidvalidity; /* of the target */
	uint32_t end_uid;     /* what came later is not asked for */
	uint32_t last_uid;
};

/* One connection with the mailbox selected. `is_broken` comes first: the
 * scheduler sets it when a command's answer is lost. */
struct model_session {
	bool is_broken;
	bool is_cancelled;
	bool has_written;
	bool has_appended;
	uint32_t uidvalidity;
	uint64_t known_modseq;                     /* the caller's, 0 when it gets a listing */
	uint64_t open_modseq;                      /* HIGHESTMODSEQ in the answer to SELECT */
	uint64_t observed_modseq;                  /* as told by observe */
	uint64_t seen;                             /* of the server's others_changes */
	uint32_t exists;                           /* what it has been told by now */
	struct remote_observation early;           /* what SELECT brought (QRESYNC) */
	struct model_lane lanes[REMOTE_LANES_MAX]; /* of the fetch under way */
	struct model_transfer transfer;
	struct keyword_table *keywords;
	struct world *world;
	struct model_mailbox *mailbox; /* it is another one, or none, when its id is another */
	uint64_t mailbox_id;
	struct remote_mailbox port;
};

struct model_session *session_of(struct remote_mailbox *mailbox);

/* Flags on their way to the engine, and from it. */
uint64_t session_flags_out(const struct model_session *session, uint64_t flags);
uint64_t session_flags_in(const struct model_session *session, uint64_t flags);

/* A session that is over, or whose UIDs mean nothing any more: the code that its requests fail
 * with; else 0. */
int session_check(struct task *task);

/* The looks (model_look.c); the first is the one that SELECT is. */
void session_select(struct model_session *session, const struct remote_open_req *req);
void session_observe(struct remote_mailbox *mailbox, struct remote_observe_req *req);
void session_search(struct remote_mailbox *mailbox, struct remote_search_req *req);
void session_settle(struct remote_mailbox *mailbox, struct remote_settle_req *req);

/* Bodies (model_fetch.c). */
void session_close_lanes(struct model_session *session);
void session_fetch(struct remote_mailbox *mailbox, struct remote_fetch_req *req);
void session_fetch_pause(struct remote_mailbox *mailbox, struct remote_fetch_req *req);
void session_fetch_resume(struct remote_mailbox *mailbox, struct remote_fetch_req *req);

/* Other mailboxes (model_transfer.c). */
void session_transfer(struct remote_mailbox *mailbox, struct remote_transfer_req *req);

/* Commands that refuse a set now and then. */
bool session_refuses_set(struct world *world);

/* The account (model_account.c). */
extern const struct remote_mailbox_ops model_session_ops;
void session_free(struct model_session *session);

#endif
