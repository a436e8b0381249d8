"""How a test looks at the two sides: the server through imaplib or poplib, the maildir as files.

Both give lists of Message, which are equal where the sides are.
SPDX-License-Identifier: MIT"""
import base64
import collections
import hashlib
import imaplib
import os
import poplib
import re
import socket
import ssl
import time

import dovecot

imaplib._MAXLINE = 50_000_000
poplib._MAXLINE = 50_000_000

LETTERS = {"S": "\\Seen", "R": "\\Answered", "F": "\\Flagged", "D": "\\Draft", "T": "\\Deleted",
           "P": "$Forwarded"}

# digest: of the bytes with CRLF line ends; flags: IMAP names; date: seconds.
# where: the UID, or the file's path. Only the first three are compared.
Message = collections.namedtuple("Message", "digest flags date where")


def alike(messages):
    """What must be equal on both sides, in an order that does not depend on the side."""
    return sorted((m.digest, sorted(m.flags), m.date) for m in messages)


def digest(data):
    crlf = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return hashlib.sha256(crlf).hexdigest()


def utf7_encode(name):
    """RFC 3501 section 5.1.3."""
    def shift(match):
        packed = base64.b64encode(match.group(0).encode("utf-16-be")).rstrip(b"=")
        return "&" + packed.decode().replace("/", ",") + "-"
    return re.sub("[^ -~]+", shift, name.replace("&", "&-"))


def utf7_decode(name):
    def unshift(match):
        text = match.group(1).replace(",", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-16-be") if text else "&"
    return re.sub("&([^-]*)-", unshift, name)


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


# Which arguments of a command are names of mailboxes.
NAMED = {"CREATE": slice(None), "DELETE": slice(None), "RENAME": slice(None),
         "SUBSCRIBE": slice(None), "UNSUBSCRIBE": slice(None), "SELECT": slice(None),
         "APPEND": slice(1), "COPY": slice(2, None), "MOVE": slice(2, None)}


class Connection(imaplib.IMAP4_SSL):
    """Translates names between the tests and a server that has others (throwaway.Server.there)."""

    def __init__(self, server, context):
        self.server = server
        super().__init__("localhost", server.tls_port, ssl_context=context)

    def _command(self, name, *args):
        args = list(args)
        places = NAMED.get(args[0] if name == "UID" else name, slice(0))
        args[places] = [self.translated(arg) for arg in args[places]]
        return super()._command(name, *args)

    def translated(self, name):
        if name.startswith('"'):
            return '"' + self.server.there(name[1:-1]) + '"'
        return self.server.there(name)


class Remote:
    """A server's account. Mailbox names are UTF-8, of the shape that the server was asked for."""

    def __init__(self, server, user=dovecot.USER, password=None):
        self.server = server
        self.login = (user, password or server.users[user])
        self.connect()

    def connect(self):
        server = self.server
        context = ssl.create_default_context(cafile=server.certificates.ca)
        self.imap = Connection(server, context)
        self.imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.check(self.imap.login(*self.login))
        self.selected = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.imap.logout()

    def hang_up(self):
        """Without a word; a second time does nothing."""
        try:
            self.imap.shutdown()
        except OSError:
            pass

    @staticmethod
    def check(reply):
        if reply[0] != "OK":
            raise AssertionError("the test's own IMAP client was told %r" % (reply,))
        return reply[1]

    def listed(self):
        """Cyrus hangs up on who has a mailbox open that is deleted."""
        try:
            return self.check(self.imap.list())
        except imaplib.IMAP4.abort:
            self.connect()
            return self.check(self.imap.list())

    def mailboxes(self):
        names = []
        for line in self.listed():
            if isinstance(line, tuple):
                names.append(utf7_decode(line[1].decode()))
                continue
            found = re.match(rb'\((.*?)\) (?:"(?:[^"\\]|\\.)*"|NIL) (.*)$', line or b"")
            if found and b"\\Noselect" not in found.group(1):
                name = found.group(2).decode()
                if name.startswith('"'):
                    name = re.sub(r"\\(.)", r"\1", name[1:-1])
                names.append(utf7_decode(self.server.here(name)))
        return sorted(names)

    def create(self, name):
        self.check(self.imap.create(quoted(utf7_encode(name))))

    def delete_mailbox(self, name):
        """Its children stay."""
        self.leave(name)
        self.check(self.imap.delete(quoted(utf7_encode(name))))

    def rename(self, old, new):
        self.leave(old)
        self.check(self.imap.rename(quoted(utf7_encode(old)), quoted(utf7_encode(new))))

    def leave(self, name):
        """Courier neither deletes nor renames one that is open."""
        if self.selected == name:
            self.select("INBOX")

    def select(self, name):
        self.selected = name
        self.check(self.imap.select(quoted(utf7_encode(name))))

    def append(self, mailbox, data, flags=(), date=None):
        when = time.time() if date is None else date
        stamp = imaplib.Time2Internaldate(when)
        # Not imaplib's append(): it makes CRLF out of a bare CR.
        self.imap.literal = data
        self.check(self.imap._simple_command("APPEND", quoted(utf7_encode(mailbox)),
                                             "(%s)" % " ".join(flags), stamp))

    def bodies(self, mailbox):
        """(UID, flags, date, bytes) of all messages, as the server tells them."""
        self.select(mailbox)
        reply = self.check(self.imap.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])"))
        for part in reply:
            if isinstance(part, tuple):
                head, body = part
            elif part and b"BODY[] " in part:
                head, body = part, b""
            else:
                continue
            uid = int(re.search(rb"UID (\d+)", head).group(1))
            flags = frozenset(f.decode() for f in imaplib.ParseFlags(head)) - {"\\Recent"}
            stamp = time.mktime(imaplib.Internaldate2tuple(head))
            yield uid, flags, int(stamp), body

    def messages(self, mailbox):
        """All of them, in the order of UIDs."""
        found = [Message(digest(body), flags, date, uid)
                 for uid, flags, date, body in self.bodies(mailbox)]
        return sorted(found, key=lambda m: m.where)

    def uids(self, mailbox):
        self.select(mailbox)
        return [int(u) for u in self.check(self.imap.uid("SEARCH", "ALL"))[0].split()]

    def store(self, mailbox, uid, change, *flags):
        """change: '+', '-' or ''."""
        self.select(mailbox)
        self.check(self.imap.uid("STORE", str(uid), change + "FLAGS", "(%s)" % " ".join(flags)))

    def delete(self, mailbox, *uids):
        self.select(mailbox)
        listed = ",".join(str(u) for u in uids)
        self.check(self.imap.uid("STORE", listed, "+FLAGS", "(\\Deleted)"))
        self.check(self.imap.uid("EXPUNGE", listed))

    def move(self, mailbox, uids, target):
        """`uids` is a set as IMAP writes it."""
        self.select(mailbox)
        target = quoted(utf7_encode(target))
        if "MOVE" not in self.server.LACKING:
            self.check(self.imap.uid("MOVE", uids, target))
            return
        self.check(self.imap.uid("COPY", uids, target))
        self.delete(mailbox, uids)

    def everything(self):
        """{name: messages} of all mailboxes."""
        return {name: self.messages(name) for name in self.mailboxes()}


class Drop:
    """A server's maildrop. Each look is a session of its own, as one locks the maildrop."""

    def __init__(self, server, user=dovecot.USER, password=None):
        self.server, self.user, self.password = server, user, password or server.users[user]
        self.context = ssl.create_default_context(cafile=server.certificates.ca)

    def open(self):
        """A session that has the maildrop; quit() ends it."""
        session = poplib.POP3_SSL("localhost", self.server.pop3_tls_port, timeout=30,
                                  context=self.context)
        if "UTF8" in session.capa():
            session.utf8()  # without it Courier wraps messages that are not ASCII
        session.user(self.user)
        session.pass_(self.password)
        return session

    def uids(self):
        """The unique-ids, in order."""
        session = self.open()
        listed = [line.split(b" ", 1)[1].decode() for line in session.uidl()[1]]
        session.quit()
        return listed

    def messages(self):
        """{unique-id: digest}."""
        session = self.open()
        found = {}
        for line in session.uidl()[1]:
            number, uid = line.decode().split(" ", 1)
            body = b"\r\n".join(session.retr(int(number))[1]) + b"\r\n"
            found[uid] = digest(body)
        session.quit()
        return found


class Local:
    """A maildir tree in layout `verbatim`: mailbox A/B at ROOT/A/B."""

    def __init__(self, root):
        self.root = root
        self.serial = 0

    def path(self, mailbox, *names):
        return os.path.join(self.root, mailbox, *names)

    def mailboxes(self):
        return sorted(os.path.relpath(path, self.root) for path, names, _ in os.walk(self.root)
                      if {"cur", "new", "tmp"} <= set(names))

    def keywords(self, mailbox):
        """Letter to keyword, from dovecot-keywords."""
        try:
            with open(self.path(mailbox, "dovecot-keywords"), encoding="utf-8") as table:
                rows = [line.split(None, 1) for line in table if line.strip()]
        except FileNotFoundError:
            return {}
        return {chr(ord("a") + int(number)): name.strip() for number, name in rows}

    def files(self, mailbox):
        """Paths as both directories had them: `new` is listed first, as messages move from there
        to `cur`, and one that moves in between must be in either."""
        listed = [(part, sorted(os.listdir(self.path(mailbox, part)))) for part in ("new", "cur")]
        for part, names in listed:
            for name in names:
                if not name.startswith("."):
                    yield self.path(mailbox, part, name)

    def messages(self, mailbox):
        """All messages; looked at again when the daemon renames or removes one meanwhile."""
        while True:
            try:
                return self.messages_now(mailbox)
            except FileNotFoundError:
                if not os.path.isdir(self.path(mailbox, "cur")):
                    raise

    def messages_now(self, mailbox):
        letters = dict(LETTERS, **self.keywords(mailbox))
        found = []
        for path in self.files(mailbox):
            with open(path, "rb") as mail:
                data = mail.read()
                date = int(os.fstat(mail.fileno()).st_mtime)
            marks = path.rsplit(":2,", 1)[1] if ":2," in os.path.basename(path) else ""
            flags = frozenset(letters.get(m, "unknown letter " + m) for m in marks)
            found.append(Message(digest(data), flags, date, path))
        return found

    def everything(self):
        return {name: self.messages(name) for name in self.mailboxes()}

    def snapshot(self):
        """Every name, content and time of messages: equal when nothing was touched."""
        return {name: sorted((m.where, m.digest, m.date) for m in messages)
                for name, messages in self.everything().items()}

    def rest(self):
        """As if nothing had changed for a minute: times younger than 2 s are not trusted."""
        for mailbox in self.mailboxes():
            for part in ("new", "cur"):
                path = self.path(mailbox, part)
                before = os.stat(path).st_mtime_ns - 60_000_000_000
                os.utime(path, ns=(before, before))

    def create(self, mailbox):
        for part in ("tmp", "new", "cur"):
            os.makedirs(self.path(mailbox, part), mode=0o700, exist_ok=True)

    def add(self, mailbox, data, flags="", date=None, part="cur"):
        """Delivers as a mail reader does; returns the path."""
        self.serial += 1
        name = "%d.T%dP%d.test" % (date or time.time(), self.serial, os.getpid())
        name += ":2," + flags if part == "cur" else ""
        temporary, path = self.path(mailbox, "tmp", name), self.path(mailbox, part, name)
        with open(temporary, "wb") as out:
            out.write(data)
        if date is not None:
            os.utime(temporary, (date, date))
        os.rename(temporary, path)
        return path

    def reflag(self, path, flags):
        """Renames to exactly these letters, from `new` into `cur` as readers do."""
        base = os.path.basename(path).split(":2,")[0]
        mailbox = os.path.dirname(os.path.dirname(path))
        renamed = os.path.join(mailbox, "cur", base + ":2," + "".join(sorted(flags)))
        os.rename(path, renamed)
        return renamed
