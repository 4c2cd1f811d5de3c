#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The paper's Figure 7 from the runs of bench/fig7.sh.

fig7.py DIR RATE TRANSFERS STARTS LENGTH
    what the runs left in DIR becomes DIR.json and DIR.dat (for fig7.gp), and
    a table on standard output; the other arguments say how the runs were made
fig7.py check DIR NAME
    nothing else than whether the run NAME accounts for every message

The offline scheduler is the EDF of tests/oracle: exact arithmetic, and it knows
of no timers, CPUs or sockets. It has the link to itself ("ideal"), or shares it as
qsockets(7) says with transfers that never pause ("shared"). Ideal is an upper
bound that no scheduler which also serves the transfers can be asked to reach.

Status 1: a wrong result. A target that is missed is said, and is no error.
"""
import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "oracle"))
from runs import BIN, print_commands, read_json  # noqa: E402
import oracle  # noqa: E402

NAMES = ("unmanaged", "lossless", "lossy")
HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP: what the link carries besides
PACKET = 1514  # of a transfer
SECOND = 10**9
ORACLE_TARGET = 1.02
UNMANAGED_TARGET = 0.1


def read_lines(path):
    """The columns of each line, without the heading."""
    return [line.split() for line in path.read_text().splitlines()[1:]]


def unaccounted(folder, name):
    """What is wrong with a run, if anything."""
    run = read_json(folder / f"{name}.json")
    sent = read_lines(folder / f"{name}.sent")
    received = read_lines(folder / f"{name}.received")
    total = run["in_time"] + run["late"] + run["lost"]
    bins = sum(sum(run[f"{fate}_bins"]) for fate in ("in_time", "late", "lost"))
    if not len(sent) == len(received) == total == bins == run["messages_sent"]:
        return (f"{len(sent)} messages sent, {len(received)} known to the client, "
                f"{total} counted, {bins} in intervals")
    for (seq, at, _, deadline), (number, fate, *times) in zip(sent, received):
        if seq != number or times and times[:2] != [at, deadline]:
            return f"message {seq} is not what was sent"
        if times and (fate == "late") != (int(times[2]) > int(deadline)):
            return f"message {seq} is not {fate}"
    if name == "lossy" and run["late"]:
        return f"{run['late']} messages were late, the worst by {run['late_ms']['max']} ms"
    if name == "lossless" and run["lost"]:
        return f"{run['lost']} messages were lost"
    return None


def rate_of(text):
    return int(text.removesuffix("mbit")) * 10**6


def offline(sent, lossy, rate, length, busy_from=None):
    """Late and lost messages of the offline scheduler, in each interval."""
    lines = [f"device {rate}", "stream 0 0 0 0" + ("" if lossy else " nondroppable")]
    lines += [f"at {at} send 0 {int(size) + HEADERS} deadline={deadline}"
              for _, at, size, deadline in sent]
    if busy_from is not None:
        packets = (length - busy_from) * rate // (8 * PACKET)
        lines += [f"at {busy_from * SECOND} besteffort {PACKET}"] * packets
    bins = [0] * -(-length // BIN)
    for line in oracle.simulate("dwcs", lines).out:
        _, _, seq, fate = line.split()
        if fate != "sent":
            bins[min(int(sent[int(seq)][1]) // (BIN * SECOND), len(bins) - 1)] += 1
    return bins


def missed_bins(run):
    return [late + lost for late, lost in zip(run["late_bins"], run["lost_bins"])]


def ratio(over, under):
    return round(over / under, 4) if under else None


def compare(runs, ideal, shared):
    missed = {name: run["late"] + run["lost"] for name, run in runs.items()}
    return {
        "lossy_over_ideal": ratio(missed["lossy"], sum(ideal["lossy"])),
        "lossy_over_shared": ratio(missed["lossy"], sum(shared["lossy"])),
        "lossless_over_shared": ratio(missed["lossless"], sum(shared["lossless"])),
        "lossy_over_unmanaged": ratio(missed["lossy"], missed["unmanaged"]),
        "lossy_over_lossless": ratio(missed["lossy"], missed["lossless"]),
    }


def print_bins(runs, ideal, shared, start):
    columns = [missed_bins(run) for run in runs.values()]
    columns += [ideal["lossy"], shared["lossy"]]
    print("\nLate or lost messages, by the time of their sending; offline: lossy EDF\n")
    print(f"{'seconds':>9} {'unmanaged':>10} {'lossless':>10} {'lossy':>10}"
          f" {'offline':>10} {'and shared':>11}")
    for number, row in enumerate(zip(*columns)):
        at = number * BIN
        mark = "  + FTP" if at == start else ""
        print(f"{at:4d} - {at + BIN:2d} {row[0]:10d} {row[1]:10d} {row[2]:10d}"
              f" {row[3]:10d} {row[4]:11d}{mark}")
    sums = [sum(column) for column in columns]
    print(f"{'all':>9} {sums[0]:10d} {sums[1]:10d} {sums[2]:10d} {sums[3]:10d} {sums[4]:11d}")


def print_runs(runs):
    print(f"\n{'':22}{'unmanaged':>14}{'lossless':>14}{'lossy':>14}")
    rows = (
        ("messages sent", lambda r: r["messages_sent"]),
        ("late", lambda r: r["late"]),
        ("lost", lambda r: r["lost"]),
        ("late or lost, %", lambda r: f"{100 * (r['late'] + r['lost']) / r['messages']:.2f}"),
        ("worst lateness, ms", lambda r: r["late_ms"].get("max", "-")),
        ("sent by FTP, MB", lambda r: f"{r['transferred_bytes'] / 1e6:.1f}"),
    )
    for name, value in rows:
        print(f"{name:22}" + "".join(f"{value(run):>14}" for run in runs.values()))


def print_ratio(words, over, under, value, target=None):
    verdict = ""
    if target is not None:
        met = value is not None and value <= target
        verdict = f"   target {target}: {'met' if met else 'missed'}"
    print(f"{words:44} {over:6d} / {under:6d} = {value}{verdict}")


def print_ratios(runs, ideal, shared, ratios):
    missed = {name: run["late"] + run["lost"] for name, run in runs.items()}
    print("\nLate or lost")
    print_ratio("lossy / offline with the link to itself", missed["lossy"],
                sum(ideal["lossy"]), ratios["lossy_over_ideal"], ORACLE_TARGET)
    print_ratio("lossy / offline, transfers have their share", missed["lossy"],
                sum(shared["lossy"]), ratios["lossy_over_shared"], ORACLE_TARGET)
    print_ratio("lossless / the same, lossless", missed["lossless"],
                sum(shared["lossless"]), ratios["lossless_over_shared"])
    print_ratio("lossy / unmanaged", missed["lossy"], missed["unmanaged"],
                ratios["lossy_over_unmanaged"], UNMANAGED_TARGET)
    print_ratio("lossy / lossless", missed["lossy"], missed["lossless"],
                ratios["lossy_over_lossless"])


def write_figure(folder, figure, runs, ideal, shared):
    folder.with_suffix(".json").write_text(json.dumps(figure, indent=2) + "\n")
    rows = zip(*[missed_bins(runs[name]) for name in NAMES], ideal["lossy"], shared["lossy"])
    with open(folder.with_suffix(".dat"), "w", encoding="utf-8") as file:
        for number, row in enumerate(rows):
            file.write(f"{(number + 0.5) * BIN} {' '.join(map(str, row))}\n")


def figure_of(folder, rate, transfers, start, length):
    runs = {name: read_json(folder / f"{name}.json") for name in NAMES}
    sent = {name: read_lines(folder / f"{name}.sent") for name in NAMES[1:]}
    bits = rate_of(rate)
    ideal = {name: offline(lines, name == "lossy", bits, length)
             for name, lines in sent.items()}
    shared = {name: offline(lines, name == "lossy", bits, length, start)
              for name, lines in sent.items()}
    ratios = compare(runs, ideal, shared)
    figure = {"figure": "fig7", "command": "make bench BENCH=fig7",
              "commit": os.environ.get("QS_COMMIT", "unknown"),
              "kernel": runs["lossy"]["kernel"], "engine": "kernel", "rate": rate,
              "seed": runs["lossy"]["seed"], "bin_seconds": BIN,
              "transfers_at_s": [start], "transfers_at_once": transfers,
              "ratios": ratios, "offline_ideal": ideal, "offline_shared": shared} | runs
    write_figure(folder, figure, runs, ideal, shared)
    for name, run in runs.items():
        print_commands(name, run)
    print_bins(runs, ideal, shared, start)
    print_runs(runs)
    print_ratios(runs, ideal, shared, ratios)


def check(folder, names):
    wrong = {name: unaccounted(folder, name) for name in names}
    for name, why in wrong.items():
        if why:
            print(f"WRONG: {name}: {why}")
    return any(wrong.values())


def main():
    arguments = sys.argv[1:]
    if len(arguments) == 3 and arguments[0] == "check":
        sys.exit(check(pathlib.Path(arguments[1]), arguments[2:]))
    if len(arguments) != 5:
        sys.exit(__doc__)
    folder = pathlib.Path(arguments[0])
    figure_of(folder, arguments[1], *map(int, arguments[2:]))
    sys.exit(check(folder, NAMES))


main()
