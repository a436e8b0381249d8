"""An account on a hostile server, and what must hold of it whatever that does.

SPDX-License-Identifier: MIT"""
import concurrent.futures
import os
import shutil
import sys
import time
import unittest

import hostile
import mailgen
import syncd
import views

from tap import main  # noqa: F401 (for the tests)

MARKER = "hostile-escape"  # begins the names of what tries to get out of the maildir


def said_below(folder, but):
    """All names in it, except in those places."""
    return sorted(os.path.join(path, name) for path, names, files in os.walk(folder)
                  for name in names + files if not os.path.join(path, name).startswith(but))


class Scene:
    """Two mailboxes on a server, a client, and the ledger of what must be where.

    kept    {mailbox: digests of what must be in the maildir all the while}
    wanted  {mailbox: digests of what both sides must have in the end, each once}
    gone    {mailbox: what `drift` removed: of INBOX on the server, of Work here}
    """

    def __init__(self, case, capabilities=hostile.PLAIN, timeout="20s", certificate=None, **keys):
        self.case = case
        self.server = hostile.Server(capabilities, certificate=certificate)
        case.addCleanup(self.server.close)
        self.mail = mailgen.Mail(11)
        self.kept, self.wanted, self.gone, self.seconds = {}, {}, {}, 0.0
        self.fill("INBOX", 5)
        self.fill("Work", 3)
        keys = dict({"host": "127.0.0.1", "tls": "none"}, **keys)
        self.client = syncd.Syncd(None, port=self.server.port, timeout=timeout, **keys)
        self.local = views.Local(self.client.maildir)
        case.addCleanup(shutil.rmtree, self.client.root, True)

    def fill(self, name, count):
        box = self.server.mailboxes.get(name.encode()) or self.server.mailbox(name.encode())
        for number in range(count):
            box.add(self.message(name, "%s %d" % (name, number)), ["\\Seen"] if number % 2 else [])

    def message(self, mailbox, subject):
        """One that is to be in this mailbox in the end."""
        data = self.mail.plain(subject)
        self.wanted.setdefault(mailbox, set()).add(views.digest(data))
        return data

    # What a pass may never do.

    def once(self, *args, timeout=60):
        """A pass. It writes nothing beside maildir and state, and loses no file that is kept."""
        before, began = self.outside(), time.monotonic()
        run = self.client.once(*args, timeout=timeout)
        self.seconds = time.monotonic() - began
        self.case.assertEqual(self.outside(), before, "written outside of the maildir")
        self.assert_kept()
        return run

    def outside(self):
        beside = said_below(self.client.root, (self.client.maildir, self.client.state))
        return beside + [top + "/" + name for top in ("", "/tmp", os.path.expanduser("~"), ".")
                         for name in os.listdir(top or "/") if name.startswith(MARKER)]

    def assert_kept(self):
        here = self.local.everything()
        for name, digests in self.kept.items():
            self.case.assertLessEqual(digests, {m.digest for m in here.get(name, [])},
                                      "a message in %s is gone" % name)

    # Before and after.

    def assert_fine(self, run):
        self.case.assertEqual((run.code, run.err), (0, ""))

    def settle(self):
        """The first pass, with a server that behaves."""
        self.assert_fine(self.once())
        self.keep()

    def keep(self):
        self.kept = {name: {m.digest for m in messages}
                     for name, messages in self.local.everything().items()}

    def drift(self):
        """Something of everything on both sides."""
        inbox, work = (self.server.mailboxes[name] for name in (b"INBOX", b"Work"))
        inbox.add(self.message("INBOX", "new there"))
        work.add(self.message("Work", "new in Work there"), ["\\Flagged"])
        inbox.flag(inbox.messages[1], {"\\Seen", "\\Flagged", "todo"})
        gone = views.digest(inbox.messages[2].data)
        inbox.remove(inbox.messages[2].uid)
        first = views.digest(inbox.messages[0].data)
        paths = {m.digest: m.where for m in self.local.messages("INBOX")}
        self.local.reflag(paths[first], "RS")
        self.local.add("INBOX", self.message("INBOX", "new here").replace(b"\r\n", b"\n"), "S",
                       1_300_000_000)
        dropped = min(self.local.messages("Work"), key=lambda m: m.digest)
        os.unlink(dropped.where)
        self.keep()
        self.kept["INBOX"].discard(gone)
        self.wanted["INBOX"].discard(gone)
        self.wanted["Work"].discard(dropped.digest)
        self.gone = {"INBOX": gone, "Work": dropped.digest}

    def forget(self):
        """The state is lost, and with it what was set aside for a quarter of an hour."""
        shutil.rmtree(self.client.state)
        os.unlink(os.path.join(self.client.maildir, ".syncd"))

    def revive(self, names):
        """What was removed of these comes back: nobody knows any more that it was there."""
        for name in names:
            self.wanted[name] |= {self.gone[name]} if self.gone else set()

    def assert_converges(self, warns=None, flags=True):
        """With a server that behaves from now on all is well after a pass or two; a third does
        nothing. `warns`: what may be said meanwhile; `flags`: they are to be equal, too."""
        self.server.behave()
        run = self.once()
        if run.code != 0:
            run = self.once()
        self.case.assertEqual(run.code, 0, run.err)
        self.case.assertRegex(run.err, "^(%s)*$" % (warns or ""))
        self.assert_equal(flags)
        files, sides = self.local.snapshot(), self.server.everything()
        self.assert_fine(self.once())
        self.case.assertEqual((self.local.snapshot(), self.server.everything()), (files, sides))

    def assert_equal(self, flags=True):
        here, there = self.local.everything(), self.server.everything()
        self.case.assertEqual(sorted(here), sorted(there))
        for name, wanted in self.wanted.items():
            digests = sorted(m.digest for m in here[name])
            self.case.assertEqual(digests, sorted(wanted), "lost or doubled in " + name)
            self.case.assertEqual(digests, sorted(m.digest for m in there[name]), name)
            if flags:
                self.case.assertEqual(views.alike(here[name]), views.alike(there[name]), name)


class HostileCase(unittest.TestCase):
    """`rows`: {name of a test: (Row, stage)}. They wait more than they work, for the disk and for
    timeouts, so several run at once, and each test tells what came of its own."""

    maxDiff = 4000
    rows = {}
    outcomes = {}

    @classmethod
    def setUpClass(cls):
        is_whole = len(sys.argv) == 1  # else the tests that are named run by themselves
        cls.outcomes = {name: POOL.submit(cls(name).run_row) for name in cls.rows if is_whole}

    def run_row(self):
        row, stage = self.rows[self._testMethodName]
        try:
            row.run(self, stage)
        finally:
            self.doCleanups()

    def tell_row(self):
        outcome = self.outcomes.get(self._testMethodName)
        if outcome:
            outcome.result()
        else:
            self.run_row()


POOL = concurrent.futures.ThreadPoolExecutor(4)


class Row:
    """A misbehaviour, and what comes of it: exit status and what is said on stderr (a regular
    expression; "": nothing).

    faults         of the server, or a function that makes them
    capabilities   of the server
    stages         "first": the first pull; "later": a two-way pass
    asides         messages are set aside: the state is forgotten before all is to be well
    revives        mailboxes of which deletions are not followed
    warns, flags   of Scene.assert_converges
    timeout        of the account; stalls are ended by it
    """

    def __init__(self, name, faults, code=0, words="", capabilities=hostile.PLAIN,
                 stages=("first", "later"), asides=False, revives=(), warns=None, flags=True,
                 timeout="20s"):
        self.name, self.faults, self.code, self.words = name, faults, code, words
        self.capabilities, self.stages, self.timeout = capabilities, stages, timeout
        self.asides, self.revives, self.warns, self.flags = asides, revives, warns, flags

    def test_name(self, stage):
        return "%s in %s" % (self.name, "the first pass" if stage == "first" else "a later pass")

    def prepare(self, case, stage):
        scene = Scene(case, self.capabilities, self.timeout)
        if stage == "later":
            scene.settle()
            scene.drift()
        return scene

    def run(self, case, stage):
        scene = self.prepare(case, stage)
        scene.server.faults = self.faults() if callable(self.faults) else list(self.faults)
        run = scene.once()
        case.assertEqual(run.code, self.code, run.err)
        case.assertRegex(run.err, self.words or "^$")
        case.assertLess(scene.seconds, 3 * int(self.timeout[:-1]) + 5)
        scene.revive(self.revives)
        if self.asides:
            scene.forget()
        scene.assert_converges(self.warns, self.flags)


def add_tests(case, rows):
    """A test for each row and stage."""
    case.rows = {}
    for row in rows:
        for stage in row.stages:
            name = "test_" + row.test_name(stage).replace(" ", "_")
            assert name not in case.rows, name
            case.rows[name] = row, stage
            setattr(case, name, HostileCase.tell_row)


def watch(case, process, began, seconds=60):
    """Until it ends, on a busy machine; its peak in MB. `wait4` would tell of this process's, too."""
    peak = 0
    while process.poll() is None:
        if time.monotonic() - began > seconds:
            process.kill()
            case.fail("it goes on and on, at %d MB" % peak)
        try:
            with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
                sizes = [line.split()[1] for line in status if line.startswith("VmHWM")]
        except OSError:
            continue
        peak = int(sizes[0]) // 1024 if sizes else peak
        time.sleep(0.01)
    return peak


class CutCase(HostileCase):
    """After so many bytes from the server all its connections are cut, old and new: at every byte, or
    at CRASH_POINTS of two runs (0: every one).

    ROW    the kind of row
    LEAST  bytes: what is shorter does not what is to be interrupted
    WORDS  what a run that was cut says
    """

    POINTS = int(os.environ.get("CRASH_POINTS", "40")) // 2

    def cut(self, row, stage, after):
        """The exit status of a run that is cut; then all must be well."""
        case = HostileCase("run_row")
        try:
            scene = row.prepare(case, stage)
            scene.server.sent, scene.server.cut_after = 0, after
            run = scene.once()
            if after is None:
                return scene.server.sent
            case.assertIn(run.code, (0, 75), run.err)
            if run.code == 75:
                case.assertRegex(run.err, self.WORDS)
            scene.assert_converges()
            return run.code
        finally:
            case.doCleanups()

    def check(self, stage, capabilities):
        row = self.ROW("cut", [], capabilities=capabilities)
        total = self.cut(row, stage, None)
        self.assertGreater(total, self.LEAST)
        step = total / self.POINTS if self.POINTS else 1
        points = sorted({int(step * n) for n in range(1, int(total / step) + 1)})
        outcomes = {after: POOL.submit(self.cut, row, stage, after) for after in points}
        codes = []
        for after, outcome in outcomes.items():
            with self.subTest("after %d of %d bytes" % (after, total)):
                codes.append(outcome.result())
        # Where all is done but for the farewell a cut is none.
        self.assertGreater(codes.count(75), len(points) * 0.7)
