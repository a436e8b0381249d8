"""A private Dovecot 2.3 on loopback: own directories, ports, certificate and users.

Runs as root or as an ordinary user, shares nothing with an installed service, and
leaves nothing behind. SPDX-License-Identifier: MIT"""
import glob
import grp
import os
import pwd
import shutil

import scratch

from throwaway import PASSWORD, USER, WRITING, Server, mail_user  # noqa: F401 (for the tests)

CAPABILITIES = """IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY
    THREAD=REFERENCES THREAD=REFS THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT
    CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES
    WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE
    SAVEDATE LITERAL+ NOTIFY""".split()

CONFIG = """
protocols = {protocols}
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

POP3 = """
protocol pop3 {{
  rawlog_dir = {root}/rawlog
  pop3_lock_session = yes
}}
service pop3-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""


def program():
    found = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise RuntimeError("dovecot is not installed: run contrib/bootstrap test")
    return found


def has_pop3():
    """Debian has it in a package of its own."""
    return any(os.access(os.path.join(where, "dovecot", "pop3"), os.X_OK)
               for where in ("/usr/lib", "/usr/libexec", "/usr/local/libexec"))


class Dovecot(Server):
    """One server. Started by the constructor; also a context manager.

    separator, prefix   of the namespace, as in '.' and 'INBOX.'
    without             capabilities not announced, as in {'IDLE', 'QRESYNC'}
    plaintext           whether a password may be sent without TLS
    layout              '' for Maildir++, ':LAYOUT=fs' for directories
    certificates        scratch.Certificates; its own authority by default
    pop3                whether it speaks POP3 too, on pop3_port and pop3_tls_port; a maildrop is
                        locked then for as long as a session has it
    extra               more lines of dovecot.conf
    """

    LOGS = ("stderr.log", "dovecot.log")

    def __init__(self, separator="/", prefix="", without=(), plaintext=False, layout="",
                 certificates=None, mechanisms="plain login cram-md5 scram-sha-1 scram-sha-256",
                 pop3=False, extra="", users=None):
        super().__init__("dovecot", separator, prefix, certificates, users, without)
        self._directories()
        self.has_pop3 = pop3
        capability = [c for c in CAPABILITIES if c not in without] if without else []
        if pop3:
            extra = POP3.format(root=self.root, port=self.pop3_port,
                                tls_port=self.pop3_tls_port) + extra
        self.config = scratch.write(os.path.join(self.root, "dovecot.conf"), CONFIG.format(
            root=self.root, protocols="imap pop3" if pop3 else "imap",
            user=pwd.getpwuid(os.getuid()).pw_name, login_user=mail_user().pw_name,
            group=grp.getgrgid(os.getgid()).gr_name, uid=mail_user().pw_uid, gid=mail_user().pw_gid,
            cert=self.certificates.cert, key=self.certificates.key, separator=separator,
            prefix=prefix, port=self.port, tls_port=self.tls_port, layout=layout,
            disable_plaintext="no" if plaintext else "yes", mechanisms=mechanisms,
            capability=" ".join(capability), idle_notify="2 mins", extra=extra))
        scratch.write(os.path.join(self.root, "passwd"),
                      "".join("%s:{PLAIN}%s\n" % u for u in self.users.items()))
        self.start()

    def _directories(self):
        for name in ["run", "state", "rawlog", "home"] + ["home/" + user for user in self.users]:
            path = os.path.join(self.root, name)
            os.mkdir(path, 0o755 if name == "run" else 0o700)
            if name.startswith(("rawlog", "home")):
                os.chown(path, mail_user().pw_uid, mail_user().pw_gid)

    def command(self):
        return [program(), "-F", "-c", self.config], None

    def maildir(self, user=USER):
        return os.path.join(self.root, "home", user, "Maildir")

    def places(self):
        return [self.maildir()]

    def empty(self):
        shutil.rmtree(self.maildir(), ignore_errors=True)

    def renumber(self):
        """Makes it forget what it had numbered: a new UIDVALIDITY, and UIDs from 1 on."""
        self.stop()
        for path in glob.glob(os.path.join(self.maildir(), "dovecot*")):
            os.unlink(path)
        self.start()

    def client_pids(self):
        path = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        with open(path, encoding="ascii") as listed:
            return [pid for pid in listed.read().split() if self._is_session(pid)]

    @staticmethod
    def _is_session(pid):
        try:
            with open("/proc/%s/comm" % pid, encoding="ascii") as name:
                return name.read() in ("imap\n", "pop3\n")
        except (FileNotFoundError, ProcessLookupError):
            return False

    def sessions(self):
        return {n for n in os.listdir(os.path.join(self.root, "rawlog")) if n.endswith(".in")}

    def sent_in(self, name):
        with open(os.path.join(self.root, "rawlog", name), "rb") as log:
            lines = log.read().split(b"\n")
        # Each line opens with its time in Dovecot's format.
        return [l.split(b" ", 1)[1].rstrip(b"\r") if b" " in l else l for l in lines if l]
