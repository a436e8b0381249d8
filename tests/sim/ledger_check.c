/* The comparison of both sides with the ledger when everything has come to rest.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "history.h"
#include "syncd/log.h"
#include "syncd/must.h"

void ledger_violated(struct run *run, const char *what, uint32_t content)
{
	if (run->why[0] == '\0')
		(void)snprintf(run->why, sizeof(run->why), "%s (message %u)", what, content);
}

void ledger_tally(struct run *run, struct tallies *tallies)
{
	for (size_t i = 0; model_file_visible(&run->world, i) != NULL; i++) {
		const struct model_file *file = model_file_visible(&run->world, i);
		struct tally *tally = &tallies->of[file->content][place_of(file->maildir->name)];
		if (file->content == 0)
			ledger_violated(run, "a torn file is visible", 0);
		tally->local++;
		tally->local_flags = model_file_flags(file);
	}
	for (size_t n = 0; model_mailbox_nth(&run->world, n) != NULL; n++) {
		const struct model_mailbox *mailbox = model_mailbox_nth(&run->world, n);
		for (size_t i = 0; i < mailbox->count; i++) {
			const struct model_message *message = &mailbox->messages[i];
			struct tally *tally =
				&tallies->of[message->content][place_of(mailbox->name)];
			tally->remote++;
			tally->remote_flags = message->flags;
		}
	}
}

/* --- One mailbox ----------------------------------------------------------------------- */

/* A flag that one hand changed once has that value everywhere. A message that was moved may have
 * lost what the other side did to it meanwhile. */
static void check_touches(struct run *run, uint32_t content, const struct tally *tally)
{
	const struct ledger_row *row = &run->ledger[content];
	unsigned most = row->moves == 0 ? 1 : 0;

	if (row->created != 1 || row->is_on_both || row->deleted_weakly > 0 || run->was_renumbered)
		return;
	for (size_t i = 0; i < ARRAY_LEN(row->touches); i++) {
		uint64_t bit = (uint64_t)1 << i;
		uint64_t expected = row->touches[i] == 1 ? ~row->first_flags : row->first_flags;
		if ((run->world.server.drops & bit) != 0)
			continue;
		if (row->touches[i] <= most && ((tally->local_flags ^ expected) & bit) != 0)
			ledger_violated(run, "a flag change was lost or invented", content);
	}
}

static bool is_set_aside(const struct run *run, uint32_t mailbox_id, uint32_t uid, const char *name)
{
	const struct model_store *store = &run->world.store;

	for (size_t i = 0; i < store->setaside_count; i++) {
		const struct setaside_record *record = &store->setaside[i].setaside;
		if (store->setaside[i].mailbox_id == mailbox_id && record->uid == uid &&
		    strcmp(record->name, name) == 0)
			return true;
	}
	return false;
}

/* A message whose body came without a UID, twice in a row. */
static bool is_remote_aside(struct run *run, uint32_t content, const char *mailbox)
{
	const struct mailbox_record *known = model_store_mailbox(&run->world, mailbox);
	const struct model_mailbox *remote = model_mailbox_find(&run->world, mailbox);

	if (run->world.withheld == 0 || known == NULL || remote == NULL)
		return false;
	for (size_t i = 0; i < remote->count; i++) {
		if (remote->messages[i].content == content &&
		    is_set_aside(run, known->id, remote->messages[i].uid, ""))
			return true;
	}
	return false;
}

/* A local message that the server took and lost again, without UIDPLUS. */
static bool is_local_aside(struct run *run, uint32_t content, const char *mailbox)
{
	const struct mailbox_record *known = model_store_mailbox(&run->world, mailbox);

	if (run->world.server.has_uidplus || known == NULL)
		return false;
	for (size_t i = 0; model_file_visible(&run->world, i) != NULL; i++) {
		const struct model_file *file = model_file_visible(&run->world, i);
		if (file->content == content && strcmp(file->maildir->name, mailbox) == 0 &&
		    is_set_aside(run, known->id, 0, file->name))
			return true;
	}
	return false;
}

bool ledger_is_refused(struct run *run, uint32_t content, const char *mailbox)
{
	return content == run->world.server.refuses_fetch ||
	       content == run->world.server.refuses_append ||
	       is_local_aside(run, content, mailbox) || is_remote_aside(run, content, mailbox);
}

/* None that is marked as deleted is left where these are to go (17). */
static void check_marked(struct run *run, uint32_t content, size_t place, const struct tally *tally)
{
	if (run->expunges_deleted && !ledger_is_refused(run, content, place_names[place]) &&
	    ((tally->local_flags | tally->remote_flags) & FLAG_DELETED) != 0)
		ledger_violated(run, "a message marked as deleted is left", content);
}

/* Where it is, both sides agree. */
static void check_agreement(struct run *run, uint32_t content, size_t place,
			    const struct tally *tally)
{
	if (tally->local != tally->remote && !ledger_is_refused(run, content, place_names[place]))
		ledger_violated(run, "a message is not on both sides", content);
	if (tally->local != tally->remote)
		log_trace(NULL, "## message %u %s: %u here, %u on the server", content,
			  place_names[place], tally->local, tally->remote);
	if (tally->local == 1 && tally->remote == 1 &&
	    !ledger_is_refused(run, content, place_names[place])) {
		uint64_t drops = run->world.server.drops;
		if (((tally->local_flags ^ tally->remote_flags) & ~drops) != 0)
			ledger_violated(run, "flags differ", content);
		check_touches(run, content, tally);
	}
}

/* --- The count ---------------------------------------------------------------------------- */

/* Between which numbers of copies the truth must lie, and what there is. */
struct account {
	unsigned created;
	unsigned deleted;
	unsigned uncertain; /* that need not be there */
	unsigned merged;    /* that both sides put there: several may have become one */
	unsigned extra;     /* that need not be missing */
	unsigned held;
};

static unsigned less(unsigned a, unsigned b)
{
	return a > b ? a - b : 0;
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static void check_account(struct run *run, uint32_t content, const char *where,
			  const struct account *account, const char *lost, const char *doubled)
{
	unsigned most = less(account->created, account->deleted);
	unsigned least = less(most, account->uncertain);

	if (least > 0 && least == account->created) /* of several that are one, one is left */
		least = less(least - 1, account->merged) + 1;
	else
		least = less(least, account->merged);
	if (account->held < least)
		ledger_violated(run, lost, content);
	if (account->held > most + account->extra)
		ledger_violated(run, doubled, content);
	if (account->held < least || account->held > most + account->extra)
		log_trace(NULL, "## message %u %s: %u copies, %u to %u expected", content, where,
			  account->held, least, most + account->extra);
}

/* Of the mailboxes that count as one with `place`. */
static struct account account_of(const struct run *run, uint32_t content, size_t place,
				 const struct tallies *tallies)
{
	const struct ledger_row *row = &run->ledger[content];
	struct account account = { .uncertain = row->contested };
	unsigned put_local = 0;
	unsigned put_remote = 0;

	for (size_t i = 0; i < PLACES; i++) {
		const struct ledger_place *entry = &row->places[i];
		const struct tally *tally = &tallies->of[content][i];
		if (run->renamed[i] != place)
			continue;
		account.created += entry->created;
		account.deleted += entry->deleted;
		account.uncertain += entry->deleted_weakly;
		account.extra += entry->extra;
		put_local += entry->put_local;
		put_remote += entry->put_remote;
		account.held += tally->local > tally->remote ? tally->local : tally->remote;
	}
	account.merged = smaller(put_local, put_remote);
	return account;
}

/* What left a mailbox may have taken along what the other side had put there. */
static unsigned merged_away(const struct ledger_place *entry)
{
	return smaller(smaller(entry->put_local, entry->put_remote),
		       entry->deleted + entry->deleted_weakly);
}

static void check_row(struct run *run, uint32_t content, const struct tallies *tallies)
{
	const struct ledger_row *row = &run->ledger[content];
	struct account accounts[PLACES];
	struct account whole = {
		.created = row->created,
		.deleted = row->deleted,
		.uncertain = row->deleted_weakly,
		.extra = row->extra,
	};

	for (size_t i = 0; i < PLACES; i++) {
		accounts[i] = account_of(run, content, i, tallies);
		whole.merged += accounts[i].merged;
		whole.uncertain += merged_away(&row->places[i]);
		whole.held += accounts[i].held;
	}
	check_account(run, content, "anywhere", &whole, "a message was lost",
		      "a message was doubled or came back");
	for (size_t i = 0; i < PLACES; i++) {
		if (run->renamed[i] == i)
			check_account(run, content, place_names[i], &accounts[i],
				      "a message is not where it was put",
				      "a message is where nobody put it, or stayed behind");
		check_agreement(run, content, i, &tallies->of[content][i]);
		check_marked(run, content, i, &tallies->of[content][i]);
	}
}

/* --- All of it ---------------------------------------------------------------------------------
 */

bool ledger_has_followed(struct run *run, size_t place)
{
	bool is_local = model_maildir_find(&run->world, place_names[place]) != NULL;
	bool is_remote = model_mailbox_find(&run->world, place_names[place]) != NULL;

	return is_local == is_remote || (is_local && run->direction == SYNC_PULL) ||
	       (is_remote && run->direction == SYNC_PUSH);
}

static void check_mailboxes(struct run *run)
{
	for (size_t i = 0; i < PLACES; i++) {
		if (!ledger_has_followed(run, i))
			ledger_violated(run, "a mailbox is not on both sides", (uint32_t)i);
	}
}

/* What the state takes for the server's id of a message is that. */
static void check_email_ids(struct run *run)
{
	const struct model_store *store = &run->world.store;

	for (size_t i = 0; i < store->message_count; i++) {
		const struct model_record *record = &store->messages[i];
		struct model_mailbox *mailbox = NULL;
		for (size_t k = 0; k < store->mailbox_count; k++) {
			if (store->mailboxes[k].id == record->mailbox_id)
				mailbox = model_mailbox_find(&run->world, store->mailboxes[k].name);
		}
		const struct model_message *message =
			mailbox != NULL ? model_message_find(mailbox, record->message.uid) : NULL;
		if (message != NULL && record->message.email_id != 0 &&
		    record->message.email_id != model_email_id(message->content))
			ledger_violated(run, "the state has another's email_id", message->content);
	}
}

/* Pulling, a mailbox that only the maildir has is left alone, with whatever is in its tmp/. */
static bool is_passed_over(struct run *run, const struct model_maildir *maildir)
{
	return run->direction != SYNC_PULL ||
	       model_mailbox_find(&run->world, maildir->name) != NULL;
}

void ledger_check(struct run *run)
{
	struct tallies tallies = { 0 };

	ledger_tally(run, &tallies);
	check_mailboxes(run);
	check_email_ids(run);
	for (uint32_t content = 1; run->direction == SYNC_BOTH && content <= run->contents;
	     content++)
		check_row(run, content, &tallies);
	if (run->direction != SYNC_BOTH)
		ledger_check_one_way(run, &tallies);
	for (size_t i = 0; i < run->world.store.journal_count; i++)
		log_trace(NULL, "## mailbox %u: %s is in the journal (%d)",
			  run->world.store.journal[i].mailbox_id,
			  run->world.store.journal[i].journal.name,
			  run->world.store.journal[i].journal.kind);
	if (run->world.store.journal_count > 0)
		ledger_violated(run, "the journal is not empty at rest", 0);
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		const struct model_file *file = &run->world.files[i];
		if (file->is_used && file->place == PLACE_TMP && is_passed_over(run, file->maildir))
			ledger_violated(run, "a file was left in tmp/", 0);
	}
}
