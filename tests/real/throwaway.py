"""What throw-away servers have in common: a directory, two ports, processes, what was sent.

SPDX-License-Identifier: MIT"""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

import scratch

USER = "me"
PASSWORD = "correct horse battery staple"

# Where contrib/bootstrap unpacks servers whose packages cannot be installed beside Dovecot's.
UNPACKED = "/opt/syncd-servers"

WRITING = {"APPEND", "STORE", "UID STORE", "EXPUNGE", "UID EXPUNGE", "COPY", "UID COPY", "MOVE",
           "UID MOVE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "CLOSE",
           "REPLACE", "UID REPLACE", "SETMETADATA"}


def mail_user():
    """Who talks to strangers and owns the mail: servers refuse to let root do so."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


def tree(package, program):
    """The directory below which `program` of a package is, as in '/'; skips the test without."""
    for root in (os.path.join(UNPACKED, package), "/"):
        if os.access(os.path.join(root, program), os.X_OK):
            return root
    raise unittest.SkipTest("%s is not here: run contrib/bootstrap test" % package)


def next_second():
    """For those whose UIDVALIDITY is the time."""
    now = int(time.time())
    scratch.wait_for(lambda: int(time.time()) > now, 2, "the next second")


def is_group_alive(group):
    """Whether a process of it still runs; dead ones may wait long for init to ask for them."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % process, encoding="ascii", errors="replace") as stat:
                state, _, its_group = stat.read().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_group) == group and state not in "ZX":
            return True
    return False


class Server:
    """Made by a subclass, which writes the configuration, gives the names of logs, and says
    what to start. Also a context manager.

    port, tls_port    on 127.0.0.1; without TLS and with it
    pop3_port, pop3_tls_port    the same of POP3, where it has_pop3
    users             {name: password}
    certificates      scratch.Certificates
    separator, prefix of the mailboxes' names, as in '.' and 'INBOX.'
    without           capabilities that it does not have, or that were taken away
    """

    LOGS = ("stderr.log",)
    LACKING = frozenset()  # capabilities that no server of the kind has
    has_pop3 = True

    def __init__(self, name, separator, prefix, certificates, users, without=()):
        self.root = scratch.directory("syncd-" + name)
        os.chmod(self.root, 0o711)
        self.certificates = certificates or scratch.Certificates.of()
        self.separator, self.prefix, self.without = separator, prefix, self.LACKING | set(without)
        self.port, self.tls_port = scratch.free_port(), scratch.free_port()
        self.pop3_port, self.pop3_tls_port = scratch.free_port(), scratch.free_port()
        self.users = users or {USER: PASSWORD}
        self.process = None
        scratch.at_end(self.kill)

    @classmethod
    def refuse(cls, **others):
        """Skips the test for what a server of this kind cannot be."""
        for name, value in others.items():
            if value:
                raise unittest.SkipTest("%s is not to be had with %s %r" % (cls.__name__, name, value))

    def directory(self, name, mode=0o700):
        """One below the root that belongs to the owner of the mail."""
        path = os.path.join(self.root, name)
        os.mkdir(path, mode)
        os.chown(path, mail_user().pw_uid, mail_user().pw_gid)
        return path

    def command(self):
        """What runs in the foreground, and its environment."""
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Returns once it greets on the one port and listens on the other."""
        command, environment = self.command()
        with open(os.path.join(self.root, "stderr.log"), "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=environment, start_new_session=True)
        scratch.wait_for(self._greets, 30, lambda: "the server greets; its log:\n" + self.log())

    def _greets(self):
        if self.process.poll() is not None:
            raise RuntimeError("the server ended:\n" + self.log())
        try:
            for port in [self.tls_port] + [self.pop3_tls_port] * self.has_pop3:
                socket.create_connection(("127.0.0.1", port), 1).close()
            with socket.create_connection(("127.0.0.1", self.port), 1) as plain:
                plain.settimeout(5)
                return plain.recv(1024).startswith(b"* OK")
        except OSError:
            return False

    def stop(self):
        """Ends it in the orderly way, clients and all; the mail stays."""
        self._end(signal.SIGTERM)

    def kill(self):
        """As when the power goes."""
        self._end(signal.SIGKILL)

    def _end(self, number):
        if self.process is None:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
            self.process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        # On a busy machine its children outlive it for a moment, with its sockets.
        until = time.monotonic() + 5
        while time.monotonic() < until and is_group_alive(self.process.pid):
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                break
            time.sleep(0.01)
        self.process.wait(10)
        self.process = None

    # Its mail. Names are as the tests have them, which ask for a shape (separator, prefix).

    def there(self, name):
        """The server's own name of a mailbox."""
        return name

    def here(self, name):
        """The tests' name of a mailbox that the server calls so."""
        return name

    def places(self):
        """The directories that hold all of it."""
        raise NotImplementedError

    def empty(self):
        """As it was before anybody had logged in."""
        raise NotImplementedError

    def next_number(self):
        """Waits until a mailbox that is made gets a UIDVALIDITY of its own."""

    def client_pids(self):
        """The sessions that are logged in."""
        raise NotImplementedError

    def clients(self):
        """How many are logged in, those with a command under way that are gone themselves, too."""
        return len(self.client_pids())

    def stall(self, seconds):
        """Those sessions do nothing for so long, as on a machine that is busy."""
        stopped = self.client_pids()
        self._signal(stopped, signal.SIGSTOP)
        timer = threading.Timer(seconds, self._signal, (stopped, signal.SIGCONT))
        timer.start()

    @staticmethod
    def _signal(pids, number):
        for pid in pids:
            try:
                os.kill(int(pid), number)
            except ProcessLookupError:
                pass

    def save(self):
        """A backup, made while it is down. Returns a function that puts it back."""
        self.stop()
        backup = scratch.directory("syncd-backup")
        copies = [(place, os.path.join(backup, str(number)))
                  for number, place in enumerate(self.places())]
        for place, copy in copies:
            subprocess.run(["cp", "-a", place, copy], check=True)
        self.start()
        return lambda: self._put_back(copies)

    def _put_back(self, copies):
        self.stop()
        for place, copy in copies:
            shutil.rmtree(place)
            subprocess.run(["cp", "-a", copy, place], check=True)
        self.start()

    def restart(self):
        self.stop()
        self.start()

    def log(self):
        text = ""
        for name in self.LOGS:
            try:
                with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as log:
                    text += log.read()
            except FileNotFoundError:
                pass
        return text

    # What clients sent, logged by the server itself behind TLS and login.

    def sessions(self):
        """Names of the logs so far; give them to `sent` to see only later ones."""
        raise NotImplementedError

    def sent(self, before=frozenset()):
        """All lines that clients sent in sessions that are not in `before`, as bytes."""
        lines = []
        for name in sorted(self.sessions() - set(before)):
            lines += self.sent_in(name)
        return lines

    def sent_in(self, name):
        """The lines of one session."""
        raise NotImplementedError

    def commands(self, before=frozenset()):
        """Command names that clients sent, such as 'UID STORE', in order."""
        names = []
        for line in self.sent(before):
            words = line.split(b" ")
            if len(words) < 2:
                continue
            name = words[1].upper()
            if name == b"UID" and len(words) > 2:
                name += b" " + words[2].upper()
            names.append(name.decode("ascii", "replace"))
        return names
