/* Names of mailboxes as servers write them: one that has a form of ours leads back to the very same
 * bytes, has levels, and its path stays inside the root. The input's lines are the separator and
 * the prefix of the first namespace, two more namespaces (p for a personal one, separator, prefix;
 * or nothing), a pattern, and the name. SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "../../src/adapter/remote_private.h"
#include "fuzz/fuzz.h"
#include "syncd/alloc.h"
#include "syncd/maildir.h"
#include "syncd/must.h"

#define OTHERS_MAX 2

static struct slice take_line(struct slice *left)
{
	struct slice line = *left;
	const char *end = line.len > 0 ? memchr(line.data, '\n', line.len) : NULL;

	if (end != NULL)
		line.len = (size_t)(end - line.data);
	left->data += line.len + (end != NULL ? 1 : 0);
	left->len -= line.len + (end != NULL ? 1 : 0);
	return line;
}

/* As the session keeps it. */
static char *take_prefix(struct slice line, size_t from)
{
	size_t len = line.len > from ? line.len - from : 0;

	return xstrndup(line.data + line.len - len, len < IMAP_PREFIX_MAX ? len : 0);
}

/* '0' stands for none. */
static char separator_of(struct slice line, size_t at)
{
	return line.len > at && line.data[at] != '0' ? line.data[at] : '\0';
}

static void check_name(const char *name)
{
	size_t len = strlen(name);

	must(len > 0 && len <= MAILBOX_NAME_MAX);
	must(name[0] != '/' && name[len - 1] != '/' && strstr(name, "//") == NULL);
	for (int layout = MAILDIR_VERBATIM; layout <= MAILDIR_PLUSPLUS; layout++) {
		char path[MAILDIR_PATH_MAX + 1];
		char back[MAILBOX_NAME_MAX + 1];
		if (maildir_path_encode((enum maildir_layout)layout, name, path, NULL) == 0)
			must(maildir_path_decode((enum maildir_layout)layout, path, back)
				     ? strcmp(back, name) == 0
				     : slice_case_equals_str(slice_of(name), "INBOX"));
	}
}

static void check_from_wire(const struct remote_names *names, struct slice wire)
{
	struct buf name;
	struct buf again;
	struct error err;

	buf_init(&name, IMAP_NAME_MAX);
	buf_init(&again, 2 * IMAP_NAME_MAX);
	enum remote_kind kind = remote_names_from_wire(names, wire, &name);
	if (kind == REMOTE_OURS || kind == REMOTE_NAMED) {
		must(strlen(buf_str(&name)) == name.len);
		check_name(buf_str(&name));
		must(remote_names_to_wire(names, buf_str(&name), &again, &err) == 0);
		must(slice_equals(buf_slice(&again), wire) || slice_case_equals_str(wire, "INBOX"));
	}
	buf_free(&name);
	buf_free(&again);
}

static void check_to_wire(const struct remote_names *names, const char *name)
{
	struct buf wire;
	struct buf again;
	struct error err;

	buf_init(&wire, 2 * IMAP_NAME_MAX);
	buf_init(&again, IMAP_NAME_MAX);
	if (remote_names_to_wire(names, name, &wire, &err) == 0) {
		enum remote_kind kind = remote_names_from_wire(names, buf_slice(&wire), &again);
		must(kind == REMOTE_OURS || kind == REMOTE_NAMED);
		must(strcmp(buf_str(&again), name) == 0);
	}
	buf_free(&wire);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice left = { (const char *)data, size };
	struct imap_namespace others[OTHERS_MAX];
	char *patterns[2] = { NULL, NULL };
	struct slice line = take_line(&left);

	if (size == 0 || size > IMAP_NAME_MAX)
		return 0;
	char *prefix = take_prefix(line, 1);
	struct remote_names names = { .prefix = prefix,
				      .separator = separator_of(line, 0),
				      .others = others };
	for (size_t i = 0; i < OTHERS_MAX; i++) {
		line = take_line(&left);
		if (line.len >= 2)
			others[names.count++] = (struct imap_namespace){
				.is_personal = line.data[0] == 'p',
				.separator = separator_of(line, 1),
				.prefix = take_prefix(line, 2),
			};
	}
	line = take_line(&left);
	patterns[0] = xstrndup(line.data, line.len);
	names.mailboxes = patterns;
	check_from_wire(&names, left);
	char *name = xstrndup(left.data, left.len);
	if (strlen(name) <= MAILBOX_NAME_MAX)
		check_to_wire(&names, name);
	free(name);
	for (size_t i = 0; i < names.count; i++)
		free(others[i].prefix);
	free(patterns[0]);
	free(prefix);
	return 0;
}
