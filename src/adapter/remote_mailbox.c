/* An opened remote mailbox: a session of the pool that has it selected.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#include "remote_private.h"

struct remote_box *remote_box_of(struct remote_mailbox *mailbox)
{
	return container_of(mailbox, struct remote_box, base);
}

const struct imap_mailbox *remote_box_mailbox(const struct remote_box *box)
{
	return imap_session_mailbox(box->conn->session);
}

/* --- Requests under way ------------------------------------------------------ */

static void work_turn(struct loop_defer *defer)
{
	struct remote_work *work = container_of(defer, struct remote_work, defer);

	remote_work_finish(work, work->err.code, &work->err);
}

void remote_work_finish_later(struct remote_work *work)
{
	loop_defer(work->box->adapter->loop, &work->defer, work_turn);
}

void remote_work_finish(struct remote_work *work, int code, const struct error *err)
{
	struct port_op *op = work->op;

	if (code < 0)
		op->err = *err;
	work->box->under_way--;
	free(work);
	op->done(op, code);
}

void *remote_work_new(struct remote_mailbox *mailbox, struct port_op *op, size_t size)
{
	struct remote_box *box = remote_box_of(mailbox);
	bool is_stale = remote_box_mailbox(box)->is_validity_changed;
	struct remote_work *work = xcalloc(1, is_stale ? sizeof(*work) : size);

	error_clear(&op->err);
	work->box = box;
	work->op = op;
	box->under_way++;
	if (!is_stale)
		return work;
	(void)error_set(&work->err, SYNCD_EVALIDITY, "the server changed UIDVALIDITY");
	remote_work_finish_later(work);
	return NULL;
}

/* --- The mailbox ---------------------------------------------------------------- */

static void box_free(struct remote_box *box)
{
	remote_ledger_free(&box->ledger);
	buf_free(&box->wire);
	free(box);
}

static void box_cancel(struct remote_mailbox *mailbox)
{
	struct remote_box *box = remote_box_of(mailbox);

	if (box->under_way == 0)
		return;
	remote_fetch_cancel_all(box);
	imap_session_cancel(box->conn->session);
}

static void box_close(struct remote_mailbox *mailbox)
{
	struct remote_box *box = remote_box_of(mailbox);

	must(box->under_way == 0);
	box->conn->box = NULL;
	remote_pool_release(box->conn);
	box_free(box);
}

static const struct remote_mailbox_ops box_ops = {
	.observe = remote_observe,
	.search = remote_search,
	.fetch = remote_fetch,
	.fetch_pause = remote_fetch_pause,
	.fetch_resume = remote_fetch_resume,
	.append = remote_append,
	.store = remote_store,
	.expunge = remote_expunge,
	.transfer = remote_transfer,
	.identify = remote_identify,
	.email_ids = remote_email_ids,
	.settle = remote_settle,
	.cancel = box_cancel,
	.close = box_close,
};

/* --- Opening ---------------------------------------------------------------------- */

struct remote_open_work {
	struct remote_lease lease;
	struct imap_select select;
	struct imap_status status;
	struct remote_open_req *req;
	struct remote_box *box;
};

static void open_fail(struct remote_open_work *work, const struct error *err)
{
	struct remote_open_req *req = work->req;

	req->op.err = *err;
	error_context(&req->op.err, "%s", req->name);
	if (work->lease.conn != NULL)
		remote_pool_release(work->lease.conn);
	box_free(work->box);
	free(work);
	req->op.done(&req->op, req->op.err.code);
}

static void open_succeed(struct remote_open_work *work, uint32_t uidnext)
{
	struct remote_open_req *req = work->req;
	const struct imap_mailbox *mailbox = remote_box_mailbox(work->box);

	req->mailbox = &work->box->base;
	work->box->conn->box = work->box;
	remote_ledger_selected(&work->box->ledger, work->box->conn->session, req);
	req->uidvalidity = mailbox->uidvalidity;
	req->uidnext = uidnext;
	req->exists = mailbox->exists;
	req->highestmodseq = mailbox->highestmodseq;
	req->is_read_only = mailbox->is_read_only;
	req->flags_mask = mailbox->flags_mask;
	req->named_flags = mailbox->named_flags;
	req->has_email_ids = remote_has_email_ids(work->box->conn->session);
	free(work);
	req->op.done(&req->op, 0);
}

static void open_told(struct imap_command *command, int code)
{
	struct remote_open_work *work =
		container_of(command, struct remote_open_work, status.command);
	const struct imap_told *told = &work->status.told;
	bool is_same = told->uidvalidity == remote_box_mailbox(work->box)->uidvalidity;

	if (code < 0 && !imap_session_is_live(work->box->conn->session))
		open_fail(work, &command->err);
	else
		open_succeed(work, code == 0 && is_same ? told->uidnext : 0);
}

/* Courier does not say UIDNEXT when a mailbox is selected, which RFC 3501 §6.3.1 demands. §6.3.10
 * would rather have no STATUS of that one, as SELECT has told all; asked before, it would be in
 * vain with every other server. */
static void open_ask_uidnext(struct remote_open_work *work)
{
	work->status.name = buf_slice(&work->box->wire);
	work->status.wishes = IMAP_WANTS_STATUS;
	imap_status_start(work->box->conn->session, &work->status, open_told);
}

static void open_selected(struct imap_command *command, int code)
{
	struct remote_open_work *work =
		container_of(command, struct remote_open_work, select.command);
	const struct imap_mailbox *mailbox = remote_box_mailbox(work->box);

	if (code == 0 && mailbox->uidvalidity == 0)
		code = error_set(&command->err, SYNCD_ESERVER,
				 "the server gives no UIDVALIDITY: its UIDs mean nothing");
	/* RFC 3501 §6.3.1 demands it; without it the mailbox would pass for empty. */
	if (code == 0 && !mailbox->has_exists)
		code = error_set(&command->err, SYNCD_ESERVER,
				 "the server does not say how many messages there are");
	if (code < 0)
		open_fail(work, &command->err);
	else if (mailbox->uidnext == 0 && work->req->wants_uidnext)
		open_ask_uidnext(work);
	else
		open_succeed(work, mailbox->uidnext);
}

static void open_granted(struct remote_lease *lease, int code)
{
	struct remote_open_work *work = container_of(lease, struct remote_open_work, lease);

	if (code == 0) {
		const struct remote_names names = remote_names_of(lease->conn);
		code = remote_names_to_wire(&names, work->req->name, &work->box->wire, &lease->err);
	}
	if (code < 0) {
		open_fail(work, &lease->err);
		return;
	}
	work->box->conn = lease->conn;
	work->select.name = buf_slice(&work->box->wire);
	work->select.keywords = work->req->keywords;
	work->select.user = &work->box->ledger.user;
	work->select.known_uidvalidity = work->req->known_uidvalidity;
	work->select.known_modseq = work->req->known_modseq;
	imap_select_start(lease->conn->session, &work->select, open_selected);
}

void remote_mailbox_open(struct remote_account *account, struct remote_open_req *req)
{
	struct remote_open_work *work = xcalloc(1, sizeof(*work));
	struct remote_box *box = xcalloc(1, sizeof(*box));

	error_clear(&req->op.err);
	req->mailbox = NULL;
	box->base.ops = &box_ops;
	box->adapter = container_of(account, struct adapter_remote, account);
	box->keywords = req->keywords;
	buf_init(&box->wire, IMAP_NAME_MAX);
	list_init(&box->fetches);
	remote_ledger_init(&box->ledger);
	remote_append_init(box);
	work->req = req;
	work->box = box;
	work->lease.granted = open_granted;
	remote_pool_lease(box->adapter, &work->lease);
}
