"""Doubles itself for as long as it can."""

import os

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        while True:
            try:
                os.fork()
            except OSError:
                continue

    def retrieve(self, query: Query) -> Memory:
        return Memory()
