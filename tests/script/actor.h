/* The client side of a script: the remote port's real implementation (or a POP3 session) on a fake
 * loop, told what to do in words and telling in words what came of it.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SCRIPT_ACTOR_H
#define TESTS_SCRIPT_ACTOR_H

#include <stdbool.h>

#include "syncd/adapter_remote.h"

#define ACTOR_APPENDS_MAX 64
#define ACTOR_PUSHES_MAX 4
#define EVENTS_MAX (1 << 20)

struct actor;
struct actor_pop3;
struct actor_append {
	struct remote_append_req req;
	struct actor *actor;
	uint64_t sent;
	bool is_unreadable;
};

struct actor_push {
	struct adapter_remote_push push;
	struct actor *actor;
	char name[64];
	bool is_on;
};

struct actor {
	struct loop *loop;
	struct adapter_remote_settings settings;
	struct adapter_remote *adapter;
	struct remote_mailbox *mailbox;
	struct keyword_table keywords;
	struct buf events; /* one line each */
	struct uidset uids;
	struct buf name;
	struct buf target;
	struct buf bodies[REMOTE_LANES_MAX];
	bool is_in_body[REMOTE_LANES_MAX];
	struct remote_observation observation;
	struct remote_list_req list;
	struct remote_create_req create;
	struct remote_rename_req rename;
	struct remote_delete_req remove;
	struct remote_status_req status;
	struct remote_open_req open;
	struct remote_observe_req observe;
	struct remote_search_req search;
	struct uidset present;
	struct remote_settle_req settle;
	struct remote_fetch_req fetch;
	struct actor_append appends[ACTOR_APPENDS_MAX];
	size_t append_count;
	struct remote_store_req store;
	struct remote_expunge_req expunge;
	struct remote_transfer_req transfer;
	struct remote_identify_req identify;
	struct remote_email_ids_req email_ids;
	struct actor_push pushes[ACTOR_PUSHES_MAX];
	bool is_opening;
	bool is_shut;
	bool is_pausing;  /* at the end of each body */
	int body_failure; /* what taking a body returns */
	struct port_op shutdown;
	struct actor_pop3 *pop3; /* or NULL */
};

void actor_init(struct actor *actor, struct loop *loop);

/* Closes and frees everything; the fake clock moves as far as a LOGOUT may take. */
void actor_free(struct actor *actor);

/* Carries out "fetch 1:3" and the like; false: no such thing to do. */
bool actor_do(struct actor *actor, char *words);

/* The text of the first event, taken out of the list into `line`; false: there is none. */
bool actor_event(struct actor *actor, struct buf *line);

/* --- Within the actor's own files --- */

/* Adds an event. */
void actor_tell(struct actor *actor, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "fetch ok", or "fetch message: NO [CODE]: words". */
void actor_tell_done(struct actor *actor, const char *what, int code, const struct error *err);

/* Fills actor->uids. */
void actor_set_uids(struct actor *actor, const char *words);

/* actor_look.c: verbs. */
void actor_observe(struct actor *actor, char *words);
void actor_search(struct actor *actor, char *words);
void actor_settle(struct actor *actor, char *words);
void actor_fetch(struct actor *actor, char *words);
void actor_pause(struct actor *actor, char *words);
void actor_pause_at_end(struct actor *actor, char *words);
void actor_resume(struct actor *actor, char *words);
void actor_fail_bodies(struct actor *actor, char *words);
void actor_identify(struct actor *actor, char *words);
void actor_email_ids(struct actor *actor, char *words);

/* actor_tree.c: verbs. */
void actor_rename(struct actor *actor, char *words);
void actor_remove(struct actor *actor, char *words);
void actor_status(struct actor *actor, char *words);
void actor_move(struct actor *actor, char *words);
void actor_copy(struct actor *actor, char *words);

/* actor_push.c: verbs. */
void actor_push(struct actor *actor, char *words);
void actor_push_more(struct actor *actor, char *words);
void actor_push_stop(struct actor *actor, char *words);

/* actor_pop3.c: "fetch 1 2" and the like of `do pop3`; false: no such thing to do. */
bool actor_pop3_do(struct actor *actor, char *words);
/* With or without one. */
void actor_pop3_free(struct actor *actor);

#endif
