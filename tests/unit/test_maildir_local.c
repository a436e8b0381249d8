/* The local port over real directories; most pool jobs run inline by the fake loop.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/temp_dir.h"
#include "syncd/adapter_local.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define MESSAGE_CRLF "Message-ID: <1@x>\r\nSubject: hello\r\n world\r\n\r\nbody\r\n"
#define MESSAGE_LF "Message-ID: <1@x>\nSubject: hello\n world\n\nbody\n"

struct fixture {
	struct temp_dir dir;
	struct loop *loop;
	bool is_real; /* the loop, with its pool */
	struct local_account *account;
	struct local_mailbox *mailbox;
	struct keyword_table keywords;
	struct error err;
};

static void fixture_open(struct fixture *f, enum maildir_line_endings line_endings)
{
	struct adapter_local_options options = { .root = f->dir.path,
						 .identity = "0123",
						 .host = "host",
						 .line_endings = line_endings };

	f->account = adapter_local_new(f->loop, &options);
	assert_int_equal(f->account->ops->check(f->account, true, &f->err), 0);
	assert_int_equal(f->account->ops->create(f->account, "A", &f->err), 0);
	assert_int_equal(f->account->ops->open(f->account, "A", &f->keywords, &f->mailbox, &f->err),
			 0);
}

static void fixture_close(struct fixture *f)
{
	f->mailbox->ops->close(f->mailbox);
	adapter_local_free(&f->account);
}

static int set_up_with(void **state, struct loop *loop, bool is_real)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	temp_dir_make(&f->dir);
	f->loop = loop;
	f->is_real = is_real;
	keyword_table_init(&f->keywords);
	fixture_open(f, MAILDIR_LF);
	*state = f;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, loop_new_fake(), false);
}

static int set_up_real(void **state)
{
	return set_up_with(state, loop_new(), true);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	fixture_close(f);
	keyword_table_free(&f->keywords);
	loop_free(&f->loop);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

/* --- Requests that wait ------------------------------------------------------- */

#define NOT_DONE 1

static void op_done(struct port_op *op, int code)
{
	*(int *)op->impl = code;
}

static void turn(struct fixture *f)
{
	if (f->is_real)
		loop_run(f->loop); /* until nothing is left to wait for */
	else
		loop_fake_advance(f->loop, 0);
}

static int op_wait(struct fixture *f, struct port_op *op, const int *code)
{
	assert_int_equal(*code, NOT_DONE); /* never inside the call that started it */
	turn(f);
	assert_int_not_equal(*code, NOT_DONE);
	f->err = op->err;
	return *code;
}

static int scan(struct fixture *f, struct local_listing *listing)
{
	int code = NOT_DONE;
	struct local_scan_req req = { .op = { .done = op_done, .impl = &code }, .result = listing };

	f->mailbox->ops->scan(f->mailbox, &req);
	return op_wait(f, &req.op, &code);
}

static int flush(struct fixture *f)
{
	int code = NOT_DONE;
	struct local_flush_req req = { .op = { .done = op_done, .impl = &code } };

	f->mailbox->ops->flush(f->mailbox, &req);
	return op_wait(f, &req.op, &code);
}

static int examine(struct fixture *f, const char *name, struct local_examine_req *req)
{
	int code = NOT_DONE;

	*req = (struct local_examine_req){ .op = { .done = op_done, .impl = &code }, .name = name };
	f->mailbox->ops->examine(f->mailbox, req);
	return op_wait(f, &req->op, &code);
}

static int set_flags(struct fixture *f, const char *name, uint64_t add, uint64_t remove)
{
	return f->mailbox->ops->set_flags(f->mailbox, name, 0, add, remove, &f->err);
}

/* Delivers in pieces of `step` bytes. */
static void deliver(struct fixture *f, const char *text, size_t step, char *name, uint64_t *size,
		    struct digest *identity)
{
	struct local_delivery *delivery;
	size_t len = strlen(text);

	assert_int_equal(f->mailbox->ops->deliver_begin(f->mailbox, &delivery, &f->err), 0);
	for (size_t at = 0; at < len; at += step) {
		struct slice piece = { text + at, len - at < step ? len - at : step };
		assert_int_equal(f->mailbox->ops->deliver_write(delivery, piece, &f->err), 0);
	}
	assert_int_equal(
		f->mailbox->ops->deliver_end(delivery, 1234567890, name, size, identity, &f->err),
		0);
}

static void assert_listed(struct fixture *f, const char *name, uint64_t flags)
{
	struct local_listing listing;
	bool is_found = false;

	local_listing_init(&listing);
	assert_int_equal(scan(f, &listing), 0);
	assert_true(listing.is_stable);
	for (size_t i = 0; i < listing.count; i++) {
		if (strcmp(listing.items[i].name, name) != 0)
			continue;
		is_found = true;
		assert_int_equal(listing.items[i].flags, flags);
	}
	assert_true(is_found);
	local_listing_free(&listing);
}

/* --- Delivery -------------------------------------------------------------------- */

static void a_delivery_goes_through_tmp_into_new_with_its_date(void **state)
{
	struct fixture *f = *state;
	char name[MAIL_NAME_MAX + 1];
	char tmp_name[256];
	uint64_t size;
	struct digest identity;
	struct stat st;

	deliver(f, MESSAGE_CRLF, 1, name, &size, &identity);
	assert_int_equal(size, strlen(MESSAGE_CRLF));
	assert_int_equal(flush(f), 0);
	assert_int_equal(temp_count(&f->dir, "A/tmp", tmp_name), 1);
	assert_string_equal(tmp_name, name);
	assert_int_equal(f->mailbox->ops->publish(f->mailbox, name, 0, &f->err), 0);
	char *path = xasprintf("A/new/%s", name);
	char *text = temp_read(&f->dir, path, NULL);
	char *full = temp_path(&f->dir, path);
	assert_string_equal(text, MESSAGE_LF);
	assert_int_equal(stat(full, &st), 0);
	assert_int_equal(st.st_mtime, 1234567890);
	assert_int_equal(st.st_mode & 07777, 0600);
	char *size_part = xasprintf(",S=%zu", strlen(MESSAGE_LF));
	assert_non_null(strstr(name, size_part));
	free(size_part);
	free(full);
	free(text);
	free(path);
	assert_int_equal(flush(f), 0);
	assert_listed(f, name, 0);
}

static void a_delivery_with_flags_goes_into_cur_and_publishing_again_is_fine(void **state)
{
	struct fixture *f = *state;
	char name[MAIL_NAME_MAX + 1];
	uint64_t size;
	struct digest identity;

	deliver(f, MESSAGE_CRLF, 7, name, &size, &identity);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			f->mailbox->ops->publish(f->mailbox, name, FLAG_SEEN | FLAG_DRAFT, &f->err),
			0);
	char *path = xasprintf("A/cur/%s:2,DS", name);
	assert_true(temp_exists(&f->dir, path));
	free(path);
	assert_int_equal(temp_count(&f->dir, "A/tmp", NULL), 0);
	assert_int_equal(f->mailbox->ops->publish(f->mailbox, "1.gone.h", 0, &f->err),
			 SYNCD_ENOTFOUND);
}

static void crlf_deliveries_are_kept_verbatim(void **state)
{
	struct fixture *f = *state;
	char name[MAIL_NAME_MAX + 1];
	uint64_t size;
	struct digest identity;

	fixture_close(f);
	fixture_open(f, MAILDIR_CRLF);
	deliver(f, MESSAGE_CRLF, 1000, name, &size, &identity);
	assert_int_equal(flush(f), 0);
	char *path = xasprintf("A/tmp/%s", name);
	char *text = temp_read(&f->dir, path, NULL);
	assert_string_equal(text, MESSAGE_CRLF);
	free(text);
	free(path);
}

static void a_batch_large_enough_for_one_flush_of_all_is_flushed(void **state)
{
	struct fixture *f = *state;
	char name[MAIL_NAME_MAX + 1];
	uint64_t size;
	struct digest identity;

	for (int i = 0; i < 40; i++)
		deliver(f, MESSAGE_CRLF, 1000, name, &size, &identity);
	assert_int_equal(flush(f), 0);
	assert_int_equal(temp_count(&f->dir, "A/tmp", NULL), 40);
}

static bool is_staged_name(void *context, const char *name)
{
	return strcmp(context, name) == 0;
}

static void only_our_unstaged_leftovers_go_from_tmp(void **state)
{
	struct fixture *f = *state;
	char staged[] = "1.sd0000000000000001Q1.h,S=1";

	temp_write_str(&f->dir, "A/tmp/1.sd0000000000000001Q1.h,S=1", "a");
	temp_write_str(&f->dir, "A/tmp/1.sd0000000000000001Q2.h", "b");
	temp_write_str(&f->dir, "A/tmp/1.R77.h", "another program's");
	assert_int_equal(f->mailbox->ops->clean_tmp(f->mailbox, is_staged_name, staged, &f->err),
			 0);
	assert_true(temp_exists(&f->dir, "A/tmp/1.sd0000000000000001Q1.h,S=1"));
	assert_false(temp_exists(&f->dir, "A/tmp/1.sd0000000000000001Q2.h"));
	assert_true(temp_exists(&f->dir, "A/tmp/1.R77.h"));
}

/* --- Flags ------------------------------------------------------------------------- */

static void a_file_in_new_moves_to_cur_when_it_gets_a_flag(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/new/1.a.h", "x");
	assert_int_equal(set_flags(f, "1.a.h", 0, FLAG_SEEN), 0);
	assert_true(temp_exists(&f->dir, "A/new/1.a.h"));
	assert_int_equal(set_flags(f, "1.a.h", FLAG_SEEN, 0), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,S"));
	assert_int_equal(set_flags(f, "1.a.h", FLAG_FLAGGED, FLAG_SEEN), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,F"));
	assert_listed(f, "1.a.h", FLAG_FLAGGED);
}

static void flags_are_changed_wherever_another_program_moved_the_file(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/new/1.a.h", "x");
	assert_listed(f, "1.a.h", 0);
	temp_rename(&f->dir, "A/new/1.a.h", "A/cur/1.a.h:2,RX");
	assert_int_equal(set_flags(f, "1.a.h", FLAG_SEEN, 0), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,RSX"));
	temp_rename(&f->dir, "A/cur/1.a.h:2,RSX", "A/new/1.a.h");
	assert_int_equal(set_flags(f, "1.a.h", FLAG_DRAFT, 0), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,D"));
	temp_unlink(&f->dir, "A/cur/1.a.h:2,D");
	assert_int_equal(set_flags(f, "1.a.h", FLAG_SEEN, 0), SYNCD_ENOTFOUND);
}

static void a_message_published_after_a_search_is_found_at_once(void **state)
{
	struct fixture *f = *state;
	char name[MAIL_NAME_MAX + 1];
	uint64_t size;
	struct digest identity;

	assert_int_equal(set_flags(f, "1.gone.h", FLAG_SEEN, 0), SYNCD_ENOTFOUND);
	deliver(f, MESSAGE_CRLF, 1000, name, &size, &identity);
	assert_int_equal(f->mailbox->ops->publish(f->mailbox, name, 0, &f->err), 0);
	assert_int_equal(set_flags(f, name, FLAG_SEEN, 0), 0);
}

static void a_second_file_of_one_base_name_is_never_overwritten(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/cur/1.a.h:2,", "one");
	temp_write_str(&f->dir, "A/cur/1.a.h:2,S", "two");
	/* Whichever of the two is taken, one of these would replace the other. */
	int first = set_flags(f, "1.a.h", FLAG_SEEN, 0);
	int second = set_flags(f, "1.a.h", 0, FLAG_SEEN);
	assert_true(first == SYNCD_EMESSAGE || second == SYNCD_EMESSAGE);
	assert_int_equal(temp_count(&f->dir, "A/cur", NULL), 2);
}

static void a_name_without_room_for_flags_fails_by_itself(void **state)
{
	struct fixture *f = *state;
	char base[MAIL_NAME_MAX + 1];
	char path[MAIL_NAME_MAX + 16];

	memset(base, 'a', sizeof(base));
	base[MAIL_NAME_MAX] = '\0';
	(void)snprintf(path, sizeof(path), "A/new/%s", base);
	temp_write_str(&f->dir, path, "x");
	assert_int_equal(set_flags(f, base, FLAG_SEEN, 0), SYNCD_EMESSAGE);
	assert_true(temp_exists(&f->dir, path));
}

static void keywords_get_letters_in_dovecots_file(void **state)
{
	struct fixture *f = *state;
	uint64_t work = keyword_table_intern(&f->keywords, slice_of("work"));
	uint64_t home = keyword_table_intern(&f->keywords, slice_of("home"));

	temp_write_str(&f->dir, "A/dovecot-keywords", "0 $Junk\n2 WORK\nrubbish\n99 x\n");
	temp_write_str(&f->dir, "A/cur/1.a.h:2,acz", "x");
	assert_int_equal(set_flags(f, "1.a.h", home | FLAG_SEEN, 0), 0);
	char *text = temp_read(&f->dir, "A/dovecot-keywords", NULL);
	assert_string_equal(text, "0 $Junk\n1 home\n2 WORK\n");
	free(text);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,Sabcz"));
	assert_int_equal(set_flags(f, "1.a.h", 0, work), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,Sabz"));
	uint64_t junk = keyword_table_intern(&f->keywords, slice_of("$junk"));
	assert_listed(f, "1.a.h", FLAG_SEEN | home | junk);
	assert_false(temp_exists(&f->dir, "A/dovecot-keywords.lock"));
}

static void a_flag_goes_with_all_letters_that_say_it(void **state)
{
	struct fixture *f = *state;
	uint64_t work = keyword_table_intern(&f->keywords, slice_of("work"));
	uint64_t home = keyword_table_intern(&f->keywords, slice_of("home"));

	temp_write_str(&f->dir, "A/dovecot-keywords", "0 $Forwarded\n1 work\n2 home\n3 WORK\n");
	temp_write_str(&f->dir, "A/cur/1.a.h:2,abcd", "x");
	assert_listed(f, "1.a.h", FLAG_FORWARDED | work | home);
	assert_int_equal(set_flags(f, "1.a.h", 0, FLAG_FORWARDED), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,bcd"));
	assert_int_equal(set_flags(f, "1.a.h", 0, work), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,c"));
}

static void a_keyword_file_locked_by_another_program_is_not_touched(void **state)
{
	struct fixture *f = *state;
	uint64_t work = keyword_table_intern(&f->keywords, slice_of("work"));

	temp_write_str(&f->dir, "A/cur/1.a.h:2,", "x");
	temp_write_str(&f->dir, "A/dovecot-keywords.lock", "");
	assert_int_equal(set_flags(f, "1.a.h", work, 0), SYNCD_EBUSY);
	assert_false(temp_exists(&f->dir, "A/dovecot-keywords"));
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,"));
	temp_unlink(&f->dir, "A/dovecot-keywords.lock");
	assert_int_equal(set_flags(f, "1.a.h", work, 0), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,a"));
}

static void a_lock_left_by_a_killed_syncd_is_no_obstacle(void **state)
{
	struct fixture *f = *state;
	uint64_t work = keyword_table_intern(&f->keywords, slice_of("work"));
	char *ours = temp_path(&f->dir, "A/dovecot-keywords.syncd");
	char *lock = temp_path(&f->dir, "A/dovecot-keywords.lock");

	temp_write_str(&f->dir, "A/cur/1.a.h:2,", "x");
	temp_write_str(&f->dir, "A/dovecot-keywords.syncd", "0 ha");
	assert_int_equal(link(ours, lock), 0);
	assert_int_equal(set_flags(f, "1.a.h", work, 0), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,a"));
	assert_false(temp_exists(&f->dir, "A/dovecot-keywords.syncd"));
	assert_false(temp_exists(&f->dir, "A/dovecot-keywords.lock"));
	free(ours);
	free(lock);
}

static void keywords_beyond_26_are_left_out_of_the_mask(void **state)
{
	struct fixture *f = *state;
	uint64_t bits[30];

	for (int i = 0; i < 30; i++) {
		char keyword[16];
		(void)snprintf(keyword, sizeof(keyword), "k%d", i);
		bits[i] = keyword_table_intern(&f->keywords, slice_of(keyword));
	}
	uint64_t mask = f->mailbox->ops->flags_mask(f->mailbox);
	assert_int_equal(mask & FLAGS_SYSTEM, FLAGS_SYSTEM);
	for (int i = 0; i < 30; i++)
		assert_int_equal((mask & bits[i]) != 0, i < 26);
	temp_write_str(&f->dir, "A/cur/1.a.h:2,", "x");
	assert_int_equal(set_flags(f, "1.a.h", FLAGS_KEYWORDS, 0), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,abcdefghijklmnopqrstuvwxyz"));
	assert_int_equal(f->mailbox->ops->flags_mask(f->mailbox), mask);
}

/* --- Removal and reading --------------------------------------------------------------- */

static void removing_twice_is_success(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/cur/1.a.h:2,S", "x");
	for (int i = 0; i < 2; i++)
		assert_int_equal(f->mailbox->ops->remove(f->mailbox, "1.a.h", 0, &f->err), 0);
	assert_int_equal(temp_count(&f->dir, "A/cur", NULL), 0);
}

static void names_that_are_paths_are_refused(void **state)
{
	static const char *const names[] = { "", "../../x", "a/b", ".x", "/etc/passwd" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(f->mailbox->ops->remove(f->mailbox, names[i], 0, &f->err),
				 SYNCD_EUSAGE);
		assert_int_equal(set_flags(f, names[i], FLAG_SEEN, 0), SYNCD_EUSAGE);
		assert_int_equal(f->mailbox->ops->publish(f->mailbox, names[i], 0, &f->err),
				 SYNCD_EUSAGE);
	}
}

static void what_is_examined_is_what_was_delivered(void **state)
{
	struct fixture *f = *state;
	struct local_examine_req req;
	char name[MAIL_NAME_MAX + 1];
	uint64_t size;
	struct digest identity;

	deliver(f, MESSAGE_CRLF, 3, name, &size, &identity);
	assert_int_equal(f->mailbox->ops->publish(f->mailbox, name, FLAG_FLAGGED, &f->err), 0);
	assert_int_equal(examine(f, name, &req), 0);
	assert_int_equal(req.size_bytes, size);
	assert_false(req.has_nul);
	assert_int_equal(req.mtime_s, 1234567890);
	assert_int_equal(req.flags, FLAG_FLAGGED);
	assert_true(digest_equals(&req.identity, &identity));
	assert_true(digest_has_message_id(&identity));
	assert_int_equal(flush(f), 0);
}

static void a_message_with_a_nul_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct local_examine_req req;

	temp_write(&f->dir, "A/new/1.a.h", "a\0b\n", 4);
	assert_int_equal(examine(f, "1.a.h", &req), 0);
	assert_true(req.has_nul);
	assert_int_equal(req.size_bytes, 5);
}

static void reading_gives_the_crlf_form_in_any_steps(void **state)
{
	struct fixture *f = *state;
	struct local_reader *reader;

	temp_write_str(&f->dir, "A/new/1.a.h", MESSAGE_LF);
	for (size_t step = 1; step < 70; step += 17) {
		char out[256] = "";
		size_t at = 0;
		size_t len;
		assert_int_equal(
			f->mailbox->ops->reader_open(f->mailbox, "1.a.h", &reader, &f->err), 0);
		do {
			assert_int_equal(
				f->mailbox->ops->reader_read(reader, out + at, step, &len, &f->err),
				0);
			assert_in_range(len, 0, step);
			at += len;
		} while (len > 0);
		assert_int_equal(at, strlen(MESSAGE_CRLF));
		assert_string_equal(out, MESSAGE_CRLF);
		f->mailbox->ops->reader_close(reader);
	}
}

static int read_all(struct fixture *f, const char *name, size_t *total)
{
	struct local_reader *reader;
	char out[64];
	size_t len;
	int code = f->mailbox->ops->reader_open(f->mailbox, name, &reader, &f->err);

	assert_int_equal(code, 0);
	*total = 0;
	do {
		code = f->mailbox->ops->reader_read(reader, out, sizeof(out), &len, &f->err);
		*total += len;
	} while (code == 0 && len > 0);
	f->mailbox->ops->reader_close(reader);
	return code;
}

static void a_message_that_changed_after_examining_fails_and_never_gives_more(void **state)
{
	struct fixture *f = *state;
	struct local_examine_req req;
	size_t total;

	temp_write_str(&f->dir, "A/new/1.a.h", "12345678");
	assert_int_equal(examine(f, "1.a.h", &req), 0);
	assert_int_equal(read_all(f, "1.a.h", &total), 0);
	temp_write_str(&f->dir, "A/new/1.a.h", "1234");
	assert_int_equal(read_all(f, "1.a.h", &total), SYNCD_EMESSAGE);
	temp_write_str(&f->dir, "A/new/1.a.h", "1234567890");
	assert_int_equal(read_all(f, "1.a.h", &total), SYNCD_EMESSAGE);
	assert_in_range(total, 0, 8);
}

static void what_is_no_message_file_is_refused_by_itself(void **state)
{
	struct fixture *f = *state;
	struct local_examine_req req;
	struct local_reader *reader;
	char *fifo = temp_path(&f->dir, "A/cur/4.fifo.h:2,");

	temp_symlink(&f->dir, "nowhere", "A/cur/1.dangling.h:2,");
	temp_symlink(&f->dir, "/etc/passwd", "A/cur/2.link.h:2,");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	free(fifo);
	temp_write_str(&f->dir, "A/cur/5.good.h:2,", "x");
	assert_int_equal(examine(f, "1.dangling.h", &req), SYNCD_EMESSAGE);
	assert_non_null(strstr(f->err.text, "1.dangling.h"));
	assert_int_equal(examine(f, "2.link.h", &req), SYNCD_EMESSAGE);
	assert_int_equal(examine(f, "4.fifo.h", &req), SYNCD_EMESSAGE);
	assert_int_equal(f->mailbox->ops->reader_open(f->mailbox, "2.link.h", &reader, &f->err),
			 SYNCD_EMESSAGE);
	assert_int_equal(examine(f, "9.gone.h", &req), SYNCD_ENOTFOUND);
	assert_int_equal(examine(f, "5.good.h", &req), 0);
}

/* --- Many at once ---------------------------------------------------------------- */

#define MANY 100

struct many {
	struct local_examine_req reqs[MANY];
	int codes[MANY];
	char names[MANY][16];
};

static struct many *examine_many(struct fixture *f)
{
	struct many *many = xcalloc(1, sizeof(*many));
	char path[64];

	for (int i = 0; i < MANY; i++) {
		(void)snprintf(many->names[i], sizeof(many->names[i]), "%d.m.h", i);
		(void)snprintf(path, sizeof(path), "A/cur/%d.m.h:2,", i);
		if (i % 10 != 9)
			temp_write_str(&f->dir, path, "x");
		many->codes[i] = NOT_DONE;
		many->reqs[i].op.done = op_done;
		many->reqs[i].op.impl = &many->codes[i];
		many->reqs[i].name = many->names[i];
		f->mailbox->ops->examine(f->mailbox, &many->reqs[i]);
		assert_int_equal(many->codes[i], NOT_DONE);
	}
	return many;
}

static void a_hundred_examinations_open_few_files_at_once_and_all_complete(void **state)
{
	struct fixture *f = *state;
	struct rlimit old;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	struct rlimit few = { .rlim_cur = 50, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	struct many *many = examine_many(f);
	turn(f);
	assert_int_equal(flush(f), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(many->codes[i], i % 10 == 9 ? SYNCD_ENOTFOUND : 0);
	free(many);
}

static void examinations_that_wait_are_cancelled_too(void **state)
{
	struct fixture *f = *state;
	struct many *many = examine_many(f);

	f->mailbox->ops->cancel(f->mailbox);
	assert_int_equal(many->codes[MANY - 2], NOT_DONE);
	turn(f);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(many->codes[i], SYNCD_ECANCELLED);
	free(many);
}

static void reading_a_message_that_is_gone_finds_nothing(void **state)
{
	struct fixture *f = *state;
	struct local_reader *reader;

	assert_int_equal(f->mailbox->ops->reader_open(f->mailbox, "1.gone.h", &reader, &f->err),
			 SYNCD_ENOTFOUND);
	assert_null(reader);
}

static void a_cancelled_request_completes_as_cancelled(void **state)
{
	struct fixture *f = *state;
	int code = NOT_DONE;
	struct local_listing listing;
	struct local_scan_req req = { .op = { .done = op_done, .impl = &code },
				      .result = &listing };

	local_listing_init(&listing);
	f->mailbox->ops->scan(f->mailbox, &req);
	f->mailbox->ops->cancel(f->mailbox);
	assert_int_equal(op_wait(f, &req.op, &code), SYNCD_ECANCELLED);
	assert_int_equal(listing.count, 0);
}

static void an_opened_mailbox_that_vanished_is_an_error_not_empty(void **state)
{
	struct fixture *f = *state;
	struct local_listing listing;

	local_listing_init(&listing);
	temp_write_str(&f->dir, "A/cur/1.a.h:2,S", "x");
	temp_rename(&f->dir, "A/cur", "A/cur-away");
	assert_int_equal(scan(f, &listing), SYNCD_EIO);
	temp_mkdir(&f->dir, "A/cur"); /* as when another disk is mounted there */
	assert_int_equal(scan(f, &listing), SYNCD_EIO);
	assert_int_equal(listing.count, 0);
}

#define REAL(name) cmocka_unit_test_setup_teardown(name, set_up_real, tear_down)
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_delivery_goes_through_tmp_into_new_with_its_date),
		TEST(a_delivery_with_flags_goes_into_cur_and_publishing_again_is_fine),
		TEST(crlf_deliveries_are_kept_verbatim),
		TEST(a_batch_large_enough_for_one_flush_of_all_is_flushed),
		TEST(only_our_unstaged_leftovers_go_from_tmp),
		TEST(a_file_in_new_moves_to_cur_when_it_gets_a_flag),
		TEST(flags_are_changed_wherever_another_program_moved_the_file),
		TEST(a_message_published_after_a_search_is_found_at_once),
		TEST(a_second_file_of_one_base_name_is_never_overwritten),
		TEST(a_name_without_room_for_flags_fails_by_itself),
		TEST(keywords_get_letters_in_dovecots_file),
		TEST(a_flag_goes_with_all_letters_that_say_it),
		TEST(a_keyword_file_locked_by_another_program_is_not_touched),
		TEST(a_lock_left_by_a_killed_syncd_is_no_obstacle),
		TEST(keywords_beyond_26_are_left_out_of_the_mask),
		TEST(removing_twice_is_success),
		TEST(names_that_are_paths_are_refused),
		TEST(what_is_examined_is_what_was_delivered),
		TEST(a_message_with_a_nul_is_noticed),
		TEST(reading_gives_the_crlf_form_in_any_steps),
		TEST(a_message_that_changed_after_examining_fails_and_never_gives_more),
		TEST(what_is_no_message_file_is_refused_by_itself),
		TEST(a_hundred_examinations_open_few_files_at_once_and_all_complete),
		TEST(examinations_that_wait_are_cancelled_too),
		TEST(reading_a_message_that_is_gone_finds_nothing),
		TEST(a_cancelled_request_completes_as_cancelled),
		TEST(an_opened_mailbox_that_vanished_is_an_error_not_empty),
		REAL(a_delivery_goes_through_tmp_into_new_with_its_date),
		REAL(what_is_examined_is_what_was_delivered),
		REAL(a_hundred_examinations_open_few_files_at_once_and_all_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
