/* What the local port's suite runs on: the simulator's disk or a real maildir.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_PORT_LOCAL_BENCH_H
#define TESTS_PORT_LOCAL_BENCH_H

#include "port/port.h"
#include "support/temp_dir.h"
#include "syncd/maildir.h"

struct local_kind;

struct local_bench {
	const struct local_kind *kind;
	struct turner turner;
	struct local_account *account;
	struct local_mailbox *mailbox;
	struct keyword_table keywords;
	struct temp_dir dir; /* of the real one */
	unsigned files_made;
	struct error err;
};

struct local_kind {
	const char *name;
	void (*make)(struct local_bench *bench);
	void (*destroy)(struct local_bench *bench);
	/* What a user does: puts model_body(content) into new/ (no flags; is_new) or cur/, and
	 * fills `name` (MAIL_NAME_MAX + 1 bytes); takes it away. */
	void (*put)(struct local_bench *bench, uint32_t content, uint64_t flags, bool is_new,
		    char *name);
	void (*take)(struct local_bench *bench, const char *name);
	size_t (*tmp_count)(struct local_bench *bench);
	/* Lets that much time pass, for directories that are trusted only later. */
	void (*age)(struct local_bench *bench, int64_t ms);
	/* Where a message is now. */
	enum model_place (*place)(struct local_bench *bench, const char *name);
	enum maildir_layout layout;
	enum maildir_line_endings line_endings;
	const char *inbox; /* in the bench's directory */
};

#define LOCAL_KIND_COUNT 3
extern struct local_kind local_kinds[LOCAL_KIND_COUNT];

/* Put a bench with the mailbox INBOX open in place of the kind in *state / end it. */
int local_bench_setup(void **state);
int local_bench_teardown(void **state);

#endif
