/* The log: levels, one line an event, nothing forged.
 * SPDX-License-Identifier: MIT */
#include "syncd/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"

struct lines {
	size_t count;
	enum log_level level;
	char last[8192];
};

static void take_line(enum log_level level, const char *line, void *context)
{
	struct lines *lines = context;

	lines->count++;
	lines->level = level;
	(void)snprintf(lines->last, sizeof(lines->last), "%s", line);
}

static int setup(void **state)
{
	struct lines *lines = calloc(1, sizeof(*lines));

	log_set_level(LOG_LEVEL_TRACE);
	log_set_journal(false);
	log_set_sink(take_line, lines);
	*state = lines;
	return 0;
}

static int teardown(void **state)
{
	log_set_sink(NULL, NULL);
	free(*state);
	return 0;
}

static void only_lines_at_or_below_the_level_are_written(void **state)
{
	struct lines *lines = *state;

	for (int set = LOG_LEVEL_ERROR; set <= LOG_LEVEL_TRACE; set++) {
		log_set_level((enum log_level)set);
		for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_TRACE; level++) {
			size_t before = lines->count;
			log_write((enum log_level)level, NULL, "x");
			assert_int_equal(lines->count - before, level <= set);
			assert_int_equal(log_is_on((enum log_level)level), level <= set);
			if (level <= set)
				assert_int_equal(lines->level, level);
		}
	}
}

static void lines_open_with_word_or_priority_and_account(void **state)
{
	static const struct {
		enum log_level level;
		bool is_journal;
		const char *account;
		const char *line;
	} rows[] = {
		{ LOG_LEVEL_ERROR, false, "work", "error: work: text 7" },
		{ LOG_LEVEL_WARN, false, NULL, "warning: text 7" },
		{ LOG_LEVEL_INFO, false, "work", "work: text 7" },
		{ LOG_LEVEL_DEBUG, false, NULL, "text 7" },
		{ LOG_LEVEL_ERROR, true, "work", "<3>work: text 7" },
		{ LOG_LEVEL_WARN, true, NULL, "<4>text 7" },
		{ LOG_LEVEL_INFO, true, NULL, "<6>text 7" },
		{ LOG_LEVEL_DEBUG, true, NULL, "<7>text 7" },
		{ LOG_LEVEL_TRACE, true, NULL, "<7>text 7" },
	};
	struct lines *lines = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		log_set_journal(rows[i].is_journal);
		log_write(rows[i].level, rows[i].account, "text %d", 7);
		assert_string_equal(lines->last, rows[i].line);
	}
}

static void a_servers_text_forges_no_line_and_drives_no_terminal(void **state)
{
	struct lines *lines = *state;

	log_info("wo\nrk", "said: %s", "a\r\nerror: b\x1b[2J\x7f\tc \xc3\xa4");
	assert_string_equal(lines->last, "wo?rk: said: a??error: b?[2J??c \xc3\xa4");
	assert_int_equal(lines->count, 1);
}

static void endless_lines_are_cut(void **state)
{
	struct lines *lines = *state;
	char *text = malloc(100001);

	memset(text, 'x', 100000);
	text[100000] = '\0';
	log_info(NULL, "%s", text);
	assert_int_equal(lines->count, 1);
	assert_int_equal(strlen(lines->last), 4095);
	free(text);
}

static void debug_arguments_are_not_even_evaluated_when_it_is_off(void **state)
{
	int evaluated = 0;

	(void)state;
	log_set_level(LOG_LEVEL_INFO);
	log_debug(NULL, "%d", ++evaluated);
	log_trace(NULL, "%d", ++evaluated);
	assert_int_equal(evaluated, 0);
	log_set_level(LOG_LEVEL_TRACE);
	log_debug(NULL, "%d", ++evaluated);
	log_trace(NULL, "%d", ++evaluated);
	assert_int_equal(evaluated, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_lines_at_or_below_the_level_are_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(lines_open_with_word_or_priority_and_account, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_servers_text_forges_no_line_and_drives_no_terminal, setup, teardown),
		cmocka_unit_test_setup_teardown(endless_lines_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(
			debug_arguments_are_not_even_evaluated_when_it_is_off, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
