/* Logging in against whatever a server says and whatever a password command prints: answers are
 * base64 and short, nothing is computed for longer than the limit, and a token cannot add fields to
 * the message that carries it. The input is a line each: mechanism, user, password, and challenges,
 * in which \1 stands for our nonce.
 * SPDX-License-Identifier: MIT */
#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/auth/mechanism.h"
#include "fuzz/fuzz.h"
#include "support/memory_stream.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/sasl.h"

#define INPUT_MAX 8192
#define ANSWER_MAX (64 * 1024)
#define NONCE_MARK '\1'

struct run {
	const struct mechanism *mechanism;
	struct sasl *sasl;
	struct slice left; /* of the input */
	char *nonce;
};

/* Stands in for libgsasl's own, which takes a second for two million iterations. Declared in
 * gsasl.h. */
int gsasl_scram_secrets_from_password(Gsasl_hash hash, const char *password,
				      unsigned int iteration_count, const char *salt,
				      size_t saltlen, char *salted_password, char *client_key,
				      char *server_key, char *stored_key)
{
	size_t len = gsasl_hash_length(hash);

	(void)password;
	(void)salt;
	(void)saltlen;
	must(iteration_count <= SASL_SCRAM_ITERATIONS_MAX);
	memset(salted_password, 1, len);
	memset(client_key, 2, len);
	memset(server_key, 3, len);
	memset(stored_key, 4, len);
	return GSASL_OK;
}

static struct slice take_line(struct run *run)
{
	struct slice line = run->left;
	const char *end = line.len > 0 ? memchr(line.data, '\n', line.len) : NULL;

	if (end != NULL)
		line.len = (size_t)(end - line.data);
	run->left.data += line.len + (end != NULL ? 1 : 0);
	run->left.len -= line.len + (end != NULL ? 1 : 0);
	return line;
}

/* The challenge with our nonce in it, in base64; or as it is when it begins with '!'. */
static char *challenge_of(const struct run *run, struct slice line)
{
	struct buf plain;
	char *base64 = NULL;

	if (line.len > 0 && line.data[0] == '!')
		return xstrndup(line.data + 1, line.len - 1);
	buf_init(&plain, ANSWER_MAX);
	for (size_t i = 0; i < line.len; i++) {
		if (line.data[i] == NONCE_MARK && run->nonce != NULL)
			(void)buf_add_str(&plain, run->nonce);
		else
			(void)buf_add_char(&plain, line.data[i]);
	}
	must(gsasl_base64_to(buf_str(&plain), plain.len, &base64, NULL) == GSASL_OK);
	char *challenge = xstrdup(base64);
	gsasl_free(base64);
	buf_free(&plain);
	return challenge;
}

static size_t count_of(const char *text, size_t len, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += text[i] == byte;
	return count;
}

static void check_answer(struct run *run, const struct buf *out, bool is_first)
{
	char *bytes = NULL;
	size_t len = 0;

	must(gsasl_base64_from(buf_str(out), out->len, &bytes, &len) == GSASL_OK);
	char *plain = xstrndup(bytes, len);
	const char *nonce = is_first ? strstr(plain, ",r=") : NULL;
	if (nonce != NULL)
		run->nonce = xstrdup(nonce + 3);
	if (run->mechanism->is_oauth && is_first)
		must(count_of(plain, len, '\1') ==
		     (strcmp(run->mechanism->name, "XOAUTH2") == 0 ? 3 : 5));
	gsasl_free(bytes);
	free(plain);
}

static void exchange(struct run *run)
{
	bool is_first = true;
	int code = 0;

	while (code == 0 && (is_first || run->left.len > 0)) {
		struct buf out;
		struct error err;
		struct slice line = { "", 0 };

		if (!is_first || !sasl_has_initial(run->sasl))
			line = take_line(run);
		char *challenge = challenge_of(run, line);
		buf_init(&out, ANSWER_MAX);
		code = sasl_step(run->sasl, slice_of(challenge), &out, &err);
		must(code == 0 || err.code == code);
		if (code == 0)
			check_answer(run, &out, is_first);
		is_first = false;
		buf_free(&out);
		free(challenge);
	}
}

static void run_all(struct run *run, const struct stream *stream)
{
	struct slice name = take_line(run);
	struct slice user = take_line(run);
	struct slice password = take_line(run);
	struct error err;

	run->mechanism =
		&mechanisms[(name.len > 0 ? (unsigned char)name.data[0] : 0) % MECHANISM_COUNT];
	/* As password.c and the configuration let them through. */
	if (memchr(user.data, '\0', user.len) != NULL || password.len == 0 ||
	    memchr(password.data, '\0', password.len) != NULL)
		return;
	char *user_text = xstrndup(user.data, user.len);
	struct secret *secret = secret_new(password.data, password.len);
	const struct sasl_identity identity = {
		.user = user_text, .password = secret, .host = "h", .port = 1, .service = "imap"
	};
	run->sasl = sasl_new(run->mechanism->name, &identity, stream, &err);
	if (run->sasl != NULL)
		exchange(run);
	sasl_free(&run->sasl);
	secret_free(&secret);
	free(user_text);
	free(run->nonce);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = { .left = { (const char *)data, size } };

	if (size == 0 || size > INPUT_MAX)
		return 0;
	struct loop *loop = loop_new_fake();
	struct memory_stream *memory = memory_stream_new(loop);
	memory_stream_set_binding(memory, MECHANISM_BINDING, SLICE_LITERAL("0123456789abcdef"));
	run_all(&run, memory_stream_stream(memory));
	memory_stream_free(&memory);
	loop_free(&loop);
	return 0;
}
