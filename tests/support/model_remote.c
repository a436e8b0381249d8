/* A model of an IMAP server with one mailbox, behind the remote port.
 * SPDX-License-Identifier: MIT */
#include "model_session.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

struct model_session *session_of(struct remote_mailbox *mailbox)
{
	return container_of(mailbox, struct model_session, port);
}

static void session_free(struct model_session *session)
{
	remote_observation_free(&session->early);
	session_close_lanes(session);
	free(session);
}

int session_check(struct task *task)
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

/* Refused together with others; one of them may be to blame, or none. A server may have stored some
 * of them all the same (Stalwart). */
static bool is_refused_together(struct world *world, const struct remote_append_req *req)
{
	return world->faults_are_on && !req->is_alone && rng_below(&world->rng, 16) == 0;
}

static void store_append(struct task *task, uint32_t content)
{
	struct remote_append_req *req = container_of(task->op, struct remote_append_req, op);
	struct model_session *session = task->target;
	struct world *world = task->world;
	struct model_message *message =
		model_server_add(world, content, req->flags & world->server.flags_mask, true);

	message->date_s = req->internaldate_s;
	req->uid = world->server.has_uidplus ? message->uid : 0;
	session->exists++;
	session->has_appended = true;
}

static int run_append(struct task *task)
{
	struct remote_append_req *req = container_of(task->op, struct remote_append_req, op);
	struct model_session *session = task->target;
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
		session->is_broken = true;
		return error_set(&task->op->err, code, "could not read the message");
	}
	must(is_whole && content != 0);
	bool is_refused = content == world->server.refuses_append;
	if (is_refused_together(world, req)) {
		if (!is_refused && rng_below(&world->rng, 2) == 0)
			store_append(task, content);
		req->uid = 0;
		req->is_unclear = true;
		return error_set(&task->op->err, SYNCD_EMESSAGE, "refused together");
	}
	if (is_refused)
		return error_set(&task->op->err, SYNCD_EMESSAGE, "message refused");
	if (world->faults_are_on && rng_below(&world->rng, 16) == 0)
		return error_set(&task->op->err, SYNCD_ENOSPC, "over quota");
	store_append(task, content);
	return 0;
}

static void model_append(struct remote_mailbox *mailbox, struct remote_append_req *req)
{
	struct model_session *session = session_of(mailbox);

	req->uid = 0;
	req->is_unclear = false;
	world_post(session->world, LANE_REMOTE, &req->op, session, run_append);
}

/* --- store, expunge, identify ------------------------------------------------------------------
 */

static bool refuses_set(struct world *world)
{
	return world->faults_are_on && rng_below(&world->rng, 32) == 0;
}

static int run_store(struct task *task)
{
	struct remote_store_req *req = container_of(task->op, struct remote_store_req, op);
	struct model_session *session = task->target;
	struct model_server *server = &task->world->server;
	int code = session_check(task);

	if (code != 0)
		return code;
	if (refuses_set(task->world))
		return error_set(&task->op->err, SYNCD_EMESSAGE, "flags refused");
	session->has_written = true;
	for (size_t i = 0; i < server->count; i++) {
		struct model_message *message = &server->messages[i];
		if (uidset_contains(req->uids, message->uid))
			model_server_set_flags(task->world, message,
					       (message->flags | (req->add & server->flags_mask)) &
						       ~(req->remove & server->flags_mask),
					       true);
	}
	return 0;
}

static void model_store_flags(struct remote_mailbox *mailbox, struct remote_store_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_store);
}

static int run_expunge(struct task *task)
{
	struct remote_expunge_req *req = container_of(task->op, struct remote_expunge_req, op);
	struct model_session *session = task->target;
	struct model_server *server = &task->world->server;
	int code = session_check(task);

	if (code != 0)
		return code;
	if (refuses_set(task->world))
		return error_set(&task->op->err, SYNCD_EMESSAGE, "expunge refused");
	session->has_written = true;
	for (size_t i = server->count; i-- > 0;) {
		if (!uidset_contains(req->uids, server->messages[i].uid))
			continue;
		model_server_remove(task->world, &server->messages[i], true);
		session->exists--;
	}
	return 0;
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

/* --- the session and the account
 * ------------------------------------------------------------------ */

static void model_cancel(struct remote_mailbox *mailbox)
{
	session_of(mailbox)->is_cancelled = true;
}

static void model_close(struct remote_mailbox *mailbox)
{
	struct model_session *session = session_of(mailbox);

	list_for_each(node, &session->world->tasks)
		must(container_of(node, struct task, link)->target != session);
	session_free(session);
}

static const struct remote_mailbox_ops model_mailbox_ops = {
	.observe = session_observe,
	.search = session_search,
	.fetch = session_fetch,
	.fetch_pause = session_fetch_pause,
	.fetch_resume = session_fetch_resume,
	.append = model_append,
	.store = model_store_flags,
	.expunge = model_expunge,
	.identify = model_identify,
	.settle = session_settle,
	.cancel = model_cancel,
	.close = model_close,
};

static int run_open(struct task *task)
{
	struct remote_open_req *req = container_of(task->op, struct remote_open_req, op);
	struct world *world = task->world;
	struct model_session *session = xcalloc(1, sizeof(*session));

	world->opens++;
	session->world = world;
	session->port.ops = &model_mailbox_ops;
	session->uidvalidity = world->server.uidvalidity;
	remote_observation_init(&session->early);
	session_select(session, req);
	req->mailbox = &session->port;
	req->uidvalidity = world->server.uidvalidity;
	req->uidnext = world->server.tells_uidnext ? world->server.uidnext : 0;
	req->exists = (uint32_t)world->server.count;
	req->flags_mask = world->server.flags_mask;
	return 0;
}

/* Without a connection yet, whatever breaks is one that could not be had. */
static int run_without_session(struct task *task, int (*run)(struct task *task))
{
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(task->world, &fault, &task->op->err);

	if (code == 0)
		code = run(task);
	if (code == 0)
		code = world_leave(task->world, fault, &task->op->err);
	return code == SYNCD_EIO || code == SYNCD_ENOSPC
		       ? error_set(&task->op->err, SYNCD_ENET, "no connection")
		       : code;
}

/* The answer to SELECT may be lost like any other; then there is no session. */
static int run_open_or_fail(struct task *task)
{
	struct remote_open_req *req = container_of(task->op, struct remote_open_req, op);
	int code = run_without_session(task, run_open);

	if (code != 0 && req->mailbox != NULL) {
		session_free(session_of(req->mailbox));
		req->mailbox = NULL;
	}
	return code;
}

static void model_open(struct remote_account *account, struct remote_open_req *req)
{
	struct world *world = container_of(account, struct world, remote);

	req->mailbox = NULL;
	world_post(world, LANE_ENV, &req->op, NULL, run_open_or_fail);
}

/* A server that keeps no modseqs for this mailbox may tell the rest all the same. */
static struct mailbox_status list_status(const struct model_server *server)
{
	if (!server->tells_status)
		return (struct mailbox_status){ .uidvalidity = 0 };
	return (struct mailbox_status){
		.uidvalidity = server->uidvalidity,
		.uidnext = server->uidnext,
		.messages = (uint32_t)server->count,
		.highestmodseq = model_server_modseq(server),
	};
}

static int run_list(struct task *task)
{
	struct remote_list_req *req = container_of(task->op, struct remote_list_req, op);
	struct mailbox_info info = { .name = "INBOX", .is_selectable = true };

	if (req->selects != NULL && req->selects(req, info.name))
		info.status = list_status(&task->world->server);
	req->found(req, &info);
	return 0;
}

static int run_list_or_fail(struct task *task)
{
	return run_without_session(task, run_list);
}

static void model_list(struct remote_account *account, struct remote_list_req *req)
{
	world_post(container_of(account, struct world, remote), LANE_ENV, &req->op, NULL,
		   run_list_or_fail);
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
}
