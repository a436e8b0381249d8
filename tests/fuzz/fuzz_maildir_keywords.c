/* A mailbox's `dovecot-keywords`, whoever wrote it: what files and flags say about each other holds
 * both ways, and giving letters to new keywords leaves those that are taken. The first byte says
 * how many keywords are new, the next four which letters a file has.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "support/temp_dir.h"
#include "syncd/maildir.h"
#include "syncd/must.h"

#define FILE_NAME "A/dovecot-keywords"
#define LETTERS (FLAGS_SYSTEM | ((MAILDIR_LETTER_BIT(MAILDIR_LETTER_COUNT - 1) * 2 - 1)))
#define NEW_MAX 32

static const struct temp_dir *root_dir(void)
{
	const struct temp_dir *dir = temp_dir_of_process();

	if (!temp_exists(dir, "A"))
		temp_mailbox(dir, "A");
	return dir;
}

/* Each flag that is taken away takes the letters along that say it. */
static void check_removal(struct maildir *maildir, struct keyword_table *table, uint64_t letters)
{
	uint64_t flags = maildir_letters_to_flags(maildir, table, letters);

	for (uint64_t bit = 1; bit != 0; bit <<= 1) {
		if ((flags & bit) == 0)
			continue;
		uint64_t left = letters & ~maildir_letters_saying(maildir, table, bit);
		must(maildir_letters_to_flags(maildir, table, left) == (flags & ~bit));
	}
}

static void check_letters(struct maildir *maildir, struct keyword_table *table, uint64_t letters)
{
	uint64_t flags = maildir_letters_to_flags(maildir, table, letters);
	uint64_t again = maildir_flags_to_letters(maildir, table, flags);

	must(maildir_letters_to_flags(maildir, table, again) == flags);
	check_removal(maildir, table, letters);
}

/* New keywords get letters, all of those in the mask; what files say stays as it was. */
static void check_enlist(struct maildir *maildir, struct keyword_table *table, uint64_t letters,
			 size_t count)
{
	struct error err;
	uint64_t before = maildir_letters_to_flags(maildir, table, letters);
	uint64_t wanted = 0;
	char name[32];

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "new%zu", i);
		wanted |= keyword_table_intern(table, slice_of(name));
	}
	uint64_t promised = wanted & maildir_flags_mask(maildir, table);
	must(maildir_keywords_enlist(maildir, table, wanted, &err) == 0);
	must(maildir_keywords_refresh(maildir, &err) == 0);
	uint64_t held = maildir_flags_to_letters(maildir, table, wanted);
	must((promised & ~maildir_letters_to_flags(maildir, table, held)) == 0);
	must(maildir_letters_to_flags(maildir, table, letters) == before);
}

static void run(struct slice text, uint64_t letters, size_t count)
{
	struct maildir_root root;
	struct maildir *maildir;
	struct keyword_table table;
	struct error err;

	temp_write(root_dir(), FILE_NAME, text.data, text.len);
	maildir_root_init(&root, root_dir()->path, MAILDIR_VERBATIM, "id");
	must(maildir_open(&root, "A", &maildir, &err) == 0);
	keyword_table_init(&table);
	must(maildir_keywords_refresh(maildir, &err) == 0);
	(void)maildir_keywords_seen(maildir, letters, true);
	check_letters(maildir, &table, letters);
	check_enlist(maildir, &table, letters, count);
	keyword_table_free(&table);
	maildir_close(&maildir);
	maildir_root_free(&root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t letters;

	if (size < 5)
		return 0;
	memcpy(&letters, data + 1, sizeof(letters));
	run((struct slice){ (const char *)data + 5, size - 5 }, letters & LETTERS,
	    data[0] % NEW_MAX);
	return 0;
}
