/* Changing a remote mailbox: appends, flags, removals.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "remote_private.h"

/* --- append -------------------------------------------------------------------- */

struct append_work {
	struct remote_work work;
	struct imap_append append;
	struct remote_append_req *req;
};

static int append_read(struct imap_append *append, char *out, size_t size, size_t *len)
{
	struct remote_append_req *req = container_of(append, struct append_work, append)->req;

	return req->read(req, out, size, len);
}

/* An APPENDUID of another UIDVALIDITY tells nothing about this mailbox. */
static void append_done(struct imap_command *command, int code)
{
	struct append_work *work = container_of(command, struct append_work, append.command);
	const struct imap_mailbox *mailbox = remote_box_mailbox(work->work.box);

	work->work.box->ledger.appended += code == 0;
	if (work->append.uidvalidity == mailbox->uidvalidity)
		work->req->uid = work->append.uid;
	remote_work_finish(&work->work, code, &command->err);
}

void remote_append(struct remote_mailbox *mailbox, struct remote_append_req *req)
{
	struct append_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	req->uid = 0;
	if (work == NULL)
		return;
	work->req = req;
	if (req->has_nul && !imap_session_can(work->work.box->conn->session, IMAP_CAP_BINARY)) {
		(void)error_set(
			&work->work.err, SYNCD_EMESSAGE,
			"the message holds NULs, which this server cannot take (no BINARY)");
		remote_work_finish_later(&work->work);
		return;
	}
	work->append.mailbox = buf_slice(&work->work.box->wire);
	work->append.keywords = work->work.box->keywords;
	work->append.flags = req->flags;
	work->append.internaldate_s = req->internaldate_s;
	work->append.size_bytes = req->size_bytes;
	work->append.has_nul = req->has_nul;
	work->append.read = append_read;
	work->work.box->ledger.has_written = true;
	imap_append_start(work->work.box->conn->session, &work->append, append_done);
}

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
