/* Keys and values of the tables as bytes. Numbers in keys are big-endian, so that
 * LMDB's order is theirs; in values little-endian. What is read is validated:
 * the functions that unpack return false for bytes that no version of us wrote.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STORE_PACK_H
#define SYNCD_STORE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env.h"
#include "syncd/buf.h"
#include "syncd/identity.h"
#include "syncd/record.h"

/* A key under construction. */
struct pack_key {
	char bytes[ENV_KEY_MAX];
	size_t len;
};

void pack_key_init(struct pack_key *key);
void pack_key_u8(struct pack_key *key, uint8_t value);
void pack_key_u32(struct pack_key *key, uint32_t value);
void pack_key_bytes(struct pack_key *key, const void *bytes, size_t len);
struct slice pack_key_slice(const struct pack_key *key);

/* Takes a number off the front of `from`; false when there are too few bytes. */
bool unpack_key_u8(struct slice *from, uint8_t *value);
bool unpack_key_u32(struct slice *from, uint32_t *value);

/* Takes the rest as a string of 0 (or `min_len`) to size - 1 bytes without NUL. */
bool unpack_text(struct slice *from, size_t min_len, char *out, size_t size);

#define PACK_VALUE_MAX 16384 /* more than any record: a mailbox with all its keywords */

/* Values are added to a buffer of PACK_VALUE_MAX. */
void pack_u32(struct buf *out, uint32_t value);
void pack_u64(struct buf *out, uint64_t value);
bool unpack_u32(struct slice *from, uint32_t *value);
bool unpack_u64(struct slice *from, uint64_t *value);

/* Everything of a record but what its key says. */
void pack_mailbox(struct buf *out, const struct mailbox_record *mailbox);
void pack_message(struct buf *out, const struct message_record *message);
void pack_name(struct buf *out, const struct name_record *name);
void pack_journal(struct buf *out, const struct journal_record *journal);
void pack_setaside(struct buf *out, const struct setaside_record *setaside);
void pack_pop3(struct buf *out, const struct pop3_record *pop3);

/* On false nothing is owned by *mailbox. */
bool unpack_mailbox(struct slice from, struct mailbox_record *mailbox);
bool unpack_message(struct slice from, struct message_record *message);
bool unpack_name(struct slice from, struct name_record *name);
bool unpack_journal(struct slice from, struct journal_record *journal);
bool unpack_setaside(struct slice from, struct setaside_record *setaside);
bool unpack_pop3(struct slice from, struct pop3_record *pop3);

#endif
