"""Writes file after file until there is no room."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        for number in range(10_000):
            with open(f"/tmp/{number}", "wb") as file:
                file.write(b"x" * (1 << 20))

    def retrieve(self, query: Query) -> Memory:
        return Memory()
