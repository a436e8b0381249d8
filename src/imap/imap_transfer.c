/* UID MOVE and UID COPY, and where the messages are then: COPYUID (RFC 6851, RFC 3501 §6.4.7,
 * RFC 4315 §3).
 * SPDX-License-Identifier: MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

static struct imap_transfer *transfer_of(struct imap_command *command)
{
	return container_of(command, struct imap_transfer, run.command);
}

/* --- [COPYUID 38505 304,319:320 3956:3958] ---------------------------------------- */

static bool has_all(const struct uidset *uids, const struct imap_uid_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!uidset_contains_range(uids, list->ranges[i].low, list->ranges[i].high))
			return false;
	}
	return true;
}

/* The target gives UIDs in ascending order, to messages in the order they were copied. What does
 * not fit together tells nothing that could be relied on. */
static bool is_credible(const struct imap_transfer *transfer, const struct imap_uid_list *from,
			const struct imap_uid_list *to)
{
	return from->uids == to->uids && to->is_ascending && has_all(transfer->uids, from);
}

/* Once for each message, however often the server says it. */
static void tell_pairs(struct imap_transfer *transfer, struct imap_uid_list *from,
		       struct imap_uid_list *to)
{
	uint32_t target_uid;
	uint32_t uid;

	transfer->has_told = true;
	while (imap_uid_list_next(from, &uid) && imap_uid_list_next(to, &target_uid)) {
		if (uidset_contains(&transfer->told, uid) || uidset_add(&transfer->told, uid) != 0)
			continue;
		if (transfer->copied != NULL)
			transfer->copied(transfer, uid, target_uid);
	}
}

/* When the target became another mailbox between two commands, only what was told first counts: a
 * UID means nothing without its UIDVALIDITY. */
static bool take_pairs(struct imap_transfer *transfer, uint32_t uidvalidity,
		       struct imap_uid_list *from, struct imap_uid_list *to)
{
	if (!is_credible(transfer, from, to) ||
	    (transfer->uidvalidity != 0 && transfer->uidvalidity != uidvalidity))
		return false;
	transfer->uidvalidity = uidvalidity;
	tell_pairs(transfer, from, to);
	return true;
}

/* Returns whether it was this one's. */
static bool take_copyuid(struct imap_transfer *transfer, const struct imap_arg *args)
{
	struct imap_uid_list from;
	struct imap_uid_list to;
	struct slice from_text;
	struct slice to_text;
	uint64_t number;

	if (!imap_arg_number(args, &number) || number > UINT32_MAX ||
	    !imap_arg_text(args->next, &from_text) || !imap_arg_text(args->next->next, &to_text) ||
	    !imap_uid_list_parse(&from, from_text))
		return false;
	bool is_taken = imap_uid_list_parse(&to, to_text) &&
			take_pairs(transfer, imap_quirk_uidvalidity((uint32_t)number), &from, &to);
	imap_uid_list_free(&from);
	imap_uid_list_free(&to);
	return is_taken;
}

static bool is_copyuid(const struct imap_response *response)
{
	return !response->is_damaged && slice_equals_str(response->code, "COPYUID");
}

/* --- UID MOVE -------------------------------------------------------------------- */

static bool move_is_own_removal(const struct imap_command *command, uint32_t low, uint32_t high)
{
	const struct imap_transfer *transfer =
		container_of(command, const struct imap_transfer, run.command);

	return uidset_contains_range(transfer->uids, low, high);
}

/* Of the moves in flight it is the first one's that it fits: servers carry them out in turn. */
static bool move_status(struct imap_command *command, const struct imap_response *response)
{
	return is_copyuid(response) && response->condition == IMAP_OK &&
	       take_copyuid(transfer_of(command), response->code_args);
}

/* What it says when it is answered: OK without a word where they are leaves them to be found. */
static void note_untold(struct imap_transfer *transfer, const struct imap_response *response)
{
	transfer->is_untold |= response->condition == IMAP_OK && !transfer->has_told;
	transfer->has_told = false;
}

/* Before the messages go, or with the answer as Gmail does (RFC 6851 §4.3); also of a part when
 * the rest is refused (§3.3). What was moved already is not moved twice by asking again. */
static void move_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_transfer *transfer = transfer_of(command);

	if (is_copyuid(response))
		(void)take_copyuid(transfer, response->code_args);
	note_untold(transfer, response);
	imap_uid_run_take_cut(&transfer->run, response, true);
}

static const struct imap_command_type move_type = {
	.name = "MOVE",
	.refused = SYNCD_EMESSAGE,
	.is_upload = true,
	.status = move_status,
	.is_own_removal = move_is_own_removal,
	.tagged = move_tagged,
};

/* --- UID COPY -------------------------------------------------------------------- */

/* Refused, it has copied nothing (RFC 3501 §6.4.7); copied twice would be two copies. */
static void copy_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_transfer *transfer = transfer_of(command);

	if (is_copyuid(response) && response->condition == IMAP_OK)
		(void)take_copyuid(transfer, response->code_args);
	note_untold(transfer, response);
	imap_uid_run_take_cut(&transfer->run, response, response->condition != IMAP_OK);
}

static const struct imap_command_type copy_type = {
	.name = "COPY",
	.refused = SYNCD_EMESSAGE,
	.is_upload = true,
	.tagged = copy_tagged,
};

/* --- The request ------------------------------------------------------------------- */

static void transfer_done(struct imap_uid_run *run, int code)
{
	struct imap_transfer *transfer = container_of(run, struct imap_transfer, run);

	transfer->err = run->err;
	transfer->done(transfer, code);
}

void imap_transfer_start(struct imap_session *session, struct imap_transfer *transfer)
{
	error_clear(&transfer->err);
	uidset_init(&transfer->told);
	transfer->uidvalidity = 0;
	transfer->has_told = false;
	transfer->is_untold = false;
	transfer->run.uids = transfer->uids;
	transfer->run.done = transfer_done;
	imap_uid_run_start(session, &transfer->run, transfer->is_move ? &move_type : &copy_type);
	transfer->run.name = transfer->mailbox;
}
