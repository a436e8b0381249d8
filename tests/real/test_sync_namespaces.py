"""Mailboxes of others: only where a pattern names their namespace (RFC 2342).

SPDX-License-Identifier: MIT"""
import os
import shutil

import mailgen
import scratch

from case import Case, main

PUBLIC = """
namespace public {
  type = public
  separator = %s
  prefix = Public%s
  location = maildir:%%h/public
  subscriptions = no
  list = yes
}
"""


class Namespaces(Case):
    SERVER = {"extra": PUBLIC % ("/", "/")}
    OWN = ""
    OTHERS = "Public/"

    def setUp(self):
        super().setUp()
        shutil.rmtree(os.path.join(os.path.dirname(self.server.maildir()), "public"),
                      ignore_errors=True)

    def filled(self, **keys):
        """Two mailboxes of ours and two of others, a message in each; after one pass."""
        remote = self.remote()
        for index, name in enumerate((self.OWN + "Work", self.OTHERS + "One",
                                      self.OTHERS + "Two")):
            remote.create(name)
            remote.append(name, mailgen.Mail(index).plain("in " + name), ["\\Seen"])
        client, local = self.account(**keys)
        self.pass_once(client)
        return client, local, remote

    def test_by_default_only_ours_are_taken(self):
        client, local, remote = self.filled()
        self.assertEqual(local.mailboxes(), ["INBOX", "Work"])
        self.assert_quiet(client, local)

    def test_a_pattern_with_the_prefix_takes_them(self):
        client, local, remote = self.filled(mailboxes=["*", "Public/*", "!Public/Two"])
        self.assertEqual(local.mailboxes(), ["INBOX", "Public/One", "Work"])
        local.add("Public/One", mailgen.Mail(7).plain("from here"), "S")
        remote.append(self.OTHERS + "One", mailgen.Mail(8).plain("from there"), ["\\Seen"])
        local.create("Public/New")
        self.pass_once(client)
        self.assertEqual(len(remote.messages(self.OTHERS + "One")), 3)
        self.assertEqual(len(local.messages("Public/One")), 3)
        self.assertIn(self.OTHERS + "New", remote.mailboxes())
        self.assert_quiet(client, local)

    def test_no_longer_named_they_are_left_alone_on_both_sides(self):
        client, local, remote = self.filled(mailboxes=["*", "Public/*"])
        client.configure(mailboxes=["*"])
        os.unlink(local.messages("Public/One")[0].where)
        remote.append(self.OTHERS + "Two", mailgen.Mail(8).plain("never seen"), ["\\Seen"])
        self.pass_once(client)
        self.assertEqual(len(remote.messages(self.OTHERS + "One")), 1)
        self.assertEqual(len(local.messages("Public/Two")), 1)
        self.assert_quiet(client, local)

    def test_the_daemon_follows_the_named_ones_only(self):
        client, local, remote = self.filled(mailboxes=["*", "Public/One"], poll_interval="1h")
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 30, client.said)
        remote.append(self.OTHERS + "Two", mailgen.Mail(7).plain("not for us"))
        remote.append(self.OTHERS + "One", mailgen.Mail(8).plain("for us"))
        client.ctl("sync")
        self.assertEqual(len(local.messages("Public/One")), 2)
        self.assertEqual([m["name"] for m in client.account_status()["mailboxes"]],
                         ["INBOX", "Public/One", "Work"])
        local.add("Public/One", mailgen.Mail(9).plain("from here"), "S")
        scratch.wait_for(lambda: len(remote.messages(self.OTHERS + "One")) == 3, 30, client.said)
        self.assertEqual(client.stop(), 0)

    def test_one_that_is_not_named_cannot_be_synchronised(self):
        client, local, remote = self.filled()
        run = client.once("work/Public/One")
        self.assertEqual(run.code, 1)
        self.assertIn("namespace of others", run.err)
        self.assertEqual(local.mailboxes(), ["INBOX", "Work"])


class Flat(Namespaces):
    """Where a name of ours could be one of theirs."""

    def test_none_is_made_among_theirs_by_accident(self):
        client, local, remote = self.filled()
        local.create("Public/New")
        run = self.pass_once(client, code=1)
        self.assertIn("namespace of others", run.err)
        self.assertNotIn("Public/New", remote.mailboxes())


class Prefixed(Namespaces):
    """Below INBOX., with dots: the prefix is hidden."""

    SERVER = {"separator": ".", "prefix": "INBOX.", "extra": PUBLIC % (".", ".")}
    OWN = "INBOX."
    OTHERS = "Public."

    def test_one_of_ours_may_have_a_name_like_theirs(self):
        client, local, remote = self.filled()
        local.create("Public/New")
        local.add("Public/New", mailgen.Mail(9).plain("ours"), "S")
        self.pass_once(client)
        self.assertEqual(len(remote.messages("INBOX.Public.New")), 1)
        self.assertNotIn("Public.New", remote.mailboxes())
        self.assert_quiet(client, local)


del Namespaces

if __name__ == "__main__":
    main()
