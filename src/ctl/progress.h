/* The progress bar of `syncctl sync` on a terminal.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_CTL_PROGRESS_H
#define SYNCD_CTL_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Of one mailbox. */
struct progress_part {
	char *account;
	char *mailbox;
	uint64_t done;
	uint64_t total;
	uint64_t bytes;
};

struct progress {
	struct progress_part *parts;
	size_t count;
	size_t cap;
	uint64_t begin_ms;
	bool is_drawn;
};

void progress_init(struct progress *progress);
void progress_free(struct progress *progress);

/* Takes an event of the daemon (or NULL) and draws when it tells of progress. */
void progress_event(struct progress *progress, const json_t *event);

/* Takes the bar off the screen. */
void progress_clear(struct progress *progress);

#endif
