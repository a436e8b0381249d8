/* Mailbox names and paths: no name leads out of the root, and a name and its path lead to each
 * other. The first byte chooses the layout.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fuzz/fuzz.h"
#include "syncd/alloc.h"
#include "syncd/maildir.h"
#include "syncd/must.h"

static void check_level(enum maildir_layout layout, struct slice level)
{
	must(level.len > 0 && level.len <= MAILDIR_LEVEL_MAX);
	if (layout == MAILDIR_PLUSPLUS)
		return;
	must(level.data[0] != '.');
	must(!slice_equals_str(level, "cur") && !slice_equals_str(level, "new") &&
	     !slice_equals_str(level, "tmp"));
}

static void check_is_inside(enum maildir_layout layout, const char *path)
{
	if (layout == MAILDIR_PLUSPLUS && strcmp(path, ".") == 0)
		return;
	if (layout == MAILDIR_PLUSPLUS)
		must(path[0] == '.' && path[1] != '.' && path[1] != '\0' &&
		     strchr(path, '/') == NULL && strstr(path, "..") == NULL);
	for (const char *at = path; at != NULL;) {
		const char *slash = strchr(at, '/');
		size_t len = slash != NULL ? (size_t)(slash - at) : strlen(at);
		check_level(layout, (struct slice){ at, len });
		at = slash != NULL ? slash + 1 : NULL;
	}
	for (const unsigned char *p = (const unsigned char *)path; *p != '\0'; p++)
		must(*p >= 0x20 && *p != 0x7f);
}

static void check_name(enum maildir_layout layout, const char *name)
{
	char path[MAILDIR_PATH_MAX + 1];
	char back[MAILBOX_NAME_MAX + 1];

	if (maildir_path_encode(layout, name, path, NULL) != 0)
		return;
	check_is_inside(layout, path);
	bool is_inbox = strcasecmp(name, "INBOX") == 0;
	must(maildir_path_decode(layout, path, back) ? strcmp(back, name) == 0 : is_inbox);
}

static void check_path(enum maildir_layout layout, const char *path)
{
	char name[MAILBOX_NAME_MAX + 1];
	char back[MAILDIR_PATH_MAX + 1];

	if (!maildir_path_decode(layout, path, name))
		return;
	must(maildir_path_encode(layout, name, back, NULL) == 0);
	must(strcmp(back, path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > MAILDIR_PATH_MAX || memchr(data + 1, '\0', size - 1) != NULL)
		return 0;
	enum maildir_layout layout = data[0] % 2 == 0 ? MAILDIR_VERBATIM : MAILDIR_PLUSPLUS;
	char *text = xstrndup((const char *)data + 1, size - 1);
	check_name(layout, text);
	check_path(layout, text);
	free(text);
	return 0;
}
