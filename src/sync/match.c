/* Matching local and remote messages by identity (DESIGN 6).
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

void candidates_add(struct candidates *candidates, const struct candidate *candidate)
{
	candidates->items = xgrow(candidates->items, candidates->count, &candidates->cap,
				  sizeof(*candidates->items));
	candidates->items[candidates->count++] = *candidate;
}

void match_clear(struct match *match)
{
	match->locals.count = 0;
	match->remotes.count = 0;
	uidset_clear(&match->uids);
}

void match_free(struct match *match)
{
	free(match->locals.items);
	free(match->remotes.items);
	uidset_free(&match->uids);
	match->locals = (struct candidates){ .count = 0 };
	match->remotes = (struct candidates){ .count = 0 };
}

static void match_found(struct remote_identify_req *req, uint32_t uid,
			const struct digest *identity, uint64_t size_bytes, uint64_t flags)
{
	struct match *match = container_of(req, struct match, identify);
	bool is_known = true;

	if (pass_uid_is_known(match->pass, uid, &is_known) != 0 || is_known)
		return;
	candidates_add(&match->remotes, &(struct candidate){
						.identity = *identity,
						.size_bytes = size_bytes,
						.flags = flags,
						.uid = uid,
					});
}

void match_identify(struct sync_pass *pass, struct match *match, port_done done)
{
	match->pass = pass;
	match->remotes.count = 0;
	match->identify.op.done = done;
	match->identify.uids = &match->uids;
	match->identify.found = match_found;
	pass->remote->ops->identify(pass->remote, &match->identify);
}

void match_identify_from(struct sync_pass *pass, struct match *match, uint32_t first_uid,
			 port_done done)
{
	uidset_clear(&match->uids);
	must(uidset_add_range(&match->uids, first_uid > 0 ? first_uid : 1, UINT32_MAX) == 0);
	match_identify(pass, match, done);
}

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *left = a;
	const struct candidate *right = b;
	int order = memcmp(left->identity.bytes, right->identity.bytes, DIGEST_LEN);

	if (order != 0)
		return order;
	if (left->size_bytes != right->size_bytes)
		return left->size_bytes > right->size_bytes ? 1 : -1;
	if (left->uid != right->uid)
		return left->uid > right->uid ? 1 : -1;
	return left->name != NULL && right->name != NULL ? strcmp(left->name, right->name) : 0;
}

static void candidates_sort(struct candidates *candidates)
{
	if (candidates->count > 1)
		qsort(candidates->items, candidates->count, sizeof(*candidates->items),
		      compare_candidates);
}

/* The end of the run of equal digests that begins at `first`. */
static size_t run_end(const struct candidates *candidates, size_t first)
{
	size_t end = first;

	while (end < candidates->count &&
	       digest_equals(&candidates->items[end].identity, &candidates->items[first].identity))
		end++;
	return end;
}

typedef void (*match_paired_cb)(struct sync_pass *pass, const struct candidate *local,
				const struct candidate *remote);

/* Pairs within one run of equal digests: first where the sizes agree too. */
static void match_run_sizes(struct match *match, size_t l, size_t l_end, size_t r, size_t r_end,
			    match_paired_cb paired)
{
	while (l < l_end && r < r_end) {
		struct candidate *local = &match->locals.items[l];
		struct candidate *remote = &match->remotes.items[r];

		if (local->size_bytes == remote->size_bytes) {
			paired(match->pass, local, remote);
			local->is_paired = true;
			remote->is_paired = true;
		}
		if (local->is_paired || local->size_bytes < remote->size_bytes)
			l++;
		if (remote->is_paired || remote->size_bytes < local->size_bytes)
			r++;
	}
}

/* Then what is left, in order, where a Message-ID vouches for it. */
static void match_run_rest(struct match *match, size_t l, size_t l_end, size_t r, size_t r_end,
			   match_paired_cb paired)
{
	while (l < l_end && r < r_end) {
		struct candidate *local = &match->locals.items[l];
		struct candidate *remote = &match->remotes.items[r];

		if (local->is_paired) {
			l++;
		} else if (remote->is_paired) {
			r++;
		} else {
			paired(match->pass, local, remote);
			l++;
			r++;
		}
	}
}

void match_pairs(struct match *match, match_paired_cb paired)
{
	size_t l = 0;
	size_t r = 0;

	candidates_sort(&match->locals);
	candidates_sort(&match->remotes);
	while (l < match->locals.count && r < match->remotes.count) {
		const struct digest *left = &match->locals.items[l].identity;
		const struct digest *right = &match->remotes.items[r].identity;
		int order = memcmp(left->bytes, right->bytes, DIGEST_LEN);
		size_t l_end = order <= 0 ? run_end(&match->locals, l) : l;
		size_t r_end = order >= 0 ? run_end(&match->remotes, r) : r;

		if (order == 0) {
			match_run_sizes(match, l, l_end, r, r_end, paired);
			if (digest_has_message_id(left))
				match_run_rest(match, l, l_end, r, r_end, paired);
		}
		l = l_end;
		r = r_end;
	}
}
