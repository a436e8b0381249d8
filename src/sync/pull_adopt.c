/* First contact with a maildir that holds mail already, fetched by another program or before the
 * state was lost: its messages are known by their content, so that none is delivered again.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

static void examine_some(struct sync_pull *pull);

void pull_adopt_free(struct sync_pull *pull)
{
	local_listing_free(&pull->adopt.listing);
}

/* With the mailbox's own record in one commit: no half of it is first contact once more. */
static void adopted(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, commit.op);

	if (code != 0)
		pull_fail(pull, &op->err);
	pull_piece_done(pull);
}

static void adopt_flushed(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, flush.op);

	if (code != 0) {
		pull_fail(pull, &op->err);
		pull_piece_done(pull);
		return;
	}
	for (size_t i = 0; i < pull->records.count; i++)
		pull_put(pull, &pull->batch, &pull->records.items[i]);
	pull_save(pull, adopted);
}

/* What is known to be here may be deleted on the server: so it has to be here for good. */
static void adopt_over(struct sync_pull *pull)
{
	pull_adopt_free(pull);
	if (pull_is_failing(pull)) {
		pull_piece_done(pull);
		return;
	}
	pull->flush.op.done = adopt_flushed;
	pull->local->ops->flush(pull->local, &pull->flush);
}

static void examined(struct port_op *op, int code)
{
	struct pull_examine *examine = container_of(op, struct pull_examine, req.op);
	struct sync_pull *pull = examine->pull;
	struct pull_record record = {
		.identity = examine->req.identity,
		.size_bytes = examine->req.size_bytes,
		.first_seen_s = pull->now_s,
		.next = PULL_NONE,
		.state = POP3_DELIVERED,
	};

	if (code == 0) {
		record.id = pull->ports.store->ops->pop3_new_id(pull->ports.store);
		(void)pull_add(pull, &record, examine->req.name);
		pull->adopt.count++;
	} else if (code != SYNCD_ENOTFOUND && code != SYNCD_EMESSAGE) {
		pull_fail(pull, &op->err);
	}
	must(pull->adopt.examining > 0);
	if (--pull->adopt.examining == 0)
		examine_some(pull);
}

static void examine_some(struct sync_pull *pull)
{
	struct pull_adopt *adopt = &pull->adopt;

	while (adopt->examining < PULL_EXAMINED_AT_ONCE && adopt->next < adopt->listing.count &&
	       !pull_is_failing(pull)) {
		struct pull_examine *examine = &adopt->examines[adopt->examining++];
		examine->pull = pull;
		examine->req = (struct local_examine_req){
			.op.done = examined,
			.name = adopt->listing.items[adopt->next++].name,
		};
		pull->local->ops->examine(pull->local, &examine->req);
	}
	if (adopt->examining == 0)
		adopt_over(pull);
}

static void adopt_scanned(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, adopt.scan.op);

	if (code != 0)
		pull_fail(pull, &op->err);
	pull->adopt.next = 0;
	examine_some(pull);
}

void pull_adopt_start(struct sync_pull *pull)
{
	if (!pull->is_first) {
		pull_piece_done(pull);
		return;
	}
	pull->adopt.scan = (struct local_scan_req){
		.op.done = adopt_scanned,
		.result = &pull->adopt.listing,
	};
	pull->local->ops->scan(pull->local, &pull->adopt.scan);
}
