"""A POP3 maildrop pulled into a maildir, beside mpop, getmail6 and fetchmail.

All keep what they fetch on the server, deliver into a maildir, note in headers only what cannot be
left out, and say nothing. SPDX-License-Identifier: MIT"""
import contextlib
import functools
import os
import shutil

import alone
import dovecot
import mailgen
import measure
import peers
import race
import server as servers

MESSAGES, MEGABYTES = 5000, 96
CROWD = 100_000
LARGE_BYTES = 200_000_000
NOOP_RUNS = max(race.RUNS, 15)  # of some hundredths of a second

MPOP = """
account default
host localhost
port {port}
user {user}
password {password}
tls on
tls_starttls off
tls_trust_file {ca}
keep on
received_header off
delivery maildir {maildir}
uidls_file {root}/uidls
"""

GETMAIL = """
[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = {port}
username = {user}
password = {password}
ca_certs = {ca}

[destination]
type = Maildir
path = {maildir}/
user = {owner}

[options]
read_all = false
delete = false
delivered_to = false
received = false
verbose = 0
"""

# safecat does what a delivery into a maildir takes, and nothing else.
FETCHMAIL = """
set idfile {root}/ids
set invisible
poll localhost protocol pop3 port {port} uidl
    user "{user}" password "{password}" ssl sslcertck sslcertfile {ca}
    keep no rewrite mda "/usr/bin/safecat {maildir}/tmp {maildir}/new"
"""


class Syncd(peers.Syncd):
    def __init__(self, server, user):
        super().__init__(server, user, protocol="pop3")


class Peer(peers.Peer):
    """Delivers into a maildir that is there."""

    def __init__(self, server, user):
        super().__init__(server, user)
        self.configure(port=server.pop3_tls_port)
        for part in ("tmp", "new", "cur"):
            os.mkdir(os.path.join(self.maildir, part))


class Mpop(Peer):
    name = "mpop"
    template = MPOP

    def pass_command(self):
        return ["mpop", "-Q", "-C", self.config]

    @staticmethod
    def version():
        return peers.first_line(["mpop", "--version"]).replace("version ", "")


class Getmail(Peer):
    """May fail: its signal handler can have reaped a delivery's process before it waits for that;
    then it waits for a minute, and gives up."""
    name = "getmail6"
    template = GETMAIL
    is_slow = True
    may_fail = True

    def __init__(self, server, user):
        """It delivers for no root, but for who the directories belong to."""
        super().__init__(server, user)
        os.chmod(self.root, 0o711)
        for path in (self.maildir, *(entry.path for entry in os.scandir(self.maildir))):
            os.chown(path, dovecot.mail_user().pw_uid, dovecot.mail_user().pw_gid)

    def pass_command(self):
        return ["getmail", "--getmaildir=" + self.root, "--rcfile=" + self.config]

    @staticmethod
    def version():
        return "getmail6 " + peers.first_line(["getmail", "--version"]).split(" ")[-1]


class Fetchmail(Peer):
    name = "fetchmail"
    template = FETCHMAIL
    is_slow = True
    fine_statuses = (0, 1)  # 1: nothing new

    def pass_command(self):
        return ["fetchmail", "--silent", "--nosyslog", "-f", self.config]

    def environment(self):
        return dict(super().environment(), FETCHMAILHOME=self.root)

    @staticmethod
    def version():
        return peers.first_line(["fetchmail", "--version"]).split("+")[0].replace(
            "This is ", "").replace("release ", "")


PEERS = {"mpop": Mpop, "getmail": Getmail, "safecat": Fetchmail}
# Not everywhere are all of them in packages.
FIELD = race.Field({kind.name: kind for kind in
                    [Syncd] + [PEERS[command] for command in PEERS if shutil.which(command)]},
                   "mpop", "pop3_tls_port")


def unread(messages):
    """A maildrop knows of no flags."""
    return ((data, "") for data, _ in messages)


class Maildrop:
    """The one that is pulled, and each program after it has pulled it."""

    def __init__(self):
        self.server = servers.Server(pop3=True)
        self.user = self.server.account()
        self.server.fill(self.user, "INBOX", unread(servers.usual_mail(
            MESSAGES, MEGABYTES * 1_000_000, seed=6)))
        self.download = servers.DropDownload(self.server, self.user)
        self.download.run()  # the server's own first time
        self.programs = {}

    @staticmethod
    @functools.cache
    def made():
        return Maildrop()

    def pull_attempt(self, name, way):
        program = FIELD.programs[name](self.server, self.user)
        program.configure(port=way.port)
        measure.settle()
        result = way.run(program)
        servers.same(program, program.maildir, self.server.maildir(self.user))
        self.programs[name] = program
        return result

    def noop_attempt(self, name, way):
        if name not in self.programs:
            self.pull_attempt(name, measure.Way(self.server.pop3_tls_port))
        program = self.programs[name]
        program.configure(port=way.port)
        before = servers.names(program.maildir)
        measure.settle()
        result = way.run(program)
        if servers.names(program.maildir) != before or len(before) != MESSAGES:
            raise measure.Failed("%s: a pass with nothing to do did something" % name)
        return result


def pull():
    drop = Maildrop.made()
    floors = {"download floor": drop.download.run,
              "disk floor": functools.partial(
                  race.write_floor, os.path.join(drop.server.maildir(drop.user), "cur"))}
    return race.Race("pop", drop.server, drop.pull_attempt, floors=floors, field=FIELD).run()


def noop():
    drop = Maildrop.made()
    return race.Race("pop-noop", drop.server, drop.noop_attempt, field=FIELD,
                     runs=NOOP_RUNS).run()


# syncd alone.

@contextlib.contextmanager
def alone_with(messages):
    """A maildrop of its own with them, and syncd for it."""
    with servers.Server(pop3=True) as server:
        user = server.account()
        server.fill(user, "INBOX", unread(messages))
        servers.DropDownload(server, user).run()  # the server's own first time
        yield server, user, Syncd(server, user)


def measured_pass(client, what, seconds=None, peak_mib=None):
    measure.settle()
    found = measure.run(client)
    return [alone.value(what, found.wall_s, "s", seconds),
            alone.value(what + ", peak memory", found.peak_bytes / 2**20, "MiB", peak_mib)]


def large():
    mail = mailgen.Mail(3).plain("large", LARGE_BYTES).replace(b"\r\n", b"\n")
    with alone_with([(mail, "")]) as (server, user, client):
        pulled = measured_pass(client, "200 MB pulled", peak_mib=16)
        servers.same(client, client.maildir, server.maildir(user))
        return alone.result_of(*pulled)


def crowd():
    with alone_with(servers.small_mail(CROWD)) as (server, user, client):
        first = measured_pass(client, "100,000 messages pulled")
        servers.same(client, client.maildir, server.maildir(user))
        assert len(servers.names(client.maildir)) == CROWD
        quiet = measured_pass(client, "nothing new")
        return alone.result_of(*first, *quiet)
