"""COMPRESS=DEFLATE: off loopback, and nowhere else.

A tunnel is what is not loopback on a machine that has nothing but loopback.

SPDX-License-Identifier: MIT"""
import contextlib

import mailgen
import proxy
import scratch

from case import Case, main

TUNNEL = "exec openssl s_client -quiet -verify_quiet -connect 127.0.0.1:%d"


class Compress(Case):
    SERVER = {"extra": "protocol imap {\n  mail_plugins = zlib imap_zlib\n}\n"}

    @contextlib.contextmanager
    def tunnelled(self, **keys):
        """An account whose bytes are counted on their way."""
        with proxy.Proxy(self.server.tls_port) as middle:
            client, local = self.account(host=None, port=None, tls_ca_file=None, tls="none",
                                         tunnel=TUNNEL % middle.port, **keys)
            yield client, local, middle

    def filled(self, count=40):
        remote, mail = self.remote(), mailgen.Mail(7)
        remote.create("Archive")
        for number in range(count):
            remote.append("INBOX" if number % 2 else "Archive", mail.message(), ["\\Seen"],
                          1_500_000_000 + number)
        return remote, mail

    def compressed(self, before):
        """How many connections were; of how many that did anything. One may be given up right
        after its login, when nobody needs it any more."""
        after = self.server.sessions()
        did = [self.server.commands(after - {one}) for one in after - before]
        did = [commands for commands in did if "SELECT" in commands or "LIST" in commands]
        return sum("COMPRESS" in commands for commands in did), len(did)

    def test_both_sides_become_equal_through_it(self):
        remote, mail = self.filled()
        before = self.server.sessions()
        with self.tunnelled() as (client, local, _):
            self.pass_once(client)
            self.assert_equal_sides(local, remote)
            for number in range(20):
                local.add("INBOX", mail.message(), "S", 1_400_000_000 + number)
            remote.delete("Archive", remote.uids("Archive")[0])
            self.pass_once(client)
            self.assert_equal_sides(local, remote)
            count, sessions = self.compressed(before)
            self.assertEqual(count, sessions)
            files = local.snapshot()
            self.pass_once(client)
            self.assertEqual(local.snapshot(), files)

    def test_news_come_through_it(self):
        remote, mail = self.filled(2)
        with self.tunnelled() as (client, local, _):
            client.start()
            scratch.wait_for(lambda: client.account_status()["push"] != "poll", 60,
                             client.said)
            remote.append("INBOX", mail.message())
            scratch.wait_for(lambda: len(local.messages("INBOX")) == 2, 10, client.said)
            local.add("INBOX", mail.message())
            scratch.wait_for(lambda: len(remote.uids("INBOX")) == 3, 10, client.said)

    def test_large_mail_survives_it_both_ways(self):
        remote, large = self.remote(), mailgen.big(3_000_000)
        remote.append("INBOX", mailgen.Mail(8).attachment(3_000_000), [], 1_500_000_000)
        with self.tunnelled() as (client, local, _):
            self.pass_once(client)
            local.add("INBOX", large, "", 1_400_000_000)
            self.pass_once(client)
            self.assert_equal_sides(local, remote)

    def test_fewer_bytes_travel_than_without(self):
        self.filled()
        passed = {}
        for compress in (True, False):
            with self.tunnelled(compress=compress) as (client, _, middle):
                self.pass_once(client)
                passed[compress] = middle.up + middle.down
        print("# a first pull: %d bytes, without COMPRESS %d" % (passed[True], passed[False]))
        self.assertLess(passed[True], passed[False] * 0.7)

    def test_it_is_not_asked_for_where_the_account_says_no(self):
        self.filled(2)
        before = self.server.sessions()
        with self.tunnelled(compress=False) as (client, _, _):
            self.pass_once(client)
        self.assertEqual(self.compressed(before)[0], 0)

    def test_it_is_not_asked_for_on_loopback(self):
        self.filled(2)
        before = self.server.sessions()
        client, _ = self.account()
        self.pass_once(client)
        self.assertEqual(self.compressed(before)[0], 0)


if __name__ == "__main__":
    main()
