/* Giving a mailbox another name, piece by piece, so that those below it stay and that it can be
 * killed and gone on with anywhere.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* DT_ values */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "maildir_private.h"

#define MERGE_TRIES 10 /* times that new files may have come meanwhile */
#define TWINS_MAX 100  /* files of one name, each from another place */

/* What of a mailbox is in a directory. */
struct box_parts {
	bool has_cur;
	bool has_new;
	bool has_tmp;
	bool has_keywords;
	bool has_folder_file;
};

struct renaming {
	const struct maildir_root *root;
	const char *from; /* canonical names */
	const char *to;
	char from_path[MAILDIR_PATH_MAX + 1];
	char to_path[MAILDIR_PATH_MAX + 1];
	int root_fd;
	int from_fd; /* -1: not there */
	int to_fd;
	struct box_parts from_parts; /* at the start */
	struct box_parts to_parts;
	struct error *err;
};

static int rename_error(const struct renaming *renaming, const char *what, const char *name)
{
	int code = error_set_errno(renaming->err, errno, what, name);

	/* Nothing was asked to be found: it vanished under us. */
	if (code == SYNCD_ENOTFOUND)
		code = error_set(renaming->err, SYNCD_EBUSY, "%s %.200s: it vanished", what, name);
	error_context(renaming->err, "mailbox %.120s, to become %.120s", renaming->from,
		      renaming->to);
	return code;
}

/* -1 with errno when one cannot be examined. */
static int parts_of(int fd, struct box_parts *parts)
{
	*parts = (struct box_parts){ .has_cur = false };
	if (fd < 0)
		return 0;
	int cur = dirs_has_dir(fd, "cur");
	int new = dirs_has_dir(fd, "new");
	int tmp = dirs_has_dir(fd, "tmp");
	int keywords = dirs_has_file(fd, KEYWORDS_FILE);
	int folder_file = dirs_has_file(fd, MAILDIR_FOLDER_FILE);
	*parts = (struct box_parts){ cur > 0, new > 0, tmp > 0, keywords > 0, folder_file > 0 };
	return cur < 0 || new < 0 || tmp < 0 || keywords < 0 || folder_file < 0 ? -1 : 0;
}

static bool has_none(const struct box_parts *parts)
{
	return !parts->has_cur && !parts->has_new && !parts->has_tmp && !parts->has_keywords &&
	       !parts->has_folder_file;
}

/* --- Merging what is in both places -------------------------------------------------- */

struct merge {
	int from_fd; /* of new/ or tmp/ */
	int to_fd;
	size_t moved;
};

/* Where its name is taken, a file that is another one all the same gets another base name. */
static int move_as_twin(const struct merge *merge, const char *name)
{
	char twin[MAILDIR_FILE_MAX + 1];
	struct slice base;
	struct slice info;

	maildir_file_split(slice_of(name), &base, &info);
	for (unsigned n = 1; n <= TWINS_MAX; n++) {
		int len = snprintf(twin, sizeof(twin), "%.*s,twin=%u%s", (int)base.len, base.data,
				   n, name + base.len);
		if (len < 0 || len > MAILDIR_FILE_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		if (rename_exclusive(merge->from_fd, name, merge->to_fd, twin) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

static int move_file(void *context, const char *name, unsigned char type)
{
	struct merge *merge = context;
	int result = rename_exclusive(merge->from_fd, name, merge->to_fd, name);

	(void)type;
	if (result != 0 && errno == EEXIST)
		result = move_as_twin(merge, name);
	if (result != 0 && errno == ENOENT)
		return 0; /* its program has finished with it */
	merge->moved++;
	return result;
}

/* Files may come while we are at it, and a directory that changes need not be told whole. What
 * begins with a dot stays. */
static int merge_files(struct renaming *renaming, const char *part, struct merge *merge)
{
	for (int i = 0; i < MERGE_TRIES; i++) {
		merge->moved = 0;
		if (dirs_each(merge->from_fd, move_file, merge) != 0)
			return rename_error(renaming, "cannot move the files of", part);
		if (fsync(merge->to_fd) != 0 || fsync(merge->from_fd) != 0)
			return rename_error(renaming, "cannot flush directory", part);
		if (unlinkat(renaming->from_fd, part, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return rename_error(renaming, "cannot remove directory", part);
		if (merge->moved == 0)
			return 0;
	}
	return error_set(renaming->err, SYNCD_EBUSY,
			 "mailbox %.120s, to become %.120s: mail keeps coming", renaming->from,
			 renaming->to);
}

static int merge_part(struct renaming *renaming, const char *part)
{
	struct merge merge = { .from_fd = dirs_open_at(renaming->from_fd, part) };
	int code;

	merge.to_fd = dirs_open_at(renaming->to_fd, part);
	if (merge.from_fd < 0 || merge.to_fd < 0)
		code = rename_error(renaming, "cannot open", part);
	else
		code = merge_files(renaming, part, &merge);
	dirs_close(merge.from_fd);
	dirs_close(merge.to_fd);
	return code;
}

/* --- Pieces ------------------------------------------------------------------------------ */

/* A symlink is not the mailbox's part but the user's, and stays. */
static int move_part(struct renaming *renaming, const char *part)
{
	int is_there = dirs_has_dir(renaming->from_fd, part);

	if (is_there < 0)
		return rename_error(renaming, "cannot examine", part);
	if (is_there == 0 || renameat(renaming->from_fd, part, renaming->to_fd, part) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return rename_error(renaming, "cannot move directory", part);
	return merge_part(renaming, part);
}

/* Over a `cur` that someone made meanwhile, if it is empty. */
static int move_cur(struct renaming *renaming)
{
	if (!renaming->from_parts.has_cur ||
	    renameat(renaming->from_fd, "cur", renaming->to_fd, "cur") == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return rename_error(renaming, "cannot move directory", "cur");
	return error_set(renaming->err, SYNCD_EBUSY, "cannot rename mailbox %.120s: %.120s is one",
			 renaming->from, renaming->to);
}

/* The list of keywords is in both places until `cur` has moved: at no time do files carry letters
 * without names. As long as `cur` is under the old name the list there is the valid one. */
static int bring_keywords(struct renaming *renaming)
{
	if (!renaming->from_parts.has_cur || !renaming->from_parts.has_keywords)
		return 0;
	if (unlinkat(renaming->to_fd, KEYWORDS_FILE, 0) != 0 && errno != ENOENT)
		return rename_error(renaming, "cannot replace", KEYWORDS_FILE);
	if (linkat(renaming->from_fd, KEYWORDS_FILE, renaming->to_fd, KEYWORDS_FILE, 0) == 0)
		return 0;
	/* A file system without links. */
	if (renameat(renaming->from_fd, KEYWORDS_FILE, renaming->to_fd, KEYWORDS_FILE) != 0)
		return rename_error(renaming, "cannot move", KEYWORDS_FILE);
	return 0;
}

/* A file of the mailbox follows `cur`; what is under the new name already stays. */
static int move_or_drop_file(struct renaming *renaming, const char *name)
{
	int is_there = dirs_has_file(renaming->from_fd, name);

	if (is_there < 0)
		return rename_error(renaming, "cannot examine", name);
	if (is_there == 0 || rename_exclusive(renaming->from_fd, name, renaming->to_fd, name) == 0)
		return 0;
	if (errno == EEXIST && unlinkat(renaming->from_fd, name, 0) == 0)
		return 0;
	return rename_error(renaming, "cannot move", name);
}

static int sync_both(struct renaming *renaming)
{
	if (fsync(renaming->to_fd) != 0 ||
	    (renaming->from_fd >= 0 && fsync(renaming->from_fd) != 0))
		return rename_error(renaming, "cannot flush directories of", renaming->from);
	return 0;
}

/* --- The whole ------------------------------------------------------------------------------ */

static int move_pieces(struct renaming *renaming)
{
	int code = bring_keywords(renaming);

	if (code == 0)
		code = move_part(renaming, "tmp");
	if (code == 0)
		code = move_part(renaming, "new");
	/* Also after the machine has stopped, the new name has `cur` only with all the rest. */
	if (code == 0)
		code = sync_both(renaming);
	if (code == 0)
		code = move_cur(renaming);
	/* What a program delivered meanwhile to the old name. */
	if (code == 0)
		code = move_part(renaming, "new");
	if (code == 0)
		code = move_or_drop_file(renaming, KEYWORDS_FILE);
	if (code == 0)
		code = move_or_drop_file(renaming, MAILDIR_FOLDER_FILE);
	keywords_sweep(renaming->from_fd);
	return code;
}

/* Durable, and nothing empty left. */
static int settle(struct renaming *renaming)
{
	int code = sync_both(renaming);

	if (code != 0)
		return code;
	if (dirs_sync_path(renaming->root_fd, renaming->to_path) != 0)
		return rename_error(renaming, "cannot flush directory", renaming->to_path);
	if (dirs_prune(renaming->root_fd, renaming->from_path) != 0)
		return rename_error(renaming, "cannot remove directory", renaming->from_path);
	return 0;
}

/* An empty `cur` in the way of half a mailbox is one that was made since the other half moved. */
static bool is_other_mailbox(const struct renaming *renaming)
{
	char name[MAILDIR_FILE_MAX + 1];

	if (!renaming->from_parts.has_cur || !renaming->to_parts.has_cur)
		return false;
	if (renaming->from_parts.has_new)
		return true;
	int cur_fd = dirs_open_at(renaming->to_fd, "cur");
	bool is_empty = cur_fd >= 0 && dirs_first_entry(cur_fd, name) == 0;
	dirs_close(cur_fd);
	return !is_empty;
}

static int rename_opened(struct renaming *renaming)
{
	bool is_nothing = has_none(&renaming->from_parts);

	if (is_other_mailbox(renaming))
		return error_set(renaming->err, SYNCD_EBUSY,
				 "cannot rename mailbox %.120s: %.120s is one", renaming->from,
				 renaming->to);
	/* It was moved, and may not be durable. */
	int code = is_nothing && renaming->to_parts.has_cur ? settle(renaming) : 0;
	if (code != 0)
		return code;
	if (is_nothing || (!renaming->from_parts.has_cur && !renaming->to_parts.has_cur))
		return error_set(renaming->err, SYNCD_ENOTFOUND,
				 "there is no mailbox %.200s to rename", renaming->from);
	if (renaming->to_fd < 0)
		renaming->to_fd = dirs_make_path(renaming->root_fd, renaming->to_path);
	if (renaming->to_fd < 0)
		return rename_error(renaming, "cannot make directory", renaming->to_path);
	code = move_pieces(renaming);
	return code == 0 ? settle(renaming) : code;
}

static int rename_open(struct renaming *renaming)
{
	renaming->from_fd = dirs_walk(renaming->root_fd, renaming->from_path);
	if (renaming->from_fd < 0 && errno != ENOENT)
		return rename_error(renaming, "cannot open", renaming->from_path);
	renaming->to_fd = dirs_walk(renaming->root_fd, renaming->to_path);
	if (renaming->to_fd < 0 && errno != ENOENT)
		return rename_error(renaming, "cannot open", renaming->to_path);
	if (parts_of(renaming->from_fd, &renaming->from_parts) != 0)
		return rename_error(renaming, "cannot examine", renaming->from_path);
	if (parts_of(renaming->to_fd, &renaming->to_parts) != 0)
		return rename_error(renaming, "cannot examine", renaming->to_path);
	return rename_opened(renaming);
}

static int rename_paths(struct renaming *renaming)
{
	enum maildir_layout layout = renaming->root->layout;
	int code = maildir_path_encode(layout, renaming->from, renaming->from_path, renaming->err);

	if (code == 0)
		code = maildir_path_encode(layout, renaming->to, renaming->to_path, renaming->err);
	if (code != 0)
		return code;
	if (strcmp(renaming->from_path, ".") == 0 || strcmp(renaming->to_path, ".") == 0)
		return error_set(renaming->err, SYNCD_EUSAGE,
				 "INBOX is the maildir itself and cannot be renamed");
	if (strcmp(renaming->from_path, renaming->to_path) == 0)
		return error_set(renaming->err, SYNCD_EUSAGE, "mailbox %.200s has that name",
				 renaming->from);
	return 0;
}

int maildir_rename_mailbox(const struct maildir_root *root, const char *from, const char *to,
			   struct error *err)
{
	struct renaming renaming = {
		.root = root, .from = from, .to = to, .from_fd = -1, .to_fd = -1, .err = err
	};
	int code = rename_paths(&renaming);

	if (code != 0)
		return code;
	renaming.root_fd = dirs_open_root(root);
	if (renaming.root_fd < 0)
		return error_set(err, SYNCD_EROOT, "maildir root %s: %s", root->path,
				 strerror(errno));
	code = rename_open(&renaming);
	dirs_close(renaming.from_fd);
	dirs_close(renaming.to_fd);
	dirs_close(renaming.root_fd);
	return code;
}
