"""One life of an account on each server: what it brings, what goes there, what changes.

SPDX-License-Identifier: MIT"""
import os

import courier
import cyrus
import dovecot
import mailgen
import views

from case import Case, main

DATE = 1_500_000_000


class Servers(Case):
    @classmethod
    def setUpClass(cls):
        """Each test starts a server of its own."""

    @classmethod
    def tearDownClass(cls):
        """And stops it."""

    def setUp(self):
        self.server = None
        self.mail = mailgen.Mail(7)

    def there(self, name):
        """A mailbox's name on the server."""
        if name == "INBOX":
            return name
        return self.server.prefix + name.replace("/", self.server.separator)

    def here(self, name):
        """The name in the maildir of a mailbox on the server."""
        if name == "INBOX":
            return name
        self.assertTrue(name.startswith(self.server.prefix), name)
        return name[len(self.server.prefix):].replace(self.server.separator, "/")

    def assert_in_step(self, client, local, remote):
        self.pass_once(client)
        self.assert_equal_sides(local, remote, self.here)

    def find(self, messages, data):
        """Where the message with these bytes is."""
        wanted = views.digest(data)
        return next(m.where for m in messages if m.digest == wanted)

    def live(self, server):
        with server as self.server:
            remote = self.remote()
            client, local = self.account()
            first = self.pull(client, local, remote)
            second = self.push(client, local, remote)
            self.change_flags(client, local, remote, first, second)
            self.delete(client, local, remote, first, second)
            self.assert_quiet(client, local)

    def pull(self, client, local, remote):
        """Nested mailboxes and one whose name is not ASCII, each with mail."""
        mail = {name: [self.mail.message() for _ in range(4)]
                for name in ("INBOX", "Archive/2024/May", "Entwürfe")}
        for name, messages in mail.items():
            if name != "INBOX":
                remote.create(self.there(name))
            for number, data in enumerate(messages):
                flags = ["\\Seen", "work"] if number % 2 else ["\\Flagged"]
                remote.append(self.there(name), data, flags, DATE + number)
        self.assert_in_step(client, local, remote)
        self.assertEqual({name: len(local.messages(name)) for name in mail}, dict.fromkeys(mail, 4))
        return mail

    def push(self, client, local, remote):
        """Into mailboxes that are there, and into new ones."""
        mail = {name: [self.mail.message() for _ in range(3)]
                for name in ("INBOX", "Entwürfe", "Projects/Größe")}
        for name, messages in mail.items():
            local.create(name)
            for number, data in enumerate(messages):
                local.add(name, data, "FS" if number % 2 else "", DATE + 100 + number)
        # Cyrus makes the level above a mailbox as well, which the pass behind finds.
        self.pass_once(client)
        self.assert_in_step(client, local, remote)
        for name, messages in mail.items():
            found = [m.digest for m in remote.messages(self.there(name))]
            self.assertLessEqual({views.digest(data) for data in messages}, set(found))
        return mail

    def change_flags(self, client, local, remote, first, second):
        """On both sides between two passes, of messages from either; a keyword as well."""
        here, there = local.messages("INBOX"), remote.messages("INBOX")
        local.reflag(self.find(here, first["INBOX"][0]), "FRS")
        local.reflag(self.find(here, second["INBOX"][0]), "D")
        remote.store("INBOX", self.find(there, first["INBOX"][1]), "-", "\\Seen")
        remote.store("INBOX", self.find(there, first["INBOX"][2]), "+", "\\Answered", "later")
        remote.store("INBOX", self.find(there, second["INBOX"][1]), "+", "work")
        self.assert_in_step(client, local, remote)
        flags = {m.digest: m.flags for m in local.messages("INBOX")}
        wanted = ((first, 0, {"\\Flagged", "\\Answered", "\\Seen"}), (first, 1, {"work"}),
                  (first, 2, {"\\Flagged", "\\Answered", "later"}), (second, 0, {"\\Draft"}),
                  (second, 1, {"\\Flagged", "\\Seen", "work"}))
        for mail, number, expected in wanted:
            self.assertEqual(flags[views.digest(mail["INBOX"][number])], expected)

    def delete(self, client, local, remote, first, second):
        """On both sides, of messages from either."""
        for mail, number in ((first, 0), (second, 0)):
            os.unlink(self.find(local.messages("INBOX"), mail["INBOX"][number]))
        name = self.there("Entwürfe")
        there = remote.messages(name)
        remote.delete(name, *(self.find(there, mail["Entwürfe"][1]) for mail in (first, second)))
        self.assert_in_step(client, local, remote)
        self.assertEqual(len(local.messages("INBOX")), 5)
        self.assertEqual(len(local.messages("Entwürfe")), 5)

    def test_dovecot_with_slashes(self):
        self.live(dovecot.Dovecot())

    def test_dovecot_with_dots_below_INBOX(self):
        self.live(dovecot.Dovecot(separator=".", prefix="INBOX."))

    def test_cyrus_with_slashes(self):
        self.live(cyrus.Cyrus())

    def test_cyrus_with_dots_below_INBOX(self):
        self.live(cyrus.Cyrus(separator=".", prefix="INBOX."))

    def test_courier(self):
        self.live(courier.Courier())


if __name__ == "__main__":
    main()
