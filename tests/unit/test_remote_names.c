/* Mailbox names: ours and the server's lead to each other, or are refused.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/adapter/remote_private.h"
#include "syncd/must.h"

struct pair {
	const char *wire;
	const char *prefix;
	char separator;
	const char *name; /* NULL: has none */
};

static const struct pair pairs[] = {
	{ "INBOX", "", '/', "INBOX" },
	{ "Sent", "", '/', "Sent" },
	{ "a/b/c", "", '/', "a/b/c" },
	{ "a.b", "", '/', "a.b" },
	{ "a.b", "", '.', "a/b" },
	{ "a/b.c", "", '.', "a%2Fb/c" },
	{ "INBOX.a", "INBOX.", '.', "a" },
	{ "INBOX.a.b", "INBOX.", '.', "a/b" },
	{ "INBOX.INBOX.b", "INBOX.", '.', "INBOX/b" },
	{ "INBOX/b", "", '/', "INBOX/b" },
	{ "Entw&APw-rfe", "", '/', "Entwürfe" },
	{ "a&-b", "", '/', "a&b" },
	{ "100%", "", '/', "100%" },
	{ "%2E", "", '/', "%2E" },
	{ "%2F", "", '.', "%252F" },
	{ "%2f", "", '.', "%252f" },
	{ "%25", "", '.', "%2525" },
	{ "%252F", "", '.', "%25252F" },
	{ "%%2F", "", '.', "%%252F" },
	{ "a/b", "", '\0', "a%2Fb" },
	{ "a\\b", "", '\\', "a/b" },
	{ "a^b", "", '^', "a/b" },
	/* no canonical form */
	{ "INBOX.INBOX", "INBOX.", '.', NULL },
	{ "shared.a", "INBOX.", '.', NULL },
	{ "INBOX.", "INBOX.", '.', NULL },
	{ "a//b", "", '/', NULL },
	{ "a/", "", '/', NULL },
	{ "/a", "", '/', NULL },
	{ "", "", '/', NULL },
	{ "bad&name", "", '/', NULL },
	{ "8-bit \xc3\xbc", "", '/', NULL },
};

static void names_of_the_server_have_one_form_of_ours_or_none(void **state)
{
	struct buf name;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		buf_init(&name, 4096);
		bool is_good = remote_name_from_wire(slice_of(pairs[i].wire), pairs[i].prefix,
						     pairs[i].separator, &name);
		if (is_good != (pairs[i].name != NULL) ||
		    (is_good && strcmp(buf_str(&name), pairs[i].name) != 0))
			fail_msg("%s gives %d %s", pairs[i].wire, is_good, buf_str(&name));
		buf_free(&name);
	}
}

static void our_form_leads_back_to_the_server_s(void **state)
{
	struct error err;
	struct buf wire;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		if (pairs[i].name == NULL)
			continue;
		buf_init(&wire, 4096);
		int rc = remote_name_to_wire(pairs[i].name, pairs[i].prefix, pairs[i].separator,
					     &wire, &err);
		if (rc != 0 || strcmp(buf_str(&wire), pairs[i].wire) != 0)
			fail_msg("%s gives %d %s", pairs[i].name, rc, buf_str(&wire));
		buf_free(&wire);
	}
}

static void inbox_is_inbox_in_any_case(void **state)
{
	struct buf name;

	(void)state;
	buf_init(&name, 4096);
	assert_true(remote_name_from_wire(SLICE_LITERAL("inbox"), "", '/', &name));
	assert_string_equal(buf_str(&name), "INBOX");
	buf_free(&name);
}

static void names_a_server_cannot_have_are_refused(void **state)
{
	static const struct {
		const char *name;
		char separator;
	} bad[] = {
		{ "a.b", '.' },  { "a/b", '\0' },  { "a%2Fb", '/' },
		{ "%25", '/' },  { "%252G", '.' }, { "", '/' },
		{ "a//b", '/' }, { "Inbox", '/' }, { "\xff", '/' },
	};
	struct error err;
	struct buf wire;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_init(&wire, 4096);
		if (remote_name_to_wire(bad[i].name, "", bad[i].separator, &wire, &err) !=
		    SYNCD_ESERVER)
			fail_msg("%s gives %s", bad[i].name, buf_str(&wire));
		buf_free(&wire);
	}
}

static void a_name_that_leads_to_another_namespace_is_refused(void **state)
{
	char shared[] = "s/";
	char personal[] = "s/";
	const struct imap_namespace others[] = {
		{ .prefix = shared, .separator = '/' },
		{ .prefix = personal, .separator = '/', .is_personal = true },
	};
	const struct remote_names names = {
		.prefix = "", .separator = '/', .others = others, .count = ARRAY_LEN(others)
	};
	struct error err;
	struct buf wire;
	struct buf name;

	(void)state;
	buf_init(&wire, 4096);
	buf_init(&name, 4096);
	assert_int_equal(remote_names_to_wire(&names, "s/x", &wire, &err), SYNCD_ESERVER);
	assert_int_equal(remote_names_from_wire(&names, SLICE_LITERAL("s/x"), &name),
			 REMOTE_LEFT_ALONE);
	buf_free(&wire);
	buf_free(&name);
}

static void inbox_is_in_no_other_namespace(void **state)
{
	static const char *const wires[] = { "INBOX", "inbox" };
	char prefix[] = "INBOX.";
	char short_prefix[] = "IN";
	const struct imap_namespace others[] = {
		{ .prefix = prefix, .separator = '.', .is_personal = true },
		{ .prefix = short_prefix, .separator = '.', .is_personal = true },
	};
	const struct remote_names names = {
		.prefix = "", .separator = '/', .others = others, .count = ARRAY_LEN(others)
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wires); i++) {
		struct buf wire;
		struct buf name;
		buf_init(&wire, 4096);
		buf_init(&name, 4096);
		assert_int_equal(remote_names_from_wire(&names, slice_of(wires[i]), &name),
				 REMOTE_OURS);
		assert_string_equal(buf_str(&name), "INBOX");
		assert_int_equal(remote_names_to_wire(&names, "INBOX", &wire, &err), 0);
		assert_string_equal(buf_str(&wire), "INBOX");
		buf_free(&wire);
		buf_free(&name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_the_server_have_one_form_of_ours_or_none),
		cmocka_unit_test(our_form_leads_back_to_the_server_s),
		cmocka_unit_test(inbox_is_inbox_in_any_case),
		cmocka_unit_test(names_a_server_cannot_have_are_refused),
		cmocka_unit_test(a_name_that_leads_to_another_namespace_is_refused),
		cmocka_unit_test(inbox_is_in_no_other_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
