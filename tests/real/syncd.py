"""Runs the program under test: writes its configuration, starts it, talks to its socket.

SYNCD_BUILD names the build directory. SPDX-License-Identifier: MIT"""
import collections
import hashlib
import json
import os
import shlex
import signal
import socket
import subprocess

import dovecot
import scratch

BUILD = os.path.join(scratch.ROOT, os.environ.get("SYNCD_BUILD", "build/release"))
BINARY = os.path.join(BUILD, "syncd", "syncd")
CONTROL = os.path.join(BUILD, "syncd", "syncctl")
WRAPPER = shlex.split(os.environ.get("SYNCD_WRAPPER", ""))  # such as valgrind

Run = collections.namedtuple("Run", "code out err")


def text_of(value):
    """A value in libConfuse's syntax."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(text_of(v) for v in value) + "}"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def section(name, keys):
    rows = ["    %s = %s\n" % (k, text_of(v)) for k, v in keys.items() if v is not None]
    return 'account "%s" {\n%s}\n' % (name, "".join(rows))


class Syncd:
    """One account `work` against `server`, in a directory of its own.

    Keyword arguments are keys of the account (CONTRACT 2.1, 2.2) and replace the
    defaults; None leaves a key out.
    """

    def __init__(self, server=None, port=None, **keys):
        self.root = scratch.directory("syncd-home")
        self.maildir = os.path.join(self.root, "mail")
        self.state = os.path.join(self.root, "state")
        self.socket = os.path.join(self.root, "syncd.sock")
        self.process = None
        self.account = {"protocol": "imap", "host": "localhost", "port": port,
                        "user": dovecot.USER, "password": dovecot.PASSWORD, "maildir": self.maildir}
        if server:
            self.account["port"] = port or (
                server.pop3_tls_port if keys.get("protocol") == "pop3" else server.tls_port)
            self.account["tls_ca_file"] = server.certificates.ca
        self.account.update(keys)
        if self.account["protocol"] == "imap":
            self.account.setdefault("unanswered_wait", "0s")  # no server of most tests is late
        self.config = os.path.join(self.root, "syncd.conf")
        self.configure()
        self.log = os.path.join(self.root, "syncd.log")
        scratch.at_end(self.kill)

    def configure(self, text=None, others=(), **keys):
        """Writes the configuration anew, with changed keys or as it is given; `others` are more
        accounts, {name: keys}, which have the first one's keys where they say nothing else."""
        self.account.update(keys)
        sections = {"work": self.account}
        sections.update({name: dict(self.account, **more) for name, more in dict(others).items()})
        scratch.write(self.config, text or "state_dir = %s\n%s" % (
            text_of(self.state), "".join(section(*named) for named in sections.items())))

    def command(self, *args):
        return WRAPPER + [BINARY, "-c", self.config, "-s", self.socket] + list(args)

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        return dict(keep, HOME=self.root, XDG_RUNTIME_DIR=self.root, TZ="UTC")

    def run(self, *args, timeout=120):
        """Runs to the end, with these arguments."""
        done = subprocess.run(self.command(*args), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=timeout, check=False, env=self.environment())
        out, err = (t.decode("utf-8", "replace") for t in (done.stdout, done.stderr))
        if "Sanitizer" in err or "runtime error:" in err:
            raise AssertionError("a sanitizer's report:\n" + err)
        return Run(done.returncode, out, err)

    def once(self, *args, timeout=120):
        return self.run("--once", *args, timeout=timeout)

    def ctl(self, *args, timeout=60):
        done = subprocess.run([CONTROL, "-s", self.socket] + list(args), capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=timeout, check=False,
                              env=self.environment())
        return Run(done.returncode, done.stdout.decode("utf-8", "replace"),
                   done.stderr.decode("utf-8", "replace"))

    # The daemon.

    def start(self, *args, wait=True):
        """Starts it; returns when its socket answers."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(*args), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.environment())
        if wait:
            scratch.wait_for(self._answers, 30, lambda: "the daemon answers; its log:\n" + self.said())

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError("the daemon ended with %d:\n%s" % (self.process.returncode,
                                                                    self.said()))
        try:
            return self.status()
        except (OSError, ValueError):
            return None

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.process = None
        if "Sanitizer" in self.said() or "runtime error:" in self.said():
            raise AssertionError("a sanitizer's report:\n" + self.said())
        return code

    def kill(self):
        """kill -9, as if the power went."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def call(self, method, params=None):
        """One request over the control socket; its result."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(60)
            line.connect(self.socket)
            request = {"jsonrpc": "2.0", "id": 1, "method": method}
            if params is not None:
                request["params"] = params
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile("rb") as stream:
                for reply in (json.loads(text) for text in stream):
                    if reply.get("id") == 1:
                        if "error" in reply:
                            raise ValueError(reply["error"])
                        return reply["result"]
        raise ValueError("no answer to " + method)

    def status(self):
        return self.call("status")

    def account_status(self):
        return self.status()["accounts"][0]

    def state_digest(self):
        """Of the state's database: equal when a pass wrote nothing."""
        with open(os.path.join(self.state, "work", "data.mdb"), "rb") as data:
            return hashlib.sha256(data.read()).hexdigest()
