/* Mailbox names to paths and back.
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

struct path_case {
	const char *name;
	const char *verbatim;
	const char *plusplus;
};

static const struct path_case cases[] = {
	{ "INBOX", "INBOX", "." },
	{ "A", "A", ".A" },
	{ "A/B", "A/B", ".A.B" },
	{ "INBOX/A", "INBOX/A", ".INBOX.A" },
	{ "Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe", ".Entw\xc3\xbcrfe" },
	{ "100%", "100%", ".100%" },
	{ "50% off", "50% off", ".50% off" },
	{ "a%2Fb", "a%2Fb", ".a%2Fb" },
	{ "a%2eb", "a%2eb", ".a%2eb" },
	{ "a%2Eb", "a%252Eb", ".a%252Eb" },
	{ "a%25b", "a%2525b", ".a%2525b" },
	{ "%00", "%2500", ".%2500" },
	{ "v1.2", "v1.2", ".v1%2E2" },
	{ ".hidden", "%2Ehidden", ".%2Ehidden" },
	{ ".", "%2E", ".%2E" },
	{ "..", "%2E.", ".%2E%2E" },
	{ "../../etc", "%2E./%2E./etc", ".%2E%2E.%2E%2E.etc" },
	{ ".syncd", "%2Esyncd", ".%2Esyncd" },
	{ "/etc", "%00/etc", ".%00.etc" },
	{ "A//B", "A/%00/B", ".A.%00.B" },
	{ "A/", "A/%00", ".A.%00" },
	{ "cur", "%63ur", ".cur" },
	{ "A/new", "A/%6Eew", ".A.new" },
	{ "A/tmp/B", "A/%74mp/B", ".A.tmp.B" },
	{ "A/dovecot-keywords", "A/%64ovecot-keywords", ".A.dovecot-keywords" },
	{ "%63ur", "%2563ur", ".%2563ur" },
	{ "current", "current", ".current" },
	{ "a\nb\x7f", "a%0Ab%7F", ".a%0Ab%7F" },
	{ "a:b\\c", "a:b\\c", ".a:b\\c" },
};

static void assert_path(enum maildir_layout layout, const char *name, const char *expected)
{
	char path[MAILDIR_PATH_MAX + 1];
	char again[MAILBOX_NAME_MAX + 1];
	struct error err = { .code = 0 };

	assert_int_equal(maildir_path_encode(layout, name, path, &err), 0);
	assert_string_equal(path, expected);
	assert_true(maildir_path_decode(layout, path, again));
	assert_string_equal(again, name);
}

static void names_become_the_paths_of_the_table_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_path(MAILDIR_VERBATIM, cases[i].name, cases[i].verbatim);
		assert_path(MAILDIR_PLUSPLUS, cases[i].name, cases[i].plusplus);
	}
}

static void paths_that_no_name_has_are_refused(void **state)
{
	static const char *const verbatim[] = { "",      "cur",    ".",    "..",   ".A",
						"A/cur", "A//B",   "A/",   "/A",   "%2Fx/../y",
						"inbox", "%41%2E", "%00",  "a%00", "%63%75%72",
						"%25",   "Inbox",  "a%2Eb" };
	static const char *const plusplus[] = { "", "A", "..", ".A..B", ".A.", ".INBOX", ".%00" };
	char name[MAILBOX_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verbatim); i++)
		assert_false(maildir_path_decode(MAILDIR_VERBATIM, verbatim[i], name));
	for (size_t i = 0; i < ARRAY_LEN(plusplus); i++)
		assert_false(maildir_path_decode(MAILDIR_PLUSPLUS, plusplus[i], name));
}

static uint64_t random_state = 0x1234567;

static size_t random_below(size_t bound)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)((random_state >> 33) % bound);
}

/* Mostly pieces that matter to the encoding. */
static void random_name(char *name, size_t max_pieces)
{
	static const char *const pieces[] = {
		"%",  "%2",   "%2E",  "%2F",  "%25", "%00",   "%63",      "/",
		"//", ".",    "..",   "cur",  "new", "tmp",   "25",       "E",
		"2E", "\x01", "\n",   "\x7f", "a",   "INBOX", "\xc3\xa9", "dovecot-keywords",
		"%%", "F0",   "100%", " ",    "~",   ":"
	};
	size_t count = 1 + random_below(max_pieces);

	name[0] = '\0';
	for (size_t i = 0; i < count; i++)
		strcat(name, pieces[random_below(ARRAY_LEN(pieces))]);
}

static void assert_stays_inside(enum maildir_layout layout, const char *path)
{
	for (const char *level = path; level != NULL;) {
		const char *end = strchr(level, '/');
		size_t len = end != NULL ? (size_t)(end - level) : strlen(level);
		assert_in_range(len, 1, MAILDIR_LEVEL_MAX);
		if (layout == MAILDIR_VERBATIM)
			assert_true(level[0] != '.');
		else
			assert_true(level[0] == '.' && level[1] != '.' && end == NULL);
		for (size_t i = 0; i < len; i++)
			assert_true((unsigned char)level[i] >= 0x20 && level[i] != 0x7f);
		level = end != NULL ? end + 1 : NULL;
	}
}

static void assert_random_name_survives(enum maildir_layout layout)
{
	char name[256];
	char path[MAILDIR_PATH_MAX + 1];
	char again[MAILBOX_NAME_MAX + 1];
	struct error err = { .code = 0 };

	random_name(name, 9);
	int code = maildir_path_encode(layout, name, path, &err);
	if (code == SYNCD_ELIMIT && layout == MAILDIR_PLUSPLUS)
		return; /* all levels in one directory's name */
	assert_int_equal(code, 0);
	if (strcmp(path, ".") != 0)
		assert_stays_inside(layout, path);
	assert_true(maildir_path_decode(layout, path, again));
	assert_string_equal(again, name);
}

static void any_name_survives_encoding_and_stays_below_the_root(void **state)
{
	(void)state;
	for (size_t i = 0; i < 200000; i++) {
		assert_random_name_survives(MAILDIR_VERBATIM);
		assert_random_name_survives(MAILDIR_PLUSPLUS);
	}
}

static void any_path_decodes_to_a_name_that_encodes_to_it_or_not_at_all(void **state)
{
	char path[256];
	char name[MAILBOX_NAME_MAX + 1];
	char again[MAILDIR_PATH_MAX + 1];
	size_t decoded = 0;

	(void)state;
	for (size_t i = 0; i < 200000; i++) {
		random_name(path, 5);
		if (!maildir_path_decode(MAILDIR_VERBATIM, path, name))
			continue;
		decoded++;
		assert_int_equal(maildir_path_encode(MAILDIR_VERBATIM, name, again, NULL), 0);
		assert_string_equal(path, again);
	}
	assert_in_range(decoded, 1000, 199000);
}

static void what_passes_a_limit_is_an_error_never_cut(void **state)
{
	char path[MAILDIR_PATH_MAX + 1];
	char name[2 * MAILBOX_NAME_MAX];
	struct error err = { .code = 0 };

	(void)state;
	memset(name, 'a', sizeof(name));
	name[MAILDIR_LEVEL_MAX] = '\0';
	assert_int_equal(maildir_path_encode(MAILDIR_VERBATIM, name, path, &err), 0);
	assert_int_equal(maildir_path_encode(MAILDIR_PLUSPLUS, name, path, &err), SYNCD_ELIMIT);
	name[MAILDIR_LEVEL_MAX] = 'a';
	name[MAILDIR_LEVEL_MAX + 1] = '\0';
	assert_int_equal(maildir_path_encode(MAILDIR_VERBATIM, name, path, &err), SYNCD_ELIMIT);
	memset(name, '/', sizeof(name));
	name[MAILDIR_DEPTH_MAX] = '\0';
	assert_int_equal(maildir_path_encode(MAILDIR_VERBATIM, name, path, &err), SYNCD_ELIMIT);
	for (size_t i = 0; i + 1 < sizeof(name); i++)
		name[i] = i % 100 == 99 ? '/' : 'b';
	name[MAILBOX_NAME_MAX + 1] = '\0';
	assert_int_equal(maildir_path_encode(MAILDIR_VERBATIM, name, path, &err), SYNCD_ELIMIT);
	name[MAILBOX_NAME_MAX] = '\0';
	assert_int_equal(maildir_path_encode(MAILDIR_VERBATIM, name, path, &err), 0);
	assert_int_equal(maildir_path_encode(MAILDIR_VERBATIM, "", path, &err), SYNCD_EUSAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_the_paths_of_the_table_and_back),
		cmocka_unit_test(paths_that_no_name_has_are_refused),
		cmocka_unit_test(any_name_survives_encoding_and_stays_below_the_root),
		cmocka_unit_test(any_path_decodes_to_a_name_that_encodes_to_it_or_not_at_all),
		cmocka_unit_test(what_passes_a_limit_is_an_error_never_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
