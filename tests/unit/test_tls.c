/* Tests of TLS: who is trusted, what is refused and in which words, client
 * certificates, STARTTLS, channel binding. Resumption: test_tls_session.c.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "support/dialer.h"
#include "support/echo_server.h"
#include "support/memory_stream.h"
#include "support/test_cert.h"
#include "syncd/must.h"

#define DAY_S 86400L
#define PATH_SIZE 64

/* Certificates of the whole program: an authority in a file, and leaves. */
static struct {
	char dir[PATH_SIZE];
	char ca_file[PATH_SIZE];
	char client_file[PATH_SIZE];
	struct test_cert ca;
	struct test_cert good;    /* for 127.0.0.1 and localhost */
	struct test_cert by_name; /* for other.example only */
	struct test_cert expired;
	struct test_cert alone; /* self-signed */
	struct test_cert client;
} pki;

static void path_in(char out[PATH_SIZE], const char *name)
{
	must(snprintf(out, PATH_SIZE, "%s/%s", pki.dir, name) < PATH_SIZE);
}

static int pki_setup(void **state)
{
	(void)state;
	strcpy(pki.dir, "/tmp/syncd-test-tls-XXXXXX");
	must(mkdtemp(pki.dir) != NULL);
	path_in(pki.ca_file, "ca.pem");
	path_in(pki.client_file, "client.pem");
	pki.ca = test_cert_new(NULL, "Test Authority", NULL, DAY_S);
	pki.good = test_cert_new(&pki.ca, "good", "DNS:localhost,IP:127.0.0.1", DAY_S);
	pki.by_name = test_cert_new(&pki.ca, "other.example", "DNS:other.example", DAY_S);
	pki.expired = test_cert_new(&pki.ca, "expired", "IP:127.0.0.1", -60);
	pki.alone = test_cert_new(NULL, "alone", "IP:127.0.0.1", DAY_S);
	pki.client = test_cert_new(&pki.ca, "client", "DNS:client", DAY_S);
	test_cert_write(&pki.ca, pki.ca_file);
	test_cert_write(&pki.client, pki.client_file);
	return 0;
}

static int pki_teardown(void **state)
{
	(void)state;
	test_cert_free(&pki.ca);
	test_cert_free(&pki.good);
	test_cert_free(&pki.by_name);
	test_cert_free(&pki.expired);
	test_cert_free(&pki.alone);
	test_cert_free(&pki.client);
	(void)unlink(pki.ca_file);
	(void)unlink(pki.client_file);
	return rmdir(pki.dir);
}

struct fixture {
	struct loop *loop;
	struct echo_server *server;
	struct net_target target;
	struct net_context *context;
	struct dialer dialer;
};

/* Server and target as most cases want them; they change what they are about
 * and then open. */
static void fixture_start(struct fixture *f, const struct echo_options *options)
{
	*f = (struct fixture){ .loop = loop_new() };
	f->server = echo_server_new(options);
	f->target = (struct net_target){ .host = "127.0.0.1",
					 .port = echo_server_port(f->server),
					 .tls = options->mode == ECHO_STARTTLS ? NET_TLS_STARTTLS
									       : NET_TLS_IMPLICIT,
					 .tls_ca_file = pki.ca_file,
					 .timeout_ms = 4000 };
}

static int fixture_open(struct fixture *f)
{
	struct error err;

	if (f->context == NULL)
		f->context = net_context_new(f->loop, &f->target, &err);
	assert_non_null(f->context);
	return dialer_open(&f->dialer, f->loop, f->context);
}

static void fixture_end(struct fixture *f)
{
	dialer_close(&f->dialer);
	net_context_free(&f->context);
	echo_server_free(&f->server);
	loop_free(&f->loop);
}

static struct echo_options tls_server(const struct test_cert *cert)
{
	return (struct echo_options){ .mode = ECHO_TLS, .cert = cert, .greeting = "hi\n" };
}

/* --- Trust ------------------------------------------------------------------------ */

struct trust_case {
	const char *what;
	const struct test_cert *cert;
	const char *host;
	bool has_ca_file;
	const char *refusal; /* part of the message, or NULL when it is trusted */
};

static const struct trust_case trust_cases[] = {
	{ "address in the certificate", &pki.good, "127.0.0.1", true, NULL },
	{ "name in the certificate", &pki.good, "localhost", true, NULL },
	{ "other address", &pki.by_name, "127.0.0.1", true,
	  "not for 127.0.0.1 but for other.example" },
	{ "other name", &pki.by_name, "localhost", true,
	  "not for localhost but for other.example" },
	{ "expired", &pki.expired, "127.0.0.1", true, "it expired on " },
	{ "self-signed", &pki.alone, "127.0.0.1", true, "it is self-signed" },
	{ "system store", &pki.good, "127.0.0.1", false, "no trusted authority has signed it" },
};

static void certificate_is_trusted_by_chain_and_name_or_refused_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(trust_cases); i++) {
		const struct trust_case *c = &trust_cases[i];
		struct echo_options options = tls_server(c->cert);
		struct fixture f;

		print_message("  %s\n", c->what);
		fixture_start(&f, &options);
		f.target.host = c->host;
		f.target.tls_ca_file = c->has_ca_file ? pki.ca_file : NULL;
		int code = fixture_open(&f);
		assert_int_equal(code, c->refusal == NULL ? 0 : SYNCD_ETRUST);
		if (c->refusal != NULL) {
			assert_non_null(strstr(f.dialer.err.text, c->refusal));
			assert_non_null(strstr(f.dialer.err.text, "fingerprint is sha256:"));
			assert_non_null(strstr(f.dialer.err.context, c->host));
		}
		fixture_end(&f);
	}
}

static void fingerprint_alone_decides(void **state)
{
	const struct test_cert *certs[] = { &pki.good, &pki.by_name, &pki.expired, &pki.alone };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(certs); i++) {
		struct echo_options options = tls_server(certs[i]);
		struct fixture f;
		char fingerprint[80];

		test_cert_fingerprint(certs[i], fingerprint);
		fixture_start(&f, &options);
		f.target.host = "127.0.0.1";
		f.target.tls_fingerprint = fingerprint;
		assert_int_equal(fixture_open(&f), 0);
		fixture_end(&f);
	}
}

static void other_fingerprint_refuses_even_a_trusted_certificate(void **state)
{
	struct echo_options options = tls_server(&pki.good);
	struct fixture f;
	char fingerprint[80];

	(void)state;
	test_cert_fingerprint(&pki.alone, fingerprint);
	fixture_start(&f, &options);
	f.target.tls_fingerprint = fingerprint;
	assert_int_equal(fixture_open(&f), SYNCD_ETRUST);
	assert_non_null(strstr(f.dialer.err.text, "not the one in tls_fingerprint"));
	fixture_end(&f);
}

static void leaf_in_the_ca_file_is_trusted_itself(void **state)
{
	struct echo_options options = tls_server(&pki.good);
	struct fixture f;
	char path[PATH_SIZE];

	(void)state;
	path_in(path, "leaf.pem");
	test_cert_write(&pki.good, path);
	fixture_start(&f, &options);
	f.target.tls_ca_file = path;
	assert_int_equal(fixture_open(&f), 0);
	fixture_end(&f);
	assert_int_equal(unlink(path), 0);
}

struct config_case {
	struct net_target target;
	const char *text;
};

static void unusable_settings_are_econfig_naming_the_file(void **state)
{
	const struct config_case cases[] = {
		{ { .tls_ca_file = "/nonexistent/ca" }, "tls_ca_file /nonexistent/ca" },
		{ { .tls_client_cert = "/nonexistent/c" }, "tls_client_cert /nonexistent/c" },
		{ { .tls_client_cert = pki.client_file, .tls_client_key = "/nonexistent/k" },
		  "tls_client_key /nonexistent/k" },
		{ { .tls_client_cert = pki.client_file, .tls_client_key = pki.ca_file },
		  "tls_client_key" },
		{ { .tls_fingerprint = "md5:00" }, "sha256:" },
		{ { .tls_fingerprint = "sha256:12" }, "64 hexadecimal digits" },
	};
	struct loop *loop = loop_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_target target = cases[i].target;
		struct error err;

		target.host = "localhost";
		assert_null(net_context_new(loop, &target, &err));
		assert_int_equal(err.code, SYNCD_ECONFIG);
		assert_non_null(strstr(err.text, cases[i].text));
	}
	loop_free(&loop);
}

/* --- The connection ------------------------------------------------------------------ */

static void bytes_travel_both_ways_and_the_stream_is_secure(void **state)
{
	struct echo_options options = tls_server(&pki.good);
	struct fixture f;

	(void)state;
	fixture_start(&f, &options);
	assert_int_equal(fixture_open(&f), 0);
	assert_true(stream_is_secure(f.dialer.sink.stream));
	dialer_wait_data(&f.dialer, 3);
	(void)stream_write(f.dialer.sink.stream, SLICE_LITERAL("echo"));
	dialer_wait_data(&f.dialer, 7);
	assert_string_equal(buf_str(&f.dialer.sink.data), "hi\necho");
	(void)stream_write(f.dialer.sink.stream, SLICE_LITERAL("quit\n"));
	dialer_wait_broken(&f.dialer);
	assert_int_equal(f.dialer.sink.broken.code, SYNCD_ENET);
	fixture_end(&f);
}

static void stop_at_every_event(struct stream_sink *sink)
{
	struct dialer *dialer = sink->context;

	if (sink->stream == NULL || sink->broken_calls > 0)
		return;
	stream_read_stop(sink->stream);
	loop_stop(dialer->loop);
}

static void read_stop_holds_decrypted_and_coming_bytes_back(void **state)
{
	enum { FLOOD = 4 * 1024 * 1024 };
	struct echo_options options = tls_server(&pki.good);
	struct fixture f;

	(void)state;
	options.greeting = NULL;
	options.flood = FLOOD;
	fixture_start(&f, &options);
	assert_int_equal(fixture_open(&f), 0);
	void (*on_event)(struct stream_sink *) = f.dialer.sink.on_event;
	f.dialer.sink.on_event = stop_at_every_event;
	for (size_t i = 1; i <= 8; i++) {
		stream_read_start(f.dialer.sink.stream);
		assert_int_equal(f.dialer.sink.data_calls, i - 1);
		loop_run(f.loop);
		assert_int_equal(f.dialer.sink.data_calls, i);
	}
	dialer_idle(&f.dialer, 20);
	assert_int_equal(f.dialer.sink.data_calls, 8);
	f.dialer.sink.on_event = on_event;
	dialer_wait_data(&f.dialer, FLOOD);
	assert_int_equal(f.dialer.sink.data.len, FLOOD);
	fixture_end(&f);
}

static void large_write_comes_back_whole(void **state)
{
	enum { LARGE = 3 * 1024 * 1024 + 17 };
	struct echo_options options = tls_server(&pki.good);
	char *sent = malloc(LARGE);
	struct fixture f;

	(void)state;
	assert_non_null(sent);
	for (size_t i = 0; i < LARGE; i++)
		sent[i] = (char)(i * 2654435761u >> 24);
	options.greeting = NULL;
	fixture_start(&f, &options);
	assert_int_equal(fixture_open(&f), 0);
	/* How much of it the kernel takes at once is its own affair. */
	enum stream_write_result result =
		stream_write(f.dialer.sink.stream, (struct slice){ sent, LARGE });
	dialer_wait_data(&f.dialer, LARGE);
	assert_int_equal(f.dialer.sink.data.len, LARGE);
	assert_memory_equal(f.dialer.sink.data.data, sent, LARGE);
	assert_int_equal(f.dialer.sink.drained_calls, result == STREAM_FULL ? 1 : 0);
	assert_int_equal(stream_unsent(f.dialer.sink.stream), 0);
	fixture_end(&f);
	free(sent);
}

static void close_at_first_data(struct stream_sink *sink)
{
	if (sink->data_calls == 1 && sink->closed_calls == 0)
		stream_close(sink->stream);
}

static void closing_inside_data_ends_everything(void **state)
{
	const enum echo_mode modes[] = { ECHO_PLAIN, ECHO_TLS };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct echo_options options = { .mode = modes[i],
						.cert = &pki.good,
						.flood = 1024 * 1024 };
		struct fixture f;

		fixture_start(&f, &options);
		f.target.tls = modes[i] == ECHO_TLS ? NET_TLS_IMPLICIT : NET_TLS_NONE;
		assert_int_equal(fixture_open(&f), 0);
		f.dialer.sink.on_event = close_at_first_data;
		stream_read_start(f.dialer.sink.stream);
		loop_run(f.loop);
		assert_int_equal(f.dialer.sink.data_calls, 1);
		assert_int_equal(f.dialer.sink.closed_calls, 1);
		assert_int_equal(f.dialer.sink.broken_calls, 0);
		buf_free(&f.dialer.sink.data);
		net_context_free(&f.context);
		echo_server_free(&f.server);
		loop_free(&f.loop);
	}
}

static void both_sides_export_the_same_binding(void **state)
{
	struct echo_options options = tls_server(&pki.good);
	struct fixture f;
	unsigned char ours[64];

	(void)state;
	fixture_start(&f, &options);
	assert_int_equal(fixture_open(&f), 0);
	dialer_wait_data(&f.dialer, 3);
	struct echo_seen seen = echo_server_seen(f.server);
	assert_int_equal(stream_binding(f.dialer.sink.stream, "tls-exporter", ours, sizeof(ours)),
			 ECHO_BINDING_SIZE);
	assert_memory_equal(ours, seen.exporter, ECHO_BINDING_SIZE);
	assert_int_equal(stream_binding(f.dialer.sink.stream, "tls-exporter", ours, 31), 0);
	assert_int_equal(stream_binding(f.dialer.sink.stream, "unknown", ours, sizeof(ours)), 0);
	fixture_end(&f);
}

static void end_point_binding_is_the_certificates_digest(void **state)
{
	struct echo_options options = tls_server(&pki.good);
	struct fixture f;
	unsigned char ours[64];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	(void)state;
	fixture_start(&f, &options);
	assert_int_equal(fixture_open(&f), 0);
	assert_int_equal(X509_digest(pki.good.x509, EVP_sha256(), digest, &len), 1);
	assert_int_equal(
		stream_binding(f.dialer.sink.stream, "tls-server-end-point", ours, sizeof(ours)),
		len);
	assert_memory_equal(ours, digest, len);
	fixture_end(&f);
}

static void client_certificate_is_presented(void **state)
{
	struct echo_options options = tls_server(&pki.good);
	struct fixture f;

	(void)state;
	options.client_authority = &pki.ca;
	fixture_start(&f, &options);
	f.target.tls_client_cert = pki.client_file;
	assert_int_equal(fixture_open(&f), 0);
	dialer_wait_data(&f.dialer, 3);
	assert_string_equal(buf_str(&f.dialer.sink.data), "hi\n");
	fixture_end(&f);
}

static void missing_client_certificate_is_named_whenever_the_server_says_so(void **state)
{
	struct echo_options options = tls_server(&pki.good);
	struct fixture f;

	(void)state;
	options.client_authority = &pki.ca;
	fixture_start(&f, &options);
	/* With TLS 1.3 the server's refusal comes behind our end of the handshake. */
	assert_int_equal(fixture_open(&f), 0);
	stream_read_start(f.dialer.sink.stream);
	dialer_wait_broken(&f.dialer);
	assert_int_equal(f.dialer.sink.broken.code, SYNCD_EAUTH);
	assert_non_null(strstr(f.dialer.sink.broken.text, "client certificate"));
	fixture_end(&f);
}

static void tls_older_than_1_2_is_refused(void **state)
{
	struct echo_options options = tls_server(&pki.good);
	struct fixture f;

	(void)state;
	options.max_version = TLS1_1_VERSION;
	fixture_start(&f, &options);
	assert_int_equal(fixture_open(&f), SYNCD_EPROTO);
	assert_non_null(strstr(f.dialer.err.text, "older than 1.2"));
	fixture_end(&f);
}

static void plaintext_server_on_a_tls_port_is_called_so(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct echo_options){ .greeting = "* OK IMAP4rev1 ready\r\n" });
	assert_int_equal(fixture_open(&f), SYNCD_EPROTO);
	assert_non_null(strstr(f.dialer.err.text, "does not speak TLS"));
	fixture_end(&f);
}

static void server_that_never_answers_the_handshake_times_out(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct echo_options){ .mode = ECHO_SILENT });
	f.target.timeout_ms = 50;
	assert_int_equal(fixture_open(&f), SYNCD_ETIMEOUT);
	assert_non_null(strstr(f.dialer.err.text, "TLS handshake"));
	fixture_end(&f);
}

static void server_cutting_the_handshake_is_enet(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct echo_options){ .closes_after_greeting = true });
	assert_int_equal(fixture_open(&f), SYNCD_ENET);
	fixture_end(&f);
}

/* --- STARTTLS ----------------------------------------------------------------------------- */

static void starttls_open(struct fixture *f)
{
	fixture_start(f, &(struct echo_options){
				 .mode = ECHO_STARTTLS, .cert = &pki.good, .greeting = "hi\n" });
	assert_int_equal(fixture_open(f), 0);
	(void)stream_write(f->dialer.sink.stream, SLICE_LITERAL("STARTTLS\n"));
	dialer_wait_data(&f->dialer, 3);
	assert_string_equal(buf_str(&f->dialer.sink.data), "OK\n");
}

static void starttls_puts_tls_over_the_plain_stream(void **state)
{
	struct fixture f;
	unsigned char binding[64];

	(void)state;
	starttls_open(&f);
	assert_int_equal(dialer_starttls(&f.dialer, 0), 0);
	assert_int_equal(
		stream_binding(f.dialer.sink.stream, "tls-exporter", binding, sizeof(binding)), 32);
	dialer_wait_data(&f.dialer, 3);
	assert_string_equal(buf_str(&f.dialer.sink.data), "hi\n");
	fixture_end(&f);
}

static void starttls_over_unread_plaintext_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	starttls_open(&f);
	assert_int_equal(dialer_starttls(&f.dialer, 1), SYNCD_EPROTO);
	assert_null(f.dialer.sink.stream);
	assert_int_equal(echo_server_seen(f.server).handshakes, 0);
	fixture_end(&f);
}

struct starttls_case {
	struct loop *loop;
	struct memory_stream *memory;
	struct net_context *context;
	struct net_starttls req;
	int calls;
	int code;
};

static void starttls_case_done(struct net_starttls *req, struct stream *stream,
			       const struct error *err)
{
	struct starttls_case *c = container_of(req, struct starttls_case, req);

	assert_null(stream);
	c->calls++;
	c->code = err->code;
}

/* STARTTLS over a scripted stream and a fake clock: it comes to nothing in
 * several ways. */
static void starttls_case_start(struct starttls_case *c, struct net_target *target,
				const char *host)
{
	struct error err;

	*target = (struct net_target){ .host = host, .tls = NET_TLS_STARTTLS, .timeout_ms = 60000 };
	*c = (struct starttls_case){ .loop = loop_new_fake() };
	c->memory = memory_stream_new(c->loop);
	c->context = net_context_new(c->loop, target, &err);
	assert_non_null(c->context);
	net_starttls_start(c->context, &c->req, memory_stream_stream(c->memory), 0,
			   starttls_case_done);
	assert_int_equal(c->calls, 0);
}

static void starttls_case_end(struct starttls_case *c, int code)
{
	assert_int_equal(c->calls, 1);
	assert_int_equal(c->code, code);
	assert_true(memory_stream_is_closed(c->memory));
	net_starttls_cancel(&c->req);
	net_context_free(&c->context);
	memory_stream_free(&c->memory);
	loop_free(&c->loop);
}

static void starttls_times_out_on_silence(void **state)
{
	struct starttls_case c;
	struct net_target target;

	(void)state;
	starttls_case_start(&c, &target, "localhost");
	assert_true(memory_stream_written(c.memory).len > 0);
	loop_fake_advance(c.loop, 59999);
	assert_int_equal(c.calls, 0);
	loop_fake_advance(c.loop, 1);
	starttls_case_end(&c, SYNCD_ETIMEOUT);
}

static void starttls_can_be_cancelled(void **state)
{
	struct starttls_case c;
	struct net_target target;

	(void)state;
	starttls_case_start(&c, &target, "localhost");
	net_starttls_cancel(&c.req);
	assert_int_equal(c.calls, 0);
	loop_fake_advance(c.loop, 0);
	starttls_case_end(&c, SYNCD_ECANCELLED);
}

static void starttls_over_a_stream_that_is_cut_is_enet(void **state)
{
	struct starttls_case c;
	struct net_target target;

	(void)state;
	starttls_case_start(&c, &target, "localhost");
	memory_stream_break(c.memory, SYNCD_ENET, "cut", false);
	loop_fake_advance(c.loop, 0);
	starttls_case_end(&c, SYNCD_ENET);
}

static void garbage_in_place_of_a_handshake_is_eproto(void **state)
{
	struct starttls_case c;
	struct net_target target;

	(void)state;
	starttls_case_start(&c, &target, "localhost");
	memory_stream_set_split(c.memory, 1);
	memory_stream_push_str(c.memory, "* BAD what do you want?\r\n");
	loop_fake_advance(c.loop, 0);
	starttls_case_end(&c, SYNCD_EPROTO);
}

static bool written_contains(const struct memory_stream *memory, const char *text)
{
	struct slice written = memory_stream_written(memory);
	size_t len = strlen(text);

	for (size_t i = 0; i + len <= written.len; i++) {
		if (memcmp(written.data + i, text, len) == 0)
			return true;
	}
	return false;
}

struct sni_case {
	const char *host;
	const char *sent;
	const char *not_sent;
};

static void client_hello_names_the_host_without_root_dot_and_never_an_address(void **state)
{
	const struct sni_case cases[] = {
		{ "mail.example", "mail.example", "mail.example." },
		{ "mail.example.", "mail.example", "mail.example." },
		{ "127.0.0.1", "", "127.0.0.1" },
		{ "::1", "", "::1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct starttls_case c;
		struct net_target target;

		starttls_case_start(&c, &target, cases[i].host);
		assert_true(written_contains(c.memory, cases[i].sent));
		assert_false(written_contains(c.memory, cases[i].not_sent));
		net_starttls_cancel(&c.req);
		loop_fake_advance(c.loop, 0);
		starttls_case_end(&c, SYNCD_ECANCELLED);
	}
}

#define CASE(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(certificate_is_trusted_by_chain_and_name_or_refused_in_words),
		CASE(fingerprint_alone_decides),
		CASE(other_fingerprint_refuses_even_a_trusted_certificate),
		CASE(leaf_in_the_ca_file_is_trusted_itself),
		CASE(unusable_settings_are_econfig_naming_the_file),
		CASE(bytes_travel_both_ways_and_the_stream_is_secure),
		CASE(read_stop_holds_decrypted_and_coming_bytes_back),
		CASE(large_write_comes_back_whole),
		CASE(closing_inside_data_ends_everything),
		CASE(both_sides_export_the_same_binding),
		CASE(end_point_binding_is_the_certificates_digest),
		CASE(client_certificate_is_presented),
		CASE(missing_client_certificate_is_named_whenever_the_server_says_so),
		CASE(tls_older_than_1_2_is_refused),
		CASE(plaintext_server_on_a_tls_port_is_called_so),
		CASE(server_that_never_answers_the_handshake_times_out),
		CASE(server_cutting_the_handshake_is_enet),
		CASE(starttls_puts_tls_over_the_plain_stream),
		CASE(starttls_over_unread_plaintext_is_refused),
		CASE(starttls_times_out_on_silence),
		CASE(starttls_can_be_cancelled),
		CASE(starttls_over_a_stream_that_is_cut_is_enet),
		CASE(garbage_in_place_of_a_handshake_is_eproto),
		CASE(client_hello_names_the_host_without_root_dot_and_never_an_address),
	};

	return cmocka_run_group_tests(tests, pki_setup, pki_teardown);
}
