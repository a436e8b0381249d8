/* The end of a pass: the mailbox's own record says where the next look may begin, once
 * everything before has been applied (DESIGN 5: HIGHESTMODSEQ and mtimes last).
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include "syncd/must.h"
#include "syncd/sync_baseline.h"

/* --- What the server has told by now ------------------------------------------- */

static void settle_done(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, settle.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	else if (pass->settle.has_news)
		pass->result.wants_another = true;
	pass_piece_done(pass);
}

void settle_start(struct sync_pass *pass)
{
	pass->settle.op.done = settle_done;
	pass->remote->ops->settle(pass->remote, &pass->settle);
}

/* --- The record ------------------------------------------------------------------ */

bool pass_sees_gone(const struct sync_pass *pass)
{
	const struct remote_observation *obs = &pass->observation;

	return obs->is_delta ? obs->tells_gone || pass->are_counts_equal : obs->is_complete;
}

bool pass_is_settled(const struct sync_pass *pass)
{
	if (pass_is_failing(pass) || pass->refusal.code != 0 || pass->is_left_over ||
	    !pass->listing.is_stable || !uidset_is_empty(&pass->change.failed))
		return false;
	return pass->remote == NULL || pass_sees_gone(pass);
}

/* Our own changes are in the directories' times: they are known after the next look only. */
static bool has_changed_maildir(const struct sync_pass *pass)
{
	return sync_counts_changed_maildir(&pass->result.counts) || pass->recover.count > 0;
}

static void note_local(const struct sync_pass *pass, struct mailbox_record *mailbox)
{
	const struct local_mtimes *mtimes = &pass->listing.mtimes;

	if (mtimes->cur_ns != 0 && mtimes->new_ns != 0 && !has_changed_maildir(pass))
		mailbox->mtimes = *mtimes;
}

/* What the server is to have: pushing, also what only it has, so that this is counted from the
 * beginning of the pass. */
static int expected_exists(struct sync_pass *pass, uint64_t *expected)
{
	const struct sync_counts *counts = &pass->result.counts;
	struct store_port *store = pass->ports.store;
	struct error err = { 0 };
	size_t known = 0;
	int code = store->ops->message_count(store, pass->mailbox.id, &known, &err);

	*expected = pass_direction(pass) == SYNC_PUSH
			    ? pass->observation.exists + counts->appended - counts->expunged
			    : known + pass_aside_count(pass);
	return code;
}

/* The server's count, as far as it is what the state accounts for. With news it may tell of what
 * went meanwhile; and where removals are told by number only, of another's in place of ours. */
static uint32_t applied_exists(struct sync_pass *pass)
{
	uint64_t expected = 0;

	if (expected_exists(pass, &expected) != 0 || pass->settle.has_news ||
	    expected != pass->settle.exists)
		return UINT32_MAX;
	return pass->settle.exists;
}

/* With a count that no delta explains the server has told something wrongly, now or before: the
 * next look lists all that is there. */
static bool has_unexplained(const struct sync_pass *pass, const struct mailbox_record *mailbox)
{
	return pass_direction(pass) != SYNC_PUSH && pass->observation.is_delta &&
	       mailbox->highestmodseq != 0 && mailbox->exists == UINT32_MAX &&
	       !pass->settle.has_news;
}

static void note_remote(struct sync_pass *pass, struct mailbox_record *mailbox)
{
	uint32_t uidnext = pass->observation.uidnext;

	if (pass->result.counts.appended > 0 && pass->upload.uidnext > uidnext)
		uidnext = pass->upload.uidnext;
	if (uidnext > mailbox->uidnext)
		mailbox->uidnext = uidnext;
	if (pass->email.uidnext > mailbox->email_uidnext)
		mailbox->email_uidnext = pass->email.uidnext;
	if (!pass_is_settled(pass))
		return;
	mailbox->highestmodseq = pass->settle.highestmodseq;
	mailbox->exists = mailbox->highestmodseq != 0 ? applied_exists(pass) : 0;
	if (has_unexplained(pass, mailbox)) {
		mailbox->highestmodseq = mailbox->exists = 0;
		pass->result.wants_another = true;
	}
	mailbox->policy = pass_policy(pass);
	if (pass->wants_all && !pass->listing.is_delta && !pass->observation.is_delta &&
	    (pass->is_verifying || pass->mailbox.policy != mailbox->policy))
		mailbox->verified_s = pass->now_s;
}

static bool are_alike_locally(const struct mailbox_record *a, const struct mailbox_record *b)
{
	return a->mtimes.cur_ns == b->mtimes.cur_ns && a->mtimes.new_ns == b->mtimes.new_ns;
}

static bool are_alike(const struct mailbox_record *a, const struct mailbox_record *b)
{
	return a->uidnext == b->uidnext && a->highestmodseq == b->highestmodseq &&
	       a->exists == b->exists && a->policy == b->policy && a->verified_s == b->verified_s &&
	       a->email_uidnext == b->email_uidnext && mailbox_has_held(a) == mailbox_has_held(b) &&
	       are_alike_locally(a, b);
}

static void finish_done(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, finish.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	pass_piece_done(pass);
}

/* Directories' times are of what the disk has to keep, too: of a file made and removed within one
 * tick of its clock a power cut could take back the removal, and the time would stay. */
static void finish_commit(struct sync_pass *pass, bool tells_of_maildir)
{
	if (pass_is_recorded(pass))
		pass_piece_done(pass);
	else if (tells_of_maildir)
		pass_flush_commit(pass, &pass->finish, finish_done);
	else
		pass_commit(pass, &pass->finish, finish_done);
}

void finish_start(struct sync_pass *pass)
{
	struct mailbox_record now = pass->mailbox; /* its keywords are the same table */

	if (pass->remote != NULL)
		note_remote(pass, &now);
	if (pass_is_settled(pass))
		note_local(pass, &now);
	if (pass_is_settled(pass) || pass->is_decided)
		now.held_remote = now.held_local = (struct held_deletions){ .count = 0 };
	bool tells_of_maildir = !are_alike_locally(&now, &pass->mailbox);
	if (!are_alike(&now, &pass->mailbox)) {
		pass->mailbox = now;
		pass->is_mailbox_recorded = false;
	}
	finish_commit(pass, tells_of_maildir);
}
