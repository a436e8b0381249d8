"""Who changes an account while syncd works: other IMAP clients and a local reader, each in a thread
of its own, and the ledger of what must come of it.

A message is moved, copied and deleted by its owner alone, so that what is to become of it is clear;
flags are changed by all. When everything is at rest and compared, owners are drawn anew: what came
from the server may be the reader's next, and the other way round.

What must come of it (CONTRACT 3):
* Each message is exactly once in each mailbox where its owner put it, and nowhere else, on both
  sides, with equal flags.
* A flag has the value that the only one who changed it since the last rest gave it. The flag that
  everybody changes is the same on both sides.

Keywords are only on messages that nobody moves: a moved file that is not known as such, because a
kill left something to be recovered in that mailbox, keeps the letters of the one it came from
(test_sync_interrupted.py).
SPDX-License-Identifier: MIT"""
import os
import random
import shutil
import threading
import time
import traceback

import mailgen
import views

MAILBOXES = ["INBOX", "Work", "Home"]
OWN_MAX = 30       # messages that an owner has before it rather deletes than makes some
FLAGGED = 8        # messages in each mailbox that nobody moves
EVERYBODYS = "\\Seen"
FLAG_SETS = [[], [], ["\\Seen"], ["\\Seen", "\\Answered"], ["\\Seen", "\\Flagged", "$Forwarded"]]
PATIENCE_S = 20


class Entry:
    """One message, and in which mailboxes it is to be."""

    def __init__(self, mark):
        self.mark = mark
        self.places = set()
        self.history = []

    def note(self, who, what, *where):
        self.history.append("%.3f %s %s %s" % (time.time(), who, what, " ".join(where)))


class Ledger:
    def __init__(self, seed):
        self.mail = mailgen.Mail(seed)
        self.lock = threading.Lock()
        self.entries, self.marks = {}, {}
        self.flagged = {}      # mark to mailbox, of those that nobody moves
        self.flags = {}        # (mark, flag) to its value
        self.touched = set()   # those changed since the last rest

    def new(self, size=0):
        """A message and its bytes."""
        with self.lock:
            mark = "m%05d" % (len(self.entries) + 1)
            entry = self.entries[mark] = Entry(mark)
            data = self.mail.plain(mark, size, "<%s@test.example>" % mark)
            self.marks[views.digest(data)] = mark
            return entry, data

    def claim(self, flag, choose):
        """One whose flag nobody has changed yet: (mark, mailbox, value); None without."""
        free = [mark for mark in self.flagged if (mark, flag) not in self.touched]
        if not free:
            return None
        mark = choose.choice(free)
        with self.lock:
            self.touched.add((mark, flag))
        return mark, self.flagged[mark], not self.flags.get((mark, flag), False)

    # Everything is at rest.

    def faults(self, side, which):
        """What is not as it has to be, in {mailbox: messages} of one side."""
        there, found = {}, []
        for mailbox, messages in side.items():
            for message in messages:
                mark = self.marks.get(message.digest)
                if mark is None:
                    found.append("%s: unknown message in %s: %s" % (which, mailbox, message.where))
                else:
                    there.setdefault((mark, mailbox), []).append(message)
        for entry in self.entries.values():
            for mailbox in sorted(set(MAILBOXES) | set(side)):
                found += self.faults_of(entry, mailbox, there.get((entry.mark, mailbox), []), which)
        return found

    def faults_of(self, entry, mailbox, messages, which):
        if len(messages) != (mailbox in entry.places):
            return ["%s: %s is in %s %d times, not %d; %s" % (
                which, entry.mark, mailbox, len(messages), mailbox in entry.places,
                "; ".join(entry.history))]
        if entry.mark not in self.flagged or not messages:
            return []
        return ["%s: %s: %s is not %s" % (which, mark, flag, value)
                for (mark, flag), value in self.flags.items()
                if mark == entry.mark and (flag in messages[0].flags) != value]


class Actor(threading.Thread):
    """Does something every few milliseconds until `end`."""

    def __init__(self, ledger, flags, entries, seed):
        super().__init__(daemon=True, name=type(self).__name__)
        self.ledger, self.flags, self.mine = ledger, flags, entries
        self.choose = random.Random(seed)
        self.is_over = threading.Event()
        self.done = {}
        self.trouble = None

    def run(self):
        try:
            while not self.is_over.wait(self.choose.uniform(0, 0.05)):
                self.act()
        except Exception:  # pylint: disable=broad-except
            self.trouble = traceback.format_exc()

    def end(self):
        """Returns once it does nothing any more."""
        self.is_over.set()
        self.join(60)
        if self.trouble or self.is_alive():
            raise AssertionError("%s: %s" % (type(self).__name__, self.trouble or "does not end"))

    def act(self):
        placed = [entry for entry in self.mine if entry.places]
        actions = [self.add, self.flag_one, self.flag_any]
        if placed:
            actions += [self.move, self.copy, self.remove]
        if len(placed) > OWN_MAX:
            actions = [self.move, self.remove, self.flag_one]
        action = self.choose.choice(actions)
        if action in (self.move, self.copy, self.remove):
            entry = self.choose.choice(placed)
            is_done = action(entry, self.choose.choice(sorted(entry.places)))
        else:
            is_done = action()
        if is_done is not False:
            self.done[action.__name__] = self.done.get(action.__name__, 0) + 1

    def target(self, entry):
        free = [mailbox for mailbox in MAILBOXES if mailbox not in entry.places]
        return self.choose.choice(free) if free else None

    def add(self):
        entry, data = self.ledger.new(self.choose.choice([0, 0, 500, 3000, 20_000]))
        mailbox = self.choose.choice(MAILBOXES)
        self.put_new(mailbox, data)
        entry.note(self.name, "adds to", mailbox)
        entry.places.add(mailbox)
        self.mine.append(entry)

    def move(self, entry, mailbox):
        target = self.target(entry)
        if target is None:
            return False
        entry.places.add(target)
        entry.note(self.name, "moves", mailbox, target)
        self.transfer(entry.mark, mailbox, target, True)
        entry.places.discard(mailbox)
        return True

    def copy(self, entry, mailbox):
        target = self.target(entry)
        if target is None:
            return False
        entry.places.add(target)
        entry.note(self.name, "copies", mailbox, target)
        self.transfer(entry.mark, mailbox, target, False)
        return True

    def remove(self, entry, mailbox):
        entry.note(self.name, "deletes from", mailbox)
        self.delete(entry.mark, mailbox)
        entry.places.discard(mailbox)

    def flag_one(self):
        """One of this one's own flags: what it is now has to last."""
        flag = self.choose.choice(self.flags)
        claimed = self.ledger.claim(flag, self.choose)
        if claimed is None:
            return False
        mark, mailbox, value = claimed
        self.set_flag(mark, mailbox, flag, value)
        self.ledger.flags[mark, flag] = value
        return True

    def flag_any(self):
        mark, mailbox = self.choose.choice(sorted(self.ledger.flagged.items()))
        self.set_flag(mark, mailbox, EVERYBODYS, self.choose.random() < 0.5)


class Client(Actor):
    """Another IMAP client."""

    def __init__(self, ledger, flags, entries, seed, remote):
        super().__init__(ledger, flags, entries, seed)
        self.remote = remote

    def uid(self, mark, mailbox):
        """Where the message is; nobody but this client takes it away."""
        self.remote.select(mailbox)
        found = self.remote.check(self.remote.imap.uid("SEARCH", "HEADER", "Message-ID",
                                                       "<%s@test.example>" % mark))[0].split()
        if len(found) != 1:
            raise AssertionError("%s is %d times in %s on the server" % (mark, len(found), mailbox))
        return found[0].decode()

    def put_new(self, mailbox, data):
        flags = self.choose.choice(FLAG_SETS)
        self.remote.append(mailbox, data, flags, 1_500_000_000 + self.choose.randrange(1_000_000))

    def transfer(self, mark, mailbox, target, is_move):
        uid = self.uid(mark, mailbox)
        if is_move and "MOVE" not in self.remote.server.LACKING:
            self.remote.check(self.remote.imap.uid("MOVE", uid, target))
        else:
            self.remote.check(self.remote.imap.uid("COPY", uid, target))
            if is_move:
                self.delete(mark, mailbox)
        self.uid(mark, target)  # a UID that is gone is moved with OK, too

    def delete(self, mark, mailbox):
        """Again when it is there still: without UIDPLUS syncd takes others' marks off for the
        moment in which it removes its own (DESIGN 5)."""
        uid = self.uid(mark, mailbox)
        while uid in self.all_uids(mailbox):
            self.remote.delete(mailbox, uid)

    def all_uids(self, mailbox):
        return [str(uid) for uid in self.remote.uids(mailbox)]

    def set_flag(self, mark, mailbox, flag, value):
        self.remote.store(mailbox, self.uid(mark, mailbox), "+" if value else "-", flag)


class Reader(Actor):
    """A mail reader on the maildir."""

    LETTERS = {flag: letter for letter, flag in views.LETTERS.items()}

    def __init__(self, ledger, flags, entries, seed, local):
        super().__init__(ledger, flags, entries, seed)
        self.local = local
        self.known = {}  # base name to mark
        self.serial = 0

    def find(self, mark, mailbox):
        """The message's path; syncd may be changing its name."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            for path in self.local.files(mailbox):
                base = os.path.basename(path).split(":2,")[0]
                if base not in self.known:
                    self.learn(base, path)
                if self.known.get(base) == mark:
                    return path
            time.sleep(0.01)
        raise AssertionError("%s is not in the maildir's %s" % (mark, mailbox))

    def learn(self, base, path):
        try:
            with open(path, "rb") as mail:
                self.known[base] = self.ledger.marks.get(views.digest(mail.read()))
        except FileNotFoundError:
            pass

    def attempt(self, mark, mailbox, change):
        """Until the file was found under the name it had just then."""
        while True:
            try:
                return change(self.find(mark, mailbox))
            except FileNotFoundError:
                continue

    def new_name(self, path):
        """The same, or a new one as mutt gives."""
        base, _, letters = os.path.basename(path).partition(":2,")
        if self.choose.random() < 0.5:
            self.serial += 1
            base = "%d.R%dP%d.reader" % (time.time(), self.serial, os.getpid())
        return base + ":2," + letters

    def put_new(self, mailbox, data):
        flags = self.choose.choice(["", "S", "FS", "D"])
        part = "new" if not flags and self.choose.random() < 0.5 else "cur"
        self.local.add(mailbox, data, flags, 1_500_000_000 + self.choose.randrange(1_000_000), part)

    def transfer(self, mark, mailbox, target, is_move):
        self.attempt(mark, mailbox,
                     lambda path: self.put_file(path, target, self.new_name(path), is_move))

    def put_file(self, path, target, name, is_move):
        goal = self.local.path(target, "cur", name)
        if is_move:
            os.rename(path, goal)
            return
        self.serial += 1
        name = "%d.C%dP%d.reader" % (time.time(), self.serial, os.getpid())
        temporary = self.local.path(target, "tmp", name)
        shutil.copy2(path, temporary)
        os.rename(temporary, self.local.path(target, "cur", name + ":2,S"))

    def delete(self, mark, mailbox):
        self.attempt(mark, mailbox, os.unlink)

    def set_flag(self, mark, mailbox, flag, value):
        def change(path):
            letters = set(os.path.basename(path).partition(":2,")[2])
            letter = self.LETTERS[flag]
            self.local.reflag(path, letters | {letter} if value else letters - {letter})
        self.attempt(mark, mailbox, change)
