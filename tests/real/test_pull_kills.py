"""A pull killed at random moments and cut at random bytes, while mail keeps coming; keep = none, so
that what is lost here is lost. At every rest each message is here once and none is there.

PULL_KILLS       how many; 20 by default, `make soak` does 200
PULL_KILLS_SEED  what is drawn; threads and processes run as they will all the same
The figures are in pull_kills.jsonl of the build's directory. SPDX-License-Identifier: MIT"""
import collections
import json
import os
import random
import time

import proxy
import scratch
import syncd
import views

from case import main
from drop_case import DropCase

KILLS = int(os.environ.get("PULL_KILLS", "20"))
SEED = int(os.environ.get("PULL_KILLS_SEED", "1"))
ROUND = 10  # kills between two rests
SIZES = [0, 0, 500, 5000, 40_000, 400_000]  # above 256 KB they go to a file in pieces
HANDSHAKE = 2500  # bytes of the server's before it has said anything of messages
REPORT = os.path.join(syncd.BUILD, "pull_kills.jsonl")
SHOWN = 10

lines = []


class Hurt(DropCase):
    def setUp(self):
        super().setUp()
        self.choose = random.Random(SEED)
        self.is_calm = True
        self.middle = proxy.Cutter(self.server.pop3_tls_port, self.cut_at)
        self.addCleanup(self.middle.close)
        self.client, self.local = self.account(port=self.middle.port, keep="none",
                                               poll_interval="1s")
        self.subjects = {}
        self.figures = collections.Counter()

    def tearDown(self):
        lines.append(json.dumps(dict(self.figures, test=self.id().rsplit(".", 1)[1], seed=SEED,
                                     cuts=self.middle.cuts, messages=len(self.subjects))))
        with open(REPORT, "w", encoding="utf-8") as report:
            report.write("\n".join(lines) + "\n")

    def cut_at(self):
        """A byte of a connection at which it is cut, of any order of magnitude; or None."""
        if self.is_calm or self.choose.random() < 0.5:
            return None
        return int(10 ** self.choose.uniform(2.5, 5.7))

    def deliver(self):
        """Some messages, each of its own; returns their size."""
        mail = self.put(*(self.mail.plain("number %d" % (len(self.subjects) + number),
                                          self.choose.choice(SIZES))
                          for number in range(self.choose.randint(2, 8))))
        for data in mail:
            self.subjects[views.digest(data)] = data.split(b"Subject: ")[1].split(b"\r")[0].decode()
        return sum(len(data) for data in mail)

    def faults(self):
        here, there = self.here(self.local), self.there()
        return ["%s: %d here, %d there" % (self.subjects.get(digest, digest), here[digest],
                                           there[digest])
                for digest in sorted(set(self.subjects) | set(here) | set(there))
                if (here[digest], there[digest]) != (1, 0)]

    def settle(self):
        """Left alone it takes a pass, or two where the first finds the lock of the dead one."""
        self.is_calm = True
        scratch.wait_for(lambda: not self.server.clients(), 60, "the dead one's sessions end")
        self.pass_once(self.client)
        faults = self.faults()
        self.assertEqual(len(faults), 0, "seed %d: %d faults, after %r\n%s" % (
            SEED, len(faults), dict(self.figures), "\n".join(faults[:SHOWN])))
        self.assert_pulled_quietly(self.client, self.local)
        self.assertEqual(os.listdir(self.local.path(".", "tmp")), [])
        self.is_calm = False

    def is_begun(self):
        return self.middle.down > self.seen

    def kill_once(self):
        """At a byte of what the server has to say, or somewhat later; or at any time."""
        said = HANDSHAKE + self.deliver()
        self.seen = self.middle.down + int(said * self.choose.uniform(0.1, 1.1))
        end = time.monotonic() + self.choose.choice([0.5, 2, 4])
        self.client.start(wait=False)
        while time.monotonic() < end and not self.is_begun():
            time.sleep(0.0005)
        time.sleep(self.choose.choice([0, 0, 0.002, 0.02, 0.1]) * self.choose.random())
        if self.client.process.poll() is not None:
            self.fail("the daemon ended with %d by itself:\n%s" % (
                self.client.process.returncode, self.client.said()[-12_000:]))
        self.figures["kills_in_a_session"] += self.server.clients() > 0
        self.client.kill()
        self.figures["kills"] += 1

    def test_killed_at_any_moment_it_loses_and_doubles_nothing(self):
        for number in range(KILLS):
            self.kill_once()
            if number % ROUND == ROUND - 1:
                self.settle()
        self.settle()
        self.assertGreater(self.figures["kills_in_a_session"], KILLS // 10)
        print("# %r" % dict(self.figures, messages=len(self.subjects), cuts=self.middle.cuts))

    def test_cut_at_any_byte_it_loses_and_doubles_nothing(self):
        for _ in range(2):
            self.is_calm = False
            for _ in range(KILLS // 2):
                self.deliver()
                run = self.client.once()
                self.assertIn(run.code, (0, 75), run.err)
                self.figures["failed"] += run.code == 75
            self.settle()
        self.assertGreater(self.figures["failed"], 0)
        print("# %r" % dict(self.figures, messages=len(self.subjects), cuts=self.middle.cuts))


if __name__ == "__main__":
    main()
