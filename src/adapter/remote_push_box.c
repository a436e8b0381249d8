/* What the server tells of the mailbox that a push has selected, gathered until it has said all.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "remote_private.h"

static struct remote_push_box *box_of(struct imap_mailbox_user *user)
{
	return container_of(user, struct remote_push_box, user);
}

static void box_tell(struct remote_push_box *box)
{
	const struct imap_mailbox *mailbox = imap_session_mailbox(box->session);
	const struct adapter_remote_told told = {
		.status = { .uidvalidity = mailbox->uidvalidity,
			    .messages = mailbox->exists,
			    .highestmodseq = box->is_unsure ? 0 : box->modseq },
		.has_messages = mailbox->has_exists,
	};

	box->told(box, &told);
}

static void box_gathered(struct loop_timer *timer)
{
	box_tell(container_of(timer, struct remote_push_box, gather));
}

static void box_changed(struct imap_mailbox_user *user, bool is_unsure)
{
	struct remote_push_box *box = box_of(user);

	if (box->session == NULL)
		return;
	box->is_unsure |= is_unsure;
	if (!loop_timer_is_armed(&box->gather))
		loop_timer_start(&box->gather, REMOTE_PUSH_GATHER_MS);
}

/* --- What it says ------------------------------------------------------------------ */

static void box_note_modseq(struct remote_push_box *box, uint64_t modseq)
{
	if (modseq > box->modseq)
		box->modseq = modseq;
}

/* A change of flags tells its modseq once CONDSTORE is in use (RFC 7162 §3.1.4). */
static void box_fetched(struct imap_mailbox_user *user, const struct imap_fetched *fetched)
{
	box_note_modseq(box_of(user), fetched->modseq);
	box_changed(user, fetched->modseq == 0);
}

static void box_vanished(struct imap_mailbox_user *user, uint32_t low, uint32_t high,
			 bool is_earlier, bool is_own)
{
	(void)low;
	(void)high;
	(void)is_earlier;
	(void)is_own;
	box_changed(user, true);
}

static void box_expunged(struct imap_mailbox_user *user)
{
	box_changed(user, true);
}

static void box_counted(struct imap_mailbox_user *user, uint32_t before, uint32_t now)
{
	(void)before;
	(void)now;
	box_changed(user, true);
}

/* Dovecot says it behind what came and went: then nothing is unsure any more. */
static void box_highestmodseq(struct imap_mailbox_user *user, uint64_t modseq, bool is_tagged)
{
	struct remote_push_box *box = box_of(user);

	(void)is_tagged;
	box_note_modseq(box, modseq);
	box->is_unsure = false;
	box_changed(user, modseq == 0);
}

static void box_damaged(struct imap_mailbox_user *user, bool was_asked)
{
	(void)was_asked;
	box_changed(user, true);
}

static const struct imap_mailbox_user_ops box_ops = {
	.fetched = box_fetched,
	.vanished = box_vanished,
	.expunged = box_expunged,
	.counted = box_counted,
	.highestmodseq = box_highestmodseq,
	.damaged = box_damaged,
};

/* --- Its life -------------------------------------------------------------------------- */

void remote_push_box_init(struct remote_push_box *box, struct loop *loop)
{
	box->user.ops = &box_ops;
	loop_timer_init(loop, &box->gather, box_gathered);
}

void remote_push_box_selected(struct remote_push_box *box, const struct imap_session *session,
			      struct adapter_remote_told *told)
{
	const struct imap_mailbox *mailbox = imap_session_mailbox(session);

	box->session = session;
	box->modseq = mailbox->highestmodseq;
	box->is_unsure = false;
	*told = (struct adapter_remote_told){
		.status = { .uidvalidity = mailbox->uidvalidity,
			    .uidnext = mailbox->uidnext,
			    .messages = mailbox->exists,
			    .highestmodseq = mailbox->highestmodseq },
		.has_messages = mailbox->has_exists,
	};
}

void remote_push_box_leave(struct remote_push_box *box)
{
	if (loop_timer_is_armed(&box->gather)) {
		loop_timer_stop(&box->gather);
		box_tell(box);
	}
	box->session = NULL;
}
