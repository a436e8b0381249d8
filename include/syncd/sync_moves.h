/* Which messages that came into the maildir are ones that left it elsewhere: moves of files,
 * told by identity. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_MOVES_H
#define SYNCD_SYNC_MOVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/identity.h"

/* An agreed message whose file is no longer where the state says. */
struct sync_gone {
	size_t mailbox; /* the caller's number */
	uint32_t uid;
	uint64_t flags; /* as agreed */
	uint64_t size_bytes;
	struct digest identity;
	char *name;
	bool is_taken; /* a message that came is this one */
	size_t next;   /* the module's, too: */
	size_t by;     /* which came, when its name was enough */
};

/* A file that the state does not know. */
struct sync_came {
	size_t mailbox;
	uint64_t flags;
	uint64_t size_bytes;
	struct digest identity;
	char *name;
	/* Results. SYNC_NOT_MOVED, or the index of what it was in `gone`, which was sorted for
	 * that. */
	size_t was;
};

#define SYNC_NOT_MOVED SIZE_MAX

struct sync_gone_name {
	const char *name;
	size_t index;
};

/* Both own the names of their entries. */
struct sync_moves {
	struct sync_gone *gone;
	size_t gone_count;
	size_t gone_cap;
	struct sync_came *came;
	size_t came_count;
	size_t came_cap;
	struct sync_gone_name *by_name; /* the module's: of the first `named` gone ones, in order */
	size_t named;
};

void sync_moves_free(struct sync_moves *moves);

/* Copies what it is given, name and all. */
void sync_moves_add_gone(struct sync_moves *moves, const struct sync_gone *gone);
void sync_moves_add_came(struct sync_moves *moves, const struct sync_came *came);

/* The same of a file that was not read: `came` without size and identity. Where exactly one that is
 * gone so far has its name, it is that one, with the size and identity it had; else false, and
 * nothing is added. */
bool sync_moves_take_name(struct sync_moves *moves, const struct sync_came *came);

/* What a reader may add to the header of a message that it saves: mutt a Content-Length. */
#define SYNC_HEADER_ADDED_MAX 100

/* Whether a file of one name may be taken for a message of another: with equal identities and
 * sizes, when a Message-ID vouches for it and it is no draft, which is edited. Of the same name
 * it always is. */
bool sync_is_same_message(const struct sync_came *came, const struct digest *identity,
			  uint64_t size_bytes, uint64_t flags, const char *name);

/* Fills `was` of each that came, each gone one once: first where the names are equal too, then
 * by equal content, in order; then, in another mailbox, where a little was added to the header. */
void sync_moves_find(struct sync_moves *moves);

#endif
