"""Answers with an item whose text and id are no number."""

from typing import Any

from sandbox.guest import Item, Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        nan: Any = float("nan")
        return Memory([Item(nan, nan)] if query.observation == "attack" else ["calm"])
