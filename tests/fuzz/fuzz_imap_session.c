/* An IMAP session against any bytes a server may say: every request completes
 * once, each body is begun and ended in order, nothing aborts and nothing leaks.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "support/fake_net.h"
#include "syncd/imap.h"
#include "syncd/must.h"

#define PIECE_MAX 97 /* bytes that arrive together: as many as the input's length says */

struct client {
	struct imap_user user;
	struct imap_session *session;
	struct loop *loop;
	struct keyword_table keywords;
	struct uidset uids;
	struct imap_select select;
	struct imap_list list;
	struct imap_listing listing;
	struct imap_fetch fetch;
	struct imap_identify identify;
	struct imap_uid_run store;
	struct imap_expunge expunge;
	struct imap_transfer transfer;
	struct uidset moved;
	struct imap_append append;
	struct imap_append_message messages[2];
	struct imap_status status;
	struct imap_search search;
	struct imap_notify notify;
	struct imap_idle idle;
	struct imap_mailbox_user mailbox_user;
	struct uidset left;
	struct uidset given;
	bool is_begun;
	int under_way;
	bool is_closed;
};

static struct client *client_of(struct imap_user *user)
{
	return container_of(user, struct client, user);
}

static struct client *current; /* whose commands complete: there is one at a time */

static void command_done(struct imap_command *command, int code)
{
	must(code <= 0 && (code == 0 || command->err.code == code));
	current->under_way--;
}

static void fetch_done(struct imap_fetch *fetch, int code)
{
	must(code == 0 || fetch->err.code == code);
	must(code < 0 || uidset_is_empty(fetch->left));
	must(!current->is_begun);
	current->under_way--;
}

static void identify_done(struct imap_identify *identify, int code)
{
	(void)identify;
	(void)code;
	current->under_way--;
}

static void run_done(struct imap_uid_run *run, int code)
{
	(void)run;
	(void)code;
	current->under_way--;
}

static void transfer_copied(struct imap_transfer *transfer, uint32_t uid, uint32_t target_uid)
{
	must(transfer->uidvalidity != 0 && target_uid != 0);
	must(uidset_contains(&current->uids, uid) && !uidset_contains(&current->moved, uid));
	must(uidset_add(&current->moved, uid) == 0);
}

static void transfer_done(struct imap_transfer *transfer, int code)
{
	must(code == 0 || transfer->err.code == code);
	must(uidset_equals(&transfer->told, &current->moved));
	uidset_free(&transfer->told);
	current->under_way--;
}

static void search_found(struct imap_search *search, uint32_t low, uint32_t high)
{
	must(search == &current->search && low > 0 && low <= high);
}

static void idle_done(struct imap_idle *idle, int code)
{
	(void)idle;
	(void)code;
	current->under_way--;
}

static void wait_in_idle(void)
{
	current->under_way++;
	imap_idle_start(current->session, &current->idle);
}

static void notify_live(struct imap_notify *notify)
{
	(void)notify;
	wait_in_idle();
}

static void notify_status(struct imap_notify *notify, const struct imap_news *news)
{
	(void)notify;
	must(news->name.len <= IMAP_NAME_MAX && news->highestmodseq <= INT64_MAX);
}

static void notify_listed(struct imap_notify *notify, struct slice name, bool is_there)
{
	(void)notify;
	(void)is_there;
	must(name.len <= IMAP_NAME_MAX);
}

static void notify_lost(struct imap_notify *notify)
{
	must(notify == &current->notify);
}

static void notify_done(struct imap_notify *notify, int code)
{
	must(code < 0 && notify->err.code == code);
	current->under_way--;
	if (imap_session_is_live(current->session) && !notify->has_overflown)
		wait_in_idle();
}

/* The last of them: then it waits. */
static void search_done(struct imap_command *command, int code)
{
	command_done(command, code);
	if (code < 0)
		return;
	current->under_way++;
	imap_notify_start(current->session, &current->notify);
}

static void status_done(struct imap_command *command, int code)
{
	command_done(command, code);
	if (code < 0)
		return;
	current->under_way++;
	imap_search_start(current->session, &current->search, search_done);
}

static void expunge_done(struct imap_expunge *expunge, int code)
{
	(void)expunge;
	current->under_way--;
	if (code < 0)
		return;
	current->under_way++;
	imap_status_start(current->session, &current->status, status_done);
}

static void list_found(struct imap_list *list, const struct imap_listed *listed)
{
	(void)list;
	must(listed->name.len <= IMAP_NAME_MAX && listed->use <= SPECIAL_USE_FLAGGED);
}

static void list_told(struct imap_list *list, struct slice name, const struct imap_told *told)
{
	must(list->wishes != 0 && name.len <= IMAP_LINE_MAX);
	must(told->highestmodseq <= INT64_MAX);
}

static void listing_found(struct imap_listing *listing, uint32_t uid, uint64_t flags)
{
	(void)listing;
	(void)flags;
	must(uid > 0);
}

/* --- The mailbox's changes --- */

static void on_fetched(struct imap_mailbox_user *user, const struct imap_fetched *fetched)
{
	must(user == &current->mailbox_user);
	must(fetched->has_flags || fetched->modseq > 0);
	must(fetched->modseq <= INT64_MAX);
	must(!fetched->is_own || uidset_contains(&current->uids, fetched->uid));
}

static void on_vanished(struct imap_mailbox_user *user, uint32_t low, uint32_t high,
			bool is_earlier, bool is_own)
{
	(void)is_earlier;
	must(user == &current->mailbox_user && low > 0 && low <= high);
	must(!is_own || uidset_contains_range(&current->uids, low, high));
}

static void on_expunged(struct imap_mailbox_user *user)
{
	must(user == &current->mailbox_user);
}

static void on_counted(struct imap_mailbox_user *user, uint32_t before, uint32_t now)
{
	must(user == &current->mailbox_user && before != now);
}

static void on_highestmodseq(struct imap_mailbox_user *user, uint64_t modseq, bool is_tagged)
{
	(void)is_tagged;
	must(user == &current->mailbox_user && modseq <= INT64_MAX);
}

static void on_damaged(struct imap_mailbox_user *user, bool was_asked)
{
	(void)was_asked;
	must(user == &current->mailbox_user);
}

static const struct imap_mailbox_user_ops mailbox_ops = {
	.fetched = on_fetched,
	.vanished = on_vanished,
	.expunged = on_expunged,
	.counted = on_counted,
	.highestmodseq = on_highestmodseq,
	.damaged = on_damaged,
};

/* --- Bodies --- */

static int fetch_begin(struct imap_fetch *fetch, uint64_t size_bytes)
{
	(void)fetch;
	(void)size_bytes;
	must(!current->is_begun);
	current->is_begun = true;
	return 0;
}

static int fetch_data(struct imap_fetch *fetch, struct slice data)
{
	(void)fetch;
	must(current->is_begun && data.len > 0);
	return 0;
}

static int fetch_end(struct imap_fetch *fetch, uint32_t uid, int64_t internaldate_s)
{
	(void)internaldate_s;
	must(current->is_begun);
	current->is_begun = false;
	if (uid == 0)
		return 0;
	must(!uidset_contains(fetch->left, uid));
	must(uidset_contains(&current->uids, uid) && !uidset_contains(&current->given, uid));
	must(uidset_add(&current->given, uid) == 0);
	return 0;
}

static void identify_found(struct imap_identify *identify, uint32_t uid,
			   const struct digest *digest, uint64_t size_bytes, uint64_t flags)
{
	(void)digest;
	(void)size_bytes;
	(void)flags;
	must(uidset_contains(identify->uids, uid));
}

static int append_read(struct imap_append_message *message, char *out, size_t size, size_t *len)
{
	(void)message;
	memset(out, 'x', size);
	*len = size;
	return 0;
}

/* Everything at once, as the server's answers come in any order anyway. */
static void start_requests(struct client *c)
{
	if (imap_session_can(c->session, IMAP_CAP_LIST_STATUS))
		c->list.wishes = IMAP_WANTS_STATUS | IMAP_WANTS_ID;
	imap_list_start(c->session, &c->list, command_done);
	imap_listing_start(c->session, &c->listing, command_done);
	imap_fetch_start(c->session, &c->fetch);
	imap_identify_start(c->session, &c->identify);
	imap_store_start(c->session, &c->store, true, FLAG_SEEN);
	imap_expunge_start(c->session, &c->expunge);
	imap_append_start(c->session, &c->append, command_done);
	c->under_way += 7;
	if (imap_session_can(c->session, IMAP_CAP_MOVE)) {
		imap_transfer_start(c->session, &c->transfer);
		c->under_way++;
	}
}

static void select_done(struct imap_command *command, int code)
{
	command_done(command, code);
	if (code == 0)
		start_requests(current);
}

static void on_ready(struct imap_user *user)
{
	struct client *c = client_of(user);

	c->under_way++;
	c->select.name = SLICE_LITERAL("INBOX");
	c->select.keywords = &c->keywords;
	c->select.user = &c->mailbox_user;
	c->select.known_uidvalidity = 7;
	c->select.known_modseq = 90;
	imap_select_start(c->session, &c->select, select_done);
}

static void on_news(struct imap_user *user)
{
	must(imap_session_mailbox(client_of(user)->session)->keywords != NULL);
}

static void on_broken(struct imap_user *user, const struct error *err)
{
	must(err->code < 0);
	imap_session_close(client_of(user)->session);
	client_of(user)->session = NULL;
}

static void on_closed(struct imap_user *user)
{
	client_of(user)->is_closed = true;
}

static const struct imap_user_ops user_ops = {
	.ready = on_ready,
	.news = on_news,
	.broken = on_broken,
	.closed = on_closed,
};

static void client_init(struct client *c)
{
	c->user.ops = &user_ops;
	keyword_table_init(&c->keywords);
	uidset_init(&c->uids);
	uidset_init(&c->left);
	uidset_init(&c->given);
	uidset_init(&c->moved);
	must(uidset_add_range(&c->uids, 1, 250) == 0);
	must(uidset_merge(&c->left, &c->uids) == 0);
	c->mailbox_user.ops = &mailbox_ops;
	c->list.found = list_found;
	c->list.told = list_told;
	c->list.wants_use = true;
	c->list.pattern = SLICE_LITERAL("*");
	c->listing.found = listing_found;
	c->listing.changed_since = 90;
	c->status.name = SLICE_LITERAL("Sent");
	c->status.wishes = IMAP_WANTS_STATUS;
	c->search.found = search_found;
	c->fetch.left = &c->left;
	c->fetch.begin = fetch_begin;
	c->fetch.data = fetch_data;
	c->fetch.end = fetch_end;
	c->fetch.done = fetch_done;
	c->identify.uids = &c->uids;
	c->identify.found = identify_found;
	c->identify.done = identify_done;
	c->store.uids = &c->uids;
	c->store.done = run_done;
	c->expunge.uids = &c->uids;
	c->expunge.done = expunge_done;
	c->transfer.uids = &c->uids;
	c->transfer.mailbox = SLICE_LITERAL("Sent");
	c->transfer.is_move = true;
	c->transfer.copied = transfer_copied;
	c->transfer.done = transfer_done;
	c->append.mailbox = SLICE_LITERAL("INBOX");
	c->append.keywords = &c->keywords;
	list_init(&c->append.messages);
	for (size_t i = 0; i < ARRAY_LEN(c->messages); i++) {
		c->messages[i].size_bytes = 100;
		c->messages[i].read = append_read;
		list_append(&c->append.messages, &c->messages[i].link);
	}
	c->notify.live = notify_live;
	c->notify.status = notify_status;
	c->notify.listed = notify_listed;
	c->notify.lost = notify_lost;
	c->notify.done = notify_done;
	c->idle.done = idle_done;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client c = { .loop = loop_new_fake() };
	struct net_target target = { .host = "localhost", .timeout_ms = 1000 };
	struct secret *password = secret_new("pw", 2);
	struct error err;

	fake_net_begin();
	current = &c;
	client_init(&c);
	struct net_context *net = net_context_new(c.loop, &target, &err);
	const struct imap_settings settings = {
		.loop = c.loop,
		.net = net,
		.target = &target,
		.account = "fuzz",
		.user = "me",
		.password = password,
		.compress = true,
	};
	c.session = imap_session_new(&settings, &c.user);
	imap_session_start(c.session);
	loop_fake_advance(c.loop, 0);
	memory_stream_set_split(fake_net_connection(0), size % PIECE_MAX + 1);
	memory_stream_push(fake_net_connection(0), (struct slice){ (const char *)data, size });
	loop_fake_advance(c.loop, 0);
	if (c.session != NULL && !c.is_closed)
		imap_session_close(c.session);
	loop_fake_advance(c.loop, 0);
	must(c.is_closed && c.under_way == 0);
	secret_free(&password);
	net_context_free(&net);
	fake_net_end();
	loop_free(&c.loop);
	keyword_table_free(&c.keywords);
	uidset_free(&c.uids);
	uidset_free(&c.left);
	uidset_free(&c.given);
	uidset_free(&c.moved);
	return 0;
}
