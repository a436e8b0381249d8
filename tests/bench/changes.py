"""A mailbox of 100,000 messages in which each side changed 235 things since the last pass.

The server keeps it in its own format: as a maildir it would read the whole directory anew at each
command, and that is what would be measured. SPDX-License-Identifier: MIT"""
import collections
import os
import random
import re

import mailgen
import measure
import race
import server as servers
import views

MESSAGES = 100_000
# On each side.
ANSWERED, DELETED, ADDED = 125, 50, 60


def base_of(path):
    return os.path.basename(path).split(":2,")[0]


class Account:
    """One program with an account of its own, both sides alike when it is made."""

    def __init__(self, server, name):
        self.server, self.user = server, server.account()
        server.fill(self.user, "INBOX", servers.small_mail(MESSAGES))
        servers.Download(server, self.user).run()  # the server's own first time
        self.program = race.PROGRAMS[name](server, self.user)
        self.maildir = os.path.join(self.program.maildir, "INBOX")
        # What both sides must hold, {key: (digest, letters)}; the first ones' keys are numbers.
        self.expected = {number: (servers.mail_digest(data), letters) for number, (data, letters)
                         in enumerate(servers.small_mail(MESSAGES))}
        self.rounds = 0
        self.settle(server.tls_port)
        self.check()
        self.bases = self._bases()

    def settle(self, port):
        """Passes until one leaves both sides as they were."""
        self.program.configure(port=port)
        before = None
        while before != (before := self._names()):
            measure.run(self.program)

    def _names(self):
        with views.Remote(self.server, self.user) as remote:
            remote.select("INBOX")
            there = remote.check(remote.imap.uid("FETCH", "1:*", "(FLAGS)"))
        return there, servers.names(self.maildir) if os.path.isdir(self.maildir) else []

    def check(self):
        expected = collections.Counter(self.expected.values())
        for where, found in (("here", servers.content(self.maildir)),
                             ("there", self.server.content(self.user))):
            if found != expected:
                raise measure.Failed("%s: %s: %d messages that should not be so, %d missing" % (
                    self.program.name, where, (found - expected).total(),
                    (expected - found).total()))

    # Who is who.

    def _bases(self):
        """Names of local files without their flags, by number."""
        found = {}
        for path in views.Local(self.program.maildir).files("INBOX"):
            with open(path, "rb") as mail:
                number = re.search(rb"^Subject: message (\d+)\r?$", mail.read(), re.MULTILINE)
            found[int(number.group(1))] = base_of(path)
        return found

    def _uids(self):
        """Of what the server held at first, by number."""
        found = {}
        with views.Remote(self.server, self.user) as remote:
            remote.select("INBOX")
            for part in remote.check(remote.imap.uid("FETCH", "1:*",
                                                     "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")):
                number = isinstance(part, tuple) and re.match(rb"Subject: message (\d+)\r", part[1])
                if number:
                    found[int(number.group(1))] = int(re.search(rb"UID (\d+)", part[0]).group(1))
        return found

    # The changes: the same for each program, other ones each round.

    def change(self):
        chance = random.Random(99)
        order = chance.sample(range(MESSAGES), MESSAGES)
        step = 2 * (ANSWERED + DELETED)
        ours = order[self.rounds * step:][:step // 2]
        theirs = order[self.rounds * step + step // 2:][:step // 2]
        self._change_there(theirs[:ANSWERED], theirs[ANSWERED:])
        self._change_here(ours[:ANSWERED], ours[ANSWERED:])
        self.rounds += 1

    def _expect(self, answered, deleted, added):
        for number in answered:
            data_digest, letters = self.expected[number]
            self.expected[number] = (data_digest, "".join(sorted(letters + "R")))
        for number in deleted:
            del self.expected[number]
        for data in added:
            self.expected[servers.mail_digest(data)] = (views.digest(data), "S")

    def _added(self, where):
        mail = mailgen.Mail()
        return [mail.plain("added %s %d in round %d" % (where, number, self.rounds), 400)
                for number in range(ADDED)]

    def _change_there(self, answered, deleted):
        uids = self._uids()
        added = self._added("there")
        with views.Remote(self.server, self.user) as remote:
            remote.store("INBOX", ",".join(str(uids[n]) for n in answered), "+", "\\Answered")
            remote.delete("INBOX", *(uids[n] for n in deleted))
            for data in added:
                remote.append("INBOX", data, ["\\Seen"])
        self._expect(answered, deleted, added)

    def _change_here(self, answered, deleted):
        local = views.Local(self.program.maildir)
        paths = {base_of(path): path for path in local.files("INBOX")}
        added = self._added("here")
        for number in answered:
            path = paths[self.bases[number]]
            local.reflag(path, servers.letters_in(path) + "R")
        for number in deleted:
            os.remove(paths[self.bases[number]])
        for data in added:
            local.add("INBOX", data.replace(b"\r\n", b"\n"), "S")
        self._expect(answered, deleted, added)


class Changes:
    """All programs' accounts, made as they are needed."""

    def __init__(self, server):
        self.server, self.accounts = server, {}

    def attempt(self, name, way):
        if name not in self.accounts:
            self.accounts[name] = Account(self.server, name)
        account = self.accounts[name]
        account.settle(way.port)
        account.change()
        measure.settle()
        result = way.run(account.program)
        account.check()
        return result


def run():
    with servers.Server(storage="sdbox") as server:
        return race.Race("changes", server, Changes(server).attempt).run()
