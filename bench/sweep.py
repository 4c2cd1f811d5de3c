#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A sweep over the load that streams offer, under qsim's virtual clock.

sweep.py [--json FILE]
    tables on standard output, all runs in FILE, and what bench/plot/sweep.gp draws
    in FILE's .dat; QS_QUICK=1 makes one rate, two numbers of streams, three loads

Sets of streams of four kinds. In "equal" and "mixed" all units have one size, all
streams begin at once and periods are whole numbers of units' times: there the theory
of the schedulers holds, for dwcs if periods are equal. In "any" each stream
has a size, a period and a phase of its own; no period is below two largest units' times.
In "short" it may be: a unit that is being sent is not interrupted, so who has to wait for a
large one misses some periods in any case.

Each set is run without any tolerance ("strict") and with windows of which the link can
keep all (U <= 1, "windows"), and late units are dropped; and, up to a full link, both ways
with all units sent, late or not ("lossless").

Beside: the oracle's EDF (tests/oracle, exact arithmetic, another language), which knows
nothing but deadlines and drops what is late. For units of one size and whole times no
schedule loses fewer. And the oracle's own dwcs and vds have to print what qsim does.

Status 1: a wrong result. A target that is missed is said, and is no error.
"""
import argparse
import json
import multiprocessing
import os
import pathlib
import platform
import random
import subprocess
import sys
from fractions import Fraction

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "oracle"))
import oracle  # noqa: E402

QSIM = pathlib.Path(os.environ.get("QS_BUILD", ROOT / "build")) / "sim" / "qsim"
QUICK = bool(os.environ.get("QS_QUICK"))

SCHEDULERS = ("dwcs", "vds")
KINDS = ("equal", "mixed", "any", "short")
RATES = (10,) if QUICK else (10, 100)  # Mbit/s
COUNTS = (4, 16) if QUICK else (4, 8, 16, 32, 64)
LOADS = (80, 100, 130) if QUICK else tuple(range(50, 151, 10))  # percent of the link
SEEDS = int(os.environ.get("QS_SEEDS", 1 if QUICK else 3))
UNITS = 600 if QUICK else 3000  # of a run, about
SIZE = 1250  # bytes: 1 ms at 10 Mbit/s
LARGEST, SMALLEST = 1514, 200  # of "any"
NEAR = 5  # percent that a load may be off
CHECKED = 8  # streams up to which the oracle runs all of it

FAMILIES = ("strict", "strict, lossless", "windows", "windows, lossless")
ADMITTED = 95  # percent of the link that qreserve() lets have by default

FULL = 100.001  # percent; what is more is an overload
LATE_MS = 1  # p99.9 of lateness: one largest unit's time and this
LOSS_TARGET = 1.05  # of EDF's


class Stream:
    def __init__(self, period, phase, sizes):
        self.period = period  # us
        self.phase = phase  # us
        self.sizes = sizes  # of its units
        self.x, self.y = 0, 1

    def share(self, rate):
        """Of the link; rate in bit/us."""
        return Fraction(8 * sum(self.sizes), len(self.sizes) * rate * self.period)


# ---- sets


def periods_equal(_, count, load):
    return [max(1, round(100 * count / load))] * count


def periods_mixed(r, count, load):
    """Whole numbers, between 1 and about 8 of the least, whose load is the nearest."""
    best = None
    for _ in range(100):
        weights = [r.uniform(1, 8) for _ in range(count)]
        base = 100 / load * sum(1 / w for w in weights)
        periods = [max(1, round(base * w)) for w in weights]
        off = abs(sum(Fraction(1, p) for p in periods) - Fraction(load, 100))
        if best is None or off < best[0]:
            best = off, periods
    return best[1]


def whole_set(r, kind, rate, count, load):
    slot = SIZE * 8 // rate  # us
    periods = {"equal": periods_equal, "mixed": periods_mixed}[kind](r, count, load)
    end = UNITS * 100 // load
    return [Stream(p * slot, 0, [SIZE] * max(1, end // p)) for p in periods]


def any_stream(r, rate, share, end, least):
    """Its unit's size is at random, but its period is not below `least` if it can be."""
    for _ in range(50):
        size = r.randint(SMALLEST, LARGEST)
        period = max(1, round(size * 8 / rate / share))
        if period >= least:
            break
    else:
        size = LARGEST
        period = round(size * 8 / rate / share)
    return Stream(period, r.randrange(period), [size] * max(1, int(end / period)))


def any_set(r, kind, rate, count, load):
    parts = [r.uniform(1, 4) for _ in range(count)]
    end = UNITS * (LARGEST + SMALLEST) / 2 * 8 / rate * 100 / load  # us
    least = 2 * LARGEST * 8 / rate if kind == "any" else 0
    return [any_stream(r, rate, load / 100 * part / sum(parts), end, least) for part in parts]


def make_set(kind, rate, count, load, seed):
    """None if there is none of about that load."""
    r = random.Random(f"{kind} {rate} {count} {load} {seed}")
    if kind in ("any", "short"):
        streams = any_set(r, kind, rate, count, load)
    else:
        streams = whole_set(r, kind, rate, count, load)
    real = 100 * float(sum(s.share(rate) for s in streams))
    return (r, streams, real) if abs(real - load) <= NEAR else None


def utilisation(streams, rate):
    return sum((1 - Fraction(s.x, s.y)) * s.share(rate) for s in streams)


def tolerate(r, streams, rate):
    """Random windows, of which the link can keep all."""
    for s in streams:
        s.y = r.randint(1, 6)
        s.x = r.randint(0, s.y - 1) if r.random() < 0.5 else 0
    while utilisation(streams, rate) > 1:
        s = r.choice(streams)
        if s.x + 1 < s.y:
            s.x += 1
        elif s.y < 12:
            s.y += 1


# ---- runs


def trace(streams, rate, flags="", edf=False):
    lines = [f"device {rate * 10**6}"]
    for i, s in enumerate(streams):
        attributes = "0 0 0" if edf else f"{s.x} {s.y} {s.period}{flags}"
        lines.append(f"stream {i} {attributes}")
    for i, s in enumerate(streams):
        for k, size in enumerate(s.sizes):
            at = 1000 * (s.phase + k * s.period)
            own = f" deadline={at + 1000 * s.period}" if edf else ""
            lines.append(f"at {at} send {i} {size}{own}")
    return lines


def qsim(scheduler, lines):
    done = subprocess.run([QSIM, scheduler], input="\n".join(lines).encode() + b"\n",
                          stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().splitlines()


def outcome(streams, lines):
    """Losses, violated windows, and by how much each unit that was sent was late, ns."""
    result = {"units": sum(len(s.sizes) for s in streams), "lost": 0, "violations": 0}
    lateness = []
    for line in lines:
        words = line.split()
        if words[0] == "stream":
            result["violations"] += int(words[-1])
            continue
        when, name, seq, fate = words
        s = streams[int(name)]
        result["lost"] += fate != "sent"
        if fate in ("sent", "late"):
            due = 1000 * (s.phase + (int(seq) + 1) * s.period)
            lateness.append(max(0, int(when) - due))
    lateness.sort()
    if lateness:
        result["late_p999_us"] = lateness[len(lateness) * 999 // 1000] / 1000
        result["late_max_us"] = lateness[-1] / 1000
    return result


def edf_losses(streams, rate):
    lines = oracle.simulate("dwcs", trace(streams, rate, edf=True)).out
    return sum(not line.endswith(" sent") for line in lines)


def wrong(result, family, core, model):
    if result["units"] != sum(line.split()[0] != "stream" for line in core):
        return "not every unit is accounted for"
    if "lossless" not in family and result.get("late_max_us"):
        return "a unit that may be dropped was sent late"
    if model is not None and model != core:
        return "the oracle decides otherwise"
    return None


def run_one(rate, streams, scheduler, family, checked):
    lines = trace(streams, rate, " nondroppable" if "lossless" in family else "")
    core = qsim(scheduler, lines)
    model = list(oracle.simulate(scheduler, lines).lines()) if checked else None
    result = outcome(streams, core) | {"scheduler": scheduler, "family": family}
    result["wrong"] = wrong(result, family, core, model)
    return result


def run_set(what):
    """All runs of a set of streams."""
    kind, rate, count, load, seed = what
    made = make_set(*what)
    if not made:
        return []
    r, streams, real = made
    head = {"kind": kind, "rate_mbit": rate, "streams": count, "load": load,
            "load_real": round(real, 2), "seed": seed}
    largest = max(max(s.sizes) for s in streams) * 8 / rate
    edf = edf_losses(streams, rate) if real > ADMITTED else 0  # it is slow
    results = []
    for family in FAMILIES:
        if family == "windows":
            tolerate(r, streams, rate)
        u = float(utilisation(streams, rate))
        if "lossless" in family and real > FULL:
            continue
        for scheduler in SCHEDULERS:
            checked = seed == 1 and rate == RATES[0] and count <= CHECKED
            result = head | run_one(rate, streams, scheduler, family, checked)
            result |= {"U": round(u, 4), "edf_lost": edf, "checked": checked,
                       "late_allowed_us": largest + 1000 * LATE_MS}
            results.append(result)
    return results


def run_all():
    sets = [(kind, rate, count, load, seed) for seed in range(1, SEEDS + 1)
            for kind in KINDS for rate in RATES for count in COUNTS for load in LOADS]
    results = []
    with multiprocessing.Pool() as pool:
        for done, some in enumerate(pool.imap(run_set, sets), 1):
            results += some
            if done % 50 == 0 or done == len(sets):
                print(f"sweep: {done} of {len(sets)} sets", file=sys.stderr)
    return results


# ---- what is printed


def select(results, **what):
    return [r for r in results if all(r[key] == value for key, value in what.items())]


def total(results, key):
    return sum(r[key] for r in results)


def over(runs):
    """The worst p99.9 of lateness, of what is allowed."""
    return max((r.get("late_p999_us", 0) / r["late_allowed_us"] for r in runs), default=None)


def loss_ratio(runs):
    edf = total(runs, "edf_lost")
    return total(runs, "lost") / edf if edf else None


def text(value, form="{:.3f}"):
    return "-" if value is None else form.format(value)


def summary(results, kind, load, scheduler):
    of = {family: select(results, kind=kind, load=load, scheduler=scheduler, family=family)
          for family in FAMILIES}
    return {
        "runs": len(of["windows"]),
        "broken": sum(r["violations"] > 0 for r in of["windows"]),
        "units": total(of["strict"], "units"),
        "edf_lost": total(of["strict"], "edf_lost"),
    } | {f"{family} lost": total(of[family], "lost") for family in ("strict", "windows")
    } | {f"{family} ratio": loss_ratio(of[family]) for family in ("strict", "windows")
    } | {f"{family} late": over(of[f"{family}, lossless"]) for family in ("strict", "windows")}


WORDS = """
violated  runs with a violated window, of all whose windows the link can keep (U <= 1)
late      lossless, without tolerance and with windows: the worst run's p99.9 of lateness,
          over one largest unit's time + 1 ms
lost      units without tolerance and with windows, and over EDF's, which has neither"""


def print_kind(results, kind):
    print(f"\n{kind}\n{'':5}" + "".join(f" | {name:52}" for name in SCHEDULERS) + " |")
    print(f"{'load':>5}" + f" | {'violated':>9} {'late':>6} {'':>8} {'lost':>6} {'/EDF':>6}"
          f" {'':>6} {'/EDF':>5}" * len(SCHEDULERS) + f" | {'EDF':>6} {'units':>7}")
    for load in LOADS:
        row = f"{load:4d}%"
        for scheduler in SCHEDULERS:
            s = summary(results, kind, load, scheduler)
            broken = f"{s['broken']} of {s['runs']}"
            row += (f" | {broken:>9} {text(s['strict late'], '{:.2f}'):>6}"
                    f" {text(s['windows late'], '{:.2f}'):>8}"
                    f" {s['strict lost']:6d} {text(s['strict ratio']):>6}"
                    f" {s['windows lost']:6d} {text(s['windows ratio']):>5}")
        print(row + f" | {s['edf_lost']:6d} {s['units']:7d}")


def promised(kind, scheduler):
    return kind == "equal" or (kind == "mixed" and scheduler == "vds")


def target(runs, what, value, limit, met):
    return {"scheduler": runs[0]["scheduler"], "kind": runs[0]["kind"], "what": what,
            "value": value, "target": limit, "met": met}


def window_target(runs):
    kept = [r for r in runs if r["U"] <= 1 and "lossless" not in r["family"]]
    broken = [r["U"] for r in kept if r["violations"]]
    least = f", least U {min(broken):.2f}" if broken else ""
    needed = promised(runs[0]["kind"], runs[0]["scheduler"])
    return target(runs, f"U <= 1: runs with a violated window, of {len(kept)}{least}",
                  len(broken), "0" if needed else None, not broken if needed else None)


def late_target(runs, family):
    most = ADMITTED if runs[0]["kind"] in ("any", "short") else FULL
    late = [r for r in runs if r["family"] == f"{family}, lossless" and r["load_real"] <= most]
    worst = over(late) or 0
    return target(runs, f"{family}, lossless: p99.9 of lateness / allowed, worst run",
                  round(worst, 3), "<= 1", worst <= 1)


def loss_target(runs, family):
    value = loss_ratio([r for r in runs if r["family"] == family and r["load_real"] > FULL])
    return target(runs, f"overload, {family}: late or dropped / EDF's",
                  value and round(value, 4), f"<= {LOSS_TARGET}",
                  value is None or value <= LOSS_TARGET)


def print_targets(results):
    targets = []
    for kind in KINDS:
        for scheduler in SCHEDULERS:
            runs = select(results, kind=kind, scheduler=scheduler)
            targets.append(window_target(runs))
            targets += [judge(runs, family) for judge in (late_target, loss_target)
                        for family in ("strict", "windows")]
    print("\nTargets\n")
    for t in targets:
        verdict = "nothing is promised"
        if t["target"]:
            verdict = f"target {t['target']}: {'met' if t['met'] else 'missed'}"
        print(f"{t['scheduler']:5} {t['kind']:6} {t['what']:62} {t['value']:>8}  {verdict}")
    return targets


def print_faults(results):
    faults = [r for r in results if r["wrong"]]
    for r in faults[:10]:
        print(f"WRONG: {r['scheduler']} {r['kind']} {r['family']}, {r['streams']} streams, "
              f"load {r['load']}%, {r['rate_mbit']} Mbit/s, seed {r['seed']}: {r['wrong']}")
    checked = sum(r["checked"] for r in results)
    print(f"\n{len(results)} runs; {checked} also by the oracle's own dwcs and vds, line by line: "
          f"{'the same' if not faults else 'see above'}")
    return bool(faults)


# ---- what is drawn, and kept


def write_columns(path, results):
    """By load, of each scheduler: lateness, of what is allowed, and lost units in percent,
    both without tolerance and with windows; and what EDF loses."""
    with open(path, "w", encoding="utf-8") as file:
        for kind in KINDS:
            file.write(f'"{kind}"\n')
            for load in LOADS:
                row = [load]
                for scheduler in SCHEDULERS:
                    s = summary(results, kind, load, scheduler)
                    row += ["?" if s[key] is None else round(s[key], 5)
                            for key in ("strict late", "windows late")]
                    row += [round(100 * s[key] / s["units"], 4)
                            for key in ("strict lost", "windows lost")]
                row.append(round(100 * s["edf_lost"] / s["units"], 4))
                file.write(" ".join(map(str, row)) + "\n")
            file.write("\n\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    results = run_all()
    print(WORDS)
    for kind in KINDS:
        print_kind(results, kind)
    targets = print_targets(results)
    failed = print_faults(results)
    if options.json:
        write_columns(options.json.with_suffix(".dat"), results)
        options.json.write_text(json.dumps({
            "name": "sweep", "command": "make bench BENCH=sweep",
            "commit": os.environ.get("QS_COMMIT", "unknown"), "kernel": platform.release(),
            "engine": "qsim", "rate": [f"{rate}mbit" for rate in RATES],
            "seed": list(range(1, SEEDS + 1)), "targets": targets, "runs": results,
        }, indent=1) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
