/* Reads: each in a short transaction of its own that is over before anything is called back.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "store_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define PLACE_KEY_LEN 8   /* mailbox and UID, at the end of a key */
#define MAILBOX_KEY_LEN 4 /* the prefix that all keys of one mailbox share */

/* Reading through a large mailbox must not end with all of its state resident. Each read of its
 * own touches pages that the kernel maps with their neighbours. */
static void read_over(struct store *store, struct env_txn **txn, size_t records)
{
	env_abort(txn);
	store->read += STORE_READ_RECORDS + records;
	if (store->read >= STORE_TRIM_RECORDS)
		store_trim(store);
}

static int read_begin(struct store *store, struct env_txn **txn, struct error *err)
{
	store_mend(store);
	return env_begin(store->env, false, txn, err);
}

int store_mailbox_get(struct store *store, const char *name, bool *found,
		      struct mailbox_record *out, struct error *err)
{
	struct env_txn *txn;
	int code = read_begin(store, &txn, err);

	*found = false;
	if (code == 0)
		code = schema_find_mailbox(txn, name, found, out, err);
	env_abort(&txn);
	return code;
}

/* A growing array that a walk fills. */
struct gather {
	void *items;
	size_t count;
	size_t cap;
};

static int gather_mailbox(void *context, const struct env *env, struct slice key,
			  struct slice value, struct error *err)
{
	struct gather *gather = context;

	gather->items =
		xgrow(gather->items, gather->count, &gather->cap, sizeof(struct mailbox_record));
	struct mailbox_record *mailbox = (struct mailbox_record *)gather->items + gather->count;
	if (!unpack_key_u32(&key, &mailbox->id) || key.len != 0 || !unpack_mailbox(value, mailbox))
		return env_damaged(env, "a mailbox's record", err);
	gather->count++;
	return 0;
}

static int mailbox_compare(const void *a, const void *b)
{
	return strcmp(((const struct mailbox_record *)a)->name,
		      ((const struct mailbox_record *)b)->name);
}

int store_mailbox_each(struct store *store,
		       void (*each)(void *context, const struct mailbox_record *mailbox),
		       void *context, struct error *err)
{
	struct gather gather = { .items = NULL };
	struct env_txn *txn;
	int code = read_begin(store, &txn, err);

	if (code == 0)
		code = env_walk(txn, TABLE_MAILBOX, SLICE_LITERAL(""), 0, gather_mailbox, &gather,
				err);
	env_abort(&txn);
	struct mailbox_record *mailboxes = gather.items;
	if (gather.count > 0)
		qsort(mailboxes, gather.count, sizeof(*mailboxes), mailbox_compare);
	for (size_t i = 0; i < gather.count; i++) {
		if (code == 0)
			each(context, &mailboxes[i]);
		keyword_table_free(&mailboxes[i].keywords);
	}
	free(mailboxes);
	return code;
}

uint32_t store_mailbox_new_id(struct store *store)
{
	must(store->next_mailbox_id != UINT32_MAX);
	return store->next_mailbox_id++;
}

int store_message_get(struct store *store, uint32_t mailbox_id, uint32_t uid, bool *found,
		      struct message_record *out, struct error *err)
{
	struct env_txn *txn;
	int code = read_begin(store, &txn, err);

	*found = false;
	if (code == 0)
		code = schema_get_message(txn, mailbox_id, uid, found, out, err);
	read_over(store, &txn, 1);
	return code;
}

/* The message that an entry of the name index leads to. */
static int read_named(struct env_txn *txn, uint32_t mailbox_id, const char *name,
		      struct slice bytes, struct message_record *out, struct error *err)
{
	struct name_record entry;
	bool found;

	if (!unpack_name(bytes, &entry))
		return env_damaged(env_of(txn), "an entry of the name index", err);
	int code = schema_get_message(txn, mailbox_id, entry.uid, &found, out, err);
	if (code == 0 && (!found || strcmp(out->name, name) != 0))
		code = env_damaged(env_of(txn), "an entry of the name index", err);
	return code;
}

int store_message_by_name(struct store *store, uint32_t mailbox_id, const char *name, bool *found,
			  struct message_record *out, struct error *err)
{
	struct env_txn *txn;
	struct slice bytes = { NULL, 0 };
	int code = read_begin(store, &txn, err);

	*found = false;
	if (code == 0 && name[0] != '\0' && strlen(name) <= MAIL_NAME_MAX) {
		struct pack_key key = schema_name_key(mailbox_id, name);
		code = env_get(txn, TABLE_NAME, pack_key_slice(&key), found, &bytes, err);
	}
	if (code == 0 && *found)
		code = read_named(txn, mailbox_id, name, bytes, out, err);
	*found = *found && code == 0;
	read_over(store, &txn, 1);
	return code;
}

/* The part of a listing that was asked for; key.len is where the key's own part begins. */
struct page {
	struct slice after; /* key of the one that was the last before */
	void *out;
	size_t max;
	size_t count;
};

static int page_message(void *context, const struct env *env, struct slice key, struct slice value,
			struct error *err)
{
	struct page *page = context;
	struct message_record message;
	uint32_t mailbox_id;

	if (slice_equals(key, page->after))
		return 0;
	if (page->count == page->max)
		return ENV_STOP;
	if (!unpack_key_u32(&key, &mailbox_id) || !unpack_key_u32(&key, &message.uid) ||
	    key.len != 0 || message.uid == 0 || !unpack_message(value, &message))
		return env_damaged(env, "a message's record", err);
	((struct remote_flags *)page->out)[page->count++] =
		(struct remote_flags){ .uid = message.uid, .flags = message.flags };
	return 0;
}

static int page_name(void *context, const struct env *env, struct slice key, struct slice value,
		     struct error *err)
{
	struct page *page = context;
	uint32_t mailbox_id;

	if (slice_equals(key, page->after))
		return 0;
	if (page->count == page->max)
		return ENV_STOP;
	struct name_record *name = (struct name_record *)page->out + page->count;
	if (!unpack_key_u32(&key, &mailbox_id) ||
	    !unpack_text(&key, 1, name->name, sizeof(name->name)) || !unpack_name(value, name))
		return env_damaged(env, "an entry of the name index", err);
	page->count++;
	return 0;
}

static int page_read(struct store *store, enum env_table table, const struct pack_key *after,
		     env_visit visit, struct page *page, struct error *err)
{
	struct env_txn *txn;
	int code = read_begin(store, &txn, err);

	page->after = pack_key_slice(after);
	if (code == 0)
		code = env_walk(txn, table, page->after, MAILBOX_KEY_LEN, visit, page, err);
	read_over(store, &txn, page->count);
	return code;
}

void store_trim(struct store *store)
{
	store->read = 0;
	env_trim(store->env);
}

int store_messages_after(struct store *store, uint32_t mailbox_id, uint32_t after_uid,
			 struct remote_flags *out, size_t max, size_t *count, struct error *err)
{
	struct page page = { .out = out, .max = max };
	struct pack_key after = schema_message_key(mailbox_id, after_uid);
	int code = page_read(store, TABLE_MESSAGE, &after, page_message, &page, err);

	*count = page.count;
	return code;
}

int store_names_after(struct store *store, uint32_t mailbox_id, const char *after_name,
		      struct name_record *out, size_t max, size_t *count, struct error *err)
{
	struct page page = { .out = out, .max = max };
	struct pack_key after = schema_name_key(mailbox_id, after_name);
	int code = page_read(store, TABLE_NAME, &after, page_name, &page, err);

	*count = page.count;
	return code;
}

int store_message_count(struct store *store, uint32_t mailbox_id, size_t *count, struct error *err)
{
	uint64_t messages = 0;
	struct env_txn *txn;
	int code = read_begin(store, &txn, err);

	if (code == 0)
		code = schema_get_count(txn, mailbox_id, &messages, err);
	env_abort(&txn);
	*count = (size_t)messages;
	return code;
}

/* All entries of one mailbox in `table`. */
static int gather_read(struct store *store, enum env_table table, uint32_t mailbox_id,
		       env_visit visit, struct gather *gather, struct error *err)
{
	struct pack_key prefix = schema_mailbox_key(mailbox_id);
	struct env_txn *txn;
	int code = read_begin(store, &txn, err);

	if (code == 0)
		code = env_walk(txn, table, pack_key_slice(&prefix), MAILBOX_KEY_LEN, visit, gather,
				err);
	env_abort(&txn);
	return code;
}

static int gather_journal(void *context, const struct env *env, struct slice key,
			  struct slice value, struct error *err)
{
	struct gather *gather = context;
	uint32_t mailbox_id;
	uint8_t kind;

	gather->items =
		xgrow(gather->items, gather->count, &gather->cap, sizeof(struct journal_record));
	struct journal_record *journal = (struct journal_record *)gather->items + gather->count;
	if (!unpack_key_u32(&key, &mailbox_id) || !unpack_key_u8(&key, &kind) ||
	    kind < JOURNAL_DELIVER || kind > JOURNAL_REMOVE ||
	    !unpack_text(&key, 1, journal->name, sizeof(journal->name)) ||
	    !unpack_journal(value, journal))
		return env_damaged(env, "a record of the journal", err);
	journal->kind = (enum journal_kind)kind;
	gather->count++;
	return 0;
}

int store_journal_each(struct store *store, uint32_t mailbox_id,
		       void (*each)(void *context, const struct journal_record *journal),
		       void *context, struct error *err)
{
	struct gather gather = { .items = NULL };
	int code = gather_read(store, TABLE_JOURNAL, mailbox_id, gather_journal, &gather, err);

	for (size_t i = 0; code == 0 && i < gather.count; i++)
		each(context, (const struct journal_record *)gather.items + i);
	free(gather.items);
	return code;
}

static int gather_setaside(void *context, const struct env *env, struct slice key,
			   struct slice value, struct error *err)
{
	struct gather *gather = context;
	uint32_t mailbox_id;

	gather->items =
		xgrow(gather->items, gather->count, &gather->cap, sizeof(struct setaside_record));
	struct setaside_record *setaside = (struct setaside_record *)gather->items + gather->count;
	if (!unpack_key_u32(&key, &mailbox_id) || !unpack_key_u32(&key, &setaside->uid) ||
	    !unpack_setaside(value, setaside) ||
	    !slice_equals_str(key, setaside->uid == 0 ? setaside->name : ""))
		return env_damaged(env, "a record of a message set aside", err);
	gather->count++;
	return 0;
}

int store_setaside_each(struct store *store, uint32_t mailbox_id,
			void (*each)(void *context, const struct setaside_record *setaside),
			void *context, struct error *err)
{
	struct gather gather = { .items = NULL };
	int code = gather_read(store, TABLE_SETASIDE, mailbox_id, gather_setaside, &gather, err);

	for (size_t i = 0; code == 0 && i < gather.count; i++)
		each(context, (const struct setaside_record *)gather.items + i);
	free(gather.items);
	return code;
}

static int page_place(void *context, const struct env *env, struct slice key, struct slice value,
		      struct error *err)
{
	struct page *page = context;
	size_t prefix_len = key.len < PLACE_KEY_LEN ? key.len : key.len - PLACE_KEY_LEN;
	struct slice place_bytes = { key.data + prefix_len, key.len - prefix_len };

	(void)value;
	if (page->count == page->max)
		return ENV_STOP;
	struct message_place *place = (struct message_place *)page->out + page->count;
	if (!unpack_key_u32(&place_bytes, &place->mailbox_id) ||
	    !unpack_key_u32(&place_bytes, &place->uid) || place_bytes.len != 0)
		return env_damaged(env, "an entry of the index of identities", err);
	page->count++;
	return 0;
}

/* An index from something that tells messages apart to their places. */
static int read_places(struct store *store, enum env_table table, struct slice prefix,
		       struct page *page, struct error *err)
{
	struct env_txn *txn;
	int code = read_begin(store, &txn, err);

	if (code == 0)
		code = env_walk(txn, table, prefix, prefix.len, page_place, page, err);
	read_over(store, &txn, page->count);
	return code;
}

int store_messages_by_identity(struct store *store, const struct digest *identity,
			       struct message_place *out, size_t max, size_t *count,
			       struct error *err)
{
	struct page page = { .out = out, .max = max };
	struct slice prefix = { (const char *)identity->bytes, DIGEST_LEN };
	int code = read_places(store, TABLE_IDENTITY, prefix, &page, err);

	*count = page.count;
	return code;
}

int store_messages_by_email_id(struct store *store, uint64_t email_id, struct message_place *out,
			       size_t max, size_t *count, struct error *err)
{
	struct page page = { .out = out, .max = max };
	struct pack_key key = schema_email_id_key(email_id, 0, 0);
	struct slice prefix = { pack_key_slice(&key).data, SCHEMA_EMAIL_ID_LEN };
	int code = read_places(store, TABLE_EMAIL_ID, prefix, &page, err);

	*count = page.count;
	return code;
}

#define POP3_PAGE 256 /* records that are read in one transaction */

static int gather_pop3(void *context, const struct env *env, struct slice key, struct slice value,
		       struct error *err)
{
	struct gather *gather = context;

	if (gather->count == POP3_PAGE)
		return ENV_STOP;
	struct pop3_record *pop3 = (struct pop3_record *)gather->items + gather->count;
	if (!unpack_key_u32(&key, &pop3->id) || key.len != 0 || !unpack_pop3(value, pop3))
		return env_damaged(env, "a record of a message downloaded", err);
	gather->count++;
	return 0;
}

/* In pages: there may be 100,000 of them. */
int store_pop3_each(struct store *store,
		    void (*each)(void *context, const struct pop3_record *pop3), void *context,
		    struct error *err)
{
	struct gather page = { .items = xcalloc(POP3_PAGE, sizeof(struct pop3_record)) };
	const struct pop3_record *records = page.items;
	uint32_t from = 0;
	int code = 0;

	do {
		struct pack_key key = schema_pop3_key(from);
		struct env_txn *txn;
		page.count = 0;
		code = env_begin(store->env, false, &txn, err);
		if (code == 0)
			code = env_walk(txn, TABLE_POP3, pack_key_slice(&key), 0, gather_pop3,
					&page, err);
		read_over(store, &txn, page.count);
		for (size_t i = 0; code == 0 && i < page.count; i++)
			each(context, &records[i]);
		from = page.count > 0 ? records[page.count - 1].id + 1 : 0;
	} while (code == 0 && page.count == POP3_PAGE && from != 0);
	free(page.items);
	return code;
}

uint32_t store_pop3_new_id(struct store *store)
{
	must(store->next_pop3_id != UINT32_MAX);
	return store->next_pop3_id++;
}
