"""Mailboxes that are made, deleted, renamed and excluded, on either side.

SPDX-License-Identifier: MIT"""
import os
import shutil

import mailgen
import scratch
import views

from case import EXTENSIONS, Case, main, only


KNOWS_RENAMED = only("dovecot", "cyrus", because="renamed there it gets another UIDVALIDITY")


class Mailboxes(Case):
    def filled(self, *names, **keys):
        """Two messages in each of these mailboxes and INBOX, on both sides, each mailbox with a
        UIDVALIDITY of its own; the second pass knows them by their ids."""
        remote = self.remote()
        for index, name in enumerate(("INBOX",) + names):
            if name != "INBOX":
                self.server.next_number()
                remote.create(name)
            for number in range(2):
                mail = mailgen.Mail(100 * index + number)
                remote.append(name, mail.plain("%s %d" % (name, number)), ["\\Seen"],
                              1_200_000_000 + number)
        client, local = self.account(**keys)
        self.pass_once(client)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        return client, local, remote

    def pass_without_transport(self, client):
        sessions = self.server.sessions()
        run = self.pass_once(client)
        sent = b"\n".join(self.server.sent(sessions))
        self.assertNotIn(b" APPEND ", sent)
        self.assertNotIn(b"BODY.PEEK[]", sent)
        return run

    def rename_there(self, remote, old, new):
        remote.rename(old, new)

    def test_one_deleted_there_goes_here(self):
        client, local, remote = self.filled("Gone", "Kept")
        remote.delete_mailbox("Gone")
        self.pass_once(client)
        self.assertEqual(local.mailboxes(), ["INBOX", "Kept"])
        self.assertFalse(os.path.exists(local.path("Gone")))
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)

    def test_one_deleted_here_goes_there(self):
        client, local, remote = self.filled("Gone", "Kept")
        shutil.rmtree(local.path("Gone"))
        self.pass_once(client)
        self.assertEqual(remote.mailboxes(), ["INBOX", "Kept"])
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)

    def test_deleted_there_with_a_new_message_here_it_is_made_anew(self):
        client, local, remote = self.filled("Gone")
        remote.delete_mailbox("Gone")
        local.add("Gone", mailgen.Mail(9).plain("never sent"), "S", 1_300_000_000)
        self.pass_once(client)
        self.assertEqual(len(remote.messages("Gone")), 3)
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)

    def test_deleted_here_with_a_new_message_there_it_is_made_anew(self):
        client, local, remote = self.filled("Gone")
        shutil.rmtree(local.path("Gone"))
        remote.append("Gone", mailgen.Mail(9).plain("never seen"), ["\\Seen"], 1_300_000_000)
        self.pass_once(client)
        self.assertEqual(len(local.messages("Gone")), 3)
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)

    def test_with_remove_none_it_stays(self):
        client, local, remote = self.filled("Here", "There", remove="none")
        remote.delete_mailbox("Here")
        shutil.rmtree(local.path("There"))
        self.pass_once(client)
        self.assertEqual(local.mailboxes(), ["Here", "INBOX"])
        self.assertEqual(remote.mailboxes(), ["INBOX", "There"])
        self.assertEqual(len(local.messages("Here")), 2)

    def test_with_remove_local_only_the_server_decides(self):
        client, local, remote = self.filled("Here", "There", remove="local")
        remote.delete_mailbox("Here")
        shutil.rmtree(local.path("There"))
        self.pass_once(client)
        self.assertEqual(local.mailboxes(), ["INBOX"])
        self.assertEqual(remote.mailboxes(), ["INBOX", "There"])

    @KNOWS_RENAMED
    def test_one_renamed_there_is_renamed_here(self):
        client, local, remote = self.filled("Old", "Old/Child", "Other")
        files = sorted(os.listdir(local.path("Old", "cur")))
        self.rename_there(remote, "Old", "New")
        self.pass_without_transport(client)
        self.assertEqual(local.mailboxes(), ["INBOX", "New", "New/Child", "Other"])
        self.assertEqual(sorted(os.listdir(local.path("New", "cur"))), files)
        self.assertFalse(os.path.exists(local.path("Old")))
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)

    def test_one_renamed_here_is_renamed_there(self):
        client, local, remote = self.filled("Old", "Old/Child", "Other")
        os.rename(local.path("Old"), local.path("New"))
        self.pass_without_transport(client)
        self.assertEqual(remote.mailboxes(), ["INBOX", "New", "New/Child", "Other"])
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)

    @KNOWS_RENAMED
    def test_renamed_on_both_sides_the_servers_name_counts(self):
        client, local, remote = self.filled("Old")
        self.rename_there(remote, "Old", "Theirs")
        os.rename(local.path("Old"), local.path("Ours"))
        self.pass_without_transport(client)
        self.assertEqual(local.mailboxes(), ["INBOX", "Theirs"])
        self.assertEqual(remote.mailboxes(), ["INBOX", "Theirs"])
        self.assert_equal_sides(local, remote)

    def test_renamed_alike_on_both_sides_nothing_is_to_be_done(self):
        client, local, remote = self.filled("Old")
        self.rename_there(remote, "Old", "New")
        os.rename(local.path("Old"), local.path("New"))
        self.pass_without_transport(client)
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)

    def test_deleted_and_made_anew_under_its_name_it_keeps_what_was_here(self):
        client, local, remote = self.filled("Back")
        remote.delete_mailbox("Back")
        self.server.next_number()
        remote.create("Back")
        remote.append("Back", mailgen.Mail(9).plain("the new one"), ["\\Seen"], 1_300_000_000)
        self.pass_once(client)
        self.assertEqual(len(remote.messages("Back")), 3)
        self.assert_equal_sides(local, remote)

    def test_messages_of_a_deleted_mailbox_that_were_moved_are_moved(self):
        client, local, remote = self.filled("Gone", "Kept")
        for message in local.messages("Gone"):
            os.rename(message.where, local.path("Kept", "cur", os.path.basename(message.where)))
        shutil.rmtree(local.path("Gone"))
        self.pass_without_transport(client)
        self.assertEqual(remote.mailboxes(), ["INBOX", "Kept"])
        self.assertEqual(len(remote.messages("Kept")), 4)
        self.assert_equal_sides(local, remote)

    def test_most_of_the_account_is_not_deleted_at_once(self):
        remote = self.remote()
        remote.create("Big")
        for number in range(30):
            remote.append("Big", mailgen.Mail(number).plain("message %d" % number))
        client, local = self.account()
        self.pass_once(client)
        shutil.rmtree(local.path("Big"))
        run = self.pass_once(client, code=1)
        self.assertIn("Big", run.err)
        self.assertEqual(len(remote.messages("Big")), 30)
        client.configure(deletion_limit="none")
        self.pass_once(client)
        self.assertEqual(remote.mailboxes(), ["INBOX"])

    def test_an_excluded_mailbox_is_left_alone_on_both_sides(self):
        client, local, remote = self.filled("Left", "Kept")
        client.configure(mailboxes=["*", "!Left"])
        shutil.rmtree(local.path("Left", "cur"))
        os.mkdir(local.path("Left", "cur"))
        remote.append("Left", mailgen.Mail(9).plain("never seen"))
        self.pass_once(client)
        self.assertEqual(len(remote.messages("Left")), 3)
        self.assertEqual(local.messages("Left"), [])
        # Taken in again it is paired anew: nothing counts as deleted.
        client.configure(mailboxes=["*"])
        self.pass_once(client)
        self.assertEqual(len(remote.messages("Left")), 3)
        self.assert_equal_sides(local, remote)

    def test_a_pass_over_one_mailbox_forgets_no_other(self):
        client, local, remote = self.filled("Other")
        self.assertEqual(client.once("work/INBOX").code, 0)
        os.unlink(local.messages("Other")[0].where)
        self.pass_once(client)
        self.assertEqual(len(remote.messages("Other")), 1)

    @KNOWS_RENAMED
    def test_a_dry_run_says_so_and_does_nothing(self):
        client, local, remote = self.filled("Old", "Here", "There")
        self.rename_there(remote, "Old", "New")
        remote.delete_mailbox("Here")
        shutil.rmtree(local.path("There"))
        before = self.untouched(client, remote)
        run = client.once("--dry-run")
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("rename Old to New in the maildir", run.out)
        self.assertIn("delete Here in the maildir", run.out)
        self.assertIn("delete There on the server", run.out)
        self.assertEqual(self.untouched(client, remote), before)

    def test_the_daemon_follows(self):
        client, local, remote = self.filled("Old", "Gone")
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 30, client.said)
        os.rename(local.path("Old"), local.path("New"))
        scratch.wait_for(lambda: "New" in remote.mailboxes(), 30, client.said)
        shutil.rmtree(local.path("Gone"))
        scratch.wait_for(lambda: remote.mailboxes() == ["INBOX", "New"], 30, client.said)
        scratch.wait_for(lambda: sorted(m["name"] for m in client.account_status()["mailboxes"])
                         == ["INBOX", "New"], 30, client.said)
        local.add("New", mailgen.Mail(9).plain("after the rename"), "S")
        scratch.wait_for(lambda: len(remote.messages("New")) == 3, 30, client.said)
        self.assertEqual(client.stop(), 0)
        self.assert_equal_sides(local, remote)


@only("dovecot", because="it lists no mailbox that was deleted")
class Parents(Case):
    """Dovecot 2.3 lists a deleted mailbox as one to be selected while there are some below it."""

    def test_one_deleted_there_goes_here_and_its_child_stays(self):
        remote = self.remote()
        for name in ("Gone", "Gone/Child"):
            remote.create(name)
            remote.append(name, mailgen.Mail(len(name)).plain(name), ["\\Seen"])
        client, local = self.account()
        self.pass_once(client)
        remote.delete_mailbox("Gone")
        self.assertIn("Gone", remote.mailboxes())
        self.pass_once(client)
        self.assertEqual(local.mailboxes(), ["Gone/Child", "INBOX"])
        self.assertEqual(len(local.messages("Gone/Child")), 1)
        self.assertEqual(len(remote.messages("Gone/Child")), 1)
        self.assert_quiet(client, local)
        # It can be made again, on either side.
        local.create("Gone")
        local.add("Gone", mailgen.Mail(9).plain("again"), "S")
        self.pass_once(client)
        self.assertEqual(len(remote.messages("Gone")), 1)
        self.assert_quiet(client, local)


class ParentsOneByOne(Parents):
    """The same where each mailbox is asked for its status."""

    SERVER = {"without": {"LIST-STATUS"}}


class Bare(Mailboxes):
    """IMAP4rev1 and nothing more."""

    SERVER = {"without": EXTENSIONS}


if __name__ == "__main__":
    main()
