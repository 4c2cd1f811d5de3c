#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The paper's Figure 4 from the runs of scripts/demo.

fig4.py DIR RATE TRANSFERS STARTS
    DIR/managed.json and DIR/unmanaged.json become DIR/fig4.json and
    DIR/fig4.dat (for fig4.gp), and a table on standard output; the other
    arguments say how the runs were made
"""
import json
import pathlib
import sys

sys.dont_write_bytecode = True
from runs import BIN, print_commands, read_json  # noqa: E402

WIDTH = 24


def bar(fps, full=20.0):
    return ("#" * round(WIDTH * min(fps, full) / full)).ljust(WIDTH)


def share(result, frames):
    return f"{result[frames + '_received']} of {result[frames + '_sent']}"


def spread(values):
    return " / ".join(f"{values[key]:.1f}" for key in ("p50", "p99", "max"))


def print_table(managed, unmanaged, starts):
    print(f"\n{'seconds':>9}  {'managed, fps':{WIDTH + 6}}  unmanaged, fps")
    pairs = zip(managed["fps_bins"], unmanaged["fps_bins"])
    for number, (left, right) in enumerate(pairs):
        start = number * BIN
        mark = "  + FTP" if start in starts else ""
        print(f"{start:4d} - {start + BIN:2d}  {left:5.1f} {bar(left)}  "
              f"{right:5.1f} {bar(right).rstrip()}{mark}".rstrip())
    print(f"\n{'':22}{'managed':>26}{'unmanaged':>26}")
    rows = (
        ("frames received", lambda r: share(r, "frames")),
        ("I-frames received", lambda r: share(r, "i_frames")),
        ("gap p50/p99/max, ms", lambda r: spread(r["gap_ms"])),
        ("delay p50/p99/max, ms", lambda r: spread(r["delay_ms"])),
        ("sent by FTP, MB", lambda r: f"{r['transferred_bytes'] / 1e6:.1f}"),
    )
    for name, value in rows:
        print(f"{name:22}{value(managed):>26}{value(unmanaged):>26}")


def table(folder, rate, transfers, starts):
    runs = {name: read_json(folder / f"{name}.json")
            for name in ("managed", "unmanaged")}
    starts = [int(start) for start in starts.split()]
    figure = {"figure": "fig4", "engine": "kernel", "rate": rate,
              "bin_seconds": BIN, "transfers_at_s": starts,
              "transfers_at_once": int(transfers)} | runs
    (folder / "fig4.json").write_text(json.dumps(figure, indent=2) + "\n")
    pairs = zip(runs["managed"]["fps_bins"], runs["unmanaged"]["fps_bins"])
    with open(folder / "fig4.dat", "w", encoding="utf-8") as file:
        for number, (left, right) in enumerate(pairs):
            file.write(f"{(number + 0.5) * BIN} {left} {right}\n")
    for name, result in runs.items():
        print_commands(name, result)
    print_table(runs["managed"], runs["unmanaged"], starts)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    table(pathlib.Path(sys.argv[1]), *sys.argv[2:])


main()
