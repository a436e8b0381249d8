/* Looking at the messages of a remote mailbox: bodies, identities.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "remote_private.h"

/* --- fetch ----------------------------------------------------------------------- */

struct fetch_work {
	struct remote_work work;
	struct imap_fetch fetch;
	struct uidset left;
	struct remote_fetch_req *req;
	struct list link;
	bool is_paused;
};

static struct remote_fetch_req *req_of(struct imap_fetch *fetch)
{
	return container_of(fetch, struct fetch_work, fetch)->req;
}

static int fetch_begin(struct imap_fetch *fetch, uint64_t size_bytes)
{
	return req_of(fetch)->begin(req_of(fetch), 0, size_bytes);
}

static int fetch_data(struct imap_fetch *fetch, struct slice data)
{
	return req_of(fetch)->data(req_of(fetch), 0, data);
}

static int fetch_end(struct imap_fetch *fetch, uint32_t uid, int64_t internaldate_s)
{
	return req_of(fetch)->end(req_of(fetch), 0, uid, internaldate_s);
}

static void fetch_done(struct imap_fetch *fetch, int code)
{
	struct fetch_work *work = container_of(fetch, struct fetch_work, fetch);

	list_remove(&work->link);
	uidset_free(&work->left);
	work->req->op.impl = NULL;
	remote_work_finish(&work->work, code, &fetch->err);
}

void remote_fetch(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	struct fetch_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	req->op.impl = work;
	if (work == NULL)
		return;
	work->req = req;
	int rc = uidset_merge(&work->left, req->uids);
	must(rc == 0);
	list_append(&work->work.box->fetches, &work->link);
	work->fetch = (struct imap_fetch){
		.left = &work->left,
		.begin = fetch_begin,
		.data = fetch_data,
		.end = fetch_end,
		.done = fetch_done,
	};
	imap_fetch_start(work->work.box->conn->session, &work->fetch);
}

void remote_fetch_pause(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	struct fetch_work *work = req->op.impl;

	(void)mailbox;
	if (work == NULL || work->is_paused)
		return;
	work->is_paused = true;
	imap_fetch_pause(&work->fetch);
}

void remote_fetch_resume(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	struct fetch_work *work = req->op.impl;

	(void)mailbox;
	if (work == NULL || !work->is_paused)
		return;
	work->is_paused = false;
	imap_fetch_resume(&work->fetch);
}

void remote_fetch_cancel_all(struct remote_box *box)
{
	list_for_each(link, &box->fetches)
	{
		imap_fetch_cancel(&container_of(link, struct fetch_work, link)->fetch);
	}
}

/* --- identify ---------------------------------------------------------------------- */

struct identify_work {
	struct remote_work work;
	struct imap_command noop;
	struct imap_identify identify;
	struct remote_identify_req *req;
};

static void identify_found(struct imap_identify *identify, uint32_t uid,
			   const struct digest *digest, uint64_t size_bytes, uint64_t flags)
{
	struct identify_work *work = container_of(identify, struct identify_work, identify);

	work->req->found(work->req, uid, digest, size_bytes, flags);
}

static void identify_done(struct imap_identify *identify, int code)
{
	struct identify_work *work = container_of(identify, struct identify_work, identify);

	remote_work_finish(&work->work, code, &identify->err);
}

static void identify_updated(struct imap_command *command, int code)
{
	struct identify_work *work = container_of(command, struct identify_work, noop);

	if (code < 0)
		remote_work_finish(&work->work, code, &command->err);
	else
		imap_identify_start(command->session, &work->identify);
}

/* What is appended may stay unseen in this session until a NOOP (RFC 3501 §6.3.11); of what was
 * refused and stored all the same Dovecot and others tell nothing before. */
void remote_identify(struct remote_mailbox *mailbox, struct remote_identify_req *req)
{
	struct identify_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	if (work == NULL)
		return;
	work->req = req;
	work->identify.uids = req->uids;
	work->identify.found = identify_found;
	work->identify.done = identify_done;
	struct imap_session *session = work->work.box->conn->session;
	if (work->work.box->ledger.has_written)
		imap_noop_start(session, &work->noop, identify_updated);
	else
		imap_identify_start(session, &work->identify);
}
