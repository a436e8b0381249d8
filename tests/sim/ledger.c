/* The ledger's entries: what users made, moved and deleted, and what the state could know of it.
 * The rules are in history.h.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "history.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define TRASH_COPIES_MAX 4 /* of one deletion, by a server without MOVE */

static const char *const departure_names[] = {
	[DEPARTURE_FIRM] = "firmly",
	[DEPARTURE_WEAK] = "weakly",
	[DEPARTURE_LATE] = "too late",
};

size_t place_of(const char *name)
{
	size_t place = 0;

	while (place < PLACES && strcmp(place_names[place], name) != 0)
		place++;
	return place;
}

bool ledger_is_one_place(const struct run *run, size_t place, size_t other)
{
	return run->renamed[place] == run->renamed[other];
}

static struct ledger_place *entry_of(struct run *run, uint32_t content, const char *mailbox)
{
	size_t place = place_of(mailbox);

	must(content > 0 && content <= run->contents && place < PLACES);
	return &run->ledger[content].places[place];
}

/* --- Messages that come ---------------------------------------------------------------- */

static void arrive(struct run *run, uint32_t content, const char *mailbox, bool is_local)
{
	struct ledger_place *entry = entry_of(run, content, mailbox);

	log_trace(NULL, "## message %u arrives in %s %s", content, mailbox,
		  is_local ? "locally" : "on the server");
	entry->created++;
	entry->put_local += is_local;
	entry->put_remote += !is_local;
	entry->users_local += is_local;
	entry->users_remote += !is_local;
	run->ledger[content].extra += run->is_blurred[place_of(mailbox)];
	entry->extra += run->is_blurred[place_of(mailbox)];
	if (!is_local && model_mailbox_is_going(&run->world, mailbox)) {
		log_trace(NULL, "## and that is just being deleted");
		run->ledger[content].is_undone = true;
		run->ledger[content].deleted_weakly++;
		entry->deleted_weakly++;
	}
}

static void depart(struct ledger_place *entry, bool is_local)
{
	entry->users_local -= is_local;
	entry->users_remote -= !is_local;
}

uint32_t ledger_new(struct run *run, const char *mailbox, bool is_local, uint64_t flags)
{
	uint32_t content = ++run->contents;

	must(content < LEDGER_MAX);
	run->ledger[content] = (struct ledger_row){
		.is_local = is_local,
		.created = 1,
		.first_flags = flags,
	};
	arrive(run, content, mailbox, is_local);
	ledger_mark(run, content, mailbox, flags);
	return content;
}

uint32_t ledger_new_on_both(struct run *run, const char *mailbox, uint64_t flags)
{
	uint32_t content = ledger_new(run, mailbox, false, flags);

	run->ledger[content].is_on_both = true;
	return content;
}

/* --- Messages that go ------------------------------------------------------------------------- */

static bool is_file_visible(struct world *world, const char *mailbox, const char *name)
{
	const struct model_maildir *maildir = model_maildir_find(world, mailbox);
	const struct model_file *file =
		maildir != NULL ? model_file_find(world, maildir, slice_of(name)) : NULL;

	return file != NULL && model_file_is_visible(file);
}

/* The state's record of the mailbox, when its UIDs are those of the server still. */
static const struct mailbox_record *find_bound(struct run *run, const char *mailbox)
{
	const struct mailbox_record *known = model_store_mailbox(&run->world, mailbox);
	const struct model_mailbox *remote = model_mailbox_find(&run->world, mailbox);

	return known != NULL && remote != NULL && known->uidvalidity == remote->uidvalidity ? known
											    : NULL;
}

/* While the mailbox has different names, whether both sides' are taken for one is open. */
enum departure departure_of_file(struct run *run, const struct model_file *file)
{
	const char *mailbox = file->maildir->name;
	const struct mailbox_record *known = find_bound(run, mailbox);
	const struct message_record *record =
		known != NULL ? model_store_by_name(&run->world, known->id, file->name) : NULL;

	if (run->is_renaming[place_of(mailbox)] || record == NULL ||
	    model_store_is_journaled(&run->world, known->id, record->name))
		return DEPARTURE_WEAK;
	if (model_message_find(model_mailbox_find(&run->world, mailbox), record->uid) != NULL)
		return DEPARTURE_FIRM;
	/* Of one that was away it may be the engine that removed the other side's copy. */
	return file->has_returned ? DEPARTURE_WEAK : DEPARTURE_LATE;
}

enum departure departure_of_message(struct run *run, const struct model_mailbox *mailbox,
				    const struct model_message *message)
{
	const struct mailbox_record *known = find_bound(run, mailbox->name);
	const struct message_record *record =
		known != NULL ? model_store_message(&run->world, known->id, message->uid) : NULL;

	if (run->is_renaming[place_of(mailbox->name)] || record == NULL ||
	    model_store_is_journaled(&run->world, known->id, record->name))
		return DEPARTURE_WEAK;
	return is_file_visible(&run->world, mailbox->name, record->name) ? DEPARTURE_FIRM
									 : DEPARTURE_LATE;
}

/* --- What the state binds, while a mailbox has another name --------------------------------- */

/* Whether both are the mailbox, or it has the one name now and the other one elsewhere still. */
static bool may_be(const struct run *run, const char *name, const char *mailbox)
{
	size_t place = place_of(mailbox);

	return strcmp(name, mailbox) == 0 ||
	       (run->is_renaming[place] && ledger_is_one_place(run, place, place_of(name)));
}

/* Whether the state's mailbox of that id may be this one, with the UIDs that the server gives. */
static bool is_bound_in(struct run *run, uint32_t mailbox_id, const char *mailbox)
{
	const struct model_store *store = &run->world.store;
	const struct mailbox_record *known = NULL;

	for (size_t i = 0; i < store->mailbox_count; i++) {
		if (store->mailboxes[i].id == mailbox_id)
			known = &store->mailboxes[i];
	}
	if (known == NULL || !may_be(run, known->name, mailbox))
		return false;
	for (size_t i = 0; model_mailbox_nth(&run->world, i) != NULL; i++) {
		const struct model_mailbox *remote = model_mailbox_nth(&run->world, i);
		if (may_be(run, remote->name, mailbox) && remote->uidvalidity == known->uidvalidity)
			return true;
	}
	return false;
}

static bool is_name_bound(struct run *run, const char *mailbox, const char *name)
{
	const struct model_store *store = &run->world.store;

	for (size_t i = 0; i < store->message_count; i++) {
		if (strcmp(store->messages[i].message.name, name) == 0 &&
		    is_bound_in(run, store->messages[i].mailbox_id, mailbox))
			return true;
	}
	return false;
}

static bool is_file_in(struct run *run, const char *mailbox, const char *name)
{
	for (size_t i = 0; model_file_visible(&run->world, i) != NULL; i++) {
		const struct model_file *file = model_file_visible(&run->world, i);
		if (strcmp(file->name, name) == 0 && may_be(run, file->maildir->name, mailbox))
			return true;
	}
	return false;
}

/* --- The trash ------------------------------------------------------------------------------- */

static bool is_trashed_from(const struct run *run, const char *mailbox)
{
	return run->trash != NULL && strcmp(run->trash, mailbox) != 0;
}

/* Copied there, and to be removed where it was: that may be done once more. */
static void trash_twice(struct run *run, uint32_t content)
{
	if (run->world.server.has_move)
		return;
	run->ledger[content].extra += TRASH_COPIES_MAX;
	entry_of(run, content, run->trash)->extra += TRASH_COPIES_MAX;
}

/* A new file of the message in another mailbox: with that it counts as moved there. */
static bool has_unbound_elsewhere(struct run *run, uint32_t content, const char *mailbox)
{
	for (size_t i = 0; model_file_visible(&run->world, i) != NULL; i++) {
		const struct model_file *file = model_file_visible(&run->world, i);
		if (file->content == content && strcmp(file->maildir->name, mailbox) != 0 &&
		    !is_name_bound(run, file->maildir->name, file->name))
			return true;
	}
	return false;
}

/* One that was to go to the trash may not have got there; false: none was. */
static bool untrash(struct run *run, uint32_t content, struct ledger_place *entry)
{
	if (entry->trashed_firmly == 0)
		return false;
	entry->trashed_firmly--;
	entry_of(run, content, run->trash)->deleted_weakly++;
	return true;
}

/* It may not go there any more, and be gone where it was. */
static void forgo_trash(struct run *run, uint32_t content, struct ledger_place *entry)
{
	if (entry->trashed == 0)
		return;
	entry->trashed--;
	run->ledger[content].deleted_weakly++;
	(void)untrash(run, content, entry);
}

static void trash(struct run *run, uint32_t content, const char *mailbox, enum departure departure)
{
	struct ledger_row *row = &run->ledger[content];
	struct ledger_place *entry = entry_of(run, content, mailbox);

	switch (departure) {
	case DEPARTURE_FIRM:
		entry->deleted++;
		entry->trashed++;
		entry->trashed_firmly++;
		row->moves++;
		arrive(run, content, run->trash, false);
		entry_of(run, content, run->trash)->users_remote--;
		ledger_mark(run, content, run->trash, 0);
		if (has_unbound_elsewhere(run, content, mailbox))
			row->deleted_weakly += untrash(run, content, entry);
		trash_twice(run, content);
		break;
	case DEPARTURE_WEAK:
		row->deleted_weakly++;
		entry->deleted_weakly++;
		entry_of(run, content, run->trash)->extra++;
		trash_twice(run, content);
		break;
	case DEPARTURE_LATE:
		break;
	}
}

/* What was moved, and cannot be on the server. */
static void trash_moved(struct run *run, uint32_t content)
{
	run->ledger[content].extra++;
	entry_of(run, content, run->trash)->extra++;
	trash_twice(run, content);
}

void ledger_untrash(struct run *run, uint32_t content, size_t place)
{
	struct ledger_place *entry = &run->ledger[content].places[place];

	while (untrash(run, content, entry))
		continue;
}

/* With what went from another mailbox it counts as moved. */
void ledger_copy(struct run *run, uint32_t content, const char *mailbox, bool is_local)
{
	struct ledger_row *row = &run->ledger[content];

	row->created++;
	arrive(run, content, mailbox, is_local);
	for (size_t i = 0; is_local && i < PLACES; i++)
		forgo_trash(run, content, &row->places[i]);
}

/* --- Deletions and moves --------------------------------------------------------------------- */

/* A move that nobody has flushed yet: a power cut may take it back. */
static bool is_move_unflushed(const struct world *world, uint32_t content)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		const struct model_file *file = &world->files[i];
		if (file->is_used && file->content == content && file->moved != 0)
			return true;
	}
	return false;
}

void ledger_delete(struct run *run, uint32_t content, const char *mailbox, enum departure departure,
		   bool is_local)
{
	struct ledger_row *row = &run->ledger[content];
	struct ledger_place *entry = entry_of(run, content, mailbox);

	log_trace(NULL, "## message %u is deleted from %s %s", content, mailbox,
		  departure_names[departure]);
	depart(entry, is_local);
	if (is_local && is_trashed_from(run, mailbox) && departure != DEPARTURE_LATE) {
		trash(run, content, mailbox, departure);
		return;
	}
	switch (departure) {
	case DEPARTURE_FIRM:
		row->deleted++;
		entry->deleted++;
		break;
	case DEPARTURE_WEAK:
		row->deleted_weakly++;
		entry->deleted_weakly++;
		break;
	case DEPARTURE_LATE: /* of what was moved on the other side; and if that does not last? */
		row->deleted_weakly += is_move_unflushed(&run->world, content);
		forgo_trash(run, content, entry);
		break;
	}
}

/* Whether the other side has it in any mailbox but that one. */
static bool is_elsewhere(struct run *run, uint32_t content, const char *mailbox, bool is_local)
{
	struct world *world = &run->world;

	for (size_t i = 0; is_local && model_file_visible(world, i) != NULL; i++) {
		const struct model_file *file = model_file_visible(world, i);
		if (file->content == content && strcmp(file->maildir->name, mailbox) != 0)
			return true;
	}
	for (size_t i = 0; !is_local && model_mailbox_nth(world, i) != NULL; i++) {
		const struct model_mailbox *other = model_mailbox_nth(world, i);
		for (size_t n = 0; n < other->count; n++) {
			if (other->messages[n].content == content &&
			    strcmp(other->name, mailbox) != 0)
				return true;
		}
	}
	return false;
}

/* The other side's copy had been moved, too, or deleted: which of these can be told only while that
 * move is still to be seen there. A deletion does not count any more. */
static void settle_late_move(struct run *run, uint32_t content, const char *from, bool is_local)
{
	struct ledger_row *row = &run->ledger[content];
	struct ledger_place *entry = entry_of(run, content, from);

	if (!is_local && entry->trashed > 0) { /* then it does not go to the trash */
		entry->trashed--;
		(void)untrash(run, content, entry);
		return;
	}
	if (row->deleted == 0 || is_elsewhere(run, content, from, !is_local)) {
		row->contested++;
		row->extra++;
		return;
	}
	row->deleted--;
	row->deleted_weakly += row->created > 1; /* it may have been another copy's */
}

void ledger_move(struct run *run, uint32_t content, const char *from, const char *to,
		 enum departure departure, bool is_local)
{
	struct ledger_row *row = &run->ledger[content];

	log_trace(NULL, "## message %u is moved from %s to %s %s", content, from, to,
		  departure_names[departure]);
	row->moves++;
	depart(entry_of(run, content, from), is_local);
	arrive(run, content, to, is_local);
	if (is_local && is_trashed_from(run, from))
		trash_moved(run, content);
	switch (departure) {
	case DEPARTURE_FIRM:
		entry_of(run, content, from)->deleted++;
		break;
	case DEPARTURE_WEAK:
		entry_of(run, content, from)->deleted_weakly++;
		row->extra++;
		break;
	case DEPARTURE_LATE:
		settle_late_move(run, content, from, is_local);
		break;
	}
}

/* Back where the state still binds it: if no pass looked meanwhile, it has never been away, and
 * what the other side did to it there counts; else it is a new message. */
void ledger_return(struct run *run, struct model_file *file)
{
	struct ledger_row *row = &run->ledger[file->content];
	struct ledger_place *entry = entry_of(run, file->content, file->maildir->name);

	file->has_returned = false;
	enum departure departure = departure_of_file(run, file);
	/* The mailbox may be deleted, or have another name, on the server. */
	if (departure == DEPARTURE_WEAK &&
	    (model_store_knows(&run->world, file->maildir->name, file->name) ||
	     is_name_bound(run, file->maildir->name, file->name)))
		departure = DEPARTURE_LATE;
	file->has_returned = departure != DEPARTURE_WEAK;
	switch (departure) {
	case DEPARTURE_FIRM:
		row->extra++;
		entry->deleted_weakly += entry->deleted > 0;
		entry->deleted -= entry->deleted > 0;
		row->deleted_weakly += untrash(run, file->content, entry);
		break;
	case DEPARTURE_LATE:
		row->deleted_weakly++;
		entry->deleted_weakly++;
		break;
	case DEPARTURE_WEAK:
		break;
	}
}

static bool is_record_of(uint32_t content, const struct message_record *record)
{
	struct digest identity;
	uint64_t size_bytes;

	model_identity(content, &identity, &size_bytes);
	return digest_equals(&identity, &record->identity);
}

/* A message that the state binds, and whose file is not there. */
static bool has_lost_file(struct run *run, uint32_t content, const char *mailbox)
{
	const struct model_store *store = &run->world.store;

	for (size_t i = 0; i < store->message_count; i++) {
		const struct message_record *record = &store->messages[i].message;
		if (is_bound_in(run, store->messages[i].mailbox_id, mailbox) &&
		    is_record_of(content, record) && !is_file_in(run, mailbox, record->name))
			return true;
	}
	return false;
}

static bool has_unbound_file(struct run *run, uint32_t content, const char *mailbox)
{
	for (size_t i = 0; model_file_visible(&run->world, i) != NULL; i++) {
		const struct model_file *file = model_file_visible(&run->world, i);
		if (file->content == content && may_be(run, file->maildir->name, mailbox) &&
		    !is_name_bound(run, mailbox, file->name))
			return true;
	}
	return false;
}

void ledger_note_rename(struct run *run, uint32_t content, const char *mailbox)
{
	if (!has_lost_file(run, content, mailbox) || !has_unbound_file(run, content, mailbox))
		return;
	log_trace(NULL, "## message %u may have another name in %s", content, mailbox);
	run->ledger[content].deleted_weakly++;
	entry_of(run, content, mailbox)->deleted_weakly++;
	forgo_trash(run, content, entry_of(run, content, mailbox));
}

/* --- What makes certain things uncertain ----------------------------------------------------- */

void ledger_mark(struct run *run, uint32_t content, const char *mailbox, uint64_t flags)
{
	struct ledger_row *row = &run->ledger[content];

	if (!run->expunges_deleted || (!row->is_marked && (flags & FLAG_DELETED) == 0))
		return;
	log_trace(NULL, "## message %u may go from %s, as it is marked", content, mailbox);
	row->is_marked = true;
	row->deleted_weakly++;
	for (size_t i = 0; i < PLACES; i++)
		row->places[i].deleted_weakly += row->places[i].created > 0;
	if (run->trash == NULL)
		return;
	entry_of(run, content, run->trash)->extra++;
	trash_twice(run, content);
}

void ledger_touch(struct run *run, uint32_t content, const char *mailbox, uint64_t flags_changed)
{
	struct ledger_row *row = &run->ledger[content];

	ledger_mark(run, content, mailbox, flags_changed);

	if (run->is_renaming[place_of(mailbox)]) /* or forgotten, and paired anew */
		ledger_unsettle(run, content, flags_changed);

	for (size_t i = 0; i < ARRAY_LEN(row->touches); i++)
		row->touches[i] += (flags_changed >> i & 1) != 0;
}

/* It may have either value: and if it is a keyword's letter, whichever it stands for. */
void ledger_unsettle(struct run *run, uint32_t content, uint64_t flags_changed)
{
	struct ledger_row *row = &run->ledger[content];
	uint64_t keywords = (uint64_t)3 << FLAGS_SYSTEM_COUNT;

	if ((flags_changed & keywords) != 0)
		flags_changed |= keywords;
	for (size_t i = 0; i < ARRAY_LEN(row->touches); i++)
		row->touches[i] += (flags_changed >> i & 1) != 0 ? 2 : 0;
}

/* The entry that has a departure from the mailbox: it may have had another name then. None has it
 * when a copy that came back made it weak. */
static struct ledger_place *departure_entry(struct run *run, uint32_t content, const char *mailbox)
{
	struct ledger_place *entry = entry_of(run, content, mailbox);

	for (size_t i = 0; entry->deleted == 0 && i < PLACES; i++) {
		if (ledger_is_one_place(run, i, place_of(mailbox)) &&
		    run->ledger[content].places[i].deleted > 0)
			return &run->ledger[content].places[i];
	}
	return entry;
}

static void weaken(struct ledger_place *entry)
{
	entry->deleted -= entry->deleted > 0;
	entry->deleted_weakly++;
}

/* The file is where it was before, and where it had been moved to the engine may have seen it. */
static void take_back_move(struct run *run, const struct model_loss *loss)
{
	struct ledger_row *row = &run->ledger[loss->content];

	row->extra++;
	if (loss->was_visible)
		entry_of(run, loss->content, loss->mailbox)->deleted_weakly++;
	if (loss->moved == 1 + DEPARTURE_FIRM)
		weaken(departure_entry(run, loss->content, loss->origin));
	else if (loss->moved == 1 + DEPARTURE_LATE)
		row->deleted_weakly++; /* the other side's deletion holds again */
}

/* A deletion may have been carried out or not, a flag may have either value. */
void ledger_take_back(struct run *run, const struct model_loss *loss)
{
	if (loss->content == 0) /* a delivery that had not become a message */
		return;
	struct ledger_row *row = &run->ledger[loss->content];
	struct ledger_place *entry = entry_of(run, loss->content, loss->mailbox);
	row->is_undone = true;
	log_trace(NULL, "## message %u: what was done to it in %s is undone", loss->content,
		  loss->mailbox);
	if (loss->was_created) {
		row->deleted_weakly++;
		entry->deleted_weakly++;
	} else if (loss->moved != 0) {
		take_back_move(run, loss);
	}
	if (loss->was_deleted_firmly) {
		struct ledger_place *left = departure_entry(run, loss->content, loss->mailbox);
		if (!untrash(run, loss->content, left) && row->deleted > 0) {
			/* no move on the other side has undone it since */
			row->deleted--;
			row->deleted_weakly++;
		}
		weaken(left);
	}
	ledger_unsettle(run, loss->content, loss->flags_changed);
}
