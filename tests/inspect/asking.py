"""Asking inspect, with every answer checked against the schema.
SPDX-License-Identifier: Apache-2.0

Expects $SHIMBOX, and root.
"""

import json
import os
import pathlib
import subprocess

import jsonschema

SHIMBOX = os.path.abspath(os.environ["SHIMBOX"])
SCHEMA = json.loads((pathlib.Path(__file__).parent / "schema.json").read_text())
# The sanitizer of the debug build catches signals, and reads /proc at its start.
SANITIZED = os.environ.get("TEST_BUILD") == "debug"
ERROR = "error"


def check(document, kind):
    jsonschema.validate(document, {"$ref": f"#/definitions/{kind}",
                                   "definitions": SCHEMA["definitions"]})
    return document


def call(*arguments, before=(), **keywords):
    """inspect with these arguments, started by the command `before`; (status, stdout, stderr)."""
    done = subprocess.run([*before, SHIMBOX, "inspect", *map(str, arguments)], text=True,
                          stdin=keywords.pop("stdin", subprocess.DEVNULL),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, **keywords)
    return done.returncode, done.stdout, done.stderr


def ask(*arguments, kind="process_document", **keywords):
    """The JSON document; nothing may stand on stderr."""
    status, stdout, stderr = call("--json", *arguments, **keywords)
    if status != 0 or stderr:
        raise AssertionError(f"inspect {arguments}: status {status}, stderr {stderr!r}")
    return check(json.loads(stdout), kind)
