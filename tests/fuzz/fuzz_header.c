/* Fuzzes the header scanner and the line end converters: cuts change nothing.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/crlf.h"
#include "syncd/header.h"
#include "syncd/must.h"

#define INPUT_MAX 65536

struct result {
	struct buf fields;
	struct buf crlf;
	struct buf lf;
	struct crlf_count count;
	size_t used;
};

static int on_field(void *context, const struct header_field *field)
{
	struct result *result = context;

	must(field->name.len > 0 && memchr(field->name.data, ':', field->name.len) == NULL);
	must(field->body.len == 0 || (memchr(field->body.data, '\n', field->body.len) == NULL &&
				      memchr(field->body.data, '\r', field->body.len) == NULL));
	(void)buf_add(&result->fields, field->name.data, field->name.len);
	(void)buf_add_char(&result->fields, ':');
	(void)buf_add(&result->fields, field->body.data, field->body.len);
	return buf_add_char(&result->fields, '\n');
}

static void run(struct result *result, struct slice data, size_t step)
{
	struct header_scanner scanner;
	struct crlf_encoder encoder = { 0 };
	struct crlf_decoder decoder = { 0 };

	*result = (struct result){ 0 };
	buf_init(&result->fields, 4 * INPUT_MAX);
	buf_init(&result->crlf, 4 * INPUT_MAX);
	buf_init(&result->lf, 4 * INPUT_MAX);
	header_scanner_init(&scanner, on_field, result);
	while (data.len > 0) {
		size_t used = 0;
		struct slice piece = { data.data, step < data.len ? step : data.len };
		char *copy = xmalloc(piece.len);
		memcpy(copy, piece.data, piece.len);
		data.data += piece.len;
		data.len -= piece.len;
		piece.data = copy;
		must(header_scanner_feed(&scanner, piece, &used) == 0);
		must(crlf_encode(&encoder, piece, &result->crlf) == 0);
		must(crlf_decode(&decoder, piece, &result->lf) == 0);
		crlf_count(&result->count, piece);
		result->used += used;
		free(copy);
	}
	must(header_scanner_end(&scanner) == 0);
	must(crlf_decode_end(&decoder, &result->lf) == 0);
	header_scanner_free(&scanner);
}

static void drop(struct result *result)
{
	buf_free(&result->fields);
	buf_free(&result->crlf);
	buf_free(&result->lf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole;
	struct result cut;

	if (size == 0 || size > INPUT_MAX)
		return 0;
	struct slice input = { (const char *)data + 1, size - 1 };
	run(&whole, input, size);
	run(&cut, input, data[0] % 16 + 1u);
	must(whole.used == cut.used);
	must(slice_equals(buf_slice(&whole.fields), buf_slice(&cut.fields)));
	must(slice_equals(buf_slice(&whole.crlf), buf_slice(&cut.crlf)));
	must(slice_equals(buf_slice(&whole.lf), buf_slice(&cut.lf)));
	must(whole.count.size_bytes == whole.crlf.len && cut.count.size_bytes == cut.crlf.len);
	drop(&whole);
	drop(&cut);
	return 0;
}
