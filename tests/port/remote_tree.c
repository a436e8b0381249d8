/* The remote port: mailboxes that are renamed, removed and asked how they stand, and messages that
 * go from one to another.
 * SPDX-License-Identifier: MIT */
#include "port/remote_bench.h"

#include <stdio.h>

#define PLACES_MAX 16

/* --- Requests ------------------------------------------------------------------ */

static int create(struct remote_bench *bench, const char *name)
{
	struct remote_create_req req = { .name = name };

	op_prepare(&bench->turner, &req.op);
	bench->account->ops->create(bench->account, &req);
	return op_await(&bench->turner, &req.op);
}

static int rename_mailbox(struct remote_bench *bench, const char *from, const char *to)
{
	struct remote_rename_req req = { .from = from, .to = to };

	op_prepare(&bench->turner, &req.op);
	bench->account->ops->rename(bench->account, &req);
	return op_await(&bench->turner, &req.op);
}

static int remove_mailbox(struct remote_bench *bench, const char *name)
{
	struct remote_delete_req req = { .name = name };

	op_prepare(&bench->turner, &req.op);
	bench->account->ops->remove(bench->account, &req);
	return op_await(&bench->turner, &req.op);
}

static int ask_status(struct remote_bench *bench, const char *name, struct mailbox_status *status)
{
	struct remote_status_req req = { .name = name };

	op_prepare(&bench->turner, &req.op);
	bench->account->ops->status(bench->account, &req);
	int code = op_await(&bench->turner, &req.op);
	*status = req.status;
	return code;
}

/* Where messages went: by UID. */
struct transfer {
	struct remote_transfer_req req;
	uint32_t places[PLACES_MAX];
	size_t told;
};

static void transferred(struct remote_transfer_req *req, uint32_t uid, uint32_t target_uid)
{
	struct transfer *transfer = container_of(req, struct transfer, req);

	assert_true(uid < PLACES_MAX && transfer->places[uid] == 0 && target_uid != 0);
	assert_int_not_equal(req->target_uidvalidity, 0);
	transfer->places[uid] = target_uid;
	transfer->told++;
}

static int transfer(struct remote_bench *bench, struct transfer *result, const char *text,
		    const char *target, bool is_move)
{
	struct uidset uids = ask_set(text);

	*result = (struct transfer){ .req = { .uids = &uids,
					      .target = target,
					      .is_move = is_move,
					      .transferred = transferred } };
	op_prepare(&bench->turner, &result->req.op);
	bench->open.mailbox->ops->transfer(bench->open.mailbox, &result->req);
	int code = op_await(&bench->turner, &result->req.op);
	uidset_free(&uids);
	return code;
}

/* --- Short ways ------------------------------------------------------------------ */

/* A name beside the bench's mailbox, and another below that. */
struct names {
	char beside[80];
	char below[96];
};

static struct names names_of(const struct remote_bench *bench)
{
	struct names names;

	(void)snprintf(names.beside, sizeof(names.beside), "%s-beside", bench->name);
	(void)snprintf(names.below, sizeof(names.below), "%s/below", names.beside);
	return names;
}

static void append_many(struct remote_bench *bench, uint32_t count)
{
	for (uint32_t n = 1; n <= count; n++) {
		struct ask_append append = { .at = 0 };
		assert_int_equal(
			ask_append(bench, bench->open.mailbox, &append, n, n == 2 ? FLAG_SEEN : 0),
			0);
	}
}

/* Opens what is to be the bench's mailbox from now on; the one before is closed. */
static void open_named(struct remote_bench *bench, const char *name)
{
	must(strlen(name) < sizeof(bench->name));
	memcpy(bench->name, name, strlen(name) + 1);
	remote_bench_open(bench);
}

static void open_instead(struct remote_bench *bench, const char *name)
{
	remote_bench_close(bench);
	open_named(bench, name);
}

static void assert_listing(struct remote_bench *bench, const struct remote_flags *items,
			   size_t count)
{
	struct remote_observation result;
	struct remote_observe_req req = { .wants_all = true, .result = &result };

	remote_observation_init(&result);
	op_prepare(&bench->turner, &req.op);
	bench->open.mailbox->ops->observe(bench->open.mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	assert_true(result.is_complete);
	assert_int_equal(result.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(result.items[i].uid, items[i].uid);
		assert_int_equal(result.items[i].flags, items[i].flags);
	}
	remote_observation_free(&result);
}

static struct remote_settle_req settle(struct remote_bench *bench)
{
	struct remote_settle_req req = { .exists = 0 };

	op_prepare(&bench->turner, &req.op);
	bench->open.mailbox->ops->settle(bench->open.mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	return req;
}

struct tree {
	struct remote_list_req req;
	const char *name;
	size_t found;
	uint64_t lasting_id;
};

static void tree_found(struct remote_list_req *req, const struct mailbox_info *info)
{
	struct tree *tree = container_of(req, struct tree, req);

	if (strcmp(info->name, tree->name) != 0 || !info->is_selectable)
		return;
	tree->found++;
	tree->lasting_id = info->lasting_id;
}

/* Whether it is listed, and under what id. */
static bool is_listed(struct remote_bench *bench, const char *name, uint64_t *lasting_id)
{
	struct tree tree = { .req.found = tree_found, .name = name };

	op_prepare(&bench->turner, &tree.req.op);
	bench->account->ops->list(bench->account, &tree.req);
	assert_int_equal(op_await(&bench->turner, &tree.req.op), 0);
	assert_true(tree.found <= 1);
	*lasting_id = tree.lasting_id;
	return tree.found == 1;
}

/* --- Mailboxes --------------------------------------------------------------------- */

/* Of another mailbox than INBOX, for which all of this is different (RFC 3501 §6.3.5). */
static void open_beside(struct remote_bench *bench)
{
	struct names names = names_of(bench);

	assert_int_equal(create(bench, names.beside), 0);
	open_instead(bench, names.beside);
	append_many(bench, 2);
}

static void a_renamed_mailbox_keeps_its_messages_and_id(void **state)
{
	struct remote_bench *bench = *state;
	char from[sizeof(bench->name)];
	uint64_t before;
	uint64_t after;

	open_beside(bench);
	struct names names = names_of(bench);
	uint32_t uidvalidity = bench->open.uidvalidity;
	(void)snprintf(from, sizeof(from), "%s", bench->name);
	assert_true(is_listed(bench, from, &before));
	remote_bench_close(bench);
	assert_int_equal(rename_mailbox(bench, from, names.beside), 0);
	open_named(bench, names.beside);
	assert_int_equal(bench->open.uidvalidity, uidvalidity);
	assert_listing(bench, (struct remote_flags[]){ { 1, 0 }, { 2, FLAG_SEEN } }, 2);
	assert_false(is_listed(bench, from, &after));
	assert_true(is_listed(bench, names.beside, &after));
	assert_int_equal(before, after);
}

static void a_rename_takes_inferior_mailboxes_along(void **state)
{
	struct remote_bench *bench = *state;
	struct names names = names_of(bench);
	char moved[96];
	char moved_below[112];
	uint64_t id;

	(void)snprintf(moved, sizeof(moved), "%s-moved", names.beside);
	(void)snprintf(moved_below, sizeof(moved_below), "%s/below", moved);
	assert_int_equal(create(bench, names.beside), 0);
	assert_int_equal(create(bench, names.below), 0);
	assert_int_equal(rename_mailbox(bench, names.beside, moved), 0);
	assert_true(is_listed(bench, moved, &id));
	assert_true(is_listed(bench, moved_below, &id));
	assert_false(is_listed(bench, names.below, &id));
}

static void a_rename_of_nothing_or_to_what_exists_fails(void **state)
{
	struct remote_bench *bench = *state;
	struct names names = names_of(bench);
	char missing[96];
	uint64_t id;

	(void)snprintf(missing, sizeof(missing), "%s-missing", bench->name);
	assert_int_equal(rename_mailbox(bench, missing, names.beside), SYNCD_ENOTFOUND);
	assert_int_equal(create(bench, names.beside), 0);
	assert_int_not_equal(rename_mailbox(bench, names.beside, bench->name), 0);
	assert_true(is_listed(bench, names.beside, &id));
}

static void a_removed_mailbox_is_gone_and_removing_it_again_is_success(void **state)
{
	struct remote_bench *bench = *state;
	uint64_t id;

	open_beside(bench);
	remote_bench_close(bench);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(remove_mailbox(bench, bench->name), 0);
		assert_false(is_listed(bench, bench->name, &id));
	}
	assert_int_equal(remote_bench_create(bench), 0);
	remote_bench_open(bench);
	assert_int_equal(bench->open.exists, 0);
}

/* Dovecot 2.3 goes on listing its name as if it could be selected. */
/* Whichever session they use next (RFC 2180 §3). */
static void requests_go_on_after_a_removal(void **state)
{
	struct remote_bench *bench = *state;
	uint64_t id;

	open_beside(bench);
	struct names names = names_of(bench);
	(void)remote_bench_other(bench); /* two sessions have it selected */
	bench->other.open.mailbox->ops->close(bench->other.open.mailbox);
	bench->other.is_there = false;
	remote_bench_close(bench);
	assert_int_equal(remove_mailbox(bench, bench->name), 0);
	assert_false(is_listed(bench, bench->name, &id));
	assert_int_equal(create(bench, names.beside), 0);
	open_named(bench, names.beside);
	assert_true(is_listed(bench, bench->name, &id));
}

static void a_removal_leaves_inferior_mailboxes(void **state)
{
	struct remote_bench *bench = *state;
	struct names names = names_of(bench);
	struct mailbox_status status;
	uint64_t id;

	assert_int_equal(create(bench, names.beside), 0);
	assert_int_equal(create(bench, names.below), 0);
	assert_int_equal(remove_mailbox(bench, names.beside), 0);
	assert_int_equal(ask_status(bench, names.beside, &status), SYNCD_ENOTFOUND);
	assert_true(is_listed(bench, names.below, &id));
}

static void a_status_tells_how_a_mailbox_stands_now(void **state)
{
	struct remote_bench *bench = *state;
	struct remote_mailbox *other = remote_bench_other(bench);
	struct mailbox_status before;
	struct mailbox_status after;
	struct ask_append append = { .at = 0 };

	append_many(bench, 2);
	remote_bench_close(bench); /* that session has it selected still */
	assert_int_equal(ask_status(bench, bench->name, &before), 0);
	assert_int_equal(ask_append(bench, other, &append, 3, 0), 0);
	assert_int_equal(ask_status(bench, bench->name, &after), 0);
	remote_bench_open(bench);
	assert_int_equal(before.uidvalidity, bench->open.uidvalidity);
	assert_int_equal(before.uidnext, 3);
	assert_int_equal(before.messages, 2);
	assert_int_equal(after.uidvalidity, bench->open.uidvalidity);
	assert_int_equal(after.uidnext, 4);
	assert_int_equal(after.messages, 3);
	/* Told by those, too, that do not use it for more. */
	assert_true(before.highestmodseq > 0 || !bench->kind->has_modseq);
	assert_true(before.highestmodseq == 0 || after.highestmodseq > before.highestmodseq);
}

static void there_is_no_status_of_a_missing_mailbox(void **state)
{
	struct remote_bench *bench = *state;
	struct names names = names_of(bench);
	struct mailbox_status status;

	assert_int_equal(ask_status(bench, names.beside, &status), SYNCD_ENOTFOUND);
	assert_int_equal(status.uidvalidity, 0);
}

/* --- Messages ----------------------------------------------------------------------- */

/* Where it is told at all, it is told of these messages; their UIDs are 1 and 2 in the target. */
static void assert_told(const struct remote_bench *bench, const struct transfer *result,
			uint32_t first, uint32_t second)
{
	assert_true(result->told == 2 || (result->told == 0 && !bench->kind->has_uidplus));
	if (result->told == 0)
		return;
	assert_int_equal(result->places[first], 1);
	assert_int_equal(result->places[second], 2);
}

static void moved_messages_are_in_the_target_and_gone_here(void **state)
{
	static const struct remote_flags left[] = { { 1, 0 }, { 4, FLAG_DELETED } };
	struct remote_bench *bench = *state;
	struct names names = names_of(bench);
	struct transfer result;

	append_many(bench, 4);
	assert_int_equal(ask_store(bench, bench->open.mailbox, "4", FLAG_DELETED, 0), 0);
	assert_int_equal(create(bench, names.beside), 0);
	assert_int_equal(transfer(bench, &result, "2:3", names.beside, true), 0);
	assert_true(result.req.is_removed);
	assert_told(bench, &result, 2, 3);
	assert_listing(bench, left, ARRAY_LEN(left));
	open_instead(bench, names.beside);
	if (result.told > 0)
		assert_int_equal(result.req.target_uidvalidity, bench->open.uidvalidity);
	assert_listing(bench, (struct remote_flags[]){ { 1, FLAG_SEEN }, { 2, 0 } }, 2);
}

static void copied_messages_are_in_the_target_and_here(void **state)
{
	static const struct remote_flags here[] = { { 1, 0 }, { 2, FLAG_SEEN }, { 3, 0 } };
	struct remote_bench *bench = *state;
	struct names names = names_of(bench);
	struct transfer result;

	append_many(bench, 3);
	assert_int_equal(create(bench, names.beside), 0);
	assert_int_equal(transfer(bench, &result, "1:2", names.beside, false), 0);
	assert_false(result.req.is_removed);
	assert_told(bench, &result, 1, 2);
	assert_listing(bench, here, ARRAY_LEN(here));
	open_instead(bench, names.beside);
	assert_listing(bench, (struct remote_flags[]){ { 1, 0 }, { 2, FLAG_SEEN } }, 2);
}

static void transferring_unknown_uids_is_no_error(void **state)
{
	struct remote_bench *bench = *state;
	struct names names = names_of(bench);
	struct transfer result;

	append_many(bench, 3);
	assert_int_equal(create(bench, names.beside), 0);
	assert_int_equal(transfer(bench, &result, "50:60,4294967295", names.beside, true), 0);
	assert_int_equal(result.told, 0);
	assert_int_equal(transfer(bench, &result, "50:60", names.beside, false), 0);
	assert_int_equal(result.told, 0);
	assert_int_equal(transfer(bench, &result, "1:2,50:60", names.beside, true), 0);
	assert_told(bench, &result, 1, 2);
	assert_int_equal(transfer(bench, &result, "1:2", names.beside, true), 0); /* gone already */
	assert_int_equal(result.told, 0);
	assert_listing(bench, (struct remote_flags[]){ { 3, 0 } }, 1);
	open_instead(bench, names.beside);
	assert_listing(bench, (struct remote_flags[]){ { 1, 0 }, { 2, FLAG_SEEN } }, 2);
}

static void nothing_goes_to_a_missing_target(void **state)
{
	struct remote_bench *bench = *state;
	struct names names = names_of(bench);
	struct transfer result;

	append_many(bench, 1);
	for (int is_move = 0; is_move < 2; is_move++) {
		assert_int_equal(transfer(bench, &result, "1", names.beside, is_move != 0),
				 SYNCD_ENOTFOUND);
		assert_false(result.req.is_removed);
		assert_int_equal(result.told, 0);
	}
	assert_listing(bench, (struct remote_flags[]){ { 1, 0 } }, 1);
}

static void our_own_move_is_no_news(void **state)
{
	struct remote_bench *bench = *state;
	struct names names = names_of(bench);
	struct transfer result;

	append_many(bench, 4);
	assert_int_equal(create(bench, names.beside), 0);
	remote_bench_close(bench);
	remote_bench_open(bench);
	assert_listing(bench,
		       (struct remote_flags[]){ { 1, 0 }, { 2, FLAG_SEEN }, { 3, 0 }, { 4, 0 } },
		       4);
	assert_int_equal(transfer(bench, &result, "1,3", names.beside, true), 0);
	struct remote_settle_req settled = settle(bench);
	assert_false(settled.has_news);
	assert_int_equal(settled.exists, 2);
}

void remote_tree_tests_add(struct port_tests *tests, struct remote_kind *kind)
{
	static const struct port_case cases[] = {
		PORT_CASE(a_renamed_mailbox_keeps_its_messages_and_id),
		PORT_CASE(a_rename_takes_inferior_mailboxes_along),
		PORT_CASE(a_rename_of_nothing_or_to_what_exists_fails),
		PORT_CASE(a_removed_mailbox_is_gone_and_removing_it_again_is_success),
		PORT_CASE(requests_go_on_after_a_removal),
		PORT_CASE(a_removal_leaves_inferior_mailboxes),
		PORT_CASE(a_status_tells_how_a_mailbox_stands_now),
		PORT_CASE(there_is_no_status_of_a_missing_mailbox),
		PORT_CASE(moved_messages_are_in_the_target_and_gone_here),
		PORT_CASE(copied_messages_are_in_the_target_and_here),
		PORT_CASE(transferring_unknown_uids_is_no_error),
		PORT_CASE(nothing_goes_to_a_missing_target),
		PORT_CASE(our_own_move_is_no_news),
	};

	port_tests_add(tests, kind->name, kind, cases, ARRAY_LEN(cases), remote_bench_setup,
		       remote_bench_teardown);
}
