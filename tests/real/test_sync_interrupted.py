"""The link lost in the middle of a move, and what the other side did meanwhile.

SPDX-License-Identifier: MIT"""
import os
import unittest

import mailgen
import proxy

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
        self.broken_pass(client, b"UID MOVE")
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
        self.broken_pass(client, b"UID MOVE")
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


if __name__ == "__main__":
    main()
