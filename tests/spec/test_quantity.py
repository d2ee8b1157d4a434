#!/usr/bin/env python3
"""Quantities against an exact model: fractions, and a grammar of its own.
SPDX-License-Identifier: Apache-2.0
"""

import math
import os
import random
import re
import time
import unittest
from fractions import Fraction

from shimbox import make_spec, run_spec

DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
MILLI_MAX = 2**44 // 100
BYTES_MAX = 2**63 - 1


def value_of(text):
    """The exact value, or None for what is no quantity."""
    match = re.fullmatch(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(.*)", text, re.DOTALL)
    sign, whole, fraction, suffix = match.groups()
    fraction = fraction or ""
    if not whole + fraction:
        return None
    value = Fraction(int(whole + fraction), 10 ** len(fraction))
    if suffix in DECIMAL:
        value *= Fraction(10) ** DECIMAL[suffix]
    elif suffix in BINARY:
        value *= 2 ** BINARY[suffix]
    elif re.fullmatch(r"[eE][+-]?[0-9]+", suffix):
        value *= Fraction(10) ** int(suffix[1:])
    else:
        return None
    return -value if sign == "-" else value


def expected(text, scale, most):
    value = value_of(text)
    if value is None or value <= 0:
        return None
    result = math.ceil(value * scale)
    return result if result <= most else None


def random_quantity(rng):
    digits = "".join(rng.choice("0000123456789") for _ in range(rng.choice([0, 1, 2, 3, 19, 25])))
    if rng.random() < 0.6:
        digits += "." + "".join(rng.choice("000123456789") for _ in range(rng.choice([0, 1, 3, 70])))
    suffixes = [*DECIMAL, *BINARY, "e3", "E-3", "e+2", "e-30", "e17", "e18", "e19", "K", "ki", "i", "e", "m5"]
    return rng.choice(["", "", "", "", "+", "-"]) + digits + rng.choice(suffixes)


FIXED = [
    "1", "0", "1m", "500m", "1.5", "5.", ".5", ".", "+", "-", "", "m", "Mi", "e3", "1e", "1E", "1E1", "1e+",
    "1K", "1ki", "1mi", "12m5", "1 ", " 1", "1.1.1", "1,5", "0x1", "1_000", "+1", "--1", "+-1", "1.1Ki",
    "0.1Gi", "1n", "0.1n", "1e-9", "1e-100", "7Ei", "8Ei", "7.9999999999999999999Ei", "16Ei", "9E", "10E",
    "9223372036854775807", "9223372036854775808", "9223372036854775806.5", "9223372036854775807.000001",
    "18446744073709551616", "0.000000000000000000000000000001Ei", "00000000000000000000000000000001",
    "1.00000000000000000000000000000000000", "1" + "0" * 200, "0." + "0" * 200 + "1", "1" + "0" * 200 + "e-200",
    "0.9999999999999999999999999999999999999999999999999999999999999999999999999Ki", "175921860444m",
    "175921860445m", "175921860", "175921861", "0." + "3" * 100 + "Ei", "1e0", "0e5", "0.0", "1..", "١",
]


class Quantity(unittest.TestCase):
    def check(self, text):
        for option, scale, most in (("--cpu", 1000, MILLI_MAX), ("--memory", 1, BYTES_MAX)):
            want = expected(text, scale, most)
            with self.subTest(option=option, text=text):
                if want is None:
                    done = run_spec(option + "=" + text, "-o", "-")
                    self.assertEqual(done.returncode, 2)
                    self.assertEqual(done.stdout, b"")
                    self.assertEqual(done.stderr.count(b"\n"), 1)
                    self.assertIn(option.encode(), done.stderr)
                    continue
                resources = make_spec(option + "=" + text)["linux"]["resources"]
                if option == "--memory":
                    self.assertEqual(resources["memory"], {"limit": want})
                else:
                    shares = min(max(want * 1024 // 1000, 2), 262144)
                    self.assertEqual(
                        resources["cpu"],
                        {"shares": shares, "quota": max(want * 100, 1000), "period": 100000},
                    )

    def test_fixed(self):
        for text in FIXED:
            self.check(text)

    def test_random(self):
        rng = random.Random(1)
        # The debug build takes many times as long; a memory error shows with each kind of quantity,
        # of which there are fewer.
        for _ in range(40 if os.environ.get("TEST_BUILD") == "debug" else 300):
            self.check(random_quantity(rng))

    def test_huge_exponents_take_no_time(self):
        for exponent in (100000000, 2147483647, 2147483648, 4294967297, 10**30):
            start = time.monotonic()
            self.assertEqual(run_spec("--memory", f"1e{exponent}", "-o", "-").returncode, 2)
            resources = make_spec("--memory", f"1e-{exponent}")["linux"]["resources"]
            self.assertEqual(resources["memory"]["limit"], 1)
            self.assertLess(time.monotonic() - start, 60)

    def test_the_two_kinds_of_mistake(self):
        for text in ("1K", "12m5", "1e", "1Kii", "1ki"):
            self.assertIn(b"has the unknown suffix", run_spec("--cpu", text).stderr, text)
        for text in ("1 ", "1.1.1", "1_000", "0x1", "+-1", "1e5m"):
            self.assertIn(b"is not a quantity", run_spec("--cpu", text).stderr, text)


if __name__ == "__main__":
    unittest.main()
