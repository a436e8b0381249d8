"""One large mailbox over several connections, the newest mail first. SPDX-License-Identifier: MIT"""
import os
import re
import subprocess
import time

import dovecot
import mailgen
import proxy

from case import Case, main

MESSAGES = 3000
BODIES = re.compile(rb"\S+ UID FETCH (\S+) \(UID INTERNALDATE BODY")


def uids_of(text):
    """The UIDs of a set as a client wrote it."""
    for part in text.decode("ascii").split(","):
        low, _, high = part.partition(":")
        yield from range(int(low), int(high or low) + 1)


class Spread(Case):
    def fill(self):
        """Small messages as files of the server's, oldest first."""
        mail = mailgen.Mail(7)
        owner = dovecot.mail_user()
        root = self.server.maildir()
        for path in [root] + [os.path.join(root, part) for part in ("tmp", "new", "cur")]:
            os.makedirs(path, mode=0o700, exist_ok=True)
            os.chown(path, owner.pw_uid, owner.pw_gid)
        for number in range(MESSAGES):
            path = os.path.join(root, "cur", "%d.M%dP1.test:2,S" % (1_500_000_000 + number, number))
            with open(path, "wb") as out:
                out.write(mail.plain("message %d" % number, 1500).replace(b"\r\n", b"\n"))
            os.utime(path, (1_500_000_000 + number,) * 2)
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def asked(self, before):
        """For each session since then that asked for bodies: the UIDs of each command."""
        everyone = self.server.sessions()
        for name in sorted(everyone - before):
            lines = self.server.sent(everyone - {name})
            sets = [list(uids_of(m.group(1))) for m in map(BODIES.match, lines) if m]
            if sets:
                yield sets

    def assert_newest_first(self, sessions):
        self.assertIn(MESSAGES, [sets[0][-1] for sets in sessions])
        for sets in sessions:
            for earlier, later in zip(sets, sets[1:]):
                self.assertGreater(min(earlier), max(later))

    def test_it_comes_over_several_connections_each_message_once(self):
        self.fill()
        # Further connections are for those who wait: on a fast link there would be one.
        slow = proxy.Proxy(self.server.tls_port, delay=0.05)
        self.addCleanup(slow.close)
        client, local = self.account(connections=4, port=slow.port)
        before = self.server.sessions()
        self.pass_once(client)
        sessions = list(self.asked(before))
        self.assertGreater(len(sessions), 1, "one session asked for everything")
        self.assertLessEqual(len(self.server.sessions() - before), 4)
        self.assertEqual(sorted(u for sets in sessions for s in sets for u in s),
                         list(range(1, MESSAGES + 1)))
        self.assert_newest_first(sessions)
        self.assert_equal_sides(local, self.remote())
        self.assert_quiet(client, local)

    def test_with_one_connection_there_is_one_session(self):
        self.fill()
        client, _ = self.account(connections=1)
        before = self.server.sessions()
        self.pass_once(client)
        self.assertEqual(len(self.server.sessions() - before), 1)
        self.assert_newest_first(list(self.asked(before)))

    def kill_in_the_middle(self, client, local):
        """Ends a first pull when some messages have been delivered."""
        place = local.path("INBOX", "cur")
        process = subprocess.Popen(client.command("--once"), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=client.environment())
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            if os.path.isdir(place) and os.listdir(place):
                break
            time.sleep(0.001)
        process.kill()
        process.wait()

    def test_killed_in_the_middle_it_goes_on_where_it_was(self):
        self.fill()
        remote = self.remote()
        uids = {m.digest: m.where for m in remote.messages("INBOX")}
        client, local = self.account(connections=4)
        self.kill_in_the_middle(client, local)
        delivered = {uids[m.digest] for m in local.messages_now("INBOX")}
        self.assertTrue(0 < len(delivered) < MESSAGES, len(delivered))
        before = self.server.sessions()
        self.pass_once(client)
        asked = [u for sets in self.asked(before) for s in sets for u in s]
        self.assertEqual(len(asked), len(set(asked)))
        self.assertFalse(delivered & set(asked), "what was there was fetched again")
        self.assert_equal_sides(local, remote)
        self.assertEqual(len(local.messages("INBOX")), MESSAGES)
        self.assertEqual(os.listdir(local.path("INBOX", "tmp")), [])
        self.assert_quiet(client, local)


if __name__ == "__main__":
    main()
