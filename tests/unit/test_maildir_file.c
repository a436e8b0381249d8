/* Names of message files.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/maildir.h"
#include "syncd/must.h"

#define A MAILDIR_LETTER_BIT(0)
#define Z MAILDIR_LETTER_BIT(25)

struct split_case {
	const char *file;
	const char *base;
	const char *info;
	uint64_t letters;
};

static const struct split_case splits[] = {
	{ "1.x.h", "1.x.h", "", 0 },
	{ "1.x.h,S=5", "1.x.h,S=5", "", 0 },
	{ "1.x.h:2,", "1.x.h", "", 0 },
	{ "1.x.h:2,S", "1.x.h", "S", FLAG_SEEN },
	{ "1.x.h:2,DFPRST", "1.x.h", "DFPRST", FLAGS_SYSTEM },
	{ "1.x.h:2,Saz", "1.x.h", "Saz", FLAG_SEEN | A | Z },
	{ "1.x.h:2,XS9", "1.x.h", "XS9", FLAG_SEEN },
	{ "1.x.h:2,S,F", "1.x.h", "S,F", FLAG_SEEN },
	{ "1.x.h:1,S", "1.x.h:1,S", "", 0 },
	{ "1.x.h:1,x:2,S", "1.x.h:1,x", "S", FLAG_SEEN },
	{ "1.x.h:2", "1.x.h:2", "", 0 },
	{ ":2,S", "", "S", FLAG_SEEN },
	{ "", "", "", 0 },
};

static void file_names_split_into_base_and_flags(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
		struct slice base;
		struct slice info;
		maildir_file_split(slice_of(splits[i].file), &base, &info);
		assert_true(slice_equals_str(base, splits[i].base));
		assert_true(slice_equals_str(info, splits[i].info));
		assert_int_equal(maildir_info_letters(info), splits[i].letters);
	}
}

struct format_case {
	const char *info;
	uint64_t add;
	uint64_t remove;
	const char *file;
};

static const struct format_case formats[] = {
	{ "", 0, 0, "b:2," },
	{ "", FLAG_SEEN | FLAG_FLAGGED, 0, "b:2,FS" },
	{ "S", FLAG_ANSWERED, FLAG_SEEN, "b:2,R" },
	{ "Sb", A, 0, "b:2,Sab" },
	{ "XSF", FLAG_DRAFT, 0, "b:2,DFSX" },
	{ "S9", 0, FLAG_SEEN, "b:2,9" },
	{ "S,foo", FLAG_FLAGGED, 0, "b:2,FS,foo" },
	{ "SS", 0, 0, "b:2,S" },
	{ "S\xc3\xa4", FLAG_FLAGGED, 0, "b:2,FS\xa4\xc3" },
};

static void flags_change_and_what_is_foreign_stays(void **state)
{
	char file[MAILDIR_FILE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		const struct format_case *c = &formats[i];
		assert_int_equal(maildir_file_format(slice_of("b"), slice_of(c->info), c->add,
						     c->remove, file, NULL),
				 0);
		assert_string_equal(file, c->file);
	}
}

static void a_file_name_too_long_is_an_error(void **state)
{
	char base[MAILDIR_FILE_MAX + 1];
	char file[MAILDIR_FILE_MAX + 1];

	(void)state;
	memset(base, 'a', sizeof(base));
	base[MAILDIR_FILE_MAX - 4] = '\0';
	assert_int_equal(
		maildir_file_format(slice_of(base), slice_of(""), FLAG_SEEN, 0, file, NULL), 0);
	assert_int_equal(
		maildir_file_format(slice_of(base), slice_of("F"), FLAG_SEEN, 0, file, NULL),
		SYNCD_ELIMIT);
}

static void our_names_are_unique_and_known_again(void **state)
{
	struct maildir_namer namer;
	char first[MAIL_NAME_MAX + 1];
	char second[MAIL_NAME_MAX + 1];

	(void)state;
	maildir_namer_init(&namer, "a/b:c,d\\e f", 0xabc);
	maildir_namer_next(&namer, 1700000000, first);
	maildir_namer_next(&namer, 1700000000, second);
	assert_string_equal(first,
			    "1700000000.sd0000000000000abcQ0.a\\057b\\072c\\054d\\134e\\040f");
	assert_string_not_equal(first, second);
	assert_true(maildir_name_is_ours(first));
	assert_true(maildir_name_is_ours("1.sd0123456789abcdefQ77.host,S=12"));
}

static void foreign_names_are_not_taken_for_ours(void **state)
{
	static const char *const foreign[] = { "",
					       "1",
					       "1.",
					       "1.R123.host",
					       "1.sd123.host",
					       "x.sd0123456789abcdefQ1.h",
					       ".sd0123456789abcdefQ1.h",
					       "1.sd0123456789abcdefX1.h",
					       "1.M5P7.sd0123456789abcdefQ1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		assert_false(maildir_name_is_ours(foreign[i]));
}

static void a_host_name_of_any_length_fits(void **state)
{
	struct maildir_namer namer;
	char host[1000];
	char name[MAIL_NAME_MAX + 1];

	(void)state;
	memset(host, '/', sizeof(host));
	host[sizeof(host) - 1] = '\0';
	maildir_namer_init(&namer, host, UINT64_MAX);
	namer.counter = UINT64_MAX;
	maildir_namer_next(&namer, INT64_MAX, name);
	assert_true(maildir_name_is_ours(name));
	maildir_namer_init(&namer, "", 1);
	assert_string_equal(namer.host, "localhost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_names_split_into_base_and_flags),
		cmocka_unit_test(flags_change_and_what_is_foreign_stays),
		cmocka_unit_test(a_file_name_too_long_is_an_error),
		cmocka_unit_test(our_names_are_unique_and_known_again),
		cmocka_unit_test(foreign_names_are_not_taken_for_ours),
		cmocka_unit_test(a_host_name_of_any_length_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
