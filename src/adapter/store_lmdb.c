/* The engine's store port over the LMDB store: a table of the store's functions.
 * SPDX-License-Identifier: MIT */
#include "syncd/adapter_store.h"

#include "syncd/must.h"

static struct store *store_of(struct store_port *port)
{
	return container_of(port, struct adapter_store, port)->store;
}

static int port_mailbox_get(struct store_port *port, const char *name, bool *found,
			    struct mailbox_record *out, struct error *err)
{
	return store_mailbox_get(store_of(port), name, found, out, err);
}

static int port_mailbox_each(struct store_port *port,
			     void (*each)(void *context, const struct mailbox_record *mailbox),
			     void *context, struct error *err)
{
	return store_mailbox_each(store_of(port), each, context, err);
}

static uint32_t port_mailbox_new_id(struct store_port *port)
{
	return store_mailbox_new_id(store_of(port));
}

static int port_messages_by_identity(struct store_port *port, const struct digest *identity,
				     struct message_place *out, size_t max, size_t *count,
				     struct error *err)
{
	return store_messages_by_identity(store_of(port), identity, out, max, count, err);
}

static int port_messages_by_email_id(struct store_port *port, uint64_t email_id,
				     struct message_place *out, size_t max, size_t *count,
				     struct error *err)
{
	return store_messages_by_email_id(store_of(port), email_id, out, max, count, err);
}

static int port_message_get(struct store_port *port, uint32_t mailbox_id, uint32_t uid, bool *found,
			    struct message_record *out, struct error *err)
{
	return store_message_get(store_of(port), mailbox_id, uid, found, out, err);
}

static int port_message_by_name(struct store_port *port, uint32_t mailbox_id, const char *name,
				bool *found, struct message_record *out, struct error *err)
{
	return store_message_by_name(store_of(port), mailbox_id, name, found, out, err);
}

static int port_messages_after(struct store_port *port, uint32_t mailbox_id, uint32_t after_uid,
			       struct remote_flags *out, size_t max, size_t *count,
			       struct error *err)
{
	return store_messages_after(store_of(port), mailbox_id, after_uid, out, max, count, err);
}

static int port_names_after(struct store_port *port, uint32_t mailbox_id, const char *after_name,
			    struct name_record *out, size_t max, size_t *count, struct error *err)
{
	return store_names_after(store_of(port), mailbox_id, after_name, out, max, count, err);
}

static int port_message_count(struct store_port *port, uint32_t mailbox_id, size_t *count,
			      struct error *err)
{
	return store_message_count(store_of(port), mailbox_id, count, err);
}

static int port_journal_each(struct store_port *port, uint32_t mailbox_id,
			     void (*each)(void *context, const struct journal_record *journal),
			     void *context, struct error *err)
{
	return store_journal_each(store_of(port), mailbox_id, each, context, err);
}

static int port_setaside_each(struct store_port *port, uint32_t mailbox_id,
			      void (*each)(void *context, const struct setaside_record *setaside),
			      void *context, struct error *err)
{
	return store_setaside_each(store_of(port), mailbox_id, each, context, err);
}

static int port_pop3_each(struct store_port *port,
			  void (*each)(void *context, const struct pop3_record *pop3),
			  void *context, struct error *err)
{
	return store_pop3_each(store_of(port), each, context, err);
}

static uint32_t port_pop3_new_id(struct store_port *port)
{
	return store_pop3_new_id(store_of(port));
}

static void port_commit(struct store_port *port, struct store_commit_req *req)
{
	store_commit(store_of(port), req);
}

static const struct store_ops port_ops = {
	.messages_by_identity = port_messages_by_identity,
	.messages_by_email_id = port_messages_by_email_id,
	.mailbox_get = port_mailbox_get,
	.mailbox_each = port_mailbox_each,
	.mailbox_new_id = port_mailbox_new_id,
	.message_get = port_message_get,
	.message_by_name = port_message_by_name,
	.messages_after = port_messages_after,
	.names_after = port_names_after,
	.message_count = port_message_count,
	.journal_each = port_journal_each,
	.setaside_each = port_setaside_each,
	.pop3_each = port_pop3_each,
	.pop3_new_id = port_pop3_new_id,
	.commit = port_commit,
};

void adapter_store_init(struct adapter_store *adapter, struct store *store)
{
	*adapter = (struct adapter_store){ .port = { .ops = &port_ops }, .store = store };
}
