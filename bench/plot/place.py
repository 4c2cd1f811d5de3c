#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures 4 to 6 and the heavy stream, from the runs of bench/place.sh.

place.py DIR RATE TRANSFERS
    of the runs in DIR become fig4, fig5, fig6, heavy and place beside it, as .json
    and, but for the last, .dat (for streams.gp and gaps.gp), and a table on
    standard output; the other arguments say how the runs were made

Status 1: a wrong result. A target that is missed is said, and is no error.
"""
import json
import os
import pathlib
import statistics
import sys

sys.dont_write_bytecode = True
from runs import BIN, print_commands, read_json, write_columns  # noqa: E402

EXPERIMENTS = ("fig4", "heavy", "fig6")
SCHEDULED = ("kernel", "bands", "inproc")
WORDS = {"plain": "plain sockets", "plain-seg": "plain sockets, no super-packets",
         "fq_codel": "plain sockets, fq_codel",
         "kernel": "QSockets, kernel", "bands": "QSockets, bands",
         "inproc": "QSockets, in-process"}
# What the pictures show: they would not get clearer by all of them.
SHOWN = ("kernel.7.3", "plain.7.3", "bands.7.3", "bands.here", "inproc.7.3", "plain-seg.7.3",
         "fq_codel.7.3")
SHOWN_GAPS = ("plain.7.3", "kernel.7.3", "bands.here", "inproc.7.3")
HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP: what the link carries besides
FPS_TARGET = 19.9
GAP_TARGET = 50 + 1.23 + 1  # ms: a period, a packet's time, and the machine's
SPREAD_TARGET = 1 / 20
EXACTNESS = {"kernel": 0.005, "bands": 0.01, "inproc": 0.01}
REST_TARGET = 0.95
QUEUEING_TARGET = 2
# Transfers end this much after the streams, s.
OUTLAST = 1


def label(run):
    """A run without its experiment: who, and where."""
    return f"{run['who']}.{run['where']}"


def words(run):
    where = run["kernel"].split("+")[0].split("-")[0]
    return f"{WORDS[run['who']]}, {where}"


def flows_of(run):
    return [run, *run["more"]]


def ratio(over, under):
    return round(over / under, 4) if under else None


# --- what a run says ---------------------------------------------------------


def gaps_of(folder, name):
    """When each complete frame began, s, and how long after the one before, ms."""
    rows = [line.split() for line in (folder / f"{name}.trace").read_text().splitlines()[1:]]
    begun = [float(row[4]) for row in rows if row[3] == "0"]
    return [(at, (at - before) * 1000) for before, at in zip(begun, begun[1:])]


def wire_bytes(flow):
    return flow["bytes_sent"] + flow["datagrams_sent"] * HEADERS


def rest(run, rate, start, length):
    """What best effort got, of what the managed streams left while transfers ran."""
    managed = sum(wire_bytes(flow) for flow in flows_of(run)[:2])
    other = wire_bytes(flows_of(run)[2])
    busy = length + OUTLAST - start
    got = run["link_bytes"] - managed - other * start / length
    return ratio(got, rate / 8 * busy - managed * (length - start) / length)


def read_runs(folder):
    runs = {}
    for path in sorted(folder.glob("*.json")):
        experiment, who, where = path.stem.split(".", 2)
        gaps = [gap for _, gap in gaps_of(folder, path.stem)]
        runs[path.stem] = {"experiment": experiment, "who": who, "where": where} | \
            read_json(path) | {"gap_sd_ms": round(statistics.pstdev(gaps), 3)}
    return runs


def of_experiment(runs, experiment):
    return {name: run for name, run in runs.items() if run["experiment"] == experiment}


def wrong(name, run):
    """What is wrong with a run, if anything."""
    for flow in flows_of(run):
        if flow["frames_sent"] != flow["fps"] * 60:
            return f"{flow['frames_sent']} frames were sent"
        if flow["frames_received"] + flow["frames_incomplete"] > flow["frames_sent"]:
            return "more frames came than were sent"
    engine = run.get("stream", {}).get("engine")
    if run["who"] in SCHEDULED and engine != run["who"]:
        return f"its engine was {engine}"
    return None


# --- tables ------------------------------------------------------------------


def print_bins(experiment, runs):
    names = [label(run) for run in runs.values()]
    print(f"\n{experiment}: complete frames a second\n")
    print(f"{'seconds':>8}" + "".join(f"{name:>14}" for name in names))
    for number, row in enumerate(zip(*[run["fps_bins"] for run in runs.values()])):
        span = f"{number * BIN} - {number * BIN + BIN}"
        print(f"{span:>8}" + "".join(f"{value:14.1f}" for value in row))


def cost(run):
    """Instructions that all programs and the kernel took, for a packet of the link."""
    if "instructions" not in run:
        return None
    return round(run["instructions"] / run["link_packets"])


def row_of(run):
    stream = run.get("stream", {})
    return {
        "experiment": run["experiment"], "who": run["who"], "where": run["where"],
        "kernel": run["kernel"],
        "least_fps": min(run["fps_bins"]),
        "frames_lost": run["frames_sent"] - run["frames_received"],
        "i_frames_lost": run["i_frames_sent"] - run["i_frames_received"],
        "gap_max_ms": run["gap_ms"]["max"], "gap_sd_ms": run["gap_sd_ms"],
        "delay_p99_ms": run["delay_ms"]["p99"],
        "queueing_p99_ms": stream.get("queueing_ms", {}).get("p99"),
        "transferred_mb": round(run["transferred_bytes"] / 1e6, 1),
        "instructions_a_packet": cost(run),
    }


def print_rows(rows):
    columns = (("least_fps", "least fps"), ("frames_lost", "lost"), ("i_frames_lost", "lost I"),
               ("gap_max_ms", "gap max"), ("gap_sd_ms", "gap SD"), ("delay_p99_ms", "delay p99"),
               ("queueing_p99_ms", "queue p99"), ("transferred_mb", "moved MB"),
               ("instructions_a_packet", "instr/pkt"))
    print("\nAll runs; times in ms, of the first stream\n")
    print(f"{'':21}" + "".join(f"{heading:>10}" for _, heading in columns))
    for row in rows:
        name = f"{row['experiment']}.{row['who']}.{row['where']}"
        print(f"{name:21}" + "".join(
            f"{'-' if row[key] is None else row[key]:>10}" for key, _ in columns))


# --- targets -----------------------------------------------------------------


class Targets:
    """Each is printed with its figure, and kept."""

    def __init__(self):
        self.all = []

    def add(self, run, what, value, target, met):
        self.all.append({"run": run, "what": what, "value": value, "target": target,
                         "met": bool(met)})

    def show(self):
        print("\nTargets\n")
        for one in self.all:
            print(f"{one['run']:21} {one['what']:44} {one['value']:>9}  target "
                  f"{one['target']}: {'met' if one['met'] else 'missed'}")


def judge_stream(targets, name, run):
    least = min(run["fps_bins"])
    targets.add(name, "fps, in the worst 5 s", least, f">= {FPS_TARGET}", least >= FPS_TARGET)
    lost = run["i_frames_sent"] - run["i_frames_received"]
    targets.add(name, "I-frames lost", lost, "0", lost == 0)


def judge_gaps(targets, name, run, plain):
    gap = run["gap_ms"]["max"]
    targets.add(name, "largest gap, ms", gap, f"<= {GAP_TARGET:.2f}", gap <= GAP_TARGET)
    if plain:
        spread = ratio(run["gap_sd_ms"], plain["gap_sd_ms"])
        targets.add(name, "SD of gaps / unmanaged", spread, f"<= {SPREAD_TARGET}",
                    spread <= SPREAD_TARGET)


def judge_flows(targets, name, run, rate):
    near = EXACTNESS[run["who"]]
    for flow in flows_of(run)[:2]:
        off = max(abs(ratio(fps, flow["fps"]) - 1) for fps in flow["fps_bins"])
        targets.add(name, f"{flow['fps']} fps, off by, in the worst 5 s", round(off, 4),
                    f"<= {near}", off <= near)
    share = rest(run, rate, 15, 60)
    targets.add(name, "best effort's part of the rest", share, f">= {REST_TARGET}",
                share >= REST_TARGET)


def judge_queueing(targets, runs):
    """On one kernel, and in deterministic time."""
    for experiment in EXPERIMENTS:
        both = [runs.get(f"{experiment}.{who}.7.3") for who in ("bands", "kernel")]
        if None in both:
            continue
        value = ratio(*[float(run["stream"]["queueing_ms"]["p99"]) for run in both])
        targets.add(f"{experiment}.bands.7.3", "p99 of queueing / the kernel engine's", value,
                    f"<= {QUEUEING_TARGET}", value <= QUEUEING_TARGET)


def judge(runs, rate):
    targets = Targets()
    for name, run in runs.items():
        if run["who"] not in SCHEDULED:
            continue
        if run["experiment"] == "fig6":
            judge_flows(targets, name, run, rate)
        else:
            judge_stream(targets, name, run)
        if run["experiment"] == "fig4":
            judge_gaps(targets, name, run, runs.get(f"fig4.plain.{run['where']}"))
    judge_queueing(targets, runs)
    return targets


# --- figures -----------------------------------------------------------------


def shown(runs, which=SHOWN):
    """In that order, by words."""
    found = {label(run): run for run in runs.values()}
    return {words(found[name]): found[name] for name in which if name in found}


def write_figure(folder, figure, head, runs, **more):
    result = {"figure": figure} | head | more | {"runs": runs}
    (folder / f"{figure}.json").write_text(json.dumps(result, indent=2) + "\n")


def write_gaps(folder, head, runs):
    drawn = shown(runs, SHOWN_GAPS)
    with open(folder.parent / "fig5.dat", "w", encoding="utf-8") as file:
        for heading, run in drawn.items():
            file.write(f'"{heading}"\n')
            for at, gap in gaps_of(folder, f"fig4.{label(run)}"):
                file.write(f"{at:.6f} {gap:.3f}\n")
            file.write("\n\n")
    write_figure(folder.parent, "fig5", head,
                 {name: {key: run[key] for key in ("kernel", "gap_ms", "completion_gap_ms",
                                                   "gap_sd_ms")}
                  for name, run in runs.items()})


def write_streams(folder, experiment, head, runs):
    if experiment == "fig6":
        run = runs.get("fig6.kernel.7.3", next(iter(runs.values())))
        columns = {f"{flow['fps']} fps, {'managed' if flow.get('stream') else 'plain'}":
                   flow["fps_bins"] for flow in flows_of(run)}
    else:
        columns = {heading: run["fps_bins"] for heading, run in shown(runs).items()}
    write_columns(folder.parent / f"{experiment}.dat", columns)
    write_figure(folder.parent, experiment, head, runs)


def figures(folder, rate, transfers):
    runs = read_runs(folder)
    head = {"command": "make bench BENCH=place", "commit": os.environ.get("QS_COMMIT", "unknown"),
            "engine": "by run", "rate": rate, "seed": 1,
            "bin_seconds": BIN, "transfers_at_once": transfers}
    targets = judge(runs, int(rate.removesuffix("mbit")) * 10**6)
    rows = [row_of(run) for run in runs.values()]
    for experiment in EXPERIMENTS:
        some = of_experiment(runs, experiment)
        if not some:
            continue
        for name, run in some.items():
            print_commands(name, run)
        print_bins(experiment, some)
        write_streams(folder, experiment, head, some)
        if experiment == "fig4":
            write_gaps(folder, head, some)
    print_rows(rows)
    targets.show()
    (folder.parent / "place.json").write_text(json.dumps(
        {"figure": "place"} | head | {"rows": rows, "targets": targets.all}, indent=2) + "\n")
    return runs


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    runs = figures(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    faults = {name: wrong(name, run) for name, run in runs.items()}
    for name, why in faults.items():
        if why:
            print(f"WRONG: {name}: {why}")
    sys.exit(any(faults.values()))


main()
