/* inotify over the loop: descriptors to mailboxes, events to callbacks.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* DT_ values */

#include "syncd/watch.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "syncd/alloc.h"
#include "syncd/must.h"
#include "watch_files.h"

#define TREE_DEPTH_MAX 64
#define EVENTS_BYTES 16384

#define SELF_MASK (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define DIR_MASK (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

enum place_kind { PLACE_ROOT, PLACE_DIR, PLACE_MAILBOX };

/* One watch descriptor. */
struct place {
	int wd;
	enum place_kind kind;
	struct watched_mailbox *mailbox; /* of PLACE_MAILBOX */
	bool is_new;                     /* of PLACE_MAILBOX: `new`, else `cur` */
	char *path;                      /* of the others */
};

struct watched_mailbox {
	struct list link;
	char *name;
	bool has_changed;
};

struct watch {
	uv_poll_t poll;
	int fd;
	struct watch_user *user;
	char *root;
	struct place *places; /* sorted by wd */
	size_t place_count;
	size_t place_cap;
	struct list mailboxes;
	struct watch_files files;
	bool has_tree_changed; /* what the events being read amount to */
	bool has_lost_events;
	bool has_lost_root;
	bool is_calling_back;
};

/* --- Watch descriptors -------------------------------------------------------- */

static size_t place_index(const struct watch *watch, int wd)
{
	size_t low = 0;
	size_t high = watch->place_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (watch->places[middle].wd < wd)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct place *place_find(const struct watch *watch, int wd)
{
	size_t at = place_index(watch, wd);

	return at < watch->place_count && watch->places[at].wd == wd ? &watch->places[at] : NULL;
}

/* The kernel gives the same descriptor for the same directory: the newer
 * meaning replaces the older, but the root stays the root. */
static void place_put(struct watch *watch, struct place place)
{
	size_t at = place_index(watch, place.wd);
	struct place *old = place_find(watch, place.wd);

	if (old != NULL && old->kind == PLACE_ROOT) {
		free(place.path);
		return;
	}
	if (old != NULL) {
		if (old->kind == PLACE_MAILBOX && place.kind != PLACE_MAILBOX)
			old->mailbox->has_changed = true; /* it was moved */
		free(old->path);
		*old = place;
		return;
	}
	watch->places =
		xgrow(watch->places, watch->place_count, &watch->place_cap, sizeof(*watch->places));
	memmove(&watch->places[at + 1], &watch->places[at],
		(watch->place_count - at) * sizeof(*watch->places));
	watch->places[at] = place;
	watch->place_count++;
}

static void place_drop(struct watch *watch, int wd)
{
	size_t at = place_index(watch, wd);

	if (at == watch->place_count || watch->places[at].wd != wd)
		return;
	free(watch->places[at].path);
	watch->place_count--;
	memmove(&watch->places[at], &watch->places[at + 1],
		(watch->place_count - at) * sizeof(*watch->places));
}

static int watch_error(int errno_value, const char *path, struct error *err)
{
	if (errno_value == ENOSPC || errno_value == EMFILE)
		return error_set(err, SYNCD_ELIMIT,
				 "cannot watch %s: the user's inotify watches or instances are "
				 "used up (fs.inotify.max_user_watches, max_user_instances)",
				 path);
	return error_set_errno(err, errno_value, "cannot watch", path);
}

/* Takes `path` over. */
static int place_add(struct watch *watch, char *path, struct place place, struct error *err)
{
	uint32_t mask = SELF_MASK | (place.kind == PLACE_MAILBOX ? watch_files_mask : DIR_MASK) |
			(place.kind == PLACE_ROOT ? 0u : IN_DONT_FOLLOW);
	int code = 0;

	place.wd = inotify_add_watch(watch->fd, path, mask);
	if (place.wd < 0) {
		code = watch_error(errno, path, err);
		free(path);
		return code;
	}
	if (place.kind == PLACE_MAILBOX)
		free(path);
	else
		place.path = path;
	place_put(watch, place);
	return 0;
}

static int dir_add(struct watch *watch, const char *path, struct error *err)
{
	return place_add(watch, xstrdup(path), (struct place){ .kind = PLACE_DIR }, err);
}

/* --- Directories ---------------------------------------------------------------- */

static bool is_maildir_part(const char *name)
{
	return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 || strcmp(name, "tmp") == 0;
}

static bool entry_is_dir(const char *path, unsigned char type)
{
	struct stat st;

	if (type != DT_UNKNOWN)
		return type == DT_DIR;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Watches the directories below `path`, which is watched already. One that is gone again is no
 * failure: its parent's watch tells of that. */
static int watch_below(struct watch *watch, const char *path, int depth, struct error *err)
{
	DIR *dir = depth < TREE_DEPTH_MAX ? opendir(path) : NULL;
	struct dirent *entry;
	int code = 0;

	if (dir == NULL)
		return 0;
	while (code == 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || is_maildir_part(entry->d_name))
			continue;
		char *below = xasprintf("%s/%s", path, entry->d_name);
		if (entry_is_dir(below, entry->d_type)) {
			code = dir_add(watch, below, err);
			if (code == 0)
				code = watch_below(watch, below, depth + 1, err);
			if (code == SYNCD_ENOTFOUND || code == SYNCD_EIO)
				code = 0;
		}
		free(below);
	}
	(void)closedir(dir);
	return code;
}

/* A directory came: what comes into it later must be seen too. What was in it
 * already, the user finds by listing. */
static void watch_new_dir(struct watch *watch, const struct place *parent, const char *name)
{
	struct error ignored; /* a full table was reported when mailboxes were added, or will be */

	if (is_maildir_part(name))
		return;
	char *path = xasprintf("%s/%s", parent->path, name);
	if (dir_add(watch, path, &ignored) == 0)
		(void)watch_below(watch, path, 0, &ignored);
	free(path);
}

/* --- Events ----------------------------------------------------------------------- */

static void self_event(struct watch *watch, const struct place *place)
{
	watch->has_tree_changed = true;
	if (place->kind == PLACE_ROOT)
		watch->has_lost_root = true;
	else if (place->kind == PLACE_MAILBOX)
		place->mailbox->has_changed = true;
}

static void take_event(struct watch *watch, const struct inotify_event *event)
{
	struct place *place = place_find(watch, event->wd);

	if ((event->mask & IN_Q_OVERFLOW) != 0)
		watch->has_lost_events = true;
	if ((event->mask & IN_MOVED_TO) != 0)
		watch_files_pair(&watch->files, event->cookie);
	if (place == NULL)
		return;
	if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0)
		self_event(watch, place);
	if ((event->mask & IN_IGNORED) != 0) {
		place_drop(watch, event->wd);
		return;
	}
	if (event->len == 0)
		return; /* of the directory itself */
	if (place->kind == PLACE_MAILBOX) {
		watch_files_take(&watch->files,
				 (struct watched_dir){ place->mailbox, place->is_new }, event);
		return;
	}
	if ((event->mask & IN_ISDIR) == 0)
		return;
	watch->has_tree_changed = true;
	if ((event->mask & (IN_CREATE | IN_MOVED_TO)) != 0)
		watch_new_dir(watch, place, event->name);
}

/* False when there was nothing to read. */
static bool read_events(struct watch *watch)
{
	_Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
	ssize_t len = read(watch->fd, bytes, sizeof(bytes));

	for (ssize_t at = 0; at < len;) {
		const struct inotify_event *event = (const void *)(bytes + at);
		take_event(watch, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return len > 0;
}

static struct watched_mailbox *next_changed(const struct watch *watch)
{
	list_for_each(node, &watch->mailboxes)
	{
		struct watched_mailbox *mailbox = container_of(node, struct watched_mailbox, link);
		if (mailbox->has_changed)
			return mailbox;
	}
	return NULL;
}

static bool take_flag(bool *flag)
{
	bool was_set = *flag;

	*flag = false;
	return was_set;
}

static void tell_files(struct watch *watch)
{
	struct file_event *event;

	while ((event = watch_files_next(&watch->files)) != NULL) {
		const struct watched_mailbox *mailbox = event->dir.mailbox;
		char *name = xstrdup(mailbox->name); /* it may be removed inside */
		struct local_hint hint = {
			.file = event->file,
			.is_new = event->dir.is_new,
			.is_gone = event->is_gone,
		};
		watch->user->ops->file_changed(watch->user, name, &hint);
		file_event_free(event);
		free(name);
	}
}

static void call_back(struct watch *watch)
{
	const struct watch_ops *ops = watch->user->ops;
	struct watched_mailbox *mailbox;

	watch->is_calling_back = true;
	tell_files(watch);
	if (take_flag(&watch->has_lost_root))
		ops->root_gone(watch->user);
	if (take_flag(&watch->has_lost_events))
		ops->everything_changed(watch->user);
	if (take_flag(&watch->has_tree_changed))
		ops->tree_changed(watch->user);
	while ((mailbox = next_changed(watch)) != NULL) {
		char *name = xstrdup(mailbox->name); /* it may be removed inside */
		mailbox->has_changed = false;
		ops->mailbox_changed(watch->user, name);
		free(name);
	}
	watch->is_calling_back = false;
}

/* Bounded, so that a flood of events does not keep the loop from its other work. */
static void events_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;

	(void)events;
	if (status < 0)
		watch->has_lost_events = true;
	for (int i = 0; i < 16 && read_events(watch); i++)
		continue;
	call_back(watch);
}

static void files_due(struct loop_timer *timer)
{
	struct watch *watch = container_of(timer, struct watch, files.timer);

	watch_files_release(&watch->files);
	call_back(watch);
}

/* --- Mailboxes ---------------------------------------------------------------------- */

static struct watched_mailbox *mailbox_find(const struct watch *watch, const char *name)
{
	list_for_each(node, &watch->mailboxes)
	{
		struct watched_mailbox *mailbox = container_of(node, struct watched_mailbox, link);
		if (strcmp(mailbox->name, name) == 0)
			return mailbox;
	}
	return NULL;
}

static void mailbox_free(struct watched_mailbox *mailbox)
{
	list_remove(&mailbox->link);
	free(mailbox->name);
	free(mailbox);
}

void watch_remove_mailbox(struct watch *watch, const char *name)
{
	struct watched_mailbox *mailbox = mailbox_find(watch, name);

	if (mailbox == NULL)
		return;
	for (size_t i = watch->place_count; i-- > 0;) {
		if (watch->places[i].mailbox == mailbox) {
			(void)inotify_rm_watch(watch->fd, watch->places[i].wd);
			place_drop(watch, watch->places[i].wd);
		}
	}
	watch_files_forget(&watch->files, mailbox);
	mailbox_free(mailbox);
}

static int part_add(struct watch *watch, struct watched_mailbox *mailbox, const char *path,
		    bool is_new, struct error *err)
{
	struct place place = { .kind = PLACE_MAILBOX, .mailbox = mailbox, .is_new = is_new };

	return place_add(watch, xasprintf("%s/%s/%s", watch->root, path, is_new ? "new" : "cur"),
			 place, err);
}

int watch_add_mailbox(struct watch *watch, const char *name, const char *path, struct error *err)
{
	struct watched_mailbox *mailbox = mailbox_find(watch, name);
	bool is_new = mailbox == NULL;
	int code;

	if (is_new) {
		mailbox = xcalloc(1, sizeof(*mailbox));
		mailbox->name = xstrdup(name);
		list_append(&watch->mailboxes, &mailbox->link);
	}
	code = place_add(watch, xasprintf("%s/%s", watch->root, path),
			 (struct place){ .kind = PLACE_DIR }, err);
	if (code == 0)
		code = part_add(watch, mailbox, path, true, err);
	if (code == 0)
		code = part_add(watch, mailbox, path, false, err);
	if (code != 0)
		watch_remove_mailbox(watch, name);
	return code;
}

/* --- Life ----------------------------------------------------------------------------- */

static void watch_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;
	struct list *node;
	struct list *next;

	(void)close(watch->fd);
	for (node = watch->mailboxes.next; node != &watch->mailboxes; node = next) {
		struct watched_mailbox *mailbox = container_of(node, struct watched_mailbox, link);
		next = node->next;
		free(mailbox->name);
		free(mailbox);
	}
	for (size_t i = 0; i < watch->place_count; i++)
		free(watch->places[i].path);
	free(watch->places);
	free(watch->root);
	free(watch);
}

void watch_free(struct watch **watch)
{
	if (*watch == NULL)
		return;
	must(!(*watch)->is_calling_back);
	watch_files_free(&(*watch)->files);
	uv_close((uv_handle_t *)&(*watch)->poll, watch_closed);
	*watch = NULL;
}

static int watch_root(struct watch *watch, struct error *err)
{
	int code =
		place_add(watch, xstrdup(watch->root), (struct place){ .kind = PLACE_ROOT }, err);

	if (code == SYNCD_ENOTFOUND)
		return error_set(err, SYNCD_EROOT, "maildir root %s is gone", watch->root);
	return code == 0 ? watch_below(watch, watch->root, 0, err) : code;
}

int watch_new(struct loop *loop, const char *root, struct watch_user *user, struct watch **watch,
	      struct error *err)
{
	struct uv_loop_s *uv = loop_uv(loop);
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	must(uv != NULL);
	*watch = NULL;
	if (fd < 0)
		return watch_error(errno, root, err);
	struct watch *made = xcalloc(1, sizeof(*made));
	made->fd = fd;
	made->user = user;
	made->root = xstrdup(root);
	list_init(&made->mailboxes);
	watch_files_init(&made->files, loop, files_due);
	must(uv_poll_init(uv, &made->poll, fd) == 0);
	made->poll.data = made;
	int code = watch_root(made, err);
	if (code == 0 && uv_poll_start(&made->poll, UV_READABLE, events_ready) != 0)
		code = error_set(err, SYNCD_EIO, "cannot watch %s", root);
	if (code != 0)
		watch_free(&made);
	*watch = made;
	return code;
}
