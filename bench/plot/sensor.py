# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runs of scripts/sensor.sh say, and what an offline scheduler could do.

The offline scheduler is the EDF of tests/oracle: exact arithmetic, and it knows
of no timers, CPUs or sockets. It has the link to itself ("ideal"), or shares it as
qsockets(7) says with transfers that never pause ("shared"). Ideal is an upper
bound that no scheduler which also serves the transfers can be asked to reach.
"""
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "oracle"))
from runs import BIN, HEADERS, ratio, read_json  # noqa: E402
import oracle  # noqa: E402

OFFLINE = {"ideal": "offline EDF, the link to itself", "shared": "offline EDF, shares"}
PACKET = 1514  # of a transfer
SECOND = 10**9
ORACLE_TARGET = 1.02  # of what it misses


def read_lines(path):
    """The columns of each line, without the heading."""
    return [line.split() for line in path.read_text().splitlines()[1:]]


def unaccounted(folder, name, who):
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
    if who in ("lossy", "kernel") and run["late"]:
        return f"{run['late']} messages were late, the worst by {run['late_ms']['max']} ms"
    if who == "lossless" and run["lost"]:
        return f"{run['lost']} messages were lost"
    return None


def offline(sent, rate, length, busy_from=None):
    """Late and lost messages of the offline scheduler, lossy, in each interval."""
    lines = [f"device {rate}", "stream 0 0 0 0"]
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


def missed(run):
    return run["late"] + run["lost"]


def numbers(run, free):
    """What tables show of a run; the offline scheduler misses so many of its messages, when
    it shares the link."""
    return {"late": run["late"], "lost": run["lost"],
            "percent": round(100 * missed(run) / run["messages"], 2),
            "over_shared": ratio(missed(run), free),
            "worst_ms": float(run["late_ms"].get("max", 0)),
            "transferred_mb": round(run["transferred_bytes"] / 1e6, 1)}


def missed_bins(run):
    return [late + lost for late, lost in zip(run["late_bins"], run["lost_bins"])]
