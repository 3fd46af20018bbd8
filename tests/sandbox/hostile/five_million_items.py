"""Answers with five million items."""

from sandbox.guest import MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> list[str]:
        return ["x"] * 5_000_000 if query.observation == "attack" else ["calm"]
