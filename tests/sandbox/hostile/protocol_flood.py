"""Writes rubbish to every descriptor that it can find, the protocol's among them."""

import contextlib
import os

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        while True:
            for fd in range(3, 32):
                with contextlib.suppress(OSError):
                    os.write(fd, b"\xff" * 65536)

    def retrieve(self, query: Query) -> Memory:
        return Memory()
