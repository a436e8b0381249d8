"""A private Dovecot 2.3 on loopback: own directories, ports, certificate and users.

Runs as root or as an ordinary user, shares nothing with an installed service, and
leaves nothing behind. SPDX-License-Identifier: MIT"""
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess

import scratch

USER = "me"
PASSWORD = "correct horse battery staple"

CAPABILITIES = """IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY
    THREAD=REFERENCES THREAD=REFS THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT
    CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES
    WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE
    SAVEDATE LITERAL+ NOTIFY""".split()

CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {login_user}
first_valid_uid = 0
first_valid_gid = 0
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = {disable_plaintext}
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
auth_verbose = yes
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {root}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/home/%u
}}
mail_location = maildir:{root}/home/%u/Maildir{layout}
mailbox_list_index = yes
mail_fsync = never
mail_max_userip_connections = 1000
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
}}
protocol imap {{
  rawlog_dir = {root}/rawlog
  imap_capability = {capability}
  imap_idle_notify_interval = {idle_notify}
  mail_max_keyword_length = 50
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 256
}}
service stats {{
  chroot =
}}
{extra}
"""


def program():
    found = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise RuntimeError("dovecot is not installed: run contrib/bootstrap test")
    return found


def mail_user():
    """Who talks to strangers and owns the mail: Dovecot refuses to let root do so."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


class Dovecot:
    """One server. Started by the constructor; also a context manager.

    separator, prefix   of the namespace, as in '.' and 'INBOX.'
    without             capabilities not announced, as in {'IDLE', 'QRESYNC'}
    plaintext           whether a password may be sent without TLS
    layout              '' for Maildir++, ':LAYOUT=fs' for directories
    certificates        scratch.Certificates; its own authority by default
    extra               more lines of dovecot.conf
    """

    def __init__(self, separator="/", prefix="", without=(), plaintext=False, layout="",
                 certificates=None, mechanisms="plain login cram-md5 scram-sha-1 scram-sha-256",
                 extra="", users=None):
        self.root = scratch.directory("syncd-dovecot")
        self.certificates = certificates or scratch.Certificates.of()
        self.separator, self.prefix, self.without = separator, prefix, set(without)
        self.port, self.tls_port = scratch.free_port(), scratch.free_port()
        self.users = users or {USER: PASSWORD}
        self.process = None
        self._directories()
        capability = [c for c in CAPABILITIES if c not in without] if without else []
        self.config = scratch.write(os.path.join(self.root, "dovecot.conf"), CONFIG.format(
            root=self.root, user=pwd.getpwuid(os.getuid()).pw_name, login_user=mail_user().pw_name,
            group=grp.getgrgid(os.getgid()).gr_name, uid=mail_user().pw_uid, gid=mail_user().pw_gid,
            cert=self.certificates.cert, key=self.certificates.key, separator=separator,
            prefix=prefix, port=self.port, tls_port=self.tls_port, layout=layout,
            disable_plaintext="no" if plaintext else "yes", mechanisms=mechanisms,
            capability=" ".join(capability), idle_notify="2 mins", extra=extra))
        scratch.write(os.path.join(self.root, "passwd"),
                      "".join("%s:{PLAIN}%s\n" % u for u in self.users.items()))
        scratch.at_end(self.kill)
        self.start()

    def _directories(self):
        os.chmod(self.root, 0o711)
        for name in ["run", "state", "rawlog", "home"] + ["home/" + user for user in self.users]:
            path = os.path.join(self.root, name)
            os.mkdir(path, 0o755 if name == "run" else 0o700)
            if name.startswith(("rawlog", "home")):
                os.chown(path, mail_user().pw_uid, mail_user().pw_gid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Returns once it greets on both ports."""
        with open(os.path.join(self.root, "stderr.log"), "ab") as log:
            self.process = subprocess.Popen(
                [program(), "-F", "-c", self.config], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)
        scratch.wait_for(self._greets, 15, lambda: "dovecot greets; its log:\n" + self.log())

    def _greets(self):
        if self.process.poll() is not None:
            raise RuntimeError("dovecot ended:\n" + self.log())
        try:
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
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(10)
        self.process = None

    def restart(self):
        self.stop()
        self.start()

    def log(self):
        text = ""
        for name in ("stderr.log", "dovecot.log"):
            try:
                with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as log:
                    text += log.read()
            except FileNotFoundError:
                pass
        return text

    def maildir(self, user=USER):
        return os.path.join(self.root, "home", user, "Maildir")

    # What clients sent, logged by Dovecot itself behind TLS and login.

    def sessions(self):
        """Names of the raw logs so far; give them to `sent` to see only later ones."""
        return {n for n in os.listdir(os.path.join(self.root, "rawlog")) if n.endswith(".in")}

    def sent(self, before=frozenset()):
        """All lines that clients sent in sessions that are not in `before`, as bytes."""
        lines = []
        for name in sorted(self.sessions() - set(before)):
            with open(os.path.join(self.root, "rawlog", name), "rb") as log:
                lines += log.read().split(b"\n")
        # Each line opens with its time in Dovecot's format.
        return [l.split(b" ", 1)[1].rstrip(b"\r") if b" " in l else l for l in lines if l]

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


WRITING = {"APPEND", "STORE", "UID STORE", "EXPUNGE", "UID EXPUNGE", "COPY", "UID COPY", "MOVE",
           "UID MOVE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "CLOSE",
           "REPLACE", "UID REPLACE", "SETMETADATA"}
