/* UID and flags of every message, or of those that changed since a modseq: UID FETCH 1:* (RFC 3501
 * §6.4.8, RFC 7162 §3.1.4.1).
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

static bool listing_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_listing *listing = container_of(command, struct imap_listing, command);
	uint32_t uid = imap_fetch_uid(response);
	uint64_t flags;

	if (!slice_equals_str(response->name, "FETCH"))
		return false;
	if (response->is_damaged)
		listing->is_damaged = true;
	if (response->is_damaged || uid == 0 ||
	    !imap_fetch_flags(command->session, response, &flags))
		return false;
	listing->found(listing, uid, flags);
	return true;
}

static const struct imap_command_type listing_type = {
	.name = "FETCH",
	.untagged = listing_untagged,
};

void imap_listing_start(struct imap_session *session, struct imap_listing *listing,
			imap_command_done done)
{
	struct imap_write *write = &listing->command.write;

	listing->is_damaged = false;
	imap_command_init(session, &listing->command, &listing_type, done);
	imap_write_text(write, "UID FETCH 1:* (UID FLAGS)");
	if (listing->changed_since != 0)
		imap_write_printf(write, " (CHANGEDSINCE %" PRIu64 ")", listing->changed_since);
	imap_command_start(&listing->command);
}
