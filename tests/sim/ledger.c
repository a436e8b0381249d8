/* The ledger: what must be on both sides when everything has come to rest.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "history.h"
#include "syncd/must.h"

void ledger_violated(struct run *run, const char *what, uint32_t content)
{
	if (run->why[0] == '\0')
		(void)snprintf(run->why, sizeof(run->why), "%s (message %u)", what, content);
}

struct tally {
	unsigned local;
	unsigned remote;
	uint64_t local_flags;
	uint64_t remote_flags;
};

static void tally_sides(struct run *run, struct tally *tallies)
{
	for (size_t i = 0; model_file_visible(&run->world, i) != NULL; i++) {
		const struct model_file *file = model_file_visible(&run->world, i);
		if (file->content == 0)
			ledger_violated(run, "a torn file is visible", 0);
		tallies[file->content].local++;
		tallies[file->content].local_flags = file->flags;
	}
	const struct model_mailbox *inbox = model_mailbox_find(&run->world, "INBOX");
	for (size_t i = 0; i < inbox->count; i++) {
		const struct model_message *message = &inbox->messages[i];
		tallies[message->content].remote++;
		tallies[message->content].remote_flags = message->flags;
	}
}

/* A flag that one hand changed once has that value everywhere. */
static void check_touches(struct run *run, uint32_t content, const struct tally *tally)
{
	const struct ledger_row *row = &run->ledger[content];

	if (row->created != 1 || row->is_on_both || row->deleted_weakly > 0 || run->was_renumbered)
		return;
	for (size_t i = 0; i < ARRAY_LEN(row->touches); i++) {
		uint64_t bit = (uint64_t)1 << i;
		uint64_t expected = row->touches[i] == 1 ? ~row->first_flags : row->first_flags;
		if (row->touches[i] <= 1 && ((tally->local_flags ^ expected) & bit) != 0)
			ledger_violated(run, "a flag change was lost or invented", content);
	}
}

/* A message whose body came without a UID, twice in a row. */
static bool is_remote_aside(struct world *world, uint32_t content)
{
	const struct model_mailbox *inbox = model_mailbox_find(world, "INBOX");
	for (size_t i = 0; world->withheld > 0 && i < inbox->count; i++) {
		const struct model_message *message = &inbox->messages[i];
		for (size_t n = 0; n < world->store.setaside_count; n++) {
			if (message->content == content &&
			    world->store.setaside[n].setaside.uid == message->uid)
				return true;
		}
	}
	return false;
}

/* A local message that the server took and lost again, without UIDPLUS. */
static bool is_local_aside(struct world *world, uint32_t content)
{
	for (size_t i = 0; i < world->store.setaside_count; i++) {
		const struct setaside_record *record = &world->store.setaside[i].setaside;
		for (size_t n = 0; model_file_visible(world, n) != NULL; n++) {
			const struct model_file *file = model_file_visible(world, n);
			if (file->content == content && strcmp(file->name, record->name) == 0)
				return !world->server.has_uidplus;
		}
	}
	return false;
}

static void check_row(struct run *run, uint32_t content, const struct tally *tally)
{
	const struct ledger_row *row = &run->ledger[content];
	unsigned most = row->created > row->deleted ? row->created - row->deleted : 0;
	unsigned least = most > row->deleted_weakly ? most - row->deleted_weakly : 0;
	unsigned held = tally->local > tally->remote ? tally->local : tally->remote;
	bool is_refused = content == run->world.server.refuses_fetch ||
			  content == run->world.server.refuses_append ||
			  is_local_aside(&run->world, content) ||
			  is_remote_aside(&run->world, content);

	if (held < least)
		ledger_violated(run, "a message was lost", content);
	if (held > most)
		ledger_violated(run, "a message was doubled or came back", content);
	if (tally->local != tally->remote && !is_refused)
		ledger_violated(run, "a message is not on both sides", content);
	if (tally->local == 1 && tally->remote == 1) {
		if (tally->local_flags != tally->remote_flags)
			ledger_violated(run, "flags differ", content);
		check_touches(run, content, tally);
	}
}

void ledger_check(struct run *run)
{
	struct tally tallies[LEDGER_MAX] = { 0 };

	tally_sides(run, tallies);
	for (uint32_t content = 1; content <= run->contents; content++)
		check_row(run, content, &tallies[content]);
	if (run->world.store.journal_count > 0)
		ledger_violated(run, "the journal is not empty at rest", 0);
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		if (run->world.files[i].is_used && run->world.files[i].place == PLACE_TMP)
			ledger_violated(run, "a file was left in tmp/", 0);
	}
}
