/* Events of message files on their way from inotify to the watch's user.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_WATCH_FILES_H
#define SYNCD_WATCH_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/inotify.h>

#include "syncd/list.h"
#include "syncd/loop.h"

/* Of one mailbox's `cur` or `new`. */
struct watched_dir {
	const void *mailbox; /* tells mailboxes apart */
	bool is_new;
};

struct file_event {
	struct list link;
	struct watched_dir dir;
	bool is_gone;
	bool is_written; /* while held: by a program that has it open */
	uint32_t cookie; /* of the first half of a rename; else 0 */
	uint64_t due_ms; /* while held, and not known to be written */
	char *file;
};

struct watch_files {
	struct loop *loop;
	struct loop_timer timer; /* when some are held no longer */
	struct list ready;       /* to be told, in order */
	struct list held;        /* more may belong to them; the oldest first */
	size_t held_count;
};

/* What of a mailbox's directories these functions want to know. */
extern const uint32_t watch_files_mask;

/* `due` is called when watch_files_release may make some ready. */
void watch_files_init(struct watch_files *files, struct loop *loop, loop_timer_cb due);
void watch_files_free(struct watch_files *files);

/* One inotify event in such a directory. */
void watch_files_take(struct watch_files *files, struct watched_dir dir,
		      const struct inotify_event *event);

/* The second half of a rename came, wherever it leads; to be called before it is taken. */
void watch_files_pair(struct watch_files *files, uint32_t cookie);

/* Makes those ready that were held long enough. */
void watch_files_release(struct watch_files *files);

/* The next event to be told, or NULL; to be freed with file_event_free. */
struct file_event *watch_files_next(struct watch_files *files);
void file_event_free(struct file_event *event);

/* Drops what is known of a mailbox. */
void watch_files_forget(struct watch_files *files, const void *mailbox);

#endif
