#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A slow, direct model of the schedulers: reads what qsim(1) reads, prints what
it prints.

It shares no code with the cores and has none of their structures: queues are
lists, the first of some streams is found by looking at all, fractions are
fractions, and what happens n times is done n times.

usage: python3 oracle.py [-l LIMIT] dwcs|vds [FILE]
"""
import sys
from fractions import Fraction

SECOND = 10**9
MICROSECOND = 10**3
HORIZON = 10 * SECOND  # a unit without any period or deadline
FRAME = SECOND  # after that a frame needs no end
ABOVE_ALL = 8  # what must not be dropped; drop priorities are 0 to 7
BE_SHARE = 20  # one byte in so many is for best effort
PACKET = 1514
BE_DUE = PACKET * (BE_SHARE - 1)
BE_MOST = 16 * BE_DUE


class Message:
    def __init__(self, stream, seq, size, deadline=None, fixed=False, prio=0):
        self.stream = stream
        self.seq = seq
        self.size = size
        self.deadline = deadline
        self.fixed = fixed  # not droppable
        self.prio = prio


class Unit:
    def __init__(self, message, now):
        self.messages = [message]
        self.arrival = now  # of the first message; once whole, of the last
        self.place = None  # among all units, by when they were whole
        self.missed = False
        self.fixed = message.fixed  # any of its messages is, lost ones too

    deadline = property(lambda self: self.messages[0].deadline)
    prio = property(lambda self: self.messages[0].prio)


# ---- the schedulers: precedence and windows


class Dwcs:
    """West, Zhang, Schwan, Poellabauer 2004: rules A and B, Table 1."""

    @staticmethod
    def begin(s):
        s.x1, s.y1, s.tag = s.x, s.y, False

    @staticmethod
    def in_time(s):
        if s.y1 > s.x1:
            s.y1 -= 1
        elif s.x1 == s.y1 > 0:
            s.x1 -= 1
            s.y1 -= 1
        if s.x1 == s.y1 == 0 or s.tag:
            Dwcs.begin(s)

    @staticmethod
    def missed(s):
        if s.x1 > 0:
            s.x1 -= 1
            s.y1 -= 1
            if s.x1 == s.y1 == 0:
                Dwcs.begin(s)
        else:
            s.y1 += 1
            s.tag = True
            s.violations += 1

    @staticmethod
    def idle(s):
        pass

    @staticmethod
    def key(s):
        tolerance = Fraction(s.x1, s.y1) if s.y1 else Fraction(0)
        rest = -s.y1 if s.x1 == 0 else s.x1
        return (s.deadline, tolerance, rest, s.place)

    @staticmethod
    def first(ready, _to_miss):
        return min(ready, key=Dwcs.key, default=None)


class Vds:
    """Zhang, West, Qi 2004: virtual deadlines."""

    @staticmethod
    def begin(s):
        s.periods, s.owed = s.y, s.y - s.x

    @staticmethod
    def period_over(s):
        if s.y == 0:
            return
        s.periods -= 1
        if s.periods == 0:
            s.violations += s.owed > 0
            Vds.begin(s)

    @staticmethod
    def in_time(s):
        s.owed = max(s.owed - 1, 0)
        Vds.period_over(s)

    @staticmethod
    def missed(s):
        Vds.period_over(s)

    @staticmethod
    def idle(s):
        """What never came is not owed, once no more may be lost."""
        if 0 < s.owed >= s.periods:
            s.owed -= 1
        Vds.period_over(s)

    @staticmethod
    def key(s):
        if s.owed == 0:
            return (1, s.deadline, s.place)
        period = max(0, s.deadline - s.release)
        virtual = s.release + Fraction(s.periods * period, s.owed)
        return (0, virtual, s.deadline, s.place)

    @staticmethod
    def first(ready, to_miss):
        """The spare are owed nothing; a miss may bring them a new window."""
        spare = [s for s in ready if s.owed == 0 and not s.missed_for_good()]
        late = min(spare, key=Vds.key, default=None)
        if late and to_miss(late):
            return late
        return min(ready, key=Vds.key, default=None)


# ---- streams


class Stream:
    def __init__(self, name, attributes, flags):
        self.name = name
        self.new = attributes  # valid from the next unit's turn
        self.x = self.y = self.period = 0
        self.fixed = "nondroppable" in flags
        self.conserving = "workconserving" in flags
        self.queue = []  # whole units
        self.open = None  # the unit that comes after them, still without an end
        self.in_frame = False
        self.frame_fixed = False  # one of the frame's messages is
        self.lost = False  # to its end, this frame is dropped
        self.turn = False  # the first unit has a release and a deadline
        self.released = False
        self.release = self.deadline = self.place = None
        self.next_period = None
        self.counted = None  # up to then, periods without a unit were counted
        self.next_seq = 0
        self.violations = 0
        self.fates = {"sent": 0, "late": 0, "dropped": 0}

    def queued(self):
        units = self.queue + ([self.open] if self.open else [])
        return sum(len(u.messages) for u in units)

    def may_drop(self, unit):
        return not (self.fixed or unit.fixed)

    def rank(self, unit):
        """Units of a lower one give way to it."""
        return unit.prio if self.may_drop(unit) else ABOVE_ALL

    def missed_for_good(self):
        """The first unit's miss was counted, and it is sent as it is."""
        unit = self.queue[0]
        return unit.missed and (unit.deadline is not None or not self.period)

    def set_deadline(self):
        unit = self.queue[0]
        if unit.deadline is not None:
            self.deadline = min(unit.deadline, unit.arrival + HORIZON)
        else:
            self.deadline = self.release + (self.period or HORIZON)
        self.place = unit.place


class Simulation:
    def __init__(self, scheduler, limit):
        self.rules = scheduler
        self.limit = limit
        self.rate = None
        self.until = None
        self.streams = {}
        self.events = []
        self.besteffort = []
        self.owed = 0
        self.now = 0
        self.wire_free = 0
        self.sending = None  # the stream
        self.rest = []  # what is left of its unit
        self.sending_late = False
        self.places = 0
        self.out = []

    # ---- times, places, lines

    def wire(self, size):
        return -(-size * 8 * SECOND // self.rate)

    def new_place(self):
        self.places += 1
        return self.places

    def tell(self, message, when, fate):
        s = message.stream
        self.out.append(f"{when} {s.name} {message.seq} {fate}")
        s.fates[fate.split("-")[0]] += 1

    # ---- the first unit's turn

    def begin_turn(self, s):
        s.turn = s.released = False
        if s is self.sending:
            return
        if s.queue:
            self.begin_unit(s)
        elif s.open:
            s.turn = True
            s.release = s.open.arrival + FRAME
            s.place = self.new_place()

    def begin_unit(self, s):
        unit = s.queue[0]
        s.turn = True
        fresh = s.new is not None
        if fresh:
            s.x, s.y, period = s.new
            s.period = period * MICROSECOND
            s.new = None
            self.rules.begin(s)
        s.release = unit.arrival
        if s.period and s.next_period is not None:
            s.release = max(s.release, s.next_period)
            while s.counted + s.period <= s.release:
                s.counted += s.period
                if not fresh:
                    self.rules.idle(s)
        s.set_deadline()

    def end_period(self, s):
        s.next_period = s.release + s.period
        s.counted = s.next_period

    # ---- what comes

    def whole(self, s):
        """The open unit has its end."""
        unit, s.open = s.open, None
        unit.arrival = self.now
        unit.place = self.new_place()
        later = [
            i
            for i, u in enumerate(s.queue)
            if unit.deadline is not None
            and u.deadline is not None
            and u.deadline > unit.deadline
        ]
        at = later[0] if later else len(s.queue)
        s.queue.insert(at, unit)
        if len(s.queue) == 1:
            self.begin_turn(s)
        elif at == 0 and s.turn:
            s.set_deadline()

    def send(self, name, size, start=False, end=False, **said):
        s = self.streams[name]
        message = Message(s, s.next_seq, size, **said)
        s.next_seq += 1
        if start:
            s.lost = False
        if s.lost:
            s.in_frame = s.lost = s.in_frame and not end
            self.tell(message, self.now, "dropped-frame")
            return
        if start:
            if s.open:
                self.whole(s)
            s.in_frame, s.frame_fixed = True, False
        if s.in_frame:
            s.frame_fixed = message.fixed = s.frame_fixed or message.fixed
        if end:
            s.in_frame = False
        unit = s.open or Unit(message, self.now)
        unit.fixed = unit.fixed or message.fixed
        if not self.full(s) or self.make_room(s, unit):
            self.take(s, unit, message)
        else:
            self.overflow(s, unit, message)
        if s.open and (not s.in_frame or self.outgrown(s)):
            self.whole(s)

    def take(self, s, unit, message):
        if s.open:
            unit.messages.append(message)
            return
        s.open = unit
        if s.in_frame and not s.queue:
            self.begin_turn(s)

    def full(self, s):
        in_sending = len(self.rest) if self.sending is s else 0
        return s.queued() + in_sending >= self.limit

    def outgrown(self, s):
        """The frame has all the room there is, and must not be given up."""
        return len(s.open.messages) >= self.limit and not s.may_drop(s.open)

    def make_room(self, s, unit):
        """The last one of the lowest units gives way to one above it."""
        lowest = min(map(s.rank, s.queue), default=ABOVE_ALL)
        if lowest >= s.rank(unit):
            return False
        last = [u for u in s.queue if s.rank(u) == lowest][-1]
        was_first = last is s.queue[0]
        s.queue.remove(last)
        for message in last.messages:
            self.tell(message, self.now, "dropped-overflow")
        if was_first:
            self.begin_turn(s)
        return True

    def overflow(self, s, unit, message):
        self.tell(message, self.now, "dropped-overflow")
        if not s.may_drop(unit):
            return
        if s.open:
            for part in unit.messages:
                self.tell(part, self.now, "dropped-frame")
            s.open = None
            if not s.queue:
                s.turn = False
        s.lost = s.in_frame

    # ---- what goes

    def send_part(self):
        s = self.sending
        message = self.rest.pop(0)
        # a debt is paid off by any bytes; credit is for who waits
        most = BE_MOST if self.besteffort else max(self.owed, 0)
        self.owed = min(self.owed + message.size, most)
        self.wire_free = self.now + self.wire(message.size)
        self.tell(message, self.wire_free, "late" if self.sending_late else "sent")
        if not self.rest:
            self.sending = None
            self.end_period(s)
            self.begin_turn(s)

    def send_besteffort(self, due):
        """Only what was sent ahead of streams can be more than it was owed."""
        size = self.besteffort.pop(0)
        left = self.owed - size * (BE_SHARE - 1)
        self.owed = left if due else max(left, min(self.owed, 0))
        self.wire_free = self.now + self.wire(size)

    def send_unit(self, s):
        unit = s.queue.pop(0)
        s.turn = False
        self.sending = s
        self.rest = unit.messages
        self.sending_late = unit.missed
        self.send_part()

    def end_of(self, s):
        return self.now + self.wire(sum(m.size for m in s.queue[0].messages))

    def to_miss(self, s):
        """The first unit would be late, and its miss is still to be counted."""
        return self.end_of(s) > s.deadline and not s.missed_for_good()

    def miss(self, s):
        unit = s.queue[0]
        if s.may_drop(unit):
            self.rules.missed(s)
            s.queue.pop(0)
            for message in unit.messages:
                self.tell(message, self.now, "dropped-late")
            self.end_period(s)
            self.begin_turn(s)
            self.release()
            return
        unit.missed = True
        self.rules.missed(s)
        while unit.deadline is None and s.period:
            s.release += s.period
            s.deadline += s.period
            if self.end_of(s) <= s.deadline:
                break
            self.rules.missed(s)

    def release(self):
        """Who is released by now; a frame without an end gets one."""
        waiting = [s for s in self.streams.values() if s.turn and not s.released]
        waiting.sort(key=lambda s: (s.conserving and bool(s.queue), s.release, s.place))
        for s in waiting:
            if s.release > self.now:
                continue
            if s.queue:
                s.released = True
                continue
            s.in_frame = False
            self.whole(s)
            if s.turn and s.release <= self.now:
                s.released = True

    def choose(self):
        """Starts a unit of the first stream, misses what must be missed."""
        while True:
            ready = [s for s in self.streams.values() if s.turn and s.released]
            s = self.rules.first(ready, self.to_miss)
            if s is None:
                return False
            if self.to_miss(s):
                self.miss(s)
                continue
            if self.end_of(s) <= s.deadline:
                self.rules.in_time(s)
            self.send_unit(s)
            return True

    def ahead(self):
        """Idle time: a stream that may use it is released now."""
        waiting = [
            s
            for s in self.streams.values()
            if s.turn and not s.released and s.conserving and s.queue
        ]
        if not waiting:
            return False
        s = min(waiting, key=lambda s: (s.release, s.place))
        s.release = self.now
        s.released = True
        return True

    def decide(self):
        """Sends something now, or returns when there may be more to do."""
        if self.sending:
            return self.send_part()
        self.release()
        if self.besteffort and self.owed > BE_DUE:
            return self.send_besteffort(due=True)
        if self.choose():
            return None
        if self.besteffort:
            return self.send_besteffort(due=False)
        while self.ahead():
            if self.choose():
                return None
        return min((s.release for s in self.streams.values() if s.turn), default=None)

    # ---- time

    def happen(self, what, args):
        if what == "besteffort":
            self.besteffort.append(args[0])
        elif what == "change":
            self.streams[args[0]].new = args[1:]
        elif what == "backlog":
            for _ in range(args[2]):
                self.send(args[0], args[1])
        else:
            self.send(args[0], args[1], **args[2])

    def run(self):
        self.events.sort(key=lambda e: e[0])
        events = [e for e in self.events if self.until is None or e[0] < self.until]
        while self.until is None or self.now < self.until or self.sending:
            while events and events[0][0] == self.now:
                self.happen(*events.pop(0)[1:])
            then = self.wire_free
            if then <= self.now:
                then = self.decide()
                if self.wire_free > self.now:
                    then = self.wire_free
            times = [t for t in (then, events[0][0] if events else None) if t is not None]
            if not times:
                break
            self.now = min(times)

    def lines(self):
        yield from self.out
        for s in self.streams.values():
            fates = " ".join(f"{fate} {n}" for fate, n in s.fates.items())
            yield f"stream {s.name} {fates} violations {s.violations}"

    # ---- what is read

    def read(self, line):
        words = line.split("#")[0].split()
        if not words:
            return
        at, what, args = 0, words[0], words[1:]
        if what == "at":
            at, what, args = int(words[1]), words[2], words[3:]
        if what == "device":
            self.rate = int(args[0])
        elif what == "until":
            self.until = int(args[0])
        elif what == "stream":
            x, y, ipg = map(int, args[1:4])
            self.streams[int(args[0])] = s = Stream(args[0], (x, y, ipg), args[4:])
            self.rules.begin(s)
        elif what == "send":
            options = {}
            for word in args[2:]:
                name, _, value = word.partition("=")
                if name == "deadline":
                    options[name] = int(value) or None
                elif name == "prio":
                    options[name] = int(value)
                elif name == "nondroppable":
                    options["fixed"] = True
                elif name in ("start", "end"):
                    options[name] = True
            self.events.append((at, what, [int(args[0]), int(args[1]), options]))
        else:
            self.events.append((at, what, [int(word) for word in args]))


SCHEDULERS = {"dwcs": Dwcs, "vds": Vds}


def simulate(scheduler, lines, limit=None):
    simulation = Simulation(SCHEDULERS[scheduler], limit or float("inf"))
    for line in lines:
        simulation.read(line)
    simulation.run()
    return simulation


def main(args):
    limit = None
    if args[:1] == ["-l"]:
        limit = int(args[1])
        args = args[2:]
    lines = open(args[1], encoding="ascii") if len(args) > 1 else sys.stdin
    for line in simulate(args[0], lines, limit).lines():
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
