"""Announces a frame of four gigabytes."""

import contextlib
import os

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        for fd in range(3, 32):
            with contextlib.suppress(OSError):
                os.write(fd, b"\xff\xff\xff\xff{")

    def retrieve(self, query: Query) -> Memory:
        return Memory()
