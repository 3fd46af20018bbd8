"""Prints a gigabyte from an episode, past Python's own streams."""

import os

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        for _ in range(1 << 10):
            os.write(1 + os.getpid() % 2, b"x" * (1 << 20))
        return Memory()
