"""A POP3 account on a hostile server, and what must hold of it whatever that does.

SPDX-License-Identifier: MIT"""
import collections
import os
import re
import shutil
import time

import hostile_pop
import mailgen
import syncd
import views

from drop_case import HERE
from hostile_case import said_below

NONSENSE = "nonsense"


def name_of(data):
    """What a test calls a message by, also when its body came otherwise than it was sent; what is
    none of ours is NONSENSE."""
    found = re.search(rb"(?im)^Subject: (.*?)\r?$", data)
    return found.group(1).decode() if found else NONSENSE


class Scene:
    """A maildrop, a client, and the ledger: `mail` is {name: data} of all that was ever there,
    `bent` has the names whose bytes a fault changed, `doubles` those that may be here in part or
    twice, as long as they are here whole."""

    def __init__(self, case, keep="all", capabilities=hostile_pop.PLAIN, timeout="20s",
                 certificate=None, **keys):
        self.case, self.keep = case, keep
        self.server = hostile_pop.Server(capabilities, certificate=certificate)
        case.addCleanup(self.server.close)
        self.maker = mailgen.Mail(12)
        self.mail, self.kept, self.seconds = {}, collections.Counter(), 0.0
        self.bent, self.doubles = set(), set()
        keys = dict({"host": "127.0.0.1", "tls": "none", "poll_interval": "1h"}, **keys)
        self.client = syncd.Syncd(None, protocol="pop3", port=self.server.port, keep=keep,
                                  timeout=timeout, **keys)
        self.local = views.Local(self.client.maildir)
        case.addCleanup(shutil.rmtree, self.client.root, True)
        case.addCleanup(self.client.kill)

    def put(self, *names, uid=None):
        """New messages, each of a size of its own; the lines of all begin with a dot somewhere."""
        for name in names:
            data = self.maker.plain(name, 66 * len(self.mail)) + b".dot\r\n..\r\n"
            self.mail[name] = data
            self.server.add(data, uid)

    # What a pass may never do.

    def once(self, *args, timeout=60):
        """A pass. It writes nothing beside maildir and state, removes no file, and deletes nothing
        that is not here."""
        before, began = self.outside(), time.monotonic()
        run = self.client.once(*args, timeout=timeout)
        self.seconds = time.monotonic() - began
        self.case.assertEqual(self.outside(), before, "written outside of the maildir")
        self.assert_kept()
        return run

    def outside(self):
        return said_below(self.client.root, (self.client.maildir, self.client.state))

    def here(self):
        """{name: how often it is here}"""
        found = collections.Counter()
        if not os.path.isdir(self.local.path(HERE, "cur")):
            return found
        for message in self.local.messages(HERE):
            with open(message.where, "rb") as file:
                data = file.read()
            name = name_of(data)
            is_whole = views.digest(data) == views.digest(self.mail.get(name, b""))
            if name not in self.bent | self.doubles:
                self.case.assertTrue(is_whole, "other bytes of " + name)
            if name not in self.doubles or is_whole:
                found[name] += 1
        return found

    def assert_kept(self):
        here = self.here()
        self.case.assertEqual(self.kept - here, collections.Counter(), "files are gone")
        self.kept = here
        for message in self.server.gone:
            self.case.assertIn(name_of(message.data), here, "deleted there and never here")

    # Before and after.

    def settle(self):
        """The first pass, with a server that behaves."""
        run = self.once()
        self.case.assertEqual((run.code, run.err), (0, ""))

    def drift(self):
        """Messages come, and someone else removes one."""
        if self.server.drop:
            self.server.drop.pop(1)
        self.put("new", "newer")

    def assert_converges(self):
        """With a server that behaves from now on all is well after a pass or two, with each message
        here once; another does nothing."""
        self.server.behave()
        for _ in range(2):
            run = self.once()
            if run.code == 0 and self.is_done():
                break
        self.case.assertEqual((run.code, run.err), (0, ""))
        here = self.here()
        twice = {name for name in here if here[name] > 1}
        self.case.assertLessEqual(twice, self.doubles, "doubled")
        self.case.assertEqual(set(here), set(self.mail), "lost")
        self.case.assertEqual(os.listdir(self.local.path(HERE, "tmp")), [])
        self.assert_there()
        del self.server.heard[:]
        files = self.local.snapshot()
        self.settle()
        self.case.assertEqual(self.server.asked("RETR", "TOP", "DELE"), 0)
        self.case.assertEqual(self.local.snapshot(), files)

    def ask_for_asides(self):
        """As a person does who reads in the status that messages were left there."""
        self.server.behave()
        self.client.start()
        self.client.ctl("sync")
        left = self.client.account_status()["mailboxes"][0]["left"]
        self.case.assertGreater(len(left), 0)
        for message in left:
            self.case.assertIn("RETR: ", message["reason"])
            run = self.client.ctl("fetch", "work", message["uidl"])
            self.case.assertEqual(run.code, 0, run.err)
        self.case.assertEqual(self.client.stop(), 0)

    def is_done(self):
        return self.keep != "none" or not self.server.drop

    def assert_there(self):
        if self.keep == "none":
            self.case.assertEqual(self.server.drop, [])
        else:
            self.case.assertEqual(self.server.gone, [], "deleted although all is to be kept")


class Row:
    """A misbehaviour, and what comes of it: exit status and what is said on stderr (a regular
    expression; "": nothing), for each `keep`, in the first pull or a later one.

    faults        of the server, or a function that makes them
    none          (code, words) with keep = none, where they are others than with keep = all
    capabilities  of the server
    stages        of STAGES
    bent          names of messages whose bytes come otherwise
    doubles       names of messages that may come in part or twice
    asides        messages are set aside: a person asks for them before all is to be well
    timeout       of the account; stalls are ended by it
    keys          of the account, while the server misbehaves
    """

    STAGES = {
        "all": "at first with keep all",
        "none": "at first with keep none",
        "all later": "later with keep all",
        "none later": "later with keep none",
    }
    FIRST = ("all", "none")
    EACH = tuple(STAGES)

    def __init__(self, name, faults, code=0, words="", none=None, capabilities=hostile_pop.PLAIN,
                 stages=EACH, bent=(), doubles=(), asides=False, timeout="20s",
                 **keys):
        self.name, self.faults, self.capabilities = name, faults, capabilities
        self.wanted = {"all": (code, words), "none": none or (code, words)}
        self.stages, self.asides = stages, asides
        self.bent, self.doubles = set(bent), set(doubles)
        self.timeout, self.keys = timeout, keys

    def test_name(self, stage):
        return "%s %s" % (self.name, self.STAGES[stage])

    def prepare(self, case, stage):
        scene = Scene(case, stage.split()[0], self.capabilities, self.timeout, **self.keys)
        scene.bent, scene.doubles = self.bent, self.doubles
        scene.put("one", "two", "three", "four")
        if "later" in stage:
            scene.settle()
            scene.drift()
        return scene

    def run(self, case, stage):
        scene = self.prepare(case, stage)
        scene.server.faults = self.faults() if callable(self.faults) else list(self.faults)
        run = scene.once()
        code, words = self.wanted[scene.keep]
        case.assertEqual(run.code, code, run.err)
        case.assertRegex(run.err, words or "^$")
        case.assertLess(scene.seconds, 3 * int(self.timeout[:-1]) + 5)
        if self.asides:
            scene.ask_for_asides()
        if self.keys:
            scene.client.configure(tls="none")
        scene.assert_converges()
