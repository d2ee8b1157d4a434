#!/usr/bin/env python3
"""What spec writes against runtime-spec's own JSON schema.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import unittest
import warnings

import jsonschema

from shimbox import make_spec

SCHEMA = pathlib.Path(
    os.environ.get(
        "RUNTIME_SPEC_SCHEMA",
        "/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema/config-schema.json",
    )
)

CASES = [
    [],
    ["--rootless"],
    ["--nested"],
    ["--rootfs", "/r", "--readonly", "--hostname", "h"],
    ["--cpu", "0.3", "--memory", "1Gi"],
    ["--host-network"],
    ["--host-network", "--rootless"],
    ["--user", "1:2", "--env", "A=b", "--cwd", "/x", "--tty"],
    ["--cap-add", "ALL"],
    ["--cap-drop", "ALL"],
    ["-u", "0:1:1,5:6:7", "-g", "0:1:1"],
    ["--map", "current"],
    ["--mount", "type=bind,src=/a,dst=/b", "--mount", "type=tmpfs,dst=/c,size=1m"],
    ["--annotation", "a=b", "--", "a", "b"],
]


class Schema(unittest.TestCase):
    def setUp(self):
        schema = json.loads(SCHEMA.read_text())
        with warnings.catch_warnings():
            # Its successor is not in Debian 12.
            warnings.simplefilter("ignore", DeprecationWarning)
            resolver = jsonschema.RefResolver(SCHEMA.as_uri(), schema)
        self.validator = jsonschema.Draft4Validator(schema, resolver=resolver)

    def test_schema_refuses(self):
        broken = make_spec()
        broken["process"]["user"]["uid"] = "0"
        self.assertTrue(list(self.validator.iter_errors(broken)))

    def test_all(self):
        for case in CASES:
            with self.subTest(case=case):
                errors = [error.message for error in self.validator.iter_errors(make_spec(*case))]
                self.assertEqual(errors, [])


if __name__ == "__main__":
    unittest.main()
