/* Keys and values of the tables as bytes.
 * SPDX-License-Identifier: MIT */
#include "pack.h"

#include <string.h>

#include "syncd/must.h"

/* --- Keys -------------------------------------------------------------------- */

void pack_key_init(struct pack_key *key)
{
	key->len = 0;
}

void pack_key_bytes(struct pack_key *key, const void *bytes, size_t len)
{
	must(len <= sizeof(key->bytes) - key->len);
	memcpy(key->bytes + key->len, bytes, len);
	key->len += len;
}

void pack_key_u8(struct pack_key *key, uint8_t value)
{
	pack_key_bytes(key, &value, 1);
}

void pack_key_u32(struct pack_key *key, uint32_t value)
{
	unsigned char bytes[4] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
				   (unsigned char)(value >> 8), (unsigned char)value };

	pack_key_bytes(key, bytes, sizeof(bytes));
}

struct slice pack_key_slice(const struct pack_key *key)
{
	return (struct slice){ key->bytes, key->len };
}

/* Takes `len` bytes off the front. */
static bool unpack_bytes(struct slice *from, void *out, size_t len)
{
	if (from->len < len)
		return false;
	memcpy(out, from->data, len);
	from->data += len;
	from->len -= len;
	return true;
}

bool unpack_key_u8(struct slice *from, uint8_t *value)
{
	return unpack_bytes(from, value, 1);
}

bool unpack_key_u32(struct slice *from, uint32_t *value)
{
	unsigned char bytes[4];

	if (!unpack_bytes(from, bytes, sizeof(bytes)))
		return false;
	*value = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
		 (uint32_t)bytes[3];
	return true;
}

bool unpack_text(struct slice *from, size_t min_len, char *out, size_t size)
{
	size_t len = from->len;

	if (len < min_len || len >= size || (len > 0 && memchr(from->data, '\0', len) != NULL))
		return false;
	out[len] = '\0';
	return unpack_bytes(from, out, len);
}

/* --- Numbers in values ----------------------------------------------------------- */

static void pack_bytes(struct buf *out, const void *bytes, size_t len)
{
	must(buf_add(out, bytes, len) == 0);
}

void pack_u64(struct buf *out, uint64_t value)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	pack_bytes(out, bytes, sizeof(bytes));
}

void pack_u32(struct buf *out, uint32_t value)
{
	unsigned char bytes[4];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	pack_bytes(out, bytes, sizeof(bytes));
}

bool unpack_u64(struct slice *from, uint64_t *value)
{
	unsigned char bytes[8];

	if (!unpack_bytes(from, bytes, sizeof(bytes)))
		return false;
	*value = 0;
	for (size_t i = 0; i < sizeof(bytes); i++)
		*value |= (uint64_t)bytes[i] << (8 * i);
	return true;
}

bool unpack_u32(struct slice *from, uint32_t *value)
{
	unsigned char bytes[4];

	if (!unpack_bytes(from, bytes, sizeof(bytes)))
		return false;
	*value = 0;
	for (size_t i = 0; i < sizeof(bytes); i++)
		*value |= (uint32_t)bytes[i] << (8 * i);
	return true;
}

static bool unpack_i64(struct slice *from, int64_t *value)
{
	uint64_t bits;

	if (!unpack_u64(from, &bits))
		return false;
	memcpy(value, &bits, sizeof(bits));
	return true;
}

/* A string behind its length in one byte. */
static void pack_short_text(struct buf *out, const char *text)
{
	size_t len = strlen(text);

	must(len <= UINT8_MAX);
	unsigned char byte = (unsigned char)len;
	pack_bytes(out, &byte, 1);
	pack_bytes(out, text, len);
}

static bool unpack_short_text(struct slice *from, char *out, size_t size)
{
	unsigned char len;

	if (!unpack_bytes(from, &len, 1) || from->len < len)
		return false;
	struct slice text = { from->data, len };
	from->data += len;
	from->len -= len;
	return unpack_text(&text, 0, out, size);
}

/* --- Records --------------------------------------------------------------------- */

static void pack_held(struct buf *out, const struct held_deletions *held)
{
	pack_u32(out, held->count);
	pack_u32(out, held->total);
}

static bool unpack_held(struct slice *from, struct held_deletions *held)
{
	return unpack_u32(from, &held->count) && unpack_u32(from, &held->total);
}

void pack_mailbox(struct buf *out, const struct mailbox_record *mailbox)
{
	unsigned char count = (unsigned char)mailbox->keywords.count;

	pack_u32(out, mailbox->uidvalidity);
	pack_u32(out, mailbox->uidnext);
	pack_u64(out, mailbox->highestmodseq);
	pack_u32(out, mailbox->exists);
	pack_u64(out, (uint64_t)mailbox->mtimes.cur_ns);
	pack_u64(out, (uint64_t)mailbox->mtimes.new_ns);
	pack_u64(out, (uint64_t)mailbox->verified_s);
	pack_u64(out, mailbox->policy);
	pack_u64(out, mailbox->remote_id);
	pack_u64(out, mailbox->local_id);
	pack_u32(out, mailbox->email_uidnext);
	pack_u64(out, mailbox->unkept);
	pack_held(out, &mailbox->held_remote);
	pack_held(out, &mailbox->held_local);
	pack_bytes(out, &count, 1);
	for (size_t i = 0; i < mailbox->keywords.count; i++)
		pack_short_text(out, mailbox->keywords.names[i]);
	pack_bytes(out, mailbox->name, strlen(mailbox->name));
}

/* Keyword i must become bit i again, or flags would change their meaning. */
static bool unpack_keywords(struct slice *from, struct keyword_table *keywords)
{
	unsigned char count;
	char name[KEYWORD_LEN_MAX + 1];

	if (!unpack_bytes(from, &count, 1) || count > KEYWORDS_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!unpack_short_text(from, name, sizeof(name)))
			return false;
		if (keyword_table_intern(keywords, slice_of(name)) == 0 || keywords->count != i + 1)
			return false;
	}
	return true;
}

bool unpack_mailbox(struct slice from, struct mailbox_record *mailbox)
{
	keyword_table_init(&mailbox->keywords);
	bool is_valid =
		unpack_u32(&from, &mailbox->uidvalidity) && unpack_u32(&from, &mailbox->uidnext) &&
		unpack_u64(&from, &mailbox->highestmodseq) && unpack_u32(&from, &mailbox->exists) &&
		unpack_i64(&from, &mailbox->mtimes.cur_ns) &&
		unpack_i64(&from, &mailbox->mtimes.new_ns) &&
		unpack_i64(&from, &mailbox->verified_s) && unpack_u64(&from, &mailbox->policy) &&
		unpack_u64(&from, &mailbox->remote_id) && unpack_u64(&from, &mailbox->local_id) &&
		unpack_u32(&from, &mailbox->email_uidnext) && unpack_u64(&from, &mailbox->unkept) &&
		unpack_held(&from, &mailbox->held_remote) &&
		unpack_held(&from, &mailbox->held_local) &&
		unpack_keywords(&from, &mailbox->keywords) &&
		unpack_text(&from, 1, mailbox->name, sizeof(mailbox->name));
	if (!is_valid)
		keyword_table_free(&mailbox->keywords);
	return is_valid;
}

void pack_message(struct buf *out, const struct message_record *message)
{
	pack_u64(out, message->flags);
	pack_u64(out, message->size_bytes);
	pack_bytes(out, message->identity.bytes, DIGEST_LEN);
	pack_bytes(out, message->name, strlen(message->name));
	if (message->email_id == 0)
		return;
	pack_bytes(out, "", 1);
	pack_u64(out, message->email_id);
}

/* The email_id is behind the name and a NUL; most servers have none. */
static bool unpack_email_id(struct slice *from, uint64_t *email_id)
{
	const char *end = memchr(from->data, '\0', from->len);

	*email_id = 0;
	if (end == NULL)
		return true;
	size_t len = (size_t)(end - from->data);
	struct slice behind = { end + 1, from->len - len - 1 };
	from->len = len;
	return unpack_u64(&behind, email_id) && *email_id != 0 && behind.len == 0;
}

bool unpack_message(struct slice from, struct message_record *message)
{
	return unpack_u64(&from, &message->flags) && unpack_u64(&from, &message->size_bytes) &&
	       unpack_bytes(&from, message->identity.bytes, DIGEST_LEN) &&
	       unpack_email_id(&from, &message->email_id) &&
	       unpack_text(&from, 1, message->name, sizeof(message->name));
}

void pack_name(struct buf *out, const struct name_record *name)
{
	pack_u32(out, name->uid);
	pack_u64(out, name->flags);
}

bool unpack_name(struct slice from, struct name_record *name)
{
	return unpack_u32(&from, &name->uid) && name->uid != 0 && unpack_u64(&from, &name->flags) &&
	       from.len == 0;
}

void pack_journal(struct buf *out, const struct journal_record *journal)
{
	pack_u32(out, journal->uid);
	pack_u64(out, journal->flags);
	pack_u32(out, journal->uidvalidity);
	pack_u32(out, journal->uidnext);
	pack_u64(out, journal->size_bytes);
	pack_bytes(out, journal->identity.bytes, DIGEST_LEN);
	pack_u64(out, (uint64_t)journal->looked_s);
}

bool unpack_journal(struct slice from, struct journal_record *journal)
{
	uint64_t looked_s = 0;
	bool is_good = unpack_u32(&from, &journal->uid) && unpack_u64(&from, &journal->flags) &&
		       unpack_u32(&from, &journal->uidvalidity) &&
		       unpack_u32(&from, &journal->uidnext) &&
		       unpack_u64(&from, &journal->size_bytes) &&
		       unpack_bytes(&from, journal->identity.bytes, DIGEST_LEN) &&
		       unpack_u64(&from, &looked_s) && looked_s <= INT64_MAX;

	journal->looked_s = (int64_t)looked_s;
	return is_good && from.len == 0;
}

void pack_setaside(struct buf *out, const struct setaside_record *setaside)
{
	pack_u64(out, (uint64_t)setaside->next_try_s);
	pack_u32(out, setaside->attempts);
	pack_short_text(out, setaside->name);
	pack_bytes(out, setaside->reason, strlen(setaside->reason));
}

bool unpack_setaside(struct slice from, struct setaside_record *setaside)
{
	return unpack_i64(&from, &setaside->next_try_s) && unpack_u32(&from, &setaside->attempts) &&
	       unpack_short_text(&from, setaside->name, sizeof(setaside->name)) &&
	       unpack_text(&from, 0, setaside->reason, sizeof(setaside->reason));
}

void pack_pop3(struct buf *out, const struct pop3_record *pop3)
{
	unsigned char state = (unsigned char)pop3->state;

	pack_bytes(out, &state, 1);
	pack_bytes(out, pop3->uid.bytes, DIGEST_LEN);
	pack_bytes(out, pop3->identity.bytes, DIGEST_LEN);
	pack_u64(out, pop3->size_bytes);
	pack_u64(out, pop3->listed_bytes);
	pack_u64(out, (uint64_t)pop3->first_seen_s);
	pack_u64(out, (uint64_t)pop3->absent_since_s);
	pack_bytes(out, pop3->name, strlen(pop3->name));
}

bool unpack_pop3(struct slice from, struct pop3_record *pop3)
{
	unsigned char state;

	if (!unpack_bytes(&from, &state, 1) || state < POP3_STAGED || state > POP3_DELIVERED)
		return false;
	pop3->state = (enum pop3_state)state;
	return unpack_bytes(&from, pop3->uid.bytes, DIGEST_LEN) &&
	       unpack_bytes(&from, pop3->identity.bytes, DIGEST_LEN) &&
	       unpack_u64(&from, &pop3->size_bytes) && unpack_u64(&from, &pop3->listed_bytes) &&
	       unpack_i64(&from, &pop3->first_seen_s) && unpack_i64(&from, &pop3->absent_since_s) &&
	       unpack_text(&from, 1, pop3->name, sizeof(pop3->name));
}
