/* Whether a mailbox whose UIDVALIDITY is the known one is the known one. A server that was restored
 * from a backup has given UIDs that others had, or will (QUIRKS; RFC 3501 §2.3.1.1 forbids it). It
 * shows by a UIDNEXT or HIGHESTMODSEQ that has gone back, which a rebuilt index does to the latter,
 * too: then it is looked who the last known message is, of those that are there still.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <string.h>

#include "syncd/must.h"

#define DOUBT_MESSAGES (sizeof(((struct doubt *)0)->last) / sizeof(uint32_t))

void doubt_free(struct doubt *doubt)
{
	uidset_free(&doubt->uids);
}

/* --- Who the last messages are --------------------------------------------------------- */

static void doubt_found(struct remote_identify_req *req, uint32_t uid,
			const struct digest *identity, uint64_t size_bytes, uint64_t flags)
{
	struct sync_pass *pass = container_of(req, struct sync_pass, doubt.identify);
	struct store_port *store = pass->ports.store;
	struct message_record record;
	struct error err = { 0 };
	bool is_known = false;

	(void)size_bytes; /* may lie */
	(void)flags;
	if (store->ops->message_get(store, pass->mailbox.id, uid, &is_known, &record, &err) != 0)
		pass_fail(pass, &err);
	if (!is_known || uid < pass->doubt.highest)
		return;
	pass->doubt.highest = uid;
	pass->is_restored = !digest_equals(identity, &record.identity);
}

static void doubt_identified(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, doubt.identify.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	pass_piece_done(pass);
}

/* The UIDs known last, in a ring. */
static int doubt_collect(struct sync_pass *pass, struct error *err)
{
	struct store_port *store = pass->ports.store;
	struct doubt *doubt = &pass->doubt;
	struct remote_flags some[256];
	uint32_t after = 0;
	size_t total = 0;
	size_t count = 0;
	int code = 0;

	do {
		code = store->ops->messages_after(store, pass->mailbox.id, after, some,
						  ARRAY_LEN(some), &count, err);
		for (size_t i = 0; code == 0 && i < count; i++)
			doubt->last[total++ % DOUBT_MESSAGES] = some[i].uid;
		after = count > 0 ? some[count - 1].uid : 0;
	} while (code == 0 && count > 0);
	uidset_clear(&doubt->uids);
	for (size_t i = 0; i < total && i < DOUBT_MESSAGES; i++)
		must(uidset_add(&doubt->uids, doubt->last[i]) == 0);
	return code;
}

static void doubt_identify(struct sync_pass *pass)
{
	struct doubt *doubt = &pass->doubt;
	struct error err = { 0 };

	if (doubt_collect(pass, &err) != 0)
		pass_fail(pass, &err);
	if (pass_is_failing(pass) || uidset_is_empty(&doubt->uids)) {
		pass_piece_done(pass);
		return;
	}
	doubt->identify.op.done = doubt_identified;
	doubt->identify.uids = &doubt->uids;
	doubt->identify.found = doubt_found;
	pass->remote->ops->identify(pass->remote, &doubt->identify);
}

/* --- Where the UIDs end ------------------------------------------------------------------- */

static uint32_t highest_of(const struct uidset *uids)
{
	return uids->range_count > 0 ? uids->ranges[uids->range_count - 1].high : 0;
}

/* A server that says something of UIDNEXT that its own messages belie is only a liar. */
static void doubt_searched(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, doubt.search.op);
	struct doubt *doubt = &pass->doubt;

	if (code != 0) {
		pass_fail(pass, &op->err);
		pass_piece_done(pass);
		return;
	}
	pass->is_restored =
		doubt->search.is_complete && highest_of(&doubt->uids) < pass->open.uidnext;
	if (pass->is_restored)
		pass_piece_done(pass);
	else
		doubt_identify(pass);
}

/* Whether the state has a message of a UID that the server says is still to be given. A UIDNEXT may
 * have been recorded from a list that was not to be believed. */
static bool knows_future(struct sync_pass *pass)
{
	struct store_port *store = pass->ports.store;
	uint32_t uidnext = pass->open.uidnext;
	struct remote_flags any;
	struct error err = { 0 };
	size_t count = 0;

	if (uidnext == 0 || (pass->mailbox.uidnext != 0 && uidnext >= pass->mailbox.uidnext))
		return false;
	if (store->ops->messages_after(store, pass->mailbox.id, uidnext - 1, &any, 1, &count,
				       &err) != 0)
		pass_fail(pass, &err);
	return count > 0;
}

void doubt_start(struct sync_pass *pass)
{
	const struct remote_open_req *open = &pass->open;
	const struct mailbox_record *mailbox = &pass->mailbox;
	bool is_same = mailbox->uidvalidity == pass_uidvalidity(pass);

	if (is_same && knows_future(pass)) {
		pass->doubt.search.op.done = doubt_searched;
		pass->doubt.search.present = &pass->doubt.uids;
		pass->remote->ops->search(pass->remote, &pass->doubt.search);
	} else if (is_same && open->highestmodseq != 0 &&
		   open->highestmodseq < mailbox->highestmodseq) {
		doubt_identify(pass);
	} else {
		pass_piece_done(pass);
	}
}
