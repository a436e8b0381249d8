/* One mailbox of the model of an IMAP server behind the remote port: what changes it.
 * SPDX-License-Identifier: MIT */
#include "model_session.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

struct model_session *session_of(struct remote_mailbox *mailbox)
{
	return container_of(mailbox, struct model_session, port);
}

uint64_t session_flags_out(const struct model_session *session, uint64_t flags)
{
	return model_flags_out(session->world, session->keywords, flags);
}

uint64_t session_flags_in(const struct model_session *session, uint64_t flags)
{
	return model_flags_in(session->world, session->keywords, flags);
}

void session_free(struct model_session *session)
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
	if (session->mailbox_id != session->mailbox->id)
		return error_set(&task->op->err, SYNCD_ENET, "the mailbox was deleted");
	if (session->uidvalidity != session->mailbox->uidvalidity)
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
	struct model_message *message = model_server_add(
		world, session->mailbox, content,
		session_flags_in(session, req->flags) & world->server.flags_mask, true);

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
	world->sent++;
	code = append_read(req, &body);
	uint32_t content = model_content_of(buf_slice(&body));
	bool is_whole = body.len == req->size_bytes;
	buf_free(&body);
	if (code != 0) { /* a literal that stops in the middle ends the connection */
		session->is_broken = true;
		return error_set(&task->op->err, code, "could not read the message");
	}
	must(is_whole && content != 0);
	code = session_check(task); /* the mailbox may be gone by now */
	if (code != 0)
		return code;
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

bool session_refuses_set(struct world *world)
{
	return world->faults_are_on && rng_below(&world->rng, 32) == 0;
}

static int run_store(struct task *task)
{
	struct remote_store_req *req = container_of(task->op, struct remote_store_req, op);
	struct model_session *session = task->target;
	const struct model_server *server = &task->world->server;
	uint64_t add = session_flags_in(session, req->add);
	uint64_t remove = session_flags_in(session, req->remove);
	int code = session_check(task);

	if (code != 0)
		return code;
	if (session_refuses_set(task->world))
		return error_set(&task->op->err, SYNCD_EMESSAGE, "flags refused");
	session->has_written = true;
	task->world->sent++;
	for (size_t i = 0; i < session->mailbox->count; i++) {
		struct model_message *message = &session->mailbox->messages[i];
		if (uidset_contains(req->uids, message->uid))
			model_server_set_flags(task->world, session->mailbox, message,
					       (message->flags | (add & server->flags_mask)) &
						       ~(remove & server->flags_mask),
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
	struct model_mailbox *mailbox = session->mailbox;
	int code = session_check(task);

	if (code != 0)
		return code;
	if (session_refuses_set(task->world))
		return error_set(&task->op->err, SYNCD_EMESSAGE, "expunge refused");
	session->has_written = true;
	task->world->sent++;
	for (size_t i = mailbox->count; i-- > 0;) {
		if (!uidset_contains(req->uids, mailbox->messages[i].uid))
			continue;
		model_server_remove(task->world, mailbox, &mailbox->messages[i], true);
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
	const struct model_server *server = &task->world->server;
	const struct model_session *session = task->target;
	const struct model_mailbox *mailbox = session->mailbox;
	int code = session_check(task);

	req->named_flags = session_flags_out(session, ~server->drops);
	for (size_t i = 0; code == 0 && i < mailbox->count; i++) {
		const struct model_message *message = &mailbox->messages[i];
		struct digest identity;
		uint64_t size_bytes = 0;
		if (!uidset_contains(req->uids, message->uid))
			continue;
		model_identity(message->content, &identity, &size_bytes);
		req->found(req, message->uid, &identity, size_bytes + server->lies_about_size,
			   session_flags_out(session, message->flags));
	}
	return code;
}

static void model_identify(struct remote_mailbox *mailbox, struct remote_identify_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_identify);
}

static int run_email_ids(struct task *task)
{
	struct remote_email_ids_req *req = container_of(task->op, struct remote_email_ids_req, op);
	const struct model_server *server = &task->world->server;
	const struct model_session *session = task->target;
	const struct model_mailbox *mailbox = session->mailbox;
	int code = session_check(task);

	if (code == 0 && session_refuses_set(task->world))
		code = error_set(&task->op->err, SYNCD_EMESSAGE, "email ids refused");
	for (size_t i = mailbox->count; code == 0 && i-- > 0;) {
		const struct model_message *message = &mailbox->messages[i];
		struct digest identity;
		uint64_t size_bytes = 0;
		if (!uidset_contains(req->uids, message->uid))
			continue;
		model_identity(message->content, &identity, &size_bytes);
		req->found(req, message->uid,
			   server->tells_email_ids ? model_email_id(message->content) : 0,
			   size_bytes + server->lies_about_size);
	}
	return code;
}

static void model_email_ids(struct remote_mailbox *mailbox, struct remote_email_ids_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_email_ids);
}

/* --- Carried out late ---------------------------------------------------------------- */

static struct model_late *late_new(struct task *task)
{
	struct world *world = task->world;
	const struct model_session *session = task->target;

	if (world->late_count == MODEL_LATE_MAX)
		return NULL;
	struct model_late *late = &world->late[world->late_count++];
	*late = (struct model_late){
		.due_ns = world->now_ns +
			  (int64_t)rng_below(&world->rng, MODEL_LATE_S) * MODEL_NS_PER_S,
		.mailbox_id = session->mailbox_id,
		.uidvalidity = session->uidvalidity,
	};
	return late;
}

static void late_append(struct task *task)
{
	struct remote_append_req *req = container_of(task->op, struct remote_append_req, op);
	struct buf body;

	buf_init(&body, 65536);
	bool is_whole = append_read(req, &body) == 0 && body.len == req->size_bytes;
	struct model_late *late = is_whole ? late_new(task) : NULL;
	if (late != NULL) {
		late->content = model_content_of(buf_slice(&body));
		late->flags =
			session_flags_in(task->target, req->flags) & task->world->server.flags_mask;
		late->date_s = req->internaldate_s;
	}
	buf_free(&body);
}

static void late_expunge(struct task *task)
{
	const struct remote_expunge_req *req =
		container_of(task->op, struct remote_expunge_req, op);
	struct uidset_place place = { 0 };
	uint32_t uid = 0;

	while (uidset_next(req->uids, &place, &uid)) {
		struct model_late *late = late_new(task);
		if (late != NULL)
			late->uid = uid;
	}
}

void model_late_keep(struct task *task)
{
	struct world *world = task->world;

	if (!world->is_late || task->lane != LANE_REMOTE || session_check(task) != 0 ||
	    rng_below(&world->rng, 2) == 0)
		return;
	if (task->run == run_append)
		late_append(task);
	else if (task->run == run_expunge)
		late_expunge(task);
}

static void late_do(struct world *world, const struct model_late *late)
{
	for (size_t i = 0; model_mailbox_nth(world, i) != NULL; i++) {
		struct model_mailbox *mailbox = model_mailbox_nth(world, i);
		if (mailbox->id != late->mailbox_id || mailbox->uidvalidity != late->uidvalidity)
			continue;
		log_trace(NULL, "## late in %s: message %u is added, UID %u removed", mailbox->name,
			  late->content, late->uid);
		if (late->content != 0)
			model_server_add(world, mailbox, late->content, late->flags, false)
				->date_s = late->date_s;
		for (size_t m = mailbox->count; late->content == 0 && m-- > 0;) {
			if (mailbox->messages[m].uid == late->uid)
				model_server_remove(world, mailbox, &mailbox->messages[m], false);
		}
	}
}

void model_late_do(struct world *world, bool is_all)
{
	size_t kept = 0;

	for (size_t i = 0; i < world->late_count; i++) {
		if (is_all || world->late[i].due_ns <= world->now_ns)
			late_do(world, &world->late[i]);
		else
			world->late[kept++] = world->late[i];
	}
	world->late_count = kept;
}

/* --- the session
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

const struct remote_mailbox_ops model_session_ops = {
	.observe = session_observe,
	.search = session_search,
	.fetch = session_fetch,
	.fetch_pause = session_fetch_pause,
	.fetch_resume = session_fetch_resume,
	.append = model_append,
	.store = model_store_flags,
	.expunge = model_expunge,
	.transfer = session_transfer,
	.identify = model_identify,
	.email_ids = model_email_ids,
	.settle = session_settle,
	.cancel = model_cancel,
	.close = model_close,
};
