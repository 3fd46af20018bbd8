"""Matches an expression that backtracks for ever, in C, where no signal handler of Python runs."""

import re

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        if query.observation == "attack":
            re.match(r"(a+)+$", "a" * 60 + "b")
        return Memory(["calm"])
