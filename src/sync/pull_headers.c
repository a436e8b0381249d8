/* Headers alone, when a server seems to have given its messages other unique-ids, or most of them
 * may be in the maildir already: most bodies need not be downloaded once more to find that out.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include "syncd/must.h"

static struct sync_pull *pull_of(struct maildrop_fetch_req *req)
{
	return container_of(req, struct sync_pull, fetch.req);
}

static bool headers_next(struct maildrop_fetch_req *req, uint32_t *number)
{
	struct sync_pull *pull = pull_of(req);

	while (pull->fetch.asked < pull->listing.count) {
		const struct pull_entry *entry = &pull->listing.items[pull->fetch.asked++];
		if (entry->kind == ENTRY_FETCH && !entry->is_suspect) {
			*number = entry->number;
			return !pull_is_failing(pull);
		}
	}
	return false;
}

static int headers_begin(struct maildrop_fetch_req *req, uint32_t number)
{
	struct sync_pull *pull = pull_of(req);

	(void)number;
	if (pull_is_failing(pull))
		return SYNCD_ECANCELLED;
	pull_body_begin(&pull->fetch.body);
	return 0;
}

static int headers_data(struct maildrop_fetch_req *req, struct slice data)
{
	pull_body_add(&pull_of(req)->fetch.body, data);
	return 0;
}

static int headers_end(struct maildrop_fetch_req *req, uint32_t number)
{
	struct sync_pull *pull = pull_of(req);
	struct pull_entry *entry = pull_entry_of(pull, number);
	struct digest identity;

	pull_body_end(&pull->fetch.body, &identity);
	pull_body_free(&pull->fetch.body);
	uint32_t at = pull_find_by_header(pull, entry, &identity);
	if (at != PULL_NONE)
		pull_claim(pull, entry, at);
	return 0;
}

static int headers_refused(struct maildrop_fetch_req *req, uint32_t number, const struct error *err)
{
	(void)req;
	(void)number;
	(void)err; /* RETR will tell */
	return 0;
}

static void headers_fetched(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, fetch.req.op);

	pull_body_free(&pull->fetch.body);
	if (code != 0)
		pull_fail(pull, &op->err);
	pull_piece_done(pull);
}

static bool is_worth_it(const struct sync_pull *pull)
{
	size_t adopted = pull->adopt.count;

	return pull->is_renumbered || (adopted >= PULL_RENUMBERED_LEAST &&
				       adopted * PULL_RENUMBERED_SHARE >= pull->listing.to_fetch);
}

void pull_headers_start(struct sync_pull *pull)
{
	for (size_t i = 0; i < pull->listing.count; i++)
		pull->listing.to_fetch += pull->listing.items[i].kind == ENTRY_FETCH;
	if (pull->listing.to_fetch > 0)
		pull_chains_make(pull);
	if (pull->listing.to_fetch == 0 || !is_worth_it(pull) || !pull->open.has_top) {
		pull_piece_done(pull);
		return;
	}
	pull->fetch.asked = 0;
	pull->fetch.req = (struct maildrop_fetch_req){
		.op.done = headers_fetched,
		.is_header = true,
		.next = headers_next,
		.begin = headers_begin,
		.data = headers_data,
		.end = headers_end,
		.refused = headers_refused,
	};
	pull->ports.maildrop->ops->fetch(pull->ports.maildrop, &pull->fetch.req);
}
