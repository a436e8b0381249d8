/* The local port: what it spares itself when mtimes are known or hints given. An implementation
 * may always answer with a complete listing instead, which must then be right.
 * SPDX-License-Identifier: MIT */
#include "port/local_bench.h"

#include <stdio.h>

#define HINTS_MAX 8
#define ASKED_MAX 50 /* times, until what is gone is surely gone */

struct asked {
	struct local_listing listing;
	struct local_hint hints[HINTS_MAX];
	char files[HINTS_MAX][MAIL_NAME_MAX + 16];
	size_t count;
	struct local_mtimes known;
};

static void add_hint(struct asked *asked, const char *name, const char *suffix, bool is_gone)
{
	char *file = asked->files[asked->count];

	must(asked->count < HINTS_MAX);
	(void)snprintf(file, sizeof(asked->files[0]), "%s%s", name, suffix);
	asked->hints[asked->count++] = (struct local_hint){
		.file = file,
		.is_new = suffix[0] == '\0',
		.is_gone = is_gone,
	};
}

static void ask(struct local_bench *bench, struct asked *asked)
{
	struct local_scan_req req = {
		.hints = asked->count > 0 ? asked->hints : NULL,
		.hint_count = asked->count,
		.known = asked->known,
		.result = &asked->listing,
	};

	local_listing_init(&asked->listing);
	op_prepare(&bench->turner, &req.op);
	bench->mailbox->ops->scan(bench->mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
}

static void ask_until_stable(struct local_bench *bench, struct asked *asked)
{
	ask(bench, asked);
	for (int i = 1; !asked->listing.is_stable && i < ASKED_MAX; i++) {
		local_listing_free(&asked->listing);
		bench->kind->age(bench, 1);
		ask(bench, asked);
	}
	assert_true(asked->listing.is_stable);
}

static const struct local_item *find(const struct asked *asked, const char *name)
{
	for (size_t i = 0; i < asked->listing.count; i++) {
		if (strcmp(asked->listing.items[i].name, name) == 0)
			return &asked->listing.items[i];
	}
	return NULL;
}

static void assert_there(const struct asked *asked, const char *name, uint64_t flags)
{
	const struct local_item *item = find(asked, name);

	assert_non_null(item);
	assert_false(item->is_gone);
	assert_int_equal(item->flags, flags);
}

/* A listing does not have it; a delta says that it is gone. */
static void assert_not_there(const struct asked *asked, const char *name)
{
	const struct local_item *item = find(asked, name);

	if (asked->listing.is_delta)
		assert_non_null(item);
	assert_true(item == NULL || item->is_gone);
}

static void a_hint_tells_of_its_message_and_a_delta_of_no_other(void **state)
{
	struct local_bench *bench = *state;
	struct asked asked = { .count = 0 };
	char named[MAIL_NAME_MAX + 1];
	char other[MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 1, FLAG_SEEN, false, named);
	bench->kind->put(bench, 2, 0, true, other);
	add_hint(&asked, named, "", true);
	add_hint(&asked, named, ":2,S", false);
	ask_until_stable(bench, &asked);
	assert_there(&asked, named, FLAG_SEEN);
	assert_int_equal(asked.listing.count, asked.listing.is_delta ? 1 : 2);
	local_listing_free(&asked.listing);
}

static void hints_of_several_messages_are_answered_sorted(void **state)
{
	struct local_bench *bench = *state;
	struct asked asked = { .count = 0 };
	char names[3][MAIL_NAME_MAX + 1];

	for (uint32_t i = 0; i < 3; i++)
		bench->kind->put(bench, i + 1, 0, true, names[i]);
	for (size_t i = 3; i-- > 0;)
		add_hint(&asked, names[i], "", false);
	ask_until_stable(bench, &asked);
	assert_int_equal(asked.listing.count, 3);
	for (size_t i = 1; i < 3; i++)
		assert_true(strcmp(asked.listing.items[i - 1].name, asked.listing.items[i].name) <
			    0);
	local_listing_free(&asked.listing);
}

static void a_message_hinted_to_have_vanished_is_gone(void **state)
{
	struct local_bench *bench = *state;
	struct asked asked = { .count = 0 };
	char name[MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 1, 0, true, name);
	bench->kind->take(bench, name);
	add_hint(&asked, name, "", false);
	add_hint(&asked, name, "", true);
	ask_until_stable(bench, &asked);
	assert_not_there(&asked, name);
	local_listing_free(&asked.listing);
}

static void a_message_that_vanished_before_its_event_did_is_never_told_as_gone(void **state)
{
	struct local_bench *bench = *state;
	struct asked asked = { .count = 0 };
	char name[MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 1, 0, true, name);
	bench->kind->take(bench, name);
	add_hint(&asked, name, "", false);
	ask(bench, &asked);
	assert_null(find(&asked, name));
	assert_true(!asked.listing.is_delta || !asked.listing.is_stable);
	local_listing_free(&asked.listing);
}

static void known_mtimes_spare_the_listing_until_something_changes(void **state)
{
	struct local_bench *bench = *state;
	const struct local_account_ops *ops = bench->account->ops;
	struct asked asked = { .count = 0 };
	char name[MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 1, FLAG_SEEN, false, name);
	bench->kind->age(bench, 2100);
	ask_until_stable(bench, &asked);
	assert_false(asked.listing.is_delta);
	asked.known = asked.listing.mtimes;
	local_listing_free(&asked.listing);
	if (asked.known.cur_ns == 0)
		return; /* it never tells mtimes */

	assert_true(asked.known.new_ns != 0);
	assert_true(ops->is_unchanged(bench->account, "INBOX", &asked.known));
	ask(bench, &asked);
	assert_true(asked.listing.is_stable);
	if (asked.listing.is_delta)
		assert_int_equal(asked.listing.count, 0);
	assert_memory_equal(&asked.listing.mtimes, &asked.known, sizeof(asked.known));
	local_listing_free(&asked.listing);

	bench->kind->put(bench, 2, 0, true, name);
	assert_false(ops->is_unchanged(bench->account, "INBOX", &asked.known));
	ask_until_stable(bench, &asked);
	assert_false(asked.listing.is_delta);
	assert_int_equal(asked.listing.count, 2);
	local_listing_free(&asked.listing);
}

static void a_fresh_change_is_behind_no_mtimes(void **state)
{
	struct local_bench *bench = *state;
	struct asked asked = { .count = 0 };
	char name[MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 1, 0, true, name);
	ask_until_stable(bench, &asked);
	assert_int_equal(asked.listing.mtimes.cur_ns, 0);
	assert_int_equal(asked.listing.mtimes.new_ns, 0);
	local_listing_free(&asked.listing);
}

static void flags_are_changed_where_expected_and_elsewhere(void **state)
{
	struct local_bench *bench = *state;
	const struct local_mailbox_ops *ops = bench->mailbox->ops;
	struct asked asked = { .count = 0 };
	char names[2][MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 1, FLAG_SEEN, false, names[0]);
	bench->kind->put(bench, 2, FLAG_SEEN, false, names[1]);
	assert_int_equal(
		ops->set_flags(bench->mailbox, names[0], FLAG_SEEN, FLAG_FLAGGED, 0, &bench->err),
		0);
	assert_int_equal(ops->set_flags(bench->mailbox, names[1], FLAG_DRAFT, FLAG_FLAGGED,
					FLAG_DRAFT, &bench->err),
			 0);
	ask_until_stable(bench, &asked);
	assert_there(&asked, names[0], FLAG_SEEN | FLAG_FLAGGED);
	assert_there(&asked, names[1], FLAG_SEEN | FLAG_FLAGGED);
	local_listing_free(&asked.listing);
	assert_int_equal(
		ops->remove(bench->mailbox, names[0], FLAG_SEEN | FLAG_FLAGGED, &bench->err), 0);
	assert_int_equal(ops->remove(bench->mailbox, names[1], 0, &bench->err), 0);
	ask_until_stable(bench, &asked);
	assert_int_equal(asked.listing.count, 0);
	local_listing_free(&asked.listing);
}

void local_look_tests_add(struct port_tests *tests)
{
	static const struct port_case cases[] = {
		PORT_CASE(a_hint_tells_of_its_message_and_a_delta_of_no_other),
		PORT_CASE(hints_of_several_messages_are_answered_sorted),
		PORT_CASE(a_message_hinted_to_have_vanished_is_gone),
		PORT_CASE(a_message_that_vanished_before_its_event_did_is_never_told_as_gone),
		PORT_CASE(known_mtimes_spare_the_listing_until_something_changes),
		PORT_CASE(a_fresh_change_is_behind_no_mtimes),
		PORT_CASE(flags_are_changed_where_expected_and_elsewhere),
	};

	for (size_t i = 0; i < LOCAL_KIND_COUNT; i++)
		port_tests_add(tests, local_kinds[i].name, &local_kinds[i], cases, ARRAY_LEN(cases),
			       local_bench_setup, local_bench_teardown);
}
