"""Each kind of work that a pass does: how the two sides have drifted apart, and what is to
come of it. SPDX-License-Identifier: MIT"""
import os
import shutil
import unittest

import matrix
import dovecot
import views

BARE = {"without": {"MOVE", "UIDPLUS"}}


def old(number):
    return "old %d" % number


def renamed(remote, name, new):
    remote.check(remote.imap.rename(views.quoted(name), views.quoted(new)))


class Filled(matrix.Work):
    """Eight messages in INBOX, one in Work, on both sides."""

    @classmethod
    def begin(cls, remote):
        remote.create("Work")
        remote.append("Work", cls.message("in Work"), ["\\Seen"], 1_400_000_000)
        for number in range(8):
            remote.append("INBOX", cls.message(old(number)), ["\\Seen", "Label"],
                          1_500_000_000 + number)


class Pull(matrix.Work):
    """Into an empty maildir; one message is too large to be held in memory."""

    LEDGER = {"INBOX": ["small 0", "small 1", "small 2", "large"], "Lists/Dev": ["listed"]}
    CALLS = 60
    KINDS = {"rename", "dir"}

    @classmethod
    def drift(cls, remote):
        remote.create("Lists/Dev")
        for number in range(3):
            remote.append("INBOX", cls.message("small %d" % number, 3000 * number),
                          [[], ["\\Seen", "Label"], ["\\Flagged"]][number], 1_400_000_000 + number)
        remote.append("INBOX", cls.message("large", 300_000), [], 1_400_000_009)
        remote.append("Lists/Dev", cls.message("listed"), ["\\Seen"], 1_400_000_010)


class Push(matrix.Work):
    """What was written here, in a mailbox that the server lacks, too."""

    LEDGER = {"INBOX": ["small 0", "small 1", "small 2", "large"], "Written": ["a", "b"]}
    CALLS = 40

    @classmethod
    def drift(cls, remote):
        for number in range(3):
            cls.local.add("INBOX", cls.message("small %d" % number, 3000 * number), "S",
                          1_400_000_000 + number)
        cls.local.add("INBOX", cls.message("large", 300_000), "", 1_400_000_009, "new")
        cls.local.create("Written")
        for subject in "a", "b":
            cls.local.add("Written", cls.message(subject), "FS", 1_400_000_011)


class PushBare(Push):
    """To a server that does not tell the UIDs."""

    SERVER = BARE


class Flags(Filled):
    """Changed here, there, and the same message's on both sides; a keyword that is new."""

    LEDGER = {"INBOX": [old(n) for n in range(8)], "Work": ["in Work"]}
    CALLS = 40
    KINDS = {"rename", "link"}

    @classmethod
    def drift(cls, remote):
        cls.local.reflag(cls.file_of("INBOX", old(0)), "Fa")
        cls.local.reflag(cls.file_of("INBOX", old(1)), "RSa")
        cls.local.reflag(cls.file_of("INBOX", old(2)), "S")
        for number, change, flag in ((1, "+", "\\Flagged"), (2, "-", "\\Seen"), (3, "+", "todo"),
                                     (4, "+", "\\Deleted"), (5, "-", "Label")):
            remote.store("INBOX", cls.uid_of(remote, "INBOX", old(number)), change, flag)
        remote.store("Work", 1, "+", "\\Answered")


class Deletes(Filled):
    """On either side, and of one on both."""

    LEDGER = {"INBOX": [old(4), old(5), old(6), old(7)], "Work": []}
    CALLS = 40
    KINDS = {"unlink"}

    @classmethod
    def drift(cls, remote):
        for number in 0, 1:
            os.unlink(cls.file_of("INBOX", old(number)))
        os.unlink(cls.file_of("Work", "in Work"))
        remote.delete("INBOX", *[cls.uid_of(remote, "INBOX", old(number)) for number in (1, 2, 3)])


class DeletesBare(Deletes):
    """Without UID EXPUNGE; somebody else's \\Deleted message stays."""

    SERVER = BARE


class Moves(Filled):
    """Files moved with and without a new name, and copied. That a flag set there meanwhile may get
    lost is what test_sync_interrupted.py knows to fail."""

    LEDGER = {"INBOX": [old(6), old(7)],
              "Work": ["in Work", old(0), old(1), old(2)],
              "Made": [old(3), old(4), old(5), old(6)]}
    CALLS = 60
    KINDS = {"rename"}

    @classmethod
    def drift(cls, remote):
        cls.local.create("Made")
        for number in range(6):
            path = cls.file_of("INBOX", old(number))
            name = os.path.basename(path) if number % 2 else "1.M%dP2.reader:2,S" % number
            os.rename(path, cls.local.path(("Work", "Made")[number // 3], "cur", name))
        shutil.copy2(cls.file_of("INBOX", old(6)),
                     cls.local.path("Made", "cur", "1.M9P2.reader:2,S"))


class MovesBare(Moves):
    """By COPY and a removal, and nobody tells the UIDs."""

    SERVER = BARE


class MovesThere(Filled):
    """Moved and copied on the server."""

    LEDGER = {"INBOX": [old(n) for n in range(3, 8)],
              "Work": ["in Work", old(0), old(1), old(2), old(3)]}
    CALLS = 40
    KINDS = {"rename", "unlink"}

    @classmethod
    def drift(cls, remote):
        remote.select("INBOX")
        uids = [cls.uid_of(remote, "INBOX", old(number)) for number in range(4)]
        remote.check(remote.imap.uid("MOVE", ",".join(str(u) for u in uids[:3]), "Work"))
        remote.check(remote.imap.uid("COPY", str(uids[3]), "Work"))


class Mixed(Filled):
    """Something of everything in one pass."""

    LEDGER = {"INBOX": [old(1), old(2), old(4), old(5), old(6), "here", "there"],
              "Work": ["in Work", old(7)], "Written": ["written"]}
    CALLS = 60
    KINDS = {"rename", "unlink"}

    @classmethod
    def drift(cls, remote):
        remote.delete("INBOX", cls.uid_of(remote, "INBOX", old(0)))
        remote.store("INBOX", cls.uid_of(remote, "INBOX", old(1)), "+", "\\Flagged", "todo")
        cls.local.reflag(cls.file_of("INBOX", old(1)), "RSa")
        os.unlink(cls.file_of("INBOX", old(3)))
        os.rename(cls.file_of("INBOX", old(7)), cls.local.path("Work", "cur", "1.M1P2.reader:2,S"))
        cls.local.create("Written")
        cls.local.add("Written", cls.message("written"), "S", 1_400_000_000)
        cls.local.add("INBOX", cls.message("here"), "S", 1_400_000_000)
        remote.append("INBOX", cls.message("there"), [], 1_400_000_001)


class FirstContact(Filled):
    """The state is lost, and both sides have changed since."""

    LEDGER = {"INBOX": [old(n) for n in range(8)] + ["here", "there"], "Work": ["in Work"]}
    CALLS = 40

    @classmethod
    def drift(cls, remote):
        shutil.rmtree(cls.client.state)
        os.mkdir(cls.client.state)
        remote.store("INBOX", cls.uid_of(remote, "INBOX", old(0)), "+", "\\Flagged")
        cls.local.reflag(cls.file_of("INBOX", old(1)), "RSa")
        cls.local.add("INBOX", cls.message("here"), "S", 1_400_000_000)
        remote.append("INBOX", cls.message("there"), [], 1_400_000_001)


class Renumbered(Filled):
    """A new UIDVALIDITY, and both sides have changed since."""

    LEDGER = {"INBOX": [old(n) for n in range(8)] + ["here", "there"], "Work": ["in Work"]}
    CALLS = 40

    @classmethod
    def drift(cls, remote):
        remote.store("INBOX", cls.uid_of(remote, "INBOX", old(0)), "+", "\\Flagged")
        remote.append("INBOX", cls.message("there"), [], 1_400_000_001)
        cls.local.reflag(cls.file_of("INBOX", old(1)), "RSa")
        cls.local.add("INBOX", cls.message("here"), "S", 1_400_000_000)
        cls.server.stop()
        for name in os.listdir(cls.server.maildir()):
            if name.startswith(("dovecot.index", "dovecot-uidlist")):
                os.unlink(os.path.join(cls.server.maildir(), name))
        cls.server.start()


class MailboxesThere(Filled):
    """Made, renamed with what is below it, and deleted on the server."""

    LEDGER = {"INBOX": [old(n) for n in range(8)], "Made": [], "New": ["in Old"],
              "New/Child": ["in Old/Child"], "Work": ["in Work"],
              "Kept": ["in Kept", "never there"]}
    CALLS = 60
    KINDS = {"rename", "unlink", "dir"}

    @classmethod
    def begin(cls, remote):
        super().begin(remote)
        for name in "Old", "Old/Child", "Gone", "Kept":
            remote.create(name)
            remote.append(name, cls.message("in " + name), ["\\Seen", "Label"], 1_400_000_000)

    @classmethod
    def drift(cls, remote):
        remote.delete("Kept", 1)
        remote.select("INBOX")
        for name in "Gone", "Kept":
            remote.check(remote.imap.delete(name))
        cls.local.add("Kept", cls.message("never there"), "S", 1_400_000_001)
        renamed(remote, "Old", "New")
        remote.create("Made")


class MailboxesHere(MailboxesThere):
    """The same in the maildir."""

    LEDGER = {"INBOX": [old(n) for n in range(8)], "Made": [], "New": ["in Old"],
              "New/Child": ["in Old/Child"], "Work": ["in Work"], "Kept": ["in Kept", "never here"]}
    KINDS = {"dir"}

    @classmethod
    def drift(cls, remote):
        pass

    def depart(self):
        run = self.client.once()
        self.assertEqual(run.code, 0, run.err)
        with views.Remote(self.server) as remote:
            self.mail.count = 1000
            remote.append("Kept", self.message("never here"), ["\\Seen"], 1_400_000_001)
        for name in "Gone", "Kept":
            shutil.rmtree(self.local.path(name))
        os.rename(self.local.path("Old"), self.local.path("New"))
        self.local.create("Made")


class Trash(Filled):
    """What is deleted here goes to the server's trash."""

    KEYS = {"trash": "Trash"}
    LEDGER = {"INBOX": [old(n) for n in range(3, 8)], "Work": ["in Work"],
              "Trash": [old(0), old(1), old(2)]}
    CALLS = 40

    @classmethod
    def begin(cls, remote):
        super().begin(remote)
        remote.create("Trash")

    @classmethod
    def drift(cls, remote):
        for number in range(3):
            os.unlink(cls.file_of("INBOX", old(number)))


class TrashBare(Trash):
    """COPY and a removal, and what a kill between the two does is known."""

    SERVER = BARE
    DOUBLED = ("Trash",)


class Expunge(Filled):
    """What is flagged Deleted on either side goes from both."""

    KEYS = {"expunge_deleted": True}
    LEDGER = {"INBOX": [old(n) for n in range(4, 8)], "Work": []}
    CALLS = 40
    KINDS = {"unlink"}

    @classmethod
    def drift(cls, remote):
        for number in 0, 1:
            cls.local.reflag(cls.file_of("INBOX", old(number)), "ST")
        cls.local.reflag(cls.file_of("Work", "in Work"), "T")
        for number in 2, 3:
            remote.store("INBOX", cls.uid_of(remote, "INBOX", old(number)), "+", "\\Deleted")


class ExpungeBare(Expunge):
    SERVER = BARE


class Maildrop(matrix.Work):
    """POP3, and what is safely here is deleted there."""

    SERVER = {"pop3": True}
    KEYS = {"protocol": "pop3", "keep": "none", "deletion_limit": None}
    LEDGER = {".": ["old", "small 0", "small 1", "small 2", "large"]}
    CALLS = 40
    KINDS = {"rename", "dir"}

    @classmethod
    def setUpClass(cls):
        if not dovecot.has_pop3():
            raise unittest.SkipTest("Dovecot has no POP3 here")
        super().setUpClass()

    @classmethod
    def begin(cls, remote):
        remote.append("INBOX", cls.message("old"), [], 1_300_000_000)

    @classmethod
    def drift(cls, remote):
        for number in range(3):
            remote.append("INBOX", cls.message("small %d" % number, 3000 * number), [],
                          1_400_000_000 + number)
        remote.append("INBOX", cls.message("large", 300_000), [], 1_400_000_009)

    def everything(self):
        """What is left there would be there beside what is here."""
        here = self.by_subject(self.local)
        left = [(self.subjects.get(digest), [], 0)
                for digest in views.Drop(self.server).messages().values()]
        return here, {".": sorted(here["."] + left)}

ALL = (Pull, Push, PushBare, Flags, Deletes, DeletesBare, Moves, MovesBare, MovesThere, Mixed,
       FirstContact, Renumbered, MailboxesThere, MailboxesHere, Trash, TrashBare, Expunge,
       ExpungeBare)
