/* Deliveries, small ones held in memory until the flush and large ones in their files.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "support/maildir_fixture.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define NOT_DONE 1
#define SMALL 100
#define LARGE (300u * 1024) /* more than is held in memory */
#define DATE_S 1234567890

static void op_done(struct port_op *op, int code)
{
	*(int *)op->impl = code;
}

static int flush(struct maildir_fixture *f, bool is_cancelled)
{
	int code = NOT_DONE;
	struct local_flush_req req = { .op = { .done = op_done, .impl = &code } };

	f->mailbox->ops->flush(f->mailbox, &req);
	if (is_cancelled)
		f->mailbox->ops->cancel(f->mailbox);
	loop_fake_advance(f->loop, 0);
	must(code != NOT_DONE);
	return code;
}

static struct local_delivery *begin(struct maildir_fixture *f, size_t size)
{
	struct local_delivery *delivery;
	char *bytes = xmalloc(size);

	memset(bytes, 'x', size);
	assert_int_equal(f->mailbox->ops->deliver_begin(f->mailbox, &delivery, &f->err), 0);
	assert_int_equal(
		f->mailbox->ops->deliver_write(delivery, (struct slice){ bytes, size }, &f->err),
		0);
	free(bytes);
	return delivery;
}

/* Returns its path in A/tmp, to be freed. */
static char *deliver(struct maildir_fixture *f, size_t size, char *name)
{
	struct local_delivery *delivery = begin(f, size);
	uint64_t size_bytes;
	struct digest identity;

	assert_int_equal(f->mailbox->ops->deliver_end(delivery, DATE_S, name, &size_bytes,
						      &identity, &f->err),
			 0);
	assert_int_equal(size_bytes, size);
	return xasprintf("A/tmp/%s", name);
}

static void assert_file(struct maildir_fixture *f, const char *path, size_t size)
{
	size_t len = 0;
	char *text = temp_read(&f->dir, path, &len);

	assert_int_equal(len, size);
	free(text);
}

static void small_and_large_ones_are_files_once_flushed(void **state)
{
	struct maildir_fixture *f = *state;
	const size_t sizes[] = { 0, 1, SMALL, 256 * 1024, 256 * 1024 + 1, LARGE, 3 * LARGE };
	char name[MAIL_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *path = deliver(f, sizes[i], name);
		assert_int_equal(flush(f, false), 0);
		assert_file(f, path, sizes[i]);
		char *part = xasprintf(",S=%zu", sizes[i]);
		assert_non_null(strstr(name, part));
		free(part);
		free(path);
	}
	assert_int_equal(temp_count(&f->dir, "A/tmp", NULL), ARRAY_LEN(sizes));
}

static void an_aborted_one_leaves_nothing(void **state)
{
	struct maildir_fixture *f = *state;

	f->mailbox->ops->deliver_abort(begin(f, SMALL));
	f->mailbox->ops->deliver_abort(begin(f, LARGE));
	assert_int_equal(flush(f, false), 0);
	assert_int_equal(temp_count(&f->dir, "A/tmp", NULL), 0);
}

static void one_published_before_the_flush_is_written_first(void **state)
{
	struct maildir_fixture *f = *state;
	char name[MAIL_NAME_MAX + 1];

	free(deliver(f, SMALL, name));
	assert_int_equal(f->mailbox->ops->publish(f->mailbox, name, 0, &f->err), 0);
	char *path = xasprintf("A/new/%s", name);
	assert_file(f, path, SMALL);
	free(path);
	assert_int_equal(flush(f, false), 0);
	assert_int_equal(temp_count(&f->dir, "A/tmp", NULL), 0);
}

static void one_that_vanished_fails_the_flush_and_all_after_it(void **state)
{
	struct maildir_fixture *f = *state;
	char name[MAIL_NAME_MAX + 1];
	char *path = deliver(f, LARGE, name);

	temp_unlink(&f->dir, path);
	free(path);
	assert_int_not_equal(flush(f, false), 0);
	assert_int_equal(flush(f, false), SYNCD_EIO);
}

static void what_cannot_be_written_fails_its_flush_only(void **state)
{
	struct maildir_fixture *f = *state;
	struct rlimit before;
	char name[MAIL_NAME_MAX + 1];

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	struct rlimit tight = { .rlim_cur = SMALL - 1, .rlim_max = before.rlim_max };
	free(deliver(f, SMALL, name));
	must(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	int code = flush(f, false);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(code < 0);
	assert_int_equal(temp_count(&f->dir, "A/tmp", NULL), 0); /* not half of it either */
	char *path = deliver(f, SMALL, name);
	assert_int_equal(flush(f, false), 0);
	assert_file(f, path, SMALL);
	free(path);
}

static void a_cancelled_flush_is_due_again(void **state)
{
	struct maildir_fixture *f = *state;
	char name[MAIL_NAME_MAX + 1];
	char *path = deliver(f, SMALL, name);

	assert_int_equal(flush(f, true), SYNCD_ECANCELLED);
	assert_int_equal(flush(f, false), 0);
	assert_file(f, path, SMALL);
	free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(small_and_large_ones_are_files_once_flushed),
		TEST(an_aborted_one_leaves_nothing),
		TEST(one_published_before_the_flush_is_written_first),
		TEST(one_that_vanished_fails_the_flush_and_all_after_it),
		TEST(what_cannot_be_written_fails_its_flush_only),
		TEST(a_cancelled_flush_is_due_again),
	};

	return cmocka_run_group_tests_name("maildir deliver", tests, NULL, NULL);
}
