/* The mailboxes of the model of an IMAP server: made, renamed, deleted, given new UIDs.
 * SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

/* --- Finding ------------------------------------------------------------------------- */

struct model_mailbox *model_mailbox_nth(struct world *world, size_t n)
{
	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++) {
		if (world->server.mailboxes[i].id != 0 && n-- == 0)
			return &world->server.mailboxes[i];
	}
	return NULL;
}

struct model_mailbox *model_mailbox_find(struct world *world, const char *name)
{
	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++) {
		struct model_mailbox *mailbox = &world->server.mailboxes[i];
		if (mailbox->id != 0 && strcmp(mailbox->name, name) == 0)
			return mailbox;
	}
	return NULL;
}

size_t model_depth_of(const char *name)
{
	size_t depth = 0;

	for (; *name != '\0'; name++)
		depth += *name == '/';
	return depth;
}

bool model_is_inferior(const char *name, const char *superior)
{
	size_t len = strlen(superior);

	return strncmp(name, superior, len) == 0 && name[len] == '/';
}

struct mailbox_status model_mailbox_status(const struct world *world,
					   const struct model_mailbox *mailbox)
{
	return (struct mailbox_status){
		.uidvalidity = mailbox->uidvalidity,
		.uidnext = mailbox->uidnext,
		.messages = (uint32_t)mailbox->count,
		.highestmodseq = model_server_modseq(world, mailbox),
	};
}

/* --- Making -------------------------------------------------------------------------- */

/* A name that once had another mailbox must not get its UIDVALIDITY (RFC 3501 §6.3.4); where they
 * are shared, whatever takes a name or its UIDs away has raised it before. */
static uint32_t give_uidvalidity(struct model_server *server)
{
	if (!server->shares_uidvalidity)
		server->uidvalidity++;
	return server->uidvalidity;
}

static void retire_uidvalidity(struct model_server *server)
{
	if (server->shares_uidvalidity)
		server->uidvalidity++;
}

static bool is_retired(const struct model_server *server, const char *name)
{
	for (size_t i = 0; i < server->retired_count; i++) {
		if (strcmp(server->retired_names[i], name) == 0)
			return true;
	}
	return false;
}

static void retire_name(struct model_server *server, const char *name)
{
	retire_uidvalidity(server);
	if (is_retired(server, name))
		return;
	must(server->retired_count < MODEL_RETIRED_MAX);
	(void)snprintf(server->retired_names[server->retired_count++],
		       sizeof(server->retired_names[0]), "%s", name);
}

struct model_mailbox *model_mailbox_create(struct world *world, const char *name)
{
	struct model_server *server = &world->server;
	struct model_mailbox *mailbox = model_mailbox_find(world, name);

	if (mailbox != NULL)
		return mailbox;
	for (size_t i = 0; mailbox == NULL && i < MODEL_MAILBOXES_MAX; i++) {
		if (server->mailboxes[i].id == 0)
			mailbox = &server->mailboxes[i];
	}
	must(mailbox != NULL && strlen(name) < sizeof(mailbox->name));
	memset(mailbox, 0, sizeof(*mailbox));
	memcpy(mailbox->name, name, strlen(name) + 1);
	mailbox->id = ++server->ids_made;
	mailbox->uidvalidity = give_uidvalidity(server);
	mailbox->uidnext = 1;
	mailbox->highestmodseq = 1;
	return mailbox;
}

/* The counter need not go on (RFC 7162 §3.1.2.1). */
void model_mailbox_renumber(struct world *world, struct model_mailbox *mailbox)
{
	retire_uidvalidity(&world->server);
	mailbox->uidvalidity = give_uidvalidity(&world->server);
	mailbox->uidnext = 1;
	if (rng_below(&world->rng, 2) == 0)
		mailbox->highestmodseq = 0;
	if (rng_below(&world->rng, 2) == 0)
		(void)model_next_modseq(world, mailbox);
	mailbox->vanished_count = 0;
	mailbox->forgotten = 0;
	mailbox->others_changes++;
	mailbox->highestmodseq += mailbox->highestmodseq == 0;
	for (size_t i = 0; i < mailbox->count; i++) {
		mailbox->messages[i].uid = mailbox->uidnext++;
		mailbox->messages[i].modseq = mailbox->highestmodseq;
	}
}

/* --- Renaming and deleting ------------------------------------------------------------- */

static bool is_of_tree(const struct model_mailbox *mailbox, const char *name)
{
	return mailbox->id != 0 &&
	       (strcmp(mailbox->name, name) == 0 || model_is_inferior(mailbox->name, name));
}

static char *name_after_rename(const struct model_mailbox *mailbox, const char *from,
			       const char *to)
{
	return xasprintf("%s%s", to, mailbox->name + strlen(from));
}

static bool is_any_name_taken(struct world *world, const char *from, const char *to)
{
	bool is_taken = false;

	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++) {
		const struct model_mailbox *mailbox = &world->server.mailboxes[i];
		if (!is_of_tree(mailbox, from))
			continue;
		char *name = name_after_rename(mailbox, from, to);
		is_taken |=
			model_mailbox_find(world, name) != NULL || strlen(name) > MAILBOX_NAME_MAX;
		free(name);
	}
	return is_taken;
}

static void rename_one(struct world *world, struct model_mailbox *mailbox, const char *from,
		       const char *to)
{
	struct model_server *server = &world->server;
	char *name = name_after_rename(mailbox, from, to);
	bool is_anew = server->renumbers_renamed ||
		       (server->shares_uidvalidity && is_retired(server, name));

	retire_name(server, mailbox->name);
	(void)snprintf(mailbox->name, sizeof(mailbox->name), "%s", name);
	free(name);
	if (is_anew)
		model_mailbox_renumber(world, mailbox);
}

/* A superior without messages of its own is renamed, too: it is not selectable (RFC 3501 §6.3.5).
 * INBOX, which would leave its messages' new mailbox and an empty INBOX behind, is refused, as
 * many servers do. */
int model_mailbox_rename(struct world *world, const char *from, const char *to)
{
	size_t renamed = 0;

	if (strcmp(from, "INBOX") == 0 || strcmp(from, to) == 0 || model_is_inferior(to, from) ||
	    is_any_name_taken(world, from, to))
		return SYNCD_ESERVER;
	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++) {
		struct model_mailbox *mailbox = &world->server.mailboxes[i];
		if (!is_of_tree(mailbox, from))
			continue;
		rename_one(world, mailbox, from, to);
		renamed++;
	}
	return renamed > 0 ? 0 : SYNCD_ENOTFOUND;
}

int model_mailbox_delete(struct world *world, const char *name)
{
	struct model_mailbox *mailbox = model_mailbox_find(world, name);

	if (strcmp(name, "INBOX") == 0)
		return SYNCD_ESERVER;
	if (mailbox == NULL)
		return 0;
	mailbox->id = 0;
	retire_name(&world->server, name);
	return 0;
}

void model_server_init(struct world *world)
{
	struct model_server *server = &world->server;

	server->uidvalidity = 6;
	server->flags_mask = ~(uint64_t)0;
	server->has_uidplus = true;
	server->has_move = true;
	server->tells_ids = true;
	server->tells_email_ids = true;
	server->tells_uidnext = true;
	server->tells_status = true;
	server->modseqs = MODSEQS_QRESYNC;
	server->lanes = 1;
	(void)model_mailbox_create(world, "INBOX");
}
