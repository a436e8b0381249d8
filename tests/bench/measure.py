"""How the benchmark measures: one run of a program, and the proxy that counts what it says.

SPDX-License-Identifier: MIT"""
import dataclasses
import json
import os
import subprocess
import threading
import time

import scratch
import syncd

TOOLS = os.path.join(syncd.BUILD, "tests", "bench")


COUNTERS = ("up", "down", "turns", "connections")


class Failed(Exception):
    """A program that failed, or did something wrong."""


class TooSlow(Exception):
    """A program that was ended because it took longer than it was given."""


@dataclasses.dataclass
class Measured:
    """One run. The last four are None where nothing counted."""
    wall_s: float
    cpu_s: float = None
    peak_bytes: int = None
    up: int = None
    down: int = None
    turns: int = None
    connections: int = None

    def counters(self):
        return {key: getattr(self, key) for key in COUNTERS}


def resident_bytes(pid, field="VmHWM"):
    """Peak (or with VmRSS present) resident memory of a process; 0 when it is gone."""
    try:
        with open("/proc/%d/status" % pid, encoding="ascii") as status:
            rows = [line for line in status if line.startswith(field)]
        return int(rows[0].split()[1]) * 1024 if rows else 0
    except (FileNotFoundError, ProcessLookupError):
        return 0


class PeakWatch(threading.Thread):
    """Follows a process' peak memory. Not getrusage's: that begins with the size of whoever
    started the process. The peak never falls, so looking more rarely with time loses little."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak_bytes = pid, 0
        self.is_over = threading.Event()
        self.start()

    def run(self):
        pause = 0.002
        while not self.is_over.wait(pause):
            self.peak_bytes = max(self.peak_bytes, resident_bytes(self.pid))
            pause = min(pause * 1.05, 0.05)

    def stop(self):
        self.is_over.set()
        self.join()
        return self.peak_bytes


def run(program):
    """Runs `program` (peers.py) once, to its end; no longer than its limit."""
    limit_s = program.limit_s
    with open(program.log, "wb") as log:
        began = time.monotonic()
        process = subprocess.Popen(program.pass_command(), env=program.environment(),
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        watch = PeakWatch(process.pid)
        alarm = threading.Timer(limit_s, process.kill) if limit_s else None
        if alarm:
            alarm.start()
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    peak_bytes = watch.stop()
    if alarm:
        alarm.cancel()
        if wall_s >= limit_s:
            raise TooSlow("%s: more than %d s" % (program.name, limit_s))
    if process.returncode not in program.fine_statuses:
        with open(program.log, encoding="utf-8", errors="replace") as log:
            raise Failed("%s: exit status %d\n%s" % (program.name, process.returncode,
                                                     log.read()[-2000:]))
    return Measured(wall_s, used.ru_utime + used.ru_stime, peak_bytes)


class Proxy:
    """delay_proxy.c in front of a port; also a context manager."""

    def __init__(self, target_port, round_trip_ms=0):
        self.process = subprocess.Popen(
            [os.path.join(TOOLS, "delay_proxy"), str(target_port), str(round_trip_ms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        scratch.at_end(self.close)
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def counters(self):
        """What passed since they were last asked for."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Way:
    """How a program reaches the server: at this port, and what it says there is counted or not."""

    def __init__(self, port, proxy=None):
        self.port, self.proxy = port, proxy

    def run(self, program):
        if not self.proxy:
            return run(program)
        self.proxy.counters()
        return dataclasses.replace(run(program), **self.proxy.counters())


def spread_over_disk():
    """From here on scratch directories lie far from each other, as if each were the only one.

    ext4 puts new inodes beside their directory's, and passes by those deleted in the last minutes
    one by one: who came next would pay for what others removed, several times the cost of the
    files themselves. chattr's T spreads what lies below; other file systems do without."""
    parent = scratch.directory("bench")
    os.chmod(parent, 0o711)
    subprocess.run(["chattr", "+T", parent], stderr=subprocess.DEVNULL, check=False)
    scratch.PARENT = parent


def settle():
    """Nobody pays for what was written before."""
    os.sync()
