"""Never finishes to consolidate."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def manage(self) -> None:
        while True:
            pass

    def retrieve(self, query: Query) -> Memory:
        return Memory()
