/* INTERNALDATE: a date that is read must be written as one that reads the same.
 * SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"
#include "syncd/imap_date.h"
#include "syncd/must.h"

#define FIRST_YEAR_S (-62135596800) /* 0001-01-01 */
#define LAST_YEAR_S 253402300799    /* 9999-12-31 23:59:59 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[IMAP_DATE_SIZE];
	int64_t seconds = 0, again = 0;

	if (!imap_date_parse((struct slice){ (const char *)data, size }, &seconds))
		return 0;
	imap_date_format(seconds, text);
	must(imap_date_parse(slice_of(text), &again));
	must(again == seconds || seconds < FIRST_YEAR_S || seconds > LAST_YEAR_S);
	return 0;
}
