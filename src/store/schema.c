/* Keys of the tables and the reads that changes need too.
 * SPDX-License-Identifier: MIT */
#include "schema.h"

#include <string.h>

const struct slice schema_version_key = { "schema", sizeof("schema") - 1 };
const struct slice schema_account_key = { "identity", sizeof("identity") - 1 };
const struct slice schema_next_mailbox_key = { "next-mailbox", sizeof("next-mailbox") - 1 };
const struct slice schema_next_pop3_key = { "next-pop3", sizeof("next-pop3") - 1 };
const struct slice schema_place_key = { "place", sizeof("place") - 1 };

struct pack_key schema_mailbox_key(uint32_t id)
{
	struct pack_key key;

	pack_key_init(&key);
	pack_key_u32(&key, id);
	return key;
}

/* The 0 makes the order of keys that of strcmp; the id tells apart names that
 * differ behind what a key can hold. */
struct pack_key schema_mailbox_name_key(const char *name, uint32_t id)
{
	struct pack_key key;

	pack_key_init(&key);
	pack_key_bytes(&key, name, strnlen(name, SCHEMA_NAME_KEY));
	pack_key_u8(&key, 0);
	pack_key_u32(&key, id);
	return key;
}

struct pack_key schema_message_key(uint32_t mailbox_id, uint32_t uid)
{
	struct pack_key key = schema_mailbox_key(mailbox_id);

	pack_key_u32(&key, uid);
	return key;
}

struct pack_key schema_name_key(uint32_t mailbox_id, const char *name)
{
	struct pack_key key = schema_mailbox_key(mailbox_id);

	pack_key_bytes(&key, name, strlen(name));
	return key;
}

struct pack_key schema_identity_key(const struct digest *identity, uint32_t mailbox_id,
				    uint32_t uid)
{
	struct pack_key key;

	pack_key_init(&key);
	pack_key_bytes(&key, identity->bytes, DIGEST_LEN);
	pack_key_u32(&key, mailbox_id);
	pack_key_u32(&key, uid);
	return key;
}

struct pack_key schema_email_id_key(uint64_t email_id, uint32_t mailbox_id, uint32_t uid)
{
	struct pack_key key;

	pack_key_init(&key);
	pack_key_u32(&key, (uint32_t)(email_id >> 32));
	pack_key_u32(&key, (uint32_t)email_id);
	pack_key_u32(&key, mailbox_id);
	pack_key_u32(&key, uid);
	return key;
}

struct pack_key schema_journal_key(uint32_t mailbox_id, enum journal_kind kind, const char *name)
{
	struct pack_key key = schema_mailbox_key(mailbox_id);

	pack_key_u8(&key, (uint8_t)kind);
	pack_key_bytes(&key, name, strlen(name));
	return key;
}

struct pack_key schema_setaside_key(uint32_t mailbox_id, uint32_t uid, const char *name)
{
	struct pack_key key = schema_message_key(mailbox_id, uid);

	if (uid == 0)
		pack_key_bytes(&key, name, strlen(name));
	return key;
}

struct pack_key schema_pop3_key(uint32_t id)
{
	return schema_mailbox_key(id);
}

struct pack_key schema_count_key(uint32_t mailbox_id)
{
	struct pack_key key;

	pack_key_init(&key);
	pack_key_bytes(&key, "count", 5);
	pack_key_u32(&key, mailbox_id);
	return key;
}

int schema_get_u32(struct env_txn *txn, struct slice key, uint32_t absent, uint32_t *value,
		   struct error *err)
{
	bool found;
	struct slice bytes;
	int code = env_get(txn, TABLE_META, key, &found, &bytes, err);

	*value = absent;
	if (code != 0 || !found)
		return code;
	if (!unpack_u32(&bytes, value) || bytes.len != 0)
		return env_damaged(env_of(txn), "a number in meta", err);
	return 0;
}

int schema_get_count(struct env_txn *txn, uint32_t mailbox_id, uint64_t *count, struct error *err)
{
	bool found;
	struct slice bytes;
	struct pack_key key = schema_count_key(mailbox_id);
	int code = env_get(txn, TABLE_META, pack_key_slice(&key), &found, &bytes, err);

	*count = 0;
	if (code != 0 || !found)
		return code;
	if (!unpack_u64(&bytes, count) || bytes.len != 0)
		return env_damaged(env_of(txn), "a count of messages", err);
	return 0;
}

struct find_mailbox {
	struct env_txn *txn;
	const char *name;
	bool found;
	struct mailbox_record *out;
};

/* One entry of the name index with the right beginning. */
static int find_mailbox_visit(void *context, const struct env *env, struct slice key,
			      struct slice value, struct error *err)
{
	struct find_mailbox *find = context;
	struct slice id_bytes = { key.data + key.len - 4, 4 };
	struct slice record;
	bool found;

	(void)value;
	if (key.len < 4 || !unpack_key_u32(&id_bytes, &find->out->id))
		return env_damaged(env, "the index of mailbox names", err);
	struct pack_key id_key = schema_mailbox_key(find->out->id);
	int code = env_get(find->txn, TABLE_MAILBOX, pack_key_slice(&id_key), &found, &record, err);
	if (code != 0)
		return code;
	if (!found || !unpack_mailbox(record, find->out))
		return env_damaged(env, "a mailbox's record", err);
	find->found = strcmp(find->out->name, find->name) == 0;
	if (!find->found)
		keyword_table_free(&find->out->keywords);
	return find->found ? ENV_STOP : 0;
}

int schema_find_mailbox(struct env_txn *txn, const char *name, bool *found,
			struct mailbox_record *out, struct error *err)
{
	struct find_mailbox find = { .txn = txn, .name = name, .out = out };
	struct pack_key key = schema_mailbox_name_key(name, 0);

	int code = env_walk(txn, TABLE_MAILBOX_NAME, pack_key_slice(&key), key.len - 4,
			    find_mailbox_visit, &find, err);
	*found = code == 0 && find.found;
	return code;
}

int schema_get_message(struct env_txn *txn, uint32_t mailbox_id, uint32_t uid, bool *found,
		       struct message_record *out, struct error *err)
{
	struct slice bytes;
	struct pack_key key = schema_message_key(mailbox_id, uid);
	int code = env_get(txn, TABLE_MESSAGE, pack_key_slice(&key), found, &bytes, err);

	if (code != 0 || !*found)
		return code;
	out->uid = uid;
	if (unpack_message(bytes, out))
		return 0;
	*found = false;
	return env_damaged(env_of(txn), "a message's record", err);
}
