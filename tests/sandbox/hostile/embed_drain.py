"""Has texts embedded without end."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        for number in range(1000):
            self.toolkit.embed([f"text {number}"])

    def retrieve(self, query: Query) -> Memory:
        return Memory()
