/* What a keeper knows of a maildrop: how many messages are there, and which stay there.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "keeper_private.h"
#include "syncd/alloc.h"

bool keeper_is_pop3(const struct keeper *keeper)
{
	return keeper->settings->protocol == CONFIG_POP3;
}

void keeper_pull_free(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->left_count; i++) {
		free(keeper->left[i].uid);
		free(keeper->left[i].reason);
	}
	free(keeper->left);
	keeper->left = NULL;
	keeper->left_count = 0;
}

void keeper_pull_note(struct keeper *keeper, const struct account_report *report)
{
	keeper_pull_free(keeper);
	keeper->maildrop_messages = report->messages;
	keeper->maildrop_counts = report->counts;
	keeper->left = xcalloc(report->left_count, sizeof(*keeper->left));
	keeper->left_count = report->left_count;
	for (size_t i = 0; i < report->left_count; i++) {
		const struct account_left *left = &report->left[i];
		keeper->left[i] = (struct account_left){
			.uid = xstrdup(left->uid),
			.size_bytes = left->size_bytes,
			.reason = left->reason != NULL ? xstrdup(left->reason) : NULL,
		};
	}
}

void keeper_pull_fill(const struct keeper *keeper, struct control_mailbox_status *row)
{
	row->messages = keeper->maildrop_messages;
	row->too_large = keeper->maildrop_counts.too_large;
	row->pending = keeper->maildrop_counts.set_aside;
	for (size_t i = 0; i < keeper->left_count; i++) {
		const struct account_left *left = &keeper->left[i];
		control_status_add_left(row, left->uid, left->size_bytes, left->reason);
	}
}
