/* Names of message files: BASE:2,FLAGS, and new names that are unique.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "maildir_private.h"
#include "syncd/maildir.h"
#include "syncd/must.h"

#define UNIQUE_PREFIX "sd"
#define UNIQUE_HEX_LEN 16

void maildir_file_split(struct slice file, struct slice *base, struct slice *info)
{
	*base = file;
	*info = (struct slice){ file.data + file.len, 0 };
	for (size_t i = file.len; i-- > 0;) {
		if (file.len - i >= 3 && memcmp(file.data + i, ":2,", 3) == 0) {
			base->len = i;
			*info = (struct slice){ file.data + i + 3, file.len - i - 3 };
			return;
		}
	}
}

static uint64_t letter_bit(char letter)
{
	if (letter >= 'a' && letter <= 'z')
		return MAILDIR_LETTER_BIT(letter - 'a');
	return flags_from_maildir_letter(letter);
}

uint64_t maildir_info_letters(struct slice info)
{
	uint64_t letters = 0;

	/* What follows a comma is another program's, such as Dovecot's ",S=123". */
	for (size_t i = 0; i < info.len && info.data[i] != ','; i++)
		letters |= letter_bit(info.data[i]);
	return letters;
}

int maildir_file_format(struct slice base, struct slice info, uint64_t add, uint64_t remove,
			char *file, struct error *err)
{
	bool is_present[UCHAR_MAX + 1] = { false };
	char letters[UCHAR_MAX + 1] = "";
	size_t count = 0;
	size_t at = 0;
	uint64_t wanted = (maildir_info_letters(info) & ~remove) | add;

	for (; at < info.len && info.data[at] != ','; at++) {
		unsigned char c = (unsigned char)info.data[at];
		if (letter_bit((char)c) == 0)
			is_present[c] = true;
	}
	for (int c = 0; c <= UCHAR_MAX; c++) {
		if (is_present[c] || (letter_bit((char)c) & wanted) != 0)
			letters[count++] = (char)c;
	}
	int len = snprintf(file, MAILDIR_FILE_MAX + 1, "%.*s:2,%.*s%.*s", (int)base.len, base.data,
			   (int)count, letters, (int)(info.len - at), info.data + at);
	if (len < 0 || len > MAILDIR_FILE_MAX)
		return error_set(err, SYNCD_ELIMIT, "file name too long: %.*s", (int)base.len,
				 base.data);
	return 0;
}

static bool host_byte_is_plain(unsigned char c)
{
	return c > 0x20 && c < 0x7f && strchr("/:,\\", c) == NULL;
}

void maildir_namer_init(struct maildir_namer *namer, const char *host, uint64_t random)
{
	size_t len = 0;

	*namer = (struct maildir_namer){ .process = random };
	for (; *host != '\0' && len + 5 < sizeof(namer->host); host++) {
		unsigned char c = (unsigned char)*host;
		if (host_byte_is_plain(c))
			namer->host[len++] = (char)c;
		else
			len += (size_t)snprintf(namer->host + len, sizeof(namer->host) - len,
						"\\%03o", c);
	}
	if (len == 0)
		memcpy(namer->host, "localhost", sizeof("localhost"));
}

void maildir_namer_next(struct maildir_namer *namer, int64_t now_s, char *name)
{
	int len = snprintf(name, MAIL_NAME_MAX + 1,
			   "%" PRId64 "." UNIQUE_PREFIX "%016" PRIx64 "Q%" PRIu64 ".%s", now_s,
			   namer->process, namer->counter++, namer->host);

	must(len > 0 && len <= MAIL_NAME_MAX);
}

bool maildir_name_is_ours(const char *name)
{
	size_t digits = strspn(name, "0123456789");
	const char *unique = name + digits + 1;

	if (digits == 0 || name[digits] != '.')
		return false;
	if (strncmp(unique, UNIQUE_PREFIX, strlen(UNIQUE_PREFIX)) != 0)
		return false;
	unique += strlen(UNIQUE_PREFIX);
	return strspn(unique, "0123456789abcdef") == UNIQUE_HEX_LEN &&
	       unique[UNIQUE_HEX_LEN] == 'Q';
}
