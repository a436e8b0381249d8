"""Deletions that are too many are held until a person decides: accept, or restore.

SPDX-License-Identifier: MIT"""
import json
import os
import random
import shutil
import subprocess
import time

import mailgen
import scratch
import syncd
import views

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

    def test_a_dry_run_says_what_would_be_held(self):
        client, local, remote = self.filled()
        remote.create("Box")
        remote.create("Small")
        for number in range(50):
            remote.append("Box", mailgen.Mail(100 + number).plain("boxed %d" % number))
        self.pass_once(client)
        shutil.rmtree(local.path("Small"))
        run = client.once("--dry-run")
        self.assertEqual((run.code, run.out), (0, "work: delete Small on the server\n"), run.err)
        shutil.rmtree(local.path("Box"))
        for message in local.messages("INBOX")[:25]:
            os.unlink(message.where)
        before = remote.everything()
        run = client.once("--dry-run")
        self.assertEqual(run.code, 1, run.err)
        self.assertEqual(run.out.splitlines(), ["work: hold back: delete Box on the server",
                                                "work: hold back: delete Small on the server"])
        self.assertIn("25 of 40 messages would be deleted on the server: held back", run.err)
        self.assertIn("mailbox Box: it was deleted here", run.err)
        self.assertEqual(remote.everything(), before)
        # So it is.
        run = self.pass_once(client, code=1)
        self.assertIn("mailbox Box: it was deleted here", run.err)

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
                    remote.delete_mailbox("Big")
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
        remote.move("Big", "1:25", "Kept")
        remote.select("INBOX")
        remote.delete_mailbox("Big")
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


class Decided(Case):
    """A person decides on what the daemon holds."""

    def started(self, counts, **keys):
        """So many messages in each mailbox on both sides, with flags, a keyword and dates of their
        own; and the daemon."""
        remote = self.remote()
        for index, (name, count) in enumerate(counts.items()):
            if name != "INBOX":
                remote.create(name)
            for number in range(count):
                flags = ["\\Seen"] if number % 3 else ["\\Flagged", "urgent"]
                mail = mailgen.Mail(1000 * index + number)
                remote.append(name, mail.plain("%s %d" % (name, number)), flags,
                              1_200_000_000 + 1000 * index + number)
        client, local = self.account(**keys)
        self.pass_once(client)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        client.start()
        self.wait_for_state(client, "idle")
        return client, local, remote

    def wait_for_state(self, client, state):
        scratch.wait_for(lambda: client.account_status()["state"] == state, 60, client.said)

    def reload(self, client, **keys):
        """With other keys; returns when the daemon answers again."""
        def answers():
            try:
                return client.status()
            except ValueError:
                return None
        client.configure(**keys)
        self.assertEqual(client.ctl("reload").code, 0)
        scratch.wait_for(answers, 60, client.said)

    def held(self, client):
        run = client.ctl("--json", "status")
        self.assertEqual(run.code, 0, run.err + client.said())
        rows = json.loads(run.out)["accounts"][0]["mailboxes"]
        return {row["name"]: row["held"] for row in rows if row["held"]}

    def wait_for_held(self, client, **held):
        scratch.wait_for(lambda: self.held(client) == held, 60,
                         lambda: "%r\n%s" % (self.held(client), client.said()))

    def decide(self, client, *words, code=0):
        run = client.ctl(*words)
        self.assertEqual(run.code, code, run.out + run.err + client.said())
        return run

    def assert_over(self, client, local, remote):
        """Nothing is held, both sides are equal and stay as they are."""
        self.assertEqual(self.held(client), {})
        self.wait_for_state(client, "idle")
        self.assertEqual(client.stop(), 0)
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)

    def remove_here(self, local, name, count=None):
        for message in local.messages(name)[:count]:
            os.unlink(message.where)

    def remove_there(self, remote, name, count=None):
        remote.delete(name, *remote.uids(name)[:count])

    def test_accepted_deletions_here_are_carried_out_there(self):
        client, local, remote = self.started({"INBOX": 40})
        self.remove_here(local, "INBOX", 30)
        self.wait_for_held(client, INBOX={"deletions": 30, "side": "remote"})
        self.assertEqual(client.account_status()["state"], "held")
        run = self.decide(client, "accept", "work/INBOX")
        self.assertIn("30 removed on the server", run.out)
        self.assertEqual(len(remote.uids("INBOX")), 10)
        self.assert_over(client, local, remote)

    def test_accepted_deletions_there_are_carried_out_here(self):
        client, local, remote = self.started({"INBOX": 40})
        self.remove_there(remote, "INBOX", 30)
        self.wait_for_held(client, INBOX={"deletions": 30, "side": "local"})
        result = json.loads(self.decide(client, "--json", "accept", "work").out)
        self.assertEqual((result["exit"], result["counts"]["removed"], result["failures"]),
                         (0, 30, []))
        self.assertEqual(len(local.messages("INBOX")), 10)
        self.assert_over(client, local, remote)

    def test_what_is_gone_here_is_brought_back_from_there(self):
        client, local, remote = self.started({"INBOX": 40, "Other": 3})
        before = local.everything()
        self.remove_here(local, "INBOX", 30)
        self.wait_for_held(client, INBOX={"deletions": 30, "side": "remote"})
        uids = remote.uids("INBOX")
        run = self.decide(client, "restore", "work/INBOX")
        self.assertIn("30 fetched", run.out)
        self.assertEqual(remote.uids("INBOX"), uids)
        for name, messages in local.everything().items():
            self.assertEqual(views.alike(messages), views.alike(before[name]))
        self.assert_over(client, local, remote)

    def test_what_is_gone_there_is_brought_back_from_here(self):
        client, local, remote = self.started({"INBOX": 40, "Other": 3})
        before = remote.everything()
        files = local.snapshot()
        self.remove_there(remote, "INBOX", 30)
        self.wait_for_held(client, INBOX={"deletions": 30, "side": "local"})
        run = self.decide(client, "restore", "work")
        self.assertIn("30 sent", run.out)
        for name, messages in remote.everything().items():
            self.assertEqual(views.alike(messages), views.alike(before[name]))
        self.assertEqual(local.snapshot(), files)
        self.assert_over(client, local, remote)

    def test_both_sides_at_once(self):
        client, local, remote = self.started({"INBOX": 60})
        client.call("pause")
        digests = [m.digest for m in sorted(remote.messages("INBOX"), key=lambda m: m.date)]
        for message in local.messages("INBOX"):
            if message.digest in digests[:25]:
                os.unlink(message.where)
        self.remove_there(remote, "INBOX", 60)
        remote.append("INBOX", mailgen.Mail(500).plain("the new one"), ["\\Seen"])
        self.reload(client, deletion_limit="30%")
        scratch.wait_for(lambda: self.held(client), 60, client.said)
        self.assertEqual(len(local.messages("INBOX")), 36)
        self.decide(client, "restore", "work/INBOX")
        self.assertEqual(len(remote.uids("INBOX")), 36)
        self.assert_over(client, local, remote)

    def test_a_decision_is_about_its_mailbox_alone(self):
        client, local, remote = self.started({"INBOX": 40, "A": 40, "B": 40})
        for name in ("INBOX", "A", "B"):
            self.remove_here(local, name, 30)
        held = {"deletions": 30, "side": "remote"}
        self.wait_for_held(client, INBOX=held, A=held, B=held)
        self.decide(client, "accept", "work/A")
        self.assertEqual(self.held(client), {"INBOX": held, "B": held})
        self.decide(client, "restore", "work/B")
        self.assertEqual(self.held(client), {"INBOX": held})
        counts = {name: len(remote.uids(name)) for name in ("INBOX", "A", "B")}
        self.assertEqual(counts, {"INBOX": 40, "A": 10, "B": 40})
        self.assertEqual(len(local.messages("B")), 40)
        self.decide(client, "accept", "work")
        self.assertEqual(len(remote.uids("INBOX")), 10)
        self.assert_over(client, local, remote)

    def test_what_has_come_back_meanwhile_is_not_deleted(self):
        client, local, remote = self.started({"INBOX": 40})
        messages = local.messages("INBOX")
        kept = {m.where: (open(m.where, "rb").read(), m.date) for m in messages[:30]}
        self.remove_here(local, "INBOX", 30)
        self.wait_for_held(client, INBOX={"deletions": 30, "side": "remote"})
        for path in sorted(kept)[:12]:
            with open(path, "wb") as mail:
                mail.write(kept[path][0])
            os.utime(path, (kept[path][1],) * 2)
        self.wait_for_held(client, INBOX={"deletions": 18, "side": "remote"})
        self.decide(client, "accept", "work/INBOX")
        self.assertEqual(len(remote.uids("INBOX")), 22)
        self.assert_over(client, local, remote)

    def test_with_a_trash_what_is_accepted_goes_there(self):
        client, local, remote = self.started({"INBOX": 40, "Trash": 1}, trash="Trash")
        self.remove_here(local, "INBOX", 30)
        self.wait_for_held(client, INBOX={"deletions": 30, "side": "remote"})
        self.decide(client, "accept", "work/INBOX")
        self.assertEqual(len(remote.uids("Trash")), 31)
        scratch.wait_for(lambda: len(local.messages("Trash")) == 31, 60, client.said)
        self.assert_over(client, local, remote)

    def test_with_a_trash_what_is_restored_does_not_go_there(self):
        client, local, remote = self.started({"INBOX": 40, "Trash": 1}, trash="Trash")
        self.remove_here(local, "INBOX", 30)
        self.wait_for_held(client, INBOX={"deletions": 30, "side": "remote"})
        self.decide(client, "restore", "work")
        self.assertEqual((len(remote.uids("Trash")), len(local.messages("INBOX"))), (1, 40))
        self.assert_over(client, local, remote)

    def test_what_was_marked_loses_the_mark(self):
        client, local, remote = self.started({"INBOX": 40}, expunge_deleted=True)
        client.call("pause")  # as one change, not as many small ones
        for message in sorted(local.messages("INBOX"), key=lambda m: m.date)[:15]:
            local.reflag(message.where, "ST")
        remote.store("INBOX", "11:25", "+", "\\Deleted")
        client.call("resume")
        scratch.wait_for(lambda: self.held(client), 60, client.said)
        self.assertEqual((len(local.messages("INBOX")), len(remote.uids("INBOX"))), (40, 40))
        self.decide(client, "restore", "work/INBOX")
        for message in local.messages("INBOX") + remote.messages("INBOX"):
            self.assertNotIn("\\Deleted", message.flags)
        self.assertEqual((len(local.messages("INBOX")), len(remote.uids("INBOX"))), (40, 40))
        self.assert_over(client, local, remote)

    def test_after_a_restart_it_is_held_still_and_can_be_decided_on_at_once(self):
        client, local, remote = self.started({"INBOX": 40})
        self.remove_here(local, "INBOX", 30)
        self.wait_for_held(client, INBOX={"deletions": 30, "side": "remote"})
        client.kill()
        for number in range(500, 540):
            remote.append("INBOX", mailgen.Mail(number).plain("while it was dead"), ["\\Seen"])
        client.start()
        self.decide(client, "accept", "work/INBOX")
        self.assertEqual(len(remote.uids("INBOX")), 50)
        self.assert_over(client, local, remote)

    def killed_while_it_restores(self, client, delay_s):
        """The client is told that the daemon left; or all is done by then."""
        asking = subprocess.Popen([syncd.CONTROL, "-s", client.socket, "restore", "work"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay_s)
        client.kill()
        asking.wait(30)
        # What it does else with what it was sent is in test_sync_interrupted.py (Late).
        scratch.wait_for(lambda: self.server.clients() <= 1, 60, "the sessions of the dead one end")

    def test_killed_at_any_moment_a_restoration_loses_and_doubles_nothing(self):
        rng = random.Random(5)
        for side in ("here", "there", "here", "there", "here", "there"):
            with self.subTest(side=side):
                self.setUp()
                client, local, remote = self.started({"INBOX": 150})
                before = local.everything()
                if side == "here":
                    self.remove_here(local, "INBOX", 140)
                else:
                    client.call("pause")  # it is to see none that is marked only
                    self.remove_there(remote, "INBOX", 140)
                    client.call("resume")
                self.wait_for_held(client, INBOX={
                    "deletions": 140, "side": "remote" if side == "here" else "local"})
                self.killed_while_it_restores(client, rng.random() * 0.3)
                client.start()
                scratch.wait_for(lambda: client.account_status()["state"] in ("idle", "held"), 60,
                                 client.said)
                if self.held(client):
                    self.decide(client, "restore", "work")
                self.assert_over(client, local, remote)
                self.assertEqual(views.alike(local.messages("INBOX")),
                                 views.alike(before["INBOX"]))
                remote.hang_up()

    def test_where_nothing_is_held_it_says_so(self):
        client, local, remote = self.started({"INBOX": 40})
        for words, said in ((("accept", "work"), "work: nothing is held"),
                            (("restore", "work/INBOX"), "mailbox INBOX: nothing is held"),
                            (("restore", "work/Nowhere"), "mailbox Nowhere: nothing is held")):
            run = self.decide(client, *words, code=1)
            self.assertIn(said, run.err)
        self.decide(client, "accept", "home", code=64)
        for words in (("accept",), ("restore", "work", "work/INBOX")):
            self.assertIn("usage: syncctl", self.decide(client, *words, code=64).err)
        client.call("pause")
        self.wait_for_state(client, "paused")
        self.assertIn("paused", self.decide(client, "accept", "work", code=75).err)
        self.assertEqual(client.stop(), 0)
        run = client.ctl("restore", "work")
        self.assertEqual((run.code, "no syncd is running" in run.err), (75, True))

    # Whole mailboxes.

    def test_a_mailbox_deleted_here_is_deleted_there(self):
        client, local, remote = self.started({"INBOX": 10, "Big": 40})
        shutil.rmtree(local.path("Big"))
        self.wait_for_held(client, Big={"deletions": 40, "side": "remote"})
        self.decide(client, "accept", "work/Big")
        self.assertEqual(remote.mailboxes(), ["INBOX"])
        self.assert_over(client, local, remote)

    def test_a_mailbox_deleted_there_is_deleted_here(self):
        client, local, remote = self.started({"INBOX": 10, "Big": 40})
        remote.delete_mailbox("Big")
        client.ctl("sync")
        self.wait_for_held(client, Big={"deletions": 40, "side": "local"})
        self.decide(client, "accept", "work")
        self.assertEqual(local.mailboxes(), ["INBOX"])
        self.assert_over(client, local, remote)

    def test_a_mailbox_deleted_here_is_made_here_again(self):
        client, local, remote = self.started({"INBOX": 10, "Big": 40, "Big/Below": 2})
        self.reload(client, create="none")
        self.wait_for_state(client, "idle")
        before = local.everything()
        shutil.rmtree(local.path("Big"))
        scratch.wait_for(lambda: "Big" in self.held(client), 60, client.said)
        self.decide(client, "restore", "work")
        for name, messages in local.everything().items():
            self.assertEqual(views.alike(messages), views.alike(before[name]))
        self.assert_over(client, local, remote)

    def test_a_mailbox_deleted_there_is_made_there_again(self):
        client, local, remote = self.started({"INBOX": 10, "Big": 40})
        before = remote.everything()
        remote.delete_mailbox("Big")
        client.ctl("sync")
        self.wait_for_held(client, Big={"deletions": 40, "side": "local"})
        self.decide(client, "restore", "work/Big")
        for name, messages in remote.everything().items():
            self.assertEqual(views.alike(messages), views.alike(before[name]))
        self.assert_over(client, local, remote)

    def test_pulling_what_is_restored_stays_here_alone(self):
        client, local, remote = self.started({"INBOX": 40, "Big": 60}, direction="pull")
        self.remove_there(remote, "INBOX", 30)
        remote.delete_mailbox("Big")
        client.ctl("sync")
        scratch.wait_for(lambda: sorted(self.held(client)) == ["Big", "INBOX"], 60, client.said)
        self.decide(client, "restore", "work")
        self.assertEqual(self.held(client), {})
        self.decide(client, "sync")
        self.assertEqual((len(local.messages("INBOX")), len(local.messages("Big"))), (40, 60))
        self.assertEqual((remote.mailboxes(), len(remote.uids("INBOX"))), (["INBOX"], 10))
        self.assertEqual(client.stop(), 0)


class Vanished(Case):
    """What looks like a deletion of everything, and is none."""

    def filled(self, count=30, names=("INBOX", "Big"), **keys):
        remote = self.remote()
        for index, name in enumerate(names):
            if name != "INBOX":
                remote.create(name)
            for number in range(count):
                remote.append(name, mailgen.Mail(100 * index + number).plain(
                    "%s %d" % (name, number)), ["\\Seen"], 1_200_000_000 + number)
        client, local = self.account(**keys)
        self.pass_once(client)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        return client, local, remote

    def assert_refused(self, client, remote, *words):
        """Again and again, whatever part of the account is asked for; and nothing is done."""
        there = remote.everything()
        for args in ((), ("work/INBOX",), ()):
            run = client.once(*args)
            self.assertEqual(run.code, 73, run.err)
            for word in words:
                self.assertIn(word, run.err)
        self.assertEqual(remote.everything(), there)

    def test_a_root_that_is_gone_is_an_error(self):
        client, local, remote = self.filled()
        os.rename(client.maildir, client.maildir + ".away")
        self.assert_refused(client, remote, client.maildir)
        self.assertFalse(os.path.exists(client.maildir))
        os.rename(client.maildir + ".away", client.maildir)
        self.assert_quiet(client, local)

    def test_a_root_that_was_emptied_is_an_error(self):
        client, local, remote = self.filled()
        shutil.rmtree(client.maildir)
        os.mkdir(client.maildir)
        self.assert_refused(client, remote, client.maildir, ".syncd")
        self.assertEqual(os.listdir(client.maildir), [])

    def test_a_root_without_its_mark_is_an_error(self):
        client, local, remote = self.filled()
        mark = os.path.join(client.maildir, ".syncd")
        os.rename(mark, mark + ".away")
        files = local.snapshot()
        self.assert_refused(client, remote, client.maildir, ".syncd")
        self.assertEqual(local.snapshot(), files)
        os.rename(mark + ".away", mark)
        self.assert_quiet(client, local)

    def test_a_root_that_is_emptied_but_for_its_mark_is_held(self):
        client, local, remote = self.filled(15, ("INBOX", "A", "B", "C"))
        there = remote.everything()
        for name in os.listdir(client.maildir):
            if name != ".syncd":
                shutil.rmtree(local.path(name))
        for _ in range(3):
            run = self.pass_once(client, code=1)
            self.assertIn("mailbox INBOX: 15 of 15 messages", run.err)
            for name in "ABC":
                self.assertIn("mailbox %s: it was deleted here" % name, run.err)
        self.assertEqual(remote.everything(), there)

    def test_an_inbox_whose_directory_is_gone_is_held(self):
        """It cannot be deleted, so it was not; however few messages were in it."""
        for count in (5, 30):
            with self.subTest(count=count):
                self.setUp()
                client, local, remote = self.filled(count)
                there = remote.everything()
                shutil.rmtree(local.path("INBOX"))
                for _ in range(2):
                    run = self.pass_once(client, code=1)
                    self.assertIn("mailbox INBOX: %d of %d messages" % (count, count), run.err)
                client.start()
                self.assertEqual(client.ctl("restore", "work").code, 0, client.said())
                self.assertEqual(client.stop(), 0)
                self.assertEqual(remote.everything(), there)
                self.assert_equal_sides(local, remote)
                self.assert_quiet(client, local)
                remote.hang_up()

    def test_what_was_moved_out_of_such_an_inbox_is_moved(self):
        client, local, remote = self.filled(25)
        for message in local.messages("INBOX"):
            os.rename(message.where, local.path("Big", "cur", os.path.basename(message.where)))
        shutil.rmtree(local.path("INBOX"))
        self.pass_once(client)
        self.assertEqual((len(remote.uids("INBOX")), len(remote.uids("Big"))), (0, 50))
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)

    def test_a_mailbox_that_is_emptied_here_is_held(self):
        client, local, remote = self.filled()
        there = remote.everything()
        for message in local.messages("Big"):
            os.unlink(message.where)
        for _ in range(2):
            run = self.pass_once(client, code=1)
            self.assertIn("mailbox Big: 30 of 30 messages would be deleted on the server", run.err)
        self.assertEqual(remote.everything(), there)

    def test_a_mailbox_that_is_emptied_there_is_held(self):
        client, local, remote = self.filled()
        files = local.snapshot()
        remote.delete("Big", *remote.uids("Big"))
        for _ in range(2):
            run = self.pass_once(client, code=1)
            self.assertIn("mailbox Big: 30 of 30 messages would be deleted in the maildir", run.err)
        self.assertEqual(local.snapshot(), files)

    def test_an_account_that_is_emptied_there_is_held(self):
        """All mailboxes are gone, and INBOX is a new one."""
        client, local, remote = self.filled(30, ("INBOX", "Big", "Other"))
        remote.hang_up()
        before = local.snapshot()
        self.setUp()
        for _ in range(3):
            run = self.pass_once(client, code=1)
            for name in ("Big", "Other"):
                self.assertIn("mailbox %s: it was deleted on the server" % name, run.err)
        self.assertEqual(local.snapshot(), before)
        remote = self.remote()
        self.assertEqual(len(remote.uids("INBOX")), 30)

    def test_the_daemon_sees_the_root_go_and_come_back(self):
        client, local, remote = self.filled()
        there = remote.everything()
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 60, client.said)
        os.rename(client.maildir, client.maildir + ".away")
        client.ctl("sync")
        error = client.account_status()["error"]
        self.assertEqual(error["code"], "root")
        self.assertIn(client.maildir, error["message"])
        self.assertEqual(remote.everything(), there)
        for words in (("accept", "work"), ("restore", "work/Big")):
            self.assertEqual(client.ctl(*words).code, 1)
        os.rename(client.maildir + ".away", client.maildir)
        self.assertEqual(client.ctl("sync").code, 0)
        # What was watched came back as well, which may have begun a pass of its own.
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 60, client.said)
        self.assertEqual(client.stop(), 0)
        self.assertEqual(remote.everything(), there)
        self.assert_equal_sides(local, remote)
        self.assert_quiet(client, local)


if __name__ == "__main__":
    main()
