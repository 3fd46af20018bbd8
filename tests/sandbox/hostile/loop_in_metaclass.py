"""Loops when its class is looked at: the supervisor reads the instructions of every design that it loads."""

from abc import ABCMeta

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Slow(ABCMeta):
    @property
    def instructions(cls) -> str:
        while True:
            pass


class Hostile(MemoryDesign, metaclass=Slow):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        return Memory()


del MemoryDesign.instructions
