/* Every message's UID and flags: UID FETCH 1:* (UID FLAGS) (RFC 3501 §6.4.8).
 * SPDX-License-Identifier: MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

static bool listing_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_listing *listing = container_of(command, struct imap_listing, command);
	uint32_t uid = imap_fetch_uid(response);
	uint64_t flags;

	if (uid == 0 || !imap_fetch_flags(command->session, response, &flags))
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
	imap_command_init(session, &listing->command, &listing_type, done);
	imap_write_text(&listing->command.write, "UID FETCH 1:* (UID FLAGS)");
	imap_command_start(&listing->command);
}
