/* A model of the state: tables in arrays, commits that happen whole or not at all.
 * Simple enough to be seen right; the real store is compared with it.
 * SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/must.h"

static struct model_store *store_of(struct store_port *port)
{
	return container_of(port, struct model_store, port);
}

static int store_check(const struct model_store *store, struct error *err)
{
	return store->world->is_dead ? error_set(err, SYNCD_ECANCELLED, "the process is dead") : 0;
}

/* --- Rows ------------------------------------------------------------------------ */

static size_t find_mailbox(const struct model_store *store, uint32_t id)
{
	size_t i = 0;

	while (i < store->mailbox_count && store->mailboxes[i].id != id)
		i++;
	return i;
}

static size_t find_uid(const struct model_store *store, uint32_t mailbox_id, uint32_t uid)
{
	size_t i = 0;

	while (i < store->message_count && (store->messages[i].mailbox_id != mailbox_id ||
					    store->messages[i].message.uid != uid))
		i++;
	return i;
}

static size_t find_journal(const struct model_store *store, uint32_t mailbox_id,
			   const struct journal_record *journal)
{
	size_t i = 0;

	while (i < store->journal_count &&
	       (store->journal[i].mailbox_id != mailbox_id ||
		store->journal[i].journal.kind != journal->kind ||
		strcmp(store->journal[i].journal.name, journal->name) != 0))
		i++;
	return i;
}

static size_t find_setaside(const struct model_store *store, uint32_t mailbox_id,
			    const struct setaside_record *record)
{
	size_t i = 0;

	while (i < store->setaside_count &&
	       (store->setaside[i].mailbox_id != mailbox_id ||
		store->setaside[i].setaside.uid != record->uid ||
		strcmp(store->setaside[i].setaside.name, record->name) != 0))
		i++;
	return i;
}

/* --- Changes --------------------------------------------------------------------- */

static void remove_message(struct model_store *store, uint32_t mailbox_id, uint32_t uid)
{
	size_t at = find_uid(store, mailbox_id, uid);

	if (at < store->message_count)
		store->messages[at] = store->messages[--store->message_count];
}

static void put_message(struct model_store *store, uint32_t mailbox_id,
			const struct message_record *message)
{
	for (size_t i = 0; i < store->message_count; i++) {
		/* One name, one UID: the engine must never bind a file twice. */
		must(store->messages[i].mailbox_id != mailbox_id ||
		     store->messages[i].message.uid == message->uid ||
		     strcmp(store->messages[i].message.name, message->name) != 0);
	}
	remove_message(store, mailbox_id, message->uid);
	must(store->message_count < MODEL_MESSAGES_MAX);
	store->messages[store->message_count++] =
		(struct model_record){ .mailbox_id = mailbox_id, .message = *message };
}

static void remove_journal(struct model_store *store, uint32_t mailbox_id,
			   const struct journal_record *journal)
{
	size_t at = find_journal(store, mailbox_id, journal);

	if (at < store->journal_count)
		store->journal[at] = store->journal[--store->journal_count];
}

static void put_journal(struct model_store *store, uint32_t mailbox_id,
			const struct journal_record *journal)
{
	remove_journal(store, mailbox_id, journal);
	must(store->journal_count < MODEL_MESSAGES_MAX);
	store->journal[store->journal_count++] =
		(struct model_journal){ .mailbox_id = mailbox_id, .journal = *journal };
}

static void remove_setaside(struct model_store *store, uint32_t mailbox_id,
			    const struct setaside_record *record)
{
	size_t at = find_setaside(store, mailbox_id, record);

	if (at < store->setaside_count)
		store->setaside[at] = store->setaside[--store->setaside_count];
}

static void put_setaside(struct model_store *store, uint32_t mailbox_id,
			 const struct setaside_record *record)
{
	remove_setaside(store, mailbox_id, record);
	must(store->setaside_count < MODEL_MESSAGES_MAX);
	store->setaside[store->setaside_count++] =
		(struct model_setaside){ .mailbox_id = mailbox_id, .setaside = *record };
}

static void remove_mailbox(struct model_store *store, uint32_t id)
{
	size_t at = find_mailbox(store, id);

	if (at == store->mailbox_count)
		return;
	keyword_table_free(&store->mailboxes[at].keywords);
	store->mailbox_count--;
	memmove(&store->mailboxes[at], &store->mailboxes[at + 1],
		(store->mailbox_count - at) * sizeof(store->mailboxes[0]));
}

/* In name order; no two have the same name. */
static void put_mailbox(struct model_store *store, const struct mailbox_record *mailbox)
{
	size_t at = 0;

	remove_mailbox(store, mailbox->id);
	must(store->mailbox_count < MODEL_MAILBOXES_MAX);
	while (at < store->mailbox_count && strcmp(store->mailboxes[at].name, mailbox->name) < 0)
		at++;
	must(at == store->mailbox_count || strcmp(store->mailboxes[at].name, mailbox->name) != 0);
	memmove(&store->mailboxes[at + 1], &store->mailboxes[at],
		(store->mailbox_count - at) * sizeof(store->mailboxes[0]));
	store->mailbox_count++;
	store->mailboxes[at] = *mailbox;
	keyword_table_init(&store->mailboxes[at].keywords);
	keyword_table_copy(&store->mailboxes[at].keywords, &mailbox->keywords);
}

/* Of the journal and what is set aside, as its messages went before. */
static void delete_mailbox(struct model_store *store, uint32_t id)
{
	for (size_t i = 0; i < store->message_count; i++)
		must(store->messages[i].mailbox_id != id);
	for (size_t i = store->journal_count; i-- > 0;) {
		if (store->journal[i].mailbox_id == id)
			store->journal[i] = store->journal[--store->journal_count];
	}
	for (size_t i = store->setaside_count; i-- > 0;) {
		if (store->setaside[i].mailbox_id == id)
			store->setaside[i] = store->setaside[--store->setaside_count];
	}
	remove_mailbox(store, id);
}

/* --- Maildrops --- */

/* Where it is, or belongs. */
static size_t find_pop3(const struct model_store *store, uint32_t id)
{
	size_t at = 0;

	while (at < store->pop3_count && store->pop3[at].id < id)
		at++;
	return at;
}

static void remove_pop3(struct model_store *store, uint32_t id)
{
	size_t at = find_pop3(store, id);

	if (at == store->pop3_count || store->pop3[at].id != id)
		return;
	store->pop3_count--;
	memmove(&store->pop3[at], &store->pop3[at + 1],
		(store->pop3_count - at) * sizeof(store->pop3[0]));
}

static void put_pop3(struct model_store *store, const struct pop3_record *pop3)
{
	size_t at = find_pop3(store, pop3->id);

	remove_pop3(store, pop3->id);
	must(store->pop3_count < MODEL_POP3_MAX);
	memmove(&store->pop3[at + 1], &store->pop3[at],
		(store->pop3_count - at) * sizeof(store->pop3[0]));
	store->pop3[at] = *pop3;
	store->pop3_count++;
}

static void apply_change(struct model_store *store, const struct store_change *change)
{
	uint32_t id = change->mailbox_id;
	size_t at = 0;

	switch (change->kind) {
	case STORE_PUT_MAILBOX:
		put_mailbox(store, &change->u.mailbox);
		break;
	case STORE_PUT_MESSAGE:
		put_message(store, id, &change->u.message);
		break;
	case STORE_SET_FLAGS:
		at = find_uid(store, id, change->u.message.uid);
		if (at < store->message_count)
			store->messages[at].message.flags = change->u.message.flags;
		break;
	case STORE_DELETE_MESSAGE:
		remove_message(store, id, change->u.message.uid);
		break;
	case STORE_PUT_JOURNAL:
		put_journal(store, id, &change->u.journal);
		break;
	case STORE_DELETE_JOURNAL:
		remove_journal(store, id, &change->u.journal);
		break;
	case STORE_PUT_SETASIDE:
		put_setaside(store, id, &change->u.setaside);
		break;
	case STORE_DELETE_SETASIDE:
		remove_setaside(store, id, &change->u.setaside);
		break;
	case STORE_DELETE_MAILBOX:
		delete_mailbox(store, id);
		break;
	case STORE_PUT_POP3:
		put_pop3(store, &change->u.pop3);
		break;
	case STORE_DELETE_POP3:
		remove_pop3(store, change->u.pop3_id);
		break;
	}
}

static int run_commit(struct task *task)
{
	struct store_commit_req *req = container_of(task->op, struct store_commit_req, op);
	struct model_store *store = &task->world->store;

	for (const struct store_change *change = req->batch.first; change != NULL;
	     change = change->next)
		apply_change(store, change);
	store_batch_free(&req->batch);
	return 0;
}

static void model_commit(struct store_port *port, struct store_commit_req *req)
{
	world_post(store_of(port)->world, LANE_STORE, &req->op, NULL, run_commit);
}

/* --- Reads ---------------------------------------------------------------------------- */

static int model_mailbox_get(struct store_port *port, const char *name, bool *found,
			     struct mailbox_record *out, struct error *err)
{
	struct model_store *store = store_of(port);
	const struct mailbox_record *mailbox = model_store_mailbox(store->world, name);
	int code = store_check(store, err);

	if (code != 0)
		return code;
	*found = mailbox != NULL;
	if (*found) {
		*out = *mailbox;
		keyword_table_copy(&out->keywords, &mailbox->keywords);
	}
	return 0;
}

static int model_mailbox_each(struct store_port *port,
			      void (*each)(void *context, const struct mailbox_record *mailbox),
			      void *context, struct error *err)
{
	struct model_store *store = store_of(port);
	int code = store_check(store, err);

	for (size_t i = 0; code == 0 && i < store->mailbox_count; i++)
		each(context, &store->mailboxes[i]);
	return code;
}

static uint32_t model_mailbox_new_id(struct store_port *port)
{
	return ++store_of(port)->ids_made;
}

static int model_message_get(struct store_port *port, uint32_t mailbox_id, uint32_t uid,
			     bool *found, struct message_record *out, struct error *err)
{
	struct model_store *store = store_of(port);
	const struct message_record *message = model_store_message(store->world, mailbox_id, uid);
	int code = store_check(store, err);

	*found = message != NULL;
	if (code == 0 && *found)
		*out = *message;
	return code;
}

static int model_message_by_name(struct store_port *port, uint32_t mailbox_id, const char *name,
				 bool *found, struct message_record *out, struct error *err)
{
	struct model_store *store = store_of(port);
	const struct message_record *message = model_store_by_name(store->world, mailbox_id, name);

	*found = message != NULL;
	if (*found)
		*out = *message;
	return store_check(store, err);
}

static bool place_is_before(const struct message_place *a, const struct message_place *b)
{
	return a->mailbox_id != b->mailbox_id ? a->mailbox_id < b->mailbox_id : a->uid < b->uid;
}

/* By mailbox and UID. */
static int places_where(struct store_port *port,
			bool (*is_meant)(const struct message_record *message, const void *what),
			const void *what, struct message_place *out, size_t max, size_t *count,
			struct error *err)
{
	struct model_store *store = store_of(port);
	struct message_place last = { .mailbox_id = 0 };

	for (*count = 0; *count < max; (*count)++) {
		bool is_found = false;
		for (size_t i = 0; i < store->message_count; i++) {
			const struct model_record *record = &store->messages[i];
			struct message_place place = { record->mailbox_id, record->message.uid };
			if (!is_meant(&record->message, what) || !place_is_before(&last, &place) ||
			    (is_found && !place_is_before(&place, &out[*count])))
				continue;
			out[*count] = place;
			is_found = true;
		}
		if (!is_found)
			break;
		last = out[*count];
	}
	return store_check(store, err);
}

static bool has_identity(const struct message_record *message, const void *identity)
{
	return digest_equals(&message->identity, identity);
}

static bool has_email_id(const struct message_record *message, const void *email_id)
{
	return message->email_id == *(const uint64_t *)email_id;
}

static int model_messages_by_identity(struct store_port *port, const struct digest *identity,
				      struct message_place *out, size_t max, size_t *count,
				      struct error *err)
{
	return places_where(port, has_identity, identity, out, max, count, err);
}

/* By mailbox and UID. */
static int model_messages_by_email_id(struct store_port *port, uint64_t email_id,
				      struct message_place *out, size_t max, size_t *count,
				      struct error *err)
{
	return places_where(port, has_email_id, &email_id, out, max, count, err);
}

static int model_messages_after(struct store_port *port, uint32_t mailbox_id, uint32_t after_uid,
				struct remote_flags *out, size_t max, size_t *count,
				struct error *err)
{
	struct model_store *store = store_of(port);

	for (*count = 0; *count < max; (*count)++) {
		const struct message_record *next = NULL;
		for (size_t i = 0; i < store->message_count; i++) {
			const struct message_record *message = &store->messages[i].message;
			if (store->messages[i].mailbox_id == mailbox_id &&
			    message->uid > after_uid && (next == NULL || message->uid < next->uid))
				next = message;
		}
		if (next == NULL)
			break;
		out[*count] = (struct remote_flags){ .uid = next->uid, .flags = next->flags };
		after_uid = next->uid;
	}
	return store_check(store, err);
}

static int model_names_after(struct store_port *port, uint32_t mailbox_id, const char *after_name,
			     struct name_record *out, size_t max, size_t *count, struct error *err)
{
	struct model_store *store = store_of(port);

	for (*count = 0; *count < max; (*count)++) {
		const struct message_record *next = NULL;
		for (size_t i = 0; i < store->message_count; i++) {
			const struct message_record *message = &store->messages[i].message;
			if (store->messages[i].mailbox_id == mailbox_id &&
			    strcmp(message->name, after_name) > 0 &&
			    (next == NULL || strcmp(message->name, next->name) < 0))
				next = message;
		}
		if (next == NULL)
			break;
		out[*count].uid = next->uid;
		out[*count].flags = next->flags;
		memcpy(out[*count].name, next->name, sizeof(next->name));
		after_name = next->name;
	}
	return store_check(store, err);
}

static int model_message_count(struct store_port *port, uint32_t mailbox_id, size_t *count,
			       struct error *err)
{
	const struct model_store *store = store_of(port);

	*count = 0;
	for (size_t i = 0; i < store->message_count; i++)
		*count += store->messages[i].mailbox_id == mailbox_id;
	return store_check(store, err);
}

static int model_journal_each(struct store_port *port, uint32_t mailbox_id,
			      void (*each)(void *context, const struct journal_record *journal),
			      void *context, struct error *err)
{
	struct model_store *store = store_of(port);
	int code = store_check(store, err);

	for (size_t i = 0; code == 0 && i < store->journal_count; i++) {
		if (store->journal[i].mailbox_id == mailbox_id)
			each(context, &store->journal[i].journal);
	}
	return code;
}

static int model_setaside_each(struct store_port *port, uint32_t mailbox_id,
			       void (*each)(void *context, const struct setaside_record *setaside),
			       void *context, struct error *err)
{
	struct model_store *store = store_of(port);
	int code = store_check(store, err);

	for (size_t i = 0; code == 0 && i < store->setaside_count; i++) {
		if (store->setaside[i].mailbox_id == mailbox_id)
			each(context, &store->setaside[i].setaside);
	}
	return code;
}

static int model_pop3_each(struct store_port *port,
			   void (*each)(void *context, const struct pop3_record *pop3),
			   void *context, struct error *err)
{
	struct model_store *store = store_of(port);
	int code = store_check(store, err);

	for (size_t i = 0; code == 0 && i < store->pop3_count; i++)
		each(context, &store->pop3[i]);
	return code;
}

static uint32_t model_pop3_new_id(struct store_port *port)
{
	return ++store_of(port)->pop3_ids_made;
}

static const struct store_ops model_store_ops = {
	.messages_by_identity = model_messages_by_identity,
	.messages_by_email_id = model_messages_by_email_id,
	.mailbox_get = model_mailbox_get,
	.mailbox_each = model_mailbox_each,
	.mailbox_new_id = model_mailbox_new_id,
	.message_get = model_message_get,
	.message_by_name = model_message_by_name,
	.messages_after = model_messages_after,
	.names_after = model_names_after,
	.message_count = model_message_count,
	.journal_each = model_journal_each,
	.setaside_each = model_setaside_each,
	.pop3_each = model_pop3_each,
	.pop3_new_id = model_pop3_new_id,
	.commit = model_commit,
};

/* --- For the other models, and for the ledger ----------------------------------------------- */

const struct mailbox_record *model_store_mailbox(const struct world *world, const char *name)
{
	const struct model_store *store = &world->store;

	for (size_t i = 0; i < store->mailbox_count; i++) {
		if (strcmp(store->mailboxes[i].name, name) == 0)
			return &store->mailboxes[i];
	}
	return NULL;
}

const struct message_record *model_store_message(const struct world *world, uint32_t mailbox_id,
						 uint32_t uid)
{
	size_t at = find_uid(&world->store, mailbox_id, uid);

	return at < world->store.message_count ? &world->store.messages[at].message : NULL;
}

const struct message_record *model_store_by_name(const struct world *world, uint32_t mailbox_id,
						 const char *name)
{
	const struct model_store *store = &world->store;

	for (size_t i = 0; i < store->message_count; i++) {
		if (store->messages[i].mailbox_id == mailbox_id &&
		    strcmp(store->messages[i].message.name, name) == 0)
			return &store->messages[i].message;
	}
	return NULL;
}

bool model_store_is_journaled(const struct world *world, uint32_t mailbox_id, const char *name)
{
	const struct model_store *store = &world->store;

	for (size_t i = 0; i < store->journal_count; i++) {
		if (store->journal[i].mailbox_id == mailbox_id &&
		    strcmp(store->journal[i].journal.name, name) == 0)
			return true;
	}
	return false;
}

size_t model_store_count(const struct world *world, const char *mailbox)
{
	const struct mailbox_record *known = model_store_mailbox(world, mailbox);
	size_t count = 0;

	for (size_t i = 0; known != NULL && i < world->store.message_count; i++)
		count += world->store.messages[i].mailbox_id == known->id;
	return count;
}

bool model_store_knows(const struct world *world, const char *mailbox, const char *name)
{
	const struct mailbox_record *known = model_store_mailbox(world, mailbox);

	return known != NULL && (model_store_by_name(world, known->id, name) != NULL ||
				 model_store_is_journaled(world, known->id, name));
}

void model_store_init(struct world *world)
{
	world->store.port.ops = &model_store_ops;
	world->store.world = world;
}

void model_store_free(struct world *world)
{
	while (world->store.mailbox_count > 0)
		remove_mailbox(&world->store, world->store.mailboxes[0].id);
}
