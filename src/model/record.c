/* Batches of state changes.
 * SPDX-License-Identifier: MIT */
#include "syncd/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

int mailbox_name_compare(const char *a, const char *b)
{
	bool a_is_inbox = strcmp(a, "INBOX") == 0;
	bool b_is_inbox = strcmp(b, "INBOX") == 0;

	if (a_is_inbox != b_is_inbox)
		return a_is_inbox ? -1 : 1;
	return strcmp(a, b);
}

bool mailbox_has_held(const struct mailbox_record *mailbox)
{
	return mailbox->held_remote.count > 0 || mailbox->held_local.count > 0;
}

void store_batch_init(struct store_batch *batch)
{
	batch->first = NULL;
	batch->last = &batch->first;
	batch->count = 0;
}

void store_batch_free(struct store_batch *batch)
{
	while (batch->first != NULL) {
		struct store_change *change = batch->first;
		batch->first = change->next;
		if (change->kind == STORE_PUT_MAILBOX)
			keyword_table_free(&change->u.mailbox.keywords);
		free(change);
	}
	store_batch_init(batch);
}

void store_batch_move(struct store_batch *to, struct store_batch *from)
{
	if (from->first == NULL)
		return;
	*to->last = from->first;
	to->last = from->last;
	to->count += from->count;
	store_batch_init(from);
}

/* Allocates the common head and `size` bytes of the union. */
static struct store_change *store_batch_add(struct store_batch *batch, enum store_change_kind kind,
					    uint32_t mailbox_id, size_t size)
{
	struct store_change *change = xcalloc(1, offsetof(struct store_change, u) + size);

	change->kind = kind;
	change->mailbox_id = mailbox_id;
	*batch->last = change;
	batch->last = &change->next;
	batch->count++;
	return change;
}

void store_batch_put_mailbox(struct store_batch *batch, const struct mailbox_record *mailbox)
{
	struct store_change *change =
		store_batch_add(batch, STORE_PUT_MAILBOX, mailbox->id, sizeof(*mailbox));

	change->u.mailbox = *mailbox;
	keyword_table_copy(&change->u.mailbox.keywords, &mailbox->keywords);
}

void store_batch_delete_mailbox(struct store_batch *batch, uint32_t mailbox_id)
{
	store_batch_add(batch, STORE_DELETE_MAILBOX, mailbox_id, 0);
}

void store_batch_put_message(struct store_batch *batch, uint32_t mailbox_id,
			     const struct message_record *message)
{
	must(message->uid != 0);
	store_batch_add(batch, STORE_PUT_MESSAGE, mailbox_id, sizeof(*message))->u.message =
		*message;
}

void store_batch_set_flags(struct store_batch *batch, uint32_t mailbox_id, uint32_t uid,
			   uint64_t flags)
{
	struct store_change *change =
		store_batch_add(batch, STORE_SET_FLAGS, mailbox_id, sizeof(change->u.message));

	change->u.message.uid = uid;
	change->u.message.flags = flags;
}

void store_batch_delete_message(struct store_batch *batch, uint32_t mailbox_id, uint32_t uid)
{
	struct store_change *change =
		store_batch_add(batch, STORE_DELETE_MESSAGE, mailbox_id, sizeof(change->u.message));

	change->u.message.uid = uid;
}

void store_batch_put_journal(struct store_batch *batch, uint32_t mailbox_id,
			     const struct journal_record *journal)
{
	store_batch_add(batch, STORE_PUT_JOURNAL, mailbox_id, sizeof(*journal))->u.journal =
		*journal;
}

void store_batch_delete_journal(struct store_batch *batch, uint32_t mailbox_id,
				enum journal_kind kind, const char *name)
{
	struct store_change *change =
		store_batch_add(batch, STORE_DELETE_JOURNAL, mailbox_id, sizeof(change->u.journal));

	change->u.journal.kind = kind;
	(void)snprintf(change->u.journal.name, sizeof(change->u.journal.name), "%s", name);
}

void store_batch_put_expunge(struct store_batch *batch, uint32_t mailbox_id, uint32_t uidvalidity,
			     uint32_t uid, int64_t looked_s)
{
	struct journal_record journal = {
		.kind = JOURNAL_EXPUNGE,
		.uid = uid,
		.uidvalidity = uidvalidity,
		.looked_s = looked_s,
	};

	(void)snprintf(journal.name, sizeof(journal.name), "%u", (unsigned)uid);
	store_batch_put_journal(batch, mailbox_id, &journal);
}

void store_batch_delete_expunge(struct store_batch *batch, uint32_t mailbox_id, uint32_t uid)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%u", (unsigned)uid);
	store_batch_delete_journal(batch, mailbox_id, JOURNAL_EXPUNGE, name);
}

#define REMOVAL_NAME "-"

void store_batch_put_removal(struct store_batch *batch, uint32_t mailbox_id)
{
	const struct journal_record journal = { .kind = JOURNAL_REMOVE, .name = REMOVAL_NAME };

	store_batch_put_journal(batch, mailbox_id, &journal);
}

void store_batch_delete_removal(struct store_batch *batch, uint32_t mailbox_id)
{
	store_batch_delete_journal(batch, mailbox_id, JOURNAL_REMOVE, REMOVAL_NAME);
}

void store_batch_put_setaside(struct store_batch *batch, uint32_t mailbox_id,
			      const struct setaside_record *setaside)
{
	store_batch_add(batch, STORE_PUT_SETASIDE, mailbox_id, sizeof(*setaside))->u.setaside =
		*setaside;
}

void store_batch_delete_setaside(struct store_batch *batch, uint32_t mailbox_id, uint32_t uid,
				 const char *name)
{
	struct store_change *change = store_batch_add(batch, STORE_DELETE_SETASIDE, mailbox_id,
						      sizeof(change->u.setaside));

	change->u.setaside.uid = uid;
	(void)snprintf(change->u.setaside.name, sizeof(change->u.setaside.name), "%s",
		       uid == 0 ? name : "");
}

void store_batch_put_pop3(struct store_batch *batch, const struct pop3_record *pop3)
{
	must(pop3->id != 0 && pop3->name[0] != '\0');
	store_batch_add(batch, STORE_PUT_POP3, 0, sizeof(*pop3))->u.pop3 = *pop3;
}

void store_batch_delete_pop3(struct store_batch *batch, uint32_t id)
{
	store_batch_add(batch, STORE_DELETE_POP3, 0, sizeof(id))->u.pop3_id = id;
}
