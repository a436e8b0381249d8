"""One life of a POP3 account on each server. SPDX-License-Identifier: MIT"""
import os
import time

import courier
import cyrus
import dovecot
import mailgen
import scratch

from case import main
from drop_case import HERE, DropCase


class Life(DropCase):
    SERVER = {}

    @classmethod
    def setUpClass(cls):
        """Each test starts a server of its own."""

    @classmethod
    def tearDownClass(cls):
        """And stops it."""

    def setUp(self):
        self.server = None
        self.mail = mailgen.Mail(8)

    def live(self, server, tls="starttls"):
        with server as self.server:
            mail = self.follow_deletions()
            self.wait_for_the_lock(mail)
            self.take_all(mail, tls=tls, port=self.server.pop3_port if tls == "starttls" else None)

    def follow_deletions(self):
        """All is fetched; then what is new; then what was deleted here goes there."""
        old = self.put(*(self.mail.message() for _ in range(12)))
        client, local = self.account(keep="until-deleted")
        self.pass_once(client)
        self.assert_here(local, *old)
        self.assert_there(*old)
        new = self.put_plain("new")
        os.unlink(self.find(local, old[0]))
        self.pass_once(client)
        self.assert_here(local, *old[1:], *new)
        self.assert_there(*old[1:], *new)
        self.assert_pulled_quietly(client, local)
        return old[1:] + new

    def wait_for_the_lock(self, mail):
        """A second session: some servers refuse it, others let it look."""
        session = self.drop().open()
        client, local = self.account()
        run = client.once()
        self.assertIn(run.code, (0, 75), run.err)
        session.quit()
        self.pass_once(client)
        self.assert_here(local, *mail)

    def take_all(self, mail, **keys):
        """With a handshake behind STLS where that can be, and one that goes to disk in pieces."""
        large = self.put(self.mail.plain("large", 2_000_000))
        client, local = self.account(keep="none", **keys)
        self.pass_once(client)
        self.assert_here(local, *mail, *large)
        self.assert_there()
        self.assert_pulled_quietly(client, local)

    def test_a_server_that_wants_a_pause_between_logins_gets_it(self):
        """Courier says 10 s, and would take them sooner."""
        with courier.Courier() as self.server:
            client, local = self.account(poll_interval="1s")
            client.start()
            scratch.wait_for(lambda: client.account_status()["state"] == "idle", 60, client.said)
            idle = time.monotonic()
            mail = self.put_plain("one")
            scratch.wait_for(lambda: local.messages(HERE), 60, client.said)
            self.assertGreater(time.monotonic() - idle, 8)
            mail += self.put_plain("two")
            self.assertEqual(client.ctl("sync").code, 0)  # a person need not wait
            self.assert_here(local, *mail)
            self.assertEqual(client.stop(), 0)

    def test_dovecot(self):
        if not dovecot.has_pop3():
            self.skipTest("Dovecot has no POP3 here")
        self.live(dovecot.Dovecot(pop3=True))

    def test_cyrus(self):
        self.live(cyrus.Cyrus())

    def test_courier(self):
        """Its STLS needs a user that its package makes."""
        self.live(courier.Courier(), tls="implicit")


if __name__ == "__main__":
    main()
