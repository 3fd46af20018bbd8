"""Answers with a list that holds itself."""

from typing import Any

from sandbox.guest import MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> list[Any]:
        cycle: list[Any] = []
        cycle.append(cycle)
        return cycle if query.observation == "attack" else ["calm"]
