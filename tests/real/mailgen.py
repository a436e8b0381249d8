"""Mail to test with: realistic by the hundred from a seed, and the odd ones by name.

All messages are in CRLF form. SPDX-License-Identifier: MIT"""
import base64
import email.header
import email.utils
import random

NAMES = ["Ada Lovelace", "Grace Hopper", "Edsger Dijkstra", "Zoë Müller", "Łukasz Żak", "山田太郎",
         "O'Brien, Sean", "\"Quoted\" Person", "Иван Петров", "no-reply"]
WORDS = ("the mailbox sync was held until someone could look at why a message had moved and then "
         "agreed that nothing should be lost when server and disk both change the same thing "
         "Größe déjà vu naïve 日本 привет From >From . .. --").split()
LISTS = ["dev@lists.example.org", "friends@example.net", "all@example.com"]


class Mail:
    """Repeatable: the same seed gives the same messages."""

    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.seed = seed
        self.count = 0
        self.ids = []

    def words(self, least, most):
        return [self.random.choice(WORDS) for _ in range(self.random.randint(least, most))]

    def text(self):
        lines = [" ".join(self.words(0, 12)) for _ in range(self.random.randint(1, 40))]
        return "\r\n".join(lines) + "\r\n"

    def encoded(self, text):
        """A header's text: plain, encoded words, or raw 8-bit as some programs send it."""
        if text.isascii():
            return text.encode()
        if self.random.random() < 0.2:
            return text.encode("utf-8")
        return email.header.Header(text, "utf-8", maxlinelen=60).encode(linesep="\r\n").encode()

    def address(self):
        name = self.random.choice(NAMES)
        user = "u%d@example.org" % self.random.randint(1, 50)
        if name.isascii():
            return email.utils.formataddr((name, user)).encode()
        return self.encoded(name) + b" <" + user.encode() + b">"

    def headers(self):
        self.count += 1
        identity = "<%d.%d.%x@example.org>" % (self.seed, self.count, self.random.getrandbits(64))
        date = 1_000_000_000 + self.random.randint(0, 700_000_000)
        head = [b"Received: from mx.example.org (mx.example.org [192.0.2.%d])\r\n\tby in.example.org;"
                b" %s" % (self.random.randint(1, 254), email.utils.formatdate(date + 7).encode()),
                b"From: " + self.address(), b"To: " + self.address(),
                b"Date: " + email.utils.formatdate(date).encode(),
                b"Subject: " + self.encoded(" ".join(self.words(1, 12))),
                b"Message-ID: " + identity.encode()]
        if self.ids and self.random.random() < 0.5:
            references = self.random.sample(self.ids, min(len(self.ids), 3))
            head.append(b"In-Reply-To: " + references[0])
            head.append(b"References: " + b"\r\n ".join(references))
        if self.random.random() < 0.2:
            head.append(b"List-Id: <" + self.random.choice(LISTS).encode() + b">")
        self.ids.append(identity.encode())
        return head + [b"MIME-Version: 1.0"]

    def attachment(self, size):
        data = base64.encodebytes(self.random.randbytes(size)).replace(b"\n", b"\r\n")
        return (b"Content-Type: application/octet-stream; name=\"data.bin\"\r\n"
                b"Content-Transfer-Encoding: base64\r\n"
                b"Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.bin\r\n\r\n" + data)

    def message(self):
        """Plain text, alternative, or mixed with attachments of up to 60 KB."""
        head, kind = self.headers(), self.random.random()
        plain = (b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                 + self.text().encode("utf-8"))
        if kind < 0.6:
            return b"\r\n".join(head) + b"\r\n" + plain
        boundary = b"=_%x" % self.random.getrandbits(96)
        if kind < 0.8:
            subtype = b"alternative"
            parts = [plain, b"Content-Type: text/html\r\n\r\n<p>" + self.text().encode() + b"</p>\r\n"]
        else:
            subtype = b"mixed"
            parts = [plain] + [self.attachment(self.random.choice([10, 900, 4000, 40_000]))
                               for _ in range(self.random.randint(1, 2))]
        body = b"".join(b"--" + boundary + b"\r\n" + p for p in parts) + b"--" + boundary + b"--\r\n"
        head.append(b"Content-Type: multipart/" + subtype + b"; boundary=\"" + boundary + b"\"")
        return b"\r\n".join(head) + b"\r\n\r\n" + body

    def plain(self, subject, size=0, identity=None):
        """A small one that a test can tell by its subject."""
        self.count += 1
        identity = identity or "<%s.%d@test.example>" % (subject.replace(" ", "."), self.count)
        filler = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n"
        return (b"From: a@example.org\r\nTo: b@example.org\r\nSubject: " + subject.encode() +
                b"\r\nDate: Tue, 01 Jan 2019 10:00:00 +0000\r\nMessage-ID: " + identity.encode() +
                b"\r\n\r\nA body of its own: " + subject.encode() + b"\r\n" +
                filler * (size // len(filler)))


FLAG_SETS = [[], [], ["\\Seen"], ["\\Seen"], ["\\Seen", "\\Answered"], ["\\Flagged"],
             ["\\Seen", "\\Flagged", "$Forwarded"], ["\\Draft"], ["\\Seen", "work"],
             ["todo", "\\Flagged"], ["\\Seen", "$Label1", "NonJunk"]]


def odd():
    """{name: bytes} of what no program likes and every account has."""
    head = b"From: a@example.org\r\nSubject: %s\r\nDate: Tue, 01 Jan 2019 10:00:00 +0000\r\n"
    same = head % b"equal Message-IDs" + b"Message-ID: <same@example.org>\r\n\r\n"
    return {
        "no header": b"\r\nOnly a body.\r\n",
        "no body": head % b"no body" + b"Message-ID: <nobody@example.org>\r\n",
        "no empty line": head % b"no end of header" + b"this is no header line\r\nnor this\r\n",
        "no Message-ID": head % b"no Message-ID" + b"\r\nbody\r\n",
        "no Message-ID again": head % b"no Message-ID" + b"\r\nbody\r\n",
        "equal Message-ID one": same + b"one\r\n",
        "equal Message-ID two": same + b"two, and longer\r\n",
        "8-bit header": head % "Größe naïve \udcff".encode("utf-8", "surrogateescape") + b"\r\n\xe4\r\n",
        "8-bit body": head % b"8-bit" + b"\r\n" + bytes(range(128, 256)) + b"\r\n",
        "no final line end": head % b"no final line end" + b"\r\nlast words",
        "bare CR": head % b"bare CR" + b"\r\nold\rMac\rlines\r\n",
        "long line": head % b"long line" + b"\r\n" + b"x" * 100_000 + b"\r\n",
        "long header": head % b"long header" + b"X-Long: " + b"y" * 60_000 + b"\r\n\r\nbody\r\n",
        "dots": head % b"dots" + b"\r\n.\r\n..\r\n.leading\r\n",
        "From line": head % b"From line" + b"\r\nFrom me to you\r\n>From there\r\n",
        "braces": head % b"{5}" + b"\r\n{100000000}\r\n) OK\r\n* 1 EXPUNGE\r\nA1 BAD no\r\n",
    }


def big(size=20_000_000):
    line = b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ....\r\n"
    return Mail(99).plain("big") + line * (size // len(line))
