"""Sends a reply nested so deeply that a careless reader would crash."""

import contextlib
import os
import struct

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        payload = b"[" * 100_000 + b"]" * 100_000
        for fd in range(3, 32):
            with contextlib.suppress(OSError):
                os.write(fd, struct.pack(">I", len(payload)) + payload)

    def retrieve(self, query: Query) -> Memory:
        return Memory()
