"""POP3 connections that are cut at any byte, servers that fall silent, and slow ones.

CRASH_POINTS=0 cuts at every byte; otherwise at that many of each kind of pull, spread evenly.
SPDX-License-Identifier: MIT"""
from hostile import STALL, asking, instead, on
from hostile_case import CutCase, HostileCase, add_tests, main
from hostile_pop import MODERN, PLAIN
from hostile_pop_case import Row

CLOSED = "the connection was closed by the other side"
GONE = r"the server did not say that it deleted \d messages"


class Cuts(CutCase):
    ROW, LEAST, WORDS = Row, 400, CLOSED + "|the connection was cut|" + GONE

    def test_the_first_pull_is_cut(self):
        self.check("all", PLAIN)

    def test_the_first_pull_that_deletes_is_cut(self):
        self.check("none", PLAIN)

    def test_the_first_pull_in_a_pipe_is_cut(self):
        self.check("all", MODERN)

    def test_the_first_pull_in_a_pipe_that_deletes_is_cut(self):
        self.check("none", MODERN)

    def test_a_later_pull_is_cut(self):
        self.check("all later", PLAIN)

    def test_a_later_pull_in_a_pipe_that_deletes_is_cut(self):
        self.check("none later", MODERN)


SILENT = "no answer from the server for 1 s"


def stalled(name, fault, code=75, words=SILENT, stages=Row.FIRST, **more):
    return Row("silence " + name, [fault], code, words, timeout="1s", stages=stages, **more)


def half(session, command, parts):
    return [parts[0], parts[1][:len(parts[1]) // 2], STALL]


STALLS = [
    stalled("in place of a greeting", on("greeting", instead(STALL)), stages=["all"]),
    stalled("in the greeting", on("greeting", instead(b"+OK he", STALL)), stages=["all"]),
    stalled("in place of capabilities", on("CAPA", instead(STALL)), stages=["all"]),
    stalled("behind USER", on("USER", instead(STALL)), stages=["all"]),
    stalled("behind PASS", on("PASS", instead(STALL)), stages=["all"]),
    stalled("behind AUTH", on("AUTH", instead(STALL)), stages=["all"], capabilities=MODERN),
    stalled("in place of LIST", on("LIST", instead(STALL))),
    stalled("in LIST", on("LIST", instead(b"+OK\r\n1 20", STALL))),
    stalled("in place of UIDL", on("UIDL", instead(STALL))),
    stalled("in place of a message", asking(rb"RETR [25]", instead(STALL)), stages=Row.EACH),
    stalled("in a message", asking(rb"RETR [25]", half), stages=Row.EACH),
    stalled("in a message of a pipe", asking(rb"RETR [25]", half), capabilities=MODERN,
            stages=Row.EACH),
    stalled("behind DELE", on("DELE", instead(STALL)), 0, "", none=(75, SILENT), stages=Row.EACH),
    # Nobody knows whether they are deleted.
    stalled("in place of a farewell", on("QUIT", instead(STALL)), 0, "", none=(75, SILENT),
            stages=Row.EACH),
]


class Stalls(HostileCase):
    """The timeout ends them."""


add_tests(Stalls, STALLS)


class Slow(HostileCase):
    """What comes in small pieces is the same."""

    def check(self, size, stage, capabilities):
        scene = Row("slow", [], capabilities=capabilities).prepare(self, stage)
        scene.server.split = size
        scene.settle()
        scene.assert_converges()

    def test_the_first_pull_comes_byte_by_byte(self):
        self.check(1, "all", PLAIN)

    def test_the_first_pull_that_deletes_comes_byte_by_byte(self):
        self.check(1, "none", PLAIN)

    def test_the_first_pull_in_a_pipe_comes_byte_by_byte(self):
        self.check(1, "none", MODERN)

    def test_a_later_pull_comes_byte_by_byte(self):
        self.check(1, "all later", PLAIN)

    def test_a_later_pull_comes_in_pieces_of_seven(self):
        self.check(7, "none later", MODERN)


if __name__ == "__main__":
    main()
