"""A program on a terminal, typed to and read from through tmux. SPDX-License-Identifier: MIT"""
import os
import re
import shutil
import subprocess
import unittest

import scratch


def need(*programs):
    """Skips the test where one of them is not here."""
    for program in programs:
        if not shutil.which(program):
            raise unittest.SkipTest("%s is not here: run contrib/bootstrap test" % program)


class Terminal:
    """100 columns by 30 lines, with tmux's socket in a directory of its own."""

    def __init__(self, command, environment):
        need("tmux", command[0])
        self.socket = os.path.join(scratch.directory("syncd-tmux"), "socket")
        self.environment = dict(environment, TERM="screen", LC_ALL="C.UTF-8")
        scratch.at_end(self.close)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "--", *command)

    def tmux(self, *args):
        done = subprocess.run(("tmux", "-S", self.socket) + args, stdin=subprocess.DEVNULL,
                              capture_output=True, env=self.environment, check=False)
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None

    def screen(self):
        """None once the program has ended."""
        return self.tmux("capture-pane", "-p")

    def wait(self, pattern):
        """Until a line matches."""
        scratch.wait_for(lambda: re.search(pattern, self.screen() or "", re.MULTILINE), 30,
                         lambda: "%r on the screen:\n%s" % (pattern, self.screen()))

    def type(self, text):
        self.tmux("send-keys", "-l", "--", text)

    def press(self, *keys):
        """By tmux's names, such as 'Enter' and 'C-u'."""
        self.tmux("send-keys", *keys)

    def wait_for_end(self):
        scratch.wait_for(lambda: self.screen() is None, 30,
                         lambda: "the program's end; its screen:\n%s" % self.screen())

    def close(self):
        self.tmux("kill-server")
