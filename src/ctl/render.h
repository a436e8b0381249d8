/* The daemon's answers as text for people. Pure: JSON in, text out.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_CTL_RENDER_H
#define SYNCD_CTL_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "syncd/buf.h"

#define RENDER_MAX (64 * 1024 * 1024) /* bytes of a text */

struct render_options {
	bool has_colours;
	int64_t now_s; /* wall clock */
};

/* Tables of accounts and their mailboxes. */
void render_status_text(const json_t *status, const struct render_options *options,
			struct buf *out);

/* One line of what a sync did. */
void render_sync_text(const json_t *result, struct buf *out);

/* One action a line. */
void render_plan_text(const json_t *result, struct buf *out);

/* What failed, each a line that begins with `prefix`. */
void render_failures_text(const json_t *result, const char *prefix, struct buf *out);

/* One event as a line. */
void render_event_text(const json_t *event, const struct render_options *options, struct buf *out);

/* "1.2 MiB"; "2h 3m". */
void render_bytes(uint64_t bytes, struct buf *out);
void render_duration(uint64_t seconds, struct buf *out);

/* What a progress bar shows. */
struct render_progress {
	uint64_t done; /* messages */
	uint64_t total;
	uint64_t bytes;
	uint64_t elapsed_ms;
};

/* "[####    ]  50%  12/24 messages  1.2 MiB  ETA 3s", at most `columns` wide. */
void render_progress_text(const struct render_progress *progress, size_t columns, struct buf *out);

#endif
