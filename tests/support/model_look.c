/* Looking at the model of a server: what changed, what there is, how far it is known.
 * SPDX-License-Identifier: MIT */
#include "model_session.h"

#include "syncd/must.h"

/* What is told from here on is news. */
static void session_has_seen(struct model_session *session,
			     const struct remote_observation *observation)
{
	session->seen = session->mailbox->others_changes;
	session->observed_modseq = observation->highestmodseq;
	session->exists = observation->exists;
}

static void observation_count(const struct model_session *session,
			      struct remote_observation *observation)
{
	const struct model_mailbox *mailbox = session->mailbox;

	observation->exists = (uint32_t)mailbox->count;
	observation->uidnext = session->world->server.tells_uidnext ? mailbox->uidnext : 0;
	observation->highestmodseq = session->open_modseq;
}

static void tell_changes(struct model_session *session, struct remote_observation *out)
{
	model_server_delta(session->world, session->mailbox, session->known_modseq, out);
	for (size_t i = 0; i < out->count; i++)
		out->items[i].flags = session_flags_out(session, out->items[i].flags);
}

/* Others may be at work between SELECT and what follows it. */
void session_select(struct model_session *session, const struct remote_open_req *req)
{
	const struct model_mailbox *mailbox = session->mailbox;

	session->open_modseq = model_server_modseq(session->world, mailbox);
	session->seen = mailbox->others_changes;
	session->exists = (uint32_t)mailbox->count;
	if (req->known_uidvalidity != mailbox->uidvalidity ||
	    req->known_modseq > session->open_modseq)
		return;
	session->known_modseq = req->known_modseq;
	if (session->known_modseq == 0 || session->world->server.modseqs != MODSEQS_QRESYNC)
		return;
	tell_changes(session, &session->early);
	observation_count(session, &session->early);
}

/* What SELECT brought (RFC 7162 §3.2.5), or FETCH CHANGEDSINCE brings now. */
static void observe_changes(struct model_session *session, struct remote_observation *result)
{
	const struct remote_observation *early = &session->early;

	if (!early->is_delta) {
		tell_changes(session, result);
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
	struct model_mailbox *mailbox = session->mailbox;
	size_t listed = mailbox->count;

	if (world->faults_are_on && rng_below(&world->rng, 16) == 0)
		listed = rng_below(&world->rng, mailbox->count + 1);
	for (size_t i = 0; i < listed; i++)
		remote_observation_add(result, mailbox->messages[i].uid,
				       session_flags_out(session, mailbox->messages[i].flags));
	mailbox->listings++;
	remote_observation_sort(result);
	observation_count(session, result);
	result->is_complete = listed == mailbox->count;
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

void session_observe(struct remote_mailbox *mailbox, struct remote_observe_req *req)
{
	struct model_session *session = session_of(mailbox);

	world_post(session->world, LANE_REMOTE, &req->op, session, run_observe);
}

static int run_search(struct task *task)
{
	struct remote_search_req *req = container_of(task->op, struct remote_search_req, op);
	struct world *world = task->world;
	struct model_session *session = task->target;
	struct model_mailbox *mailbox = session->mailbox;
	bool is_partial = world->faults_are_on && rng_below(&world->rng, 8) == 0;
	int code = session_check(task);

	if (code != 0)
		return code;
	for (size_t i = 0; i < mailbox->count; i++) {
		if (!is_partial || rng_below(&world->rng, 2) == 0)
			must(uidset_add(req->present, mailbox->messages[i].uid) == 0);
	}
	req->is_complete = !is_partial;
	mailbox->listings++;
	return 0;
}

void session_search(struct remote_mailbox *mailbox, struct remote_search_req *req)
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
	const struct model_mailbox *mailbox = session->mailbox;
	bool is_alone = mailbox->others_changes == session->seen;
	int code = session_check(task);

	if (code != 0)
		return code;
	req->exists = session->exists;
	req->highestmodseq = session->observed_modseq;
	if (req->highestmodseq > 0 && is_alone && session->has_written && !session->has_appended &&
	    rng_below(&world->rng, 4) != 0)
		req->highestmodseq = model_server_modseq(world, mailbox);
	req->has_news = !is_alone && !(world->server.is_lazy && rng_below(&world->rng, 2) == 0);
	if (req->has_news)
		req->exists = (uint32_t)mailbox->count;
	return 0;
}

void session_settle(struct remote_mailbox *mailbox, struct remote_settle_req *req)
{
	struct model_session *session = session_of(mailbox);

	req->highestmodseq = 0;
	req->exists = 0;
	req->has_news = false;
	world_post(session->world, LANE_REMOTE, &req->op, session, run_settle);
}
