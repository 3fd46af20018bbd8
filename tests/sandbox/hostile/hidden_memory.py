"""Keeps memory where no limit of a process counts it: in segments, queues and files that have no name."""

import ctypes
import os

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

SIZE = 1 << 20


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        libc = ctypes.CDLL(None)
        found = []
        for name in ("shm", "msg", "sem"):
            made = getattr(libc, f"{name}get")(0, SIZE if name == "shm" else 1, 0o600)
            if made >= 0:
                found.append(f"made {name}")
                getattr(libc, f"{name}ctl")(made, 0, 0)  # and removed it
        try:
            os.close(os.memfd_create("hidden"))
            found.append("made a file of memory")
        except OSError:
            pass
        return Memory(found)
