/* Names of message files, whoever made them: flags that are added and taken away are there and
 * gone, and all else of the name stays. The first eight bytes say which flags.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "fuzz/fuzz.h"
#include "syncd/maildir.h"
#include "syncd/must.h"

#define LETTERS (FLAGS_SYSTEM | ((MAILDIR_LETTER_BIT(MAILDIR_LETTER_COUNT - 1) * 2 - 1)))

static uint32_t take_u32(struct slice *from)
{
	uint32_t value;

	memcpy(&value, from->data, sizeof(value));
	from->data += sizeof(value);
	from->len -= sizeof(value);
	return value;
}

/* The part of the flags that a ',' ends, without the flags we know. */
static size_t count_of(struct slice info, unsigned char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < info.len && info.data[i] != ','; i++)
		count += (unsigned char)info.data[i] == byte;
	return count;
}

static struct slice tail_of(struct slice info)
{
	const char *comma = info.len > 0 ? memchr(info.data, ',', info.len) : NULL;
	size_t at = comma != NULL ? (size_t)(comma - info.data) : info.len;

	return (struct slice){ info.data + at, info.len - at };
}

static void check_strange_letters(struct slice before, struct slice after)
{
	for (unsigned byte = 1; byte < 256; byte++) {
		struct slice one = { (const char[]){ (char)byte }, 1 };
		if (byte != ',' && maildir_info_letters(one) == 0)
			must((count_of(before, (unsigned char)byte) > 0) ==
			     (count_of(after, (unsigned char)byte) > 0));
	}
	must(slice_equals(tail_of(before), tail_of(after)));
}

static void check_change(struct slice base, struct slice info, uint64_t add, uint64_t remove)
{
	char file[MAILDIR_FILE_MAX + 1];
	char again[MAILDIR_FILE_MAX + 1];
	struct slice new_base;
	struct slice new_info;
	uint64_t wanted = (maildir_info_letters(info) & ~remove) | add;

	if (maildir_file_format(base, info, add, remove, file, NULL) != 0)
		return;
	maildir_file_split(slice_of(file), &new_base, &new_info);
	must(slice_equals(new_base, base));
	must(maildir_info_letters(new_info) == wanted);
	check_strange_letters(info, new_info);
	must(maildir_file_format(new_base, new_info, 0, 0, again, NULL) == 0);
	must(strcmp(file, again) == 0);
}

static void check_namer(const char *host, uint64_t random)
{
	struct maildir_namer namer;
	char name[MAIL_NAME_MAX + 1];
	char next[MAIL_NAME_MAX + 1];

	maildir_namer_init(&namer, host, random);
	maildir_namer_next(&namer, (int64_t)(random >> 1), name);
	maildir_namer_next(&namer, (int64_t)(random >> 1), next);
	must(maildir_name_is_ours(name) && strcmp(name, next) != 0);
	must(strpbrk(name, "/:, \n") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = { (const char *)data, size };
	struct slice base;
	struct slice info;
	char text[MAILDIR_FILE_MAX + 1];

	if (size < 8 || size > 8 + MAILDIR_FILE_MAX || memchr(data + 8, '\0', size - 8) != NULL)
		return 0;
	uint64_t add = take_u32(&input) & LETTERS;
	uint64_t remove = take_u32(&input) & LETTERS;
	maildir_file_split(input, &base, &info);
	must(base.len == input.len || base.len + 3 + info.len == input.len);
	must(base.len < input.len || info.len == 0);
	check_change(base, info, add, remove);
	memcpy(text, input.data, input.len);
	text[input.len] = '\0';
	(void)maildir_name_is_ours(text);
	check_namer(text, add << 32 | remove);
	return 0;
}
