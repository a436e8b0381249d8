/* Looking at a remote mailbox: its listing, bodies, identities.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "remote_private.h"

/* --- observe ------------------------------------------------------------------ */

struct observe_work {
	struct remote_work work;
	struct imap_listing listing;
	struct remote_observe_req *req;
	uint32_t changes; /* the mailbox's counter when the listing began */
	bool is_repeated;
};

static const struct imap_mailbox *selected(const struct remote_box *box)
{
	return imap_session_mailbox(box->conn->session);
}

static bool has_changed(const struct observe_work *work)
{
	return work->changes != selected(work->work.box)->changes;
}

/* Complete when there are as many UIDs as messages: some servers list only a part (Yahoo, 10,000:
 * rustmailer/bichon#271). When messages came or went meanwhile, the numbers may agree by chance. */
static void observe_conclude(struct observe_work *work)
{
	const struct imap_mailbox *mailbox = selected(work->work.box);
	struct remote_observation *result = work->req->result;

	remote_observation_sort(result);
	result->is_delta = false;
	result->is_complete = result->count == mailbox->exists && !has_changed(work);
	result->uidnext = mailbox->uidnext;
	if (result->uidnext > 0 && result->count > 0 &&
	    result->items[result->count - 1].uid >= result->uidnext &&
	    result->items[result->count - 1].uid < UINT32_MAX)
		result->uidnext = result->items[result->count - 1].uid + 1;
}

static void observe_found(struct imap_listing *listing, uint32_t uid, uint64_t flags)
{
	struct observe_work *work = container_of(listing, struct observe_work, listing);

	remote_observation_add(work->req->result, uid, flags);
}

static void observe_list(struct observe_work *work);

static void observe_done(struct imap_command *command, int code)
{
	struct observe_work *work = container_of(command, struct observe_work, listing.command);

	if (code == 0) {
		observe_conclude(work);
		if (has_changed(work) && !work->is_repeated) {
			work->is_repeated = true;
			observe_list(work);
			return;
		}
	}
	remote_work_finish(&work->work, code, &command->err);
}

static void observe_list(struct observe_work *work)
{
	const struct imap_mailbox *mailbox = selected(work->work.box);

	work->req->result->count = 0;
	work->changes = mailbox->changes;
	work->listing.found = observe_found;
	imap_listing_start(work->work.box->conn->session, &work->listing, observe_done);
}

void remote_observe(struct remote_mailbox *mailbox, struct remote_observe_req *req)
{
	struct observe_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	if (work == NULL)
		return;
	work->req = req;
	/* "1:*" names no message of an empty mailbox: some servers answer BAD. One that
	 * was not empty from the start is looked at all the same. */
	if (selected(work->work.box)->exists == 0 && !has_changed(work) &&
	    imap_session_is_live(work->work.box->conn->session)) {
		observe_conclude(work);
		remote_work_finish_later(&work->work);
		return;
	}
	observe_list(work);
}

/* --- fetch ----------------------------------------------------------------------- */

struct fetch_work {
	struct remote_work work;
	struct imap_fetch fetch;
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
	list_append(&work->work.box->fetches, &work->link);
	work->fetch = (struct imap_fetch){
		.uids = req->uids,
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

void remote_identify(struct remote_mailbox *mailbox, struct remote_identify_req *req)
{
	struct identify_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	if (work == NULL)
		return;
	work->req = req;
	work->identify.uids = req->uids;
	work->identify.found = identify_found;
	work->identify.done = identify_done;
	imap_identify_start(work->work.box->conn->session, &work->identify);
}
