/* Mailbox names: what decodes must encode to the same bytes again, and the other way round.
 * SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"
#include "syncd/imap_utf7.h"
#include "syncd/must.h"

#define NAME_MAX_BYTES 65536

typedef int (*convert_fn)(struct slice from, struct buf *to);

static void check_way_back(struct slice name, convert_fn there, convert_fn back)
{
	struct buf converted, again;

	buf_init(&converted, NAME_MAX_BYTES);
	buf_init(&again, NAME_MAX_BYTES);
	if (there(name, &converted) == 0) {
		must(back((struct slice){ converted.data, converted.len }, &again) == 0);
		must(slice_equals(name, (struct slice){ again.data, again.len }));
	} else {
		must(converted.len == 0);
	}
	buf_free(&converted);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice name = { (const char *)data, size };

	if (size > NAME_MAX_BYTES / 8)
		return 0;
	check_way_back(name, imap_utf7_decode, imap_utf7_encode);
	check_way_back(name, imap_utf7_encode, imap_utf7_decode);
	return 0;
}
