/* Dates in message headers: what they may have beyond IMAP's is taken away, and the rest read as
 * one of those.
 * SPDX-License-Identifier: MIT */
#include "syncd/mail_date.h"

#include <stddef.h>
#include <string.h>

#include "syncd/imap_date.h"
#include "syncd/must.h"

#define DATE_MAX 63 /* bytes of a date without comments; a longer one is none */

/* A date under construction: words with one blank between them. */
struct plain_date {
	char text[DATE_MAX + 1];
	size_t len;
	bool is_behind_blank;
};

static bool plain_add(struct plain_date *plain, char c)
{
	bool is_blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';

	if (is_blank) {
		plain->is_behind_blank = plain->len > 0;
		return true;
	}
	if (plain->is_behind_blank && c != ':' && plain->text[plain->len - 1] != ':') {
		if (plain->len == DATE_MAX)
			return false;
		plain->text[plain->len++] = ' ';
	}
	plain->is_behind_blank = false;
	if (plain->len == DATE_MAX || c == '\0')
		return false;
	plain->text[plain->len++] = c;
	return true;
}

/* Takes a comment (§3.2.2), nested ones with it, off the front. */
static void skip_comment(struct slice *text)
{
	size_t depth = 0;

	do {
		char c = text->data[0];
		size_t len = c == '\\' && text->len > 1 ? 2 : 1;
		depth += c == '(';
		depth -= c == ')';
		text->data += len;
		text->len -= len;
	} while (depth > 0 && text->len > 0);
}

static bool make_plain(struct slice text, struct plain_date *plain)
{
	*plain = (struct plain_date){ .len = 0 };
	while (text.len > 0) {
		if (text.data[0] == '(') {
			skip_comment(&text);
			plain->is_behind_blank = plain->len > 0;
			continue;
		}
		if (!plain_add(plain, text.data[0]))
			return false;
		text.data++;
		text.len--;
	}
	return true;
}

/* §3.3: "Mon," may stand in front. */
static struct slice behind_weekday(struct slice text)
{
	const char *comma = text.len > 0 ? memchr(text.data, ',', text.len) : NULL;

	if (comma == NULL)
		return text;
	size_t len = (size_t)(comma + 1 - text.data);
	return (struct slice){ text.data + len, text.len - len };
}

static bool ends_with_zone(struct slice text)
{
	static const size_t len = sizeof("+0000") - 1;

	char sign = text.len > len ? text.data[text.len - len] : '\0';

	return sign == '+' || sign == '-';
}

/* Takes a zone that is a word (§4.3) off the end; how far it is from UTC. Some programs write both,
 * "-0700 PDT", and then the number counts. */
static int take_zone(struct slice *text)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = {
		{ "EDT", -4 }, { "EST", -5 }, { "CDT", -5 }, { "CST", -6 },
		{ "MDT", -6 }, { "MST", -7 }, { "PDT", -7 }, { "PST", -8 },
	};
	size_t len = 0;

	while (len < text->len) {
		char c = text->data[text->len - 1 - len];
		if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z'))
			break;
		len++;
	}
	struct slice zone = { text->data + text->len - len, len };
	text->len -= len;
	while (text->len > 0 && text->data[text->len - 1] == ' ')
		text->len--;
	if (ends_with_zone(*text))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		if (slice_case_equals_str(zone, zones[i].name))
			return zones[i].hours;
	}
	return 0;
}

bool mail_date_parse(struct slice text, int64_t *seconds)
{
	struct plain_date plain;
	int64_t local_s = 0;

	if (!make_plain(text, &plain))
		return false;
	struct slice date = behind_weekday((struct slice){ plain.text, plain.len });
	int hours = take_zone(&date);
	if (!imap_date_parse(date, &local_s))
		return false;
	*seconds = local_s - (int64_t)hours * 3600;
	return true;
}

bool mail_date_of_received(struct slice body, int64_t *seconds)
{
	size_t at = body.len;

	while (at > 0 && body.data[at - 1] != ';')
		at--;
	return at > 0 && mail_date_parse((struct slice){ body.data + at, body.len - at }, seconds);
}
