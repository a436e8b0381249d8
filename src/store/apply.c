/* How one change touches the tables.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "schema.h"
#include "syncd/must.h"

/* Writes and frees the value. */
static int apply_put(struct env_txn *txn, enum env_table table, const struct pack_key *key,
		     struct buf *value, struct error *err)
{
	int code = env_put(txn, table, pack_key_slice(key), buf_slice(value), err);

	buf_free(value);
	return code;
}

static int apply_delete(struct env_txn *txn, enum env_table table, const struct pack_key *key,
			struct error *err)
{
	return env_delete(txn, table, pack_key_slice(key), err);
}

static int apply_put_u32(struct env_txn *txn, struct slice key, uint32_t number, struct error *err)
{
	struct buf value;

	buf_init(&value, PACK_VALUE_MAX);
	pack_u32(&value, number);
	int code = env_put(txn, TABLE_META, key, buf_slice(&value), err);
	buf_free(&value);
	return code;
}

/* --- Mailboxes ------------------------------------------------------------------ */

/* A mailbox of that id under another name: it was renamed, the old index entry goes. */
static int apply_unindex_mailbox(struct env_txn *txn, const struct mailbox_record *mailbox,
				 struct error *err)
{
	bool found;
	struct slice bytes;
	struct mailbox_record old;
	struct pack_key key = schema_mailbox_key(mailbox->id);
	int code = env_get(txn, TABLE_MAILBOX, pack_key_slice(&key), &found, &bytes, err);

	if (code != 0 || !found)
		return code;
	if (!unpack_mailbox(bytes, &old))
		return env_damaged(env_of(txn), "a mailbox's record", err);
	keyword_table_free(&old.keywords);
	if (strcmp(old.name, mailbox->name) == 0)
		return 0;
	key = schema_mailbox_name_key(old.name, mailbox->id);
	return apply_delete(txn, TABLE_MAILBOX_NAME, &key, err);
}

/* Ids up to this one are used. */
static int apply_claim_id(struct env_txn *txn, struct slice next_key, uint32_t id,
			  struct error *err)
{
	uint32_t next;
	int code = schema_get_u32(txn, next_key, 1, &next, err);

	if (code != 0 || id < next)
		return code;
	return apply_put_u32(txn, next_key, id + 1, err);
}

static int apply_put_mailbox(struct env_txn *txn, const struct mailbox_record *mailbox,
			     struct error *err)
{
	struct buf value;

	must(mailbox->id != 0 && mailbox->name[0] != '\0');
	int code = apply_unindex_mailbox(txn, mailbox, err);
	if (code == 0)
		code = apply_claim_id(txn, schema_next_mailbox_key, mailbox->id, err);
	if (code != 0)
		return code;
	struct pack_key key = schema_mailbox_name_key(mailbox->name, mailbox->id);
	code = env_put(txn, TABLE_MAILBOX_NAME, pack_key_slice(&key), SLICE_LITERAL(""), err);
	if (code != 0)
		return code;
	buf_init(&value, PACK_VALUE_MAX);
	pack_mailbox(&value, mailbox);
	key = schema_mailbox_key(mailbox->id);
	return apply_put(txn, TABLE_MAILBOX, &key, &value, err);
}

struct prefix_visit {
	struct slice prefix;
	struct pack_key found;
	bool is_found;
};

static int prefix_found(void *context, const struct env *env, struct slice key, struct slice value,
			struct error *err)
{
	struct prefix_visit *visit = context;

	(void)env;
	(void)value;
	(void)err;
	must(key.len <= sizeof(visit->found.bytes));
	memcpy(visit->found.bytes, key.data, key.len);
	visit->found.len = key.len;
	visit->is_found = true;
	return ENV_STOP;
}

/* What a table has of one mailbox, one after the other: a key does not outlive a write. */
static int apply_empty(struct env_txn *txn, enum env_table table, uint32_t id, struct error *err)
{
	struct pack_key prefix = schema_mailbox_key(id);
	struct prefix_visit visit = { .is_found = true };
	int code = 0;

	while (code == 0 && visit.is_found) {
		visit.is_found = false;
		code = env_walk(txn, table, pack_key_slice(&prefix), prefix.len, prefix_found,
				&visit, err);
		if (code == 0 && visit.is_found)
			code = apply_delete(txn, table, &visit.found, err);
	}
	return code;
}

static int apply_delete_mailbox(struct env_txn *txn, uint32_t id, struct error *err)
{
	struct pack_key key = schema_mailbox_key(id);
	const struct mailbox_record unnamed = { .id = id };
	int code = apply_unindex_mailbox(txn, &unnamed, err);

	if (code == 0)
		code = apply_delete(txn, TABLE_MAILBOX, &key, err);
	if (code == 0)
		code = apply_empty(txn, TABLE_JOURNAL, id, err);
	if (code == 0)
		code = apply_empty(txn, TABLE_SETASIDE, id, err);
	key = schema_count_key(id);
	return code == 0 ? apply_delete(txn, TABLE_META, &key, err) : code;
}

/* --- Messages ------------------------------------------------------------------- */

static int apply_count(struct env_txn *txn, uint32_t mailbox_id, bool is_more, struct error *err)
{
	uint64_t count;
	struct buf value;
	struct pack_key key = schema_count_key(mailbox_id);
	int code = schema_get_count(txn, mailbox_id, &count, err);

	if (code != 0)
		return code;
	if (!is_more && count == 0)
		return env_damaged(env_of(txn), "a count of messages", err);
	buf_init(&value, PACK_VALUE_MAX);
	pack_u64(&value, is_more ? count + 1 : count - 1);
	return apply_put(txn, TABLE_META, &key, &value, err);
}

/* Whether the entry of `name` is that of `uid`: another message may have got the name. */
static int apply_name_is_of(struct env_txn *txn, uint32_t mailbox_id, uint32_t uid,
			    const char *name, bool *is_of, struct error *err)
{
	bool found;
	struct slice bytes;
	struct name_record entry;
	struct pack_key key = schema_name_key(mailbox_id, name);
	int code = env_get(txn, TABLE_NAME, pack_key_slice(&key), &found, &bytes, err);

	*is_of = false;
	if (code != 0 || !found)
		return code;
	if (!unpack_name(bytes, &entry))
		return env_damaged(env_of(txn), "an entry of the name index", err);
	*is_of = entry.uid == uid;
	return 0;
}

static int apply_unindex_name(struct env_txn *txn, uint32_t mailbox_id, uint32_t uid,
			      const char *name, struct error *err)
{
	bool is_of;
	struct pack_key key = schema_name_key(mailbox_id, name);
	int code = apply_name_is_of(txn, mailbox_id, uid, name, &is_of, err);

	return code == 0 && is_of ? apply_delete(txn, TABLE_NAME, &key, err) : code;
}

static int apply_index_name(struct env_txn *txn, uint32_t mailbox_id,
			    const struct message_record *message, struct error *err)
{
	struct name_record entry = { .uid = message->uid, .flags = message->flags };
	struct pack_key key = schema_name_key(mailbox_id, message->name);
	struct buf value;

	buf_init(&value, PACK_VALUE_MAX);
	pack_name(&value, &entry);
	return apply_put(txn, TABLE_NAME, &key, &value, err);
}

static int apply_write_message(struct env_txn *txn, uint32_t mailbox_id,
			       const struct message_record *message, struct error *err)
{
	struct pack_key key = schema_message_key(mailbox_id, message->uid);
	struct buf value;

	buf_init(&value, PACK_VALUE_MAX);
	pack_message(&value, message);
	return apply_put(txn, TABLE_MESSAGE, &key, &value, err);
}

/* What the indexes say of the old record and not of the new one goes. */
static int apply_unindex_message(struct env_txn *txn, uint32_t mailbox_id,
				 const struct message_record *old,
				 const struct message_record *message, struct error *err)
{
	int code = 0;

	if (message == NULL || strcmp(old->name, message->name) != 0)
		code = apply_unindex_name(txn, mailbox_id, old->uid, old->name, err);
	if (code == 0 && (message == NULL || !digest_equals(&old->identity, &message->identity))) {
		struct pack_key key = schema_identity_key(&old->identity, mailbox_id, old->uid);
		code = apply_delete(txn, TABLE_IDENTITY, &key, err);
	}
	if (code == 0 && old->email_id != 0 &&
	    (message == NULL || old->email_id != message->email_id)) {
		struct pack_key key = schema_email_id_key(old->email_id, mailbox_id, old->uid);
		code = apply_delete(txn, TABLE_EMAIL_ID, &key, err);
	}
	return code;
}

static int apply_index_identities(struct env_txn *txn, uint32_t mailbox_id,
				  const struct message_record *message, struct error *err)
{
	struct pack_key key = schema_identity_key(&message->identity, mailbox_id, message->uid);
	int code = env_put(txn, TABLE_IDENTITY, pack_key_slice(&key), SLICE_LITERAL(""), err);

	if (code != 0 || message->email_id == 0)
		return code;
	key = schema_email_id_key(message->email_id, mailbox_id, message->uid);
	return env_put(txn, TABLE_EMAIL_ID, pack_key_slice(&key), SLICE_LITERAL(""), err);
}

static int apply_put_message(struct env_txn *txn, uint32_t mailbox_id,
			     const struct message_record *message, struct error *err)
{
	bool found;
	struct message_record old;

	must(message->uid != 0 && message->name[0] != '\0');
	int code = schema_get_message(txn, mailbox_id, message->uid, &found, &old, err);
	if (code == 0 && found)
		code = apply_unindex_message(txn, mailbox_id, &old, message, err);
	else if (code == 0)
		code = apply_count(txn, mailbox_id, true, err);
	if (code == 0)
		code = apply_write_message(txn, mailbox_id, message, err);
	if (code == 0)
		code = apply_index_name(txn, mailbox_id, message, err);
	if (code != 0)
		return code;
	return apply_index_identities(txn, mailbox_id, message, err);
}

static int apply_set_flags(struct env_txn *txn, uint32_t mailbox_id, uint32_t uid, uint64_t flags,
			   struct error *err)
{
	bool found;
	bool is_of = false;
	struct message_record message;
	int code = schema_get_message(txn, mailbox_id, uid, &found, &message, err);

	if (code != 0 || !found)
		return code;
	message.flags = flags;
	code = apply_write_message(txn, mailbox_id, &message, err);
	if (code == 0)
		code = apply_name_is_of(txn, mailbox_id, uid, message.name, &is_of, err);
	return code == 0 && is_of ? apply_index_name(txn, mailbox_id, &message, err) : code;
}

static int apply_delete_message(struct env_txn *txn, uint32_t mailbox_id, uint32_t uid,
				struct error *err)
{
	bool found;
	struct message_record old;
	struct pack_key key = schema_message_key(mailbox_id, uid);
	int code = schema_get_message(txn, mailbox_id, uid, &found, &old, err);

	if (code != 0 || !found)
		return code;
	code = apply_unindex_message(txn, mailbox_id, &old, NULL, err);
	if (code == 0)
		code = apply_count(txn, mailbox_id, false, err);
	return code == 0 ? apply_delete(txn, TABLE_MESSAGE, &key, err) : code;
}

/* --- Journal, messages set aside, maildrops ------------------------------------------------ */

static int apply_put_journal(struct env_txn *txn, uint32_t mailbox_id,
			     const struct journal_record *journal, struct error *err)
{
	struct pack_key key = schema_journal_key(mailbox_id, journal->kind, journal->name);
	struct buf value;

	buf_init(&value, PACK_VALUE_MAX);
	pack_journal(&value, journal);
	return apply_put(txn, TABLE_JOURNAL, &key, &value, err);
}

static int apply_put_setaside(struct env_txn *txn, uint32_t mailbox_id,
			      const struct setaside_record *setaside, struct error *err)
{
	struct pack_key key = schema_setaside_key(mailbox_id, setaside->uid, setaside->name);
	struct buf value;

	buf_init(&value, PACK_VALUE_MAX);
	pack_setaside(&value, setaside);
	return apply_put(txn, TABLE_SETASIDE, &key, &value, err);
}

static int apply_put_pop3(struct env_txn *txn, const struct pop3_record *pop3, struct error *err)
{
	struct pack_key key = schema_pop3_key(pop3->id);
	struct buf value;
	int code = apply_claim_id(txn, schema_next_pop3_key, pop3->id, err);

	if (code != 0)
		return code;
	buf_init(&value, PACK_VALUE_MAX);
	pack_pop3(&value, pop3);
	return apply_put(txn, TABLE_POP3, &key, &value, err);
}

int schema_apply(struct env_txn *txn, const struct store_change *change, struct error *err)
{
	uint32_t id = change->mailbox_id;
	struct pack_key key;

	switch (change->kind) {
	case STORE_PUT_MAILBOX:
		return apply_put_mailbox(txn, &change->u.mailbox, err);
	case STORE_PUT_MESSAGE:
		return apply_put_message(txn, id, &change->u.message, err);
	case STORE_SET_FLAGS:
		return apply_set_flags(txn, id, change->u.message.uid, change->u.message.flags,
				       err);
	case STORE_DELETE_MESSAGE:
		return apply_delete_message(txn, id, change->u.message.uid, err);
	case STORE_PUT_JOURNAL:
		return apply_put_journal(txn, id, &change->u.journal, err);
	case STORE_DELETE_JOURNAL:
		key = schema_journal_key(id, change->u.journal.kind, change->u.journal.name);
		return apply_delete(txn, TABLE_JOURNAL, &key, err);
	case STORE_PUT_SETASIDE:
		return apply_put_setaside(txn, id, &change->u.setaside, err);
	case STORE_DELETE_SETASIDE:
		key = schema_setaside_key(id, change->u.setaside.uid, change->u.setaside.name);
		return apply_delete(txn, TABLE_SETASIDE, &key, err);
	case STORE_DELETE_MAILBOX:
		return apply_delete_mailbox(txn, id, err);
	case STORE_PUT_POP3:
		return apply_put_pop3(txn, &change->u.pop3, err);
	case STORE_DELETE_POP3:
		key = schema_pop3_key(change->u.pop3_id);
		return apply_delete(txn, TABLE_POP3, &key, err);
	}
	must_fail("known kind of change", __FILE__, __LINE__);
}
