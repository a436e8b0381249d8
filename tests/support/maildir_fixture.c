/* One mailbox of a real maildir behind the local port.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* RTLD_NEXT */

#include "support/maildir_fixture.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define NOT_DONE 1
#define SETTLE_NS 40000000 /* above the maildir's own 20 ms */

size_t fixture_directories_read;

/* The seam is the C library's own function. */
DIR *fdopendir(int fd)
{
	DIR *(*real)(int fd);
	void *symbol = dlsym(RTLD_NEXT, "fdopendir");

	must(symbol != NULL);
	memcpy(&real, &symbol, sizeof(real));
	fixture_directories_read++;
	return real(fd);
}

static void note_log(enum log_level level, const char *line, void *context)
{
	struct maildir_fixture *f = context;
	size_t len = strlen(f->logged);

	if (level != LOG_LEVEL_WARN)
		return;
	f->warnings++;
	(void)snprintf(f->logged + len, sizeof(f->logged) - len, "%s\n", line);
}

int fixture_set_up(void **state)
{
	struct maildir_fixture *f = xcalloc(1, sizeof(*f));

	temp_dir_make(&f->dir);
	f->loop = loop_new_fake();
	keyword_table_init(&f->keywords);
	local_listing_init(&f->listing);
	struct adapter_local_options options = {
		.root = f->dir.path, .identity = "0123", .host = "host", .line_endings = MAILDIR_LF
	};
	f->account = adapter_local_new(f->loop, &options);
	must(f->account->ops->check(f->account, true, &f->err) == 0);
	must(f->account->ops->create(f->account, "A", &f->err) == 0);
	temp_write_str(&f->dir, "A/dovecot-keywords", "0 work\n1 home\n");
	must(f->account->ops->open(f->account, "A", &f->keywords, &f->mailbox, &f->err) == 0);
	log_set_sink(note_log, f);
	fixture_directories_read = 0;
	*state = f;
	return 0;
}

int fixture_tear_down(void **state)
{
	struct maildir_fixture *f = *state;

	log_set_sink(NULL, NULL);
	f->mailbox->ops->close(f->mailbox);
	adapter_local_free(&f->account);
	local_listing_free(&f->listing);
	keyword_table_free(&f->keywords);
	loop_free(&f->loop);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

void fixture_put(struct maildir_fixture *f, const char *path)
{
	char *full = xasprintf("A/%s", path);

	temp_write_str(&f->dir, full, "x");
	free(full);
}

void fixture_move(struct maildir_fixture *f, const char *from, const char *to)
{
	char *full_from = xasprintf("A/%s", from);
	char *full_to = xasprintf("A/%s", to);

	temp_rename(&f->dir, full_from, full_to);
	free(full_from);
	free(full_to);
}

void fixture_take(struct maildir_fixture *f, const char *path)
{
	char *full = xasprintf("A/%s", path);

	temp_unlink(&f->dir, full);
	free(full);
}

bool fixture_has(struct maildir_fixture *f, const char *path)
{
	char *full = xasprintf("A/%s", path);
	bool is_there = temp_exists(&f->dir, full);

	free(full);
	return is_there;
}

static void add_hint(struct maildir_fixture *f, const char *path, bool is_gone)
{
	must(f->hint_count < FIXTURE_HINTS_MAX);
	f->hints[f->hint_count++] = (struct local_hint){
		.file = path + 4, /* behind "cur/" or "new/" */
		.is_new = path[0] == 'n',
		.is_gone = is_gone,
	};
}

void fixture_appeared(struct maildir_fixture *f, const char *path)
{
	add_hint(f, path, false);
}

void fixture_vanished(struct maildir_fixture *f, const char *path)
{
	add_hint(f, path, true);
}

void fixture_settle(void)
{
	struct timespec pause = { .tv_nsec = SETTLE_NS };

	must(nanosleep(&pause, NULL) == 0);
}

static void op_done(struct port_op *op, int code)
{
	*(int *)op->impl = code;
}

int fixture_scan(struct maildir_fixture *f)
{
	int code = NOT_DONE;
	struct local_scan_req req = {
		.op = { .done = op_done, .impl = &code },
		.hints = f->hint_count > 0 ? f->hints : NULL,
		.hint_count = f->hint_count,
		.result = &f->listing,
	};

	local_listing_free(&f->listing);
	f->mailbox->ops->scan(f->mailbox, &req);
	loop_fake_advance(f->loop, 0);
	must(code != NOT_DONE);
	f->err = req.op.err;
	return code;
}

uint64_t fixture_keyword(struct maildir_fixture *f, const char *name)
{
	return keyword_table_intern(&f->keywords, slice_of(name));
}
