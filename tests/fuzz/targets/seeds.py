#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Traces for the fuzzer to begin with, a file each.

usage: seeds.py FOLDER [N]
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "oracle"))
sys.dont_write_bytecode = True
import traces  # noqa: E402


# What random ones are not: without events, without a device, without anything.
EDGES = ("device 1000\n", "stream 1 0 0 0\n", "# nothing\n",
         "device 1\nstream 1 1 1 1\nbacklog 1 16777216 40\n",
         "device 1000000000000000\nstream 0 0 1 1\nat 4611686018427387904 send 0 1\n")


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="ascii") as out:
        out.write(text)


def main(folder, n=200):
    os.makedirs(folder, exist_ok=True)
    for seed in range(int(n)):
        write(folder, f"random-{seed}", traces.Trace(seed).text())
    for k, text in enumerate(EDGES):
        write(folder, f"edge-{k}", text)


if __name__ == "__main__":
    main(*sys.argv[1:])
