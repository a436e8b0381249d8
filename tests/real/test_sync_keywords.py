"""Keywords that one side alone can have.

SPDX-License-Identifier: MIT"""
import mailgen
import proxy
import scratch

from case import Case, main

MANY = ["word%02d" % number for number in range(30)]


class Keywords(Case):
    SERVER = {"plaintext": True}

    def filled(self, *flags, **keys):
        """A message for each of these keywords."""
        remote = self.remote()
        for number, flag in enumerate(flags):
            remote.append("INBOX", mailgen.Mail(number).plain(flag), ["\\Seen", flag])
        client, local = self.account(**keys)
        self.pass_once(client)
        return client, local, remote

    def row(self, client):
        return client.account_status()["mailboxes"][0]

    def status_of(self, client):
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 30, client.said)
        row, text = self.row(client), client.ctl("status").out
        self.assertEqual(client.stop(), 0)
        return row, text

    def test_those_without_a_letter_stay_on_the_server_and_are_in_the_status(self):
        client, local, remote = self.filled(*MANY, push=False)
        here = [m.flags - {"\\Seen"} for m in local.messages("INBOX")]
        lettered = {word for flags in here for word in flags}
        self.assertEqual(len(lettered), 26)
        row, text = self.status_of(client)
        self.assertEqual(sorted(row["server_keywords"]), sorted(set(MANY) - lettered))
        self.assertEqual(row["local_keywords"], [])
        self.assertIn("keywords on the server only, for want of a letter: ", text)
        # Other flags of these messages come and go, and the keyword stays.
        for message in local.messages("INBOX"):
            local.reflag(message.where, "FS" + message.where.split(":2,")[1].strip("FS"))
        self.pass_once(client)
        there = [m.flags for m in remote.messages("INBOX")]
        self.assertEqual(sorted(sorted(flags) for flags in there),
                         sorted(sorted({"\\Seen", "\\Flagged", word}) for word in MANY))

    def test_those_that_the_server_drops_stay_here_and_are_in_the_status(self):
        def drop(command):
            return b"OK done" if b"STORE" in command and b"dropped" in command else None
        with proxy.ImapProxy(self.server.port, on_command=drop) as middle:
            client, local, remote = self.filled("kept", "kept", port=middle.port, tls="none",
                                                push=False, tls_ca_file=None)
            with open(local.path("INBOX", "dovecot-keywords"), "a", encoding="ascii") as table:
                table.write("7 dropped\n8 new\n")
            first, second = local.messages("INBOX")
            local.reflag(first.where, "Sah")
            local.reflag(second.where, "Sai")
            run = self.pass_once(client)
            self.assertIn("the server does not keep the keyword dropped", run.err)
            self.assertNotIn("keyword new", run.err)
            self.assertEqual(sorted(sorted(m.flags) for m in remote.messages("INBOX")),
                             [["\\Seen", "kept"], ["\\Seen", "kept", "new"]])
            # It is not sent again and again, nor does a change there take it away.
            remote.store("INBOX", remote.uids("INBOX")[0], "+", "\\Flagged")
            middle.refused.clear()
            self.pass_once(client)
            self.assertEqual(middle.refused, [])
            self.assertEqual(len([m for m in local.messages("INBOX") if "dropped" in m.flags]), 1)
            self.assertEqual(len([m for m in local.messages("INBOX") if "\\Flagged" in m.flags]), 1)
            row, text = self.status_of(client)
            self.assertEqual((row["server_keywords"], row["local_keywords"]), ([], ["dropped"]))
            self.assertIn("keywords here only, as the server drops them: dropped", text)
            # As soon as the server has it, it is as any other.
            remote.store("INBOX", remote.uids("INBOX")[1], "+", "dropped")
            self.pass_once(client)
            self.assertEqual(len([m for m in local.messages("INBOX") if "dropped" in m.flags]), 2)


if __name__ == "__main__":
    main()
