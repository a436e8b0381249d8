/* Identity digests: what makes two copies the same message.
 * SPDX-License-Identifier: MIT */
#include "syncd/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"

struct field {
	const char *name;
	const char *body;
};

static struct digest digest_of(const struct field *fields, size_t count)
{
	struct identity identity;
	struct digest digest;

	identity_init(&identity);
	for (size_t i = 0; i < count; i++)
		identity_add_field(&identity, slice_of(fields[i].name), slice_of(fields[i].body));
	identity_digest(&identity, &digest);
	identity_free(&identity);
	return digest;
}

static const struct field plain[] = {
	{ "Message-ID", "<1@x>" }, { "Date", "Mon, 1 Jan 2024 00:00:00 +0000" },
	{ "From", "a@x" },         { "To", "b@x" },
	{ "Subject", "one two" },
};

/* How one field may look and still be, or not be, the same message. */
static void copies_have_one_digest_and_others_another(void **state)
{
	static const struct {
		size_t field;
		struct field other;
		bool is_same;
	} rows[] = {
		{ 0, { "MESSAGE-id", "<1@x>" }, true },
		{ 4, { "Subject", " one two" }, true },
		{ 4, { "Subject", "one two \r\n" }, true },
		{ 4, { "Subject", "one\r\n two" }, true }, /* folded */
		{ 4, { "Subject", "one\n two" }, true },
		{ 4, { "Subject", "onetwo" }, false },
		{ 4, { "Subject", "One two" }, false },
		{ 4, { "Subject", "" }, false },
		{ 4, { "Comments", "one two" }, false },
		{ 0, { "Message-ID", "<2@x>" }, false },
		{ 2, { "From", "b@x" }, false },
	};
	struct digest expected = digest_of(plain, ARRAY_LEN(plain));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct field fields[ARRAY_LEN(plain)];
		memcpy(fields, plain, sizeof(fields));
		fields[rows[i].field] = rows[i].other;
		struct digest digest = digest_of(fields, ARRAY_LEN(fields));
		assert_int_equal(digest_equals(&digest, &expected), rows[i].is_same);
	}
}

static void order_and_other_fields_do_not_matter(void **state)
{
	struct field fields[ARRAY_LEN(plain) + 2];
	struct digest expected = digest_of(plain, ARRAY_LEN(plain));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		fields[i + 1] = plain[ARRAY_LEN(plain) - 1 - i];
	fields[0] = (struct field){ "Received", "from somewhere" };
	fields[ARRAY_LEN(plain) + 1] = (struct field){ "Subject", "the second does not count" };
	struct digest digest = digest_of(fields, ARRAY_LEN(fields));
	assert_true(digest_equals(&digest, &expected));
}

static void neighbouring_fields_do_not_run_together(void **state)
{
	static const struct field from[] = { { "From", "ab" }, { "To", "c" } };
	static const struct field to[] = { { "From", "a" }, { "To", "bc" } };
	static const struct field only_from[] = { { "From", "a" } };
	static const struct field only_to[] = { { "To", "a" } };
	static const struct field empty[] = { { "From", "a" }, { "To", "" } };
	struct digest a = digest_of(from, ARRAY_LEN(from));
	struct digest b = digest_of(to, ARRAY_LEN(to));
	struct digest c = digest_of(only_from, 1);
	struct digest d = digest_of(only_to, 1);
	struct digest e = digest_of(empty, ARRAY_LEN(empty));

	(void)state;
	assert_false(digest_equals(&a, &b));
	assert_false(digest_equals(&c, &d));
	assert_false(digest_equals(&c, &e)); /* an empty field is not a missing one */
}

static void sizes_decide_only_without_a_message_id(void **state)
{
	struct digest with = digest_of(plain, ARRAY_LEN(plain));
	struct digest without = digest_of(plain + 1, ARRAY_LEN(plain) - 1);

	(void)state;
	assert_true(digest_has_message_id(&with));
	assert_false(digest_has_message_id(&without));
	assert_true(identity_matches(&with, 100, &with, 100));
	assert_true(identity_matches(&with, 100, &with, 101)); /* QUIRKS: Exchange's sizes */
	assert_true(identity_matches(&without, 100, &without, 100));
	assert_false(identity_matches(&without, 100, &without, 101));
	assert_false(identity_matches(&with, 100, &without, 100));
}

static void an_endless_field_takes_part_with_what_fits(void **state)
{
	char *body = malloc(200001);
	struct field field = { "Subject", body };

	(void)state;
	memset(body, 'x', 200000);
	body[200000] = '\0';
	struct digest whole = digest_of(&field, 1);
	body[199999] = 'y';
	struct digest end_differs = digest_of(&field, 1);
	body[100] = 'y';
	struct digest start_differs = digest_of(&field, 1);
	assert_true(digest_equals(&whole, &end_differs));
	assert_false(digest_equals(&whole, &start_differs));
	free(body);
}

static void a_number_is_that_of_its_text(void **state)
{
	(void)state;
	assert_true(digest_number(slice_of("F2212ea87")) == 0x834a141a038fc715);
	assert_true(digest_number(slice_of("")) == 0xe3b0c44298fc1c14);
	assert_true(digest_number(slice_of("f2212ea87")) != digest_number(slice_of("F2212ea87")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_have_one_digest_and_others_another),
		cmocka_unit_test(order_and_other_fields_do_not_matter),
		cmocka_unit_test(neighbouring_fields_do_not_run_together),
		cmocka_unit_test(sizes_decide_only_without_a_message_id),
		cmocka_unit_test(an_endless_field_takes_part_with_what_fits),
		cmocka_unit_test(a_number_is_that_of_its_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
