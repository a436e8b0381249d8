/* Whether a message that goes from one mailbox is in another.
 * SPDX-License-Identifier: MIT */
#include "elsewhere.h"

#define PLACES_MAX 16 /* copies of one message that are looked at */

/* Whether another mailbox has what this place says, and keeps it: one that may be about to lose it,
 * too, does not count, as this one's copy vouches for it. */
static int is_place_another(const struct elsewhere *elsewhere, const struct message_record *message,
			    const struct message_place *place, bool *is_another, struct error *err)
{
	struct store_port *store = elsewhere->store;
	struct message_record other;
	bool is_there = false;

	*is_another = false;
	if (place->mailbox_id == elsewhere->mailbox_id ||
	    (elsewhere->is_losing != NULL &&
	     elsewhere->is_losing(elsewhere->context, place->mailbox_id)))
		return 0;
	int code = store->ops->message_get(store, place->mailbox_id, place->uid, &is_there, &other,
					   err);
	*is_another = code == 0 && is_there && other.size_bytes == message->size_bytes;
	return code;
}

int elsewhere_find(const struct elsewhere *elsewhere, uint32_t uid, bool *is_found,
		   struct error *err)
{
	struct store_port *store = elsewhere->store;
	struct message_place places[PLACES_MAX];
	struct message_record message;
	size_t count = 0;
	int code =
		store->ops->message_get(store, elsewhere->mailbox_id, uid, is_found, &message, err);

	if (code == 0 && *is_found && digest_has_message_id(&message.identity))
		code = store->ops->messages_by_identity(store, &message.identity, places,
							PLACES_MAX, &count, err);
	*is_found = false;
	for (size_t i = 0; code == 0 && i < count && !*is_found; i++)
		code = is_place_another(elsewhere, &message, &places[i], is_found, err);
	return code;
}
