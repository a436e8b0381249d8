"""What neither the server nor the maildir's directories told is found by the comparison of
`verify_interval`, repaired and said. SPDX-License-Identifier: MIT"""
import os
import re
import time

import mailgen
import proxy

from case import Case, main


class Verify(Case):
    SERVER = {"plaintext": True}

    def filled(self, **keys):
        remote = self.remote()
        for number in range(5):
            remote.append("INBOX", mailgen.Mail(number).plain("message %d" % number), ["\\Seen"])
        client, local = self.account(**keys)
        self.pass_once(client)
        local.rest()
        self.pass_once(client)
        return remote, client, local

    def verify(self, client):
        client.configure(verify_interval="1s")
        time.sleep(1.1)
        run = self.pass_once(client)
        client.configure(verify_interval=None)
        return run.err

    def test_a_change_behind_the_directories_times_is_found(self):
        remote, client, local = self.filled()
        directory = local.path("INBOX", "cur")
        before = os.stat(directory).st_mtime_ns
        local.reflag(local.messages("INBOX")[0].where, "FS")
        os.utime(directory, ns=(before, before))
        self.pass_once(client)
        self.assertNotIn({"\\Seen", "\\Flagged"}, [m.flags for m in remote.messages("INBOX")])
        self.assertIn("found 1 changes in the maildir", self.verify(client))
        self.assert_equal_sides(local, remote)
        self.assertNotIn("complete comparison", self.verify(client))

    def test_a_change_behind_the_servers_modseq_is_found(self):
        self.need("CONDSTORE")
        self.told = b""
        self.is_lying = False
        lie = proxy.ImapProxy(self.server.port, on_response=self.hide_changes)
        self.addCleanup(lie.close)
        remote, client, local = self.filled(port=lie.port, tls="none", tls_ca_file=None)
        self.is_lying = True
        remote.store("INBOX", remote.uids("INBOX")[2], "+", "\\Flagged")
        self.pass_once(client)
        self.assertNotIn({"\\Seen", "\\Flagged"}, [m.flags for m in local.messages("INBOX")])
        self.assertIn("found 1 changes on the server", self.verify(client))
        self.assert_equal_sides(local, remote)
        self.assertNotIn("complete comparison", self.verify(client))

    def hide_changes(self, response):
        """A server whose HIGHESTMODSEQ stands still, and that tells no change by it."""
        found = re.search(rb"HIGHESTMODSEQ (\d+)", response)
        if not self.is_lying:
            self.told = found.group(1) if found else self.told
            return response
        if re.match(rb"\* \d+ FETCH .*MODSEQ", response):
            return b""
        return response.replace(found.group(0), b"HIGHESTMODSEQ " + self.told) if found else response


if __name__ == "__main__":
    main()
