/* Making, printing and carrying out histories.
 * SPDX-License-Identifier: MIT */
#include "history.h"

#include <stdio.h>
#include <string.h>

#include "syncd/must.h"

#define FLAG_CHOICES 8 /* six system flags and two keywords */

static const char *const step_names[STEP_KIND_COUNT] = {
	"local new",   "local copy",   "local flags",   "local delete", "remote new",
	"remote copy", "remote flags", "remote delete", "both new",     "renumber",
};

static const char *const fault_names[FAULT_KIND_COUNT] = {
	"none", "fail", "lose reply", "kill before", "kill after", "power before", "power after",
};

/* --- Making ---------------------------------------------------------------------- */

static enum step_kind choose_kind(struct rng *rng, bool may_renumber)
{
	static const unsigned char weights[STEP_KIND_COUNT] = { 6, 1, 5, 4, 6, 1, 5, 4, 0, 2 };
	uint64_t total = 0;

	for (size_t i = 0; i < STEP_KIND_COUNT; i++)
		total += weights[i];
	uint64_t draw = rng_below(rng, total);
	for (size_t i = 0; i < STEP_KIND_COUNT; i++) {
		if (draw < weights[i])
			return i == STEP_RENUMBER && !may_renumber ? STEP_LOCAL_NEW
								   : (enum step_kind)i;
		draw -= weights[i];
	}
	return STEP_LOCAL_NEW;
}

void history_make(struct history *history, uint64_t seed)
{
	struct rng rng = { .state = seed ^ 0x5eed };
	size_t early = (size_t)rng_below(&rng, 12);
	bool may_renumber = rng_below(&rng, 4) == 0;
	uint64_t most_calls = rng_below(&rng, 2) == 0 ? 12 : 40; /* between two steps */

	memset(history, 0, sizeof(*history));
	history->seed = seed;
	history->passes = 3 + (unsigned)rng_below(&rng, 10);
	history->step_count = early + rng_below(&rng, HISTORY_STEPS_MAX - early);
	history->fault_count = rng_below(&rng, HISTORY_FAULTS_MAX / 2 + 1);
	for (size_t i = 0; i < history->step_count; i++) {
		struct step *step = &history->steps[i];
		step->kind = choose_kind(&rng, may_renumber);
		step->a = rng_next(&rng);
		step->b = rng_next(&rng);
		if (i >= early)
			step->at_call = history->steps[i - 1 + (i == 0)].at_call +
					rng_below(&rng, most_calls);
		else if (rng_below(&rng, 4) == 0)
			step->kind = STEP_BOTH_NEW;
	}
	for (size_t i = 0; i < history->fault_count; i++) {
		history->faults[i].at_call = 1 + rng_below(&rng, 60 * history->passes);
		history->faults[i].kind =
			(enum fault_kind)(1 + rng_below(&rng, FAULT_KIND_COUNT - 1));
	}
}

void history_print(const struct history *history)
{
	(void)printf("# seed %llu, %u passes\n", (unsigned long long)history->seed,
		     history->passes);
	for (size_t i = 0; i < history->step_count; i++) {
		const struct step *step = &history->steps[i];
		(void)printf("#   after call %-4llu %s (%llu, %llu)\n",
			     (unsigned long long)step->at_call, step_names[step->kind],
			     (unsigned long long)step->a % 1000,
			     (unsigned long long)step->b % 1000);
	}
	for (size_t i = 0; i < history->fault_count; i++)
		(void)printf("#   at call    %-4llu fault: %s\n",
			     (unsigned long long)history->faults[i].at_call,
			     fault_names[history->faults[i].kind]);
}

/* --- Carrying out -------------------------------------------------------------------- */

static uint64_t choose_flags(uint64_t choice)
{
	return choice & choice >> 8 & (((uint64_t)1 << FLAG_CHOICES) - 1);
}

static uint32_t ledger_new(struct run *run, bool is_local, uint64_t flags)
{
	uint32_t content = ++run->contents;

	must(content < LEDGER_MAX);
	run->ledger[content] = (struct ledger_row){
		.is_local = is_local,
		.created = 1,
		.first_flags = flags,
	};
	return content;
}

/* A content that came into being on that side, 0 when there is none. */
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

static size_t count_visible(struct world *world)
{
	size_t count = 0;

	while (model_file_visible(world, count) != NULL)
		count++;
	return count;
}

/* A deletion may have been carried out or not, a flag may have either value. */
void history_take_back(struct run *run, const struct model_loss *loss)
{
	struct ledger_row *row = &run->ledger[loss->content];

	row->deleted_weakly += loss->was_created;
	if (loss->was_deleted_firmly) {
		row->deleted--;
		row->deleted_weakly++;
	}
	for (size_t i = 0; i < FLAG_CHOICES; i++)
		row->touches[i] += (loss->flags_changed >> i & 1) != 0 ? 2 : 0;
}

static void touch(struct run *run, uint32_t content, uint64_t changed)
{
	for (size_t i = 0; i < FLAG_CHOICES; i++)
		run->ledger[content].touches[i] += (changed >> i & 1) != 0;
}

static bool is_on_other_side(struct run *run, const struct message_record *record, bool is_local)
{
	struct world *world = &run->world;
	struct model_mailbox *mailbox = model_mailbox_find(world, "INBOX");
	struct model_maildir *maildir = model_maildir_find(world, "INBOX");

	if (is_local)
		return model_message_find(mailbox, record->uid) != NULL;
	const struct model_file *file = model_file_find(world, maildir, slice_of(record->name));
	return file != NULL && model_file_is_visible(file);
}

/* A deletion is firm when the state binds the message, so that its absence can be
 * understood; and it is none when the other side's copy has been deleted before. True when it is
 * firm. */
static bool count_deletion(struct run *run, uint32_t content, const char *name, uint32_t uid)
{
	const struct world *world = &run->world;
	const struct mailbox_record *known = model_store_mailbox(world, "INBOX");
	struct ledger_row *row = &run->ledger[content];
	const struct message_record *record = NULL;

	if (known != NULL &&
	    known->uidvalidity == model_mailbox_find(&run->world, "INBOX")->uidvalidity)
		record = name != NULL ? model_store_by_name(world, known->id, name)
				      : model_store_message(world, known->id, uid);
	if (record == NULL || model_store_is_journaled(world, known->id, record->name)) {
		row->deleted_weakly++;
		return false;
	}
	if (!is_on_other_side(run, record, name != NULL))
		return false;
	row->deleted++;
	return true;
}

static void step_local_change(struct run *run, const struct step *step)
{
	struct world *world = &run->world;
	size_t count = count_visible(world);

	if (count == 0)
		return;
	struct model_file *file = model_file_visible(world, (size_t)(step->a % count));
	if (file->content == 0)
		return;
	if (step->kind == STEP_LOCAL_DELETE) {
		file->is_deletion_firm = count_deletion(run, file->content, file->name, 0);
		model_file_delete(file);
	} else {
		uint64_t changed = choose_flags(step->b);
		touch(run, file->content, changed);
		model_file_set_flags(file, file->flags ^ changed);
	}
}

static void step_remote_change(struct run *run, const struct step *step)
{
	struct model_mailbox *inbox = model_mailbox_find(&run->world, "INBOX");

	if (inbox->count == 0)
		return;
	struct model_message *message = &inbox->messages[step->a % inbox->count];
	if (step->kind == STEP_REMOTE_DELETE) {
		(void)count_deletion(run, message->content, NULL, message->uid);
		model_message_delete(&run->world, inbox, message);
	} else {
		uint64_t changed = choose_flags(step->b);
		touch(run, message->content, changed);
		model_message_set_flags(&run->world, inbox, message, message->flags ^ changed);
	}
}

/* UIDs lose their meaning: deletions not yet carried over cannot be told from
 * messages the other side never had. */
static void step_renumber(struct run *run)
{
	for (uint32_t i = 1; i <= run->contents; i++) {
		run->ledger[i].deleted_weakly += run->ledger[i].deleted;
		run->ledger[i].deleted = 0;
	}
	for (size_t i = 0; i < MODEL_FILES_MAX; i++)
		run->world.files[i].is_deletion_firm = false;
	run->was_renumbered = true;
	model_mailbox_renumber(&run->world, model_mailbox_find(&run->world, "INBOX"));
}

void history_step(struct run *run, const struct step *step)
{
	struct world *world = &run->world;
	uint64_t flags = choose_flags(step->b);
	uint32_t content = 0;

	switch (step->kind) {
	case STEP_LOCAL_NEW:
		flags = step->a % 2 == 0 ? 0 : flags;
		model_file_create(world, ledger_new(run, true, flags), flags, step->a % 2 == 0);
		break;
	case STEP_REMOTE_NEW:
		model_message_create(world, model_mailbox_find(world, "INBOX"),
				     ledger_new(run, false, flags), flags);
		break;
	case STEP_LOCAL_COPY:
	case STEP_REMOTE_COPY:
		content = choose_content(run, step->kind == STEP_LOCAL_COPY, step->a);
		if (content == 0)
			break;
		run->ledger[content].created++;
		if (step->kind == STEP_LOCAL_COPY)
			model_file_create(world, content, flags, false);
		else
			model_message_create(world, model_mailbox_find(world, "INBOX"), content,
					     flags);
		break;
	case STEP_BOTH_NEW:
		content = ledger_new(run, false, flags);
		run->ledger[content].is_on_both = true;
		model_message_create(world, model_mailbox_find(world, "INBOX"), content, flags);
		model_file_create(world, content, choose_flags(step->a), false);
		break;
	case STEP_LOCAL_FLAGS:
	case STEP_LOCAL_DELETE:
		step_local_change(run, step);
		break;
	case STEP_REMOTE_FLAGS:
	case STEP_REMOTE_DELETE:
		step_remote_change(run, step);
		break;
	case STEP_RENUMBER:
		step_renumber(run);
		break;
	case STEP_KIND_COUNT:
		must_fail("a kind of step", __FILE__, __LINE__);
	}
}
