"""Servers that break the rules, one rule at a time: in a first pull, and in a later two-way pass.

Nothing here is lost or doubled, nothing is removed because of it, what is wrong is said,
and with a server that behaves again all is well. SPDX-License-Identifier: MIT"""
from hostile import (CUT, MODERN, PLAIN, STALL, answer, asking, before, behind, between, drop, edit,
                     instead, meddle, on, refuse, reorder, within)
from hostile_case import HostileCase, Row, add_tests, main

BARE = "IMAP4rev1"
SYNC_LITERALS = "IMAP4rev1 UIDPLUS UNSELECT"
FIRST, LATER = ("first",), ("later",)
ANY = "(?!greeting|continuation|idling).*"  # commands

# What is said, by mailbox.
DISBELIEF = (r"(warning: work: \w+: the server's list of \d+ messages is not believed: %s; what is "
             r"not in it does not count as deleted\n)+$")
ASIDE = (r"warning: work: \w+: UID \d+ set aside: the server lists this message but does not send "
         r"it\n|syncd: work: mailbox \w+: \d messages set aside\n")
NOT_SENT = "^(%s)+$" % ASIDE
REPAIRED = r"warning: work: \w+: UIDVALIDITY changed from \d+ to \d+; messages are paired again\n"


def both(text):
    """What is said of two mailboxes, in either order."""
    return r"^(syncd: work: (mailbox )?(INBOX|Work): %s\n)+$" % text


# --- Before anything is looked at -------------------------------------------------------


def opening(name, said, code, words, **more):
    return Row("a greeting " + name, [on("greeting", instead(*said))], code, words, stages=FIRST,
               **more)


def login(name, fault, code, words, **more):
    return Row("a login " + name, [on("LOGIN|AUTHENTICATE", fault)], code, words, stages=FIRST,
               **more)


NO_IMAP = "the server sent what is not IMAP: "
OPENINGS = [
    opening("that says BYE", [b"* BYE too many connections\r\n"], 75,
            "greeting: too many connections"),
    opening("of a web server", [b"HTTP/1.1 400 Bad Request\r\n\r\n<html>"], 75, NO_IMAP),
    opening("of a mail relay", [b"220 mx.example.org ESMTP\r\n"], 75, NO_IMAP),
    opening("of random bytes", [bytes(range(256)) * 3], 75, NO_IMAP),
    opening("of nothing but NULs", [b"\0" * 1000], 75, NO_IMAP),
    opening("that is cut", [b"* OK [CAPAB", CUT], 75, "closed by the other side"),
    login("that is cut", instead(CUT), 75, "closed by the other side"),
    login("answered by BYE", instead(b"* BYE see you\r\n", STALL), 75, "BYE: see you"),
    login("refused", answer(b"NO [AUTHENTICATIONFAILED] wrong"), 77, "AUTHENTICATE: wrong"),
    login("refused for now", answer(b"NO [UNAVAILABLE] backend is down"), 75, "backend is down"),
    login("of a throttled account", answer(b"NO User is authenticated but not connected."), 75,
          "not connected"),
    login("answered by BAD", answer(b"BAD what?"), 77, "AUTHENTICATE: what"),
    Row("no way to log in", [on("greeting", edit(rb"\[.*\]",
                                                 b"[CAPABILITY IMAP4rev1 LOGINDISABLED]"))],
        77, "no way to log in", stages=FIRST),
    Row("a bare plus for a challenge", [on("continuation", instead(b"+\r\n"))]),
    Row("a tag that was never sent", [on("SELECT", edit(rb"^A\d+", b"ZZ"))], 75,
        both("the server answered a command never sent"), stages=FIRST),
    Row("an answer without a tag", [on("SELECT", edit(rb"^A\d+ ", b""))], 75, NO_IMAP,
        stages=FIRST),
    Row("an answer that is no answer", [on("SELECT", edit(rb"^(A\d+) OK", rb"\1 MAYBE"))], 75,
        NO_IMAP,
        stages=FIRST),
    Row("OK without text", [on(ANY, edit(rb"^((?:\*|A\d+) OK(?: \[[^]]*\])?).*\r\n", rb"\1\r\n"))],
        capabilities=MODERN),
    Row("line ends without CR", [on("(?!UID FETCH).*", edit(rb"\r\n", b"\n"))],
        capabilities=MODERN),
]

# --- LIST -------------------------------------------------------------------------------

KEPT = (r"syncd: work: mailbox Work: the server has it, but leaves it out of its list: it stays as "
        r"it is\n")
UNUSABLE = (r"syncd: work: mailbox %s: its name cannot be represented on the other side; it is "
            r"left alone\n")
LISTS = [
    Row("a LIST refused", [on("LIST", answer(b"NO not today"))], 1, "LIST: not today"),
    Row("an empty LIST", [on("LIST", drop(rb"\* LIST"))], 0, "lacks INBOX"),
    Row("a LIST without a mailbox", [on("LIST", drop(rb".*Work"))], 0, stages=FIRST),
    Row("a LIST that lacks a mailbox", [on("LIST", drop(rb".*Work"))], 1, "^" + KEPT, stages=LATER),
    Row("a LIST with a damaged line",
        [on("LIST", edit(rb'\(\\HasNoChildren\) "/" "Work"', rb'(\\HasNoChildren "/" "Work"'))], 1,
        "^%s(%s)?$" % (UNUSABLE % r"\?", KEPT)),
    Row("a LIST with an open quote", [on("LIST", edit(rb'"/" "Work"', rb'"/" "Work'))], 1,
        "^%s$" % (UNUSABLE % "Work")),
    Row("a LIST that says all twice", [on("LIST", reorder(lambda parts: parts * 2))],
        capabilities=MODERN),
    Row("a LIST that says all and its contrary",
        [on("LIST", within(b'* LIST (\\NonExistent) "/" Work\r\n',
                           b'* LIST (\\Noselect) "/" INBOX\r\n'))]),
    Row("a LIST with a NUL in a name", [on("LIST", within(b'* LIST () "/" {5}\r\nnul\0x\r\n'))], 1,
        "^%s$" % (UNUSABLE % "nul")),
    Row("a LIST with a name of 5000 bytes", [on("LIST", within(b'* LIST () "/" "%s"\r\n' %
                                                               (b"x" * 5000)))],
        1, "^%s$" % (UNUSABLE % "x+")),
    Row("a LIST without separators", [on("LIST", edit(rb'"/"', b"NIL"))]),
    Row("an empty STATUS list", [on("LIST|STATUS", edit(rb'(STATUS "\w+") \(.*\)', rb"\1 ()"))],
        capabilities=MODERN),
    Row("a STATUS of another mailbox",
        [on("LIST",
            within(b"* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 5 HIGHESTMODSEQ 1)\r\n"))],
        capabilities=MODERN),
]

# --- SELECT -----------------------------------------------------------------------------


def selecting(name, pattern, replacement, code=0, words="", **more):
    return Row("SELECT with " + name, [on("SELECT", edit(pattern, replacement))], code, words,
               **more)


def modern(*args, **more):
    return selecting(*args, capabilities=MODERN, **more)


NO_VALIDITY = both("the server gives no UIDVALIDITY: its UIDs mean nothing")
NO_COUNT = both("the server does not say how many messages there are")
SELECTS = [
    Row("SELECT refused", [refuse("SELECT", b"NO [NONEXISTENT] gone")], 1,
        both(r"SELECT: gone \[NONEXISTENT\]")),
    Row("SELECT without UIDVALIDITY", [on("SELECT", drop(rb".*UIDVALIDITY"))], 1, NO_VALIDITY),
    Row("SELECT without EXISTS", [on("SELECT", drop(rb".*EXISTS"))], 1, NO_COUNT),
    Row("SELECT without UIDNEXT", [on("SELECT", drop(rb".*UIDNEXT"))]),
    Row("SELECT answered by OK alone", [on("SELECT", drop(rb"\*"))], 1, NO_VALIDITY, stages=LATER),
    selecting("an absurd UIDVALIDITY", rb"UIDVALIDITY \d+", b"UIDVALIDITY 99999999999", 1,
              NO_VALIDITY,
              stages=LATER),
    selecting("UIDVALIDITY 0", rb"UIDVALIDITY \d+", b"UIDVALIDITY 0", words="^(%s)*$" % REPAIRED,
              warns=REPAIRED, revives=["INBOX", "Work"]),
    selecting("another UIDVALIDITY", rb"UIDVALIDITY \d+", b"UIDVALIDITY 77",
              words="^(%s)*$" % REPAIRED,
              warns=REPAIRED, revives=["INBOX", "Work"]),
    selecting("a negative EXISTS", rb"\d+ EXISTS", b"-5 EXISTS", 1, NO_COUNT, stages=LATER),
    selecting("an absurd EXISTS", rb"\d+ EXISTS", b"99999999999 EXISTS", 1, NO_COUNT, stages=LATER),
    selecting("billions of messages", rb"\d+ EXISTS", b"4294967295 EXISTS", 1,
              both("the server says that the mailbox has 4294967295 messages, which is more than "
                   "4000000")),
    selecting("one message more", rb"\d EXISTS", b"9 EXISTS", 0,
              DISBELIEF % "it does not name as many.*"),
    selecting("one message less", rb"\d EXISTS", b"2 EXISTS", 0,
              DISBELIEF % "it does not name as many.*"),
    selecting("UIDNEXT 1", rb"UIDNEXT \d+", b"UIDNEXT 1", 0, DISBELIEF % "it names UIDs.*"),
    selecting("an absurd UIDNEXT", rb"UIDNEXT \d+", b"UIDNEXT 9999999999999999999999999"),
    selecting("no permanent flags", rb"PERMANENTFLAGS \([^)]*\)", b"PERMANENTFLAGS ()"),
    Row("SELECT that says there are none", [on("SELECT", edit(rb"\d EXISTS", b"0 EXISTS"))],
        capabilities=MODERN, stages=FIRST),
    modern("a negative HIGHESTMODSEQ", rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ -7"),
    modern("an absurd HIGHESTMODSEQ", rb"HIGHESTMODSEQ \d+",
           b"HIGHESTMODSEQ 99999999999999999999999"),
    modern("the last HIGHESTMODSEQ", rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ 9223372036854775807"),
]

# --- What vanished, as SELECT tells it --------------------------------------------------


def vanished(name, said, **more):
    return Row("SELECT tells that %s vanished" % name, [on("SELECT", within(said))],
               capabilities=MODERN, stages=LATER, **more)


VANISHED = [
    vanished("all", b"* VANISHED (EARLIER) 1:4294967295\r\n"),
    vanished("some that are there", b"* VANISHED (EARLIER) 1:3\r\n"),
    vanished("the first one", b"* VANISHED (EARLIER) 1\r\n"),
    vanished("up to a star", b"* VANISHED (EARLIER) 1:*\r\n"),
    vanished("some right now", b"* VANISHED 1:2\r\n",
             words=DISBELIEF % "it does not name as many.*"),
]

# --- The list of messages ---------------------------------------------------------------


def listing(name, *changes, code=0, words="", **more):
    """Of UIDs and flags."""
    return Row("a list " + name, [asking(rb"UID FETCH \S+ \(UID FLAGS\)", *changes)], code, words,
               **more)


FEWER = DISBELIEF % "it does not name as many.*"
UNASKED = r"^(warning: .* is not believed: .*\n|%s)+$" % ASIDE
LISTINGS = [
    listing("that names all twice", reorder(lambda parts: parts * 2)),
    listing("in descending order", reorder(lambda parts: parts[::-1])),
    listing("without the first message", reorder(lambda parts: parts[1:]), words=FEWER),
    listing("of nothing", reorder(lambda parts: []), words=FEWER),
    listing("with one UID for another", edit(rb"UID 2 ", b"UID 77 "), code=1,
            words=UNASKED, asides=True, revives=["INBOX"]),
    listing("with a message nobody knows", within(b"* 99 FETCH (UID 9999 FLAGS ())\r\n"), code=1,
            words=UNASKED),
    listing("with the last UID there is", within(b"* 6 FETCH (UID 4294967295 FLAGS ())\r\n"),
            code=1,
            words=UNASKED),
    listing("with an absurd UID", edit(rb"UID 2 ", b"UID 99999999999 "), words=FEWER),
    listing("with UID 0", edit(rb"UID 2 ", b"UID 0 "), words=FEWER),
    listing("with a negative UID", edit(rb"UID 2 ", b"UID -2 "), words=FEWER),
    listing("without UIDs", edit(rb"UID \d+ ", b""), words=FEWER),
    listing("without flags", edit(rb"FLAGS \([^)]*\)", b"FLAGS NIL"), words=FEWER),
    listing("with an open list of flags", edit(rb"FLAGS \(([^)]*)\)", rb"FLAGS (\1"),
            words=DISBELIEF % "some of it cannot be read"),
    listing("with flags that are none",
            edit(rb"FLAGS \(([^)]*)\)", rb'FLAGS (\1 "a b" {3}\r\nx\ny \\Odd \\* ((())) NIL x]y)')),
    listing("with thousands of keywords", edit(rb"FLAGS \(([^)]*)\)", b"FLAGS (%s)" % b" ".join(
        b"k%d" % n for n in range(3000))), flags=False),
    listing("with more flags than fit", within(b"* 1 FETCH (UID 1 FLAGS (%s))\r\n" %
                                               (b"k " * 20000)),
            code=1, words=both("a response of the server has more than 16384 arguments"),
            stages=FIRST),
    listing("a hundred lists deep", within(b"* 1 FETCH %s\r\n" % (b"(" * 100)), code=1,
            words=both("a response of the server has lists nested more than 32 deep"),
            stages=FIRST),
    listing("with negative MODSEQs", edit(rb"MODSEQ \(\d+\)", b"MODSEQ (-4)"), capabilities=MODERN),
    listing("with a literal of 2^64 bytes", within(b"* 1 FETCH (X {18446744073709551616}\r\n"),
            code=1,
            words=both(r"the server announced a literal of more than 2\^64 bytes"), stages=FIRST),
    listing("with a literal of 2^63 bytes", within(b"* 1 FETCH (X {9223372036854775807}\r\n"),
            code=1,
            words=both("the server announced a literal of 9223372036854775807 bytes"),
            stages=FIRST),
    listing("with a body that nobody wants", within(
        b"* 1 FETCH (UID 1 BODY[] {1000000}\r\n" + b"x" * 1_000_000 + b")\r\n")),
    listing("that is cut", lambda session, command, parts: parts[:2] + [CUT], code=75,
            words="closed by the other side"),
    listing("answered by NO", answer(b"NO sorry"), code=1, words=both("FETCH: sorry"),
            stages=LATER),
]

# --- Bodies -----------------------------------------------------------------------------

ALONE = rb"(BODY\[\]) \{\d+\}\r\n.*\)\r\n$"


def bodies(name, *changes, code=0, words="", **more):
    return Row("bodies " + name, [asking(rb"BODY\.PEEK\[\]", *changes)], code, words, **more)


def announced(name, size, code, words, **more):
    return bodies("said to have " + name, edit(rb"\{\d+\}", b"{%s}" % size), code=code, words=words,
                  **more)


def first_half(session, command, parts):
    return [parts[0][:len(parts[0]) // 2], CUT]


BODIES = [
    bodies("left out", edit(rb" " + ALONE, b")\r\n"), code=1, words=NOT_SENT, asides=True),
    bodies("that are NIL", edit(ALONE, rb"\1 NIL)\r\n"), code=1, words=NOT_SENT, asides=True),
    bodies("that are empty", edit(ALONE, b"BODY[] {0}\r\n)\r\n"), code=1, words=NOT_SENT,
           asides=True),
    bodies("of no UID", edit(rb"UID \d+ ", b""), code=1, words=NOT_SENT, asides=True),
    bodies("of another UID", edit(rb"UID \d+", b"UID 999"), code=1, words=NOT_SENT, asides=True),
    bodies("of a UID that is here already", edit(rb"UID [46]", b"UID 1"), code=1, words=NOT_SENT,
           asides=True, stages=LATER),
    bodies("behind the answer", lambda session, command, parts: parts[-1:] + parts[:-1], code=1,
           words=NOT_SENT, asides=True, stages=FIRST),
    bodies("that come twice", reorder(lambda parts: parts * 2)),
    bodies("in descending order", reorder(lambda parts: parts[::-1])),
    bodies("that are cut", first_half, code=75, words="closed by the other side"),
    bodies("of which some come before BYE", lambda session, command, parts: parts[:1] +
           [b"* BYE enough\r\n"], code=75, words="BYE: enough", stages=FIRST),
    bodies("between EXPUNGEs that are none", between(b"* 1 EXPUNGE\r\n")),
    bodies("refused", answer(b"NO [SERVERBUG] out of luck"), code=1,
           words="set aside: FETCH: out of luck",
           asides=True),
    bodies("refused for today", answer(b"NO [OVERQUOTA] Account exceeded bandwidth limits."),
           code=75,
           words="bandwidth limits"),
    announced("40 bytes", b"40", 75, NO_IMAP),
    announced("240 bytes", b"240", 75, NO_IMAP, stages=FIRST),
    announced("-1 bytes", b"-1", 75, NO_IMAP, stages=FIRST),
    announced("many bytes", b"many", 75, NO_IMAP, stages=FIRST),
    announced("2^40 bytes", b"1099511627776", 1, "announced a literal of 1099511627776 bytes"),
    bodies("with dates that are none", edit(rb'"[^"]*"', b'"99-Foo-99999 99:99:99 +9999"'),
           flags=False,
           stages=FIRST),
    bodies("of the year 1", edit(rb'"[^"]*"', b'"01-Jan-0001 00:00:00 +0000"'), flags=False,
           stages=FIRST),
    Row("UIDVALIDITY that changes in the middle",
        [on("UID FETCH", within(b"* OK [UIDVALIDITY 5] new\r\n"))],
        1, both("the server changed UIDVALIDITY")),
]

# --- Changes ----------------------------------------------------------------------------


def told(name, number):
    return Row("APPENDUID " + name, [on("APPEND", edit(rb"(APPENDUID \d+) \d+", rb"\1 " + number))],
               stages=LATER)


def refused(name, said, code, words, **more):
    return Row("an upload refused " + name, [refuse("APPEND", said)], code, words, stages=LATER,
               **more)


def lose(server):
    server.mailboxes[b"INBOX"].messages.pop()


def make_older(server):
    """Gmail brings back what it still has in its trash, with the date of then."""
    server.mailboxes[b"INBOX"].messages[-1].date = 1_000_000_000


CHANGES = [
    refused("for ever", b"BAD Command Error. 10", 1, "set aside: APPEND: Command Error. 10",
            asides=True),
    refused("for now", b"NO Request is throttled. Suggested Backoff Time: 300 milliseconds", 75,
            "throttled"),
    refused("for lack of room", b"NO [OVERQUOTA] it is full", 73,
            r"APPEND: it is full \[OVERQUOTA\]"),
    refused("for lack of a mailbox", b"NO [TRYCREATE] none", 1, r"APPEND: none \[TRYCREATE\]"),
    Row("an upload that is cut before its answer", [on("APPEND", instead(CUT))], stages=LATER),
    Row("an upload that is nowhere", [on("APPEND", meddle(lose), edit(rb"\[.*\] ", b""))], 1,
        "accepted this message but it cannot be found there", asides=True, stages=LATER),
    Row("an upload that brings back an older copy", [on("APPEND", meddle(make_older))], stages=LATER,
        flags=False),
    Row("an upload without APPENDUID", [on("APPEND", edit(rb"\[.*\] ", b""))], stages=LATER),
    told("of a message that is there", b"1"),
    told("of one that just came", b"6"),
    told("0", b"0"),
    told("of the last UID there is", b"4294967295"),
    told("beyond all numbers", b"99999999999"),
    told("of a thousand million", b"1:1000000000"),
    Row("APPENDUID of another mailbox", [on("APPEND", edit(rb"APPENDUID \d+", b"APPENDUID 5"))],
        stages=LATER),
    Row("a plus that comes too early", [on("SELECT", within(b"+ come on\r\n"))], stages=LATER,
        capabilities=SYNC_LITERALS),
    Row("a bare plus before a message", [on("continuation", instead(b"+\r\n"))], stages=LATER,
        capabilities=SYNC_LITERALS),
    Row("flags refused", [refuse("UID STORE", b"NO no")], 1, both("STORE: no"), stages=LATER),
    Row("flags refused though they were set", [on("UID STORE", answer(b"BAD no"))], 1,
        "Work: STORE: no",
        stages=LATER),
    Row("a removal refused", [refuse("UID EXPUNGE", b"NO no")], 1, "Work: EXPUNGE: no",
        stages=LATER),
    Row("a removal that is cut", [on("UID EXPUNGE", instead(CUT))], 75, "closed by the other side",
        stages=LATER),
]

# --- Capabilities that are lies ---------------------------------------------------------


def lie(name, command, code=0, words="", **more):
    return Row(name + " that is announced and refused", [refuse(command, b"BAD what is that?")],
               code, words,
               **dict({"capabilities": MODERN}, **more))


LIES = [
    lie("ENABLE", "ENABLE", stages=LATER),
    lie("ID", "ID", stages=FIRST),
    lie("NAMESPACE", "NAMESPACE", stages=FIRST),
    lie("UNSELECT", "UNSELECT", stages=LATER),
    lie("UIDPLUS", "UID EXPUNGE", 1, "Work: EXPUNGE: what is that?", stages=LATER,
        capabilities=PLAIN),
    Row("CONDSTORE that is announced and refused",
        [asking(rb"SELECT .*\(", answer(b"BAD what is that?"))], 1,
        both(r"SELECT: what is that\?"), capabilities=MODERN, stages=LATER),
    Row("LIST-STATUS that is announced and refused",
        [asking(rb"LIST .*RETURN", answer(b"BAD what?"))],
        capabilities=MODERN),
    Row("QRESYNC that is announced and not enabled", [on("ENABLE", drop(rb"\* ENABLED"))],
        capabilities=MODERN),
    Row("QRESYNC that tells of nothing new", [on("SELECT", drop(rb"\* \d+ FETCH"))],
        capabilities=MODERN,
        stages=LATER, flags=False),
    # What follows is read as commands then.
    Row("LITERAL+ that is announced and not known",
        [refuse("APPEND", b"BAD what?"), on("APPEND",
                                            behind(b"From: BAD what?\r\nTo: BAD what?\r\n"))], 1,
        "set aside: APPEND: what", asides=True, stages=LATER),
    Row("UIDPLUS that is not announced is not used", [refuse("UID EXPUNGE", b"BAD what?")],
        capabilities=BARE,
        stages=LATER),
    Row("everything refused", [refuse("(?!greeting|continuation|LOGIN|AUTHENTICATE|CAPABILITY).*",
                                      b"BAD what?")], 1, "LIST: what"),
]

# --- What nobody asked for --------------------------------------------------------------

HARMLESS = [
    b"* 7 RECENT\r\n", b"* OK [ALERT] quota\r\n", b"* FLAGS ()\r\n", b"* NO hm\r\n",
    b"* BAD what?\r\n",
    b"* PREAUTH hello\r\n", b'* XUNKNOWN (1 2 {3}\r\nabc "x")\r\n', b"\r\n", b"[COPYUID 1 1 1]\r\n",
    b"* STATUS INBOX ()\r\n", b"* ENABLED QRESYNC\r\n",
    b'* LIST () "/" INBOX\r\n', b"* OK [UIDNEXT 1] x\r\n", b"* OK [HIGHESTMODSEQ 1] x\r\n",
    b"* OK [PERMANENTFLAGS ()] none\r\n", b"* 99 EXPUNGE\r\n", b"* 0 EXPUNGE\r\n",
    b"* 0 FETCH (FLAGS ())\r\n",
    b"* 1 FETCH (UID 999 BODY[] {4}\r\nevil)\r\n", b"* 3 FETCH NIL\r\n", b"* OK [CLOSED] x\r\n",
    b'* NAMESPACE (("../" "/")) (("" "/")) NIL\r\n']


DOUBTS = r"^(warning: .* is not believed: .*\n)*$"


def unasked(name, said, **more):
    return Row(name + " everywhere", [on(ANY, within(said))], **more)


UNASKED_ROWS = [
    Row("harmless things everywhere", [on(ANY, within(*HARMLESS))]),
    Row("harmless things everywhere with extensions", [on(ANY, before(*HARMLESS))],
        capabilities=MODERN,
        words=DOUBTS),
    unasked("EXPUNGE", b"* 1 EXPUNGE\r\n"),
    unasked("EXPUNGE with extensions", b"* 1 EXPUNGE\r\n", capabilities=MODERN),
    unasked("a hundred messages more", b"* 100 EXISTS\r\n", words=DOUBTS),
    unasked("no messages at all", b"* 0 EXISTS\r\n", capabilities=MODERN, words=DOUBTS),
    Row("no messages at all behind every answer", [on(ANY, behind(b"* 0 EXISTS\r\n"))],
        words=DOUBTS),
    unasked("found messages", b"* SEARCH 1 2 3\r\n* ESEARCH UID ALL 1:3\r\n", capabilities=MODERN),
    unasked("fewer capabilities", b"* CAPABILITY IMAP4rev1\r\n", capabilities=MODERN, flags=False),
    unasked("VANISHED of all", b"* VANISHED 1:4294967295\r\n", capabilities=MODERN),
    unasked("VANISHED of some", b"* VANISHED (EARLIER) 1:3\r\n", capabilities=MODERN),
    Row("VANISHED of all behind every answer", [on(ANY, behind(b"* VANISHED 1:4294967295\r\n"))],
        capabilities=MODERN, words=DOUBTS),
    unasked("flags", b"* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n", flags=False),
    unasked("flags with extensions", b"* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n",
            capabilities=MODERN,
            flags=False),
    unasked("flags of nobody", b"* 1 FETCH (FLAGS (\\Deleted))\r\n", capabilities=MODERN),
    unasked("a list without mailboxes", b'* LIST (\\NonExistent) "/" Work\r\n',
            capabilities=MODERN),
    unasked("another UIDVALIDITY", b"* OK [UIDVALIDITY 9] x\r\n", words="^(%s)*$" % REPAIRED,
            warns=REPAIRED,
            revives=["INBOX", "Work"]),
    unasked("BYE", b"* BYE for today\r\n", code=75, words="BYE: for today"),
    unasked("a plus", b"+ go on\r\n", code=75, words="challenge makes no sense"),
]


class Openings(HostileCase):
    """The greeting, the login, and what every answer has."""


class Mailboxes(HostileCase):
    """LIST, STATUS and SELECT."""


class Messages(HostileCase):
    """Their list, and their bodies."""


class Changes(HostileCase):
    """What is sent to the server."""


class Capabilities(HostileCase):
    """What is announced and not done."""


class Unasked(HostileCase):
    """What nobody asked for, at every moment."""


add_tests(Openings, OPENINGS)
add_tests(Mailboxes, LISTS + SELECTS + VANISHED)
add_tests(Messages, LISTINGS + BODIES)
add_tests(Changes, CHANGES)
add_tests(Capabilities, LIES)
add_tests(Unasked, UNASKED_ROWS)


if __name__ == "__main__":
    main()
