"""The same round trip with the server's extensions taken away, one by one and all at once.

SPDX-License-Identifier: MIT"""
import os

import dovecot
import mailgen

from case import Case, main

BARE = set(dovecot.CAPABILITIES) - {"IMAP4rev1"}
WITHOUT = {
    "nothing taken away": set(),
    "no UIDPLUS": {"UIDPLUS"},
    "no LITERAL+": {"LITERAL+"},
    "no SASL-IR": {"SASL-IR"},
    "no QRESYNC": {"QRESYNC"},
    "no QRESYNC and no ESEARCH": {"QRESYNC", "ESEARCH", "SEARCHRES"},
    "no CONDSTORE": {"CONDSTORE", "QRESYNC"},
    "no ENABLE": {"ENABLE", "CONDSTORE", "QRESYNC"},
    "no MULTIAPPEND": {"MULTIAPPEND"},
    "no UNSELECT": {"UNSELECT"},
    "no LIST-STATUS": {"LIST-STATUS"},
    "no LIST extensions": {"LIST-EXTENDED", "LIST-STATUS", "CHILDREN", "NAMESPACE"},
    "no ESEARCH": {"ESEARCH", "SEARCHRES"},
    "no ID": {"ID"},
    "nothing but IMAP4rev1": BARE,
}


class RoundTrip(Case):
    @classmethod
    def setUpClass(cls):
        """Each test starts a server of its own."""

    @classmethod
    def tearDownClass(cls):
        """And stops it."""

    def setUp(self):
        self.server = None

    def check_without(self, missing):
        with dovecot.Dovecot(without=missing) as self.server:
            self.round_trip()

    def round_trip(self):
        mail, remote = mailgen.Mail(6), self.remote()
        remote.create("Archive/2024")
        for number in range(6):
            remote.append("INBOX", mail.message(), ["\\Seen"], 1_500_000_000 + number)
            remote.append("Archive/2024", mail.message(), ["work"], 1_500_000_000 + number)
        # Somebody else's mark: it must be there, with its message, in the end.
        remote.store("INBOX", remote.uids("INBOX")[5], "+", "\\Deleted")
        client, local = self.account()
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.drift(local, remote, mail)
        before = self.server.sessions()
        self.pass_once(client)
        self.assert_fast_path(b"\n".join(self.server.sent(before)))
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("INBOX")), 6)
        self.assertEqual(sum("\\Deleted" in m.flags for m in remote.messages("INBOX")), 1)
        self.assert_quiet(client, local)

    def assert_fast_path(self, sent):
        """Of what each server offers the best was taken."""
        offered = set(dovecot.CAPABILITIES) - self.server.without
        has_condstore = "CONDSTORE" in offered
        has_qresync = {"QRESYNC", "ENABLE"} <= offered
        self.assertEqual(b"(QRESYNC (" in sent, has_qresync)
        self.assertEqual(b"(CHANGEDSINCE" in sent, has_condstore and not has_qresync)
        # Without a word of what vanished, the messages are counted, and then the UIDs asked for.
        self.assertEqual(b"UID 1:*\n" in sent, has_condstore and not has_qresync)
        self.assertEqual(b"SEARCH RETURN (ALL)" in sent,
                         has_condstore and not has_qresync and "ESEARCH" in offered)
        self.assertEqual(b"RETURN (STATUS" in sent, has_condstore and "LIST-STATUS" in offered)
        self.assertEqual(b" STATUS " in sent.replace(b"(STATUS", b""),
                         has_condstore and "LIST-STATUS" not in offered)
        # What is new has no modseq to begin from; what was there is not listed again.
        inbox = sent[sent.index(b'SELECT "INBOX"'):].split(b"SELECT", 2)[1]
        self.assertEqual(b"UID FETCH 1:* (UID FLAGS)\n" in inbox + b"\n", not has_condstore)

    def drift(self, local, remote, mail):
        """One deleted, one flagged, one added on each side, a mailbox made here."""
        here = sorted(local.messages("INBOX"), key=lambda m: m.date)
        os.unlink(here[0].where)
        local.reflag(here[1].where, "FS")
        local.add("INBOX", mail.plain("written here"), "S", 1_400_000_000)
        local.create("Ideas")
        local.add("Ideas", mail.plain("an idea"), "", 1_400_000_000)
        uids = remote.uids("INBOX")
        remote.store("INBOX", uids[2], "+", "\\Answered")
        remote.append("INBOX", mail.plain("written there"), [], 1_400_000_000)
        remote.delete("INBOX", uids[3])


def without_test(missing):
    return lambda self: self.check_without(missing)


for NAME, MISSING in WITHOUT.items():
    setattr(RoundTrip, "test_a_round_trip_with_%s" % NAME.replace(" ", "_"), without_test(MISSING))


if __name__ == "__main__":
    main()
