"""Connections that are cut at any byte, servers that fall silent, and slow ones.

CRASH_POINTS=0 cuts at every byte; otherwise at that many of each kind of pass, spread evenly.
SPDX-License-Identifier: MIT"""
import time

from hostile import MODERN, PLAIN, STALL, asking, instead, on
from hostile_case import CutCase, HostileCase, Row, add_tests, main

SYNC_LITERALS = "IMAP4rev1 UIDPLUS UNSELECT"


class Cuts(CutCase):
    ROW, LEAST, WORDS = Row, 2000, "the connection was (closed by the other side|cut)"

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
