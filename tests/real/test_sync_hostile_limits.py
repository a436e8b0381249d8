"""Servers without measure: answers that never end, names that lead elsewhere, false UIDs of moved
messages, false certificates, and a daemon that is kept busy. SPDX-License-Identifier: MIT"""
import itertools
import os
import re
import subprocess
import time
import unittest

import hostile
import scratch
import syncd
import views

from hostile import (CUT, MODERN, PLAIN, STALL, asking, behind, edit, endless, instead, on, refuse,
                     within)
from hostile_case import MARKER, HostileCase, Row, Scene, add_tests, main, said_below, watch

BARE = "IMAP4rev1"

# --- Without an end ---------------------------------------------------------------------

RELEASE = os.path.join(scratch.ROOT, "build", "release", "syncd", "syncd")
MEMORY_MB = 160  # the largest sets that the limits allow, with what sorting them takes


def many(said, step=1, start=0, count=5000):
    """A piece of an endless answer: `said` with that many numbers on end."""
    def piece(turn):
        first = start + (turn - 1) * count * step
        return b"".join(said % number for number in range(first, first + count * step, step))
    return piece


def opened(start, *said):
    """An answer that begins so and does not end."""
    def fault(session, command, parts):
        return itertools.chain([start], endless(*said)(session, command, parts))
    return fault


NO_END = "the server answers without coming to an end"
LONG = "a response of the server is longer than 262144 bytes"
ENDLESS = [
    ("empty lines", on("greeting", endless(b"\r\n" * 9000)), LONG),
    ("blanks", on("greeting", endless(b" " * 9000)), LONG),
    ("a word without an end", on("greeting", endless(b"x" * 9000)), "a tag or name without an end"),
    ("a line without an end", on("SELECT", opened(b"* OK ", b"x" * 9000)), LONG),
    ("a code without an end", on("SELECT", opened(b"* OK [X ", b"1 " * 9000)),
     "more than 16384 arguments"),
    ("a string without an end", on("LIST", opened(b'* LIST () "/" "', b"x" * 9000)), LONG),
    ("a list without an end", on("LIST", opened(b"* LIST (", b"x " * 9000)),
     "more than 16384 arguments"),
    ("small talk at the login", on("AUTHENTICATE", endless(b"* OK still here\r\n" * 5000)), NO_END),
    ("challenges", on("AUTHENTICATE|continuation", endless(b"+ \r\n" * 5000)),
     "does not come to an end|" + NO_END),
    ("small talk", on("SELECT", endless(b"* OK still here\r\n" * 5000)), NO_END),
    ("capabilities", on("LIST", endless(b"* CAPABILITY IMAP4rev1\r\n" * 5000)), NO_END),
    ("mailboxes", on("LIST", endless(many(b'* LIST () "/" "box %d"\r\n'))),
     NO_END + "|lists more than 100000 mailboxes"),
    ("mailboxes with long names", on("LIST", endless(many(b'* LIST () "/" "' + b"x" * 4000 +
                                                          b'%d"\r\n', count=50))),
     NO_END),
    ("the same mailbox", on("LIST", endless(b'* LIST () "/" INBOX\r\n' * 5000)), NO_END),
    ("messages", asking(rb"\(UID FLAGS\)", endless(many(b"* 1 FETCH (UID %d FLAGS ())\r\n",
                                                        start=1))), NO_END),
    ("the same message", asking(rb"\(UID FLAGS\)",
                                endless(b"* 1 FETCH (UID 1 FLAGS ())\r\n" * 5000)), NO_END),
    ("counts", on("SELECT", endless(*[b"* %d EXISTS\r\n" % (n % 7) for n in range(5000)])), NO_END),
    ("a body that nobody wants", asking(rb"\(UID FLAGS\)", opened(b"* 9 FETCH (X {4294967295}\r\n",
                                                                  b"x" * 65536)),
     NO_END),
    ("a body of a million gigabytes", asking(rb"BODY\.PEEK\[\]", opened(
        b"* 1 FETCH (UID 1 BODY[] {1000000000000000}\r\n", b"x" * 65536)),
     "a literal of 1000000000000000 bytes"),
]
ENDLESS_SETS = [
    ("a number", on("UID SEARCH", opened(b"* SEARCH ", b"1" * 9000)), NO_END, BARE),
    ("UIDs in descending order", on("UID SEARCH", opened(b"* SEARCH", many(b" %d", -2,
                                                                           4294967294))), NO_END,
     BARE),
    ("found messages", on("UID SEARCH", endless(many(b"* SEARCH %d\r\n", -2, 4294967294))), NO_END,
     BARE),
    ("UIDs that vanished in descending order",
     on("SELECT", lambda session, command, parts: itertools.chain(parts[:-1], opened(
         b"* VANISHED (EARLIER) 1", many(b",%d", -2, 4294967294))(session, command, parts))),
     NO_END, MODERN),
]


@unittest.skipUnless(os.path.exists(RELEASE),
                     "memory is measured with build/release, which is not built")
class Endless(HostileCase):
    """Each ends soon, by a limit that has a name, and takes little memory."""

    rows = {}

    def check(self, fault, words, capabilities, is_later):
        scene = Scene(self, capabilities, mailboxes=["INBOX"])
        if is_later:
            scene.settle()
            os.unlink(scene.local.messages("INBOX")[0].where)
            scene.keep()
        scene.server.faults = [fault]
        began = time.monotonic()
        with subprocess.Popen([RELEASE] + scene.client.command("--once")[1:],
                              stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=scene.client.environment()) as process:
            peak = watch(self, process, began)
            said = process.stderr.read().decode("utf-8", "replace")
        self.assertEqual(process.returncode, 75 if "IMAP" in said or "exchange" in said else 1,
                         said)
        self.assertRegex(said, words)
        self.assertLess(peak, MEMORY_MB)
        scene.assert_kept()


def endless_test(fault, words, capabilities=PLAIN, is_later=False):
    return lambda self: self.check(fault, words, capabilities, is_later)


for NAME, FAULT, WORDS in ENDLESS:
    setattr(Endless, "test_%s_for_ever" % NAME.replace(" ", "_"), endless_test(FAULT, WORDS))
for NAME, FAULT, WORDS, CAPABILITIES in ENDLESS_SETS:
    setattr(Endless, "test_%s_for_ever" % NAME.replace(" ", "_"),
            endless_test(FAULT, WORDS, CAPABILITIES, True))


# --- Names ------------------------------------------------------------------------------

ESCAPE = MARKER.encode()
NAMES = [
    b"../" + ESCAPE, b"../../" + ESCAPE, b"../../../" + ESCAPE + b"/x", b"/" + ESCAPE,
    b"/tmp/" + ESCAPE, b"..",
    b".", b"./" + ESCAPE, b"a/../../" + ESCAPE, b"a//" + ESCAPE, b"~", b"~/" + ESCAPE, b"", b"/",
    b"a/",
    b"INBOX/cur", b"INBOX/new/x", b"INBOX/tmp", b"INBOX/dovecot-keywords", b"cur", b"new", b"tmp",
    b".syncd",
    b"dovecot-keywords", b"a\x01b", b"a\x7fb", b"a\r\nb", b"%2e%2e", b"%2E%2E", b"%2F" + ESCAPE,
    b"a%00b",
    b"A" * 255, b"A" * 300, b"/".join([b"d"] * 64), b"/".join([b"d"] * 300), b"work", b"WORK",
    b"Work/", b"inbox",
    b"Inbox/sub", b"INBOX/sub", b"&AC4ALg-", b"&AC8-etc", b"&ZeVnLIqe-", b"&", b"&-", b"&&",
    b"&2D0-", b"\xff\xfe",
    b"trail ", b" lead", b"*", b"%", b"nul\0x", b'q"q', b"NIL", b"{3}", b"x" * 1200, b"x" * 5000,
    b"back\\slash"]


class Names(HostileCase):
    def populate(self, scene):
        for name in NAMES:
            if name not in scene.server.mailboxes:
                scene.server.mailbox(name).add(scene.mail.plain("in %d" %
                                                                len(scene.server.mailboxes)))

    def check(self, layout):
        scene = Scene(self, MODERN, layout=layout)
        self.populate(scene)
        run = scene.once()
        self.assertEqual(run.code, 1, run.err)
        for line in run.err.splitlines():
            self.assertRegex(line, "cannot be represented|mailbox name (is too long|has over)")
        self.assertEqual(len([path for path in self.everywhere(scene) if os.path.islink(path)]), 0)
        return scene, run

    def everywhere(self, scene):
        return [os.path.join(path, name) for path, names, files in os.walk(scene.client.root)
                for name in names + files]

    def test_no_name_leads_out_of_the_maildir(self):
        scene, run = self.check("verbatim")
        here = scene.local.everything()
        self.assertEqual(here["INBOX/%63ur"][0].flags, frozenset())
        self.assertEqual(len(here["INBOX"]), 5)
        self.assertEqual([len(here[name]) for name in ("Work", "work", "WORK", "%2E.", "~")],
                         [3, 1, 1, 1, 1])
        # A second pass says the same, and does nothing.
        scene.keep()
        files = scene.local.snapshot()
        self.assertEqual((scene.once().err, scene.local.snapshot()), (run.err, files))

    def test_nor_does_it_in_the_other_layout(self):
        scene, _ = self.check("maildir++")
        self.assertEqual(len(os.listdir(os.path.join(scene.client.maildir, "new"))) +
                         len(os.listdir(os.path.join(scene.client.maildir, "cur"))), 5)

    def test_a_mailbox_that_only_case_tells_from_another_stays_here(self):
        """Gmail: CREATE says that it exists, SELECT that it does not."""
        scene = Scene(self)
        scene.settle()
        scene.local.create("work")
        scene.local.add("work", scene.mail.plain("mine").replace(b"\r\n", b"\n"), "S")
        scene.keep()
        scene.server.faults = [refuse("CREATE",
                                      b"NO [ALREADYEXISTS] Duplicate folder name work (Failure)")]
        for _ in range(2):
            run = scene.once()
            self.assertEqual(run.code, 1)
            self.assertEqual(run.err, "syncd: work: mailbox work: SELECT: no such mailbox "
                             "[NONEXISTENT]\n")
        self.assertEqual(sorted(scene.server.mailboxes), [b"INBOX", b"Work"])


# --- Moves ------------------------------------------------------------------------------


class MoveRow(Row):
    """The second pass has two messages to move, with what the faults make of it."""

    def prepare(self, case, stage):
        scene = Scene(case, self.capabilities)
        scene.settle()
        for message in scene.local.messages("INBOX")[:2]:
            name = os.path.basename(message.where).split(":")[0]
            os.rename(message.where, scene.local.path("Work", "cur", name + ":2,S"))
            scene.wanted["INBOX"].discard(message.digest)
            scene.wanted["Work"].add(message.digest)
        scene.keep()
        return scene


def moves(name, change, code=0, words=""):
    ways = [("MOVE", MODERN), ("COPY", PLAIN), ("COPY without UIDPLUS", BARE)]
    return [MoveRow("%s with %s" % (name, way), [change], code, words, capabilities=capabilities,
                    stages=["later"])
            for way, capabilities in ways]


def copyuid(replacement):
    return on("UID MOVE|UID COPY", edit(rb"COPYUID (\d+) (\S+) (\S+)\]", replacement))


class Moves(HostileCase):
    """COPYUID may say anything: each message is in one place in the end."""


add_tests(Moves, moves("COPYUID of messages that are there", copyuid(rb"COPYUID \1 \2 1:2]")) +
          moves("COPYUID of fewer", copyuid(rb"COPYUID \1 \2 4]")) +
          moves("COPYUID with 0", copyuid(rb"COPYUID \1 \2 0:1]")) +
          moves("COPYUID the other way round", copyuid(rb"COPYUID \1 \3 \2]")) +
          moves("COPYUID of another mailbox", copyuid(rb"COPYUID 3 \2 \3]")) +
          moves("a move that is cut", on("UID MOVE|UID COPY", instead(CUT))) +
          moves("a move that is refused", refuse("UID MOVE|UID COPY", b"NO no")))


# --- Certificates -----------------------------------------------------------------------


class Certificates(HostileCase):
    """Exit status 77 and the reason; the password stays here."""

    def check(self, code, words, certificates=None, greeting=None, **keys):
        pair = certificates and (certificates.cert, certificates.key)
        server = hostile.Server(PLAIN, [greeting] if greeting else [], certificate=pair)
        self.addCleanup(server.close)
        keys = dict({"tls_ca_file": (certificates or scratch.Certificates.of("localhost")).ca},
                    **keys)
        client = syncd.Syncd(None, port=server.port, timeout="2s", **keys)
        began = time.monotonic()
        run = client.once()
        self.assertEqual(run.code, code, run.err)
        self.assertRegex(run.err, words)
        self.assertLess(time.monotonic() - began, 10)
        self.assertNotIn(b"AUTHENTICATE", b"".join(server.heard))
        self.assertEqual([n for n in said_below(client.root, ()) if "/cur" in n], [])

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

    def test_a_server_that_begins_with_an_alert(self):
        self.check(75, "TLS failed", greeting=on("greeting",
                                                 instead(b"\x15\x03\x03\x00\x02\x02\x28")))

    def test_a_handshake_that_stands_still(self):
        self.check(75, "the TLS handshake was not over within 2.0 s",
                   greeting=on("greeting", instead(STALL)))

    def test_a_handshake_without_an_end(self):
        self.check(75, "TLS", greeting=on("greeting", endless(b"\x16\x03\x03\x40\x00" +
                                                              b"\0" * 16384)))


# --- Sizes ------------------------------------------------------------------------------


class Sizes(HostileCase):
    """RFC822.SIZE is a rumour: Exchange gives that of another form of the message."""

    LIES = (0, 1, 100, 100_000, 4_294_967_295)

    def lying(self, lie, capabilities=PLAIN, **keys):
        scene = Scene(self, capabilities, **keys)
        scene.server.faults = [edit(rb"RFC822\.SIZE \d+", b"RFC822.SIZE %d" % lie)]
        return scene

    def bodies(self, scene):
        """Fetched since it was asked last."""
        count = len([line for line in scene.server.heard if b"BODY.PEEK[]" in line])
        scene.server.heard.clear()
        return count

    def test_a_message_of_whatever_size_is_fetched_once(self):
        for lie in self.LIES:
            with self.subTest(lie=lie):
                scene = self.lying(lie)
                scene.settle()
                scene.assert_equal()
                self.assertGreater(self.bodies(scene), 0)
                scene.drift()
                scene.assert_fine(scene.once())
                scene.assert_equal()
                self.bodies(scene)
                scene.assert_fine(scene.once())
                self.assertEqual(self.bodies(scene), 0)

    def test_a_lost_state_pairs_messages_of_whatever_size(self):
        for lie in self.LIES:
            with self.subTest(lie=lie):
                scene = self.lying(lie)
                scene.settle()
                self.bodies(scene)
                scene.forget()
                scene.assert_fine(scene.once())
                self.assertEqual(self.bodies(scene), 0)
                scene.assert_equal()
                scene.assert_fine(scene.once())
                scene.assert_equal()

    def test_max_size_goes_by_what_the_server_says_and_loses_nothing(self):
        large = 1_000_000
        scene = self.lying(large, max_size="50K")
        kept_away = scene.once()
        self.assertEqual(kept_away.code, 0, kept_away.err)
        self.assertEqual(self.bodies(scene), 0)
        self.assertEqual(sum(len(box.messages) for box in scene.server.mailboxes.values()), 8)
        # It is for good (sizes do not change) until the limit does.
        scene.client.configure(max_size="none")
        scene.assert_fine(scene.once())
        self.assertGreater(self.bodies(scene), 0)
        scene.assert_equal()
        scene.assert_converges()

    def test_max_size_of_what_is_larger_than_the_server_says(self):
        scene = self.lying(0, max_size="1K")
        box = scene.server.mailboxes[b"INBOX"]
        data = scene.mail.plain("large", 5000)
        scene.wanted["INBOX"].add(views.digest(data))
        box.add(data, ["\\Seen"])
        scene.settle()
        scene.assert_equal()
        for _ in range(2):
            self.bodies(scene)
            scene.assert_fine(scene.once())
            self.assertEqual(self.bodies(scene), 0)
        # The server comes to itself: what is here stays.
        scene.assert_converges()


# --- The daemon -------------------------------------------------------------------------


class Daemon(HostileCase):
    """It answers, keeps everything, and does not hammer the server."""

    SECONDS = 2
    MOST_COMMANDS = 120  # a first look and the passes behind it are some 20

    def check(self, faults, state, capabilities=MODERN, error=None):
        scene = Scene(self, capabilities, timeout="1s")
        scene.settle()
        scene.server.faults = faults
        heard = len(scene.server.heard)
        scene.client.start()
        scratch.wait_for(lambda: scene.client.account_status()["state"] in state, 20,
                         lambda: "%s: %s" % (state, scene.client.status()))
        end = time.monotonic() + self.SECONDS
        while time.monotonic() < end:
            began = time.monotonic()
            scene.client.status()
            self.assertLess(time.monotonic() - began, 5)
            time.sleep(0.1)
        self.assertLess(len(scene.server.heard) - heard, self.MOST_COMMANDS)
        # While it is tried again there is none.
        scratch.wait_for(lambda: re.search(error or "None",
                                           str(scene.client.account_status()["error"])), 10,
                         lambda: "%s: %s" % (error, scene.client.status()))
        self.assertEqual(scene.client.stop(), 0)
        scene.assert_kept()
        scene.assert_converges()

    def test_a_server_that_says_BYE_is_left_alone(self):
        self.check([on("greeting", instead(b"* BYE not now\r\n"))], ["offline"], error="not now")

    def test_a_server_that_hangs_up_is_left_alone(self):
        self.check([on("SELECT|LIST", instead(CUT))], ["offline"], error="closed by the other side")

    def test_a_password_that_is_refused_is_not_tried_again(self):
        self.check([refuse("AUTHENTICATE|LOGIN", b"NO [AUTHENTICATIONFAILED] no")], ["auth-failed"],
                   error="no")

    def test_IDLE_that_is_cut_at_once_is_not_asked_for_all_the_time(self):
        self.check([on("idling", instead(b"+ idling\r\n", CUT))], ["idle"],
                   error="None|closed by the other side")

    def test_IDLE_that_is_refused(self):
        self.check([refuse("IDLE", b"BAD no such thing")], ["idle"])

    def test_IDLE_that_tells_of_news_that_are_none(self):
        self.check([on("idling", instead(b"+ idling\r\n* 9 EXISTS\r\n* 5 EXISTS\r\n", STALL))],
                   ["idle", "syncing"], error="None|no answer")

    def test_IDLE_that_tells_of_removals_that_are_none(self):
        self.check([on("idling", instead(b"+ idling\r\n* 1 EXPUNGE\r\n", STALL))],
                   ["idle", "syncing"], error="None|no answer")

    def test_news_with_every_answer(self):
        self.check([on("(?!greeting|continuation|idling).*",
                       within(b"* 9 EXISTS\r\n* 5 EXISTS\r\n"))],
                   ["idle", "syncing"], PLAIN + " IDLE")

    def test_IDLE_that_never_stops_talking(self):
        self.check([on("idling", endless(b"* OK still here\r\n" * 100))],
                   ["syncing", "idle", "offline"],
                   error="None|without coming to an end|no answer")

    def test_news_all_the_time_is_looked_at_less_and_less_but_true_news_soon(self):
        """It tells of one that is none every 20 ms in IDLE, and with every answer."""
        noise = within(b"* 9 EXISTS\r\n* 5 EXISTS\r\n")
        faults = [on("idling", behind(b"* 9 EXISTS\r\n* 5 EXISTS\r\n")),
                  on("(?!greeting|continuation|idling).*", noise)]
        scene = Scene(self, PLAIN + " IDLE", timeout="5s")
        scene.settle()
        scene.server.faults = faults
        scene.client.start()
        heard = len(scene.server.heard)
        scratch.wait_for(lambda: len(scene.server.heard) > heard + 20, 20, scene.client.said)
        time.sleep(4)  # over which commands are counted, once the delay has grown
        heard = len(scene.server.heard)
        time.sleep(5)
        self.assertLess(len(scene.server.heard) - heard, 300)  # 2,664 when it did not wait
        here = scene.message("INBOX", "here").replace(b"\r\n", b"\n")
        scene.local.add("INBOX", here, "S", 1_300_000_000)
        box = scene.server.mailboxes[b"INBOX"]
        scratch.wait_for(lambda: len(box.messages) == 6, 3, "a local change does not wait")
        box.add(scene.message("INBOX", "there"), ["\\Seen"])
        scratch.wait_for(lambda: len(scene.local.messages("INBOX")) == 7, 3, "nor does true news")
        self.assertEqual(scene.client.stop(), 0)
        scene.assert_converges()

    def test_a_list_of_a_part_is_told_once_a_mailbox(self):
        scene = Scene(self, BARE, timeout="5s")
        scene.settle()
        scene.server.faults = [asking(rb"FETCH 1:\*|FETCH .* \(?(UID )?FLAGS",
                                      lambda session, command, parts: parts[1:])]
        scene.client.start()
        heard = len(scene.server.heard)
        for _ in range(3):
            self.assertEqual(scene.client.ctl("sync").code, 0)
        self.assertGreater(len(scene.server.heard), heard)
        said = scene.client.said().splitlines()
        self.assertEqual(scene.client.stop(), 0)
        for name in "INBOX", "Work":
            self.assertEqual(len([l for l in said if "not believed" in l and name + ":" in l]), 1,
                             "\n".join(said))
        scene.assert_converges()

    def test_silence_in_place_of_IDLE(self):
        self.check([on("idling", instead(STALL))], ["syncing", "idle"], error="None|no answer")


if __name__ == "__main__":
    main()
