/* The one function from a mailbox's name to its path below the root, and its inverse.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "maildir_private.h"
#include "syncd/maildir.h"
#include "syncd/must.h"

static const char hex[] = "0123456789ABCDEF";

/* Levels that mean something to maildir readers. In maildir++ a level never
 * stands alone as a directory's name, so nothing collides there. */
static const char *const reserved[] = { "cur", "new", "tmp", "dovecot-keywords" };

static bool level_is_reserved(enum maildir_layout layout, struct slice level)
{
	if (layout == MAILDIR_PLUSPLUS)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (slice_equals_str(level, reserved[i]))
			return true;
	}
	return false;
}

static bool byte_is_control(unsigned char byte)
{
	return byte < 0x20 || byte == 0x7f;
}

/* What an escape may stand for. More than what is really encoded at that
 * place, so that the answer does not depend on more than the three bytes. */
static bool byte_is_escapable(unsigned char byte)
{
	return byte_is_control(byte) || (byte != '\0' && strchr("%.cntd", byte) != NULL);
}

/* The value of the escape "%XX" at the start of `text`, or -1 when there is none. */
static int escape_value(struct slice text)
{
	if (text.len < 3 || text.data[0] != '%' || text.data[1] == '\0' || text.data[2] == '\0')
		return -1;
	const char *high = strchr(hex, text.data[1]);
	const char *low = strchr(hex, text.data[2]);
	if (high == NULL || low == NULL)
		return -1;
	int value = (int)(high - hex) * 16 + (int)(low - hex);
	return byte_is_escapable((unsigned char)value) ? value : -1;
}

static bool byte_needs_escape(enum maildir_layout layout, struct slice level, size_t at)
{
	unsigned char byte = (unsigned char)level.data[at];
	struct slice rest = { level.data + at, level.len - at };

	if (byte_is_control(byte))
		return true;
	if (byte == '.')
		return at == 0 || layout == MAILDIR_PLUSPLUS;
	if (byte == '%')
		return escape_value(rest) >= 0;
	return at == 0 && level_is_reserved(layout, level);
}

static void add_escape(struct buf *out, unsigned char byte)
{
	char escape[3] = { '%', hex[byte >> 4], hex[byte & 15] };

	must(buf_add(out, escape, sizeof(escape)) == 0);
}

/* Bounded by the caller: a name has at most MAILBOX_NAME_MAX bytes. */
static void level_encode(enum maildir_layout layout, struct slice level, struct buf *out)
{
	if (level.len == 0)
		add_escape(out, 0);
	for (size_t i = 0; i < level.len; i++) {
		if (byte_needs_escape(layout, level, i))
			add_escape(out, (unsigned char)level.data[i]);
		else
			must(buf_add_char(out, level.data[i]) == 0);
	}
}

/* Cuts the first level off. False behind the last. */
static bool next_level(const char **rest, char separator, struct slice *level)
{
	if (*rest == NULL)
		return false;
	const char *end = strchr(*rest, separator);
	level->data = *rest;
	level->len = end != NULL ? (size_t)(end - *rest) : strlen(*rest);
	*rest = end != NULL ? end + 1 : NULL;
	return true;
}

static int path_build(enum maildir_layout layout, const char *name, struct buf *out,
		      struct error *err)
{
	const char *rest = name;
	struct slice level;
	size_t depth = 0;
	size_t level_start = 0;

	while (next_level(&rest, '/', &level)) {
		if (++depth > MAILDIR_DEPTH_MAX)
			return error_set(err, SYNCD_ELIMIT, "mailbox name has over %d levels",
					 MAILDIR_DEPTH_MAX);
		if (layout == MAILDIR_PLUSPLUS) {
			must(buf_add_char(out, '.') == 0);
		} else {
			if (depth > 1)
				must(buf_add_char(out, '/') == 0);
			level_start = out->len;
		}
		level_encode(layout, level, out);
		if (out->len - level_start > MAILDIR_LEVEL_MAX)
			return error_set(err, SYNCD_ELIMIT,
					 "mailbox name is too long for a directory");
	}
	return 0;
}

int maildir_path_encode(enum maildir_layout layout, const char *name, char *path, struct error *err)
{
	struct buf out;
	int code;

	if (name[0] == '\0')
		return error_set(err, SYNCD_EUSAGE, "empty mailbox name");
	if (strlen(name) > MAILBOX_NAME_MAX)
		return error_set(err, SYNCD_ELIMIT, "mailbox name has over %d bytes",
				 MAILBOX_NAME_MAX);
	if (layout == MAILDIR_PLUSPLUS && strcmp(name, "INBOX") == 0) {
		memcpy(path, ".", 2);
		return 0;
	}
	/* An empty level grows from nothing to "%00": room for those too. */
	buf_init(&out, (size_t)4 * MAILBOX_NAME_MAX + 8);
	code = path_build(layout, name, &out, err);
	if (code == 0 && out.len > MAILDIR_PATH_MAX)
		code = error_set(err, SYNCD_ELIMIT, "mailbox name is too long for a path");
	if (code == 0)
		memcpy(path, buf_str(&out), out.len + 1);
	else
		error_context(err, "mailbox %.200s", name);
	buf_free(&out);
	return code;
}

static int level_decode(struct slice level, struct buf *out)
{
	int code = 0;

	if (slice_equals_str(level, "%00"))
		return 0;
	for (size_t i = 0; i < level.len && code == 0; i++) {
		int value = escape_value((struct slice){ level.data + i, level.len - i });
		if (value == 0)
			return SYNCD_EUSAGE;
		code = buf_add_char(out, value > 0 ? (char)value : level.data[i]);
		i += value > 0 ? 2 : 0;
	}
	return code;
}

static int path_parse(enum maildir_layout layout, const char *path, struct buf *out)
{
	char separator = layout == MAILDIR_PLUSPLUS ? '.' : '/';
	const char *rest = path;
	struct slice level;
	bool is_first = true;
	int code = 0;

	if (layout == MAILDIR_PLUSPLUS && *rest++ != '.')
		return SYNCD_EUSAGE;
	while (code == 0 && next_level(&rest, separator, &level)) {
		if (!is_first)
			code = buf_add_char(out, '/');
		is_first = false;
		if (code == 0)
			code = level_decode(level, out);
	}
	return code;
}

static bool path_is_canonical(enum maildir_layout layout, const char *name, const char *path)
{
	char again[MAILDIR_PATH_MAX + 1];

	if (strcasecmp(name, "INBOX") == 0 && strcmp(name, "INBOX") != 0)
		return false;
	return maildir_path_encode(layout, name, again, NULL) == 0 && strcmp(again, path) == 0;
}

bool maildir_path_decode(enum maildir_layout layout, const char *path, char *name)
{
	struct buf out;

	if (layout == MAILDIR_PLUSPLUS && strcmp(path, ".") == 0) {
		memcpy(name, "INBOX", sizeof("INBOX"));
		return true;
	}
	buf_init(&out, MAILBOX_NAME_MAX);
	bool is_ours = path_parse(layout, path, &out) == 0 &&
		       path_is_canonical(layout, buf_str(&out), path);
	if (is_ours)
		memcpy(name, buf_str(&out), out.len + 1);
	buf_free(&out);
	return is_ours;
}
