/* Inside a keeper.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_KEEPER_PRIVATE_H
#define SYNCD_KEEPER_PRIVATE_H

#include "hint_list.h"
#include "keeper.h"
#include "syncd/adapter_remote.h"

/* What is known of one mailbox. */
struct keeper_mailbox {
	char *name;
	uint64_t messages;
	uint64_t unseen;
	bool is_counted; /* since the last change */
	bool is_changed;      /* waits for a run */
	bool is_watched;
	/* What a pass has to look at: the server has news; file names since the last look, which
	 * are all there is to know of the maildir while is_tracked. */
	bool has_remote_news;
	bool is_tracked;
	bool was_watched; /* when the run began */
	struct hint_list hints;
	struct hint_list looked_at; /* the run's */
	size_t held_deletions;
	bool held_is_remote;
	struct error err;
};

struct keeper {
	struct loop *loop;
	const struct config *config;
	const struct config_account *settings;
	struct keeper_user *user;
	struct account *account; /* NULL until its lock could be taken */
	struct schedule schedule;
	struct loop_timer timer; /* for what is due next */
	enum control_state state;
	struct error err;
	int64_t last_sync_s;
	struct keeper_mailbox *mailboxes;
	size_t count;
	size_t cap;

	struct account_run *run;
	bool is_full_run;
	struct sync_target *targets; /* of the run, or NULL */
	struct keeper_job *job; /* the run is for it */
	struct list jobs;       /* waiting */

	struct watch *watch;
	struct watch_user watch_user;
	bool is_watch_limited; /* told once */
	bool is_root_gone;     /* the watch sees nothing any more */
	struct adapter_remote_push push;
	bool is_pushing;  /* started and not over */
	bool is_push_live; /* the server tells of changes */
	bool has_no_push;  /* it cannot */
	struct hooks *hooks;
	struct hooks_close hooks_closing;

	void (*closed)(void *context);
	void *closed_context;
	struct port_op closing;
};

/* Starts what is due, or arms the timer. */
void keeper_poke(struct keeper *keeper);
void keeper_set_state(struct keeper *keeper, enum control_state state, const struct error *err);
struct keeper_mailbox *keeper_mailbox(struct keeper *keeper, const char *name);
/* Notes that a mailbox has to be looked at, as the server told; or as inotify did: at one file
 * (`hint`) or at all of them (NULL). */
void keeper_note_remote(struct keeper *keeper, const char *name);
void keeper_note_local(struct keeper *keeper, const char *name, const struct local_hint *hint);

/* keeper_news.c: inotify and push. */
void keeper_watch_start(struct keeper *keeper);
void keeper_watch_mailbox(struct keeper *keeper, struct keeper_mailbox *mailbox);
void keeper_push_start(struct keeper *keeper);

#endif
