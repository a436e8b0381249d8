/* What the remote port's suite runs on: the simulator's server or Dovecot.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_PORT_REMOTE_BENCH_H
#define TESTS_PORT_REMOTE_BENCH_H

#include "port/port.h"
#include "port/server.h"
#include "syncd/adapter_remote.h"

struct remote_kind;

struct remote_bench {
	struct remote_kind *kind;
	struct turner turner;
	struct remote_account *account;
	struct adapter_remote *adapter; /* of the real one */
	struct keyword_table keywords;
	struct remote_open_req open;
	char name[32];
	uint32_t appended; /* in the mailbox so far */
};

struct remote_kind {
	const char *name;
	void (*make)(struct remote_bench *bench);
	void (*destroy)(struct remote_bench *bench);
	bool has_uidplus;
	const char *without[16]; /* capabilities that the server does not have */
	struct server server;
	unsigned mailboxes_made; /* on it: a new one for each test */
};

#define REMOTE_KIND_COUNT 2 /* of each */
extern struct remote_kind remote_model_kinds[REMOTE_KIND_COUNT];
extern struct remote_kind remote_imap_kinds[REMOTE_KIND_COUNT]; /* their servers must be started */

/* Put a bench with an empty mailbox open in place of the kind in *state / end it. */
int remote_bench_setup(void **state);
int remote_bench_teardown(void **state);

/* Makes the mailbox (again); opens it, filling bench->open; closes it. */
int remote_bench_create(struct remote_bench *bench);
void remote_bench_open(struct remote_bench *bench);
void remote_bench_close(struct remote_bench *bench);

#endif
