/* What makes a keeper look at the maildir sooner than its interval: inotify; and what it
 * tells when asked.
 * SPDX-License-Identifier: MIT */
#include "keeper_private.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/log.h"
#include "syncd/maildir.h"
#include "syncd/must.h"

#define STATUS_CHUNK 512 /* records read at a time */

/* --- Local ------------------------------------------------------------------------ */

static void news_file_changed(struct watch_user *user, const char *mailbox,
			      const struct local_hint *hint)
{
	keeper_note_local(container_of(user, struct keeper, watch_user), mailbox, hint);
}

static void news_mailbox_changed(struct watch_user *user, const char *name)
{
	keeper_note_local(container_of(user, struct keeper, watch_user), name, NULL);
}

static void news_look_at_all(struct keeper *keeper)
{
	schedule_want_full(&keeper->schedule, loop_now_ms(keeper->loop), SCHEDULE_SETTLE_MAX_MS);
	keeper_poke(keeper);
}

static void news_tree_changed(struct watch_user *user)
{
	news_look_at_all(container_of(user, struct keeper, watch_user));
}

static void news_everything_changed(struct watch_user *user)
{
	struct keeper *keeper = container_of(user, struct keeper, watch_user);

	log_info(keeper->settings->name, "too many changes at once to follow: looking at all");
	for (size_t i = 0; i < keeper->count; i++)
		hint_list_lose(&keeper->mailboxes[i].hints);
	news_look_at_all(keeper);
}

/* The watch must not be freed inside its own callback: the next run does it. */
static void news_root_gone(struct watch_user *user)
{
	struct keeper *keeper = container_of(user, struct keeper, watch_user);

	keeper->is_root_gone = true;
	news_look_at_all(keeper);
}

static const struct watch_ops news_watch_ops = {
	.file_changed = news_file_changed,
	.mailbox_changed = news_mailbox_changed,
	.tree_changed = news_tree_changed,
	.everything_changed = news_everything_changed,
	.root_gone = news_root_gone,
};

static void news_tell_limit(struct keeper *keeper, const struct error *err)
{
	char text[ERROR_FORMAT_MAX];

	if (keeper->is_watch_limited)
		return;
	keeper->is_watch_limited = true;
	log_warn(keeper->settings->name, "local changes are only noticed every %llu s: %s",
		 (unsigned long long)keeper->settings->poll_interval_s,
		 error_format(err, text, sizeof(text)));
}

void keeper_watch_start(struct keeper *keeper)
{
	struct error err = { 0 };

	if (keeper->is_root_gone && keeper->watch != NULL) {
		watch_free(&keeper->watch);
		for (size_t i = 0; i < keeper->count; i++)
			keeper->mailboxes[i].is_watched = false;
	}
	keeper->is_root_gone = false;
	if (keeper->watch != NULL)
		return;
	keeper->watch_user.ops = &news_watch_ops;
	if (watch_new(keeper->loop, keeper->settings->maildir, &keeper->watch_user, &keeper->watch,
		      &err) != 0) {
		news_tell_limit(keeper, &err);
		return;
	}
	for (size_t i = 0; i < keeper->count; i++)
		keeper_watch_mailbox(keeper, &keeper->mailboxes[i]);
	/* The same for mailboxes made meanwhile. */
	schedule_want_full(&keeper->schedule, loop_now_ms(keeper->loop), 0);
}

void keeper_watch_mailbox(struct keeper *keeper, struct keeper_mailbox *mailbox)
{
	char path[MAILDIR_PATH_MAX + 1];
	struct error err = { 0 };

	if (keeper->watch == NULL || mailbox->is_watched || mailbox->is_gone)
		return;
	if (maildir_path_encode(keeper->settings->layout, mailbox->name, path, &err) != 0)
		return;
	int code = watch_add_mailbox(keeper->watch, mailbox->name, path, &err);
	mailbox->is_watched = code == 0;
	if (code == 0) /* what came between the run's scan and this watch would be missed */
		keeper_note_local(keeper, mailbox->name, NULL);
	else if (code == SYNCD_ELIMIT)
		news_tell_limit(keeper, &err);
}

/* --- Status ---------------------------------------------------------------------------- */

static void status_count(struct keeper_mailbox *mailbox, struct store_port *store,
			 uint32_t mailbox_id)
{
	struct remote_flags records[STATUS_CHUNK];
	struct error err = { 0 };
	size_t count = 0;
	uint32_t after = 0;

	mailbox->unseen = 0;
	mailbox->messages = 0;
	while (store->ops->messages_after(store, mailbox_id, after, records, STATUS_CHUNK, &count,
					  &err) == 0 &&
	       count > 0) {
		for (size_t i = 0; i < count; i++)
			mailbox->unseen += (records[i].flags & FLAG_SEEN) == 0;
		mailbox->messages += count;
		after = records[count - 1].uid;
	}
	mailbox->is_counted = true;
}

static void status_add_aside(void *context, const struct setaside_record *record)
{
	struct control_mailbox_status *row = context;

	if (sync_is_too_large(record))
		row->too_large++;
	else
		control_status_add_aside(row, record);
}

static uint64_t letters_of(struct keeper *keeper, struct mailbox_record *record)
{
	struct local_account *account = account_local(keeper->account);
	struct local_mailbox *mailbox;
	struct error err = { 0 };
	uint64_t mask = UINT64_MAX;

	if (account->ops->open(account, record->name, &record->keywords, &mailbox, &err) != 0)
		return mask; /* the mailbox's own error says more */
	mask = mailbox->ops->flags_mask(mailbox);
	mailbox->ops->close(mailbox);
	return mask;
}

static void status_add_keywords(struct keeper *keeper, struct mailbox_record *record,
				struct control_mailbox_status *row)
{
	uint64_t letters = record->keywords.count > 0 ? letters_of(keeper, record) : 0;

	for (size_t i = 0; i < record->keywords.count; i++) {
		uint64_t bit = (uint64_t)1 << (FLAGS_SYSTEM_COUNT + i);
		if ((letters & bit) == 0)
			control_names_add(&row->server_keywords, record->keywords.names[i]);
		else if ((record->unkept & bit) != 0)
			control_names_add(&row->local_keywords, record->keywords.names[i]);
	}
}

static void status_fill_mailbox(struct keeper *keeper, struct keeper_mailbox *mailbox,
				struct control_mailbox_status *row)
{
	struct store_port *store = keeper->account != NULL ? account_store(keeper->account) : NULL;
	struct mailbox_record record;
	struct error err = { 0 };
	bool is_known = false;

	if (store != NULL &&
	    store->ops->mailbox_get(store, mailbox->name, &is_known, &record, &err) == 0 &&
	    is_known) {
		if (!mailbox->is_counted)
			status_count(mailbox, store, record.id);
		(void)store->ops->setaside_each(store, record.id, status_add_aside, row, &err);
		status_add_keywords(keeper, &record, row);
		keyword_table_free(&record.keywords);
	}
	row->use = mailbox->use;
	row->messages = mailbox->messages;
	row->unseen = mailbox->unseen;
	row->pending = row->aside_count;
}

static void status_add_mailbox(struct keeper *keeper, struct keeper_mailbox *mailbox,
			       struct control_account_status *account)
{
	struct control_mailbox_status *row = control_status_add_mailbox(account, mailbox->name);

	if (keeper_is_pop3(keeper))
		keeper_pull_fill(keeper, row);
	else
		status_fill_mailbox(keeper, mailbox, row);
	row->held_deletions = mailbox->held_deletions;
	row->held_is_remote = mailbox->held_is_remote;
	row->err = mailbox->err;
}

static int compare_rows(const void *a, const void *b)
{
	const struct control_mailbox_status *left = a;
	const struct control_mailbox_status *right = b;

	return mailbox_name_compare(left->name, right->name);
}

void keeper_fill_status(struct keeper *keeper, struct control_status *status)
{
	struct control_account_status *account =
		control_status_add_account(status, keeper->settings->name);
	uint64_t now_ms = loop_now_ms(keeper->loop);
	uint64_t retry_ms = schedule_retry_ms(&keeper->schedule);

	account->is_pop3 = keeper_is_pop3(keeper);
	account->state = keeper->state;
	account->push = keeper_push_kind(keeper);
	account->last_sync_s = keeper->last_sync_s;
	if (retry_ms > now_ms)
		account->next_retry_s =
			loop_wall_s(keeper->loop) + (int64_t)((retry_ms - now_ms) / 1000);
	account->err = keeper->err;
	for (size_t i = 0; i < keeper->count; i++) {
		if (!keeper->mailboxes[i].is_gone)
			status_add_mailbox(keeper, &keeper->mailboxes[i], account);
	}
	if (account->count > 1)
		qsort(account->mailboxes, account->count, sizeof(*account->mailboxes),
		      compare_rows);
	if (keeper->account != NULL)
		account_trim(keeper->account);
}
