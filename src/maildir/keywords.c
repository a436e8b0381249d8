/* A mailbox's keyword letters: `dovecot-keywords`, lines "N name" with N from 0 for 'a', written
 * under Dovecot's dotlock, which becomes the new file.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/alloc.h"

#define KEYWORDS_LOCK "dovecot-keywords.lock"
#define KEYWORDS_OURS "dovecot-keywords.syncd" /* a second link to the lock while it is ours */
#define KEYWORDS_FILE_MAX 65536                /* bytes; 26 names need a few thousand */
#define LOCK_STALE_S 120                       /* Dovecot's own limit for a lock left by a crash */
#define LOCK_TRIES 5

void keywords_free(struct maildir_keywords *keywords)
{
	for (size_t i = 0; i < MAILDIR_LETTER_COUNT; i++)
		free(keywords->names[i]);
	*keywords = (struct maildir_keywords){ .is_read = false };
}

static bool stat_is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void parse_line(struct maildir_keywords *keywords, struct slice line)
{
	size_t digits = 0;
	unsigned number = 0;

	while (digits < line.len && digits < 2 && line.data[digits] >= '0' &&
	       line.data[digits] <= '9')
		number = number * 10 + (unsigned)(line.data[digits++] - '0');
	if (digits == 0 || digits + 1 >= line.len || line.data[digits] != ' ' ||
	    number >= MAILDIR_LETTER_COUNT || keywords->names[number] != NULL)
		return;
	keywords->names[number] = xstrndup(line.data + digits + 1, line.len - digits - 1);
}

static void parse_file(struct maildir_keywords *keywords, struct slice text)
{
	while (text.len > 0) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.data) : text.len;
		size_t step = end != NULL ? len + 1 : len;
		parse_line(keywords, (struct slice){ text.data, len });
		text.data += step;
		text.len -= step;
	}
}

static int read_open_file(struct maildir *maildir, int fd, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return dirs_error(maildir, errno, "cannot examine", KEYWORDS_FILE, err);
	if (!S_ISREG(st.st_mode) || st.st_size > KEYWORDS_FILE_MAX)
		return dirs_error(maildir, EFBIG, "cannot use", KEYWORDS_FILE, err);
	char *text = xmalloc((size_t)st.st_size);
	ssize_t len = read(fd, text, (size_t)st.st_size);
	if (len >= 0) {
		keywords_free(&maildir->keywords);
		parse_file(&maildir->keywords, (struct slice){ text, (size_t)len });
		maildir->keywords.seen = st;
		maildir->keywords.is_read = true;
	}
	free(text);
	return len >= 0 ? 0 : dirs_error(maildir, errno, "cannot read", KEYWORDS_FILE, err);
}

int maildir_keywords_refresh(struct maildir *maildir, struct error *err)
{
	struct stat st;

	if (maildir->keywords.is_read &&
	    fstatat(maildir->dir_fd, KEYWORDS_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    stat_is_same(&st, &maildir->keywords.seen))
		return 0;
	int fd = openat(maildir->dir_fd, KEYWORDS_FILE,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		keywords_free(&maildir->keywords);
		return 0;
	}
	if (fd < 0)
		return dirs_error(maildir, errno, "cannot open", KEYWORDS_FILE, err);
	int code = read_open_file(maildir, fd, err);
	(void)close(fd);
	return code;
}

uint64_t maildir_letters_to_flags(const struct maildir *maildir, struct keyword_table *table,
				  uint64_t letters)
{
	uint64_t flags = letters & FLAGS_SYSTEM;

	for (size_t i = 0; i < MAILDIR_LETTER_COUNT; i++) {
		const char *name = maildir->keywords.names[i];
		if ((letters & MAILDIR_LETTER_BIT(i)) != 0 && name != NULL)
			flags |= flags_from_imap(table, slice_of(name));
	}
	return flags;
}

/* The letter's bit of a keyword's name, or 0. */
static uint64_t letter_of(const struct maildir_keywords *keywords, const char *name)
{
	for (size_t i = 0; i < MAILDIR_LETTER_COUNT; i++) {
		if (keywords->names[i] != NULL &&
		    slice_case_equals_str(slice_of(name), keywords->names[i]))
			return MAILDIR_LETTER_BIT(i);
	}
	return 0;
}

uint64_t maildir_flags_to_letters(const struct maildir *maildir, const struct keyword_table *table,
				  uint64_t flags)
{
	uint64_t letters = flags & FLAGS_SYSTEM;

	for (size_t i = 0; i < table->count; i++) {
		if ((flags & MAILDIR_LETTER_BIT(i)) != 0)
			letters |= letter_of(&maildir->keywords, table->names[i]);
	}
	return letters;
}

/* Whether a letter of this name stands for one of the flags. */
static bool name_says(const struct keyword_table *table, const char *name, uint64_t flags)
{
	for (uint64_t left = flags; left != 0; left &= left - 1) {
		const char *flag = flags_imap_name(table, left & (~left + 1));
		if (flag != NULL && slice_case_equals_str(slice_of(name), flag))
			return true;
	}
	return false;
}

uint64_t maildir_letters_saying(const struct maildir *maildir, const struct keyword_table *table,
				uint64_t flags)
{
	uint64_t letters = flags & FLAGS_SYSTEM;

	for (size_t i = 0; i < MAILDIR_LETTER_COUNT; i++) {
		const char *name = maildir->keywords.names[i];
		if (name != NULL && name_says(table, name, flags))
			letters |= MAILDIR_LETTER_BIT(i);
	}
	return letters;
}

uint64_t maildir_keywords_seen(struct maildir *maildir, uint64_t letters, bool are_all)
{
	uint64_t seen = letters | (are_all ? 0 : maildir->letters_seen);
	uint64_t unnamed = seen & FLAGS_KEYWORDS;

	for (size_t i = 0; i < MAILDIR_LETTER_COUNT; i++) {
		if (maildir->keywords.names[i] != NULL)
			unnamed &= ~MAILDIR_LETTER_BIT(i);
	}
	maildir->letters_seen = seen;
	maildir->has_seen_all |= are_all;
	maildir->has_unnamed_letters = unnamed != 0;
	return unnamed & letters;
}

/* A letter on a file belongs to a keyword, even if its name was lost. */
static bool is_free(const struct maildir *maildir, size_t letter)
{
	return maildir->keywords.names[letter] == NULL &&
	       (maildir->letters_seen & MAILDIR_LETTER_BIT(letter)) == 0;
}

static size_t count_free(const struct maildir *maildir)
{
	size_t count = 0;

	for (size_t i = 0; i < MAILDIR_LETTER_COUNT; i++)
		count += is_free(maildir, i);
	return count;
}

/* Those of `flags` that have a letter or, in the table's order, can get one. */
static uint64_t holdable(const struct maildir *maildir, const struct keyword_table *table,
			 uint64_t flags)
{
	size_t left = count_free(maildir);
	uint64_t held = flags & FLAGS_SYSTEM;

	for (size_t i = 0; i < table->count; i++) {
		uint64_t bit = flags & MAILDIR_LETTER_BIT(i);
		if (bit == 0)
			continue;
		if (letter_of(&maildir->keywords, table->names[i]) != 0) {
			held |= bit;
		} else if (left > 0) {
			held |= bit;
			left--;
		}
	}
	return held;
}

uint64_t maildir_flags_mask(const struct maildir *maildir, const struct keyword_table *table)
{
	return maildir->has_unnamed_letters ? FLAGS_SYSTEM : holdable(maildir, table, ~(uint64_t)0);
}

/* --- Giving letters ---------------------------------------------------------- */

static bool lock_is_stale(const struct maildir *maildir)
{
	struct stat st;

	return fstatat(maildir->dir_fd, KEYWORDS_LOCK, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       time(NULL) - st.st_mtim.tv_sec > LOCK_STALE_S;
}

void keywords_sweep(int dir_fd)
{
	struct stat ours;
	struct stat lock;

	if (fstatat(dir_fd, KEYWORDS_OURS, &ours, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (fstatat(dir_fd, KEYWORDS_LOCK, &lock, AT_SYMLINK_NOFOLLOW) == 0 &&
	    lock.st_dev == ours.st_dev && lock.st_ino == ours.st_ino)
		(void)unlinkat(dir_fd, KEYWORDS_LOCK, 0);
	(void)unlinkat(dir_fd, KEYWORDS_OURS, 0);
}

static void lock_drop(const struct maildir *maildir, int fd)
{
	(void)close(fd);
	keywords_sweep(maildir->dir_fd);
}

static int lock_take(struct maildir *maildir, int *fd, struct error *err)
{
	keywords_sweep(maildir->dir_fd);
	*fd = openat(maildir->dir_fd, KEYWORDS_OURS,
		     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*fd < 0)
		return dirs_error(maildir, errno, "cannot make", KEYWORDS_OURS, err);
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (linkat(maildir->dir_fd, KEYWORDS_OURS, maildir->dir_fd, KEYWORDS_LOCK, 0) == 0)
			return 0;
		if (errno != EEXIST) {
			int code = dirs_error(maildir, errno, "cannot make", KEYWORDS_LOCK, err);
			lock_drop(maildir, *fd);
			return code;
		}
		if (lock_is_stale(maildir))
			(void)unlinkat(maildir->dir_fd, KEYWORDS_LOCK, 0);
		else
			sleep_ms(MAILDIR_TICK_MS);
	}
	lock_drop(maildir, *fd);
	return error_set(err, SYNCD_EBUSY, "mailbox %.200s: another program holds " KEYWORDS_LOCK,
			 maildir->name);
}

static void give_letters(struct maildir *maildir, const struct keyword_table *table, uint64_t flags)
{
	struct maildir_keywords *keywords = &maildir->keywords;
	size_t letter = 0;

	for (size_t i = 0; i < table->count; i++) {
		if ((flags & MAILDIR_LETTER_BIT(i)) == 0 ||
		    letter_of(keywords, table->names[i]) != 0)
			continue;
		while (letter < MAILDIR_LETTER_COUNT && !is_free(maildir, letter))
			letter++;
		if (letter < MAILDIR_LETTER_COUNT)
			keywords->names[letter] = xstrdup(table->names[i]);
	}
}

static int write_all(const struct maildir_keywords *keywords, int fd)
{
	struct buf text;
	int result = 0;

	buf_init(&text, KEYWORDS_FILE_MAX);
	for (size_t i = 0; i < MAILDIR_LETTER_COUNT && result == 0; i++) {
		if (keywords->names[i] != NULL)
			result = buf_printf(&text, "%zu %s\n", i, keywords->names[i]);
	}
	if (result != 0)
		errno = EFBIG;
	else if (write(fd, buf_str(&text), text.len) != (ssize_t)text.len || fsync(fd) != 0)
		result = -1;
	buf_free(&text);
	return result;
}

/* Other users may be meant to read the list. The owner can only be kept where that is permitted. */
static int keep_owner_and_mode(const struct maildir *maildir, int fd)
{
	struct stat st;

	if (fstatat(maildir->dir_fd, KEYWORDS_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -1;
	if (fchown(fd, st.st_uid, st.st_gid) != 0 && fchown(fd, (uid_t)-1, st.st_gid) != 0 &&
	    errno != EPERM)
		return -1;
	return fchmod(fd, st.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO));
}

static int replace_file(struct maildir *maildir, int fd, struct error *err)
{
	if (keep_owner_and_mode(maildir, fd) != 0 || write_all(&maildir->keywords, fd) != 0)
		return dirs_error(maildir, errno, "cannot write", KEYWORDS_LOCK, err);
	if (renameat(maildir->dir_fd, KEYWORDS_LOCK, maildir->dir_fd, KEYWORDS_FILE) != 0)
		return dirs_error(maildir, errno, "cannot replace", KEYWORDS_FILE, err);
	return dirs_sync(maildir->dir_fd, maildir->name, err);
}

static int see_letters(void *context, bool is_new, struct slice file)
{
	uint64_t *letters = context;
	struct slice base;
	struct slice info;

	(void)is_new;
	maildir_file_split(file, &base, &info);
	*letters |= maildir_info_letters(info);
	return 0;
}

/* The mask that was told stays as it is: what it promised can be kept with letters still free. */
static int see_all_letters(struct maildir *maildir, struct error *err)
{
	int code = dirs_each_message(maildir, see_letters, &maildir->letters_seen, err);

	maildir->has_seen_all = code == 0;
	return code;
}

/* Those of `flags` that can have a letter and have none yet. */
static uint64_t lacking_letters(const struct maildir *maildir, const struct keyword_table *table,
				uint64_t flags)
{
	uint64_t wanted = holdable(maildir, table, flags & FLAGS_KEYWORDS);
	uint64_t lacking = 0;

	for (size_t i = 0; i < table->count; i++) {
		if ((wanted & MAILDIR_LETTER_BIT(i)) != 0 &&
		    letter_of(&maildir->keywords, table->names[i]) == 0)
			lacking |= MAILDIR_LETTER_BIT(i);
	}
	return lacking;
}

int maildir_keywords_assign(struct maildir *maildir, const struct keyword_table *table,
			    uint64_t flags, struct error *err)
{
	return maildir->has_unnamed_letters ? 0
					    : maildir_keywords_enlist(maildir, table, flags, err);
}

int maildir_keywords_enlist(struct maildir *maildir, const struct keyword_table *table,
			    uint64_t flags, struct error *err)
{
	int fd;
	int code = 0;
	uint64_t lacking = lacking_letters(maildir, table, flags);

	if (lacking != 0 && !maildir->has_seen_all) {
		code = see_all_letters(maildir, err);
		lacking = lacking_letters(maildir, table, flags);
	}
	if (code != 0 || lacking == 0)
		return code;
	code = lock_take(maildir, &fd, err);
	if (code != 0)
		return code;
	code = maildir_keywords_refresh(maildir, err);
	if (code == 0) {
		give_letters(maildir, table, lacking);
		code = replace_file(maildir, fd, err);
	}
	if (code != 0)
		maildir->keywords.is_read = false; /* it may be more than what is on disk */
	lock_drop(maildir, fd);
	return code;
}
