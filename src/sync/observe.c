/* Observers: a listing of one side, merged with the agreed state, is a delta.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_plan.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"

#define OBSERVE_CHUNK 256 /* records read from the state at a time */

/* --- Both observers ---------------------------------------------------------------- */

static void observe_new(const struct sync_observer *observer, struct delta *delta, uint32_t uid,
			const char *name, uint64_t flags)
{
	const struct setaside_record *aside = sync_setaside_find(observer->setaside, uid, name);

	if ((aside != NULL && aside->next_try_s > observer->now_s) ||
	    sync_waiting_has_name(observer->waiting, name) ||
	    sync_waiting_has_come(observer->waiting, uid))
		return;
	delta_add(delta, &(struct delta_entry){
				 .change = SIDE_NEW,
				 .uid = uid,
				 .name = name,
				 .flags = flags,
			 });
}

/* The absence of a flag that this side cannot hold is no change. */
static void observe_known(const struct sync_observer *observer, struct delta *delta, uint32_t uid,
			  const char *name, uint64_t flags, uint64_t agreed)
{
	uint64_t now = flags | (agreed & ~observer->mask);

	if (now == agreed)
		return;
	delta_add(delta, &(struct delta_entry){
				 .change = SIDE_FLAGS,
				 .uid = uid,
				 .name = name,
				 .flags = now,
				 .agreed = agreed,
			 });
}

static void observe_gone(struct delta *delta, uint32_t uid, uint64_t agreed)
{
	delta_add(delta, &(struct delta_entry){
				 .change = SIDE_GONE,
				 .uid = uid,
				 .agreed = agreed,
			 });
}

/* --- Remote --------------------------------------------------------------------------- */

/* Merges one chunk of agreed records, in UID order, with the listing from *at on. */
static void merge_remote_chunk(const struct sync_observer *observer,
			       const struct remote_observation *obs, size_t *at,
			       const struct remote_flags *agreed, size_t count, struct delta *delta)
{
	for (size_t i = 0; i < count; i++) {
		while (*at < obs->count && obs->items[*at].uid < agreed[i].uid) {
			observe_new(observer, delta, obs->items[*at].uid, NULL,
				    obs->items[*at].flags);
			(*at)++;
		}
		if (*at < obs->count && obs->items[*at].uid == agreed[i].uid) {
			observe_known(observer, delta, agreed[i].uid, NULL, obs->items[*at].flags,
				      agreed[i].flags);
			(*at)++;
		} else if (obs->is_complete) {
			observe_gone(delta, agreed[i].uid, agreed[i].flags);
		}
	}
}

static int observe_remote_listing(const struct sync_observer *observer,
				  const struct remote_observation *obs, struct delta *delta,
				  struct error *err)
{
	struct remote_flags *agreed = xreallocarray(NULL, OBSERVE_CHUNK, sizeof(*agreed));
	uint32_t after = 0;
	size_t count = 0;
	size_t at = 0;
	int code = 0;

	do {
		code = observer->store->ops->messages_after(observer->store, observer->mailbox_id,
							    after, agreed, OBSERVE_CHUNK, &count,
							    err);
		if (code != 0)
			break;
		merge_remote_chunk(observer, obs, &at, agreed, count, delta);
		if (count > 0)
			after = agreed[count - 1].uid;
	} while (count > 0);
	for (; code == 0 && at < obs->count; at++)
		observe_new(observer, delta, obs->items[at].uid, NULL, obs->items[at].flags);
	free(agreed);
	return code;
}

/* A range may name all the UIDs there are: only those that the state has cost anything. */
static int observe_remote_gone(const struct sync_observer *observer, struct uid_range range,
			       struct delta *delta, struct error *err)
{
	struct store_port *store = observer->store;
	struct remote_flags agreed[OBSERVE_CHUNK];
	uint64_t size = (uint64_t)range.high - range.low + 1;
	size_t most = size < OBSERVE_CHUNK ? (size_t)size : OBSERVE_CHUNK;
	uint32_t after = range.low - 1;
	size_t count = 0;

	do {
		int code = store->ops->messages_after(store, observer->mailbox_id, after, agreed,
						      most, &count, err);
		if (code != 0)
			return code;
		for (size_t i = 0; i < count && agreed[i].uid <= range.high; i++)
			observe_gone(delta, agreed[i].uid, agreed[i].flags);
		if (count > 0)
			after = agreed[count - 1].uid;
	} while (count > 0 && after < range.high);
	return 0;
}

/* Looks each changed or vanished message up: the protocol has said which. */
static int observe_remote_changes(const struct sync_observer *observer,
				  const struct remote_observation *obs, struct delta *delta,
				  struct error *err)
{
	struct store_port *store = observer->store;
	struct message_record record;
	bool is_known = false;

	for (size_t i = 0; i < obs->count; i++) {
		if (uidset_contains(&obs->gone, obs->items[i].uid))
			continue;
		int code = store->ops->message_get(store, observer->mailbox_id, obs->items[i].uid,
						   &is_known, &record, err);
		if (code != 0)
			return code;
		if (is_known)
			observe_known(observer, delta, record.uid, NULL, obs->items[i].flags,
				      record.flags);
		else
			observe_new(observer, delta, obs->items[i].uid, NULL, obs->items[i].flags);
	}
	for (size_t i = 0; i < obs->gone.range_count; i++) {
		int code = observe_remote_gone(observer, obs->gone.ranges[i], delta, err);
		if (code != 0)
			return code;
	}
	return 0;
}

int sync_observe_remote(const struct sync_observer *observer,
			const struct remote_observation *observation, struct delta *delta,
			struct error *err)
{
	int code = observation->is_delta
			   ? observe_remote_changes(observer, observation, delta, err)
			   : observe_remote_listing(observer, observation, delta, err);

	delta_sort(delta);
	return code;
}

/* --- Local ------------------------------------------------------------------------------ */

static void merge_local_chunk(const struct sync_observer *observer,
			      const struct local_listing *listing, size_t *at,
			      const struct name_record *agreed, size_t count, struct delta *delta)
{
	for (size_t i = 0; i < count; i++) {
		int order = 1;
		while (*at < listing->count &&
		       (order = strcmp(listing->items[*at].name, agreed[i].name)) < 0) {
			observe_new(observer, delta, 0, listing->items[*at].name,
				    listing->items[*at].flags);
			(*at)++;
		}
		if (*at < listing->count && order == 0) {
			observe_known(observer, delta, agreed[i].uid, listing->items[*at].name,
				      listing->items[*at].flags, agreed[i].flags);
			(*at)++;
		} else if (listing->is_stable) {
			observe_gone(delta, agreed[i].uid, agreed[i].flags);
		}
	}
}

static int observe_local_listing(const struct sync_observer *observer,
				 const struct local_listing *listing, struct delta *delta,
				 struct error *err)
{
	struct name_record *agreed = xreallocarray(NULL, OBSERVE_CHUNK, sizeof(*agreed));
	char after[MAIL_NAME_MAX + 1] = "";
	size_t count = 0;
	size_t at = 0;
	int code = 0;

	do {
		code = observer->store->ops->names_after(observer->store, observer->mailbox_id,
							 after, agreed, OBSERVE_CHUNK, &count, err);
		if (code != 0)
			break;
		merge_local_chunk(observer, listing, &at, agreed, count, delta);
		if (count > 0)
			memcpy(after, agreed[count - 1].name, sizeof(after));
	} while (count > 0);
	for (; code == 0 && at < listing->count; at++)
		observe_new(observer, delta, 0, listing->items[at].name, listing->items[at].flags);
	free(agreed);
	return code;
}

/* Looks each message up that changed or vanished: inotify has said which. */
static int observe_local_changes(const struct sync_observer *observer,
				 const struct local_listing *listing, struct delta *delta,
				 struct error *err)
{
	struct store_port *store = observer->store;
	struct message_record record;
	bool is_known = false;

	for (size_t i = 0; i < listing->count; i++) {
		const struct local_item *item = &listing->items[i];
		int code = store->ops->message_by_name(store, observer->mailbox_id, item->name,
						       &is_known, &record, err);
		if (code != 0)
			return code;
		if (is_known && item->is_gone)
			observe_gone(delta, record.uid, record.flags);
		else if (is_known)
			observe_known(observer, delta, record.uid, item->name, item->flags,
				      record.flags);
		else if (!item->is_gone)
			observe_new(observer, delta, 0, item->name, item->flags);
	}
	return 0;
}

int sync_observe_local(const struct sync_observer *observer, const struct local_listing *listing,
		       struct delta *delta, struct error *err)
{
	int code = listing->is_delta ? observe_local_changes(observer, listing, delta, err)
				     : observe_local_listing(observer, listing, delta, err);

	delta_sort(delta);
	return code;
}
