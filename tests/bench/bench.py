#!/usr/bin/env python3
"""Speed and memory against a private Dovecot: `make bench`, or bench.py NAME...

Each line is a measurement with the bound that it must keep; one that breaks its
bound makes the exit status 1. SPDX-License-Identifier: MIT"""
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "real"))

import dovecot  # noqa: E402
import mailgen  # noqa: E402
import scratch  # noqa: E402
import syncd  # noqa: E402
import views  # noqa: E402

RESIDENT_MIB = 32
broken = []


def report(what, value, unit, bound):
    is_kept = value <= bound
    print("%-4s %-52s %9.2f %s (bound %g)" % ("ok" if is_kept else "FAIL", what, value, unit, bound))
    sys.stdout.flush()
    if not is_kept:
        broken.append(what)


def resident_mib(pid, field="VmHWM"):
    """Peak (or with VmRSS present) resident memory of a process; 0 when it is gone."""
    try:
        with open("/proc/%d/status" % pid, encoding="ascii") as status:
            rows = [line for line in status if line.startswith(field)]
        return int(rows[0].split()[1]) / 1024 if rows else 0
    except (FileNotFoundError, ProcessLookupError):
        return 0


def measured_pass(client, what, seconds):
    """One pass with its time and peak memory. Not getrusage's: that begins with the size
    of whoever started the process."""
    began, peak = time.monotonic(), 0
    process = subprocess.Popen(client.command("--once"), env=client.environment(),
                               stdin=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, resident_mib(process.pid))
        time.sleep(0.005)
    if process.returncode != 0:
        raise RuntimeError("%s: exit status %d" % (what, process.returncode))
    report(what + ": time", time.monotonic() - began, "s", seconds)
    report(what + ": resident", peak, "MiB", RESIDENT_MIB)


def fill(server, mailbox_path, count, size=400):
    """Puts messages into the server's maildir behind its back: appending takes long."""
    mail, owner = mailgen.Mail(1), dovecot.mail_user()
    for part in ("", "tmp", "new", "cur"):
        path = os.path.join(mailbox_path, part)
        os.makedirs(path, exist_ok=True)
        os.chown(path, owner.pw_uid, owner.pw_gid)
    for number in range(count):
        path = os.path.join(mailbox_path, "cur", "%d.M%dP1.bench:2,%s" % (
            1_500_000_000 + number, number, "S" if number % 3 else ""))
        with open(path, "wb") as out:
            out.write(mail.plain("message %d" % number, size).replace(b"\r\n", b"\n"))
        os.chown(path, owner.pw_uid, owner.pw_gid)


def bench_many():
    """A mailbox of 100,000 messages: first pass, a quiet pass, one new message."""
    count = int(os.environ.get("MESSAGES", "100000"))
    with dovecot.Dovecot() as server:
        fill(server, server.maildir(), count)
        remote = views.Remote(server)
        assert len(remote.uids("INBOX")) == count
        client = syncd.Syncd(server)
        measured_pass(client, "%d messages pulled" % count, count / 1000)
        found = sum(1 for _ in views.Local(client.maildir).files("INBOX"))
        assert found == count, "%d files" % found
        measured_pass(client, "a pass with nothing to do", 2)
        views.Local(client.maildir).add("INBOX", mailgen.Mail(2).plain("one more"), "S")
        measured_pass(client, "a pass with one new message", 3)


def bench_large():
    """A message of 200 MB, each way."""
    with dovecot.Dovecot() as server:
        remote = views.Remote(server)
        remote.append("INBOX", mailgen.big(200_000_000), ["\\Seen"])
        client = syncd.Syncd(server)
        measured_pass(client, "200 MB pulled", 30)
        views.Local(client.maildir).add("INBOX", mailgen.Mail(3).plain("up", 200_000_000), "S")
        measured_pass(client, "200 MB pushed", 30)
        assert len(remote.uids("INBOX")) == 2


def holds(path, text):
    with open(path, "rb") as mail:
        return text in mail.read()


def bench_push():
    """How long a flag takes, daemon running, each way; its memory when idle."""
    with dovecot.Dovecot() as server:
        remote = views.Remote(server)
        for number in range(20):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number))
        client = syncd.Syncd(server)
        local = views.Local(client.maildir)
        client.start()
        scratch.wait_for(lambda: "INBOX" in local.mailboxes() and
                         len(local.messages("INBOX")) == 20, 30, client.said)
        time.sleep(1)
        slowest = {"flag from the server": 0.0, "flag from the maildir": 0.0}
        for number, uid in enumerate(remote.uids("INBOX")[:10]):
            began = time.monotonic()
            remote.store("INBOX", uid, "+", "\\Flagged")
            scratch.wait_for(lambda: sum("\\Flagged" in m.flags for m in local.messages("INBOX"))
                             > 2 * number, 30, client.said)
            here = time.monotonic()
            path = [m.where for m in local.messages("INBOX")
                    if holds(m.where, b"message %d" % (10 + number))][0]
            local.reflag(path, "F")
            scratch.wait_for(lambda: len(remote.check(remote.imap.uid("SEARCH", "FLAGGED"))[0].split())
                             > 2 * number + 1, 30, client.said)
            for what, took in (("flag from the server", here - began),
                               ("flag from the maildir", time.monotonic() - here)):
                slowest[what] = max(slowest[what], took)
        for what, took in slowest.items():
            report("slowest of 10: " + what, took, "s", 1)
        report("daemon, idle: resident", resident_mib(client.process.pid, "VmRSS"), "MiB", 12)
        client.stop()


def main():
    for name in sys.argv[1:] or ["push", "large", "many"]:
        globals()["bench_" + name]()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
