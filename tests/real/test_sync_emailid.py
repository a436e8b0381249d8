"""Filing mail on a server that names messages (EMAILID): what is moved there is moved here.

SPDX-License-Identifier: MIT"""
import os

import cyrus
import mailgen
import views

from case import Case, main


class Filing(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cyrus.Cyrus()

    def setUp(self):
        self.mail = mailgen.Mail(len(self.id()))
        with views.Remote(self.server) as remote:
            for name in list(remote.mailboxes()):
                if uids := remote.uids(name):
                    remote.delete(name, *uids)
                if name != "INBOX":
                    remote.delete_mailbox(name)

    def filled(self, count):
        """That many messages in INBOX and an empty mailbox Work, on both sides."""
        remote = self.remote()
        remote.create("Work")
        for number in range(count):
            remote.append("INBOX", self.mail.message(), ["\\Seen"] if number % 2 else [],
                          1_300_000_000 + number)
        client, local = self.account()
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        return client, local, remote

    def file(self, remote, verb, *uids, to="Work", source="INBOX"):
        """What another client does with these messages."""
        remote.select(source)
        remote.check(remote.imap.uid(verb, ",".join(map(str, uids)), views.quoted(to)))

    def inodes(self, local, *mailboxes):
        return sorted(os.stat(path).st_ino for name in mailboxes
                      for path in (m.where for m in local.messages(name)))

    def follow(self, client, local, remote, fetches=False):
        """A pass that fetches no message, and leaves both sides equal."""
        sessions = self.server.sessions()
        self.pass_once(client)
        sent = b"\n".join(self.server.sent(sessions))
        self.assertEqual(b"BODY.PEEK[]" in sent, fetches)
        self.assertNotIn(b" APPEND ", sent)
        self.assert_equal_sides(local, remote)

    def test_a_message_that_is_moved_there_keeps_its_file(self):
        client, local, remote = self.filled(3)
        before = self.inodes(local, "INBOX")
        self.file(remote, "MOVE", remote.uids("INBOX")[1])
        self.follow(client, local, remote)
        self.assertEqual(len(local.messages("Work")), 1)
        self.assertEqual(self.inodes(local, "INBOX", "Work"), before)

    def test_a_thousand_that_are_moved_keep_theirs(self):
        client, local, remote = self.filled(1200)
        before = self.inodes(local, "INBOX")
        self.file(remote, "MOVE", *remote.uids("INBOX"))
        self.follow(client, local, remote)
        self.assertEqual(len(local.messages("Work")), 1200)
        self.assertEqual(self.inodes(local, "Work"), before)

    def test_a_copy_is_another_name_of_the_file(self):
        client, local, remote = self.filled(2)
        self.file(remote, "COPY", *remote.uids("INBOX"))
        self.follow(client, local, remote)
        self.assertEqual(self.inodes(local, "Work"), self.inodes(local, "INBOX"))

    def test_the_flags_are_those_of_the_message_that_came(self):
        client, local, remote = self.filled(3)
        moved, copied, _ = remote.uids("INBOX")
        self.file(remote, "COPY", copied)
        self.file(remote, "MOVE", moved)
        first, second = remote.uids("Work")
        remote.store("Work", first, "+", "\\Flagged", "$Label1", "later")
        remote.store("Work", second, "+", "\\Answered")
        self.follow(client, local, remote)

    def test_what_was_sent_from_here_is_known_there(self):
        client, local, remote = self.filled(1)
        local.add("INBOX", self.mail.message().replace(b"\r\n", b"\n"), "F", 1_300_001_000)
        self.pass_once(client)
        before = self.inodes(local, "INBOX")
        self.file(remote, "MOVE", *remote.uids("INBOX"))
        self.follow(client, local, remote)
        self.assertEqual(self.inodes(local, "Work"), before)

    def test_what_was_moved_from_here_is_known_there(self):
        client, local, remote = self.filled(2)
        path = local.messages("INBOX")[0].where
        os.rename(path, local.path("Work", "cur", os.path.basename(path).split(":")[0] + ":2,S"))
        self.pass_once(client)
        before = self.inodes(local, "Work")
        remote.create("Home")
        self.file(remote, "MOVE", *remote.uids("Work"), source="Work", to="Home")
        self.follow(client, local, remote)
        self.assertEqual(self.inodes(local, "Home"), before)

    def test_what_was_paired_is_known_there(self):
        remote = self.remote()
        client, local = self.account()
        remote.create("Work")
        local.create("INBOX")
        for number in range(3):
            data = self.mail.message()
            remote.append("INBOX", data, (), 1_300_000_000)
            local.add("INBOX", data.replace(b"\r\n", b"\n"), "", 1_300_000_000)
        self.pass_once(client)
        before = self.inodes(local, "INBOX")
        self.file(remote, "MOVE", *remote.uids("INBOX"))
        self.follow(client, local, remote)
        self.assertEqual(self.inodes(local, "Work"), before)

    def test_a_file_that_is_gone_is_fetched(self):
        client, local, remote = self.filled(2)
        moved = min(local.messages("INBOX"), key=lambda m: m.date)
        self.file(remote, "COPY", remote.uids("INBOX")[0])
        os.unlink(moved.where)
        self.follow(client, local, remote, fetches=True)
        self.assertEqual([m.digest for m in local.messages("Work")], [moved.digest])
        self.assertEqual(len(local.messages("INBOX")), 1)

    def test_a_message_that_is_moved_and_back_is_there_once(self):
        client, local, remote = self.filled(2)
        self.file(remote, "MOVE", *remote.uids("INBOX"))
        self.follow(client, local, remote)
        self.file(remote, "MOVE", *remote.uids("Work"), source="Work", to="INBOX")
        self.follow(client, local, remote)
        self.assertEqual(len(local.messages("INBOX")), 2)


if __name__ == "__main__":
    main()
