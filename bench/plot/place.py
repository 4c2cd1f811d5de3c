#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures 4 to 7 and the heavy stream, from the runs of bench/place.sh.

place.py DIR RATE TRANSFERS
    of the runs in DIR become place, place-fig4, place-fig5, place-fig6, place-fig7 and
    place-heavy beside it, as .json and, but for the first, .dat (for streams.gp, gaps.gp
    and fig7.gp), and a table on standard output; the other arguments say how the runs
    were made

Status 1: a wrong result. A target that is missed is said, and is no error.
"""
import concurrent.futures
import json
import pathlib
import sys

sys.dont_write_bytecode = True
from runs import BIN, Targets, head, print_commands, rate_of, ratio, read_json, \
    write_blocks, write_columns  # noqa: E402
from sensor import OFFLINE, ORACLE_TARGET, missed_bins, numbers, offline, read_lines, \
    unaccounted  # noqa: E402
from video import SCHEDULED, cost, figures_of, flows_of, gaps_of, judge_flows, judge_gaps, \
    judge_stream, read_run, wrong, wrong_engine  # noqa: E402

EXPERIMENTS = ("fig4", "heavy", "fig6")  # with video; and fig7, with a sensor
WORDS = {"plain": "plain sockets", "plain-seg": "plain sockets, no super-packets",
         "fq_codel": "plain sockets, fq_codel",
         "kernel": "QSockets, kernel", "bands": "QSockets, bands",
         "inproc": "QSockets, in-process"}
# What the pictures show: they would not get clearer by all of them.
SHOWN = ("kernel.7.3", "plain.7.3", "bands.7.3", "bands.here", "inproc.7.3", "plain-seg.7.3",
         "fq_codel.7.3")
SHOWN_SENSOR = ("kernel.7.3", "plain.7.3", "bands.7.3", "bands.here", "inproc.7.3")
SHOWN_GAPS = ("plain.7.3", "kernel.7.3", "bands.here", "inproc.7.3")
# What each one's cost is compared with: in-process, the program is another. A token
# bucket with a short queue is no measure: TCP makes the packets again that it refuses.
COST_BASE = {"inproc": "plain-own", "plain-own": "plain-own"}
QUEUEING_TARGET = 2
LENGTH, COST_LENGTH = 60, 20  # seconds, by scripts/video.sh
START, SENSOR_START = 15, 30  # of transfers, in Figures 6 and 7


def label(run):
    """A run without its experiment: who, and where."""
    return f"{run['who']}.{run['where']}"


def words(run):
    where = run["kernel"].split("+")[0].split("-")[0]
    return f"{WORDS[run['who']]}, {where}"


def read_one(folder, name):
    experiment, who, where = name.split(".", 2)
    if experiment != "fig7":
        return read_run(folder, name) | {"where": where}
    return {"experiment": experiment, "who": who, "where": where} | \
        read_json(folder / f"{name}.json")


def read_runs(folder):
    return {path.stem: read_one(folder, path.stem) for path in sorted(folder.glob("*.json"))}


def of_experiment(runs, experiment):
    return {name: run for name, run in runs.items() if run["experiment"] == experiment}


# --- tables ------------------------------------------------------------------


def print_bins(experiment, runs):
    names = [label(run) for run in runs.values()]
    print(f"\n{experiment}: complete frames a second\n")
    print(f"{'seconds':>8}" + "".join(f"{name:>14}" for name in names))
    for number, row in enumerate(zip(*[run["fps_bins"] for run in runs.values()])):
        span = f"{number * BIN} - {number * BIN + BIN}"
        print(f"{span:>8}" + "".join(f"{value:14.1f}" for value in row))


def row_of(run):
    return {key: run[key] for key in ("experiment", "who", "where", "kernel")} | figures_of(run)


def sensor_row(run, free):
    """Beside what the offline scheduler misses of what this run sent, with its share."""
    return {key: run[key] for key in ("experiment", "who", "where", "kernel")} | \
        numbers(run, sum(free))


def print_table(title, columns, rows):
    if not rows:
        return
    print(f"\n{title}\n")
    print(f"{'':21}" + "".join(f"{heading:>10}" for _, heading in columns))
    for row in rows:
        name = f"{row['experiment']}.{row['who']}.{row['where']}"
        print(f"{name:21}" + "".join(
            f"{'-' if row[key] is None else row[key]:>10}" for key, _ in columns))


def print_rows(rows):
    columns = (("least_fps", "least fps"), ("frames_lost", "lost"), ("i_frames_lost", "lost I"),
               ("gap_max_ms", "gap max"), ("gap_sd_ms", "gap SD"), ("delay_p99_ms", "delay p99"),
               ("queueing_p99_ms", "queue p99"), ("transferred_mb", "moved MB"))
    print_table("All runs with video; times in ms, of the first stream", columns, rows)


def print_sensor_rows(rows):
    columns = (("late", "late"), ("lost", "lost"), ("percent", "%"),
               ("over_shared", "/ offline"), ("worst_ms", "worst ms"),
               ("transferred_mb", "moved MB"))
    print_table("Figure 7: messages that were late or lost, and beside the offline scheduler's",
                columns, rows)


def cost_base(who):
    return COST_BASE.get(who, "fq_codel")


def costs(runs):
    """Instructions for a packet of the link, and beside those of the same programs."""
    found = {run["who"]: cost(run) for run in of_experiment(runs, "cost").values()}
    return {who: {"instructions_a_packet": value,
                  "ratio": ratio(value, found.get(cost_base(who)))}
            for who, value in found.items()}


def print_costs(found):
    if not found:
        return
    print("\nFigure 4 in short: instructions of all programs and the kernel, for a packet\n")
    for who, one in found.items():
        print(f"{who:12}{one['instructions_a_packet']:>8}   over "
              f"{cost_base(who):10} {one['ratio']}")


# --- targets -----------------------------------------------------------------


def judge_queueing(targets, runs):
    """On one kernel, and in deterministic time."""
    for experiment in EXPERIMENTS:
        both = [runs.get(f"{experiment}.{who}.7.3") for who in ("bands", "kernel")]
        if None in both:
            continue
        value = ratio(*[float(run["stream"]["queueing_ms"]["p99"]) for run in both])
        targets.add(f"{experiment}.bands.7.3", "p99 of queueing / the kernel engine's", value,
                    f"<= {QUEUEING_TARGET}", value <= QUEUEING_TARGET)


def judge_sensor(targets, row):
    name = f"{row['experiment']}.{row['who']}.{row['where']}"
    targets.add(name, "late", row["late"], "0", row["late"] == 0)
    targets.add(name, "missed / offline, shares", row["over_shared"], f"<= {ORACLE_TARGET}",
                row["over_shared"] <= ORACLE_TARGET)


def judge(runs, rate, sensors):
    targets = Targets()
    for name, run in runs.items():
        if run["who"] not in SCHEDULED or run["experiment"] not in EXPERIMENTS:
            continue
        if run["experiment"] == "fig6":
            judge_flows(targets, name, run, rate, START, LENGTH)
        else:
            judge_stream(targets, name, run)
        if run["experiment"] == "fig4":
            judge_gaps(targets, name, run, runs.get(f"fig4.plain.{run['where']}"))
    for row in sensors:
        if row["who"] in SCHEDULED:
            judge_sensor(targets, row)
    judge_queueing(targets, runs)
    return targets


# --- figures -----------------------------------------------------------------


def shown(runs, which=SHOWN):
    """In that order, by words."""
    found = {label(run): run for run in runs.values()}
    return {words(found[name]): found[name] for name in which if name in found}


def write_figure(folder, figure, base, runs):
    name = f"place-{figure}"
    (folder / f"{name}.json").write_text(
        json.dumps({"figure": name} | base | {"runs": runs}, indent=2) + "\n")


def write_gaps(folder, base, runs):
    drawn = {heading: gaps_of(folder, f"fig4.{label(run)}")
             for heading, run in shown(runs, SHOWN_GAPS).items()}
    write_blocks(folder.parent / "place-fig5.dat", drawn)
    write_figure(folder.parent, "fig5", base,
                 {name: {key: run[key] for key in ("kernel", "gap_ms", "completion_gap_ms",
                                                   "gap_sd_ms")}
                  for name, run in runs.items()})


def write_streams(folder, experiment, base, runs):
    if experiment == "fig6":
        run = runs.get("fig6.kernel.7.3", next(iter(runs.values())))
        columns = {f"{flow['fps']} fps, {'managed' if flow.get('stream') else 'plain'}":
                   flow["fps_bins"] for flow in flows_of(run)}
    else:
        columns = {heading: run["fps_bins"] for heading, run in shown(runs).items()}
    write_columns(folder.parent / f"place-{experiment}.dat", columns)
    write_figure(folder.parent, experiment, base, runs)


def offline_of(folder, runs, rate):
    """What the offline scheduler misses of each run's messages, in intervals."""
    with concurrent.futures.ProcessPoolExecutor() as pool:
        works = {name: pool.submit(offline, read_lines(folder / f"{name}.sent"), rate_of(rate),
                                   LENGTH, SENSOR_START) for name in runs}
    return {name: work.result() for name, work in works.items()}


def write_sensor(folder, base, runs, free):
    if not runs:
        return
    columns = {heading: missed_bins(run) for heading, run in shown(runs, SHOWN_SENSOR).items()}
    columns[OFFLINE["shared"]] = free.get("fig7.kernel.7.3", next(iter(free.values())))
    write_columns(folder.parent / "place-fig7.dat", columns)
    write_figure(folder.parent, "fig7", base | {"offline": free}, runs)


def figures(folder, rate, transfers):
    runs = read_runs(folder)
    sensors = of_experiment(runs, "fig7")
    free = offline_of(folder, sensors, rate)
    sensor_rows = [sensor_row(run, free[name]) for name, run in sensors.items()]
    base = head("place", "make bench BENCH=place", engine="by run", rate=rate, seed=1,
                bin_seconds=BIN, transfers_at_once=transfers)
    targets = judge(runs, rate_of(rate), sensor_rows)
    rows = [row_of(run) for name, run in runs.items() if name not in sensors]
    for experiment in EXPERIMENTS:
        some = of_experiment(runs, experiment)
        if not some:
            continue
        for name, run in some.items():
            print_commands(name, run)
        print_bins(experiment, some)
        write_streams(folder, experiment, base, some)
        if experiment == "fig4":
            write_gaps(folder, base, some)
    for name, run in sensors.items():
        print_commands(name, run)
    write_sensor(folder, base, sensors, free)
    print_rows(rows)
    print_sensor_rows(sensor_rows)
    print_costs(costs(runs))
    targets.show()
    rows += sensor_rows
    (folder.parent / "place.json").write_text(json.dumps(
        base | {"rows": rows, "costs": costs(runs), "targets": targets.all}, indent=2) + "\n")
    return runs


def fault(folder, name, run):
    """What is wrong with a run, if anything."""
    if run["experiment"] == "fig7":  # where a CPU may be elsewhere, late is no fault
        who = None if run["where"] == "here" else run["who"]
        return unaccounted(folder, name, who) or wrong_engine(run)
    return wrong(run, COST_LENGTH if run["experiment"] == "cost" else LENGTH)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    runs = figures(folder, sys.argv[2], int(sys.argv[3]))
    faults = {name: fault(folder, name, run) for name, run in runs.items()}
    for name, why in faults.items():
        if why:
            print(f"WRONG: {name}: {why}")
    sys.exit(any(faults.values()))


main()
