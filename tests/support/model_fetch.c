/* Bodies from the model of a server: several side by side, each in pieces, a turn of the
 * schedule for each piece, so that the link can be cut and others come in between any two.
 * SPDX-License-Identifier: MIT */
#include "model_session.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/must.h"

static bool happens(struct world *world, uint64_t one_in)
{
	return world->faults_are_on && rng_below(&world->rng, one_in) == 0;
}

static void lane_close(struct model_lane *lane)
{
	free(lane->body);
	*lane = (struct model_lane){ .is_open = false };
}

void session_close_lanes(struct model_session *session)
{
	for (size_t i = 0; i < REMOTE_LANES_MAX; i++)
		lane_close(&session->lanes[i]);
}

/* --- The pieces ----------------------------------------------------------------------- */

static int lane_begin(struct remote_fetch_req *req, struct model_lane *lane, unsigned number,
		      const struct model_message *message)
{
	size_t len = 0;

	lane->is_open = true;
	lane->message = *message;
	lane->body = model_body(message->content, &len);
	int code = req->begin(req, number, len);
	return code != 0 ? code : req->data(req, number, (struct slice){ lane->body, len / 2 });
}

/* Now and then the server does not say whose the body was. */
static int lane_end(struct world *world, struct remote_fetch_req *req, struct model_lane *lane,
		    unsigned number)
{
	struct model_message message = lane->message;
	size_t len = strlen(lane->body);
	struct slice rest = { lane->body + len / 2, len - len / 2 };
	int code = req->data(req, number, rest);

	lane_close(lane);
	if (happens(world, 64)) {
		world->withheld++;
		message.uid = 0;
	}
	return code != 0 ? code : req->end(req, number, message.uid, message.date_s);
}

/* --- Which comes next ------------------------------------------------------------------- */

/* The next that was asked for and has not begun yet. */
static const struct model_message *next_message(const struct task *task,
						const struct remote_fetch_req *req)
{
	const struct model_server *server = &task->world->server;
	const struct model_session *session = task->target;
	const struct model_mailbox *mailbox = session->mailbox;

	for (size_t i = 0; i < mailbox->count; i++) {
		const struct model_message *message = &mailbox->messages[i];
		bool is_withheld =
			server->refuses_silently && message->content == server->refuses_fetch;
		if (message->uid > task->progress && uidset_contains(req->uids, message->uid) &&
		    !is_withheld)
			return message;
	}
	return NULL;
}

/* One of those open (or not), chosen by the schedule; NULL when there is none. */
static struct model_lane *choose_lane(struct model_session *session, bool is_open)
{
	size_t most = session->world->server.lanes;
	struct model_lane *chosen = NULL;
	size_t count = 0;

	for (size_t i = 0; i < most; i++) {
		if (session->lanes[i].is_open != is_open)
			continue;
		if (rng_below(&session->world->rng, ++count) == 0)
			chosen = &session->lanes[i];
	}
	return chosen;
}

/* Now and then one comes that nobody asked for. */
static int fetch_begin(struct task *task, struct remote_fetch_req *req, struct model_lane *lane,
		       const struct model_message *next)
{
	struct model_session *session = task->target;
	const struct model_mailbox *mailbox = session->mailbox;

	if (next->content == task->world->server.refuses_fetch)
		return error_set(&task->op->err, SYNCD_EMESSAGE, "cannot read message");
	if (happens(task->world, 64))
		next = &mailbox->messages[rng_below(&task->world->rng, mailbox->count)];
	else
		task->progress = next->uid;
	return lane_begin(req, lane, (unsigned)(lane - session->lanes), next);
}

static int fetch_turn(struct task *task, struct remote_fetch_req *req)
{
	struct model_session *session = task->target;
	struct world *world = task->world;
	const struct model_message *next = next_message(task, req);
	struct model_lane *idle = choose_lane(session, false);
	struct model_lane *open = choose_lane(session, true);
	int code = 0;

	if (next == NULL && open == NULL)
		return 0;
	if (next != NULL && idle != NULL && (open == NULL || rng_below(&world->rng, 2) == 0))
		code = fetch_begin(task, req, idle, next);
	else
		code = lane_end(world, req, open, (unsigned)(open - session->lanes));
	if (code != 0 && task->op->err.code == 0)
		error_set(&task->op->err, code, "given up");
	return code != 0 ? code : TASK_AGAIN;
}

static int run_fetch(struct task *task)
{
	struct remote_fetch_req *req = container_of(task->op, struct remote_fetch_req, op);
	int code = session_check(task);

	if (code == 0)
		code = fetch_turn(task, req);
	if (code != TASK_AGAIN) /* what is open was cut */
		session_close_lanes(task->target);
	return code;
}

void session_fetch(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_fetch);
}

void session_fetch_pause(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	world_find_task(session_of(mailbox)->world, &req->op)->is_held = true;
}

void session_fetch_resume(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	world_find_task(session_of(mailbox)->world, &req->op)->is_held = false;
}
