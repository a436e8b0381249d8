/* The local port: mailboxes that are listed, get another name or go, and messages that came from
 * another mailbox.
 * SPDX-License-Identifier: MIT */
#include "port/local_bench.h"

#include <stdio.h>

#define WORK (FLAGS_SYSTEM + 1)       /* the first keyword's bit */
#define HOME ((FLAGS_SYSTEM + 1) * 2) /* the second's */

/* --- Short ways ------------------------------------------------------------------------------ */

struct sought {
	struct local_list_req req;
	const char *name;
	size_t found;
	uint64_t lasting_id;
};

static void seek(struct local_list_req *req, const struct mailbox_info *info)
{
	struct sought *sought = container_of(req, struct sought, req);

	if (!info->is_selectable || strcmp(info->name, sought->name) != 0)
		return;
	sought->found++;
	sought->lasting_id = info->lasting_id;
}

/* The lasting id of a mailbox, or 0 when it is not listed. */
static uint64_t id_of(struct local_bench *bench, const char *name)
{
	struct sought sought = { .req.found = seek, .name = name };

	op_prepare(&bench->turner, &sought.req.op);
	bench->account->ops->list(bench->account, &sought.req);
	assert_int_equal(op_await(&bench->turner, &sought.req.op), 0);
	assert_true(sought.found <= 1);
	assert_int_equal(sought.found, sought.lasting_id != 0);
	return sought.lasting_id;
}

static bool is_listed(struct local_bench *bench, const char *name)
{
	return id_of(bench, name) != 0;
}

static void create(struct local_bench *bench, const char *name)
{
	assert_int_equal(bench->account->ops->create(bench->account, name, &bench->err), 0);
}

static int rename_box(struct local_bench *bench, const char *from, const char *to)
{
	return bench->account->ops->rename(bench->account, from, to, &bench->err);
}

static int remove_box(struct local_bench *bench, const char *name)
{
	return bench->account->ops->remove(bench->account, name, &bench->err);
}

static struct local_mailbox *open_box(struct local_bench *bench, const char *name)
{
	struct local_mailbox *mailbox = NULL;

	assert_int_equal(bench->account->ops->open(bench->account, name, &bench->keywords, &mailbox,
						   &bench->err),
			 0);
	return mailbox;
}

static struct local_listing scan(struct local_bench *bench, struct local_mailbox *mailbox)
{
	struct local_listing listing;
	struct local_scan_req req = { .result = &listing };

	local_listing_init(&listing);
	op_prepare(&bench->turner, &req.op);
	mailbox->ops->scan(mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	return listing;
}

static uint64_t flags_of(struct local_bench *bench, struct local_mailbox *mailbox, const char *name)
{
	struct local_listing listing = scan(bench, mailbox);
	uint64_t flags = 0;
	size_t found = 0;

	for (size_t i = 0; i < listing.count; i++) {
		if (strcmp(listing.items[i].name, name) == 0) {
			flags = listing.items[i].flags;
			found++;
		}
	}
	local_listing_free(&listing);
	assert_int_equal(found, 1);
	return flags;
}

/* Delivers model_body(content) with these flags. */
static void deliver(struct local_bench *bench, const char *box, uint32_t content, uint64_t flags,
		    char *name)
{
	struct local_mailbox *mailbox = open_box(bench, box);
	struct local_delivery *delivery = NULL;
	struct local_flush_req flush;
	struct digest identity;
	uint64_t size_bytes;
	size_t len = 0;
	char *body = model_body(content, &len);

	assert_int_equal(mailbox->ops->deliver_begin(mailbox, &delivery, &bench->err), 0);
	assert_int_equal(
		mailbox->ops->deliver_write(delivery, (struct slice){ body, len }, &bench->err), 0);
	assert_int_equal(mailbox->ops->deliver_end(delivery, 1600000000, name, &size_bytes,
						   &identity, &bench->err),
			 0);
	op_prepare(&bench->turner, &flush.op);
	mailbox->ops->flush(mailbox, &flush);
	assert_int_equal(op_await(&bench->turner, &flush.op), 0);
	assert_int_equal(mailbox->ops->publish(mailbox, name, flags, &bench->err), 0);
	mailbox->ops->close(mailbox);
	free(body);
}

static void assert_has(struct local_bench *bench, const char *box, const char *name, uint64_t flags)
{
	struct local_mailbox *mailbox = open_box(bench, box);

	assert_int_equal(flags_of(bench, mailbox, name), flags);
	mailbox->ops->close(mailbox);
}

/* --- Renaming ----------------------------------------------------------------------------------
 */

static void each_mailbox_has_a_lasting_id_of_its_own(void **state)
{
	struct local_bench *bench = *state;

	create(bench, "A");
	create(bench, "A/B");
	uint64_t a = id_of(bench, "A");
	uint64_t b = id_of(bench, "A/B");
	uint64_t inbox = id_of(bench, "INBOX");
	assert_true(a != 0 && b != 0 && inbox != 0);
	assert_true(a != b && a != inbox && b != inbox);
	assert_true(id_of(bench, "A") == a);
}

static void a_renamed_mailbox_keeps_its_messages_and_its_id(void **state)
{
	struct local_bench *bench = *state;
	char names[2][MAIL_NAME_MAX + 1];

	(void)keyword_table_intern(&bench->keywords, slice_of("work"));
	create(bench, "A");
	deliver(bench, "A", 1, FLAG_SEEN | WORK, names[0]);
	deliver(bench, "A", 2, 0, names[1]);
	uint64_t id = id_of(bench, "A");
	assert_int_equal(rename_box(bench, "A", "X/Y"), 0);
	assert_false(is_listed(bench, "A"));
	assert_true(id_of(bench, "X/Y") == id);
	assert_has(bench, "X/Y", names[0], FLAG_SEEN | WORK);
	assert_has(bench, "X/Y", names[1], 0);
}

static void renaming_again_finds_nothing_and_changes_nothing(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	create(bench, "A");
	deliver(bench, "A", 1, FLAG_SEEN, name);
	assert_int_equal(rename_box(bench, "A", "X"), 0);
	assert_int_equal(rename_box(bench, "A", "X"), SYNCD_ENOTFOUND);
	assert_int_equal(bench->err.code, SYNCD_ENOTFOUND);
	assert_has(bench, "X", name, FLAG_SEEN);
	assert_int_equal(rename_box(bench, "never", "Y"), SYNCD_ENOTFOUND);
	assert_false(is_listed(bench, "Y"));
}

static void mailboxes_below_a_renamed_one_stay(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	create(bench, "A");
	create(bench, "A/B");
	deliver(bench, "A/B", 1, FLAG_SEEN, name);
	assert_int_equal(rename_box(bench, "A", "X"), 0);
	assert_false(is_listed(bench, "X/B"));
	assert_has(bench, "A/B", name, FLAG_SEEN);
	assert_int_equal(rename_box(bench, "A/B", "A"), 0); /* the name is free */
	assert_has(bench, "A", name, FLAG_SEEN);
}

static void a_name_that_is_taken_is_not_taken_over(void **state)
{
	struct local_bench *bench = *state;
	char names[2][MAIL_NAME_MAX + 1];

	create(bench, "A");
	create(bench, "X");
	deliver(bench, "A", 1, FLAG_SEEN, names[0]);
	deliver(bench, "X", 2, 0, names[1]);
	assert_int_equal(rename_box(bench, "A", "X"), SYNCD_EBUSY);
	assert_has(bench, "A", names[0], FLAG_SEEN);
	assert_has(bench, "X", names[1], 0);
}

/* --- Removing ----------------------------------------------------------------------------------
 */

static void an_empty_mailbox_is_removed_and_stays_removed(void **state)
{
	struct local_bench *bench = *state;

	create(bench, "A");
	create(bench, "A/B");
	create(bench, "A/B/C");
	assert_int_equal(remove_box(bench, "A/B"), 0);
	assert_false(is_listed(bench, "A/B"));
	assert_true(is_listed(bench, "A") && is_listed(bench, "A/B/C"));
	assert_int_equal(remove_box(bench, "A/B"), 0);
	assert_int_equal(remove_box(bench, "never"), 0);
	create(bench, "A/B");
	assert_true(is_listed(bench, "A/B"));
}

static void a_mailbox_with_messages_is_not_removed(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	create(bench, "A");
	for (uint32_t i = 0; i < 2; i++) {
		deliver(bench, "A", i + 1, i == 0 ? 0 : FLAG_SEEN, name);
		assert_int_equal(remove_box(bench, "A"), SYNCD_EBUSY);
		assert_int_equal(bench->err.code, SYNCD_EBUSY);
		assert_has(bench, "A", name, i == 0 ? 0 : FLAG_SEEN);
		struct local_mailbox *mailbox = open_box(bench, "A");
		assert_int_equal(mailbox->ops->remove(mailbox, name, 0, &bench->err), 0);
		mailbox->ops->close(mailbox);
	}
	assert_int_equal(remove_box(bench, "A"), 0);
	assert_false(is_listed(bench, "A"));
}

/* --- Keywords ------------------------------------------------------------------------------------
 */

static int set_keywords(struct local_bench *bench, const char *name, uint64_t flags)
{
	return bench->mailbox->ops->set_keywords(bench->mailbox, name, flags, &bench->err);
}

static void keywords_become_those_given_and_system_flags_stay(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	(void)keyword_table_intern(&bench->keywords, slice_of("work"));
	(void)keyword_table_intern(&bench->keywords, slice_of("home"));
	bench->kind->put(bench, 1, FLAG_SEEN | FLAG_DRAFT, false, name);
	assert_int_equal(set_keywords(bench, name, WORK), 0);
	assert_int_equal(flags_of(bench, bench->mailbox, name), FLAG_SEEN | FLAG_DRAFT | WORK);
	assert_int_equal(set_keywords(bench, name, FLAG_FLAGGED | HOME), 0);
	assert_int_equal(flags_of(bench, bench->mailbox, name), FLAG_SEEN | FLAG_DRAFT | HOME);
	assert_int_equal(set_keywords(bench, name, FLAG_SEEN | HOME), 0);
	assert_int_equal(flags_of(bench, bench->mailbox, name), FLAG_SEEN | FLAG_DRAFT | HOME);
	assert_int_equal(set_keywords(bench, name, 0), 0);
	assert_int_equal(flags_of(bench, bench->mailbox, name), FLAG_SEEN | FLAG_DRAFT);
}

static void a_new_message_that_gets_keywords_is_no_longer_in_new(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	(void)keyword_table_intern(&bench->keywords, slice_of("work"));
	bench->kind->put(bench, 1, 0, true, name);
	assert_int_equal(set_keywords(bench, name, FLAG_SEEN), 0);
	assert_int_equal(bench->kind->place(bench, name), PLACE_NEW);
	assert_int_equal(set_keywords(bench, name, FLAG_SEEN | WORK), 0);
	assert_int_equal(flags_of(bench, bench->mailbox, name), WORK);
	assert_int_not_equal(bench->kind->place(bench, name), PLACE_NEW);
}

static void keywords_of_a_message_that_is_gone_are_not_found(void **state)
{
	struct local_bench *bench = *state;

	assert_int_equal(set_keywords(bench, "1600000000.never.host", 0), SYNCD_ENOTFOUND);
	assert_int_equal(bench->err.code, SYNCD_ENOTFOUND);
}

void local_tree_tests_add(struct port_tests *tests)
{
	static const struct port_case cases[] = {
		PORT_CASE(each_mailbox_has_a_lasting_id_of_its_own),
		PORT_CASE(a_renamed_mailbox_keeps_its_messages_and_its_id),
		PORT_CASE(renaming_again_finds_nothing_and_changes_nothing),
		PORT_CASE(mailboxes_below_a_renamed_one_stay),
		PORT_CASE(a_name_that_is_taken_is_not_taken_over),
		PORT_CASE(an_empty_mailbox_is_removed_and_stays_removed),
		PORT_CASE(a_mailbox_with_messages_is_not_removed),
		PORT_CASE(keywords_become_those_given_and_system_flags_stay),
		PORT_CASE(a_new_message_that_gets_keywords_is_no_longer_in_new),
		PORT_CASE(keywords_of_a_message_that_is_gone_are_not_found),
	};

	for (size_t i = 0; i < LOCAL_KIND_COUNT; i++)
		port_tests_add(tests, local_kinds[i].name, &local_kinds[i], cases, ARRAY_LEN(cases),
			       local_bench_setup, local_bench_teardown);
}
