"""What the crash matrix has in common (DESIGN 8.5): a server and a maildir that have drifted
apart, put back for every point; a pass killed there; passes left alone; the comparison.

CRASH_POINTS   kills a test, spread evenly over the calls; 0: at every call
CRASH_SECOND   second kills for each first one, where points are not sampled; 0: at every call
The report is in crash.jsonl of the build's directory, a line for each kind of work.
SPDX-License-Identifier: MIT"""
import collections
import json
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

LIBRARY = os.path.join(syncd.BUILD, "tests", "crash", "crash.so")
POINTS = int(os.environ.get("CRASH_POINTS", "3"))
SECOND = int(os.environ.get("CRASH_SECOND", "1"))
MODES = {"before": {}, "after": {"CRASH_AFTER": "1"}}
KILLED = -9
SHOWN = 20  # failures told in full

# What every kind of work does: the state is written, flushed, and the server is talked to.
ALWAYS = {"flush", "write", "send"}

lines = []


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", source, target], check=True)


class Work(unittest.TestCase):
    """One kind of work. A subclass says what both sides begin with, how they drift apart and
    what is to come of it, and has the tests by naming `Tests`, too.

    SERVER, KEYS  arguments of the server and keys of the account
    LEDGER        {mailbox: [message, ...]} of the outcome, messages by their subjects
    CALLS         so many at least: fewer mean that the library watches the wrong ones
    KINDS         of which each must be among them
    DOUBLED       mailboxes where a kill is known to leave a second copy (docs/decisions.md)
    """

    SERVER = {}
    KEYS = {}
    LEDGER = {}
    CALLS = 60
    KINDS = set()
    DOUBLED = ()
    REPORT = os.path.join(syncd.BUILD, "crash.jsonl")
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.server = dovecot.Dovecot(**cls.SERVER)
        cls.client = syncd.Syncd(cls.server, **dict({"deletion_limit": "none"}, **cls.KEYS))
        cls.local = views.Local(cls.client.maildir)
        cls.kept = scratch.directory("syncd-kept")
        cls.mail = mailgen.Mail(4)
        cls.subjects, cls.known = {}, None
        remote = views.Remote(cls.server)
        cls.begin(remote)
        cls.agree()
        cls.drift(remote)
        remote.hang_up()
        cls.settle_server()
        for name, path in cls.places():
            copy(path, os.path.join(cls.kept, name))
        cls.told = {"work": cls.__name__, "build": os.path.relpath(syncd.BUILD, ROOT), "calls": 0,
                    "kinds": {}, "points": 0, "killed": 0, "killed_twice": 0,
                    "killed_at": collections.Counter(), "doubled": 0, "failures": []}

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        lines.append(json.dumps(cls.told))
        with open(cls.REPORT, "w", encoding="utf-8") as report:
            report.write("\n".join(lines) + "\n")

    # What a subclass says.

    @classmethod
    def begin(cls, remote):
        """What both sides have before."""

    @classmethod
    def drift(cls, remote):
        """What happens on each side before the pass that is killed."""

    def depart(self):
        """What can only be done to the very directories that the state knows, so after each
        restore."""

    @classmethod
    def message(cls, subject, size=0):
        data = cls.mail.plain(subject, size)
        cls.subjects[views.digest(data)] = subject
        return data

    @classmethod
    def agree(cls):
        """The second pass knows the mailboxes by their ids."""
        for _ in range(2):
            run = cls.client.once()
            assert run.code == 0, run.err

    @classmethod
    def file_of(cls, mailbox, subject):
        for found in cls.local.messages(mailbox):
            if cls.subjects.get(found.digest) == subject:
                return found.where
        raise KeyError(subject)

    @classmethod
    def uid_of(cls, remote, mailbox, subject):
        for found in remote.messages(mailbox):
            if cls.subjects.get(found.digest) == subject:
                return found.where
        raise KeyError(subject)

    # Putting back.

    @classmethod
    def places(cls):
        return [("server", cls.server.maildir()), ("mail", cls.client.maildir),
                ("state", cls.client.state)]

    @classmethod
    def settle_server(cls):
        """Until no command of a client that was killed is under way any more."""
        scratch.wait_for(lambda: not cls.server.clients(), 30, "the server has no client left")

    def restore(self):
        self.settle_server()
        for name, path in self.places():
            copy(os.path.join(self.kept, name), path)
        for name in self.server.sessions():
            os.unlink(os.path.join(self.server.root, "rawlog", name))
        self.depart()

    # Running.

    def run_under(self, library, **variables):
        """One pass under a library that is preloaded."""
        env = dict(self.client.environment(), LD_PRELOAD=library, **variables)
        env["ASAN_OPTIONS"] = "verify_asan_link_order=0:detect_leaks=0"
        done = subprocess.run(self.client.command("--once"), env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=120, check=False)
        return syncd.Run(done.returncode, *(text.decode("utf-8", "replace")
                                            for text in (done.stdout, done.stderr)))

    def run_watched(self, **crash):
        """Its exit status, KILLED when it was."""
        return self.run_under(LIBRARY, **crash).code

    def kill_at(self, number, mode):
        """Returns the call at which a pass was killed; None when it made fewer."""
        told = os.path.join(self.kept, "told")
        if self.run_watched(CRASH_AT=str(number), CRASH_TOLD=told, **MODES[mode]) != KILLED:
            return None
        self.settle_server()
        with open(told, encoding="utf-8", errors="replace") as call:
            return "%s call %d, %s" % (mode, number, call.read().strip())

    def count_calls(self):
        """{kind: how many} of a pass that is left alone."""
        self.restore()
        path = os.path.join(self.kept, "count")
        self.assertEqual(self.run_watched(CRASH_COUNT=path), 0)
        kinds = self.read_counts(path)
        self.assertGreaterEqual(sum(kinds.values()), self.CALLS, "calls of a pass: %r" % kinds)
        self.assertLessEqual(ALWAYS | self.KINDS, {kind for kind in kinds if kinds[kind] > 0})
        return kinds

    def read_counts(self, path):
        with open(path, encoding="ascii") as count:
            kinds = {kind: int(number) for kind, number in (line.split() for line in count)}
        self.told.update(calls=sum(kinds.values()), kinds=kinds)
        return kinds

    # The outcome.

    def by_subject(self, side):
        """{mailbox: [(subject, flags, date), ...]}, which are equal where the sides are."""
        return {name: sorted((self.subjects.get(m.digest, m.digest), sorted(m.flags), m.date)
                             for m in messages) for name, messages in side.everything().items()}

    def everything(self):
        with views.Remote(self.server) as remote:
            there = self.by_subject(remote)
        return self.by_subject(self.local), there

    def forgive(self, side):
        """Second copies, which may be marked \\Deleted, where they are known to be left; returns
        whether there were any."""
        had = dict(side)
        for mailbox in set(self.DOUBLED) & set(side):
            fewest = {m[0]: m for m in sorted(had[mailbox], key=lambda m: -len(m[1]))}
            side[mailbox] = sorted(fewest.values())
        return had != side

    def outcome(self):
        """Number of calls, and what a pass that is left alone makes of it: found once a class."""
        if type(self).known is None:
            type(self).known = self.learn_outcome()
        return type(self).known

    def learn_outcome(self):
        """That has to be what the ledger says."""
        kinds = self.count_calls()
        self.assertEqual(self.client.once().code, 0)
        wanted, there = self.everything()
        self.assertEqual(wanted, there)
        self.assertEqual({name: [subject for subject, _, _ in messages]
                          for name, messages in wanted.items()},
                         {name: sorted(subjects) for name, subjects in self.LEDGER.items()})
        return sum(kinds.values()), wanted

    def check_recovers(self, wanted):
        """A pass by itself, at most two where the first had leftovers of the dead one; one more
        has nothing to do."""
        run = self.client.once()
        if run.code == 75:
            run = self.client.once()
        self.assertEqual(run.code, 0, run.err)
        sessions = self.server.sessions()
        run = self.client.once()
        self.assertEqual(run.code, 0, run.err)
        here, there = self.everything()
        self.told["doubled"] += self.forgive(here) and self.forgive(there)
        self.assertEqual(here, wanted, "the maildir")
        self.assertEqual(there, wanted, "the server")
        writing = [c for c in self.server.commands(sessions) if c in dovecot.WRITING]
        self.assertEqual(writing, [], "commands of the pass after")
        for mailbox in here:
            self.assertEqual(os.listdir(self.local.path(mailbox, "tmp")), [])

    def point(self, first, seconds, wanted):
        """One of the matrix: killed at `first`, and again if that is given."""
        self.restore()
        killed = [k for k in [self.kill_at(*first)] if k]
        killed += [k for k in (self.kill_at(*second) for second in seconds if killed) if k]
        self.told["points"] += 1
        self.told["killed"] += bool(killed)
        self.told["killed_twice"] += len(killed) > 1
        if killed:
            self.told["killed_at"][killed[0].split(", ")[1].split(" ")[0]] += 1
        try:
            self.check_recovers(wanted)
        except (AssertionError, subprocess.TimeoutExpired) as failure:
            return len(killed), "killed %s: %s" % ("; then ".join(killed), failure)
        return len(killed), None

    def check_all(self, points, wanted, kills):
        """`kills` is how many each is to have; a count differs by some from run to run."""
        reached, failures = 0, []
        for first, seconds in points:
            killed, failure = self.point(first, seconds, wanted)
            reached += killed >= kills
            failures += [failure] if failure else []
        self.told["failures"] += failures
        self.assertEqual(len(failures), 0, "%d of %d points:\n%s" % (
            len(failures), len(points), "\n".join(failures[:SHOWN])))
        return reached


def spread(calls, wanted):
    """Numbers of calls, all or so many of them."""
    if not wanted:
        return list(range(1, calls + 1))
    return sorted({1 + (2 * number + 1) * calls // (2 * wanted) for number in range(wanted)})


class Tests:
    """Mixed into each kind of work."""

    def check_mode(self, mode):
        calls, wanted = self.outcome()
        points = [((number, mode), []) for number in spread(calls, POINTS)]
        reached = self.check_all(points, wanted, 1)
        print("# %d of %d calls" % (reached, calls))
        self.assertGreaterEqual(reached, len(points) * 9 // 10)

    def test_killed_before_a_call_it_recovers_without_loss_or_double(self):
        self.check_mode("before")

    def test_killed_after_a_call_it_recovers_without_loss_or_double(self):
        self.check_mode("after")

    def seconds(self, index, first, calls):
        """Of a recovery, which has about as many calls as were left, and some of its own."""
        left = calls - first + 30
        if POINTS:
            return [1 + (index * 2 + 1) * left // (2 * POINTS) * 7 % left]
        wanted = SECOND or left
        return [1 + (number * left // wanted + index) % left for number in range(wanted)]

    def test_killed_again_as_it_recovers_it_recovers_all_the_same(self):
        calls, wanted = self.outcome()
        points = []
        for index, first in enumerate(spread(calls, POINTS)):
            for number, second in enumerate(self.seconds(index, first, calls)):
                modes = ("before", "after") if (index + number) % 2 else ("after", "before")
                points.append(((first, modes[0]), [(second, modes[1])]))
        reached = self.check_all(points, wanted, 2)
        print("# %d of %d were killed twice" % (reached, len(points)))
        self.assertGreaterEqual(reached, len(points) // 3)
