/* Canonical mailbox names to the server's and back: prefix, separator and
 * modified UTF-7 there, '/' between levels and "%2F" inside them here.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "syncd/imap_utf7.h"
#include "syncd/record.h"

#include "remote_private.h"

#define INBOX "INBOX"

/* "2F" or "25" stand here: a '%' before them would be read as our own escape. */
static bool is_escape(const char *at, size_t left)
{
	return left >= 2 && at[0] == '2' && (at[1] == 'F' || at[1] == 'f' || at[1] == '5');
}

static bool starts_with(struct slice text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

/* UTF-8 with the server's separators to UTF-8 with ours. */
static int separators_from_server(struct slice utf8, char separator, struct buf *name)
{
	int rc = 0;

	for (size_t i = 0; i < utf8.len && rc == 0; i++) {
		char c = utf8.data[i];
		if (separator != '\0' && c == separator)
			rc = buf_add_char(name, '/');
		else if (c == '/')
			rc = buf_add_str(name, "%2F");
		else if (c == '%' && is_escape(utf8.data + i + 1, utf8.len - i - 1))
			rc = buf_add_str(name, "%25");
		else
			rc = buf_add_char(name, c);
	}
	return rc;
}

/* The other way; -1 when a character would become a separator that is none, or
 * there is no separator for a level. */
static int separators_to_server(const char *name, char separator, struct buf *utf8)
{
	int rc = 0;

	for (const char *at = name; *at != '\0' && rc == 0; at++) {
		char c = *at;
		if (c == '/') {
			c = separator;
			if (separator == '\0')
				return -1;
		} else if (strncmp(at, "%2F", 3) == 0) {
			c = '/';
			at += 2;
		} else if (strncmp(at, "%25", 3) == 0 && is_escape(at + 3, strlen(at + 3))) {
			at += 2;
		}
		if (separator != '\0' && c == separator && *at != '/')
			return -1;
		rc = buf_add_char(utf8, c);
	}
	return rc;
}

static bool has_empty_level(const char *name)
{
	size_t len = strlen(name);

	return len == 0 || name[0] == '/' || name[len - 1] == '/' || strstr(name, "//") != NULL;
}

static int to_wire(const char *name, const char *prefix, char separator, struct buf *wire)
{
	struct buf utf8;

	/* INBOX stands beside the prefix, not under it. */
	if (strcmp(name, INBOX) == 0)
		return buf_add_str(wire, INBOX);
	/* Below INBOX, where the prefix is "INBOX." itself or nothing, it is found as it is. */
	buf_init(&utf8, IMAP_NAME_MAX);
	int rc = buf_add_str(wire, prefix);
	if (rc == 0)
		rc = separators_to_server(name, separator, &utf8);
	if (rc == 0)
		rc = imap_utf7_encode(buf_slice(&utf8), wire);
	buf_free(&utf8);
	return rc;
}

static bool from_wire(struct slice wire, const char *prefix, char separator, struct buf *name)
{
	struct buf utf8;

	if (slice_case_equals_str(wire, INBOX))
		return buf_add_str(name, INBOX) == 0;
	if (!starts_with(wire, prefix))
		return false;
	wire.data += strlen(prefix);
	wire.len -= strlen(prefix);
	buf_init(&utf8, IMAP_NAME_MAX);
	bool is_good = imap_utf7_decode(wire, &utf8) == 0 &&
		       separators_from_server(buf_slice(&utf8), separator, name) == 0 &&
		       !has_empty_level(buf_str(name)) && name->len <= MAILBOX_NAME_MAX;
	buf_free(&utf8);
	return is_good;
}

int remote_name_to_wire(const char *name, const char *prefix, char separator, struct buf *wire,
			struct error *err)
{
	struct buf back;

	buf_init(&back, IMAP_NAME_MAX);
	bool is_good = !has_empty_level(name) && to_wire(name, prefix, separator, wire) == 0 &&
		       from_wire(buf_slice(wire), prefix, separator, &back) &&
		       strcmp(buf_str(&back), name) == 0;
	buf_free(&back);
	if (is_good)
		return 0;
	(void)error_set(err, SYNCD_ESERVER, "this server cannot have a mailbox of such a name");
	error_context(err, "%s", name);
	return SYNCD_ESERVER;
}

bool remote_name_from_wire(struct slice wire, const char *prefix, char separator, struct buf *name)
{
	struct buf back;

	if (!from_wire(wire, prefix, separator, name))
		return false;
	buf_init(&back, IMAP_NAME_MAX + IMAP_PREFIX_MAX);
	bool is_good =
		to_wire(buf_str(name), prefix, separator, &back) == 0 &&
		(slice_equals_str(wire, buf_str(&back)) || slice_case_equals_str(wire, INBOX));
	buf_free(&back);
	return is_good;
}
