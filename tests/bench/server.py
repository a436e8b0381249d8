"""The benchmark's server: a private Dovecot with its mail in memory, filled behind its back.

In memory, because a server is another machine: its disk must not stand in the way of the client's,
and flushing the client's must not flush the server's. SPDX-License-Identifier: MIT"""
import base64
import collections
import os
import random
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

import dovecot
import mailgen
import measure
import scratch
import views

MEMORY = "/dev/shm"
USERS = ["user%d" % n for n in range(64)]

CONFIG = """
mail_location = {storage}:{mail}/%u
# A mailbox of a million does not fit into what is allowed by default.
default_vsz_limit = 4G
# Logging what passes would cost what is measured.
protocol imap {{
  rawlog_dir =
}}
"""
# All programs keep what they fetch, and the next one finds it as the one before did.
POP3 = """
protocol pop3 {{
  rawlog_dir =
  pop3_lock_session = no
  pop3_no_flag_updates = yes
}}
"""


class Server(dovecot.Dovecot):
    """Has accounts to give away, and a way to fill them that takes no protocol."""

    def __init__(self, storage="maildir", pop3=False):
        self.storage = storage
        self.mail = tempfile.mkdtemp(prefix="syncd-bench-",
                                     dir=MEMORY if os.path.isdir(MEMORY) else "/tmp")
        scratch.at_end(shutil.rmtree, self.mail, ignore_errors=True)
        os.chmod(self.mail, 0o711)
        self.unused = list(USERS)
        # Like most servers behind TLS: no challenge, hence no further turn.
        super().__init__(users={user: dovecot.PASSWORD for user in USERS},
                         mechanisms="plain login", pop3=pop3,
                         extra=(CONFIG + (POP3 if pop3 else "")).format(mail=self.mail,
                                                                        storage=storage))

    def account(self):
        """A user whose account is empty."""
        user = self.unused.pop(0)
        self._own(self._mkdir(os.path.join(self.mail, user)))
        return user

    def maildir(self, user=dovecot.USER, mailbox="INBOX"):
        assert self.storage == "maildir"
        root = os.path.join(self.mail, user)
        return root if mailbox == "INBOX" else os.path.join(root, "." + mailbox)

    def fill(self, user, mailbox, messages):
        """Appending them would take long."""
        if self.storage != "maildir":
            self._import(user, mailbox, messages)
            return
        self._own(self._mkdir(self.maildir(user, mailbox)))
        if mailbox != "INBOX":
            self._own(scratch.write(os.path.join(self.maildir(user, mailbox), "maildirfolder"), ""))
        for path in deliver(self.maildir(user, mailbox), messages):
            self._own(path)

    def _import(self, user, mailbox, messages):
        """By way of a maildir that Dovecot copies from."""
        source = os.path.join(self.mail, "import")
        self._own(self._mkdir(source))
        for path in deliver(source, messages):
            self._own(path)
        done = subprocess.run(["doveadm", "-c", self.config, "import", "-u", user, "-U", user,
                               "maildir:" + source, "", "mailbox", mailbox, "all"],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise measure.Failed("doveadm import: " + done.stderr)
        shutil.rmtree(source)

    def content(self, user, mailbox="INBOX"):
        """As `content` below, but as the server tells it."""
        letters = {flag: letter for letter, flag in views.LETTERS.items()}
        found = collections.Counter()
        with views.Remote(self, user) as remote:
            for _, flags, _, data in remote.bodies(mailbox):
                found[mail_digest(data), "".join(sorted(letters[f] for f in flags))] += 1
        return found

    def warm(self, user, mailboxes):
        """Lets the server index what was filled in, so that no program pays for it."""
        with views.Remote(self, user) as remote:
            for mailbox in mailboxes:
                remote.select(mailbox)
                remote.check(remote.imap.uid("FETCH", "1:*", "(FLAGS INTERNALDATE RFC822.SIZE "
                                             "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"))

    def empty(self, user):
        shutil.rmtree(self.maildir(user))
        self._own(self._mkdir(self.maildir(user)))

    def stop(self):
        super().stop()
        shutil.rmtree(self.mail, ignore_errors=True)

    @staticmethod
    def _mkdir(path):
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    @staticmethod
    def _own(path):
        os.chown(path, dovecot.mail_user().pw_uid, dovecot.mail_user().pw_gid)


def deliver(maildir, messages):
    """Writes (bytes, letters) into a maildir as others have delivered them long ago, and their
    sizes into the names as a server does; yields the paths."""
    for part in ("tmp", "new", "cur"):
        path = os.path.join(maildir, part)
        os.makedirs(path, mode=0o700, exist_ok=True)
        yield path
    for number, (data, letters) in enumerate(messages):
        path = os.path.join(maildir, "cur", "%d.M%dP1.bench,S=%d,W=%d:2,%s" % (
            1_500_000_000 + number, number, len(data), len(data) + data.count(b"\n"), letters))
        with open(path, "wb") as out:
            out.write(data)
        os.utime(path, (1_500_000_000 + number,) * 2)
        yield path


def write_maildir(maildir, messages):
    for _ in deliver(maildir, messages):
        pass


# Mail.

def letters_of(number):
    """Two of three are read, some are flagged."""
    return ("F" if number % 10 == 0 else "") + ("S" if number % 3 else "")


def small_mail(count, size=400, seed=1):
    mail = mailgen.Mail(seed)
    for number in range(count):
        data = mail.plain("message %d" % number, size).replace(b"\r\n", b"\n")
        yield data, letters_of(number)


def usual_mail(count, total_bytes, seed=1):
    """Sizes as in a mailbox of years: many small ones, a few of megabytes."""
    mail, chance = mailgen.Mail(seed), random.Random(seed)
    sizes = [min(chance.lognormvariate(8.7, 1.4), 4e6) for _ in range(count)]
    noise = re.sub(rb"(.{76})", rb"\1\n", base64.b64encode(chance.randbytes(6_000_000)))
    scale = (total_bytes - 250 * count) / sum(sizes)
    for number, size in enumerate(sizes):
        begin = chance.randrange(1000)
        head = mail.plain("message %d" % number).replace(b"\r\n", b"\n")
        yield head + noise[begin:begin + int(size * scale)] + b"\n", letters_of(number)


# Looking at both sides.

def mail_digest(data):
    """mbsync leaves a header of its own in what it moved, getmail one that it found missing, and
    line ends are each one's choice."""
    data = data.replace(b"\r\n", b"\n").removeprefix(b"Return-Path: <unknown>\n")
    return views.digest(re.sub(rb"\A((?:.+\n)*?)X-TUID: .*\n", rb"\1", data))


def content(maildir):
    """What a maildir of either side holds: (digest, letters) with how often."""
    found = collections.Counter()
    for part in ("cur", "new"):
        for entry in os.scandir(os.path.join(maildir, part)):
            with open(entry.path, "rb") as mail:
                data = mail.read()
            found[mail_digest(data), letters_in(entry.name)] += 1
    return found


def names(maildir):
    """Of all messages, with their flags."""
    return sorted(name for part in ("cur", "new")
                  for name in os.listdir(os.path.join(maildir, part)))


def letters_in(name):
    return "".join(sorted(name.split(":2,")[1])) if ":2," in name else ""


def same(program, here, there, what="INBOX"):
    """Compares two maildirs' contents; `program` answers for a difference."""
    ours, theirs = content(here), content(there)
    if ours != theirs:
        raise measure.Failed("%s: %s: %d messages here, %d there; %d only here, %d only there" % (
            program.name, what, ours.total(), theirs.total(), (ours - theirs).total(),
            (theirs - ours).total()))


# The floor of a download.

class Download:
    """Fetches a whole mailbox over TLS, the next ranges always asked for already, and looks at
    nothing but where it ends."""

    def __init__(self, server, user, ranges=500):
        self.server, self.user, self.ranges = server, user, ranges

    def port(self):
        return self.server.tls_port

    def run(self):
        context = ssl.create_default_context(cafile=self.server.certificates.ca)
        began, cpu = time.monotonic(), time.process_time()
        with socket.create_connection(("127.0.0.1", self.port())) as plain, \
                context.wrap_socket(plain, server_hostname="localhost") as link:
            self._fetch(link)
        return measure.Measured(time.monotonic() - began, time.process_time() - cpu)

    def _fetch(self, link):
        self._until(link, b"* OK")
        link.sendall(b'a LOGIN %s "%s"\r\nb EXAMINE INBOX\r\n' % (
            self.user.encode(), dovecot.PASSWORD.encode()))
        exists = int(re.search(rb"\* (\d+) EXISTS", self._until(link, b"\r\nb OK")).group(1))
        for first in range(1, exists + 1, self.ranges):
            link.sendall(b"c FETCH %d:%d (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n" % (
                first, min(first + self.ranges - 1, exists)))
        # Not LOGOUT: Dovecot's TLS proxy may hang up with the last answers unsent.
        link.sendall(b"z NOOP\r\n")
        self._until(link, b"\r\nz OK")

    def _until(self, link, end):
        """Reads until `end`; returns the last bytes read."""
        buffer, tail = bytearray(1 << 16), b""
        while end not in tail:
            size = link.recv_into(buffer)
            if size == 0:
                raise measure.Failed("the server hung up; its log:\n" + self.server.log()[-2000:])
            tail = tail[-4096:] + bytes(buffer[max(0, size - 4096):size])
        return tail


class DropDownload(Download):
    """The same of a maildrop, by POP3: each message is asked for at once."""

    def port(self):
        return self.server.pop3_tls_port

    def _fetch(self, link):
        self._until(link, b"+OK")
        link.sendall(b"USER %s\r\nPASS %s\r\nSTAT\r\n" % (self.user.encode(),
                                                           dovecot.PASSWORD.encode()))
        while not (stat := re.search(rb"\+OK (\d+) \d+\r\n", self._until(link, b"\r\n"))):
            pass
        # The last is refused, which nothing else is.
        link.sendall(b"".join(b"RETR %d\r\n" % number
                              for number in range(1, int(stat.group(1)) + 2)))
        self._until(link, b"\r\n-ERR")
