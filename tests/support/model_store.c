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

/* --- Changes --------------------------------------------------------------------- */

static size_t find_uid(const struct model_store *store, uint32_t uid)
{
	size_t i = 0;

	while (i < store->message_count && store->messages[i].uid != uid)
		i++;
	return i;
}

static void remove_message(struct model_store *store, uint32_t uid)
{
	size_t at = find_uid(store, uid);

	if (at < store->message_count)
		store->messages[at] = store->messages[--store->message_count];
}

static void put_message(struct model_store *store, const struct message_record *message)
{
	for (size_t i = 0; i < store->message_count; i++) {
		/* One name, one UID: the engine must never bind a file twice. */
		must(store->messages[i].uid == message->uid ||
		     strcmp(store->messages[i].name, message->name) != 0);
	}
	remove_message(store, message->uid);
	must(store->message_count < MODEL_MESSAGES_MAX);
	store->messages[store->message_count++] = *message;
}

static void remove_journal(struct model_store *store, const struct journal_record *journal)
{
	for (size_t i = 0; i < store->journal_count; i++) {
		if (store->journal[i].kind == journal->kind &&
		    strcmp(store->journal[i].name, journal->name) == 0) {
			store->journal[i] = store->journal[--store->journal_count];
			return;
		}
	}
}

static void remove_setaside(struct model_store *store, const struct setaside_record *record)
{
	for (size_t i = 0; i < store->setaside_count; i++) {
		if (store->setaside[i].uid == record->uid &&
		    strcmp(store->setaside[i].name, record->name) == 0) {
			store->setaside[i] = store->setaside[--store->setaside_count];
			return;
		}
	}
}

static void put_mailbox(struct model_store *store, const struct mailbox_record *mailbox)
{
	keyword_table_free(&store->mailbox.keywords);
	store->mailbox = *mailbox;
	keyword_table_copy(&store->mailbox.keywords, &mailbox->keywords);
	store->has_mailbox = true;
}

static void apply_change(struct model_store *store, const struct store_change *change)
{
	size_t at = 0;

	switch (change->kind) {
	case STORE_PUT_MAILBOX:
		put_mailbox(store, &change->u.mailbox);
		break;
	case STORE_PUT_MESSAGE:
		put_message(store, &change->u.message);
		break;
	case STORE_SET_FLAGS:
		at = find_uid(store, change->u.message.uid);
		if (at < store->message_count)
			store->messages[at].flags = change->u.message.flags;
		break;
	case STORE_DELETE_MESSAGE:
		remove_message(store, change->u.message.uid);
		break;
	case STORE_PUT_JOURNAL:
		remove_journal(store, &change->u.journal);
		must(store->journal_count < MODEL_MESSAGES_MAX);
		store->journal[store->journal_count++] = change->u.journal;
		break;
	case STORE_DELETE_JOURNAL:
		remove_journal(store, &change->u.journal);
		break;
	case STORE_PUT_SETASIDE:
		remove_setaside(store, &change->u.setaside);
		must(store->setaside_count < MODEL_MESSAGES_MAX);
		store->setaside[store->setaside_count++] = change->u.setaside;
		break;
	case STORE_DELETE_SETASIDE:
		remove_setaside(store, &change->u.setaside);
		break;
	case STORE_DELETE_MAILBOX:
		must(store->message_count == 0);
		store->has_mailbox = false;
		store->journal_count = 0;
		store->setaside_count = 0;
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
	int code = store_check(store, err);

	if (code != 0)
		return code;
	*found = store->has_mailbox && strcmp(store->mailbox.name, name) == 0;
	if (*found) {
		*out = store->mailbox;
		keyword_table_copy(&out->keywords, &store->mailbox.keywords);
	}
	return 0;
}

static int model_mailbox_each(struct store_port *port,
			      void (*each)(void *context, const struct mailbox_record *mailbox),
			      void *context, struct error *err)
{
	struct model_store *store = store_of(port);
	int code = store_check(store, err);

	if (code == 0 && store->has_mailbox)
		each(context, &store->mailbox);
	return code;
}

static uint32_t model_mailbox_new_id(struct store_port *port)
{
	(void)port;
	return 1;
}

static int model_message_get(struct store_port *port, uint32_t mailbox_id, uint32_t uid,
			     bool *found, struct message_record *out, struct error *err)
{
	struct model_store *store = store_of(port);
	size_t at = find_uid(store, uid);
	int code = store_check(store, err);

	(void)mailbox_id;
	*found = at < store->message_count;
	if (code == 0 && *found)
		*out = store->messages[at];
	return code;
}

static int model_message_by_name(struct store_port *port, uint32_t mailbox_id, const char *name,
				 bool *found, struct message_record *out, struct error *err)
{
	struct model_store *store = store_of(port);

	(void)mailbox_id;
	*found = false;
	for (size_t i = 0; i < store->message_count && !*found; i++) {
		*found = strcmp(store->messages[i].name, name) == 0;
		if (*found)
			*out = store->messages[i];
	}
	return store_check(store, err);
}

static int model_messages_after(struct store_port *port, uint32_t mailbox_id, uint32_t after_uid,
				struct remote_flags *out, size_t max, size_t *count,
				struct error *err)
{
	struct model_store *store = store_of(port);

	(void)mailbox_id;
	for (*count = 0; *count < max; (*count)++) {
		const struct message_record *next = NULL;
		for (size_t i = 0; i < store->message_count; i++) {
			const struct message_record *message = &store->messages[i];
			if (message->uid > after_uid && (next == NULL || message->uid < next->uid))
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

	(void)mailbox_id;
	for (*count = 0; *count < max; (*count)++) {
		const struct message_record *next = NULL;
		for (size_t i = 0; i < store->message_count; i++) {
			const struct message_record *message = &store->messages[i];
			if (strcmp(message->name, after_name) > 0 &&
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
	(void)mailbox_id;
	*count = store_of(port)->message_count;
	return store_check(store_of(port), err);
}

static int model_journal_each(struct store_port *port, uint32_t mailbox_id,
			      void (*each)(void *context, const struct journal_record *journal),
			      void *context, struct error *err)
{
	struct model_store *store = store_of(port);
	int code = store_check(store, err);

	(void)mailbox_id;
	for (size_t i = 0; code == 0 && i < store->journal_count; i++)
		each(context, &store->journal[i]);
	return code;
}

static int model_setaside_each(struct store_port *port, uint32_t mailbox_id,
			       void (*each)(void *context, const struct setaside_record *setaside),
			       void *context, struct error *err)
{
	struct model_store *store = store_of(port);
	int code = store_check(store, err);

	(void)mailbox_id;
	for (size_t i = 0; code == 0 && i < store->setaside_count; i++)
		each(context, &store->setaside[i]);
	return code;
}

static const struct store_ops model_store_ops = {
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
	.commit = model_commit,
};

bool model_store_knows(const struct world *world, const char *name)
{
	const struct model_store *store = &world->store;

	for (size_t i = 0; i < store->message_count; i++) {
		if (strcmp(store->messages[i].name, name) == 0)
			return true;
	}
	for (size_t i = 0; i < store->journal_count; i++) {
		if (strcmp(store->journal[i].name, name) == 0)
			return true;
	}
	return false;
}

void model_store_init(struct world *world)
{
	world->store.port.ops = &model_store_ops;
	world->store.world = world;
}
