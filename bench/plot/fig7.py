#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The paper's Figure 7 from the runs of bench/fig7.sh.

fig7.py DIR RATE TRANSFERS STARTS LENGTH WHO...
    the runs WHO.SEED in DIR become DIR.json and DIR.dat (for fig7.gp), and a
    table on standard output; the other arguments say how the runs were made
fig7.py check DIR NAME
    nothing else than whether the run NAME accounts for every message

Status 1: a wrong result. A target that is missed is said, and is no error.
"""
import concurrent.futures
import json
import pathlib
import statistics
import sys

sys.dont_write_bytecode = True
from runs import BIN, Targets, apart, head, print_loads, print_commands, rate_of, \
    ratio, read_json, spread, spread_words, write_columns  # noqa: E402
from sensor import OFFLINE, ORACLE_TARGET, missed, missed_bins, numbers, offline, \
    read_lines, unaccounted  # noqa: E402

WORDS = {"unmanaged": "plain socket", "lossless": "EDF, lossless", "lossy": "EDF, lossy",
         "htb": "htb, classes by hand", "etf": "htb and etf"}
SHOWN = ("lossy", "unmanaged", "lossless", "htb", "etf", "fq_codel")
UNMANAGED_TARGET = 0.1
COLUMNS = (("late", "late", 0), ("lost", "lost", 0), ("percent", "late or lost, %", 1),
           ("over_shared", "/ offline, shares", 3), ("worst_ms", "worst lateness, ms", 1),
           ("transferred_mb", "transferred, MB", 1))


class Experiment:
    """How the runs were made, and what they gave: runs[WHO][SEED], offline[KIND][SEED]."""

    def __init__(self, folder, rate, transfers, start, length, whos):
        self.folder, self.rate = pathlib.Path(folder), rate
        self.transfers, self.start, self.length = int(transfers), int(start), int(length)
        self.runs = {who: {int(path.suffixes[-2][1:]): read_json(path)
                           for path in sorted(self.folder.glob(f"{who}.*.json"))}
                     for who in whos}
        loads = {f"{who}.{seed}": run["full_mbit"] for who, runs in self.runs.items()
                 for seed, run in runs.items()}
        self.loads, self.thrown = loads, apart(loads, self.rate)
        self.offline = self.simulate()

    def simulate(self):
        """What our lossy runs have sent, and when they did, is what there is to schedule."""
        result = {kind: {} for kind in OFFLINE}
        with concurrent.futures.ProcessPoolExecutor() as pool:
            for seed in self.runs["lossy"]:
                sent = read_lines(self.folder / f"lossy.{seed}.sent")
                for kind, busy in (("ideal", None), ("shared", self.start)):
                    result[kind][seed] = pool.submit(offline, sent, rate_of(self.rate),
                                                     self.length, busy)
        return {kind: {seed: work.result() for seed, work in some.items()}
                for kind, some in result.items()}

    def kept(self, who):
        return {seed: run for seed, run in self.runs.get(who, {}).items()
                if f"{who}.{seed}" not in self.thrown}

    def whos(self):
        return [who for who in self.runs if self.kept(who)]

    def beside(self, kind, seed, run):
        return ratio(missed(run), self.offline_missed(kind, seed))

    def offline_missed(self, kind, seed):
        return sum(self.offline[kind].get(seed, []))

    def numbers(self, seed, run):
        return numbers(run, self.offline_missed("shared", seed)) | \
            {"over_ideal": self.beside("ideal", seed, run)}

    def row(self, who):
        every = [self.numbers(seed, run) for seed, run in self.kept(who).items()]
        return {key: spread([one[key] for one in every]) for key in every[0]}


def print_bins(experiment, columns):
    print("\nLate or lost messages, by the time of their sending; medians\n")
    print(f"{'seconds':>9}" + "".join(f"{name:>11}" for name in columns))
    for number, row in enumerate(zip(*columns.values())):
        at = number * BIN
        mark = "  + FTP" if at == experiment.start else ""
        print(f"{at:4d} - {at + BIN:2d}" + "".join(f"{value:11g}" for value in row) + mark)
    print(f"{'all':>9}" + "".join(f"{sum(column):11g}" for column in columns.values()))


def print_table(experiment, rows):
    seeds = len(experiment.offline["ideal"])
    print(f"\nfig7: medians of {seeds} seeds (from..to), {experiment.length} s\n")
    print(f"{'':11}" + "".join(f"{heading:>24}" for _, heading, _ in COLUMNS))
    for who, row in rows.items():
        print(f"{who:11}" + "".join(f"{spread_words(row[key], digits):>24}"
                                    for key, _, digits in COLUMNS))
    for kind, words in OFFLINE.items():
        lost = spread([sum(bins) for bins in experiment.offline[kind].values()])
        print(f"{words}: {spread_words(lost, 0)} lost")


def judge(experiment):
    targets = Targets()
    plain = experiment.kept("unmanaged")
    for seed, run in experiment.kept("lossy").items():
        name = f"lossy.{seed}"
        targets.add(name, "late", run["late"], "0", run["late"] == 0)
        for kind, words in (("shared", "transfers have their share"), ("ideal", "link to itself")):
            value = experiment.beside(kind, seed, run)
            targets.add(name, f"missed / offline, {words}", value, f"<= {ORACLE_TARGET}",
                        value is not None and value <= ORACLE_TARGET)
        if seed in plain:
            value = ratio(missed(run), missed(plain[seed]))
            targets.add(name, "missed / unmanaged", value, f"<= {UNMANAGED_TARGET}",
                        value <= UNMANAGED_TARGET)
    return targets


def medians(every):
    return [statistics.median(values) for values in zip(*every)]


def figure_of(experiment):
    rows = {who: experiment.row(who) for who in experiment.whos()}
    bins = {who: medians(map(missed_bins, experiment.kept(who).values()))
            for who in experiment.whos()}
    free = {kind: medians(some.values()) for kind, some in experiment.offline.items()}
    targets = judge(experiment)
    first = next(iter(experiment.runs["lossy"].values()))
    figure = head("fig7", "make bench BENCH=fig7", kernel=first["kernel"], engine="kernel",
                  rate=experiment.rate, seed=sorted(experiment.runs["lossy"]),
                  seconds=experiment.length, bin_seconds=BIN,
                  transfers_at_s=[experiment.start], transfers_at_once=experiment.transfers,
                  table=rows, thrown_out=experiment.thrown, targets=targets.all,
                  offline=experiment.offline, runs=experiment.runs)
    experiment.folder.with_suffix(".json").write_text(json.dumps(figure, indent=2) + "\n")
    columns = {WORDS.get(who, who): bins[who] for who in SHOWN if who in bins}
    columns[OFFLINE["ideal"]] = free["ideal"]
    write_columns(experiment.folder.with_suffix(".dat"), columns)
    for who, runs in experiment.runs.items():
        print_commands(who, next(iter(runs.values())))
    print_bins(experiment, bins | free)
    print_table(experiment, rows)
    print_loads(experiment.loads, experiment.rate)
    targets.show()


def check(folder, names):
    wrong = {name: unaccounted(folder, name, name.split(".")[0]) for name in names}
    for name, why in wrong.items():
        if why:
            print(f"WRONG: {name}: {why}")
    return any(wrong.values())


def main():
    arguments = sys.argv[1:]
    if len(arguments) == 3 and arguments[0] == "check":
        sys.exit(check(pathlib.Path(arguments[1]), arguments[2:]))
    if len(arguments) < 6 or "lossy" not in arguments[5:]:
        sys.exit(__doc__)
    experiment = Experiment(*arguments[:5], arguments[5:])
    figure_of(experiment)
    sys.exit(check(experiment.folder, [f"{who}.{seed}" for who, runs in experiment.runs.items()
                                       for seed in runs]))


main()
