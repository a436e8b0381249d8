/* UID sets: a set that is read and written in pieces is the same set.
 * SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"
#include "syncd/must.h"
#include "syncd/uidset.h"

#define PIECE_BYTES 64
#define PIECE_UIDS (1u << 30)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uidset set, again;
	struct uidset_place place = { 0 };
	struct buf piece;
	uint64_t most = size % 2 == 0 ? UINT64_MAX : PIECE_UIDS;
	uint64_t count = 0;

	uidset_init(&set);
	uidset_init(&again);
	buf_init(&piece, PIECE_BYTES);
	if (uidset_parse(&set, (struct slice){ (const char *)data, size }, 100) == 0) {
		while (uidset_format_left(&set, &place)) {
			buf_reset(&piece);
			count += uidset_format(&set, &place, PIECE_BYTES, most, &piece);
			must(uidset_parse(&again, (struct slice){ piece.data, piece.len }, 0) == 0);
		}
		must(uidset_equals(&set, &again) && count == uidset_count(&set));
	}
	uidset_free(&set);
	uidset_free(&again);
	buf_free(&piece);
	return 0;
}
