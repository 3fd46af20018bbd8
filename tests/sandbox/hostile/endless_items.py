"""Answers with a list that says it is short, and never ends."""

from collections.abc import Iterator
from itertools import repeat

from sandbox.guest import MemoryDesign, Query, Trajectory


class Endless(list[str]):
    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return repeat("x")


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> list[str]:
        return Endless() if query.observation == "attack" else ["calm"]
