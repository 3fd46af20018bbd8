"""Answers with half a surrogate pair, which no encoder takes."""

from sandbox.guest import Item, Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        return Memory([Item("\ud800", "x\udfff") if query.observation == "attack" else "calm"])
