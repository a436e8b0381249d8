/* Mailboxes that get another name or go: what moves, what stays, and what is there when it is
 * killed at any of its system calls and done again. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* RTLD_NEXT, renameat2 */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/temp_dir.h"
#include "syncd/alloc.h"
#include "syncd/maildir.h"
#include "syncd/must.h"

#define KILLED 99
#define DIRTY_MAX 64
#define NAMES_MAX 32
#define OURS "1600000000.sd0123456789abcdefQ1.host"

struct fixture {
	struct temp_dir dir;
	struct maildir_root root;
	struct error err;
};

/* --- The seam: the C library's own functions ------------------------------------------------ */

/* Shared with the children that are killed. */
static struct seam {
	int calls_left; /* until the process is killed; 0: never */
	/* Directories with changes that no fsync has followed. */
	struct {
		dev_t dev;
		ino_t ino;
	} dirty[DIRTY_MAX];
	size_t dirty_count;
} * seam;

/* Runs once before the directory of that name is removed. */
static const char *before_rmdir_of;
static void (*before_rmdir)(struct fixture *f);
static struct fixture *before_rmdir_fixture;

static void *real_of(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	must(symbol != NULL);
	return symbol;
}

static void count_call(void)
{
	if (seam != NULL && seam->calls_left > 0 && --seam->calls_left == 0)
		_exit(KILLED);
}

static void forget_dirty(const struct stat *st)
{
	for (size_t i = 0; i < seam->dirty_count; i++) {
		if (seam->dirty[i].dev != st->st_dev || seam->dirty[i].ino != st->st_ino)
			continue;
		seam->dirty[i--] = seam->dirty[--seam->dirty_count];
	}
}

static void note_dirty(int fd)
{
	struct stat st;

	if (seam == NULL)
		return;
	must(fstat(fd, &st) == 0 && seam->dirty_count < DIRTY_MAX);
	forget_dirty(&st);
	seam->dirty[seam->dirty_count].dev = st.st_dev;
	seam->dirty[seam->dirty_count++].ino = st.st_ino;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	int (*real)(int, const char *, int, const char *);
	void *symbol = real_of("renameat");

	memcpy(&real, &symbol, sizeof(real));
	count_call();
	int result = real(from_fd, from, to_fd, to);
	if (result == 0) {
		note_dirty(from_fd);
		note_dirty(to_fd);
	}
	return result;
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	int (*real)(int, const char *, int, const char *, unsigned);
	void *symbol = real_of("renameat2");

	memcpy(&real, &symbol, sizeof(real));
	count_call();
	int result = real(from_fd, from, to_fd, to, flags);
	if (result == 0) {
		note_dirty(from_fd);
		note_dirty(to_fd);
	}
	return result;
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	int (*real)(int, const char *, int, const char *, int);
	void *symbol = real_of("linkat");

	memcpy(&real, &symbol, sizeof(real));
	count_call();
	int result = real(from_fd, from, to_fd, to, flags);
	if (result == 0)
		note_dirty(to_fd);
	return result;
}

int mkdirat(int fd, const char *name, mode_t mode)
{
	int (*real)(int, const char *, mode_t);
	void *symbol = real_of("mkdirat");

	memcpy(&real, &symbol, sizeof(real));
	count_call();
	int result = real(fd, name, mode);
	if (result == 0)
		note_dirty(fd);
	return result;
}

int unlinkat(int fd, const char *name, int flags)
{
	int (*real)(int, const char *, int);
	void *symbol = real_of("unlinkat");
	struct stat st = { 0 };

	memcpy(&real, &symbol, sizeof(real));
	count_call();
	if (before_rmdir_of != NULL && strcmp(name, before_rmdir_of) == 0) {
		before_rmdir_of = NULL;
		before_rmdir(before_rmdir_fixture);
	}
	(void)fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW);
	int result = real(fd, name, flags);
	if (result == 0 && seam != NULL) {
		note_dirty(fd);
		if ((flags & AT_REMOVEDIR) != 0)
			forget_dirty(&st);
	}
	return result;
}

int fsync(int fd)
{
	int (*real)(int);
	void *symbol = real_of("fsync");
	struct stat st;

	memcpy(&real, &symbol, sizeof(real));
	count_call();
	int result = real(fd);
	if (result == 0 && seam != NULL && fstat(fd, &st) == 0)
		forget_dirty(&st);
	return result;
}

/* --- The fixture --------------------------------------------------------------------------- */

static void make_root(struct fixture *f, enum maildir_layout layout)
{
	temp_dir_make(&f->dir);
	temp_mkdir(&f->dir, "root");
	char *path = temp_path(&f->dir, "root");
	maildir_root_init(&f->root, path, layout, "abc123");
	free(path);
	seam->dirty_count = 0;
}

static void drop_root(struct fixture *f)
{
	maildir_root_free(&f->root);
	temp_dir_remove(&f->dir);
}

static int set_up_with(void **state, enum maildir_layout layout)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	seam = mmap(NULL, sizeof(*seam), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(seam != MAP_FAILED);
	make_root(f, layout);
	*state = f;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, MAILDIR_VERBATIM);
}

static int set_up_plusplus(void **state)
{
	return set_up_with(state, MAILDIR_PLUSPLUS);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	before_rmdir_of = NULL;
	must(munmap(seam, sizeof(*seam)) == 0);
	seam = NULL;
	drop_root(f);
	free(f);
	return 0;
}

/* Of something in a mailbox, in the fixture's directory; the caller frees. */
static char *path_in(const struct fixture *f, const char *mailbox, const char *what)
{
	char path[MAILDIR_PATH_MAX + 1];

	must(maildir_path_encode(f->root.layout, mailbox, path, NULL) == 0);
	return xasprintf("root/%s%s%s", path, what[0] != '\0' ? "/" : "", what);
}

static void make(struct fixture *f, const char *mailbox)
{
	must(maildir_create(&f->root, mailbox, &f->err) == 0);
}

static void put(struct fixture *f, const char *mailbox, const char *what, const char *text)
{
	char *path = path_in(f, mailbox, what);

	temp_write_str(&f->dir, path, text);
	free(path);
}

static void make_dir(struct fixture *f, const char *mailbox, const char *what)
{
	char *path = path_in(f, mailbox, what);

	if (!temp_exists(&f->dir, path))
		temp_mkdir(&f->dir, path);
	free(path);
}

static bool has(struct fixture *f, const char *mailbox, const char *what)
{
	char *path = path_in(f, mailbox, what);
	bool is_there = temp_exists(&f->dir, path);

	free(path);
	return is_there;
}

static void move(struct fixture *f, const char *from, const char *to, const char *what)
{
	char *from_path = path_in(f, from, what);
	char *to_path = path_in(f, to, what);

	temp_rename(&f->dir, from_path, to_path);
	free(from_path);
	free(to_path);
}

static void assert_text(struct fixture *f, const char *mailbox, const char *what,
			const char *expected)
{
	char *path = path_in(f, mailbox, what);
	char *text = temp_read(&f->dir, path, NULL);

	assert_string_equal(text, expected);
	free(text);
	free(path);
}

static int rename_box(struct fixture *f, const char *from, const char *to)
{
	return maildir_rename_mailbox(&f->root, from, to, &f->err);
}

static int remove_box(struct fixture *f, const char *name)
{
	return maildir_remove_mailbox(&f->root, name, &f->err);
}

/* --- The listing ----------------------------------------------------------------------------- */

struct listed {
	char *names[NAMES_MAX]; /* "!name" for unusable ones, or their path */
	uint64_t ids[NAMES_MAX];
	size_t count;
};

static void collect(void *context, const char *name, const char *unusable_why, uint64_t lasting_id)
{
	struct listed *listed = context;

	must(listed->count < NAMES_MAX);
	assert_true((lasting_id == 0) == (unusable_why != NULL));
	listed->ids[listed->count] = lasting_id;
	listed->names[listed->count++] = xasprintf("%s%s", unusable_why != NULL ? "!" : "", name);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(struct fixture *f, struct listed *listed)
{
	listed->count = 0;
	assert_int_equal(maildir_list(&f->root, collect, listed, &f->err), 0);
}

static void listed_free(struct listed *listed)
{
	for (size_t i = 0; i < listed->count; i++)
		free(listed->names[i]);
	listed->count = 0;
}

/* Sorted, a blank between. */
static void assert_listed(struct fixture *f, const char *expected)
{
	struct listed listed;
	char all[1024] = "";

	list(f, &listed);
	qsort(listed.names, listed.count, sizeof(listed.names[0]), compare);
	for (size_t i = 0; i < listed.count; i++) {
		strcat(all, i > 0 ? " " : "");
		strcat(all, listed.names[i]);
	}
	listed_free(&listed);
	assert_string_equal(all, expected);
}

static size_t count_listed(struct fixture *f, const char *name)
{
	struct listed listed;
	size_t count = 0;

	list(f, &listed);
	for (size_t i = 0; i < listed.count; i++)
		count += strcmp(listed.names[i], name) == 0;
	listed_free(&listed);
	return count;
}

static uint64_t id_of(struct fixture *f, const char *name)
{
	struct listed listed;
	uint64_t id = 0;

	list(f, &listed);
	for (size_t i = 0; i < listed.count; i++)
		id = strcmp(listed.names[i], name) == 0 ? listed.ids[i] : id;
	listed_free(&listed);
	return id;
}

/* --- Renaming ----------------------------------------------------------------------------------
 */

/* A mailbox with all that one can have. */
static void make_filled(struct fixture *f, const char *name)
{
	make(f, name);
	put(f, name, "cur/1.a:2,Sa", "one");
	put(f, name, "new/2.b", "two");
	put(f, name, "tmp/" OURS, "half");
	put(f, name, "dovecot-keywords", "0 work\n");
	put(f, name, "maildirfolder", "");
}

static void assert_filled(struct fixture *f, const char *name)
{
	assert_text(f, name, "cur/1.a:2,Sa", "one");
	assert_text(f, name, "new/2.b", "two");
	assert_text(f, name, "tmp/" OURS, "half");
	assert_text(f, name, "dovecot-keywords", "0 work\n");
	assert_true(has(f, name, "maildirfolder"));
}

static void a_renamed_mailbox_is_all_under_the_new_name(void **state)
{
	struct fixture *f = *state;

	make_filled(f, "A");
	uint64_t id = id_of(f, "A");
	assert_true(id != 0);
	assert_int_equal(rename_box(f, "A", "X/Y"), 0);
	assert_int_equal(seam->dirty_count, 0);
	assert_listed(f, "X/Y");
	assert_filled(f, "X/Y");
	assert_true(id_of(f, "X/Y") == id);
	assert_false(has(f, "A", ""));
	assert_int_equal(rename_box(f, "A", "X/Y"), SYNCD_ENOTFOUND);
	assert_filled(f, "X/Y");
}

static void lasting_ids_differ_and_outlive_a_rename_by_the_user(void **state)
{
	struct fixture *f = *state;

	make(f, "A");
	make(f, "B");
	uint64_t id = id_of(f, "A");
	assert_true(id != 0 && id_of(f, "B") != 0 && id != id_of(f, "B"));
	put(f, "A", "new/1.a", "");
	move(f, "A", "C", "");
	assert_true(id_of(f, "C") == id);
}

static void mailboxes_below_stay_where_they_are(void **state)
{
	struct fixture *f = *state;

	make_filled(f, "A");
	make_filled(f, "A/B");
	make(f, "A/B/C");
	assert_int_equal(rename_box(f, "A", "X"), 0);
	assert_listed(f, "A/B A/B/C X");
	assert_filled(f, "A/B");
	assert_int_equal(rename_box(f, "A/B", "A"), 0);
	assert_listed(f, "A A/B/C X");
	assert_int_equal(rename_box(f, "A", "A/B/C/D"), 0);
	assert_filled(f, "A/B/C/D");
	assert_listed(f, "A/B/C A/B/C/D X");
}

static void what_is_the_users_stays_in_the_old_directory(void **state)
{
	struct fixture *f = *state;

	make_filled(f, "A");
	put(f, "A", ".notmuch", "mine");
	assert_int_equal(rename_box(f, "A", "X"), 0);
	assert_listed(f, "X");
	assert_filled(f, "X");
	assert_text(f, "A", ".notmuch", "mine");
	assert_int_equal(rename_box(f, "A", "X"), SYNCD_ENOTFOUND);
	/* The other way too: it is no mailbox that would be in the way. */
	assert_int_equal(rename_box(f, "X", "A"), 0);
	assert_filled(f, "A");
	assert_false(has(f, "X", ""));
}

static void a_mailbox_is_not_renamed_over_another(void **state)
{
	struct fixture *f = *state;

	make_filled(f, "A");
	make(f, "X");
	put(f, "X", "dovecot-keywords", "0 home\n");
	assert_int_equal(rename_box(f, "A", "X"), SYNCD_EBUSY);
	assert_int_equal(f->err.code, SYNCD_EBUSY);
	assert_filled(f, "A");
	assert_text(f, "X", "dovecot-keywords", "0 home\n");
	assert_listed(f, "A X");
}

static void what_is_no_mailbox_is_not_found(void **state)
{
	struct fixture *f = *state;

	make(f, "C/D");
	assert_int_equal(rename_box(f, "A", "X"), SYNCD_ENOTFOUND);
	assert_int_equal(rename_box(f, "C", "X"), SYNCD_ENOTFOUND);
	/* Its `cur` is lost: an empty one must not take its place. */
	make_dir(f, "A", "");
	make_dir(f, "A", "new");
	put(f, "A", "new/1.a", "one");
	assert_int_equal(rename_box(f, "A", "X"), SYNCD_ENOTFOUND);
	assert_true(has(f, "A", "new/1.a"));
	assert_false(has(f, "X", ""));
	assert_int_equal(rename_box(f, "C/D", "C/D"), SYNCD_EUSAGE);
	assert_listed(f, "!A C/D");
}

static void a_parent_left_empty_goes_with_the_old_name(void **state)
{
	struct fixture *f = *state;

	make(f, "A/B/C");
	make(f, "A/D");
	assert_int_equal(rename_box(f, "A/B/C", "X"), 0);
	assert_int_equal(seam->dirty_count, 0);
	assert_false(has(f, "A/B", ""));
	assert_int_equal(rename_box(f, "A/D", "Y"), 0);
	assert_false(has(f, "A", ""));
	assert_listed(f, "X Y");
}

static void a_missing_root_is_no_missing_mailbox(void **state)
{
	struct fixture *f = *state;

	make(f, "A");
	temp_rename(&f->dir, "root", "away");
	assert_int_equal(rename_box(f, "A", "X"), SYNCD_EROOT);
	assert_int_equal(remove_box(f, "A"), SYNCD_EROOT);
	assert_int_equal(f->err.code, SYNCD_EROOT);
	temp_rename(&f->dir, "away", "root");
	assert_listed(f, "A");
}

static void the_inbox_of_maildir_plus_plus_stays(void **state)
{
	struct fixture *f = *state;

	make(f, "INBOX");
	make(f, "A");
	assert_int_equal(rename_box(f, "INBOX", "X"), SYNCD_EUSAGE);
	assert_int_equal(rename_box(f, "A", "INBOX"), SYNCD_EUSAGE);
	assert_int_equal(remove_box(f, "INBOX"), SYNCD_EUSAGE);
	assert_listed(f, "A INBOX");
}

/* Half of it is under the new name, and a mail program has made the rest anew. */
static void files_in_both_places_are_moved_and_never_replaced(void **state)
{
	struct fixture *f = *state;

	make_filled(f, "A");
	make_dir(f, "X", "");
	move(f, "A", "X", "tmp");
	move(f, "A", "X", "new");
	make_dir(f, "A", "tmp");
	make_dir(f, "A", "new");
	put(f, "A", "tmp/3.c", "three");
	put(f, "A", "new/4.d:2,", "four");
	put(f, "A", "new/2.b", "another two");
	put(f, "X", "new/2.b,twin=1", "a third two");
	assert_int_equal(rename_box(f, "A", "X"), 0);
	assert_int_equal(seam->dirty_count, 0);
	assert_listed(f, "X");
	assert_filled(f, "X");
	assert_text(f, "X", "tmp/3.c", "three");
	assert_text(f, "X", "new/4.d:2,", "four");
	assert_text(f, "X", "new/2.b,twin=1", "a third two");
	assert_text(f, "X", "new/2.b,twin=2", "another two");
	assert_false(has(f, "A", ""));
}

static void half_a_mailbox_follows_also_to_a_name_made_anew(void **state)
{
	struct fixture *f = *state;

	make_filled(f, "A");
	make_dir(f, "X", "");
	move(f, "A", "X", "tmp");
	move(f, "A", "X", "new");
	make(f, "X"); /* as the server has it already */
	assert_listed(f, "!A X");
	put(f, "X", "cur/9.z:2,", "nine");
	assert_int_equal(rename_box(f, "A", "X"), SYNCD_EBUSY);
	assert_false(has(f, "X", "dovecot-keywords"));
	move(f, "X", "A", "cur/9.z:2,");
	assert_int_equal(rename_box(f, "A", "X"), 0);
	assert_listed(f, "X");
	assert_filled(f, "X");
	assert_text(f, "X", "cur/9.z:2,", "nine");
}

static void symlinks_are_neither_followed_nor_moved(void **state)
{
	struct fixture *f = *state;

	make(f, "A");
	temp_mkdir(&f->dir, "outside");
	temp_symlink(&f->dir, "../outside", "root/link");

	assert_int_not_equal(rename_box(f, "A", "link"), 0);
	assert_int_not_equal(rename_box(f, "A", "link/X"), 0);
	assert_int_not_equal(rename_box(f, "link", "X"), 0);
	assert_int_not_equal(remove_box(f, "link"), 0);
	assert_int_not_equal(remove_box(f, "link/X"), 0);
	assert_int_equal(temp_count(&f->dir, "outside", NULL), 0);
}

static void a_tmp_that_is_a_symlink_stays_the_users(void **state)
{
	struct fixture *f = *state;

	make_filled(f, "A");
	temp_mkdir(&f->dir, "outside");
	char *tmp = path_in(f, "A", "tmp");
	temp_rename(&f->dir, tmp, "outside/tmp");
	temp_symlink(&f->dir, "../../outside/tmp", tmp);
	free(tmp);
	assert_int_equal(rename_box(f, "A", "X"), 0);
	assert_true(has(f, "A", "tmp"));
	assert_int_equal(temp_count(&f->dir, "outside/tmp", NULL), 1);
	assert_listed(f, "X");
}

/* --- Killed while renaming
 * ------------------------------------------------------------------------ */

typedef void (*box_job)(struct fixture *f);

/* Does the job in a process that is killed before its n-th system call of those above. False when
 * it came to its end before. */
static bool run_killed(struct fixture *f, box_job job, int n)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (pid == 0) {
		seam->calls_left = n;
		job(f);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	seam->calls_left = 0;
	must(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED);
	return WEXITSTATUS(status) == KILLED;
}

static void rename_job(struct fixture *f)
{
	must(rename_box(f, "P/A", "Q/X") == 0);
}

static void start_rename(struct fixture *f, enum maildir_layout layout)
{
	drop_root(f);
	make_root(f, layout);
	make_filled(f, "P/A");
	make_filled(f, "P/A/B");
}

static void assert_half_renamed_is_told_once(struct fixture *f)
{
	size_t old = count_listed(f, "P/A");
	size_t new = count_listed(f, "Q/X");

	assert_true(old + new <= 1);
	if (old + new == 0)
		assert_int_equal(count_listed(f, "!P/A"), 1);
}

static void assert_renamed(struct fixture *f)
{
	assert_int_equal(seam->dirty_count, 0);
	assert_listed(f, "P/A/B Q/X");
	assert_filled(f, "Q/X");
	assert_filled(f, "P/A/B");
	assert_false(has(f, "P/A", "dovecot-keywords"));
	assert_false(has(f, "P/A", "maildirfolder"));
}

static void a_rename_killed_anywhere_is_completed_by_another(void **state)
{
	struct fixture *f = *state;
	enum maildir_layout layout = f->root.layout;
	int n = 1;

	for (;; n++) {
		start_rename(f, layout);
		if (!run_killed(f, rename_job, n))
			break;
		assert_half_renamed_is_told_once(f);
		int code = rename_box(f, "P/A", "Q/X");
		assert_true(code == 0 || code == SYNCD_ENOTFOUND);
		assert_renamed(f);
	}
	assert_renamed(f);
	assert_true(n > 12);
}

/* As a delivery agent does that finds no directory to deliver to. */
static void deliver_to_old_name(struct fixture *f)
{
	make_dir(f, "P", "");
	make_dir(f, "P/A", "");
	make_dir(f, "P/A", "tmp");
	make_dir(f, "P/A", "new");
	put(f, "P/A", "new/5.e", "five");
}

static void mail_that_comes_between_is_not_lost(void **state)
{
	struct fixture *f = *state;
	enum maildir_layout layout = f->root.layout;

	for (int n = 1;; n++) {
		start_rename(f, layout);
		if (!run_killed(f, rename_job, n))
			break;
		deliver_to_old_name(f);
		assert_true(count_listed(f, "P/A") + count_listed(f, "Q/X") <= 1);
		assert_int_equal(rename_box(f, "P/A", "Q/X"), 0);
		assert_renamed(f);
		assert_text(f, "Q/X", "new/5.e", "five");
	}
}

/* --- Removing
 * ------------------------------------------------------------------------------------- */

static void make_emptied(struct fixture *f, const char *name)
{
	make(f, name);
	put(f, name, "tmp/" OURS, "half");
	put(f, name, "dovecot-keywords", "0 work\n");
	put(f, name, "maildirfolder", "");
}

static void an_empty_mailbox_goes_with_all_that_is_ours(void **state)
{
	struct fixture *f = *state;

	make_emptied(f, "P/Q/A");
	put(f, "P/Q/A", "dovecot-keywords.syncd", "");
	make(f, "B");
	assert_int_equal(remove_box(f, "P/Q/A"), 0);
	assert_int_equal(seam->dirty_count, 0);
	assert_listed(f, "B");
	assert_int_equal(temp_count(&f->dir, "root", NULL), 1);
	assert_int_equal(remove_box(f, "P/Q/A"), 0);
	assert_int_equal(remove_box(f, "never"), 0);
	assert_int_equal(remove_box(f, "B"), 0);
	assert_int_equal(temp_count(&f->dir, "root", NULL), 0);
}

static void mailboxes_above_and_below_stay(void **state)
{
	struct fixture *f = *state;

	make(f, "A");
	make_emptied(f, "A/B");
	make(f, "A/B/C");
	assert_int_equal(remove_box(f, "A/B"), 0);
	assert_listed(f, "A A/B/C");
	assert_int_equal(remove_box(f, "A/B/C"), 0);
	assert_listed(f, "A");
	assert_false(has(f, "A/B", ""));
}

static void a_mailbox_with_anything_in_cur_or_new_stays(void **state)
{
	static const char *const files[] = { "cur/1.a:2,S", "new/1.a", "cur/.hidden", "new/.x" };
	struct fixture *f = *state;

	make_emptied(f, "A");
	uint64_t id = id_of(f, "A");
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		put(f, "A", files[i], "one");
		assert_int_equal(remove_box(f, "A"), SYNCD_EBUSY);
		assert_non_null(strstr(f->err.text, files[i]));
		assert_text(f, "A", files[i], "one");
		assert_text(f, "A", "dovecot-keywords", "0 work\n");
		assert_true(has(f, "A", "tmp/" OURS));
		char *path = path_in(f, "A", files[i]);
		temp_unlink(&f->dir, path);
		free(path);
	}
	assert_true(id_of(f, "A") == id);
	assert_int_equal(remove_box(f, "A"), 0);
	assert_false(has(f, "A", ""));
}

static void what_else_is_in_its_directory_stays_and_is_no_mailbox(void **state)
{
	struct fixture *f = *state;

	make_emptied(f, "A");
	put(f, "A", ".notmuch", "mine");
	put(f, "A", "tmp/1.foreign", "half");
	assert_int_equal(remove_box(f, "A"), 0);
	assert_int_equal(seam->dirty_count, 0);
	assert_text(f, "A", ".notmuch", "mine");
	assert_text(f, "A", "tmp/1.foreign", "half");
	assert_false(has(f, "A", "tmp/" OURS));
	assert_false(has(f, "A", "dovecot-keywords"));
	assert_listed(f, "");
	assert_int_equal(remove_box(f, "A"), 0);
}

static void deliver_to_new(struct fixture *f)
{
	put(f, "A", "new/1.a", "one");
}

static void save_to_cur(struct fixture *f)
{
	put(f, "A", "cur/1.a:2,S", "one");
}

static void a_message_that_comes_meanwhile_makes_it_a_mailbox_again(void **state)
{
	static const struct {
		const char *part;
		const char *file;
		void (*deliver)(struct fixture *f);
	} cases[] = { { "new", "new/1.a", deliver_to_new }, { "cur", "cur/1.a:2,S", save_to_cur } };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		make_emptied(f, "A");
		before_rmdir_of = cases[i].part;
		before_rmdir = cases[i].deliver;
		before_rmdir_fixture = f;
		assert_int_equal(remove_box(f, "A"), SYNCD_EBUSY);
		assert_null(before_rmdir_of);
		assert_int_equal(seam->dirty_count, 0);
		assert_listed(f, "A");
		assert_text(f, "A", cases[i].file, "one");
		assert_text(f, "A", "dovecot-keywords", "0 work\n");
		char *path = path_in(f, "A", cases[i].file);
		temp_unlink(&f->dir, path);
		free(path);
		assert_int_equal(remove_box(f, "A"), 0);
	}
}

static void remove_job(struct fixture *f)
{
	must(remove_box(f, "P/A") == 0);
}

static void start_remove(struct fixture *f, enum maildir_layout layout)
{
	drop_root(f);
	make_root(f, layout);
	make_emptied(f, "P/A");
}

static void a_removal_killed_anywhere_leaves_a_mailbox_or_nothing(void **state)
{
	struct fixture *f = *state;
	enum maildir_layout layout = f->root.layout;
	int n = 1;

	for (;; n++) {
		start_remove(f, layout);
		if (!run_killed(f, remove_job, n))
			break;
		if (has(f, "P/A", "cur"))
			assert_listed(f, "P/A");
		else
			assert_listed(f, "");
		assert_int_equal(remove_box(f, "P/A"), 0);
		assert_int_equal(seam->dirty_count, 0);
		assert_int_equal(temp_count(&f->dir, "root", NULL), 0);
	}
	assert_true(n > 7);
}

static void mail_that_comes_into_half_a_removed_mailbox_is_kept(void **state)
{
	struct fixture *f = *state;
	enum maildir_layout layout = f->root.layout;

	for (int n = 1;; n++) {
		start_remove(f, layout);
		if (!run_killed(f, remove_job, n))
			break;
		deliver_to_old_name(f);
		assert_int_equal(remove_box(f, "P/A"), SYNCD_EBUSY);
		assert_listed(f, "P/A");
		assert_text(f, "P/A", "new/5.e", "five");
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define TEST_PLUSPLUS(test) cmocka_unit_test_setup_teardown(test, set_up_plusplus, tear_down)
#define TEST_BOTH(test) TEST(test), TEST_PLUSPLUS(test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_BOTH(a_renamed_mailbox_is_all_under_the_new_name),
		TEST_BOTH(lasting_ids_differ_and_outlive_a_rename_by_the_user),
		TEST_BOTH(mailboxes_below_stay_where_they_are),
		TEST_BOTH(what_is_the_users_stays_in_the_old_directory),
		TEST_BOTH(a_mailbox_is_not_renamed_over_another),
		TEST_BOTH(what_is_no_mailbox_is_not_found),
		TEST(a_parent_left_empty_goes_with_the_old_name),
		TEST_BOTH(a_missing_root_is_no_missing_mailbox),
		TEST_PLUSPLUS(the_inbox_of_maildir_plus_plus_stays),
		TEST_BOTH(files_in_both_places_are_moved_and_never_replaced),
		TEST_BOTH(half_a_mailbox_follows_also_to_a_name_made_anew),
		TEST(symlinks_are_neither_followed_nor_moved),
		TEST_BOTH(a_tmp_that_is_a_symlink_stays_the_users),
		TEST_BOTH(a_rename_killed_anywhere_is_completed_by_another),
		TEST_BOTH(mail_that_comes_between_is_not_lost),
		TEST_BOTH(an_empty_mailbox_goes_with_all_that_is_ours),
		TEST_BOTH(mailboxes_above_and_below_stay),
		TEST_BOTH(a_mailbox_with_anything_in_cur_or_new_stays),
		TEST_BOTH(what_else_is_in_its_directory_stays_and_is_no_mailbox),
		TEST_BOTH(a_message_that_comes_meanwhile_makes_it_a_mailbox_again),
		TEST_BOTH(a_removal_killed_anywhere_leaves_a_mailbox_or_nothing),
		TEST_BOTH(mail_that_comes_into_half_a_removed_mailbox_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
