/* Changes of message files: publishing, flags, removal, and cleaning tmp/.
 * SPDX-License-Identifier: MIT */
#ifdef __linux__
#define _GNU_SOURCE /* renameat2 */
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/alloc.h"

/* Where the kernel cannot do it in one step, a look before the leap. */
static int rename_after_look(int from_fd, const char *from, int to_fd, const char *to)
{
	struct stat st;

	if (fstatat(to_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from_fd, from, to_fd, to);
}

int rename_exclusive(int from_fd, const char *from, int to_fd, const char *to)
{
#ifdef RENAME_NOREPLACE
	if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
#endif
	return rename_after_look(from_fd, from, to_fd, to);
}

static int place_fd(const struct maildir *maildir, const struct maildir_place *place)
{
	return place->is_new ? maildir->new_fd : maildir->cur_fd;
}

/* --- Flags ------------------------------------------------------------------ */

struct flag_change {
	uint64_t add;
	uint64_t remove;
	struct error *err;
	int code; /* a failure that is no errno */
};

static int change_flags(struct maildir *maildir, struct maildir_place *place, void *context)
{
	struct flag_change *change = context;
	struct maildir_place to = { .is_new = false };
	struct slice base;
	struct slice info;
	struct stat st;

	maildir_file_split(slice_of(place->file), &base, &info);
	uint64_t now = maildir_info_letters(info);
	uint64_t wanted = (now & ~change->remove) | change->add;
	if (wanted == now && (!place->is_new || wanted == 0))
		return fstatat(place_fd(maildir, place), place->file, &st, AT_SYMLINK_NOFOLLOW) == 0
			       ? 0
			       : errno;
	change->code =
		maildir_file_format(base, info, change->add, change->remove, to.file, change->err);
	if (change->code != 0)
		return ENAMETOOLONG;
	if (place->is_new || strcmp(place->file, to.file) != 0) {
		if (rename_exclusive(place_fd(maildir, place), place->file, maildir->cur_fd,
				     to.file) != 0)
			return errno;
	}
	*place = to;
	return 0;
}

int maildir_set_letters(struct maildir *maildir, const char *base, uint64_t expected, uint64_t add,
			uint64_t remove, struct error *err)
{
	struct maildir_target target = { .base = base, .letters = expected };
	struct flag_change change = { .add = add, .remove = remove & ~add, .err = err };
	int errno_value;
	int code = locate_and(maildir, &target, change_flags, &change, &errno_value, err);

	if (errno_value == 0)
		return code;
	if (change.code != 0) /* the name has no room; the other messages go on */
		return error_set(err, SYNCD_EMESSAGE, "the name of %.200s is too long for flags",
				 base);
	if (errno_value == EEXIST)
		return error_set(err, SYNCD_EMESSAGE,
				 "two files of mailbox %.100s have the base name %.200s",
				 maildir->name, base);
	return dirs_error(maildir, errno_value, "cannot rename", base, err);
}

/* --- Publishing --------------------------------------------------------------- */

static int do_nothing(struct maildir *maildir, struct maildir_place *place, void *context)
{
	struct stat st;

	(void)context;
	return fstatat(place_fd(maildir, place), place->file, &st, AT_SYMLINK_NOFOLLOW) == 0
		       ? 0
		       : errno;
}

int maildir_publish(struct maildir *maildir, const char *base, uint64_t letters, struct error *err)
{
	struct maildir_target target = { .base = base, .letters = letters };
	struct maildir_place to = { .is_new = letters == 0 };
	int errno_value;
	int code = base_check(base, err);

	if (code != 0)
		return code;
	if (to.is_new)
		(void)snprintf(to.file, sizeof(to.file), "%s", base);
	else
		code = maildir_file_format(slice_of(base), slice_of(""), letters, 0, to.file, err);
	if (code == 0)
		code = pending_write_one(maildir, base, err);
	if (code != 0)
		return code;
	if (rename_exclusive(maildir->tmp_fd, base, place_fd(maildir, &to), to.file) == 0) {
		maildir->absent_until_ms = 0;
		pending_moved(maildir, base, place_fd(maildir, &to), to.file);
		return 0;
	}
	if (errno != ENOENT)
		return dirs_error(maildir, errno, "cannot move from tmp", base, err);
	return locate_and(maildir, &target, do_nothing, NULL, &errno_value, err);
}

/* --- Removal ------------------------------------------------------------------- */

static int unlink_place(struct maildir *maildir, struct maildir_place *place, void *context)
{
	(void)context;
	if (unlinkat(place_fd(maildir, place), place->file, 0) != 0)
		return errno;
	return 0;
}

/* What a restore or rsync can leave; two base names of one hash look the same. */
static bool may_have_twins(const struct maildir *maildir, const char *base)
{
	struct maildir_place unused;

	return maildir->index != NULL && index_guess(maildir->index, base, 1, &unused);
}

/* Without an index of all files: twins have no flags that were not known of the message. */
static void remove_guessed_twins(struct maildir *maildir, const struct maildir_target *target)
{
	struct maildir_place place;

	for (size_t n = 0; guess_place(target, n, &place); n++) {
		if (place.file[0] != '\0')
			(void)unlinkat(place_fd(maildir, &place), place.file, 0);
	}
}

/* A twin that stayed would come back as a new message. */
int maildir_remove(struct maildir *maildir, const char *base, uint64_t expected, struct error *err)
{
	struct maildir_target target = { .base = base, .letters = expected };
	int errno_value;
	int code;

	do {
		code = locate_and(maildir, &target, unlink_place, NULL, &errno_value, err);
	} while (code == 0 && may_have_twins(maildir, base));
	if (errno_value != 0)
		return dirs_error(maildir, errno_value, "cannot remove", base, err);
	if (code == 0 && !maildir->is_index_complete)
		remove_guessed_twins(maildir, &target);
	if (code == SYNCD_ENOTFOUND) {
		error_clear(err);
		return 0;
	}
	return code;
}

/* --- tmp/ ------------------------------------------------------------------------ */

struct leftovers {
	bool (*is_staged)(void *context, const char *name);
	void *context;
	char **names;
	size_t count;
	size_t cap;
};

static int leftover_found(void *context, const char *name, unsigned char type)
{
	struct leftovers *leftovers = context;

	(void)type;
	if (!maildir_name_is_ours(name) || leftovers->is_staged(leftovers->context, name))
		return 0;
	leftovers->names = xgrow(leftovers->names, leftovers->count, &leftovers->cap,
				 sizeof(*leftovers->names));
	leftovers->names[leftovers->count++] = xstrdup(name);
	return 0;
}

int maildir_clean_tmp(struct maildir *maildir, bool (*is_staged)(void *context, const char *name),
		      void *context, struct error *err)
{
	struct leftovers leftovers = { .is_staged = is_staged, .context = context };
	int code = dirs_each(maildir->tmp_fd, leftover_found, &leftovers);

	if (code != 0)
		code = dirs_error(maildir, errno, "cannot read", "tmp", err);
	for (size_t i = 0; i < leftovers.count; i++) {
		if (code == 0 && unlinkat(maildir->tmp_fd, leftovers.names[i], 0) != 0 &&
		    errno != ENOENT)
			code = dirs_error(maildir, errno, "cannot remove from tmp",
					  leftovers.names[i], err);
		free(leftovers.names[i]);
	}
	free(leftovers.names);
	return code;
}
