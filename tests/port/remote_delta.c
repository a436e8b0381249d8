/* The remote port: what changed since a modseq, and how far a pass may say that it has seen
 * everything. What is held here holds for a server that always lists, too.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "port/remote_bench.h"

#define UIDS_MAX 256

/* What a state would hold of the mailbox: by UID. */
struct known {
	uint32_t uidvalidity;
	uint64_t modseq;
	bool is_there[UIDS_MAX];
	uint64_t flags[UIDS_MAX];
};

static void append(struct remote_bench *bench, struct remote_mailbox *mailbox, uint64_t flags)
{
	struct ask_append append = { .at = 0 };

	bench->appended++;
	assert_int_equal(ask_append(bench, mailbox, &append, bench->appended, flags), 0);
}

/* --- A pass, as the engine makes it ------------------------------------------------------------
 */

static void pass_search(struct remote_bench *bench, struct known *known)
{
	struct uidset present = { 0 };
	struct remote_search_req req = { .present = &present };

	op_prepare(&bench->turner, &req.op);
	bench->open.mailbox->ops->search(bench->open.mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	assert_true(req.is_complete);
	for (uint32_t uid = 1; uid < UIDS_MAX; uid++)
		known->is_there[uid] &= uidset_contains(&present, uid);
	uidset_free(&present);
}

static uint32_t known_count(const struct known *known)
{
	uint32_t count = 0;

	for (uint32_t uid = 1; uid < UIDS_MAX; uid++)
		count += known->is_there[uid];
	return count;
}

static void pass_apply(struct remote_bench *bench, struct known *known,
		       const struct remote_observation *result)
{
	if (!result->is_delta) {
		assert_true(result->is_complete);
		memset(known->is_there, 0, sizeof(known->is_there));
	}
	for (size_t i = 0; i < result->count; i++) {
		assert_true(result->items[i].uid < UIDS_MAX);
		assert_true(i == 0 || result->items[i].uid > result->items[i - 1].uid);
		known->is_there[result->items[i].uid] = true;
		known->flags[result->items[i].uid] = result->items[i].flags;
	}
	for (uint32_t uid = 1; uid < UIDS_MAX; uid++)
		known->is_there[uid] &= !uidset_contains(&result->gone, uid);
	if (known_count(known) == result->exists)
		return;
	assert_true(result->is_delta && !result->tells_gone);
	pass_search(bench, known);
	assert_int_equal(known_count(known), result->exists);
}

/* Opens with what is known and looks; `result` is the caller's. */
static void pass_begin(struct remote_bench *bench, struct known *known,
		       struct remote_observation *result)
{
	struct remote_observe_req req = { .result = result };

	remote_bench_close(bench);
	bench->open = (struct remote_open_req){
		.name = bench->name,
		.keywords = &bench->keywords,
		.known_uidvalidity = known->uidvalidity,
		.known_modseq = known->modseq,
	};
	op_prepare(&bench->turner, &bench->open.op);
	bench->account->ops->open(bench->account, &bench->open);
	assert_int_equal(op_await(&bench->turner, &bench->open.op), 0);
	remote_observation_init(result);
	op_prepare(&bench->turner, &req.op);
	bench->open.mailbox->ops->observe(bench->open.mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	pass_apply(bench, known, result);
	known->uidvalidity = bench->open.uidvalidity;
}

static bool pass_settle(struct remote_bench *bench, struct known *known)
{
	struct remote_settle_req req = { .has_news = true };

	op_prepare(&bench->turner, &req.op);
	bench->open.mailbox->ops->settle(bench->open.mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	assert_true(bench->kind->has_modseq == (req.highestmodseq > 0));
	known->modseq = req.highestmodseq;
	return req.has_news;
}

/* A pass in which nothing is changed. */
static bool pass(struct remote_bench *bench, struct known *known)
{
	struct remote_observation result;

	pass_begin(bench, known, &result);
	remote_observation_free(&result);
	return pass_settle(bench, known);
}

static void pass_store(struct remote_bench *bench, struct known *known, uint32_t uid, uint64_t add,
		       uint64_t remove)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", uid);
	assert_int_equal(ask_store(bench, bench->open.mailbox, text, add, remove), 0);
	known->flags[uid] = (known->flags[uid] | add) & ~remove;
}

static void pass_expunge(struct remote_bench *bench, struct known *known, uint32_t uid)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", uid);
	assert_int_equal(ask_expunge(bench, bench->open.mailbox, text), 0);
	known->is_there[uid] = false;
}

/* What is known is what is there. */
static void assert_known(struct remote_bench *bench, const struct known *known,
			 struct remote_mailbox *mailbox)
{
	struct remote_observation truth;
	struct remote_observe_req req = { .result = &truth, .wants_all = true };
	uint32_t count = known_count(known);

	remote_observation_init(&truth);
	op_prepare(&bench->turner, &req.op);
	mailbox->ops->observe(mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	assert_false(truth.is_delta);
	assert_true(truth.is_complete);
	assert_int_equal(truth.count, count);
	for (size_t i = 0; i < truth.count; i++) {
		assert_true(known->is_there[truth.items[i].uid]);
		assert_int_equal(truth.items[i].flags, known->flags[truth.items[i].uid]);
	}
	remote_observation_free(&truth);
}

/* --- The cases ---------------------------------------------------------------------------------
 */

static void what_others_changed_is_told(void **state)
{
	struct remote_bench *bench = *state;
	struct remote_mailbox *other = remote_bench_other(bench);
	struct known known = { .modseq = 0 };
	struct remote_observation result;

	for (int i = 0; i < 6; i++)
		append(bench, other, 0);
	assert_false(pass(bench, &known));
	assert_int_equal(ask_store(bench, other, "2:3", FLAG_SEEN, 0), 0);
	assert_int_equal(ask_expunge(bench, other, "3:4,6"), 0);
	append(bench, other, FLAG_FLAGGED);
	pass_begin(bench, &known, &result);
	assert_known(bench, &known, other);
	assert_true(result.is_delta == bench->kind->has_modseq);
	assert_true(result.tells_gone == bench->kind->tells_gone);
	if (result.is_delta) {
		assert_int_equal(result.count, 2);
		assert_int_equal(result.items[0].uid, 2);
		assert_int_equal(result.items[1].uid, 7);
	}
	if (result.tells_gone)
		assert_true(uidset_contains(&result.gone, 3) && uidset_contains(&result.gone, 4) &&
			    uidset_contains(&result.gone, 6));
	remote_observation_free(&result);
}

static void what_did_not_change_is_not_told_again(void **state)
{
	struct remote_bench *bench = *state;
	struct known known = { .modseq = 0 };
	struct remote_observation result;

	for (int i = 0; i < 3; i++)
		append(bench, bench->open.mailbox, 0);
	assert_false(pass(bench, &known));
	pass_begin(bench, &known, &result);
	assert_true(result.is_delta == bench->kind->has_modseq);
	assert_int_equal(result.count, result.is_delta ? 0 : 3);
	assert_true(uidset_is_empty(&result.gone));
	assert_int_equal(result.exists, 3);
	assert_false(pass_settle(bench, &known));
	remote_observation_free(&result);
}

static void another_uidvalidity_than_the_known_one_gives_a_listing(void **state)
{
	struct remote_bench *bench = *state;
	struct known known = { .modseq = 0 };
	struct remote_observation result;

	append(bench, bench->open.mailbox, 0);
	assert_false(pass(bench, &known));
	known.uidvalidity ^= 1;
	pass_begin(bench, &known, &result);
	assert_false(result.is_delta);
	assert_int_equal(result.count, 1);
	remote_observation_free(&result);
}

static void our_own_changes_do_not_come_back_as_news(void **state)
{
	struct remote_bench *bench = *state;
	struct known known = { .modseq = 0 };
	struct remote_observation result;

	for (int i = 0; i < 6; i++)
		append(bench, bench->open.mailbox, 0);
	assert_false(pass(bench, &known));
	pass_begin(bench, &known, &result);
	remote_observation_free(&result);
	pass_store(bench, &known, 2, FLAG_SEEN, 0);
	pass_store(bench, &known, 5, FLAG_ANSWERED | FLAG_DRAFT, 0);
	pass_store(bench, &known, 5, 0, FLAG_DRAFT);
	pass_expunge(bench, &known, 3);
	pass_store(bench, &known, 6, FLAG_FLAGGED, 0);
	assert_false(pass_settle(bench, &known));
	pass_begin(bench, &known, &result);
	if (result.tells_gone)
		assert_true(uidset_is_empty(&result.gone));
	if (result.is_delta)
		assert_int_equal(result.count, 0);
	assert_known(bench, &known, bench->open.mailbox);
	remote_observation_free(&result);
}

static void our_own_append_is_no_news(void **state)
{
	struct remote_bench *bench = *state;
	struct known known = { .modseq = 0 };
	struct remote_observation result;

	append(bench, bench->open.mailbox, 0);
	assert_false(pass(bench, &known));
	pass_begin(bench, &known, &result);
	remote_observation_free(&result);
	append(bench, bench->open.mailbox, FLAG_SEEN);
	assert_false(pass_settle(bench, &known));
	assert_false(pass(bench, &known));
	assert_known(bench, &known, bench->open.mailbox);
}

/* What another session does between our look and our own later change has the lower modseq: it
 * must not be passed over. */
static void changes_of_others_before_our_own_are_not_lost(void **state)
{
	static const struct {
		const char *store; /* of flags */
		const char *expunge;
		bool is_append;
	} changes[] = { { "2", NULL, false }, { NULL, "3", false }, { NULL, NULL, true } };
	struct remote_bench *bench = *state;
	struct remote_mailbox *other = remote_bench_other(bench);
	struct known known = { .modseq = 0 };
	struct remote_observation result;

	for (int i = 0; i < 5; i++)
		append(bench, other, 0);
	assert_false(pass(bench, &known));
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		pass_begin(bench, &known, &result);
		remote_observation_free(&result);
		if (changes[i].store != NULL)
			assert_int_equal(ask_store(bench, other, changes[i].store, FLAG_FLAGGED, 0),
					 0);
		if (changes[i].expunge != NULL)
			assert_int_equal(ask_expunge(bench, other, changes[i].expunge), 0);
		if (changes[i].is_append)
			append(bench, other, 0);
		pass_store(bench, &known, 5, i % 2 == 0 ? FLAG_SEEN : 0,
			   i % 2 == 0 ? 0 : FLAG_SEEN);
		bool has_news = pass_settle(bench, &known);
		assert_true(has_news || !bench->kind->has_modseq);
		(void)pass(bench, &known);
		assert_known(bench, &known, other);
	}
}

static void a_flag_of_others_on_the_message_we_change_is_not_lost(void **state)
{
	struct remote_bench *bench = *state;
	struct remote_mailbox *other = remote_bench_other(bench);
	struct known known = { .modseq = 0 };
	struct remote_observation result;

	append(bench, other, 0);
	assert_false(pass(bench, &known));
	pass_begin(bench, &known, &result);
	remote_observation_free(&result);
	assert_int_equal(ask_store(bench, other, "1", FLAG_FLAGGED, 0), 0);
	pass_store(bench, &known, 1, FLAG_SEEN, 0);
	(void)pass_settle(bench, &known);
	(void)pass(bench, &known);
	assert_known(bench, &known, other);
}

static void a_search_names_all_messages_and_no_more(void **state)
{
	struct remote_bench *bench = *state;
	struct uidset present = { 0 };
	struct remote_search_req req = { .present = &present };

	for (int i = 0; i < 3; i++) {
		uidset_clear(&present);
		op_prepare(&bench->turner, &req.op);
		bench->open.mailbox->ops->search(bench->open.mailbox, &req);
		assert_int_equal(op_await(&bench->turner, &req.op), 0);
		assert_true(req.is_complete);
		assert_int_equal(uidset_count(&present), i == 0 ? 0 : (i == 1 ? 4 : 2));
		if (i == 0) {
			for (int n = 0; n < 4; n++)
				append(bench, bench->open.mailbox, 0);
			remote_bench_close(bench);
			remote_bench_open(bench);
		} else if (i == 1) {
			assert_int_equal(ask_expunge(bench, bench->open.mailbox, "1,3"), 0);
		}
	}
	assert_true(uidset_contains(&present, 2) && uidset_contains(&present, 4));
	uidset_free(&present);
}

/* --- Status ------------------------------------------------------------------------------------
 */

struct status_list {
	struct remote_list_req req;
	const char *name;
	size_t found;
	struct mailbox_status status;
};

static bool status_selects(struct remote_list_req *req, const char *name)
{
	return strcmp(name, container_of(req, struct status_list, req)->name) == 0;
}

static void status_found(struct remote_list_req *req, const struct mailbox_info *info)
{
	struct status_list *list = container_of(req, struct status_list, req);

	if (strcmp(info->name, list->name) != 0)
		return;
	list->found++;
	list->status = info->status;
}

/* On a connection that has had the mailbox selected: the box is closed, and opened again. */
static struct mailbox_status list_status(struct remote_bench *bench)
{
	struct status_list list = { .req = { .selects = status_selects, .found = status_found },
				    .name = bench->name };

	remote_bench_close(bench);
	op_prepare(&bench->turner, &list.req.op);
	bench->account->ops->list(bench->account, &list.req);
	assert_int_equal(op_await(&bench->turner, &list.req.op), 0);
	assert_int_equal(list.found, 1);
	remote_bench_open(bench);
	return list.status;
}

static void the_list_tells_how_a_mailbox_stands(void **state)
{
	struct remote_bench *bench = *state;
	struct remote_mailbox *other = remote_bench_other(bench);
	struct known known = { .modseq = 0 };

	append(bench, other, 0);
	append(bench, other, 0);
	assert_false(pass(bench, &known));
	struct mailbox_status before = list_status(bench);
	assert_int_equal(ask_store(bench, other, "1", FLAG_SEEN, 0), 0);
	struct mailbox_status flagged = list_status(bench);
	append(bench, other, 0);
	struct mailbox_status appended = list_status(bench);
	if (!bench->kind->has_modseq) {
		assert_int_equal(before.uidvalidity, 0);
		return;
	}
	assert_int_equal(before.uidvalidity, bench->open.uidvalidity);
	assert_int_equal(before.uidnext, 3);
	assert_int_equal(before.messages, 2);
	assert_int_equal(before.highestmodseq, known.modseq);
	assert_int_equal(flagged.messages, 2);
	assert_true(flagged.highestmodseq > before.highestmodseq);
	assert_int_equal(appended.messages, 3);
	assert_int_equal(appended.uidnext, 4);
}

static void what_settled_is_what_the_list_tells(void **state)
{
	struct remote_bench *bench = *state;
	struct known known = { .modseq = 0 };
	struct remote_observation result;

	for (int i = 0; i < 4; i++)
		append(bench, bench->open.mailbox, 0);
	assert_false(pass(bench, &known));
	pass_begin(bench, &known, &result);
	remote_observation_free(&result);
	pass_store(bench, &known, 1, FLAG_SEEN, 0);
	pass_expunge(bench, &known, 2);
	assert_false(pass_settle(bench, &known));
	struct mailbox_status status = list_status(bench);
	if (bench->kind->tells_gone)
		assert_int_equal(status.highestmodseq, known.modseq);
	if (bench->kind->has_modseq)
		assert_int_equal(status.messages, 3);
}

/* --- In any order ------------------------------------------------------------------------------
 */

static uint32_t random_below(uint32_t *seed, uint32_t limit)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % limit;
}

static void others_change_something(struct remote_bench *bench, struct remote_mailbox *other,
				    uint32_t *seed)
{
	uint32_t uid = random_below(seed, bench->appended) + 1;
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", uid);
	switch (random_below(seed, 5)) {
	case 0:
		append(bench, other, 0);
		break;
	case 1:
		assert_int_equal(ask_expunge(bench, other, text), 0);
		break;
	case 2:
		assert_int_equal(ask_store(bench, other, text, 0, FLAG_FLAGGED), 0);
		break;
	default:
		assert_int_equal(ask_store(bench, other, text, FLAG_FLAGGED, 0), 0);
		break;
	}
}

static void we_change_something(struct remote_bench *bench, struct known *known, uint32_t *seed)
{
	uint32_t uid = random_below(seed, bench->appended) + 1;

	switch (random_below(seed, 5)) {
	case 0:
		pass_expunge(bench, known, uid);
		break;
	case 1:
		pass_store(bench, known, uid, 0, FLAG_SEEN);
		break;
	default:
		pass_store(bench, known, uid, FLAG_SEEN, 0);
		break;
	}
}

/* Two passes after the last change, as news or the next round's status would bring them. */
static void whatever_the_order_nothing_is_lost(void **state)
{
	struct remote_bench *bench = *state;
	struct remote_mailbox *other = remote_bench_other(bench);
	struct known known = { .modseq = 0 };
	struct remote_observation result;
	uint32_t seed = 1;

	for (int i = 0; i < 8; i++)
		append(bench, other, 0);
	for (int round = 0; round < 60; round++) {
		pass_begin(bench, &known, &result);
		remote_observation_free(&result);
		for (uint32_t n = random_below(&seed, 5); n > 0; n--) {
			if (random_below(&seed, 2) == 0)
				others_change_something(bench, other, &seed);
			else
				we_change_something(bench, &known, &seed);
		}
		(void)pass_settle(bench, &known);
		if (round % 4 == 3) {
			(void)pass(bench, &known);
			assert_known(bench, &known, other);
		}
	}
}

void remote_delta_tests_add(struct port_tests *tests, struct remote_kind *kind)
{
	static const struct port_case cases[] = {
		PORT_CASE(what_others_changed_is_told),
		PORT_CASE(what_did_not_change_is_not_told_again),
		PORT_CASE(another_uidvalidity_than_the_known_one_gives_a_listing),
		PORT_CASE(our_own_changes_do_not_come_back_as_news),
		PORT_CASE(our_own_append_is_no_news),
		PORT_CASE(changes_of_others_before_our_own_are_not_lost),
		PORT_CASE(a_flag_of_others_on_the_message_we_change_is_not_lost),
		PORT_CASE(a_search_names_all_messages_and_no_more),
		PORT_CASE(the_list_tells_how_a_mailbox_stands),
		PORT_CASE(what_settled_is_what_the_list_tells),
		PORT_CASE(whatever_the_order_nothing_is_lost),
	};

	port_tests_add(tests, kind->name, kind, cases, ARRAY_LEN(cases), remote_bench_setup,
		       remote_bench_teardown);
}
