/* Fetching bodies. A large set comes over several sessions side by side, as far as the pool can
 * spare them: lane 0 is the mailbox's own session, the others are leased while it works. All of
 * them take what they ask for out of one set of UIDs, the newest first.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "remote_private.h"

#define SPREAD_MESSAGES 1000 /* for fewer another login does not pay */
/* Nor where one session is fast: each further one makes Dovecot scan the maildir once more, under a
 * lock that holds the others up (docs/decisions.md). */
#define SPREAD_AFTER_MS 3000
#define SPREAD_LEFT_LEAST 200

enum lane_state {
	LANE_FREE,
	LANE_WAITING, /* for a session */
	LANE_OPENING, /* SELECT is under way */
	LANE_FETCHING,
};

struct fetch_work;
struct fetch_lane {
	struct fetch_work *work;
	unsigned number;
	enum lane_state state;
	struct imap_fetch fetch;
	/* Of all but lane 0: */
	struct remote_lease lease;
	struct list link; /* adapter->lanes, while it holds a session */
	bool is_leaving;  /* others need the session */
	struct imap_select select;
	struct keyword_table keywords; /* for the session's sake */
};

struct fetch_work {
	struct remote_work work; /* its error is the first one */
	struct remote_fetch_req *req;
	struct list link;
	struct uidset left; /* not asked for yet */
	bool is_paused;
	bool may_spread;
	struct loop_timer slow; /* may_spread from then on */
	struct fetch_lane lanes[REMOTE_LANES_MAX];
};

static struct fetch_work *work_of_link(struct list *link)
{
	return container_of(link, struct fetch_work, link);
}

static struct fetch_lane *lane_of_link(struct list *link)
{
	return container_of(link, struct fetch_lane, link);
}

static struct fetch_lane *lane_of_fetch(struct imap_fetch *fetch)
{
	return container_of(fetch, struct fetch_lane, fetch);
}

/* --- The whole request --------------------------------------------------------------- */

static bool is_worth_a_lane(const struct fetch_work *work)
{
	return work->may_spread && uidset_count(&work->left) >= SPREAD_LEFT_LEAST;
}

/* What is in the pipe still comes, more is not asked for. */
static void work_fail(struct fetch_work *work, const struct error *err)
{
	if (work->work.err.code == 0)
		work->work.err = *err;
	work->may_spread = false;
	uidset_clear(&work->left);
	for (size_t i = 0; i < REMOTE_LANES_MAX; i++) {
		if (work->lanes[i].state == LANE_FETCHING)
			imap_fetch_stop(&work->lanes[i].fetch);
	}
}

static void lane_withdraw(struct fetch_lane *lane)
{
	list_remove(&lane->lease.link);
	lane->state = LANE_FREE;
}

static void work_finish(struct fetch_work *work)
{
	list_remove(&work->link);
	loop_timer_stop(&work->slow);
	uidset_free(&work->left);
	work->req->op.impl = NULL;
	remote_work_finish(&work->work, work->work.err.code, &work->work.err);
}

static void lane_start(struct fetch_lane *lane);

/* What comes next when a lane is free. A lane that was lost has left work for lane 0. */
static void work_advance(struct fetch_work *work)
{
	if (work->work.err.code != 0)
		uidset_clear(&work->left);
	if (work->lanes[0].state == LANE_FREE && !uidset_is_empty(&work->left))
		lane_start(&work->lanes[0]);
	for (size_t i = 0; i < REMOTE_LANES_MAX; i++) {
		struct fetch_lane *lane = &work->lanes[i];
		if (lane->state == LANE_WAITING && work->lanes[0].state == LANE_FREE)
			lane_withdraw(lane);
		if (lane->state != LANE_FREE)
			return;
	}
	work_finish(work);
}

/* --- A lane's bodies ------------------------------------------------------------------- */

static int lane_begin(struct imap_fetch *fetch, uint64_t size_bytes)
{
	struct fetch_lane *lane = lane_of_fetch(fetch);

	return lane->work->req->begin(lane->work->req, lane->number, size_bytes);
}

static int lane_data(struct imap_fetch *fetch, struct slice data)
{
	struct fetch_lane *lane = lane_of_fetch(fetch);

	return lane->work->req->data(lane->work->req, lane->number, data);
}

static int lane_end(struct imap_fetch *fetch, uint32_t uid, int64_t internaldate_s)
{
	struct fetch_lane *lane = lane_of_fetch(fetch);

	return lane->work->req->end(lane->work->req, lane->number, uid, internaldate_s);
}

static void lane_give_back(struct fetch_lane *lane)
{
	lane->state = LANE_FREE;
	list_remove(&lane->link);
	remote_pool_release(lane->lease.conn);
	keyword_table_free(&lane->keywords);
}

/* The loss of a further session is no failure: what it owed is left to the others. */
static void lane_done(struct imap_fetch *fetch, int code)
{
	struct fetch_lane *lane = lane_of_fetch(fetch);
	struct fetch_work *work = lane->work;

	lane->state = LANE_FREE;
	if (lane->number > 0 && fetch->is_lost)
		work->may_spread = false;
	else if (code < 0)
		work_fail(work, &fetch->err);
	if (lane->number > 0)
		lane_give_back(lane);
	work_advance(work);
}

static void lane_start(struct fetch_lane *lane)
{
	struct fetch_work *work = lane->work;
	struct remote_conn *conn = lane->number == 0 ? work->work.box->conn : lane->lease.conn;

	lane->state = LANE_FETCHING;
	lane->fetch = (struct imap_fetch){
		.left = &work->left,
		.is_further = lane->number > 0,
		.begin = lane_begin,
		.data = lane_data,
		.end = lane_end,
		.done = lane_done,
	};
	imap_fetch_start(conn->session, &lane->fetch);
	if (work->is_paused)
		imap_fetch_pause(&lane->fetch);
}

/* --- Further lanes ----------------------------------------------------------------------- */

/* Another UIDVALIDITY: the name belongs to another mailbox by now, or the server shows this
 * session an older one. */
static bool lane_sees_the_same(const struct fetch_lane *lane)
{
	const struct imap_mailbox *here = imap_session_mailbox(lane->lease.conn->session);
	const struct imap_mailbox *there = remote_box_mailbox(lane->work->work.box);

	return here->uidvalidity == there->uidvalidity && !here->is_validity_changed &&
	       !there->is_validity_changed;
}

static void lane_selected(struct imap_command *command, int code)
{
	struct fetch_lane *lane = container_of(command, struct fetch_lane, select.command);
	struct fetch_work *work = lane->work;

	if (code < 0 || !lane_sees_the_same(lane))
		work->may_spread = false;
	if (!lane->is_leaving && is_worth_a_lane(work)) {
		lane_start(lane);
		remote_pool_turn(work->work.box->adapter); /* for the next one */
		return;
	}
	lane_give_back(lane);
	work_advance(work);
}

static void lane_granted(struct remote_lease *lease, int code)
{
	struct fetch_lane *lane = container_of(lease, struct fetch_lane, lease);
	struct fetch_work *work = lane->work;

	lane->state = LANE_FREE;
	if (code < 0) {
		work->may_spread = false;
		work_advance(work);
		return;
	}
	list_append(&work->work.box->adapter->lanes, &lane->link);
	keyword_table_init(&lane->keywords);
	if (!is_worth_a_lane(work)) {
		lane_give_back(lane);
		work_advance(work);
		return;
	}
	lane->state = LANE_OPENING;
	lane->is_leaving = false;
	lane->select = (struct imap_select){
		.name = buf_slice(&work->work.box->wire),
		.keywords = &lane->keywords,
	};
	imap_select_start(lease->conn->session, &lane->select, lane_selected);
}

/* One after another: each is asked for when the one before it works. */
static bool work_spread(struct fetch_work *work)
{
	struct fetch_lane *lane = NULL;

	if (!is_worth_a_lane(work))
		return false;
	for (size_t i = REMOTE_LANES_MAX - 1; i > 0; i--) {
		if (work->lanes[i].state == LANE_WAITING || work->lanes[i].state == LANE_OPENING)
			return false;
		if (work->lanes[i].state == LANE_FREE)
			lane = &work->lanes[i];
	}
	if (lane == NULL)
		return false;
	lane->state = LANE_WAITING;
	lane->lease.granted = lane_granted;
	lane->lease.need = REMOTE_NEED_LANE;
	remote_pool_lease(work->work.box->adapter, &lane->lease);
	return true;
}

void remote_fetch_spread(struct adapter_remote *adapter)
{
	list_for_each(conn, &adapter->conns)
	{
		struct remote_box *box = container_of(conn, struct remote_conn, link)->box;
		if (box == NULL)
			continue;
		list_for_each(link, &box->fetches)
		{
			if (work_spread(work_of_link(link)))
				return;
		}
	}
}

void remote_fetch_yield(struct adapter_remote *adapter, unsigned count)
{
	list_for_each(link, &adapter->lanes)
	{
		if (lane_of_link(link)->is_leaving && count > 0)
			count--;
	}
	list_for_each(link, &adapter->lanes)
	{
		struct fetch_lane *lane = lane_of_link(link);
		if (count == 0)
			return;
		if (lane->is_leaving)
			continue;
		lane->is_leaving = true;
		if (lane->state == LANE_FETCHING)
			imap_fetch_stop(&lane->fetch);
		count--;
	}
}

/* It goes on for long, and it is not the disk that holds it up. */
static void work_is_slow(struct loop_timer *timer)
{
	struct fetch_work *work = container_of(timer, struct fetch_work, slow);

	if (work->is_paused) {
		loop_timer_start(timer, SPREAD_AFTER_MS);
		return;
	}
	work->may_spread = work->work.err.code == 0;
	remote_pool_turn(work->work.box->adapter);
}

/* --- The port ------------------------------------------------------------------------------ */

void remote_fetch(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	struct fetch_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	req->op.impl = work;
	if (work == NULL)
		return;
	struct remote_box *box = work->work.box;
	work->req = req;
	list_append(&box->fetches, &work->link);
	int rc = uidset_merge(&work->left, req->uids);
	must(rc == 0);
	loop_timer_init(box->adapter->loop, &work->slow, work_is_slow);
	for (unsigned i = 0; i < REMOTE_LANES_MAX; i++) {
		work->lanes[i].work = work;
		work->lanes[i].number = i;
	}
	if (box->adapter->settings.connections > 1 && uidset_count(&work->left) >= SPREAD_MESSAGES)
		loop_timer_start(&work->slow, SPREAD_AFTER_MS);
	lane_start(&work->lanes[0]);
}

void remote_fetch_pause(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	struct fetch_work *work = req->op.impl;

	(void)mailbox;
	if (work == NULL || work->is_paused)
		return;
	work->is_paused = true;
	for (size_t i = 0; i < REMOTE_LANES_MAX; i++) {
		if (work->lanes[i].state == LANE_FETCHING)
			imap_fetch_pause(&work->lanes[i].fetch);
	}
}

void remote_fetch_resume(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	struct fetch_work *work = req->op.impl;

	(void)mailbox;
	if (work == NULL || !work->is_paused)
		return;
	work->is_paused = false;
	for (size_t i = 0; i < REMOTE_LANES_MAX; i++) {
		if (work->lanes[i].state == LANE_FETCHING)
			imap_fetch_resume(&work->lanes[i].fetch);
	}
}

static void lane_cancel(struct fetch_lane *lane)
{
	if (lane->state == LANE_WAITING)
		lane_withdraw(lane);
	if (lane->state == LANE_FETCHING)
		imap_fetch_cancel(&lane->fetch);
	if (lane->state != LANE_FREE && lane->number > 0)
		imap_session_cancel(lane->lease.conn->session);
}

void remote_fetch_cancel_all(struct remote_box *box)
{
	struct error err;

	(void)error_set(&err, SYNCD_ECANCELLED, "cancelled");
	list_for_each(link, &box->fetches)
	{
		work_fail(work_of_link(link), &err);
		for (size_t i = 0; i < REMOTE_LANES_MAX; i++)
			lane_cancel(&work_of_link(link)->lanes[i]);
	}
}
