"""Calls the toolkit in the name of an episode that is none."""

import contextlib
import os
import struct

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

CALL = b'{"call":"embed","texts":{"0":[]},"episode":[]}'


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        for fd in range(3, 32):
            with contextlib.suppress(OSError):
                os.write(fd, struct.pack(">I", len(CALL)) + CALL)

    def retrieve(self, query: Query) -> Memory:
        return Memory()
