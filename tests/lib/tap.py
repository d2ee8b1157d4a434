#!/usr/bin/env python3
"""Run the unittest tests of one file and report in TAP: tap.py FILE.
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


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    result = TapResult()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    print(f"1..{result.count}")


main()
