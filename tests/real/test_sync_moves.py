"""Filing mail: what is moved in the maildir is moved on the server, not sent again.

SPDX-License-Identifier: MIT"""
import os
import shutil

import dovecot
import mailgen
import scratch
import views

from case import EXTENSIONS, Case, main

BASE = "%d.M%dP9.reader"


class Filing(Case):
    """Everything that a server may offer."""

    NAMES = staticmethod(lambda name: name)  # a mailbox's directory from its server name
    PREFIX, SEPARATOR = "", "/"

    def there(self, name):
        """The server's name of a mailbox."""
        return name if name == "INBOX" else self.PREFIX + name.replace("/", self.SEPARATOR)

    def filled(self, count=3, mailboxes=("INBOX", "Work", "Home"), **keys):
        """`count` messages in INBOX with flags, keywords and dates of their own; the other
        mailboxes hold one each. On both sides."""
        remote = self.remote()
        for index, name in enumerate(mailboxes):
            if name != "INBOX":
                remote.create(self.there(name))
            for number in range(count if name == "INBOX" else 1):
                mail = mailgen.Mail(1000 * index + number)
                remote.append(self.there(name), mail.plain("%s %d" % (name, number)),
                              ["\\Seen", "$Forwarded", "Label%d" % (number % 2)],
                              1_200_000_000 + number)
        client, local = self.account(**keys)
        self.pass_once(client)
        self.assert_equal_sides(local, remote, self.NAMES)
        return client, local, remote

    def move(self, local, path, mailbox, base=None):
        """As `mv`, or with a new base name as mutt does; returns the path."""
        name = os.path.basename(path)
        if base:
            name = base + ":2," + name.split(":2,")[1]
        moved = local.path(mailbox, "cur", name)
        os.rename(path, moved)
        return moved

    def pass_without_transport(self, client, code=0):
        """A pass that sends no message and fetches none."""
        sessions = self.server.sessions()
        run = self.pass_once(client, code=code)
        sent = b"\n".join(self.server.sent(sessions))
        self.assertNotIn(b" APPEND ", sent)
        self.assertNotIn(b"BODY.PEEK[]", sent)
        return run, self.server.commands(sessions)

    def assert_settled(self, client, local, remote):
        self.assert_equal_sides(local, remote, self.NAMES)
        sessions, files = self.server.sessions(), local.snapshot()
        self.pass_once(client)
        self.assertEqual([c for c in self.server.commands(sessions) if c in dovecot.WRITING], [])
        self.assertEqual(local.snapshot(), files)

    def test_a_file_that_is_moved_is_moved_there(self):
        client, local, remote = self.filled()
        before = {m.digest: (m.flags, m.date) for m in remote.messages("INBOX")}
        message = local.messages("INBOX")[0]
        self.move(local, message.where, "Work")
        _, commands = self.pass_without_transport(client)
        if "MOVE" in self.server.without:
            self.assertIn("UID COPY", commands)
        else:
            self.assertIn("UID MOVE", commands)
        moved = [m for m in remote.messages(self.there("Work")) if m.digest == message.digest]
        self.assertEqual([(m.flags, m.date) for m in moved], [before[message.digest]])
        self.assertEqual(len(remote.messages("INBOX")), 2)
        self.assert_settled(client, local, remote)

    def test_a_file_that_gets_a_new_name_as_it_moves_is_the_same_message(self):
        client, local, remote = self.filled()
        for number, message in enumerate(local.messages("INBOX")):
            self.move(local, message.where, ("Work", "Home")[number % 2], BASE % (1, number))
        self.pass_without_transport(client)
        self.assertEqual(remote.messages("INBOX"), [])
        self.assert_settled(client, local, remote)

    def test_a_file_that_gets_a_new_name_where_it_is_stays_the_same_message(self):
        client, local, remote = self.filled()
        uids = remote.uids("INBOX")
        message = local.messages("INBOX")[0]
        self.move(local, message.where, "INBOX", BASE % (2, 1))
        _, commands = self.pass_without_transport(client)
        self.assertEqual([c for c in commands if c in dovecot.WRITING], [])
        self.assertEqual(remote.uids("INBOX"), uids)
        self.assert_settled(client, local, remote)

    def test_a_copy_is_a_copy_there(self):
        client, local, remote = self.filled()
        message = local.messages("INBOX")[0]
        shutil.copy2(message.where, local.path("Work", "cur", BASE % (3, 1) + ":2,S"))
        _, commands = self.pass_without_transport(client)
        self.assertIn("UID COPY", commands)
        self.assertEqual(len(remote.messages("INBOX")), 3)
        self.assertEqual(len(remote.messages(self.there("Work"))), 2)
        self.assert_settled(client, local, remote)

    def test_a_mailbox_made_for_it_is_made_there(self):
        client, local, remote = self.filled()
        local.create("New/Deep")
        for message in local.messages("INBOX")[:2]:
            self.move(local, message.where, "New/Deep")
        _, commands = self.pass_without_transport(client)
        self.assertIn("CREATE", commands)
        self.assertEqual(len(remote.messages(self.there("New/Deep"))), 2)
        self.find_levels(client)
        self.assert_settled(client, local, remote)

    def test_a_ring_of_moves_ends_where_each_was_moved_to(self):
        client, local, remote = self.filled(count=1)
        ring = ["INBOX", "Work", "Home"]
        files = [local.messages(name)[0].where for name in ring]
        for number, path in enumerate(files):
            self.move(local, path, ring[(number + 1) % 3])
        self.pass_without_transport(client)
        self.assert_settled(client, local, remote)

    def test_moved_and_flagged_at_once_it_is_both(self):
        client, local, remote = self.filled()
        message = local.messages("INBOX")[0]
        local.reflag(self.move(local, message.where, "Work"), "FRST")
        self.pass_without_transport(client)
        self.assert_settled(client, local, remote)
        moved = [m for m in remote.messages(self.there("Work")) if m.digest == message.digest]
        self.assertLessEqual({"\\Flagged", "\\Answered", "\\Deleted"}, moved[0].flags)

    def test_moved_here_and_flagged_there_it_is_both(self):
        client, local, remote = self.filled()
        message = local.messages("INBOX")[0]
        uid = [m.where for m in remote.messages("INBOX") if m.digest == message.digest][0]
        remote.store("INBOX", uid, "+", "\\Answered", "Later")
        self.move(local, message.where, "Work")
        self.pass_without_transport(client)
        self.assert_settled(client, local, remote)
        moved = [m for m in remote.messages(self.there("Work")) if m.digest == message.digest]
        self.assertLessEqual({"\\Answered", "Later"}, moved[0].flags)

    def test_moved_here_and_deleted_there_it_stays_where_it_was_moved(self):
        client, local, remote = self.filled()
        message = local.messages("INBOX")[0]
        uid = [m.where for m in remote.messages("INBOX") if m.digest == message.digest][0]
        self.move(local, message.where, "Work")
        remote.delete("INBOX", uid)
        self.pass_once(client)
        self.assertIn(message.digest, [m.digest for m in remote.messages(self.there("Work"))])
        self.assert_settled(client, local, remote)

    def test_moved_to_different_mailboxes_it_is_in_both(self):
        client, local, remote = self.filled()
        message = local.messages("INBOX")[0]
        uid = [m.where for m in remote.messages("INBOX") if m.digest == message.digest][0]
        self.move(local, message.where, "Work")
        remote.select("INBOX")
        remote.check(remote.imap.uid("COPY", str(uid), views.quoted(self.there("Home"))))
        remote.delete("INBOX", uid)
        self.pass_once(client)
        self.assert_settled(client, local, remote)
        for name in "Work", "Home":
            self.assertEqual([m.digest for m in local.messages(name)].count(message.digest), 1)
        self.assertNotIn(message.digest, [m.digest for m in local.messages("INBOX")])

    def test_moved_into_a_mailbox_that_was_deleted_there_it_is_made_anew(self):
        client, local, remote = self.filled()
        message = local.messages("INBOX")[0]
        remote.delete_mailbox(self.there("Work"))
        self.move(local, message.where, "Work")
        self.pass_once(client)
        remote = self.remote()
        self.assertIn(message.digest, [m.digest for m in remote.messages(self.there("Work"))])
        self.assert_settled(client, local, remote)

    def test_the_limit_of_deletions_does_not_count_moves(self):
        client, local, remote = self.filled(count=30)
        for message in local.messages("INBOX"):
            self.move(local, message.where, "Work")
        _, commands = self.pass_without_transport(client)
        self.assertEqual(remote.messages("INBOX"), [])
        self.assertEqual(len(remote.messages(self.there("Work"))), 31)
        if "MOVE" not in self.server.without:
            self.assertEqual(commands.count("UID MOVE"), 1)
        self.assert_settled(client, local, remote)

    def test_a_file_of_the_same_name_with_other_content_is_a_new_message(self):
        client, local, remote = self.filled()
        message = local.messages("INBOX")[0]
        os.unlink(message.where)
        with open(local.path("Work", "cur", os.path.basename(message.where)), "wb") as out:
            out.write(mailgen.Mail(77).plain("another one").replace(b"\r\n", b"\n"))
        self.pass_once(client)
        self.assert_settled(client, local, remote)
        self.assertEqual(len(remote.messages("INBOX")), 2)

    def test_the_daemon_moves_at_once(self):
        client, local, remote = self.filled()
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 30, lambda: client.said())
        message = local.messages("INBOX")[0]
        sessions = self.server.sessions()
        self.move(local, message.where, "Work")
        scratch.wait_for(lambda: message.digest in [
            m.digest for m in remote.messages(self.there("Work"))] and
            len(remote.uids("INBOX")) == 2, 30, lambda: client.said())
        self.assertEqual(client.stop(), 0)
        self.assertNotIn(b" APPEND ", b"\n".join(self.server.sent(sessions)))
        self.assert_settled(client, local, remote)


class Plain(Filing):
    """No MOVE and no UIDPLUS: it takes longer, the result is the same."""

    SERVER = {"without": {"MOVE", "UIDPLUS"}}


class NoMove(Filing):
    SERVER = {"without": {"MOVE"}}


class NoUidplus(Filing):
    SERVER = {"without": {"UIDPLUS"}}


class Dots(Filing):
    """As Courier and old Cyrus have it."""

    SERVER = {"separator": ".", "prefix": "INBOX."}
    PREFIX, SEPARATOR = "INBOX.", "."
    NAMES = staticmethod(lambda name: name if name == "INBOX"
                         else name[len("INBOX."):].replace(".", "/"))


class Bare(Filing):
    """IMAP4rev1 and nothing more."""

    SERVER = {"without": EXTENSIONS}


class Policies(Case):
    """Where deleted messages go."""

    def three(self, **keys):
        remote = self.remote()
        remote.create("Trash")
        for number in range(3):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number), ["\\Seen"])
        client, local = self.account(**keys)
        self.pass_once(client)
        return client, local, remote

    def test_what_is_deleted_here_goes_to_the_trash(self):
        client, local, remote = self.three(trash="Trash")
        message = local.messages("INBOX")[0]
        os.unlink(message.where)
        sessions = self.server.sessions()
        self.pass_once(client)
        self.assertIn("UID COPY" if "MOVE" in self.server.without else "UID MOVE",
                      self.server.commands(sessions))
        self.assertEqual([m.digest for m in remote.messages("Trash")], [message.digest])
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        os.unlink(local.messages("Trash")[0].where)
        self.pass_once(client)
        self.assertEqual(remote.messages("Trash"), [])
        self.assertEqual(len(remote.messages("INBOX")), 2)

    def test_a_name_above_others_is_no_trash(self):
        self.remote().create("Bin/2026")
        client, local, remote = self.three(trash="Bin")
        message = local.messages("INBOX")[0]
        os.unlink(message.where)
        self.pass_once(client)
        self.assertEqual([m.digest for m in remote.messages("Bin")], [message.digest])

    def test_without_the_trash_nothing_is_deleted(self):
        client, local, remote = self.three(trash="Nowhere", create="local")
        os.unlink(local.messages("INBOX")[0].where)
        run = self.pass_once(client, code=1)
        self.assertIn("Nowhere", run.err)
        self.assertEqual(len(remote.messages("INBOX")), 3)

    def test_what_is_flagged_deleted_goes_from_both_sides(self):
        client, local, remote = self.three(expunge_deleted=True)
        here = sorted(local.messages("INBOX"), key=lambda m: m.digest)
        there = sorted(remote.messages("INBOX"), key=lambda m: m.digest)
        local.reflag(here[0].where, "ST")
        remote.store("INBOX", there[1].where, "+", "\\Deleted")
        self.pass_once(client)
        self.assertEqual([m.digest for m in remote.messages("INBOX")], [there[2].digest])
        self.assert_equal_sides(local, remote)

    def test_a_copy_of_what_is_flagged_deleted_stays(self):
        client, local, remote = self.three(expunge_deleted=True)
        message = local.messages("INBOX")[0]
        original = next(m for m in remote.messages("INBOX") if m.digest == message.digest)
        shutil.copy2(message.where, local.path("Trash", "cur", BASE % (3, 1) + ":2,S"))
        remote.store("INBOX", original.where, "+", "\\Deleted")
        self.pass_once(client)
        self.pass_once(client)
        self.assertEqual(len(remote.messages("INBOX")), 2)
        self.assertEqual([m.digest for m in remote.messages("Trash")], [message.digest])
        self.assert_equal_sides(local, remote)

    def test_what_was_flagged_before_goes_when_it_is_asked_for(self):
        client, local, remote = self.three()
        local.reflag(local.messages("INBOX")[0].where, "ST")
        self.pass_once(client)
        self.assertEqual(len(remote.messages("INBOX")), 3)
        client.configure(expunge_deleted=True)
        self.pass_once(client)
        self.assertEqual(len(remote.messages("INBOX")), 2)
        self.assert_equal_sides(local, remote)

    def test_what_is_flagged_deleted_goes_to_the_trash_unflagged(self):
        client, local, remote = self.three(expunge_deleted=True, trash="Trash")
        message = local.messages("INBOX")[0]
        local.reflag(message.where, "ST")
        self.pass_once(client)
        self.pass_once(client)
        self.assertEqual([(m.digest, m.flags) for m in remote.messages("Trash")],
                         [(message.digest, {"\\Seen"})])
        self.assert_equal_sides(local, remote)

    def test_pulling_no_move_is_sent(self):
        client, local, remote = self.three(direction="pull")
        message = local.messages("INBOX")[0]
        os.rename(message.where, local.path("Trash", "cur", os.path.basename(message.where)))
        sessions = self.server.sessions()
        self.pass_once(client)
        self.assertEqual([c for c in self.server.commands(sessions) if c in dovecot.WRITING], [])
        self.assertEqual(len(local.messages("INBOX")), 3)

if __name__ == "__main__":
    main()
