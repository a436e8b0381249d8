/* The local port's account: root, list of mailboxes, making and opening them.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "local_private.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define HOST_MAX 256
#define WARNED_MAX 256 /* paths; a tree with more oddities is said to be odd enough */

static struct adapter_local *local_of(struct local_account *account)
{
	return container_of(account, struct adapter_local, account);
}

static int account_check(struct local_account *account, bool is_first, struct error *err)
{
	struct adapter_local *local = local_of(account);
	bool was_strange;
	int code = maildir_root_check(&local->root, is_first, &was_strange, err);

	if (was_strange)
		log_warn(local->log_name, "maildir %s carried another state's mark; taken over",
			 local->root.path);
	return code;
}

/* --- Listing ------------------------------------------------------------------ */

struct list_entry {
	char *name;
	const char *unusable_why; /* a literal, or NULL */
	uint64_t lasting_id;
};

struct list_work {
	struct local_work work;
	struct adapter_local *local;
	struct local_list_req *req;
	struct list_entry *entries;
	size_t count;
	size_t cap;
};

static void list_found(void *context, const char *name, const char *unusable_why,
		       uint64_t lasting_id)
{
	struct list_work *list = context;

	list->entries = xgrow(list->entries, list->count, &list->cap, sizeof(*list->entries));
	list->entries[list->count++] =
		(struct list_entry){ xstrdup(name), unusable_why, lasting_id };
}

static int list_run(struct local_work *work, struct error *err)
{
	struct list_work *list = container_of(work, struct list_work, work);

	return maildir_list(&list->local->root, list_found, list, err);
}

static void warn_once(struct adapter_local *local, const struct list_entry *entry)
{
	for (size_t i = 0; i < local->warned_count; i++) {
		if (strcmp(local->warned[i], entry->name) == 0)
			return;
	}
	if (local->warned_count == WARNED_MAX)
		return;
	log_warn(local->log_name, "%s/%s is left alone: %s", local->root.path, entry->name,
		 entry->unusable_why);
	local->warned = xgrow(local->warned, local->warned_count, &local->warned_cap,
			      sizeof(*local->warned));
	local->warned[local->warned_count++] = xstrdup(entry->name);
}

static void list_report(struct list_work *list, const struct list_entry *entry)
{
	struct mailbox_info info = {
		.name = entry->name,
		.is_selectable = entry->unusable_why == NULL,
		.is_marked_unusable = entry->unusable_why != NULL,
		.lasting_id = entry->lasting_id,
	};

	if (info.is_marked_unusable)
		warn_once(list->local, entry);
	list->req->found(list->req, &info);
}

static int list_finish(struct local_work *work, int code, struct error *err)
{
	struct list_work *list = container_of(work, struct list_work, work);

	(void)err;
	for (size_t i = 0; i < list->count; i++) {
		if (code == 0)
			list_report(list, &list->entries[i]);
		free(list->entries[i].name);
	}
	free(list->entries);
	return code;
}

static void account_list(struct local_account *account, struct local_list_req *req)
{
	struct list_work *list = xcalloc(1, sizeof(*list));

	list->work.run = list_run;
	list->work.finish = list_finish;
	list->local = local_of(account);
	list->req = req;
	local_work_start(list->local->loop, &list->local->works, &list->work, &req->op, 0);
}

static bool account_is_unchanged(struct local_account *account, const char *name,
				 const struct local_mtimes *known)
{
	return maildir_has_mtimes(&local_of(account)->root, name, known);
}

/* --- Making, moving, removing and opening ------------------------------------------ */

static int account_create(struct local_account *account, const char *name, struct error *err)
{
	return maildir_create(&local_of(account)->root, name, err);
}

static int account_rename(struct local_account *account, const char *from, const char *to,
			  struct error *err)
{
	return maildir_rename_mailbox(&local_of(account)->root, from, to, err);
}

static int account_remove(struct local_account *account, const char *name, struct error *err)
{
	return maildir_remove_mailbox(&local_of(account)->root, name, err);
}

static int account_open(struct local_account *account, const char *name,
			struct keyword_table *keywords, struct local_mailbox **mailbox,
			struct error *err)
{
	return local_mailbox_open(local_of(account), name, keywords, mailbox, err);
}

static const struct local_account_ops account_ops = {
	.check = account_check,
	.list = account_list,
	.is_unchanged = account_is_unchanged,
	.create = account_create,
	.rename = account_rename,
	.remove = account_remove,
	.open = account_open,
};

struct local_account *adapter_local_new(struct loop *loop,
					const struct adapter_local_options *options)
{
	struct adapter_local *local = xcalloc(1, sizeof(*local));
	char host[HOST_MAX] = "";

	if (options->host == NULL && gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	local->account.ops = &account_ops;
	local->loop = loop;
	local->log_name = options->account != NULL ? xstrdup(options->account) : NULL;
	local->line_endings = options->line_endings;
	maildir_root_init(&local->root, options->root, options->layout, options->identity);
	maildir_namer_init(&local->namer, options->host != NULL ? options->host : host,
			   loop_random(loop));
	list_init(&local->works);
	return &local->account;
}

void adapter_local_free(struct local_account **account)
{
	struct adapter_local *local = local_of(*account);

	must(list_is_empty(&local->works) && local->open_mailboxes == 0);
	for (size_t i = 0; i < local->warned_count; i++)
		free(local->warned[i]);
	free(local->warned);
	maildir_root_free(&local->root);
	free(local->log_name);
	free(local);
	*account = NULL;
}
