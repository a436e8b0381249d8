"""`subscribed = true`: only what is subscribed on the server is synchronised.

SPDX-License-Identifier: MIT"""
import os
import re
import shutil

import mailgen
import scratch

from case import EXTENSIONS, Case, main


class Subscribed(Case):
    def filled(self, *names, subscribe=(), **keys):
        """One message in each of these mailboxes; a pass over those that are subscribed."""
        remote = self.remote()
        for index, name in enumerate(names):
            remote.create(name)
            remote.append(name, mailgen.Mail(index).plain("in " + name), ["\\Seen"])
        for name in subscribe:
            remote.check(remote.imap.subscribe(name))
        client, local = self.account(subscribed=True, **keys)
        self.pass_once(client)
        return client, local, remote

    def subscriptions(self, remote):
        lines = [line.decode() for line in remote.check(remote.imap.lsub()) if line]
        names = [re.search(r'"?([^" ]+)"?$', line).group(1) for line in lines]
        return sorted(self.server.here(name) for name in names if name != "INBOX")

    def unsubscribe(self, remote, name):
        remote.check(remote.imap.unsubscribe(name))

    def test_what_is_not_subscribed_is_left_on_the_server(self):
        client, local, remote = self.filled("Ours", "Other", "Ours/Child", subscribe=["Ours"])
        self.assertEqual(local.mailboxes(), ["INBOX", "Ours"])
        self.assertEqual(len(local.messages("Ours")), 1)
        self.assert_quiet(client, local)
        remote.check(remote.imap.subscribe("Other"))
        self.pass_once(client)
        self.assertEqual(local.mailboxes(), ["INBOX", "Other", "Ours"])

    def test_one_made_here_is_made_and_subscribed_there(self):
        client, local, remote = self.filled("Other")
        local.create("New")
        local.add("New", mailgen.Mail(9).plain("new"), "S")
        self.pass_once(client)
        self.assertEqual(len(remote.messages("New")), 1)
        self.assertEqual(self.subscriptions(remote), ["New"])
        self.assert_quiet(client, local)

    def test_one_unsubscribed_is_left_alone_on_both_sides_and_forgotten(self):
        client, local, remote = self.filled("Left", "Kept", subscribe=["Left", "Kept"])
        self.unsubscribe(remote, "Left")
        os.unlink(local.messages("Left")[0].where)
        remote.append("Left", mailgen.Mail(9).plain("never seen"), ["\\Seen"])
        self.pass_once(client)
        self.assertEqual(len(remote.messages("Left")), 2)
        self.assertEqual(local.messages("Left"), [])
        self.assert_quiet(client, local)
        # Subscribed to again it is paired anew: nothing counts as deleted.
        remote.check(remote.imap.subscribe("Left"))
        self.pass_once(client)
        self.assertEqual(len(remote.messages("Left")), 2)
        self.assertEqual(len(local.messages("Left")), 2)

    def test_one_unsubscribed_and_removed_here_stays_there(self):
        client, local, remote = self.filled("Left", subscribe=["Left"])
        self.unsubscribe(remote, "Left")
        shutil.rmtree(local.path("Left"))
        self.pass_once(client)
        self.assertEqual(len(remote.messages("Left")), 1)
        self.assertEqual(local.mailboxes(), ["INBOX"])

    def test_one_that_was_deleted_there_goes_here(self):
        client, local, remote = self.filled("Gone", "Kept", subscribe=["Gone", "Kept"])
        remote.delete_mailbox("Gone")
        self.pass_once(client)
        self.assertEqual(local.mailboxes(), ["INBOX", "Kept"])

    def test_a_dry_run_says_that_it_would_be_forgotten(self):
        client, local, remote = self.filled("Left", subscribe=["Left"])
        self.unsubscribe(remote, "Left")
        before = self.untouched(client, remote)
        run = client.once("--dry-run")
        self.assertEqual((run.code, run.out), (0, "work: forget Left\n"), run.err)
        self.assertEqual(self.untouched(client, remote), before)

    def test_a_mailbox_that_is_named_is_passed_over_all_the_same(self):
        client, local, remote = self.filled("Other")
        self.assertEqual(client.once("work/Other").code, 0)
        self.assertEqual(len(local.messages("Other")), 1)

    def test_the_daemon_does_not_follow_what_is_not_subscribed(self):
        client, local, remote = self.filled("Other", "Ours", subscribe=["Ours"],
                                            poll_interval="1h")
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 30, client.said)
        sessions = self.server.sessions()
        remote.append("Other", mailgen.Mail(7).plain("not for us"))
        remote.append("Ours", mailgen.Mail(8).plain("for us"))
        client.ctl("sync")
        scratch.wait_for(lambda: len(local.messages("Ours")) == 2, 30, client.said)
        self.assertEqual(local.mailboxes(), ["INBOX", "Ours"])
        self.assertEqual([m["name"] for m in client.account_status()["mailboxes"]],
                         ["INBOX", "Ours"])
        self.unsubscribe(remote, "Ours")
        client.ctl("sync")
        self.assertEqual([m["name"] for m in client.account_status()["mailboxes"]], ["INBOX"])
        os.unlink(local.messages("Ours")[0].where)
        client.ctl("sync")
        self.assertEqual(len(remote.messages("Ours")), 2)
        self.assertEqual(client.stop(), 0)


class Bare(Subscribed):
    """IMAP4rev1 and nothing more: LSUB."""

    SERVER = {"without": EXTENSIONS}


if __name__ == "__main__":
    main()
