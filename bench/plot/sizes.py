#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a packet takes by the number of streams, to be drawn by sizes.gp.

sizes.py core|cost FILE
    FILE.json, which the benchmark left, becomes FILE.dat
"""
import pathlib
import sys

sys.dont_write_bytecode = True
from runs import read_json  # noqa: E402

MISSING = "?"


def core(report):
    """ns of each contender that can hold so many."""
    names = {name: None for row in report["streams"] for name in row if name != "streams"}
    sizes = [row["streams"] for row in report["streams"]]
    return sizes, {name: [row[name]["median"] if name in row else MISSING
                          for row in report["streams"]] for name in names}


def cost(report):
    """Instructions that each qdisc adds to a packet."""
    sizes = report["sizes"]
    return sizes, {f"{row['qdisc']}, {row['packets']}": [row.get(f"added_{size}", MISSING)
                                                         for size in sizes]
                   for row in report["backlog"]}


def main():
    readers = {"core": core, "cost": cost}
    if len(sys.argv) != 3 or sys.argv[1] not in readers:
        sys.exit(__doc__)
    file = pathlib.Path(sys.argv[2])
    sizes, columns = readers[sys.argv[1]](read_json(file.with_suffix(".json")))
    with open(file.with_suffix(".dat"), "w", encoding="utf-8") as out:
        out.write(" ".join(f'"{heading}"' for heading in ("streams", *columns)) + "\n")
        for row in zip(sizes, *columns.values()):
            out.write(" ".join(map(str, row)) + "\n")


main()
