# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random traces for the schedulers, the same for the same seed.

Half of them are even: one size, times of whole slots, so that many things
happen at once. The others have any sizes and times.
"""
import random

RATE = 8_000_000  # bit/s: 1000 bytes take 1 ms
SLOT = 1_000_000  # ns
SIZE = 1000
LIMIT = 64  # messages that a stream may queue, of a timed trace

# What a trace is about; one may be about several.
TOPICS = ("lossless", "lossy", "deadlines", "frames", "changes", "besteffort",
          "gaps", "backlog", "conserving", "limit")


class Trace:
    slot = SLOT
    full = False  # one stream's queue almost is, from the beginning
    timed = False  # by a clock that is not quite exact, so nothing is at once

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.topics = {t for t in TOPICS if self.r.random() < 0.4}
        self.even = self.r.random() < 0.5 and not self.timed
        self.edf = self.r.random() < 0.15
        self.huge = self.r.random() < 0.1 and not self.timed  # numbers as large as they may be
        self.load = self.r.choice((50, 75, 100, 150, 250))  # percent
        self.priorities = not self.timed and self.coin(0.4)
        self.long = not self.timed and self.coin(0.4)  # frames, also longer than the limit
        self.limit = None
        if self.priorities or "limit" in self.topics:
            self.limit = self.r.randint(1, 12 if self.timed else self.r.choice((3, 12)))
            if self.long:
                self.topics.add("frames")
        self.lines = [f"device {RATE * SLOT // self.slot}"]
        self.now = 0
        self.ids = []
        self.framed = set()
        self.write()

    def coin(self, chance):
        return self.r.random() < chance

    def about(self, topic, chance):
        return topic in self.topics and self.coin(chance)

    def size(self):
        return SIZE if self.even else self.r.randint(60, 1514)

    def besteffort_size(self):
        """Now and then one that segmentation offload would have made."""
        many = 1 if self.timed or not self.coin(0.1) else self.r.randint(2, 40)
        return many * self.size()

    def attributes(self):
        old = self.r.randint(0, 6)
        oln = self.r.randint(0, old)
        ipg = self.r.randint(0 if self.coin(0.3) else 1, 8) * self.slot // 1000
        if self.edf:
            return "0 0 0"
        if self.huge:
            old = self.r.choice((2**32 - 1, self.r.randint(1, 2**32 - 1), 2))
            oln = self.r.choice((0, old - 1, self.r.randint(0, old)))
            return f"{oln} {old} {self.r.randint(2**31, 2**32 - 1)}"
        if ipg and not self.even:
            ipg += self.r.randint(0, self.slot // 1000 - 1)
        return f"{oln} {old} {ipg}"

    def stream(self):
        name = self.r.choice((len(self.ids), self.r.randint(100, 2**40)))
        flags = ""
        if "lossy" not in self.topics and self.about("lossless", 0.6):
            flags += " nondroppable"
        if self.about("conserving", 0.5):
            flags += " workconserving"
        self.lines.append(f"stream {name} {self.attributes()}{flags}")
        self.ids.append(name)

    def deadline(self):
        if not (self.edf or self.about("deadlines", 0.7)):
            return ""
        step = self.slot if self.even else 1000
        kind = self.r.randint(0, 9)
        if kind == 0:
            when = max(1, self.now - self.r.randint(0, 5) * self.slot)
        elif kind == 1:
            when = self.now + 3600 * 10**9
        else:
            when = self.now + self.r.randint(0, 20 * self.slot // step) * step
        return f" deadline={when}"

    def end_of_frame(self):
        if self.long and self.limit and self.coin(0.8):
            return 1 / (1 + 2 * self.limit)
        return 0.4

    def fixed(self, name):
        if self.about("lossless", 0.15):
            return True
        return self.long and name in self.framed and self.coin(self.r.choice((0.05, 0.5)))

    def prio(self):
        if self.priorities:
            chance, most = 0.85, self.r.choice((2, 7))
        else:
            chance, most = 0.5 if self.full else 0.1, 7
        return f" prio={self.r.randint(0, most)}" if self.coin(chance) else ""

    def send(self, name):
        mark = ""
        if "frames" in self.topics:
            if name in self.framed:
                if self.coin(self.end_of_frame()):
                    mark = " end"
                    self.framed.discard(name)
            elif self.coin(0.3):
                mark = " start"
                self.framed.add(name)
            if self.coin(0.04):  # a wrong one
                mark = self.r.choice((" start", " end", " start end", ""))
        fixed = " nondroppable" if self.fixed(name) else ""
        prio = self.prio()
        self.lines.append(f"at {self.now} send {name} {self.size()}"
                          f"{self.deadline()}{prio}{fixed}{mark}")

    def pause(self):
        mean = self.slot * 100 // self.load
        if self.coin(0.4):
            gap = 0
        else:
            gap = self.r.randint(0, 10 * mean // 3)
        if self.about("gaps", 0.1):
            gap += self.r.randint(5, 60) * self.slot
        if self.huge and self.coin(0.5):
            gap += self.r.randint(0, 10 * 2**32 * 1000)
        if "frames" in self.topics and self.coin(0.01):
            gap += (10_000 if self.timed else self.r.choice((900, 1000, 10_000))) * SLOT
        self.now += gap // self.slot * self.slot if self.even else gap

    def backlog(self):
        return self.r.randint(0, 25)

    def write(self):
        for _ in range(self.r.randint(1, 6)):
            self.stream()
        self.ids = list(dict.fromkeys(self.ids))
        for name in self.ids:
            if self.about("backlog", 0.6):
                self.lines.append(f"backlog {name} {self.size()} {self.backlog()}")
        for _ in range(self.r.randint(5, 70)):
            name = self.r.choice(self.ids)
            if self.about("changes", 0.1):
                self.lines.append(f"at {self.now} change {name} {self.attributes()}")
            if self.about("besteffort", 0.5):
                self.lines.append(f"at {self.now} besteffort {self.besteffort_size()}")
            if self.about("backlog", 0.02):
                self.lines.append(f"backlog {name} {self.size()} {self.r.randint(0, 9)}")
            self.send(name)
            self.pause()
        if self.coin(0.2) and not self.timed:
            self.lines.append(f"until {self.r.randint(0, self.now + 20 * self.slot)}")

    def text(self):
        return "\n".join(self.lines) + "\n"


class TimedTrace(Trace):
    """A trace for the kernel: slow, and of no more messages than a queue of
    four times the limit holds."""
    slot = 200 * SLOT
    timed = True

    def __init__(self, seed):
        super().__init__(seed)
        self.limit = LIMIT

    def backlog(self):
        """About "limit", one has about as many as may be queued."""
        if "limit" in self.topics and not self.full:
            self.full = True
            return self.r.randint(LIMIT - 8, LIMIT + 8)
        return self.r.randint(0, 12)


def events(text):
    """(time, words) of a trace's events, in order."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if words[0] == "at":
            found.append((int(words[1]), words[2:]))
        elif words[0] == "backlog":
            found += [(0, ["send"] + words[1:3])] * int(words[3])
    return sorted(found, key=lambda event: event[0])


def shaken(text, seed, early, most):
    """The same trace an hour later, as an inexact clock has it: the wire is
    busy when it begins, and all things happen up to `most` ns late, those of
    time 0 one after the other up to `early` ns early, in the same order."""
    r = random.Random(seed)
    begin = 3600 * 10**9
    all_events = events(text)
    at_once = sum(when == 0 for when, _ in all_events)
    until, since = sorted((r.randint(0, early), r.randint(0, early)))
    lines = [line for line in text.splitlines() if line.startswith(("device", "stream"))]
    busy = SIZE * 8 * 10**9 // int(lines[0].split()[1])
    lines.append(f"at {begin - busy + r.randint(0, most)} besteffort {SIZE}")
    last = 0
    for k, (when, words) in enumerate(all_events):
        if when:
            last = max(last, begin + when + r.randint(0, most))
        else:
            last = begin - since + (since - until) * k // at_once
        words = [f"deadline={begin + int(word[9:])}" if word.startswith("deadline=") else word
                 for word in words]
        lines.append(" ".join(["at", str(last)] + words))
    return "\n".join(lines) + "\n"


def random_set(r, equal_periods):
    """Streams (x, y, T) of unit time 1 that need at most the whole link."""
    while True:
        period = r.randint(1, 8)
        chosen = []
        free = 1.0
        for _ in range(r.choice((3, 6, 40))):  # the last fills the link
            y = r.randint(1, 6)
            x = r.randint(0, y)
            t = period if equal_periods else r.randint(1, 8)
            need = (1 - x / y) / t
            if need <= free + 1e-12:
                free -= need
                chosen.append((x, y, t))
        if len(chosen) > 1:
            return chosen


def backlogged(streams, slots):
    """A trace in which all of them always have something to send."""
    lines = [f"device {RATE}", f"until {slots * SLOT}"]
    for i, (x, y, t) in enumerate(streams):
        lines.append(f"stream {i} {x} {y} {t * SLOT // 1000}")
        lines.append(f"backlog {i} {SIZE} {slots // t + 2}")
    return "\n".join(lines) + "\n"


def full_edf(r, slots=300):
    """Lossless streams of unequal sizes that need the whole link or almost so:
    the trace, each stream's deadlines, and the time of the largest unit."""
    lines = [f"device {RATE}"]
    deadlines = []
    free = SLOT
    largest = 0
    for i in range(r.randint(2, 6)):
        period = r.randint(2, 30) * SLOT
        size = min(60_000, free * period // SLOT // 1000, r.randint(1, period // 1500))
        if size == 0:
            break
        free -= -(-size * 1000 * SLOT // period)
        largest = max(largest, size * 1000)
        lines.append(f"stream {i} 0 0 0 nondroppable")
        times = range(0, slots * SLOT, period)
        deadlines.append([t + period for t in times])
        lines += [f"at {t} send {i} {size} deadline={t + period}" for t in times]
    return "\n".join(lines) + "\n", deadlines, largest
