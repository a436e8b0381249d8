"""What the tests of POP3 accounts share: a maildrop that IMAP fills, and the maildir that it is pulled
into. SPDX-License-Identifier: MIT"""
import collections
import os
import unittest

import dovecot
import mailgen
import syncd
import views

from case import Case

HERE = "."  # the maildir is itself the mailbox


def digests(messages):
    return collections.Counter(m.digest for m in messages)


class DropCase(Case):
    SERVER = {"pop3": True}

    @classmethod
    def setUpClass(cls):
        if cls.SERVER and not dovecot.has_pop3():
            raise unittest.SkipTest("Dovecot has no POP3 here: run contrib/bootstrap test")
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.mail = mailgen.Mail(6)

    def drop(self):
        return views.Drop(self.server)

    def account(self, **keys):
        """A new POP3 account on this server, and its maildir."""
        client = syncd.Syncd(self.server, **dict({"protocol": "pop3"}, **keys))
        self.addCleanup(client.kill)
        return client, views.Local(client.maildir)

    def put(self, *messages):
        """New messages in the maildrop; returns them."""
        with views.Remote(self.server) as remote:
            for data in messages:
                remote.append("INBOX", data)
        return messages

    def put_plain(self, *subjects):
        return self.put(*(self.mail.plain(subject) for subject in subjects))

    def here(self, local):
        """{digest: how often it is in the maildir}"""
        return digests(local.messages(HERE))

    def there(self):
        return collections.Counter(self.drop().messages().values())

    def asked(self, before, *verbs):
        """How many commands of these names clients sent in sessions not in `before`."""
        sent = [line.split(b" ")[0].upper().decode("ascii", "replace")
                for line in self.server.sent(before)]
        return sum(sent.count(verb) for verb in verbs)

    def find(self, local, data, mailbox=HERE):
        """The file that has these bytes."""
        wanted = views.digest(data)
        return next(m.where for m in local.messages(mailbox) if m.digest == wanted)

    def assert_here(self, local, *messages):
        self.assertEqual(self.here(local), collections.Counter(views.digest(m) for m in messages))
        self.assertEqual(os.listdir(local.path(HERE, "tmp")), [])

    def assert_there(self, *messages):
        self.assertEqual(self.there(), collections.Counter(views.digest(m) for m in messages))

    def assert_pulled_quietly(self, client, local):
        """Another pass fetches and deletes nothing, and writes nothing."""
        self.pass_once(client)
        sessions, state, files = self.server.sessions(), client.state_digest(), local.snapshot()
        self.pass_once(client)
        self.assertEqual(self.asked(sessions, "RETR", "TOP", "DELE"), 0)
        self.assertEqual(local.snapshot(), files)
        self.assertEqual(client.state_digest(), state, "the state's database was written to")
