"""One life of an account on each server; then what single servers do in their own way.

SPDX-License-Identifier: MIT"""
import os
import shutil

import courier
import cyrus
import dovecot
import mailgen
import views

from case import Case, main

DATE = 1_500_000_000


class Own(Case):
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


class Life(Own):
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


class Ways(Own):
    """docs/servers.md has them all."""

    def push(self, *messages):
        """An account into whose INBOX these were put before its second pass; not passed yet."""
        client, local = self.account()
        self.pass_once(client)
        for data in messages:
            local.add("INBOX", data.replace(b"\r\n", b"\n"), "", DATE)
        return client, local

    def test_one_message_that_cyrus_refuses_keeps_no_other_back(self):
        odd = mailgen.odd()
        with cyrus.Cyrus() as self.server:
            client, local = self.push(*odd.values())
            run, sessions = client.once(), self.server.sessions()
            self.assertEqual(run.code, 1)
            self.assertIn("set aside: APPEND: Message contains invalid header", run.err)
            again = client.once()
            self.assertEqual((again.code, "1 messages set aside" in again.err), (1, True))
            self.assertNotIn("APPEND", self.server.commands(sessions))
            refused = views.digest(odd.pop("no empty line"))
            self.assertEqual(sorted(m.digest for m in self.remote().messages("INBOX")),
                             sorted(views.digest(data) for data in odd.values()))
            self.assertIn(refused, [m.digest for m in local.messages("INBOX")])

    def munged(self):
        """One whose Subject Cyrus changes unless told otherwise."""
        return self.mail.plain("plain").replace(b"Subject: plain", "Subject: Größe".encode())

    def test_a_header_that_cyrus_changes_is_uploaded_once(self):
        with cyrus.Cyrus(munges=True) as self.server:
            data = self.munged()
            client, local = self.push(data)
            self.pass_once(client)
            self.assert_quiet(client, local)
            changed = data.replace("Größe".encode(), b"GrXXXXe")
            self.assertEqual([m.digest for m in self.remote().messages("INBOX")],
                             [views.digest(changed)])
            self.assertEqual([m.digest for m in local.messages("INBOX")], [views.digest(data)])

    def pair_again(self, client, local):
        """Without the state, what is on both sides is the same as before."""
        shutil.rmtree(client.state)
        self.pass_once(client)
        self.assertEqual((len(local.messages("INBOX")), len(self.remote().messages("INBOX"))), (1, 1))

    def test_a_header_that_cyrus_changed_pairs_when_the_state_is_lost(self):
        with cyrus.Cyrus(munges=True) as self.server:
            client, local = self.push(self.munged())
            self.pass_once(client)
            self.pair_again(client, local)

    def test_a_line_end_that_courier_added_pairs_when_the_state_is_lost(self):
        with courier.Courier() as self.server:
            client, local = self.push(self.mail.plain("last words").rstrip(b"\r\n"))
            self.pass_once(client)
            self.assertNotEqual(views.alike(local.messages("INBOX")),
                                views.alike(self.remote().messages("INBOX")))
            self.pair_again(client, local)

    def test_a_mailbox_that_cyrus_refuses_is_named(self):
        with cyrus.Cyrus() as self.server:
            client, local = self.push()
            local.create("50%")
            run = client.once()
            self.assertEqual(run.code, 1)
            self.assertIn("50%", run.err)

    def nested(self, remote):
        """A mailbox and one below it, a message in each, on both sides."""
        for name in ("Old", "Old/Child"):
            remote.create(self.there(name))
            remote.append(self.there(name), self.mail.plain(name), ["\\Seen"], DATE)
        client, local = self.account()
        self.pass_once(client)
        return client, local

    def test_one_above_others_that_cyrus_does_not_delete_stays_and_is_named(self):
        with cyrus.Cyrus() as self.server:
            remote = self.remote()
            client, local = self.nested(remote)
            for part in ("cur", "new", "tmp"):
                shutil.rmtree(local.path("Old", part))
            for _ in range(2):
                run = self.pass_once(client, code=1)
                self.assertIn("mailbox Old: DELETE: Mailbox has inferior hierarchical names", run.err)
            self.assertEqual((local.mailboxes(), len(remote.messages("Old"))),
                             (["INBOX", "Old/Child"], 1))
            # With what is below it, it goes.
            shutil.rmtree(local.path("Old"))
            self.pass_once(client)
            self.assertEqual(remote.mailboxes(), ["INBOX"])
            self.assert_quiet(client, local)

    def test_one_renamed_on_courier_is_a_new_one_and_loses_nothing(self):
        """It gets another UIDVALIDITY."""
        with courier.Courier() as self.server:
            remote = self.remote()
            client, local = self.nested(remote)
            before = {name: views.alike(local.messages(name)) for name in ("Old", "Old/Child")}
            self.server.next_number()
            remote.rename("INBOX.Old", "INBOX.New")
            self.assert_in_step(client, local, remote)
            self.assertEqual(local.mailboxes(), ["INBOX", "New", "New/Child"])
            for name, messages in before.items():
                self.assertEqual(views.alike(local.messages(name.replace("Old", "New"))), messages)
            self.assert_quiet(client, local)


if __name__ == "__main__":
    main()
