"""What is measured: each scenario is a function here that returns its result for report.py.

SPDX-License-Identifier: MIT"""
import functools
import os
import shutil

import alone
import changes
import filing
import many
import measure
import pop
import race
import server as servers

MEGABYTE = 1_000_000
ROUND_TRIP_MS = 40


# First pulls.

def pull_attempt(server, user, name, way):
    """A program with nothing yet pulls INBOX."""
    program = race.PROGRAMS[name](server, user)
    program.configure(port=way.port)
    measure.settle()
    result = way.run(program)
    servers.same(program, os.path.join(program.maildir, "INBOX"), server.maildir(user))
    return result


def pull(title, messages, size_bytes, delay_ms=0):
    with servers.Server() as server:
        user = server.account()
        server.fill(user, "INBOX", servers.usual_mail(messages, size_bytes))
        download = servers.Download(server, user)
        download.run()  # the server's own first time
        floors = {"download floor": download.run,
                  "disk floor": functools.partial(
                      race.write_floor, os.path.join(server.maildir(user), "cur"))}
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
    server.empty(user)
    return result


def push():
    with servers.Server() as server:
        source = os.path.join(server.root, "source")
        servers.write_maildir(source, servers.usual_mail(2000, 38 * MEGABYTE, seed=2))
        return race.Race("push", server, functools.partial(push_attempt, server, source)).run()


# By name, with what the page says of it, in the page's order.
SCENARIOS = {
    "pull": (lambda: pull("pull", 10_000, 190 * MEGABYTE),
             "First pull of 10,000 messages (190 MB), one mailbox."),
    "pull-latency": (lambda: pull("pull-latency", 2000, 38 * MEGABYTE, ROUND_TRIP_MS),
                     "First pull of 2,000 messages (38 MB) at a round trip of 40 ms."),
    "pull-many": (many.pull, "First pull of 100 mailboxes of 1,000 small messages."),
    "push": (push, "Push of 2,000 messages (38 MB) into an empty account."),
    "noop": (lambda: many.noop("noop"), "Nothing changed in 100 mailboxes of 1,000 messages."),
    "noop-latency": (lambda: many.noop("noop-latency", ROUND_TRIP_MS),
                     "Nothing changed in 100 mailboxes of 1,000 messages; a round trip is 40 ms."),
    "changes": (changes.run,
                "A mailbox of 100,000 messages; each side flagged 125, removed 50, added 60."),
    "filing": (filing.run, "10,000 messages of 2 KB moved from INBOX into 50 new mailboxes."),
    "pop": (pop.pull,
            "First pull of 5,000 messages (96 MB) from a POP3 maildrop that keeps them."),
    "pop-noop": (pop.noop, "Nothing new in that maildrop."),
    "pop-large": (pop.large, "A message of 200 MB in a POP3 maildrop."),
    "pop-100k": (pop.crowd, "A POP3 maildrop of 100,000 small messages."),
    "large": (alone.large, "A message of 200 MB, each way."),
    "latency": (alone.latency, "How soon a flag crosses, daemon running."),
    "idle": (alone.idle, "A daemon with 100 mailboxes in which nothing happens."),
    "million": (alone.million, "A mailbox of 1,000,000 tiny messages."),
}
DESCRIBED = {name: what for name, (_, what) in SCENARIOS.items()}
# Takes long: runs when named.
USUAL = [name for name in SCENARIOS if name != "million"]
