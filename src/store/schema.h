/* The tables: what is kept in which, under which key, and how one change touches
 * them. Table by table:
 *
 *     meta          "schema" -> u32, "identity" -> hex, "next-mailbox" -> u32,
 *                   "next-pop3" -> u32, "place" -> text, "count" mailbox -> u64 messages
 *     mailbox       id -> record
 *     mailbox-name  name (its first SCHEMA_NAME_KEY bytes), 0, id -> nothing
 *     message       mailbox, UID -> record
 *     name          mailbox, base name -> UID, flags
 *     identity      digest, mailbox, UID -> nothing
 *     email-id      email_id, mailbox, UID -> nothing
 *     journal       mailbox, kind, base name -> record
 *     setaside      mailbox, UID, base name (when the UID is 0) -> record
 *     pop3          id -> record
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STORE_SCHEMA_H
#define SYNCD_STORE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env.h"
#include "pack.h"
#include "syncd/error.h"
#include "syncd/record.h"

#define SCHEMA_EMAIL_ID_LEN 8 /* bytes of an email_id in a key */
#define SCHEMA_NAME_KEY 480   /* bytes of a mailbox's name in a key */

struct pack_key schema_mailbox_key(uint32_t id);
struct pack_key schema_mailbox_name_key(const char *name, uint32_t id);
struct pack_key schema_message_key(uint32_t mailbox_id, uint32_t uid);
struct pack_key schema_name_key(uint32_t mailbox_id, const char *name);
struct pack_key schema_identity_key(const struct digest *identity, uint32_t mailbox_id,
				    uint32_t uid);
struct pack_key schema_email_id_key(uint64_t email_id, uint32_t mailbox_id, uint32_t uid);
struct pack_key schema_journal_key(uint32_t mailbox_id, enum journal_kind kind, const char *name);
struct pack_key schema_setaside_key(uint32_t mailbox_id, uint32_t uid, const char *name);
struct pack_key schema_pop3_key(uint32_t id);
struct pack_key schema_count_key(uint32_t mailbox_id);

extern const struct slice schema_version_key;
extern const struct slice schema_account_key;
extern const struct slice schema_next_mailbox_key;
extern const struct slice schema_next_pop3_key;
extern const struct slice schema_place_key;

/* Finds a mailbox by its whole name. */
int schema_find_mailbox(struct env_txn *txn, const char *name, bool *found,
			struct mailbox_record *out, struct error *err);
int schema_get_message(struct env_txn *txn, uint32_t mailbox_id, uint32_t uid, bool *found,
		       struct message_record *out, struct error *err);
/* A number kept in meta; `absent` when it is not there. */
int schema_get_u32(struct env_txn *txn, struct slice key, uint32_t absent, uint32_t *value,
		   struct error *err);
int schema_get_count(struct env_txn *txn, uint32_t mailbox_id, uint64_t *count, struct error *err);

/* Applies one change. 0, ENV_MAP_FULL or a failure. */
int schema_apply(struct env_txn *txn, const struct store_change *change, struct error *err);

#endif
