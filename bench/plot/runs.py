#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the figures of runs by scripts/runs.sh share.

runs.py DIR    one run's JSON on standard output, from what the run left in DIR
"""
import json
import os
import pathlib
import statistics
import sys

BIN = 5  # seconds
HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP: what the link carries besides
# Runs whose links, while transfers fill them, carry more than the others' by this are
# not compared.
GOODPUT_NEAR = 0.005


def read_json(path):
    return json.loads(path.read_text())


def rate_of(text):
    return int(text.removesuffix("mbit")) * 10**6


def ratio(over, under):
    return round(over / under, 4) if under else None


def head(figure, command, **more):
    """What every figure's JSON begins with."""
    return {"figure": figure, "command": command,
            "commit": os.environ.get("QS_COMMIT", "unknown")} | more


# --- a run -------------------------------------------------------------------


def carried(folder, begin, end):
    """Seconds, packets and bytes of the sender's link, between two looks at it."""
    points = []
    for name in (begin, end):
        at, state = (folder / f"link.{name}").read_text().split("\n", 1)
        points.append((float(at), json.loads(state)[0]["stats64"]["tx"]))
    (began, before), (ended, then) = points
    return ended - began, then["packets"] - before["packets"], then["bytes"] - before["bytes"]


def link(folder):
    """What the sender's link carried and, if somebody counted, what all of it took."""
    result = {}
    if (folder / "link.end").exists():
        seconds, result["link_packets"], result["link_bytes"] = carried(folder, "start", "end")
        if (folder / "spare").exists():
            spare = int((folder / "spare").read_text())
            result["instructions"] = round(seconds * 1e9) - spare
    if (folder / "link.last").exists():
        seconds, _, octets = carried(folder, "full", "last")
        result["full_mbit"] = round(octets * 8 / seconds / 1e6, 4)
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
    result |= link(folder)
    sizes = (folder / "transfers").read_text().split()
    result["transfers"] = len(sizes)
    result["transferred_bytes"] = sum(map(int, sizes))
    return result


# --- several runs ------------------------------------------------------------


def apart(loads, rate):
    """Of the Mbit/s of links that transfers fill, by name, those above the link's rate."""
    most = rate_of(rate) / 1e6 * (1 + GOODPUT_NEAR)
    return {name: load for name, load in loads.items() if load > most}


def print_loads(loads, rate):
    """Less is no other rate: TCP did not fill the link, as the queue is too short for it."""
    full = rate_of(rate) / 1e6
    middle = statistics.median(loads.values())
    print(f"\nWhile transfers filled the link it carried {middle:.3f} Mbit/s, in the median;"
          f" more than {GOODPUT_NEAR:.1%} from its rate:")
    for name, load in loads.items():
        if abs(load / full - 1) > GOODPUT_NEAR:
            verdict = "this run is thrown out" if load > full else "it was not always full"
            print(f"  {name:16} {load:.3f} Mbit/s: {verdict}")


def spread(values):
    """The median, and from where to where; None are left out."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"median": round(statistics.median(known), 4), "min": min(known), "max": max(known)}


def spread_words(some, digits=1):
    if some is None:
        return "-"
    middle, least, most = (f"{some[key]:.{digits}f}" for key in ("median", "min", "max"))
    return middle if least == most else f"{middle} ({least}..{most})"


class Targets:
    """Each is printed with its figure, and kept."""

    def __init__(self):
        self.all = []

    def add(self, run, what, value, target, met):
        self.all.append({"run": run, "what": what, "value": value, "target": target,
                         "met": bool(met)})

    def missed(self):
        return {one["run"]: f"{one['what']} is {one['value']}" for one in self.all
                if not one["met"]}

    def show(self):
        print("\nTargets\n")
        for one in self.all:
            print(f"{one['run']:21} {one['what']:44} {one['value']:>9}  target "
                  f"{one['target']}: {'met' if one['met'] else 'missed'}")


def write_columns(path, columns):
    """What gnuplot draws: the intervals' middles and a column for each heading."""
    rows = zip(*columns.values())
    with open(path, "w", encoding="utf-8") as file:
        file.write(" ".join(f'"{heading}"' for heading in ("s", *columns)) + "\n")
        for number, row in enumerate(rows):
            file.write(f"{(number + 0.5) * BIN} {' '.join(map(str, row))}\n")


def write_blocks(path, blocks):
    """What gnuplot draws as points: pairs, in a block for each heading."""
    with open(path, "w", encoding="utf-8") as file:
        for heading, pairs in blocks.items():
            file.write(f'"{heading}"\n')
            for x, y in pairs:
                file.write(f"{x:.6f} {y:.3f}\n")
            file.write("\n\n")


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
