"""Never finishes an update, and catches whatever Python can raise at it."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        while True:
            try:
                while True:
                    pass
            except BaseException:
                continue

    def retrieve(self, query: Query) -> Memory:
        return Memory()
