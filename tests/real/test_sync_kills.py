"""Real kills: the daemon killed at random moments, and its link cut at random bytes, while two other
IMAP clients and a local reader change everything (crowd.py, which says what has to come of it).

KILLS       how many; 12 by default, `make soak` does 2,000
KILLS_SEED  what is drawn; threads and processes run as they will all the same
KILLS_KEEP  a directory to be made, for what a failure leaves: logs, the maildir, the state
The figures are in kills.jsonl of the build's directory, a line for each server. SPDX-License-Identifier: MIT"""
import collections
import json
import os
import random
import re
import shutil
import threading
import time

import crowd
import dovecot
import proxy
import scratch
import syncd
import views

from case import Case, main

KILLS = int(os.environ.get("KILLS", "12"))
SEED = int(os.environ.get("KILLS_SEED", "1"))
KEEP = os.environ.get("KILLS_KEEP")
ROUND = min(20, (KILLS + 1) // 2)  # kills between two rests
REPORT = os.path.join(syncd.BUILD, "kills.jsonl")
SHOWN = 20
OPEN = re.compile(rb" (APPEND|UID MOVE|UID COPY|UID EXPUNGE|EXPUNGE) ")
WAIT = 5  # seconds; a server under sanitizers, kills and the crowd may be late by more than a stall

lines = []


class Kills(Case):
    SERVER = {"plaintext": True}

    def setUp(self):
        super().setUp()
        self.choose = random.Random(SEED)
        self.choose_stall = random.Random(SEED)
        self.lock = threading.Lock()
        self.is_calm = True
        self.is_stalled = False
        self.middle = proxy.Cutter(self.server.port, self.cut_at, self.stall_at)
        self.addCleanup(self.middle.close)
        self.client, self.local = self.account(port=self.middle.port, deletion_limit="none",
                                               tls="none", tls_ca_file=None,
                                               unanswered_wait="%ds" % WAIT)
        self.ledger = crowd.Ledger(SEED)
        self.owned = [[], [], []]
        self.killed_at = []
        self.figures = collections.Counter()

    def cut_at(self):
        """A byte of a connection at which it is cut, of any order of magnitude; or None."""
        if self.is_calm or self.choose.random() < 0.4:
            return None
        return int(10 ** self.choose.uniform(2, 5.3))

    def stall_at(self, data):
        """What cannot be repeated is sent: in one of three cases the server is busy just then, and
        its client to be killed."""
        with self.lock:
            if not self.is_calm and not self.is_stalled and OPEN.search(data) and \
                    self.choose_stall.random() < 0.3:
                self.server.stall(self.choose_stall.random())
                self.is_stalled = True

    def fill(self):
        """Both sides agree on some messages, of which some are nobody's."""
        remote = self.remote()
        for mailbox in crowd.MAILBOXES:
            if mailbox != "INBOX":
                remote.create(mailbox)
            for number in range(2 * crowd.FLAGGED):
                entry, data = self.ledger.new()
                remote.append(mailbox, data, [], 1_500_000_000 + number)
                entry.places.add(mailbox)
                if number < crowd.FLAGGED:
                    self.ledger.flagged[entry.mark] = mailbox
        remote.hang_up()
        for _ in range(2):
            self.pass_once(self.client)
        self.settle()

    # One kill.

    def wait_for_moment(self):
        """After some time, or as soon as so many bytes more were sent to the server."""
        end = time.monotonic() + self.choose.choice([0.3, 0.8, 0.8, 1.5, 4]) * self.choose.random()
        bytes_up = self.middle.up + self.choose.choice([500, 3000, 20_000, 1_000_000])
        while time.monotonic() < end and self.middle.up < bytes_up and not self.is_stalled:
            time.sleep(0.0005)

    def kill_once(self):
        """A server that stalls carries out what the dead one has sent when the next one is there,
        though earlier than that one waits."""
        self.client.start(wait=False)
        self.wait_for_moment()
        if self.client.process.poll() is not None:
            self.fail("the daemon ended with %d by itself:\n%s" % (
                self.client.process.returncode, self.client.said()[-12_000:]))
        self.client.kill()
        self.killed_at.append("%.3f" % time.time())
        with self.lock:
            self.figures["stalls"] += self.is_stalled
            self.is_stalled = False

    # Rest.

    def everything(self, remote):
        return self.local.everything(), remote.everything()

    def is_equal(self, remote):
        here, there = self.everything(remote)
        return sorted(here) == sorted(there) and all(
            views.alike(here[name]) == views.alike(there[name]) for name in here)

    def difference(self, remote):
        here, there = ({(name, self.ledger.marks.get(m.digest), tuple(sorted(m.flags)))
                        for name, messages in side.items() for m in messages}
                       for side in self.everything(remote))
        histories = ["%s: %s" % (mark, "; ".join(self.ledger.entries[mark].history))
                     for mark in sorted({mark for _, mark, _ in here ^ there if mark})]
        return "only here: %r\nonly there: %r\n%s\n%s" % (
            sorted(here - there), sorted(there - here), "\n".join(histories),
            self.client.said()[-4000:])

    def pass_until_quiet(self):
        for _ in range(5):
            sessions, files = self.server.sessions(), self.local.snapshot()
            self.pass_once(self.client)
            if self.local.snapshot() == files and not dovecot.WRITING.intersection(
                    self.server.commands(sessions)):
                return
        self.fail("the fifth pass still had something to do")

    def settle(self):
        """The daemon by itself makes both sides equal; then passes find nothing to do; then the
        ledger is compared."""
        self.is_calm, self.middle.delay = True, 0
        with views.Remote(self.server) as remote:
            self.client.start()
            scratch.wait_for(lambda: self.is_equal(remote), 60, lambda: self.difference(remote))
            self.assertEqual(self.client.stop(), 0, self.client.said()[-4000:])
            self.pass_until_quiet()
            self.assertTrue(self.is_equal(remote), self.difference(remote))
            here, there = self.everything(remote)
        faults = self.ledger.faults(there, "server") + self.ledger.faults(here, "maildir")
        self.assertEqual(len(faults), 0, "seed %d, after %d kills, the last at %s:\n%s\n%s" % (
            SEED, len(self.killed_at), " ".join(self.killed_at[-ROUND:]), "\n".join(faults[:SHOWN]),
            self.client.said()[-20_000:]))
        for mailbox in here:
            self.assertEqual(os.listdir(self.local.path(mailbox, "tmp")), [])
        self.ledger.touched.clear()
        self.draw_owners()

    def keep(self):
        """What a failure leaves, for the one who looks into it."""
        if KEEP:
            place = os.path.join(KEEP, type(self).__name__)
            for path, name in (self.server.root, "rawlog"), (self.client.root, "."):
                shutil.copytree(os.path.join(path, name), os.path.join(place, name),
                                ignore=shutil.ignore_patterns("*.sock"), dirs_exist_ok=True)

    def draw_owners(self):
        for own in self.owned:
            own.clear()
        for mark, entry in self.ledger.entries.items():
            if entry.places and mark not in self.ledger.flagged:
                self.choose.choice(self.owned).append(entry)

    # All of it.

    def actors(self):
        seeds = [self.choose.getrandbits(32) for _ in range(3)]
        return [crowd.Client(self.ledger, ["\\Flagged", "todo"], self.owned[0], seeds[0],
                             self.remotes[0]),
                crowd.Client(self.ledger, ["\\Answered", "$Label1"], self.owned[1], seeds[1],
                             self.remotes[1]),
                crowd.Reader(self.ledger, ["\\Draft"], self.owned[2], seeds[2], self.local)]

    def round(self, kills):
        actors = self.actors()
        self.is_calm = False
        self.middle.delay = self.choose.choice([0, 0.003, 0.02])  # leaves more of it open
        for actor in actors:
            actor.start()
        for _ in range(kills):
            self.kill_once()
        for actor in actors:
            actor.end()
            self.figures.update(actor.done)
        self.settle()

    def test_killed_and_cut_at_any_moment_it_loses_and_doubles_nothing(self):
        print("# seed %d" % SEED)
        began = time.monotonic()
        try:
            self.fill()
            self.remotes = [self.remote(), self.remote()]
            while len(self.killed_at) < KILLS:
                self.round(min(ROUND, KILLS - len(self.killed_at)))
        except Exception:
            self.keep()
            raise
        self.assertGreater(self.middle.cuts, KILLS // 10)
        self.figures.update(kills=len(self.killed_at), cuts=self.middle.cuts, seed=SEED,
                            messages=len(self.ledger.entries),
                            seconds=int(time.monotonic() - began))
        print("# " + json.dumps(self.figures))
        lines.append(json.dumps(dict(self.figures, server=type(self).__name__)))
        scratch.write(REPORT, "\n".join(lines) + "\n", 0o644)


class KillsBare(Kills):
    """A server that tells no UIDs of what it stored, cannot move, and lists all to tell changes."""

    SERVER = {"plaintext": True,
              "without": {"MOVE", "UIDPLUS", "QRESYNC", "CONDSTORE", "NOTIFY"}}


if __name__ == "__main__":
    main()
