/* Message bodies, streamed: pieces of a hundred UIDs and more, up to six of them in the pipe.
 *
 * A FETCH response may name its items in any order (RFC 3501 §7.4.2) and servers answer pipelined
 * commands in any order (§5.5): a blocked Dovecot does. So all items of a message are asked for
 * at once, and whose a body was and its date are told when the whole response has come.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/imap.h"
#include "syncd/imap_date.h"
#include "syncd/must.h"

#include "imap_private.h"

/* While one piece is answered, the bytes of those behind it must last for a round trip: on a fast
 * link that takes several. Beyond two pieces no more is in the pipe than comes within a second:
 * where bodies come slowly, other sessions are to find something left (remote_fetch.c), and
 * commands of this one are not to wait for long. */
#define FETCH_PIECES 6
#define FETCH_PIECES_LEAST 2
#define FETCH_AHEAD_MS 1000

/* Of small messages a hundred do not last (100 KB are 8 ms at 100 Mbit/s). Five hundred UIDs fit
 * one line. */
#define FETCH_PIECE_BYTES (1024 * 1024)
#define FETCH_PIECE_UIDS 100
#define FETCH_PIECE_UIDS_MAX 500

struct fetch_piece {
	struct imap_fetch *fetch;
	struct imap_command command;
	bool is_in_flight;
	struct uidset awaited; /* asked for, no body given */
	bool is_cut;           /* answered in part: what is awaited is not missing */
};

struct imap_fetch_work {
	struct imap_session *session;
	struct fetch_piece pieces[FETCH_PIECES];
	bool is_begun; /* a body of the response being read; its end is owed */
	bool is_paused;
	bool is_stopped;
	uint64_t body_bytes; /* of the one begun */
	uint64_t came;       /* bodies, for their average size and how fast they come */
	uint64_t came_bytes;
	uint64_t first_ms; /* when the first one began */
	uint64_t ahead;    /* messages that may be in the pipe in more than two pieces */
	struct loop_defer defer;
};

static struct fetch_piece *piece_of(struct imap_command *command)
{
	return container_of(command, struct fetch_piece, command);
}

/* The answer to one piece may come while another one's is expected. */
static struct fetch_piece *find_awaiting(struct imap_fetch_work *work, uint32_t uid)
{
	for (size_t i = 0; i < FETCH_PIECES; i++) {
		struct fetch_piece *piece = &work->pieces[i];
		if (piece->is_in_flight && uidset_contains(&piece->awaited, uid))
			return piece;
	}
	return NULL;
}

static void give_up(struct imap_fetch *fetch, int code)
{
	if (fetch->err.code == 0)
		(void)error_set(&fetch->err, code, "the message could not be taken");
	fetch->work->is_begun = false;
}

/* --- Bodies ------------------------------------------------------------------- */

static void body_begin(struct imap_fetch *fetch, uint64_t size_bytes)
{
	if (fetch->err.code != 0)
		return;
	fetch->work->is_begun = true;
	fetch->work->body_bytes = 0;
	if (fetch->work->first_ms == 0)
		fetch->work->first_ms = loop_now_ms(fetch->work->session->settings.loop);
	int rc = fetch->begin(fetch, size_bytes);
	if (rc < 0)
		give_up(fetch, rc);
}

static void body_data(struct imap_fetch *fetch, struct slice data)
{
	if (!fetch->work->is_begun)
		return;
	fetch->work->body_bytes += data.len;
	fetch->work->came_bytes += data.len;
	int rc = fetch->data(fetch, data);
	if (rc < 0)
		give_up(fetch, rc);
}

static void body_end(struct imap_fetch *fetch, uint32_t uid, int64_t internaldate_s)
{
	if (!fetch->work->is_begun)
		return;
	fetch->work->is_begun = false;
	fetch->work->came++;
	int rc = fetch->end(fetch, uid, internaldate_s);
	if (rc < 0)
		give_up(fetch, rc);
}

static int fetch_literal_begin(struct imap_command *command, uint32_t sequence, uint32_t uid,
			       struct slice section, uint64_t size_bytes)
{
	struct imap_fetch *fetch = piece_of(command)->fetch;

	(void)sequence;
	if (!slice_case_equals_str(section, "BODY[]") ||
	    (uid != 0 && find_awaiting(fetch->work, uid) == NULL))
		return 0;
	if (fetch->work->is_begun) {
		/* Two bodies in one response: neither is to be trusted. */
		body_end(fetch, 0, 0);
		return 1;
	}
	body_begin(fetch, size_bytes);
	return 1;
}

static void fetch_literal_data(struct imap_command *command, struct slice data)
{
	body_data(piece_of(command)->fetch, data);
}

static int64_t date_of(const struct imap_fetch_work *work, const struct imap_response *response)
{
	struct slice text;
	int64_t date_s;

	if (imap_arg_text(imap_fetch_item(response, "INTERNALDATE"), &text) &&
	    imap_date_parse(text, &date_s))
		return date_s;
	return loop_wall_s(work->session->settings.loop);
}

/* A short body may come as a quoted string; NIL leaves the message missing, and so does an empty
 * one: a message has a header, and a server without it at hand may have it tomorrow. Of a response
 * that broke the grammar nobody knows where the body ended. */
static bool fetch_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_fetch *fetch = piece_of(command)->fetch;
	struct imap_fetch_work *work = fetch->work;
	const struct imap_arg *body = imap_fetch_item(response, "BODY[]");
	uint32_t uid = imap_fetch_uid(response);
	struct fetch_piece *piece = response->is_damaged ? NULL : find_awaiting(work, uid);

	if (!slice_equals_str(response->name, "FETCH"))
		return false;
	if (!work->is_begun && (body == NULL || piece == NULL))
		return false;
	if (!work->is_begun && body->kind == IMAP_STRING) {
		body_begin(fetch, body->size);
		if (body->text.len > 0)
			body_data(fetch, body->text);
	}
	if (!work->is_begun)
		return true;
	if (work->body_bytes == 0)
		piece = NULL;
	if (piece != NULL) {
		int rc = uidset_remove_range(&piece->awaited, uid, uid);
		must(rc == 0);
	}
	body_end(fetch, piece != NULL ? uid : 0, date_of(work, response));
	return true;
}

/* Too many at once (MESSAGELIMIT, RFC 9738): what was left out is there all the same. */
static void fetch_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct fetch_piece *piece = piece_of(command);
	struct imap_cut cut;

	piece->is_cut = response->condition == IMAP_OK && imap_reply_is_cut(response, &cut) &&
			!uidset_is_empty(&piece->awaited);
}

static const struct imap_command_type fetch_type = {
	.name = "FETCH",
	.refused = SYNCD_EMESSAGE,
	.tagged = fetch_tagged,
	.untagged = fetch_untagged,
	.literal_begin = fetch_literal_begin,
	.literal_data = fetch_literal_data,
};

/* --- Pieces --------------------------------------------------------------------- */

static void fetch_go_on(struct imap_fetch *fetch);

static void piece_give_back(struct fetch_piece *piece)
{
	int rc = uidset_merge(piece->fetch->left, &piece->awaited);

	must(rc == 0); /* they were in it before */
	uidset_clear(&piece->awaited);
}

/* The time before the first body does not count: a server may have to open the mailbox first. */
static void note_speed(struct imap_fetch_work *work)
{
	uint64_t taken_ms = loop_now_ms(work->session->settings.loop) - work->first_ms;

	if (work->came > 0)
		work->ahead = taken_ms > 0 ? work->came * FETCH_AHEAD_MS / taken_ms : UINT64_MAX;
}

static void piece_done(struct imap_command *command, int code)
{
	struct fetch_piece *piece = piece_of(command);
	struct imap_fetch *fetch = piece->fetch;

	if (code == 0 && piece->is_cut)
		code = error_set(&command->err, SYNCD_EMESSAGE,
				 "the server sent some of the messages only");
	if (code < 0 && imap_session_is_over(fetch->work->session))
		piece_give_back(piece);
	if (code < 0 && fetch->err.code == 0) {
		fetch->err = command->err;
		fetch->is_lost = imap_session_is_over(fetch->work->session);
		if (imap_quirk_is_about_message(&fetch->err))
			fetch->err.code = SYNCD_EMESSAGE;
	}
	piece->is_in_flight = false;
	note_speed(fetch->work);
	fetch_go_on(fetch);
}

/* How many messages to ask for at once, from the size of those that came, and how fast. */
static uint64_t piece_size(const struct imap_fetch_work *work)
{
	uint64_t limit = imap_session_limits(work->session)->messages;
	uint64_t count = FETCH_PIECE_UIDS;

	if (work->came > 0)
		count = FETCH_PIECE_BYTES / (work->came_bytes / work->came + 1);
	if (count > work->ahead)
		count = work->ahead;
	if (count < FETCH_PIECE_UIDS)
		count = FETCH_PIECE_UIDS;
	else if (count > FETCH_PIECE_UIDS_MAX)
		count = FETCH_PIECE_UIDS_MAX;
	return count < limit ? count : limit;
}

/* Whether another piece may follow those in the pipe. */
static bool has_room(const struct imap_fetch_work *work)
{
	uint64_t awaited = 0;
	unsigned in_flight = 0;

	for (size_t i = 0; i < FETCH_PIECES; i++) {
		if (!work->pieces[i].is_in_flight)
			continue;
		in_flight++;
		awaited += uidset_count(&work->pieces[i].awaited);
	}
	return in_flight < FETCH_PIECES_LEAST || awaited + piece_size(work) <= work->ahead;
}

static void piece_fill(struct fetch_piece *piece)
{
	struct imap_command *command = &piece->command;
	struct uidset_place place = { 0 };

	uidset_take_highest(piece->fetch->left, piece_size(piece->fetch->work), &piece->awaited);
	imap_command_init(piece->fetch->work->session, command, &fetch_type, piece_done);
	imap_write_text(&command->write, "UID FETCH ");
	(void)imap_write_uids(&command->write, &piece->awaited, &place, 64, UINT64_MAX);
	must(!uidset_format_left(&piece->awaited, &place));
	imap_write_text(&command->write, " (UID INTERNALDATE BODY.PEEK[])");
	piece->is_cut = false;
	piece->is_in_flight = true;
	imap_command_start(command);
}

static void fetch_finish(struct imap_fetch *fetch)
{
	struct imap_fetch_work *work = fetch->work;

	body_end(fetch, 0, 0); /* if one was begun, the session's end has cut it */
	if (work->is_paused)
		imap_session_resume(work->session);
	loop_defer_cancel(&work->defer);
	for (size_t i = 0; i < FETCH_PIECES; i++)
		uidset_free(&work->pieces[i].awaited);
	free(work);
	fetch->work = NULL;
	fetch->done(fetch, fetch->err.code);
}

static bool fetch_is_over(const struct imap_fetch *fetch)
{
	return fetch->work->is_stopped || fetch->err.code != 0 || uidset_is_empty(fetch->left);
}

/* Fills free pieces; finishes when none is under way and nothing more is to be asked for. */
static void fetch_go_on(struct imap_fetch *fetch)
{
	struct imap_fetch_work *work = fetch->work;
	bool is_in_flight = false;

	for (size_t i = 0; i < FETCH_PIECES; i++) {
		if (!work->pieces[i].is_in_flight && !work->is_paused && !fetch_is_over(fetch) &&
		    has_room(work))
			piece_fill(&work->pieces[i]);
		is_in_flight |= work->pieces[i].is_in_flight;
	}
	if (!is_in_flight && fetch_is_over(fetch))
		fetch_finish(fetch);
}

static void fetch_turn(struct loop_defer *defer)
{
	fetch_go_on(container_of(defer, struct imap_fetch_work, defer)->pieces[0].fetch);
}

static void fetch_go_on_later(struct imap_fetch *fetch)
{
	loop_defer(fetch->work->session->settings.loop, &fetch->work->defer, fetch_turn);
}

void imap_fetch_start(struct imap_session *session, struct imap_fetch *fetch)
{
	struct imap_fetch_work *work = xcalloc(1, sizeof(*work));

	error_clear(&fetch->err);
	fetch->is_lost = false;
	fetch->work = work;
	work->session = session;
	work->ahead = fetch->is_further ? 0 : UINT64_MAX;
	for (size_t i = 0; i < FETCH_PIECES; i++) {
		work->pieces[i].fetch = fetch;
		uidset_init(&work->pieces[i].awaited);
	}
	fetch_go_on_later(fetch);
}

void imap_fetch_stop(struct imap_fetch *fetch)
{
	fetch->work->is_stopped = true;
	fetch_go_on_later(fetch);
}

void imap_fetch_cancel(struct imap_fetch *fetch)
{
	give_up(fetch, SYNCD_ECANCELLED);
	fetch_go_on_later(fetch);
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
	fetch_go_on_later(fetch);
}
