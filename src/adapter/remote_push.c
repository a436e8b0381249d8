/* A session that waits for news, for the daemon: with NOTIFY of all mailboxes, with IDLE of one.
 *
 * With NOTIFY too INBOX is selected and the session in IDLE (RFC 5465 §4): only so does Dovecot
 * notice what a delivery agent drops into INBOX beside it, it says "Still here", and it is not
 * deaf to the selected mailbox for a second behind each command. A server that has NOTIFY without
 * IDLE is sent NOOP in time.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#include "remote_private.h"

/* Where it stands; the table below tells the story. */
enum push_state {
	PUSH_LEASE,
	PUSH_SELECT,
	PUSH_NOTIFY,
	PUSH_WATCH,
	PUSH_LEAVE,
	PUSH_REST,
	PUSH_END,
	PUSH_WAIT, /* no state: stay, an event will come */
};

struct push_work {
	struct adapter_remote *adapter;
	struct adapter_remote_push *push;
	struct list link;
	char *mailbox;
	enum push_state state;
	struct error err; /* why it ends */
	bool is_stopped;
	bool is_yielding; /* its session is wanted elsewhere */
	bool was_ready;

	struct remote_lease lease;
	struct imap_select select;
	struct keyword_table keywords; /* for the session's sake */
	struct remote_push_box box;
	struct imap_idle idle;
	bool is_idling; /* started and not done */
	struct imap_notify notify;
	bool is_notifying;     /* the same */
	bool is_asked_no_more; /* the server refused NOTIFY, or gave it up too often */
	uint64_t overflow_ms;  /* when it last did; 0: never */
	struct loop_timer rest;
};

static void push_event(struct push_work *work, int code, const struct error *err);
static void push_go(struct push_work *work, enum push_state state);

static struct imap_session *session_of(const struct push_work *work)
{
	return work->lease.conn->session;
}

static bool has_idle(const struct push_work *work)
{
	return imap_session_can(session_of(work), IMAP_CAP_IDLE);
}

static bool has_notify(const struct push_work *work)
{
	return work->push->wants_all && !work->is_asked_no_more &&
	       imap_session_can(session_of(work), IMAP_CAP_NOTIFY);
}

static enum push_state push_fail(struct push_work *work, const struct error *err)
{
	if (work->err.code == 0)
		work->err = *err;
	return PUSH_END;
}

static enum push_state push_fail_with(struct push_work *work, int code, const char *text)
{
	struct error err;

	(void)error_set(&err, code, "%s", text);
	return push_fail(work, &err);
}

/* --- A session ------------------------------------------------------------------------ */

static void push_granted(struct remote_lease *lease, int code)
{
	push_event(container_of(lease, struct push_work, lease), code, &lease->err);
}

static enum push_state lease_enter(struct push_work *work)
{
	work->lease.granted = push_granted;
	work->lease.need = work->push->wants_all ? REMOTE_NEED_PUSH : REMOTE_NEED_EXTRA;
	remote_pool_lease(work->adapter, &work->lease);
	return PUSH_WAIT;
}

static enum push_state lease_event(struct push_work *work)
{
	(void)work;
	return PUSH_SELECT;
}

/* --- The mailbox ------------------------------------------------------------------------ */

static void push_selected(struct imap_command *command, int code)
{
	push_event(container_of(command, struct push_work, select.command), code, &command->err);
}

static enum push_state select_enter(struct push_work *work)
{
	struct imap_session *session = session_of(work);
	struct error err;
	struct buf wire;

	if (!has_idle(work) && !has_notify(work))
		return push_fail_with(work, SYNCD_ESERVER,
				      "the server has neither NOTIFY nor IDLE");
	buf_init(&wire, IMAP_NAME_MAX);
	const struct remote_names names = remote_names_of(work->lease.conn);
	int code = remote_names_to_wire(&names, work->mailbox, &wire, &err);
	work->select.name = buf_slice(&wire);
	work->select.keywords = &work->keywords;
	work->select.user = &work->box.user;
	if (code == 0)
		imap_select_start(session, &work->select, push_selected);
	buf_free(&wire);
	return code == 0 ? PUSH_WAIT : push_fail(work, &err);
}

/* Without modseqs nothing proves that the first look had all; later ones are compared with it. */
static enum push_state select_event(struct push_work *work)
{
	struct adapter_remote_told told;

	remote_push_box_selected(&work->box, session_of(work), &told);
	told.is_snapshot = work->was_ready || told.status.highestmodseq != 0;
	work->push->news(work->push, work->mailbox, &told);
	return PUSH_NOTIFY;
}

static void push_told(struct remote_push_box *box, const struct adapter_remote_told *told)
{
	struct push_work *work = container_of(box, struct push_work, box);

	if (!work->is_stopped)
		work->push->news(work->push, work->mailbox, told);
}

/* --- All mailboxes ------------------------------------------------------------------------ */

/* False for a name that cannot be ours. */
static bool push_name(struct push_work *work, struct slice wire, struct buf *name)
{
	const struct remote_names names = remote_names_of(work->lease.conn);

	buf_init(name, 4 * IMAP_NAME_MAX);
	enum remote_kind kind = remote_names_from_wire(&names, wire, name);
	if (kind == REMOTE_OURS || kind == REMOTE_NAMED)
		return true;
	buf_free(name);
	return false;
}

static void push_status(struct imap_notify *notify, const struct imap_news *news)
{
	struct push_work *work = container_of(notify, struct push_work, notify);
	const struct adapter_remote_told told = {
		.status = { .uidvalidity = news->uidvalidity,
			    .uidnext = news->uidnext,
			    .messages = news->messages,
			    .highestmodseq = news->highestmodseq },
		.has_messages = news->has_messages,
		.is_snapshot = notify->state == IMAP_NOTIFY_SETTING,
	};
	struct buf name;

	if (work->is_stopped || !push_name(work, news->name, &name))
		return;
	work->push->news(work->push, buf_str(&name), &told);
	buf_free(&name);
}

static void push_listed(struct imap_notify *notify, struct slice wire, bool is_there)
{
	struct push_work *work = container_of(notify, struct push_work, notify);
	struct buf name;

	if (work->is_stopped || !push_name(work, wire, &name))
		return;
	work->push->listed(work->push, buf_str(&name), is_there);
	buf_free(&name);
}

static void push_lost(struct imap_notify *notify)
{
	struct push_work *work = container_of(notify, struct push_work, notify);

	if (!work->is_stopped)
		work->push->everything(work->push);
}

static void push_live(struct imap_notify *notify)
{
	push_event(container_of(notify, struct push_work, notify), 0, NULL);
}

/* A server that cannot keep up is not asked for more of the same on this session. */
static void push_overflown(struct push_work *work)
{
	uint64_t now_ms = loop_now_ms(work->adapter->loop);

	work->is_asked_no_more =
		work->overflow_ms != 0 && now_ms - work->overflow_ms < REMOTE_OVERFLOW_MS;
	work->overflow_ms = now_ms;
	log_info(work->adapter->settings.account, "the server gave up telling changes");
	if (!work->is_stopped)
		work->push->everything(work->push);
}

static void push_refused(struct push_work *work)
{
	char text[ERROR_FORMAT_MAX];

	work->is_asked_no_more = true;
	log_info(work->adapter->settings.account, "no NOTIFY: %s",
		 error_format(&work->notify.err, text, sizeof(text)));
}

static void push_notified(struct imap_notify *notify, int code)
{
	struct push_work *work = container_of(notify, struct push_work, notify);

	work->is_notifying = false;
	if (code < 0 && work->state == PUSH_LEAVE) {
		/* Nobody else can use a session on which things are told unasked. */
		imap_session_cancel(session_of(work));
	} else if (code < 0 && imap_session_is_live(session_of(work))) {
		if (notify->has_overflown)
			push_overflown(work);
		else
			push_refused(work);
		code = 0;
	}
	/* In IDLE it is asked for anew behind DONE. */
	if (code == 0 && work->is_idling)
		imap_idle_stop(&work->idle);
	else
		push_event(work, code, &notify->err);
}

static enum push_state notify_enter(struct push_work *work)
{
	if (!has_notify(work))
		return PUSH_WATCH;
	work->notify = (struct imap_notify){
		.is_alone = !has_idle(work),
		.live = push_live,
		.status = push_status,
		.listed = push_listed,
		.lost = push_lost,
		.done = push_notified,
	};
	work->is_notifying = true;
	imap_notify_start(session_of(work), &work->notify);
	return PUSH_WAIT;
}

static enum push_state notify_event(struct push_work *work)
{
	return work->is_notifying ? PUSH_WATCH : PUSH_NOTIFY;
}

/* --- Waiting --------------------------------------------------------------------------- */

static void push_idled(struct imap_idle *idle, int code)
{
	struct push_work *work = container_of(idle, struct push_work, idle);

	work->is_idling = false;
	push_event(work, code, &idle->err);
}

static void push_tell_ready(struct push_work *work)
{
	bool is_told = work->was_ready && work->push->is_all == work->is_notifying;

	work->push->is_all = work->is_notifying;
	work->was_ready = true;
	if (!is_told && !work->is_stopped)
		work->push->ready(work->push);
}

static enum push_state watch_enter(struct push_work *work)
{
	if (!has_idle(work) && !work->is_notifying)
		return push_fail_with(work, SYNCD_ESERVER,
				      "the server has no IDLE, and refuses NOTIFY");
	if (has_idle(work)) {
		work->idle.done = push_idled;
		work->is_idling = true;
		imap_idle_start(session_of(work), &work->idle);
	}
	push_tell_ready(work);
	return PUSH_WAIT;
}

/* IDLE is over, or, without it, NOTIFY is. */
static enum push_state watch_event(struct push_work *work)
{
	if (work->is_yielding)
		return PUSH_LEAVE;
	if (!work->is_notifying && work->push->is_all)
		return PUSH_NOTIFY;
	return push_fail_with(work, SYNCD_ENET, "the server ended IDLE");
}

/* --- Giving way -------------------------------------------------------------------------- */

/* Others' LIST and STATUS must not meet unsolicited ones. */
static enum push_state leave_enter(struct push_work *work)
{
	if (!work->is_notifying)
		return PUSH_REST;
	imap_notify_stop(&work->notify);
	return PUSH_WAIT;
}

static enum push_state leave_event(struct push_work *work)
{
	(void)work;
	return PUSH_REST;
}

static void push_rested(struct loop_timer *timer)
{
	push_event(container_of(timer, struct push_work, rest), 0, NULL);
}

static enum push_state rest_enter(struct push_work *work)
{
	struct remote_conn *conn = work->lease.conn;

	remote_push_box_leave(&work->box);
	work->is_yielding = false;
	work->lease.conn = NULL;
	remote_pool_release(conn);
	loop_timer_start(&work->rest, REMOTE_PUSH_REST_MS);
	return PUSH_WAIT;
}

static enum push_state rest_event(struct push_work *work)
{
	(void)work;
	return PUSH_LEASE;
}

/* --- The end ------------------------------------------------------------------------------ */

/* The session is one for others again unless it broke. */
static void push_end(struct push_work *work)
{
	struct adapter_remote_push *push = work->push;
	struct adapter_remote *adapter = work->adapter;
	struct error why = work->err;

	if (work->is_stopped)
		(void)error_set(&why, SYNCD_ECANCELLED, "cancelled");
	remote_push_box_leave(&work->box);
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

/* IDLE and NOTIFY end with the session, each for itself. */
static enum push_state end_enter(struct push_work *work)
{
	if (work->is_idling || work->is_notifying)
		imap_session_cancel(session_of(work));
	else
		push_end(work);
	return PUSH_WAIT;
}

static enum push_state end_event(struct push_work *work)
{
	if (!work->is_idling && !work->is_notifying)
		push_end(work);
	return PUSH_WAIT;
}

/* --- The story ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum push_state (*enter)(struct push_work *work);
	enum push_state (*event)(struct push_work *work); /* what was waited for has come */
} states[] = {
	[PUSH_LEASE] = { "lease", lease_enter, lease_event },
	[PUSH_SELECT] = { "select", select_enter, select_event },
	[PUSH_NOTIFY] = { "notify", notify_enter, notify_event },
	[PUSH_WATCH] = { "watch", watch_enter, watch_event },
	[PUSH_LEAVE] = { "leave", leave_enter, leave_event },
	[PUSH_REST] = { "rest", rest_enter, rest_event },
	[PUSH_END] = { "end", end_enter, end_event },
};

static void push_go(struct push_work *work, enum push_state state)
{
	while (state != PUSH_WAIT) {
		work->state = state;
		log_debug(work->adapter->settings.account, "push of %s: %s", work->mailbox,
			  states[state].name);
		state = states[state].enter(work);
	}
}

static void push_event(struct push_work *work, int code, const struct error *err)
{
	enum push_state state = PUSH_END;

	if (work->state == PUSH_END)
		state = end_event(work);
	else if (code < 0)
		state = push_fail(work, err);
	else if (!work->is_stopped)
		state = states[work->state].event(work);
	push_go(work, state);
}

void adapter_remote_push_start(struct adapter_remote *adapter, struct adapter_remote_push *push,
			       const char *mailbox)
{
	struct push_work *work = xcalloc(1, sizeof(*work));

	work->adapter = adapter;
	work->push = push;
	work->mailbox = xstrdup(mailbox);
	work->box.told = push_told;
	remote_push_box_init(&work->box, adapter->loop);
	keyword_table_init(&work->keywords);
	loop_timer_init(adapter->loop, &work->rest, push_rested);
	list_append(&adapter->pushes, &work->link);
	push->impl = work;
	push->is_all = false;
	push_go(work, PUSH_LEASE);
}

void adapter_remote_push_stop(struct adapter_remote_push *push)
{
	struct push_work *work = push->impl;

	if (work == NULL || work->is_stopped)
		return;
	work->is_stopped = true;
	/* Not with DONE and an answer awaited: the reason may be that the network is another. */
	if (work->lease.conn != NULL) {
		imap_session_cancel(session_of(work));
		return;
	}
	list_remove(&work->lease.link);
	loop_timer_start(&work->rest, 0);
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

static void push_yield(struct push_work *work)
{
	work->is_yielding = true;
	if (work->is_idling)
		imap_idle_stop(&work->idle);
	else
		push_go(work, PUSH_LEAVE);
}

void remote_push_yield(struct adapter_remote *adapter, bool any)
{
	struct push_work *chosen = NULL;

	list_for_each(link, &adapter->pushes)
	{
		struct push_work *work = container_of(link, struct push_work, link);
		if (work->is_yielding)
			return;
		if (work->state != PUSH_WATCH || work->is_stopped ||
		    (work->lease.need == REMOTE_NEED_PUSH && !any))
			continue;
		if (chosen == NULL || work->lease.need >= chosen->lease.need)
			chosen = work;
	}
	if (chosen != NULL)
		push_yield(chosen);
}

void remote_push_stop_all(struct adapter_remote *adapter)
{
	list_for_each(link, &adapter->pushes)
	{
		adapter_remote_push_stop(container_of(link, struct push_work, link)->push);
	}
}
