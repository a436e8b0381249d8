/* Answers that went astray: a server that breaks PIPELINING, or says more than it was asked, may
 * have sent other messages than those we took them for. What came in such a session counts as
 * doubtful until it was compared in another, in which one thing is asked at a time.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include "syncd/must.h"

bool pull_is_doubted(const struct pull_record *record)
{
	return record->listed_bytes == PULL_DOUBTED;
}

bool pull_has_doubts(const struct sync_pull *pull)
{
	for (size_t i = 0; i < pull->records.count; i++) {
		const struct pull_record *record = &pull->records.items[i];
		if (pull_is_doubted(record) && record->absent_since_s == 0)
			return true;
	}
	return false;
}

/* One answer that was swallowed shifts all behind it, and the last one is awaited for ever. */
void pull_note_disorder(struct sync_pull *pull, int code)
{
	bool is_swallowed =
		code == SYNCD_ETIMEOUT && pull->open.has_pipe && pull->state == PULL_FETCH;

	pull->is_disordered |= code == SYNCD_EPROTO || code == SYNCD_ELIMIT || is_swallowed;
}

static void doubted(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, commit.op);

	if (code != 0)
		pull_fail(pull, &op->err);
	pull_piece_done(pull);
}

/* Not those that were compared: with a server that always does so nothing would ever be known. */
void pull_doubt_start(struct sync_pull *pull)
{
	if (!pull->is_disordered) {
		pull_piece_done(pull);
		return;
	}
	for (size_t i = 0; i < pull->records.count; i++) {
		struct pull_record *record = &pull->records.items[i];
		if (!record->is_new || record->is_dropped)
			continue;
		record->listed_bytes = PULL_DOUBTED;
		record->is_dirty = true;
	}
	pull_save(pull, doubted);
}
