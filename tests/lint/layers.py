#!/usr/bin/env python3
"""The order of the layers, where syscall() may stand, and what the product must not use.
SPDX-License-Identifier: Apache-2.0
"""

import pathlib
import re
import sys

LAYERS = ["core/base", "core/linux", "core/oci", "core/container", "applets"]
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
# pattern, files where it is allowed, message
FORBIDDEN = [
    (r"\bsyscall\s*\(", {"core/linux/sys.h"}, "syscall() belongs in core/linux/sys.h"),
    (r"\b(fopen|fdopen|fprintf|printf|puts|fputs|fwrite|popen|system)\s*\(", set(),
     "no stdio streams and no shell in the product; dprintf, snprintf, write"),
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol)\s*\(", set(),
     "unbounded or unchecked; see core/base/text.h"),
    (r"\bsigaction\s*\(", {"core/linux/process.c"}, "process_catch() knows what to give back"),
    (r"(?<![\w.>])_?exit\s*\(", {"core/base/", "core/linux/isolate.c", "core/linux/root_cover.c", "core/linux/userns.c",
                                 "core/container/", "applets/"},
     "nothing below core/container exits, but helper processes"),
]
STRINGS_AND_COMMENTS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)


def layer_of(path):
    # What takes the place of parts of core/base and libc may make system calls.
    folder = "core/linux" if str(path.parent) == "small" else str(path.parent)
    return LAYERS.index(folder) if folder in LAYERS else None


def blank(match):
    """The text without what is quoted, with the same lines."""
    text = match[0]
    return text if text.startswith('"') and "\n" not in text and text.endswith('.h"') else re.sub(
        r"[^\n]", " ", text)


def check_file(path):
    layer = layer_of(path)
    if layer is None:
        yield 1, f"is in no layer ({', '.join(LAYERS)})"
        return
    text = STRINGS_AND_COMMENTS.sub(blank, path.read_text())
    for number, line in enumerate(text.splitlines(), 1):
        if include := INCLUDE.match(line):
            yield from ((number, m) for m in check_include(include[1], include[2], layer))
        for pattern, allowed, message in FORBIDDEN:
            if re.search(pattern, line) and not any(str(path).startswith(a) for a in allowed):
                yield number, message


def check_include(quote, name, layer):
    if quote == "<":
        return
    target = layer_of(pathlib.Path(name))
    if target is None:
        yield f'"{name}": write it from the project\'s root'
    elif target > layer:
        yield f'"{name}": {LAYERS[layer]} must not know {LAYERS[target]}'
    elif LAYERS[target] == "applets":
        yield f'"{name}": applets include core only'


failed = False
for root in ("core", "small", "applets"):
    for path in sorted(pathlib.Path(root).glob("**/*.[ch]")):
        for number, message in check_file(path):
            print(f"{path}:{number}: {message}")
            failed = True
sys.exit(failed)
