#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel decides as the simulator does: the same random traces through
sockets, classifier and qdisc, and through qsim. The orders in which messages
are sent are equal, and so are all counters.

A trace is used only if a clock that is off by MOST decides the same in the
simulator; the guest's time is deterministic, so its clock is better.

icount: 1
timeout: 600
"""
import collections
import itertools
import os
import re
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "oracle"))
sys.dont_write_bytecode = True
import compare  # noqa: E402
import oracle  # noqa: E402
import traces  # noqa: E402

REPLAY = os.path.join(compare.BUILD, "tests", "netns", "support", "replay")
EARLY = 3_000_000  # ns, a little more than replay's for what comes at time 0
MOST = 400_000  # ns, of a message's time on the wire of up to 300 ms
SHAKES = 8
TRACES = 12  # for each scheduler
LEAST = 20  # messages that are sent
COUNTERS = ("sent_units", "late_units", "dropped_late", "dropped_frame", "dropped_overflow",
            "violations")
KINDS = traces.TOPICS + COUNTERS + ("edf", "prio")


def simulated(scheduler, text):
    """Every fate without its time, then the totals."""
    lines = compare.qsim(scheduler, text, traces.LIMIT, info=True)
    return [line.split(maxsplit=1)[1] if line[0].isdigit() else line for line in lines]


def first_come(text):
    """The messages in the order in which they come."""
    count = collections.Counter()
    for _, words in traces.events(text):
        if words[0] == "send":
            yield f"{words[1]} {count[words[1]]}"
            count[words[1]] += 1


class Example:
    """A trace and what replay should print of it."""

    def __init__(self, scheduler, seed):
        trace = traces.TimedTrace(seed)
        self.scheduler = scheduler
        self.name = f"{scheduler}.{seed}"
        self.text = trace.text()
        self.lines = simulated(scheduler, self.text)
        self.order = [line.rsplit(maxsplit=1)[0] for line in self.lines
                      if line.endswith((" sent", " late"))]
        self.info = [line for line in self.lines if line.startswith("info")]
        self.kinds = sorted(trace.topics) + self.outcomes()
        self.kinds += ["edf"] * trace.edf + ["prio"] * self.has_priorities()

    def outcomes(self):
        """The counters that count something."""
        words = [line.split() for line in self.info]
        return [name for k, name in enumerate(COUNTERS)
                if any(int(word[2 * k + 3]) for word in words)]

    def has_priorities(self):
        """Do they change anything?"""
        if "dropped_overflow" not in self.kinds:
            return False
        return simulated(self.scheduler, re.sub(" prio=[0-7]", "", self.text)) != self.lines

    def says_something(self):
        come = [message for message in first_come(self.text) if message in self.order]
        return len(self.order) >= LEAST and self.order != come

    def is_clear(self):
        return all(simulated(self.scheduler, traces.shaken(self.text, k, EARLY, MOST)) == self.lines
                   for k in range(SHAKES))


def choose(scheduler, seed):
    """Examples of every kind: two at least of each, and TRACES in all."""
    missing = collections.Counter({kind: 2 for kind in KINDS})
    chosen = []
    while +missing or len(chosen) < TRACES:
        seed += 1
        one = Example(scheduler, seed)
        new = [kind for kind in one.kinds if missing[kind] > 0]
        if (new or not +missing) and one.says_something() and one.is_clear():
            missing.subtract(new)
            chosen.append(one)
    return chosen


def path(one):
    return os.path.join(os.environ["TMPDIR"], one.name)


def replayed(scheduler, chosen):
    """What replay prints of each."""
    for one in chosen:
        with open(path(one), "w", encoding="ascii") as out:
            out.write(one.text)
    command = [REPLAY, scheduler] + [path(one) for one in chosen]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found = {}
    for line in done.stdout.decode().splitlines():
        if line.startswith("trace "):
            lines = found[line.split()[1]] = []
        else:
            lines.append(line)
    return [found[path(one)] for one in chosen]


def differences(one, found):
    *found, tardy = found
    for k, (kernel, simulator) in enumerate(itertools.zip_longest(found, one.order + one.info)):
        if kernel != simulator:
            return [f"line {k + 1}: the kernel {kernel}, the simulator {simulator}",
                    f"of the sender: {tardy} ns; the trace:", *one.text.splitlines()]
    return []


def main():
    tap = compare.Tap()
    for k, scheduler in enumerate(oracle.SCHEDULERS):
        chosen = choose(scheduler, 700 * k)
        for one, found in zip(chosen, replayed(scheduler, chosen)):
            tap.check(f"{one.name}: {', '.join(one.kinds)}", differences(one, found))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
