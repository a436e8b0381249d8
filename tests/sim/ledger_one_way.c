/* The comparison of both sides with the ledger where only one follows the other (CONTRACT 2.2,
 * direction). The rule is 18 in history.h.
 * SPDX-License-Identifier: MIT */
#include "history.h"
#include "syncd/log.h"

/* One message in the places that count as one mailbox: on the side that leads, and on the one that
 * follows. */
struct pair {
	unsigned leading;
	unsigned following;
	uint64_t flags_differ;
	bool is_single; /* one on each side, in one place */
	int users;      /* what users have put on the side that follows, and left */
	unsigned most;  /* that may be there beside what leads */
};

static struct pair pair_of(const struct run *run, uint32_t content, size_t place,
			   const struct tallies *tallies)
{
	bool is_pull = run->direction == SYNC_PULL;
	struct pair pair = { .leading = 0 };

	for (size_t i = 0; i < PLACES; i++) {
		const struct ledger_place *entry = &run->ledger[content].places[i];
		const struct tally *tally = &tallies->of[content][i];
		if (run->renamed[i] != place)
			continue;
		pair.leading += is_pull ? tally->remote : tally->local;
		pair.following += is_pull ? tally->local : tally->remote;
		pair.users += is_pull ? entry->users_local : entry->users_remote;
		pair.most += (is_pull ? entry->put_local : entry->put_remote) + entry->extra +
			     entry->deleted_weakly;
		if (tally->local == 1 && tally->remote == 1) {
			pair.is_single = true;
			pair.flags_differ |= tally->local_flags ^ tally->remote_flags;
		}
	}
	pair.is_single &= pair.leading == 1 && pair.following == 1;
	return pair;
}

/* Came into being on the side that follows, so that the other one never has it. */
static bool is_its_own(const struct run *run, uint32_t content)
{
	const struct ledger_row *row = &run->ledger[content];

	return row->is_local == (run->direction == SYNC_PULL) && !row->is_on_both &&
	       !row->is_undone;
}

/* A deletion that was held and then restored leaves what it was about alone. */
static void check_pair(struct run *run, uint32_t content, size_t place,
		       const struct tallies *tallies)
{
	const struct pair pair = pair_of(run, content, place, tallies);
	bool may_keep = run->limit.percent > 0 || run->was_renumbered;
	bool is_refused = ledger_is_refused(run, content, place_names[place]);

	if (pair.following < pair.leading && !is_refused)
		ledger_violated(run, "a message has not followed", content);
	if (pair.following > pair.leading + pair.most && !may_keep)
		ledger_violated(run, "a message is there that neither side put there", content);
	if (pair.is_single && !is_refused && (pair.flags_differ & ~run->world.server.drops) != 0)
		ledger_violated(run, "flags have not followed", content);
	if (is_its_own(run, content) && (int)pair.following != pair.users)
		ledger_violated(run, "what one side has for itself was touched", content);
	if (run->why[0] != '\0')
		log_trace(NULL, "## message %u %s: %u lead, %u follow, %d of users, %u at most",
			  content, place_names[place], pair.leading, pair.following, pair.users,
			  pair.leading + pair.most);
}

/* With expunge_deleted what is marked here goes from here, or loses the mark when that is undone.
 */
static bool is_written(const struct run *run)
{
	bool may_unmark = run->expunges_deleted && run->limit.percent > 0;

	return (run->world.written > 0 && !may_unmark) ||
	       (run->world.removed > 0 && !run->expunges_deleted);
}

void ledger_check_one_way(struct run *run, const struct tallies *tallies)
{
	if (run->direction == SYNC_PULL && run->world.sent > 0)
		ledger_violated(run, "something was sent although the account is only pulled", 0);
	if (run->direction == SYNC_PUSH && is_written(run))
		ledger_violated(run, "the maildir was written though the account is pushed", 0);
	for (uint32_t content = 1; content <= run->contents; content++) {
		for (size_t i = 0; i < PLACES && run->why[0] == '\0'; i++) {
			if (run->renamed[i] == i)
				check_pair(run, content, i, tallies);
		}
	}
}
