"""Who is who when nothing is known: first contact, a lost state, new UIDs (DESIGN 6).

SPDX-License-Identifier: MIT"""
import glob
import os
import re
import shutil

import mailgen
import views

from case import KIND, Case, main, only

DATE = 1_400_000_000


def date_of(data):
    return DATE + int(re.search(rb"Subject: message (\d+)", data).group(1))


class Identity(Case):
    def mail(self, first, count):
        return [mailgen.Mail(n).plain("message %d" % n) for n in range(first, first + count)]

    def fill(self, remote, messages, *flags, mailbox="INBOX"):
        for data in messages:
            remote.append(mailbox, data, flags, date_of(data))

    def put(self, local, messages, letters="", mailbox="INBOX"):
        local.create(mailbox)
        for data in messages:
            local.add(mailbox, data.replace(b"\r\n", b"\n"), letters, date_of(data))

    def bodies_moved(self, sessions):
        sent = b"\n".join(self.server.sent(sessions))
        return sent.count(b"BODY.PEEK[]"), sent.count(b" APPEND ")

    def agreed(self, count=6):
        """So many messages on both sides, agreed."""
        remote = self.remote()
        self.fill(remote, self.mail(0, count), "\\Seen")
        client, local = self.account()
        self.pass_once(client)
        return client, local, remote

    def pairs(self, client, local, remote, count):
        """A pass that transfers no message finds that both sides have the same ones."""
        sessions = self.server.sessions()
        self.pass_once(client)
        self.assertEqual(self.bodies_moved(sessions), (0, 0))
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("INBOX")), count)
        self.assert_quiet(client, local)

    def test_a_filled_maildir_and_a_filled_mailbox_become_one(self):
        remote = self.remote()
        both, here, there = self.mail(0, 40), self.mail(100, 3), self.mail(200, 2)
        self.fill(remote, both[::-1] + there, "\\Seen", "later")
        client, local = self.account()
        self.put(local, both + here, "F")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("INBOX")), 45)
        flags = {m.digest: m.flags for m in local.messages("INBOX")}
        self.assertEqual({flags[views.digest(data)] for data in both},
                         {frozenset({"\\Seen", "\\Flagged", "later"})})
        self.assert_quiet(client, local)

    def test_without_its_state_it_knows_all_again(self):
        client, local, remote = self.agreed()
        shutil.rmtree(client.state)
        self.pairs(client, local, remote, 6)

    def test_what_was_deleted_while_there_was_no_state_is_not_deleted_elsewhere(self):
        client, local, remote = self.agreed()
        shutil.rmtree(client.state)
        remote.delete("INBOX", remote.uids("INBOX")[0])
        os.unlink(local.messages("INBOX")[3].where)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("INBOX")), 6)

    def test_a_damaged_state_is_an_error_that_says_what_to_do(self):
        client, local, remote = self.agreed()
        database, = glob.glob(os.path.join(client.state, "*", "data.mdb"))
        with open(database, "r+b") as raw:
            raw.write(os.urandom(20_000))
        before = self.untouched(client, remote)
        run = client.once()
        self.assertIn(run.code, (73, 1), run.err)
        self.assertIn(os.path.dirname(database), run.err)
        self.assertIn("move", run.err)
        self.assertEqual(self.untouched(client, remote), before)
        shutil.rmtree(os.path.dirname(database))
        self.pairs(client, local, remote, 6)

    @only("dovecot", "courier", because="nothing makes it number mailboxes anew")
    def test_behind_a_new_uidvalidity_all_are_paired_again(self):
        client, local, remote = self.agreed()
        self.server.renumber()
        remote = self.remote()
        os.unlink(local.messages("INBOX")[0].where)
        self.fill(remote, self.mail(50, 1), "\\Seen")
        run = self.pass_once(client)
        self.assertIn("UIDVALIDITY changed", run.err)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("INBOX")), 7)  # nobody can tell a deletion then
        self.assert_quiet(client, local)

    def test_a_mailbox_that_was_made_anew_under_its_name_takes_nothing_away(self):
        client, local, remote = self.agreed()
        remote.create("Work")
        self.fill(remote, self.mail(20, 3), mailbox="Work")
        self.pass_once(client)
        remote.select("INBOX")
        remote.delete_mailbox("Work")
        self.server.next_number()
        remote.create("Work")
        self.fill(remote, self.mail(21, 3), mailbox="Work")
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("Work")), 4)

    def restored(self, more):
        """What came behind the backup is here, and goes there again."""
        client, local, remote = self.agreed()
        remote.hang_up()
        put_back = self.server.save()
        remote = self.remote()
        self.fill(remote, self.mail(30, 4), "\\Seen")
        remote.store("INBOX", remote.uids("INBOX")[0], "+", "\\Flagged")
        self.pass_once(client)
        remote.hang_up()
        put_back()
        remote = self.remote()
        self.fill(remote, self.mail(40, more), "\\Seen")  # they get UIDs that others had
        self.pass_once(client)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual({m.digest for m in local.messages("INBOX")},
                         {views.digest(data) for data in
                          self.mail(0, 6) + self.mail(30, 4) + self.mail(40, more)})
        self.assert_quiet(client, local)

    def test_a_server_restored_from_a_backup_takes_nothing_away(self):
        self.restored(0)

    def test_nor_when_new_mail_has_the_uids_of_what_was_lost(self):
        self.restored(2)

    def test_thousands_of_equal_messages_stay_as_many_as_they_are(self):
        # The others take a command for each, or a flush.
        count = int(os.environ.get("EQUAL_MESSAGES", "1500" if KIND == "dovecot" else "300"))
        data = mailgen.Mail(1).plain("message 1")
        remote = self.remote()
        self.fill(remote, [data] * count)
        client, local = self.account()
        self.put(local, [data] * count)
        self.pairs(client, local, remote, count)
        shutil.rmtree(client.state)
        self.pairs(client, local, remote, count)


if __name__ == "__main__":
    main()
