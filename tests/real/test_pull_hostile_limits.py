"""POP3 servers without measure: answers that never end, sessions that contradict each other, false
certificates, and a daemon that is told to come back later. SPDX-License-Identifier: MIT"""
import itertools
import os
import subprocess
import time
import unittest

import scratch
import syncd

from hostile import CUT, STALL, asking, edit, endless, instead, on, within
from hostile_case import HostileCase, main, watch
from hostile_pop import END, MODERN, PLAIN, Server, err
from hostile_pop_case import Scene

# --- Without an end ---------------------------------------------------------------------

RELEASE = os.path.join(scratch.ROOT, "build", "release", "syncd", "syncd")
MEMORY_MB = 16
LISTING_MB = 180  # the longest listing that the limits allow, with what sorting it takes
BODY_BYTES = 100_000_000


def opened(start, *said):
    """An answer that begins so and does not end."""
    def fault(session, command, parts):
        return itertools.chain([start], endless(*said)(session, command, parts))
    return fault


def long(start, piece):
    """A message of BODY_BYTES, then the line is cut: what a disk takes is the user's business."""
    return on("RETR", lambda session, command, parts: itertools.chain(
        [b"+OK\r\n" + start], itertools.repeat(piece, BODY_BYTES // len(piece)), [CUT]))


def many(said, count=5000):
    """A piece of an endless listing: `said` with that many numbers on end."""
    def piece(turn):
        return b"".join(said % number for number in range(turn * count, (turn + 1) * count))
    return piece


def almost(session, command, parts):
    """Listings as long as they may be, then the line is cut."""
    if command.name == "RETR":
        return [CUT]
    pieces = (many(b"%d 7\r\n")(turn) for turn in range(1, 300))
    return itertools.chain([b"+OK\r\n"], pieces, [END])


LINE = "the server sent a line of more than 69632 bytes"
NO_END = "the server's answer to %s does not come to an end"
CLOSED = "the connection was closed by the other side"
X = b"x" * 65536
ENDLESS = [
    ("a greeting", on("greeting", opened(b"+OK ", X)), 1, LINE),
    ("blanks", on("greeting", endless(b" " * 9000)), 1, LINE),
    ("empty lines", on("greeting", endless(b"\r\n" * 9000)), 75, "neither [+]OK nor -ERR"),
    ("greetings", on("greeting", endless(b"+OK hello\r\n" * 900)), 75, "never sent"),
    ("capabilities", on("CAPA", opened(b"+OK\r\n", b"X-%d\r\n" * 900)), 1,
     "lists more than 128 capabilities"),
    ("challenges", on("AUTH", endless(b"+ \r\n" * 900)), 75,
     "the server's PLAIN exchange does not come to an end"),
    ("a refusal", on("PASS|AUTH", opened(b"-ERR ", X)), 1, LINE),
    ("a line of LIST", on("LIST", opened(b"+OK\r\n1 ", b"1" * 9000)), 1, LINE),
    ("a line of UIDL", on("UIDL", opened(b"+OK\r\n1 ", X)), 1, LINE),
    ("an answer to RETR", on("RETR", opened(b"+OK ", X)), 1, LINE),
    ("a message", long(b"Subject: one\r\n\r\n", b"0123456789abcde\r\n" * 4000), 75, CLOSED),
    ("a line of a message", long(b"Subject: one\r\n\r\n", X), 75, CLOSED),
    ("a header", long(b"", b"X-Header: of a message\r\n" * 3000), 75, CLOSED),
    ("a line of a header", long(b"Message-ID: ", X), 75, CLOSED),
    ("a message of dots", long(b"\r\n", b"." * 65536), 75, CLOSED),
    ("a message of NULs", long(b"\r\n", b"\0" * 65536), 75, CLOSED),
]
LISTINGS = [
    ("LIST", on("LIST", opened(b"+OK\r\n", many(b"%d 7\r\n"))), 1, NO_END % "LIST"),
    ("LIST of one message", on("LIST", opened(b"+OK\r\n", b"1 7\r\n" * 5000)), 1, NO_END % "LIST"),
    ("LIST of empty lines", on("LIST", opened(b"+OK\r\n", b"\r\n" * 9000)), 1, NO_END % "LIST"),
    ("UIDL", on("UIDL", opened(b"+OK\r\n", many(b"%d u\r\n"))), 1, NO_END % "UIDL"),
    ("UIDL of one message", on("UIDL", opened(b"+OK\r\n", b"1 u\r\n" * 5000)), 1, NO_END % "UIDL"),
    ("almost", on("LIST|UIDL|RETR", almost), 75, CLOSED),
    ("UIDL with long ones", on("UIDL", opened(b"+OK\r\n", many(b"%d " + b"u" * 400 + b"\r\n",
                                                                500))), 1, NO_END % "UIDL"),
]


@unittest.skipUnless(os.path.exists(RELEASE),
                     "memory is measured with build/release, which is not built")
class Endless(HostileCase):
    """Each ends soon, by a limit that has a name, and takes little memory."""

    def check(self, fault, code, words, most, capabilities):
        scene = Scene(self, "none", capabilities)
        scene.put("one", "two")
        scene.server.faults = [fault]
        began = time.monotonic()
        with subprocess.Popen([RELEASE] + scene.client.command("--once")[1:],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env=scene.client.environment()) as process:
            peak = watch(self, process, began)
            said = process.stderr.read().decode("utf-8", "replace")
        self.assertEqual(process.returncode, code, said)
        self.assertRegex(said, words)
        self.assertLess(len(said), 1000)
        print("# %s: at most %d MB" % (self.id().split("test_")[-1], peak))
        self.assertLess(peak, most)
        scene.assert_converges()


def endless_test(fault, code, words, most):
    capabilities = MODERN if "exchange" in words else PLAIN
    return lambda self: self.check(fault, code, words, most, capabilities)


for MOST, ROWS in (MEMORY_MB, ENDLESS), (LISTING_MB, LISTINGS):
    for NAME, FAULT, CODE, WORDS in ROWS:
        setattr(Endless, "test_%s_for_ever" % NAME.replace(" ", "_"),
                endless_test(FAULT, CODE, WORDS, MOST))


# --- From session to session ------------------------------------------------------------


class Sessions(HostileCase):
    """What was true in one is not in the next."""

    def scene(self, keep, *names):
        scene = Scene(self, keep)
        scene.put(*names or ("one", "two", "three", "four"))
        return scene

    def test_unique_ids_that_are_others_each_time(self):
        for keep in "all", "none":
            scene = self.scene(keep)
            turn = itertools.count()

            def renamed(session, command, parts):
                session.turn = getattr(session, "turn", None) or next(turn) + 1
                return edit(rb"^(\d+) uid", rb"\1 at-%d" % session.turn)(session, command, parts)
            scene.server.faults = [on("UIDL", renamed)]
            for number in range(4):
                scene.settle()
                scene.put("more %d" % number)
            self.assertEqual(set(scene.here().values()), {1})
            scene.assert_converges()

    def test_all_unique_ids_that_change_at_once(self):
        scene = self.scene("all", *("number %d" % number for number in range(30)))
        scene.settle()
        for message in scene.server.drop:
            message.uid = b"new-" + message.uid
        del scene.server.heard[:]
        scene.settle()
        self.assertEqual(scene.server.asked("RETR"), 0)  # headers are enough
        scene.assert_converges()

    def test_all_unique_ids_that_change_and_TOP_that_was_announced_and_is_refused(self):
        scene = self.scene("all", *("number %d" % number for number in range(30)))
        scene.settle()
        for message in scene.server.drop:
            message.uid = b"new-" + message.uid
        scene.server.faults = [on("TOP", err(b"unknown command"))]
        scene.settle()
        scene.assert_converges()

    def test_messages_in_another_order(self):
        scene = self.scene("all")
        scene.settle()
        scene.server.drop.reverse()
        scene.put("five")
        del scene.server.heard[:]
        scene.settle()
        self.assertEqual(scene.server.asked("RETR"), 1)
        scene.assert_converges()

    def test_messages_that_are_gone_and_back(self):
        scene = self.scene("all")
        scene.settle()
        before, scene.server.drop = scene.server.drop, []
        scene.settle()
        scene.server.drop = before
        scene.settle()
        scene.assert_converges()

    def test_unique_ids_that_begin_anew(self):
        scene = self.scene("none", "one", "two")
        scene.settle()
        scene.put("three", uid=b"uid-1")
        scene.put("four", uid=b"uid-2")
        scene.settle()
        scene.assert_converges()

    def test_unique_ids_that_go_to_other_messages(self):
        scene = self.scene("all")
        scene.settle()
        first, second = scene.server.drop[:2]
        first.uid, second.uid = second.uid, first.uid
        scene.settle()
        scene.put("five", uid=b"uid-4")  # that message four has, too
        scene.settle()
        scene.assert_converges()

    def test_what_is_deleted_and_is_back_is_deleted_again_and_not_fetched_twice(self):
        for verb in "DELE", "QUIT":
            scene = self.scene("none")
            fault = asking(verb.encode(), instead(b"+OK\r\n"))
            fault.refused = verb.encode()
            scene.server.faults = [fault]
            for _ in range(3):
                scene.settle()
            self.assertEqual(len(scene.server.drop), 4)
            self.assertEqual(set(scene.here().values()), {1})
            del scene.server.heard[:]
            scene.server.behave()
            scene.settle()
            self.assertEqual(scene.server.asked("DELE"), 4)
            scene.assert_converges()

    def test_a_pipe_that_swallows_answers_is_not_used_again(self):
        scene = Scene(self, "none", MODERN, timeout="1s")
        scene.put("one", "two", "three", "four")
        scene.doubles = {"one", "two", "three", "four"}

        def swallow(session, command, parts):
            """Where the next command has come before the answer to this one went out."""
            session.line.settimeout(0)
            is_piped = session.stream.peek(1) != b""
            session.line.settimeout(None)
            return [] if is_piped else parts
        scene.server.faults = [on("RETR", swallow)]
        self.assertEqual(scene.once().code, 75)
        run = scene.once()
        self.assertEqual((run.code, run.err), (0, ""))
        scene.assert_converges()


# --- Trust ------------------------------------------------------------------------------


class Certificates(HostileCase):
    """Exit status 77 and the reason; the password stays here."""

    def check(self, code, words, certificates=None, faults=(), **keys):
        pair = certificates and (certificates.cert, certificates.key)
        server = Server(PLAIN, list(faults), certificate=pair)
        self.addCleanup(server.close)
        keys = dict({"tls_ca_file": (certificates or scratch.Certificates.of("localhost")).ca},
                    **keys)
        client = syncd.Syncd(None, protocol="pop3", port=server.port, timeout="2s", **keys)
        run = client.once()
        self.assertEqual(run.code, code, run.err)
        self.assertRegex(run.err, words)
        self.assertEqual(server.asked("USER", "PASS", "AUTH"), 0)

    def test_an_expired_one(self):
        self.check(77, "the server's certificate is not trusted: it expired on",
                   scratch.Certificates(days=-1))

    def test_one_of_another_host(self):
        self.check(77, "it is not for localhost but for mail.example.org",
                   scratch.Certificates.of("mail.example.org"))

    def test_one_that_nobody_signed_whom_we_trust(self):
        self.check(77, "no trusted authority has signed it", scratch.Certificates.of("localhost"),
                   tls_ca_file=scratch.Certificates.of("mail.example.org").ca)

    def test_a_server_without_TLS(self):
        self.check(75, "the server does not speak TLS here")

    def test_a_server_that_announces_no_STLS(self):
        self.check(77, "the server offers no STLS, which the configuration demands", tls="starttls")

    def test_a_server_that_refuses_STLS(self):
        self.check(77, "STLS: not today", tls="starttls",
                   faults=[on("CAPA", within(b"STLS\r\n")), on("STLS", err(b"not today"))])

    def test_a_server_that_goes_on_without_TLS(self):
        self.check(75, "does not speak TLS", tls="starttls",
                   faults=[on("CAPA", within(b"STLS\r\n")), on("STLS", instead(b"+OK\r\n"))])

    def test_what_is_said_between_STLS_and_TLS(self):
        self.check(75, "5 bytes followed the answer to STARTTLS in plaintext", tls="starttls",
                   faults=[on("CAPA", within(b"STLS\r\n")),
                           on("STLS", instead(b"+OK\r\n+OK\r\n"))])

    def test_a_handshake_that_stands_still(self):
        self.check(75, "the TLS handshake was not over in time", tls="starttls",
                   faults=[on("CAPA", within(b"STLS\r\n")), on("STLS", instead(b"+OK\r\n", STALL))])


# --- The daemon -------------------------------------------------------------------------


class Daemon(HostileCase):
    """It comes again when it may, or not before a person has done something."""

    SECONDS = 3  # in which it would have been tried again

    def check(self, faults, state, words, retry=None):
        """`retry`: the least and the most seconds until it tries again by itself."""
        scene = Scene(self, "none")
        scene.put("one", "two")
        scene.server.faults = faults
        began = time.time()
        scene.client.start()
        status = {}

        def is_told():
            status.update(scene.client.account_status())
            return status["state"] == state and (status["next_retry"] is None) == (retry is None)
        scratch.wait_for(is_told, 20, lambda: "%s: %s" % (state, status))
        self.assertRegex(status["error"]["message"], words)
        if retry:
            self.assertGreaterEqual(status["next_retry"], began + retry[0] - 1)
            self.assertLessEqual(status["next_retry"], time.time() + retry[1])
        if retry and retry[1] <= 10:
            scene.server.behave()
            scratch.wait_for(lambda: scene.client.account_status()["state"] == "idle", 20,
                             lambda: str(scene.client.status()))
        else:
            time.sleep(self.SECONDS)
            self.assertEqual(scene.server.connections, 1)
        self.assertEqual(scene.client.stop(), 0)
        scene.assert_converges()

    def test_in_use(self):
        self.check([on("PASS", err(b"[IN-USE] another session"))], "offline", "another session",
                   (1, 10))

    def test_login_delay(self):
        self.check([on("CAPA", within(b"LOGIN-DELAY 300\r\n")),
                    on("PASS", err(b"[LOGIN-DELAY] too early"))], "offline", "too early",
                   (290, 301))

    def test_sys_temp(self):
        self.check([on("PASS", err(b"[SYS/TEMP] backend is down"))], "offline", "backend is down",
                   (1, 10))

    def test_sys_perm(self):
        self.check([on("PASS", err(b"[SYS/PERM] account is closed"))], "offline",
                   "account is closed")

    def test_auth(self):
        self.check([on("PASS", err(b"[AUTH] wrong"))], "auth-failed", "wrong")


if __name__ == "__main__":
    main()
