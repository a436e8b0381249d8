"""What the configuration forbids: directions, mass deletions, sizes.

SPDX-License-Identifier: MIT"""
import os
import shutil

import dovecot
import mailgen
import scratch

from case import Case, main


class Policies(Case):
    def three(self, direction):
        """Three messages on both sides, seen; then the direction is set."""
        remote = self.remote()
        for number in range(3):
            remote.append("INBOX", mailgen.Mail(number).plain("agreed %d" % number), ["\\Seen"])
        client, local = self.account()
        self.pass_once(client)
        client.configure(direction=direction)
        return client, local, remote

    def change_both(self, local, remote):
        """On each side one flagged, one deleted, one new; none the same message."""
        here = sorted(local.messages("INBOX"), key=lambda m: m.digest)
        there = sorted(remote.messages("INBOX"), key=lambda m: m.digest)
        local.reflag(here[0].where, "FS")
        os.unlink(here[1].where)
        local.add("INBOX", mailgen.Mail(10).plain("new here"), "S")
        remote.delete("INBOX", there[2].where)
        remote.append("INBOX", mailgen.Mail(11).plain("new there"), ["\\Seen"])
        return here

    def test_pull_sends_nothing_and_lets_the_server_win(self):
        client, local, remote = self.three("pull")
        sessions = self.server.sessions()
        self.change_both(local, remote)
        client.once()
        client.once()
        ours = [c for c in self.server.commands(sessions) if c in dovecot.WRITING]
        self.assertEqual(ours, [])
        there = remote.messages("INBOX")
        self.assertEqual(len(there), 3)
        self.assertEqual([m.flags for m in there], [{"\\Seen"}] * 3)
        here = local.messages("INBOX")
        self.assertEqual(sorted(m.digest for m in there),
                         sorted(m.digest for m in here if not self.is_new_here(m)))
        self.assertEqual([m.flags for m in here if not self.is_new_here(m)], [{"\\Seen"}] * 3)
        self.assertEqual(len(here), 4)

    def with_work(self, direction):
        """A mailbox Work with a message on both sides; then the direction is set."""
        remote = self.remote()
        remote.create("Work")
        remote.append("Work", mailgen.Mail(1).plain("agreed"), ["\\Seen"])
        client, local = self.account()
        self.pass_once(client)
        client.configure(direction=direction)
        return client, local, remote

    def test_pull_makes_no_mailbox_there_for_what_is_kept_here(self):
        client, local, remote = self.with_work("pull")
        local.add("Work", mailgen.Mail(2).plain("never sent"), "S")
        remote.delete_mailbox("Work")
        sessions = self.server.sessions()
        self.pass_once(client)
        self.pass_once(client)
        self.assertEqual([c for c in self.server.commands(sessions) if c in dovecot.WRITING], [])
        self.assertEqual(remote.mailboxes(), ["INBOX"])
        self.assertEqual(len(local.messages("Work")), 2)

    def test_push_makes_no_mailbox_here_for_what_is_kept_there(self):
        client, local, remote = self.with_work("push")
        remote.append("Work", mailgen.Mail(2).plain("never fetched"), ["\\Seen"])
        shutil.rmtree(local.path("Work"))
        self.pass_once(client)
        self.pass_once(client)
        self.assertEqual(local.mailboxes(), ["INBOX"])
        self.assertEqual(len(remote.messages("Work")), 2)

    @staticmethod
    def is_new_here(message):
        with open(message.where, "rb") as mail:
            return b"new here" in mail.read()

    def test_push_writes_nothing_here_and_lets_the_maildir_win(self):
        client, local, remote = self.three("push")
        self.change_both(local, remote)
        before = local.snapshot()
        client.once()
        client.once()
        self.assertEqual(local.snapshot(), before)
        here = {m.digest: m.flags for m in local.messages("INBOX")}
        there = {m.digest: m.flags for m in remote.messages("INBOX")}
        self.assertEqual(len(there), 4)  # ours, and the new one there that is left alone
        self.assertEqual({d: there.get(d) for d in here}, here)

    def test_a_mass_deletion_is_held_on_either_side(self):
        remote = self.remote()
        for number in range(30):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number))
        client, local = self.account()
        self.pass_once(client)
        kept = {m.where: open(m.where, "rb").read() for m in local.messages("INBOX")}
        for path in kept:
            os.unlink(path)
        run = client.once()
        self.assertEqual(run.code, 1)
        self.assertIn("30 of 30 messages would be deleted on the server", run.err)
        self.assertEqual(len(remote.uids("INBOX")), 30)
        for path, data in kept.items():
            with open(path, "wb") as mail:
                mail.write(data)
        self.pass_once(client)
        remote.delete("INBOX", *remote.uids("INBOX")[:20])
        run = client.once()
        self.assertEqual(run.code, 1)
        self.assertIn("20 of 30 messages would be deleted in the maildir", run.err)
        self.assertEqual(len(local.messages("INBOX")), 30)
        client.configure(deletion_limit="none")
        self.pass_once(client)
        self.assertEqual(sorted(m.digest for m in local.messages("INBOX")),
                         sorted(m.digest for m in remote.messages("INBOX")))
        self.assertEqual(len(remote.uids("INBOX")), 10)

    def both_filled(self):
        """30 messages in INBOX, and a mailbox Work."""
        remote = self.remote()
        remote.create("Work")
        for number in range(30):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number))
        return remote

    def test_messages_that_are_moved_on_the_server_do_not_count(self):
        remote = self.both_filled()
        client, local = self.account()
        self.pass_once(client)
        remote.move("INBOX", "1:25", "Work")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("Work")), 25)

    def test_of_two_mailboxes_with_the_same_messages_that_are_emptied_one_is_held(self):
        remote = self.both_filled()
        remote.select("INBOX")
        remote.check(remote.imap.uid("COPY", "1:30", "Work"))
        client, local = self.account()
        self.pass_once(client)
        for name in ("INBOX", "Work"):
            remote.delete(name, *remote.uids(name))
        run = client.once()
        self.assertEqual(run.code, 1)
        self.assertIn("30 of 30 messages would be deleted in the maildir", run.err)
        left = {name: len(local.messages(name)) for name in ("INBOX", "Work")}
        self.assertIn(30, left.values(), left)
        self.assertEqual(client.once().code, 1)
        self.assertEqual({name: len(local.messages(name)) for name in left}, left)

    def test_what_is_larger_than_max_size_stays_on_the_server_and_is_counted(self):
        remote = self.remote()
        for number, size in enumerate((100, 60_000, 200, 300_000)):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number, size))
        client, local = self.account(max_size="50K", push=False)
        self.pass_once(client)
        self.assertEqual(len(local.messages("INBOX")), 2)
        local.rest()
        sessions = self.server.sessions()
        self.pass_once(client)
        self.assertNotIn(b"BODY.PEEK[]", b"".join(self.server.sent(sessions)))
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 30, client.said)
        row = client.account_status()["mailboxes"][0]
        self.assertEqual((row["too_large"], row["set_aside"], row["error"]), (2, [], None))
        self.assertIn("2 left on the server (max_size)", client.ctl("status").out)
        # What is deleted there counts no more, and what is sent from here has no limit.
        remote.delete("INBOX", remote.uids("INBOX")[3])
        local.add("INBOX", mailgen.Mail(9).plain("large", 70_000))
        self.assertEqual(client.ctl("sync").code, 0)
        row = client.account_status()["mailboxes"][0]
        self.assertEqual((row["too_large"], row["messages"]), (1, 3))
        self.assertEqual(client.stop(), 0)
        client.configure(max_size="none")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        client.configure(max_size="50K")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)


class PushWithoutQresync(Case):
    """A server that tells by their number only that messages are gone."""

    SERVER = {"without": {"QRESYNC"}}

    def test_what_goes_beside_what_only_the_server_has_is_sent_again(self):
        remote = self.remote()
        for number in range(3):
            remote.append("INBOX", mailgen.Mail(number).plain("agreed %d" % number), ["\\Seen"])
        client, local = self.account()
        self.pass_once(client)
        client.configure(direction="push")
        remote.append("INBOX", mailgen.Mail(9).plain("never fetched"), ["\\Seen"])
        self.pass_once(client)
        self.pass_once(client)
        here = {m.digest for m in local.messages("INBOX")}
        remote.delete("INBOX", remote.uids("INBOX")[0])
        self.pass_once(client)
        self.assertLessEqual(here, {m.digest for m in remote.messages("INBOX")})
        self.assertEqual(len(remote.uids("INBOX")), 4)


if __name__ == "__main__":
    main()
