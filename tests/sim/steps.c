/* Carrying out a history: what happens to messages and files.
 * SPDX-License-Identifier: MIT */
#include "history.h"

#include <string.h>

#include "syncd/log.h"
#include "syncd/must.h"

#define FLAG_CHOICES 8 /* six system flags and two keywords */

static uint64_t choose_flags(uint64_t choice)
{
	return choice & choice >> 8 & (((uint64_t)1 << FLAG_CHOICES) - 1);
}

/* --- Choosing: NULL or 0 when there is nothing to choose from ------------------------------- */

static struct model_maildir *choose_maildir(struct run *run, uint64_t choice)
{
	size_t count = 0;

	while (model_maildir_nth(&run->world, count) != NULL)
		count++;
	return count > 0 ? model_maildir_nth(&run->world, (size_t)(choice % count)) : NULL;
}

static struct model_mailbox *choose_mailbox(struct run *run, uint64_t choice)
{
	size_t count = 0;

	while (model_mailbox_nth(&run->world, count) != NULL)
		count++;
	return count > 0 ? model_mailbox_nth(&run->world, (size_t)(choice % count)) : NULL;
}

static struct model_file *choose_file(struct run *run, uint64_t choice)
{
	size_t count = 0;

	while (model_file_visible(&run->world, count) != NULL)
		count++;
	struct model_file *file =
		count > 0 ? model_file_visible(&run->world, (size_t)(choice % count)) : NULL;
	if (file != NULL)
		log_trace(NULL, "## the file is %s in %s", file->name, file->maildir->name);
	return file != NULL && file->content != 0 ? file : NULL;
}

static struct model_message *choose_message(struct run *run, uint64_t choice,
					    struct model_mailbox **mailbox)
{
	size_t count = 0;

	for (size_t i = 0; model_mailbox_nth(&run->world, i) != NULL; i++)
		count += model_mailbox_nth(&run->world, i)->count;
	if (count == 0)
		return NULL;
	size_t at = (size_t)(choice % count);
	for (size_t i = 0;; i++) {
		*mailbox = model_mailbox_nth(&run->world, i);
		if (at < (*mailbox)->count)
			return &(*mailbox)->messages[at];
		at -= (*mailbox)->count;
	}
}

/* A content that came into being on that side. */
static uint32_t choose_content(const struct run *run, bool is_local, uint64_t choice)
{
	for (uint32_t i = 0; i < run->contents; i++) {
		uint32_t content = 1 + (uint32_t)((choice + i) % run->contents);
		const struct ledger_row *row = &run->ledger[content];
		if (row->is_local == is_local && !row->is_on_both &&
		    content != run->world.server.refuses_fetch &&
		    content != run->world.server.refuses_append)
			return content;
	}
	return 0;
}

/* --- Locally ------------------------------------------------------------------------------- */

static void local_new(struct run *run, const struct step *step)
{
	struct model_maildir *maildir = choose_maildir(run, step->a >> 16);
	uint64_t flags = step->a % 2 == 0 ? 0 : choose_flags(step->b);

	model_file_create_in(&run->world, maildir, ledger_new(run, maildir->name, true, flags),
			     model_letters(maildir, flags), step->a % 2 == 0);
}

static void local_copy(struct run *run, const struct step *step)
{
	struct model_maildir *maildir = choose_maildir(run, step->b >> 16);
	uint32_t content = choose_content(run, true, step->a);

	if (content == 0)
		return;
	ledger_copy(run, content, maildir->name, true);
	ledger_mark(run, content, maildir->name, choose_flags(step->b));
	model_file_create_in(&run->world, maildir, content, choose_flags(step->b), false);
	ledger_note_rename(run, content, maildir->name);
}

static void local_flags(struct run *run, const struct step *step)
{
	struct model_file *file = choose_file(run, step->a);
	uint64_t changed = choose_flags(step->b);

	if (file == NULL)
		return;
	ledger_touch(run, file->content, file->maildir->name, changed);
	model_file_set_flags(file, file->flags ^ model_letters(file->maildir, changed));
}

static void local_delete(struct run *run, const struct step *step)
{
	struct model_file *file = choose_file(run, step->a);

	if (file == NULL)
		return;
	enum departure departure = departure_of_file(run, file);
	ledger_delete(run, file->content, file->maildir->name, departure, true);
	uint32_t content = file->content;
	const char *mailbox = file->maildir->name;
	file->is_deletion_firm = departure == DEPARTURE_FIRM;
	model_file_delete(file);
	ledger_note_rename(run, content, mailbox);
}

/* Under its own name, which is what mail readers do, or as if it were a new one. */
static const char *choose_name(struct run *run, const struct model_file *file,
			       const struct model_maildir *target, uint64_t choice,
			       char name[MAIL_NAME_MAX + 1])
{
	if (choice % 3 != 0 && model_file_find(&run->world, target, slice_of(file->name)) == NULL)
		return NULL;
	model_file_make_name(&run->world, name);
	return name;
}

static void local_move(struct run *run, const struct step *step)
{
	struct model_file *file = choose_file(run, step->a);
	struct model_maildir *target = choose_maildir(run, step->b >> 16);
	uint64_t changed = step->a >> 16 & 1 ? choose_flags(step->b) : 0;
	char name[MAIL_NAME_MAX + 1];

	if (file == NULL || target == file->maildir)
		return;
	enum departure departure = departure_of_file(run, file);
	ledger_move(run, file->content, file->maildir->name, target->name, departure, true);
	ledger_touch(run, file->content, target->name, changed);
	ledger_mark(run, file->content, target->name, file->flags);
	const char *from = file->maildir->name;
	changed = model_letters(file->maildir, changed);
	if (file->maildir->has_letters_swapped != target->has_letters_swapped)
		ledger_unsettle(run, file->content, (file->flags | changed) & FLAGS_KEYWORDS);
	model_file_move_to(file, target, choose_name(run, file, target, step->b >> 32, name),
			   file->flags ^ changed, 1 + (unsigned)departure);
	ledger_note_rename(run, file->content, from);
	ledger_note_rename(run, file->content, target->name);
	ledger_return(run, file);
}

static void local_copy_out(struct run *run, const struct step *step)
{
	const struct model_file *file = choose_file(run, step->a);
	struct model_maildir *target = choose_maildir(run, step->b >> 16);
	char name[MAIL_NAME_MAX + 1];

	if (file == NULL || target == file->maildir)
		return;
	uint32_t content = file->content;
	ledger_copy(run, content, target->name, true);
	ledger_mark(run, content, target->name, file->flags);
	ledger_return(run, model_file_copy_to(file, target,
					      choose_name(run, file, target, step->b >> 32, name)));
	ledger_note_rename(run, content, target->name);
}

/* --- On the server --------------------------------------------------------------------------- */

static void remote_new(struct run *run, const struct step *step)
{
	struct model_mailbox *mailbox = choose_mailbox(run, step->a >> 16);
	uint64_t flags = choose_flags(step->b);

	model_message_create(&run->world, mailbox, ledger_new(run, mailbox->name, false, flags),
			     flags);
}

static void remote_copy(struct run *run, const struct step *step)
{
	struct model_mailbox *mailbox = choose_mailbox(run, step->b >> 16);
	uint32_t content = choose_content(run, false, step->a);

	if (content == 0)
		return;
	ledger_copy(run, content, mailbox->name, false);
	ledger_mark(run, content, mailbox->name, choose_flags(step->b));
	model_message_create(&run->world, mailbox, content, choose_flags(step->b));
}

static void remote_flags(struct run *run, const struct step *step)
{
	struct model_mailbox *mailbox = NULL;
	struct model_message *message = choose_message(run, step->a, &mailbox);
	uint64_t changed = choose_flags(step->b);

	if (message == NULL)
		return;
	ledger_touch(run, message->content, mailbox->name, changed);
	model_message_set_flags(&run->world, mailbox, message, message->flags ^ changed);
}

static void remote_delete(struct run *run, const struct step *step)
{
	struct model_mailbox *mailbox = NULL;
	struct model_message *message = choose_message(run, step->a, &mailbox);

	if (message == NULL)
		return;
	ledger_delete(run, message->content, mailbox->name,
		      departure_of_message(run, mailbox, message), false);
	ledger_note_rename(run, message->content, mailbox->name);
	model_message_delete(&run->world, mailbox, message);
	ledger_doubt_rename(run, mailbox);
}

static void remote_move(struct run *run, const struct step *step)
{
	struct model_mailbox *mailbox = NULL;
	struct model_message *message = choose_message(run, step->a, &mailbox);
	struct model_mailbox *target = choose_mailbox(run, step->b >> 16);

	if (message == NULL || target == mailbox)
		return;
	ledger_move(run, message->content, mailbox->name, target->name,
		    departure_of_message(run, mailbox, message), false);
	ledger_mark(run, message->content, target->name, message->flags);
	(void)model_server_copy(&run->world, target, message);
	model_message_delete(&run->world, mailbox, message);
	ledger_doubt_rename(run, mailbox);
}

static void remote_copy_out(struct run *run, const struct step *step)
{
	struct model_mailbox *mailbox = NULL;
	struct model_message *message = choose_message(run, step->a, &mailbox);
	struct model_mailbox *target = choose_mailbox(run, step->b >> 16);

	if (message == NULL || target == mailbox)
		return;
	ledger_copy(run, message->content, target->name, false);
	ledger_mark(run, message->content, target->name, message->flags);
	(void)model_server_copy(&run->world, target, message);
}

/* --- On both --------------------------------------------------------------------------------- */

/* Where a mailbox of that name is on either side. */
static void both_new(struct run *run, const struct step *step)
{
	struct model_mailbox *mailbox = choose_mailbox(run, step->a >> 16);
	struct model_maildir *maildir = model_maildir_find(&run->world, mailbox->name);
	uint64_t flags = choose_flags(step->b);

	if (maildir == NULL)
		return;
	uint32_t content = ledger_new_on_both(run, mailbox->name, flags);
	ledger_mark(run, content, mailbox->name, choose_flags(step->a));
	model_message_create(&run->world, mailbox, content, flags);
	model_file_create_in(&run->world, maildir, content, choose_flags(step->a), false);
}

static void renumber(struct run *run, const struct step *step)
{
	struct model_mailbox *mailbox = choose_mailbox(run, step->a >> 16);

	ledger_renumber(run, mailbox->name);
	model_mailbox_renumber(&run->world, mailbox);
}

void history_step(struct run *run, const struct step *step)
{
	static void (*const carry_out[STEP_KIND_COUNT])(struct run *, const struct step *) = {
		[STEP_LOCAL_NEW] = local_new,
		[STEP_LOCAL_COPY] = local_copy,
		[STEP_LOCAL_FLAGS] = local_flags,
		[STEP_LOCAL_DELETE] = local_delete,
		[STEP_LOCAL_MOVE] = local_move,
		[STEP_LOCAL_COPY_OUT] = local_copy_out,
		[STEP_LOCAL_MAKE] = step_make_mailbox,
		[STEP_LOCAL_RENAME] = step_rename_mailbox,
		[STEP_LOCAL_UNMAKE] = step_unmake_mailbox,
		[STEP_REMOTE_NEW] = remote_new,
		[STEP_REMOTE_COPY] = remote_copy,
		[STEP_REMOTE_FLAGS] = remote_flags,
		[STEP_REMOTE_DELETE] = remote_delete,
		[STEP_REMOTE_MOVE] = remote_move,
		[STEP_REMOTE_COPY_OUT] = remote_copy_out,
		[STEP_REMOTE_MAKE] = step_make_mailbox,
		[STEP_REMOTE_RENAME] = step_rename_mailbox,
		[STEP_REMOTE_UNMAKE] = step_unmake_mailbox,
		[STEP_BOTH_NEW] = both_new,
		[STEP_SELECT] = step_select,
		[STEP_RENUMBER] = renumber,
	};

	must(step->kind < STEP_KIND_COUNT);
	carry_out[step->kind](run, step);
}
