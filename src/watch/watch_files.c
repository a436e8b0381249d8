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

#define HOLD_MADE_MS 50   /* the first write to a file follows its making within this time */
#define HOLD_MOVED_MS 400 /* a program that renames runs again within this time, surely */
#define HELD_MAX 256      /* beyond them the oldest is told as it is */

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

static struct file_event *event_new(struct watched_dir dir, const char *file, uint32_t cookie)
{
	struct file_event *event = xcalloc(1, sizeof(*event));

	event->dir = dir;
	event->cookie = cookie;
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
static struct file_event *find_made(const struct watch_files *files, struct watched_dir dir,
				    const char *file)
{
	for (struct list *node = files->held.prev; node != &files->held; node = node->prev) {
		struct file_event *event = event_of(node);
		if (!event->is_gone && event->dir.mailbox == dir.mailbox &&
		    event->dir.is_new == dir.is_new && strcmp(event->file, file) == 0)
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

static void arm(struct watch_files *files)
{
	uint64_t now_ms = loop_now_ms(files->loop);
	uint64_t due_ms = UINT64_MAX;

	list_for_each(node, &files->held)
	{
		const struct file_event *event = event_of(node);
		if (!event->is_written && event->due_ms < due_ms)
			due_ms = event->due_ms;
	}
	if (due_ms == UINT64_MAX)
		loop_timer_stop(&files->timer);
	else
		loop_timer_start(&files->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void hold(struct watch_files *files, struct file_event *event, uint64_t ms)
{
	if (files->held_count == HELD_MAX)
		make_ready(files, event_of(files->held.next));
	event->due_ms = loop_now_ms(files->loop) + ms;
	list_append(&files->held, &event->link);
	files->held_count++;
	arm(files);
}

void watch_files_release(struct watch_files *files)
{
	uint64_t now_ms = loop_now_ms(files->loop);
	struct list *next;

	for (struct list *node = files->held.next; node != &files->held; node = next) {
		struct file_event *event = event_of(node);
		next = node->next;
		if (!event->is_written && event->due_ms <= now_ms)
			make_ready(files, event);
	}
	arm(files);
}

/* A name that vanished may be the old one of a link made before: without that, the message would
 * seem to be gone. */
static void release_made(struct watch_files *files, const void *mailbox)
{
	struct list *next;

	for (struct list *node = files->held.next; node != &files->held; node = next) {
		struct file_event *event = event_of(node);
		next = node->next;
		if (event->dir.mailbox == mailbox && !event->is_gone && !event->is_written)
			make_ready(files, event);
	}
}

/* One message's names are alike up to the flags; others may be, too. */
static bool may_be_one_message(const char *a, const char *b)
{
	size_t len = strcspn(a, ":");

	return len == strcspn(b, ":") && memcmp(a, b, len) == 0;
}

/* What is told of a message stays in its order. */
static void release_moved(struct watch_files *files, const void *mailbox, const char *file)
{
	struct list *next;

	for (struct list *node = files->held.next; node != &files->held; node = next) {
		struct file_event *event = event_of(node);
		next = node->next;
		if (event->dir.mailbox == mailbox && event->is_gone &&
		    may_be_one_message(event->file, file))
			make_ready(files, event);
	}
}

/* --- Events -------------------------------------------------------------------------- */

static void drop_made(struct watch_files *files, struct watched_dir dir, const char *file)
{
	struct file_event *held = find_made(files, dir, file);

	if (held == NULL)
		return;
	list_remove(&held->link);
	file_event_free(held);
	files->held_count--;
}

static void tell(struct watch_files *files, struct file_event *event)
{
	list_append(&files->ready, &event->link);
	drop_made(files, event->dir, event->file);
}

static void take_written(struct watch_files *files, struct watched_dir dir, const char *file,
			 bool is_closed)
{
	struct file_event *held = find_made(files, dir, file);

	if (held == NULL)
		return;
	held->is_written = true;
	if (is_closed)
		make_ready(files, held);
}

static void take_gone(struct watch_files *files, struct file_event *event)
{
	event->is_gone = true;
	release_made(files, event->dir.mailbox);
	if (event->cookie == 0) {
		tell(files, event);
		return;
	}
	hold(files, event, HOLD_MOVED_MS);
	drop_made(files, event->dir, event->file);
}

void watch_files_pair(struct watch_files *files, uint32_t cookie)
{
	list_for_each(node, &files->held)
	{
		if (event_of(node)->cookie != cookie)
			continue;
		make_ready(files, event_of(node));
		return;
	}
}

void watch_files_take(struct watch_files *files, struct watched_dir dir,
		      const struct inotify_event *event)
{
	const char *file = event->name;

	if ((event->mask & IN_ISDIR) != 0 || file[0] == '.')
		return;
	release_moved(files, dir.mailbox, file);
	if ((event->mask & IN_CREATE) != 0)
		hold(files, event_new(dir, file, 0), HOLD_MADE_MS);
	else if ((event->mask & (IN_MODIFY | IN_CLOSE_WRITE)) != 0)
		take_written(files, dir, file, (event->mask & IN_CLOSE_WRITE) != 0);
	else if ((event->mask & IN_MOVED_TO) != 0)
		tell(files, event_new(dir, file, 0));
	else if ((event->mask & IN_MOVED_FROM) != 0)
		take_gone(files, event_new(dir, file, event->cookie));
	else if ((event->mask & IN_DELETE) != 0)
		take_gone(files, event_new(dir, file, 0));
}

struct file_event *watch_files_next(struct watch_files *files)
{
	struct list *first = list_first(&files->ready);

	if (first == NULL)
		return NULL;
	list_remove(first);
	return event_of(first);
}
