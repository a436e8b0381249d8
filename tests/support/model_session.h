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

/* One connection with the mailbox selected. `is_broken` comes first: the
 * scheduler sets it when a command's answer is lost. */
struct model_session {
	bool is_broken;
	bool is_cancelled;
	bool has_written;
	bool has_appended;
	uint32_t uidvalidity;
	uint64_t known_modseq;           /* the caller's, 0 when it gets a listing */
	uint64_t open_modseq;            /* HIGHESTMODSEQ in the answer to SELECT */
	uint64_t observed_modseq;        /* as told by observe */
	uint64_t seen;                   /* of the server's others_changes */
	uint32_t exists;                 /* what it has been told by now */
	struct remote_observation early; /* what SELECT brought (QRESYNC) */
	struct model_lane lanes[REMOTE_LANES_MAX]; /* of the fetch under way */
	struct world *world;
	struct remote_mailbox port;
};

struct model_session *session_of(struct remote_mailbox *mailbox);

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

#endif
