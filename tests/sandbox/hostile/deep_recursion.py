"""Calls itself until the stack ends, which Python answers with an exception."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        return self.retrieve(query) if query.observation == "attack" else Memory(["calm"])
