/* The local port's mailbox.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "local_private.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define EXAMINING_MAX 8  /* files open at once for that */
#define EXAMINED_MAX 256 /* sizes remembered between examining and reading */

struct examined {
	char *name; /* NULL: unused */
	uint64_t size_bytes;
};

struct adapter_mailbox {
	struct local_mailbox mailbox;
	struct adapter_local *local;
	struct maildir *maildir;
	struct keyword_table *keywords;
	bool has_warned_of_letters;
	struct list works;
	struct list unexamined; /* requests that wait for their turn, by op.link */
	size_t examining;
	struct examined examined[EXAMINED_MAX]; /* a ring: the next to go is examined_next */
	size_t examined_next;
	struct maildir *source; /* where the last message was linked from; may be NULL */
};

static struct adapter_mailbox *box_of(struct local_mailbox *mailbox)
{
	return container_of(mailbox, struct adapter_mailbox, mailbox);
}

/* --- Scanning -------------------------------------------------------------------- */

struct scan_work {
	struct local_work work;
	struct adapter_mailbox *box;
	struct local_scan_req *req;
	struct maildir_hints hints;
	struct maildir_index *index;
};

static int scan_run(struct local_work *work, struct error *err)
{
	struct scan_work *scan = container_of(work, struct scan_work, work);
	const struct maildir *maildir = scan->box->maildir;
	struct local_listing *result = scan->req->result;

	if (scan->req->hints != NULL)
		return maildir_look(maildir, &scan->hints, &work->is_cancelled, result,
				    &scan->index, err);
	return maildir_scan(maildir, &scan->req->known, &work->is_cancelled, result, &scan->index,
			    err);
}

static void warn_of_letters(struct adapter_mailbox *box, const struct local_listing *listing,
			    uint64_t unnamed)
{
	char path[MAILDIR_PATH_MAX + 1];
	size_t i = 0;

	if (unnamed == 0 || box->has_warned_of_letters)
		return;
	box->has_warned_of_letters = true;
	while (i + 1 < listing->count && (listing->items[i].flags & unnamed) == 0)
		i++;
	must(maildir_path_encode(box->local->root.layout, maildir_name(box->maildir), path, NULL) ==
	     0);
	log_warn(box->local->log_name,
		 "%s/%s/dovecot-keywords does not name every keyword letter on message files (such "
		 "as %s): keywords of this mailbox are not synchronised until it does",
		 box->local->root.path, path, listing->items[i].name);
}

static void warn_of_skipped(struct adapter_mailbox *box, const struct maildir_index *index)
{
	char path[MAILDIR_PATH_MAX + 1];
	const char *first;
	size_t count = maildir_index_skipped(index, &first);

	if (count == 0)
		return;
	must(maildir_path_encode(box->local->root.layout, maildir_name(box->maildir), path, NULL) ==
	     0);
	log_warn(box->local->log_name,
		 "%s/%s/%s stays local: its name is too long or empty (%zu files of this mailbox)",
		 box->local->root.path, path, first, count);
}

/* The keyword table is the loop's, so letters become flags here. The list of names is read after
 * the files: a letter is in it before a file carries it. */
static int scan_translate(struct scan_work *scan, struct error *err)
{
	struct local_listing *listing = scan->req->result;
	struct adapter_mailbox *box = scan->box;
	uint64_t flags_of[MAILDIR_LETTER_COUNT] = { 0 };
	uint64_t used = 0;
	int code = maildir_keywords_refresh(box->maildir, err);

	if (code != 0)
		return code;
	for (size_t i = 0; i < listing->count; i++)
		used |= listing->items[i].flags;
	warn_of_letters(box, listing,
			maildir_keywords_seen(box->maildir, used, !listing->is_delta));
	for (size_t i = 0; i < MAILDIR_LETTER_COUNT; i++)
		flags_of[i] = maildir_letters_to_flags(box->maildir, box->keywords,
						       used & MAILDIR_LETTER_BIT(i));
	for (size_t i = 0; (used & FLAGS_KEYWORDS) != 0 && i < listing->count; i++) {
		uint64_t letters = listing->items[i].flags;
		uint64_t flags = letters & FLAGS_SYSTEM;
		for (size_t k = 0; k < MAILDIR_LETTER_COUNT; k++)
			flags |= (letters & MAILDIR_LETTER_BIT(k)) != 0 ? flags_of[k] : 0;
		listing->items[i].flags = flags;
	}
	return 0;
}

static void scan_keep_index(struct scan_work *scan)
{
	warn_of_skipped(scan->box, scan->index);
	if (scan->req->result->is_delta)
		maildir_add_index(scan->box->maildir, &scan->index);
	else
		maildir_set_index(scan->box->maildir, &scan->index);
}

static int scan_finish(struct local_work *work, int code, struct error *err)
{
	struct scan_work *scan = container_of(work, struct scan_work, work);

	if (code == 0)
		code = scan_translate(scan, err);
	if (code == 0 && scan->index != NULL)
		scan_keep_index(scan);
	if (code != 0)
		local_listing_free(scan->req->result);
	maildir_index_free(&scan->index);
	return code;
}

static void mailbox_scan(struct local_mailbox *mailbox, struct local_scan_req *req)
{
	struct scan_work *scan = xcalloc(1, sizeof(*scan));

	scan->work.run = scan_run;
	scan->work.finish = scan_finish;
	scan->box = box_of(mailbox);
	scan->req = req;
	scan->hints = (struct maildir_hints){
		.items = req->hints,
		.count = req->hint_count,
		.are_all = req->hint_count > 0 && maildir_is_still(scan->box->maildir),
	};
	local_work_start(scan->box->local->loop, &scan->box->works, &scan->work, &req->op, 0);
}

static uint64_t mailbox_flags_mask(struct local_mailbox *mailbox)
{
	return maildir_flags_mask(box_of(mailbox)->maildir, box_of(mailbox)->keywords);
}

/* --- Delivery ----------------------------------------------------------------------- */

static struct maildir_delivery *delivery_of(struct local_delivery *delivery)
{
	return (struct maildir_delivery *)(void *)delivery;
}

static int mailbox_deliver_begin(struct local_mailbox *mailbox, struct local_delivery **delivery,
				 struct error *err)
{
	struct adapter_mailbox *box = box_of(mailbox);
	struct maildir_delivery *begun = NULL;
	int code = maildir_deliver_begin(box->maildir, &box->local->namer,
					 loop_wall_s(box->local->loop), box->local->line_endings,
					 &begun, err);

	*delivery = (struct local_delivery *)(void *)begun;
	return code;
}

static int mailbox_deliver_write(struct local_delivery *delivery, struct slice data,
				 struct error *err)
{
	return maildir_deliver_write(delivery_of(delivery), data, err);
}

static int mailbox_deliver_end(struct local_delivery *delivery, int64_t mtime_s, char *name,
			       uint64_t *size_bytes, struct digest *identity, struct error *err)
{
	return maildir_deliver_end(delivery_of(delivery), mtime_s, name, size_bytes, identity, err);
}

static void mailbox_deliver_abort(struct local_delivery *delivery)
{
	maildir_deliver_abort(delivery_of(delivery));
}

/* What comes from one mailbox comes in rows: it stays open. */
static int open_source(struct adapter_mailbox *box, const char *name, struct error *err)
{
	if (box->source != NULL && strcmp(maildir_name(box->source), name) == 0)
		return 0;
	maildir_close(&box->source);
	return maildir_open(&box->local->root, name, &box->source, err);
}

static int mailbox_link(struct local_mailbox *mailbox, const struct mailbox_record *from,
			const char *original, uint64_t flags, char *name, struct error *err)
{
	struct adapter_mailbox *box = box_of(mailbox);
	int code = open_source(box, from->name, err);

	if (code == 0)
		code = maildir_keywords_refresh(box->source, err);
	if (code != 0)
		return code;
	return maildir_link(
		box->maildir, &box->local->namer, loop_wall_s(box->local->loop), box->source,
		original, maildir_flags_to_letters(box->source, &from->keywords, flags), name, err);
}

/* --- Flushing --------------------------------------------------------------------------- */

struct flush_work {
	struct local_work work;
	struct maildir_flush *flush;
};

static int flush_run(struct local_work *work, struct error *err)
{
	return maildir_flush_run(container_of(work, struct flush_work, work)->flush, err);
}

static int flush_finish(struct local_work *work, int code, struct error *err)
{
	(void)err;
	maildir_flush_end(&container_of(work, struct flush_work, work)->flush);
	return code;
}

static void mailbox_flush(struct local_mailbox *mailbox, struct local_flush_req *req)
{
	struct adapter_mailbox *box = box_of(mailbox);
	struct flush_work *flush = xcalloc(1, sizeof(*flush));

	flush->work.run = flush_run;
	flush->work.finish = flush_finish;
	flush->flush = maildir_flush_begin(box->maildir);
	local_work_start(box->local->loop, &box->works, &flush->work, &req->op, 0);
}

/* --- Changes ---------------------------------------------------------------------------- */

/* Letters of flags about to be set, given to those that have none. */
static int letters_to_set(struct adapter_mailbox *box, uint64_t flags, uint64_t *letters,
			  struct error *err)
{
	int code = 0;

	if ((flags & FLAGS_KEYWORDS) != 0) {
		code = maildir_keywords_refresh(box->maildir, err);
		if (code == 0)
			code = maildir_keywords_assign(box->maildir, box->keywords, flags, err);
	}
	*letters = maildir_flags_to_letters(box->maildir, box->keywords, flags);
	return code;
}

static int mailbox_publish(struct local_mailbox *mailbox, const char *name, uint64_t flags,
			   struct error *err)
{
	struct adapter_mailbox *box = box_of(mailbox);
	uint64_t letters;
	int code = letters_to_set(box, flags, &letters, err);

	return code == 0 ? maildir_publish(box->maildir, name, letters, err) : code;
}

static int mailbox_set_flags(struct local_mailbox *mailbox, const char *name, uint64_t expected,
			     uint64_t add, uint64_t remove, struct error *err)
{
	struct adapter_mailbox *box = box_of(mailbox);
	uint64_t letters;
	int code = letters_to_set(box, add, &letters, err);

	if (code == 0 && remove != 0)
		code = maildir_keywords_refresh(box->maildir, err);
	if (code != 0)
		return code;
	return maildir_set_letters(
		box->maildir, name, maildir_flags_to_letters(box->maildir, box->keywords, expected),
		letters, maildir_letters_saying(box->maildir, box->keywords, remove), err);
}

/* Its letters so far are those of the mailbox it was moved here from. */
static int mailbox_set_keywords(struct local_mailbox *mailbox, const char *name, uint64_t flags,
				struct error *err)
{
	struct adapter_mailbox *box = box_of(mailbox);
	int code = maildir_keywords_refresh(box->maildir, err);

	if (code == 0)
		code = maildir_keywords_enlist(box->maildir, box->keywords, flags & FLAGS_KEYWORDS,
					       err);
	if (code != 0)
		return code;
	uint64_t letters = maildir_flags_to_letters(box->maildir, box->keywords, flags);
	return maildir_set_letters(box->maildir, name, letters, letters & FLAGS_KEYWORDS,
				   FLAGS_KEYWORDS, err);
}

static int mailbox_remove(struct local_mailbox *mailbox, const char *name, uint64_t expected,
			  struct error *err)
{
	struct adapter_mailbox *box = box_of(mailbox);

	return maildir_remove(box->maildir, name,
			      maildir_flags_to_letters(box->maildir, box->keywords, expected), err);
}

static int mailbox_clean_tmp(struct local_mailbox *mailbox,
			     bool (*is_staged)(void *context, const char *name), void *context,
			     struct error *err)
{
	return maildir_clean_tmp(box_of(mailbox)->maildir, is_staged, context, err);
}

static bool mailbox_is_whole(struct local_mailbox *mailbox, const char *name, uint64_t flags)
{
	struct adapter_mailbox *box = box_of(mailbox);

	return maildir_is_whole(box->maildir, name,
				maildir_flags_to_letters(box->maildir, box->keywords, flags));
}

/* --- Reading ------------------------------------------------------------------------------ */

/* What was announced for a message must be what is read. */
static void examined_note(struct adapter_mailbox *box, const char *name, uint64_t size_bytes)
{
	struct examined *slot = &box->examined[box->examined_next];

	for (size_t i = 0; i < EXAMINED_MAX; i++) {
		if (box->examined[i].name != NULL && strcmp(box->examined[i].name, name) == 0) {
			box->examined[i].size_bytes = size_bytes;
			return;
		}
	}
	free(slot->name);
	*slot = (struct examined){ xstrdup(name), size_bytes };
	box->examined_next = (box->examined_next + 1) % EXAMINED_MAX;
}

static uint64_t examined_size(const struct adapter_mailbox *box, const char *name)
{
	for (size_t i = 0; i < EXAMINED_MAX; i++) {
		if (box->examined[i].name != NULL && strcmp(box->examined[i].name, name) == 0)
			return box->examined[i].size_bytes;
	}
	return MAILDIR_SIZE_UNKNOWN;
}

struct examine_work {
	struct local_work work;
	struct adapter_mailbox *box;
	struct local_examine_req *req;
	int fd;
	uint64_t letters;
	struct maildir_examined examined;
};

static int examine_run(struct local_work *work, struct error *err)
{
	struct examine_work *examine = container_of(work, struct examine_work, work);

	return maildir_examine(examine->fd, examine->req->name, &work->is_cancelled,
			       &examine->examined, err);
}

static void examine_next(struct adapter_mailbox *box);

static int examine_finish(struct local_work *work, int code, struct error *err)
{
	struct examine_work *examine = container_of(work, struct examine_work, work);
	struct local_examine_req *req = examine->req;

	examine->box->examining--;
	examine_next(examine->box);
	if (code == 0)
		code = maildir_keywords_refresh(examine->box->maildir, err);
	if (code != 0) {
		if (examine->fd >= 0)
			(void)close(examine->fd);
		return code;
	}
	if (req->is_peek) {
		(void)close(examine->fd);
	} else {
		maildir_flush_file(examine->box->maildir, examine->fd);
		examined_note(examine->box, req->name, examine->examined.size_bytes);
	}
	req->size_bytes = examine->examined.size_bytes;
	req->has_nul = examine->examined.has_nul;
	req->mtime_s = examine->examined.mtime_s;
	req->identity = examine->examined.identity;
	req->flags = maildir_letters_to_flags(examine->box->maildir, examine->box->keywords,
					      examine->letters);
	return 0;
}

/* A code other than 0 is the request's outcome already. */
static void examine_start(struct adapter_mailbox *box, struct local_examine_req *req, int code)
{
	struct examine_work *examine = xcalloc(1, sizeof(*examine));

	examine->work.run = examine_run;
	examine->work.finish = examine_finish;
	examine->box = box;
	examine->req = req;
	examine->fd = -1;
	box->examining++;
	if (code == 0)
		code = maildir_message_open(box->maildir, req->name, &examine->fd,
					    &examine->letters, &examine->work.err);
	else
		error_set(&examine->work.err, code, "cancelled");
	local_work_start(box->local->loop, &box->works, &examine->work, &req->op, code);
}

static struct local_examine_req *take_unexamined(struct adapter_mailbox *box)
{
	struct list *first = list_first(&box->unexamined);

	if (first == NULL)
		return NULL;
	list_remove(first);
	return container_of(first, struct local_examine_req, op.link);
}

static void examine_next(struct adapter_mailbox *box)
{
	struct local_examine_req *req;

	if (box->examining < EXAMINING_MAX && (req = take_unexamined(box)) != NULL)
		examine_start(box, req, 0);
}

static void mailbox_examine(struct local_mailbox *mailbox, struct local_examine_req *req)
{
	struct adapter_mailbox *box = box_of(mailbox);

	list_append(&box->unexamined, &req->op.link);
	examine_next(box);
}

static struct maildir_reader *reader_of(struct local_reader *reader)
{
	return (struct maildir_reader *)(void *)reader;
}

static int mailbox_reader_open(struct local_mailbox *mailbox, const char *name,
			       struct local_reader **reader, struct error *err)
{
	int fd;
	int code = maildir_message_open(box_of(mailbox)->maildir, name, &fd, NULL, err);

	*reader = NULL;
	if (code == 0)
		*reader = (struct local_reader *)(void *)maildir_reader_new(
			fd, name, examined_size(box_of(mailbox), name));
	return code;
}

static int mailbox_reader_read(struct local_reader *reader, char *out, size_t size, size_t *len,
			       struct error *err)
{
	return maildir_reader_read(reader_of(reader), out, size, len, err);
}

static void mailbox_reader_close(struct local_reader *reader)
{
	struct maildir_reader *closing = reader_of(reader);

	maildir_reader_free(&closing);
}

/* --- The end ------------------------------------------------------------------------------- */

static void mailbox_cancel(struct local_mailbox *mailbox)
{
	struct adapter_mailbox *box = box_of(mailbox);
	struct local_examine_req *req;

	while ((req = take_unexamined(box)) != NULL)
		examine_start(box, req, SYNCD_ECANCELLED);
	list_for_each(node, &box->works)
	{
		struct local_work *work = container_of(node, struct local_work, link);
		atomic_store(&work->is_cancelled, true);
		loop_job_cancel(&work->job);
	}
}

static void mailbox_close(struct local_mailbox *mailbox)
{
	struct adapter_mailbox *box = box_of(mailbox);

	must(list_is_empty(&box->works) && list_is_empty(&box->unexamined));
	box->local->open_mailboxes--;
	maildir_close(&box->source);
	maildir_close(&box->maildir);
	for (size_t i = 0; i < EXAMINED_MAX; i++)
		free(box->examined[i].name);
	free(box);
}

static const struct local_mailbox_ops mailbox_ops = {
	.scan = mailbox_scan,
	.flags_mask = mailbox_flags_mask,
	.deliver_begin = mailbox_deliver_begin,
	.deliver_write = mailbox_deliver_write,
	.deliver_end = mailbox_deliver_end,
	.deliver_abort = mailbox_deliver_abort,
	.link = mailbox_link,
	.flush = mailbox_flush,
	.publish = mailbox_publish,
	.set_flags = mailbox_set_flags,
	.set_keywords = mailbox_set_keywords,
	.remove = mailbox_remove,
	.examine = mailbox_examine,
	.reader_open = mailbox_reader_open,
	.reader_read = mailbox_reader_read,
	.reader_close = mailbox_reader_close,
	.clean_tmp = mailbox_clean_tmp,
	.is_whole = mailbox_is_whole,
	.cancel = mailbox_cancel,
	.close = mailbox_close,
};

int local_mailbox_open(struct adapter_local *local, const char *name,
		       struct keyword_table *keywords, struct local_mailbox **mailbox,
		       struct error *err)
{
	struct maildir *maildir;
	int code = maildir_open(&local->root, name, &maildir, err);

	*mailbox = NULL;
	if (code != 0)
		return code;
	code = maildir_keywords_refresh(maildir, err); /* flags_mask is asked before a scan, too */
	if (code != 0) {
		maildir_close(&maildir);
		return code;
	}
	struct adapter_mailbox *box = xcalloc(1, sizeof(*box));
	box->mailbox.ops = &mailbox_ops;
	box->local = local;
	box->maildir = maildir;
	box->keywords = keywords;
	list_init(&box->works);
	list_init(&box->unexamined);
	local->open_mailboxes++;
	*mailbox = &box->mailbox;
	return 0;
}
