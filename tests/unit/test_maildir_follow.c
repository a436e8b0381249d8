/* inotify's names, looked at one by one, tell the same as a listing: while another thread renames,
 * links, delivers and deletes, no message counts as gone that is there, and in the end all is
 * known. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/temp_dir.h"
#include "syncd/adapter_local.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/watch.h"

#define MESSAGES 60
#define BURSTS 60
#define LOOK_EVERY_MS 7
#define PATH_LEN 256

/* --- The other program ----------------------------------------------------------- */

enum step { STEP_RENAME, STEP_LINK, STEP_DELIVER, STEP_DELETE };

struct other {
	const char *root;
	unsigned seed;
	atomic_bool is_over;
	/* Of its thread. */
	char paths[MESSAGES][PATH_LEN]; /* "": not there */
	/* Set before the file goes, for ever. */
	atomic_bool is_deleted[MESSAGES];
};

static unsigned draw(struct other *other, unsigned below)
{
	other->seed = other->seed * 1103515245u + 12345u;
	return (other->seed >> 16) % below;
}

static void path_in_cur(struct other *other, size_t i, char *out)
{
	static const char letters[] = "FPRSTac";
	char info[sizeof(letters)];
	size_t len = 0;

	for (size_t k = 0; letters[k] != '\0'; k++) {
		if (draw(other, 3) == 0)
			info[len++] = letters[k];
	}
	info[len] = '\0';
	must(snprintf(out, PATH_LEN, "%s/A/cur/%zu.m.h:2,%s", other->root, i, info) < PATH_LEN);
}

static void deliver(struct other *other, size_t i)
{
	char tmp[PATH_LEN];

	must(snprintf(tmp, sizeof(tmp), "%s/A/tmp/%zu.m.h", other->root, i) < PATH_LEN);
	must(snprintf(other->paths[i], PATH_LEN, "%s/A/new/%zu.m.h", other->root, i) < PATH_LEN);
	FILE *file = fopen(tmp, "w");
	must(file != NULL && fclose(file) == 0);
	must(rename(tmp, other->paths[i]) == 0);
}

static enum step next_step(struct other *other, size_t i)
{
	if (other->paths[i][0] == '\0')
		return STEP_DELIVER;
	switch (draw(other, 40)) {
	case 0:
		return STEP_DELETE;
	case 1:
	case 2:
	case 3:
		return STEP_LINK;
	default:
		return STEP_RENAME;
	}
}

static void step(struct other *other, size_t i)
{
	char to[PATH_LEN];

	path_in_cur(other, i, to);
	bool is_same = strcmp(other->paths[i], to) == 0;
	switch (next_step(other, i)) {
	case STEP_DELIVER:
		deliver(other, i);
		return;
	case STEP_DELETE:
		atomic_store(&other->is_deleted[i], true);
		must(unlink(other->paths[i]) == 0);
		return;
	case STEP_LINK:
		must(is_same || (link(other->paths[i], to) == 0 && unlink(other->paths[i]) == 0));
		break;
	case STEP_RENAME:
		must(rename(other->paths[i], to) == 0);
		break;
	}
	memcpy(other->paths[i], to, sizeof(to));
}

static void *other_run(void *context)
{
	struct other *other = context;

	for (int burst = 0; burst < BURSTS; burst++) {
		unsigned count = draw(other, 40);
		for (unsigned n = 0; n < count; n++) {
			size_t i = draw(other, MESSAGES);
			if (!atomic_load(&other->is_deleted[i]))
				step(other, i);
		}
		struct timespec pause = { .tv_nsec = (long)draw(other, 50) * 1000000 };
		(void)nanosleep(&pause, NULL);
	}
	atomic_store(&other->is_over, true);
	return NULL;
}

/* --- We ------------------------------------------------------------------------------ */

struct hints {
	struct local_hint *items;
	size_t count;
	size_t cap;
};

struct fixture {
	struct temp_dir dir;
	struct loop *loop;
	struct watch *watch;
	struct watch_user user;
	struct loop_timer timer;
	struct local_account *account;
	struct local_mailbox *mailbox;
	struct keyword_table keywords;
	struct error err;
	struct other other;
	struct hints told; /* strings are ours */
	size_t asked;      /* of these, by the look under way */
	size_t looks;
	bool is_known[MESSAGES]; /* what the looks said */
	uint64_t flags[MESSAGES];
	struct local_listing listing;
	struct local_scan_req req;
};

static void note_file(struct watch_user *user, const char *mailbox, const struct local_hint *hint)
{
	struct fixture *f = container_of(user, struct fixture, user);
	struct hints *told = &f->told;

	(void)mailbox;
	told->items = xgrow(told->items, told->count, &told->cap, sizeof(*told->items));
	told->items[told->count] = *hint;
	told->items[told->count++].file = xstrdup(hint->file);
}

static void note_other(struct watch_user *user, const char *mailbox)
{
	(void)user;
	(void)mailbox;
	must_fail("only files change", __FILE__, __LINE__);
}

static void note_tree(struct watch_user *user)
{
	note_other(user, "");
}

static const struct watch_ops ops = {
	.file_changed = note_file,
	.mailbox_changed = note_other,
	.tree_changed = note_tree,
	.everything_changed = note_tree,
	.root_gone = note_tree,
};

static size_t message_of(const char *name)
{
	char *end;
	unsigned long i = strtoul(name, &end, 10);

	must(strcmp(end, ".m.h") == 0 && i < MESSAGES);
	return i;
}

static void apply_listing(struct fixture *f)
{
	for (size_t i = 0; i < f->listing.count; i++) {
		const struct local_item *item = &f->listing.items[i];
		size_t message = message_of(item->name);
		if (item->is_gone)
			assert_true(atomic_load(&f->other.is_deleted[message]));
		f->is_known[message] = !item->is_gone;
		f->flags[message] = item->flags;
	}
}

static void forget_asked(struct fixture *f)
{
	for (size_t i = 0; i < f->asked; i++)
		free((char *)(uintptr_t)f->told.items[i].file);
	f->told.count -= f->asked;
	if (f->told.count > 0)
		memmove(f->told.items, f->told.items + f->asked,
			f->told.count * sizeof(f->told.items[0]));
	f->asked = 0;
}

static void looked(struct port_op *op, int code)
{
	struct fixture *f = container_of(op, struct fixture, req.op);

	assert_int_equal(code, 0);
	assert_true(f->listing.is_delta);
	apply_listing(f);
	if (f->listing.is_stable)
		forget_asked(f);
	f->asked = 0;
	f->looks++;
	free((void *)(uintptr_t)f->req.hints);
	local_listing_free(&f->listing);
	loop_timer_start(&f->timer, LOOK_EVERY_MS);
}

static void look(struct fixture *f)
{
	struct local_hint *hints = xreallocarray(NULL, f->told.count, sizeof(f->told.items[0]));

	/* More may be told while the look is under way. */
	memcpy(hints, f->told.items, f->told.count * sizeof(hints[0]));
	f->asked = f->told.count;
	f->req = (struct local_scan_req){
		.op.done = looked,
		.hints = hints,
		.hint_count = f->asked,
		.result = &f->listing,
	};
	f->mailbox->ops->scan(f->mailbox, &f->req);
}

static void tick(struct loop_timer *timer)
{
	struct fixture *f = container_of(timer, struct fixture, timer);

	if (f->told.count > 0)
		look(f);
	else if (atomic_load(&f->other.is_over))
		loop_stop(f->loop);
	else
		loop_timer_start(&f->timer, LOOK_EVERY_MS);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	temp_dir_make(&f->dir);
	f->loop = loop_new();
	loop_timer_init(f->loop, &f->timer, tick);
	local_listing_init(&f->listing);
	struct adapter_local_options options = {
		.root = f->dir.path, .identity = "0123", .host = "host", .line_endings = MAILDIR_LF
	};
	f->account = adapter_local_new(f->loop, &options);
	assert_int_equal(f->account->ops->check(f->account, true, &f->err), 0);
	assert_int_equal(f->account->ops->create(f->account, "A", &f->err), 0);
	temp_write_str(&f->dir, "A/dovecot-keywords", "0 work\n2 home\n");
	assert_int_equal(f->account->ops->open(f->account, "A", &f->keywords, &f->mailbox, &f->err),
			 0);
	f->user.ops = &ops;
	assert_int_equal(watch_new(f->loop, f->dir.path, &f->user, &f->watch, &f->err), 0);
	assert_int_equal(watch_add_mailbox(f->watch, "A", "A", &f->err), 0);
	f->other = (struct other){ .root = f->dir.path, .seed = 4711 };
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	watch_free(&f->watch);
	f->mailbox->ops->close(f->mailbox);
	adapter_local_free(&f->account);
	loop_run(f->loop);
	loop_free(&f->loop);
	keyword_table_free(&f->keywords);
	free(f->told.items);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

static void scan_done(struct port_op *op, int code)
{
	struct fixture *f = container_of(op, struct fixture, req.op);

	assert_int_equal(code, 0);
	loop_stop(f->loop);
}

static void assert_listed_as_known(struct fixture *f)
{
	size_t known = 0;

	f->req = (struct local_scan_req){ .op.done = scan_done, .result = &f->listing };
	f->mailbox->ops->scan(f->mailbox, &f->req);
	loop_run(f->loop);
	assert_true(f->listing.is_stable);
	for (size_t i = 0; i < f->listing.count; i++) {
		size_t message = message_of(f->listing.items[i].name);
		assert_true(f->is_known[message]);
		assert_int_equal(f->flags[message], f->listing.items[i].flags);
	}
	for (size_t i = 0; i < MESSAGES; i++)
		known += f->is_known[i];
	assert_int_equal(known, f->listing.count);
	assert_in_range(known, 1, MESSAGES - 1); /* some were deleted, and not all */
	local_listing_free(&f->listing);
}

static void what_the_looks_told_is_in_the_end_what_a_listing_tells(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, other_run, &f->other), 0);
	loop_timer_start(&f->timer, LOOK_EVERY_MS);
	loop_run(f->loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(f->looks > 10);
	/* What came while the last look was under way. */
	loop_timer_start(&f->timer, 10 * LOOK_EVERY_MS);
	loop_run(f->loop);
	assert_listed_as_known(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_the_looks_told_is_in_the_end_what_a_listing_tells, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
