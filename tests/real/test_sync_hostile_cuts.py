"""Connections that are cut at any byte, servers that fall silent, and slow ones.

CRASH_POINTS=0 cuts at every byte; otherwise at that many of each kind of pass, spread evenly.
SPDX-License-Identifier: MIT"""
import os
import time

from hostile import MODERN, PLAIN, STALL, asking, instead, on
from hostile_case import POOL, HostileCase, Row, add_tests, main

POINTS = int(os.environ.get("CRASH_POINTS", "40")) // 2
SYNC_LITERALS = "IMAP4rev1 UIDPLUS UNSELECT"
LEAST_BYTES = 2000  # a pass that is shorter does not what is to be interrupted


class Cuts(HostileCase):
    """After so many bytes from the server all its connections are cut, old and new."""

    @staticmethod
    def cut(row, stage, after):
        """The exit status of a pass that is cut; then all must be well."""
        case = HostileCase("run_row")
        try:
            scene = row.prepare(case, stage)
            scene.server.sent, scene.server.cut_after = 0, after
            run = scene.once()
            if after is None:
                return scene.server.sent
            case.assertIn(run.code, (0, 75), run.err)
            if run.code == 75:
                case.assertIn("the connection was closed by the other side", run.err)
            scene.assert_converges()
            return run.code
        finally:
            case.doCleanups()

    def check(self, stage, capabilities):
        row = Row("cut", [], capabilities=capabilities)
        total = self.cut(row, stage, None)
        self.assertGreater(total, LEAST_BYTES)
        step = total / POINTS if POINTS else 1
        points = sorted({int(step * n) for n in range(1, int(total / step) + 1)})
        outcomes = {after: POOL.submit(self.cut, row, stage, after) for after in points}
        codes = []
        for after, outcome in outcomes.items():
            with self.subTest("after %d of %d bytes" % (after, total)):
                codes.append(outcome.result())
        # Where all is done but for the farewell a cut is none.
        self.assertGreater(codes.count(75), len(points) * 0.7)

    def test_the_first_pull_is_cut(self):
        self.check("first", PLAIN)

    def test_the_first_pull_with_extensions_is_cut(self):
        self.check("first", MODERN)

    def test_a_two_way_pass_is_cut(self):
        self.check("later", PLAIN)

    def test_a_two_way_pass_with_extensions_is_cut(self):
        self.check("later", MODERN)


SILENT = "no answer from the server for 1 s"


def stalled(name, fault, code=75, words=SILENT, **more):
    return Row("silence " + name, [fault], code, words, timeout="1s", **more)


def half(session, command, parts):
    return [parts[0][:len(parts[0]) // 2], STALL]


def drip(session, command, parts):
    """A line a tenth of a second, for as long as the client listens."""
    while True:
        time.sleep(0.1)
        yield b"* OK not yet\r\n"


STALLS = [
    stalled("in place of a greeting", on("greeting", instead(STALL)), stages=["first"]),
    stalled("in place of a login", on("AUTHENTICATE", instead(STALL)), stages=["first"]),
    stalled("in place of LIST", on("LIST", instead(STALL))),
    stalled("in place of SELECT", on("SELECT", instead(STALL)), stages=["first"]),
    stalled("in place of the list of messages", asking(rb"\(UID FLAGS\)", instead(STALL)),
            stages=["later"]),
    stalled("in a body", asking(rb"BODY\.PEEK\[\]", half)),
    # Whether it arrived is found out over another connection.
    stalled("behind an upload", on("APPEND", instead(STALL)), 0, "", stages=["later"]),
    stalled("where a message is to be asked for", on("continuation", instead(STALL)),
            stages=["later"],
            capabilities=SYNC_LITERALS + " SASL-IR"),
    stalled("behind a change", on("UID STORE", instead(STALL)), stages=["later"]),
    stalled("behind a removal", on("UID EXPUNGE", instead(STALL)), stages=["later"]),
    stalled("in place of a farewell", on("LOGOUT", instead(STALL)), 0, ""),
    stalled("is promised at the farewell", on("LOGOUT", drip), 0, "", stages=["first"]),
]


class Stalls(HostileCase):
    """The timeout ends them."""


add_tests(Stalls, STALLS)


class Slow(HostileCase):
    """What comes in small pieces is the same."""

    def check(self, size, stage, capabilities):
        scene = Row("slow", [], capabilities=capabilities).prepare(self, stage)
        scene.server.split = size
        run = scene.once()
        self.assertEqual((run.code, run.err), (0, ""))
        scene.assert_equal()
        scene.assert_converges()

    def test_the_first_pull_comes_byte_by_byte(self):
        self.check(1, "first", PLAIN)

    def test_the_first_pull_with_extensions_comes_byte_by_byte(self):
        self.check(1, "first", MODERN)

    def test_a_two_way_pass_comes_byte_by_byte(self):
        self.check(1, "later", PLAIN)

    def test_a_two_way_pass_with_extensions_comes_byte_by_byte(self):
        self.check(1, "later", MODERN)

    def test_a_two_way_pass_comes_in_pieces_of_seven(self):
        self.check(7, "later", MODERN)


if __name__ == "__main__":
    main()
