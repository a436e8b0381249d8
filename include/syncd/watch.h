/* Notices local changes at once: inotify on a maildir root, its directories and every mailbox's
 * `cur` and `new`. An accelerator, never the truth: what it says is "look there", and at which
 * file. SPDX-License-Identifier: MIT */
#ifndef SYNCD_WATCH_H
#define SYNCD_WATCH_H

#include "syncd/error.h"
#include "syncd/loop.h"
#include "syncd/ports.h"

struct watch;
struct watch_user;

/* Called from the loop. Mailboxes may be added and removed inside; the watch may not be freed
 * inside. Our own changes are reported too. */
struct watch_ops {
	/* A message file appeared in or vanished from a mailbox, once for each event and in their
	 * order; a rename is two, told together. Files that begin with a dot and directories are
	 * left out. A file that is written where it is to stay is told when it is closed, a link 50
	 * ms late, one that was moved out of all directories watched 400 ms. `mailbox` as given to
	 * watch_add_mailbox; it and the hint are valid during the call. */
	void (*file_changed)(struct watch_user *user, const char *mailbox,
			     const struct local_hint *hint);

	/* The mailbox's `cur` or `new` was removed, replaced or moved: no file's name tells what
	 * became of it. This and what follows: at most once for what arrived together. */
	void (*mailbox_changed)(struct watch_user *user, const char *mailbox);

	/* Directories came, went or were renamed: list the mailboxes again. */
	void (*tree_changed)(struct watch_user *user);

	/* The kernel dropped events: anything may have changed. */
	void (*everything_changed)(struct watch_user *user);

	/* The root was moved, removed or unmounted: this watch sees nothing any more. */
	void (*root_gone)(struct watch_user *user);
};

/* Embedded in the user's struct. */
struct watch_user {
	const struct watch_ops *ops;
};

/* Watches the root and the directories below it. *watch is NULL on failure: SYNCD_EROOT when
 * the root cannot be watched, SYNCD_ELIMIT when the user's watches or instances are used up
 * (then poll), SYNCD_EIO. The loop must be a real one. */
int watch_new(struct loop *loop, const char *root, struct watch_user *user, struct watch **watch,
	      struct error *err);

/* Adds a mailbox's `cur` and `new`. `path` is the mailbox's directory relative to the root, as
 * maildir_path_encode gives it. Watched already: 0. SYNCD_ENOTFOUND when they are not there;
 * SYNCD_ELIMIT as above: the mailbox is then not watched, the others stay. */
int watch_add_mailbox(struct watch *watch, const char *name, const char *path, struct error *err);

/* Stops watching a mailbox; harmless when it is not watched. */
void watch_remove_mailbox(struct watch *watch, const char *name);

/* No callback follows. The handle closes in the loop's next turns. *watch becomes NULL. */
void watch_free(struct watch **watch);

#endif
