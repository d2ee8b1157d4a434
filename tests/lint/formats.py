#!/usr/bin/env python3
"""Formats use only what small/format.c knows, so that every file can be part of a small binary.
SPDX-License-Identifier: Apache-2.0
"""

import pathlib
import re
import sys

CALL = re.compile(r"\b(?:v?snprintf|v?asprintf|text_append_format|fail|fail_usage|fail_config|fail_exec|"
                  r"error_hint|error_context|report_warning|report_debug|step|trace_field)\s*\(")
STRING = re.compile(r'"((?:\\.|[^"\\\n])*)"')
MACRO = re.compile(r'"\s*PRI([duxXo])(?:32|64)\s*(")?')
CONVERSION = re.compile(r"%(?:[-0#]*(?:\*|\d*)(?:\.(?:\*|\d*))?(?:ll|l|z)?[duxXosc]|%)")

failed = False
for root in ("core", "small", "applets"):
    for path in sorted(pathlib.Path(root).glob("**/*.c")):
        text = path.read_text()
        for call in CALL.finditer(text):
            statement = text[call.start():text.find(";", call.end())]
            statement = MACRO.sub(lambda m: m[1] + ("" if m[2] else '"'), statement)
            for string in STRING.finditer(statement):
                rest = CONVERSION.sub("", string[1])
                if "%" in rest:
                    line = text.count("\n", 0, call.start() + string.start()) + 1
                    print(f"{path}:{line}: a conversion that small/format.c does not know: {string[0]}")
                    failed = True
sys.exit(failed)
