"""A private Dovecot for the port program: prints its port, or `missing` when there is no
Dovecot here, and lives until its standard input ends. Its arguments are capabilities that the
server does not have; or --pop3: then it prints that one's ports without and with TLS and the file of
the authority, and has mail for many users. SPDX-License-Identifier: MIT"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "real"))

import dovecot  # noqa: E402 (found through the path above)


USERS, MESSAGES = 20, 20


def message(n):
    """Dots at the beginning of lines, more of them the later it is; the last has no line's end."""
    text = "From: someone@example.org\nSubject: message %d\n\n" % n
    text += ".\n..\n.%d\n" % n + "A line of some length, %d.\n" % n * n * n
    return text if n < MESSAGES else text[:-1]


def fill(server, user):
    new = os.path.join(server.maildir(user), "new")
    for path in (new, os.path.join(server.maildir(user), "cur"),
                 os.path.join(server.maildir(user), "tmp")):
        os.makedirs(path)
    for n in range(1, MESSAGES + 1):
        dovecot.scratch.write(os.path.join(new, "%d.m%d.test" % (1000000000 + n, n)), message(n))
    for folder, _, names in os.walk(server.maildir(user)):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            os.chown(path, dovecot.mail_user().pw_uid, dovecot.mail_user().pw_gid)


def serve_pop3():
    users = {"me%d" % n: dovecot.PASSWORD for n in range(1, USERS + 1)}
    mechanisms = "plain login cram-md5 scram-sha-1 scram-sha-256 apop"
    with dovecot.Dovecot(pop3=True, users=users, mechanisms=mechanisms) as server:
        for user in users:
            fill(server, user)
        print(server.pop3_port, server.pop3_tls_port, server.certificates.ca, flush=True)
        sys.stdin.read()


def serve_imap(without):
    with dovecot.Dovecot(plaintext=True, without=without) as server:
        print(server.port, flush=True)
        sys.stdin.read()


def main():
    try:
        dovecot.program()
    except RuntimeError:
        print("missing", flush=True)
        return
    if "--pop3" not in sys.argv:
        serve_imap(set(sys.argv[1:]))
    elif dovecot.has_pop3():
        serve_pop3()
    else:
        print("missing", flush=True)


main()
