"""Each change on each side, and each pair of changes at once, to one message.

All of them are made to a mailbox of their own between two passes; each is then a test.
SPDX-License-Identifier: MIT"""
import os
import shutil

import dovecot
import mailgen
import syncd
import views

from case import Case, main

# What is done to a message that both sides know as Seen, and the flags it leaves.
FLAGS = {
    "nothing": lambda flags: flags,
    "flag": lambda flags: flags | {"\\Flagged"},
    "answer": lambda flags: flags | {"\\Answered"},
    "unsee": lambda flags: flags - {"\\Seen"},
    "mark deleted": lambda flags: flags | {"\\Deleted"},
    "remove": lambda flags: None,
}
LETTERS = {flag: letter for letter, flag in views.LETTERS.items()}


def change_local(local, path, change):
    flags = FLAGS[change]({"\\Seen"})
    if flags is None:
        os.unlink(path)
    elif change != "nothing":
        local.reflag(path, [LETTERS[f] for f in flags])


def change_remote(remote, uid, change):
    if change == "remove":
        remote.delete("INBOX", uid)
        return
    before, after = {"\\Seen"}, FLAGS[change]({"\\Seen"})
    for sign, flags in (("+", after - before), ("-", before - after)):
        if flags:
            remote.store("INBOX", uid, sign, *flags)


def expected(here, there):
    """Flags after both changes; None: gone. Each flag merges by itself, removal wins."""
    if "remove" in (here, there):
        return None
    return FLAGS[there](FLAGS[here]({"\\Seen"}))


class Pairs(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.empty()
        cls.client = syncd.Syncd(cls.server)
        cls.local = local = views.Local(cls.client.maildir)
        cls.view = remote = views.Remote(cls.server)
        mail, cls.pairs = mailgen.Mail(3), {}
        for here in FLAGS:
            for there in FLAGS:
                data = mail.plain("%s here %s there" % (here, there))
                cls.pairs[here, there] = views.digest(data)
                remote.append("INBOX", data, ["\\Seen"], 1_500_000_000)
        cls.runs = [cls.client.once()]
        paths = {m.digest: m.where for m in local.messages("INBOX")}
        uids = {m.digest: m.where for m in remote.messages("INBOX")}
        for (here, there), digest in cls.pairs.items():
            change_local(local, paths[digest], here)
            change_remote(remote, uids[digest], there)
        for side in ("here", "there"):
            data = mail.plain("new " + side)
            cls.pairs["new", side] = views.digest(data)
            if side == "here":
                local.add("INBOX", data, "F", 1_400_000_000)
            else:
                remote.append("INBOX", data, ["\\Flagged"], 1_400_000_000)
        cls.runs.append(cls.client.once())
        cls.here = {m.digest: m for m in local.messages("INBOX")}
        cls.there = {m.digest: m for m in remote.messages("INBOX")}

    def setUp(self):
        for run in self.runs:
            self.assertEqual(run.code, 0, run.err)

    def check_pair(self, here, there):
        digest, flags = self.pairs[here, there], expected(here, there)
        for side in (self.here, self.there):
            self.assertEqual(side[digest].flags if digest in side else None, flags)

    def test_new_on_both_sides_gives_both_on_both(self):
        for side in ("here", "there"):
            digest = self.pairs["new", side]
            self.assertEqual(self.here[digest][:3], self.there[digest][:3])
            self.assertEqual(self.here[digest].flags, {"\\Flagged"})

    def test_sides_are_equal_and_a_further_pass_is_quiet(self):
        self.assert_equal_sides(self.local, self.view)
        self.assert_quiet(self.client, self.local)


def pair_test(here, there):
    return lambda self: self.check_pair(here, there)


for HERE in FLAGS:
    for THERE in FLAGS:
        NAME = "test_%s_here_and_%s_there_merge" % (HERE, THERE)
        setattr(Pairs, NAME.replace(" ", "_"), pair_test(HERE, THERE))


class Passes(Case):
    def seeded(self, count=3, **keys):
        """An account whose INBOX holds `count` messages on both sides."""
        remote = self.remote()
        for number in range(count):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number))
        client, local = self.account(**keys)
        self.pass_once(client)
        return client, local, remote

    def test_moving_from_new_to_cur_changes_nothing_on_the_server(self):
        client, local, remote = self.seeded()
        for message in local.messages("INBOX"):
            local.reflag(message.where, "")
        sessions = self.server.sessions()
        self.pass_once(client)
        self.assertFalse(set(self.server.commands(sessions)) & dovecot.WRITING)
        self.assertEqual(len(remote.messages("INBOX")), 3)

    def test_a_dry_run_says_what_it_would_do_and_does_nothing(self):
        client, local, remote = self.seeded()
        local.add("INBOX", mailgen.Mail(9).plain("local news"))
        remote.append("INBOX", mailgen.Mail(8).plain("remote news"))
        before, state = self.untouched(client, remote), client.state_digest()
        run = client.once("--dry-run")
        self.assertEqual(run.code, 0, run.err)
        self.assertGreaterEqual(len(run.out.splitlines()), 2)
        self.assertEqual(self.untouched(client, remote), before)
        self.assertEqual(client.state_digest(), state)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)

    def test_one_named_mailbox_is_synced_alone(self):
        client, local, remote = self.seeded()
        remote.create("Other")
        self.pass_once(client)
        remote.append("INBOX", mailgen.Mail(8).plain("wanted"))
        remote.append("Other", mailgen.Mail(8).plain("not asked for"))
        run = client.once("work/INBOX")
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(len(local.messages("INBOX")), 4)
        self.assertEqual(len(local.messages("Other")), 0)

    def test_excluded_mailboxes_are_left_alone(self):
        remote = self.remote()
        remote.create("Junk")
        remote.append("Junk", mailgen.Mail(8).plain("junk"))
        client, local = self.account(mailboxes=["*", "!Junk"])
        self.pass_once(client)
        self.assertEqual(local.mailboxes(), ["INBOX"])

    def test_crlf_is_kept_when_asked_for(self):
        data = mailgen.Mail(8).plain("crlf")
        remote = self.remote()
        remote.append("INBOX", data)
        client, local = self.account(line_endings="crlf")
        self.pass_once(client)
        with open(local.messages("INBOX")[0].where, "rb") as mail:
            self.assertEqual(mail.read(), data)

    def test_an_emptied_maildir_root_stops_the_account_and_deletes_nothing(self):
        client, local, remote = self.seeded()
        shutil.rmtree(local.root)
        os.mkdir(local.root)
        run = client.once()
        self.assertNotEqual(run.code, 0)
        self.assertIn(local.root, run.err)
        self.assertEqual(len(remote.messages("INBOX")), 3)


if __name__ == "__main__":
    main()
