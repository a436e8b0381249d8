/* Looking only for the messages whose files inotify named: a few stat calls each, no directory
 * is read.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "maildir_private.h"
#include "syncd/alloc.h"

#define LOOK_CANCEL_EVERY 256 /* messages between looks at is_cancelled */
#define LOOK_GUESSED_FLAGS (FLAG_SEEN | FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DELETED)

/* One event and the message it belongs to. */
struct event {
	struct slice base;
	const struct local_hint *hint; /* its place in the hints is its place in time */
};

struct look {
	const struct maildir *maildir;
	const struct maildir_hints *hints;
	struct local_listing *listing;
	struct maildir_index *index;
	struct event *events;
	size_t count;
};

/* --- Events by message ------------------------------------------------------------ */

static int compare_bases(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.data, b.data, len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_places(const struct local_hint *a, const struct local_hint *b)
{
	if (a->is_new != b->is_new)
		return a->is_new ? 1 : -1;
	return strcmp(a->file, b->file);
}

/* By message, then place, then time. */
static int compare_events(const void *a, const void *b)
{
	const struct event *left = a;
	const struct event *right = b;
	int order = compare_bases(left->base, right->base);

	if (order == 0)
		order = compare_places(left->hint, right->hint);
	return order != 0 ? order : (left->hint > right->hint) - (left->hint < right->hint);
}

/* Names that a scan would not list are left out as there. */
static void look_sort_events(struct look *look)
{
	look->events = xreallocarray(NULL, look->hints->count, sizeof(*look->events));
	for (size_t i = 0; i < look->hints->count; i++) {
		const struct local_hint *hint = &look->hints->items[i];
		struct event *event = &look->events[look->count];
		struct slice file = slice_of(hint->file);
		struct slice info;
		if (file.len > MAILDIR_FILE_MAX || hint->file[0] == '.' ||
		    strchr(hint->file, '/') != NULL)
			continue;
		maildir_file_split(file, &event->base, &info);
		event->hint = hint;
		if (event->base.len > 0 && event->base.len <= MAIL_NAME_MAX)
			look->count++;
		else if (!hint->is_gone)
			index_skip(look->index, hint->is_new, file);
	}
	if (look->count > 1)
		qsort(look->events, look->count, sizeof(*look->events), compare_events);
}

/* The end of the run of events of one message that begins at `first`. */
static size_t run_end(const struct look *look, size_t first)
{
	size_t end = first;

	while (end < look->count &&
	       compare_bases(look->events[end].base, look->events[first].base) == 0)
		end++;
	return end;
}

/* --- Places -------------------------------------------------------------------------- */

/* What is known of one message. */
struct sight {
	bool is_found;
	bool is_awaited; /* a file that appeared is not there: events are still to come */
};

/* Looks for a file; a directory there counts as found and is no message. */
static int look_at_place(struct look *look, bool is_new, const char *file, bool *is_there,
			 struct error *err)
{
	const struct maildir *maildir = look->maildir;
	int fd = is_new ? maildir->new_fd : maildir->cur_fd;
	struct stat st;
	struct slice base;
	struct slice info;

	*is_there = fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!*is_there)
		return errno == ENOENT ? 0
				       : dirs_error(maildir, errno, "cannot examine", file, err);
	if (S_ISDIR(st.st_mode))
		return 0;
	maildir_file_split(slice_of(file), &base, &info);
	local_listing_add(look->listing, base, maildir_info_letters(info));
	index_add(look->index, base, is_new,
		  (struct slice){ file + base.len, strlen(file) - base.len });
	return 0;
}

/* Every place that the events named, each once, with its last event. */
static int look_at_named(struct look *look, const struct event *events, size_t count,
			 struct sight *sight, struct error *err)
{
	bool is_there = false;
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++) {
		const struct local_hint *hint = events[i].hint;
		if (i + 1 < count && compare_places(hint, events[i + 1].hint) == 0)
			continue;
		code = look_at_place(look, hint->is_new, hint->file, &is_there, err);
		sight->is_found |= is_there;
		sight->is_awaited |= !is_there && !hint->is_gone;
	}
	return code;
}

static int look_at_guessed(struct look *look, const struct maildir_target *target,
			   struct sight *sight, struct error *err)
{
	struct maildir_place place;
	bool is_there = false;
	int code = 0;

	for (size_t n = 0; code == 0 && guess_place(target, n, &place); n++) {
		if (place.file[0] == '\0')
			continue;
		code = look_at_place(look, place.is_new, place.file, &is_there, err);
		sight->is_found |= is_there;
	}
	return code;
}

/* A second file of the message was not named, nor is a name that it got by link and unlink of
 * which an earlier look saw the first half. Such names differ in the flags that change most, as a
 * rule; to try all of them would cost four times as much. */
static int look_at_others(struct look *look, const struct event *event, struct sight *sight,
			  struct error *err)
{
	char base[MAIL_NAME_MAX + 1];
	struct slice unused;
	struct slice info;

	memcpy(base, event->base.data, event->base.len);
	base[event->base.len] = '\0';
	maildir_file_split(slice_of(event->hint->file), &unused, &info);
	uint64_t letters = maildir_info_letters(info) | LOOK_GUESSED_FLAGS;
	struct maildir_target target = { .base = base, .letters = letters & FLAGS_SYSTEM };
	int code = look_at_guessed(look, &target, sight, err);
	target.letters = letters;
	if (code == 0 && (letters & FLAGS_KEYWORDS) != 0)
		code = look_at_guessed(look, &target, sight, err);
	return code;
}

/* --- Messages --------------------------------------------------------------------------- */

static const struct event *last_event(const struct event *events, size_t count)
{
	const struct event *last = &events[0];

	for (size_t i = 1; i < count; i++) {
		if (events[i].hint > last->hint)
			last = &events[i];
	}
	return last;
}

static int look_at_message(struct look *look, const struct event *events, size_t count,
			   struct error *err)
{
	struct sight sight = { .is_found = false };
	int code = look_at_named(look, events, count, &sight, err);

	if (code == 0 && !sight.is_found)
		code = look_at_others(look, last_event(events, count), &sight, err);
	if (code != 0 || sight.is_found)
		return code;
	if (!sight.is_awaited && look->hints->are_all)
		local_listing_add_gone(look->listing, events[0].base);
	else
		look->listing->is_stable = false;
	return 0;
}

static int look_at_all(struct look *look, const atomic_bool *is_cancelled, struct error *err)
{
	size_t messages = 0;
	size_t end;
	int code = 0;

	for (size_t i = 0; i < look->count && code == 0; i = end) {
		end = run_end(look, i);
		if (messages++ % LOOK_CANCEL_EVERY == 0 && atomic_load(is_cancelled))
			return error_set(err, SYNCD_ECANCELLED, "cancelled");
		code = look_at_message(look, &look->events[i], end - i, err);
	}
	return code;
}

int maildir_look(const struct maildir *maildir, const struct maildir_hints *hints,
		 const atomic_bool *is_cancelled, struct local_listing *listing,
		 struct maildir_index **index, struct error *err)
{
	struct look look = {
		.maildir = maildir,
		.hints = hints,
		.listing = listing,
		.index = index_new(),
	};
	int code;

	*index = NULL;
	listing->is_delta = true;
	listing->is_stable = true;
	look_sort_events(&look);
	code = look_at_all(&look, is_cancelled, err);
	free(look.events);
	if (code == 0)
		code = dirs_verify(maildir, err);
	if (code != 0) {
		local_listing_free(listing);
		maildir_index_free(&look.index);
		return code;
	}
	local_listing_sort(listing);
	index_sort(look.index);
	*index = look.index;
	return 0;
}
