"""What the server says a mailbox is for (RFC 6154): shown in status, and `trash = auto`.

SPDX-License-Identifier: MIT"""
import os

import dovecot
import mailgen
import scratch

from case import Case, main

USES = """
namespace inbox {
  mailbox Bin {
    special_use = \\Trash
  }
  mailbox Gesendet {
    special_use = \\Sent
  }
  mailbox Everything {
    special_use = \\Archive \\All
  }
}
"""


class SpecialUse(Case):
    SERVER = {"extra": USES}

    def three(self, *names, **keys):
        """Three messages in INBOX, on both sides, and these mailboxes."""
        remote = self.remote()
        for name in names:
            remote.create(name)
        for number in range(3):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number), ["\\Seen"])
        client, local = self.account(**keys)
        self.pass_once(client)
        return client, local, remote

    def uses(self, client):
        return {m["name"]: m["special_use"] for m in client.account_status()["mailboxes"]}

    def test_with_auto_what_is_deleted_goes_to_the_servers_trash(self):
        client, local, remote = self.three("Bin", "Trash", trash="auto")
        message = local.messages("INBOX")[0]
        os.unlink(message.where)
        self.pass_once(client)
        self.assertEqual([m.digest for m in remote.messages("Bin")], [message.digest])
        self.pass_once(client)
        self.assert_equal_sides(local, remote)
        os.unlink(local.messages("Bin")[0].where)
        self.pass_once(client)
        self.assertEqual(remote.messages("Bin"), [])
        self.assertEqual(len(remote.messages("INBOX")), 2)

    def test_the_trash_need_not_be_synchronised_itself(self):
        client, local, remote = self.three("Bin", trash="auto", mailboxes=["*", "!Bin"])
        os.unlink(local.messages("INBOX")[0].where)
        self.pass_once(client)
        self.assertEqual(len(remote.messages("Bin")), 1)
        os.unlink(local.messages("INBOX")[0].where)
        self.assertEqual(client.once("work/INBOX").code, 0)
        self.assertEqual(len(remote.messages("Bin")), 2)

    def test_a_trash_that_is_nowhere_is_made(self):
        client, local, remote = self.three(trash="Deleted/Messages")
        self.assertIn("Deleted/Messages", remote.mailboxes())
        message = local.messages("INBOX")[0]
        os.unlink(message.where)
        self.pass_once(client)
        self.assertEqual([m.digest for m in remote.messages("Deleted/Messages")], [message.digest])

    def test_without_leave_to_make_one_nothing_is_deleted(self):
        client, local, remote = self.three(trash="Deleted", create="local")
        self.assertNotIn("Deleted", remote.mailboxes())
        os.unlink(local.messages("INBOX")[0].where)
        run = self.pass_once(client, code=1)
        self.assertIn("Deleted", run.err)
        self.assertEqual(len(remote.messages("INBOX")), 3)

    def test_with_auto_and_no_trash_nothing_is_deleted(self):
        client, local, remote = self.three("Trash", "auto", trash="auto")
        os.unlink(local.messages("INBOX")[0].where)
        local.reflag(local.messages("INBOX")[0].where, "FS")
        run = self.pass_once(client, code=1)
        self.assertIn("trash", run.err)
        self.assertIn("\\Trash", run.err)
        self.assertEqual(len(remote.messages("INBOX")), 3)
        self.assertEqual(remote.messages("auto"), [])
        self.assertEqual(len([m for m in remote.messages("INBOX") if "\\Flagged" in m.flags]), 1)
        # As soon as there is one it is used.
        remote.create("Bin")
        self.pass_once(client)
        self.assertEqual(len(remote.messages("INBOX")), 2)
        self.assertEqual(len(remote.messages("Bin")), 1)

    def test_the_daemon_shows_the_use_and_remembers_the_trash(self):
        client, local, remote = self.three("Bin", "Gesendet", "Everything", "Trash", trash="auto",
                                           push=False, poll_interval="1h")
        client.start()
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 30, client.said)
        self.assertEqual(self.uses(client), {"INBOX": None, "Bin": "trash", "Gesendet": "sent",
                                             "Everything": "archive", "Trash": None})
        self.assertIn("[trash]", client.ctl("status").out)
        local.rest()
        client.ctl("sync")
        sessions = self.server.sessions()
        os.unlink(local.messages("INBOX")[0].where)
        scratch.wait_for(lambda: len(remote.messages("Bin")) == 1, 30, client.said)
        scratch.wait_for(lambda: client.account_status()["state"] == "idle", 30, client.said)
        self.assertNotIn("LIST", self.server.commands(sessions))
        self.assertEqual(self.uses(client)["Bin"], "trash")
        self.assertEqual(client.stop(), 0)


class Unannounced(SpecialUse):
    """A server that only tells it in plain LIST."""

    SERVER = {"extra": USES,
              "without": set(dovecot.CAPABILITIES) - {"IMAP4rev1", "SASL-IR", "LITERAL+", "UIDPLUS"}}


if __name__ == "__main__":
    main()
