/* Carrying out a history: what happens to mailboxes.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

static bool exists(struct run *run, bool is_local, const char *name)
{
	return is_local ? model_maildir_find(&run->world, name) != NULL
			: model_mailbox_find(&run->world, name) != NULL;
}

/* A name of something half renamed. People leave that alone on both sides: when the server's
 * mailbox gets a third name or is deleted now, the halves stay as they are, and are told of. */
static bool is_half(struct run *run, const char *name)
{
	const struct model_maildir *maildir = model_maildir_find(&run->world, name);

	return (maildir != NULL && model_maildir_is_half(maildir)) ||
	       model_maildir_find_half(&run->world, name) != NULL;
}

/* One of the names that some mailbox of that side has, or none has; NULL: there is none. INBOX is
 * not chosen. */
static const char *choose_place(struct run *run, bool is_local, bool is_taken, uint64_t choice)
{
	for (size_t i = 0; i < PLACES - 1; i++) {
		const char *name = place_names[1 + (choice + i) % (PLACES - 1)];
		if (exists(run, is_local, name) == is_taken && !is_half(run, name))
			return name;
	}
	return NULL;
}

static size_t count_mailboxes(struct run *run, bool is_local)
{
	size_t count = 0;

	for (size_t i = 0; i < PLACES; i++)
		count += exists(run, is_local, place_names[i]);
	return count;
}

void step_make_mailbox(struct run *run, const struct step *step)
{
	bool is_local = step->kind == STEP_LOCAL_MAKE;
	const char *name = choose_place(run, is_local, false, step->a);

	if (name == NULL || count_mailboxes(run, is_local) == MAILBOXES_MAX)
		return;
	log_trace(NULL, "## mailbox %s is made %s", name, is_local ? "locally" : "on the server");
	ledger_disturb(run, name);
	if (is_local)
		ledger_take_over(run, model_maildir_create(&run->world, name));
	else
		(void)model_mailbox_create(&run->world, name);
}

/* --- Renaming ----------------------------------------------------------------------------- */

struct renaming {
	const char *from;
	const char *to;
	bool is_local;
	bool has_inferiors; /* they go along */
};

/* The new name of one that is to be renamed, too; the caller frees it. */
static char *name_after(const struct renaming *renaming, const char *name)
{
	if (strcmp(name, renaming->from) != 0 &&
	    !(renaming->has_inferiors && model_is_inferior(name, renaming->from)))
		return NULL;
	return xasprintf("%s%s", renaming->to, name + strlen(renaming->from));
}

/* All names are free, and among the places, whatever else the other side has or may come to have
 * below it when it follows. */
static bool may_rename(struct run *run, const struct renaming *renaming)
{
	bool may = !model_is_inferior(renaming->to, renaming->from) &&
		   model_depth_of(renaming->to) <= model_depth_of(renaming->from);

	for (size_t i = 0; i < PLACES; i++) {
		char *name = exists(run, renaming->is_local, place_names[i])
				     ? name_after(renaming, place_names[i])
				     : NULL;
		if (name != NULL)
			may &= !exists(run, renaming->is_local, name) && !is_half(run, name) &&
			       !is_half(run, place_names[i]);
		free(name);
	}
	return may;
}

/* A maildir's name is its directories', so that one goes after the other. Those below it that stay
 * here may be taken along on the server. */
static void rename_all(struct run *run, const struct renaming *renaming)
{
	for (size_t i = 0; i < PLACES; i++) {
		const struct renaming all = { renaming->from, renaming->to, true, true };
		char *name = name_after(&all, place_names[i]);
		char *here = name_after(renaming, place_names[i]);
		if (name != NULL) /* what stays here is told by how it looks on the server */
			ledger_rename(run, place_names[i], name,
				      renaming->is_local && here != NULL);
		free(here);
		free(name);
	}
	for (size_t i = 0; renaming->is_local && i < PLACES; i++) {
		char *name = name_after(renaming, place_names[i]);
		if (name != NULL)
			(void)model_maildir_rename(&run->world, place_names[i], name);
		for (uint32_t content = 1; name != NULL && content <= run->contents; content++)
			ledger_note_rename(run, content, name);
		free(name);
	}
	if (!renaming->is_local)
		(void)model_mailbox_rename(&run->world, renaming->from, renaming->to);
}

/* What a rename that was cut short has left, and the engine cannot go on with, as the server's
 * mailbox has changed too much since to be told: people follow its warning. */
void step_mend_halves(struct run *run)
{
	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++) {
		struct model_maildir *maildir = &run->world.maildirs[i];
		if (maildir->id == 0 || !model_maildir_is_half(maildir))
			continue;
		const char *to =
			model_maildir_has_lost_half(maildir) ? maildir->name : maildir->half_name;
		char *name = xstrdup(to);
		ledger_rename(run, maildir->name, name, true);
		ledger_disturb(run, name);
		if (model_maildir_has_lost_half(maildir))
			maildir->half_name[0] = '\0';
		else
			must(model_maildir_rename(&run->world, maildir->name, name) == 0);
		free(name);
	}
}

/* Before the state knows its number, a directory that takes another's name with equal times passes
 * for it: clocks that count in seconds make that possible, but hardly anybody will see it. */
static bool looks_unchanged(struct run *run, const struct renaming *renaming)
{
	bool looks = false;

	for (size_t i = 0; i < PLACES; i++) {
		const struct model_maildir *maildir =
			model_maildir_find(&run->world, place_names[i]);
		char *name = maildir != NULL ? name_after(renaming, place_names[i]) : NULL;
		const struct mailbox_record *known =
			name != NULL ? model_store_mailbox(&run->world, name) : NULL;
		looks |= known != NULL && known->local_id == 0 &&
			 known->mtimes.cur_ns == maildir->mtimes.cur_ns &&
			 known->mtimes.new_ns == maildir->mtimes.new_ns;
		free(name);
	}
	return looks;
}

/* In the layout `verbatim` a directory takes those in it along, in `maildir++` it does not. */
void step_rename_mailbox(struct run *run, const struct step *step)
{
	bool is_local = step->kind == STEP_LOCAL_RENAME;
	const struct renaming renaming = {
		.from = choose_place(run, is_local, true, step->a),
		.to = choose_place(run, is_local, false, step->b),
		.is_local = is_local,
		.has_inferiors = !is_local || step->a >> 16 & 1,
	};

	if (renaming.from != NULL && renaming.to != NULL && may_rename(run, &renaming) &&
	    !(is_local && looks_unchanged(run, &renaming)))
		rename_all(run, &renaming);
}

/* --- Deleting -------------------------------------------------------------------------------- */

/* The mailbox is kept when there is something in it that the state does not know. */
static enum departure with_mailbox(enum departure departure)
{
	return departure == DEPARTURE_FIRM ? DEPARTURE_WEAK : departure;
}

static void unmake_local(struct run *run, struct model_maildir *maildir)
{
	for (size_t i = 0; model_file_visible(&run->world, i) != NULL; i++) {
		struct model_file *file = model_file_visible(&run->world, i);
		if (file->maildir != maildir || file->content == 0)
			continue;
		enum departure departure = with_mailbox(departure_of_file(run, file));
		ledger_delete(run, file->content, maildir->name, departure, true);
	}
	model_maildir_delete(&run->world, maildir);
}

static void unmake_remote(struct run *run, struct model_mailbox *mailbox)
{
	for (size_t i = 0; i < mailbox->count; i++) {
		const struct model_message *message = &mailbox->messages[i];
		enum departure departure =
			with_mailbox(departure_of_message(run, mailbox, message));
		ledger_delete(run, message->content, mailbox->name, departure, false);
	}
	(void)model_mailbox_delete(&run->world, mailbox->name);
}

void step_unmake_mailbox(struct run *run, const struct step *step)
{
	bool is_local = step->kind == STEP_LOCAL_UNMAKE;
	const char *name = choose_place(run, is_local, true, step->a);

	if (name == NULL)
		return;
	log_trace(NULL, "## mailbox %s is deleted %s", name,
		  is_local ? "locally" : "on the server");
	ledger_unmake(run, name, is_local);
	if (is_local)
		unmake_local(run, model_maildir_find(&run->world, name));
	else
		unmake_remote(run, model_mailbox_find(&run->world, name));
}

/* --- Wanting --------------------------------------------------------------------------------- */

void step_select(struct run *run, const struct step *step)
{
	size_t place = step->a % PLACES;

	run->is_excluded[place] = !run->is_excluded[place];
	log_trace(NULL, "## mailbox %s is %s", place_names[place],
		  run->is_excluded[place] ? "excluded" : "wanted again");
	ledger_select(run, place);
}

void step_select_all(struct run *run)
{
	for (size_t i = 0; i < PLACES; i++)
		run->is_excluded[i] = false;
}
