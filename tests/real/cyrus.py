"""A private Cyrus IMAP 3 on loopback: own directories, ports, certificate and telemetry.

SPDX-License-Identifier: MIT"""
import glob
import os
import re
import shutil

import scratch
import throwaway

BIN = "usr/lib/cyrus/bin"

# alwaystrue: any password will do. -U 1: a process, and so a log, for each connection.
# delete_mode: a mailbox that is kept, deleted, is named by the second, and a second one of
# the name in that second cannot be deleted.
CONFIG = """
configdirectory: {root}/conf
partition-default: {root}/spool
defaultpartition: default
servername: localhost
cyrus_user: {user}
{suppressed}
imapidlepoll: {idle_poll}
admins: nobody-at-all
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN LOGIN
tls_server_cert: {cert}
tls_server_key: {key}
unixhierarchysep: {slashes}
altnamespace: {no_prefix}
autocreate_users: anyone
autocreate_quota: 0
skiplist_unsafe: yes
munge8bit: {munges}
delete_mode: immediate
"""

# Without idled, who waits in IDLE is told once a minute.
SERVICES = """
START {{
  idled cmd="{bin}/idled -C {config}"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {config} -U 1" listen="127.0.0.1:{port}" prefork=1
  imaps cmd="{bin}/imapd -s -C {config} -U 1" listen="127.0.0.1:{tls_port}" prefork=1
  pop3 cmd="{bin}/pop3d -C {config} -U 1" listen="127.0.0.1:{pop3_port}" prefork=1
  pop3s cmd="{bin}/pop3d -s -C {config} -U 1" listen="127.0.0.1:{pop3_tls_port}" prefork=1
}}
"""


class Cyrus(throwaway.Server):
    """One server. Started by the constructor; also a context manager.

    separator, prefix   '/' or '.'; '' or 'INBOX' with the separator
    munges              whether each byte of a header that is not ASCII becomes an 'X', as it
                        does where nobody has said otherwise
    without             capabilities not announced
    plaintext           a password may be sent without TLS always
    """

    LACKING = frozenset({"NOTIFY"})

    def __init__(self, separator="/", prefix="", munges=False, certificates=None, users=None,
                 without=(), plaintext=True, **others):  # pylint: disable=unused-argument
        self.refuse(**others)
        tree = throwaway.tree("cyrus", BIN + "/pop3d")
        super().__init__("cyrus", separator, prefix, certificates, users, without)
        self.bin = os.path.join(tree, BIN)
        self.libraries = ":".join(sorted({os.path.dirname(path) for path in glob.glob(
            os.path.join(tree, "usr/lib/**/libcyrus.so*"), recursive=True)}))
        self.make_directories()
        self.config = scratch.write(os.path.join(self.root, "imapd.conf"), CONFIG.format(
            root=self.root, user=throwaway.mail_user().pw_name, cert=self.copied(
                self.certificates.cert), key=self.copied(self.certificates.key),
            slashes="yes" if separator == "/" else "no", no_prefix="no" if prefix else "yes",
            idle_poll=0 if "IDLE" in without else 60,  # 0: no IDLE, which is not suppressed else
            munges="yes" if munges else "no", suppressed="suppress_capabilities: " + " ".join(sorted(without)) if without else ""),
            0o644)
        self.services = scratch.write(os.path.join(self.root, "cyrus.conf"), SERVICES.format(
            bin=self.bin, config=self.config, port=self.port, tls_port=self.tls_port,
            pop3_port=self.pop3_port, pop3_tls_port=self.pop3_tls_port), 0o644)
        self.start()

    def make_directories(self):
        for name in ("conf", "conf/log", "conf/socket", "spool"):
            self.directory(name)
        for user in self.users:
            self.directory("conf/log/" + user)

    def places(self):
        return [os.path.join(self.root, name) for name in ("conf", "spool")]

    def empty(self):
        self.kill()
        for place in self.places():
            shutil.rmtree(place)
        self.make_directories()
        self.start()

    def next_number(self):
        throwaway.next_second()

    def client_pids(self):
        """Each session's file in proc/ says who it is for once that is known."""
        known = []
        for path in glob.glob(os.path.join(self.root, "conf", "proc", "*")):
            try:
                with open(path, encoding="utf-8") as row:
                    if len(row.read().split("\t")) > 2:
                        known.append(os.path.basename(path))
            except FileNotFoundError:
                pass
        return known

    def copied(self, path):
        """For the owner of the mail to read."""
        with open(path, "rb") as source:
            copy = scratch.write(os.path.join(self.root, os.path.basename(path)), source.read())
        os.chown(copy, throwaway.mail_user().pw_uid, throwaway.mail_user().pw_gid)
        return copy

    def command(self):
        return [os.path.join(self.bin, "master"), "-D", "-C", self.config, "-M", self.services,
                "-p", os.path.join(self.root, "conf", "master.pid")], \
            dict(os.environ, LD_LIBRARY_PATH=self.libraries)

    def sessions(self):
        return {os.path.relpath(path, os.path.join(self.root, "conf", "log"))
                for path in glob.glob(os.path.join(self.root, "conf", "log", "*", "*"))}

    def sent_in(self, name):
        """Of the telemetry: `<TIME<` stands before what the client sent, `>TIME>` before answers."""
        with open(os.path.join(self.root, "conf", "log", name), "rb") as log:
            pieces = re.split(rb"([<>])\d+[<>]", log.read())
        told = zip(pieces[1::2], pieces[2::2])
        return b"".join(text for side, text in told if side == b"<").replace(b"\r", b"").split(b"\n")
