"""Push: the server tells of changes with NOTIFY, else IDLE. Nothing is polled here: the interval
is an hour.

SPDX-License-Identifier: MIT"""
import collections
import os
import re
import time

import dovecot
import mailgen
import scratch

from case import KIND, Case, main

# Dovecot itself tells half a second later; two busy cores and sanitizers are given more. The
# time measured is printed.
SOON = 10.0
QUIET = 1.2  # long enough for what would come of it

# How often a mailbox is looked at after one change of ours: Cyrus tells of it as of another's
# (docs/servers.md), Courier has no modseq by which it would be known.
LOOKS = {"dovecot": 1, "cyrus": 3, "courier": 2}[KIND]


class Push(Case):
    """What the cases share. PUSH is what the status has to say."""

    PUSH = "notify"
    MAILBOXES = ("Work", "Lists", "Lists/a")

    def running(self, **keys):
        self.before = self.server.sessions()
        remote = self.remote()
        for number, name in enumerate(self.MAILBOXES):
            remote.create(name)
            remote.append(name, mailgen.Mail(number).plain("in " + name))
        remote.append("INBOX", mailgen.Mail(50).plain("in INBOX"))
        client, local = self.account(poll_interval="1h", **keys)
        client.start()
        self.wait(client, lambda: len(local.mailboxes()) == len(self.MAILBOXES) + 1)
        self.wait(client, lambda: client.account_status()["push"] == self.PUSH)
        self.settle()
        return client, local, remote

    def wait(self, client, condition, seconds=60):
        scratch.wait_for(condition, seconds, client.said)

    def sent(self):
        """Commands of the daemon since it was started, without tags, in no order."""
        return [line.split(b" ", 1)[1].decode() for line in self.server.sent(self.before)
                if re.match(rb"A\d+ ", line)]

    def settle(self):
        """Until it has said nothing for a while."""
        count = None
        while count != len(self.sent()):
            count = len(self.sent())
            time.sleep(QUIET)

    def arrives(self, client, condition, what):
        began = time.monotonic()
        self.wait(client, condition, SOON)
        print("# %s: %s after %.2f s" % (self.PUSH, what, time.monotonic() - began))

    def sent_since(self, before):
        """Those after `before`, a former sent()."""
        return list((collections.Counter(self.sent()) - collections.Counter(before)).elements())

    def assert_looked_at(self, name, before):
        looks = self.selected_since(before)
        self.assertEqual(set(looks), {name})
        self.assertLessEqual(len(looks), LOOKS)

    def selected_since(self, before):
        """Names of the mailboxes that it selected, each as often as it was."""
        return sorted(self.server.here(command.split('"')[1]) for command in self.sent_since(before)
                      if command.startswith('SELECT "'))


class Everywhere:
    """What holds for mailboxes other than INBOX with NOTIFY, and with IDLE as far as it goes."""

    def test_mail_arrives_in_another_mailbox(self):
        client, local, remote = self.running()
        remote.append("Lists/a", mailgen.Mail(80).plain("new there"))
        self.arrives(client, lambda: len(local.messages("Lists/a")) == 2, "mail")

    def test_a_flag_arrives_in_another_mailbox(self):
        client, local, remote = self.running()
        remote.store("Work", 1, "+", "\\Flagged")
        self.arrives(client, lambda: "\\Flagged" in local.messages("Work")[0].flags, "a flag")

    def test_a_deletion_arrives_in_another_mailbox(self):
        client, local, remote = self.running()
        remote.delete("Work", 1)
        self.arrives(client, lambda: not local.messages("Work"), "a deletion")

    def test_inbox_is_watched_too(self):
        client, local, remote = self.running()
        remote.append("INBOX", mailgen.Mail(81).plain("new there"))
        self.arrives(client, lambda: len(local.messages("INBOX")) == 2, "mail in INBOX")
        remote.store("INBOX", 1, "+", "\\Flagged")
        self.arrives(client, lambda: any("\\Flagged" in m.flags for m in local.messages("INBOX")),
                     "a flag in INBOX")
        remote.delete("INBOX", 1)
        self.arrives(client, lambda: len(local.messages("INBOX")) == 1, "a deletion in INBOX")

    def test_only_what_changed_is_looked_at(self):
        client, local, remote = self.running()
        remote.select("INBOX")
        before = self.sent()
        remote.append("Work", mailgen.Mail(82).plain("new there"))
        self.arrives(client, lambda: len(local.messages("Work")) == 2, "mail")
        self.settle()
        self.assertEqual(self.selected_since(before), ["Work"])
        self.need("QRESYNC")  # without, looking is listing
        self.assertEqual([c for c in self.sent_since(before)
                          if c.startswith(("UID FETCH 1:*", "LIST", "STATUS"))], [])

    @staticmethod
    def flagged(remote):
        """Courier tells a session of others' flags with NOOP only."""
        remote.check(remote.imap.noop())
        return remote.check(remote.imap.uid("SEARCH", "FLAGGED"))[0]

    def test_our_own_flag_is_no_news(self):
        client, local, remote = self.running()
        for name in ("Work", "INBOX"):
            remote.select(name)
            before = self.sent()
            local.reflag(local.messages(name)[0].where, "FS")
            self.arrives(client, lambda: self.flagged(remote), "a flag from here")
            self.settle()
            self.assert_looked_at(name, before)

    def test_our_own_deletion_is_no_news(self):
        client, local, remote = self.running()
        for name in ("Work", "INBOX"):
            before = self.sent()
            os.unlink(local.messages(name)[0].where)
            self.settle()
            self.assert_looked_at(name, before)
            self.assertEqual(remote.uids(name), [])

    def test_our_own_mail_is_looked_at_once_more_at_most(self):
        """The modseq of an appended message is not told: another's change may hide behind it."""
        self.need("QRESYNC")
        client, local, _ = self.running()
        for name in ("Work", "INBOX"):
            before = self.sent()
            local.add(name, mailgen.Mail(83).plain("new in " + name), "S")
            self.settle()
            self.assertIn(self.selected_since(before), ([name], [name, name]))
            commands = [c.split(" ")[0] for c in self.sent_since(before)]
            self.assertEqual(commands.count("APPEND"), 1)
            if KIND != "cyrus":  # its EMAILID is asked for
                self.assertNotIn("UID", commands)


class Notify(Everywhere, Push):
    """Dovecot as it is."""

    NEEDS = {"NOTIFY"}

    def test_one_connection_waits_for_all(self):
        client, _, _ = self.running()
        commands = [c.split(" ")[0] for c in self.sent()]
        self.assertEqual(commands.count("NOTIFY"), 1)
        self.assertEqual(commands.count("IDLE"), 1)
        self.assertEqual(client.stop(), 0)

    def test_what_has_not_changed_since_the_last_look_is_not_looked_at(self):
        client, local, _ = self.running()
        self.assertEqual(client.stop(), 0)
        local.rest()
        self.pass_once(client)
        local.rest()
        self.before = self.server.sessions()
        client.start()
        self.wait(client, lambda: client.account_status()["push"] == "notify")
        self.settle()
        self.assertEqual(self.selected_since([]), ["INBOX"])  # to wait there

    def test_a_mailbox_made_there_appears_and_is_watched(self):
        client, local, remote = self.running()
        remote.create("New/Sub")
        self.arrives(client, lambda: "New/Sub" in local.mailboxes(), "a mailbox")
        self.settle()
        remote.append("New/Sub", mailgen.Mail(84).plain("new there"))
        self.arrives(client, lambda: len(local.messages("New/Sub")) == 1, "mail in it")

    def test_a_mailbox_renamed_there_appears(self):
        client, local, remote = self.running()
        remote.rename("Work", "Labour")
        self.arrives(client, lambda: "Labour" in local.mailboxes(), "a renamed mailbox")
        self.wait(client, lambda: len(local.messages("Labour")) == 1, SOON)

    def test_a_mailbox_that_is_not_wanted_costs_nothing(self):
        client, _, remote = self.running(mailboxes=("*", "!Junk*"))
        before = self.sent()
        remote.create("Junk")
        remote.append("Junk", mailgen.Mail(85).plain("buy this"))
        self.settle()
        self.assertEqual(self.sent_since(before), [])
        self.assertEqual(client.account_status()["push"], "notify")

    def test_mail_that_is_dropped_into_inbox_beside_the_server_arrives(self):
        client, local, _ = self.running()
        path = os.path.join(self.server.maildir(), "new", "1700000000.M1P1.mda")
        scratch.write(path + ".part", mailgen.Mail(86).plain("from an MDA"))
        os.chown(path + ".part", dovecot.mail_user().pw_uid, dovecot.mail_user().pw_gid)
        os.rename(path + ".part", path)
        self.arrives(client, lambda: len(local.messages("INBOX")) == 2, "mail from an MDA")

    def test_what_came_while_the_link_was_down_is_fetched(self):
        client, local, remote = self.running()
        self.server.stop()
        self.server.start()
        remote = self.remote()
        remote.append("Lists", mailgen.Mail(87).plain("meanwhile"))
        self.wait(client, lambda: len(local.messages("Lists")) == 2, 60)
        self.wait(client, lambda: client.account_status()["push"] == "notify", 60)
        remote.append("Lists", mailgen.Mail(88).plain("and after"))
        self.arrives(client, lambda: len(local.messages("Lists")) == 3, "mail after the cut")

    def test_several_changes_at_once_are_each_looked_at_once(self):
        client, local, remote = self.running()
        before = self.sent()
        for name in self.MAILBOXES:
            remote.append(name, mailgen.Mail(89).plain("new there"))
        self.arrives(client, lambda: all(len(local.messages(n)) == 2 for n in self.MAILBOXES),
                     "mail in three")
        self.settle()
        self.assertEqual(self.selected_since(before), sorted(self.MAILBOXES))

    def test_two_connections_are_enough(self):
        client, local, remote = self.running(connections=2)
        for name in self.MAILBOXES:
            remote.append(name, mailgen.Mail(89).plain("new there"))
        self.arrives(client, lambda: all(len(local.messages(n)) == 2 for n in self.MAILBOXES),
                     "mail in three")


class NotifyAlone(Push):
    """NOTIFY without IDLE."""

    NEEDS = {"NOTIFY"}

    SERVER = {"without": {"IDLE"}}

    def test_mail_arrives_everywhere(self):
        client, local, remote = self.running()
        for name in self.MAILBOXES + ("INBOX",):
            remote.append(name, mailgen.Mail(80).plain("new there"))
            self.arrives(client, lambda: len(local.messages(name)) == 2, "mail in " + name)
        self.assertNotIn("IDLE", self.sent())


class Idle(Everywhere, Push):
    """IDLE on as many mailboxes as there are connections for: here on all."""

    SERVER = {"without": {"NOTIFY"}}
    PUSH = "idle"

    def running(self, **keys):
        keys.setdefault("connections", len(self.MAILBOXES) + 2)
        return super().running(**keys)

    def test_where_there_was_news_is_waited_next(self):
        client, local, remote = self.running(connections=3)
        for name in self.MAILBOXES:
            remote.append(name, mailgen.Mail(80).plain("new there"))
        time.sleep(QUIET)
        unnoticed = [n for n in self.MAILBOXES if len(local.messages(n)) == 1]
        self.assertEqual(len(unnoticed), 2)
        self.assertEqual(client.ctl("sync", "work/" + unnoticed[0]).code, 0)
        self.settle()
        remote.append(unnoticed[0], mailgen.Mail(81).plain("noticed"))
        self.arrives(client, lambda: len(local.messages(unnoticed[0])) == 3,
                     "mail where there was news")
        remote.append("INBOX", mailgen.Mail(82).plain("INBOX still is"))
        self.arrives(client, lambda: len(local.messages("INBOX")) == 2, "mail in INBOX")

    def test_passes_get_the_connections_they_need(self):
        client, local, remote = self.running(connections=4)
        self.assertGreaterEqual(self.sent().count("IDLE"), 3)
        for number in range(40):
            local.add("Work", mailgen.Mail(number + 100).plain("new here %d" % number), "S")
            remote.append("Lists", mailgen.Mail(number + 200).plain("new there %d" % number))
        run = client.ctl("sync")
        self.assertEqual(run.code, 0, run.err)
        self.assert_equal_sides(local, remote)
        self.settle()
        remote.append("INBOX", mailgen.Mail(82).plain("new there"))
        self.arrives(client, lambda: len(local.messages("INBOX")) == 2, "mail afterwards")


class Neither(Push):
    """No push at all."""

    SERVER = {"without": {"NOTIFY", "IDLE"}}
    PUSH = "poll"

    def test_it_is_polled(self):
        client, local, remote = self.running()
        remote.append("INBOX", mailgen.Mail(80).plain("not noticed"))
        time.sleep(QUIET)
        self.assertEqual(len(local.messages("INBOX")), 1)
        self.assertEqual(client.ctl("sync").code, 0)
        self.assertEqual(len(local.messages("INBOX")), 2)
        self.assertEqual(client.account_status()["push"], "poll")


class Forbidden(Push):
    """The server could; the user does not want it, or not that many connections."""

    PUSH = "poll"

    def test_without_push_there_is_none(self):
        for keys in ({"push": False}, {"connections": 1}):
            client, _, _ = self.running(**keys)
            self.assertEqual([c for c in self.sent() if c.startswith(("IDLE", "NOTIFY"))], [])
            self.assertEqual(client.stop(), 0)
            self.setUp()


if __name__ == "__main__":
    main()
