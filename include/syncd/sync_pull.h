/* One pull from a maildrop into a maildir: what is fetched, what is deleted on the server, and in
 * which order that becomes durable (CONTRACT 2.3).
 *
 * Order: a body streams into tmp/; flush; the state records it as staged; it is renamed into new/;
 * flush; the state records it as delivered; only then may it be marked deleted on the server, and
 * it counts as gone when the server has said so at the end, or a complete listing is without it.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_PULL_H
#define SYNCD_SYNC_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/error.h"
#include "syncd/maildrop.h"
#include "syncd/ports.h"
#include "syncd/sync_pass.h"

#define PULL_MAILBOX "INBOX" /* the mailbox of the local account that is delivered into */
#define PULL_FORGET_S ((int64_t)30 * 24 * 60 * 60) /* gone from the server so long: forgotten */

enum pull_keep {
	PULL_KEEP_ALL,
	PULL_KEEP_NONE,
	PULL_KEEP_FOR, /* keep_s after it was downloaded */
	PULL_KEEP_UNTIL_DELETED,
};

struct sync_pull_ports {
	struct maildrop *maildrop;
	struct local_account *local;
	struct store_port *store;
	struct env_port *env;
};

struct sync_pull;

/* What a message of the maildrop is to the one who asks (status, dry run). */
struct pull_message {
	struct slice uid; /* empty: the server has none; valid during the call */
	uint64_t size_bytes;
	const char *reason; /* refused: the server's words; else NULL */
};

struct sync_pull_options {
	enum pull_keep keep;
	int64_t keep_s;
	bool deletes_moved; /* until-deleted: a message moved to another mailbox counts as deleted
			     */
	uint64_t max_size_bytes; /* larger ones stay on the server; 0: none does */
	/* Until-deleted: more deletions than this are held (sync_limit.h), unless `decision` says
	 * what a person wants: accepted, they are carried out; restored, the messages are fetched
	 * anew. */
	struct sync_limit deletion_limit;
	enum sync_decision decision;
	/* Fetched whatever their size and whatever was refused before: unique-ids, borrowed. */
	const char *const *wanted;
	size_t wanted_count;
	/* All that is known is forgotten first: everything is downloaded again. */
	bool is_forgetting;
	bool is_dry_run;         /* nothing is written, marked or delivered anywhere */
	const char *account;     /* for the log */
	uint32_t group_messages; /* that share a flush and a commit; 0: as measured best */
	/* May be NULL. Those that stay for their size, and those that were refused. */
	void (*left)(struct sync_pull *pull, const struct pull_message *message);
	/* Dry run: what would be fetched, or deleted on the server. */
	void (*planned)(struct sync_pull *pull, const struct pull_message *message,
			bool is_deletion);
	void (*progress)(struct sync_pull *pull, const struct sync_counts *done,
			 uint64_t planned_fetches);
	void *context;
};

/* counts: fetched, expunged (on the server), set_aside, too_large. */
struct sync_pull_result {
	struct error err; /* SYNCD_EHELD when deletions were held */
	struct sync_counts counts;
	size_t held_deletions;
	size_t wanted; /* of those that were: messages that were there, and not fetched before */
	uint32_t messages;      /* in the maildrop, by the listing */
	uint32_t login_delay_s; /* as the server told; 0: not */
};

typedef void (*sync_pull_done)(struct sync_pull *pull, const struct sync_pull_result *result);

/* The ports must outlive it. `done` is called once, later, with the maildrop closed; the pull is
 * freed right after it returns. */
struct sync_pull *sync_pull_start(const struct sync_pull_ports *ports,
				  const struct sync_pull_options *options, sync_pull_done done);

/* Ends it as soon as what is under way has come back; `done` follows with SYNCD_ECANCELLED. What is
 * marked deleted by then stays on the server. */
void sync_pull_cancel(struct sync_pull *pull);

void *sync_pull_context(const struct sync_pull *pull);

#endif
