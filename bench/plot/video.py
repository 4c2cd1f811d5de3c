# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runs of scripts/video.sh say, and the targets of figures 4 to 6."""
import statistics

from runs import HEADERS, ratio, read_json

SCHEDULED = ("kernel", "bands", "inproc")
FPS_TARGET = 19.9
GAP_TARGET = 50 + 1.23 + 1  # ms: a period, a packet's time, and the machine's
SPREAD_TARGET = 1 / 20
EXACTNESS = {"kernel": 0.005, "bands": 0.01, "inproc": 0.01}
REST_TARGET = 0.95
# Transfers end this much after the streams, s.
OUTLAST = 1


def flows_of(run):
    return [run, *run["more"]]


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


def read_run(folder, name):
    """What is left of it in the folder; its name is EXPERIMENT.WHO.WHERE, say."""
    experiment, who, _ = name.split(".", 2)
    gaps = [gap for _, gap in gaps_of(folder, name)]
    return {"experiment": experiment, "who": who} | read_json(folder / f"{name}.json") | \
        {"gap_sd_ms": round(statistics.pstdev(gaps), 3) if gaps else None}


def wrong(run, length):
    """What is wrong with a run, if anything."""
    for flow in flows_of(run):
        if flow["frames_sent"] != flow["fps"] * length:
            return f"{flow['frames_sent']} frames were sent"
        if flow["frames_received"] + flow["frames_incomplete"] > flow["frames_sent"]:
            return "more frames came than were sent"
    return wrong_engine(run)


def wrong_engine(run):
    engine = run.get("stream", {}).get("engine")
    if run["who"] in SCHEDULED and engine != run["who"]:
        return f"its engine was {engine}"
    return None


def cost(run):
    """Instructions that all programs and the kernel took, for a packet of the link."""
    if "instructions" not in run:
        return None
    return round(run["instructions"] / run["link_packets"])


def figures_of(run):
    """The numbers of its first stream that tables show."""
    return {
        "least_fps": min(run["fps_bins"]),
        "frames_lost": run["frames_sent"] - run["frames_received"],
        "i_frames_lost": run["i_frames_sent"] - run["i_frames_received"],
        "gap_max_ms": float(run["gap_ms"]["max"]) if run["gap_ms"] else None,
        "gap_sd_ms": run["gap_sd_ms"],
        "delay_p99_ms": float(run["delay_ms"]["p99"]) if run["delay_ms"] else None,
        "queueing_p99_ms": run.get("stream", {}).get("queueing_ms", {}).get("p99"),
        "transferred_mb": round(run["transferred_bytes"] / 1e6, 1),
    }


def off_rate(flow):
    """How far the worst bin is from the stream's rate."""
    return round(max(abs(ratio(fps, flow["fps"]) - 1) for fps in flow["fps_bins"]), 4)


# --- targets -----------------------------------------------------------------


def judge_stream(targets, name, run):
    least = min(run["fps_bins"])
    targets.add(name, "fps, in the worst 5 s", least, f">= {FPS_TARGET}", least >= FPS_TARGET)
    lost = run["i_frames_sent"] - run["i_frames_received"]
    targets.add(name, "I-frames lost", lost, "0", lost == 0)


def judge_gaps(targets, name, run, plain):
    gap = run["gap_ms"]["max"]
    targets.add(name, "largest gap, ms", gap, f"<= {GAP_TARGET:.2f}", gap <= GAP_TARGET)
    if plain and plain["gap_sd_ms"]:
        spread = ratio(run["gap_sd_ms"], plain["gap_sd_ms"])
        targets.add(name, "SD of gaps / unmanaged", spread, f"<= {SPREAD_TARGET}",
                    spread <= SPREAD_TARGET)


def judge_flows(targets, name, run, rate, start, length):
    near = EXACTNESS.get(run["who"], EXACTNESS["kernel"])
    for flow in flows_of(run)[:2]:
        off = off_rate(flow)
        targets.add(name, f"{flow['fps']} fps, off by, in the worst 5 s", off,
                    f"<= {near}", off <= near)
    share = rest(run, rate, start, length)
    targets.add(name, "best effort's part of the rest", share, f">= {REST_TARGET}",
                share >= REST_TARGET)
