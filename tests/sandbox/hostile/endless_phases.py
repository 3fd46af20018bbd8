"""Declares phases that never end."""

from itertools import count

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    phases = count()  # type: ignore[assignment]

    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        return Memory()
