"""A small but real IMAP server for tests, and the ways in which it can misbehave.

Server answers as RFC 3501 and what it announces say. Each of its `faults` is then
given every answer before it goes out, as (session, command, parts): the complete
responses in order, the tagged one last. It returns what is sent in their place, which
may be endless, and may hold CUT and STALL. The functions under "Faults" make them.
SPDX-License-Identifier: MIT"""
import base64
import itertools
import re
import select
import socket
import ssl
import threading
import time

import dovecot
import views

PLAIN = "IMAP4rev1 LITERAL+ UIDPLUS UNSELECT"
MODERN = PLAIN + (" IDLE ID ENABLE NAMESPACE MOVE ESEARCH CONDSTORE QRESYNC LIST-EXTENDED"
                  " LIST-STATUS SPECIAL-USE SASL-IR")

CUT, STALL = object(), object()


# --- Faults -----------------------------------------------------------------------------


def matches(name, command):
    return re.fullmatch(name, command.name, re.IGNORECASE)


def on(name, *changes):
    """Applies only to answers to commands that match this pattern: "SELECT", "UID .*", ".*"
    (the greeting is the answer to "greeting", and what is said in IDLE that to "idling")."""
    def fault(session, command, parts):
        if matches(name, command):
            for change in changes:
                parts = change(session, command, parts)
        return parts
    return fault


def asking(pattern, *changes):
    """Applies only to answers to commands whose line matches this: rb"BODY.PEEK"."""
    def fault(session, command, parts):
        if re.search(pattern, command.line):
            for change in changes:
                parts = change(session, command, parts)
        return parts
    return fault


def before(*said):
    """Said before the answer."""
    return lambda session, command, parts: list(said) + list(parts)


def within(*said):
    """Said right before the tagged line."""
    return lambda session, command, parts: parts[:-1] + list(said) + parts[-1:]


def behind(*said):
    """Said after the tagged line."""
    return lambda session, command, parts: list(parts) + list(said)


def between(said):
    """Said before each part."""
    return lambda session, command, parts: [p for part in parts for p in (said, part)]


def answer(said):
    """Nothing but this tagged line: b"NO [CANNOT] I will not"."""
    return lambda session, command, parts: [command.tag + b" " + said + b"\r\n"]


def refuse(name, said):
    """As `answer`, and the command is not carried out."""
    fault = on(name, answer(said))
    fault.refused = name
    return fault


def instead(*said):
    """Nothing but this."""
    return lambda session, command, parts: list(said)


def edit(pattern, replacement):
    """A regular expression over each part."""
    def fault(session, command, parts):
        return [re.sub(pattern, replacement, p, flags=re.DOTALL) if isinstance(p, bytes) else p
                for p in parts]
    return fault


def drop(pattern):
    """Parts that match are left out."""
    return lambda session, command, parts: [p for p in parts if not re.match(pattern, p, re.DOTALL)]


def reorder(order):
    """`order` is given the untagged parts and returns them as they are to be sent."""
    return lambda session, command, parts: list(order(parts[:-1])) + parts[-1:]


def endless(*said):
    """Without end, each made by a function of a counter or the same every time, in place of the
    answer."""
    def fault(session, command, parts):
        return (s(n) if callable(s) else s for n in itertools.count(1) for s in said)
    return fault


def meddle(change):
    """Lets `change(server)` do something to the mailboxes, and answers as before."""
    def fault(session, command, parts):
        change(session.server)
        return parts
    return fault


# --- Mailboxes --------------------------------------------------------------------------


class Message:
    def __init__(self, uid, data, flags, date, modseq):
        self.uid, self.data, self.flags = uid, data, set(flags)
        self.date, self.modseq = date, modseq


class Mailbox:
    def __init__(self, uidvalidity):
        self.uidvalidity, self.uidnext, self.modseq = uidvalidity, 1, 1
        self.messages = []
        self.gone = []  # (UID, modseq)

    def add(self, data, flags=(), date=1_300_000_000, uid=None):
        self.modseq += 1
        uid = uid or self.uidnext
        self.uidnext = max(self.uidnext, uid + 1)
        self.messages.append(Message(uid, data, flags, date, self.modseq))
        return uid

    def remove(self, uid):
        self.modseq += 1
        self.gone.append((uid, self.modseq))
        self.messages = [m for m in self.messages if m.uid != uid]

    def flag(self, message, flags):
        if message.flags != flags:
            self.modseq += 1
            message.flags, message.modseq = flags, self.modseq

    def named(self, text):
        """The messages of a UID set."""
        top = self.messages[-1].uid if self.messages else 0
        chosen = set()
        for piece in text.decode().split(","):
            ends = [top if end == "*" else int(end) for end in piece.split(":")]
            chosen |= {m.uid for m in self.messages if min(ends) <= m.uid <= max(ends)}
        return [m for m in self.messages if m.uid in chosen]


# --- Reading commands -------------------------------------------------------------------


TOKEN = re.compile(rb'\s*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|(\{LITERAL\})|'
                   rb'((?:[^\s()"\[]|\[[^\]]*\])+))')


class Command:
    """tag, name ("UID FETCH" is one) and arguments: bytes, and lists for parentheses."""

    def __init__(self, line, literals=()):
        self.line, left = line, list(literals)
        tag, _, rest = line.partition(b" ")
        words = rest.split(b" ", 2)
        size = 2 if words[0].upper() == b"UID" and len(words) > 1 else 1
        self.tag, self.name = tag, b" ".join(words[:size]).upper().decode("ascii", "replace")
        stack = [[]]
        for opened, closed, quoted, literal, atom in TOKEN.findall(rest[len(self.name):]):
            if opened:
                stack.append([])
            elif closed:
                done = stack.pop()
                stack[-1].append(done)
            else:
                stack[-1].append(left.pop(0) if literal else
                                 atom or re.sub(rb"\\(.)", rb"\1", quoted))
        self.args = stack[0]


def quoted(name):
    """A string, or a literal where it cannot be one."""
    if re.search(rb"[\r\n\0]", name):
        return b"{%d}\r\n" % len(name) + name
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def stamp(seconds):
    return time.strftime('"%d-%b-%Y %H:%M:%S +0000"', time.gmtime(seconds)).encode()


# --- A connection -----------------------------------------------------------------------


class Session:
    """One connection. The method for a command is named after it and returns its answer's parts,
    untagged; a string at their end is the tagged line's text in place of "OK done"."""

    def __init__(self, server, line):
        self.server, self.line = server, line
        self.stream = line.makefile("rb")
        self.mailbox, self.name, self.seen = None, None, []
        self.has_modseq = self.has_qresync = False

    def serve(self):
        self.say(Command(b"* greeting"), [b"* OK [CAPABILITY %s] hello\r\n" % self.capabilities()])
        while True:
            command = self.read()
            if command is None:
                return
            with self.server.lock:
                parts = self.act(command)
            self.say(command, parts)
            if command.name == "LOGOUT":
                return

    def capabilities(self):
        return self.server.capabilities.encode() + b" AUTH=PLAIN"

    def read(self):
        line, literals = b"", []
        while True:
            more = self.stream.readline()
            self.server.heard.append(more)
            line += more
            found = re.search(rb"\{(\d+)(\+?)\}\r\n$", line)
            if not more or not found:
                return Command(line.rstrip(b"\r\n"), literals) if line.strip() else None
            if not found.group(2):
                self.say(Command(b"* continuation"), [b"+ go ahead\r\n"])
            literals.append(self.stream.read(int(found.group(1))))
            line = line[:found.start()] + b"{LITERAL}"

    def say(self, command, parts):
        for fault in self.server.faults:
            parts = fault(self, command, parts)
        for part in parts:
            if part is CUT:
                raise OSError("cut")
            if part is STALL:
                self.server.over.wait()
                raise OSError("stalled to the end")
            self.send(part)

    def send(self, data):
        """As many bytes at a time as the server likes, and no more than it has left."""
        server = self.server
        size = server.split or len(data)
        for at in range(0, len(data), size):
            piece = data[at:at + size]
            if server.cut_after is not None:
                piece = piece[:max(server.cut_after - server.sent, 0)]
            self.line.sendall(piece)
            server.sent += len(piece)
            if server.cut_after is not None and server.sent >= server.cut_after:
                raise OSError("cut")

    # Commands.

    def act(self, command):
        method = getattr(self, command.name.lower().replace(" ", "_"), None)
        refused = [getattr(fault, "refused", "") for fault in self.server.faults]
        if any(name and matches(name, command) for name in refused):
            return []
        try:
            parts = list(method(*command.args)) if method else [b"BAD what?"]
        except (IndexError, KeyError, TypeError, ValueError) as fault:
            parts = [b"BAD that makes no sense: %s" % str(fault).encode()]
        text = parts.pop() if parts and not parts[-1].endswith(b"\n") else b"OK done"
        if self.mailbox is not None and command.name not in ("UID FETCH", "UID SEARCH", "SELECT"):
            parts += self.news()
        return parts + [command.tag + b" " + text + b"\r\n"]

    def news(self):
        """What came and went since this session was told last."""
        now = [m.uid for m in self.mailbox.messages]
        gone = [uid for uid in self.seen if uid not in now]
        if gone and self.has_qresync:
            yield b"* VANISHED %s\r\n" % b",".join(b"%d" % uid for uid in gone)
        for uid in gone:
            if not self.has_qresync:
                yield b"* %d EXPUNGE\r\n" % (self.seen.index(uid) + 1)
            self.seen.remove(uid)
        if len(now) > len(self.seen):
            yield b"* %d EXISTS\r\n" % len(now)
        self.seen = now

    def capability(self):
        return [b"* CAPABILITY %s\r\n" % self.capabilities()]

    def logout(self):
        return [b"* BYE see you\r\n"]

    def login(self, user, password):
        good = (user.decode(), password.decode()) == (dovecot.USER, dovecot.PASSWORD)
        return [b"OK [CAPABILITY %s] in" % self.capabilities() if good else
                b"NO [AUTHENTICATIONFAILED] wrong"]

    def authenticate(self, _mechanism, initial=None):
        if initial is None:
            self.say(Command(b"* continuation"), [b"+ \r\n"])
            initial = self.stream.readline()
        return self.login(*base64.b64decode(initial).split(b"\0")[1:])

    def id(self, _list):
        return [b'* ID ("name" "hostile" )\r\n']

    def enable(self, *names):
        self.has_modseq = True
        self.has_qresync = b"QRESYNC" in names
        return [b"* ENABLED %s\r\n" % b" ".join(names)]

    def namespace(self):
        return [b'* NAMESPACE (("" "/")) NIL NIL\r\n']

    def list(self, _reference, pattern, _return=None, options=()):
        if pattern == b"":
            return [b'* LIST (\\Noselect) "/" ""\r\n']
        found = []
        for name in self.server.mailboxes:
            found.append(b'* LIST (\\HasNoChildren) "/" %s\r\n' % quoted(name))
            if b"STATUS" in options:
                found += self.status(name, options[options.index(b"STATUS") + 1])
        return found

    def status(self, name, items):
        box = self.server.mailboxes[name]
        values = {b"MESSAGES": len(box.messages), b"UIDNEXT": box.uidnext,
                  b"UIDVALIDITY": box.uidvalidity, b"HIGHESTMODSEQ": box.modseq}
        told = b" ".join(b"%s %d" % (item, values[item]) for item in items)
        return [b"* STATUS %s (%s)\r\n" % (quoted(name), told)]

    def select(self, name, options=()):
        self.mailbox = self.name = None
        if name not in self.server.mailboxes:
            return [b"NO [NONEXISTENT] no such mailbox"]
        box = self.mailbox = self.server.mailboxes[name]
        self.name, self.seen = name, [m.uid for m in box.messages]
        parts = [b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n",
                 b"* %d EXISTS\r\n" % len(box.messages), b"* 0 RECENT\r\n",
                 b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)]\r\n",
                 b"* OK [UIDVALIDITY %d] for ever\r\n" % box.uidvalidity,
                 b"* OK [UIDNEXT %d] soon\r\n" % box.uidnext]
        if "CONDSTORE" in self.server.capabilities:
            parts.append(b"* OK [HIGHESTMODSEQ %d] so far\r\n" % box.modseq)
        if b"QRESYNC" in options:
            uidvalidity, modseq = (int(n) for n in options[options.index(b"QRESYNC") + 1][:2])
            if uidvalidity == box.uidvalidity:
                parts += self.changed_since(modseq)
        self.has_modseq |= bool(options)
        return parts + [b"OK [READ-WRITE] opened"]

    def changed_since(self, modseq):
        gone = [b"%d" % uid for uid, when in self.mailbox.gone if when > modseq]
        if gone:
            yield b"* VANISHED (EARLIER) %s\r\n" % b",".join(gone)
        for message in self.mailbox.messages:
            if message.modseq > modseq:
                yield self.fetched(message, [b"UID", b"FLAGS", b"MODSEQ"])

    def examine(self, name, options=()):
        return self.select(name, options)

    def noop(self, *_):
        return []

    subscribe = unsubscribe = noop

    def unselect(self):
        self.mailbox = None
        return []

    close = unselect

    def create(self, name):
        if name in self.server.mailboxes:
            return [b"NO [ALREADYEXISTS] there is one"]
        self.server.mailbox(name)
        return []

    def delete(self, name):
        return [] if self.server.mailboxes.pop(name, None) else [b"NO [NONEXISTENT] none"]

    def rename(self, old, new):
        self.server.mailboxes[new] = self.server.mailboxes.pop(old)
        return []

    def append(self, name, *what):
        if name not in self.server.mailboxes:
            return [b"NO [TRYCREATE] no such mailbox"]
        box = self.server.mailboxes[name]
        flags = [f.decode() for part in what if isinstance(part, list) for f in part]
        date = [part for part in what[:-1] if not isinstance(part, list)]
        seconds = views.imaplib.Internaldate2tuple(b'INTERNALDATE "' + date[0] + b'"')
        uid = box.add(what[-1], flags, int(time.mktime(seconds)))
        return [b"OK [APPENDUID %d %d] kept" % (box.uidvalidity, uid)]

    # Messages.

    def fetched(self, message, items):
        values = [b"UID %d" % message.uid]
        for item in items:
            upper = item.upper().replace(b".PEEK", b"")
            if upper == b"FLAGS":
                values.append(b"FLAGS (%s)" % " ".join(sorted(message.flags)).encode())
            elif upper == b"MODSEQ":
                values.append(b"MODSEQ (%d)" % message.modseq)
            elif upper == b"RFC822.SIZE":
                values.append(b"RFC822.SIZE %d" % len(message.data))
            elif upper == b"INTERNALDATE":
                values.append(b"INTERNALDATE " + stamp(message.date))
            elif upper.startswith(b"BODY["):
                data = message.data if upper == b"BODY[]" else header(message.data, upper)
                values.append(b"%s {%d}\r\n" % (upper, len(data)) + data)
        number = self.seen.index(message.uid) + 1 if message.uid in self.seen else 1
        return b"* %d FETCH (%s)\r\n" % (number, b" ".join(values))

    def uid_fetch(self, uids, items, since=()):
        self.has_modseq |= bool(since)
        items = list(items) if isinstance(items, list) else [items]
        if self.has_modseq and b"FLAGS" in items:
            items.append(b"MODSEQ")
        least = int(since[1]) if since else 0
        return [self.fetched(m, items) for m in self.mailbox.named(uids) if m.modseq > least]

    def uid_store(self, uids, change, flags):
        sign, names = change[:1], {f.decode() for f in flags}
        parts = []
        for message in self.mailbox.named(uids):
            self.mailbox.flag(message, message.flags | names if sign == b"+" else
                              message.flags - names)
            if self.has_modseq:
                parts.append(self.fetched(message, [b"MODSEQ"]))
        return parts

    def uid_search(self, *keys):
        """ALL, UID set and DELETED are known."""
        found = list(self.mailbox.messages)
        if b"UID" in keys:
            found = self.mailbox.named(keys[keys.index(b"UID") + 1])
        if b"DELETED" in keys:
            found = [m for m in found if "\\Deleted" in m.flags]
        uids = [b"%d" % m.uid for m in found]
        if keys[0] == b"RETURN":
            return [b"* ESEARCH (TAG \"x\") UID%s\r\n" % (b" ALL " + b",".join(uids) if uids
                                                         else b"")]
        return [b"* SEARCH%s\r\n" % b"".join(b" " + uid for uid in uids)]

    def uid_expunge(self, uids):
        for message in self.mailbox.named(uids):
            if "\\Deleted" in message.flags:
                self.mailbox.remove(message.uid)
        return [b"OK [HIGHESTMODSEQ %d] gone" % self.mailbox.modseq if self.has_modseq else
                b"OK gone"]

    def expunge(self):
        return self.uid_expunge(b"1:*")

    def uid_copy(self, uids, name):
        box, chosen = self.server.mailboxes[name], self.mailbox.named(uids)
        copied = [box.add(m.data, m.flags, m.date) for m in chosen]
        return [b"OK [COPYUID %d %s %s] there" % (
            box.uidvalidity, b",".join(b"%d" % m.uid for m in chosen),
            b",".join(b"%d" % uid for uid in copied)) if copied else b"OK none"]

    def uid_move(self, uids, name):
        chosen, parts = self.mailbox.named(uids), self.uid_copy(uids, name)
        for message in chosen:
            self.mailbox.remove(message.uid)
        return [b"* " + parts[0] + b"\r\n"] if chosen else parts

    def idle(self):
        """Waits for news of the selected mailbox, until DONE."""
        self.say(Command(b"* idling"), [b"+ idling\r\n"])
        self.server.lock.release()
        try:
            while not select.select([self.line], [], [], 0.02)[0]:
                with self.server.lock:
                    parts = list(self.news())
                self.say(Command(b"* idling"), parts)
        finally:
            self.server.lock.acquire()
        self.stream.readline()
        return []


def header(data, section):
    """The lines of BODY[HEADER.FIELDS (A B)]."""
    names = section[section.index(b"(") + 1:section.index(b")")].lower().split()
    lines = re.split(rb"\r\n(?![ \t])", data.partition(b"\r\n\r\n")[0])
    kept = [line for line in lines if line.partition(b":")[0].lower() in names]
    return b"".join(line + b"\r\n" for line in kept) + b"\r\n"


# --- The server -------------------------------------------------------------------------


class Server:
    """Listens from the start; also a context manager.

    capabilities  what it announces, and mostly can
    faults        changes to what it says; may be set at any time, as may:
    split         bytes at a time
    cut_after     bytes of all connections together, after which each is cut
    certificate   (certificate, key): TLS from the first byte
    """
    session = Session

    def __init__(self, capabilities=PLAIN, faults=(), certificate=None):
        self.capabilities, self.faults = capabilities, list(faults)
        self.split = self.cut_after = None
        self.sent = self.connections = 0
        self.heard = []
        self.lock, self.over = threading.Lock(), threading.Event()
        self.mailboxes, self.validity = {}, 1000
        self.mailbox(b"INBOX")
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for line in list(self.open):
            self._hang_up(line)

    def behave(self):
        """From now on, with new connections."""
        self.faults, self.split, self.cut_after = [], None, None
        self.over.set()
        self.over = threading.Event()

    def mailbox(self, name):
        self.validity += 1
        self.mailboxes[name] = Mailbox(self.validity)
        return self.mailboxes[name]

    def everything(self):
        """{name: messages}, as views.Remote has it."""
        return {views.utf7_decode(name.decode()): [
            views.Message(views.digest(m.data), frozenset(m.flags), m.date, m.uid)
            for m in box.messages] for name, box in self.mailboxes.items()}

    def _accept(self):
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(line)
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line):
        try:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                line = self.context.wrap_socket(line, server_side=True)
                self.open.add(line)
            self.session(self, line).serve()
        except (OSError, ValueError):
            pass
        self._hang_up(line)

    def _hang_up(self, line):
        self.open.discard(line)
        try:
            line.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        line.close()
