#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the figures of runs by scripts/runs.sh share.

runs.py DIR    one run's JSON on standard output, from what the run left in DIR
"""
import json
import os
import pathlib
import sys

BIN = 5  # seconds


def read_json(path):
    return json.loads(path.read_text())


def link(folder):
    """What the sender's link carried and, if somebody counted, what all of it took."""
    points = []
    for name in ("link.start", "link.end"):
        at, state = (folder / name).read_text().split("\n", 1)
        points.append((float(at), json.loads(state)[0]["stats64"]["tx"]))
    (began, before), (ended, then) = points
    result = {"link_packets": then["packets"] - before["packets"],
              "link_bytes": then["bytes"] - before["bytes"]}
    if (folder / "spare").exists():
        spare = int((folder / "spare").read_text())
        result["instructions"] = round((ended - began) * 1e9) - spare
    return result


def run(folder):
    """What the receiver and the sender counted, and how they were run."""
    lines = (folder / "commands").read_text().replace(f"{folder}/", "")
    result = {
        "kernel": os.uname().release,
        "commands": lines.splitlines(),
    }
    result |= read_json(folder / "sender")
    result |= read_json(folder / "receiver")
    result["more"] = [read_json(path) | read_json(folder / f"receiver{path.suffix}")
                      for path in sorted(folder.glob("sender.*"))]
    if (folder / "link.end").exists():
        result |= link(folder)
    sizes = (folder / "transfers").read_text().split()
    result["transfers"] = len(sizes)
    result["transferred_bytes"] = sum(map(int, sizes))
    return result


def write_columns(path, columns):
    """What gnuplot draws: the intervals' middles and a column for each heading."""
    rows = zip(*columns.values())
    with open(path, "w", encoding="utf-8") as file:
        file.write(" ".join(f'"{heading}"' for heading in ("s", *columns)) + "\n")
        for number, row in enumerate(rows):
            file.write(f"{(number + 0.5) * BIN} {' '.join(map(str, row))}\n")


def print_commands(name, result):
    print(f"\n{name}, Linux {result['kernel']}:")
    for line in result["commands"]:
        print(f"  {line}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(json.dumps(run(pathlib.Path(sys.argv[1])), indent=2))


if __name__ == "__main__":
    main()
