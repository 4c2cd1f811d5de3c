#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What could be decoded of the streams of bench/mpeg.sh.

mpeg.py DIR RATE TRANSFERS LENGTH FPS
    of the runs in DIR become DIR.json, DIR-{fig4,heavy,over}.dat (for mpeg.gp), and a
    table on standard output; the other arguments say how the runs were made

What the receiver recorded goes to an ffmpeg as a player would pass it on that is
LIMIT behind: a datagram that came later than that does not exist. The clock is the
stream's own (DTS), and begins with the datagram that had least delay.

A frame is decodable if ffmpeg makes of what came the same picture, to the bit, as of
the stream without losses. The PSNR is that of ffmpeg's filter, of each frame of the
original: where there is no picture of that time, the last one before is still shown.

Status 1: a wrong result.
"""
import bisect
import json
import os
import pathlib
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
from runs import BIN, print_commands, read_json, write_columns  # noqa: E402

LIMIT = 1.0  # s
TS_PACKET = 188
CLOCK = 90000  # of time stamps, Hz
TYPES = "?IPB"  # by picture_coding_type
WHO = {"encoded": "no loss", "marked": "QSockets, pictures marked", "kernel": "QSockets",
       "cake": "cake", "fq_codel": "fq_codel",
       "plain": "tbf, 50 ms", "bands": "QSockets, bands"}
ENGINES = {"kernel": "kernel", "bands": "bands", "marked": "kernel"}


# --- the transport stream (ISO 13818-1) -------------------------------------------


def stamp(data):
    """A PTS or DTS of five bytes."""
    return ((data[0] >> 1 & 7) << 30 | data[1] << 22 | data[2] >> 1 << 15 | data[3] << 7
            | data[4] >> 1)


def type_of(stream, begin, end):
    """Of a picture (13818-2), by the first header that says so."""
    at = stream.find(b"\0\0\1\0", begin, end)
    return TYPES[stream[at + 5] >> 3 & 3] if at >= 0 else TYPES[0]


def pictures(stream):
    """Of each picture, as they are sent: its first byte, its end, its DTS, and its PTS."""
    found = []
    video = None
    for at in range(0, len(stream), TS_PACKET):
        pid = (stream[at + 1] & 0x1f) << 8 | stream[at + 2]
        payload = at + 4 + (stream[at + 4] + 1 if stream[at + 3] & 0x20 else 0)
        if stream[at + 1] & 0x40 and stream[payload:payload + 3] == b"\0\0\1" \
                and stream[payload + 3] & 0xf0 == 0xe0:
            video = pid
            has_dts = stream[payload + 7] & 0x40
            pts = stamp(stream[payload + 9:payload + 14])
            dts = stamp(stream[payload + 14:payload + 19]) if has_dts else pts
            found.append([at, at, dts, pts])
        if pid == video:
            found[-1][1] = at + TS_PACKET
    return found


def datagrams(folder, name, stream):
    """Of each that came: when, where in the stream it begins, and its length."""
    received = (folder / f"{name}.received").read_bytes()
    begin = expected = 0
    for line in (folder / f"{name}.trace").read_text().splitlines():
        arrival, length = line.split()
        data = received[begin:begin + int(length)]
        begin += len(data)
        at = stream.find(data, expected)
        if at < 0:  # it was overtaken
            at = stream.find(data, 0, expected)
        if at < 0:
            raise ValueError(f"{name}: what came is not what was sent")
        yield float(arrival), at, len(data)
        expected = max(expected, at + len(data))


def play(folder, name, stream):
    """Writes what the player takes; returns the counts, and each picture's delay, s."""
    frames = pictures(stream)
    starts = [frame[0] for frame in frames]
    came = []
    for arrival, at, length in datagrams(folder, name, stream):
        frame = max(bisect.bisect_left(starts, at + length) - 1, 0)
        came.append((arrival - frames[frame][2] / CLOCK, at, length, frame))
    least = min(delay for delay, *_ in came)
    missing = [end - start for start, end, *_ in frames]
    delays = [0.0] * len(frames)
    taken = 0
    with open(folder / f"{name}.played", "wb") as file:
        for delay, at, length, frame in came:
            delays[frame] = max(delays[frame], delay - least)
            missing[frame] -= min(at + length, frames[frame][1]) - max(at, frames[frame][0])
            if delay - least <= LIMIT:
                file.write(stream[at:at + length])
                taken += length
    whole = [delay for delay, left in zip(delays, missing) if left <= 0]
    seen = [left <= 0 and delay <= LIMIT for delay, left in zip(delays, missing)]
    types = [type_of(stream, begin, end) for begin, end, *_ in frames]
    received = sum(length for _, _, length, _ in came)
    return {"frames_sent": len(frames), "bytes_sent": len(stream), "bytes_received": received,
            "bytes_late": received - taken, "frames_whole": len(whole),
            "frames_whole_late": sum(delay > LIMIT for delay in whole),
            "missed": {kind: sum(a == kind and not b for a, b in zip(types, seen))
                       for kind in TYPES[1:]},
            "delay_ms": spread(whole)}


def spread(values):
    if not values:
        return {}
    ordered = sorted(values)
    return {"p50": round(1000 * ordered[len(ordered) // 2], 1),
            "p99": round(1000 * ordered[(len(ordered) * 99 - 1) // 100], 1),
            "max": round(1000 * ordered[-1], 1)}


# --- decoding -----------------------------------------------------------------------


def decode(source, video, first):
    """The pictures by their time, and the PSNR of each frame of the original, which
    begins at `first` of the video's time."""
    hashes, stats = video.with_suffix(".md5"), video.with_suffix(".psnr")
    graph = (f"[0:v]setpts=PTS-{first},split[a][b];[1:v]format=yuv420p[o];"
             f"[o][b]psnr=stats_file={stats}[p]")
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "fatal", "-y", "-copyts",
         "-i", video, "-f", "lavfi", "-i", source, "-filter_complex", graph,
         "-map", "[p]", "-f", "null", "-",
         "-map", "[a]", "-fps_mode", "passthrough", "-f", "framemd5", hashes], check=False)
    if done.returncode:
        raise ValueError(f"ffmpeg could not decode {video}: its words are above")
    rows = [line.split(",") for line in hashes.read_text().splitlines()
            if not line.startswith("#")]
    shown = {int(row[2]): row[5].strip() for row in rows}
    values = [dict(pair.split(":") for pair in line.split())
              for line in stats.read_text().splitlines()]
    return shown, [float(value["psnr_avg"]) for value in values]


def bins(values, fps, length):
    return [statistics.fmean(values[at:at + BIN * fps]) for at in range(0, length * fps, BIN * fps)]


class Stream:
    """What was sent, and what is made of it where nothing is lost."""

    def __init__(self, folder, name, fps, length):
        path = folder / f"{name}.stream"
        self.fps, self.length = fps, length
        self.source = (folder / f"{name}.source").read_text().strip()
        self.data = path.read_bytes()
        self.first = min(pts for *_, pts in pictures(self.data))
        shown, psnr = decode(self.source, path, self.first)
        self.shown = [shown[time] for time in sorted(shown)]
        self.times = sorted(shown)
        self.result = self.seen(shown, psnr) | {
            "who": "encoded", "mbit": round(8 * len(self.data) / length / 1e6, 3)}

    def seen(self, shown, psnr):
        same = [float(shown.get(time) == picture) for time, picture in zip(self.times, self.shown)]
        if len(psnr) != self.length * self.fps:
            raise ValueError(f"{len(psnr)} frames were compared")
        return {"decodable": int(sum(same)),
                "pictures": len(shown),
                "decodable_bins": [round(self.fps * value, 2)
                                   for value in bins(same, self.fps, self.length)],
                "psnr_db": round(statistics.fmean(psnr), 2),
                "psnr_bins": [round(value, 2) for value in bins(psnr, self.fps, self.length)]}

    def judge(self, folder, name):
        result = play(folder, name, self.data)
        return result | self.seen(*decode(self.source, folder / f"{name}.played", self.first))


# --- all runs -----------------------------------------------------------------------


def read_runs(folder, fps, length):
    """By experiment, by name; first the stream where nothing is lost."""
    streams, found = {}, {}
    for path in sorted(folder.glob("*.*.*.json")):
        if path.name.endswith(".stream.json"):
            continue
        experiment, who, seed = path.stem.split(".")
        key = f"{experiment}.{seed}"
        if key not in streams:
            print(f"  decoding {key}, as sent", flush=True)
            streams[key] = Stream(folder, key, fps, length)
            found.setdefault(experiment, {})[f"{experiment}.encoded.{seed}"] = streams[key].result
        print(f"  decoding {path.stem}", flush=True)
        found[experiment][path.stem] = {"who": who, "seed": int(seed)} | read_json(path) | \
            streams[key].judge(folder, path.stem)
    return found


def of_who(runs):
    """Who schedules, and their runs, in the order of WHO."""
    return {who: [run for run in runs.values() if run["who"] == who]
            for who in WHO if any(run["who"] == who for run in runs.values())}


def middle(runs, value):
    """The median, and from where to where if there are several runs."""
    values = [value(run) for run in runs if value(run) is not None]
    if not values:
        return "-"
    text = f"{statistics.median(values):.10g}"
    return text if len(values) == 1 else f"{text} ({min(values):.10g}-{max(values):.10g})"


COLUMNS = (
    ("decodable", lambda run: run["decodable"]),
    ("whole", lambda run: run["frames_whole"] - run["frames_whole_late"]
     if "frames_whole" in run else None),
    ("missed I", lambda run: run["missed"]["I"] if "missed" in run else None),
    ("P", lambda run: run["missed"]["P"] if "missed" in run else None),
    ("B", lambda run: run["missed"]["B"] if "missed" in run else None),
    ("PSNR dB", lambda run: run["psnr_db"]),
    ("least dB", lambda run: min(run["psnr_bins"])),
    ("lost %", lambda run: percent(run, run.get("bytes_sent", 0) - run.get("bytes_received", 0))),
    ("late %", lambda run: percent(run, run.get("bytes_late", 0))),
    ("delay p99", lambda run: run.get("delay_ms", {}).get("p99")),
    ("delay max", lambda run: run.get("delay_ms", {}).get("max")),
    ("link MB", lambda run: round(run["link_bytes"] / 1e6, 1) if "link_bytes" in run else None),
    ("FTP MB", lambda run: round(run["transferred_bytes"] / 1e6, 1)
     if "transferred_bytes" in run else None),
)


def percent(run, part):
    return round(100 * part / run["bytes_sent"], 2) if "bytes_sent" in run else None


def print_table(experiment, runs, frames):
    some = of_who(runs)
    print(f"\n{experiment}: of {frames} frames, those that could be decoded, those of which"
          f" all came in time,\nand those of each type that did not; the PSNR of all and in the worst {BIN} s; bytes lost and later"
          f" than {LIMIT:g} s; delays of whole frames, ms\n")
    rows = [["", *(heading for heading, _ in COLUMNS)]]
    rows += [[who, *(middle(group, value) for _, value in COLUMNS)]
             for who, group in some.items()]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.rjust(width) if number else cell.ljust(width)
                        for number, (cell, width) in enumerate(zip(row, widths))))


def ratios(experiment, runs):
    """Decodable frames of the managed stream beside everybody else's."""
    some = {who: statistics.median(run["decodable"] for run in group)
            for who, group in of_who(runs).items()}
    result, mine = {}, ours(experiment)
    for who, frames in some.items():
        if who in (mine, "encoded") or mine not in some:
            continue
        result[who] = round(some[mine] / frames, 3) if frames else None
        print(f"{experiment}: decodable, {mine} / {who}: {some[mine]:g} / {frames:g} = "
              f"{result[who]}")
    return result


def mean_bins(group, key):
    return [round(statistics.fmean(values), 2) for values in zip(*(run[key] for run in group))]


def ours(experiment):
    """Who of us is compared: the one who knows the pictures, where that is asked for."""
    return "marked" if experiment == "over" else "kernel"


def wrong(experiment, run):
    """What is wrong with a run, if anything."""
    if run["who"] in ENGINES:
        said = run["marked"] if run["who"] == "marked" else run
        engine = said.get("stream", {}).get("engine")
        if engine != ENGINES[run["who"]]:
            return f"its engine was {engine}"
        if run["who"] == "marked" and run["missed"]["I"]:
            return f"{run['missed']['I']} I-pictures did not come"
        if experiment != "over" and run["decodable"] != run["frames_sent"]:
            return f"{run['decodable']} of {run['frames_sent']} frames could be decoded"
    if run["decodable"] > run["frames_whole"]:
        return "more could be decoded than came"
    return None


def figures(folder, rate, transfers, length, fps):
    found = read_runs(folder, fps, length)
    table = {}
    for experiment, runs in found.items():
        for name, run in runs.items():
            if "commands" in run:
                print_commands(name, run)
        write_columns(f"{folder}-{experiment}.dat",
                      {WHO[who]: mean_bins(group, "psnr_bins")
                       for who, group in of_who(runs).items()})
    for experiment, runs in found.items():
        print_table(experiment, runs, fps * length)
    print()
    for experiment, runs in found.items():
        table[experiment] = ratios(experiment, runs)
    made = [run for runs in found.values() for run in runs.values() if "commands" in run]
    folder.with_suffix(".json").write_text(json.dumps(
        {"figure": "mpeg", "command": "make bench BENCH=mpeg",
         "commit": os.environ.get("QS_COMMIT", "unknown"),
         "kernel": ", ".join(sorted({run["kernel"] for run in made})), "engine": "kernel",
         "seeds": sorted({run["seed"] for run in made}), "rate": rate,
         "bin_seconds": BIN, "transfers_at_once": transfers, "seconds": length, "fps": fps,
         "late_after_s": LIMIT, "decodable_ours_over": table, "runs": found}, indent=2) + "\n")
    return found


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    try:
        found = figures(folder, sys.argv[2], *map(int, sys.argv[3:]))
    except ValueError as error:
        sys.exit(f"WRONG: {error}")
    faults = {name: wrong(experiment, run) for experiment, runs in found.items()
              for name, run in runs.items() if "commands" in run}
    for name, why in faults.items():
        if why:
            print(f"WRONG: {name}: {why}")
    sys.exit(any(faults.values()))


main()
