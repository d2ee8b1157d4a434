"""Running `shimbox spec` from Python tests.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import subprocess

SHIMBOX = os.environ["SHIMBOX"]


def run_spec(*arguments, stdin=b"", cwd=None):
    """Run `spec` and return the finished process, with bytes as output."""
    return subprocess.run(
        [SHIMBOX, "spec", *arguments], input=stdin, capture_output=True, cwd=cwd, check=False
    )


def make_spec(*arguments, stdin=b"", cwd=None):
    """The document that `spec` writes with these options; it must not complain."""
    done = run_spec("-o", "-", *arguments, stdin=stdin, cwd=cwd)
    assert done.returncode == 0 and done.stderr == b"", (arguments, done)
    return json.loads(done.stdout)
