"""A small but real POP3 server for tests. It misbehaves by the faults of hostile.py.

Server answers as RFC 1939 and what it announces say. The answer that a fault is given is the
status line, one part a line of a listing or one part for a message, and the lone dot.
SPDX-License-Identifier: MIT"""
import base64
import re

import dovecot
import hostile

from hostile import CUT, asking, instead

PLAIN = ("TOP", "UIDL", "USER")
MODERN = PLAIN + ("SASL PLAIN", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING")

END = b".\r\n"


# --- Faults -----------------------------------------------------------------------------


def err(said):
    """Nothing but this: err(b"[SYS/TEMP] later")."""
    return instead(b"-ERR " + said + b"\r\n")


def refuse(pattern, said):
    """-ERR to commands whose line matches this, which are not carried out."""
    fault = asking(pattern, err(said))
    fault.refused = pattern
    return fault


def ignore(pattern):
    """+OK to commands whose line matches this, which are not carried out."""
    fault = asking(pattern, instead(b"+OK\r\n"))
    fault.refused = pattern
    return fault


def lines(*said):
    """A listing that says this in place of what it should."""
    return instead(b"+OK\r\n", *(line + b"\r\n" for line in said), END)


def body(change):
    """`change(data)` gives what is sent in place of a message: stuffed already, without its end."""
    def fault(session, command, parts):
        sent = change(parts[1]) if len(parts) == 3 else b""
        return [part for part in (parts[0], sent, parts[2]) if part] if len(parts) == 3 else parts
    return fault


def lost(pattern):
    """Commands whose line matches this never arrive: the connection is cut."""
    fault = asking(pattern, instead(CUT))
    fault.refused = pattern
    return fault


def swapped(verbs):
    """The answers to the first two commands that match come in the wrong order."""
    held = {}

    def fault(session, command, parts):
        waits = held.setdefault(session, [])
        if not re.fullmatch(verbs, command.name) or len(waits) > 1:
            return parts
        waits.append(list(parts))
        return [] if len(waits) == 1 else waits[1] + waits[0]
    return fault


def twice(pattern):
    """The answer to the first command that matches comes two times."""
    told = set()

    def fault(session, command, parts):
        if session in told or not re.search(pattern, command.line):
            return parts
        told.add(session)
        return list(parts) * 2
    return fault


def gathered(session, command, parts):
    """What commands in one pipe are answered goes out at once, so that it is read at once, too."""
    session.held += parts
    session.line.settimeout(0)
    has_more = session.stream.peek(1) != b""
    session.line.settimeout(None)
    if has_more:
        return []
    held, session.held = session.held, []
    return held if CUT in held else [b"".join(held)]


# --- A connection -----------------------------------------------------------------------


def stuffed(data):
    """As RFC 1939 section 3 sends it."""
    return re.sub(rb"(?m)^\.", b"..", data)


class Command:
    def __init__(self, line):
        self.line = line
        words = line.decode("utf-8", "replace").split(" ")
        self.name, self.args = words[0].upper(), words[1:]


class Session(hostile.Session):
    """One connection. The method for a command is named after it and returns its answer's parts,
    or None where it will not do that."""

    def __init__(self, server, line):
        super().__init__(server, line)
        self.drop, self.marked, self.user = None, set(), None
        self.held = []

    def serve(self):
        self.say(Command(b"greeting"), [b"+OK hello\r\n"])
        while True:
            line = self.stream.readline()
            self.server.heard.append(line)
            if not line:
                return
            command = Command(line.rstrip(b"\r\n"))
            with self.server.lock:
                parts = self.act(command)
            self.say(command, parts)
            if command.name == "QUIT":
                return

    def act(self, command):
        method = getattr(self, "do_" + command.name.lower(), None)
        refused = [getattr(fault, "refused", None) for fault in self.server.faults]
        if any(pattern and re.search(pattern, command.line) for pattern in refused):
            return []
        try:
            parts = method(*command.args) if method else None
        except (IndexError, TypeError, ValueError):
            parts = None
        return [b"-ERR no\r\n"] if parts is None else parts

    def message(self, number):
        """The one of this number, unless it is marked deleted."""
        if int(number) < 1 or int(number) in self.marked:
            raise IndexError(number)
        return self.drop[int(number) - 1]

    def numbered(self):
        return [(number, message) for number, message in enumerate(self.drop, 1)
                if number not in self.marked]

    # Logging in.

    def do_capa(self):
        return [b"+OK\r\n"] + [line.encode() + b"\r\n" for line in self.server.capabilities] + [END]

    def enter(self, user, password):
        if (user, password) != (dovecot.USER, dovecot.PASSWORD):
            return [b"-ERR [AUTH] wrong\r\n"]
        self.drop = list(self.server.drop)
        return [b"+OK %d messages\r\n" % len(self.drop)]

    def do_user(self, user):
        self.user = user
        return [b"+OK\r\n"]

    def do_pass(self, *words):
        return self.enter(self.user, " ".join(words))

    def do_auth(self, _mechanism, initial):
        return self.enter(*base64.b64decode(initial).decode().split("\0")[1:])

    # The maildrop.

    def do_list(self):
        return [b"+OK\r\n"] + [b"%d %d\r\n" % (number, len(message.data))
                               for number, message in self.numbered()] + [END]

    def do_uidl(self):
        return [b"+OK\r\n"] + [b"%d %s\r\n" % (number, message.uid)
                               for number, message in self.numbered()] + [END]

    def do_retr(self, number):
        return [b"+OK\r\n", stuffed(self.message(number).data), END]

    def do_top(self, number, count):
        head, _, rest = self.message(number).data.partition(b"\r\n\r\n")
        shown = b"".join(rest.splitlines(True)[:int(count)])
        return [b"+OK\r\n", stuffed(head + b"\r\n\r\n" + shown), END]

    def do_dele(self, number):
        self.message(number)
        self.marked.add(int(number))
        return [b"+OK\r\n"]

    def do_quit(self):
        if self.drop is not None:
            self.server.remove([self.drop[number - 1] for number in self.marked])
        return [b"+OK bye\r\n"]


# --- The server -------------------------------------------------------------------------


class Message:
    def __init__(self, uid, data):
        self.uid, self.data = uid, data


class Server(hostile.Server):
    """A maildrop. gone: what clients deleted."""

    session = Session

    def __init__(self, capabilities=PLAIN, faults=(), certificate=None):
        self.drop, self.gone, self.added = [], [], 0
        super().__init__(capabilities, faults, certificate)

    def add(self, data, uid=None):
        self.added += 1
        self.drop.append(Message(uid or b"uid-%d" % self.added, data))

    def remove(self, messages):
        self.gone += messages
        self.drop = [message for message in self.drop if message not in messages]

    def asked(self, *verbs):
        """How many commands of these names came."""
        return sum(line.split(b" ")[0].strip().decode("ascii", "replace").upper() in verbs
                   for line in self.heard)
