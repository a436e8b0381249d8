"""Runs unittest cases and prints TAP, for tests/run: `tap.main()` at a file's end.

A test's name is its method's, `test_` taken off and spaces for underscores.
SPDX-License-Identifier: MIT"""
import sys
import traceback
import unittest


class TapResult(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0

    def say(self, prefix, test, detail="", directive=""):
        self.count += 1
        name = getattr(test, "_testMethodName", str(test))
        if name.startswith("test_"):
            name = name[len("test_"):].replace("_", " ")
        group = type(test).__name__
        print("%sok %d - %s: %s%s" % (prefix, self.count, group, name, directive))
        for line in detail.splitlines():
            print("# " + line)
        sys.stdout.flush()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say("", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say("not ", test, "".join(traceback.format_exception(*err, chain=False)))

    def addError(self, test, err):
        super().addError(test, err)
        self.say("not ", test, "".join(traceback.format_exception(*err, chain=False)))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.say("not ", test, subtest._subDescription() + "\n" +
                     "".join(traceback.format_exception(*err, chain=False)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say("", test, directive=" # SKIP " + reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.say("not ", test, directive=" # TODO it is known to fail")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.say("not ", test, "it was expected to fail, and holds now: take the mark off")


def main(module="__main__"):
    """Arguments choose cases or methods, as with unittest."""
    names = sys.argv[1:]
    loader = unittest.TestLoader()
    loaded = sys.modules[module]
    suite = loader.loadTestsFromNames(names, loaded) if names \
        else loader.loadTestsFromModule(loaded)
    result = TapResult()
    suite.run(result)
    print("1..%d" % result.count)
    sys.exit(0 if result.wasSuccessful() and result.count else 1)
