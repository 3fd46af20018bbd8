"""Keeps the host busy with toolkit calls, which stop the design's own clock."""

from sandbox.guest import Memory, MemoryDesign, Query, ToolError, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        while True:
            try:
                self.toolkit.ask({"call": "nothing"})  # type: ignore[attr-defined]
            except ToolError:
                continue

    def retrieve(self, query: Query) -> Memory:
        return Memory()
