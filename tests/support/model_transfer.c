/* Messages of the model of a server on their way into another mailbox: UID MOVE, which takes one
 * after the other and can break off between any two (RFC 6851 §3.3), or UID COPY, which does all
 * or none (RFC 3501 §6.4.7), and then the removal.
 * SPDX-License-Identifier: MIT */
#include "model_session.h"

#include "syncd/must.h"

/* A transfer's turns: how far it is stands in task->progress. */
enum {
	STAGE_FIRST,
	STAGE_MOVE,   /* or copy */
	STAGE_TELL,   /* all are there; the answer is on its way */
	STAGE_REMOVE, /* what was copied is to go */
};

static struct remote_transfer_req *request_of(const struct task *task)
{
	return container_of(task->op, struct remote_transfer_req, op);
}

/* Asked for, and there when the command came: what it puts into the same mailbox it leaves. */
static struct model_message *next_message(const struct task *task, size_t after_uid)
{
	const struct remote_transfer_req *req = request_of(task);
	struct model_session *session = task->target;
	struct model_mailbox *mailbox = session->mailbox;

	for (size_t i = 0; i < mailbox->count; i++) {
		struct model_message *message = &mailbox->messages[i];
		if (message->uid > after_uid && message->uid < session->transfer.end_uid &&
		    uidset_contains(req->uids, message->uid))
			return message;
	}
	return NULL;
}

/* To be told later, if the server tells. */
static void transfer_one(struct task *task, struct model_mailbox *target,
			 const struct model_message *message)
{
	struct model_session *session = task->target;
	struct model_transfer *transfer = &session->transfer;
	uint32_t uid = message->uid;
	const struct model_message *copy = model_server_copy(task->world, target, message);

	must(transfer->count < MODEL_MESSAGES_MAX);
	transfer->pairs[transfer->count].uid = uid;
	transfer->pairs[transfer->count++].target_uid = copy->uid;
}

static void remove_one(struct task *task, uint32_t uid)
{
	struct model_session *session = task->target;
	struct model_message *message = model_message_find(session->mailbox, uid);

	session->has_written = true;
	if (message == NULL)
		return; /* someone else was faster */
	model_server_remove(task->world, session->mailbox, message, true);
	session->exists--;
}

static void tell(struct task *task)
{
	struct remote_transfer_req *req = request_of(task);
	struct model_session *session = task->target;
	struct model_transfer *transfer = &session->transfer;

	if (!task->world->server.has_uidplus || transfer->count == 0)
		return;
	req->target_uidvalidity = transfer->uidvalidity;
	for (; transfer->told < transfer->count; transfer->told++) {
		if (req->transferred != NULL)
			req->transferred(req, transfer->pairs[transfer->told].uid,
					 transfer->pairs[transfer->told].target_uid);
	}
}

/* --- The turns ----------------------------------------------------------------------------- */

static int transfer_begin(struct task *task, struct model_mailbox *target)
{
	struct world *world = task->world;
	struct model_session *session = task->target;

	if (session_refuses_set(world))
		return error_set(&task->op->err, SYNCD_EMESSAGE, "transfer refused");
	if (world->faults_are_on && rng_below(&world->rng, 16) == 0)
		return error_set(&task->op->err, SYNCD_ENOSPC, "over quota");
	world->sent++;
	session->transfer.count = 0;
	session->transfer.told = 0;
	session->transfer.uidvalidity = target->uidvalidity;
	session->transfer.target_id = target->id;
	session->transfer.end_uid = session->mailbox->uidnext;
	task->progress = STAGE_MOVE;
	return TASK_AGAIN;
}

/* Told at any time before the end: in one response or in several. */
static int move_next(struct task *task, struct model_mailbox *target)
{
	struct model_session *session = task->target;
	const struct model_message *next = next_message(task, 0);

	if (next == NULL) {
		task->progress = STAGE_TELL;
		return TASK_AGAIN;
	}
	uint32_t uid = next->uid;
	transfer_one(task, target, next);
	remove_one(task, uid);
	if (target == session->mailbox)
		session->exists++;
	if (rng_below(&task->world->rng, 2) == 0)
		tell(task);
	return TASK_AGAIN;
}

static int copy_all(struct task *task, struct model_mailbox *target)
{
	struct model_session *session = task->target;
	const struct model_message *next = next_message(task, 0);

	for (; next != NULL; next = next_message(task, session->transfer.last_uid)) {
		session->transfer.last_uid = next->uid;
		transfer_one(task, target, next);
	}
	session->exists += target == session->mailbox ? (uint32_t)session->transfer.count : 0;
	session->transfer.last_uid = 0;
	task->progress = STAGE_TELL;
	return TASK_AGAIN;
}

/* Refused, it may be said or not: what counts is is_removed. */
static int remove_all(struct task *task)
{
	struct model_session *session = task->target;

	if (session_refuses_set(task->world))
		return rng_below(&task->world->rng, 2) == 0
			       ? error_set(&task->op->err, SYNCD_EMESSAGE, "removal refused")
			       : 0;
	for (size_t i = 0; i < session->transfer.count; i++)
		remove_one(task, session->transfer.pairs[i].uid);
	request_of(task)->is_removed = true;
	return 0;
}

static int transfer_tell(struct task *task)
{
	struct remote_transfer_req *req = request_of(task);

	tell(task);
	if (!req->is_move)
		return 0;
	if (task->world->server.has_move) {
		req->is_removed = true;
		return 0;
	}
	task->progress = STAGE_REMOVE;
	return TASK_AGAIN;
}

static int run_transfer(struct task *task)
{
	const struct remote_transfer_req *req = request_of(task);
	struct model_session *session = task->target;
	struct model_mailbox *target = model_mailbox_find(task->world, req->target);
	int code = session_check(task);

	if (code != 0)
		return code;
	if (task->progress == STAGE_REMOVE)
		return remove_all(task);
	if (task->progress == STAGE_TELL)
		return transfer_tell(task);
	if (target == NULL ||
	    (task->progress != STAGE_FIRST && session->transfer.target_id != target->id))
		return error_set(&task->op->err, SYNCD_ENOTFOUND, "no mailbox %s", req->target);
	if (task->progress == STAGE_FIRST)
		return transfer_begin(task, target);
	return req->is_move && task->world->server.has_move ? move_next(task, target)
							    : copy_all(task, target);
}

void session_transfer(struct remote_mailbox *mailbox, struct remote_transfer_req *req)
{
	struct model_session *session = session_of(mailbox);

	req->target_uidvalidity = 0;
	req->is_removed = false;
	world_post(session->world, LANE_REMOTE, &req->op, session, run_transfer);
}
