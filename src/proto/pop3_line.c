/* The lines of POP3 responses: strict where we rely on it, tolerant where servers differ.
 * SPDX-License-Identifier: MIT */
#include "syncd/pop3_line.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void take(struct slice *text, size_t len)
{
	text->data += len;
	text->len -= len;
}

static void trim(struct slice *text)
{
	while (text->len > 0 && is_blank(text->data[0]))
		take(text, 1);
	while (text->len > 0 && is_blank(text->data[text->len - 1]))
		text->len--;
}

static bool take_prefix(struct slice *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (text->len < len || !slice_case_equals_str((struct slice){ text->data, len }, prefix))
		return false;
	take(text, len);
	return true;
}

bool pop3_line_word(struct slice *rest, struct slice *word)
{
	while (rest->len > 0 && is_blank(rest->data[0]))
		take(rest, 1);
	*word = (struct slice){ rest->data, 0 };
	while (word->len < rest->len && !is_blank(rest->data[word->len]))
		word->len++;
	take(rest, word->len);
	return word->len > 0;
}

bool pop3_line_number(struct slice word, uint64_t most, uint64_t *value)
{
	uint64_t number = 0;

	for (size_t i = 0; i < word.len; i++) {
		unsigned digit = (unsigned)(unsigned char)word.data[i] - '0';
		if (digit > 9 || digit > most || number > (most - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*value = number;
	return word.len > 0;
}

/* --- Status lines ------------------------------------------------------------ */

static bool is_code(struct slice code)
{
	if (code.len == 0 || code.len > POP3_CODE_MAX)
		return false;
	for (size_t i = 0; i < code.len; i++) {
		if (code.data[i] <= ' ' || code.data[i] > '~')
			return false;
	}
	return true;
}

/* "[CODE argument] text" (RFC 2449 §8). What only looks like one is text. */
static void take_code(struct pop3_status *status)
{
	const char *end = memchr(status->text.data, ']', status->text.len);
	struct slice code;

	if (status->text.data[0] != '[' || end == NULL)
		return;
	struct slice inside = { status->text.data + 1, (size_t)(end - status->text.data) - 1 };
	struct slice rest = inside;
	if (!pop3_line_word(&rest, &code) || code.data != inside.data || !is_code(code))
		return;
	trim(&rest);
	status->code = code;
	status->code_argument = rest;
	take(&status->text, inside.len + 2);
	trim(&status->text);
}

bool pop3_line_status(struct slice line, struct pop3_status *status)
{
	*status = (struct pop3_status){ .text = line };
	if (take_prefix(&status->text, "+OK"))
		status->indicator = POP3_OK;
	else if (take_prefix(&status->text, "-ERR") || take_prefix(&status->text, "+ERR"))
		status->indicator = POP3_ERR;
	else if (take_prefix(&status->text, "+") &&
		 (status->text.len == 0 || is_blank(status->text.data[0])))
		status->indicator = POP3_CHALLENGE;
	else
		return false;
	trim(&status->text);
	if (status->indicator != POP3_CHALLENGE && status->text.len > 0)
		take_code(status);
	return true;
}

bool pop3_line_has_code(const struct pop3_status *status, const char *name)
{
	struct slice rest = status->code;

	return take_prefix(&rest, name) && (rest.len == 0 || rest.data[0] == '/');
}

/* --- Listings ---------------------------------------------------------------------- */

/* Message numbers begin with 1 (RFC 1939 §4). */
static bool take_message_number(struct slice *rest, uint32_t *number)
{
	struct slice word;
	uint64_t value;

	if (!pop3_line_word(rest, &word) || !pop3_line_number(word, UINT32_MAX, &value) ||
	    value == 0)
		return false;
	*number = (uint32_t)value;
	return true;
}

bool pop3_line_scan(struct slice line, uint32_t *number, uint64_t *size_bytes)
{
	struct slice word;

	return take_message_number(&line, number) && pop3_line_word(&line, &word) &&
	       pop3_line_number(word, UINT64_MAX, size_bytes);
}

bool pop3_line_unique_id(struct slice line, uint32_t *number, struct slice *uid)
{
	if (!take_message_number(&line, number))
		return false;
	trim(&line);
	if (line.len == 0 || line.len > POP3_UID_MAX)
		return false;
	for (size_t i = 0; i < line.len; i++) {
		if ((unsigned char)line.data[i] < ' ' || line.data[i] == 0x7f)
			return false;
	}
	*uid = line;
	return true;
}

bool pop3_line_drop(struct slice text, uint32_t *count, uint64_t *size_bytes)
{
	struct slice word;
	uint64_t value;

	if (!pop3_line_word(&text, &word) || !pop3_line_number(word, UINT32_MAX, &value))
		return false;
	*count = (uint32_t)value;
	return pop3_line_word(&text, &word) && pop3_line_number(word, UINT64_MAX, size_bytes);
}

/* --- The greeting -------------------------------------------------------------------- */

/* RFC 5322 §3.6.4, msg-id, without its obsolete forms. */
static bool is_msg_id(struct slice text)
{
	size_t ats = 0;

	for (size_t i = 1; i + 1 < text.len; i++) {
		char c = text.data[i];
		if (c <= ' ' || c > '~' || c == '<')
			return false;
		ats += c == '@';
	}
	return ats == 1 && text.data[1] != '@' && text.data[text.len - 2] != '@' &&
	       text.len <= POP3_TIMESTAMP_MAX;
}

bool pop3_line_timestamp(struct slice text, struct slice *timestamp)
{
	const char *begin = text.len > 0 ? memchr(text.data, '<', text.len) : NULL;

	if (begin == NULL)
		return false;
	take(&text, (size_t)(begin - text.data));
	const char *end = memchr(text.data, '>', text.len);
	if (end == NULL)
		return false;
	*timestamp = (struct slice){ text.data, (size_t)(end - text.data) + 1 };
	return is_msg_id(*timestamp);
}
