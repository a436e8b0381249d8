/* The messages of a mailbox of the model of an IMAP server, their modseqs, and what it
 * remembers of those that vanished (RFC 7162).
 * SPDX-License-Identifier: MIT */
#include "model.h"

#include <string.h>

#include "syncd/must.h"

/* --- Modseqs ------------------------------------------------------------------------ */

uint64_t model_server_modseq(const struct world *world, const struct model_mailbox *mailbox)
{
	return world->server.modseqs == MODSEQS_NONE ? 0 : mailbox->highestmodseq;
}

/* Counted in steps of more than one: another mailbox may share the counter. */
uint64_t model_next_modseq(struct world *world, struct model_mailbox *mailbox)
{
	return mailbox->highestmodseq += 1 + rng_below(&world->rng, 3);
}

/* An index that was rebuilt: the counter starts again, and none is told. */
static void forget_modseqs(struct model_mailbox *mailbox)
{
	mailbox->highestmodseq = 1;
	mailbox->vanished_count = 0;
	mailbox->forgotten = 0;
	for (size_t i = 0; i < mailbox->count; i++)
		mailbox->messages[i].modseq = 1;
}

/* Whether a change goes by without a modseq of its own, as on a server that cannot be trusted. */
static bool is_hidden(struct world *world, struct model_mailbox *mailbox, bool is_own)
{
	if (!world->server.is_untrustworthy || is_own || rng_below(&world->rng, 4) != 0)
		return false;
	if (rng_below(&world->rng, 8) == 0)
		forget_modseqs(mailbox);
	return true;
}

static void remember_vanished(struct world *world, struct model_mailbox *mailbox, uint32_t uid)
{
	must(mailbox->vanished_count < MODEL_VANISHED_MAX);
	mailbox->vanished[mailbox->vanished_count++] =
		(struct model_vanished){ .uid = uid, .modseq = mailbox->highestmodseq };
	if (!world->server.forgets_vanished || rng_below(&world->rng, 4) != 0)
		return;
	mailbox->vanished_count = 0;
	mailbox->forgotten = mailbox->highestmodseq;
}

uint64_t model_email_id(uint32_t content)
{
	return (uint64_t)content * 0x100000001 + 7;
}

/* --- Changes -------------------------------------------------------------------------- */

struct model_message *model_message_find(struct model_mailbox *mailbox, uint32_t uid)
{
	for (size_t i = 0; i < mailbox->count; i++) {
		if (mailbox->messages[i].uid == uid)
			return &mailbox->messages[i];
	}
	return NULL;
}

struct model_message *model_server_add(struct world *world, struct model_mailbox *mailbox,
				       uint32_t content, uint64_t flags, bool is_own)
{
	bool is_silent = is_hidden(world, mailbox, is_own);

	must(mailbox->count < MODEL_MESSAGES_MAX);
	if (world->server.names_unknown && rng_below(&world->rng, 4) == 0)
		mailbox->uidnext += 2; /* UIDs that nobody ever had */
	struct model_message *message = &mailbox->messages[mailbox->count++];
	*message = (struct model_message){
		.uid = mailbox->uidnext++,
		.content = content,
		.flags = flags & ~world->server.drops,
		.date_s = world_now_s(world),
		.modseq = is_silent ? mailbox->highestmodseq : model_next_modseq(world, mailbox),
	};
	mailbox->others_changes += !is_own && !is_silent;
	return message;
}

/* For a session on the target this comes from elsewhere, even if it is our own on the source. */
struct model_message *model_server_copy(struct world *world, struct model_mailbox *target,
					const struct model_message *message)
{
	struct model_message original = *message; /* it may be of the same mailbox */
	struct model_message *copy =
		model_server_add(world, target, original.content, original.flags, false);

	copy->date_s = original.date_s;
	return copy;
}

void model_server_set_flags(struct world *world, struct model_mailbox *mailbox,
			    struct model_message *message, uint64_t flags, bool is_own)
{
	flags &= ~world->server.drops;
	if (message->flags == flags &&
	    (!world->server.bumps_for_nothing || rng_below(&world->rng, 2) == 0))
		return;
	message->flags = flags;
	if (is_hidden(world, mailbox, is_own))
		return;
	message->modseq = model_next_modseq(world, mailbox);
	mailbox->others_changes += !is_own;
}

/* Some servers that have no QRESYNC do not count an expunge as a change of the mailbox; and
 * if they are lazy, too, the number of messages is all that tells. */
void model_server_remove(struct world *world, struct model_mailbox *mailbox,
			 struct model_message *message, bool is_own)
{
	const struct model_server *server = &world->server;
	size_t index = (size_t)(message - mailbox->messages);
	uint32_t uid = message->uid;

	must(index < mailbox->count);
	memmove(message, message + 1, (mailbox->count - index - 1) * sizeof(*message));
	mailbox->count--;
	if (is_hidden(world, mailbox, is_own))
		return;
	if (!server->hides_expunges) {
		(void)model_next_modseq(world, mailbox);
		remember_vanished(world, mailbox, uid);
	}
	mailbox->others_changes += !is_own && !(server->hides_expunges && server->is_lazy);
}

struct model_message *model_message_create(struct world *world, struct model_mailbox *mailbox,
					   uint32_t content, uint64_t flags)
{
	return model_server_add(world, mailbox, content, flags, false);
}

void model_message_set_flags(struct world *world, struct model_mailbox *mailbox,
			     struct model_message *message, uint64_t flags)
{
	model_server_set_flags(world, mailbox, message, flags, false);
}

void model_message_delete(struct world *world, struct model_mailbox *mailbox,
			  struct model_message *message)
{
	model_server_remove(world, mailbox, message, false);
}

/* --- What changed --------------------------------------------------------------------------- */

static void tell_vanished(struct world *world, const struct model_mailbox *mailbox, uint64_t since,
			  struct uidset *gone)
{
	const struct model_server *server = &world->server;

	for (size_t i = 0; i < mailbox->vanished_count; i++) {
		if (mailbox->vanished[i].modseq > since)
			must(uidset_add(gone, mailbox->vanished[i].uid) == 0);
	}
	if (since < mailbox->forgotten) { /* then it names all it does not have (§3.2.6) */
		if (mailbox->uidnext > 1)
			must(uidset_add_range(gone, 1, mailbox->uidnext - 1) == 0);
		for (size_t i = 0; i < mailbox->count; i++)
			must(uidset_remove_range(gone, mailbox->messages[i].uid,
						 mailbox->messages[i].uid) == 0);
	}
	if (server->names_all && model_store_count(world, mailbox->name) >= MODEL_MANY &&
	    rng_below(&world->rng, 4) == 0)
		must(uidset_add_range(gone, 1, mailbox->uidnext - 1) == 0);
	if (server->names_unknown && rng_below(&world->rng, 2) == 0)
		must(uidset_add_range(gone, mailbox->uidnext + 2, UINT32_MAX) == 0);
}

void model_server_delta(struct world *world, const struct model_mailbox *mailbox, uint64_t since,
			struct remote_observation *out)
{
	must(world->server.modseqs != MODSEQS_NONE);
	out->is_delta = true;
	for (size_t i = 0; i < mailbox->count; i++) {
		if (mailbox->messages[i].modseq > since)
			remote_observation_add(out, mailbox->messages[i].uid,
					       mailbox->messages[i].flags);
	}
	remote_observation_sort(out);
	out->tells_gone = world->server.modseqs == MODSEQS_QRESYNC;
	if (out->tells_gone)
		tell_vanished(world, mailbox, since, &out->gone);
}
