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

static const struct imap_command_type search_type = {
	.name = "SEARCH",
	.is_exclusive = true,
	.untagged = search_untagged,
	.range = search_range,
};

/* iCloud answers wrongly unless the UIDs are named (kenn-io/msgvault#436). */
void imap_search_start(struct imap_session *session, struct imap_search *search,
		       imap_command_done done)
{
	bool has_esearch = imap_session_can(session, IMAP_CAP_ESEARCH);

	search->is_damaged = false;
	imap_command_init(session, &search->command, &search_type, done);
	imap_write_text(&search->command.write,
			has_esearch ? "UID SEARCH RETURN (ALL) UID 1:*" : "UID SEARCH UID 1:*");
	imap_command_start(&search->command);
}
