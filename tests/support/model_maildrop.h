/* A model of a POP3 server behind the maildrop port, in the world of model.h.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_MAILDROP_H
#define TESTS_MODEL_MAILDROP_H

#include "model.h"
#include "syncd/maildrop.h"

#define MODEL_DROP_MAX 512
#define MODEL_DROP_UID_MAX 600
#define MODEL_DROP_AHEAD 3 /* messages that are asked for before the first has come */

struct model_drop_message {
	char uid[MODEL_DROP_UID_MAX];
	uint32_t content;
	uint64_t listed_bytes; /* as told; 0: as it is */
	int refusal;           /* of RETR: SYNCD_EMESSAGE, SYNCD_EBUSY; 0: none */
	bool is_marked;
	bool is_hidden; /* its line of the listing cannot be read */
};

/* `is_broken` comes first: the scheduler sets it when the link is cut. */
struct model_maildrop {
	bool is_broken;
	bool is_open;
	bool is_cancelled;
	bool is_piped; /* the session is */
	struct maildrop port;
	struct world *world;
	struct model_drop_message messages[MODEL_DROP_MAX];
	size_t count;
	size_t session_count; /* that were there when the session began */
	bool has_uids;
	bool has_top;
	bool has_pipe;     /* it has PIPELINING, */
	uint32_t swallows; /* and does not answer to RETR of this message; 0: it does */
	uint32_t login_delay_s;
	bool forgets_marks;    /* QUIT is answered with +OK, and nothing is deleted */
	bool refuses_deletion; /* DELE is answered with -ERR */
	int open_error;
	/* Of the fetch under way. */
	uint32_t asked[MODEL_DROP_AHEAD];
	size_t asked_count;
	bool is_in_body;
	struct port_op quit; /* in place of the request's own, whose outcome is made of its code */
	struct maildrop_quit_req *quitting;
	/* What was asked for so far. */
	uint64_t opens;
	uint64_t bodies;
	uint64_t headers;
	uint64_t quits;
};

/* An empty maildrop with unique-ids and TOP. */
void model_maildrop_init(struct model_maildrop *drop, struct world *world);
struct model_drop_message *model_maildrop_add(struct model_maildrop *drop, const char *uid,
					      uint32_t content);
/* Somebody else deletes it; no session may be open. */
void model_maildrop_remove(struct model_maildrop *drop, size_t at);

#endif
