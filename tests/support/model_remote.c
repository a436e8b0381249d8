/* A model of an IMAP server with one mailbox, behind the remote port.
 * SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

/* One connection with the mailbox selected. `is_broken` comes first: the
 * scheduler sets it when a command's answer is lost. */
struct model_session {
	bool is_broken;
	bool is_cancelled;
	uint32_t uidvalidity;
	struct world *world;
	struct remote_mailbox port;
};

static struct model_session *session_of(struct remote_mailbox *mailbox)
{
	return container_of(mailbox, struct model_session, port);
}

/* A session that is over, or whose UIDs mean nothing any more. */
static int session_check(struct task *task)
{
	const struct model_session *session = task->target;

	if (session->is_cancelled)
		return error_set(&task->op->err, SYNCD_ECANCELLED, "cancelled");
	if (session->is_broken)
		return error_set(&task->op->err, SYNCD_ENET, "the connection is over");
	if (session->uidvalidity != task->world->server.uidvalidity)
		return error_set(&task->op->err, SYNCD_ENET, "the mailbox was made anew");
	return 0;
}

/* --- What others do to the mailbox --------------------------------------------------- */

struct model_message *model_message_create(struct world *world, uint32_t content, uint64_t flags)
{
	struct model_server *server = &world->server;

	must(server->count < MODEL_MESSAGES_MAX);
	struct model_message *message = &server->messages[server->count++];
	*message = (struct model_message){
		.uid = server->uidnext++,
		.content = content,
		.flags = flags,
		.date_s = world->now_s,
	};
	return message;
}

void model_message_delete(struct world *world, struct model_message *message)
{
	struct model_server *server = &world->server;
	size_t index = (size_t)(message - server->messages);

	must(index < server->count);
	memmove(message, message + 1, (server->count - index - 1) * sizeof(*message));
	server->count--;
}

void model_server_renumber(struct world *world)
{
	struct model_server *server = &world->server;

	server->uidvalidity++;
	server->uidnext = 1;
	for (size_t i = 0; i < server->count; i++)
		server->messages[i].uid = server->uidnext++;
}

/* --- observe --------------------------------------------------------------------------- */

static int run_observe(struct task *task)
{
	struct remote_observe_req *req = container_of(task->op, struct remote_observe_req, op);
	struct model_server *server = &task->world->server;
	size_t listed = server->count;
	int code = session_check(task);

	if (code != 0)
		return code;
	req->result->is_complete = true;
	if (task->world->faults_are_on && rng_below(&task->world->rng, 16) == 0) {
		/* A server that lists only so many (QUIRKS, Yahoo). */
		listed = rng_below(&task->world->rng, server->count + 1);
		req->result->is_complete = listed == server->count;
	}
	for (size_t i = 0; i < listed; i++)
		remote_observation_add(req->result, server->messages[i].uid,
				       server->messages[i].flags);
	remote_observation_sort(req->result);
	req->result->uidnext = server->tells_uidnext ? server->uidnext : 0;
	return 0;
}

static void model_observe(struct remote_mailbox *mailbox, struct remote_observe_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_observe);
}

/* --- fetch -------------------------------------------------------------------------------- */

static int fetch_send(struct remote_fetch_req *req, const struct model_message *message)
{
	struct model_message copy = *message; /* callbacks may run others' changes */
	size_t len = 0;
	char *body = model_body(copy.content, &len);
	size_t half = len / 2;
	int code = req->begin(req, 0, len);

	if (code == 0)
		code = req->data(req, 0, (struct slice){ body, half });
	if (code == 0)
		code = req->data(req, 0, (struct slice){ body + half, len - half });
	if (code == 0)
		code = req->end(req, 0, copy.uid, copy.date_s);
	free(body);
	return code;
}

/* One message a turn, so that others come in between and the link can be cut
 * between any two. */
static int run_fetch(struct task *task)
{
	struct remote_fetch_req *req = container_of(task->op, struct remote_fetch_req, op);
	struct model_server *server = &task->world->server;
	int code = session_check(task);

	if (code != 0)
		return code;
	for (size_t i = 0; i < server->count; i++) {
		const struct model_message *message = &server->messages[i];
		if (message->uid <= task->progress || !uidset_contains(req->uids, message->uid))
			continue;
		if (message->content == server->refuses_fetch)
			return error_set(&task->op->err, SYNCD_EMESSAGE, "cannot read message");
		task->progress = message->uid;
		code = fetch_send(req, message);
		return code != 0 ? error_set(&task->op->err, code, "given up") : TASK_AGAIN;
	}
	return 0;
}

static void model_fetch(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_fetch);
}

static void model_fetch_pause(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	world_find_task(session_of(mailbox)->world, &req->op)->is_held = true;
}

static void model_fetch_resume(struct remote_mailbox *mailbox, struct remote_fetch_req *req)
{
	world_find_task(session_of(mailbox)->world, &req->op)->is_held = false;
}

/* --- append ---------------------------------------------------------------------------------- */

static int append_read(struct remote_append_req *req, struct buf *body)
{
	char chunk[16];
	size_t len = 0;
	int code = 0;

	do {
		code = req->read(req, chunk, sizeof(chunk), &len);
		if (code == 0)
			must(buf_add(body, chunk, len) == 0);
	} while (code == 0 && len > 0);
	return code;
}

static int run_append(struct task *task)
{
	struct remote_append_req *req = container_of(task->op, struct remote_append_req, op);
	struct world *world = task->world;
	struct buf body;
	int code = session_check(task);

	if (code != 0)
		return code;
	buf_init(&body, 65536);
	code = append_read(req, &body);
	uint32_t content = model_content_of(buf_slice(&body));
	bool is_whole = body.len == req->size_bytes;
	buf_free(&body);
	if (code != 0) { /* a literal that stops in the middle ends the connection */
		((struct model_session *)task->target)->is_broken = true;
		return error_set(&task->op->err, code, "could not read the message");
	}
	must(is_whole && content != 0);
	if (content == world->server.refuses_append)
		return error_set(&task->op->err, SYNCD_EMESSAGE, "message refused");
	if (world->faults_are_on && rng_below(&world->rng, 16) == 0)
		return error_set(&task->op->err, SYNCD_ENOSPC, "over quota");
	struct model_message *message =
		model_message_create(world, content, req->flags & world->server.flags_mask);
	message->date_s = req->internaldate_s;
	req->uid = world->server.has_uidplus ? message->uid : 0;
	return 0;
}

static void model_append(struct remote_mailbox *mailbox, struct remote_append_req *req)
{
	struct model_session *session = session_of(mailbox);

	req->uid = 0;
	world_post(session->world, LANE_REMOTE, &req->op, session, run_append);
}

/* --- store, expunge, identify ------------------------------------------------------------------ */

static int run_store(struct task *task)
{
	struct remote_store_req *req = container_of(task->op, struct remote_store_req, op);
	struct model_server *server = &task->world->server;
	int code = session_check(task);

	for (size_t i = 0; code == 0 && i < server->count; i++) {
		struct model_message *message = &server->messages[i];
		if (uidset_contains(req->uids, message->uid))
			message->flags = (message->flags | (req->add & server->flags_mask)) &
					 ~(req->remove & server->flags_mask);
	}
	return code;
}

static void model_store_flags(struct remote_mailbox *mailbox, struct remote_store_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_store);
}

static int run_expunge(struct task *task)
{
	struct remote_expunge_req *req = container_of(task->op, struct remote_expunge_req, op);
	struct model_server *server = &task->world->server;
	int code = session_check(task);

	for (size_t i = server->count; code == 0 && i-- > 0;) {
		if (uidset_contains(req->uids, server->messages[i].uid))
			model_message_delete(task->world, &server->messages[i]);
	}
	return code;
}

static void model_expunge(struct remote_mailbox *mailbox, struct remote_expunge_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_expunge);
}

static int run_identify(struct task *task)
{
	struct remote_identify_req *req = container_of(task->op, struct remote_identify_req, op);
	struct model_server *server = &task->world->server;
	int code = session_check(task);

	for (size_t i = 0; code == 0 && i < server->count; i++) {
		const struct model_message *message = &server->messages[i];
		struct digest identity;
		uint64_t size_bytes = 0;
		if (!uidset_contains(req->uids, message->uid))
			continue;
		model_identity(message->content, &identity, &size_bytes);
		req->found(req, message->uid, &identity, size_bytes + server->lies_about_size,
			   message->flags);
	}
	return code;
}

static void model_identify(struct remote_mailbox *mailbox, struct remote_identify_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_identify);
}

/* No modseq is known here: every look is a listing. */
static int run_settle(struct task *task)
{
	return session_check(task);
}

static void model_settle(struct remote_mailbox *mailbox, struct remote_settle_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_settle);
}

/* --- the session and the account ------------------------------------------------------------------ */

static void model_cancel(struct remote_mailbox *mailbox)
{
	session_of(mailbox)->is_cancelled = true;
}

static void model_close(struct remote_mailbox *mailbox)
{
	struct model_session *session = session_of(mailbox);

	list_for_each(node, &session->world->tasks)
		must(container_of(node, struct task, link)->target != session);
	free(session);
}

static const struct remote_mailbox_ops model_mailbox_ops = {
	.observe = model_observe,
	.fetch = model_fetch,
	.fetch_pause = model_fetch_pause,
	.fetch_resume = model_fetch_resume,
	.append = model_append,
	.store = model_store_flags,
	.expunge = model_expunge,
	.identify = model_identify,
	.settle = model_settle,
	.cancel = model_cancel,
	.close = model_close,
};

static int run_open(struct task *task)
{
	struct remote_open_req *req = container_of(task->op, struct remote_open_req, op);
	struct world *world = task->world;
	struct model_session *session = xcalloc(1, sizeof(*session));

	session->world = world;
	session->port.ops = &model_mailbox_ops;
	session->uidvalidity = world->server.uidvalidity;
	req->mailbox = &session->port;
	req->uidvalidity = world->server.uidvalidity;
	req->uidnext = world->server.tells_uidnext ? world->server.uidnext : 0;
	req->exists = (uint32_t)world->server.count;
	req->flags_mask = world->server.flags_mask;
	return 0;
}

/* The answer to SELECT may be lost like any other; then there is no session. */
static int run_open_or_fail(struct task *task)
{
	struct remote_open_req *req = container_of(task->op, struct remote_open_req, op);
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(task->world, &fault, &task->op->err);

	if (code == 0)
		code = run_open(task);
	if (code == 0)
		code = world_leave(task->world, fault, &task->op->err);
	if (code != 0 && req->mailbox != NULL) {
		free(session_of(req->mailbox));
		req->mailbox = NULL;
	}
	return code == SYNCD_EIO || code == SYNCD_ENOSPC
		       ? error_set(&task->op->err, SYNCD_ENET, "no connection")
		       : code;
}

static void model_open(struct remote_account *account, struct remote_open_req *req)
{
	struct world *world = container_of(account, struct world, remote);

	req->mailbox = NULL;
	world_post(world, LANE_ENV, &req->op, NULL, run_open_or_fail);
}

static int run_list(struct task *task)
{
	struct remote_list_req *req = container_of(task->op, struct remote_list_req, op);

	req->found(req, &(struct mailbox_info){ .name = "INBOX", .is_selectable = true });
	return 0;
}

static void model_list(struct remote_account *account, struct remote_list_req *req)
{
	world_post(container_of(account, struct world, remote), LANE_ENV, &req->op, NULL,
		   run_list);
}

static int run_create(struct task *task)
{
	(void)task;
	return 0; /* the one mailbox is always there */
}

static void model_create(struct remote_account *account, struct remote_create_req *req)
{
	world_post(container_of(account, struct world, remote), LANE_ENV, &req->op, NULL,
		   run_create);
}

static const struct remote_account_ops model_account_ops = {
	.list = model_list,
	.create = model_create,
	.open = model_open,
};

void model_remote_init(struct world *world)
{
	world->remote.ops = &model_account_ops;
	world->server.uidvalidity = 7;
	world->server.uidnext = 1;
	world->server.flags_mask = ~(uint64_t)0;
	world->server.has_uidplus = true;
	world->server.tells_uidnext = true;
}
