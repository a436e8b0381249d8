"""POP3 accounts on a real server: what is fetched, what stays there, and what a person sees of it.

SPDX-License-Identifier: MIT"""
import base64
import email
import email.utils
import os
import subprocess
import time
import unittest

import dovecot
import mailgen
import scratch
import views

from case import main
from drop_case import HERE, DropCase

RELEASE = os.path.join(scratch.ROOT, "build", "release", "syncd", "syncd")


class Pull(DropCase):
    def test_all_mail_comes_with_its_bytes_and_dates_and_stays_there(self):
        # In POP3 every message ends with a line's end.
        odd = [data if data.endswith(b"\n") else data + b"\r\n" for data in mailgen.odd().values()]
        mail = self.put(*(self.mail.message() for _ in range(30)), *odd)
        client, local = self.account()
        self.pass_once(client)
        self.assert_here(local, *mail)
        self.assert_there(*mail)
        self.assertEqual({os.path.dirname(m.where) for m in local.messages(HERE)},
                         {local.path(HERE, "new")})
        dates = {m.digest: m.date for m in local.messages(HERE)}
        for data in mail[:30]:
            received = email.message_from_bytes(data)["Received"].rsplit(";", 1)[1]
            self.assertEqual(dates[views.digest(data)],
                             email.utils.parsedate_to_datetime(received.strip()).timestamp())
        self.assert_pulled_quietly(client, local)

    def test_only_what_is_new_is_fetched(self):
        old = self.put_plain("one", "two")
        client, local = self.account()
        self.pass_once(client)
        os.unlink(self.find(local, old[0]))  # with keep = all that is nobody's business
        new = self.put_plain("three")
        sessions = self.server.sessions()
        self.pass_once(client)
        self.assertEqual(self.asked(sessions, "RETR"), 1)
        self.assert_here(local, old[1], *new)
        self.assert_there(*old, *new)

    def test_what_another_program_has_fetched_does_not_come_again(self):
        """Its files have their own names, and a header on top."""
        old = self.put(*(self.mail.message() for _ in range(25)))
        client, local = self.account(keep="none")
        local.create(HERE)
        theirs = [b"Delivered-To: me\n" * (n % 2) + data.replace(b"\r\n", b"\n")
                  for n, data in enumerate(old)]
        for n, data in enumerate(theirs):
            local.add(HERE, data, "S", 1_400_000_000 + n)
        new = self.put_plain("new")
        sessions = self.server.sessions()
        self.pass_once(client)
        self.assertLess(self.asked(sessions, "RETR"), 15)  # those whose size is another
        self.assert_here(local, *theirs, *new)
        self.assert_there()

    def test_line_endings_are_as_they_are_wanted(self):
        self.put_plain("one")
        for endings, has_cr in (("lf", False), ("crlf", True)):
            client, local = self.account(line_endings=endings)
            self.pass_once(client)
            with open(local.messages(HERE)[0].where, "rb") as file:
                self.assertEqual(b"\r\n" in file.read(), has_cr)

    def test_keep_none_leaves_nothing_there(self):
        mail = self.put(*(self.mail.message() for _ in range(20)))
        client, local = self.account(keep="none")
        self.pass_once(client)
        self.assert_here(local, *mail)
        self.assert_there()
        more = self.put_plain("later")
        self.pass_once(client)
        self.assert_here(local, *mail, *more)
        self.assert_there()
        self.assert_pulled_quietly(client, local)

    def test_a_duration_leaves_it_there_so_long(self):
        old = self.put_plain("old")
        client, local = self.account(keep="3s")
        self.pass_once(client)
        self.assert_there(*old)

        def is_gone():
            self.pass_once(client)
            return not self.drop().uids()

        scratch.wait_for(is_gone, 30, "the message is deleted when its time is up")
        new = self.put_plain("new")
        self.pass_once(client)
        self.assert_there(*new)
        self.assert_here(local, *old, *new)

    def test_a_duration_of_days_deletes_nothing_today(self):
        mail = self.put_plain("one")
        client, local = self.account(keep="14d")
        for _ in range(3):
            self.pass_once(client)
        self.assert_there(*mail)
        self.assert_here(local, *mail)

    def test_what_is_deleted_here_is_deleted_there(self):
        mail = self.put_plain("one", "two", "three")
        client, local = self.account(keep="until-deleted")
        self.pass_once(client)
        local.reflag(self.find(local, mail[1]), "S")  # read, and moved from new to cur
        os.unlink(self.find(local, mail[0]))
        self.pass_once(client)
        self.assert_there(*mail[1:])
        self.assert_here(local, *mail[1:])
        self.assert_pulled_quietly(client, local)

    def moved(self, **keys):
        """A message was moved into another mailbox by a reader, under its own name."""
        mail = self.put_plain("one", "two")
        client, local = self.account(keep="until-deleted", **keys)
        self.pass_once(client)
        local.create(".Archive")
        path = self.find(local, mail[0])
        os.rename(path, local.path(".Archive", "cur", os.path.basename(path) + ":2,S"))
        self.pass_once(client)
        self.assert_here(local, mail[1])
        self.assertEqual([m.digest for m in local.messages(".Archive")], [views.digest(mail[0])])
        return client, local, mail

    def test_what_is_moved_to_another_mailbox_stays_there(self):
        client, local, mail = self.moved()
        self.assert_there(*mail)
        self.assert_pulled_quietly(client, local)
        os.unlink(local.messages(".Archive")[0].where)
        self.pass_once(client)
        self.assert_there(mail[1])

    def test_what_is_moved_is_deleted_there_if_that_is_wanted(self):
        client, local, mail = self.moved(moved="delete")
        self.assert_there(mail[1])
        self.assert_pulled_quietly(client, local)

    def test_other_policies_come_with_the_configuration(self):
        mail = self.put_plain("one", "two")
        client, local = self.account()
        self.pass_once(client)
        client.configure(keep="none")
        self.pass_once(client)
        self.assert_here(local, *mail)
        self.assert_there()

    def test_a_dry_run_says_what_would_be_done_and_does_nothing(self):
        mail = self.put_plain("one", "two")
        uids = self.drop().uids()
        client, local = self.account(keep="none")
        run = client.once("--dry-run")
        self.assertEqual((run.code, run.err), (0, ""))
        lines = run.out.splitlines()
        for uid, data in zip(uids, mail):
            self.assertIn("work: fetch INBOX uidl %s (%d bytes)" % (uid, len(data)), lines)
            self.assertIn("work: delete INBOX uidl %s on the server" % uid, lines)
        self.assertEqual(len(lines), 4)
        self.assertFalse(os.path.exists(local.path(HERE, "new")))
        self.assert_there(*mail)

    def test_without_tls_at_first(self):
        mail = self.put_plain("one")
        client, local = self.account(tls="starttls", port=self.server.pop3_port)
        self.pass_once(client)
        self.assert_here(local, *mail)

    def test_a_mailbox_that_is_not_the_maildrop_is_none(self):
        mail = self.put_plain("one")
        client, local = self.account()
        run = client.once("work/Archive")
        self.assertEqual(run.code, 1)
        self.assertIn("there is no such mailbox", run.err)
        self.assertEqual(client.once("work/INBOX").code, 0)
        self.assert_here(local, *mail)

    def test_a_refused_password_is_told(self):
        self.put_plain("one")
        client, _ = self.account(password="wrong")
        run = client.once()
        self.assertEqual(run.code, 77)
        self.assertIn("work", run.err)
        self.assertNotIn("wrong", run.err)

    def test_beside_an_account_of_imap_and_another_one_of_pop3(self):
        mail = self.put_plain("one", "two")
        client, local = self.account()
        places = {name: os.path.join(client.root, name) for name in ("imap", "other")}
        client.configure(others={
            "imap": {"protocol": "imap", "port": self.server.tls_port, "maildir": places["imap"]},
            "other": {"maildir": places["other"], "keep": "until-deleted", "connections": None}})
        # One after the other where both want the maildrop at once.
        scratch.wait_for(lambda: client.once().code == 0, 60, "all three in one pass")
        self.assert_here(local, *mail)
        self.assert_here(views.Local(places["other"]), *mail)
        self.assertEqual(len(views.Local(places["imap"]).messages("INBOX")), 2)

    def test_a_maildrop_that_is_in_use_is_tried_again(self):
        mail = self.put_plain("one")
        client, local = self.account(keep="none")
        session = self.drop().open()
        run = client.once()
        self.assertEqual(run.code, 75, run.err)
        self.assertIn("[IN-USE]", run.err)
        session.quit()
        self.pass_once(client)
        self.assert_here(local, *mail)
        self.assert_there()

    def test_a_root_that_lost_its_mark_is_no_deletion(self):
        mail = self.put_plain("one", "two")
        client, local = self.account(keep="until-deleted", deletion_limit="none")
        self.pass_once(client)
        os.rename(client.maildir, client.maildir + ".away")
        os.mkdir(client.maildir)
        run = client.once()
        self.assertNotEqual(run.code, 0)
        self.assert_there(*mail)
        os.rmdir(client.maildir)
        os.rename(client.maildir + ".away", client.maildir)
        self.pass_once(client)
        self.assert_there(*mail)
        self.assert_here(local, *mail)


class Daemon(DropCase):
    def started(self, **keys):
        client, local = self.account(**keys)
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 60, client.said)
        return client, local

    def inbox(self, client):
        return client.account_status()["mailboxes"][0]

    def test_mail_is_noticed_at_the_interval_and_the_hook_runs(self):
        client, local = self.started(
            poll_interval="1s", on_new='echo "$SYNCD_ACCOUNT $SYNCD_MAILBOXES $SYNCD_NEW" '
                                       '>> "$HOME/hooked"')
        mail = self.put_plain("one", "two")
        scratch.wait_for(lambda: len(local.messages(HERE)) == 2, 30, client.said)
        hooked = os.path.join(client.root, "hooked")
        scratch.wait_for(lambda: os.path.exists(hooked) and sum(
            int(line.split()[2]) for line in open(hooked, encoding="ascii")) == 2, 10, "the hook")
        with open(hooked, encoding="ascii") as told:
            self.assertEqual({tuple(line.split()[:2]) for line in told}, {("work", "INBOX")})
        self.assert_here(local, *mail)
        self.assertEqual(client.stop(), 0)

    def test_status_tells_of_the_maildrop(self):
        small, large = self.put(self.mail.plain("small"), self.mail.plain("large", 9000))
        uids = self.drop().uids()
        client, local = self.started(max_size="4K")
        account = client.account_status()
        self.assertEqual((account["protocol"], account["push"]), ("pop3", "poll"))
        inbox = self.inbox(client)
        self.assertEqual((inbox["name"], inbox["messages"], inbox["too_large"], inbox["pending"]),
                         ("INBOX", 2, 1, 0))
        self.assertEqual(inbox["left"],
                         [{"uidl": uids[1], "bytes": len(large), "reason": None}])
        self.assertIn("stays there: UIDL %s" % uids[1], client.ctl("status").out)
        self.assert_here(local, small)
        self.assertEqual(client.stop(), 0)

    def test_a_large_message_is_fetched_when_it_is_asked_for(self):
        mail = self.put(self.mail.plain("small"), self.mail.plain("large", 9000))
        uids = self.drop().uids()
        client, local = self.started(max_size="4K", keep="none")
        self.assert_here(local, mail[0])
        run = client.ctl("fetch", "work", uids[1])
        self.assertEqual((run.code, run.err), (0, ""))
        self.assert_here(local, *mail)
        self.assert_there()
        self.assertEqual(self.inbox(client)["left"], [])
        run = client.ctl("fetch", "work", "no-such-message")
        self.assertEqual(run.code, 1, run.out)
        self.assertIn("no-such-message", run.err)
        self.assertEqual(client.ctl("fetch", "nowhere", "1").code, 64)
        self.assertEqual(client.stop(), 0)

    def test_forgetting_brings_all_of_it_again(self):
        mail = self.put_plain("one", "two")
        client, local = self.started()
        self.assertEqual(client.ctl("sync").code, 0)
        self.assert_here(local, *mail)
        self.assertEqual(client.ctl("forget", "work").code, 0)
        self.assert_here(local, *mail, *mail)
        self.assertEqual(client.ctl("sync").code, 0)
        self.assert_here(local, *mail, *mail)
        self.assertEqual(client.stop(), 0)

    def test_only_accounts_of_pop3_have_maildrops(self):
        client, _ = self.started(protocol="imap")
        for command in ("fetch", "work", "1"), ("forget", "work"):
            run = client.ctl(*command)
            self.assertEqual(run.code, 64)
            self.assertIn("not one of POP3", run.err)
        self.assertEqual(client.stop(), 0)

    def test_a_plan_changes_nothing(self):
        client, local = self.started(keep="none")
        mail = self.put_plain("one")
        run = client.ctl("plan", "work")
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("fetch INBOX uidl", run.out)
        self.assert_there(*mail)
        self.assertEqual(local.messages(HERE), [])
        self.assertEqual(client.stop(), 0)

    def held(self):
        """All of 25 messages were deleted here, which is too many at once."""
        mail = self.put_plain(*("number %d" % number for number in range(25)))
        client, local = self.started(keep="until-deleted")
        for message in local.messages(HERE):
            os.unlink(message.where)
        run = client.ctl("sync")
        self.assertEqual(run.code, 1, run.err)
        account = client.account_status()
        self.assertEqual((account["state"], account["mailboxes"][0]["held"]),
                         ("held", {"deletions": 25, "side": "remote"}))
        self.assert_there(*mail)
        return client, local, mail

    def test_too_many_deletions_are_held_until_they_are_accepted(self):
        client, local, _ = self.held()
        self.assertEqual(client.ctl("accept", "work").code, 0)
        self.assert_there()
        self.assert_here(local)
        self.assertEqual(client.account_status()["state"], "idle")
        self.assertEqual(client.stop(), 0)

    def test_or_restored(self):
        client, local, mail = self.held()
        self.assertEqual(client.ctl("restore", "work/INBOX").code, 0)
        self.assert_there(*mail)
        self.assert_here(local, *mail)
        self.assertIsNone(self.inbox(client)["held"])
        self.assertEqual(client.ctl("restore", "work").code, 1)  # nothing is held
        self.assertEqual(client.stop(), 0)

    def test_what_is_in_use_is_offline_and_comes_by_itself(self):
        mail = self.put_plain("one")
        session = self.drop().open()
        client, local = self.account()
        client.start()
        status = {}

        def is_offline():
            status.update(client.account_status())
            return status["state"] == "offline"
        scratch.wait_for(is_offline, 60, client.said)
        self.assertIn("[IN-USE]", status["error"]["message"])
        self.assertIsNotNone(status["next_retry"])
        session.quit()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 60, client.said)
        self.assert_here(local, *mail)
        self.assertEqual(client.stop(), 0)

    def test_a_refused_password_is_tried_once(self):
        client, _ = self.account(password="wrong", poll_interval="1s", auth=["plain"])
        before = self.server.log().count("(auth failed, ")
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "auth-failed", 60, client.said)
        time.sleep(3)  # in which it would have been tried again
        self.assertEqual(self.server.log().count("(auth failed, "), before + 1)
        self.assertEqual(client.stop(), 0)

    def test_it_ends_at_once_in_the_middle_of_a_pull(self):
        self.put(*(self.mail.plain("number %d" % number, 200_000) for number in range(30)))
        client, local = self.account(keep="none")
        client.start()
        scratch.wait_for(lambda: os.path.isdir(local.path(HERE, "tmp")) and (
            os.listdir(local.path(HERE, "tmp")) or local.messages(HERE)), 30, client.said)
        self.assertEqual(client.stop(), 0)
        self.pass_once(client)
        self.assertEqual(sum(self.here(local).values()), 30)
        self.assertEqual(len(self.here(local)), 30)


class Words(DropCase):
    """What the documents say, and what must not be said."""

    def test_the_configurations_of_the_documents_are_valid(self):
        client, _ = self.account()
        with open(os.path.join(scratch.ROOT, "contrib", "syncd.conf"), encoding="ascii") as example:
            client.configure(text=example.read())
        self.assertEqual(client.run("--check")[:], (0, "", ""))
        with open(os.path.join(scratch.ROOT, "README.md"), encoding="utf-8") as readme:
            blocks = readme.read().split("\n\n")
        accounts = [block for block in blocks if block.lstrip().startswith("account ")]
        self.assertEqual(len(accounts), 2)
        client.configure(text="\n".join(accounts) + "\n")
        self.assertEqual(client.run("--check")[:], (0, "", ""))

    def test_no_log_has_the_password(self):
        self.put_plain("one")
        for auth in "plain", "login", "cram-md5", None:
            client, _ = self.account(auth=auth and [auth])
            run = client.once("-vv")
            self.assertEqual(run.code, 0, run.err)
            self.assertIn("UIDL", run.err)  # of what was said all else is there
            for secret in dovecot.PASSWORD, base64.b64encode(
                    ("\0%s\0%s" % (dovecot.USER, dovecot.PASSWORD)).encode()).decode(), \
                    base64.b64encode(dovecot.PASSWORD.encode()).decode():
                self.assertNotIn(secret, run.err)


@unittest.skipUnless(os.path.exists(RELEASE),
                     "memory is measured with build/release, which is not built")
class Large(DropCase):
    MEMORY_MB = 16

    def test_a_message_of_200_MB_takes_little_memory(self):
        data = self.mail.plain("large", 200_000_000)
        self.put(data)
        client, local = self.account(keep="none")
        with subprocess.Popen([RELEASE] + client.command("--once")[1:], stdin=subprocess.DEVNULL,
                              env=client.environment()) as process:
            peak = 0
            while process.poll() is None:
                with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
                    sizes = [line.split()[1] for line in status if line.startswith("VmHWM")]
                peak = int(sizes[0]) // 1024 if sizes else peak
                time.sleep(0.01)
        self.assertEqual(process.returncode, 0)
        self.assert_here(local, data)
        self.assert_there()
        print("# at most %d MB" % peak)
        self.assertLess(peak, self.MEMORY_MB)


if __name__ == "__main__":
    main()
