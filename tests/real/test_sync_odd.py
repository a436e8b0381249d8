"""Odd mail and odd mailbox names. SPDX-License-Identifier: MIT"""
import os

import dovecot
import mailgen
import views

from case import KIND, Case, main, only

NAMES = ["Entwürfe", "日本語/受信", "R&D", "a b c", "trailing space ", "50%", "%41", "quo\"te", "back\\slash",
         "star", "(paren)", "Привет мир", "emoji 😀", "til~de", "-dash", "cur-ious", "A/B/C"]


# Names, and messages, that a server does not take; and messages that it keeps as others.
REFUSED = {"cyrus": {"50%", "%41", "quo\"te", "back\\slash", "no empty line"},
           "courier": {"emoji 😀"}}.get(KIND, set())
CHANGED = {"courier": {"no final line end", "bare CR"}}.get(KIND, set())
TAKEN = [name for name in NAMES if name not in REFUSED]


def decode_percent(name):
    """A directory's name as the mailbox it stands for, whatever was encoded in it."""
    raw, at = bytearray(), 0
    data = name.encode()
    while at < len(data):
        digits = data[at + 1:at + 3]
        if data[at:at + 1] == b"%" and len(digits) == 2 and all(d in b"0123456789ABCDEFabcdef"
                                                                 for d in digits):
            raw.append(int(digits, 16))
            at += 3
        else:
            raw.append(data[at])
            at += 1
    return raw.decode()


class Mail(Case):
    def test_odd_mail_is_pulled(self):
        remote = self.remote()
        wanted = {name: data for name, data in mailgen.odd().items() if name not in REFUSED}
        for data in wanted.values():
            remote.append("INBOX", data, [], 1_300_000_000)
        client, local = self.account()
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("INBOX")), len(wanted))
        self.assert_quiet(client, local)

    def test_odd_mail_is_pushed(self):
        client, local = self.account()
        self.pass_once(client)
        odd = mailgen.odd()
        for name in REFUSED & set(odd):
            odd.pop(name)  # test_sync_servers.py
        for data in odd.values():
            local.add("INBOX", data.replace(b"\r\n", b"\n"), "", 1_300_000_000)
        self.pass_once(client)
        here, there = (views.alike(side.messages("INBOX")) for side in (local, self.remote()))
        changed = {views.digest(odd[name]) for name in CHANGED}
        self.assertEqual([m for m in here if m[0] not in changed],
                         [m for m in there if m[0] in {views.digest(d) for d in odd.values()}])
        self.assertEqual((len(here), len(there)), (len(odd), len(odd)))
        self.assert_quiet(client, local)

    def test_an_empty_file_is_no_obstacle(self):
        client, local = self.account()
        self.pass_once(client)
        empty = local.add("INBOX", b"", "S")
        local.add("INBOX", mailgen.Mail().plain("beside the empty one"), "S")
        run = client.once()
        self.assertIn(run.code, (0, 1), run.err)
        remote = self.remote()
        self.assertTrue(os.path.exists(empty))
        self.assertIn(views.digest(mailgen.Mail().plain("beside the empty one")),
                      [m.digest for m in remote.messages("INBOX")])
        count = len(remote.messages("INBOX"))
        client.once()
        self.assertEqual(len(remote.messages("INBOX")), count)

    @only("dovecot", "courier", because="it keeps no maildir")
    def test_nul_bytes_are_no_obstacle_either_way(self):
        data = mailgen.Mail().plain("nul") + b"before\0after\r\n"
        client, local = self.account()
        self.pass_once(client)
        local.add("INBOX", data, "S")
        os.makedirs(os.path.join(self.server.maildir(), "cur"), exist_ok=True)
        path = os.path.join(self.server.maildir(), "cur", "1400000000.M1P1.nul:2,")
        with open(path, "wb") as mail:
            mail.write(mailgen.Mail(2).plain("nul there") + b"before\0after\r\n")
        os.chown(path, dovecot.mail_user().pw_uid, dovecot.mail_user().pw_gid)
        run = client.once()
        self.assertIn(run.code, (0, 1), run.err)
        remote = self.remote()
        here, there = local.messages("INBOX"), remote.messages("INBOX")
        self.assertGreaterEqual(len(here), 2)
        client.once()
        self.assertEqual(len(local.messages("INBOX")), len(here))
        self.assertEqual(len(remote.messages("INBOX")), len(there))

    def test_twenty_megabytes_go_both_ways(self):
        remote = self.remote()
        remote.append("INBOX", mailgen.big(), ["\\Seen"], 1_300_000_000)
        client, local = self.account()
        self.pass_once(client)
        local.add("INBOX", mailgen.Mail(5).plain("big the other way", 20_000_000), "S", 1_300_000_001)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("INBOX")), 2)

    def test_equal_messages_stay_as_many_as_they_are(self):
        remote, data = self.remote(), mailgen.Mail(5).plain("five times the same")
        for _ in range(5):
            remote.append("INBOX", data, [], 1_300_000_000)
        client, local = self.account()
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        os.unlink(local.messages("INBOX")[0].where)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(remote.messages("INBOX")), 4)


class Names:
    """Mailbox names through a server of a certain shape; mixed into Case below."""

    def server_name(self, name):
        return name if name == "INBOX" else self.server.prefix + name.replace("/",
                                                                              self.server.separator)

    def local_name(self, name):
        if name != "INBOX" and name.startswith(self.server.prefix):
            name = name[len(self.server.prefix):]
        return name.replace(self.server.separator, "/")

    def directories(self, local):
        """Directories by the mailbox they stand for; most names need no encoding."""
        names = local.mailboxes()
        return dict({decode_percent(name): name for name in names}, **{n: n for n in names})

    def plain_names(self, names):
        """Server names as the test knows them, without intermediate levels."""
        return {self.local_name(name) for name in names}

    def test_names_come_down(self):
        remote = self.remote()
        for number, name in enumerate(TAKEN):
            remote.create(self.server_name(name))
            remote.append(self.server_name(name), mailgen.Mail(number).plain("in " + name.encode(
                "ascii", "replace").decode()))
        client, local = self.account()
        self.pass_once(client)
        found = self.directories(local)
        for number, name in enumerate(TAKEN):
            with self.subTest(name):
                there = remote.messages(self.server_name(name))
                self.assertIn(name, found)
                self.assertEqual(views.alike(local.messages(found[name])), views.alike(there))
        self.assert_quiet(client, local)

    def test_names_go_up(self):
        client, local = self.account()
        self.pass_once(client)
        names = [n for n in TAKEN if not n.startswith("%41")]
        for number, name in enumerate(names):
            local.create(name)
            local.add(name, mailgen.Mail(number).plain("number %d" % number), "S", 1_300_000_000)
        self.pass_once(client)
        remote = self.remote()
        there = self.plain_names(remote.mailboxes())
        for name in names:
            with self.subTest(name):
                self.assertIn(name, there)
                self.assertEqual(len(remote.messages(self.server_name(name))), 1)
        self.find_levels(client)
        self.assert_quiet(client, local)


class Slash(Names, Case):
    pass


class Dot(Names, Case):
    SERVER = {"separator": "."}


class DotUnderPrefix(Names, Case):
    SERVER = {"separator": ".", "prefix": "INBOX."}


class Directories(Names, Case):
    SERVER = {"separator": "/", "layout": ":LAYOUT=fs"}

    def test_dots_in_names_are_kept(self):
        remote = self.remote()
        remote.create("v1.2/a.b")
        remote.append("v1.2/a.b", mailgen.Mail().plain("dots"))
        client, local = self.account()
        self.pass_once(client)
        self.assertEqual(len(local.messages("v1.2/a.b")), 1)

    def test_a_name_that_points_outside_stays_inside(self):
        remote = self.remote()
        remote.create(".. up/x")
        remote.append(".. up/x", mailgen.Mail().plain("inside"))
        client, local = self.account()
        self.pass_once(client)
        inside = [n for n in local.mailboxes() if "up" in n]
        self.assertEqual(len(inside), 1)
        self.assertEqual(len(local.messages(inside[0])), 1)


if __name__ == "__main__":
    main()
