"""Answers with one text of a hundred megabytes."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        return Memory(["x" * 100_000_000 if query.observation == "attack" else "calm"])
