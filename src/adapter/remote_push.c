/* A session that waits on one mailbox for news (IDLE), for the daemon.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#include "remote_private.h"

struct push_work {
	struct adapter_remote *adapter;
	struct adapter_remote_push *push;
	struct remote_lease lease;
	struct imap_select select;
	struct imap_idle idle;
	struct keyword_table keywords; /* for the session's sake */
	struct list link;
	bool is_stopped;
	bool is_idling;
	bool is_yielding;
	struct imap_mailbox seen; /* the mailbox when the session was given back */
	char *mailbox;
};

/* The session is not one for others any more when it broke; else it goes back. */
static void push_end(struct push_work *work, const struct error *err)
{
	struct adapter_remote_push *push = work->push;
	struct adapter_remote *adapter = work->adapter;
	struct error why = *err;

	if (work->is_stopped)
		(void)error_set(&why, SYNCD_ECANCELLED, "cancelled");
	else if (why.code == 0)
		(void)error_set(&why, SYNCD_ENET, "the server ended IDLE");
	if (work->lease.conn != NULL)
		remote_pool_release(work->lease.conn);
	list_remove(&work->link);
	keyword_table_free(&work->keywords);
	free(work->mailbox);
	free(work);
	push->impl = NULL;
	remote_pool_turn(adapter);
	push->over(push, &why);
}

static void push_news(struct imap_idle *idle)
{
	struct push_work *work = container_of(idle, struct push_work, idle);

	if (!work->is_stopped)
		work->push->news(work->push);
}

static void push_lease(struct push_work *work);

static void push_idled(struct imap_idle *idle, int code)
{
	struct push_work *work = container_of(idle, struct push_work, idle);

	work->is_idling = false;
	if (code < 0 || work->is_stopped || !work->is_yielding) {
		push_end(work, &idle->err);
		return;
	}
	work->seen = *imap_session_mailbox(work->lease.conn->session);
	remote_pool_release(work->lease.conn);
	push_lease(work); /* and holds none */
}

/* After a while without a session: whether there is a reason to look. */
static bool push_has_missed(const struct push_work *work, const struct imap_mailbox *now)
{
	const struct imap_mailbox *seen = &work->seen;

	return now->uidvalidity != seen->uidvalidity || now->exists != seen->exists ||
	       now->uidnext != seen->uidnext || now->highestmodseq != seen->highestmodseq;
}

static void push_selected(struct imap_command *command, int code)
{
	struct push_work *work = container_of(command, struct push_work, select.command);

	if (code < 0 || work->is_stopped) {
		push_end(work, &command->err);
		return;
	}
	work->idle.news = push_news;
	work->idle.done = push_idled;
	work->is_idling = true;
	imap_idle_start(command->session, &work->idle);
	if (!work->is_yielding) {
		work->push->ready(work->push);
		return;
	}
	work->is_yielding = false;
	if (push_has_missed(work, imap_session_mailbox(command->session)))
		work->push->news(work->push);
}

static int push_select(struct push_work *work, struct error *err)
{
	struct imap_session *session = work->lease.conn->session;
	struct buf wire;

	if (!imap_session_can(session, IMAP_CAP_IDLE))
		return error_set(err, SYNCD_ESERVER, "the server has no IDLE");
	buf_init(&wire, IMAP_NAME_MAX);
	int rc = remote_name_to_wire(work->mailbox, imap_session_prefix(session),
				     imap_session_separator(session), &wire, err);
	work->select.name = buf_slice(&wire);
	work->select.keywords = &work->keywords;
	if (rc == 0)
		imap_select_start(session, &work->select, push_selected);
	buf_free(&wire);
	return rc;
}

static void push_granted(struct remote_lease *lease, int code)
{
	struct push_work *work = container_of(lease, struct push_work, lease);
	struct error err = lease->err;

	if (code < 0 || work->is_stopped || push_select(work, &err) < 0)
		push_end(work, &err);
}

static void push_lease(struct push_work *work)
{
	remote_pool_lease(work->adapter, &work->lease);
}

void adapter_remote_push_start(struct adapter_remote *adapter, struct adapter_remote_push *push,
			       const char *mailbox)
{
	struct push_work *work = xcalloc(1, sizeof(*work));

	work->adapter = adapter;
	work->push = push;
	work->mailbox = xstrdup(mailbox);
	keyword_table_init(&work->keywords);
	list_append(&adapter->pushes, &work->link);
	push->impl = work;
	work->lease.granted = push_granted;
	work->lease.need = REMOTE_NEED_PUSH;
	push_lease(work);
}

void adapter_remote_push_stop(struct adapter_remote_push *push)
{
	struct push_work *work = push->impl;

	if (work == NULL || work->is_stopped)
		return;
	work->is_stopped = true;
	/* Not with DONE and an answer awaited: the reason may be that the network is another. */
	if (work->lease.conn != NULL)
		imap_session_cancel(work->lease.conn->session);
}

unsigned remote_push_count(const struct adapter_remote *adapter, enum remote_need least)
{
	unsigned count = 0;

	list_for_each(link, &adapter->pushes)
	{
		const struct remote_lease *lease =
			&container_of(link, struct push_work, link)->lease;
		count += lease->conn != NULL && lease->need >= least;
	}
	return count;
}

void remote_push_yield(struct adapter_remote *adapter, bool any)
{
	list_for_each(link, &adapter->pushes)
	{
		struct push_work *work = container_of(link, struct push_work, link);
		if (work->is_yielding)
			return;
		if (work->is_idling && (any || work->lease.need == REMOTE_NEED_EXTRA)) {
			work->is_yielding = true;
			imap_idle_stop(&work->idle);
			return;
		}
	}
}

void remote_push_stop_all(struct adapter_remote *adapter)
{
	list_for_each(link, &adapter->pushes)
	{
		adapter_remote_push_stop(container_of(link, struct push_work, link)->push);
	}
}
