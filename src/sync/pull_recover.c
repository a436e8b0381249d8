/* The beginning of a pull: the maildir's root, what the state knows, and what a crash left.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "pull.h"

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

/* In tmp/ others may remove what nobody has touched for so long (maildir(5)): a file that is in
 * place no more was taken by its reader, but for one that lay there for longer. */
#define TMP_KEPT_S ((int64_t)36 * 60 * 60)

/* --- The maildir --------------------------------------------------------------------- */

/* A maildir that was there and has vanished is no maildir whose messages were deleted. */
static int open_local(struct sync_pull *pull, struct error *err)
{
	struct local_account *local = pull->ports.local;
	int code =
		local->ops->open(local, PULL_MAILBOX, &pull->mailbox.keywords, &pull->local, err);

	if (code != SYNCD_ENOTFOUND)
		return code;
	if (!pull->is_first && pull->options.keep == PULL_KEEP_UNTIL_DELETED)
		return error_set(err, SYNCD_EROOT, "the maildir has lost its cur, new or tmp");
	error_clear(err);
	code = local->ops->create(local, PULL_MAILBOX, err);
	return code != 0 ? code
			 : local->ops->open(local, PULL_MAILBOX, &pull->mailbox.keywords,
					    &pull->local, err);
}

/* A dry run before the first pull finds no maildir yet, and makes none. */
static int check(struct sync_pull *pull, struct error *err)
{
	struct store_port *store = pull->ports.store;
	bool is_found = false;
	int code = store->ops->mailbox_get(store, PULL_MAILBOX, &is_found, &pull->mailbox, err);

	pull->is_first = !is_found;
	if (code != 0 || (pull->is_first && pull->options.is_dry_run))
		return code;
	code = pull->ports.local->ops->check(pull->ports.local, pull->is_first, err);
	return code == 0 ? open_local(pull, err) : code;
}

void pull_check_start(struct sync_pull *pull)
{
	struct error err = { 0 };

	keyword_table_init(&pull->mailbox.keywords);
	if (check(pull, &err) != 0)
		pull_fail(pull, &err);
	pull_piece_done(pull);
}

/* --- The state ----------------------------------------------------------------------- */

static void loaded(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, commit.op);

	if (code != 0)
		pull_fail(pull, &op->err);
	pull_piece_done(pull);
}

/* All of it in one commit, so that no half of the maildrop comes twice. */
static void forget_all(struct sync_pull *pull)
{
	for (size_t i = 0; !pull->options.is_dry_run && i < pull->records.count; i++)
		store_batch_delete_pop3(&pull->batch, pull->records.items[i].id);
	for (size_t i = 0; !pull->options.is_dry_run && i < pull->setaside.count; i++)
		store_batch_delete_setaside(&pull->batch, pull->mailbox.id,
					    pull->setaside.records[i].uid,
					    pull->setaside.records[i].name);
	pull->records.count = 0;
	sync_setaside_free(&pull->setaside);
}

static int load(struct sync_pull *pull, struct error *err)
{
	struct store_port *store = pull->ports.store;
	int code = 0;

	if (pull->is_first) {
		pull->mailbox.id = store->ops->mailbox_new_id(store);
		memcpy(pull->mailbox.name, PULL_MAILBOX, sizeof(PULL_MAILBOX));
		if (!pull->options.is_dry_run)
			store_batch_put_mailbox(&pull->batch, &pull->mailbox);
	}
	code = sync_setaside_load(store, pull->mailbox.id, &pull->setaside, err);
	if (code == 0)
		code = pull_load_records(pull, err);
	if (code == 0 && pull->options.is_forgetting)
		forget_all(pull);
	if (pull->setaside.count > 0)
		pull->is_aside_used = xcalloc(pull->setaside.count, sizeof(bool));
	return code;
}

void pull_load_start(struct sync_pull *pull)
{
	struct error err = { 0 };

	if (load(pull, &err) != 0) {
		pull_fail(pull, &err);
		pull_piece_done(pull);
		return;
	}
	if (pull->is_first)
		pull_piece_done(pull); /* recorded with what the maildir holds (pull_adopt.c) */
	else
		pull_save(pull, loaded);
}

/* --- What a crash left --------------------------------------------------------------- */

static bool is_staged(void *context, const char *name)
{
	const struct sync_pull *pull = context;

	for (size_t i = 0; i < pull->records.count; i++) {
		const struct pull_record *record = &pull->records.items[i];
		if (record->state == POP3_STAGED && !record->is_dropped &&
		    strcmp(pull_name(pull, record), name) == 0)
			return true;
	}
	return false;
}

void pull_clean(struct sync_pull *pull)
{
	struct error err = { 0 };
	char text[ERROR_FORMAT_MAX];

	if (pull->local->ops->clean_tmp(pull->local, is_staged, pull, &err) != 0)
		log_debug(pull->options.account, "tmp: %s", error_format(&err, text, sizeof(text)));
}

static int publish_staged(struct sync_pull *pull, struct pull_record *record, struct error *err)
{
	const char *name = pull_name(pull, record);
	int code = pull->local->ops->publish(pull->local, name, 0, err);

	if (code != 0 && code != SYNCD_ENOTFOUND)
		return code;
	record->is_dirty = true;
	record->state = POP3_DELIVERED;
	if (code == SYNCD_ENOTFOUND && pull->now_s - record->first_seen_s >= TMP_KEPT_S) {
		log_info(pull->options.account, "%s is gone and will be fetched again", name);
		record->is_dropped = true;
	}
	error_clear(err);
	return 0;
}

static void recover_flushed(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, flush.op);

	if (code == 0) {
		pull_save(pull, loaded);
		return;
	}
	pull_fail(pull, &op->err);
	pull_piece_done(pull);
}

void pull_recover_start(struct sync_pull *pull)
{
	struct error err = { 0 };
	size_t count = 0;
	int code = 0;

	for (size_t i = 0; code == 0 && i < pull->records.count; i++) {
		struct pull_record *record = &pull->records.items[i];
		if (record->state != POP3_STAGED)
			continue;
		code = publish_staged(pull, record, &err);
		count++;
	}
	if (code != 0) {
		pull_fail(pull, &err);
		pull_piece_done(pull);
		return;
	}
	pull_clean(pull);
	if (count == 0) {
		pull_piece_done(pull);
		return;
	}
	pull->flush.op.done = recover_flushed;
	pull->local->ops->flush(pull->local, &pull->flush);
}
