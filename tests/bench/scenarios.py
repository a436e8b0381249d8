"""What is measured: each scenario is a function here that returns its result for report.py.

Nothing that a program wrote to disk is removed before the end: ext4 passes by inodes that were
deleted in the last minutes one by one, and whoever comes next would pay for it.

SPDX-License-Identifier: MIT"""
import functools
import os
import shutil

import measure
import peers
import race
import scratch
import server as servers

MEGABYTE = 1_000_000


# First pulls.

def pull_attempt(server, user, name, way):
    """A program with nothing yet pulls INBOX."""
    program = race.PROGRAMS[name](server, user)
    program.configure(port=way.port)
    measure.settle()
    result = way.run(program)
    servers.same(program, os.path.join(program.maildir, "INBOX"), server.maildir(user))
    return result


def write_floor(server, user):
    """The same files, and nothing else to do."""
    measure.settle()
    return measure.run(peers.Tool("write_floor", os.path.join(server.maildir(user), "cur"),
                                  os.path.join(scratch.directory("bench-floor"), "mail")))


def pull(title, messages, size_bytes, delay_ms=0):
    with servers.Server() as server:
        user = server.account()
        server.fill(user, "INBOX", servers.usual_mail(messages, size_bytes))
        download = servers.Download(server, user)
        download.run()  # the server's own first time
        floors = {"download floor": download.run,
                  "disk floor": functools.partial(write_floor, server, user)}
        return race.Race(title, server, functools.partial(pull_attempt, server, user), delay_ms,
                         {} if delay_ms else floors).run()


# Pushing.

def push_attempt(server, source, name, way):
    """A program with a full INBOX pushes it into an empty account."""
    user = server.account()
    program = race.PROGRAMS[name](server, user)
    program.configure(port=way.port)
    shutil.copytree(source, os.path.join(program.maildir, "INBOX"))
    measure.settle()
    result = way.run(program)
    servers.same(program, os.path.join(program.maildir, "INBOX"), source, "what was pushed")
    servers.same(program, server.maildir(user), source, "what arrived")
    program.remove()
    server.empty(user)
    return result


def push():
    with servers.Server() as server:
        source = os.path.join(server.root, "source")
        servers.write_maildir(source, servers.usual_mail(2000, 38 * MEGABYTE, seed=2))
        return race.Race("push", server, functools.partial(push_attempt, server, source)).run()


# A hundred mailboxes.

class Many:
    """A server with 100 x 1,000 small messages, and each program after it has got them."""

    def __init__(self):
        self.server = servers.Server()
        self.user = self.server.account()
        self.mailboxes = ["INBOX"] + ["box%02d" % n for n in range(1, 100)]
        for number, mailbox in enumerate(self.mailboxes):
            self.server.fill(self.user, mailbox, servers.small_mail(1000, seed=number))
        self.server.warm(self.user, self.mailboxes)
        self.programs = {}

    @staticmethod
    @functools.cache
    def made():
        """The same one for all scenarios of this run: filling it takes long."""
        return Many()

    def pull_attempt(self, name, way):
        """The last one stays, for what comes after a first pull."""
        program = race.PROGRAMS[name](self.server, self.user)
        program.configure(port=way.port)
        measure.settle()
        result = way.run(program)
        self.check(program)
        self.programs[name] = program
        return result

    def check(self, program):
        for mailbox in self.mailboxes:
            servers.same(program, os.path.join(program.maildir, mailbox),
                         self.server.maildir(self.user, mailbox), mailbox)

    def names(self, program):
        return [name for mailbox in self.mailboxes
                for name in servers.names(os.path.join(program.maildir, mailbox))]

    def warm(self, name, way):
        """A program that has everything and has seen so, on this way."""
        if name not in self.programs:
            self.pull_attempt(name, measure.Way(self.server.tls_port))
        program = self.programs[name]
        program.configure(port=way.port)
        before = None
        while before != (before := self.names(program)):
            measure.run(program)
        measure.settle()
        return program

    def noop_attempt(self, name, way):
        program = self.warm(name, way)
        before = self.names(program)
        result = way.run(program)
        if self.names(program) != before or len(before) != 100_000:
            raise measure.Failed("%s: a pass with nothing to do did something" % name)
        return result


def noop(title, delay_ms=0):
    many = Many.made()
    return race.Race(title, many.server, many.noop_attempt, delay_ms).run()


SCENARIOS = {
    "pull": lambda: pull("pull", 10_000, 190 * MEGABYTE),
    "push": push,
    "noop": lambda: noop("noop"),
    "noop-latency": lambda: noop("noop-latency", 40),
}

# In the order of the page; TABLE are those of issue 3's table.
DESCRIBED = {
    "pull": "First pull of 10,000 messages (190 MB), one mailbox.",
    "push": "Push of 2,000 messages (38 MB).",
    "noop": "Nothing changed in 100 mailboxes of 1,000 messages.",
    "noop-latency": "The same at a round trip of 40 ms.",
}
TABLE = list(DESCRIBED)
