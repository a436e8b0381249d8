/* What the server tells of an opened mailbox and whose doing it was: first the delta that
 * observe gives, then the news that settle must know of (RFC 7162 §6). When in doubt the modseq
 * stays where it was: one too high loses changes for ever, one too low tells them twice.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "remote_private.h"

static struct remote_ledger *ledger_of(struct imap_mailbox_user *user)
{
	return container_of(user, struct remote_ledger, user);
}

/* --- Taking notes ------------------------------------------------------------ */

static void note_news(struct remote_ledger *ledger)
{
	ledger->has_news = true;
	ledger->is_unsure = true;
}

static void note_own_modseq(struct remote_ledger *ledger, uint64_t modseq)
{
	if (modseq > ledger->own_modseq)
		ledger->own_modseq = modseq;
}

/* Before observe: part of the delta, if it says whose flags they are. */
static void collect_fetched(struct remote_ledger *ledger, const struct imap_fetched *fetched)
{
	if (fetched->uid != 0 && fetched->has_flags)
		remote_observation_add(&ledger->delta, fetched->uid, fetched->flags);
	else if (fetched->is_own)
		note_own_modseq(ledger, fetched->modseq);
	else if (!fetched->was_asked)
		ledger->is_void = true;
}

/* After observe. The answer to a silent STORE tells flags only when someone else changed them
 * too (RFC 3501 §6.4.6), or where a server does not know .SILENT: without modseqs nothing depends
 * on which. Flags in the answer to a FETCH may be news that will not be told again (Cyrus). */
static void judge_fetched(struct remote_ledger *ledger, const struct imap_fetched *fetched)
{
	if (fetched->modseq > 0 && fetched->modseq <= ledger->observed_modseq)
		return;
	if (fetched->is_own && (!fetched->has_flags || ledger->observed_modseq == 0))
		note_own_modseq(ledger, fetched->modseq);
	else if (!fetched->was_asked)
		note_news(ledger);
	else if (fetched->has_flags)
		ledger->is_unsure = true;
}

static void ledger_fetched(struct imap_mailbox_user *user, const struct imap_fetched *fetched)
{
	struct remote_ledger *ledger = ledger_of(user);

	switch (ledger->phase) {
	case REMOTE_LEDGER_SELECTING:
	case REMOTE_LEDGER_SELECTED:
		collect_fetched(ledger, fetched);
		break;
	case REMOTE_LEDGER_LISTING:
		/* With UID and flags it is in the listing. */
		if (fetched->uid == 0 || !fetched->has_flags)
			judge_fetched(ledger, fetched);
		break;
	case REMOTE_LEDGER_OBSERVED:
		judge_fetched(ledger, fetched);
		break;
	}
}

/* While a mailbox is being selected only what went earlier can be meant (RFC 7162 §3.2.10). */
static void collect_vanished(struct remote_ledger *ledger, uint32_t low, uint32_t high,
			     bool is_earlier)
{
	bool is_odd = ledger->phase == REMOTE_LEDGER_SELECTING && !is_earlier;

	if (is_odd || uid_pile_add_range(&ledger->gone, low, high) != 0)
		ledger->is_void = true;
}

/* What vanished earlier and is told only now may be older than the HIGHESTMODSEQ that came with
 * SELECT, which then says too much (Foundry376/Mailspring-Sync#141). */
static void judge_vanished(struct remote_ledger *ledger, bool is_earlier, bool is_own)
{
	if (is_earlier)
		ledger->observed_modseq = ledger->known_modseq;
	if (is_earlier || !is_own)
		note_news(ledger);
}

static void ledger_vanished(struct imap_mailbox_user *user, uint32_t low, uint32_t high,
			    bool is_earlier, bool is_own)
{
	struct remote_ledger *ledger = ledger_of(user);

	switch (ledger->phase) {
	case REMOTE_LEDGER_SELECTING:
	case REMOTE_LEDGER_SELECTED:
		collect_vanished(ledger, low, high, is_earlier);
		break;
	case REMOTE_LEDGER_LISTING: /* the mailbox counts it, and is listed again */
		break;
	case REMOTE_LEDGER_OBSERVED:
		judge_vanished(ledger, is_earlier, is_own);
		break;
	}
}

/* A number that no UID is known for. A delta that promises all that is gone lacks one then;
 * other ones go by the count of messages. */
static void ledger_expunged(struct imap_mailbox_user *user)
{
	struct remote_ledger *ledger = ledger_of(user);

	if (ledger->phase == REMOTE_LEDGER_OBSERVED)
		ledger->expunged++;
	else if (ledger->phase == REMOTE_LEDGER_SELECTING || ledger->tells_gone)
		ledger->is_void = true;
}

/* Fewer than there were without a word of what went breaks RFC 3501 §7.3.1. */
static void ledger_counted(struct imap_mailbox_user *user, uint32_t before, uint32_t now)
{
	struct remote_ledger *ledger = ledger_of(user);

	if (now > before)
		ledger->grown += now - before;
	else if (ledger->phase == REMOTE_LEDGER_OBSERVED)
		note_news(ledger);
	else
		ledger->is_void = true;
}

/* One that is lower than what was told already means that something is held back (RFC 7162 §6). */
static void ledger_highestmodseq(struct imap_mailbox_user *user, uint64_t modseq, bool is_tagged)
{
	struct remote_ledger *ledger = ledger_of(user);

	ledger->cap = modseq < ledger->own_modseq ? modseq : UINT64_MAX;
	if (is_tagged)
		note_own_modseq(ledger, modseq);
}

static void ledger_damaged(struct imap_mailbox_user *user, bool was_asked)
{
	struct remote_ledger *ledger = ledger_of(user);

	if (ledger->phase != REMOTE_LEDGER_OBSERVED)
		ledger->is_void = true;
	else if (was_asked)
		ledger->is_unsure = true;
	else
		note_news(ledger);
}

static const struct imap_mailbox_user_ops ledger_ops = {
	.fetched = ledger_fetched,
	.vanished = ledger_vanished,
	.expunged = ledger_expunged,
	.counted = ledger_counted,
	.highestmodseq = ledger_highestmodseq,
	.damaged = ledger_damaged,
};

void remote_ledger_init(struct remote_ledger *ledger)
{
	*ledger = (struct remote_ledger){ .user.ops = &ledger_ops, .cap = UINT64_MAX };
	remote_observation_init(&ledger->delta);
}

void remote_ledger_free(struct remote_ledger *ledger)
{
	remote_observation_free(&ledger->delta);
	uid_pile_free(&ledger->gone);
}

/* --- SELECT ---------------------------------------------------------------------- */

static bool is_contradictory(const struct remote_observation *delta)
{
	for (size_t i = 0; i < delta->count; i++) {
		if (uidset_contains(&delta->gone, delta->items[i].uid))
			return true;
	}
	return false;
}

static void take_gone(struct remote_ledger *ledger)
{
	ledger->is_void |= uid_pile_move(&ledger->gone, &ledger->delta.gone) != 0;
}

/* A lower HIGHESTMODSEQ than the one known is that of a mailbox restored from a backup. */
void remote_ledger_selected(struct remote_ledger *ledger, const struct imap_session *session,
			    const struct remote_open_req *req)
{
	const struct imap_mailbox *mailbox = imap_session_mailbox(session);

	ledger->phase = REMOTE_LEDGER_SELECTED;
	ledger->selected_modseq = mailbox->highestmodseq;
	ledger->selected_changes = mailbox->changes;
	if (mailbox->uidvalidity == req->known_uidvalidity &&
	    mailbox->highestmodseq >= req->known_modseq)
		ledger->known_modseq = req->known_modseq;
	ledger->tells_gone = imap_session_has_qresync(session);
	take_gone(ledger);
	ledger->is_void |= mailbox->has_missed || is_contradictory(&ledger->delta);
}

/* --- observe ------------------------------------------------------------------------ */

enum remote_look remote_ledger_look(struct remote_ledger *ledger,
				    const struct imap_mailbox *mailbox)
{
	take_gone(ledger);
	if (ledger->phase != REMOTE_LEDGER_SELECTED || ledger->known_modseq == 0 ||
	    mailbox->has_no_modseq)
		return REMOTE_LOOK_ALL;
	if (ledger->tells_gone)
		return ledger->is_void ? REMOTE_LOOK_ALL : REMOTE_LOOK_TOLD;
	if (ledger->selected_modseq == ledger->known_modseq && !ledger->is_void)
		return REMOTE_LOOK_TOLD;
	return REMOTE_LOOK_CHANGES;
}

static uint64_t safe_modseq(const struct remote_ledger *ledger, const struct imap_mailbox *mailbox)
{
	return mailbox->has_no_modseq ? 0 : ledger->selected_modseq;
}

/* What came since SELECT is not told by UID, so the count is that of before. */
static uint32_t count_before_growth(const struct remote_ledger *ledger,
				    const struct imap_mailbox *mailbox)
{
	return mailbox->exists > ledger->grown ? mailbox->exists - ledger->grown : 0;
}

static void drop_gone_items(struct remote_observation *result)
{
	size_t kept = 0;

	for (size_t i = 0; i < result->count; i++) {
		if (!uidset_contains(&result->gone, result->items[i].uid))
			result->items[kept++] = result->items[i];
	}
	result->count = kept;
}

void remote_ledger_give(struct remote_ledger *ledger, const struct imap_mailbox *mailbox,
			struct remote_observation *result)
{
	remote_observation_free(result);
	*result = ledger->delta;
	remote_observation_init(&ledger->delta);
	remote_observation_sort(result);
	drop_gone_items(result);
	result->is_delta = true;
	result->tells_gone = ledger->tells_gone;
	result->exists = count_before_growth(ledger, mailbox);
	result->highestmodseq = safe_modseq(ledger, mailbox);
	ledger->observed_modseq = result->highestmodseq;
	ledger->phase = REMOTE_LEDGER_OBSERVED;
}

void remote_ledger_list(struct remote_ledger *ledger)
{
	remote_observation_free(&ledger->delta);
	uid_pile_free(&ledger->gone);
	ledger->phase = REMOTE_LEDGER_LISTING;
	ledger->observed_modseq = 0;
	ledger->has_news = false;
	ledger->is_unsure = false;
	ledger->grown = 0;
	ledger->appended = 0;
	ledger->expunged = 0;
	ledger->removed = 0;
}

/* What follows SELECT has what was true then, if it has all. */
void remote_ledger_listed(struct remote_ledger *ledger, const struct imap_mailbox *mailbox,
			  struct remote_observation *result, bool has_changed)
{
	bool has_all = result->is_delta || result->is_complete;

	result->exists = mailbox->exists;
	result->highestmodseq = has_all ? safe_modseq(ledger, mailbox) : 0;
	ledger->observed_modseq = result->highestmodseq;
	ledger->phase = REMOTE_LEDGER_OBSERVED;
	if (has_changed)
		note_news(ledger);
}

/* --- settle ------------------------------------------------------------------------- */

/* Messages that went by number are ours if there are as many as we removed. */
static bool has_news(const struct remote_ledger *ledger)
{
	return ledger->has_news || ledger->grown > ledger->appended ||
	       (ledger->expunged > 0 && ledger->expunged != ledger->removed);
}

/* After writes: the greatest modseq that our changes were given, if all that came before it is
 * ours or was observed. Of an appended message none is told. */
static uint64_t settled_modseq(const struct remote_ledger *ledger)
{
	uint64_t modseq = ledger->observed_modseq;

	if (ledger->has_written && !has_news(ledger) && !ledger->is_unsure && ledger->grown == 0 &&
	    ledger->appended == 0 && ledger->own_modseq > modseq)
		modseq = ledger->own_modseq;
	return modseq < ledger->cap ? modseq : ledger->cap;
}

void remote_ledger_settle(const struct remote_ledger *ledger, const struct imap_mailbox *mailbox,
			  struct remote_settle_req *req)
{
	bool has_observed = ledger->phase == REMOTE_LEDGER_OBSERVED;

	req->exists = mailbox->exists;
	req->has_news = has_observed && has_news(ledger);
	req->highestmodseq = has_observed && ledger->observed_modseq > 0 && !mailbox->has_no_modseq
				     ? settled_modseq(ledger)
				     : 0;
}
