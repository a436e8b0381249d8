/* Error classes, exit statuses and the text a person reads.
 * SPDX-License-Identifier: MIT */
#include "syncd/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "syncd/must.h"

struct error_row {
	int code;
	enum error_class class;
	int exit_status;
	const char *name;
};

static const struct error_row rows[] = {
	{ SYNCD_OK, ERROR_CLASS_NONE, 0, "ok" },
	{ SYNCD_ECANCELLED, ERROR_CLASS_RETRY, 75, "cancelled" },
	{ SYNCD_ENET, ERROR_CLASS_RETRY, 75, "net" },
	{ SYNCD_ETIMEOUT, ERROR_CLASS_RETRY, 75, "timeout" },
	{ SYNCD_EBUSY, ERROR_CLASS_RETRY, 75, "busy" },
	{ SYNCD_EPROTO, ERROR_CLASS_RETRY, 75, "proto" },
	{ SYNCD_EAUTH, ERROR_CLASS_AUTH, 77, "auth" },
	{ SYNCD_ETRUST, ERROR_CLASS_AUTH, 77, "trust" },
	{ SYNCD_EHELD, ERROR_CLASS_HELD, 1, "held" },
	{ SYNCD_EMESSAGE, ERROR_CLASS_MESSAGE, 1, "message" },
	{ SYNCD_ESERVER, ERROR_CLASS_PERMANENT, 1, "server" },
	{ SYNCD_EIO, ERROR_CLASS_PERMANENT, 73, "io" },
	{ SYNCD_ENOSPC, ERROR_CLASS_PERMANENT, 73, "nospace" },
	{ SYNCD_ENOTFOUND, ERROR_CLASS_PERMANENT, 1, "notfound" },
	{ SYNCD_EROOT, ERROR_CLASS_PERMANENT, 73, "root" },
	{ SYNCD_ECONFIG, ERROR_CLASS_PERMANENT, 78, "config" },
	{ SYNCD_EUSAGE, ERROR_CLASS_PERMANENT, 64, "usage" },
	{ SYNCD_EBUG, ERROR_CLASS_BUG, 70, "bug" },
	{ SYNCD_ELIMIT, ERROR_CLASS_PERMANENT, 1, "limit" },
	{ SYNCD_EVALIDITY, ERROR_CLASS_PERMANENT, 1, "uidvalidity" },
};

static const struct error_row *error_row_of(int code)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].code == code)
			return &rows[i];
	}
	must_fail("known error code", __FILE__, __LINE__);
}

enum error_class error_class_of(int code)
{
	return error_row_of(code)->class;
}

const char *error_code_name(int code)
{
	return error_row_of(code)->name;
}

int error_exit_status(int code)
{
	return error_row_of(code)->exit_status;
}

int error_exit_merge(int first, int second)
{
	if (first == 0)
		return second;
	if (first == 75 && second != 0)
		return second;
	return first;
}

void error_clear(struct error *err)
{
	*err = (struct error){ .code = SYNCD_OK };
}

/* Keeps a server's text from forging log lines or driving a terminal. */
static void error_make_printable(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return code;
	error_clear(err);
	err->code = code;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	error_make_printable(err->text);
	return code;
}

void error_context(struct error *err, const char *format, ...)
{
	va_list args;

	if (err == NULL || err->context[0] != '\0')
		return;
	va_start(args, format);
	(void)vsnprintf(err->context, sizeof(err->context), format, args);
	va_end(args);
	error_make_printable(err->context);
}

void error_mailbox(struct error *err, const char *mailbox)
{
	char inner[ERROR_CONTEXT_MAX];

	if (strstr(err->context, mailbox) != NULL)
		return;
	memcpy(inner, err->context, sizeof(inner));
	(void)snprintf(err->context, sizeof(err->context), "mailbox %.150s%s%.90s", mailbox,
		       inner[0] != '\0' ? ": " : "", inner);
	error_make_printable(err->context);
}

int error_set_errno(struct error *err, int errno_value, const char *what, const char *path)
{
	int code = SYNCD_EIO;

	if (errno_value == ENOSPC || errno_value == EDQUOT)
		code = SYNCD_ENOSPC;
	else if (errno_value == ENOENT)
		code = SYNCD_ENOTFOUND;
	return error_set(err, code, "%s %s: %s", what, path, strerror(errno_value));
}

const char *error_format(const struct error *err, char *out, size_t size)
{
	bool has_context = err->context[0] != '\0';
	bool has_code = err->server_code[0] != '\0';

	(void)snprintf(out, size, "%s%s%s%s%s%s", err->context, has_context ? ": " : "", err->text,
		       has_code ? " [" : "", err->server_code, has_code ? "]" : "");
	return out;
}
