#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures 4, 5 and 6 and the heavy stream beside what else there is, from the runs
of bench/streams.sh.

streams.py FIGURE DIR RATE LENGTH STARTS TRANSFERS WHO...
    the runs EXPERIMENT.WHO.SEED in DIR become FIGURE.json and FIGURE.dat beside it
    (for streams.gp, or gaps.gp for fig5), and a table on standard output; the other
    arguments say how the runs were made

Status 1: a wrong result. A target that is missed is said, and is no error but in a
quick run (QS_QUICK), where nothing is hard for us.
"""
import json
import os
import pathlib
import statistics
import sys

sys.dont_write_bytecode = True
from runs import BIN, Targets, apart, head, print_loads, print_commands, rate_of, \
    ratio, spread, spread_words, write_blocks, write_columns  # noqa: E402
from video import figures_of, flows_of, gaps_of, judge_flows, judge_gaps, judge_stream, \
    off_rate, read_run, rest, wrong  # noqa: E402

OURS = "kernel"
UNMANAGED = "plain"
WORDS = {"kernel": "QSockets", "plain": "plain socket", "plain-seg": "plain, no super-packets",
         "htb": "htb, classes by hand", "etf": "htb and etf", "srt": "SRT",
         "ffmpeg": "paced by ffmpeg"}
# What the pictures show: they would not get clearer by all of them.
SHOWN = {"fig4": ("kernel", "plain", "cake", "srt", "htb", "fq_codel", "ffmpeg"),
         "heavy": ("kernel", "plain", "pfifo", "srt", "htb", "fq_codel", "cake"),
         "fig5": ("plain", "kernel", "pfifo", "cake")}
COLUMNS = (("least_fps", "least fps", 1), ("frames_lost", "frames lost", 0),
           ("i_frames_lost", "I-frames lost", 0), ("delay_p99_ms", "delay p99, ms", 1),
           ("transferred_mb", "transferred, MB", 1))
GAP_COLUMNS = (("gap_max_ms", "largest, ms", 1), ("gap_sd_ms", "SD, ms", 2))
FLOW_COLUMNS = (("off_20", "20 fps, off by", 3), ("off_15", "15 fps, off by", 3),
                ("least_other", "third, least fps", 1), ("lost_other", "third, lost", 0),
                ("rest", "of the rest", 2))


class Experiment:
    """How the runs were made, and what they gave: runs[WHO][SEED]."""

    def __init__(self, figure, folder, rate, length, starts, transfers, whos):
        self.figure, self.folder, self.rate = figure, pathlib.Path(folder), rate
        self.length, self.transfers = int(length), int(transfers)
        self.starts = [int(start) for start in starts.split()]
        self.name = "fig4" if figure == "fig5" else figure
        self.runs, self.faults = {}, {}
        for who in whos:
            names = sorted(path.stem for path in self.folder.glob(f"{self.name}.{who}.*.json"))
            self.runs[who] = {name: self.read(name) for name in names}
        self.thrown = apart(self.loads(), self.rate)

    def read(self, name):
        run = read_run(self.folder, name)
        why = wrong(run, self.length)
        if why:
            self.faults[name] = why
        return run

    def loads(self):
        return {name: run["full_mbit"] for runs in self.runs.values()
                for name, run in runs.items()}

    def kept(self, who):
        return {name: run for name, run in self.runs.get(who, {}).items()
                if name not in self.thrown}

    def whos(self):
        return [who for who in self.runs if self.kept(who)]

    def numbers(self, run):
        result = figures_of(run)
        if self.name == "fig6":
            flows = flows_of(run)
            result |= {"off_20": off_rate(flows[0]), "off_15": off_rate(flows[1]),
                       "least_other": min(flows[2]["fps_bins"]),
                       "lost_other": flows[2]["frames_sent"] - flows[2]["frames_received"],
                       "rest": rest(run, rate_of(self.rate), self.starts[0], self.length)}
        return result

    def row(self, who):
        """Median and spread over the seeds of each number."""
        every = [self.numbers(run) for run in self.kept(who).values()]
        return {key: spread([one[key] for one in every]) for key in every[0]}


def columns_of(figure):
    return {"fig5": GAP_COLUMNS, "fig6": FLOW_COLUMNS}.get(figure, COLUMNS)


# --- words ---------------------------------------------------------------------


def print_table(experiment, rows):
    columns = columns_of(experiment.figure)
    seeds = max(len(experiment.kept(who)) for who in rows)
    print(f"\n{experiment.figure}: medians of {seeds} seeds (from..to), {experiment.length} s\n")
    print(f"{'':11}" + "".join(f"{heading:>24}" for _, heading, _ in columns))
    for who, row in rows.items():
        print(f"{who:11}" + "".join(f"{spread_words(row[key], digits):>24}"
                                    for key, _, digits in columns))


def print_ratios(experiment, rows):
    """Ours over each of the others', where there is anything to divide by."""
    if OURS not in rows or len(rows) < 2:
        return
    print("\nQSockets beside the others, ratios of medians\n")
    for key, heading, _ in columns_of(experiment.figure):
        ours = rows[OURS][key]
        for who, row in rows.items():
            if who != OURS and ours and row[key] and row[key]["median"]:
                print(f"  {heading:20} {ours['median']:>10} / {who:10} {row[key]['median']:>10}"
                      f" = {ratio(ours['median'], row[key]['median'])}")


# --- targets -------------------------------------------------------------------


def judge(experiment):
    """By each of our runs, and the same of the others' for comparison."""
    targets = Targets()
    plain = {name.rsplit(".", 1)[1]: run for name, run in experiment.kept(UNMANAGED).items()}
    for who in experiment.whos():
        for name, run in experiment.kept(who).items():
            if experiment.name == "fig6":
                judge_flows(targets, name, run, rate_of(experiment.rate), experiment.starts[0],
                            experiment.length)
            elif experiment.figure == "fig5":
                judge_gaps(targets, name, run, plain.get(name.rsplit(".", 1)[1]))
            else:
                judge_stream(targets, name, run)
    return targets


# --- figures -------------------------------------------------------------------


def median_bins(runs):
    return [round(statistics.median(values), 2)
            for values in zip(*[run["fps_bins"] for run in runs])]


def write_drawing(experiment):
    path = experiment.folder.parent / f"{experiment.figure}.dat"
    shown = [who for who in SHOWN.get(experiment.figure, ()) if who in experiment.whos()]
    if experiment.figure == "fig5":
        write_blocks(path, {WORDS.get(who, who): gaps_of(experiment.folder,
                                                         next(iter(experiment.kept(who))))
                            for who in shown})
    elif experiment.figure == "fig6":
        columns = {}
        for who in (OURS, UNMANAGED):
            for number, flow in enumerate(zip(*map(flows_of, experiment.kept(who).values()))):
                kind = ", managed" if who == OURS and number < 2 else ""
                words = f"{flow[0]['fps']} fps{kind}"
                beside = "" if who == OURS else f" (all plain{', the third' * (number == 2)})"
                columns[words + beside] = median_bins(flow)
        write_columns(path, columns)
    else:
        write_columns(path, {WORDS.get(who, who): median_bins(experiment.kept(who).values())
                             for who in shown})


def write_json(experiment, rows, targets):
    first = next(run for runs in experiment.runs.values() for run in runs.values())
    result = head(experiment.figure, f"make bench BENCH={experiment.figure}",
                  kernel=first["kernel"], engine=OURS, rate=experiment.rate,
                  seed=sorted({int(name.rsplit(".", 1)[1]) for name in experiment.loads()}),
                  seconds=experiment.length, bin_seconds=BIN,
                  transfers_at_s=experiment.starts, transfers_at_once=experiment.transfers,
                  table=rows, thrown_out=experiment.thrown, targets=targets.all,
                  runs=experiment.runs)
    path = experiment.folder.parent / f"{experiment.figure}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


def make(experiment):
    for runs in experiment.runs.values():
        for name, run in list(runs.items())[:1]:
            print_commands(name, run)
    rows = {who: experiment.row(who) for who in experiment.whos()}
    targets = judge(experiment)
    print_table(experiment, rows)
    print_loads(experiment.loads(), experiment.rate)
    print_ratios(experiment, rows)
    targets.show()
    write_drawing(experiment)
    write_json(experiment, rows, targets)
    if os.environ.get("QS_QUICK"):
        experiment.faults |= targets.missed()


def main():
    if len(sys.argv) < 8:
        sys.exit(__doc__)
    experiment = Experiment(*sys.argv[1:7], sys.argv[7:])
    make(experiment)
    for name, why in experiment.faults.items():
        print(f"WRONG: {name}: {why}")
    sys.exit(bool(experiment.faults))


main()
