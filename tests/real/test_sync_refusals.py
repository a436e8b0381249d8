"""What must stop an account, what must not, and what must never be sent or logged.

SPDX-License-Identifier: MIT"""
import base64
import hashlib
import os
import ssl

import dovecot
import fake
import mailgen
import proxy
import scratch
import syncd
import views

from case import KIND, Case, main, only, serve


def secrets_of(password):
    """The forms in which a password could leak."""
    user = dovecot.USER
    plain = "\0%s\0%s" % (user, password)
    return [password] + [base64.b64encode(t.encode()).decode().rstrip("=")
                         for t in (password, plain)]


class Refused(Case):
    """Each ends with its exit status, names the reason, and changes nothing."""

    def check_stops(self, code, reason, **keys):
        remote = self.remote()
        remote.append("INBOX", mailgen.Mail().plain("already there"))
        client, local = self.account()
        self.pass_once(client)
        local.add("INBOX", mailgen.Mail(2).plain("local news"))
        remote.append("INBOX", mailgen.Mail(3).plain("remote news"))
        before, state = self.untouched(client, remote), client.state_digest()
        client.configure(**keys)
        run = client.once(timeout=60)
        self.assertIn(run.code, code if isinstance(code, tuple) else (code,), run.err)
        self.assertIn(reason.lower(), run.err.lower())
        for secret in secrets_of(keys.get("password") or dovecot.PASSWORD):
            self.assertNotIn(secret, run.out + run.err)
        self.assertEqual(self.untouched(client, remote), before)
        self.assertEqual(client.state_digest(), state)

    @only("dovecot", "courier", because="it takes any password here")
    def test_a_wrong_password_is_77(self):
        self.check_stops(77, "login" if KIND == "courier" else "authentication",
                         password="not the password")

    def test_an_unknown_authority_is_77(self):
        stranger = scratch.Certificates()
        self.check_stops(77, "certificate", tls_ca_file=stranger.ca)

    def test_a_wrong_fingerprint_is_77(self):
        self.check_stops(77, "fingerprint", tls_fingerprint="sha256:" + "00" * 32)

    def test_a_server_that_is_down_is_75(self):
        self.check_stops(75, "localhost", port=scratch.free_port())

    def test_a_host_that_does_not_exist_is_75(self):
        self.check_stops(75, "no-such-host.invalid", host="no-such-host.invalid")

    def test_a_password_command_that_fails_is_75_or_77(self):
        self.check_stops((75, 77), "password", password=None, password_command="exit 3")

    def test_a_certificate_for_another_host_is_77(self):
        other = scratch.Certificates.of("mail.example.org")
        with serve(certificates=other) as server:
            run = syncd.Syncd(server).once()
            self.assertEqual(run.code, 77, run.err)
            self.assertEqual(server.sessions(), set())


# What each is set up with.
MECHANISMS = {"dovecot": ("scram-sha-256", "scram-sha-1", "cram-md5", "plain", "login"),
              "cyrus": ("plain", "login"), "courier": ("login",)}


class Trusted(Case):
    def test_the_right_fingerprint_alone_decides(self):
        with open(self.server.certificates.cert, encoding="ascii") as pem:
            leaf = ssl.PEM_cert_to_DER_cert(pem.read())
        client, _ = self.account(tls_ca_file=None,
                                 tls_fingerprint="sha256:" + hashlib.sha256(leaf).hexdigest())
        self.pass_once(client)

    def test_each_mechanism_logs_in_and_its_traffic_is_logged_without_the_password(self):
        for mechanism in MECHANISMS[KIND]:
            with self.subTest(mechanism):
                client, _ = self.account(auth=[mechanism])
                run = client.once("-vv")
                self.assertEqual(run.code, 0, run.err)
                self.assertIn("CAPABILITY", run.out + run.err)
                for secret in secrets_of(dovecot.PASSWORD):
                    self.assertNotIn(secret, run.out + run.err)

    def test_a_password_command_is_used(self):
        client, _ = self.account(password=None, password_command="echo '%s'" % dovecot.PASSWORD)
        self.pass_once(client)

    @only("dovecot", "cyrus", because="it does not get to its certificate behind STARTTLS here")
    def test_starttls_hides_the_password(self):
        with proxy.Proxy(self.server.port, record=True) as middle:
            client, _ = self.account(port=middle.port, tls="starttls", auth=["plain"])
            self.pass_once(client)
            self.assertIn(b"STARTTLS", middle.recorded)
            self.assertNotIn(b"AUTHENTICATE", middle.recorded)
            for secret in secrets_of(dovecot.PASSWORD):
                self.assertNotIn(secret.encode(), middle.recorded)

    def test_nothing_secret_stays_on_disk(self):
        client, local = self.account()
        self.pass_once(client)
        for top in (client.state, local.root):
            self.assertEqual(os.stat(top).st_mode & 0o077, 0, top)
            for path, _, names in os.walk(top):
                for name in names:
                    with open(os.path.join(path, name), "rb") as data:
                        self.assertNotIn(dovecot.PASSWORD.encode(), data.read(), name)


class Starttls(Case):
    """A man in the middle before TLS is up."""

    GREETING = b"* OK [CAPABILITY IMAP4rev1 %s AUTH=PLAIN] hello\r\n"

    def check_refuses(self, server):
        client, _ = self.account(port=server.port, tls="starttls", timeout="5s")
        run = client.once(timeout=60)
        self.assertIn(run.code, (1, 75, 77), run.err)
        self.assertNotIn(b"LOGIN", server.heard)
        self.assertNotIn(b"AUTHENTICATE", server.heard)
        for secret in secrets_of(dovecot.PASSWORD):
            self.assertNotIn(secret.encode(), server.heard)
        return run

    def test_bytes_injected_behind_the_ok_are_refused(self):
        answers = fake.tagged({
            b"CAPABILITY": b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n{tag} OK\r\n",
            b"STARTTLS": b"{tag} OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"})
        with fake.FakeServer(self.GREETING % b"STARTTLS", answers) as server:
            self.check_refuses(server)
            after = server.heard.split(b"STARTTLS\r\n", 1)[1]
            self.assertNotIn(b"\x16\x03", after, "a TLS handshake went on")

    def test_a_server_without_starttls_gets_no_password(self):
        answers = fake.tagged({
            b"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK\r\n"})
        with fake.FakeServer(self.GREETING % b"", answers) as server:
            self.check_refuses(server)

    def test_a_refused_starttls_gets_no_password(self):
        answers = fake.tagged({
            b"CAPABILITY": b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n{tag} OK\r\n",
            b"STARTTLS": b"{tag} NO not today\r\n"})
        with fake.FakeServer(self.GREETING % b"STARTTLS", answers) as server:
            self.check_refuses(server)

    def test_preauth_in_the_clear_is_refused(self):
        with fake.FakeServer(b"* PREAUTH welcome\r\n", fake.tagged({})) as server:
            self.check_refuses(server)


ACCOUNT = """account "work" {
    protocol = imap
    host = "localhost"
    user = "me"
    password = "x"
    maildir = "%(root)s/mail"
%(more)s}
"""

# Name, configuration, line of the fault.
FAULTS = [
    ("an unknown key", ACCOUNT.replace("%(more)s", "    colour = blue\n"), 7),
    ("a bad value", ACCOUNT.replace("protocol = imap", "protocol = pigeon"), 2),
    ("a bad duration", ACCOUNT.replace("%(more)s", "    timeout = soonish\n"), 7),
    ("a bad number", ACCOUNT.replace("%(more)s", "    connections = many\n"), 7),
    ("an open brace", ACCOUNT.replace("}\n", ""), None),
    ("two accounts of one name", ACCOUNT + ACCOUNT.replace("/mail", "/other"), None),
    ("overlapping maildirs", ACCOUNT + ACCOUNT.replace("work", "home").replace("/mail", "/mail/x"),
     None),
    ("no host", ACCOUNT.replace('    host = "localhost"\n', ""), None),
]


class Configuration(Case):
    def check_fault(self, text, line):
        remote = self.remote()
        remote.append("INBOX", mailgen.Mail().plain("untouched"))
        client, _ = self.account()
        client.configure(text % {"root": client.root, "more": ""})
        before = self.untouched(client, remote)
        for arguments in (["--once"], ["--check"]):
            run = client.run(*arguments)
            self.assertEqual(run.code, 78, run.err)
            said = run.out + run.err
            self.assertRegex(said, r"syncd\.conf:%s: " % (line or r"\d+"))
        self.assertEqual(self.untouched(client, remote), before)
        self.assertFalse(os.path.exists(client.maildir))

    def test_a_sound_one_passes_the_check(self):
        client, _ = self.account()
        run = client.run("--check")
        self.assertEqual((run.code, run.err), (0, ""))

    def test_a_missing_file_is_78_and_named(self):
        client, _ = self.account()
        os.unlink(client.config)
        run = client.once()
        self.assertEqual(run.code, 78, run.err)
        self.assertIn(client.config, run.err)

    def test_bad_usage_is_64(self):
        client, _ = self.account()
        self.assertEqual(client.run("--no-such-option").code, 64)

    def test_the_version_names_the_libraries(self):
        client, _ = self.account()
        run = client.run("--version")
        self.assertEqual(run.code, 0)
        for library in ("libuv", "OpenSSL", "LMDB"):
            self.assertIn(library, run.out)


def fault_test(text, line):
    return lambda self: self.check_fault(text, line)


for FAULT, TEXT, LINE in FAULTS:
    setattr(Configuration, "test_%s_is_78_with_file_and_line" % FAULT.replace(" ", "_"),
            fault_test(TEXT, LINE))


class Poison:
    """Refuses every message whose body holds the word, as some servers do for ever."""

    WORD = b"poisonous words"
    REASON = b"NO [CANNOT] I will not touch that one"

    def __init__(self):
        self.is_pending = False
        self.is_over = False

    def on_command(self, command):
        names = command.split(b" ", 2)
        if not self.is_over and len(names) > 1 and names[1].upper() == b"APPEND" \
                and self.WORD in command:
            return self.REASON
        return None

    def on_response(self, response):
        if self.is_over:
            return response
        if response.startswith(b"*") and self.WORD in response:
            self.is_pending = True
            return b""
        words = response.split(b" ", 2)
        if self.is_pending and len(words) > 1 and words[1] == b"OK" and words[0] not in b"*+":
            self.is_pending = False
            return words[0] + b" " + self.REASON + b"\r\n"
        return response


class SetAside(Case):
    """One message that the server refuses for ever blocks nothing else."""

    def poisoned(self):
        poison = Poison()
        middle = proxy.ImapProxy(self.server.port, poison.on_command, poison.on_response)
        self.addCleanup(middle.close)
        client, local = self.account(port=middle.port, tls="none", tls_ca_file=None,
                                     host="127.0.0.1")
        return client, local, poison

    def mail(self):
        """Ten messages, the fifth poisonous."""
        for number in range(10):
            body = Poison.WORD + b"\r\n" if number == 4 else b""
            yield mailgen.Mail(number).plain("message %d" % number) + body

    def test_a_message_it_will_not_give_is_set_aside(self):
        remote = self.remote()
        for data in self.mail():
            remote.append("INBOX", data)
        client, local, _ = self.poisoned()
        run = self.pass_once(client, code=1)
        self.assertEqual(len(local.messages("INBOX")), 9)
        self.assertIn("INBOX", run.err)
        self.assertIn("I will not touch that one", run.err)
        self.assertEqual(len(remote.messages("INBOX")), 10)

    def test_a_message_it_will_not_take_is_set_aside(self):
        client, local, _ = self.poisoned()
        self.pass_once(client)
        for data in self.mail():
            local.add("INBOX", data)
        run = self.pass_once(client, code=1)
        self.assertEqual(len(self.remote().messages("INBOX")), 9)
        self.assertIn("I will not touch that one", run.err)
        self.assertEqual(len(local.messages("INBOX")), 10)

    def test_status_names_it_and_the_mailbox_goes_on(self):
        remote = self.remote()
        for data in self.mail():
            remote.append("INBOX", data)
        client, local, _ = self.poisoned()
        client.start()
        scratch.wait_for(lambda: "INBOX" in local.mailboxes() and
                         len(local.messages("INBOX")) == 9, 30, client.said)
        scratch.wait_for(lambda: "I will not touch that one" in str(client.status()), 10,
                         lambda: "the reason in %s" % client.status())
        remote.append("INBOX", mailgen.Mail(77).plain("after the poisonous one"))
        scratch.wait_for(lambda: len(local.messages("INBOX")) == 10, 30, client.said)
        self.assertEqual(len(views.alike(local.messages("INBOX"))), 10)


if __name__ == "__main__":
    main()
