"""Tries to become root of namespaces of its own, where more of the kernel answers."""

import ctypes

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

KINDS = {"user": 0x10000000, "mount": 0x00020000, "network": 0x40000000}


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        unshare = ctypes.CDLL(None).unshare
        return Memory([name for name, flag in KINDS.items() if unshare(flag) == 0])
