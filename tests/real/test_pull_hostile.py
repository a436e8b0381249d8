"""POP3 servers that break the rules, one rule at a time: in a first pull and in a later one, with
what is fetched kept there and with what is fetched deleted there.

Nothing here is lost or doubled, nothing is deleted there that is not here, what is wrong is said,
and with a server that behaves again all is well. SPDX-License-Identifier: MIT"""
from hostile import CUT, STALL, asking, before, drop, edit, instead, on, reorder, within
from hostile_case import HostileCase, add_tests, main
from hostile_pop import (MODERN, body, err, gathered, ignore, lost, refuse, swapped, twice)
from hostile_pop_case import NONSENSE, Row

NO_POP = "the server's answer begins with neither [+]OK nor -ERR"
CLOSED = "the connection was closed by the other side"
SILENT = "no answer from the server for 1 s"
UNSAID = r"the server did not say that it deleted \d messages"
DAMAGED = (r"^warning: work: the server's list of messages is damaged: what has no number or "
           r"unique-id there is not fetched, and nothing counts as gone\n$")
FIRST = Row.FIRST
LATER = ("all later", "none later")

# --- Before anything is looked at -------------------------------------------------------


def opening(name, said, code, words):
    return Row("a greeting " + name, [on("greeting", instead(*said))], code, words, stages=["none"])


def login(name, fault, code, words, **more):
    return Row("a login " + name, [on("PASS|AUTH", fault)], code, words, stages=["none"], **more)


OPENINGS = [
    opening("that refuses", [b"-ERR too many connections\r\n"], 75,
            "greeting: too many connections"),
    opening("of a web server", [b"HTTP/1.1 400 Bad Request\r\n\r\n<html>"], 75, NO_POP),
    opening("of an IMAP server", [b"* OK IMAP4rev1 hello\r\n"], 75, NO_POP),
    opening("of random bytes", [bytes(range(256)) * 3], 75, NO_POP),
    opening("of nothing but NULs", [b"\0" * 1000 + b"\n"], 75, NO_POP),
    opening("that is cut", [b"+OK he", CUT], 75, CLOSED),
    opening("with NULs", [b"+OK a\0b\0\r\n"], 0, ""),
    opening("that comes twice", [b"+OK a\r\n+OK b\r\n"], 75, "never sent"),
    login("that is cut", instead(CUT), 75, CLOSED),
    login("refused", err(b"no such user"), 77, "PASS: no such user"),
    login("refused with the code", err(b"[AUTH] wrong"), 77, "PASS: wrong"),
    login("refused by AUTH", err(b"[AUTH] wrong"), 77, "AUTH: wrong", capabilities=MODERN),
    login("in use", err(b"[IN-USE] another session"), 75, "another session"),
    login("too early", err(b"[LOGIN-DELAY] once in 5 minutes"), 75, "once in 5 minutes"),
    login("refused for now", err(b"[SYS/TEMP] backend is down"), 75, "backend is down"),
    login("refused for ever", err(b"[SYS/PERM] account is closed"), 1, "account is closed"),
    login("of a locked maildrop", err(b"maildrop already locked"), 75, "already locked"),
    login("answered by a challenge", instead(b"+ \r\n"), 75, "challenge"),
    login("with one challenge more", instead(b"+ \r\n" * 3), 77, "AUTH: no", capabilities=MODERN),
    login("refused by what drives a terminal", err(b"\x1b[2J\x07 no\x7f"), 77,
          r"^syncd: work: PASS: \?\[2J\? no\?\n$"),
    login("answered by nonsense", instead(b"OK\r\n"), 75, NO_POP),
]


class Openings(HostileCase):
    """Nobody has seen a message yet."""


add_tests(Openings, OPENINGS)

# --- What it can do ---------------------------------------------------------------------


def offered(name, *said, **more):
    return Row("capabilities " + name, [on("CAPA", within(*(line + b"\r\n" for line in said)))],
               stages=FIRST, **more)


CAPABILITIES = [
    Row("capabilities refused", [refuse(rb"CAPA", b"what?")], stages=FIRST),
    Row("capabilities without an end of line", [on("CAPA", instead(b"+OK\r\n", b".", STALL))], 75,
        SILENT, timeout="1s", stages=FIRST),
    offered("of bytes", bytes(range(128, 256)), b"\0\0\0", b"", b" ", b"UIDL" * 2000),
    offered("with a policy that is none", b"LOGIN-DELAY -1", b"EXPIRE x", b"LOGIN-DELAY",
            b"LOGIN-DELAY 99999999999999999999"),
    offered("that are said twice", b"UIDL", b"TOP", b"UIDL NEVER"),
    Row("AUTH announced and refused", [refuse(rb"AUTH", b"unknown command")], 77,
        "AUTH: unknown command", capabilities=MODERN, stages=FIRST),
    Row("USER refused", [refuse(rb"USER", b"no such user")], 77, "USER: no such user",
        stages=FIRST),
    Row("UIDL announced and refused", [refuse(rb"UIDL", b"unknown command")], 78,
        "the server tells no unique-ids .UIDL., so that only keep = none works", none=(0, "")),
    Row("STLS announced and refused", [on("CAPA", within(b"STLS\r\n"))], 77,
        "STLS: no", stages=FIRST, tls="starttls"),
    Row("STLS stripped", [], 77, "the server offers no STLS, which the configuration demands",
        stages=FIRST, tls="starttls"),
    Row("STLS with something said before it",
        [on("CAPA", within(b"STLS\r\n")), on("STLS", instead(b"+OK\r\n+OK\r\n"))], 75,
        "5 bytes followed the answer to STARTTLS in plaintext", stages=FIRST, tls="starttls"),
]


class Capabilities(HostileCase):
    """CAPA lies."""


add_tests(Capabilities, CAPABILITIES)

# --- LIST and UIDL ----------------------------------------------------------------------


def sized(name, size, **more):
    return Row("sizes that are " + name, [on("LIST", edit(rb"^(\d+) \d+", rb"\1 " + size))],
               **more)


def named(name, uid, code=0, words="", **more):
    """The second message's unique-id."""
    return Row("a unique-id " + name, [on("UIDL", edit(rb"^2 [^\r]*", b"2 " + uid))], code, words,
               **more)


def numbered(name, change, code=0, words="", both=True, **more):
    """In the answer to LIST, or to UIDL as well."""
    where = "LIST|UIDL" if both else "LIST"
    return Row("numbers " + name, [on(where, change)], code, words, **more)


def others(session, command, parts):
    """Unique-ids that are others in each session."""
    return edit(rb"^(\d+) uid", rb"\1 at-%d" % (id(session) % 100000))(session, command, parts)


LISTINGS = [
    Row("LIST refused", [refuse(rb"LIST", b"no list")], 1, "LIST: no list"),
    Row("LIST without a message that UIDL has", [on("LIST", drop(rb"2 "))]),
    Row("UIDL without a message that LIST has", [on("UIDL", drop(rb"2 "))], words=DAMAGED),
    Row("UIDL with a message that LIST has not", [on("UIDL", within(b"9 ghost\r\n"))], 1,
        "set aside: RETR: no"),
    Row("LIST with a message that UIDL has not", [on("LIST", within(b"9 100\r\n"))], words=DAMAGED),
    Row("an empty LIST", [on("LIST", drop(rb"\d"))]),
    Row("an empty UIDL", [on("UIDL", drop(rb"\d"))], words=DAMAGED),
    Row("both empty", [on("LIST|UIDL", drop(rb"\d"))]),
    numbered("that are zero", edit(rb"^1 ", b"0 "), words=DAMAGED),
    numbered("that are negative", edit(rb"^1 ", b"-1 "), words=DAMAGED),
    numbered("that are huge", edit(rb"^1 ", b"4294967295 "), 1, "set aside: RETR: no",
             asides=True, stages=FIRST + ("none later",)),
    numbered("beyond all bounds", edit(rb"^1 ", b"18446744073709551617 "), words=DAMAGED),
    numbered("that are words", edit(rb"^1 ", b"one "), words=DAMAGED),
    numbered("that come twice", reorder(lambda parts: parts + parts[1:])),
    numbered("that come down", reorder(lambda parts: parts[:1] + parts[:0:-1])),
    numbered("that come down in one", reorder(lambda parts: parts[:1] + parts[:0:-1]), both=False),
    numbered("of two names", on("UIDL", within(b"1 other\r\n")), words=DAMAGED),
    numbered("with NULs", edit(rb"^2 ", b"2\0 "), words=DAMAGED),
    sized("0", b"0"), sized("1", b"1"), sized("2^63", b"9223372036854775808"),
    sized("2^64", b"18446744073709551616", words=DAMAGED),
    sized("too large", b"5000000"), sized("too small", b"9"),
    sized("negative", b"-5", words=DAMAGED), sized("words", b"large", words=DAMAGED),
    sized("followed by words", b"77 octets"),
    named("that is empty", b"", words=DAMAGED),
    named("of 480 bytes", b"u" * 480),
    named("of 481 bytes", b"u" * 481, words=DAMAGED),
    named("with blanks", b"a b  c"),
    named("with control characters", b"a\x1b[2Jb", words=DAMAGED),
    named("of bytes", bytes(range(128, 256))),
    Row("equal unique-ids", [on("UIDL", edit(rb"^(\d+) [^\r]*", rb"\1 same"))]),
    Row("other unique-ids", [on("UIDL", others)]),
    Row("line ends without CR", [on("(?!RETR|TOP).*", edit(rb"\r\n", b"\n"))]),
    Row("LIST cut", [on("LIST", reorder(lambda parts: parts[:2] + [CUT]))], 75, CLOSED),
    Row("UIDL cut", [on("UIDL", reorder(lambda parts: parts[:2] + [CUT]))], 75, CLOSED),
    Row("UIDL cut in a line", [on("UIDL", instead(b"+OK\r\n1 uid", CUT))], 75, CLOSED),
]


class Listings(HostileCase):
    """Who is not known is not touched."""


add_tests(Listings, LISTINGS)

# --- Bodies -----------------------------------------------------------------------------

ALL = ("one", "two", "three", "four", "new", "newer")


def half(*said):
    """So much of the second message."""
    def fault(session, command, parts):
        return [parts[0], parts[1][:len(parts[1]) // 2], *said] if len(parts) == 3 else parts
    return asking(rb"RETR [25]$", fault)


BODIES = [
    Row("a message refused", [refuse(rb"RETR [25]$", b"damaged")], 1,
        "set aside: RETR: damaged", asides=True),
    Row("a message refused by code", [refuse(rb"RETR [25]$", b"[SYS/PERM] damaged")], 1,
        "set aside: RETR: damaged", asides=True),
    Row("a message refused for now", [refuse(rb"RETR [25]$", b"[SYS/TEMP] busy")]),
    Row("a message that is cut", [half(CUT)], 75, CLOSED),
    Row("a message that ends in an error", [half(b"\r\n-ERR disk\r\n", CUT)], 75, CLOSED),
    Row("a message with an error behind which nothing comes", [half(b"\r\n-ERR disk\r\n", STALL)],
        75, SILENT, timeout="1s"),
    Row("a message without CR", [on("RETR", edit(rb"\r\n", b"\n"))]),
    Row("everything without CR", [on(".*", edit(rb"\r\n", b"\n"))]),
    # Only CRLF ends a line, so that no message ends itself (docs/decisions.md).
    Row("a body without CR", [on("RETR", body(lambda data: data.replace(b"\r\n", b"\n")))], 75,
        SILENT, timeout="1s"),
    Row("a body with NULs", [on("RETR", body(lambda data: data + b"\0\0\r\n\0.\r\n"))], bent=ALL),
    Row("dots that are not stuffed", [on("RETR", body(lambda data: data.replace(b"\n..", b"\n.")))],
        bent=ALL),
    Row("dots that are stuffed twice",
        [on("RETR", body(lambda data: data.replace(b"\n.", b"\n..")))], bent=ALL),
    Row("a lone dot in a message", [asking(rb"RETR [25]$", body(
        lambda data: data[:-20] + b"\r\n.\r\n" + data[-20:]))], 75, NO_POP,
        doubles=("two", "new", "newer")),
    Row("an end without a line before it", [on("RETR", body(lambda data: data[:-2]))], 75, SILENT,
        timeout="1s"),
]


class Bodies(HostileCase):
    """RETR."""


add_tests(Bodies, BODIES)

# --- Deleting, and the end --------------------------------------------------------------

ENDS = [
    Row("DELE refused", [refuse(rb"DELE 2$", b"no")]),
    Row("DELE refused for now", [refuse(rb"DELE 2$", b"[SYS/TEMP] busy")]),
    Row("DELE refused for all", [refuse(rb"DELE", b"no")]),
    Row("DELE not carried out", [ignore(rb"DELE")]),
    Row("DELE that is cut", [on("DELE", instead(CUT))], none=(75, CLOSED)),
    Row("DELE answered by nonsense", [on("DELE", instead(b"fine\r\n"))], none=(75, NO_POP)),
    Row("QUIT refused", [refuse(rb"QUIT", b"some were not removed")],
        none=(1, "some were not removed")),
    Row("QUIT refused and carried out", [on("QUIT", err(b"some were not removed"))],
        none=(1, "some were not removed")),
    Row("QUIT not carried out", [ignore(rb"QUIT")]),
    Row("QUIT without an answer", [on("QUIT", instead())], none=(75, CLOSED)),
    Row("QUIT lost", [lost(rb"QUIT")], none=(75, CLOSED)),
    Row("QUIT answered by nonsense", [on("QUIT", instead(b"bye\r\n"))], none=(75, NO_POP)),
    Row("QUIT answered twice", [twice(rb"QUIT")]),
]


class Ends(HostileCase):
    """DELE and QUIT."""


add_tests(Ends, ENDS)

# --- PIPELINING -------------------------------------------------------------------------


def piped(name, fault, code=0, words="", **more):
    """`fault` keeps count: it is made anew for each."""
    return Row("a pipe " + name, lambda: [fault(), gathered], code, words, capabilities=MODERN,
               timeout="1s", **more)


def swallowed(pattern):
    return lambda: asking(pattern, instead())


PIPES = [
    piped("that is in order", before),
    piped("that swallows the first message", swallowed(rb"RETR [14]$"), 75, SILENT),
    piped("that swallows a message", swallowed(rb"RETR [25]$"), 75, SILENT),
    piped("that swallows LIST", swallowed(rb"LIST"), 75, SILENT),
    piped("that swallows UIDL", swallowed(rb"UIDL"), 75, SILENT),
    piped("that swallows a DELE", swallowed(rb"DELE 1"), none=(75, SILENT)),
    piped("that swaps two messages", lambda: swapped("RETR")),
    piped("that swaps LIST and UIDL", lambda: swapped("LIST|UIDL"), words=DAMAGED),
    piped("that says a message twice", lambda: twice(rb"RETR [14]$"), 75, "never sent|neither",
          doubles=("one", "new")),
    piped("that says LIST twice", lambda: twice(rb"LIST"), 75, "never sent|neither",
          doubles=[NONSENSE]),
    piped("that says UIDL twice", lambda: twice(rb"UIDL"), 75, "never sent|neither",
          doubles=[NONSENSE]),
    piped("that says DELE twice", lambda: twice(rb"DELE 1$"), none=(75, "never sent|neither")),
    piped("that is cut", lambda: asking(rb"RETR [25]$", instead(CUT)), 75, CLOSED),
]


class Pipes(HostileCase):
    """PIPELINING announced and broken."""


add_tests(Pipes, PIPES)


if __name__ == "__main__":
    main()
