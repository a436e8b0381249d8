/* What the server tells of the selected mailbox, asked or not (RFC 3501 §7.1 to §7.4, RFC 7162):
 * how it stands, and to its user what changes.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/imap.h"
#include "syncd/must.h"

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

/* --- Response codes --------------------------------------------------------------- */

/* "\*" means that new keywords can be made (RFC 3501 §7.1). */
static void take_permanent_flags(struct imap_mailbox *mailbox, const struct imap_arg *list)
{
	struct slice name;

	if (list == NULL || list->kind != IMAP_LIST)
		return;
	mailbox->has_permanent_flags = true;
	mailbox->named_flags = flags_of(mailbox->keywords, list);
	mailbox->flags_mask = mailbox->named_flags;
	for (const struct imap_arg *arg = list->child; arg != NULL; arg = arg->next) {
		if (imap_arg_text(arg, &name) && slice_equals_str(name, "\\*"))
			mailbox->flags_mask |= FLAGS_KEYWORDS | FLAG_FORWARDED;
	}
}

static bool number_of(const struct imap_arg *arg, uint64_t max, uint64_t *value)
{
	return imap_arg_number(arg, value) && *value <= max;
}

static void distrust_modseqs(struct imap_mailbox *mailbox)
{
	mailbox->has_no_modseq = true;
	mailbox->highestmodseq = 0;
}

static void take_uidvalidity(struct imap_mailbox *mailbox, uint64_t value)
{
	uint32_t uidvalidity = imap_quirk_uidvalidity((uint32_t)value);

	if (mailbox->is_selected && mailbox->uidvalidity != uidvalidity)
		mailbox->is_validity_changed = true;
	mailbox->uidvalidity = uidvalidity;
	/* The value we made up for it is none that the server would know again. */
	if (value != uidvalidity)
		distrust_modseqs(mailbox);
}

/* 63 bits, not negative (RFC 7162 §3.1); Yahoo tells one without having CONDSTORE
 * (whiteout-io/imap-client#40). */
static void take_highestmodseq(struct imap_session *session, const struct imap_response *response)
{
	struct imap_mailbox *mailbox = &session->mailbox;
	uint64_t modseq;

	if (!imap_session_can(session, IMAP_CAP_CONDSTORE) || mailbox->has_no_modseq)
		return;
	if (!number_of(response->code_args, INT64_MAX, &modseq)) {
		distrust_modseqs(mailbox);
		return;
	}
	mailbox->highestmodseq = modseq;
	if (mailbox->is_selected && mailbox->user != NULL)
		mailbox->user->ops->highestmodseq(mailbox->user, modseq, response->tag.len > 0);
}

/* What was told before belongs to the mailbox selected before (RFC 7162 §3.2.11). */
static void take_closed(struct imap_mailbox *mailbox)
{
	if (mailbox->is_selected || mailbox->uidvalidity != 0)
		return;
	*mailbox = (struct imap_mailbox){ .keywords = mailbox->keywords, .user = mailbox->user };
}

void imap_mailbox_take_code(struct imap_session *session, const struct imap_response *response)
{
	struct imap_mailbox *mailbox = &session->mailbox;
	uint64_t number;

	if (slice_equals_str(response->code, "PERMANENTFLAGS"))
		take_permanent_flags(mailbox, response->code_args);
	else if (slice_equals_str(response->code, "UIDVALIDITY") &&
		 number_of(response->code_args, UINT32_MAX, &number))
		take_uidvalidity(mailbox, number);
	else if (slice_equals_str(response->code, "UIDNEXT") &&
		 number_of(response->code_args, UINT32_MAX, &number))
		mailbox->uidnext = (uint32_t)number;
	else if (slice_equals_str(response->code, "HIGHESTMODSEQ"))
		take_highestmodseq(session, response);
	else if (slice_equals_str(response->code, "NOMODSEQ"))
		distrust_modseqs(mailbox);
	else if (slice_equals_str(response->code, "READ-ONLY"))
		mailbox->is_read_only = true;
	else if (slice_equals_str(response->code, "CLOSED"))
		take_closed(mailbox);
}

/* The tagged answer of another command than SELECT: RFC 7162 §3.2.7 puts the new
 * HIGHESTMODSEQ into that of an EXPUNGE. */
static void take_tagged(struct imap_session *session, const struct imap_response *response)
{
	if (session->mailbox.is_selected && response->condition == IMAP_OK &&
	    slice_equals_str(response->code, "HIGHESTMODSEQ"))
		take_highestmodseq(session, response);
}

/* --- Untagged data: how many there are ------------------------------------------------ */

/* Before UIDVALIDITY nobody knows which mailbox is meant: the one selected before may
 * still have had something to say. */
static bool is_placed(struct imap_mailbox *mailbox)
{
	if (mailbox->user == NULL)
		return false;
	if (mailbox->uidvalidity != 0)
		return true;
	mailbox->has_missed = true;
	return false;
}

static bool take_exists(struct imap_session *session, uint32_t now)
{
	struct imap_mailbox *mailbox = &session->mailbox;
	uint32_t before = mailbox->exists;
	struct error err;

	if (now > IMAP_EXISTS_MAX) {
		(void)error_set(&err, SYNCD_ELIMIT,
				"the server says that the mailbox has %" PRIu32
				" messages, which is more than %d",
				now, IMAP_EXISTS_MAX);
		imap_session_fail(session, &err);
		return false;
	}
	mailbox->exists = now;
	mailbox->has_exists = true;
	if (before == now)
		return false;
	mailbox->changes++;
	if (mailbox->is_selected && mailbox->user != NULL)
		mailbox->user->ops->counted(mailbox->user, before, now);
	return true;
}

static void take_expunge(struct imap_mailbox *mailbox)
{
	if (mailbox->exists > 0)
		mailbox->exists--;
	mailbox->changes++;
	if (is_placed(mailbox))
		mailbox->user->ops->expunged(mailbox->user);
}

static bool is_earlier(const struct imap_response *response)
{
	return response->args != NULL && response->args->kind == IMAP_LIST &&
	       imap_arg_is(response->args->child, "EARLIER");
}

bool imap_mailbox_take(struct imap_session *session, const struct imap_response *response)
{
	struct imap_mailbox *mailbox = &session->mailbox;

	if (mailbox->keywords == NULL)
		return false;
	if (response->kind == IMAP_STATUS) {
		if (response->tag.len > 0)
			take_tagged(session, response);
		else
			imap_mailbox_take_code(session, response);
		return false;
	}
	if (slice_equals_str(response->name, "EXISTS") && response->has_number)
		return take_exists(session, response->number);
	if (slice_equals_str(response->name, "EXPUNGE") && response->has_number) {
		take_expunge(mailbox);
		return true;
	}
	if (slice_equals_str(response->name, "RECENT"))
		return response->number > 0;
	if (slice_equals_str(response->name, "VANISHED")) {
		mailbox->changes += !is_earlier(response);
		return true;
	}
	return slice_equals_str(response->name, "FETCH");
}

/* --- Untagged data: what changed -------------------------------------------------------- */

static bool is_own_removal(struct imap_session *session, uint32_t low, uint32_t high)
{
	list_for_each(link, &session->flight)
	{
		struct imap_command *command = container_of(link, struct imap_command, link);
		if (command->type->is_own_removal != NULL &&
		    command->type->is_own_removal(command, low, high))
			return true;
	}
	return false;
}

/* Each UID of it is one message less (RFC 7162 §3.2.10.2): more than there are cannot go. */
void imap_mailbox_vanished(struct imap_session *session, uint32_t low, uint32_t high,
			   bool is_earlier)
{
	struct imap_mailbox *mailbox = &session->mailbox;
	bool is_possible = is_earlier || high - low < mailbox->exists;

	if (mailbox->keywords == NULL)
		return;
	if (!is_earlier && is_possible)
		mailbox->exists -= high - low + 1;
	if (!is_placed(mailbox))
		return;
	if (!is_possible)
		mailbox->user->ops->damaged(mailbox->user, false);
	else
		mailbox->user->ops->vanished(mailbox->user, low, high, is_earlier,
					     is_own_removal(session, low, high));
}

static bool is_own_change(struct imap_session *session, const struct imap_fetched *fetched)
{
	list_for_each(link, &session->flight)
	{
		struct imap_command *command = container_of(link, struct imap_command, link);
		if (command->type->is_own_change != NULL &&
		    command->type->is_own_change(command, fetched->uid,
						 fetched->has_flags ? &fetched->flags : NULL))
			return true;
	}
	return false;
}

/* MODSEQ (12345), or 0. Strato's are negative: then none of this mailbox can be trusted. */
static uint64_t modseq_of(struct imap_mailbox *mailbox, const struct imap_response *response)
{
	const struct imap_arg *item = imap_fetch_item(response, "MODSEQ");
	uint64_t modseq;

	if (item == NULL)
		return 0;
	if (number_of(item->kind == IMAP_LIST ? item->child : item, INT64_MAX, &modseq))
		return modseq;
	distrust_modseqs(mailbox);
	return 0;
}

static void tell_fetched(struct imap_session *session, const struct imap_response *response,
			 bool was_asked)
{
	struct imap_mailbox *mailbox = &session->mailbox;
	struct imap_fetched fetched = {
		.uid = imap_fetch_uid(response),
		.modseq = modseq_of(mailbox, response),
		.was_asked = was_asked,
	};

	fetched.has_flags = imap_fetch_flags(session, response, &fetched.flags);
	if (!fetched.has_flags && fetched.modseq == 0)
		return;
	fetched.is_own = fetched.uid != 0 && is_own_change(session, &fetched);
	mailbox->user->ops->fetched(mailbox->user, &fetched);
}

void imap_mailbox_tell(struct imap_session *session, const struct imap_response *response,
		       bool was_asked)
{
	struct imap_mailbox *mailbox = &session->mailbox;
	bool is_fetch = slice_equals_str(response->name, "FETCH");

	if (mailbox->keywords == NULL ||
	    (!is_fetch && !slice_equals_str(response->name, "VANISHED")) || !is_placed(mailbox))
		return;
	if (response->is_damaged)
		mailbox->user->ops->damaged(mailbox->user, was_asked);
	else if (is_fetch)
		tell_fetched(session, response, was_asked);
}
