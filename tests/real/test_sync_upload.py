"""Many messages uploaded at once, with and without MULTIAPPEND, refused in part, and cut.

SPDX-License-Identifier: MIT"""
import os
import re

import mailgen
import proxy
import views

from case import SHAPE, Case, main, serve

QUOTA = """
mail_plugins = quota
plugin {
  quota = count:User quota
  quota_vsizes = yes
  %s
}
"""


class Upload(Case):
    @classmethod
    def setUpClass(cls):
        """Each test starts a server of its own."""

    @classmethod
    def tearDownClass(cls):
        """And stops it."""

    def serve(self, without=(), extra=""):
        self.server = serve(without=without, extra=extra, plaintext=True, **SHAPE)
        self.addCleanup(self.server.stop)

    def setUp(self):
        self.server = None

    def fill(self, client, local, count, seed=9):
        """An account that is in step, and then new mail in it; some of it twice the same."""
        self.pass_once(client)
        mail = mailgen.Mail(seed)
        for number in range(count):
            data = mail.plain("number %d" % number)
            local.add("INBOX", data, "S" if number % 3 else "", 1_400_000_000 + number)
        local.add("INBOX", data, "F", 1_400_000_000 + count - 1)  # may be copied there, with its date
        return self.server.sessions()

    def appends(self, before):
        return self.server.commands(before).count("APPEND")

    def check_each_is_known(self, client, local, remote, refused=0):
        """A flag set here arrives at its own message there: each UID was given to the right one."""
        for number, message in enumerate(sorted(local.messages("INBOX"), key=lambda m: m.date)):
            if number % 10 == 0:
                local.reflag(message.where, "RS")
        self.pass_once(client, code=1 if refused else 0)
        here, there = (views.alike(side.messages("INBOX")) for side in (local, remote))
        for message in there:
            self.assertIn(message, here)
            here.remove(message)
        self.assertEqual(len(here), refused)

    def push(self, count, **server):
        """Returns how many APPENDs it took."""
        self.serve(**server)
        client, local = self.account()
        before = self.fill(client, local, count)
        self.pass_once(client)
        appends, remote = self.appends(before), self.remote()
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(remote.uids("INBOX")), count + 1)
        self.assert_quiet(client, local)
        self.check_each_is_known(client, local, remote)
        return appends

    def together(self, commands, count):
        """Where the server takes one message a command, it is as many as there are messages."""
        return count + 1 if "MULTIAPPEND" in self.server.without else commands

    def test_one_command_carries_many_messages(self):
        self.assertEqual(self.push(250), self.together(3, 250))

    def test_without_multiappend_each_has_its_own(self):
        self.assertEqual(self.push(120, without={"MULTIAPPEND"}), 121)

    def test_each_message_may_wait_for_the_server(self):
        self.assertEqual(self.push(120, without={"LITERAL+"}), self.together(2, 120))

    def test_uids_are_found_where_they_are_not_told(self):
        self.assertEqual(self.push(120, without={"UIDPLUS"}), self.together(2, 120))

    def test_large_messages_go_between_the_others(self):
        self.serve()
        client, local = self.account()
        self.pass_once(client)
        for number in range(12):
            size = 1_500_000 if number % 4 == 1 else 5000
            local.add("INBOX", mailgen.Mail(number).plain("number %d" % number, size), "S")
        self.pass_once(client)
        self.assert_equal_sides(local, self.remote())
        self.assert_quiet(client, local)

    # Refused.

    def test_one_that_is_refused_does_not_hold_the_others_up(self):
        self.serve(extra=QUOTA % "quota_max_mail_size = 20k")
        client, local = self.account()
        before = self.fill(client, local, 40)
        local.add("INBOX", mailgen.Mail(5).plain("the large one", 30_000))
        run = self.pass_once(client, code=1)
        self.assertRegex(run.err, "INBOX.*size")
        self.assertEqual(len(self.remote().uids("INBOX")), 41)
        # Together, and then one by one.
        self.assertEqual(self.appends(before), 1 + 42)
        before = self.server.sessions()
        self.pass_once(client, code=1)
        self.assertEqual(self.appends(before), 0)

    def test_what_fits_a_quota_is_stored_and_the_rest_when_there_is_room(self):
        self.serve(extra=QUOTA % "quota_rule = *:messages=30")
        client, local = self.account(unanswered_wait="60s")  # nothing is left unanswered
        self.fill(client, local, 40)
        run = self.pass_once(client, code=73)
        self.assertIn("quota", run.err.lower())
        remote = self.remote()
        self.assertEqual(len(remote.uids("INBOX")), 30)
        self.assertEqual(len(local.messages("INBOX")), 41)
        for message in local.messages("INBOX")[:15]:
            os.unlink(message.where)
        client.configure(deletion_limit="none")
        self.pass_once(client, code=73)  # makes room, after it was tried
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("INBOX")), 26)

    def test_what_is_stored_in_spite_of_a_refusal_is_not_stored_twice(self):
        self.serve()
        self.need("MULTIAPPEND")
        middle = StoresUpToRefusal(self.server.port, self.remote())
        self.addCleanup(middle.close)
        client, local = self.account(port=middle.port, tls="none", tls_ca_file=None,
                                     host="127.0.0.1")
        self.fill(client, local, 30)
        data = mailgen.Mail(8).plain("the same") + b"twice\r\n"
        for number in range(2):
            local.add("INBOX", data, "S", 1_350_000_000 + number)
        local.add("INBOX", mailgen.Mail(9).plain("the one") + middle.POISON, "", 1_410_000_000)
        run = self.pass_once(client, code=1)
        self.assertIn("not that one", run.err)
        remote = self.remote()
        self.assertGreater(middle.stored, 0)
        self.assertEqual(len(remote.uids("INBOX")), 33)
        self.assertEqual(len(local.messages("INBOX")), 34)
        self.check_each_is_known(client, local, remote, refused=1)

    # Cut.

    def check_cut(self, middle, stored):
        """The first upload is cut when the server has `stored` so many; nothing is there twice."""
        self.addCleanup(middle.close)
        client, local = self.account(port=middle.port, tls="none", tls_ca_file=None,
                                     host="127.0.0.1")
        self.fill(client, local, 120)
        middle.is_cutting = True
        self.pass_once(client, code=75)
        middle.is_cutting = False
        remote = self.remote()
        if "MULTIAPPEND" in self.server.without:
            self.assertLess(len(remote.uids("INBOX")), 121)  # one after the other, up to the cut
        else:
            self.assertEqual(len(remote.uids("INBOX")), stored)
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(remote.uids("INBOX")), 121)
        self.assert_quiet(client, local)
        self.check_each_is_known(client, local, remote)

    def test_cut_in_the_middle_of_many_nothing_is_lost_or_doubled(self):
        self.serve()
        self.check_cut(CutUpload(self.server.port), 0)

    def test_cut_before_the_answer_nothing_is_lost_or_doubled(self):
        self.serve()
        self.check_cut(CutAnswer(self.server.port), 100)


class StoresUpToRefusal(proxy.ImapProxy):
    """Refuses one message, and stores those before it in the same command, as Stalwart does."""

    POISON = b"poisonous words\r\n"
    MESSAGE = re.compile(rb' \(([^)]*)\) "([^"]*)" \{(\d+)\+?\}\r\n')

    def __init__(self, target_port, remote):
        self.remote, self.stored = remote, 0
        super().__init__(target_port, on_command=self.command)

    def command(self, command):
        if b" APPEND " not in command[:20] or self.POISON not in command:
            return None
        found = self.MESSAGE.search(command)
        while found:
            body = command[found.end():found.end() + int(found.group(3))]
            if self.POISON in body:
                break
            self.store(body, *found.group(1, 2))
            found = self.MESSAGE.match(command, found.end() + len(body))
        return b"NO not that one"

    def store(self, body, flags, date):
        self.remote.imap.literal = body
        self.remote.check(self.remote.imap._simple_command(
            "APPEND", "INBOX", "(%s)" % flags.decode(), '"%s"' % date.decode()))
        self.stored += 1


class CutUpload(proxy.Proxy):
    """Lets no more than 10 KB up a connection while it is cutting."""

    def __init__(self, target_port):
        self.is_cutting, self.passed = False, 0
        super().__init__(target_port)

    def share(self, data, is_up, passed):
        self.passed += len(data) if is_up and self.is_cutting else 0
        return 0 if self.is_cutting and self.passed > 10_000 else len(data)


class CutAnswer(proxy.ImapProxy):
    """Hangs up in place of the answer to an APPEND while it is cutting."""

    def __init__(self, target_port):
        self.is_cutting = False
        super().__init__(target_port, on_response=self.respond)

    def respond(self, response):
        if self.is_cutting and b"[APPENDUID" in response:
            raise OSError("cut")
        return response


if __name__ == "__main__":
    main()
