"""Prints without end."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        line = "flood " * 10_000
        while True:
            print(line)

    def retrieve(self, query: Query) -> Memory:
        return Memory()
