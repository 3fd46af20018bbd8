"""Answers with texts that lie about their length and their bytes."""

from sandbox.guest import Item, Memory, MemoryDesign, Query, Trajectory


class Lie(str):
    __slots__ = ()

    def __len__(self) -> int:
        return 1

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return b"\xff"


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        return Memory([Item(Lie("i"), Lie("x" * 1000)) if query.observation == "attack" else "calm"])
