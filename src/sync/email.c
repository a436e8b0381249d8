/* The email_ids of messages that came into the state without them: sent, paired, copied by the
 * server, or known from before it had any.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include "syncd/must.h"

#define EMAIL_GROUP_MESSAGES 1000 /* that share a command and a commit */

static void email_next(struct sync_pass *pass);

void email_free(struct email *email)
{
	uidset_free(&email->asked);
	store_batch_free(&email->commit.batch);
}

/* --- What the server tells --------------------------------------------------------------- */

static void email_found(struct remote_email_ids_req *req, uint32_t uid, uint64_t email_id,
			uint64_t size_bytes)
{
	struct sync_pass *pass = container_of(req, struct sync_pass, email.ids);
	struct store_port *store = pass->ports.store;
	struct message_record record;
	struct error err = { 0 };
	bool is_known = false;

	(void)size_bytes;
	if (email_id == 0 || !uidset_contains(&pass->email.asked, uid))
		return;
	if (store->ops->message_get(store, pass->mailbox.id, uid, &is_known, &record, &err) != 0)
		pass_fail(pass, &err);
	if (!is_known)
		return;
	record.email_id = email_id;
	store_batch_put_message(&pass->email.commit.batch, pass->mailbox.id, &record);
}

static void email_committed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, email.commit.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	email_next(pass);
}

/* What is refused is done without. */
static void email_told(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, email.ids.op);

	if (code != 0 && code != SYNCD_EMESSAGE)
		pass_fail(pass, &op->err);
	pass_commit(pass, &pass->email.commit, email_committed);
}

/* --- What is asked ------------------------------------------------------------------------ */

static int email_add(struct sync_pass *pass, uint32_t uid, struct error *err)
{
	struct store_port *store = pass->ports.store;
	struct message_record record;
	bool is_known = false;
	int code = store->ops->message_get(store, pass->mailbox.id, uid, &is_known, &record, err);

	if (code == 0 && is_known && record.email_id == 0)
		must(uidset_add(&pass->email.asked, uid) == 0);
	return code;
}

/* Goes on to the next group of messages without one. */
static int email_collect(struct sync_pass *pass, struct error *err)
{
	struct email *email = &pass->email;
	struct store_port *store = pass->ports.store;
	struct remote_flags some[256];
	size_t count = 0;
	int code = 0;

	do {
		uint32_t after = email->uidnext > 0 ? email->uidnext - 1 : 0;
		code = store->ops->messages_after(store, pass->mailbox.id, after, some,
						  ARRAY_LEN(some), &count, err);
		for (size_t i = 0; code == 0 && i < count; i++)
			code = email_add(pass, some[i].uid, err);
		if (code == 0 && count > 0 && some[count - 1].uid < UINT32_MAX)
			email->uidnext = some[count - 1].uid + 1;
		email->is_last = count < ARRAY_LEN(some);
	} while (code == 0 && !email->is_last &&
		 uidset_count(&email->asked) < EMAIL_GROUP_MESSAGES);
	return code;
}

static void email_next(struct sync_pass *pass)
{
	struct email *email = &pass->email;
	struct error err = { 0 };

	uidset_clear(&email->asked);
	if (!pass_is_failing(pass) && !email->is_last && email_collect(pass, &err) != 0)
		pass_fail(pass, &err);
	if (pass_is_failing(pass) || uidset_is_empty(&email->asked)) {
		pass_piece_done(pass);
		return;
	}
	email->ids.op.done = email_told;
	email->ids.uids = &email->asked;
	email->ids.found = email_found;
	pass->remote->ops->email_ids(pass->remote, &email->ids);
}

void email_start(struct sync_pass *pass)
{
	store_batch_init(&pass->email.commit.batch);
	pass->email.uidnext = pass->mailbox.email_uidnext;
	if (pass->open.has_email_ids)
		email_next(pass);
	else
		pass_piece_done(pass);
}
