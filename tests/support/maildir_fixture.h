/* One mailbox "A" of a real maildir behind the local port, what other programs do in it, and what
 * inotify would tell of that. Pool jobs run inline by the fake loop.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_TESTS_MAILDIR_FIXTURE_H
#define SYNCD_TESTS_MAILDIR_FIXTURE_H

#include "support/temp_dir.h"
#include "syncd/adapter_local.h"

#define FIXTURE_HINTS_MAX 256
#define FIXTURE_LOGGED_MAX 4096

struct maildir_fixture {
	struct temp_dir dir;
	struct loop *loop;
	struct local_account *account;
	struct local_mailbox *mailbox;
	struct keyword_table keywords;
	struct local_hint hints[FIXTURE_HINTS_MAX];
	size_t hint_count;
	struct local_listing listing;
	struct error err;
	char logged[FIXTURE_LOGGED_MAX]; /* warnings, a line each */
	size_t warnings;
};

/* Directories that were read since the last fixture was made. */
extern size_t fixture_directories_read;

/* For cmocka: make it with keywords "work" and "home" as letters a and b / end it. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* What others do; paths are "cur/FILE" and "new/FILE". */
void fixture_put(struct maildir_fixture *f, const char *path);
void fixture_move(struct maildir_fixture *f, const char *from, const char *to);
void fixture_take(struct maildir_fixture *f, const char *path);
bool fixture_has(struct maildir_fixture *f, const char *path);

/* An event, added to the hints; the path is borrowed. */
void fixture_appeared(struct maildir_fixture *f, const char *path);
void fixture_vanished(struct maildir_fixture *f, const char *path);

/* Waits until no event can be on its way any more. */
void fixture_settle(void);

/* Scans into f->listing with the hints there are. */
int fixture_scan(struct maildir_fixture *f);

uint64_t fixture_keyword(struct maildir_fixture *f, const char *name);

#endif
