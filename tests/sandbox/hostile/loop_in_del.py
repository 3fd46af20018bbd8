"""Loops where an object is thrown away, where Python swallows every exception."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Sticky:
    def __del__(self) -> None:
        while True:
            pass


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        Sticky()

    def retrieve(self, query: Query) -> Memory:
        return Memory()
