#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The calls of Table 1 beside the plain calls, to be drawn by calls.gp.

calls.py FILE
    FILE.json, which table1 left, becomes FILE.dat: a call, its ratio, its target
"""
import pathlib
import sys

sys.dont_write_bytecode = True
from runs import read_json  # noqa: E402


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    file = pathlib.Path(sys.argv[1])
    rows = read_json(file.with_suffix(".json"))["calls"]
    with open(file.with_suffix(".dat"), "w", encoding="utf-8") as out:
        for row in rows:
            label = f"{row['call']} / {row['beside']}"
            out.write(f"\"{label}\" {row['ratio']:.3f} {row.get('target', '?')}\n")


main()
