/* What a daemon would have the next pass look at: everything, or what inotify told;
 * and what happens to inotify's events on the way.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "history.h"
#include "syncd/alloc.h"

static bool one_in(struct run *run, uint64_t n)
{
	return rng_below(&run->rng, n) == 0;
}

/* Of some changes the daemon never hears, and does not know that; of an overflow it knows. */
static void lose_events(struct run *run)
{
	struct model_maildir *inbox = model_maildir_find(&run->world, "INBOX");

	if (inbox->event_count > 0 && one_in(run, 8)) {
		world_drop_events(inbox, 1 + rng_below(&run->rng, inbox->event_count));
		run->has_missed = true;
	}
	if (inbox->event_count > 0 && one_in(run, 8)) {
		world_drop_events(inbox, inbox->event_count);
		run->must_look = true;
	}
}

/* The echo of what the pass itself did may be among them or filtered out, unless the pass may not
 * have recorded it. Without any, the maildir is known not to have changed. */
static void take_hints(struct run *run, struct look *look)
{
	bool takes_own = run->has_unrecorded || one_in(run, 2);
	const struct model_maildir *inbox = model_maildir_find(&run->world, "INBOX");

	look->hints = xcalloc(look->events + 1, sizeof(*look->hints));
	for (size_t i = 0; i < look->events; i++) {
		const struct model_event *event = &inbox->events[i];
		if (event->is_own && !takes_own)
			continue;
		look->hints[look->hint_count++] = (struct local_hint){
			.file = event->file,
			.is_new = event->is_new,
			.is_gone = event->is_gone,
		};
	}
}

static void look_begin(struct run *run, struct look *look, bool by_hints)
{
	*look = (struct look){ .events = model_maildir_find(&run->world, "INBOX")->event_count };
	if (by_hints && !run->must_look)
		take_hints(run, look);
}

void look_choose(struct run *run, struct look *look)
{
	lose_events(run);
	look_begin(run, look, !one_in(run, 3));
	look->is_remote_quiet = one_in(run, 4);
}

void look_at_all(struct run *run, struct look *look)
{
	look_begin(run, look, false);
}

void look_by_hints(struct run *run, struct look *look)
{
	look_begin(run, look, true);
}

void look_end(struct run *run, struct look *look, const struct sync_result *result, bool has_died)
{
	struct model_maildir *inbox = model_maildir_find(&run->world, "INBOX");
	bool is_good = result->err.code == 0 && !result->is_local_moving && !result->wants_another;

	run->has_unrecorded = !is_good;
	if (has_died) { /* a daemon that starts knows nothing */
		world_drop_events(inbox, inbox->event_count);
		run->must_look = true;
	} else if (is_good) {
		world_drop_events(inbox, look->events);
		run->must_look &= look->hints != NULL;
		run->has_missed &= look->hints != NULL;
	} else if (one_in(run, 2)) { /* otherwise the same hints again, and newer ones */
		run->must_look = true;
	}
	free(look->hints);
}
