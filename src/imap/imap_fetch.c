/* Message bodies, streamed: pieces of a hundred UIDs, two of them in the pipe.
 *
 * A piece is two commands sent together, dates and then bodies: a FETCH response
 * may name its items in any order (RFC 3501 §7.4.2), and a body that comes first
 * could not be begun without its date; so the date is asked for before. The
 * answers to the first also tell the sequence numbers, for servers that say the
 * UID behind the body.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/imap.h"
#include "syncd/imap_date.h"
#include "syncd/must.h"

#include "imap_private.h"

#define FETCH_PIECE_UIDS 100
#define FETCH_PIECES 2

struct fetch_item {
	uint32_t uid;
	uint32_t sequence; /* 0: not told */
	int64_t internaldate_s;
	bool has_date;
	bool is_given; /* begin was called */
};

struct fetch_piece {
	struct imap_fetch *fetch;
	struct imap_command dates;
	struct imap_command bodies;
	unsigned in_flight;
	struct fetch_item items[FETCH_PIECE_UIDS]; /* by UID */
	size_t count;
};

struct imap_fetch_work {
	struct imap_session *session;
	struct uidset_place place;
	struct uidset set; /* of the piece being written */
	struct fetch_piece pieces[FETCH_PIECES];
	uint32_t current; /* UID of the body being read; 0: none, or it is dropped */
	bool is_paused;
	bool is_exhausted;
	struct loop_defer defer;
};

static struct fetch_item *find_uid(struct fetch_piece *piece, uint32_t uid)
{
	size_t low = 0;
	size_t high = piece->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (piece->items[middle].uid == uid)
			return &piece->items[middle];
		if (piece->items[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static struct fetch_item *find_sequence(struct fetch_piece *piece, uint32_t sequence)
{
	for (size_t i = 0; i < piece->count; i++) {
		if (piece->items[i].sequence == sequence)
			return &piece->items[i];
	}
	return NULL;
}

static void give_up(struct imap_fetch *fetch, int code)
{
	if (fetch->err.code == 0)
		(void)error_set(&fetch->err, code, "the message could not be taken");
	fetch->work->current = 0;
}

/* --- Dates ------------------------------------------------------------------- */

static struct fetch_piece *piece_of_dates(struct imap_command *command)
{
	return container_of(command, struct fetch_piece, dates);
}

static bool dates_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct fetch_piece *piece = piece_of_dates(command);
	const struct imap_arg *date = imap_fetch_item(response, "INTERNALDATE");
	struct fetch_item *item = find_uid(piece, imap_fetch_uid(response));
	struct slice text;

	if (date == NULL || item == NULL)
		return false;
	item->sequence = response->number;
	item->has_date = imap_arg_text(date, &text) && imap_date_parse(text, &item->internaldate_s);
	return true;
}

/* --- Bodies ------------------------------------------------------------------- */

static struct fetch_piece *piece_of_bodies(struct imap_command *command)
{
	return container_of(command, struct fetch_piece, bodies);
}

/* False when nobody wants it (any more). */
static bool body_begin(struct fetch_piece *piece, struct fetch_item *item, uint64_t size_bytes)
{
	struct imap_fetch *fetch = piece->fetch;
	struct imap_fetch_work *work = fetch->work;

	if (fetch->err.code != 0 || item->is_given)
		return false;
	item->is_given = true;
	if (!item->has_date)
		item->internaldate_s = loop_wall_s(work->session->settings.loop);
	int rc = fetch->begin(fetch, item->uid, size_bytes, item->internaldate_s);
	if (rc < 0) {
		give_up(fetch, rc);
		return false;
	}
	work->current = item->uid;
	return true;
}

static void body_data(struct imap_command *command, struct slice data)
{
	struct imap_fetch *fetch = piece_of_bodies(command)->fetch;

	if (fetch->work->current == 0)
		return;
	int rc = fetch->data(fetch, data);
	if (rc < 0)
		give_up(fetch, rc);
}

static void body_end(struct imap_command *command)
{
	struct imap_fetch *fetch = piece_of_bodies(command)->fetch;
	uint32_t uid = fetch->work->current;

	if (uid == 0)
		return;
	fetch->work->current = 0;
	int rc = fetch->end(fetch, uid);
	if (rc < 0)
		give_up(fetch, rc);
}

static bool other_piece_in_flight(const struct fetch_piece *piece)
{
	const struct imap_fetch_work *work = piece->fetch->work;

	for (size_t i = 0; i < FETCH_PIECES; i++) {
		if (&work->pieces[i] != piece && work->pieces[i].in_flight > 0)
			return true;
	}
	return false;
}

/* Whose body it is. When only one message was asked for, it is that one's. */
static struct fetch_item *find_item(struct fetch_piece *piece, uint32_t sequence, uint32_t uid)
{
	if (uid != 0)
		return find_uid(piece, uid);
	struct fetch_item *item = find_sequence(piece, sequence);
	if (item == NULL && piece->count == 1 && !other_piece_in_flight(piece))
		item = &piece->items[0];
	return item;
}

static int body_literal_begin(struct imap_command *command, uint32_t sequence, uint32_t uid,
			      struct slice section, uint64_t size_bytes)
{
	struct fetch_piece *piece = piece_of_bodies(command);

	if (!slice_case_equals_str(section, "BODY[]"))
		return 0;
	struct fetch_item *item = find_item(piece, sequence, uid);
	if (item == NULL)
		return uid == 0 && !other_piece_in_flight(piece) ? SYNCD_EPROTO : 0;
	(void)body_begin(piece, item, size_bytes);
	return 1;
}

/* A short body may come as a quoted string; NIL leaves the message missing. */
static bool bodies_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct fetch_piece *piece = piece_of_bodies(command);
	const struct imap_arg *body = imap_fetch_item(response, "BODY[]");
	struct fetch_item *item;

	if (slice_equals_str(response->name, "EXPUNGE")) {
		for (size_t i = 0; i < piece->count; i++) {
			if (piece->items[i].sequence == response->number)
				piece->items[i].sequence = 0;
			else if (piece->items[i].sequence > response->number)
				piece->items[i].sequence--;
		}
		return false;
	}
	if (body == NULL)
		return false;
	item = find_item(piece, response->number, imap_fetch_uid(response));
	if (item == NULL)
		return false;
	if (body->kind == IMAP_STRING && body_begin(piece, item, body->size)) {
		if (body->text.len > 0)
			body_data(command, body->text);
		body_end(command);
	}
	return true;
}

static const struct imap_command_type dates_type = {
	.name = "FETCH",
	.refused = SYNCD_EMESSAGE,
	.untagged = dates_untagged,
};

static const struct imap_command_type bodies_type = {
	.name = "FETCH",
	.refused = SYNCD_EMESSAGE,
	.untagged = bodies_untagged,
	.literal_begin = body_literal_begin,
	.literal_data = body_data,
	.literal_end = body_end,
};

/* --- Pieces --------------------------------------------------------------------- */

static void fetch_go_on(struct imap_fetch *fetch);

static void piece_done(struct fetch_piece *piece, const struct imap_command *command, int code)
{
	struct imap_fetch *fetch = piece->fetch;

	if (code < 0 && fetch->err.code == 0) {
		fetch->err = command->err;
		if (imap_quirk_is_about_message(&fetch->err))
			fetch->err.code = SYNCD_EMESSAGE;
	}
	if (command == &piece->bodies)
		fetch->work->current = 0;
	piece->in_flight--;
	fetch_go_on(fetch);
}

static void dates_done(struct imap_command *command, int code)
{
	piece_done(piece_of_dates(command), command, code);
}

static void bodies_done(struct imap_command *command, int code)
{
	piece_done(piece_of_bodies(command), command, code);
}

static void piece_take_uids(struct fetch_piece *piece)
{
	struct imap_fetch_work *work = piece->fetch->work;
	uint32_t uid;

	piece->count = 0;
	uidset_clear(&work->set);
	while (piece->count < FETCH_PIECE_UIDS &&
	       uidset_next(piece->fetch->uids, &work->place, &uid)) {
		piece->items[piece->count++] = (struct fetch_item){ .uid = uid };
		int rc = uidset_add(&work->set, uid);
		must(rc == 0);
	}
	work->is_exhausted = piece->count < FETCH_PIECE_UIDS;
}

static void piece_start(struct fetch_piece *piece, struct imap_command *command,
			const struct imap_command_type *type, imap_command_done done,
			const char *items)
{
	struct imap_fetch_work *work = piece->fetch->work;
	struct uidset_place place = { 0 };

	imap_command_init(work->session, command, type, done);
	imap_write_text(&command->write, "UID FETCH ");
	/* A hundred UIDs fit one line. */
	(void)imap_write_uids(&command->write, &work->set, &place, 64);
	imap_write_text(&command->write, items);
	piece->in_flight++;
	imap_command_start(command);
}

static void piece_fill(struct fetch_piece *piece)
{
	piece_take_uids(piece);
	if (piece->count == 0)
		return;
	piece_start(piece, &piece->dates, &dates_type, dates_done, " (UID INTERNALDATE)");
	piece_start(piece, &piece->bodies, &bodies_type, bodies_done, " (UID BODY.PEEK[])");
}

static void fetch_finish(struct imap_fetch *fetch)
{
	struct imap_fetch_work *work = fetch->work;

	if (work->is_paused)
		imap_session_resume(work->session);
	loop_defer_cancel(&work->defer);
	uidset_free(&work->set);
	free(work);
	fetch->work = NULL;
	fetch->done(fetch, fetch->err.code);
}

/* Fills free pieces; finishes when none is under way and nothing is left. */
static void fetch_go_on(struct imap_fetch *fetch)
{
	struct imap_fetch_work *work = fetch->work;
	unsigned in_flight = 0;

	for (size_t i = 0; i < FETCH_PIECES; i++) {
		if (work->pieces[i].in_flight == 0 && !work->is_exhausted && !work->is_paused &&
		    fetch->err.code == 0)
			piece_fill(&work->pieces[i]);
		in_flight += work->pieces[i].in_flight;
	}
	if (in_flight == 0 && (work->is_exhausted || fetch->err.code != 0))
		fetch_finish(fetch);
}

static void fetch_turn(struct loop_defer *defer)
{
	fetch_go_on(container_of(defer, struct imap_fetch_work, defer)->pieces[0].fetch);
}

void imap_fetch_start(struct imap_session *session, struct imap_fetch *fetch)
{
	struct imap_fetch_work *work = xcalloc(1, sizeof(*work));

	error_clear(&fetch->err);
	fetch->work = work;
	work->session = session;
	uidset_init(&work->set);
	for (size_t i = 0; i < FETCH_PIECES; i++)
		work->pieces[i].fetch = fetch;
	loop_defer(session->settings.loop, &work->defer, fetch_turn);
}

void imap_fetch_cancel(struct imap_fetch *fetch)
{
	give_up(fetch, SYNCD_ECANCELLED);
	loop_defer(fetch->work->session->settings.loop, &fetch->work->defer, fetch_turn);
}

void imap_fetch_pause(struct imap_fetch *fetch)
{
	must(!fetch->work->is_paused);
	fetch->work->is_paused = true;
	imap_session_pause(fetch->work->session);
}

void imap_fetch_resume(struct imap_fetch *fetch)
{
	must(fetch->work->is_paused);
	fetch->work->is_paused = false;
	imap_session_resume(fetch->work->session);
	loop_defer(fetch->work->session->settings.loop, &fetch->work->defer, fetch_turn);
}
