#!/usr/bin/env python3
"""Size limits and the form of files: functions of 60 lines, files of 400 (tables aside), SPDX, guards.
SPDX-License-Identifier: Apache-2.0
"""

import pathlib
import sys

FUNCTION_LINES, FILE_LINES, COLUMNS = 60, 400, 100
ROOTS = ("core", "small", "applets", "tests")
SUFFIXES = {".c", ".h", ".py", ".sh", ".bash", ".bats"}


def bodies(lines):
    """(kind, first line, length) of what opens and closes in the first column."""
    start, kind = None, None
    for number, line in enumerate(lines, 1):
        if start is None and line == "{":
            start, kind = number, "function"
        elif start is None and line[:1].isalpha() and line.rstrip().endswith("= {"):
            start, kind = number, "table"
        elif start is not None and line.startswith("}"):
            yield kind, start, number - start + 1
            start = None


def check_file(path):
    text = path.read_text()
    lines = text.split("\n")
    if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(lines[:6]):
        yield 1, "no SPDX line at the top"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield 1, "no #pragma once"
    if lines[-1] or lines[-2:-1] == [""]:
        yield len(lines), "should end with one newline"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "white space at the end"
        if len(line) > COLUMNS and path.suffix in (".c", ".h"):
            yield number, f"{len(line)} columns (at most {COLUMNS})"
    if path.suffix not in (".c", ".h"):
        return
    aside = 0
    for kind, start, length in bodies(lines):
        if kind == "table":
            aside += length
        elif length > FUNCTION_LINES:
            yield start, f"function of {length} lines (at most {FUNCTION_LINES})"
    if len(lines) - aside > FILE_LINES:
        yield 1, f"{len(lines) - aside} lines (at most {FILE_LINES}, tables aside)"


failed = False
for root in ROOTS:
    for path in sorted(pathlib.Path(root).glob("**/*")):
        if path.suffix in SUFFIXES and path.is_file():
            for number, message in check_file(path):
                print(f"{path}:{number}: {message}")
                failed = True
sys.exit(failed)
