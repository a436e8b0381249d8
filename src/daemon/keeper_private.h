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
	enum special_use use;
	bool is_changed;    /* waits for a run */
	bool is_gone;       /* deleted, renamed or excluded: only a complete look finds it again */
	bool is_left_alone; /* by the last complete look, although it is on the server */
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
	/* What the server told last; and when that was news. */
	struct adapter_remote_told told;
	uint64_t news_ms;     /* 0: never */
	bool is_push_resting; /* waiting on it failed: not again before the next complete look */
	struct error err;
};

#define KEEPER_PUSHES_MAX 8

/* A connection that waits for news. */
struct keeper_push {
	struct adapter_remote_push base;
	struct keeper *keeper;
	char *mailbox;
	bool is_on;       /* started and not over */
	bool is_live;     /* the server tells of changes */
	bool is_unwanted; /* stopped */
	uint64_t live_ms; /* since when */
};

/* What the server told of a mailbox while a run was under way. */
struct keeper_news {
	char *name;
	bool is_told;
	struct adapter_remote_told told;
	bool is_listed;
	bool is_there;
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
	bool has_found;              /* the run, something to do */
	struct sync_target *targets; /* of the run, or NULL */
	const char **decided;        /* of the run: what is held in them is decided on; or NULL */
	struct keeper_job *job;      /* the run is for it */
	struct list jobs;            /* waiting */

	struct watch *watch;
	struct watch_user watch_user;
	bool is_watch_limited;                        /* told once */
	bool is_root_gone;                            /* the watch sees nothing any more */
	struct keeper_push pushes[KEEPER_PUSHES_MAX]; /* the first: of INBOX, or of all */
	bool has_no_push;                             /* the server cannot */
	unsigned push_misfires;                       /* in a row that did not live long */
	struct keeper_news *news;                     /* to be judged when the run is over */
	size_t news_count;
	size_t news_cap;
	/* Of the maildrop, as the last good pull saw it: what stays there is owned. */
	uint32_t maildrop_messages;
	struct sync_counts maildrop_counts;
	struct account_left *left;
	size_t left_count;
	struct hooks *hooks;
	struct hooks_close hooks_closing;

	void (*closed)(void *context);
	void *closed_context;
	struct port_op closing;
};

/* Starts what is due, or arms the timer. */
void keeper_poke(struct keeper *keeper);
void keeper_start_run(struct keeper *keeper, const struct account_run_options *options);
void keeper_set_state(struct keeper *keeper, enum control_state state, const struct error *err);
struct keeper_mailbox *keeper_mailbox(struct keeper *keeper, const char *name);
/* Whether a mailbox is one of ours, should it exist. */
bool keeper_selects(struct keeper *keeper, const char *name);
/* Notes that a mailbox has to be looked at, as the server told (keeper_poke is to follow); or as
 * inotify did: at one file (`hint`) or at all of them (NULL). */
void keeper_note_remote(struct keeper *keeper, struct keeper_mailbox *mailbox);
void keeper_note_local(struct keeper *keeper, const char *name, const struct local_hint *hint);

/* keeper_held.c: what is held. */
bool keeper_is_held(const struct keeper *keeper);
/* Starts a run for a person's decision on it, or a first look; or refuses the job. */
void keeper_run_decision(struct keeper *keeper, struct keeper_job *job);
/* A run has ended well that was only the first look. Its job is to be run again. */
bool keeper_has_yet_to_decide(const struct keeper *keeper, const struct keeper_job *job,
			      const struct error *err);

/* keeper_pull.c: what a pull tells of the maildrop, and what status does. */
void keeper_pull_note(struct keeper *keeper, const struct account_report *report);
void keeper_pull_fill(const struct keeper *keeper, struct control_mailbox_status *row);
void keeper_pull_free(struct keeper *keeper);

/* keeper_news.c: inotify. */
void keeper_watch_start(struct keeper *keeper);
void keeper_watch_mailbox(struct keeper *keeper, struct keeper_mailbox *mailbox);

/* keeper_push.c: the server's news. */

/* Starts what is not waiting yet, and lets go what others should. After a good run. */
void keeper_push_start(struct keeper *keeper);
void keeper_push_stop(struct keeper *keeper);

/* A run is over: compares what the server told meanwhile with what the state has now. */
void keeper_push_judge(struct keeper *keeper);
enum control_push keeper_push_kind(const struct keeper *keeper);
void keeper_push_free(struct keeper *keeper);

#endif
