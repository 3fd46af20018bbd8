"""Lifts Python's limit on recursion and recurses in C, which ends by a segmentation fault."""

import sys

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Endless:
    def __repr__(self) -> str:
        return repr([self])


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        if query.observation == "attack":
            sys.setrecursionlimit(2**31 - 1)
            return Memory([repr(Endless())])
        return Memory(["calm"])
