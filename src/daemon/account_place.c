/* Where the account's mailboxes are and in which layout, as the state noted: with another
 * configuration all of them would look deleted.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "account_private.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/maildir.h"

/* "verbatim\n/home/me/Mail": a path may hold anything but NUL. */
static char *place_format(const struct config_account *settings)
{
	return xasprintf("%s\n%s", config_layout_name(settings->layout), settings->maildir);
}

static void count_mailbox(void *context, const struct mailbox_record *mailbox)
{
	size_t *count = context;

	(void)mailbox;
	(*count)++;
}

static bool has_mark(const struct account *account, const char *path)
{
	struct maildir_root root;

	maildir_root_init(&root, path, account->settings->layout, store_identity(account->store));
	bool has = maildir_root_check(&root, false, NULL, NULL) == 0;
	maildir_root_free(&root);
	return has;
}

static bool is_same_directory(const char *one, const char *other)
{
	struct stat a;
	struct stat b;

	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Moved with its mark, or the same by another name. A copy beside the original could be either. */
static bool is_moved(const struct account *account, const char *from, const char *to)
{
	return is_same_directory(from, to) || (has_mark(account, to) && !has_mark(account, from));
}

static int refuse_layout(const struct account *account, const char *noted, const char *state_dir,
			 struct error *err)
{
	const struct config_account *settings = account->settings;
	size_t len = strcspn(noted, "\n");

	return error_set(err, SYNCD_ECONFIG,
			 "layout is %s, but the mailboxes in %s are kept as %.*s: set it back, or "
			 "move that directory and %s/%s away to have all fetched anew",
			 config_layout_name(settings->layout), noted + len + 1, (int)len, noted,
			 state_dir, settings->name);
}

static int refuse_root(const struct account *account, const char *from, const char *state_dir,
		       struct error *err)
{
	const struct config_account *settings = account->settings;

	return error_set(err, SYNCD_ECONFIG,
			 "maildir is %s, but the mailboxes are kept in %s: move that there whole, "
			 "with its " MAILDIR_MARK ", or move %s/%s away to begin anew",
			 settings->maildir, from, state_dir, settings->name);
}

static int place_compare(const struct account *account, const char *noted, const char *state_dir,
			 struct error *err)
{
	const struct config_account *settings = account->settings;
	const char *layout = config_layout_name(settings->layout);
	size_t len = strcspn(noted, "\n");

	if (noted[len] == '\0') /* nothing is noted: a state of before there was that */
		return 0;
	if (len != strlen(layout) || strncmp(noted, layout, len) != 0)
		return refuse_layout(account, noted, state_dir, err);
	if (!is_moved(account, noted + len + 1, settings->maildir))
		return refuse_root(account, noted + len + 1, state_dir, err);
	log_info(settings->name, "maildir: it was moved from %s to %s", noted + len + 1,
		 settings->maildir);
	return 0;
}

int account_place_check(struct account *account, const char *state_dir, bool is_read_only,
			struct error *err)
{
	const char *noted = store_place(account->store);
	char *now = place_format(account->settings);
	size_t mailboxes = 0;
	int code = 0;

	if (strcmp(noted, now) != 0) {
		code = store_mailbox_each(account->store, count_mailbox, &mailboxes, err);
		if (code == 0 && mailboxes > 0)
			code = place_compare(account, noted, state_dir, err);
		if (code == 0 && !is_read_only)
			code = store_set_place(account->store, now, err);
	}
	free(now);
	return code;
}
