"""Deletions that are too many are held until a person decides: accept, or restore.

SPDX-License-Identifier: MIT"""
import os
import shutil

import mailgen

from case import Case, main


class Held(Case):
    """Without a person: what is held stays so."""

    def filled(self, count=40, **keys):
        """So many messages in INBOX on both sides."""
        remote = self.remote()
        for number in range(count):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number), ["\\Seen"],
                          1_200_000_000 + number)
        client, local = self.account(**keys)
        self.pass_once(client)
        return client, local, remote

    def test_mail_that_comes_meanwhile_does_not_let_them_go(self):
        client, local, remote = self.filled()
        remote.delete("INBOX", *remote.uids("INBOX")[:25])
        self.pass_once(client, code=1)
        for number in range(100, 140):
            remote.append("INBOX", mailgen.Mail(number).plain("new %d" % number))
        self.pass_once(client, code=1)
        run = self.pass_once(client, code=1)
        self.assertIn("25 of 80 messages would be deleted in the maildir", run.err)
        self.assertEqual(len(local.messages("INBOX")), 80)
        # A share of which that was not too much lets them go.
        client.configure(deletion_limit="70%")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)

    def test_some_that_are_put_back_do_not_let_the_others_go(self):
        client, local, remote = self.filled()
        kept = {m.where: open(m.where, "rb").read() for m in local.messages("INBOX")[:30]}
        for path in kept:
            os.unlink(path)
        self.pass_once(client, code=1)
        for path in sorted(kept)[:20]:
            with open(path, "wb") as mail:
                mail.write(kept[path])
        run = self.pass_once(client, code=1)
        self.assertIn("10 of 40 messages would be deleted on the server", run.err)
        self.assertEqual(len(remote.uids("INBOX")), 40)
        for path in sorted(kept)[20:]:
            with open(path, "wb") as mail:
                mail.write(kept[path])
        self.pass_once(client)
        # All are back: it is over.
        os.unlink(sorted(kept)[0])
        self.pass_once(client)
        self.assertEqual(len(remote.uids("INBOX")), 39)

    def two(self, **keys):
        """30 messages in Big, 10 in INBOX."""
        remote = self.remote()
        remote.create("Big")
        for number in range(40):
            remote.append("Big" if number < 30 else "INBOX",
                          mailgen.Mail(number).plain("message %d" % number), ["\\Seen"])
        client, local = self.account(**keys)
        self.pass_once(client)
        self.pass_once(client)
        return client, local, remote

    def test_nor_is_a_mailbox_that_was_deleted_let_go(self):
        for where in ("here", "there"):
            with self.subTest(where=where):
                self.setUp()
                client, local, remote = self.two()
                if where == "here":
                    shutil.rmtree(local.path("Big"))
                else:
                    remote.check(remote.imap.delete("Big"))
                self.pass_once(client, code=1)
                for number in range(100, 140):
                    remote.append("INBOX", mailgen.Mail(number).plain("new %d" % number))
                self.pass_once(client, code=1)
                run = self.pass_once(client, code=1)
                self.assertIn("30 messages go with it", run.err)
                sides = (local.mailboxes(), remote.mailboxes())
                self.assertEqual(sides[where == "here"], ["Big", "INBOX"])
                remote.hang_up()

    def test_what_was_moved_out_of_it_there_does_not_count(self):
        client, local, remote = self.two()
        remote.create("Kept")
        remote.select("Big")
        remote.check(remote.imap.uid("MOVE", "1:25", "Kept"))
        remote.select("INBOX")
        remote.check(remote.imap.delete("Big"))
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("Kept")), 25)

    def test_what_was_moved_here_where_both_sides_have_news_does_not_count(self):
        client, local, remote = self.two()
        remote.create("Work")
        remote.append("Work", mailgen.Mail(100).plain("new there"))
        local.create("Work")
        local.add("Work", mailgen.Mail(101).plain("new here"))
        for message in local.messages("Big"):
            os.rename(message.where, local.path("Work", "cur", os.path.basename(message.where)))
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual((len(local.messages("Work")), len(local.messages("Big"))), (32, 0))

    def test_where_marks_are_carried_out_both_sides_keep_what_is_held(self):
        client, local, remote = self.filled(expunge_deleted=True)
        for message in local.messages("INBOX")[:5]:
            local.reflag(message.where, "ST")
        for message in local.messages("INBOX")[-25:]:
            os.unlink(message.where)
        here = len(local.messages("INBOX"))
        run = self.pass_once(client, code=1)
        self.assertIn("of 40 messages would be deleted on the server", run.err)
        self.assertEqual(len(local.messages("INBOX")), here)
        self.assertEqual(len(remote.uids("INBOX")), 40)


if __name__ == "__main__":
    main()
