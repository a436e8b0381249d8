/* The status as the daemon fills it.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "control_private.h"
#include "syncd/alloc.h"

struct control_account_status *control_status_add_account(struct control_status *status,
							  const char *name)
{
	status->accounts =
		xgrow(status->accounts, status->count, &status->cap, sizeof(*status->accounts));
	struct control_account_status *account = &status->accounts[status->count++];
	*account = (struct control_account_status){ .name = xstrdup(name) };
	return account;
}

struct control_mailbox_status *control_status_add_mailbox(struct control_account_status *account,
							  const char *name)
{
	account->mailboxes = xgrow(account->mailboxes, account->count, &account->cap,
				   sizeof(*account->mailboxes));
	struct control_mailbox_status *mailbox = &account->mailboxes[account->count++];
	*mailbox = (struct control_mailbox_status){ .name = xstrdup(name) };
	return mailbox;
}

void control_names_add(struct control_names *names, const char *name)
{
	names->items = xgrow(names->items, names->count, &names->cap, sizeof(*names->items));
	names->items[names->count++] = xstrdup(name);
}

static void names_free(struct control_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

void control_status_add_aside(struct control_mailbox_status *mailbox,
			      const struct setaside_record *record)
{
	mailbox->aside = xgrow(mailbox->aside, mailbox->aside_count, &mailbox->aside_cap,
			       sizeof(*mailbox->aside));
	mailbox->aside[mailbox->aside_count++] = *record;
}

void control_status_add_left(struct control_mailbox_status *mailbox, const char *uid,
			     uint64_t size_bytes, const char *reason)
{
	mailbox->left = xgrow(mailbox->left, mailbox->left_count, &mailbox->left_cap,
			      sizeof(*mailbox->left));
	mailbox->left[mailbox->left_count++] = (struct control_left){
		.uid = xstrdup(uid),
		.size_bytes = size_bytes,
		.reason = reason != NULL ? xstrdup(reason) : NULL,
	};
}

static void left_free(struct control_mailbox_status *mailbox)
{
	for (size_t i = 0; i < mailbox->left_count; i++) {
		free(mailbox->left[i].uid);
		free(mailbox->left[i].reason);
	}
	free(mailbox->left);
}

void status_free(struct control_status *status)
{
	for (size_t i = 0; i < status->count; i++) {
		struct control_account_status *account = &status->accounts[i];
		for (size_t j = 0; j < account->count; j++) {
			free(account->mailboxes[j].name);
			free(account->mailboxes[j].aside);
			left_free(&account->mailboxes[j]);
			names_free(&account->mailboxes[j].server_keywords);
			names_free(&account->mailboxes[j].local_keywords);
		}
		free(account->mailboxes);
		free(account->name);
	}
	free(status->accounts);
	*status = (struct control_status){ .count = 0 };
}
