"""What is measured of syncd alone: a large message, how soon a flag crosses, an idle daemon, and
a mailbox of a million. SPDX-License-Identifier: MIT"""
import contextlib
import os
import signal
import subprocess
import time

import mailgen
import many
import measure
import peers
import scratch
import server as servers
import views

LARGE_BYTES = 200_000_000
MILLION = 1_000_000
IDLE_S = 60


def value(what, measured, unit, bound=None):
    return {"what": what, "value": measured, "unit": unit, "bound": bound}


def result_of(*values, note=""):
    return {"runs": 1, "failures": [], "values": list(values), "note": note}


@contextlib.contextmanager
def alone():
    """A server, a user and syncd for it."""
    with servers.Server() as server:
        user = server.account()
        yield server, user, peers.Syncd(server, user)


def measured_pass(client, what, seconds=None, peak_mb=None):
    measure.settle()
    found = measure.run(client)
    return [value(what, found.wall_s, "s", seconds),
            value(what + ", peak memory", found.peak_bytes / 1e6, "MB", peak_mb)]


def large():
    """A message of 200 MB, each way."""
    with alone() as (server, user, client):
        with views.Remote(server, user) as remote:
            remote.append("INBOX", mailgen.big(LARGE_BYTES), ["\\Seen"])
        pulled = measured_pass(client, "200 MB pulled", 30, 32)
        views.Local(client.maildir).add(
            "INBOX", mailgen.Mail(3).plain("up", LARGE_BYTES).replace(b"\r\n", b"\n"), "S")
        pushed = measured_pass(client, "200 MB pushed", 30, 32)
        servers.same(client, os.path.join(client.maildir, "INBOX"), server.maildir(user))
        assert len(servers.names(server.maildir(user))) == 2
        return result_of(*pulled, *pushed)


# The daemon.

def seconds_until(condition, client):
    began = time.monotonic()
    scratch.wait_for(condition, 30, client.said)
    return time.monotonic() - began


def local_path(client, number):
    """Of the message with this number."""
    local = views.Local(client.maildir)
    for path in local.files("INBOX"):
        with open(path, "rb") as mail:
            if b"message %d\n" % number in mail.read():
                return path
    raise measure.Failed("syncd: message %d is not here" % number)


def flag_from_server(remote, client, number, uid):
    remote.store("INBOX", uid, "+", "\\Flagged")
    return seconds_until(lambda: "F" in servers.letters_in(local_path(client, number)), client)


def flag_from_maildir(remote, client, number, uid):
    views.Local(client.maildir).reflag(local_path(client, number), "F")
    return seconds_until(lambda: str(uid).encode() in remote.check(
        remote.imap.uid("SEARCH", "FLAGGED"))[0].split(), client)


def latency():
    """How long a flag takes, daemon running, each way."""
    with alone() as (server, user, client), views.Remote(server, user) as remote:
        for number in range(20):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number))
        uids = remote.uids("INBOX")
        client.start()
        inbox = os.path.join(client.maildir, "INBOX")
        local = views.Local(client.maildir)
        seconds_until(lambda: local.mailboxes() and len(servers.names(inbox)) == 20, client)
        time.sleep(1)
        down = [flag_from_server(remote, client, n, uids[n]) for n in range(10)]
        up = [flag_from_maildir(remote, client, n, uids[n]) for n in range(10, 20)]
        client.stop()
        return result_of(value("flag from the server, slowest of 10", max(down), "s", 1),
                         value("flag from the maildir, slowest of 10", max(up), "s", 1))


def system_calls(pid, seconds):
    """{name: count} of what a process calls in this time."""
    path = os.path.join(scratch.directory("bench-strace"), "calls")
    with subprocess.Popen(["strace", "-c", "-f", "-p", str(pid), "-o", path],
                          stderr=subprocess.DEVNULL) as tracer:
        time.sleep(seconds)
        tracer.send_signal(signal.SIGINT)
    with open(path, encoding="ascii") as table:
        rows = [line.split() for line in table]
    return {row[-1]: int(row[3]) for row in rows
            if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"}


def idle():
    """A daemon with 100 mailboxes in which nothing happens."""
    everything = many.Many.made()
    client = everything.warm("syncd", measure.Way(everything.server.tls_port))
    client.start()
    scratch.wait_for(lambda: client.account_status()["state"] == "idle", 120, client.said)
    time.sleep(10)
    resident = measure.resident_bytes(client.process.pid, "VmRSS")
    calls = system_calls(client.process.pid, IDLE_S)
    client.stop()
    kinds = ", ".join("%s %d" % call for call in sorted(calls.items()))
    return result_of(value("resident", resident / 2**20, "MiB", 12),
                     value("system calls in %d s" % IDLE_S, sum(calls.values()), "calls", 10),
                     note="System calls: %s." % kinds if calls else "")


# A million.

def million():
    """A mailbox of 1,000,000 tiny messages."""
    with alone() as (server, user, client):
        server.fill(user, "INBOX", servers.small_mail(MILLION, 0))
        servers.Download(server, user).run()  # the server's own first time
        inbox = os.path.join(client.maildir, "INBOX")
        first = measured_pass(client, "1,000,000 messages pulled")
        servers.same(client, inbox, server.maildir(user))
        assert len(servers.names(inbox)) == MILLION
        measure.run(client)
        quiet = measured_pass(client, "nothing changed")
        local = views.Local(client.maildir)
        local.reflag(next(path for path in local.files("INBOX") if path.endswith(":2,S")), "RS")
        flagged = measured_pass(client, "one flag changed here")
        assert sum("R" in servers.letters_in(n) for n in servers.names(server.maildir(user))) == 1
        state = sum(entry.stat().st_blocks * 512
                    for entry in os.scandir(os.path.join(client.state, "work")))
        return result_of(*first, *quiet, *flagged, value("state on disk", state / 1e6, "MB"))
