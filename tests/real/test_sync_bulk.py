"""A thousand messages in ten mailboxes, each way. SPDX-License-Identifier: MIT"""
import mailgen

from case import Case, main

MAILBOXES = ["INBOX", "Sent", "Archive", "Archive/2023", "Archive/2024", "Lists", "Lists/linux",
             "Drafts", "Work", "Work/Projects"]
LETTERS = {"\\Seen": "S", "\\Answered": "R", "\\Flagged": "F", "\\Draft": "D", "$Forwarded": "P"}


def thousand(seed):
    """1,000 times (mailbox, bytes, flags, date)."""
    mail = mailgen.Mail(seed)
    for number in range(1000):
        yield (MAILBOXES[number % 10], mail.message(), mail.random.choice(mailgen.FLAG_SETS),
               1_100_000_000 + mail.random.randint(0, 500_000_000))


class Bulk(Case):
    def test_a_thousand_messages_are_pulled_and_a_second_pass_does_nothing(self):
        remote = self.remote()
        for mailbox in MAILBOXES[1:]:
            remote.create(mailbox)
        for mailbox, data, flags, date in thousand(1):
            remote.append(mailbox, data, flags, date)
        client, local = self.account()
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        self.assertEqual(sum(len(m) for m in local.everything().values()), 1000)
        self.assert_quiet(client, local)

    def test_a_thousand_messages_are_pushed_and_a_second_pass_does_nothing(self):
        client, local = self.account()
        self.pass_once(client)
        for mailbox in MAILBOXES:
            local.create(mailbox)
        for mailbox, data, flags, date in thousand(2):
            letters = "".join(sorted(LETTERS.get(f, "") for f in flags))
            local.add(mailbox, data.replace(b"\r\n", b"\n"), letters, date)
        self.pass_once(client)
        remote = self.remote()
        self.assert_equal_sides(local, remote)
        self.assertEqual(sum(len(m) for m in remote.everything().values()), 1000)
        self.assert_quiet(client, local)

    def test_keywords_written_by_a_reader_are_pushed(self):
        client, local = self.account()
        self.pass_once(client)
        local.create("Work")
        with open(local.path("Work", "dovecot-keywords"), "w", encoding="ascii") as table:
            table.write("0 todo\n1 $Label1\n")
        local.add("Work", mailgen.Mail().plain("two keywords"), "Sab")
        self.pass_once(client)
        remote = self.remote()
        self.assertEqual([m.flags for m in remote.messages("Work")], [{"\\Seen", "todo", "$Label1"}])
        self.assert_equal_sides(local, remote)

    def test_unread_mail_arrives_in_new_and_other_mail_in_cur(self):
        remote = self.remote()
        remote.append("INBOX", mailgen.Mail().plain("unread"))
        remote.append("INBOX", mailgen.Mail().plain("read"), ["\\Seen"])
        client, local = self.account()
        self.pass_once(client)
        places = {(m.where.split("/")[-2], tuple(m.flags)) for m in local.messages("INBOX")}
        self.assertEqual(places, {("new", ()), ("cur", ("\\Seen",))})


if __name__ == "__main__":
    main()
