"""A private Courier IMAP 5 on loopback. Its paths are compiled in, so it runs in mount and
process namespaces of its own, where /etc, /usr and /run have what it needs laid over them.

SPDX-License-Identifier: MIT"""
import os
import re
import shutil
import subprocess
import unittest

import scratch
import throwaway

AUTHDAEMONRC = """
authmodulelist="authuserdb"
authmodulelistorig="authuserdb"
daemons=2
authdaemonvar=/run/courier/authdaemon
"""

# In the namespaces, as process 1: what it starts ends with it.
INSIDE = """
set -e
[ -z "{tree}" ] || mount -t overlay -o ro,lowerdir={tree}/usr:/usr overlay /usr
mount -t tmpfs tmpfs /run
mkdir -p /run/courier/authdaemon
makeuserdb -f {root}/etc/courier/userdb
mount -t overlay -o ro,lowerdir={root}/etc:/etc overlay /etc
set -a
. /etc/courier/authdaemonrc
/usr/lib/courier/courier-authlib/authdaemond &
. {tree}/etc/courier/imapd
. {tree}/etc/courier/imapd-ssl
for without in {without}; do
    IMAP_CAPABILITY=$(echo " $IMAP_CAPABILITY " | sed "s/ $without / /")
done
IMAP_CAPABILITY_TLS=$IMAP_CAPABILITY
IMAP_ULIMITD=
IMAP_ENHANCEDIDLE=1
TLS_CERTFILE={root}/server.pem
TLS_DHPARAMS=
TLS_CACHEFILE=
while ! [ -S /run/courier/authdaemon/socket ]; do sleep 0.01; done
serve="couriertcpd -address=127.0.0.1 -maxprocs=100 -maxperip=100 -nodnslookup -noidentlookup"
login="/usr/lib/courier/courier/imaplogin {root}/imapd Maildir"
$serve {port} $login &
IMAP_TLS=1
$serve {tls_port} $COURIERTLS -server -tcpd $login &
. {tree}/etc/courier/pop3d
. {tree}/etc/courier/pop3d-ssl
TLS_CERTFILE={root}/server.pem
TLS_DHPARAMS=
TLS_CACHEFILE=
login="/usr/lib/courier/courier/courierpop3login /usr/lib/courier/courier/courierpop3d Maildir"
$serve {pop3_port} $login &
POP3_TLS=1
POP3_STARTTLS=NO
$serve {pop3_tls_port} $COURIERTLS -server -tcpd $login &
wait
"""

# How the log calls what is not a word, and the blanks that were not there.
SIGNS = {b"LPAREN": b"(", b"RPAREN": b")", b"LBRACKET": b"[", b"RBRACKET": b"]"}
GLUED = re.compile(rb"(?<=[(\[]) | (?=[)\]\[])")

# Each session logs into a file of its own, which must be there.
SESSION = """#!/bin/sh
IMAPDEBUGFILE={root}/rawlog/$(date +%s%N).$$
: >"$IMAPDEBUGFILE"
export IMAPDEBUGFILE
exec /usr/bin/imapd "$@"
"""


def can_overlay(tree):
    """Whether this may be done here. Where Courier is installed, /etc stands for its tree."""
    lower = "lowerdir=%s:/usr" % (tree + "/usr" if tree else "/etc")
    return os.getuid() == 0 and shutil.which("unshare") and subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "overlay", "-o", "ro," + lower,
         "overlay", "/usr"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, check=False).returncode == 0


class Courier(throwaway.Server):
    """One server. Started by the constructor.

    separator, prefix   of the names that the tests use, which views.Remote translates: its own
                        are always '.' and 'INBOX.'
    without             capabilities not announced
    plaintext           a password may be sent without TLS always
    """

    LACKING = frozenset({
        "BINARY", "CONDSTORE", "ESEARCH", "LIST-EXTENDED", "LIST-STATUS", "LITERAL+", "MOVE",
        "MULTIAPPEND", "NOTIFY", "OBJECTID", "QRESYNC", "SASL-IR", "SPECIAL-USE", "UNSELECT"})

    def __init__(self, separator=".", prefix="INBOX.", certificates=None, users=None, without=(),
                 plaintext=True, **others):  # pylint: disable=unused-argument
        self.refuse(**others)
        if (separator, prefix) not in ((".", "INBOX."), ("/", "")):
            self.refuse(separator=separator)
        tree = throwaway.tree("courier", "usr/lib/courier/courier/courierpop3login").rstrip("/")
        if not can_overlay(tree):
            raise unittest.SkipTest("Courier's paths are fixed: it takes root and namespaces")
        super().__init__("courier", separator, prefix, certificates, users, without)
        self.directory("home")
        self.directory("rawlog")
        for user in self.users:
            self.directory("home/" + user)
            self.make_maildir(self.maildir(user))
        scratch.write(os.path.join(self.root, "etc/courier/authdaemonrc"), AUTHDAEMONRC)
        scratch.write(os.path.join(self.root, "etc/courier/userdb"),
                      "".join(self.row(*user) for user in self.users.items()))
        with open(self.certificates.key, "rb") as key, open(self.certificates.cert, "rb") as cert:
            scratch.write(os.path.join(self.root, "server.pem"), key.read() + cert.read())
        scratch.write(os.path.join(self.root, "imapd"), SESSION.format(root=self.root), 0o755)
        self.script = scratch.write(os.path.join(self.root, "inside"), INSIDE.format(
            root=self.root, tree=tree, port=self.port, tls_port=self.tls_port,
            pop3_port=self.pop3_port, pop3_tls_port=self.pop3_tls_port,
            without=" ".join(without) or '""'))
        self.start()

    def row(self, user, password):
        crypted = subprocess.run(["openssl", "passwd", "-1", "-stdin"], input=password.encode(),
                                 capture_output=True, check=True).stdout.decode().strip()
        owner = throwaway.mail_user()
        return "%s\tuid=%d|gid=%d|home=%s/home/%s|systempw=%s\n" % (
            user, owner.pw_uid, owner.pw_gid, self.root, user, crypted)

    def there(self, name):
        if self.prefix or name == "INBOX":
            return name
        return "INBOX." + name.replace("/", ".")

    def here(self, name):
        if self.prefix or not name.startswith("INBOX."):
            return name
        return name[len("INBOX."):].replace(".", "/")

    def places(self):
        return [self.maildir()]

    def empty(self):
        shutil.rmtree(self.maildir())
        self.make_maildir(self.maildir())

    def renumber(self):
        """Makes it forget what it had numbered: a new UIDVALIDITY, which is the time."""
        self.next_number()
        os.unlink(os.path.join(self.maildir(), "courierimapuiddb"))

    def next_number(self):
        throwaway.next_second()

    def client_pids(self):
        """They are processes below the one that was started."""
        below, found = [self.process.pid], []
        while below:
            pid = below.pop()
            try:
                with open("/proc/%d/comm" % pid, encoding="ascii") as name:
                    found += [pid] * (name.read() == "imapd\n")
                with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as listed:
                    below += map(int, listed.read().split())
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def make_maildir(self, path):
        for name in (path, path + "/cur", path + "/new", path + "/tmp"):
            self.directory(name)

    def maildir(self, user=throwaway.USER):
        return os.path.join(self.root, "home", user, "Maildir")

    def command(self):
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", self.script], None

    def stop(self):
        """Nothing is kept in its memory."""
        self.kill()

    def sessions(self):
        return set(os.listdir(os.path.join(self.root, "rawlog")))

    def sent_in(self, name):
        """Put together from the words that the server's parser logged; bodies are lost."""
        with open(os.path.join(self.root, "rawlog", name), "rb") as log:
            rows = [row[len(b"READ: "):].rstrip(b"\n") for row in log if row.startswith(b"READ: ")]
        lines, words = [], []
        for row in rows:
            kind, _, text = row.partition(b": ")
            if kind == b"EOL":
                lines.append(GLUED.sub(b"", b" ".join(words)))
                words = []
            else:
                words.append(SIGNS.get(kind) or (b'"%s"' % text if kind == b"QUOTED_STRING" else text))
        return lines
