"""Ends its process without a word."""

import os

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        os._exit(0)

    def retrieve(self, query: Query) -> Memory:
        return Memory()
