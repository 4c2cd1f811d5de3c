#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cores under the simulator against the oracle, line by line, on random
traces; and what the schedulers promise.

usage: compare.py [--rounds N] [--seed N] [SCHEDULER...]

timeout: 300
"""
import argparse
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import oracle  # noqa: E402
import traces  # noqa: E402

ROOT = os.environ.get("QS_ROOT", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("QS_BUILD", os.path.join(ROOT, "build"))
QSIM = os.path.join(BUILD, "sim", "qsim")

ROUNDS = 2000  # traces for each scheduler
SETS = 1500
SLOTS = 2000  # of a set: more than any window of it


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def check(self, name, problems):
        self.count += 1
        self.failed += bool(problems)
        print(f"{'not ' if problems else ''}ok {self.count} - {name}", flush=True)
        for line in problems:
            print(f"# {line}")

    def done(self):
        print(f"1..{self.count}")
        return self.failed > 0


def qsim(scheduler, text, limit=None, info=False):
    command = [QSIM] + (["-l", str(limit)] if limit else []) + ["-i"] * info + [scheduler]
    done = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().splitlines()


def model(scheduler, text, limit=None):
    return list(oracle.simulate(scheduler, text.splitlines(), limit).lines())


def difference(scheduler, seed):
    trace = traces.Trace(seed)
    text = trace.text()
    core = qsim(scheduler, text, trace.limit)
    slow = model(scheduler, text, trace.limit)
    for k, (a, b) in enumerate(zip(core + [None], slow + [None])):
        if a != b:
            return [f"trace {seed}, line {k + 1}: the core {a}, the oracle {b}"]
    return []


def differences(scheduler, seed, rounds):
    found = []
    for k in range(seed, seed + rounds):
        found += difference(scheduler, k)
        if len(found) == 10:
            break
    return found


def same_after_all(scheduler):
    """The same input, the same output; the order of lines does not matter."""
    trace = traces.Trace(3)
    text = trace.text()
    if qsim(scheduler, text) != qsim(scheduler, text):
        return ["two runs differ"]
    return []


def violations(lines):
    return sum(int(line.split()[-1]) for line in lines if line.startswith("stream"))


def broken_promises(scheduler, equal_periods):
    r = random.Random(1)
    found = []
    for _ in range(SETS):
        streams = traces.random_set(r, equal_periods)
        n = violations(qsim(scheduler, traces.backlogged(streams, SLOTS)))
        if n:
            found.append(f"{n} violations of (x, y, T) = {streams}")
    return found


def blocked_too_long(scheduler):
    """EDF of unequal sizes on a full link is late by one largest unit at most."""
    r = random.Random(2)
    found = []
    for _ in range(SETS // 5):
        trace, deadlines, largest = traces.full_edf(r)
        for line in qsim(scheduler, trace):
            if line.startswith("stream"):
                break
            when, name, seq, _ = line.split()
            over = int(when) - deadlines[int(name)][int(seq)]
            if over >= largest:
                found.append(f"{over} ns late, the largest takes {largest}: {line}")
    return found[:10]


def sequence(scheduler):
    """The paper's three streams: S1 S2 S1 S3."""
    slots = 80_000
    lines = qsim(scheduler, traces.backlogged([(1, 2, 1), (3, 4, 1), (6, 8, 1)], slots))
    sent = [line.split()[:2] for line in lines if line.endswith(" sent")]
    expected = [[str((k + 1) * traces.SLOT), "0102"[k % 4]] for k in range(slots)]
    if sent != expected or violations(lines):
        return [f"{len(sent)} units, {violations(lines)} violations, first {sent[:8]}"]
    return []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("schedulers", nargs="*", default=list(oracle.SCHEDULERS))
    options = parser.parse_args()
    tap = Tap()
    for name in options.schedulers:
        found = differences(name, options.seed, options.rounds)
        tap.check(f"{name} decides as the oracle on {options.rounds} random traces", found)
        tap.check(f"{name} answers the same input the same", same_after_all(name))
        tap.check(f"{name} breaks no window of streams of equal periods",
                  broken_promises(name, equal_periods=True))
        tap.check(f"{name} is late by one largest unit at most", blocked_too_long(name))
    if "dwcs" in options.schedulers:
        tap.check("dwcs repeats S1 S2 S1 S3 on a full link", sequence("dwcs"))
    if "vds" in options.schedulers:
        tap.check("vds breaks no window of streams of any periods",
                  broken_promises("vds", equal_periods=False))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
