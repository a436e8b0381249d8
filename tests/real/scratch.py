"""Scratch directories, free ports, waiting: what every part of the harness needs.

Nothing outlives the test's process: directories and whatever was registered with
`at_end` go when it ends, also by a signal. SPDX-License-Identifier: MIT"""
import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))

at_end = atexit.register
PARENT = "/tmp"


def end_politely(number, _frame):
    sys.exit(128 + number)


for caught in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(caught, end_politely)


def directory(name="syncd-test"):
    """A new directory under PARENT, short enough for socket names."""
    path = tempfile.mkdtemp(prefix=name + "-", dir=PARENT)
    at_end(shutil.rmtree, path, ignore_errors=True)
    return path


given_ports = set()


def free_port():
    """None of those that outgoing connections get: one of them could have it while a server that is
    to come back is down."""
    while True:
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given_ports:
            given_ports.add(port)
            return port


def wait_for(condition, seconds, what):
    """Calls `condition` until it is true; returns its value and raises after `seconds`
    with `what`, a text or a function that makes one."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(0.01)


def write(path, text, mode=0o600):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    data = text if isinstance(text, bytes) else text.encode()
    with open(path, "wb") as out:
        out.write(data)
    os.chmod(path, mode)
    return path


def openssl(*args):
    subprocess.run(("openssl",) + args, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Certificates:
    """A certificate authority, and a server's key and certificate signed by it, good for `days`."""

    _made = {}

    def __init__(self, host="localhost", days=30):
        self.path = directory("syncd-cert")
        self.ca, self.key, self.cert = (os.path.join(self.path, n)
                                        for n in ("ca.pem", "server.key", "server.pem"))
        ca_key, request, extensions = (os.path.join(self.path, n)
                                       for n in ("ca.key", "server.csr", "server.ext"))
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", self.ca, "-days", "30",
                "-subj", "/CN=syncd test authority %s" % os.path.basename(self.path))
        openssl("req", *curve, "-keyout", self.key, "-out", request, "-subj", "/CN=" + host)
        write(extensions, "subjectAltName=DNS:%s,IP:127.0.0.1\n" % host if host == "localhost"
              else "subjectAltName=DNS:%s\n" % host)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-days", str(days),
                "-set_serial", "1", "-extfile", extensions, "-out", self.cert)

    @classmethod
    def of(cls, host="localhost"):
        """The same ones every time in this process: making them takes a while."""
        if host not in cls._made:
            cls._made[host] = cls(host)
        return cls._made[host]
