/* What the files of src/maildir share.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_MAILDIR_PRIVATE_H
#define SYNCD_MAILDIR_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "syncd/crlf.h"
#include "syncd/header.h"
#include "syncd/maildir.h"

/* The kernel stamps directories by a clock that moves once a tick (10 ms at most): two
 * changes in one tick leave one stamp. A stamp older than this is told from a new one. */
#define MAILDIR_TICK_MS 20

struct maildir_keywords {
	char *names[MAILDIR_LETTER_COUNT]; /* NULL: the letter is free */
	struct stat seen;                  /* of the file read; st_ino 0: none */
	bool is_read;
};

#define PENDING_FDS_MAX 4

/* A message that was delivered. A small one is held in memory: whoever makes it durable, in the
 * pool, writes its file too, and the loop goes on with the next ones meanwhile. */
struct maildir_delivered {
	char *base;
	char *bytes; /* as on disk; NULL: the file is in tmp/ */
	size_t len;
	int64_t mtime_s;
};

/* Files whose contents are not known to be durable. */
struct maildir_pending {
	struct maildir_delivered *files;
	size_t count;
	size_t cap;
	int examined_fds[PENDING_FDS_MAX]; /* the first of the files examined */
	size_t examined_count;             /* more than that: a flush of all is due */
};

struct maildir {
	const struct maildir_root *root;
	char *name;
	int dir_fd; /* the mailbox itself */
	int tmp_fd;
	int new_fd;
	int cur_fd;
	struct maildir_index *index; /* may be NULL */
	bool is_index_complete;      /* else of some files only */
	int64_t absent_until_ms;     /* until then, what the index has not is gone */
	struct maildir_keywords keywords;
	uint64_t letters_seen;    /* on files, by the scans so far */
	bool has_seen_all;        /* files, in a complete scan */
	bool has_unnamed_letters; /* among these: the list of names was lost or cut short */
	struct maildir_pending pending;
	bool flush_has_failed;
};

/* --- dirs.c: directory handles --- */

/* Opens a directory below `fd`, never through a symlink; -1 and errno. */
int dirs_open_at(int fd, const char *name);

/* Opens the root, which may be a symlink; -1 and errno. */
int dirs_open_root(const struct maildir_root *root);

/* Walks a path made by maildir_path_encode level by level; -1 and errno. */
int dirs_walk(int root_fd, const char *path);

/* Closes it, unless it is negative; errno stays. */
void dirs_close(int fd);

/* Whether there is a directory / a regular file of that name (a symlink is neither): 1 or 0, and -1
 * with errno when that cannot be told. */
int dirs_has_dir(int fd, const char *name);
int dirs_has_file(int fd, const char *name);

/* A directory below `fd`, made durably when it is missing; its handle, or -1 and errno. */
int dirs_make(int fd, const char *name);

/* As dirs_walk, making what is missing. */
int dirs_make_path(int root_fd, const char *path);

/* Makes durable that the directory is there, and its entries; -1 and errno. */
int dirs_sync_path(int root_fd, const char *path);

/* Removes the directory when it is empty, then one by one those above it that are, but the root,
 * durably. Some or all of them may be gone already. -1 and errno. */
int dirs_prune(int root_fd, const char *path);

/* 1 and the name (MAILDIR_FILE_MAX + 1 bytes) of an entry, which may begin with a dot; 0 when there
 * is none; -1 and errno. */
int dirs_first_entry(int fd, char *name);

/* Of the directory `name` below `fd`: stays when it is renamed, and is no other one's, also not
 * when that gets its inode. 0: there is none. */
uint64_t dirs_lasting_id(int fd, const char *name);

int dirs_sync(int fd, const char *name, struct error *err);

/* Fails when the mailbox's directories are no longer those that were opened. */
int dirs_verify(const struct maildir *maildir, struct error *err);

/* Fills `err` (SYNCD_EIO, ...) with "WHAT NAME of mailbox M: strerror". */
int dirs_error(const struct maildir *maildir, int errno_value, const char *what, const char *name,
	       struct error *err);

/* Calls `each` for the entries of a directory that do not begin with a dot; `type` is a DT_
 * value. Anything but 0 from `each` ends it with that. -1 and errno are failures of the
 * directory itself (a removed one gives ENOENT). */
int dirs_each(int fd, int (*each)(void *context, const char *name, unsigned char type),
	      void *context);

/* --- tree.c --- */

/* Makes what is missing of tmp, new and cur; -1 and errno. */
int tree_make_parts(int fd);

/* Maildir++ marks with it what is no root. */
#define MAILDIR_FOLDER_FILE "maildirfolder"

/* --- scan.c --- */

/* When the directories changed last. */
struct dirs_stamp {
	struct timespec cur_ctime;
	struct timespec new_ctime;
	int64_t cur_mtime_ns;
	int64_t new_mtime_ns;
};

int dirs_stamp_take(const struct maildir *maildir, struct dirs_stamp *stamp, struct error *err);
bool dirs_stamp_equals(const struct dirs_stamp *a, const struct dirs_stamp *b);

/* Milliseconds until a change would surely leave another stamp than this one. */
int64_t dirs_stamp_wait_ms(const struct dirs_stamp *stamp, int64_t settled_ms);

int64_t now_monotonic_ms(void);
void sleep_ms(int64_t ms);

/* Every message file, new/ first. */
int dirs_each_message(const struct maildir *maildir,
		      int (*each)(void *context, bool is_new, struct slice file), void *context,
		      struct error *err);

/* --- index.c --- */

struct maildir_index *index_new(void);
void index_add(struct maildir_index *index, struct slice base, bool is_new, struct slice suffix);
void index_sort(struct maildir_index *index);
/* A file whose name cannot be used. */
void index_skip(struct maildir_index *index, bool is_new, struct slice file);
/* Adds the places of `from`, which replace those of the same base names. Both are sorted. */
void index_merge(struct maildir_index *index, const struct maildir_index *from);

/* Where a message's file is: `file` is its name in new/ or cur/. */
struct maildir_place {
	bool is_new;
	char file[MAILDIR_FILE_MAX + 1];
};

/* The n-th guess (from 0); false when there are no more. */
bool index_guess(const struct maildir_index *index, const char *base, size_t n,
		 struct maildir_place *place);
/* The file is now at `place`. */
void index_update(struct maildir_index *index, const char *base, const struct maildir_place *place);

/* --- guess.c --- */

/* A message whose file is looked for. */
struct maildir_target {
	const char *base;
	uint64_t letters; /* its flags as they were last known */
};

#define GUESSES_LIKELY 3 /* the first guesses are worth a try; the others are for being sure */

/* The n-th place (from 0) where the file would be by its name; false when there are no more.
 * First those where it should be, then cur/ with fewer system flags. */
bool guess_place(const struct maildir_target *target, size_t n, struct maildir_place *place);

/* --- locate.c --- */

/* Does something with a message's file: 0, or an errno value. ENOENT makes it be looked
 * for again. */
typedef int (*place_action)(struct maildir *maildir, struct maildir_place *place, void *context);

/* Runs `action` on the target's file, wherever other programs have moved it. Returns 0, or
 * SYNCD_ENOTFOUND when it is gone, SYNCD_EBUSY when the directories never stand still;
 * *errno_value is what else the action returned (then the result is SYNCD_EIO). */
int locate_and(struct maildir *maildir, const struct maildir_target *target, place_action action,
	       void *context, int *errno_value, struct error *err);

/* The same by the places where it is likely to be only: no directory is read. SYNCD_ENOTFOUND says
 * that it is not there. */
int locate_likely(struct maildir *maildir, const struct maildir_target *target, place_action action,
		  void *context, int *errno_value, struct error *err);

/* Base names come from the state and from listings; a path in them is a bug of ours or worse. */
int base_check(const char *base, struct error *err);

/* --- change.c --- */

/* renameat that does not replace; -1 and errno (EEXIST). */
int rename_exclusive(int from_fd, const char *from, int to_fd, const char *to);

/* --- read.c: what delivering and examining both learn --- */

struct measure {
	uint64_t given_bytes;
	struct crlf_count count; /* of what was given, in CRLF form */
	struct identity identity;
	struct header_scanner header;
};

/* The measure must not be moved afterwards. */
void measure_init(struct measure *measure);
void measure_add(struct measure *measure, struct slice data);
void measure_end(struct measure *measure, struct digest *out);
void measure_free(struct measure *measure);

/* --- deliver.c --- */

/* Writes and dates a new file in tmp/. Any thread. */
int deliver_write_file(const struct maildir *maildir, const struct maildir_delivered *file,
		       struct error *err);

/* --- flush.c --- */
void pending_free(struct maildir_pending *pending);

/* Takes `file` over. */
void pending_add(struct maildir_pending *pending, const struct maildir_delivered *file);

/* Writes a file that is still held in memory; one that is not, or not pending, is fine. */
int pending_write_one(struct maildir *maildir, const char *base, struct error *err);

/* A delivered file has left tmp/: one not yet flushed is to be flushed where it is now. */
void pending_moved(struct maildir *maildir, const char *base, int to_fd, const char *to);

/* One call makes a whole file system durable, and tells when that failed. */
bool flush_can_take_all(void);

/* --- keywords.c --- */
#define KEYWORDS_FILE "dovecot-keywords"

void keywords_free(struct maildir_keywords *keywords);

/* Removes what a killed process of ours left beside the list: no other can be alive, as the account
 * is locked. */
void keywords_sweep(int dir_fd);

#endif
