#!/usr/bin/env python3
"""Run the unittest tests of one file, or those whose Class.test holds a NAME, and report in TAP:
tap.py FILE [NAME...].
SPDX-License-Identifier: Apache-2.0
"""

import importlib.util
import pathlib
import sys
import unittest


class TapResult(unittest.TestResult):
    """Prints a line for each test when it is known, and what went wrong as a comment."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.subtests = {}

    def say(self, verdict, test, note="", detail=""):
        self.count += 1
        # Failures of a class' or module's set-up come as a stand-in that has no method name.
        name = getattr(test, "_testMethodName", None) or str(test)
        print(f"{verdict} {self.count} {type(test).__name__}.{name}{note}")
        for line in detail.splitlines():
            print(f"# {line}")
        sys.stdout.flush()

    def addSuccess(self, test):
        if not self.subtests.get(test.id()):
            self.say("ok", test)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.subtests[test.id()] = True
            self.say("not ok", test, f" {subtest._subDescription()}", self._exc_info_to_string(err, test))

    def addFailure(self, test, err):
        self.say("not ok", test, detail=self._exc_info_to_string(err, test))

    addError = addFailure

    def addSkip(self, test, reason):
        self.say("ok", test, f" # skip {reason}")

    def addExpectedFailure(self, test, err):
        self.say("not ok", test, detail="expected failures are not allowed here")

    def addUnexpectedSuccess(self, test):
        self.say("not ok", test, detail="unexpected success")


def choose(suite, names):
    """The tests of the suite that hold one of these names."""
    tests = [test for part in suite for test in
             (choose(part, names) if isinstance(part, unittest.TestSuite) else [part])]
    return [test for test in tests if any(name in test.id() for name in names)]


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    result = TapResult()
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    if sys.argv[2:]:
        suite = unittest.TestSuite(choose(suite, sys.argv[2:]))
    suite.run(result)
    print(f"1..{result.count}")


main()
