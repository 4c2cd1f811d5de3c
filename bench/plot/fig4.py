#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The paper's Figure 4 from the runs of scripts/demo.

fig4.py DIR RATE TRANSFERS STARTS KIND
    DIR/managed.json and DIR/unmanaged.json become DIR/fig4.json and
    DIR/fig4.dat (for streams.gp), and a table on standard output; the other
    arguments say how the runs were made
"""
import json
import pathlib
import sys

sys.dont_write_bytecode = True
from runs import BIN, print_commands, read_json, write_columns  # noqa: E402

WIDTH = 24


def bar(fps, full=20.0):
    return ("#" * round(WIDTH * min(fps, full) / full)).ljust(WIDTH)


def share(result, frames):
    return f"{result[frames + '_received']} of {result[frames + '_sent']}"


def spread(values):
    return " / ".join(f"{values[key]:.1f}" for key in ("p50", "p99", "max"))


def print_table(managed, unmanaged, starts, kind):
    print(f"\n{'seconds':>9}  {'managed, fps':{WIDTH + 6}}  unmanaged, fps")
    pairs = zip(managed["fps_bins"], unmanaged["fps_bins"])
    for number, (left, right) in enumerate(pairs):
        start = number * BIN
        mark = f"  + {kind}" if start in starts else ""
        print(f"{start:4d} - {start + BIN:2d}  {left:5.1f} {bar(left)}  "
              f"{right:5.1f} {bar(right).rstrip()}{mark}".rstrip())
    print(f"\n{'':22}{'managed':>26}{'unmanaged':>26}")
    rows = (
        ("frames received", lambda r: share(r, "frames")),
        ("I-frames received", lambda r: share(r, "i_frames")),
        ("gap p50/p99/max, ms", lambda r: spread(r["gap_ms"])),
        ("delay p50/p99/max, ms", lambda r: spread(r["delay_ms"])),
        ("engine", lambda r: r.get("stream", {}).get("engine", "none")),
        ("transferred, MB", lambda r: f"{r['transferred_bytes'] / 1e6:.1f}"),
    )
    for name, value in rows:
        print(f"{name:22}{value(managed):>26}{value(unmanaged):>26}")


def table(folder, rate, transfers, starts, kind):
    runs = {name: read_json(folder / f"{name}.json")
            for name in ("managed", "unmanaged")}
    starts = [int(start) for start in starts.split()]
    engine = runs["managed"]["stream"]["engine"]
    figure = {"figure": "fig4", "engine": engine, "rate": rate,
              "bin_seconds": BIN, "transfers_at_s": starts,
              "transfers_at_once": int(transfers), "transfers_by": kind} | runs
    (folder / "fig4.json").write_text(json.dumps(figure, indent=2) + "\n")
    write_columns(folder / "fig4.dat", {
        "QSockets, DWCS": runs["managed"]["fps_bins"],
        "plain socket": runs["unmanaged"]["fps_bins"]})
    for name, result in runs.items():
        print_commands(name, result)
    print_table(runs["managed"], runs["unmanaged"], starts, kind)


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    table(pathlib.Path(sys.argv[1]), *sys.argv[2:])


main()
