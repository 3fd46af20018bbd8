"""Lifts the limits that it runs under: the hard ones, which only a privileged process may."""

import resource

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

KINDS = ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE")


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        found = []
        for name in KINDS:
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            if hard == resource.RLIM_INFINITY:
                continue
            try:
                resource.setrlimit(kind, (hard + 1, hard + 1))
                found.append(f"lifted {name}")
            except (OSError, ValueError):
                continue
        return Memory(found)
