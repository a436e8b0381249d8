/* The state's records: bytes that are taken for a record are the very bytes that we write for it.
 * The first byte says which record.
 * SPDX-License-Identifier: MIT */
#include "../../src/store/pack.h"
#include "fuzz/fuzz.h"
#include "syncd/must.h"

/* Packs again what was read; false: it was no record. */
typedef bool (*repack_fn)(struct slice from, struct buf *out);

static bool repack_mailbox(struct slice from, struct buf *out)
{
	struct mailbox_record mailbox;

	if (!unpack_mailbox(from, &mailbox))
		return false;
	pack_mailbox(out, &mailbox);
	keyword_table_free(&mailbox.keywords);
	return true;
}

static bool repack_message(struct slice from, struct buf *out)
{
	struct message_record message;

	if (!unpack_message(from, &message))
		return false;
	pack_message(out, &message);
	return true;
}

static bool repack_name(struct slice from, struct buf *out)
{
	struct name_record name;

	if (!unpack_name(from, &name))
		return false;
	pack_name(out, &name);
	return true;
}

static bool repack_journal(struct slice from, struct buf *out)
{
	struct journal_record journal;

	if (!unpack_journal(from, &journal))
		return false;
	pack_journal(out, &journal);
	return true;
}

static bool repack_setaside(struct slice from, struct buf *out)
{
	struct setaside_record setaside;

	if (!unpack_setaside(from, &setaside))
		return false;
	pack_setaside(out, &setaside);
	return true;
}

static bool repack_pop3(struct slice from, struct buf *out)
{
	struct pop3_record pop3;

	if (!unpack_pop3(from, &pop3))
		return false;
	pack_pop3(out, &pop3);
	return true;
}

static const repack_fn kinds[] = {
	repack_mailbox, repack_message, repack_name, repack_journal, repack_setaside, repack_pop3,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out;

	if (size == 0 || size > PACK_VALUE_MAX)
		return 0;
	struct slice from = { (const char *)data + 1, size - 1 };
	buf_init(&out, PACK_VALUE_MAX);
	if (kinds[data[0] % ARRAY_LEN(kinds)](from, &out))
		must(slice_equals(buf_slice(&out), from));
	buf_free(&out);
	return 0;
}
