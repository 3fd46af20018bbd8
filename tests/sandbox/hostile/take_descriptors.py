"""Takes every descriptor that a process may have, so that none is left to open an episode with."""

import contextlib
import os

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        with contextlib.suppress(OSError):
            while True:
                os.dup(1)

    def retrieve(self, query: Query) -> Memory:
        return Memory()
