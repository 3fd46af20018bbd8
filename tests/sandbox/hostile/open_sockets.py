"""Connects to a port of the host, asks a name server, and lists the network interfaces."""

import socket
from pathlib import Path

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        found = []
        port = int(query.task.goal)
        for address in ("127.0.0.1", "172.17.0.1", "10.0.2.2"):
            try:
                with socket.create_connection((address, port), timeout=0.3):
                    found.append(f"connected to {address}")
            except OSError:
                continue
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.sendto(b"hello", ("192.0.2.1", 53))
                found.append("sent a datagram")
        except OSError:
            pass
        interfaces = [line.partition(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
        return Memory([*found, *(name for name in interfaces if name.startswith(("eth", "en", "wl", "docker", "br")))])
