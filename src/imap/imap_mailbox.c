/* The selected mailbox: SELECT (RFC 3501 §6.3.1) and what the server tells of it
 * unasked (§7.2, §7.3, §7.4).
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "syncd/imap.h"

#include "imap_private.h"

/* --- FETCH items ------------------------------------------------------------ */

const struct imap_arg *imap_fetch_item(const struct imap_response *response, const char *name)
{
	const struct imap_arg *list = response->args;

	if (!slice_equals_str(response->name, "FETCH") || list == NULL || list->kind != IMAP_LIST)
		return NULL;
	for (const struct imap_arg *arg = list->child; arg != NULL && arg->next != NULL;
	     arg = arg->next->next) {
		if (imap_arg_is(arg, name))
			return arg->next;
	}
	return NULL;
}

uint32_t imap_fetch_uid(const struct imap_response *response)
{
	uint64_t uid;

	if (!imap_arg_number(imap_fetch_item(response, "UID"), &uid) || uid > UINT32_MAX)
		return 0;
	return (uint32_t)uid;
}

static uint64_t flags_of(struct keyword_table *keywords, const struct imap_arg *list)
{
	uint64_t flags = 0;
	struct slice name;

	for (const struct imap_arg *arg = list->child; arg != NULL; arg = arg->next) {
		if (imap_arg_text(arg, &name))
			flags |= flags_from_imap(keywords, name);
	}
	return flags;
}

bool imap_fetch_flags(const struct imap_session *session, const struct imap_response *response,
		      uint64_t *flags)
{
	const struct imap_arg *list = imap_fetch_item(response, "FLAGS");

	if (list == NULL || list->kind != IMAP_LIST || session->mailbox.keywords == NULL)
		return false;
	*flags = flags_of(session->mailbox.keywords, list);
	return true;
}

/* --- Untagged data --------------------------------------------------------------- */

/* "\*" means that new keywords can be made (RFC 3501 §7.1). */
static void take_permanent_flags(struct imap_mailbox *mailbox, const struct imap_arg *list)
{
	struct slice name;

	if (list == NULL || list->kind != IMAP_LIST)
		return;
	mailbox->has_permanent_flags = true;
	mailbox->flags_mask = flags_of(mailbox->keywords, list);
	for (const struct imap_arg *arg = list->child; arg != NULL; arg = arg->next) {
		if (imap_arg_text(arg, &name) && slice_equals_str(name, "\\*"))
			mailbox->flags_mask |= FLAGS_KEYWORDS | FLAG_FORWARDED;
	}
}

static bool number_of(const struct imap_arg *arg, uint64_t max, uint64_t *value)
{
	return imap_arg_number(arg, value) && *value <= max;
}

static void take_uidvalidity(struct imap_mailbox *mailbox, uint64_t value)
{
	uint32_t uidvalidity = imap_quirk_uidvalidity((uint32_t)value);

	if (mailbox->is_selected && mailbox->uidvalidity != uidvalidity)
		mailbox->is_validity_changed = true;
	mailbox->uidvalidity = uidvalidity;
}

static void take_code(struct imap_mailbox *mailbox, const struct imap_response *response)
{
	uint64_t number;

	if (slice_equals_str(response->code, "PERMANENTFLAGS"))
		take_permanent_flags(mailbox, response->code_args);
	else if (slice_equals_str(response->code, "UIDVALIDITY") &&
		 number_of(response->code_args, UINT32_MAX, &number))
		take_uidvalidity(mailbox, number);
	else if (slice_equals_str(response->code, "UIDNEXT") &&
		 number_of(response->code_args, UINT32_MAX, &number))
		mailbox->uidnext = (uint32_t)number;
	else if (slice_equals_str(response->code, "HIGHESTMODSEQ") &&
		 number_of(response->code_args, INT64_MAX, &number))
		mailbox->highestmodseq = number;
	else if (slice_equals_str(response->code, "READ-ONLY"))
		mailbox->is_read_only = true;
}

bool imap_mailbox_take(struct imap_session *session, const struct imap_response *response)
{
	struct imap_mailbox *mailbox = &session->mailbox;

	if (mailbox->keywords == NULL)
		return false;
	if (response->kind == IMAP_STATUS) {
		take_code(mailbox, response);
		return false;
	}
	if (slice_equals_str(response->name, "EXISTS") && response->has_number) {
		bool is_news = mailbox->exists != response->number;
		mailbox->exists = response->number;
		mailbox->has_exists = true;
		mailbox->changes += is_news;
		return is_news;
	}
	if (slice_equals_str(response->name, "EXPUNGE") && response->has_number) {
		if (mailbox->exists > 0)
			mailbox->exists--;
		mailbox->changes++;
		return true;
	}
	if (slice_equals_str(response->name, "RECENT"))
		return response->number > 0;
	return slice_equals_str(response->name, "FETCH") ||
	       slice_equals_str(response->name, "VANISHED");
}

/* --- SELECT ------------------------------------------------------------------------ */

static bool select_untagged(struct imap_command *command, const struct imap_response *response)
{
	(void)command;
	return slice_equals_str(response->name, "EXISTS") ||
	       slice_equals_str(response->name, "RECENT") ||
	       slice_equals_str(response->name, "FLAGS");
}

static void select_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_mailbox *mailbox = &command->session->mailbox;

	if (response->condition != IMAP_OK) {
		*mailbox = (struct imap_mailbox){ 0 };
		return;
	}
	take_code(mailbox, response);
	/* Without PERMANENTFLAGS all flags can be stored (RFC 3501 §6.3.1). */
	if (!mailbox->has_permanent_flags)
		mailbox->flags_mask = UINT64_MAX;
	mailbox->is_selected = true;
}

static const struct imap_command_type select_type = {
	.name = "SELECT",
	.is_exclusive = true,
	.untagged = select_untagged,
	.tagged = select_tagged,
};

void imap_select_start(struct imap_session *session, struct imap_command *command,
		       struct slice name, struct keyword_table *keywords, imap_command_done done)
{
	session->mailbox = (struct imap_mailbox){ .keywords = keywords };
	imap_command_init(session, command, &select_type, done);
	imap_write_text(&command->write, "SELECT ");
	imap_write_string(&command->write, name);
	imap_command_start(command);
}
