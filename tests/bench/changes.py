"""A mailbox of 100,000 messages in which each side changed 235 things since the last pass.

SPDX-License-Identifier: MIT"""
import collections
import hashlib
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


def digest(data):
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).digest()


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
        self.expected = {number: (digest(data), letters) for number, (data, letters)
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
        return [servers.names(path) if os.path.isdir(path) else []
                for path in (self.maildir, self.server.maildir(self.user))]

    def check(self):
        expected = collections.Counter(self.expected.values())
        for where, path in ("here", self.maildir), ("there", self.server.maildir(self.user)):
            found = servers.content(path)
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
        """Of what the server held at first, by number; from Dovecot's own list."""
        with open(os.path.join(self.server.maildir(self.user), "dovecot-uidlist"),
                  encoding="ascii") as listing:
            rows = re.findall(r"^(\d+) .*:\d+\.M(\d+)P1\.bench,", listing.read(), re.MULTILINE)
        return {int(number): int(uid) for uid, number in rows}

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
            self.expected[digest(data)] = (digest(data), "S")

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
    with servers.Server() as server:
        return race.Race("changes", server, Changes(server).attempt).run()
