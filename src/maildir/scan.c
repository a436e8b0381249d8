/* Reading both directories of a mailbox, and knowing whether they stood still.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* DT_ values */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/must.h"

#define SCAN_SETTLED_MS 50 /* a directory changed later than this is still moving */
#define SCAN_PATIENCE_MS 1000
#define SCAN_CANCEL_EVERY 1024             /* entries between looks at is_cancelled */
#define MTIME_OLD_NS ((int64_t)2000000000) /* DESIGN 5; some file systems store even seconds */

int64_t now_monotonic_ms(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(int64_t ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
}

static int64_t timespec_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool timespec_equals(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int dirs_stamp_take(const struct maildir *maildir, struct dirs_stamp *stamp, struct error *err)
{
	struct stat cur;
	struct stat new;

	if (fstat(maildir->cur_fd, &cur) != 0)
		return dirs_error(maildir, errno, "cannot examine", "cur", err);
	if (fstat(maildir->new_fd, &new) != 0)
		return dirs_error(maildir, errno, "cannot examine", "new", err);
	*stamp = (struct dirs_stamp){
		.cur_ctime = cur.st_ctim,
		.new_ctime = new.st_ctim,
		.cur_mtime_ns = timespec_ns(cur.st_mtim),
		.new_mtime_ns = timespec_ns(new.st_mtim),
	};
	return 0;
}

/* Every change moves the ctime, and no program can set it back. */
bool dirs_stamp_equals(const struct dirs_stamp *a, const struct dirs_stamp *b)
{
	return timespec_equals(a->cur_ctime, b->cur_ctime) &&
	       timespec_equals(a->new_ctime, b->new_ctime) && a->cur_mtime_ns == b->cur_mtime_ns &&
	       a->new_mtime_ns == b->new_mtime_ns;
}

static int64_t time_wait_ms(struct timespec changed, int64_t settled_ms)
{
	struct timespec now;

	must(clock_gettime(CLOCK_REALTIME, &now) == 0);
	int64_t age_ms = (timespec_ns(now) - timespec_ns(changed)) / 1000000;
	/* A clock that was set back leaves stamps far in the future: a change would differ. */
	if (age_ms > settled_ms || age_ms < -settled_ms)
		return 0;
	return settled_ms - age_ms + 1;
}

int64_t dirs_stamp_wait_ms(const struct dirs_stamp *stamp, int64_t settled_ms)
{
	int64_t cur_ms = time_wait_ms(stamp->cur_ctime, settled_ms);
	int64_t new_ms = time_wait_ms(stamp->new_ctime, settled_ms);

	return cur_ms > new_ms ? cur_ms : new_ms;
}

/* What is neither young nor, after a clock was set back, ahead of it: every later change
 * leaves another mtime. */
static bool dirs_stamp_is_old(const struct dirs_stamp *stamp)
{
	struct timespec now;

	must(clock_gettime(CLOCK_REALTIME, &now) == 0);
	int64_t latest_ns = timespec_ns(now) - MTIME_OLD_NS;
	return stamp->cur_mtime_ns <= latest_ns && stamp->new_mtime_ns <= latest_ns;
}

static bool mtimes_are_known(const struct local_mtimes *known, int64_t cur_ns, int64_t new_ns)
{
	return known->cur_ns != 0 && known->new_ns != 0 && known->cur_ns == cur_ns &&
	       known->new_ns == new_ns;
}

static bool dir_mtime(int fd, const char *name, int64_t *mtime_ns)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
		return false;
	*mtime_ns = timespec_ns(st.st_mtim);
	return true;
}

bool maildir_has_mtimes(const struct maildir_root *root, const char *name,
			const struct local_mtimes *known)
{
	char path[MAILDIR_PATH_MAX + 1];
	struct error ignored;
	int64_t cur_ns = 0;
	int64_t new_ns = 0;

	if (maildir_path_encode(root->layout, name, path, &ignored) != 0)
		return false;
	int root_fd = dirs_open_root(root);
	int fd = root_fd >= 0 ? dirs_walk(root_fd, path) : -1;
	bool are_there = fd >= 0 && dir_mtime(fd, "cur", &cur_ns) && dir_mtime(fd, "new", &new_ns);
	if (fd >= 0)
		(void)close(fd);
	if (root_fd >= 0)
		(void)close(root_fd);
	return are_there && mtimes_are_known(known, cur_ns, new_ns);
}

bool maildir_is_still(const struct maildir *maildir)
{
	struct dirs_stamp stamp = { .cur_mtime_ns = 0 };
	struct error ignored;

	return dirs_stamp_take(maildir, &stamp, &ignored) == 0 &&
	       dirs_stamp_wait_ms(&stamp, MAILDIR_TICK_MS) == 0;
}

struct reading {
	int (*each)(void *context, bool is_new, struct slice file);
	void *context;
	int fd;
	bool is_new;
};

static int reading_entry(void *context, const char *name, unsigned char type)
{
	struct reading *reading = context;
	struct stat st;

	if (type == DT_UNKNOWN && fstatat(reading->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		type = DT_DIR;
	if (type == DT_DIR)
		return 0;
	return reading->each(reading->context, reading->is_new, slice_of(name));
}

static int read_one(const struct maildir *maildir, struct reading *reading, struct error *err)
{
	int code = dirs_each(reading->fd, reading_entry, reading);

	if (code != -1 || errno == 0)
		return code;
	code = dirs_error(maildir, errno, "cannot read", reading->is_new ? "new" : "cur", err);
	/* Removed while it was open. The mailbox failed; nothing was asked to be found. */
	return code == SYNCD_ENOTFOUND
		       ? error_set(err, SYNCD_EIO, "mailbox %.200s: its directories vanished",
				   maildir->name)
		       : code;
}

int dirs_each_message(const struct maildir *maildir,
		      int (*each)(void *context, bool is_new, struct slice file), void *context,
		      struct error *err)
{
	struct reading reading = { .each = each, .context = context };
	int code;

	reading.fd = maildir->new_fd;
	reading.is_new = true;
	code = read_one(maildir, &reading, err);
	if (code != 0)
		return code;
	reading.fd = maildir->cur_fd;
	reading.is_new = false;
	return read_one(maildir, &reading, err);
}

struct scan {
	const struct maildir *maildir;
	const atomic_bool *is_cancelled;
	struct local_listing *listing;
	struct maildir_index *index;
	int64_t give_up_ms;
};

/* Base names longer than the state can hold, or empty, are left alone and told. */
static int scan_file(void *context, bool is_new, struct slice file)
{
	struct scan *scan = context;
	struct slice base;
	struct slice info;

	if (scan->listing->count % SCAN_CANCEL_EVERY == 0 && atomic_load(scan->is_cancelled))
		return SYNCD_ECANCELLED;
	maildir_file_split(file, &base, &info);
	if (base.len == 0 || base.len > MAIL_NAME_MAX) {
		index_skip(scan->index, is_new, file);
		return 0;
	}
	local_listing_add(scan->listing, base, maildir_info_letters(info));
	index_add(scan->index, base, is_new,
		  (struct slice){ file.data + base.len, file.len - base.len });
	return 0;
}

/* Waits until the directories have stood still, or patience ends. */
static int scan_settle(struct scan *scan, struct dirs_stamp *stamp, struct error *err)
{
	for (;;) {
		int code = dirs_stamp_take(scan->maildir, stamp, err);
		if (code != 0)
			return code;
		if (atomic_load(scan->is_cancelled))
			return SYNCD_ECANCELLED;
		int64_t wait_ms = dirs_stamp_wait_ms(stamp, SCAN_SETTLED_MS);
		if (wait_ms == 0 || now_monotonic_ms() + wait_ms > scan->give_up_ms)
			return 0;
		sleep_ms(wait_ms);
	}
}

static int scan_once(struct scan *scan, struct error *err)
{
	struct dirs_stamp before = { .cur_mtime_ns = 0 };
	struct dirs_stamp after = { .cur_mtime_ns = 0 };
	int code = scan_settle(scan, &before, err);

	if (code != 0)
		return code;
	bool was_settled = dirs_stamp_wait_ms(&before, SCAN_SETTLED_MS) == 0;
	bool was_old = dirs_stamp_is_old(&before);
	local_listing_free(scan->listing);
	maildir_index_free(&scan->index);
	scan->index = index_new();
	code = dirs_each_message(scan->maildir, scan_file, scan, err);
	if (code == 0)
		code = dirs_stamp_take(scan->maildir, &after, err);
	if (code != 0)
		return code;
	scan->listing->is_stable = was_settled && dirs_stamp_equals(&before, &after);
	if (scan->listing->is_stable && was_old)
		scan->listing->mtimes =
			(struct local_mtimes){ before.cur_mtime_ns, before.new_mtime_ns };
	return 0;
}

static int scan_all(const struct maildir *maildir, const atomic_bool *is_cancelled,
		    struct local_listing *listing, struct maildir_index **index, struct error *err)
{
	struct scan scan = {
		.maildir = maildir,
		.is_cancelled = is_cancelled,
		.listing = listing,
		.give_up_ms = now_monotonic_ms() + SCAN_PATIENCE_MS,
	};
	int code;

	do {
		code = scan_once(&scan, err);
	} while (code == 0 && !listing->is_stable && now_monotonic_ms() < scan.give_up_ms);
	if (code == 0)
		code = dirs_verify(maildir, err);
	if (code != 0) {
		local_listing_free(listing);
		maildir_index_free(&scan.index);
		return code == SYNCD_ECANCELLED ? error_set(err, code, "cancelled") : code;
	}
	local_listing_sort(listing);
	index_sort(scan.index);
	*index = scan.index;
	return 0;
}

int maildir_scan(const struct maildir *maildir, const struct local_mtimes *known,
		 const atomic_bool *is_cancelled, struct local_listing *listing,
		 struct maildir_index **index, struct error *err)
{
	struct dirs_stamp stamp = { .cur_mtime_ns = 0 };
	int code = dirs_stamp_take(maildir, &stamp, err);

	*index = NULL;
	if (code != 0)
		return code;
	if (!mtimes_are_known(known, stamp.cur_mtime_ns, stamp.new_mtime_ns))
		return scan_all(maildir, is_cancelled, listing, index, err);
	listing->is_delta = true;
	listing->is_stable = true;
	listing->mtimes = *known;
	return dirs_verify(maildir, err);
}

void maildir_set_index(struct maildir *maildir, struct maildir_index **index)
{
	maildir_index_free(&maildir->index);
	maildir->index = *index;
	maildir->is_index_complete = true;
	maildir->absent_until_ms = 0;
	*index = NULL;
}

void maildir_add_index(struct maildir *maildir, struct maildir_index **index)
{
	if (maildir->index == NULL)
		maildir->index = index_new();
	index_merge(maildir->index, *index);
	maildir_index_free(index);
}
