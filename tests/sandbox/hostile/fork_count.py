"""Starts sleeping children until it is refused, and says after how many."""

import os
import time

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        for count in range(1000):
            if count == 200:
                return
            try:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            except OSError:
                raise RuntimeError(f"refused after {count}") from None

    def retrieve(self, query: Query) -> Memory:
        return Memory()
