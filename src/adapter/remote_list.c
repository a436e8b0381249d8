/* The list of mailboxes with their status: in one command (RFC 5819), else, and for those left out,
 * by STATUS of each in a pipeline; where the server has no HIGHESTMODSEQ a status would spare no
 * look, and none is asked. What outlives a rename (RFC 8474) comes with it.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#include "remote_private.h"

#define LIST_MAILBOXES_MAX 100000 /* names that a server may list, with those listed twice */
#define LIST_STATUSES 64          /* in flight at once */

/* A name on the wire and what was told of it; LIST and STATUS each make one, to be joined. */
struct list_entry {
	char *name;
	size_t order;
	bool is_listed;
	bool is_damaged; /* of which more cannot be said */
	bool is_selectable;
	bool is_subscribed;
	enum special_use use;
	bool is_told; /* a status was, be it of nothing */
	struct imap_told told;
};

struct list_work;

struct list_status {
	struct imap_status status;
	struct list_work *work;
	struct list_entry *entry; /* or NULL: not in flight */
};

struct list_work {
	struct remote_lease lease;
	struct imap_list list;
	struct imap_list lsub;
	struct imap_unselect unselect;
	struct remote_list_req *req;
	struct list_entry *entries;
	size_t count;
	size_t cap;
	struct list_status statuses[LIST_STATUSES];
	unsigned wishes;    /* what is wanted beside the names */
	size_t next;        /* the entry whose STATUS is asked for next */
	unsigned in_flight; /* commands */
	size_t others;      /* up to here it was seen whether their mailboxes are listed */
	struct buf pattern;
	struct error err; /* the first reason to give up */
};

static void list_finish(struct list_work *work)
{
	struct remote_list_req *req = work->req;
	struct error why = work->err;

	if (work->lease.conn != NULL)
		remote_pool_release(work->lease.conn);
	for (size_t i = 0; i < work->count; i++)
		free(work->entries[i].name);
	free(work->entries);
	buf_free(&work->pattern);
	free(work);
	req->op.err = why;
	req->op.done(&req->op, why.code);
}

static struct imap_session *session_of(const struct list_work *work)
{
	return work->lease.conn->session;
}

/* --- Collecting -------------------------------------------------------------- */

/* Returns NULL when there is no room, or the name is one that no command could carry. */
static struct list_entry *list_add(struct list_work *work, struct slice name)
{
	if (memchr(name.data, '\0', name.len) != NULL)
		return NULL;
	if (work->count == LIST_MAILBOXES_MAX) {
		if (work->err.code == 0)
			(void)error_set(&work->err, SYNCD_ELIMIT,
					"the server lists more than %d mailboxes",
					LIST_MAILBOXES_MAX);
		return NULL;
	}
	/* INBOX is one mailbox in any case (RFC 3501 §5.1). */
	if (slice_case_equals_str(name, "INBOX"))
		name = SLICE_LITERAL("INBOX");
	work->entries = xgrow(work->entries, work->count, &work->cap, sizeof(*work->entries));
	struct list_entry *entry = &work->entries[work->count];
	*entry = (struct list_entry){ .name = xmalloc(name.len + 1), .order = work->count++ };
	memcpy(entry->name, name.data, name.len);
	entry->name[name.len] = '\0';
	return entry;
}

static void list_found(struct imap_list *list, const struct imap_listed *listed)
{
	struct slice name = listed->name;
	const char *nul = memchr(name.data, '\0', name.len);

	/* Without a NUL it can be told of at least. */
	if (nul != NULL)
		name.len = (size_t)(nul - name.data);
	struct list_entry *entry = list_add(container_of(list, struct list_work, list), name);
	if (entry == NULL)
		return;
	entry->is_listed = true;
	entry->is_damaged = listed->is_damaged || nul != NULL;
	entry->is_selectable = listed->is_selectable;
	entry->is_subscribed = listed->is_subscribed;
	entry->use = listed->use;
}

/* A name for itself, that need not exist. */
static void lsub_found(struct imap_list *lsub, const struct imap_listed *listed)
{
	struct list_entry *entry =
		list_add(container_of(lsub, struct list_work, lsub), listed->name);

	if (entry != NULL)
		entry->is_subscribed = true;
}

static void list_told(struct imap_list *list, struct slice name, const struct imap_told *told)
{
	struct list_entry *entry = list_add(container_of(list, struct list_work, list), name);

	if (entry == NULL)
		return;
	entry->is_told = true;
	entry->told = *told;
}

static int compare_names(const void *a, const void *b)
{
	const struct list_entry *left = a;
	const struct list_entry *right = b;
	int order = strcmp(left->name, right->name);

	return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

static int compare_order(const void *a, const void *b)
{
	const struct list_entry *left = a;
	const struct list_entry *right = b;

	return (left->order > right->order) - (left->order < right->order);
}

/* The last word counts; what it does not mention stays. */
static void told_join(struct imap_told *told, const struct imap_told *more)
{
	uint64_t mailbox_id = more->mailbox_id != 0 ? more->mailbox_id : told->mailbox_id;

	if (more->uidvalidity != 0)
		*told = *more;
	told->mailbox_id = mailbox_id;
}

/* What is said of one mailbox in several lines becomes one entry: as it was listed first, with the
 * status told last. */
static void entry_join(struct list_entry *entry, const struct list_entry *more)
{
	bool is_better = entry->is_damaged && more->is_listed && !more->is_damaged;

	if (!entry->is_listed || is_better) {
		entry->is_listed = more->is_listed;
		entry->is_damaged = more->is_damaged;
		entry->is_selectable = more->is_selectable;
		entry->order = more->order;
	}
	entry->is_subscribed |= more->is_subscribed;
	entry->use = special_use_join(entry->use, more->use);
	entry->is_told |= more->is_told;
	told_join(&entry->told, &more->told);
}

static void list_join(struct list_work *work)
{
	size_t kept = 0;

	if (work->count == 0)
		return;
	qsort(work->entries, work->count, sizeof(*work->entries), compare_names);
	for (size_t i = 0; i < work->count; i++) {
		struct list_entry *last = kept > 0 ? &work->entries[kept - 1] : NULL;
		if (last == NULL || strcmp(last->name, work->entries[i].name) != 0) {
			work->entries[kept++] = work->entries[i];
			continue;
		}
		entry_join(last, &work->entries[i]);
		free(work->entries[i].name);
	}
	work->count = kept;
	qsort(work->entries, work->count, sizeof(*work->entries), compare_order);
}

/* --- Telling ------------------------------------------------------------------ */

struct mailbox_status remote_status_of(const struct imap_told *told)
{
	return (struct mailbox_status){
		.uidvalidity = told->uidvalidity,
		.uidnext = told->uidnext,
		.messages = told->messages,
		.highestmodseq = told->highestmodseq,
	};
}

/* Dovecot's status of the selected mailbox is that of its selection (warmbly/warmbly#180). */
static bool is_frozen(const struct list_work *work, const struct list_entry *entry)
{
	return slice_equals_str(imap_session_selected(session_of(work)), entry->name);
}

/* Whose it is. `name` is its canonical form, where it has none the wire's. */
static enum remote_kind entry_name(const struct list_work *work, const struct list_entry *entry,
				   struct buf *name)
{
	const struct remote_names names = remote_names_of(work->lease.conn);
	enum remote_kind kind = REMOTE_NAMELESS;

	if (!entry->is_damaged)
		kind = remote_names_from_wire(&names, slice_of(entry->name), name);
	if (kind != REMOTE_NAMELESS)
		return kind;
	buf_reset(name);
	(void)buf_add_str(name, entry->name[0] != '\0' ? entry->name : "\"\"");
	return kind;
}

static bool is_left_alone(const struct list_work *work, const struct list_entry *entry)
{
	return work->req->wants_subscribed && !entry->is_subscribed &&
	       strcmp(entry->name, "INBOX") != 0;
}

static void entry_tell(struct list_work *work, const struct list_entry *entry)
{
	struct buf name;

	buf_init(&name, 4 * IMAP_NAME_MAX);
	enum remote_kind kind = entry_name(work, entry, &name);
	bool is_usable = kind != REMOTE_NAMELESS;
	struct mailbox_info info = {
		.name = buf_str(&name),
		.is_selectable = entry->is_selectable && is_usable,
		.is_marked_unusable = !is_usable,
		.lasting_id = entry->told.mailbox_id,
		.use = kind == REMOTE_OURS ? entry->use : SPECIAL_USE_NONE,
		.is_left_alone = kind == REMOTE_LEFT_ALONE || is_left_alone(work, entry),
	};
	if (!is_frozen(work, entry))
		info.status = remote_status_of(&entry->told);
	if (kind != REMOTE_HIDDEN)
		work->req->found(work->req, &info);
	buf_free(&name);
}

static void list_conclude(struct list_work *work)
{
	bool has_inbox = false;

	for (size_t i = 0; i < work->count && work->err.code == 0; i++) {
		if (!work->entries[i].is_listed)
			continue;
		has_inbox |= strcmp(work->entries[i].name, "INBOX") == 0;
		entry_tell(work, &work->entries[i]);
	}
	/* Every account has one (RFC 3501 §5.1). */
	if (!has_inbox && work->err.code == 0)
		log_warn(work->lease.conn->adapter->settings.account,
			 "the server's list of mailboxes lacks INBOX: what else it lacks does not "
			 "count as deleted");
	list_finish(work);
}

/* --- STATUS of each --------------------------------------------------------------- */

static bool wants_status(const struct list_work *work, const struct list_entry *entry)
{
	struct buf name;

	if (!entry->is_selectable || entry->is_told || is_frozen(work, entry) ||
	    is_left_alone(work, entry))
		return false;
	buf_init(&name, 4 * IMAP_NAME_MAX);
	enum remote_kind kind = entry_name(work, entry, &name);
	bool is_wanted = (kind == REMOTE_OURS || kind == REMOTE_NAMED) &&
			 work->req->selects(work->req, buf_str(&name));
	buf_free(&name);
	return is_wanted;
}

static void status_done(struct imap_command *command, int code);

static void status_fill(struct list_status *slot)
{
	struct list_work *work = slot->work;

	while (work->next < work->count && !wants_status(work, &work->entries[work->next]))
		work->next++;
	if (work->next == work->count)
		return;
	slot->entry = &work->entries[work->next++];
	slot->status.name = slice_of(slot->entry->name);
	slot->status.wishes = work->wishes;
	work->in_flight++;
	imap_status_start(session_of(work), &slot->status, status_done);
}

/* A mailbox whose status is refused has none; or it is only listed for those below it, and nothing
 * to be selected (Dovecot 2.3, of deleted ones, without \Noselect). A session that is over ends it
 * all. */
static void status_done(struct imap_command *command, int code)
{
	struct list_status *slot = container_of(command, struct list_status, status.command);
	struct list_work *work = slot->work;

	work->in_flight--;
	if (code == 0)
		told_join(&slot->entry->told, &slot->status.told);
	else if (remote_says_missing(&command->err))
		slot->entry->is_selectable = false;
	slot->entry = NULL;
	if (code < 0 && !imap_session_is_live(session_of(work)))
		work->err = command->err;
	else
		status_fill(slot);
	if (work->in_flight == 0)
		list_conclude(work);
}

static void list_ask_each(struct list_work *work)
{
	for (size_t i = 0; i < LIST_STATUSES; i++) {
		work->statuses[i].work = work;
		status_fill(&work->statuses[i]);
	}
	if (work->in_flight == 0)
		list_conclude(work);
}

/* --- LIST ------------------------------------------------------------------------- */

static bool asks_status(const struct list_work *work)
{
	return (work->wishes & IMAP_WANTS_STATUS) != 0;
}

/* An id alone is not worth a round trip of its own. */
static unsigned wishes_of(const struct list_work *work)
{
	const struct imap_session *session = session_of(work);
	bool wants_status =
		work->req->selects != NULL && imap_session_can(session, IMAP_CAP_CONDSTORE);
	bool can_tell = wants_status || imap_session_can(session, IMAP_CAP_LIST_STATUS);
	unsigned wishes = wants_status ? IMAP_WANTS_STATUS : 0;

	if (can_tell && imap_session_can(session, IMAP_CAP_OBJECTID))
		wishes |= IMAP_WANTS_ID;
	return wishes;
}

/* LIST-STATUS is an option of the same kind (RFC 5819 §1). */
static bool can_return(const struct imap_session *session)
{
	return imap_session_can(session, IMAP_CAP_LIST_EXTENDED) ||
	       imap_session_can(session, IMAP_CAP_LIST_STATUS);
}

/* Where LIST told of others, it left some out on purpose; where it told of none, each is asked. */
static bool lacks_status(const struct list_work *work)
{
	bool tells = false;

	for (size_t i = 0; i < work->count; i++)
		tells |= work->entries[i].is_told;
	return asks_status(work) && (work->list.wishes == 0 || tells);
}

static bool has_listed_in(const struct list_work *work, const struct remote_names *names,
			  size_t other)
{
	for (size_t i = 0; i < work->count; i++) {
		if (remote_names_is_in(names, other, slice_of(work->entries[i].name)))
			return true;
	}
	return false;
}

static void others_done(struct imap_command *command, int code);

/* A namespace of others need not be in the list by itself (RFC 2342 §4). False: there is none that
 * is wanted and was not listed. */
static bool list_ask_others(struct list_work *work)
{
	const struct remote_names names = remote_names_of(work->lease.conn);

	while (work->err.code == 0 && work->others < names.count) {
		size_t other = work->others++;
		if (!remote_names_has(&names, other) || has_listed_in(work, &names, other))
			continue;
		buf_reset(&work->pattern);
		(void)buf_printf(&work->pattern, "%s*", names.others[other].prefix);
		work->list.pattern = buf_slice(&work->pattern);
		work->in_flight++;
		imap_list_start(session_of(work), &work->list, others_done);
		return true;
	}
	return false;
}

/* What was asked in one flight is answered. */
static void list_answered(struct list_work *work)
{
	if (--work->in_flight > 0 || list_ask_others(work))
		return;
	list_join(work);
	if (work->err.code == 0 && lacks_status(work))
		list_ask_each(work);
	else
		list_conclude(work);
}

/* Refused, it is as if there were none. */
static void others_done(struct imap_command *command, int code)
{
	struct list_work *work = container_of(command, struct list_work, list.command);

	if (code < 0 && !imap_session_is_live(session_of(work)))
		work->err = command->err;
	list_answered(work);
}

/* Without it there is no telling what is to be left alone. */
static void lsub_done(struct imap_command *command, int code)
{
	struct list_work *work = container_of(command, struct list_work, lsub.command);

	if (code < 0 && work->err.code == 0) {
		work->err = command->err;
		error_context(&work->err, "LSUB");
	}
	list_answered(work);
}

/* Where LIST cannot tell what is subscribed; behind it in the same flight. */
static void lsub_ask(struct list_work *work)
{
	work->in_flight++;
	work->lsub.found = lsub_found;
	imap_lsub_start(session_of(work), &work->lsub, lsub_done);
}

/* What a server announces it may refuse all the same: then each mailbox is asked, and for what is
 * needed only. */
static void list_done(struct imap_command *command, int code)
{
	struct list_work *work = container_of(command, struct list_work, list.command);

	bool was_asked_more =
		work->list.wishes != 0 || work->list.wants_use || work->list.wants_subscribed;
	if (code < 0 && was_asked_more && imap_session_is_live(session_of(work))) {
		bool needs_lsub = work->list.wants_subscribed;
		work->list.wishes = 0;
		work->list.wants_use = work->list.wants_subscribed = false;
		work->wishes &= IMAP_WANTS_STATUS;
		imap_list_start(session_of(work), &work->list, list_done);
		if (needs_lsub)
			lsub_ask(work);
		return;
	}
	if (code < 0 && work->err.code == 0)
		work->err = command->err;
	list_answered(work);
}

/* Refused, the mailbox stays selected, and is passed over. */
static void unselect_done(struct imap_unselect *unselect, int code)
{
	(void)code;
	list_answered(container_of(unselect, struct list_work, unselect));
}

static void list_granted(struct remote_lease *lease, int code)
{
	struct list_work *work = container_of(lease, struct list_work, lease);
	struct imap_session *session;

	if (code < 0) {
		work->err = lease->err;
		list_finish(work);
		return;
	}
	session = session_of(work);
	work->wishes = wishes_of(work);
	if (imap_session_can(session, IMAP_CAP_LIST_STATUS))
		work->list.wishes = work->wishes;
	work->list.wants_use =
		can_return(session) && imap_session_can(session, IMAP_CAP_SPECIAL_USE);
	work->list.wants_subscribed =
		work->req->wants_subscribed && imap_session_can(session, IMAP_CAP_LIST_EXTENDED);
	work->list.pattern = SLICE_LITERAL("*");
	work->list.found = list_found;
	work->list.told = list_told;
	if (asks_status(work) && imap_session_selected(session).len > 0 &&
	    imap_session_can(session, IMAP_CAP_UNSELECT)) {
		work->in_flight++;
		work->unselect.done = unselect_done;
		imap_unselect_start(session, &work->unselect);
	}
	work->in_flight++;
	imap_list_start(session, &work->list, list_done);
	if (work->req->wants_subscribed && !work->list.wants_subscribed)
		lsub_ask(work);
}

void remote_list(struct remote_account *account, struct remote_list_req *req)
{
	struct list_work *work = xcalloc(1, sizeof(*work));

	error_clear(&req->op.err);
	work->req = req;
	buf_init(&work->pattern, IMAP_PREFIX_MAX + 1);
	work->lease.granted = list_granted;
	remote_pool_lease(container_of(account, struct adapter_remote, account), &work->lease);
}
