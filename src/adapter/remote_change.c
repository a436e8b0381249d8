/* Changing messages of a remote mailbox: flags, removals, moves and copies.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/must.h"

#include "remote_private.h"

/* --- store ---------------------------------------------------------------------- */

struct store_work {
	struct remote_work work;
	struct imap_uid_run run;
	struct remote_store_req *req;
	uint64_t add; /* still to be done */
	uint64_t remove;
};

static void store_next(struct store_work *work);

static void store_done(struct imap_uid_run *run, int code)
{
	struct store_work *work = container_of(run, struct store_work, run);

	if (code < 0)
		remote_work_finish(&work->work, code, &run->err);
	else
		store_next(work);
}

static void store_next(struct store_work *work)
{
	bool is_added = work->add != 0;
	uint64_t flags = is_added ? work->add : work->remove;

	if (flags == 0) {
		remote_work_finish(&work->work, 0, NULL);
		return;
	}
	if (is_added)
		work->add = 0;
	else
		work->remove = 0;
	work->work.box->ledger.has_written = true;
	imap_store_start(work->work.box->conn->session, &work->run, is_added, flags);
}

void remote_store(struct remote_mailbox *mailbox, struct remote_store_req *req)
{
	struct store_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	if (work == NULL)
		return;
	work->req = req;
	work->add = req->add;
	work->remove = req->remove;
	work->run.uids = req->uids;
	work->run.done = store_done;
	if ((req->add | req->remove) == 0)
		remote_work_finish_later(&work->work);
	else
		store_next(work);
}

/* --- expunge ----------------------------------------------------------------------- */

struct expunge_work {
	struct remote_work work;
	struct imap_expunge expunge;
};

static void expunge_done(struct imap_expunge *expunge, int code)
{
	struct expunge_work *work = container_of(expunge, struct expunge_work, expunge);

	if (code == 0)
		work->work.box->ledger.removed += uidset_count(expunge->uids);
	remote_work_finish(&work->work, code, &expunge->err);
}

void remote_expunge(struct remote_mailbox *mailbox, struct remote_expunge_req *req)
{
	struct expunge_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	if (work == NULL)
		return;
	work->expunge.uids = req->uids;
	work->expunge.done = expunge_done;
	work->work.box->ledger.has_written = true;
	imap_expunge_start(work->work.box->conn->session, &work->expunge);
}

/* --- transfer ---------------------------------------------------------------------- */

struct transfer_work {
	struct remote_work work;
	struct imap_transfer transfer;
	struct imap_expunge expunge; /* of what was copied, where the server cannot move */
	struct remote_transfer_req *req;
	struct buf wire;
	int code; /* of the copy */
};

static struct imap_session *session_of(const struct transfer_work *work)
{
	return work->work.box->conn->session;
}

static void transfer_finish(struct transfer_work *work, int code, const struct error *err)
{
	uidset_free(&work->transfer.told);
	buf_free(&work->wire);
	remote_work_finish(&work->work, code, err);
}

static void transfer_copied(struct imap_transfer *transfer, uint32_t uid, uint32_t target_uid)
{
	struct transfer_work *work = container_of(transfer, struct transfer_work, transfer);

	work->req->target_uidvalidity = transfer->uidvalidity;
	if (work->req->transferred != NULL)
		work->req->transferred(work->req, uid, target_uid);
}

/* Those that are surely in the target: all without a word, or those told. */
static const struct uidset *transferred(const struct transfer_work *work)
{
	bool is_all = work->code == 0 && work->transfer.is_untold;

	return is_all ? work->req->uids : &work->transfer.told;
}

static void removed(struct transfer_work *work)
{
	work->work.box->ledger.removed += uidset_count(transferred(work));
	work->req->is_removed = work->code == 0;
}

/* Copied and not removed they are in both mailboxes, which is no failure of the copy. */
static void transfer_expunged(struct imap_expunge *expunge, int code)
{
	struct transfer_work *work = container_of(expunge, struct transfer_work, expunge);

	if (code == 0)
		removed(work);
	transfer_finish(work, work->code, &work->transfer.err);
}

/* Also when a later command over the rest of the set failed: what is known to be in the target is
 * moved then, as a MOVE in parts would have left it. */
static void remove_copied(struct transfer_work *work)
{
	work->expunge.uids = transferred(work);
	work->expunge.done = transfer_expunged;
	imap_expunge_start(session_of(work), &work->expunge);
}

/* Not by UIDs that mean other messages now. */
static bool may_remove(const struct transfer_work *work)
{
	return !uidset_is_empty(transferred(work)) &&
	       !remote_box_mailbox(work->work.box)->is_validity_changed;
}

static void transfer_done(struct imap_transfer *transfer, int code)
{
	struct transfer_work *work = container_of(transfer, struct transfer_work, transfer);
	bool is_copy = !transfer->is_move;

	work->code = code;
	/* It is the target that servers refuse, and not each says its name. */
	if (code < 0 && imap_session_is_live(session_of(work)))
		error_mailbox(&transfer->err, work->req->target);
	if (work->req->is_move && is_copy && may_remove(work)) {
		remove_copied(work);
		return;
	}
	if (transfer->is_move)
		removed(work);
	transfer_finish(work, code, &transfer->err);
}

static int target_to_wire(const struct remote_conn *conn, const char *target, struct buf *wire,
			  struct error *err)
{
	const struct remote_names names = remote_names_of(conn);

	if (strcmp(target, REMOTE_NO_TRASH) != 0)
		return remote_names_to_wire(&names, target, wire, err);
	(void)error_set(err, SYNCD_ENOTFOUND,
			"the server marks no mailbox as \\Trash: give `trash` the name of one");
	error_context(err, "trash auto");
	return err->code;
}

void remote_transfer(struct remote_mailbox *mailbox, struct remote_transfer_req *req)
{
	struct transfer_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	req->target_uidvalidity = 0;
	req->is_removed = false;
	if (work == NULL)
		return;
	struct imap_session *session = session_of(work);
	buf_init(&work->wire, IMAP_NAME_MAX);
	if (target_to_wire(work->work.box->conn, req->target, &work->wire, &work->work.err) < 0) {
		buf_free(&work->wire);
		remote_work_finish_later(&work->work);
		return;
	}
	work->req = req;
	work->work.box->ledger.has_written |= req->is_move;
	work->transfer.uids = req->uids;
	work->transfer.mailbox = buf_slice(&work->wire);
	work->transfer.is_move = req->is_move && imap_session_can(session, IMAP_CAP_MOVE);
	work->transfer.copied = transfer_copied;
	work->transfer.done = transfer_done;
	imap_transfer_start(session, &work->transfer);
}
