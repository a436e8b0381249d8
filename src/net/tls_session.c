/* TLS sessions to resume: the next connection saves the certificates, a signature and, with
 * TLS 1.2, a round trip. Early data is never sent: commands may not be replayed (RFC 8446 §8).
 * SPDX-License-Identifier: MIT */
#include "tls_session.h"

#include <stdbool.h>

/* Each resumption brings new tickets, and without a limit a certificate that has expired or was
 * revoked would be good for ever (RFC 8446 §4.6.1). */
#define TLS_SESSION_LIFE_MS (24 * 60 * 60 * 1000)

/* A ticket of TLS 1.3 is for one connection: two with one ticket could be told to belong
 * together by whoever watches, and servers may refuse the second (RFC 8446 §C.4). */
static bool is_single_use(const SSL_SESSION *session)
{
	return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

static void drop_oldest(struct tls_sessions *sessions)
{
	SSL_SESSION_free(sessions->list[0]);
	for (size_t i = 1; i < sessions->count; i++)
		sessions->list[i - 1] = sessions->list[i];
	sessions->count--;
}

void tls_sessions_keep(struct tls_sessions *sessions, SSL_SESSION *session)
{
	if (!is_single_use(session))
		tls_sessions_forget(sessions);
	if (sessions->count == TLS_SESSIONS_MAX)
		drop_oldest(sessions);
	sessions->list[sessions->count++] = session;
}

void tls_sessions_prove(struct tls_sessions *sessions, uint64_t now_ms)
{
	sessions->proven_ms = now_ms;
}

/* The newest session that is good, for the caller to free, or NULL. One whose connection ended
 * in a TLS error is not. */
static SSL_SESSION *take(struct tls_sessions *sessions)
{
	while (sessions->count > 0) {
		SSL_SESSION *newest = sessions->list[sessions->count - 1];
		bool is_good = SSL_SESSION_is_resumable(newest);
		if (is_good && !is_single_use(newest) && SSL_SESSION_up_ref(newest) == 1)
			return newest;
		sessions->count--;
		if (is_good)
			return newest;
		SSL_SESSION_free(newest);
	}
	return NULL;
}

void tls_sessions_offer(struct tls_sessions *sessions, SSL *ssl, uint64_t now_ms)
{
	if (now_ms - sessions->proven_ms >= TLS_SESSION_LIFE_MS)
		tls_sessions_forget(sessions);
	SSL_SESSION *session = take(sessions);
	if (session != NULL)
		(void)SSL_set_session(ssl, session);
	SSL_SESSION_free(session);
}

void tls_sessions_forget(struct tls_sessions *sessions)
{
	while (sessions->count > 0)
		SSL_SESSION_free(sessions->list[--sessions->count]);
}
