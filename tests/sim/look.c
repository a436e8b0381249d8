/* What a daemon would have the next passes look at: everything, or what inotify told;
 * and what happens to inotify's events on the way.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "syncd/alloc.h"

static bool one_in(struct run *run, uint64_t n)
{
	return rng_below(&run->rng, n) == 0;
}

/* Of a mailbox that was not there before, or not under that name, nothing is known. */
static struct watch *watch_of(struct run *run, const struct model_maildir *maildir)
{
	struct watch *watch = &run->watches[maildir - run->world.maildirs];

	if (watch->maildir_id != maildir->id || watch->place != place_of(maildir->name))
		*watch = (struct watch){
			.maildir_id = maildir->id,
			.place = place_of(maildir->name),
			.must_look = true,
		};
	return watch;
}

/* Of some changes the daemon never hears, and does not know that; of an overflow it knows. */
static void lose_events(struct run *run, struct model_maildir *maildir)
{
	struct watch *watch = watch_of(run, maildir);

	if (maildir->event_count > 0 && one_in(run, 8)) {
		world_drop_events(maildir, 1 + rng_below(&run->rng, maildir->event_count));
		watch->has_missed = true;
	}
	if (maildir->event_count > 0 && one_in(run, 8)) {
		world_drop_events(maildir, maildir->event_count);
		watch->must_look = true;
	}
}

/* The echo of what the pass itself did may be among them or filtered out, unless the pass may not
 * have recorded it. Without any, the maildir is known not to have changed. */
static void take_hints(struct run *run, const struct model_maildir *maildir,
		       struct look_target *target)
{
	bool takes_own = watch_of(run, maildir)->has_unrecorded || one_in(run, 2);

	target->hints = xcalloc(target->events + 1, sizeof(*target->hints));
	for (size_t i = 0; i < target->events; i++) {
		const struct model_event *event = &maildir->events[i];
		if (event->is_own && !takes_own)
			continue;
		target->hints[target->hint_count++] = (struct local_hint){
			.file = xstrdup(event->file), /* the mailbox may go meanwhile */
			.is_new = event->is_new,
			.is_gone = event->is_gone,
		};
	}
}

static void free_hints(struct look_target *target)
{
	for (size_t i = 0; i < target->hint_count; i++)
		free((char *)(uintptr_t)target->hints[i].file);
	free(target->hints);
}

static struct look_target *add_target(struct run *run, struct look *look,
				      const struct model_maildir *maildir, bool by_hints)
{
	struct look_target *target = &look->targets[look->count++];

	*target = (struct look_target){
		.maildir_id = maildir->id,
		.events = maildir->event_count,
	};
	memcpy(target->name, maildir->name, sizeof(target->name));
	if (by_hints && !watch_of(run, maildir)->must_look)
		take_hints(run, maildir, target);
	return target;
}

struct look_target *look_find(struct look *look, const char *name)
{
	for (size_t i = 0; i < look->count; i++) {
		if (strcmp(look->targets[i].name, name) == 0)
			return &look->targets[i];
	}
	return NULL;
}

static bool is_on_both(struct run *run, const struct model_maildir *maildir)
{
	return model_mailbox_find(&run->world, maildir->name) != NULL &&
	       !model_maildir_is_half(maildir);
}

/* A rename that was carried out, but for the state, is for the next look at everything. */
static bool is_half_told(struct run *run, const char *name)
{
	return run->is_renaming[place_of(name)] && model_store_mailbox(&run->world, name) == NULL;
}

static void choose_target(struct run *run, struct look *look, const struct model_maildir *maildir)
{
	if (!is_on_both(run, maildir) || is_half_told(run, maildir->name) ||
	    run->is_excluded[place_of(maildir->name)] ||
	    (run->history.has_mailboxes && one_in(run, 4)))
		return;
	struct look_target *target = add_target(run, look, maildir, !one_in(run, 3));
	target->is_remote_quiet = one_in(run, 4);
}

/* Mostly at some mailboxes only. A single one without hints, of which the server may have told
 * something, is looked at as all are. */
void look_choose(struct run *run, struct look *look)
{
	struct world *world = &run->world;

	for (size_t i = 0; model_maildir_nth(world, i) != NULL; i++)
		lose_events(run, model_maildir_nth(world, i));
	*look = (struct look){ .count = 0 };
	if (!run->history.has_mailboxes || !one_in(run, 3)) {
		for (size_t i = 0; model_maildir_nth(world, i) != NULL; i++)
			choose_target(run, look, model_maildir_nth(world, i));
	}
	if (look->count == 0 || (!run->history.has_mailboxes && look->targets[0].hints == NULL &&
				 !look->targets[0].is_remote_quiet)) {
		for (size_t i = 0; i < look->count; i++)
			free_hints(&look->targets[i]);
		look_at_all(run, look);
	}
}

void look_at_all(struct run *run, struct look *look)
{
	*look = (struct look){ .is_full = true };
	for (size_t i = 0; model_maildir_nth(&run->world, i) != NULL; i++)
		(void)add_target(run, look, model_maildir_nth(&run->world, i), false);
}

void look_by_hints(struct run *run, struct look *look)
{
	*look = (struct look){ .count = 0 };
	for (size_t i = 0; model_maildir_nth(&run->world, i) != NULL; i++)
		(void)add_target(run, look, model_maildir_nth(&run->world, i), true);
}

/* What is gone from both sides, or from one, is found by a look at everything alone. */
static bool is_any_gone(struct run *run)
{
	const struct model_store *store = &run->world.store;

	for (size_t i = 0; i < store->mailbox_count; i++) {
		if (model_maildir_find(&run->world, store->mailboxes[i].name) == NULL)
			return true;
	}
	for (size_t i = 0; i < PLACES; i++) {
		if (run->is_renaming[i])
			return true;
	}
	/* It is made anew. */
	return run->trash != NULL && model_mailbox_find(&run->world, run->trash) == NULL;
}

bool look_may_use_hints(struct run *run)
{
	size_t count = 0;

	if (is_any_gone(run))
		return false;
	for (; model_maildir_nth(&run->world, count) != NULL; count++) {
		const struct model_maildir *maildir = model_maildir_nth(&run->world, count);
		const struct watch *watch = watch_of(run, maildir);
		if (watch->must_look || watch->has_missed || !is_on_both(run, maildir))
			return false;
	}
	return model_mailbox_nth(&run->world, count) == NULL;
}

/* --- The end --------------------------------------------------------------------------------- */

static void target_end(struct run *run, struct look_target *target)
{
	struct model_maildir *maildir = model_maildir_find(&run->world, target->name);
	const struct sync_result *result = &target->result;
	bool is_good = result->err.code == 0 && !result->is_local_moving &&
		       !result->wants_another && !result->wants_run;

	if (maildir == NULL || maildir->id != target->maildir_id || !target->is_over)
		return;
	struct watch *watch = watch_of(run, maildir);
	watch->has_unrecorded = !is_good;
	if (is_good) {
		world_drop_events(maildir, target->events);
		watch->must_look &= target->hints != NULL;
		watch->has_missed &= target->hints != NULL;
	} else if (one_in(run, 2)) { /* otherwise the same hints again, and newer ones */
		watch->must_look = true;
	}
}

static void forget_all(struct run *run)
{
	for (size_t i = 0; model_maildir_nth(&run->world, i) != NULL; i++) {
		struct model_maildir *maildir = model_maildir_nth(&run->world, i);
		world_drop_events(maildir, maildir->event_count);
		watch_of(run, maildir)->must_look = true;
	}
}

void look_end(struct run *run, struct look *look, bool has_died)
{
	for (size_t i = 0; i < look->count; i++) {
		struct look_target *target = &look->targets[i];
		if (!has_died)
			target_end(run, target);
		free_hints(target);
	}
	if (has_died) /* a daemon that starts knows nothing */
		forget_all(run);
}
