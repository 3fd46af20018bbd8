"""Never finishes being imported."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

while True:
    pass


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        return Memory()
