/* Looking at a remote mailbox as a whole: what changed or all there is, which UIDs are left, and
 * how far it is known in the end.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
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

static bool has_changed(const struct observe_work *work)
{
	return work->changes != remote_box_mailbox(work->work.box)->changes;
}

/* The server's UIDNEXT is that of SELECT. */
static void set_uidnext(struct remote_observation *result, uint32_t uidnext)
{
	uint32_t highest = result->count > 0 ? result->items[result->count - 1].uid : 0;

	result->uidnext = uidnext;
	if (uidnext > 0 && highest >= uidnext && highest < UINT32_MAX)
		result->uidnext = highest + 1;
}

/* Why the listing cannot be all there is, or NULL: some servers list only a part (Yahoo, 10,000:
 * rustmailer/bichon#271). A UID beyond UIDNEXT is one of a message that came since SELECT (RFC 3501
 * §2.3.1.1), and of such a one the server would have told. */
static const char *doubt(const struct observe_work *work)
{
	const struct imap_mailbox *mailbox = remote_box_mailbox(work->work.box);
	const struct remote_observation *result = work->req->result;
	bool is_as_selected = mailbox->changes == work->work.box->ledger.selected_changes;

	if (work->listing.is_damaged)
		return "some of it cannot be read";
	if (result->count != mailbox->exists)
		return "it does not name as many as the server says there are";
	if (is_as_selected && mailbox->uidnext != 0 && result->count > 0 &&
	    result->items[result->count - 1].uid >= mailbox->uidnext)
		return "it names UIDs that the server says are still to be given";
	return NULL;
}

/* Such a server lists a part each time. */
static bool is_first_disbelief(struct adapter_remote *adapter, const char *mailbox)
{
	for (size_t i = 0; i < adapter->disbelieved_count; i++) {
		if (strcmp(adapter->disbelieved[i], mailbox) == 0)
			return false;
	}
	adapter->disbelieved = xgrow(adapter->disbelieved, adapter->disbelieved_count,
				     &adapter->disbelieved_cap, sizeof(*adapter->disbelieved));
	adapter->disbelieved[adapter->disbelieved_count++] = xstrdup(mailbox);
	return true;
}

/* When messages came or went meanwhile, the numbers may agree by chance. A part has not told all up
 * to any modseq. */
static void observe_conclude(struct observe_work *work)
{
	struct remote_box *box = work->work.box;
	const struct imap_mailbox *mailbox = remote_box_mailbox(box);
	struct remote_observation *result = work->req->result;

	remote_observation_sort(result);
	const char *why = doubt(work);
	result->is_delta = work->listing.changed_since != 0;
	result->is_complete = !result->is_delta && why == NULL && !has_changed(work);
	if (why != NULL && !result->is_delta && !has_changed(work) &&
	    is_first_disbelief(box->adapter, buf_str(&box->wire)))
		log_warn(box->adapter->settings.account,
			 "%s: the server's list of %zu messages is not believed: %s; what is not "
			 "in it does not count as deleted",
			 buf_str(&box->wire), result->count, why);
	set_uidnext(result, mailbox->uidnext);
	remote_ledger_listed(&work->work.box->ledger, mailbox, result, has_changed(work));
}

static void observe_found(struct imap_listing *listing, uint32_t uid, uint64_t flags)
{
	struct observe_work *work = container_of(listing, struct observe_work, listing);

	remote_observation_add(work->req->result, uid, flags);
}

static void observe_list(struct observe_work *work);

/* When a change could not be read, all are asked for; when messages came or went, once more. */
static bool observe_repeats(struct observe_work *work)
{
	if (work->listing.changed_since != 0 && work->listing.is_damaged) {
		work->listing.changed_since = 0;
		return true;
	}
	if (work->is_repeated || !has_changed(work))
		return false;
	work->is_repeated = true;
	return true;
}

static void observe_done(struct imap_command *command, int code)
{
	struct observe_work *work = container_of(command, struct observe_work, listing.command);

	if (code == 0 && observe_repeats(work)) {
		observe_list(work);
		return;
	}
	if (code == 0)
		observe_conclude(work);
	remote_work_finish(&work->work, code, &command->err);
}

static void observe_list(struct observe_work *work)
{
	struct remote_box *box = work->work.box;

	remote_ledger_list(&box->ledger);
	work->req->result->count = 0;
	work->changes = remote_box_mailbox(box)->changes;
	work->listing.found = observe_found;
	imap_listing_start(box->conn->session, &work->listing, observe_done);
}

/* "1:*" names no message of an empty mailbox: some servers answer BAD. One that
 * was not empty from the start is looked at all the same. */
static bool observe_needs_no_listing(struct observe_work *work, enum remote_look look)
{
	struct remote_box *box = work->work.box;
	const struct imap_mailbox *mailbox = remote_box_mailbox(box);

	if (!imap_session_is_live(box->conn->session))
		return false;
	if (look == REMOTE_LOOK_TOLD) {
		remote_ledger_give(&box->ledger, mailbox, work->req->result);
		set_uidnext(work->req->result, mailbox->uidnext);
		return true;
	}
	if (mailbox->exists > 0 || has_changed(work))
		return false;
	work->listing.changed_since = 0;
	remote_ledger_list(&box->ledger);
	observe_conclude(work);
	return true;
}

void remote_observe(struct remote_mailbox *mailbox, struct remote_observe_req *req)
{
	struct observe_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));
	enum remote_look look = REMOTE_LOOK_ALL;

	if (work == NULL)
		return;
	struct remote_ledger *ledger = &work->work.box->ledger;
	work->req = req;
	if (!req->wants_all)
		look = remote_ledger_look(ledger, remote_box_mailbox(work->work.box));
	if (look == REMOTE_LOOK_CHANGES)
		work->listing.changed_since = ledger->known_modseq;
	if (observe_needs_no_listing(work, look))
		remote_work_finish_later(&work->work);
	else
		observe_list(work);
}

/* --- search ------------------------------------------------------------------- */

struct search_work {
	struct remote_work work;
	struct imap_search search;
	struct uid_pile found;
	struct remote_search_req *req;
	uint32_t changes;
};

static void search_found(struct imap_search *search, uint32_t low, uint32_t high)
{
	struct search_work *work = container_of(search, struct search_work, search);

	if (uid_pile_add_range(&work->found, low, high) != 0)
		search->is_damaged = true;
}

static void search_done(struct imap_command *command, int code)
{
	struct search_work *work = container_of(command, struct search_work, search.command);
	const struct imap_mailbox *mailbox = remote_box_mailbox(work->work.box);

	if (uid_pile_move(&work->found, work->req->present) != 0)
		work->search.is_damaged = true;
	work->req->is_complete = code == 0 && !work->search.is_damaged &&
				 work->changes == mailbox->changes &&
				 uidset_count(work->req->present) == mailbox->exists;
	remote_work_finish(&work->work, code, &command->err);
}

void remote_search(struct remote_mailbox *mailbox, struct remote_search_req *req)
{
	struct search_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	req->is_complete = false;
	if (work == NULL)
		return;
	struct imap_session *session = work->work.box->conn->session;
	work->req = req;
	work->changes = remote_box_mailbox(work->work.box)->changes;
	/* As for a listing, there is nothing that "1:*" could name. */
	if (remote_box_mailbox(work->work.box)->exists == 0 && imap_session_is_live(session)) {
		req->is_complete = true;
		remote_work_finish_later(&work->work);
		return;
	}
	work->search.found = search_found;
	imap_search_start(session, &work->search, search_done);
}

/* --- settle ------------------------------------------------------------------- */

struct settle_work {
	struct remote_work work;
	struct imap_command noop;
	struct remote_settle_req *req;
};

static void settle_conclude(struct settle_work *work)
{
	struct remote_box *box = work->work.box;

	remote_ledger_settle(&box->ledger, remote_box_mailbox(box), work->req);
}

/* Refused, though nothing is wrong with the session: then it is not known what is pending. */
static void settle_done(struct imap_command *command, int code)
{
	struct settle_work *work = container_of(command, struct settle_work, noop);
	struct remote_box *box = work->work.box;

	if (code < 0 && imap_session_is_live(box->conn->session)) {
		box->ledger.is_unsure = true;
		code = 0;
	}
	if (code == 0)
		settle_conclude(work);
	remote_work_finish(&work->work, code, &command->err);
}

/* Where modseqs can be kept the server is asked for all that is pending (RFC 3501 §6.1.2): what
 * others changed before our own changes must be known before theirs count as seen. */
void remote_settle(struct remote_mailbox *mailbox, struct remote_settle_req *req)
{
	struct settle_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	if (work == NULL)
		return;
	struct remote_box *box = work->work.box;
	bool is_live = imap_session_is_live(box->conn->session);
	work->req = req;
	if (is_live && (!box->ledger.has_written || box->ledger.observed_modseq == 0)) {
		settle_conclude(work);
		remote_work_finish_later(&work->work);
		return;
	}
	imap_noop_start(box->conn->session, &work->noop, settle_done);
}
