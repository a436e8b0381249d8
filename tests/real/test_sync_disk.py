"""Disks that are full, have no inodes left, may not be written, or are not one.

Small file systems in memory stand for them, where the tests may mount any.
SPDX-License-Identifier: MIT"""
import os
import subprocess
import unittest

import mailgen
import scratch
import views

from case import Case, main


def mount(path, options):
    os.makedirs(path, exist_ok=True)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path],
                          capture_output=True, check=False).returncode == 0


def can_mount():
    probe = scratch.directory("syncd-mount")
    if not mount(probe, "size=64k"):
        return False
    subprocess.run(["umount", probe], check=True)
    return True


@unittest.skipUnless(can_mount(), "tests may not mount file systems here")
class Disk(Case):
    def small(self, options, where="maildir", **keys):
        """An account whose maildir (or state) is on a small disk of its own."""
        client, local = self.account(**keys)
        path = getattr(client, where)
        self.assertTrue(mount(path, options))
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
        return client, local, path

    def change(self, path, options):
        subprocess.run(["mount", "-o", "remount," + options, path], check=True)

    def fill(self, remote, mailbox, count, size, first=0):
        if mailbox not in remote.mailboxes():
            remote.create(mailbox)
        for number in range(first, first + count):
            remote.append(mailbox, mailgen.Mail(number).plain("%s %d" % (mailbox, number), size))

    def count(self, local):
        return len(local.messages_now("INBOX")) if "INBOX" in local.mailboxes() else 0

    def assert_told(self, run, *words):
        """Something was not done, and this is said of it."""
        self.assertIn(run.code, (1, 73), run.err)
        for word in words:
            self.assertIn(word, run.err)

    def assert_sound(self, local, remote):
        """What is here is what is there, whole."""
        there = {name: {m.digest for m in found} for name, found in remote.everything().items()}
        for name, found in local.everything().items():
            self.assertLessEqual({m.digest for m in found}, there[name])
        self.assertEqual([f for name in local.mailboxes()
                          for f in os.listdir(local.path(name, "tmp"))], [])

    def test_a_full_maildir_takes_what_fits_and_the_rest_when_there_is_room(self):
        remote = self.remote()
        self.fill(remote, "Large", 12, 200_000)
        self.fill(remote, "Small", 3, 100)
        client, local, path = self.small("size=1200k")
        run = client.once()
        self.assert_told(run, "mailbox Large", "No space left on device")
        self.assert_sound(local, remote)
        self.assertEqual(len(remote.uids("Large")), 12)
        self.assert_told(client.once(), "mailbox Large")
        self.change(path, "size=8m")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)

    def test_a_full_maildir_does_not_keep_deletions_from_making_room(self):
        remote = self.remote()
        self.fill(remote, "INBOX", 4, 200_000)
        client, local, _ = self.small("size=1200k", deletion_limit="none")
        self.pass_once(client)
        remote.delete("INBOX", *remote.uids("INBOX")[:3])
        self.fill(remote, "INBOX", 3, 200_000, first=10)
        client.once()
        self.pass_once(client)
        self.assert_equal_sides(local, remote)

    def test_without_inodes_the_same(self):
        remote = self.remote()
        self.fill(remote, "INBOX", 40, 100)
        client, local, path = self.small("size=4m,nr_inodes=30")
        self.assert_told(client.once(), "mailbox INBOX", "No space left on device")
        self.assert_sound(local, remote)
        self.change(path, "nr_inodes=200")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)

    def test_a_maildir_that_may_only_be_read_loses_nothing(self):
        remote = self.remote()
        self.fill(remote, "INBOX", 4, 100)
        client, local, path = self.small("size=4m", deletion_limit="none")
        self.pass_once(client)
        local.reflag(local.messages("INBOX")[0].where, "F")
        gone, seen = remote.uids("INBOX")[2:]
        remote.delete("INBOX", gone)
        remote.store("INBOX", seen, "+", "\\Seen")
        self.fill(remote, "INBOX", 1, 100, first=10)
        self.change(path, "ro")
        before = local.snapshot()
        self.assert_told(client.once(), "Read-only file system")
        self.assertEqual(local.snapshot(), before)
        self.assertEqual(len(remote.uids("INBOX")), 4)
        self.change(path, "rw")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)

    def test_a_full_disk_of_the_state_stops_what_cannot_be_recorded(self):
        remote = self.remote()
        self.fill(remote, "INBOX", 2, 100)
        client, local, path = self.small("size=4m", where="state")
        self.pass_once(client)
        filler = os.open(os.path.join(path, "filler"), os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(filler, b"x" * 4096)
        except OSError:
            os.close(filler)
        # Longer than the pages that the database has free.
        self.fill(remote, "INBOX", 300, 100, first=10)
        run = client.once()
        self.assert_told(run, "No space left on device")
        self.assertIn(client.state, run.err)
        self.assertEqual(len(remote.uids("INBOX")), 302)
        os.unlink(os.path.join(path, "filler"))
        self.change(path, "size=64m")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)

    def test_a_state_that_may_only_be_read_is_an_error_that_names_it(self):
        remote = self.remote()
        self.fill(remote, "INBOX", 2, 100)
        client, local, path = self.small("size=16m", where="state")
        self.pass_once(client)
        self.change(path, "ro")
        self.fill(remote, "INBOX", 1, 100, first=10)
        run = client.once()
        self.assertEqual(run.code, 73, run.err)
        self.assertIn(client.state, run.err)
        self.assertIn("Read-only file system", run.err)
        self.change(path, "rw")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)

    def test_mailboxes_on_several_disks(self):
        remote = self.remote()
        self.fill(remote, "INBOX", 2, 100)
        self.fill(remote, "Elsewhere", 2, 100)
        client, local = self.account()
        os.makedirs(client.maildir)
        path = os.path.join(client.maildir, "Elsewhere")
        self.assertTrue(mount(path, "size=4m"))
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        # No rename and no hard link reaches there.
        message = local.messages("INBOX")[0]
        subprocess.run(["mv", message.where, local.path("Elsewhere", "cur")], check=True)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(remote.uids("Elsewhere")), 3)

    def test_the_daemon_says_so_and_goes_on_by_itself(self):
        remote = self.remote()
        self.fill(remote, "INBOX", 2, 100)
        client, local, path = self.small("size=1200k", poll_interval="5s", push=False)
        client.start()
        scratch.wait_for(lambda: self.count(local) == 2, 30, client.said)
        self.fill(remote, "INBOX", 8, 200_000, first=10)
        row = scratch.wait_for(lambda: client.account_status()["mailboxes"][0]["error"], 60,
                               client.said)
        self.assertEqual(row["code"], "nospace")
        self.change(path, "size=8m")
        scratch.wait_for(lambda: self.count(local) == 10, 90, client.said)
        self.assertEqual(client.stop(), 0)
        self.assert_equal_sides(local, remote)


if __name__ == "__main__":
    main()
