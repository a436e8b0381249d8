"""An account on a hostile server, and what must hold of it whatever that does. SPDX-License-Identifier: MIT"""
import os
import time
import unittest

import hostile
import mailgen
import syncd
import views

MARKER = b"hostile-escape"  # begins what tries to get out of the maildir


class Scene:
    """Two mailboxes on the server, a client, and the ledger of what must be where in the end.

    kept  {mailbox: digests of what must be in the maildir all the while}
    """

    def __init__(self, case, capabilities=hostile.PLAIN, timeout="20s", **keys):
        self.case = case
        self.server = hostile.Server(capabilities)
        case.addCleanup(self.server.close)
        self.mail = mailgen.Mail(11)
        self.mailbox(b"INBOX", 5)
        self.mailbox(b"Work", 3)
        # Below a directory of its own, so that a name that gets out of the maildir lands there.
        self.client = syncd.Syncd(None, host="127.0.0.1", port=self.server.port, tls="none",
                                  timeout=timeout, **keys)
        self.local = views.Local(self.client.maildir)
        self.kept = {}

    def mailbox(self, name, count):
        box = self.server.mailboxes.get(name) or self.server.mailbox(name)
        for number in range(count):
            box.add(self.message("%s %d" % (name.decode("utf-8", "replace"), number)),
                    ["\\Seen"] if number % 2 else [])
        return box

    def message(self, subject):
        return self.mail.plain(subject)

    def once(self, *args, timeout=60):
        """A pass; nothing may be written outside of the maildir and the state, nor a file be lost."""
        before = self.outside()
        began = time.monotonic()
        run = self.client.once(*args, timeout=timeout)
        self.seconds = time.monotonic() - began
        self.case.assertEqual(self.outside(), before, "written outside of the maildir")
        self.assert_kept()
        return run

    def outside(self):
        """All names beside the maildir and the state, and escapes further up."""
        inside = (self.client.maildir, self.client.state)
        found = [os.path.join(path, name) for path, names, files in os.walk(self.client.root)
                 for name in names + files
                 if not os.path.join(path, name).startswith(inside)]
        above = [name for top in ("/", "/tmp", os.path.expanduser("~"), ".")
                 for name in os.listdir(top) if name.startswith(MARKER.decode())]
        return sorted(found) + above

    def assert_kept(self):
        here = self.local.everything()
        for name, digests in self.kept.items():
            self.case.assertLessEqual(digests, {m.digest for m in here.get(name, [])},
                                      "a local message of %s is gone" % name)

    def settle(self):
        """The first pass, of a server that behaves."""
        run = self.once()
        self.case.assertEqual((run.code, run.err), (0, ""))
        self.keep()

    def keep(self):
        self.kept = {name: {m.digest for m in messages}
                     for name, messages in self.local.everything().items()}

    def drift(self):
        """Something of everything on both sides since."""
        inbox, work = (self.server.mailboxes[name] for name in (b"INBOX", b"Work"))
        inbox.add(self.message("new there"))
        work.add(self.message("new in Work there"), ["\\Flagged"])
        inbox.flag(inbox.messages[1], {"\\Seen", "\\Flagged", "todo"})
        gone = inbox.messages[2]
        inbox.remove(gone.uid)
        here = sorted(self.local.messages("INBOX"), key=lambda m: m.where)
        flagged = [m for m in here if m.digest == views.digest(inbox.messages[0].data)][0]
        self.local.reflag(flagged.where, "RS")
        self.local.add("INBOX", self.message("new here").replace(b"\r\n", b"\n"), "S", 1_300_000_000)
        dropped = self.local.messages("Work")[0]
        os.unlink(dropped.where)
        self.keep()
        self.kept["INBOX"].discard(views.digest(gone.data))
        self.wanted = sorted([m.digest for m in self.local.messages("INBOX")
                              if m.digest != views.digest(gone.data)] +
                             [views.digest(inbox.messages[-1].data)])

    def assert_converges(self, passes=2):
        """With a server that behaves again all is well after a pass or two."""
        self.server.behave()
        for _ in range(passes):
            run = self.once()
            if run.code == 0:
                break
        self.case.assertEqual((run.code, run.err), (0, ""))
        self.assert_equal()
        self.assert_quiet()

    def assert_equal(self):
        here, there = self.local.everything(), self.server.everything()
        self.case.assertEqual(sorted(here), sorted(there))
        for name in here:
            self.case.assertEqual(views.alike(here[name]), views.alike(there[name]), name)
            digests = [m.digest for m in here[name]]
            self.case.assertEqual(len(digests), len(set(digests)), "doubled in " + name)

    def assert_quiet(self):
        files, sides = self.local.snapshot(), self.server.everything()
        run = self.once()
        self.case.assertEqual((run.code, run.err), (0, ""))
        self.case.assertEqual((self.local.snapshot(), self.server.everything()), (files, sides))


class HostileCase(unittest.TestCase):
    maxDiff = 4000

    def scene(self, *args, **keys):
        return Scene(self, *args, **keys)
