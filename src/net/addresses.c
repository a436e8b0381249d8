/* The order in which a host's addresses are tried (RFC 8305 §4).
 * SPDX-License-Identifier: MIT */
#include "addresses.h"

#include <stdbool.h>
#include <string.h>

static const struct addrinfo *next_of(const struct addrinfo *info, int family, bool is_same)
{
	while (info != NULL && (info->ai_addrlen > sizeof(struct sockaddr_storage) ||
				(info->ai_family == family) != is_same))
		info = info->ai_next;
	return info;
}

void addresses_take(struct addresses *addresses, const struct addrinfo *found)
{
	*addresses = (struct addresses){ .count = 0 };
	if (found == NULL)
		return;
	int family = found->ai_family;
	const struct addrinfo *first = next_of(found, family, true);
	const struct addrinfo *other = next_of(found, family, false);
	bool is_first_turn = true;

	while ((first != NULL || other != NULL) && addresses->count < ADDRESSES_MAX) {
		bool takes_first = other == NULL || (first != NULL && is_first_turn);
		const struct addrinfo *taken = takes_first ? first : other;

		memcpy(&addresses->list[addresses->count++], taken->ai_addr, taken->ai_addrlen);
		if (takes_first)
			first = next_of(first->ai_next, family, true);
		else
			other = next_of(other->ai_next, family, false);
		is_first_turn = !takes_first;
	}
}
