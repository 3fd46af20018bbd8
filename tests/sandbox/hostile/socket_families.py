"""Opens a socket of every family: netlink, packet, vsock (which no network namespace holds), the kernel's ciphers."""

import socket

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

HELD = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6}
"""These end at the border of a network namespace."""


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        found = []
        for family in set(range(64)) - HELD:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
                try:
                    socket.socket(family, kind).close()
                    found.append(f"family {family}, kind {kind.name}")
                except OSError:
                    continue
        return Memory(found)
