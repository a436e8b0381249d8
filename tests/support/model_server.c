/* The mailbox of the model of an IMAP server: messages, their modseqs, and what it
 * remembers of those that vanished (RFC 7162).
 * SPDX-License-Identifier: MIT */
#include "model.h"

#include <string.h>

#include "syncd/must.h"

/* --- Modseqs ------------------------------------------------------------------------ */

uint64_t model_server_modseq(const struct model_server *server)
{
	return server->modseqs == MODSEQS_NONE ? 0 : server->highestmodseq;
}

/* Counted in steps of more than one: another mailbox may share the counter. */
static uint64_t next_modseq(struct world *world)
{
	return world->server.highestmodseq += 1 + rng_below(&world->rng, 3);
}

/* An index that was rebuilt: the counter starts again, and none is told. */
static void forget_modseqs(struct model_server *server)
{
	server->highestmodseq = 1;
	server->vanished_count = 0;
	server->forgotten = 0;
	for (size_t i = 0; i < server->count; i++)
		server->messages[i].modseq = 1;
}

/* Whether a change goes by without a modseq of its own, as on a server that cannot be trusted. */
static bool is_hidden(struct world *world, bool is_own)
{
	if (!world->server.is_untrustworthy || is_own || rng_below(&world->rng, 4) != 0)
		return false;
	if (rng_below(&world->rng, 8) == 0)
		forget_modseqs(&world->server);
	return true;
}

static void remember_vanished(struct world *world, uint32_t uid)
{
	struct model_server *server = &world->server;

	must(server->vanished_count < MODEL_VANISHED_MAX);
	server->vanished[server->vanished_count++] =
		(struct model_vanished){ .uid = uid, .modseq = server->highestmodseq };
	if (!server->forgets_vanished || rng_below(&world->rng, 4) != 0)
		return;
	server->vanished_count = 0;
	server->forgotten = server->highestmodseq;
}

/* --- Changes -------------------------------------------------------------------------- */

struct model_message *model_server_add(struct world *world, uint32_t content, uint64_t flags,
				       bool is_own)
{
	struct model_server *server = &world->server;
	bool is_silent = is_hidden(world, is_own);

	must(server->count < MODEL_MESSAGES_MAX);
	if (server->names_unknown && rng_below(&world->rng, 4) == 0)
		server->uidnext += 2; /* UIDs that nobody ever had */
	struct model_message *message = &server->messages[server->count++];
	*message = (struct model_message){
		.uid = server->uidnext++,
		.content = content,
		.flags = flags,
		.date_s = world_now_s(world),
		.modseq = is_silent ? server->highestmodseq : next_modseq(world),
	};
	server->others_changes += !is_own && !is_silent;
	return message;
}

void model_server_set_flags(struct world *world, struct model_message *message, uint64_t flags,
			    bool is_own)
{
	struct model_server *server = &world->server;

	if (message->flags == flags &&
	    (!server->bumps_for_nothing || rng_below(&world->rng, 2) == 0))
		return;
	message->flags = flags;
	if (is_hidden(world, is_own))
		return;
	message->modseq = next_modseq(world);
	server->others_changes += !is_own;
}

/* Some servers that have no QRESYNC do not count an expunge as a change of the mailbox; and
 * if they are lazy, too, the number of messages is all that tells. */
void model_server_remove(struct world *world, struct model_message *message, bool is_own)
{
	struct model_server *server = &world->server;
	size_t index = (size_t)(message - server->messages);
	uint32_t uid = message->uid;

	must(index < server->count);
	memmove(message, message + 1, (server->count - index - 1) * sizeof(*message));
	server->count--;
	if (is_hidden(world, is_own))
		return;
	if (!server->hides_expunges) {
		(void)next_modseq(world);
		remember_vanished(world, uid);
	}
	server->others_changes += !is_own && !(server->hides_expunges && server->is_lazy);
}

struct model_message *model_message_create(struct world *world, uint32_t content, uint64_t flags)
{
	return model_server_add(world, content, flags, false);
}

void model_message_set_flags(struct world *world, struct model_message *message, uint64_t flags)
{
	model_server_set_flags(world, message, flags, false);
}

void model_message_delete(struct world *world, struct model_message *message)
{
	model_server_remove(world, message, false);
}

/* The counter need not go on (RFC 7162 §3.1.2.1). */
void model_server_renumber(struct world *world)
{
	struct model_server *server = &world->server;

	server->uidvalidity++;
	server->uidnext = 1;
	if (rng_below(&world->rng, 2) == 0)
		server->highestmodseq = 0;
	if (rng_below(&world->rng, 2) == 0)
		(void)next_modseq(world);
	server->vanished_count = 0;
	server->forgotten = 0;
	server->others_changes++;
	server->highestmodseq += server->highestmodseq == 0;
	for (size_t i = 0; i < server->count; i++) {
		server->messages[i].uid = server->uidnext++;
		server->messages[i].modseq = server->highestmodseq;
	}
}

/* --- What changed --------------------------------------------------------------------------- */

static void tell_vanished(struct world *world, uint64_t since, struct uidset *gone)
{
	const struct model_server *server = &world->server;

	for (size_t i = 0; i < server->vanished_count; i++) {
		if (server->vanished[i].modseq > since)
			must(uidset_add(gone, server->vanished[i].uid) == 0);
	}
	if (since < server->forgotten) { /* then it names all it does not have (§3.2.6) */
		if (server->uidnext > 1)
			must(uidset_add_range(gone, 1, server->uidnext - 1) == 0);
		for (size_t i = 0; i < server->count; i++)
			must(uidset_remove_range(gone, server->messages[i].uid,
						 server->messages[i].uid) == 0);
	}
	if (server->names_all && world->store.message_count >= MODEL_MANY &&
	    rng_below(&world->rng, 4) == 0)
		must(uidset_add_range(gone, 1, server->uidnext - 1) == 0);
	if (server->names_unknown && rng_below(&world->rng, 2) == 0)
		must(uidset_add_range(gone, server->uidnext + 2, UINT32_MAX) == 0);
}

void model_server_delta(struct world *world, uint64_t since, struct remote_observation *out)
{
	const struct model_server *server = &world->server;

	must(server->modseqs != MODSEQS_NONE);
	out->is_delta = true;
	for (size_t i = 0; i < server->count; i++) {
		if (server->messages[i].modseq > since)
			remote_observation_add(out, server->messages[i].uid,
					       server->messages[i].flags);
	}
	remote_observation_sort(out);
	out->tells_gone = server->modseqs == MODSEQS_QRESYNC;
	if (out->tells_gone)
		tell_vanished(world, since, &out->gone);
}

void model_server_init(struct model_server *server)
{
	server->uidvalidity = 7;
	server->uidnext = 1;
	server->flags_mask = ~(uint64_t)0;
	server->has_uidplus = true;
	server->tells_uidnext = true;
	server->tells_status = true;
	server->modseqs = MODSEQS_QRESYNC;
	server->highestmodseq = 1;
	server->lanes = 1;
}
