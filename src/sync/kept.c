/* Servers that take keywords, promise to keep them ("\\*" among PERMANENTFLAGS), and drop them.
 * What they do not have would look as if somebody had removed it there, and go from the maildir,
 * too. So one message is looked at of each keyword that the server did not name before.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include "syncd/log.h"
#include "syncd/must.h"

void kept_free(struct kept *kept)
{
	uidset_free(&kept->uids);
	store_batch_free(&kept->commit.batch);
}

void kept_note(struct sync_pass *pass, uint32_t uid, uint64_t flags)
{
	struct kept *kept = &pass->kept;
	uint64_t new = flags &FLAGS_KEYWORDS & ~pass->open.named_flags & ~kept->covered;

	if (new == 0)
		return;
	must(kept->count < KEPT_MAX);
	kept->stored[kept->count].uid = uid;
	kept->stored[kept->count++].flags = new;
	kept->covered |= new;
	must(uidset_add(&kept->uids, uid) == 0);
}

void kept_review(struct sync_pass *pass)
{
	const struct remote_observation *obs = &pass->observation;
	uint64_t told = 0;

	for (size_t i = 0; pass->mailbox.unkept != 0 && i < obs->count; i++)
		told |= obs->items[i].flags & pass->mailbox.unkept;
	if (told == 0)
		return;
	pass->mailbox.unkept &= ~told;
	pass->open.flags_mask |= told;
	pass->is_mailbox_recorded = false;
}

void kept_strip(struct sync_pass *pass)
{
	struct local_listing *listing = &pass->listing;

	for (size_t i = 0; pass->mailbox.unkept != 0 && i < listing->count; i++)
		listing->items[i].flags &= ~pass->mailbox.unkept;
}

/* --- What became of them --------------------------------------------------------------- */

static void kept_found(struct remote_identify_req *req, uint32_t uid, const struct digest *identity,
		       uint64_t size_bytes, uint64_t flags)
{
	struct kept *kept = &container_of(req, struct sync_pass, kept.identify)->kept;

	(void)identity;
	(void)identity;
	(void)size_bytes;
	for (size_t i = 0; i < kept->count; i++) {
		if (kept->stored[i].uid == uid)
			kept->missing |= kept->stored[i].flags & ~flags;
	}
}

static void kept_warn(const struct sync_pass *pass)
{
	const struct keyword_table *keywords = &pass->mailbox.keywords;

	for (size_t i = 0; i < keywords->count; i++) {
		if ((pass->kept.dropped & (uint64_t)1 << (FLAGS_SYSTEM_COUNT + i)) != 0)
			log_warn(pass->options.account,
				 "%s: the server does not keep the keyword %s, although it said it "
				 "would: it stays in the maildir",
				 pass->name, keywords->names[i]);
	}
}

/* No message has them on both sides. */
static int kept_disagree(struct sync_pass *pass, struct error *err)
{
	struct store_port *store = pass->ports.store;
	struct remote_flags some[256];
	uint64_t dropped = pass->kept.dropped;
	uint32_t after = 0;
	size_t count = 0;
	int code = 0;

	do {
		code = store->ops->messages_after(store, pass->mailbox.id, after, some,
						  ARRAY_LEN(some), &count, err);
		for (size_t i = 0; code == 0 && i < count; i++) {
			if ((some[i].flags & dropped) != 0)
				store_batch_set_flags(&pass->kept.commit.batch, pass->mailbox.id,
						      some[i].uid, some[i].flags & ~dropped);
		}
		after = count > 0 ? some[count - 1].uid : 0;
	} while (code == 0 && count > 0);
	return code;
}

static void kept_committed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, kept.commit.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	pass_piece_done(pass);
}

/* What is missing and has a name there by now was taken away by somebody else. A server that does
 * not answer this is none the worse. */
static void kept_identified(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, kept.identify.op);
	struct error err = { 0 };

	pass->kept.dropped = pass->kept.missing & ~pass->kept.identify.named_flags;
	if (code != 0 && code != SYNCD_EMESSAGE)
		pass_fail(pass, &op->err);
	else if (pass->kept.dropped != 0 && kept_disagree(pass, &err) != 0)
		pass_fail(pass, &err);
	if (pass_is_failing(pass) || pass->kept.dropped == 0) {
		pass_piece_done(pass);
		return;
	}
	kept_warn(pass);
	pass->mailbox.unkept |= pass->kept.dropped;
	pass->is_mailbox_recorded = false;
	pass_commit(pass, &pass->kept.commit, kept_committed);
}

void kept_start(struct sync_pass *pass)
{
	struct kept *kept = &pass->kept;

	store_batch_init(&kept->commit.batch);
	if (kept->count == 0) {
		pass_piece_done(pass);
		return;
	}
	kept->identify.op.done = kept_identified;
	kept->identify.uids = &kept->uids;
	kept->identify.found = kept_found;
	pass->remote->ops->identify(pass->remote, &kept->identify);
}
