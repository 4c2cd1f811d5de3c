#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a fuzzer begins with, a file each: traces for qsim, programs for others.

usage: seeds.py TARGET FOLDER [N]
"""
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "oracle"))
sys.dont_write_bytecode = True
import traces  # noqa: E402


# What random ones are not: without events, without a device, without anything.
EDGES = ("device 1000\n", "stream 1 0 0 0\n", "# nothing\n",
         "device 1\nstream 1 1 1 1\nbacklog 1 16777216 40\n",
         "device 1000000000000000\nstream 0 0 1 1\nat 4611686018427387904 send 0 1\n")


def seeds(target, n):
    if target == "qsim":
        for text in EDGES:
            yield text.encode()
    for seed in range(n):
        if target == "qsim":
            yield traces.Trace(seed).text().encode()
        else:
            yield random.Random(seed).randbytes(20 + seed)


def main(target, folder, n=200):
    os.makedirs(folder, exist_ok=True)
    for k, seed in enumerate(seeds(target, int(n))):
        with open(os.path.join(folder, f"seed-{k}"), "wb") as out:
            out.write(seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
