"""Writes out a huge integer, which holds the interpreter in C for longer than anybody waits."""

import sys

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        if query.observation == "attack":
            sys.set_int_max_str_digits(0)
            return Memory([str(1 << 20_000_000)])
        return Memory(["calm"])
