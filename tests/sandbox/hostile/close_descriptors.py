"""Closes every descriptor, the protocol's among them, and stays."""

import os
import time

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        os.closerange(0, 1 << 16)
        while True:
            time.sleep(1)

    def retrieve(self, query: Query) -> Memory:
        return Memory()
