"""The real program on a disk that breaks: one pass for each kind of work, in which a call below
the maildir or the state (open, read, list, stat, write, flush, rename, link, unlink...) fails with
EIO, once or with all of its kind from then on, and what a flush that failed was to make durable is
lost. Then the disk is well again.

EIO_POINTS=0 tries every call of every kind of work; else so many a test, spread over the kinds of
calls, of some. A line for each kind of work is in eio.jsonl of the build's directory.
SPDX-License-Identifier: MIT"""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import matrix  # noqa: E402
import scratch  # noqa: E402
import syncd  # noqa: E402
import views  # noqa: E402
import works  # noqa: E402

from case import Case, main  # noqa: E402

LIBRARY = os.path.join(syncd.BUILD, "tests", "crash", "eio.so")
POINTS = int(os.environ.get("EIO_POINTS", "2"))
QUICK = (works.Pull, works.Push, works.Flags, works.Deletes, works.Moves, works.MovesThere)
SAID = "Input/output error"

# What every kind of work needs.
ALWAYS = {"open", "read", "list", "stat", "write", "flush"}


class Broken:
    """A pass of some kind of work on a broken disk."""

    REPORT = os.path.join(syncd.BUILD, "eio.jsonl")

    def run_broken(self, below=None, **eio):
        below = below or "%s\n%s" % (self.client.maildir, self.client.state)
        told = os.path.join(self.kept, "told")
        if os.path.exists(told):
            os.unlink(told)
        run = self.run_under(LIBRARY, EIO_BELOW=below, EIO_TOLD=told, EIO_DROP="1",
                             **{"EIO_" + name: value for name, value in eio.items()})
        self.failed = []
        if os.path.exists(told):
            with open(told, encoding="utf-8", errors="replace") as lines:
                self.failed = [line.strip().replace(self.client.root, "") for line in lines]
        return run

    def count_calls(self):
        self.restore()
        path = os.path.join(self.kept, "count")
        run = self.run_broken(COUNT=path)
        self.assertEqual(run.code, 0, run.err)
        kinds = self.read_counts(path)
        self.assertLessEqual(ALWAYS | self.KINDS, {kind for kind in kinds if kinds[kind] > 0})
        return kinds

    def by_subject(self, side):
        """A moved or copied file that cannot be read the one time that it is looked for is sent as
        any new one, without the keywords that only the server had of it."""
        everything = super().by_subject(side)
        if not isinstance(self, (works.Moves, works.Mixed)):
            return everything
        return {name: sorted((subject, [f for f in flags if f != "Label" and " " not in f], date)
                             for subject, flags, date in messages)
                for name, messages in everything.items()}

    def forgive(self, side):
        """Second copies of what could not be read when it was to be paired (docs/safety.md)."""
        if isinstance(self, (works.FirstContact, works.Renumbered)):
            self.DOUBLED = ("INBOX", "Work")
        return super().forgive(side)

    def assert_told(self, run):
        """A failure names the place and the reason; nothing else is one."""
        self.assertNotIn("Sanitizer", run.err)
        self.assertIn(run.code, (0, 1, 73), run.err)
        if run.code != 0:
            self.assertIn(SAID, run.err)
            self.assertRegex(run.err, "mailbox [A-Z]|" + self.client.root)

    def check_aside(self, wanted):
        """Files that cannot be read are tried again later (CONTRACT 3): until then they stay here,
        and are nothing that anybody deleted. All the rest is done."""
        run = self.client.once()
        self.assertIn(run.code, (0, 1), run.err)
        self.assertNotIn(SAID, run.err)
        here, there = self.everything()
        for name, messages in wanted.items():
            subjects = {subject for subject, _, _ in messages}
            self.assertLessEqual(subjects, {subject for subject, _, _ in here[name]})
            self.assertLessEqual({subject for subject, _, _ in there.get(name, [])}, subjects)

    def point(self, kind, number, wanted, below=None, **more):
        """Returns what is wrong; None: nothing is."""
        self.restore()
        run = self.run_broken(below, KIND=kind, AT=str(number), **more)
        self.told["points"] += 1
        self.told["killed"] += bool(self.failed)
        self.told["killed_at"][kind] += bool(self.failed)
        try:
            self.assert_told(run)
            if "set aside" in run.err:
                self.check_aside(wanted)
            else:
                self.check_recovers(wanted)
        except (AssertionError, subprocess.TimeoutExpired) as failure:
            return "%s %d, %s: exit status %d, %s%s" % (kind, number, "; ".join(self.failed[:3]),
                                                        run.code, run.err, failure)
        return None


class Points(Broken):
    """Mixed into each kind of work."""

    def check_all(self, **more):
        _, wanted = self.outcome()
        every = [(kind, 1 + number) for kind, count in sorted(self.told["kinds"].items())
                 for number in range(count)]
        points = [every[number - 1] for number in matrix.spread(len(every), POINTS)]
        before = self.told["killed"]
        failures = [f for f in (self.point(*point, wanted, **more) for point in points) if f]
        reached = self.told["killed"] - before
        print("# %d of %d calls" % (reached, len(every)))
        self.told["failures"] += failures
        self.assertEqual(len(failures), 0, "%d of %d points:\n%s" % (
            len(failures), len(points), "\n".join(failures[:matrix.SHOWN])))
        # Passes over new directories differ in how often they look at them.
        self.assertGreaterEqual(reached, (len(points) + 1) // 2)

    def test_a_call_fails_once_and_nothing_is_lost_or_doubled(self):
        self.check_all()

    def test_all_calls_of_a_kind_fail_from_then_on_and_nothing_is_lost_or_doubled(self):
        self.check_all(STAYS="1")


for work in QUICK if POINTS else works.ALL:
    globals()[work.__name__] = type(work.__name__, (Points, work), {})


class Places(Broken, works.Flags):
    """One place is broken for good."""

    def broken(self, kind, *place):
        """A pass with all such calls failing there."""
        self.outcome()
        self.restore()
        run = self.run_broken(self.local.path(*place), KIND=kind, AT="1", STAYS="1")
        self.assertNotEqual(self.failed, [])
        self.assert_told(run)
        return run

    def test_other_mailboxes_go_on(self):
        for kind, place in (("list", "cur"), ("open", "cur"), ("rename", "cur"), ("all", "tmp")):
            with self.subTest(kind=kind, place=place):
                run = self.broken(kind, "INBOX", place)
                self.assertEqual(run.code, 73, run.err)
                self.assertIn("mailbox INBOX", run.err)
                self.assertNotIn("mailbox Work", run.err)
                _, wanted = self.outcome()
                for side in self.everything():
                    self.assertEqual(side["Work"], wanted["Work"])
                self.check_recovers(wanted)

    def test_a_mailbox_that_cannot_be_examined_is_not_one_that_was_deleted(self):
        for part in "cur", "new":
            with self.subTest(part=part):
                run = self.broken("stat", "Work", part)
                self.assertEqual(run.code, 73, run.err)
                self.check_recovers(self.outcome()[1])


class Target(Broken, works.Moves):
    """Where files were moved to is broken for good."""

    def test_what_was_moved_there_stays_on_the_server_until_it_is_seen(self):
        _, wanted = self.outcome()
        for kind in "list", "open":
            with self.subTest(kind=kind):
                self.restore()
                with views.Remote(self.server) as remote:
                    before = self.by_subject(remote)
                run = self.run_broken(self.local.path("Made", "cur"), KIND=kind, AT="1", STAYS="1")
                self.assertNotEqual(self.failed, [])
                self.assert_told(run)
                self.assertIn("mailbox Made", run.err)
                with views.Remote(self.server) as remote:
                    there = self.by_subject(remote)
                moved = [works.old(number) for number in range(3, 6)]
                for side in before, there:
                    self.assertLessEqual(set(moved), {subject for subject, _, _ in side["INBOX"]})
                self.check_recovers(wanted)


class Pairing(Broken, works.FirstContact):
    def forgive(self, side):
        return False

    @unittest.expectedFailure
    def test_a_file_that_cannot_be_read_is_not_doubled_once_it_can(self):
        _, wanted = self.outcome()
        self.restore()
        run = self.run_broken(self.file_of("INBOX", works.old(3)), KIND="read", AT="1")
        self.assertNotEqual(self.failed, [])
        self.assert_told(run)
        self.check_recovers(wanted)


class Sending(Broken, works.Push):
    def test_a_file_that_cannot_be_opened_at_any_time_is_told_or_sent(self):
        _, wanted = self.outcome()
        path = self.file_of("INBOX", "small 1")
        opened = 0
        while True:
            failure = self.point("open", opened + 1, wanted, below=path)
            self.assertIsNone(failure)
            if not self.failed:
                break
            opened += 1
        self.assertGreaterEqual(opened, 2, "it is examined, and read")


class Batch(Broken, matrix.Work):
    """So many messages that they are flushed all at once."""

    COUNT = 80
    LEDGER = {"INBOX": ["new %d" % number for number in range(COUNT)]}

    @classmethod
    def drift(cls, remote):
        for number in range(cls.COUNT):
            remote.append("INBOX", cls.message("new %d" % number), [], 1_400_000_000 + number)

    def test_what_a_flush_that_failed_has_lost_is_fetched_anew(self):
        _, wanted = self.outcome()
        self.assertIsNone(self.point("syncfs", 1, wanted))
        self.assertRegex(" ".join(self.failed), "syncfs .*/tmp")


class Daemon(Case):
    """The disk is well again under a daemon that runs on."""

    def start(self, below, kind, **keys):
        client, local = self.account(poll_interval="2s", **keys)
        self.pass_once(client)
        self.when = os.path.join(client.root, "broken")
        environment = dict(client.environment(), LD_PRELOAD=LIBRARY, EIO_WHEN=self.when,
                           EIO_BELOW=os.path.join(client.root, below), EIO_KIND=kind, EIO_AT="1",
                           EIO_STAYS="1")
        environment["ASAN_OPTIONS"] = "verify_asan_link_order=0:detect_leaks=0"
        client.environment = lambda: environment
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 30, client.said)
        return client, local

    def check(self, below, kind, words, **keys):
        remote = self.remote()
        remote.append("INBOX", b"Subject: old\r\n\r\n")
        client, local = self.start(below, kind, **keys)
        scratch.write(self.when, "")
        remote.append("INBOX", b"Subject: new\r\n\r\n")
        local.add("INBOX", b"Subject: new here\n\n")
        scratch.wait_for(lambda: SAID in client.said(), 30, client.said)
        self.assertRegex(client.said(), words)
        os.unlink(self.when)
        scratch.wait_for(lambda: len(local.messages("INBOX")) == 3 == len(remote.uids("INBOX")),
                         60, client.said)
        self.assertEqual(client.stop(), 0)
        self.assertNotIn("PANIC", client.said())
        self.assert_equal_sides(local, remote)

    def test_the_state_cannot_be_written_for_a_while(self):
        self.check("state", "write", "cannot write the state database")

    def test_what_is_valid_of_the_state_cannot_be_written_for_a_while(self):
        self.check("state", "dsync", "cannot write the state database")

    def test_the_state_cannot_be_flushed_for_a_while(self):
        self.check("state", "flush", "cannot write the state database")

    def test_the_maildir_cannot_be_written_for_a_while(self):
        self.check("mail", "write", "mailbox INBOX: cannot write tmp file")

    def test_the_maildir_cannot_be_read_for_a_while(self):
        self.check("mail", "list", "mailbox INBOX: cannot read")


if __name__ == "__main__":
    main()
