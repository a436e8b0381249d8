/* Dates in headers: what is read, written as IMAP writes it, must read the same here.
 * SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"
#include "syncd/imap_date.h"
#include "syncd/mail_date.h"
#include "syncd/must.h"

#define FIRST_YEAR_S (-62135596800) /* 0001-01-01 */
#define LAST_YEAR_S 253402300799    /* 9999-12-31 23:59:59 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = { (const char *)data, size };
	char text[IMAP_DATE_SIZE];
	int64_t seconds = 0, again = 0;

	(void)mail_date_of_received(input, &seconds);
	if (!mail_date_parse(input, &seconds))
		return 0;
	imap_date_format(seconds, text);
	must(mail_date_parse(slice_of(text), &again));
	must(again == seconds || seconds < FIRST_YEAR_S || seconds > LAST_YEAR_S);
	return 0;
}
