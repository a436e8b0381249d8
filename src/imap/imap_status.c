/* How a mailbox stands without selecting it: STATUS (RFC 3501 §6.3.10, §7.2.4), with HIGHESTMODSEQ
 * (RFC 7162 §3.1.7) and MAILBOXID (RFC 8474 §4.3).
 * SPDX-License-Identifier: MIT */
#include "syncd/identity.h"
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

/* What stands after the named item, or NULL. */
static const struct imap_arg *argument_of(const struct imap_arg *items, const char *name)
{
	for (const struct imap_arg *arg = items->child; arg != NULL && arg->next != NULL;
	     arg = arg->next->next) {
		if (imap_arg_is(arg, name))
			return arg->next;
	}
	return NULL;
}

/* The number after the named item, or false. */
static bool item_of(const struct imap_arg *items, const char *name, uint64_t max, uint64_t *value)
{
	return imap_arg_number(argument_of(items, name), value) && *value <= max;
}

static const struct imap_arg *items_of(const struct imap_response *response, struct slice *name)
{
	const struct imap_arg *items = response->args != NULL ? response->args->next : NULL;

	if (!slice_equals_str(response->name, "STATUS") || response->is_damaged ||
	    !imap_list_name(response->args, name) || items == NULL || items->kind != IMAP_LIST)
		return NULL;
	return items;
}

/* A list that lacks something (163.com's is empty: modern-email/defects#15) tells nothing. A
 * UIDVALIDITY of 0 goes with no modseq, as after SELECT. */
static void read_standing(const struct imap_arg *items, struct imap_told *told)
{
	uint64_t uidvalidity;
	uint64_t uidnext;
	uint64_t messages;
	uint64_t highestmodseq;

	if (!item_of(items, "UIDVALIDITY", UINT32_MAX, &uidvalidity) ||
	    !item_of(items, "UIDNEXT", UINT32_MAX, &uidnext) ||
	    !item_of(items, "MESSAGES", UINT32_MAX, &messages))
		return;
	if (!item_of(items, "HIGHESTMODSEQ", INT64_MAX, &highestmodseq) || uidvalidity == 0)
		highestmodseq = 0;
	told->uidvalidity = imap_quirk_uidvalidity((uint32_t)uidvalidity);
	told->uidnext = (uint32_t)uidnext;
	told->messages = (uint32_t)messages;
	told->highestmodseq = highestmodseq;
}

/* MAILBOXID (F2212ea87-6097-4256-9d51-71338625): case counts (RFC 8474 §7). */
static void read_id(const struct imap_arg *items, struct imap_told *told)
{
	const struct imap_arg *id = argument_of(items, "MAILBOXID");
	struct slice text;

	if (id != NULL && id->kind == IMAP_LIST && imap_arg_text(id->child, &text) && text.len > 0)
		told->mailbox_id = digest_number(text);
}

bool imap_status_read(const struct imap_response *response, struct slice *name,
		      struct imap_told *told)
{
	const struct imap_arg *items = items_of(response, name);

	*told = (struct imap_told){ 0 };
	if (items == NULL)
		return false;
	read_standing(items, told);
	read_id(items, told);
	return true;
}

bool imap_status_read_news(const struct imap_response *response, struct imap_news *news)
{
	const struct imap_arg *items = items_of(response, &news->name);
	uint64_t value;

	if (items == NULL || news->name.len > IMAP_NAME_MAX)
		return false;
	if (item_of(items, "UIDVALIDITY", UINT32_MAX, &value))
		news->uidvalidity = (uint32_t)value;
	if (item_of(items, "UIDNEXT", UINT32_MAX, &value))
		news->uidnext = (uint32_t)value;
	news->has_messages = item_of(items, "MESSAGES", UINT32_MAX, &value);
	if (news->has_messages)
		news->messages = (uint32_t)value;
	if (item_of(items, "HIGHESTMODSEQ", INT64_MAX, &value))
		news->highestmodseq = value;
	return true;
}

static bool is_same_mailbox(struct slice a, struct slice b)
{
	return slice_equals(a, b) ||
	       (slice_case_equals_str(a, "INBOX") && slice_case_equals_str(b, "INBOX"));
}

/* Several are in flight: each takes the answer that names its mailbox. */
static bool status_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_status *status = container_of(command, struct imap_status, command);
	struct imap_told told;
	struct slice name;

	if (!imap_status_read(response, &name, &told) || !is_same_mailbox(name, status->name))
		return false;
	status->told = told;
	return true;
}

static const struct imap_command_type status_type = {
	.name = "STATUS",
	.untagged = status_untagged,
};

void imap_status_write(struct imap_session *session, unsigned wishes, struct imap_write *write)
{
	bool wants_status = (wishes & IMAP_WANTS_STATUS) != 0;

	must(wishes != 0);
	imap_write_text(write, "(");
	if (wants_status)
		imap_write_text(write, "MESSAGES UIDNEXT UIDVALIDITY");
	if (wants_status && imap_session_can(session, IMAP_CAP_CONDSTORE))
		imap_write_text(write, " HIGHESTMODSEQ");
	if ((wishes & IMAP_WANTS_ID) != 0)
		imap_write_text(write, wants_status ? " MAILBOXID" : "MAILBOXID");
	imap_write_text(write, ")");
}

void imap_status_start(struct imap_session *session, struct imap_status *status,
		       imap_command_done done)
{
	struct imap_write *write = &status->command.write;

	status->told = (struct imap_told){ 0 };
	imap_command_init(session, &status->command, &status_type, done);
	imap_write_text(write, "STATUS ");
	imap_write_string(write, status->name);
	imap_write_text(write, " ");
	imap_status_write(session, status->wishes, write);
	imap_command_start(&status->command);
}
