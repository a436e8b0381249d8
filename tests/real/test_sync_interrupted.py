"""The link lost in the middle of a change: what the other side did meanwhile, and what the server
does of it when nobody listens any more.

SPDX-License-Identifier: MIT"""
import os
import threading

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

    def test_flagged_there_before_a_move_that_was_not_sent_it_keeps_the_flag(self):
        client, local, remote = self.filled()
        message = local.messages("INBOX")[0]
        uid = [m.where for m in remote.messages("INBOX") if m.digest == message.digest][0]
        self.move(local, message.where)
        remote.store("INBOX", uid, "+", "\\Flagged")
        self.broken_pass(client, self.move_command())
        self.settle(client, local, remote)
        flags = [m.flags for m in remote.messages("Work") if m.digest == message.digest]
        self.assertEqual(flags, [{"\\Seen", "\\Flagged", "Label"}])

    def test_moved_beside_an_upload_that_was_not_sent_it_keeps_its_keywords(self):
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
    it had been busy meanwhile; at the latest before `latest` of another client."""

    def __init__(self, target_port):
        self.due = self.kept = self.latest = None
        self.here = threading.local()
        super().__init__(target_port, on_command=self.keep)

    def _commands(self, client, server, guard, upload):
        self.here.server = server
        super()._commands(client, server, guard, upload)

    def keep(self, command):
        if self.due and self.due in command.split(b"\r\n")[0]:
            self.kept, self.due = (self.here.server, command), None
            raise OSError
        if self.kept and self.latest and self.latest in command:
            self.deliver()
            self.arrived()
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
        client, local = self.account(port=self.middle.port, tls="none", tls_ca_file=None,
                                     unanswered_wait="3s")
        self.pass_once(client)
        return client, local, remote

    def lose_link(self, client, command):
        self.middle.due = command
        run = client.once()
        self.assertIsNone(self.middle.due, run.err)

    def test_an_upload_that_is_carried_out_late_is_not_doubled(self):
        """The next pass looks for it at once, does not find it, and waits."""
        client, local, remote = self.agreed()
        local.add("INBOX", mailgen.Mail(2).plain("written"), "S", 1_300_000_000)
        self.lose_link(client, b"APPEND")
        threading.Timer(0.5, self.middle.deliver).start()
        run = self.pass_once(client)
        self.assertRegex(run.err, "it may still be at work, and is looked at again in [23] seconds")
        self.assertIsNone(self.middle.kept)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(remote.uids("INBOX")), 2)

    def test_a_removal_that_is_carried_out_late_leaves_what_was_put_back(self):
        """The pass between still knows that it was to be removed, and by whom."""
        client, local, remote = self.agreed()
        path = local.messages("INBOX")[0].where
        away = os.path.join(client.root, "away")
        os.rename(path, away)
        self.lose_link(client, b"UID EXPUNGE")
        os.rename(away, path)
        threading.Timer(0.5, self.middle.deliver).start()
        self.pass_once(client)
        self.assertIsNone(self.middle.kept)
        self.assertEqual(len(remote.uids("INBOX")), 1)
        self.assertEqual(len(local.messages("INBOX")), 1)
        self.assert_equal_sides(local, remote)


class LateBare(Late):
    """One that has to list all to tell changes."""

    SERVER = {"plaintext": True, "without": {"QRESYNC", "CONDSTORE", "NOTIFY"}}

    def test_an_upload_that_comes_behind_the_look_is_not_fetched(self):
        client, local, remote = self.agreed()
        local.add("INBOX", mailgen.Mail(2).plain("written"), "S", 1_300_000_000)
        self.lose_link(client, b"APPEND")
        self.middle.arrived = lambda: scratch.wait_for(
            lambda: len(remote.uids("INBOX")) == 2, 10, "the server has stored it")
        self.middle.latest = b"UID FETCH 1:* (UID FLAGS)"
        self.pass_once(client)
        self.assertIsNone(self.middle.kept)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(remote.uids("INBOX")), 2)


if __name__ == "__main__":
    main()
