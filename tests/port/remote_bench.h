/* What the remote port's suite runs on: the simulator's server or Dovecot.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_PORT_REMOTE_BENCH_H
#define TESTS_PORT_REMOTE_BENCH_H

#include "port/port.h"
#include "port/server.h"
#include "syncd/adapter_remote.h"

struct remote_kind;

/* Someone else's session on the same mailbox. */
struct remote_other {
	struct remote_open_req open;
	struct keyword_table keywords;
	bool is_there;
};

struct remote_bench {
	struct remote_kind *kind;
	struct turner turner;
	struct remote_account *account;
	struct adapter_remote *adapter; /* of the real one */
	struct keyword_table keywords;
	struct remote_open_req open;
	char name[64];
	uint32_t appended; /* in the mailbox so far */
	struct remote_other other;
};

struct remote_kind {
	const char *name;
	void (*make)(struct remote_bench *bench);
	void (*destroy)(struct remote_bench *bench);
	bool has_uidplus;
	bool has_modseq;         /* asked for what changed, it tells no more than that */
	bool tells_gone;         /* and also what is gone */
	const char *without[16]; /* capabilities that the server does not have */
	struct server server;
	unsigned mailboxes_made; /* on it: a new one for each test */
};

#define REMOTE_MODEL_KINDS 2
#define REMOTE_IMAP_KINDS 3
extern struct remote_kind remote_model_kinds[REMOTE_MODEL_KINDS];
extern struct remote_kind remote_imap_kinds[REMOTE_IMAP_KINDS]; /* their servers must be started */

/* Put a bench with an empty mailbox open in place of the kind in *state / end it. */
int remote_bench_setup(void **state);
int remote_bench_teardown(void **state);

/* Makes the mailbox (again); opens it, filling bench->open; closes it. */
int remote_bench_create(struct remote_bench *bench);
void remote_bench_open(struct remote_bench *bench);
void remote_bench_close(struct remote_bench *bench);

/* Opens the other session, which lives until the bench ends. */
struct remote_mailbox *remote_bench_other(struct remote_bench *bench);

/* --- Requests, and the code they complete with --- */

#define ASK_DATE_S 1234567890 /* plus the content: a message's date */

struct ask_append {
	struct remote_append_req req;
	char *body;
	size_t at;
	size_t fail_at; /* 0: never */
};

int ask_append(struct remote_bench *bench, struct remote_mailbox *mailbox,
	       struct ask_append *append, uint32_t content, uint64_t flags);
/* The same in two steps. */
void ask_append_start(struct remote_bench *bench, struct remote_mailbox *mailbox,
		      struct ask_append *append, uint32_t content, uint64_t flags);
int ask_append_finish(struct remote_bench *bench, struct ask_append *append);
int ask_store(struct remote_bench *bench, struct remote_mailbox *mailbox, const char *text,
	      uint64_t add, uint64_t remove);
int ask_expunge(struct remote_bench *bench, struct remote_mailbox *mailbox, const char *text);

/* The caller frees it. */
struct uidset ask_set(const char *text);

/* --- remote_delta.c: cases about what changed --- */
void remote_delta_tests_add(struct port_tests *tests, struct remote_kind *kind);

/* --- remote_tree.c: cases about further mailboxes, where the kind has such --- */
void remote_tree_tests_add(struct port_tests *tests, struct remote_kind *kind);

#endif
