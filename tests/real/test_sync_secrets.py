"""Passwords: where they come from, how often they are tried, where they never are.

SPDX-License-Identifier: MIT"""
import os
import resource
import time

import dovecot
import mailgen
import scratch
import views

from case import Case, main

SOON = 5  # seconds in which something would have happened again


class Secrets(Case):
    def wrong(self, command):
        """A daemon whose passwords are this command's, and which looks every second; when it has
        stopped for want of a good one."""
        client, local = self.account(password=None, password_command=command, poll_interval="1s",
                                     push=False, auth=["plain"])
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "auth-failed", 60, client.said)
        return client, local

    def refusals(self):
        """Sessions whose login was refused, as the server's log tells them."""
        return self.server.log().count("(auth failed, ")

    def asked(self, client):
        with open(os.path.join(client.root, "asked"), encoding="ascii") as log:
            return len(log.readlines())

    def test_commands_that_give_no_password_are_told_and_no_login_is_tried(self):
        for command, reason in (("exit 3", "ended with status 3"),
                                ("true", "printed nothing"),
                                ("echo; echo second", "printed nothing"),
                                ("no-such-program", "ended with status 127")):
            with self.subTest(command):
                client, _ = self.account(password=None, password_command=command)
                before = self.refusals()
                run = client.once()
                self.assertEqual(run.code, 77, run.err)
                self.assertIn(reason, run.err)
                self.assertEqual(self.refusals(), before)

    def test_a_refused_password_is_tried_once_and_then_only_when_the_user_says_so(self):
        client, _ = self.wrong('echo wrong; echo asked >> "$HOME/asked"')
        tried, asked = self.refusals(), self.asked(client)
        self.assertEqual(asked, 1)
        time.sleep(SOON)
        self.assertEqual((self.refusals(), self.asked(client)), (tried, asked))
        self.assertEqual(client.ctl("sync").code, 77)
        self.assertGreater(self.refusals(), tried)
        self.assertEqual(self.asked(client), asked + 1)
        tried = self.refusals()
        time.sleep(SOON)
        self.assertEqual(self.refusals(), tried)
        self.assertEqual(client.stop(), 0)

    def test_another_configuration_is_tried(self):
        client, local = self.wrong("echo wrong")
        self.remote().append("INBOX", mailgen.Mail().plain("for the right password"))
        client.configure(password_command="echo '%s'" % dovecot.PASSWORD)
        self.assertEqual(client.ctl("reload").code, 0)
        scratch.wait_for(lambda: "INBOX" in local.mailboxes() and local.messages_now("INBOX"), 60,
                         client.said)
        self.assertEqual(client.stop(), 0)

    def test_a_password_that_was_changed_is_asked_for_anew_once(self):
        client, local = self.account(
            password=None, poll_interval="1s", push=False,
            password_command='echo asked >> "$HOME/asked"; cat "$HOME/password"')
        scratch.write(os.path.join(client.root, "password"), "old one\n")
        self.change("old one")
        client.start()
        scratch.wait_for(lambda: client.account_status()["last_sync"], 60, client.said)
        scratch.write(os.path.join(client.root, "password"), "new one\n")
        self.change("new one")
        self.server.restart()
        self.addCleanup(self.change, dovecot.PASSWORD)
        remote = self.remote_as("new one")
        remote.append("INBOX", mailgen.Mail().plain("for the new password"))
        scratch.wait_for(lambda: "INBOX" in local.mailboxes() and local.messages_now("INBOX"), 60,
                         client.said)
        self.assertEqual(self.asked(client), 2)
        self.assertEqual(client.stop(), 0)

    def change(self, password):
        scratch.write(os.path.join(self.server.root, "passwd"),
                      "%s:{PLAIN}%s\n" % (dovecot.USER, password))

    def remote_as(self, password):
        remote = views.Remote(self.server, password=password)
        self.addCleanup(remote.hang_up)
        return remote

    def test_nothing_of_it_is_to_be_seen_from_outside(self):
        client, _ = self.account(push=False)
        client.start("-v", "-v")
        scratch.wait_for(lambda: client.account_status()["last_sync"], 60, client.said)
        pid = client.process.pid
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (pid, name), "rb") as seen:
                self.assertNotIn(dovecot.PASSWORD.encode(), seen.read())
        self.assertNotIn(dovecot.PASSWORD, client.said())
        # 1 and not 0, which a core_pattern that is a pipe would not heed (core(5)).
        soft, _ = resource.prlimit(pid, resource.RLIMIT_CORE)
        self.assertIn(soft, (0, 1))
        self.assertEqual(client.stop(), 0)


if __name__ == "__main__":
    main()
