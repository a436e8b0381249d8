/* UIDs in the order in which a server tells them (APPENDUID, COPYUID: RFC 4315 §3), where a set
 * would forget it.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"

#include "imap_private.h"

/* The next part, up to a comma. */
static struct slice take_part(struct slice *text)
{
	const char *comma = memchr(text->data, ',', text->len);
	size_t len = comma != NULL ? (size_t)(comma - text->data) : text->len;
	size_t used = comma != NULL ? len + 1 : len;
	struct slice part = { text->data, len };

	text->data += used;
	text->len -= used;
	return part;
}

/* "10", "10:12" or "12:10", which means the same. */
static bool parse_part(struct slice text, struct uid_range *range)
{
	struct uidset part = { 0 };

	if (uidset_parse(&part, text, 0) != 0)
		return false;
	*range = part.ranges[0];
	uidset_free(&part);
	return true;
}

bool imap_uid_list_parse(struct imap_uid_list *list, struct slice text)
{
	struct uid_range range;

	*list = (struct imap_uid_list){ .is_ascending = true };
	while (text.len > 0) {
		if (!parse_part(take_part(&text), &range)) {
			imap_uid_list_free(list);
			return false;
		}
		if (list->count > 0 && range.low <= list->ranges[list->count - 1].high)
			list->is_ascending = false;
		list->ranges = xgrow(list->ranges, list->count, &list->cap, sizeof(*list->ranges));
		list->ranges[list->count++] = range;
		list->uids += (uint64_t)range.high - range.low + 1;
	}
	return list->count > 0;
}

void imap_uid_list_free(struct imap_uid_list *list)
{
	free(list->ranges);
	*list = (struct imap_uid_list){ 0 };
}

bool imap_uid_list_next(struct imap_uid_list *list, uint32_t *uid)
{
	if (list->at < list->count && list->last == list->ranges[list->at].high) {
		list->at++;
		list->last = 0;
	}
	if (list->at >= list->count)
		return false;
	list->last = list->last == 0 ? list->ranges[list->at].low : list->last + 1;
	*uid = list->last;
	return true;
}
