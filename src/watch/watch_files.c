/* Events of message files: which of inotify's they are, and the patience with programs that write a
 * message where it is to stay. A file that was made appears complete when it is a link, as
 * programs make that deliver through tmp/, but empty when it was opened: then writes follow at
 * once, and for certain an end of writing. So it is held back for a moment, and while it is
 * written. SPDX-License-Identifier: MIT */
#include "watch_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#define HOLD_MS 50   /* the first write to a file follows its making within this time */
#define HELD_MAX 256 /* beyond them the oldest is told as it is */

#ifdef __linux__
#define WRITE_MASK (IN_MODIFY | IN_CLOSE_WRITE)
#else
#define WRITE_MASK 0 /* kqueue would need a descriptor for every file */
#endif

const uint32_t watch_files_mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | WRITE_MASK;

void watch_files_init(struct watch_files *files, struct loop *loop, loop_timer_cb due)
{
	files->loop = loop;
	loop_timer_init(loop, &files->timer, due);
	list_init(&files->ready);
	list_init(&files->held);
	files->held_count = 0;
}

void file_event_free(struct file_event *event)
{
	free(event->file);
	free(event);
}

static struct file_event *event_of(struct list *node)
{
	return container_of(node, struct file_event, link);
}

static struct file_event *event_new(struct watched_dir dir, const char *file)
{
	struct file_event *event = xcalloc(1, sizeof(*event));

	event->dir = dir;
	event->file = xstrdup(file);
	return event;
}

/* Those of a mailbox, or all (NULL). Returns how many are left. */
static size_t forget_in(struct list *events, const void *mailbox)
{
	struct list *next;
	size_t left = 0;

	for (struct list *node = events->next; node != events; node = next) {
		struct file_event *event = event_of(node);
		next = node->next;
		if (mailbox != NULL && event->dir.mailbox != mailbox) {
			left++;
			continue;
		}
		list_remove(&event->link);
		file_event_free(event);
	}
	return left;
}

void watch_files_forget(struct watch_files *files, const void *mailbox)
{
	(void)forget_in(&files->ready, mailbox);
	files->held_count = forget_in(&files->held, mailbox);
}

void watch_files_free(struct watch_files *files)
{
	loop_timer_stop(&files->timer);
	watch_files_forget(files, NULL);
}

/* --- Holding ----------------------------------------------------------------------- */

/* The newest first: it is the one that is written now. */
static struct file_event *find_held(const struct watch_files *files, struct watched_dir dir,
				    const char *file)
{
	for (struct list *node = files->held.prev; node != &files->held; node = node->prev) {
		struct file_event *event = event_of(node);
		if (event->dir.mailbox == dir.mailbox && event->dir.is_new == dir.is_new &&
		    strcmp(event->file, file) == 0)
			return event;
	}
	return NULL;
}

static void make_ready(struct watch_files *files, struct file_event *held)
{
	list_remove(&held->link);
	list_append(&files->ready, &held->link);
	files->held_count--;
}

static void drop_held(struct watch_files *files, struct file_event *held)
{
	list_remove(&held->link);
	file_event_free(held);
	files->held_count--;
}

static void hold(struct watch_files *files, struct watched_dir dir, const char *file)
{
	struct file_event *event = event_new(dir, file);

	if (files->held_count == HELD_MAX)
		make_ready(files, event_of(files->held.next));
	event->due_ms = loop_now_ms(files->loop) + HOLD_MS;
	list_append(&files->held, &event->link);
	files->held_count++;
	if (!loop_timer_is_armed(&files->timer))
		loop_timer_start(&files->timer, HOLD_MS);
}

/* Those of a mailbox (NULL: of all) that nobody is known to write. */
static void release(struct watch_files *files, const void *mailbox, uint64_t due_by_ms)
{
	struct list *next;

	for (struct list *node = files->held.next; node != &files->held; node = next) {
		struct file_event *event = event_of(node);
		next = node->next;
		if (mailbox != NULL && event->dir.mailbox != mailbox)
			continue;
		if (!event->is_written && event->due_ms <= due_by_ms)
			make_ready(files, event);
	}
}

void watch_files_release(struct watch_files *files)
{
	uint64_t now_ms = loop_now_ms(files->loop);

	release(files, NULL, now_ms);
	list_for_each(node, &files->held)
	{
		const struct file_event *event = event_of(node);
		if (event->is_written)
			continue;
		loop_timer_start(&files->timer, event->due_ms - now_ms);
		return;
	}
}

/* --- Events -------------------------------------------------------------------------- */

static void tell(struct watch_files *files, struct watched_dir dir, const char *file, bool is_gone)
{
	struct file_event *held = find_held(files, dir, file);
	struct file_event *event = event_new(dir, file);

	if (held != NULL)
		drop_held(files, held);
	event->is_gone = is_gone;
	list_append(&files->ready, &event->link);
}

static void take_written(struct watch_files *files, struct watched_dir dir, const char *file,
			 bool is_closed)
{
	struct file_event *held = find_held(files, dir, file);

	if (held == NULL)
		return;
	held->is_written = true;
	if (is_closed)
		make_ready(files, held);
}

void watch_files_take(struct watch_files *files, struct watched_dir dir, uint32_t mask,
		      const char *file)
{
	if ((mask & IN_ISDIR) != 0 || file[0] == '.')
		return;
	if ((mask & IN_CREATE) != 0) {
		hold(files, dir, file);
	} else if ((mask & (IN_MODIFY | IN_CLOSE_WRITE)) != 0) {
		take_written(files, dir, file, (mask & IN_CLOSE_WRITE) != 0);
	} else if ((mask & IN_MOVED_TO) != 0) {
		tell(files, dir, file, false);
	} else if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
		/* It may be the old name of a link made before: without that, the message would
		 * seem to be gone. */
		release(files, dir.mailbox, UINT64_MAX);
		tell(files, dir, file, true);
	}
}

struct file_event *watch_files_next(struct watch_files *files)
{
	struct list *first = list_first(&files->ready);

	if (first == NULL)
		return NULL;
	list_remove(first);
	return event_of(first);
}
