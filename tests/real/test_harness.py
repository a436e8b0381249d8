"""The harness itself, before it is trusted with judging syncd. SPDX-License-Identifier: MIT"""
import os
import socket
import time
import unittest

import courier
import cyrus
import dovecot
import mailgen
import proxy
import scratch
import views

import tap


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = dovecot.Dovecot()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_a_message_comes_back_with_its_bytes_flags_and_date(self):
        data = mailgen.Mail().message()
        with views.Remote(self.server) as remote:
            remote.create("Größe & 100%")
            remote.append("Größe & 100%", data, ["\\Seen", "work"], 1_234_567_890)
            found = remote.messages("Größe & 100%")
            self.assertIn("Größe & 100%", remote.mailboxes())
        self.assertEqual([m[:3] for m in found],
                         [(views.digest(data), {"\\Seen", "work"}, 1_234_567_890)])

    def test_what_a_client_sent_is_seen(self):
        before = self.server.sessions()
        with views.Remote(self.server) as remote:
            remote.append("INBOX", mailgen.Mail().plain("seen"))
            remote.store("INBOX", remote.uids("INBOX")[0], "+", "\\Flagged")
        scratch.wait_for(lambda: "UID STORE" in self.server.commands(before), 5, "the raw log")
        self.assertIn("APPEND", self.server.commands(before))

    def test_its_mail_survives_a_restart(self):
        with views.Remote(self.server) as remote:
            remote.create("kept")
            remote.append("kept", mailgen.Mail().plain("kept"))
        self.server.restart()
        with views.Remote(self.server) as remote:
            self.assertEqual(len(remote.messages("kept")), 1)
        self.server.kill()
        self.server.start()
        with views.Remote(self.server) as remote:
            self.assertEqual(len(remote.messages("kept")), 1)

    def test_odd_mail_is_taken(self):
        with views.Remote(self.server) as remote:
            remote.create("odd")
            for data in mailgen.odd().values():
                remote.append("odd", data)
            found = sorted(m.digest for m in remote.messages("odd"))
        self.assertEqual(found, sorted(views.digest(d) for d in mailgen.odd().values()))

    def test_a_proxy_counts_and_cuts(self):
        with proxy.Proxy(self.server.port, cut_after=10, cuts_left=1) as middle:
            with socket.create_connection(("127.0.0.1", middle.port), 5) as line:
                self.assertEqual(line.recv(100), b"")
            with socket.create_connection(("127.0.0.1", middle.port), 5) as line:
                self.assertTrue(line.recv(100).startswith(b"* OK"))
            self.assertEqual((middle.connections, middle.cuts), (2, 1))
            self.assertGreater(middle.down, 20)


class Others(unittest.TestCase):
    """Cyrus and Courier, where they are."""

    def check(self, server):
        with server:
            data, name = mailgen.Mail().plain("seen"), server.prefix + "Größe"
            with views.Remote(server) as remote:
                remote.create(name)
                remote.append(name, data, ["\\Seen", "work"], 1_234_567_890)
                before = server.sessions()
            server.kill()
            server.start()
            with views.Remote(server) as remote:
                found = remote.messages(name)
                remote.store(name, found[0].where, "+", "\\Flagged")
            self.assertEqual([m[:3] for m in found],
                             [(views.digest(data), {"\\Seen", "work"}, 1_234_567_890)])
            self.assertIn("UID STORE", server.commands(before))
            self.assertNotIn("APPEND", server.commands(before))
            self.assertIn("APPEND", server.commands())

    def drop(self, server):
        with server:
            data = [mailgen.Mail().plain("seen"), mailgen.odd()["dots"]]
            with views.Remote(server) as remote:
                for message in data:
                    remote.append("INBOX", message)
            maildrop = views.Drop(server)
            self.assertEqual(sorted(maildrop.messages().values()),
                             sorted(views.digest(message) for message in data))
            session = maildrop.open()
            session.dele(1)
            session.quit()
            self.assertEqual(list(maildrop.messages().values()), [views.digest(data[1])])

    def test_a_maildrop_is_seen_on_each(self):
        if dovecot.has_pop3():
            self.drop(dovecot.Dovecot(pop3=True))
        self.drop(cyrus.Cyrus())
        self.drop(courier.Courier())

    def test_cyrus_keeps_mail_and_tells_what_was_sent(self):
        self.check(cyrus.Cyrus())

    def test_courier_keeps_mail_and_tells_what_was_sent(self):
        self.check(courier.Courier())


class Shapes(unittest.TestCase):
    def test_a_prefix_and_dots_are_as_asked_for(self):
        with dovecot.Dovecot(separator=".", prefix="INBOX.") as server:
            with views.Remote(server) as remote:
                remote.create("INBOX.A.B")
                self.assertIn("INBOX.A.B", remote.mailboxes())

    def test_capabilities_can_be_taken_away(self):
        with dovecot.Dovecot(without={"IDLE", "UIDPLUS"}) as server:
            with views.Remote(server) as remote:
                offered = remote.check(remote.imap.capability())[0].split()
        self.assertNotIn(b"IDLE", offered)
        self.assertIn(b"MOVE", offered)

    def test_an_imap_proxy_refuses_what_it_is_told_to(self):
        def refuse(command):
            return b"NO [CANNOT] never" if b"secret word" in command else None
        with dovecot.Dovecot(plaintext=True) as server, \
                proxy.ImapProxy(server.port, on_command=refuse) as middle:
            with socket.create_connection(("127.0.0.1", middle.port), 5) as line:
                stream = line.makefile("rwb")
                login = 'a LOGIN %s "%s"\r\n' % (dovecot.USER, dovecot.PASSWORD)
                answers = []
                for text in (login, "b APPEND INBOX {4}\r\n", "abcd\r\n",
                             "c APPEND INBOX {11}\r\n", "secret word\r\n"):
                    stream.write(text.encode())
                    stream.flush()
                    answers.append(stream.readline())
                    while answers[-1].startswith(b"*"):
                        answers.append(stream.readline())
        self.assertEqual([a.split()[0] for a in answers if not a.startswith(b"*")],
                         [b"a", b"+", b"b", b"+", b"c"])
        self.assertEqual(answers[-1], b"c NO [CANNOT] never\r\n")

    def test_a_maildir_is_seen_as_the_server_would_show_it(self):
        local = views.Local(os.path.join(scratch.directory(), "mail"))
        local.create("A/B")
        data = mailgen.Mail().message()
        path = local.add("A/B", data.replace(b"\r\n", b"\n"), "FS", 1_234_567_890)
        self.assertEqual(local.mailboxes(), ["A/B"])
        self.assertEqual([m[:3] for m in local.messages("A/B")],
                         [(views.digest(data), {"\\Seen", "\\Flagged"}, 1_234_567_890)])
        before = local.snapshot()
        local.reflag(path, "S")
        self.assertNotEqual(before, local.snapshot())

    def test_mail_from_one_seed_is_the_same_mail(self):
        self.assertEqual([m.message() for m in [mailgen.Mail(7)] * 20],
                         [m.message() for m in [mailgen.Mail(7)] * 20])

    def test_nothing_is_left_behind(self):
        server = dovecot.Dovecot()
        child = server.process.pid
        server.stop()
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", server.port), 1)
        time.sleep(0.1)
        self.assertFalse(os.path.exists("/proc/%d" % child))


if __name__ == "__main__":
    tap.main()
