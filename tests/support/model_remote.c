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
	bool has_written;
	bool has_appended;
	uint32_t uidvalidity;
	uint64_t known_modseq;           /* the caller's, 0 when it gets a listing */
	uint64_t open_modseq;            /* HIGHESTMODSEQ in the answer to SELECT */
	uint64_t observed_modseq;        /* as told by observe */
	uint64_t seen;                   /* of the server's others_changes */
	uint32_t exists;                 /* what it has been told by now */
	struct remote_observation early; /* what SELECT brought (QRESYNC) */
	struct world *world;
	struct remote_mailbox port;
};

static struct model_session *session_of(struct remote_mailbox *mailbox)
{
	return container_of(mailbox, struct model_session, port);
}

static void session_free(struct model_session *session)
{
	remote_observation_free(&session->early);
	free(session);
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

/* --- observe, search, settle ------------------------------------------------------------ */

/* What is told from here on is news. */
static void session_has_seen(struct model_session *session,
			     const struct remote_observation *observation)
{
	session->seen = session->world->server.others_changes;
	session->observed_modseq = observation->highestmodseq;
	session->exists = observation->exists;
}

static void observation_count(const struct model_session *session,
			      struct remote_observation *observation)
{
	const struct model_server *server = &session->world->server;

	observation->exists = (uint32_t)server->count;
	observation->uidnext = server->tells_uidnext ? server->uidnext : 0;
	observation->highestmodseq = session->open_modseq;
}

/* What SELECT brought (RFC 7162 §3.2.5), or FETCH CHANGEDSINCE brings now. */
static void observe_changes(struct model_session *session, struct remote_observation *result)
{
	const struct remote_observation *early = &session->early;

	if (!early->is_delta) {
		model_server_delta(session->world, session->known_modseq, result);
		observation_count(session, result);
		session_has_seen(session, result);
		return;
	}
	for (size_t i = 0; i < early->count; i++)
		remote_observation_add(result, early->items[i].uid, early->items[i].flags);
	must(uidset_merge(&result->gone, &early->gone) == 0);
	result->is_delta = true;
	result->tells_gone = early->tells_gone;
	result->exists = early->exists;
	result->uidnext = early->uidnext;
	result->highestmodseq = early->highestmodseq;
	session->observed_modseq = early->highestmodseq;
}

/* A server may list only so many (QUIRKS, Yahoo). */
static void observe_all(struct model_session *session, struct remote_observation *result)
{
	struct world *world = session->world;
	const struct model_server *server = &world->server;
	size_t listed = server->count;

	if (world->faults_are_on && rng_below(&world->rng, 16) == 0)
		listed = rng_below(&world->rng, server->count + 1);
	for (size_t i = 0; i < listed; i++)
		remote_observation_add(result, server->messages[i].uid, server->messages[i].flags);
	world->listings++;
	remote_observation_sort(result);
	observation_count(session, result);
	result->is_complete = listed == server->count;
	session_has_seen(session, result);
}

static int run_observe(struct task *task)
{
	struct remote_observe_req *req = container_of(task->op, struct remote_observe_req, op);
	struct model_session *session = task->target;
	int code = session_check(task);

	if (code != 0)
		return code;
	if (session->known_modseq > 0 && !req->wants_all)
		observe_changes(session, req->result);
	else
		observe_all(session, req->result);
	return 0;
}

static void model_observe(struct remote_mailbox *mailbox, struct remote_observe_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_observe);
}

static int run_search(struct task *task)
{
	struct remote_search_req *req = container_of(task->op, struct remote_search_req, op);
	struct world *world = task->world;
	const struct model_server *server = &world->server;
	bool is_partial = world->faults_are_on && rng_below(&world->rng, 8) == 0;
	int code = session_check(task);

	if (code != 0)
		return code;
	for (size_t i = 0; i < server->count; i++) {
		if (!is_partial || rng_below(&world->rng, 2) == 0)
			must(uidset_add(req->present, server->messages[i].uid) == 0);
	}
	req->is_complete = !is_partial;
	world->listings++;
	return 0;
}

static void model_search(struct remote_mailbox *mailbox, struct remote_search_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_search);
}

/* Own changes may move the modseq on only while nobody else has changed anything since the
 * look: the others' modseqs would lie below. */
static int run_settle(struct task *task)
{
	struct remote_settle_req *req = container_of(task->op, struct remote_settle_req, op);
	struct model_session *session = task->target;
	struct world *world = task->world;
	const struct model_server *server = &world->server;
	bool is_alone = server->others_changes == session->seen;
	int code = session_check(task);

	if (code != 0)
		return code;
	req->exists = session->exists;
	req->highestmodseq = session->observed_modseq;
	if (req->highestmodseq > 0 && is_alone && session->has_written && !session->has_appended &&
	    rng_below(&world->rng, 4) != 0)
		req->highestmodseq = model_server_modseq(server);
	req->has_news = !is_alone && !(server->is_lazy && rng_below(&world->rng, 2) == 0);
	if (req->has_news)
		req->exists = (uint32_t)server->count;
	return 0;
}

static void model_settle(struct remote_mailbox *mailbox, struct remote_settle_req *req)
{
	struct model_session *session = session_of(mailbox);

	req->highestmodseq = 0;
	req->exists = 0;
	req->has_news = false;
	world_post(session->world, LANE_REMOTE, &req->op, session, run_settle);
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
	if (content == world->server.refuses_append)
		return error_set(&task->op->err, SYNCD_EMESSAGE, "message refused");
	if (world->faults_are_on && rng_below(&world->rng, 16) == 0)
		return error_set(&task->op->err, SYNCD_ENOSPC, "over quota");
	struct model_message *message =
		model_server_add(world, content, req->flags & world->server.flags_mask, true);
	message->date_s = req->internaldate_s;
	req->uid = world->server.has_uidplus ? message->uid : 0;
	session->exists++;
	session->has_appended = true;
	return 0;
}

static void model_append(struct remote_mailbox *mailbox, struct remote_append_req *req)
{
	struct model_session *session = session_of(mailbox);

	req->uid = 0;
	world_post(session->world, LANE_REMOTE, &req->op, session, run_append);
}

/* --- store, expunge, identify ------------------------------------------------------------------
 */

static int run_store(struct task *task)
{
	struct remote_store_req *req = container_of(task->op, struct remote_store_req, op);
	struct model_session *session = task->target;
	struct model_server *server = &task->world->server;
	int code = session_check(task);

	if (code != 0)
		return code;
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
	.observe = model_observe,
	.search = model_search,
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

/* Others may be at work between SELECT and what follows it. */
static void open_look(struct model_session *session, const struct remote_open_req *req)
{
	const struct model_server *server = &session->world->server;

	session->open_modseq = model_server_modseq(server);
	session->seen = server->others_changes;
	session->exists = (uint32_t)server->count;
	if (req->known_uidvalidity != server->uidvalidity ||
	    req->known_modseq > session->open_modseq)
		return;
	session->known_modseq = req->known_modseq;
	if (session->known_modseq == 0 || server->modseqs != MODSEQS_QRESYNC)
		return;
	model_server_delta(session->world, session->known_modseq, &session->early);
	observation_count(session, &session->early);
}

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
	open_look(session, req);
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
