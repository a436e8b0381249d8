"""The link lost in the middle of a change: what the other side did meanwhile, and what the server
does of it when nobody listens any more.

SPDX-License-Identifier: MIT"""
import os
import threading
import unittest

import mailgen
import proxy
import scratch

from case import Case, main


class Interrupted(Case):
    SERVER = {"plaintext": True}

    def setUp(self):
        super().setUp()
        self.breaks_at = None
        self.middle = proxy.ImapProxy(self.server.port, on_command=self.on_command)
        self.addCleanup(self.middle.close)

    def on_command(self, command):
        """The link is lost in place of that command."""
        if self.breaks_at and self.breaks_at in command.split(b"\r\n")[0]:
            self.breaks_at = None
            raise OSError
        return None

    def filled(self):
        """Messages with a keyword in INBOX, one without in Work, on both sides."""
        remote = self.remote()
        remote.create("Work")
        remote.append("Work", mailgen.Mail(9).plain("in Work"), ["\\Seen"], 1_200_000_000)
        for number in range(3):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number),
                          ["\\Seen", "Label"], 1_200_000_000 + number)
        client, local = self.account(port=self.middle.port, tls="none", tls_ca_file=None)
        for _ in range(2):
            self.pass_once(client)
        return client, local, remote

    def move(self, local, path):
        os.rename(path, local.path("Work", "cur", os.path.basename(path)))

    def move_command(self):
        return b"UID COPY" if "MOVE" in self.server.without else b"UID MOVE"

    def broken_pass(self, client, command):
        self.breaks_at = command
        run = client.once()
        self.assertIsNone(self.breaks_at, run.err)

    def settle(self, client, local, remote):
        for _ in range(2):
            self.pass_once(client)
        self.assert_equal_sides(local, remote)

    def test_a_move_that_was_not_sent_is_made_good(self):
        client, local, remote = self.filled()
        self.move(local, local.messages("INBOX")[0].where)
        self.broken_pass(client, self.move_command())
        self.settle(client, local, remote)
        self.assertEqual(len(remote.messages("Work")), 2)
        self.assertEqual(len(remote.messages("INBOX")), 2)

    @unittest.expectedFailure
    def test_flagged_there_before_a_move_that_was_not_sent_it_keeps_the_flag(self):
        """A mailbox with a journal is not surveyed: the moved file is sent again, as it is here,
        and the message that was flagged removed."""
        client, local, remote = self.filled()
        message = local.messages("INBOX")[0]
        uid = [m.where for m in remote.messages("INBOX") if m.digest == message.digest][0]
        self.move(local, message.where)
        remote.store("INBOX", uid, "+", "\\Flagged")
        self.broken_pass(client, self.move_command())
        self.settle(client, local, remote)
        flags = [m.flags for m in remote.messages("Work") if m.digest == message.digest]
        self.assertEqual(flags, [{"\\Seen", "\\Flagged", "Label"}])

    @unittest.expectedFailure
    def test_moved_beside_an_upload_that_was_not_sent_it_keeps_its_keywords(self):
        """As before: the letter stays that of the mailbox it came from, and where none stands for a
        keyword there, the keywords of the whole mailbox stand still."""
        client, local, remote = self.filled()
        local.add("Work", mailgen.Mail(8).plain("written"), "S", 1_300_000_000)
        self.broken_pass(client, b"APPEND")
        message = local.messages("INBOX")[0]
        self.move(local, message.where)
        self.settle(client, local, remote)
        flags = [m.flags for m in local.messages("Work") if m.digest == message.digest]
        self.assertEqual(flags, [{"\\Seen", "Label"}])


class LateProxy(proxy.ImapProxy):
    """Loses the client at the command `due`; the server gets that when `deliver` is called, as if
    it had been busy meanwhile."""

    def __init__(self, target_port):
        self.due = self.kept = None
        self.here = threading.local()
        super().__init__(target_port, on_command=self.keep)

    def _commands(self, client, server, guard, upload):
        self.here.server = server
        super()._commands(client, server, guard, upload)

    def keep(self, command):
        if self.due and self.due in command.split(b"\r\n")[0]:
            self.kept, self.due = (self.here.server, command), None
            raise OSError
        return None

    def hang_up(self, *ends):
        super().hang_up(*[end for end in ends if not self.kept or end is not self.kept[0]])

    def deliver(self):
        (server, command), self.kept = self.kept, None
        server.sendall(command)


class Late(Case):
    """A server that carries a command out when the client that sent it is gone, and another one is
    at work in its place: a process of the server's that had to wait, a proxy."""

    SERVER = {"plaintext": True}

    def agreed(self):
        remote = self.remote()
        remote.append("INBOX", mailgen.Mail(1).plain("agreed"), ["\\Seen"], 1_200_000_000)
        self.middle = LateProxy(self.server.port)
        self.addCleanup(self.middle.close)
        client, local = self.account(port=self.middle.port, tls="none", tls_ca_file=None)
        self.pass_once(client)
        return client, local, remote

    def lose_link(self, client, command):
        self.middle.due = command
        run = client.once()
        self.assertIsNone(self.middle.due, run.err)

    @unittest.expectedFailure
    def test_an_upload_that_is_carried_out_late_is_not_doubled(self):
        """The next pass looks for it at once, does not find it and sends it again."""
        client, local, remote = self.agreed()
        local.add("INBOX", mailgen.Mail(2).plain("written"), "S", 1_300_000_000)
        self.lose_link(client, b"APPEND")
        threading.Timer(0.5, self.middle.deliver).start()
        client.once()
        scratch.wait_for(lambda: not self.middle.kept, 10, "the server gets it")
        scratch.wait_for(lambda: self.server.clients() == 1, 10, "the server is through with it")
        client.once()
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(remote.uids("INBOX")), 2)

    @unittest.expectedFailure
    def test_a_removal_that_is_carried_out_late_leaves_what_was_put_back(self):
        """The pass between forgets that it was to be removed, and believes the server."""
        client, local, remote = self.agreed()
        path = local.messages("INBOX")[0].where
        away = os.path.join(client.root, "away")
        os.rename(path, away)
        self.lose_link(client, b"UID EXPUNGE")
        os.rename(away, path)
        self.pass_once(client)
        self.middle.deliver()
        scratch.wait_for(lambda: not remote.uids("INBOX"), 10, "the removal")
        self.pass_once(client)
        self.assertEqual(len(local.messages("INBOX")), 1)
        self.assert_equal_sides(local, remote)


if __name__ == "__main__":
    main()
