#!/usr/bin/env python3
"""The table of fields (fields.py) against the schema, core/oci/fields.c, and the tests.
SPDX-License-Identifier: Apache-2.0
"""

import ast
import json
import os
import pathlib
import re
import unittest

import fields

TESTS = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = pathlib.Path(
    os.environ.get(
        "RUNTIME_SPEC_SCHEMA",
        "/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema/config-schema.json",
    )
)
OTHER_SYSTEMS = {"solaris", "windows", "vm", "zos"}


def resolve(reference, file):
    """What a $ref of that file points to, and the file that it is in."""
    name, _, pointer = reference.partition("#")
    file = file.parent / name if name else file
    found = json.loads(file.read_text())
    for part in pointer.strip("/").split("/"):
        found = found[part]
    return found, file


def leaves(node, file, at=""):
    """Pointers of all that has no members of its own."""
    while "$ref" in node and "properties" not in node:
        node, file = resolve(node["$ref"], file)
    while "anyOf" in node:
        node = node["anyOf"][0]
        if "$ref" in node:
            node, file = resolve(node["$ref"], file)
    below = []
    for name, member in node.get("properties", {}).items():
        if at == "" and name in OTHER_SYSTEMS:
            below.append("/" + name)
        else:
            below += leaves(member, file, f"{at}/{name}")
    if node.get("type") == "array" and isinstance(node.get("items"), dict):
        elements = leaves(node["items"], file, at + "/*")
        below = [] if elements == [at + "/*"] else elements
    return below or [at]


def covers(row, field):
    """Is the field, or what it is a part of, the row's?"""
    return field == row or field.startswith(row + "/")


def test_exists(name):
    """Is there a test FILE::NAME?"""
    file, _, title = name.partition("::")
    path = TESTS / file
    if not path.is_file():
        return False
    text = path.read_text()
    if path.suffix == ".bats":
        return f'@test "{title}" {{' in text
    if path.suffix == ".c":
        return f"cmocka_unit_test({title})" in text and f"void {title}(" in text
    if path.suffix == ".sh":
        return f'finish_test "{title}"\n' in text
    wanted, _, method = title.partition(".")
    return any(isinstance(node, ast.ClassDef) and node.name == wanted and any(
        isinstance(member, ast.FunctionDef) and member.name == method for member in node.body)
        for node in ast.parse(text).body)


class Fields(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.schema = leaves(json.loads(SCHEMA.read_text()), SCHEMA)
        cls.newer = [field for listed in fields.NEWER.values() for field in listed]
        cls.known = dict(re.findall(r'\{"(/[^"]+)", (YES|NO)\}',
                                    (TESTS.parent / "core/oci/fields.c").read_text()))
        waiting = [field for listed in fields.WAITING.values() for field in listed]
        cls.rows = [*fields.PROVEN, *waiting, *fields.ELSEWHERE]

    def test_the_schema_is_read(self):
        """Fields of all kinds are found in it: plain ones, in objects, arrays, and other files."""
        for field in ("/ociVersion", "/process/user/additionalGids", "/process/rlimits/*/soft",
                      "/mounts/*/gidMappings/*/hostID", "/linux/namespaces/*/type", "/linux/sysctl",
                      "/hooks/poststop/*/timeout", "/linux/resources/cpu/burst",
                      "/linux/seccomp/syscalls/*/args/*/valueTwo", "/linux/personality/flags", "/vm"):
            self.assertIn(field, self.schema)
        self.assertGreater(len(self.schema), 120)
        self.assertEqual(len(self.schema), len(set(self.schema)))

    def test_complete(self):
        """Each field is in the table, once, and nothing else is."""
        self.assertEqual(len(self.rows), len(set(self.rows)), "listed twice")
        every = [*self.schema, *self.newer, *self.known]
        for field in every:
            found = [row for row in self.rows if covers(row, field)]
            self.assertEqual(len(found), 1, f"{field} is in the rows {found}")
        for row in self.rows:
            self.assertTrue(any(covers(row, field) for field in every), f"{row} is no field")

    def test_newer(self):
        """What a later schema package brings need not be listed by hand any more."""
        for field in self.newer:
            self.assertNotIn(field, self.schema)

    def test_known_to_the_product(self):
        """fields.c has each field, or what it is a part of; else it would be called unknown."""
        for field in [*self.schema, *self.newer]:
            self.assertTrue(any(covers(known, field) for known in self.known), field)

    def test_applied(self):
        """What the product says is applied has its test, and what is not waits."""
        self.assertGreater(len(self.known), 80)
        for field, applied in self.known.items():
            proven = any(covers(row, field) for row in fields.PROVEN)
            self.assertEqual(applied == "YES", proven, field)

    def test_tests_exist(self):
        for field, test in fields.PROVEN.items():
            self.assertTrue(test_exists(test), f"{field}: no test {test}")
        for absent in ("run/test_process.py::Program.test_no", "run/test_process.py::No.test_args",
                       "run/test_no.py::Program.test_args", "applets/run.bats::no", "core/config.c::no"):
            self.assertFalse(test_exists(absent), absent)


if __name__ == "__main__":
    unittest.main()
