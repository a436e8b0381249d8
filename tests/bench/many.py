"""A hundred mailboxes of a thousand small messages: a first pull, and passes after it.

SPDX-License-Identifier: MIT"""
import functools
import os

import measure
import race
import server as servers

MAILBOXES = ["INBOX"] + ["box%02d" % n for n in range(1, 100)]
MESSAGES = 1000


class Many:
    """A server with them, and each program after it has got them."""

    def __init__(self):
        self.server = servers.Server()
        self.user = self.server.account()
        for number, mailbox in enumerate(MAILBOXES):
            self.server.fill(self.user, mailbox, servers.small_mail(MESSAGES, seed=number))
        self.server.warm(self.user, MAILBOXES)
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
        for mailbox in MAILBOXES:
            servers.same(program, os.path.join(program.maildir, mailbox),
                         self.server.maildir(self.user, mailbox), mailbox)
        self.programs[name] = program
        return result

    @staticmethod
    def names(program):
        return [name for mailbox in MAILBOXES
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
        if self.names(program) != before or len(before) != MESSAGES * len(MAILBOXES):
            raise measure.Failed("%s: a pass with nothing to do did something" % name)
        return result


def pull():
    many = Many.made()
    return race.Race("pull-many", many.server, many.pull_attempt).run()


def noop(title, delay_ms=0):
    many = Many.made()
    return race.Race(title, many.server, many.noop_attempt, delay_ms).run()
