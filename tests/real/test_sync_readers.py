"""Mail programs at work in a synced maildir: what they do arrives on the server as they meant it.

SPDX-License-Identifier: MIT"""
import json
import os
import re
import subprocess

import mailgen
import scratch
import terminal
import views

from case import Case, main

DATE = 1_500_000_000


class Readers(Case):
    """An account of two mailboxes: INBOX with messages 1 to 5, the last three seen, 5 with a
    keyword, and Archive with an old one, whose keyword has the same letter there."""

    # Whether it leaves the letters of keywords out when it moves a file: as if they were taken
    # away, so that either is right on the server.
    DROPS_KEYWORDS = False

    def setUp(self):
        super().setUp()
        self.view = self.remote()
        self.view.create("Archive")
        self.data = {}
        self.append("Archive", "old", "\\Seen", "later")
        for number, flags in enumerate(([], [], ["\\Seen"], ["\\Seen"], ["\\Seen", "work"])):
            self.append("INBOX", "message %d" % (number + 1), *flags)
        self.client, self.local = self.account()
        self.pass_once(self.client)

    def append(self, mailbox, subject, *flags):
        self.data[subject] = mailgen.Mail(len(self.data)).plain(subject)
        self.view.append(mailbox, self.data[subject], flags, DATE + len(self.data))

    def environment(self):
        return dict(os.environ, HOME=self.client.root, TZ="UTC")

    def in_step(self):
        self.pass_once(self.client)
        self.assert_equal_sides(self.local, self.view)

    def digests(self, subject):
        """Of its bytes, and of what the program makes of them."""
        return {views.digest(self.data[subject])}

    def find(self, side, subject, mailbox="INBOX"):
        """The message on that side; None: it is not there."""
        wanted = self.digests(subject)
        return next((m for m in side.messages(mailbox) if m.digest in wanted), None)

    def path(self, subject, mailbox="INBOX"):
        return self.find(self.local, subject, mailbox).where

    def wait_here(self, subject, flags, mailbox="INBOX"):
        """Until the program has done it to the files; flags None: until it is gone."""
        def is_so():
            message = self.find(self.local, subject, mailbox)
            return message is None if flags is None else message and message.flags == flags
        scratch.wait_for(is_so, 30, lambda: "%s %s, but: %r" % (
            subject, flags, self.local.messages(mailbox)))

    def assert_flags(self, subject, *flags, mailbox="INBOX"):
        """On the server, where both sides are equal."""
        self.assertEqual(self.find(self.view, subject, mailbox).flags, set(flags))

    def assert_moved(self, subject, *flags):
        self.assertIsNone(self.find(self.view, subject))
        self.assert_flags(subject, *flags, mailbox="Archive")

    def assert_moved_on_the_server(self, move):
        """That `move(subject)` costs no upload, and date and keyword stay."""
        sessions = self.server.sessions()
        move("message 5")
        self.pass_once(self.client)
        self.assertNotIn("APPEND", self.server.commands(sessions))
        self.assertIsNone(self.find(self.view, "message 5"))
        moved = self.find(self.view, "message 5", "Archive")
        self.assertEqual(moved.flags - ({"work"} if self.DROPS_KEYWORDS else set()),
                         {"\\Seen"} if self.DROPS_KEYWORDS else {"\\Seen", "work"})
        self.assertEqual(moved.date, DATE + 6)
        self.in_step()


MUTTRC = """
set folder="{root}" spoolfile="+INBOX" mbox_type=Maildir mbox=+INBOX postponed=+INBOX record=""
set confirmappend=no delete=yes move=no quit=yes mark_old=no wait_key=no beep=no resolve=no
set sort=subject arrow_cursor=yes to_chars="" index_format="[%Z] %s" sleep_time=0 timeout=1
set mail_check=1 check_new=yes header_cache="" status_format="" pager_format=""
"""


class Mutt(Readers):
    """What it saves elsewhere is a new file: with one more line in the header, a time from the
    Date field, and no keywords. So the sides agree on what lies where, not on these."""

    DROPS_KEYWORDS = True

    def setUp(self):
        terminal.need("mutt", "tmux")
        super().setUp()
        config = scratch.write(os.path.join(self.client.root, "muttrc"),
                               MUTTRC.format(root=self.client.maildir))
        self.mutt = terminal.Terminal(["mutt", "-n", "-F", config], self.environment())
        self.addCleanup(self.mutt.close)
        self.mutt.wait(r"message 5$")

    def digests(self, subject):
        head, body = self.data[subject].split(b"\r\n\r\n", 1)
        saved = b"%s\r\nContent-Length: %d\r\n\r\n%s" % (
            head, len(body.replace(b"\r\n", b"\n")), body)
        return super().digests(subject) | {views.digest(saved)}

    def lying(self, side):
        """[(mailbox, subject, system flags)]"""
        subjects = {digest: subject for subject in self.data for digest in self.digests(subject)}
        return sorted((name, subjects[m.digest], [f for f in sorted(m.flags) if f[0] == "\\"])
                      for name, messages in side.everything().items() for m in messages)

    def in_step(self):
        self.pass_once(self.client)
        self.assertEqual(self.lying(self.local), self.lying(self.view))

    def at(self, subject):
        """Moves the cursor there."""
        self.mutt.type("/")
        self.mutt.wait(r"^Search for:")
        self.mutt.press("C-u")
        self.mutt.type('~s "%s"' % subject)
        self.mutt.press("Enter")
        self.mutt.wait(r"^->.*%s$" % subject)

    def save(self, subject):
        self.at(subject)
        self.mutt.type("s")
        self.mutt.wait(r"^Save to mailbox")
        self.mutt.press("C-u")
        self.mutt.type("=Archive")
        self.mutt.press("Enter")
        self.mutt.wait(r"^-> \[.*D.*\] %s$" % subject)
        self.mutt.type("$")
        self.wait_here(subject, None)

    def test_what_is_done_in_mutt_is_done_on_the_server(self):
        self.at("message 1")
        self.mutt.press("Enter")
        self.mutt.wait(r"A body of its own: message 1")
        self.mutt.type("i")
        self.mutt.wait(r"^->.*message 1$")
        self.mutt.type("$")
        self.wait_here("message 1", {"\\Seen"})
        self.in_step()
        self.assert_flags("message 1", "\\Seen")

        self.at("message 3")
        self.mutt.type("F")
        self.mutt.wait(r"^-> \[.*!.*\] message 3$")
        self.mutt.type("$")
        self.wait_here("message 3", {"\\Seen", "\\Flagged"})
        self.in_step()
        self.assert_flags("message 3", "\\Seen", "\\Flagged")

        self.at("message 4")
        self.mutt.type("d")
        self.mutt.wait(r"^-> \[.*D.*\] message 4$")
        self.mutt.type("$")
        self.wait_here("message 4", None)
        self.in_step()
        self.assertIsNone(self.find(self.view, "message 4"))

        self.save("message 3")
        self.in_step()
        self.assert_moved("message 3", "\\Seen", "\\Flagged")

        self.append("INBOX", "message from there")
        self.view.store("INBOX", self.find(self.view, "message 1").where, "+", "\\Flagged")
        self.in_step()
        self.mutt.wait(r"\[N.*\] message from there$")
        self.mutt.wait(r"\[.*!.*\] message 1$")

        # A keyword, of which mutt knows nothing, is still there afterwards.
        self.at("message 5")
        self.mutt.type("F")
        self.mutt.wait(r"^-> \[.*!.*\] message 5$")
        self.mutt.type("$")
        self.wait_here("message 5", {"\\Seen", "\\Flagged", "work"})
        self.in_step()
        self.assert_flags("message 5", "\\Seen", "\\Flagged", "work")

        # Marked, and left marked until mutt ends.
        self.at("message 2")
        self.mutt.type("d")
        self.mutt.wait(r"^-> \[.*D.*\] message 2$")
        self.mutt.type("q")
        self.mutt.wait_for_end()
        self.in_step()
        self.assertEqual([subject for name, subject, _ in self.lying(self.view) if name == "INBOX"],
                         ["message 1", "message 5", "message from there"])
        self.assert_quiet(self.client, self.local)

    def test_a_message_saved_elsewhere_in_mutt_is_moved_on_the_server(self):
        self.assert_moved_on_the_server(self.save)


class Tool(Readers):
    """Programs on the command line, which know no keywords."""

    def flags_here(self):
        return {m.where: {f for f in m.flags if f in views.LETTERS.values()}
                for messages in self.local.everything().values() for m in messages}

    def run_tool(self, *command, text=None):
        done = subprocess.run(command, input=text, capture_output=True, env=self.environment(),
                              timeout=60, check=False, encoding="utf-8", errors="replace")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout


NOTMUCH = """
[database]
path={root}
[user]
name=Me
primary_email=me@example.org
[new]
tags=new;inbox
[maildir]
synchronize_flags=true
"""


class Notmuch(Tool):
    """Its index lies in the maildir's root, as it does by default."""

    # What notmuch makes of flags; unread stands for not seen.
    TAGS = {"flagged": "\\Flagged", "replied": "\\Answered", "draft": "\\Draft",
            "passed": "$Forwarded"}

    def setUp(self):
        terminal.need("notmuch")
        super().setUp()
        self.config = scratch.write(os.path.join(self.client.root, "notmuch-config"),
                                    NOTMUCH.format(root=self.client.maildir))
        self.notmuch("new", "--quiet")

    def notmuch(self, *args):
        return self.run_tool("notmuch", "--config=" + self.config, *args)

    def query(self, subject):
        return 'subject:"%s"' % subject

    def in_step(self):
        """Both sides and what notmuch says, once it has looked."""
        super().in_step()
        self.notmuch("new", "--quiet")
        said = {}
        for message in json.loads(self.notmuch("show", "--format=json", "--body=false",
                                               "--entire-thread=false", "*")):
            self.collect(message, said)
        self.assertEqual(said, self.flags_here())

    def collect(self, thread, said):
        """{file: flags} out of notmuch's nested lists."""
        if isinstance(thread, list):
            for part in thread:
                self.collect(part, said)
        elif thread:
            tags = set(thread["tags"])
            flags = {flag for tag, flag in self.TAGS.items() if tag in tags}
            said[thread["filename"][0]] = flags | (set() if "unread" in tags else {"\\Seen"})

    def move(self, subject):
        """As its users' scripts do."""
        for path in self.notmuch("search", "--output=files", self.query(subject)).splitlines():
            os.rename(path, self.local.path("Archive", "cur", os.path.basename(path)))
        self.notmuch("new", "--quiet")

    def test_what_is_tagged_in_notmuch_is_flagged_on_the_server(self):
        self.notmuch("tag", "-unread", "-new", "--", self.query("message 1"))
        self.in_step()
        self.assert_flags("message 1", "\\Seen")
        self.notmuch("tag", "+flagged", "+replied", "--", self.query("message 3"))
        self.notmuch("tag", "+unread", "+passed", "--", self.query("message 4"))
        self.notmuch("tag", "+flagged", "--", self.query("message 5"))
        self.in_step()
        self.assert_flags("message 5", "\\Seen", "\\Flagged", "work")
        self.assert_flags("message 3", "\\Seen", "\\Flagged", "\\Answered")
        self.assert_flags("message 4", "$Forwarded")
        self.view.store("INBOX", self.find(self.view, "message 3").where, "-", "\\Flagged")
        self.append("INBOX", "from there")
        self.in_step()
        self.assert_flags("message 3", "\\Seen", "\\Answered")
        self.notmuch("tag", "+deleted", "--", self.query("message 5"))
        for path in self.notmuch("search", "--output=files", "tag:deleted").splitlines():
            os.unlink(path)
        self.in_step()
        self.assertIsNone(self.find(self.view, "message 5"))
        self.move("message 4")
        self.in_step()
        self.assert_moved("message 4", "$Forwarded")
        self.assert_quiet(self.client, self.local)
        self.assertEqual(self.view.mailboxes(), ["Archive", "INBOX"])

    def test_a_message_moved_by_a_script_of_notmuch_is_moved_on_the_server(self):
        self.assert_moved_on_the_server(self.move)


class Mu(Tool):
    """Through `mu server`, as mu4e uses it: `mu move` came later. mu 1.8 leaves the letters of
    keywords out whenever it renames a file."""

    DROPS_KEYWORDS = True

    def setUp(self):
        terminal.need("mu")
        super().setUp()
        self.home = os.path.join(self.client.root, "mu")
        self.mu("init", "--maildir=" + self.client.maildir)
        self.mu("index", "--quiet")

    def mu(self, command, *args, text=None):
        return self.run_tool("mu", command, "--muhome=" + self.home, *args, text=text)

    def change(self, subject, *args):
        """The message's file is renamed by mu."""
        identity = re.search(rb"Message-ID: <(.*?)>", self.data[subject]).group(1).decode()
        said = self.mu("server", text='(move :msgid "%s" %s)\n(quit)\n' % (identity, " ".join(args)))
        self.assertIn(":update", said)
        self.assertNotIn(":error", said)

    def move(self, subject):
        self.change(subject, ':maildir "/Archive"')

    def move_and_rename(self, subject):
        """As with mu4e-change-filenames-when-moving."""
        self.change(subject, ':maildir "/Archive"', ":rename t")

    def in_step(self):
        """Both sides and what mu says, once it has looked."""
        super().in_step()
        self.mu("index", "--quiet")
        said = dict(row.split("\t") for row in self.mu(
            "find", "--fields=l\tg", "").splitlines())
        self.assertEqual({path: {views.LETTERS[f] for f in flags if f in views.LETTERS}
                          for path, flags in said.items()}, self.flags_here())

    def test_what_is_done_through_mu_is_done_on_the_server(self):
        self.change("message 1", ':flags "+S-u-N"')
        self.in_step()
        self.assert_flags("message 1", "\\Seen")
        self.change("message 3", ':flags "+F+R"')
        self.change("message 4", ':flags "-S+u"')
        self.change("message 5", ':flags "+F"')
        here = self.find(self.local, "message 5").flags
        self.assertEqual(here - {"work"}, {"\\Seen", "\\Flagged"})
        self.in_step()
        self.assert_flags("message 5", *here)
        self.assert_flags("message 3", "\\Seen", "\\Flagged", "\\Answered")
        self.assert_flags("message 4")
        self.view.store("INBOX", self.find(self.view, "message 3").where, "-", "\\Flagged")
        self.append("INBOX", "from there")
        self.in_step()
        self.move("message 3")
        self.in_step()
        self.assert_moved("message 3", "\\Seen", "\\Answered")
        self.move_and_rename("message 4")
        self.in_step()
        self.assert_moved("message 4")
        self.assert_quiet(self.client, self.local)

    def test_a_message_moved_through_mu_is_moved_on_the_server(self):
        self.assert_moved_on_the_server(self.move)

    def test_a_message_moved_and_renamed_through_mu_is_moved_on_the_server(self):
        self.assert_moved_on_the_server(self.move_and_rename)


class Moves(Readers):
    """mv, by hand."""

    def move(self, subject):
        path = self.path(subject)
        os.rename(path, self.local.path("Archive", "cur", os.path.basename(path)))

    def move_and_rename(self, subject):
        path = self.path(subject)
        info = path.rsplit(":2,", 1)[1]
        os.rename(path, self.local.path("Archive", "cur", "1234567890.M1P2Q3.elsewhere:2," + info))

    def test_a_file_moved_by_hand_is_moved_on_both_sides(self):
        self.move("message 3")
        self.move_and_rename("message 4")
        path = self.path("message 1")
        os.rename(path, self.local.path("Archive", "new", os.path.basename(path)))
        self.in_step()
        self.assert_moved("message 3", "\\Seen")
        self.assert_moved("message 4", "\\Seen")
        self.assert_moved("message 1")
        self.assert_quiet(self.client, self.local)

    def test_a_file_moved_by_hand_keeps_its_keyword(self):
        self.move("message 5")
        self.in_step()
        self.assert_moved("message 5", "\\Seen", "work")

    def test_a_file_moved_by_hand_is_moved_on_the_server(self):
        self.assert_moved_on_the_server(self.move)

    def test_a_file_moved_and_renamed_by_hand_is_moved_on_the_server(self):
        self.assert_moved_on_the_server(self.move_and_rename)


if __name__ == "__main__":
    main()
