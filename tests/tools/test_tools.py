"""The runner and the layer check tell the truth. SPDX-License-Identifier: MIT"""
import os
import subprocess
import tempfile
import unittest

import tap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Runner(unittest.TestCase):
    def last_line(self, *scripts, timeout="20"):
        """The runner's last line and exit status for shell scripts given as text."""
        with tempfile.TemporaryDirectory() as scratch:
            commands = []
            for number, script in enumerate(scripts):
                path = os.path.join(scratch, "script%d.sh" % number)
                with open(path, "w", encoding="ascii") as out:
                    out.write(script)
                commands.append("sh " + path)
            done = subprocess.run([os.path.join(ROOT, "tests/run"), "--timeout", timeout] + commands,
                                  capture_output=True, text=True, check=False)
        return done.stdout.splitlines()[-1], done.returncode

    def test_results_of_all_programs_are_added_up(self):
        self.assertEqual(self.last_line("echo ok - a; echo ok - b", "echo ok 1 - c; echo 1..1"),
                         ("3 passed, 0 failed", 0))

    def test_a_failed_test_counts_once(self):
        self.assertEqual(self.last_line("echo ok - a; echo not ok - b; exit 1"),
                         ("1 passed, 1 failed", 1))

    def test_a_program_without_tests_fails(self):
        self.assertEqual(self.last_line("echo hello"), ("0 passed, 1 failed", 1))

    def test_a_skipped_test_counts_as_nothing(self):
        self.assertEqual(self.last_line("echo ok 1 - a; echo 'not ok 2 # SKIP b'; echo 1..2"),
                         ("1 passed, 0 failed", 0))

    def test_a_failure_that_is_known_counts_as_nothing(self):
        self.assertEqual(self.last_line("echo ok 1 - a; echo 'not ok 2 - b # TODO'; echo 1..2"),
                         ("1 passed, 0 failed", 0))

    def test_everything_skipped_fails(self):
        self.assertEqual(self.last_line("echo 'ok 1 # SKIP b'"), ("0 passed, 0 failed", 1))

    def test_nothing_run_fails(self):
        self.assertEqual(self.last_line(), ("0 passed, 0 failed", 1))

    def test_a_crash_after_passing_tests_fails(self):
        self.assertEqual(self.last_line("echo ok - a; kill -SEGV $$"), ("1 passed, 1 failed", 1))

    def test_an_exit_status_alone_fails(self):
        self.assertEqual(self.last_line("echo ok - a; exit 3"), ("1 passed, 1 failed", 1))

    def test_fewer_tests_than_planned_fail(self):
        self.assertEqual(self.last_line("echo 1..2; echo ok - a"), ("1 passed, 1 failed", 1))

    def test_a_sanitizers_report_fails(self):
        self.assertEqual(self.last_line("echo ok - a; echo x.c:1: runtime error: overflow >&2"),
                         ("1 passed, 1 failed", 1))

    def test_a_hang_is_cut_and_fails(self):
        self.assertEqual(self.last_line("echo ok - a; sleep 60", timeout="1"),
                         ("1 passed, 1 failed", 1))


class Layers(unittest.TestCase):
    def check(self, path, text):
        """What contrib/layers says of a tree that holds one file."""
        with tempfile.TemporaryDirectory() as scratch:
            os.makedirs(os.path.join(scratch, os.path.dirname(path)))
            with open(os.path.join(scratch, path), "w", encoding="ascii") as out:
                out.write(text)
            built = os.path.join(scratch, "build", path[:-2] + ".o")
            os.makedirs(os.path.dirname(built))
            subprocess.run([os.environ.get("CC", "cc"), "-w", "-c", os.path.join(scratch, path),
                            "-I" + os.path.join(ROOT, "include"), "-o", built], check=False,
                           stderr=subprocess.DEVNULL)
            done = subprocess.run([os.path.join(ROOT, "contrib/layers"), "build"], cwd=scratch,
                                  capture_output=True, text=True, check=False)
        return done.stdout, done.returncode

    def test_a_forbidden_module_is_named_with_file_and_line(self):
        said, status = self.check("src/sync/pass.c", "int x;\n#include \"syncd/net.h\"\n")
        self.assertIn("src/sync/pass.c:2: sync may not use net (syncd/net.h)\n", said)
        self.assertEqual(status, 1)

    def test_a_module_may_use_what_its_modules_use(self):
        said, status = self.check("src/imap/session.c", "#include \"syncd/loop.h\"\n")
        self.assertIn("ok - imap: 1 files", said)
        self.assertEqual(status, 0)

    def test_a_library_is_for_its_owner_alone(self):
        said, _ = self.check("src/imap/session.c", "#include <uv.h>\n")
        self.assertIn("src/imap/session.c:1: imap may not know uv.h\n", said)

    def test_a_pure_module_may_not_ask_the_clock(self):
        said, _ = self.check("src/sync/plan.c", "long time(long *);\nlong f(void)\n{\n"
                                                "\treturn time(0);\n}\n")
        self.assertIn("src/sync/plan.c:1: sync must stay pure, and calls time\n", said)

    def test_an_unknown_module_is_a_fault(self):
        said, status = self.check("src/extra/a.c", "int a;\n")
        self.assertIn("not ok - src/extra/", said)
        self.assertEqual(status, 1)


if __name__ == "__main__":
    tap.main()
