/* Looking at both sides: how much of each has to be looked at, and what was seen. An
 * unchanged mailbox is not opened on the server, nor its directories read; one that
 * changed tells its delta; now and then both are listed in full to check the deltas.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdio.h>
#include <string.h>

#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/sync_baseline.h"

/* So many messages gone at once are looked for before their files go (DESIGN 5). */
#define CONFIRM_GONE_MIN 20

/* --- What the state knows ------------------------------------------------------ */

static bool is_any_aside_due(const struct sync_pass *pass)
{
	for (size_t i = 0; i < pass->setaside.count; i++) {
		if (pass->setaside.records[i].next_try_s <= pass->now_s)
			return true;
	}
	return false;
}

static void decide_how_much(struct sync_pass *pass)
{
	const struct mailbox_record *mailbox = &pass->mailbox;
	bool has_baseline = mailbox->uidvalidity != 0 && mailbox->policy != 0;

	pass->is_verifying = has_baseline && sync_verify_is_due(mailbox, pass->now_s,
								pass->options.verify_interval_s);
	pass->wants_all = !has_baseline || pass->is_verifying || is_any_aside_due(pass);
	pass->needs_remote =
		pass->wants_all || !pass->options.is_remote_quiet || mailbox_has_held(mailbox);
}

static int load_mailbox(struct sync_pass *pass, struct error *err)
{
	struct store_port *store = pass->ports.store;
	bool is_known = false;
	int code = store->ops->mailbox_get(store, pass->name, &is_known, &pass->mailbox, err);

	if (code != 0)
		return code;
	if (!is_known) {
		pass->mailbox = (struct mailbox_record){ .id = store->ops->mailbox_new_id(store) };
		(void)snprintf(pass->mailbox.name, sizeof(pass->mailbox.name), "%s", pass->name);
	}
	pass->is_mailbox_recorded = is_known;
	pass->keywords_recorded = pass->mailbox.keywords.count;
	code = sync_setaside_load(store, pass->mailbox.id, &pass->setaside, err);
	if (code == 0)
		code = pass->ports.local->ops->open(pass->ports.local, pass->name,
						    &pass->mailbox.keywords, &pass->local, err);
	return code;
}

void load_start(struct sync_pass *pass)
{
	struct error err = { 0 };

	pass->now_s = pass->ports.env->ops->wall_s(pass->ports.env);
	if (load_mailbox(pass, &err) != 0)
		pass_fail(pass, &err);
	else
		decide_how_much(pass);
	pass_piece_done(pass);
}

/* --- The maildir, and the server beside it ------------------------------------------ */

static void look_joined(struct sync_pass *pass, const struct port_op *op, int code)
{
	if (code != 0)
		pass_fail(pass, &op->err);
	must(pass->looking > 0);
	if (--pass->looking == 0)
		pass_piece_done(pass);
}

static int make_local_delta(struct sync_pass *pass, struct error *err)
{
	struct sync_observer observer = {
		.store = pass->ports.store,
		.mailbox_id = pass->mailbox.id,
		.mask = pass->local->ops->flags_mask(pass->local),
		.setaside = &pass->setaside,
		.waiting = &pass->recover.waiting,
		.now_s = pass->now_s,
	};

	pass->local_delta.count = 0;
	kept_strip(pass);
	return sync_observe_local(&observer, &pass->listing, &pass->local_delta, err);
}

/* With nothing to do here and no reason to ask the server the pass is over. */
static void look_decide(struct sync_pass *pass)
{
	struct error err = { 0 };

	if (pass->mailbox.policy != pass_policy(pass)) {
		pass->wants_all = true;
		pass->needs_remote = true;
		pass_forget_too_large(pass);
	}
	if (pass->needs_remote)
		return;
	if (make_local_delta(pass, &err) != 0)
		pass_fail(pass, &err);
	pass->needs_remote = pass->local_delta.count > 0;
	pass_note_moving(pass);
}

static void look_scanned(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, scan.op);

	if (code == 0)
		look_decide(pass);
	look_joined(pass, op, code);
}

static void look_opened(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, open.op);

	if (code == 0)
		pass->remote = pass->open.mailbox;
	pass->open.flags_mask &= ~pass->mailbox.unkept;
	look_joined(pass, op, code);
}

static void open_remote(struct sync_pass *pass)
{
	pass->looking++;
	pass->open.op.done = look_opened;
	pass->open.name = pass->name;
	pass->open.keywords = &pass->mailbox.keywords;
	pass->open.wants_uidnext = pass->mailbox.uidvalidity != 0;
	if (pass->mailbox.highestmodseq != 0) {
		pass->open.known_uidvalidity = pass->mailbox.uidvalidity;
		pass->open.known_modseq = pass->mailbox.highestmodseq;
	}
	pass->ports.remote->ops->open(pass->ports.remote, &pass->open);
}

static void scan_local(struct sync_pass *pass, port_done done)
{
	pass->looking++;
	local_listing_free(&pass->listing);
	pass->scan.op.done = done;
	pass->scan.result = &pass->listing;
	pass->local->ops->scan(pass->local, &pass->scan);
}

/* Under way together when it is clear already that the server will be asked. */
void look_start(struct sync_pass *pass)
{
	const struct local_mtimes *mtimes = &pass->mailbox.mtimes;

	if (pass->is_verifying)
		pass->is_local_checked =
			pass->ports.local->ops->is_unchanged(pass->ports.local, pass->name, mtimes);
	if (!pass->wants_all) {
		pass->scan.hints = pass->options.hints;
		pass->scan.hint_count = pass->options.hint_count;
		pass->scan.known = *mtimes;
	}
	if (pass->needs_remote)
		open_remote(pass);
	scan_local(pass, look_scanned);
}

void open_start(struct sync_pass *pass)
{
	if (pass->remote == NULL)
		open_remote(pass);
	else
		pass_piece_done(pass);
}

/* --- The server's delta or listing --------------------------------------------------- */

static void observe_look(struct sync_pass *pass, bool wants_all);

/* What the delta told, to know what it did not. */
static void note_told(struct sync_pass *pass)
{
	for (size_t i = 0; i < pass->observation.count; i++)
		must(uidset_add(&pass->told, pass->observation.items[i].uid) == 0);
	must(uidset_merge(&pass->told, &pass->observation.gone) == 0);
	pass->is_told_complete = pass->observation.tells_gone;
}

static void observed_remote(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, observe.op);

	if (code == 0 && pass->observation.is_delta && pass->wants_all) {
		note_told(pass);
		pass->is_remote_checked = true;
		remote_observation_free(&pass->observation);
		observe_look(pass, true);
		return;
	}
	look_joined(pass, op, code);
}

static void observe_look(struct sync_pass *pass, bool wants_all)
{
	pass->observe.op.done = observed_remote;
	pass->observe.result = &pass->observation;
	pass->observe.wants_all = wants_all;
	pass->remote->ops->observe(pass->remote, &pass->observe);
}

static void observed_local(struct port_op *op, int code)
{
	look_joined(container_of(op, struct sync_pass, scan.op), op, code);
}

/* The maildir is read once more where what was seen of it was a delta and a listing is wanted
 * by now: the server's UIDs mean nothing any more, or the keywords' letters changed; and where
 * keywords were left out that the server, as it is now, may keep. */
void observe_start(struct sync_pass *pass)
{
	bool wants_delta_first = pass->is_verifying && pass->mailbox.highestmodseq != 0;

	pass->looking = 1;
	if (pass->wants_all && (pass->listing.is_delta || pass->is_listing_stripped)) {
		pass->scan = (struct local_scan_req){ .hints = NULL };
		scan_local(pass, observed_local);
	}
	observe_look(pass, pass->wants_all && !wants_delta_first);
}

int pass_make_deltas(struct sync_pass *pass, int64_t now_s, struct error *err)
{
	struct sync_observer observer = {
		.store = pass->ports.store,
		.mailbox_id = pass->mailbox.id,
		.mask = pass->open.flags_mask,
		.setaside = &pass->setaside,
		.waiting = &pass->recover.waiting,
		.now_s = now_s,
	};

	pass->remote_delta.count = 0;
	pass->local_delta.count = 0;
	int code = sync_observe_remote(&observer, &pass->observation, &pass->remote_delta, err);
	if (code != 0)
		return code;
	observer.mask = pass->local->ops->flags_mask(pass->local);
	kept_strip(pass);
	return sync_observe_local(&observer, &pass->listing, &pass->local_delta, err);
}

/* --- What is gone, when the delta does not tell or tells much --------------------------- */

struct gone_walk {
	uint32_t after;
	size_t count;
	struct remote_flags records[256];
};

/* Agreed messages that the search did not find are gone; those it found are not, whatever
 * the delta said of them. What cannot be confirmed is not gone until a later look says so. */
static int compare_with_search(struct sync_pass *pass, struct error *err)
{
	struct remote_observation *obs = &pass->observation;
	struct store_port *store = pass->ports.store;
	struct gone_walk walk = { .after = 0 };

	uidset_clear(&obs->gone);
	obs->tells_gone = pass->search.is_complete;
	if (!obs->tells_gone)
		return 0;
	for (;;) {
		int code = store->ops->messages_after(store, pass->mailbox.id, walk.after,
						      walk.records, ARRAY_LEN(walk.records),
						      &walk.count, err);
		if (code != 0 || walk.count == 0)
			return code;
		for (size_t i = 0; i < walk.count; i++) {
			if (!uidset_contains(&pass->present, walk.records[i].uid))
				must(uidset_add(&obs->gone, walk.records[i].uid) == 0);
		}
		walk.after = walk.records[walk.count - 1].uid;
	}
}

static void confirm_searched(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, search.op);
	struct error err = { 0 };

	if (code != 0)
		pass_fail(pass, &op->err);
	else if (compare_with_search(pass, &err) != 0)
		pass_fail(pass, &err);
	pass_piece_done(pass);
}

/* How many of a delta's messages count for each kind of change. */
static size_t count_changes(const struct delta *delta, enum side_change change)
{
	size_t count = 0;

	for (size_t i = 0; i < delta->count; i++)
		count += delta->entries[i].change == change;
	return count;
}

/* The server's count against ours, with what the delta tells. Pushing, the server keeps what only
 * it has, in whichever number. */
static int compare_counts(struct sync_pass *pass, struct error *err)
{
	size_t known = 0;
	int code = pass->ports.store->ops->message_count(pass->ports.store, pass->mailbox.id,
							 &known, err);

	pass->are_counts_equal =
		pass_direction(pass) != SYNC_PUSH &&
		known + count_changes(&pass->remote_delta, SIDE_NEW) + pass_aside_count(pass) ==
			pass->observation.exists + count_changes(&pass->remote_delta, SIDE_GONE);
	return code;
}

static int needs_search(struct sync_pass *pass, bool *needs, struct error *err)
{
	*needs = false;
	if (!pass->observation.is_delta)
		return 0;
	int code = pass_make_deltas(pass, pass->now_s, err);
	if (code == 0)
		code = compare_counts(pass, err);
	size_t gone = count_changes(&pass->remote_delta, SIDE_GONE);
	if (code == 0 && !pass->observation.tells_gone)
		*needs = !pass->are_counts_equal;
	else if (code == 0)
		*needs = gone >= CONFIRM_GONE_MIN || (gone > 0 && !pass->are_counts_equal);
	return code;
}

void confirm_start(struct sync_pass *pass)
{
	struct error err = { 0 };
	bool needs = false;

	if (needs_search(pass, &needs, &err) != 0)
		pass_fail(pass, &err);
	if (!needs) {
		pass_piece_done(pass);
		return;
	}
	pass->search.op.done = confirm_searched;
	pass->search.present = &pass->present;
	pass->remote->ops->search(pass->remote, &pass->search);
}

/* --- What no delta had told -------------------------------------------------------------- */

/* What only one side has, and keeps: it is seen as new by every complete look. */
static bool is_left_alone(const struct sync_pass *pass, enum side_change local,
			  enum side_change remote)
{
	return sync_rule(pass_direction(pass), local, remote) == OUTCOME_NOTHING;
}

static size_t count_untold(const struct sync_pass *pass)
{
	const struct delta *delta = &pass->remote_delta;
	size_t count = 0;

	for (size_t i = 0; i < delta->count; i++) {
		const struct delta_entry *entry = &delta->entries[i];
		bool is_aside = sync_setaside_find(&pass->setaside, entry->uid, NULL) != NULL;
		if (entry->change == SIDE_GONE && !pass->is_told_complete)
			continue; /* the search would have found it */
		if (entry->change == SIDE_NEW && is_left_alone(pass, SIDE_NEVER, SIDE_NEW))
			continue;
		count += !is_aside && !uidset_contains(&pass->told, entry->uid);
	}
	return count;
}

/* All but what was set aside and is tried again. */
static size_t count_untold_local(const struct sync_pass *pass)
{
	const struct delta *delta = &pass->local_delta;
	size_t count = 0;

	for (size_t i = 0; i < delta->count; i++) {
		const struct delta_entry *entry = &delta->entries[i];
		if (entry->change == SIDE_NEW && is_left_alone(pass, SIDE_NEW, SIDE_NEVER))
			continue;
		count += entry->change != SIDE_NEW ||
			 sync_setaside_find(&pass->setaside, 0, entry->name) == NULL;
	}
	return count;
}

void look_report_missed(struct sync_pass *pass)
{
	size_t remote = pass->is_remote_checked ? count_untold(pass) : 0;
	size_t local = pass->is_local_checked ? count_untold_local(pass) : 0;

	if (!pass->is_verifying)
		return;
	pass->result.missed = remote + local;
	if (remote > 0)
		log_warn(pass->options.account,
			 "%s: a complete comparison found %zu changes on the server that its "
			 "HIGHESTMODSEQ had not told",
			 pass->name, remote);
	if (local > 0)
		log_warn(pass->options.account,
			 "%s: a complete comparison found %zu changes in the maildir that its "
			 "directories' times had not told",
			 pass->name, local);
}
