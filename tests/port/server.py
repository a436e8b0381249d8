"""A private Dovecot for the port program: prints its port, or `missing` when there is no
Dovecot here, and lives until its standard input ends. Its arguments are capabilities that the
server does not have. SPDX-License-Identifier: MIT"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "real"))

import dovecot  # noqa: E402 (found through the path above)


def main():
    try:
        dovecot.program()
    except RuntimeError:
        print("missing", flush=True)
        return
    with dovecot.Dovecot(plaintext=True, without=set(sys.argv[1:])) as server:
        print(server.port, flush=True)
        sys.stdin.read()


main()
