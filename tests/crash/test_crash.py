"""The real program killed at each of its calls that change something (DESIGN 8.5): one
pass with something of everything, cut at the n-th call, then passes left alone.

CRASH_POINTS=0 tries every call, before and after it; otherwise that many, spread evenly.
SPDX-License-Identifier: MIT"""
import os
import shutil
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "real"))

import dovecot  # noqa: E402
import mailgen  # noqa: E402
import scratch  # noqa: E402
import syncd  # noqa: E402
import views  # noqa: E402

from case import main  # noqa: E402

LIBRARY = os.path.join(syncd.BUILD, "tests", "crash", "crash.so")
POINTS = int(os.environ.get("CRASH_POINTS", "40"))
LEAST_CALLS = 40  # fewer reached means that the library watches the wrong calls


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", source, target], check=True)


class Changes(unittest.TestCase):
    """A server and a maildir that have drifted apart, kept as templates."""

    @classmethod
    def setUpClass(cls):
        cls.server = dovecot.Dovecot()
        cls.client = syncd.Syncd(cls.server)
        cls.local = views.Local(cls.client.maildir)
        cls.kept = scratch.directory("syncd-kept")
        cls.drift_apart()
        cls.keep()

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()

    @classmethod
    def drift_apart(cls):
        mail = mailgen.Mail(4)
        with views.Remote(cls.server) as remote:
            for number in range(8):
                remote.append("INBOX", mail.plain("old %d" % number), [], 1_500_000_000 + number)
            run = cls.client.once()
            assert run.code == 0, run.err
            uids, paths = remote.uids("INBOX"), [m.where for m in cls.local.messages("INBOX")]
            remote.delete("INBOX", uids[0])
            remote.store("INBOX", uids[1], "+", "\\Flagged")
            remote.store("INBOX", uids[2], "+", "todo")
            by_date = sorted(paths, key=lambda p: os.stat(p).st_mtime)
            os.unlink(by_date[3])
            cls.local.reflag(by_date[4], "S")
            cls.local.reflag(by_date[1], "R")
            cls.local.create("Written")
            for number in range(3):
                remote.append("INBOX", mail.plain("new there %d" % number), [], 1_400_000_000)
                cls.local.add("INBOX", mail.plain("new here %d" % number), "S", 1_400_000_000)
                cls.local.add("Written", mail.plain("written %d" % number), "S", 1_400_000_000)

    @classmethod
    def keep(cls):
        for name, path in cls.places():
            copy(path, os.path.join(cls.kept, name))

    @classmethod
    def places(cls):
        return [("server", cls.server.maildir()), ("mail", cls.client.maildir),
                ("state", cls.client.state)]

    def restore(self):
        for name, path in self.places():
            copy(os.path.join(self.kept, name), path)

    def run_watched(self, **crash):
        """One pass under the library; its exit status, -9 when it was killed."""
        env = dict(self.client.environment(), LD_PRELOAD=LIBRARY, **crash)
        env["ASAN_OPTIONS"] = "verify_asan_link_order=0:detect_leaks=0"
        return subprocess.run(self.client.command("--once"), env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=120, check=False).returncode

    def count_calls(self):
        self.restore()
        path = os.path.join(self.kept, "count")
        self.assertEqual(self.run_watched(CRASH_COUNT=path), 0)
        with open(path, encoding="ascii") as count:
            return int(count.read())

    def everything(self):
        with views.Remote(self.server) as remote:
            there = {name: views.alike(m) for name, m in remote.everything().items()}
        return {name: views.alike(m) for name, m in self.local.everything().items()}, there

    def check_recovers(self, wanted, point):
        """A pass by itself, at most two where the first had leftovers of the dead one."""
        runs = [self.client.once()]
        if runs[0].code == 75:
            runs.append(self.client.once())
        self.assertEqual(runs[-1].code, 0, "%s: %s" % (point, runs[-1].err))
        here, there = self.everything()
        self.assertEqual(here, wanted, point)
        self.assertEqual(there, wanted, point)
        for mailbox in here:
            self.assertEqual(os.listdir(self.local.path(mailbox, "tmp")), [], point)

    def check_all(self, **mode):
        calls = self.count_calls()
        wanted, there = self.everything()
        self.assertEqual(wanted, there)
        self.assertGreaterEqual(calls, LEAST_CALLS)
        step = max(1, calls // POINTS) if POINTS else 1
        reached = 0
        for at in range(1, calls + 1, step):
            self.restore()
            if self.run_watched(CRASH_AT=str(at), **mode) == -9:
                reached += 1
            self.check_recovers(wanted, "call %d of %d" % (at, calls))
        self.assertGreaterEqual(reached, len(range(1, calls + 1, step)) * 9 // 10)
        print("# %d of %d calls" % (reached, calls))

    def test_killed_before_a_call_it_recovers_without_loss_or_double(self):
        self.check_all()

    def test_killed_after_a_call_it_recovers_without_loss_or_double(self):
        self.check_all(CRASH_AFTER="1")


class Filing(Changes):
    """Messages that were moved and copied, and mailboxes that came, went and changed their name."""

    @classmethod
    def drift_apart(cls):
        mail = mailgen.Mail(5)
        with views.Remote(cls.server) as remote:
            for name in ("Work", "Here", "There", "Old"):
                remote.create(name)
                remote.append(name, mail.plain("in " + name), ["\\Seen"], 1_400_000_000)
            for number in range(8):
                remote.append("INBOX", mail.plain("old %d" % number), ["\\Seen", "Label"],
                              1_500_000_000 + number)
            for _ in range(2):  # the second knows the mailboxes by their ids
                run = cls.client.once()
                assert run.code == 0, run.err
            cls.local.create("Made")
            paths = sorted((m.where for m in cls.local.messages("INBOX")),
                           key=lambda path: os.stat(path).st_mtime)
            for number, path in enumerate(paths[:6]):
                name = os.path.basename(path) if number % 2 else "1.M%dP2.reader:2,S" % number
                os.rename(path, cls.local.path(("Work", "Made")[number // 3], "cur", name))
            shutil.copy2(paths[6], cls.local.path("Made", "cur", "1.M9P2.reader:2,S"))
            shutil.rmtree(cls.local.path("Here"))
            remote.check(remote.imap.delete("There"))
            remote.check(remote.imap.rename("Old", "New"))


if __name__ == "__main__":
    main()
