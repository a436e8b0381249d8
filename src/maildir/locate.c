/* Finding a message's file by its base name while other programs rename it: first where it
 * was seen last, then where its flags say, then by reading the directories again.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/must.h"

#define LOCATE_TRIES 10
#define ABSENT_TRUSTED_MS 1000 /* how long a still directory's listing proves absence */

int base_check(const char *base, struct error *err)
{
	size_t len = strlen(base);

	if (len == 0 || len > MAIL_NAME_MAX || base[0] == '.' || strchr(base, '/') != NULL)
		return error_set(err, SYNCD_EUSAGE, "\"%s\" is no name of a message file", base);
	return 0;
}

/* What is to be done with which message's file. */
struct locating {
	struct maildir *maildir;
	const struct maildir_target *target;
	place_action action;
	void *context;
	int errno_value; /* how the action failed, if it was not for want of the file */
};

/* False when the file is not there. */
static bool act(struct locating *locating, struct maildir_place *place)
{
	struct maildir *maildir = locating->maildir;

	if (place->file[0] == '\0')
		return false;
	int errno_value = locating->action(maildir, place, locating->context);
	if (errno_value == ENOENT)
		return false;
	locating->errno_value = errno_value;
	if (errno_value == 0 && maildir->index != NULL)
		index_update(maildir->index, locating->target->base, place);
	return true;
}

/* False when no guess was right. */
static bool act_on_guesses(struct locating *locating)
{
	const struct maildir_target *target = locating->target;
	const struct maildir_index *index = locating->maildir->index;
	struct maildir_target any = { target->base, target->letters | FLAGS_SYSTEM };
	struct maildir_place place;

	for (size_t n = 0; index != NULL && index_guess(index, target->base, n, &place); n++) {
		if (act(locating, &place))
			return true;
	}
	for (size_t n = 0; n < GUESSES_LIKELY && guess_place(target, n, &place); n++) {
		if (act(locating, &place))
			return true;
	}
	/* Reading 100,000 names takes a hundred times longer. */
	for (size_t n = 0; !locating->maildir->is_index_complete && guess_place(&any, n, &place);
	     n++) {
		if (act(locating, &place))
			return true;
	}
	return false;
}

struct search {
	struct maildir *maildir;
	struct maildir_index *index;
	const char *base;
	bool is_found;
	struct maildir_place place;
};

static int search_file(void *context, bool is_new, struct slice file)
{
	struct search *search = context;
	struct slice base;
	struct slice info;

	maildir_file_split(file, &base, &info);
	if (base.len == 0)
		return 0;
	index_add(search->index, base, is_new,
		  (struct slice){ file.data + base.len, file.len - base.len });
	/* cur/ is read last and wins: it is where a file goes. */
	if (slice_equals_str(base, search->base)) {
		search->is_found = true;
		search->place.is_new = is_new;
		memcpy(search->place.file, file.data, file.len);
		search->place.file[file.len] = '\0';
	}
	return 0;
}

/* Reads the directories once. *is_sure: what was not found is not there. */
static int search_once(struct search *search, bool *is_sure, struct error *err)
{
	struct maildir *maildir = search->maildir;
	struct dirs_stamp before = { .cur_mtime_ns = 0 };
	struct dirs_stamp after = { .cur_mtime_ns = 0 };
	int code = dirs_stamp_take(maildir, &before, err);

	if (code != 0)
		return code;
	bool was_settled = dirs_stamp_wait_ms(&before, MAILDIR_TICK_MS) == 0;
	search->is_found = false;
	search->index = index_new();
	code = dirs_each_message(maildir, search_file, search, err);
	if (code == 0)
		code = dirs_stamp_take(maildir, &after, err);
	if (code != 0) {
		maildir_index_free(&search->index);
		return code;
	}
	*is_sure = was_settled && dirs_stamp_equals(&before, &after);
	index_sort(search->index);
	maildir_set_index(maildir, &search->index);
	if (*is_sure)
		maildir->absent_until_ms = now_monotonic_ms() + ABSENT_TRUSTED_MS;
	return 0;
}

static int locate_gone(const struct maildir *maildir, const char *base, struct error *err)
{
	return error_set(err, SYNCD_ENOTFOUND, "message %.200s is gone from mailbox %.100s", base,
			 maildir->name);
}

/* As locate_and, by reading the directories. */
static int act_on_found(struct locating *locating, struct error *err)
{
	struct maildir *maildir = locating->maildir;
	const char *base = locating->target->base;
	struct search search = { .maildir = maildir, .base = base };
	bool is_sure = false;

	for (int i = 0; i < LOCATE_TRIES; i++) {
		int code = search_once(&search, &is_sure, err);
		if (code != 0)
			return code;
		if (search.is_found && act(locating, &search.place))
			return locating->errno_value == 0 ? 0 : SYNCD_EIO;
		if (!search.is_found && is_sure)
			return locate_gone(maildir, base, err);
		sleep_ms(MAILDIR_TICK_MS);
	}
	return error_set(err, SYNCD_EBUSY, "mailbox %.200s never stands still", maildir->name);
}

int locate_likely(struct maildir *maildir, const struct maildir_target *target, place_action action,
		  void *context, int *errno_value, struct error *err)
{
	struct locating locating = {
		.maildir = maildir, .target = target, .action = action, .context = context
	};
	int code = base_check(target->base, err);

	if (code == 0 && !act_on_guesses(&locating))
		code = locate_gone(maildir, target->base, err);
	*errno_value = locating.errno_value;
	return locating.errno_value == 0 ? code : SYNCD_EIO;
}

int locate_and(struct maildir *maildir, const struct maildir_target *target, place_action action,
	       void *context, int *errno_value, struct error *err)
{
	struct locating locating = {
		.maildir = maildir, .target = target, .action = action, .context = context
	};
	struct maildir_place unused;
	int code = base_check(target->base, err);

	*errno_value = 0;
	if (code != 0)
		return code;
	bool is_known =
		maildir->index != NULL && index_guess(maildir->index, target->base, 0, &unused);
	if (!is_known && now_monotonic_ms() < maildir->absent_until_ms)
		return locate_gone(maildir, target->base, err);
	if (act_on_guesses(&locating))
		code = locating.errno_value == 0 ? 0 : SYNCD_EIO;
	else
		code = act_on_found(&locating, err);
	*errno_value = locating.errno_value;
	return code;
}
