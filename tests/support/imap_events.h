/* Renders what the IMAP parser calls back as text, for tests.
 * SPDX-License-Identifier: MIT */
#ifndef SUPPORT_IMAP_EVENTS_H
#define SUPPORT_IMAP_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "syncd/imap_parser.h"

#define IMAP_EVENTS_MAX (4 * 1024 * 1024)

/* One event after the other: "TAG NUMBER NAME{args}" or "TAG OK[CODE:args]text" and a line
 * end for a response ("!" before a damaged one), "<SEQUENCE UID SECTION SIZE:bytes>" for a
 * streamed literal, "NAME=LOW:HIGH " for a range. */
struct imap_events {
	struct buf text;
	bool is_streaming; /* literals go to the callbacks */
	int fail_with;     /* what the response callback returns */
	size_t responses;
	size_t damaged;
};

/* The callbacks; their context is a struct imap_events. */
extern const struct imap_parser_ops imap_events_ops;

void imap_events_init(struct imap_events *events, bool is_streaming);
void imap_events_free(struct imap_events *events);

/* Runs a parser over `data`, cut behind the first `first` bytes (0: all) and then every `step`
 * bytes (0: no more). Each piece is a block of its own for the sanitizers. Returns
 * what imap_parser_feed said last. */
int imap_events_feed(struct imap_events *events, struct slice data, size_t first, size_t step,
		     struct error *err);

#endif
