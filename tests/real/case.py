"""What the tests of syncd against a real server share. SPDX-License-Identifier: MIT"""
import os
import unittest

import courier
import cyrus
import dovecot
import syncd
import views

from tap import main  # noqa: F401 (for the tests)


# The environment says on which server the tests run.
KIND = os.environ.get("SERVER", "dovecot")
serve = {"dovecot": dovecot.Dovecot, "cyrus": cyrus.Cyrus, "courier": courier.Courier}[KIND]
SHAPE = {"separator": "/", "prefix": ""}  # of names, where a test asks for no other

# To be taken away: all but IMAP4rev1 and what costs nothing.
EXTENSIONS = (set(dovecot.CAPABILITIES) | {"OBJECTID", "METADATA", "SPECIAL-USE"}) - {
    "IMAP4rev1", "SASL-IR", "LITERAL+"}
if KIND == "courier":
    EXTENSIONS.remove("NAMESPACE")  # without it INBOX. is a level as any other


def only(*kinds, because):
    """For a test that other servers cannot be put to."""
    return unittest.skipUnless(KIND in kinds, "not on %s: %s" % (KIND, because))


class Case(unittest.TestCase):
    """One server for the class, emptied for each test.

    SERVER  its arguments
    NEEDS   capabilities that it has to have, else the class is skipped
    """

    SERVER = {}
    NEEDS = frozenset()
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        missing = cls.NEEDS & serve.LACKING
        if missing:
            raise unittest.SkipTest("%s has no %s" % (KIND, " ".join(sorted(missing))))
        if cls.is_as_its_parent():
            raise unittest.SkipTest("%s never has what is taken away here" % KIND)
        cls.server = serve(**dict(SHAPE, **cls.SERVER))

    @classmethod
    def is_as_its_parent(cls):
        """Whether the same tests run on the same server in the class that it comes from."""
        def tests(some):
            return unittest.defaultTestLoader.getTestCaseNames(some)

        def arguments(some):
            return dict(some.SERVER, without=set(some.SERVER.get("without", ())) - serve.LACKING)
        parent = cls.__bases__[-1]
        return cls.SERVER is not parent.SERVER and tests(cls) == tests(parent) and \
            arguments(cls) == arguments(parent)

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()

    def setUp(self):
        self.server.empty()

    def need(self, *capabilities):
        missing = self.server.without.intersection(capabilities)
        if missing:
            self.skipTest("%s has no %s" % (KIND, " ".join(sorted(missing))))

    def account(self, **keys):
        """A new account of syncd on this server, and its maildir."""
        client = syncd.Syncd(self.server, **keys)
        self.addCleanup(client.kill)
        return client, views.Local(client.maildir)

    def remote(self):
        remote = views.Remote(self.server)
        self.addCleanup(remote.hang_up)
        return remote

    def pass_once(self, client, code=0, timeout=240):
        """One pass that ends as it should."""
        run = client.once(timeout=timeout)
        if run.code != code:
            self.fail("exit status %d, not %d\n%s%s\n--- server:\n%s" % (
                run.code, code, run.out, run.err, self.server_troubles()))
        return run

    def find_levels(self, client):
        """Behind a CREATE of A/B: Cyrus makes A as well, and says so in the next LIST only."""
        if KIND == "cyrus":
            self.pass_once(client)

    def server_troubles(self):
        lines = self.server.log().splitlines()
        return "\n".join([l for l in lines if "Error" in l or "Warning" in l or "Panic" in l][-20:])

    def assert_equal_sides(self, local, remote, names=None):
        """Same mailboxes, and in each the same messages, flags and dates.

        `names` tells a mailbox's directory from its server name.
        """
        here, there = local.everything(), remote.everything()
        there = {names(name) if names else name: there[name] for name in there}
        self.assertEqual(sorted(here), sorted(there))
        for name in here:
            self.assertEqual(views.alike(here[name]), views.alike(there[name]), name)

    def assert_quiet(self, client, local):
        """Another pass changes nothing: no command that writes, the state, the files; once
        the times of directories that lie still have been noted, no mailbox is opened."""
        local.rest()
        self.pass_once(client)
        sessions, state, files = self.server.sessions(), client.state_digest(), local.snapshot()
        self.pass_once(client)
        commands = self.server.commands(sessions)
        self.assertEqual([c for c in commands if c in dovecot.WRITING], [])
        if not self.server.without & {"CONDSTORE", "QRESYNC", "ENABLE"}:
            self.assertNotIn("SELECT", commands, "an unchanged mailbox was opened")
        self.assertEqual(local.snapshot(), files)
        self.assertEqual(client.state_digest(), state, "the state's database was written to")

    def untouched(self, client, remote):
        """A value that stays the same as long as nothing is changed on either side."""
        files = sorted(os.path.join(path, name) for path, _, names in os.walk(client.maildir)
                       for name in names)
        return files, {n: views.alike(m) for n, m in remote.everything().items()}
