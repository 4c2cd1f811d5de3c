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


def run(folder):
    """What the receiver and the sender counted, and how they were run."""
    lines = (folder / "commands").read_text().replace(f"{folder}/", "")
    result = {
        "kernel": os.uname().release,
        "commands": lines.splitlines(),
    }
    result |= read_json(folder / "sender")
    result |= read_json(folder / "receiver")
    sizes = (folder / "transfers").read_text().split()
    result["transfers"] = len(sizes)
    result["transferred_bytes"] = sum(map(int, sizes))
    return result


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
