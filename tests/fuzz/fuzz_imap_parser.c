/* IMAP responses: no bytes may break the parser, and where they are cut must make no
 * difference to what it says.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "fuzz/fuzz.h"
#include "syncd/imap_parser.h"
#include "syncd/must.h"

/* What was called back, folded into a number. */
struct account {
	uint64_t hash;
	uint64_t literal_left;
};

static void note(struct account *account, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		account->hash = (account->hash ^ bytes[i]) * 1099511628211u;
}

static void note_args(struct account *account, const struct imap_arg *arg)
{
	for (; arg; arg = arg->next) {
		note(account, &arg->kind, sizeof(arg->kind));
		note(account, &arg->size, sizeof(arg->size));
		if (arg->kind == IMAP_ATOM || arg->kind == IMAP_STRING)
			note(account, arg->text.data, arg->text.len);
		if (arg->kind == IMAP_LIST)
			note_args(account, arg->child);
	}
}

static int on_response(void *context, const struct imap_response *response)
{
	struct account *account = context;

	note(account, &response->kind, sizeof(response->kind));
	note(account, &response->number, sizeof(response->number));
	note(account, response->tag.data, response->tag.len);
	note(account, response->name.data, response->name.len);
	note(account, response->code.data, response->code.len);
	note(account, response->text.data, response->text.len);
	note_args(account, response->args);
	note_args(account, response->code_args);
	return 0;
}

static int on_literal_begin(void *context, uint32_t sequence, uint32_t uid, struct slice section,
			    uint64_t size_bytes)
{
	struct account *account = context;

	note(account, &sequence, sizeof(sequence));
	note(account, &uid, sizeof(uid));
	note(account, section.data, section.len);
	must(account->literal_left == 0);
	account->literal_left = size_bytes;
	return 1;
}

static int on_literal_data(void *context, struct slice data)
{
	struct account *account = context;

	must(data.len <= account->literal_left);
	account->literal_left -= data.len;
	note(account, data.data, data.len);
	return 0;
}

static int on_literal_end(void *context)
{
	struct account *account = context;

	must(account->literal_left == 0);
	return 0;
}

static int on_range(void *context, const char *name, uint32_t low, uint32_t high)
{
	must(0 < low && low <= high);
	note(context, name, strlen(name));
	note(context, &low, sizeof(low));
	note(context, &high, sizeof(high));
	return 0;
}

static const struct imap_parser_ops OPS = {
	.response = on_response,
	.literal_begin = on_literal_begin,
	.literal_data = on_literal_data,
	.literal_end = on_literal_end,
	.range = on_range,
};

/* `piece` 0: pieces of the lengths that the bytes themselves say, so that a literal is cut
 * anywhere, also with much of it in one. */
static uint64_t parse(const uint8_t *data, size_t size, size_t piece)
{
	struct account account = { .hash = 14695981039346656037u };
	struct imap_parser *parser = imap_parser_new(&OPS, &account);
	struct error err = { 0 };
	int result = 0;
	size_t len = 0;

	for (size_t at = 0; at < size && result == 0; at += len) {
		len = piece > 0 ? piece : 1u + data[size - 1 - at] % 32;
		len = size - at < len ? size - at : len;
		result = imap_parser_feed(parser, (struct slice){ (const char *)data + at, len },
					  &err);
	}
	note(&account, &result, sizeof(result));
	imap_parser_free(&parser);
	return account.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	uint64_t whole = parse(data, size, size);
	must(whole == parse(data, size, 1));
	must(whole == parse(data, size, 0));
	return 0;
}
