/* Secrets: kept apart, wiped before their memory is given back.
 * SPDX-License-Identifier: MIT */
#include "syncd/secret.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

struct secret {
	size_t len;
	char bytes[];
};

void secret_wipe(void *memory, size_t len)
{
	volatile unsigned char *p = memory;

	while (len-- > 0)
		*p++ = 0;
}

struct secret *secret_new(const char *bytes, size_t len)
{
	must(len <= SECRET_MAX);
	struct secret *secret = xmalloc(sizeof(*secret) + len + 1);

	secret->len = len;
	if (len > 0)
		memcpy(secret->bytes, bytes, len);
	secret->bytes[len] = '\0';
	return secret;
}

struct secret *secret_copy(const struct secret *secret)
{
	return secret_new(secret->bytes, secret->len);
}

void secret_free(struct secret **secret)
{
	if (*secret == NULL)
		return;
	secret_wipe((*secret)->bytes, (*secret)->len);
	free(*secret);
	*secret = NULL;
}

const char *secret_bytes(const struct secret *secret)
{
	return secret->bytes;
}

size_t secret_len(const struct secret *secret)
{
	return secret->len;
}
