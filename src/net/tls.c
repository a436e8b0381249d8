/* The TLS layer: OpenSSL between two memory buffers, over any stream.
 * SPDX-License-Identifier: MIT */
#include "tls.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "syncd/alloc.h"
#include "syncd/must.h"
#include "tls_binding.h"
#include "tls_error.h"
#include "trust.h"

#define TLS_RECORD_SIZE 16384 /* a TLS record's most (RFC 8446 §5.1) */

enum tls_state {
	TLS_HANDSHAKE,
	TLS_FAILING, /* no handshake; done is owed when the lower layer has closed */
	TLS_OPEN,
	TLS_BROKEN, /* broken() was called */
	TLS_CLOSING,
};

struct tls {
	struct stream stream;
	struct stream_user lower_user;
	struct stream *lower;
	struct net_context *context;
	struct tls_handshake *handshake;
	struct loop_defer pump;
	SSL *ssl;
	BIO *in;  /* from the lower layer, to be decrypted */
	BIO *out; /* encrypted, for the lower layer; empty between calls */
	enum tls_state state;
	bool is_reading;
	struct error error; /* why the handshake, the certificate or a write failed */
};

static struct tls *tls_of(const struct stream *stream)
{
	return container_of(stream, struct tls, stream);
}

static struct tls *tls_of_user(struct stream_user *user)
{
	return container_of(user, struct tls, lower_user);
}

static enum stream_write_result tls_flush(struct tls *tls)
{
	enum stream_write_result result = STREAM_OK;
	char *data;
	long len = BIO_get_mem_data(tls->out, &data);

	if (len > 0)
		result = stream_write(tls->lower, (struct slice){ data, (size_t)len });
	(void)BIO_reset(tls->out);
	return result;
}

/* OpenSSL spoils the session of a connection that was cut, as TLS 1.0 wanted it; reconnecting
 * after a cut is what we keep sessions for, and allowed since (RFC 5246 §7.2.1). */
static void tls_free(struct tls *tls)
{
	SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(tls->ssl); /* and both BIOs */
	free(tls);
}

/* --- Handshake ---------------------------------------------------------------- */

static void tls_fail(struct tls *tls)
{
	must(tls->error.code != 0);
	tls->state = TLS_FAILING;
	stream_close(tls->lower);
}

static void tls_handshake_succeeded(struct tls *tls)
{
	struct tls_handshake *handshake = tls->handshake;
	struct net_context *context = tls->context;

	if (!SSL_session_reused(tls->ssl))
		tls_sessions_prove(&context->sessions, loop_now_ms(context->loop));
	tls->state = TLS_OPEN;
	tls->handshake = NULL;
	stream_read_stop(tls->lower);
	handshake->tls = NULL;
	handshake->done(handshake, &tls->stream, NULL);
}

static void tls_handshake_turn(struct tls *tls)
{
	ERR_clear_error();
	int rc = SSL_do_handshake(tls->ssl);
	int why = SSL_get_error(tls->ssl, rc);
	(void)tls_flush(tls); /* with a failure, this is the alert that says why */
	if (rc == 1) {
		tls_handshake_succeeded(tls);
		return;
	}
	if (why == SSL_ERROR_WANT_READ)
		return;
	if (tls->error.code == 0)
		tls_error_take(&tls->error);
	/* What a failed handshake tried is not tried again. */
	tls_sessions_forget(&tls->context->sessions);
	tls_fail(tls);
}

static void tls_handshake_over(struct tls *tls)
{
	struct tls_handshake *handshake = tls->handshake;
	struct error err = tls->error;

	tls_free(tls);
	handshake->tls = NULL;
	handshake->done(handshake, NULL, &err);
}

/* --- Reading ------------------------------------------------------------------ */

static void tls_break(struct tls *tls, const struct error *err)
{
	struct error copy = *err;

	tls->state = TLS_BROKEN;
	stream_read_stop(tls->lower);
	if (tls->stream.user != NULL)
		tls->stream.user->ops->broken(tls->stream.user, &copy);
}

static void tls_read_failed(struct tls *tls, int why)
{
	struct error err;

	if (why == SSL_ERROR_WANT_READ)
		return;
	if (why == SSL_ERROR_ZERO_RETURN)
		(void)error_set(&err, SYNCD_ENET, "the connection was closed by the other side");
	else
		tls_error_take(&err);
	tls_break(tls, &err);
}

/* Decrypts and hands on, as long as the user wants more. */
static void tls_deliver(struct tls *tls)
{
	char data[TLS_RECORD_SIZE];

	while (tls->state == TLS_OPEN && tls->is_reading) {
		size_t len = 0;

		ERR_clear_error();
		int rc = SSL_read_ex(tls->ssl, data, sizeof(data), &len);
		int why = SSL_get_error(tls->ssl, rc);
		(void)tls_flush(tls); /* key updates and alerts */
		if (rc != 1) {
			tls_read_failed(tls, why);
			return;
		}
		tls->stream.user->ops->data(tls->stream.user, (struct slice){ data, len });
	}
}

static void tls_pump(struct loop_defer *defer)
{
	struct tls *tls = container_of(defer, struct tls, pump);

	if (tls->state != TLS_OPEN)
		return;
	if (tls->error.code != 0)
		tls_break(tls, &tls->error);
	else
		tls_deliver(tls);
}

static void tls_lower_data(struct stream_user *user, struct slice data)
{
	struct tls *tls = tls_of_user(user);
	size_t taken = 0;

	if (tls->state != TLS_HANDSHAKE && tls->state != TLS_OPEN)
		return;
	must(BIO_write_ex(tls->in, data.data, data.len, &taken) == 1 && taken == data.len);
	if (tls->state == TLS_HANDSHAKE)
		tls_handshake_turn(tls);
	else
		tls_deliver(tls);
}

static void tls_lower_drained(struct stream_user *user)
{
	struct tls *tls = tls_of_user(user);

	if (tls->state == TLS_OPEN && tls->stream.user != NULL)
		tls->stream.user->ops->drained(tls->stream.user);
}

static void tls_lower_broken(struct stream_user *user, const struct error *err)
{
	struct tls *tls = tls_of_user(user);

	if (tls->state == TLS_OPEN) {
		tls_break(tls, err);
	} else if (tls->state == TLS_HANDSHAKE) {
		(void)error_set(&tls->error, err->code, "during the TLS handshake: %s", err->text);
		tls_sessions_forget(&tls->context->sessions);
		tls_fail(tls);
	}
}

static void tls_lower_closed(struct stream_user *user)
{
	struct tls *tls = tls_of_user(user);
	struct stream_user *upper = tls->stream.user;

	if (tls->state == TLS_FAILING) {
		tls_handshake_over(tls);
		return;
	}
	must(tls->state == TLS_CLOSING);
	tls_free(tls);
	if (upper != NULL)
		upper->ops->closed(upper);
}

static const struct stream_user_ops tls_user_ops = {
	.data = tls_lower_data,
	.drained = tls_lower_drained,
	.broken = tls_lower_broken,
	.closed = tls_lower_closed,
};

/* --- The stream ---------------------------------------------------------------- */

/* A record at a time: OpenSSL's memory buffer keeps, and wipes on every reset, as
 * much as the largest write took. */
static enum stream_write_result tls_write(struct stream *stream, struct slice data)
{
	struct tls *tls = tls_of(stream);
	bool is_full = false;

	must(tls->state == TLS_OPEN || tls->state == TLS_BROKEN);
	if (tls->state != TLS_OPEN || tls->error.code != 0)
		return STREAM_OK;
	while (data.len > 0) {
		size_t len = data.len < TLS_RECORD_SIZE ? data.len : TLS_RECORD_SIZE;
		size_t taken = 0;

		ERR_clear_error();
		if (SSL_write_ex(tls->ssl, data.data, len, &taken) != 1) {
			tls_error_take(&tls->error);
			loop_defer(tls->context->loop, &tls->pump, tls_pump);
			break;
		}
		is_full |= tls_flush(tls) == STREAM_FULL;
		data = (struct slice){ data.data + taken, data.len - taken };
	}
	return is_full ? STREAM_FULL : STREAM_OK;
}

static void tls_read_start(struct stream *stream)
{
	struct tls *tls = tls_of(stream);

	tls->is_reading = true;
	if (tls->state != TLS_OPEN)
		return;
	stream_read_start(tls->lower);
	if (BIO_pending(tls->in) > 0 || SSL_has_pending(tls->ssl))
		loop_defer(tls->context->loop, &tls->pump, tls_pump);
}

static void tls_read_stop(struct stream *stream)
{
	struct tls *tls = tls_of(stream);

	tls->is_reading = false;
	stream_read_stop(tls->lower);
}

static void tls_close(struct stream *stream)
{
	struct tls *tls = tls_of(stream);

	must(tls->state == TLS_OPEN || tls->state == TLS_BROKEN);
	if (tls->state == TLS_OPEN) {
		ERR_clear_error();
		(void)SSL_shutdown(tls->ssl);
		(void)tls_flush(tls);
	}
	tls->state = TLS_CLOSING;
	loop_defer_cancel(&tls->pump);
	stream_close(tls->lower);
}

static size_t tls_unsent(const struct stream *stream)
{
	return stream_unsent(tls_of(stream)->lower);
}

static size_t tls_binding(const struct stream *stream, const char *type, unsigned char *out,
			  size_t size)
{
	return tls_binding_get(tls_of(stream)->ssl, type, out, size);
}

static bool tls_is_secure(const struct stream *stream)
{
	(void)stream;
	return true;
}

static bool tls_is_loopback(const struct stream *stream)
{
	return stream_is_loopback(tls_of(stream)->lower);
}

static const struct stream_ops tls_ops = {
	.write = tls_write,
	.read_start = tls_read_start,
	.read_stop = tls_read_stop,
	.close = tls_close,
	.unsent = tls_unsent,
	.binding = tls_binding,
	.is_secure = tls_is_secure,
	.is_loopback = tls_is_loopback,
};

/* --- Birth ----------------------------------------------------------------------- */

static struct tls *tls_new(struct net_context *context, struct stream *lower)
{
	struct tls *tls = xcalloc(1, sizeof(*tls));

	must(context->ssl_ctx != NULL);
	tls->stream.ops = &tls_ops;
	tls->lower_user.ops = &tls_user_ops;
	tls->context = context;
	tls->lower = lower;
	tls->ssl = SSL_new(context->ssl_ctx);
	tls->in = BIO_new(BIO_s_mem());
	tls->out = BIO_new(BIO_s_mem());
	must(tls->ssl != NULL && tls->in != NULL && tls->out != NULL);
	SSL_set_bio(tls->ssl, tls->in, tls->out);
	SSL_set_connect_state(tls->ssl);
	trust_expect(tls->ssl, context, &tls->error);
	tls_sessions_offer(&context->sessions, tls->ssl, loop_now_ms(context->loop));
	return tls;
}

void tls_handshake_start(struct net_context *context, struct tls_handshake *req,
			 struct stream *lower, tls_handshake_done done)
{
	struct tls *tls = tls_new(context, lower);

	req->done = done;
	req->tls = tls;
	tls->handshake = req;
	ERR_clear_error();
	int rc = SSL_do_handshake(tls->ssl); /* writes the ClientHello */
	must(SSL_get_error(tls->ssl, rc) == SSL_ERROR_WANT_READ);
	stream_set_user(lower, &tls->lower_user);
	(void)tls_flush(tls);
	stream_read_start(lower);
}

void tls_handshake_abort(struct tls_handshake *req, const struct error *err)
{
	struct tls *tls = req->tls;

	must(tls != NULL && err->code != 0);
	if (tls->state == TLS_HANDSHAKE) {
		tls->error = *err;
		tls_fail(tls);
	} else if (err->code == SYNCD_ECANCELLED) {
		tls->error = *err;
	}
}
