/* The agreed state of one account: an LMDB environment in STATE_DIR/ACCOUNT
 * (DESIGN 4). One process at a time has it open, never across a fork. Reads run
 * in the caller and hold nothing when they return; commits run in the loop's pool,
 * one transaction at a time.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STORE_H
#define SYNCD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/error.h"
#include "syncd/identity.h"
#include "syncd/loop.h"
#include "syncd/ports.h"
#include "syncd/record.h"

struct store;

#define STORE_SCHEMA 6        /* what this version writes; a greater one is refused */
#define STORE_IDENTITY_LEN 32 /* hex digits of the account's random identity */
#define STORE_MAP_SIZE ((size_t)16 * 1024 * 1024)
#define STORE_LOCK_WAIT_MS 2000 /* what a person running --once can be asked to wait */

struct store_options {
	const char *program;   /* whom the lock names to others: "syncd --once" */
	uint64_t lock_wait_ms; /* how long another's lock is waited for, blocking */
	size_t map_size_bytes; /* to start with; it grows as needed */
	/* For --dry-run: nothing changes on disk but the lock's text. What is missing counts as
	 * empty, and a commit is a programmer's error. */
	bool is_read_only;
};

/* Takes the lock STATE_DIR/ACCOUNT/lock, makes what is missing (mode 0700) and opens the
 * database. Fails, *store being NULL, with SYNCD_EBUSY naming the holder of the lock; SYNCD_EIO
 * (damaged, not accessible, another schema; the text says what to do); SYNCD_ENOSPC. */
int store_open(struct loop *loop, const char *state_dir, const char *account,
	       const struct store_options *options, struct store **store, struct error *err);

/* Closes it and gives the lock back; every commit must have completed. *store becomes NULL. */
void store_close(struct store **store);

/* The account's random identity in hex, made together with the database; also in the maildir
 * root's mark. "" when read-only and there is no database yet. */
const char *store_identity(const struct store *store);

#define STORE_PLACE_MAX 4200

/* A text of the caller's, about where the mailboxes are; "" until there is one. Valid until it is
 * set anew. */
const char *store_place(const struct store *store);
/* Before the first commit; durable when it returns. SYNCD_ELIMIT when it is longer than
 * STORE_PLACE_MAX. */
int store_set_place(struct store *store, const char *place, struct error *err);

/* Name and version of the database library, for --version: "LMDB 0.9.24: (DATE)". A static string.
 */
const char *store_engine_version(void);

/* The reads and the commit of struct store_ops (ports.h says what they do). A record that cannot
 * be understood is SYNCD_EIO. */
int store_mailbox_get(struct store *store, const char *name, bool *found,
		      struct mailbox_record *out, struct error *err);
int store_mailbox_each(struct store *store,
		       void (*each)(void *context, const struct mailbox_record *mailbox),
		       void *context, struct error *err);
uint32_t store_mailbox_new_id(struct store *store);
int store_message_get(struct store *store, uint32_t mailbox_id, uint32_t uid, bool *found,
		      struct message_record *out, struct error *err);
int store_message_by_name(struct store *store, uint32_t mailbox_id, const char *name, bool *found,
			  struct message_record *out, struct error *err);
int store_messages_after(struct store *store, uint32_t mailbox_id, uint32_t after_uid,
			 struct remote_flags *out, size_t max, size_t *count, struct error *err);
int store_names_after(struct store *store, uint32_t mailbox_id, const char *after_name,
		      struct name_record *out, size_t max, size_t *count, struct error *err);
int store_message_count(struct store *store, uint32_t mailbox_id, size_t *count, struct error *err);
int store_journal_each(struct store *store, uint32_t mailbox_id,
		       void (*each)(void *context, const struct journal_record *journal),
		       void *context, struct error *err);
int store_setaside_each(struct store *store, uint32_t mailbox_id,
			void (*each)(void *context, const struct setaside_record *setaside),
			void *context, struct error *err);

int store_pop3_each(struct store *store,
		    void (*each)(void *context, const struct pop3_record *pop3), void *context,
		    struct error *err);
uint32_t store_pop3_new_id(struct store *store);

/* Up to `max` messages with that digest, by mailbox and UID; *count of them. */
int store_messages_by_identity(struct store *store, const struct digest *identity,
			       struct message_place *out, size_t max, size_t *count,
			       struct error *err);

/* The same by email_id (record.h), which is not 0. */
int store_messages_by_email_id(struct store *store, uint64_t email_id, struct message_place *out,
			       size_t max, size_t *count, struct error *err);

/* Gives back the memory in which the state was read: what is needed again is read again. */
void store_trim(struct store *store);

/* Requests that wait while a transaction runs share the next one; each completes after the
 * transaction it was in, in the order of the calls. An empty batch begins no transaction. Fails
 * with SYNCD_ENOSPC or SYNCD_EIO. */
void store_commit(struct store *store, struct store_commit_req *req);

#endif
