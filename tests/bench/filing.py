"""A full INBOX filed into fifty mailboxes by renaming its files, as mail readers do. The server has
its own format, as in changes.py. SPDX-License-Identifier: MIT"""
import functools
import os
import re

import measure
import race
import server as servers

MESSAGES = 10_000
MAILBOXES = ["file%02d" % n for n in range(50)]


def attempt(server, name, way):
    """A program with an account of its own, INBOX pulled, learns that it was filed."""
    user = server.account()
    server.fill(user, "INBOX", servers.small_mail(MESSAGES, size=2000))
    server.warm(user, ["INBOX"])
    program = race.PROGRAMS[name](server, user)
    program.configure(port=server.tls_port)
    measure.run(program)
    expected = file_messages(program.maildir)
    program.configure(port=way.port)
    measure.settle()
    result = way.run(program)
    for mailbox, content in expected.items():
        for where, found in (("here", servers.content(os.path.join(program.maildir, mailbox))),
                             ("there", server.content(user, mailbox))):
            if found != content:
                raise measure.Failed("%s: %s is not what it should be %s" % (
                    program.name, mailbox, where))
    return result


def file_messages(root):
    """Returns what each mailbox holds then. Names lose the UID that mbsync writes into them: it is
    another one where they go, as its manual says."""
    inbox = os.path.join(root, "INBOX")
    found = sorted((part, name) for part in ("cur", "new")
                   for name in os.listdir(os.path.join(inbox, part)))
    for mailbox in MAILBOXES:
        for part in ("tmp", "new", "cur"):
            os.makedirs(os.path.join(root, mailbox, part), mode=0o700)
    for number, (part, name) in enumerate(found):
        os.rename(os.path.join(inbox, part, name),
                  os.path.join(root, MAILBOXES[number % len(MAILBOXES)], part,
                               re.sub(r",U=\d+", "", name)))
    return {mailbox: servers.content(os.path.join(root, mailbox))
            for mailbox in ["INBOX"] + MAILBOXES}


def run(delay_ms=0):
    with servers.Server(storage="sdbox") as server:
        title = "filing-latency" if delay_ms else "filing"
        return race.Race(title, server, functools.partial(attempt, server), delay_ms).run()
