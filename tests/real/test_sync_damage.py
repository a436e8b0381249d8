"""A state that something has damaged. SPDX-License-Identifier: MIT"""
import os

import mailgen

from case import Case, main

PAGE = 4096  # of the database: the machine's, or a multiple of it
PAGES_MIN = 10
CANNOT_READ = 73


class Damage(Case):
    def setUp(self):
        super().setUp()
        self.client, self.local = self.account()
        remote = self.remote()
        for i in range(100):
            remote.append("INBOX", mailgen.Mail(i).plain("message %d" % i), [], 1_300_000_000 + i)
        self.pass_once(self.client)
        self.data = os.path.join(self.client.state, "work", "data.mdb")
        with open(self.data, "rb") as data:
            self.whole = data.read()

    def spoil(self, start, end, value):
        """Writes the database anew, with other bytes there; runs a pass."""
        with open(self.data, "wb") as data:
            data.write(self.whole[:start] + value * (end - start) + self.whole[end:])
        return self.client.once()

    def assert_told(self, run):
        self.assertEqual(run.code, CANNOT_READ, run.err)
        self.assertIn("the state database is damaged", run.err)
        self.assertIn("move data.mdb away", run.err)
        self.assertIn(os.path.dirname(self.data), run.err)

    def test_each_page_of_rubbish_is_told_or_is_a_free_one(self):
        used = len(self.whole.rstrip(b"\0"))
        told = 0
        for start in range(0, used, PAGE):
            run = self.spoil(start, start + PAGE, b"\xff")
            self.assertIn(run.code, (0, CANNOT_READ), run.err)
            if run.code != 0:
                self.assert_told(run)
                told += 1
        self.assertGreaterEqual(told, PAGES_MIN)

    def test_a_database_cut_anywhere_is_told(self):
        used = len(self.whole.rstrip(b"\0"))
        for length in range(100, used - PAGE, 7 * PAGE + 100):
            with open(self.data, "wb") as data:
                data.write(self.whole[:length])
            self.assert_told(self.client.once())

    def test_moved_away_it_is_built_again_and_nothing_is_lost_or_doubled(self):
        self.assert_told(self.spoil(PAGE, 3 * PAGE, b"\0"))
        before = self.local.snapshot()
        os.rename(self.data, self.data + ".damaged")
        self.pass_once(self.client)
        self.assertEqual(self.local.snapshot(), before)
        remote = self.remote()
        self.assertEqual(len(remote.messages("INBOX")), 100)
        self.assert_equal_sides(self.local, remote)
        self.assert_quiet(self.client, self.local)


if __name__ == "__main__":
    main()
