"""The programs measured: how each is configured, started and looked at.

All have the same account on the same server: TLS with the server's own authority, all mailboxes,
both ways. All keep mailbox A at ROOT/A, so that one way of looking fits all.
SPDX-License-Identifier: MIT"""
import os
import re
import subprocess

import dovecot
import scratch
import syncd

MBSYNC = """
IMAPAccount bench
Host localhost
Port {port}
User {user}
Pass "{password}"
AuthMechs PLAIN
SSLType IMAPS
SystemCertificates no
CertificateFile {ca}

IMAPStore remote
Account bench

MaildirStore local
Path {maildir}/
Inbox {maildir}/INBOX
SubFolders Verbatim

Channel bench
Far :remote:
Near :local:
Patterns *
Create Both
Expunge Both
SyncState *
"""

OFFLINEIMAP = """
[general]
metadata = {root}/metadata
accounts = bench
ui = quiet

[Account bench]
localrepository = local
remoterepository = remote

[Repository local]
type = Maildir
localfolders = {maildir}

[Repository remote]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = {user}
remotepass = {password}
auth_mechanisms = PLAIN
ssl = yes
sslcacertfile = {ca}
maxconnections = 4
"""


def first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.sub(r"[,;].*", "", (done.stdout + done.stderr).split("\n", 1)[0])


class Syncd(syncd.Syncd):
    """The program that this is about, one pass at a time."""
    name = "syncd"
    limit_s = None
    is_slow = False
    may_fail = False
    fine_statuses = (0,)

    def __init__(self, server, user, **keys):
        super().__init__(server, user=user, **keys)

    def pass_command(self):
        return self.command("--once")

    @staticmethod
    def version():
        return first_line([syncd.BINARY, "--version"])


class Peer:
    """Another program with the interface of Syncd that measure.run needs."""
    template = None
    limit_s = None
    is_slow = False  # then it runs once only
    may_fail = False  # then that is what the table says of it
    fine_statuses = (0,)

    def __init__(self, server, user):
        self.root = scratch.directory("bench-" + self.name)
        self.maildir = os.path.join(self.root, "mail")
        self.config = os.path.join(self.root, "config")
        self.log = os.path.join(self.root, "log")
        self.server, self.user = server, user
        os.mkdir(self.maildir)
        self.configure(port=server.tls_port)

    def configure(self, port):
        scratch.write(self.config, self.template.format(
            root=self.root, maildir=self.maildir, port=port, user=self.user,
            password=dovecot.PASSWORD, ca=self.server.certificates.ca,
            owner=dovecot.mail_user().pw_name))

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        return dict(keep, HOME=self.root, TZ="UTC")


class Mbsync(Peer):
    """isync; everything not in its configuration is as it comes."""
    name = "mbsync"
    template = MBSYNC

    def pass_command(self):
        return ["mbsync", "-c", self.config, "-a"]

    @staticmethod
    def version():
        return first_line(["mbsync", "--version"])


class Offlineimap(Peer):
    """OfflineIMAP on Python 3, as long as the environment lets it; with 0 not at all."""
    name = "offlineimap"
    is_slow = True
    limit_s = int(os.environ.get("OFFLINEIMAP", "600"))
    template = OFFLINEIMAP

    def pass_command(self):
        return ["offlineimap", "-o", "-c", self.config]

    @staticmethod
    def version():
        return "offlineimap " + first_line(["offlineimap", "--version"])


class Tool:
    """A program of tests/bench/*.c that is measured like the others."""
    limit_s = None
    fine_statuses = (0,)

    def __init__(self, name, *args):
        self.name, self.args = name, args
        self.log = os.devnull

    def pass_command(self):
        return [os.path.join(syncd.BUILD, "tests", "bench", self.name), *self.args]

    def environment(self):
        return dict(os.environ)


def server_version():
    return "Dovecot " + first_line([dovecot.program(), "--version"]).split(" ")[0]
