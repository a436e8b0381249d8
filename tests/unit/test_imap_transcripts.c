/* What real servers said, through the IMAP parser. The transcripts are not part of
 * the project; without them there is nothing to test.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap_parser.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/imap_events.h"

#define CORPUS "../shared/corpus/transcripts/imap"

/* The file with CRLF line ends, as the server sent it. */
static void read_crlf(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	for (int c = getc(file); c != EOF; c = getc(file)) {
		if (c == '\n')
			assert_int_equal(buf_add_char(out, '\r'), 0);
		assert_int_equal(buf_add_char(out, (char)c), 0);
	}
	(void)fclose(file);
}

static void check_transcript(const char *path)
{
	struct imap_events whole;
	struct imap_events bytes;
	struct error err = { 0 };
	struct buf text;

	buf_init(&text, IMAP_EVENTS_MAX);
	read_crlf(path, &text);
	imap_events_init(&whole, true);
	imap_events_init(&bytes, true);
	if (imap_events_feed(&whole, buf_slice(&text), 0, 0, &err) != 0)
		fail_msg("%s: %s", path, err.text);
	assert_int_equal(imap_events_feed(&bytes, buf_slice(&text), 1, 1, &err), 0);
	assert_string_equal(buf_str(&whole.text), buf_str(&bytes.text));
	if (whole.responses == 0 || whole.damaged > 0)
		fail_msg("%s: %zu responses, %zu damaged", path, whole.responses, whole.damaged);
	imap_events_free(&whole);
	imap_events_free(&bytes);
	buf_free(&text);
}

static void check_folder(const char *server)
{
	char folder[256];
	char path[1024];

	(void)snprintf(folder, sizeof(folder), "%s/%s", CORPUS, server);
	DIR *dir = opendir(folder);
	if (dir == NULL) {
		skip(); /* the corpus is not part of the project */
		return;
	}
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		/* One was written by hand with a literal shorter than the text behind it. */
		if (strstr(entry->d_name, ".txt") == NULL ||
		    strcmp(entry->d_name, "headers.1+unsolicited-info.txt") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		check_transcript(path);
	}
	(void)closedir(dir);
}

static void transcripts_of_gmail_parse(void **state)
{
	(void)state;
	check_folder("gmail");
}

static void transcripts_of_dovecot_parse(void **state)
{
	(void)state;
	check_folder("dovecot");
}

static void transcripts_of_exchange_and_courier_parse(void **state)
{
	(void)state;
	check_folder("exchange");
	check_folder("courier");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcripts_of_gmail_parse),
		cmocka_unit_test(transcripts_of_dovecot_parse),
		cmocka_unit_test(transcripts_of_exchange_and_courier_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
