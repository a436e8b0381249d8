/* The UIDs of all messages: UID SEARCH UID 1:* (RFC 3501 §6.4.4, §6.4.8), as ranges where the
 * server has ESEARCH (RFC 4731 §3.1).
 * SPDX-License-Identifier: MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

static struct imap_search *search_of(struct imap_command *command)
{
	return container_of(command, struct imap_search, command);
}

static void search_range(struct imap_command *command, uint32_t low, uint32_t high)
{
	search_of(command)->found(search_of(command), low, high);
}

/* Without "UID" an ESEARCH response is about message numbers (RFC 4731 §3.1). */
static bool says_uid(const struct imap_response *response)
{
	for (const struct imap_arg *arg = response->args; arg != NULL; arg = arg->next) {
		if (imap_arg_is(arg, "UID"))
			return true;
	}
	return false;
}

static bool search_untagged(struct imap_command *command, const struct imap_response *response)
{
	bool is_esearch = slice_equals_str(response->name, "ESEARCH");

	if (!is_esearch && !slice_equals_str(response->name, "SEARCH"))
		return false;
	if (response->is_damaged || (is_esearch && !says_uid(response)))
		search_of(command)->is_damaged = true;
	return true;
}

/* A server may search the highest UIDs only (MESSAGELIMIT, RFC 9738). */
static void search_tagged(struct imap_command *command, const struct imap_response *response)
{
	if (!imap_reply_goes_on(response, &search_of(command)->highest))
		search_of(command)->is_damaged = true;
}

static const struct imap_command_type search_type = {
	.name = "SEARCH",
	.is_exclusive = true,
	.untagged = search_untagged,
	.range = search_range,
	.tagged = search_tagged,
};

static void search_next(struct imap_session *session, struct imap_search *search);

static void search_done(struct imap_command *command, int code)
{
	struct imap_search *search = search_of(command);

	if (code == 0 && search->highest > 0)
		search_next(command->session, search);
	else
		search->done(command, code);
}

/* iCloud answers wrongly unless the UIDs are named (kenn-io/msgvault#436). */
static void search_next(struct imap_session *session, struct imap_search *search)
{
	struct imap_write *write = &search->command.write;
	bool has_esearch = imap_session_can(session, IMAP_CAP_ESEARCH);

	imap_command_init(session, &search->command, &search_type, search_done);
	imap_write_text(write, has_esearch ? "UID SEARCH RETURN (ALL) UID " : "UID SEARCH UID ");
	imap_write_uids_up_to(write, search->highest);
	imap_command_start(&search->command);
}

void imap_search_start(struct imap_session *session, struct imap_search *search,
		       imap_command_done done)
{
	search->is_damaged = false;
	search->done = done;
	search->highest = UINT32_MAX;
	search_next(session, search);
}
