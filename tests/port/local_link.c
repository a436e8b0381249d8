/* The local port: delivery of what another mailbox has.
 * SPDX-License-Identifier: MIT */
#include "port/local_bench.h"

/* INBOX is where the messages are, and this is where they come to. */
static struct local_mailbox *open_other(struct local_bench *bench, struct keyword_table *keywords)
{
	const struct local_account_ops *ops = bench->account->ops;
	struct local_mailbox *other = NULL;

	keyword_table_init(keywords);
	assert_int_equal(ops->create(bench->account, "Other", &bench->err), 0);
	assert_int_equal(ops->open(bench->account, "Other", keywords, &other, &bench->err), 0);
	return other;
}

static int link_into(struct local_bench *bench, struct local_mailbox *mailbox, const char *original,
		     uint64_t flags, char *name)
{
	const struct mailbox_record inbox = { .name = "INBOX" };

	return mailbox->ops->link(mailbox, &inbox, original, flags, name, &bench->err);
}

static void flush(struct local_bench *bench, struct local_mailbox *mailbox)
{
	struct local_flush_req req;

	op_prepare(&bench->turner, &req.op);
	mailbox->ops->flush(mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
}

/* It is the message of that content. */
static void assert_is(struct local_bench *bench, struct local_mailbox *mailbox, const char *name,
		      uint32_t content)
{
	struct local_examine_req req = { .name = name };
	struct digest identity;
	uint64_t size_bytes;

	op_prepare(&bench->turner, &req.op);
	mailbox->ops->examine(mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	model_identity(content, &identity, &size_bytes);
	assert_int_equal(req.size_bytes, size_bytes);
	assert_true(digest_equals(&req.identity, &identity));
}

static void a_linked_message_is_seen_when_it_is_published(void **state)
{
	struct local_bench *bench = *state;
	struct keyword_table keywords;
	struct local_mailbox *other = open_other(bench, &keywords);
	char original[MAIL_NAME_MAX + 1];
	char name[MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 5, FLAG_SEEN, false, original);
	assert_int_equal(link_into(bench, other, original, FLAG_SEEN, name), 0);
	assert_string_not_equal(name, original);
	flush(bench, other);
	assert_int_equal(other->ops->publish(other, name, FLAG_FLAGGED, &bench->err), 0);
	assert_is(bench, other, name, 5);
	/* Each has its flags, and one stays without the other. */
	assert_int_equal(
		bench->mailbox->ops->remove(bench->mailbox, original, FLAG_SEEN, &bench->err), 0);
	assert_is(bench, other, name, 5);
	other->ops->close(other);
	keyword_table_free(&keywords);
}

static void a_file_whose_flags_were_changed_is_linked_all_the_same(void **state)
{
	struct local_bench *bench = *state;
	struct keyword_table keywords;
	struct local_mailbox *other = open_other(bench, &keywords);
	char original[MAIL_NAME_MAX + 1];
	char name[MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 5, FLAG_SEEN | FLAG_ANSWERED, false, original);
	assert_int_equal(link_into(bench, other, original, FLAG_DRAFT, name), 0);
	assert_int_equal(other->ops->publish(other, name, 0, &bench->err), 0);
	assert_is(bench, other, name, 5);
	bench->kind->put(bench, 6, 0, true, original);
	assert_int_equal(link_into(bench, other, original, FLAG_SEEN, name), 0);
	assert_int_equal(other->ops->publish(other, name, 0, &bench->err), 0);
	assert_is(bench, other, name, 6);
	other->ops->close(other);
	keyword_table_free(&keywords);
}

static bool is_none_staged(void *context, const char *name)
{
	(void)context;
	(void)name;
	return false;
}

static void cleaning_tmp_takes_the_new_name_only(void **state)
{
	struct local_bench *bench = *state;
	char original[MAIL_NAME_MAX + 1];
	char name[MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 5, 0, true, original);
	assert_int_equal(link_into(bench, bench->mailbox, original, 0, name), 0);
	flush(bench, bench->mailbox);
	assert_int_equal(bench->kind->tmp_count(bench), 1);
	assert_int_equal(
		bench->mailbox->ops->clean_tmp(bench->mailbox, is_none_staged, NULL, &bench->err),
		0);
	assert_int_equal(bench->kind->tmp_count(bench), 0);
	assert_is(bench, bench->mailbox, original, 5);
}

static void what_is_gone_or_was_never_there_cannot_be_linked(void **state)
{
	struct local_bench *bench = *state;
	const struct mailbox_record none = { .name = "None" };
	char original[MAIL_NAME_MAX + 1];
	char name[MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 5, 0, true, original);
	bench->kind->take(bench, original);
	assert_int_equal(link_into(bench, bench->mailbox, original, 0, name), SYNCD_ENOTFOUND);
	assert_int_equal(
		bench->mailbox->ops->link(bench->mailbox, &none, original, 0, name, &bench->err),
		SYNCD_ENOTFOUND);
	assert_int_equal(bench->kind->tmp_count(bench), 0);
}

/* The model's answer is a matter of chance, as a name may tell no size. */
static void what_is_whole_is_there(void **state)
{
	struct local_bench *bench = *state;
	struct local_mailbox *inbox = bench->mailbox;
	char original[MAIL_NAME_MAX + 1];
	char name[MAIL_NAME_MAX + 1];

	bench->kind->put(bench, 5, 0, true, original); /* a user's, without a size */
	if (bench->turner.world == NULL)
		assert_false(inbox->ops->is_whole(inbox, original, 0));
	assert_int_equal(link_into(bench, inbox, original, 0, name), 0);
	assert_false(inbox->ops->is_whole(inbox, name, 0)); /* in tmp/ */
	assert_int_equal(inbox->ops->publish(inbox, name, FLAG_SEEN, &bench->err), 0);
	if (bench->turner.world == NULL)
		assert_true(inbox->ops->is_whole(inbox, name, FLAG_SEEN));
	assert_int_equal(inbox->ops->remove(inbox, name, FLAG_SEEN, &bench->err), 0);
	assert_false(inbox->ops->is_whole(inbox, name, FLAG_SEEN));
}

void local_link_tests_add(struct port_tests *tests)
{
	static const struct port_case cases[] = {
		PORT_CASE(a_linked_message_is_seen_when_it_is_published),
		PORT_CASE(a_file_whose_flags_were_changed_is_linked_all_the_same),
		PORT_CASE(cleaning_tmp_takes_the_new_name_only),
		PORT_CASE(what_is_whole_is_there),
		PORT_CASE(what_is_gone_or_was_never_there_cannot_be_linked),
	};

	for (size_t i = 0; i < LOCAL_KIND_COUNT; i++)
		port_tests_add(tests, local_kinds[i].name, &local_kinds[i], cases, ARRAY_LEN(cases),
			       local_bench_setup, local_bench_teardown);
}
