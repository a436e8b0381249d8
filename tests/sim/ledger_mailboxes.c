/* The ledger's entries about mailboxes: new UIDs, new names, and what becomes uncertain with these.
 * The rules are in history.h.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

/* --- What can no longer be told ----------------------------------------------------------- */

static void weaken_entries(struct run *run, size_t place)
{
	for (uint32_t content = 1; content <= run->contents; content++) {
		struct ledger_row *row = &run->ledger[content];
		struct ledger_place *entry = &row->places[place];
		ledger_untrash(run, content, place);
		unsigned deleted = entry->deleted < row->deleted ? entry->deleted : row->deleted;
		row->deleted -= deleted;
		row->deleted_weakly += deleted;
		row->extra += entry->deleted - deleted; /* those were moves */
		entry->deleted_weakly += entry->deleted;
		entry->deleted = 0;
	}
}

static bool is_in(const struct run *run, const struct model_maildir *maildir, size_t place)
{
	return ledger_is_one_place(run, place_of(maildir->name), place);
}

/* What left the mailbox, under whichever of its names, may have done so in vain. */
static void weaken_departures(struct run *run, size_t place)
{
	for (size_t i = 0; i < PLACES; i++) {
		if (ledger_is_one_place(run, i, place))
			weaken_entries(run, i);
	}
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		struct model_file *file = &run->world.files[i];
		if (file->is_used && is_in(run, file->maildir, place))
			file->is_deletion_firm = false;
		if (file->is_used && file->moved == 1 + DEPARTURE_FIRM &&
		    is_in(run, file->durable_maildir, place))
			file->moved = 1 + DEPARTURE_WEAK;
	}
}

void ledger_restore(struct run *run)
{
	for (size_t i = 0; i < PLACES; i++)
		weaken_departures(run, i);
}

/* What was done last to the messages in the mailboxes that count as one with this. */
static void unsettle(struct run *run, size_t place)
{
	weaken_departures(run, place);
	for (size_t i = 0; i < PLACES; i++) {
		if (!ledger_is_one_place(run, i, place))
			continue;
		for (uint32_t content = 1; content <= run->contents; content++) {
			if (run->ledger[content].places[i].created > 0)
				ledger_unsettle(run, content, ~(uint64_t)0);
		}
	}
}

/* There once more; and what a deleted mailbox seems to have lost goes to the trash. */
static void blur_entry(const struct run *run, struct ledger_row *row, size_t place)
{
	struct ledger_place *entry = &row->places[place];
	bool is_trash = run->trash != NULL && place_of(run->trash) == place;
	unsigned count = entry->created + (is_trash ? entry->extra : 0);

	row->extra += count;
	entry->extra += count;
	if (run->trash == NULL)
		return;
	row->extra += count;
	row->places[place_of(run->trash)].extra += count;
}

/* All that is in them may be there once more, or become one with what is there on the other side:
 * it is as if both sides had put it there. */
static void blur(struct run *run, size_t place)
{
	unsettle(run, place);
	for (size_t i = 0; i < PLACES; i++)
		run->is_blurred[i] |= ledger_is_one_place(run, i, place);
	for (uint32_t content = 1; content <= run->contents; content++) {
		struct ledger_row *row = &run->ledger[content];
		for (size_t i = 0; i < PLACES; i++) {
			struct ledger_place *entry = &row->places[i];
			if (!ledger_is_one_place(run, i, place))
				continue;
			blur_entry(run, row, i);
			entry->put_local = entry->put_remote = entry->created;
		}
	}
}

/* UIDs lose their meaning: deletions not yet carried over cannot be told from
 * messages the other side never had. */
void ledger_renumber(struct run *run, const char *mailbox)
{
	size_t place = place_of(mailbox);

	weaken_departures(run, place);
	if (run->is_renaming[place])
		blur(run, place);
	run->was_renumbered = true;
}

/* Until it comes to rest it is as if it were renamed. */
void ledger_select(struct run *run, size_t place)
{
	if (run->is_renaming[place])
		blur(run, place);
	else
		unsettle(run, place);
	for (size_t i = 0; i < PLACES; i++)
		run->is_renaming[i] |= ledger_is_one_place(run, i, place);
}

/* --- Names ------------------------------------------------------------------------------------ */

static void join(struct run *run, size_t from, size_t to)
{
	size_t kept = run->renamed[from];
	size_t joined = run->renamed[to];

	for (size_t i = 0; i < PLACES; i++) {
		if (run->renamed[i] != joined)
			continue;
		run->renamed[i] = kept;
		run->is_renaming[i] = true;
	}
	for (size_t i = 0; i < PLACES; i++)
		run->is_renaming[i] |= run->renamed[i] == kept;
}

static bool is_anywhere(struct run *run, const char *name)
{
	return model_mailbox_find(&run->world, name) != NULL ||
	       model_maildir_find(&run->world, name) != NULL;
}

/* What a server refuses: one below it, which would go along, has no place to go to. What is only
 * here now may be made there before. */
static bool is_in_the_way(struct run *run, const char *from, const char *to)
{
	bool is_any = false;

	for (size_t i = 0; i < PLACES; i++) {
		if (!model_is_inferior(place_names[i], from) || !is_anywhere(run, place_names[i]))
			continue;
		char *name = xasprintf("%s%s", to, place_names[i] + strlen(from));
		is_any |= is_anywhere(run, name);
		free(name);
	}
	return is_any;
}

enum certainty {
	RENAME_TOLD,    /* by ids */
	RENAME_GUESSED, /* by UIDVALIDITY, and messages that are there still */
	RENAME_UNTOLD,
};

/* Whether there is half of what the state knows: with less it counts as another mailbox. */
static bool has_half(const struct run *run, struct model_mailbox *remote, uint32_t mailbox_id)
{
	const struct model_store *store = &run->world.store;
	size_t known = 0;
	size_t there = 0;

	for (size_t i = 0; i < store->message_count; i++) {
		if (store->messages[i].mailbox_id != mailbox_id)
			continue;
		known++;
		there += model_message_find(remote, store->messages[i].message.uid) != NULL;
	}
	return there > 0 && there * 2 >= known;
}

/* Whether the engine can tell it, if nothing else happens to the mailbox. */
static enum certainty judge_rename(struct run *run, const char *from, const char *to, bool is_local)
{
	const struct mailbox_record *known = model_store_mailbox(&run->world, from);
	struct model_mailbox *remote = model_mailbox_find(&run->world, from);
	const struct model_maildir *local = model_maildir_find(&run->world, from);
	const struct model_server *server = &run->world.server;

	if (run->direction == (is_local ? SYNC_PULL : SYNC_PUSH) || /* it does not follow */
	    run->is_renaming[place_of(from)] || run->is_renaming[place_of(to)] || known == NULL ||
	    remote == NULL || local == NULL || known->uidvalidity != remote->uidvalidity ||
	    model_store_mailbox(&run->world, to) != NULL ||
	    model_mailbox_find(&run->world, to) != NULL ||
	    model_maildir_find(&run->world, to) != NULL)
		return RENAME_UNTOLD;
	if (is_local)
		return known->local_id == local->lasting_id && !is_in_the_way(run, from, to)
			       ? RENAME_TOLD
			       : RENAME_UNTOLD;
	if (known->remote_id == remote->id)
		return RENAME_TOLD;
	return server->shares_uidvalidity || server->renumbers_renamed ||
			       !has_half(run, remote, known->id)
		       ? RENAME_UNTOLD
		       : RENAME_GUESSED;
}

static bool is_any_id_unknown(const struct run *run)
{
	const struct model_store *store = &run->world.store;

	for (size_t i = 0; i < store->mailbox_count; i++) {
		if (store->mailboxes[i].remote_id == 0)
			return true;
	}
	return false;
}

/* Without ids, and with one UIDVALIDITY for several, any may be taken for any other that holds the
 * same messages. */
static void confuse_all(struct run *run)
{
	if (!run->world.server.shares_uidvalidity || !is_any_id_unknown(run))
		return;
	for (size_t i = 1; i + 1 < PLACES; i++)
		join(run, i, i + 1);
	blur(run, 1);
}

/* Under another name it is none: what was deleted from it goes to the one that is made anew. */
static void rename_trash(struct run *run, size_t place)
{
	for (uint32_t content = 1; content <= run->contents; content++) {
		struct ledger_row *row = &run->ledger[content];
		row->extra += row->places[place].deleted;
		row->places[place].extra += row->places[place].deleted;
	}
	weaken_departures(run, place);
}

void ledger_rename(struct run *run, const char *from, const char *to, bool is_local)
{
	static const char *const names[] = { "", ", as may be guessed", ", which cannot be told" };
	const struct model_server *server = &run->world.server;
	size_t place = place_of(from);
	enum certainty certainty = judge_rename(run, from, to, is_local);

	log_trace(NULL, "## mailbox %s becomes %s %s%s", from, to,
		  is_local ? "locally" : "on the server", names[certainty]);
	join(run, place, place_of(to));
	if (run->trash != NULL && place_of(run->trash) == place)
		rename_trash(run, place);
	if (!is_local)
		confuse_all(run);
	run->was_renumbered |= server->shares_uidvalidity || server->renumbers_renamed;
	if (certainty == RENAME_UNTOLD)
		blur(run, place);
	else if (certainty == RENAME_GUESSED || server->shares_uidvalidity ||
		 server->renumbers_renamed)
		unsettle(run, place);
}

void ledger_doubt_rename(struct run *run, struct model_mailbox *remote)
{
	const struct model_store *store = &run->world.store;
	size_t place = place_of(remote->name);

	for (size_t i = 0; run->is_renaming[place] && i < store->mailbox_count; i++) {
		const struct mailbox_record *known = &store->mailboxes[i];
		if (known->uidvalidity != remote->uidvalidity || known->remote_id == remote->id ||
		    strcmp(known->name, remote->name) == 0 ||
		    !ledger_is_one_place(run, place_of(known->name), place) ||
		    has_half(run, remote, known->id))
			continue;
		log_trace(NULL, "## that %s was %s cannot be told any more", remote->name,
			  known->name);
		blur(run, place);
	}
}

static void join_with_inferiors(struct run *run, const char *from, const char *to)
{
	for (size_t i = 0; i < PLACES; i++) {
		if (strcmp(place_names[i], from) != 0 && !model_is_inferior(place_names[i], from))
			continue;
		char *name = xasprintf("%s%s", to, place_names[i] + strlen(from));
		if (place_of(name) < PLACES)
			join(run, i, place_of(name));
		blur(run, i);
		free(name);
	}
}

void ledger_take_over(struct run *run, const struct model_maildir *maildir)
{
	const struct model_store *store = &run->world.store;

	for (size_t i = 0; i < store->mailbox_count; i++) {
		const struct mailbox_record *known = &store->mailboxes[i];
		if (known->local_id != maildir->lasting_id ||
		    strcmp(known->name, maildir->name) == 0)
			continue;
		log_trace(NULL, "## mailbox %s looks as if it had been %s", maildir->name,
			  known->name);
		join_with_inferiors(run, known->name, maildir->name);
	}
}

/* What was to go to the trash goes with the mailbox. */
static void take_along(struct ledger_row *row, struct ledger_place *entry)
{
	row->deleted_weakly += entry->trashed;
	entry->trashed = 0;
}

/* Kept with all that the other side has, what was deleted from it or moved away before is there
 * again. */
void ledger_unmake(struct run *run, const char *mailbox, bool is_local)
{
	if (!is_local)
		confuse_all(run);
	for (uint32_t content = 1; is_local && content <= run->contents; content++) {
		for (size_t i = 0; i < PLACES; i++) {
			if (ledger_is_one_place(run, i, place_of(mailbox)))
				take_along(&run->ledger[content], &run->ledger[content].places[i]);
		}
	}
	weaken_departures(run, place_of(mailbox));
	ledger_disturb(run, mailbox);
}

void ledger_disturb(struct run *run, const char *mailbox)
{
	for (size_t i = 0; i < PLACES; i++) {
		bool is_meant = strcmp(place_names[i], mailbox) == 0 ||
				model_is_inferior(mailbox, place_names[i]);
		if (is_meant && run->is_renaming[i])
			blur(run, i);
	}
}

void ledger_rest(struct run *run)
{
	for (size_t i = 0; i < PLACES; i++)
		run->is_renaming[i] = run->is_blurred[i] = false;
	for (uint32_t content = 1; content <= run->contents; content++) {
		for (size_t i = 0; i < PLACES; i++) {
			struct ledger_place *entry = &run->ledger[content].places[i];
			entry->trashed = entry->trashed_firmly = 0;
		}
	}
}
