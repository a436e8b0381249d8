/* What a script's `do` lines start to look at a mailbox and its messages.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "script/actor.h"
#include "syncd/must.h"

/* --- The whole mailbox ------------------------------------------------------- */

static void event_items(struct actor *actor, const struct remote_observation *result)
{
	struct buf flags;

	buf_init(&flags, EVENTS_MAX);
	for (size_t i = 0; i < result->count; i++) {
		buf_reset(&flags);
		must(flags_format_imap(&actor->keywords, result->items[i].flags, &flags) == 0);
		actor_tell(actor, "item %u (%s)", result->items[i].uid, buf_str(&flags));
	}
	buf_free(&flags);
}

static void event_set(struct actor *actor, const char *what, const struct uidset *set)
{
	struct uidset_place place = { 0 };
	struct buf text;

	buf_init(&text, EVENTS_MAX);
	(void)uidset_format(set, &place, EVENTS_MAX, UINT64_MAX, &text);
	if (text.len > 0)
		actor_tell(actor, "%s %s", what, buf_str(&text));
	buf_free(&text);
}

/* "observe ok complete next 10 modseq 5", "observe ok delta next 10 exists 3 modseq 5" */
static void observe_done(struct port_op *op, int code)
{
	struct actor *actor = container_of(op, struct actor, observe.op);
	const struct remote_observation *result = &actor->observation;
	const char *kind = result->tells_gone ? "delta with gone" : "delta";
	char exists[32] = "";
	char modseq[32] = "";

	if (code < 0) {
		actor_tell_done(actor, "observe", code, &op->err);
		return;
	}
	event_items(actor, result);
	event_set(actor, "gone", &result->gone);
	if (!result->is_delta)
		kind = result->is_complete ? "complete" : "incomplete";
	else
		(void)snprintf(exists, sizeof(exists), " exists %u", result->exists);
	if (result->is_delta || result->highestmodseq != 0)
		(void)snprintf(modseq, sizeof(modseq), " modseq %llu",
			       (unsigned long long)result->highestmodseq);
	actor_tell(actor, "observe ok %s next %u%s%s", kind, result->uidnext, exists, modseq);
}

/* observe [all] */
void actor_observe(struct actor *actor, char *words)
{
	remote_observation_free(&actor->observation);
	remote_observation_init(&actor->observation);
	actor->observe.op.done = observe_done;
	actor->observe.wants_all = strcmp(words, "all") == 0;
	actor->observe.result = &actor->observation;
	actor->mailbox->ops->observe(actor->mailbox, &actor->observe);
}

static void search_done(struct port_op *op, int code)
{
	struct actor *actor = container_of(op, struct actor, search.op);

	if (code < 0) {
		actor_tell_done(actor, "search", code, &op->err);
		return;
	}
	event_set(actor, "present", &actor->present);
	actor_tell(actor, "search ok %s", actor->search.is_complete ? "complete" : "incomplete");
}

void actor_search(struct actor *actor, char *words)
{
	(void)words;
	uidset_clear(&actor->present);
	actor->search.op.done = search_done;
	actor->search.present = &actor->present;
	actor->mailbox->ops->search(actor->mailbox, &actor->search);
}

static void settle_done(struct port_op *op, int code)
{
	struct actor *actor = container_of(op, struct actor, settle.op);
	const struct remote_settle_req *req = &actor->settle;

	if (code < 0)
		actor_tell_done(actor, "settle", code, &op->err);
	else
		actor_tell(actor, "settle ok modseq %llu exists %u%s",
			   (unsigned long long)req->highestmodseq, req->exists,
			   req->has_news ? " news" : "");
}

void actor_settle(struct actor *actor, char *words)
{
	(void)words;
	actor->settle.op.done = settle_done;
	actor->mailbox->ops->settle(actor->mailbox, &actor->settle);
}

/* --- Messages ------------------------------------------------------------------- */

static struct actor *actor_of_fetch(struct remote_fetch_req *req)
{
	return container_of(req, struct actor, fetch);
}

/* "lane 2 " before what comes over another session than the mailbox's own. */
static const char *lane_name(unsigned lane, char where[16])
{
	must(lane < REMOTE_LANES_MAX);
	where[0] = '\0';
	if (lane > 0)
		(void)snprintf(where, 16, "lane %u ", lane);
	return where;
}

static int fetch_begin(struct remote_fetch_req *req, unsigned lane, uint64_t size_bytes)
{
	struct actor *actor = actor_of_fetch(req);
	char where[16];

	must(!actor->is_in_body[lane]);
	actor->is_in_body[lane] = true;
	buf_reset(&actor->bodies[lane]);
	actor_tell(actor, "%sbegin size %llu", lane_name(lane, where),
		   (unsigned long long)size_bytes);
	return 0;
}

static int fetch_data(struct remote_fetch_req *req, unsigned lane, struct slice data)
{
	struct actor *actor = actor_of_fetch(req);

	must(actor->is_in_body[lane] && data.len > 0);
	must(buf_add(&actor->bodies[lane], data.data, data.len) == 0);
	return actor->body_failure;
}

static int fetch_end(struct remote_fetch_req *req, unsigned lane, uint32_t uid,
		     int64_t internaldate_s)
{
	struct actor *actor = actor_of_fetch(req);
	struct buf *body = &actor->bodies[lane];
	char where[16];

	must(actor->is_in_body[lane]);
	actor->is_in_body[lane] = false;
	for (size_t i = 0; i < body->len; i++) {
		if (body->data[i] == '\r' || body->data[i] == '\n')
			body->data[i] = '|';
	}
	actor_tell(actor, "%send %u date %lld %s", lane_name(lane, where), uid,
		   (long long)internaldate_s, buf_str(body));
	if (actor->is_pausing)
		actor->mailbox->ops->fetch_pause(actor->mailbox, req);
	return 0;
}

static void fetch_done(struct port_op *op, int code)
{
	struct actor *actor = container_of(op, struct actor, fetch.op);

	memset(actor->is_in_body, 0, sizeof(actor->is_in_body));
	actor_tell_done(actor, "fetch", code, &op->err);
}

void actor_fetch(struct actor *actor, char *words)
{
	actor_set_uids(actor, words);
	actor->fetch = (struct remote_fetch_req){
		.op.done = fetch_done,
		.uids = &actor->uids,
		.begin = fetch_begin,
		.data = fetch_data,
		.end = fetch_end,
	};
	actor->mailbox->ops->fetch(actor->mailbox, &actor->fetch);
}

void actor_pause(struct actor *actor, char *words)
{
	(void)words;
	actor->mailbox->ops->fetch_pause(actor->mailbox, &actor->fetch);
}

void actor_pause_at_end(struct actor *actor, char *words)
{
	(void)words;
	actor->is_pausing = true;
}

void actor_resume(struct actor *actor, char *words)
{
	(void)words;
	actor->mailbox->ops->fetch_resume(actor->mailbox, &actor->fetch);
}

void actor_fail_bodies(struct actor *actor, char *words)
{
	(void)words;
	actor->body_failure = SYNCD_ENOSPC;
}

static void identify_found(struct remote_identify_req *req, uint32_t uid,
			   const struct digest *identity, uint64_t size_bytes, uint64_t flags)
{
	actor_tell(container_of(req, struct actor, identify), "identity %u %s size %llu flags %llx",
		   uid, digest_has_message_id(identity) ? "message-id" : "no-message-id",
		   (unsigned long long)size_bytes, (unsigned long long)flags);
}

static void identify_done(struct port_op *op, int code)
{
	actor_tell_done(container_of(op, struct actor, identify.op), "identify", code, &op->err);
}

void actor_identify(struct actor *actor, char *words)
{
	actor_set_uids(actor, words);
	actor->identify.op.done = identify_done;
	actor->identify.uids = &actor->uids;
	actor->identify.found = identify_found;
	actor->mailbox->ops->identify(actor->mailbox, &actor->identify);
}

static void email_id_found(struct remote_email_ids_req *req, uint32_t uid, uint64_t email_id,
			   uint64_t size_bytes)
{
	actor_tell(container_of(req, struct actor, email_ids), "email-id %u %llx size %llu", uid,
		   (unsigned long long)email_id, (unsigned long long)size_bytes);
}

static void email_ids_done(struct port_op *op, int code)
{
	actor_tell_done(container_of(op, struct actor, email_ids.op), "email-ids", code, &op->err);
}

void actor_email_ids(struct actor *actor, char *words)
{
	actor_set_uids(actor, words);
	actor->email_ids.op.done = email_ids_done;
	actor->email_ids.uids = &actor->uids;
	actor->email_ids.found = email_id_found;
	actor->mailbox->ops->email_ids(actor->mailbox, &actor->email_ids);
}
