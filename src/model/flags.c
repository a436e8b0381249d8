/* Flags as bits: names in IMAP, letters in maildir, keyword tables.
 * SPDX-License-Identifier: MIT */
#include "syncd/flags.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

struct flag_row {
	uint64_t bit;
	const char *imap_name;
	char letter;
};

static const struct flag_row system_flags[FLAGS_SYSTEM_COUNT] = {
	{ FLAG_SEEN, "\\Seen", 'S' },       { FLAG_ANSWERED, "\\Answered", 'R' },
	{ FLAG_FLAGGED, "\\Flagged", 'F' }, { FLAG_DRAFT, "\\Draft", 'D' },
	{ FLAG_DELETED, "\\Deleted", 'T' }, { FLAG_FORWARDED, "$Forwarded", 'P' },
};

void keyword_table_init(struct keyword_table *table)
{
	*table = (struct keyword_table){ .count = 0 };
}

void keyword_table_free(struct keyword_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->names[i]);
	keyword_table_init(table);
}

void keyword_table_copy(struct keyword_table *to, const struct keyword_table *from)
{
	keyword_table_init(to);
	for (size_t i = 0; i < from->count; i++)
		to->names[i] = xstrdup(from->names[i]);
	to->count = from->count;
	to->dropped = from->dropped;
}

static uint64_t keyword_bit(size_t index)
{
	return (uint64_t)1 << (FLAGS_SYSTEM_COUNT + index);
}

uint64_t keyword_table_find(const struct keyword_table *table, struct slice name)
{
	for (size_t i = 0; i < table->count; i++) {
		if (slice_case_equals_str(name, table->names[i]))
			return keyword_bit(i);
	}
	return 0;
}

/* RFC 3501 §9: an atom of flag-keyword. */
static bool keyword_is_valid(struct slice name)
{
	if (name.len == 0 || name.len > KEYWORD_LEN_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];
		if (c <= 0x20 || c >= 0x7f || strchr("(){%*\"\\]", c) != NULL)
			return false;
	}
	return true;
}

uint64_t keyword_table_intern(struct keyword_table *table, struct slice name)
{
	uint64_t bit = keyword_table_find(table, name);

	if (bit != 0)
		return bit;
	if (table->count == KEYWORDS_MAX || !keyword_is_valid(name)) {
		table->dropped++;
		return 0;
	}
	table->names[table->count] = xstrndup(name.data, name.len);
	return keyword_bit(table->count++);
}

const char *keyword_table_name(const struct keyword_table *table, uint64_t bit)
{
	for (size_t i = 0; i < table->count; i++) {
		if (keyword_bit(i) == bit)
			return table->names[i];
	}
	return NULL;
}

uint64_t flags_from_imap(struct keyword_table *table, struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++) {
		if (slice_case_equals_str(name, system_flags[i].imap_name))
			return system_flags[i].bit;
	}
	if (name.len > 0 && name.data[0] == '\\')
		return 0; /* \Recent is the session's; others are not the message's */
	return keyword_table_intern(table, name);
}

const char *flags_imap_name(const struct keyword_table *table, uint64_t bit)
{
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++) {
		if (system_flags[i].bit == bit)
			return system_flags[i].imap_name;
	}
	return keyword_table_name(table, bit);
}

int flags_format_imap(const struct keyword_table *table, uint64_t flags, struct buf *out)
{
	bool is_first = true;

	for (unsigned i = 0; i < 64; i++) {
		uint64_t bit = flags & ((uint64_t)1 << i);
		const char *name = bit != 0 ? flags_imap_name(table, bit) : NULL;
		if (name == NULL)
			continue;
		int code = is_first ? 0 : buf_add_char(out, ' ');
		if (code == 0)
			code = buf_add_str(out, name);
		if (code != 0)
			return code;
		is_first = false;
	}
	return 0;
}

char flags_maildir_letter(uint64_t bit)
{
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++) {
		if (system_flags[i].bit == bit)
			return system_flags[i].letter;
	}
	return '\0';
}

uint64_t flags_from_maildir_letter(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++) {
		if (system_flags[i].letter == letter)
			return system_flags[i].bit;
	}
	return 0;
}
