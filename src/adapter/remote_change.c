/* Changing messages of a remote mailbox: flags, removals.
 * SPDX-License-Identifier: MIT */
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
