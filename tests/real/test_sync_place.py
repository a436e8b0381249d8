"""Changing `maildir` or `layout` of an account that has been synchronised: never guessed.

SPDX-License-Identifier: MIT"""
import os
import shutil

import mailgen
import scratch

from case import Case, main


class Place(Case):
    def filled(self, **keys):
        remote = self.remote()
        remote.create("Work")
        for number in range(2):
            for name in ("INBOX", "Work"):
                remote.append(name, mailgen.Mail(number).plain("in " + name), ["\\Seen"])
        client, local = self.account(**keys)
        self.pass_once(client)
        return client, local, remote

    def moved_to(self, client):
        return os.path.join(client.root, "moved")

    def assert_refused(self, client, remote, *words):
        for args in ((), ("--dry-run",)):
            run = client.once(*args)
            self.assertEqual(run.code, 78, run.err)
            for word in words:
                self.assertIn(word, run.err)
        self.assertEqual(sorted(remote.mailboxes()), ["INBOX", "Work"])
        for name in ("INBOX", "Work"):
            self.assertEqual(len(remote.messages(name)), 2)

    def test_another_layout_is_refused_until_it_is_set_back(self):
        client, local, remote = self.filled()
        before = local.snapshot()
        client.configure(layout="maildir++")
        self.assert_refused(client, remote, "layout", "verbatim", client.maildir,
                            os.path.join(client.state, "work"))
        self.assertEqual(local.snapshot(), before)
        client.configure(layout=None)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)

    def test_what_the_message_says_about_the_layout_works(self):
        client, local, remote = self.filled()
        client.configure(layout="maildir++")
        os.rename(client.maildir, client.maildir + ".old")
        shutil.rmtree(os.path.join(client.state, "work"))
        self.pass_once(client)
        self.assertEqual(len(os.listdir(local.path(".Work", "cur"))), 2)
        self.assertEqual(len(remote.messages("Work")), 2)

    def test_another_root_is_refused_until_it_is_there(self):
        client, local, remote = self.filled()
        new = self.moved_to(client)
        client.configure(maildir=new)
        self.assert_refused(client, remote, "maildir", client.maildir, new,
                            os.path.join(client.state, "work"))
        self.assertFalse(os.path.exists(new))
        os.rename(client.maildir, new)
        sessions = self.server.sessions()
        self.pass_once(client)
        self.assertNotIn("APPEND", self.server.commands(sessions))
        self.assertNotIn("FETCH", b" ".join(self.server.sent(sessions)).decode())
        self.assertEqual(len(os.listdir(os.path.join(new, "Work", "cur"))), 2)
        # It is at home there now.
        client.configure(maildir=client.maildir)
        self.assert_refused(client, remote, new)

    def test_a_copy_beside_the_original_is_refused(self):
        client, local, remote = self.filled()
        shutil.copytree(client.maildir, self.moved_to(client))
        client.configure(maildir=self.moved_to(client))
        self.assert_refused(client, remote, client.maildir)

    def test_a_moved_root_without_its_mark_is_refused(self):
        client, local, remote = self.filled()
        os.rename(client.maildir, self.moved_to(client))
        os.unlink(os.path.join(self.moved_to(client), ".syncd"))
        client.configure(maildir=self.moved_to(client))
        self.assert_refused(client, remote, ".syncd")

    def test_another_name_of_the_same_directory_is_fine(self):
        client, local, remote = self.filled()
        os.symlink(client.root, os.path.join(client.root, "link"))
        client.configure(maildir=os.path.join(client.root, "link", "mail"))
        self.pass_once(client)
        self.assert_equal_sides(local, remote)

    def test_before_anything_was_synchronised_all_may_change(self):
        client, local = self.account(password="wrong")
        self.assertEqual(client.once().code, 77)
        client.configure(password=self.server.users["me"], maildir=self.moved_to(client),
                         layout="maildir++")
        self.pass_once(client)
        self.assertTrue(os.path.isdir(os.path.join(self.moved_to(client), "cur")))

    def test_the_daemon_says_so_in_status(self):
        client, local, remote = self.filled()
        client.configure(layout="maildir++")
        client.start()
        status = scratch.wait_for(
            lambda: client.account_status() if client.account_status()["error"] else None, 30,
            client.said)
        self.assertEqual(status["error"]["code"], "config")
        self.assertIn("layout", status["error"]["message"])
        client.configure(layout=None)
        client.ctl("reload")
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 30, client.said)
        self.assertEqual(client.stop(), 0)
        self.assert_equal_sides(local, remote)


if __name__ == "__main__":
    main()
