/* The progress bar of `syncctl sync` on a terminal.
 * SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "render.h"
#include "syncd/alloc.h"

#define COLUMNS_DEFAULT 80

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_init(struct progress *progress)
{
	*progress = (struct progress){ .begin_ms = now_ms() };
}

void progress_free(struct progress *progress)
{
	for (size_t i = 0; i < progress->count; i++) {
		free(progress->parts[i].account);
		free(progress->parts[i].mailbox);
	}
	free(progress->parts);
	*progress = (struct progress){ .count = 0 };
}

static struct progress_part *progress_part(struct progress *progress, const char *account,
					   const char *mailbox)
{
	for (size_t i = 0; i < progress->count; i++) {
		struct progress_part *part = &progress->parts[i];
		if (strcmp(part->account, account) == 0 && strcmp(part->mailbox, mailbox) == 0)
			return part;
	}
	progress->parts =
		xgrow(progress->parts, progress->count, &progress->cap, sizeof(*progress->parts));
	struct progress_part *part = &progress->parts[progress->count++];
	*part = (struct progress_part){ .account = xstrdup(account), .mailbox = xstrdup(mailbox) };
	return part;
}

static size_t columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		return (size_t)size.ws_col - 1; /* the last one may wrap */
	return COLUMNS_DEFAULT;
}

static void progress_draw(struct progress *progress)
{
	struct render_progress sum = { .elapsed_ms = now_ms() - progress->begin_ms };
	struct buf text;

	for (size_t i = 0; i < progress->count; i++) {
		sum.done += progress->parts[i].done;
		sum.total += progress->parts[i].total;
		sum.bytes += progress->parts[i].bytes;
	}
	buf_init(&text, RENDER_MAX);
	render_progress_text(&sum, columns(), &text);
	(void)fprintf(stderr, "\r%s\033[K", buf_str(&text));
	(void)fflush(stderr);
	buf_free(&text);
	progress->is_drawn = true;
}

static uint64_t count_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

void progress_event(struct progress *progress, const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	const char *account = json_string_value(json_object_get(event, "account"));
	const char *mailbox = json_string_value(json_object_get(event, "mailbox"));
	const json_t *counts = json_object_get(event, "counts");

	if (type == NULL || account == NULL || strcmp(type, "progress") != 0)
		return;
	struct progress_part *part =
		progress_part(progress, account, mailbox != NULL ? mailbox : "");
	part->done = count_of(event, "done");
	part->total = count_of(event, "total");
	part->bytes = count_of(counts, "fetched_bytes") + count_of(counts, "appended_bytes");
	progress_draw(progress);
}

void progress_clear(struct progress *progress)
{
	if (progress->is_drawn)
		(void)fputs("\r\033[K", stderr);
	progress->is_drawn = false;
}
