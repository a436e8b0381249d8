/* The local port: every operation and the outcomes that ports.h promises.
 * SPDX-License-Identifier: MIT */
#include "port/local_bench.h"

#define WORK (FLAGS_SYSTEM + 1) /* the first keyword's bit */

/* --- Short ways --------------------------------------------------------------------------------
 */

static void put(struct local_bench *bench, uint32_t content, uint64_t flags, bool is_new,
		char *name)
{
	bench->kind->put(bench, content, flags, is_new, name);
}

static struct local_listing scan(struct local_bench *bench)
{
	struct local_listing listing;
	struct local_scan_req req = { .result = &listing };

	local_listing_init(&listing);
	op_prepare(&bench->turner, &req.op);
	bench->mailbox->ops->scan(bench->mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	return listing;
}

/* The flags of a message as a scan tells them; fails when it is not listed. */
static uint64_t flags_of(struct local_bench *bench, const char *name)
{
	struct local_listing listing = scan(bench);
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

static size_t listed_count(struct local_bench *bench)
{
	struct local_listing listing = scan(bench);
	size_t count = listing.count;

	local_listing_free(&listing);
	return count;
}

static int set_flags(struct local_bench *bench, const char *name, uint64_t add, uint64_t remove)
{
	return bench->mailbox->ops->set_flags(bench->mailbox, name, 0, add, remove, &bench->err);
}

static int publish(struct local_bench *bench, const char *name, uint64_t flags)
{
	return bench->mailbox->ops->publish(bench->mailbox, name, flags, &bench->err);
}

static int flush(struct local_bench *bench)
{
	struct local_flush_req req;

	op_prepare(&bench->turner, &req.op);
	bench->mailbox->ops->flush(bench->mailbox, &req);
	return op_await(&bench->turner, &req.op);
}

static int examine(struct local_bench *bench, const char *name, struct local_examine_req *req)
{
	*req = (struct local_examine_req){ .name = name };
	op_prepare(&bench->turner, &req->op);
	bench->mailbox->ops->examine(bench->mailbox, req);
	return op_await(&bench->turner, &req->op);
}

/* Begins a delivery and writes the body in pieces of seven bytes. */
static struct local_delivery *deliver_body(struct local_bench *bench, uint32_t content)
{
	const struct local_mailbox_ops *ops = bench->mailbox->ops;
	struct local_delivery *delivery = NULL;
	size_t len = 0;
	char *body = model_body(content, &len);

	assert_int_equal(ops->deliver_begin(bench->mailbox, &delivery, &bench->err), 0);
	for (size_t at = 0; at < len; at += 7) {
		struct slice piece = { body + at, len - at < 7 ? len - at : 7 };
		assert_int_equal(ops->deliver_write(delivery, piece, &bench->err), 0);
	}
	free(body);
	return delivery;
}

static void assert_identity(uint32_t content, const struct digest *identity, uint64_t size_bytes)
{
	struct digest expected;
	uint64_t expected_size = 0;

	model_identity(content, &expected, &expected_size);
	assert_int_equal(size_bytes, expected_size);
	assert_true(digest_equals(identity, &expected));
}

static void deliver(struct local_bench *bench, uint32_t content, char *name)
{
	struct digest identity;
	uint64_t size_bytes = 0;

	assert_int_equal(bench->mailbox->ops->deliver_end(deliver_body(bench, content), 1600000000,
							  name, &size_bytes, &identity,
							  &bench->err),
			 0);
	assert_identity(content, &identity, size_bytes);
}

/* --- Delivery
 * ---------------------------------------------------------------------------------------- */

static void a_delivery_is_seen_when_it_is_published(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	deliver(bench, 5, name);
	assert_int_equal(flush(bench), 0);
	assert_int_equal(bench->kind->tmp_count(bench), 1);
	assert_int_equal(listed_count(bench), 0);
	assert_int_equal(publish(bench, name, FLAG_SEEN | FLAG_FORWARDED), 0);
	assert_int_equal(bench->kind->tmp_count(bench), 0);
	assert_int_equal(bench->kind->place(bench, name), PLACE_CUR);
	assert_int_equal(flags_of(bench, name), FLAG_SEEN | FLAG_FORWARDED);
}

static void without_flags_it_goes_to_new(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	deliver(bench, 5, name);
	assert_int_equal(flush(bench), 0);
	assert_int_equal(publish(bench, name, 0), 0);
	assert_int_equal(bench->kind->place(bench, name), PLACE_NEW);
	assert_int_equal(flags_of(bench, name), 0);
}

static void publishing_twice_is_fine_and_changes_nothing(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	deliver(bench, 5, name);
	assert_int_equal(publish(bench, name, FLAG_SEEN), 0);
	assert_int_equal(publish(bench, name, FLAG_SEEN), 0);
	assert_int_equal(listed_count(bench), 1);
	/* The user has changed it since: that stands. */
	assert_int_equal(set_flags(bench, name, FLAG_FLAGGED, FLAG_SEEN), 0);
	assert_int_equal(publish(bench, name, FLAG_SEEN), 0);
	assert_int_equal(flags_of(bench, name), FLAG_FLAGGED);
	assert_int_equal(listed_count(bench), 1);
}

static void publishing_nothing_is_not_found(void **state)
{
	struct local_bench *bench = *state;

	assert_int_equal(publish(bench, "1600000000.never.host", FLAG_SEEN), SYNCD_ENOTFOUND);
	assert_int_equal(bench->err.code, SYNCD_ENOTFOUND);
}

static void an_aborted_delivery_leaves_nothing(void **state)
{
	struct local_bench *bench = *state;

	bench->mailbox->ops->deliver_abort(deliver_body(bench, 5));
	assert_int_equal(bench->kind->tmp_count(bench), 0);
	assert_int_equal(listed_count(bench), 0);
}

static void deliveries_side_by_side_get_names_of_their_own(void **state)
{
	struct local_bench *bench = *state;
	struct local_delivery *first = deliver_body(bench, 1);
	struct local_delivery *second = deliver_body(bench, 2);
	char names[2][MAIL_NAME_MAX + 1];
	struct digest identity;
	uint64_t size_bytes = 0;

	assert_int_equal(bench->mailbox->ops->deliver_end(second, 1600000000, names[1], &size_bytes,
							  &identity, &bench->err),
			 0);
	assert_identity(2, &identity, size_bytes);
	assert_int_equal(bench->mailbox->ops->deliver_end(first, 1600000000, names[0], &size_bytes,
							  &identity, &bench->err),
			 0);
	assert_identity(1, &identity, size_bytes);
	assert_string_not_equal(names[0], names[1]);
	assert_int_equal(flush(bench), 0);
	assert_int_equal(bench->kind->tmp_count(bench), 2);
}

static bool is_the_staged_one(void *context, const char *name)
{
	return strcmp(name, context) == 0;
}

static void cleaning_tmp_keeps_what_is_staged(void **state)
{
	struct local_bench *bench = *state;
	char staged[MAIL_NAME_MAX + 1];
	char leftover[MAIL_NAME_MAX + 1];
	char published[MAIL_NAME_MAX + 1];

	deliver(bench, 1, staged);
	deliver(bench, 2, leftover);
	deliver(bench, 3, published);
	assert_int_equal(flush(bench), 0);
	assert_int_equal(publish(bench, published, 0), 0);
	assert_int_equal(bench->mailbox->ops->clean_tmp(bench->mailbox, is_the_staged_one, staged,
							&bench->err),
			 0);
	assert_int_equal(bench->kind->tmp_count(bench), 1);
	assert_int_equal(bench->kind->place(bench, staged), PLACE_TMP);
	assert_int_equal(publish(bench, leftover, 0), SYNCD_ENOTFOUND);
	assert_int_equal(publish(bench, staged, 0), 0);
	assert_int_equal(listed_count(bench), 2);
}

/* --- Scanning
 * ------------------------------------------------------------------------------------------- */

static void a_scan_is_sorted_and_tells_each_once(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	for (uint32_t content = 1; content <= 12; content++)
		put(bench, content, content % 2 != 0 ? FLAG_SEEN : 0, content % 3 == 0, name);
	struct local_listing listing = scan(bench);
	assert_int_equal(listing.count, 12);
	assert_true(listing.is_stable);
	for (size_t i = 1; i < listing.count; i++)
		assert_true(strcmp(listing.items[i - 1].name, listing.items[i].name) < 0);
	local_listing_free(&listing);
}

static void a_scan_of_nothing_is_stable_and_empty(void **state)
{
	struct local_listing listing = scan(*state);

	assert_int_equal(listing.count, 0);
	assert_true(listing.is_stable);
	local_listing_free(&listing);
}

static void every_system_flag_is_scanned_as_it_is(void **state)
{
	struct local_bench *bench = *state;
	char names[FLAGS_SYSTEM + 1][MAIL_NAME_MAX + 1];

	for (uint64_t flags = 0; flags <= FLAGS_SYSTEM; flags++)
		put(bench, (uint32_t)flags + 1, flags, false, names[flags]);
	struct local_listing listing = scan(bench);
	assert_int_equal(listing.count, ARRAY_LEN(names));
	for (size_t i = 0; i < listing.count; i++)
		assert_string_equal(listing.items[i].name, names[listing.items[i].flags]);
	local_listing_free(&listing);
}

/* --- Changes
 * ------------------------------------------------------------------------------------------------
 */

static void flags_are_added_and_removed_on_what_is_there(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	put(bench, 1, FLAG_SEEN | FLAG_DRAFT, false, name);
	assert_int_equal(set_flags(bench, name, FLAG_FLAGGED | FLAG_SEEN, FLAG_DRAFT), 0);
	assert_int_equal(flags_of(bench, name), FLAG_SEEN | FLAG_FLAGGED);
	assert_int_equal(set_flags(bench, name, FLAG_FLAGGED | FLAG_SEEN, FLAG_DRAFT), 0);
	assert_int_equal(flags_of(bench, name), FLAG_SEEN | FLAG_FLAGGED);
	assert_int_equal(set_flags(bench, name, 0, FLAGS_SYSTEM), 0);
	assert_int_equal(flags_of(bench, name), 0);
	assert_int_equal(bench->kind->place(bench, name), PLACE_CUR);
}

static void a_new_message_moves_to_cur_with_its_first_flag_only(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	put(bench, 1, 0, true, name);
	assert_int_equal(set_flags(bench, name, 0, FLAG_SEEN), 0);
	assert_int_equal(bench->kind->place(bench, name), PLACE_NEW);
	assert_int_equal(set_flags(bench, name, FLAG_SEEN, 0), 0);
	assert_int_equal(bench->kind->place(bench, name), PLACE_CUR);
	assert_int_equal(flags_of(bench, name), FLAG_SEEN);
	assert_int_equal(listed_count(bench), 1);
}

static void flags_of_a_message_that_is_gone_are_not_found(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	put(bench, 1, 0, true, name);
	assert_int_equal(flags_of(bench, name), 0); /* known from a scan, and yet */
	bench->kind->take(bench, name);
	assert_int_equal(set_flags(bench, name, FLAG_SEEN, 0), SYNCD_ENOTFOUND);
	assert_int_equal(bench->err.code, SYNCD_ENOTFOUND);
	deliver(bench, 2, name); /* in tmp/ it is no message yet */
	assert_int_equal(set_flags(bench, name, FLAG_SEEN, 0), SYNCD_ENOTFOUND);
}

static void a_keyword_is_kept(void **state)
{
	struct local_bench *bench = *state;
	uint64_t work = keyword_table_intern(&bench->keywords, slice_of("work"));
	char name[MAIL_NAME_MAX + 1];

	assert_int_equal(work, WORK);
	assert_int_equal(bench->mailbox->ops->flags_mask(bench->mailbox) & (FLAGS_SYSTEM | work),
			 FLAGS_SYSTEM | work);
	put(bench, 1, FLAG_SEEN, false, name);
	assert_int_equal(set_flags(bench, name, work, 0), 0);
	assert_int_equal(flags_of(bench, name), FLAG_SEEN | work);
	assert_int_equal(set_flags(bench, name, 0, work), 0);
	assert_int_equal(flags_of(bench, name), FLAG_SEEN);
	deliver(bench, 2, name);
	assert_int_equal(publish(bench, name, work), 0);
	assert_int_equal(flags_of(bench, name), work);
}

static void a_removed_message_is_gone_and_removing_it_again_is_success(void **state)
{
	struct local_bench *bench = *state;
	char names[2][MAIL_NAME_MAX + 1];

	put(bench, 1, FLAG_SEEN, false, names[0]);
	put(bench, 2, 0, true, names[1]);
	assert_int_equal(bench->mailbox->ops->remove(bench->mailbox, names[0], 0, &bench->err), 0);
	assert_int_equal(listed_count(bench), 1);
	assert_int_equal(bench->mailbox->ops->remove(bench->mailbox, names[0], 0, &bench->err), 0);
	assert_int_equal(bench->mailbox->ops->remove(bench->mailbox, "never.host", 0, &bench->err),
			 0);
	assert_int_equal(flags_of(bench, names[1]), 0);
	assert_int_equal(flush(bench), 0);
	assert_int_equal(listed_count(bench), 1);
}

/* --- Examining and reading
 * ---------------------------------------------------------------------------------- */

static void examining_tells_what_an_append_announces(void **state)
{
	struct local_bench *bench = *state;
	struct local_examine_req req;
	char name[MAIL_NAME_MAX + 1];

	put(bench, 7, FLAG_SEEN | FLAG_ANSWERED, false, name);
	assert_int_equal(examine(bench, name, &req), 0);
	assert_identity(7, &req.identity, req.size_bytes);
	assert_int_equal(req.flags, FLAG_SEEN | FLAG_ANSWERED);
	assert_false(req.has_nul);
	assert_true(req.mtime_s > 1600000000);
}

static void a_delivered_message_keeps_date_and_identity(void **state)
{
	struct local_bench *bench = *state;
	struct local_examine_req req;
	char name[MAIL_NAME_MAX + 1];

	deliver(bench, 8, name);
	assert_int_equal(publish(bench, name, 0), 0);
	assert_int_equal(examine(bench, name, &req), 0);
	assert_identity(8, &req.identity, req.size_bytes);
	assert_int_equal(req.mtime_s, 1600000000);
	assert_int_equal(req.flags, 0);
}

static void examining_what_is_gone_is_not_found(void **state)
{
	struct local_bench *bench = *state;
	struct local_examine_req req;
	char name[MAIL_NAME_MAX + 1];

	put(bench, 1, 0, true, name);
	assert_int_equal(listed_count(bench), 1);
	bench->kind->take(bench, name);
	assert_int_equal(examine(bench, name, &req), SYNCD_ENOTFOUND);
}

static void many_are_examined_at_once(void **state)
{
	struct local_bench *bench = *state;
	struct local_examine_req reqs[12];
	char names[12][MAIL_NAME_MAX + 1];

	for (uint32_t i = 0; i < ARRAY_LEN(reqs); i++) {
		put(bench, i + 1, 0, false, names[i]);
		reqs[i] = (struct local_examine_req){ .name = names[i] };
		op_prepare(&bench->turner, &reqs[i].op);
		bench->mailbox->ops->examine(bench->mailbox, &reqs[i]);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(reqs); i++) {
		assert_int_equal(op_await(&bench->turner, &reqs[i].op), 0);
		assert_identity(i + 1, &reqs[i].identity, reqs[i].size_bytes);
	}
}

static void reading_gives_what_was_examined_in_crlf_form(void **state)
{
	struct local_bench *bench = *state;
	const struct local_mailbox_ops *ops = bench->mailbox->ops;
	struct local_examine_req req;
	struct local_reader *reader = NULL;
	struct buf body;
	char name[MAIL_NAME_MAX + 1];
	char piece[5];
	size_t len = 0;

	buf_init(&body, 4096);
	put(bench, 9, 0, true, name);
	assert_int_equal(examine(bench, name, &req), 0);
	assert_int_equal(ops->reader_open(bench->mailbox, name, &reader, &bench->err), 0);
	do {
		assert_int_equal(ops->reader_read(reader, piece, sizeof(piece), &len, &bench->err),
				 0);
		assert_int_equal(buf_add(&body, piece, len), 0);
	} while (len > 0);
	ops->reader_close(reader);
	assert_int_equal(body.len, req.size_bytes);
	assert_int_equal(model_content_of(buf_slice(&body)), 9);
	buf_free(&body);
}

static void reading_what_is_gone_finds_nothing(void **state)
{
	struct local_bench *bench = *state;
	struct local_reader *reader = NULL;

	assert_int_equal(bench->mailbox->ops->reader_open(bench->mailbox, "never.host", &reader,
							  &bench->err),
			 SYNCD_ENOTFOUND);
}

/* --- The rest
 * -------------------------------------------------------------------------------------------------
 */

static void flushing_changes_nothing_to_be_seen(void **state)
{
	struct local_bench *bench = *state;
	char name[MAIL_NAME_MAX + 1];

	assert_int_equal(flush(bench), 0);
	put(bench, 1, FLAG_SEEN, false, name);
	deliver(bench, 2, name);
	assert_int_equal(flush(bench), 0);
	assert_int_equal(flush(bench), 0);
	assert_int_equal(bench->kind->place(bench, name), PLACE_TMP);
	assert_int_equal(listed_count(bench), 1);
}

static void cancelling_completes_what_is_under_way(void **state)
{
	struct local_bench *bench = *state;
	struct local_listing listing;
	struct local_scan_req req = { .result = &listing };

	local_listing_init(&listing);
	bench->mailbox->ops->cancel(bench->mailbox); /* of nothing */
	op_prepare(&bench->turner, &req.op);
	bench->mailbox->ops->scan(bench->mailbox, &req);
	bench->mailbox->ops->cancel(bench->mailbox);
	int code = op_await(&bench->turner, &req.op);
	assert_true(code == 0 || code == SYNCD_ECANCELLED); /* it may have been over already */
	local_listing_free(&listing);
}

struct listing_of_mailboxes {
	struct local_list_req req;
	size_t count;
};

static void count_mailbox(struct local_list_req *req, const struct mailbox_info *info)
{
	container_of(req, struct listing_of_mailboxes, req)->count++;
	assert_string_equal(info->name, "INBOX");
	assert_true(info->is_selectable);
	assert_false(info->is_marked_unusable);
}

static void the_mailbox_is_listed_and_making_it_again_is_fine(void **state)
{
	struct local_bench *bench = *state;
	struct listing_of_mailboxes list = { .req.found = count_mailbox };

	assert_int_equal(bench->account->ops->create(bench->account, "INBOX", &bench->err), 0);
	assert_int_equal(bench->account->ops->check(bench->account, false, &bench->err), 0);
	op_prepare(&bench->turner, &list.req.op);
	bench->account->ops->list(bench->account, &list.req);
	assert_int_equal(op_await(&bench->turner, &list.req.op), 0);
	assert_int_equal(list.count, 1);
}

void local_tests_add(struct port_tests *tests)
{
	static const struct port_case cases[] = {
		PORT_CASE(a_delivery_is_seen_when_it_is_published),
		PORT_CASE(without_flags_it_goes_to_new),
		PORT_CASE(publishing_twice_is_fine_and_changes_nothing),
		PORT_CASE(publishing_nothing_is_not_found),
		PORT_CASE(an_aborted_delivery_leaves_nothing),
		PORT_CASE(deliveries_side_by_side_get_names_of_their_own),
		PORT_CASE(cleaning_tmp_keeps_what_is_staged),
		PORT_CASE(a_scan_is_sorted_and_tells_each_once),
		PORT_CASE(a_scan_of_nothing_is_stable_and_empty),
		PORT_CASE(every_system_flag_is_scanned_as_it_is),
		PORT_CASE(flags_are_added_and_removed_on_what_is_there),
		PORT_CASE(a_new_message_moves_to_cur_with_its_first_flag_only),
		PORT_CASE(flags_of_a_message_that_is_gone_are_not_found),
		PORT_CASE(a_keyword_is_kept),
		PORT_CASE(a_removed_message_is_gone_and_removing_it_again_is_success),
		PORT_CASE(examining_tells_what_an_append_announces),
		PORT_CASE(a_delivered_message_keeps_date_and_identity),
		PORT_CASE(examining_what_is_gone_is_not_found),
		PORT_CASE(many_are_examined_at_once),
		PORT_CASE(reading_gives_what_was_examined_in_crlf_form),
		PORT_CASE(reading_what_is_gone_finds_nothing),
		PORT_CASE(flushing_changes_nothing_to_be_seen),
		PORT_CASE(cancelling_completes_what_is_under_way),
		PORT_CASE(the_mailbox_is_listed_and_making_it_again_is_fine),
	};

	for (size_t i = 0; i < LOCAL_KIND_COUNT; i++)
		port_tests_add(tests, local_kinds[i].name, &local_kinds[i], cases, ARRAY_LEN(cases),
			       local_bench_setup, local_bench_teardown);
}
