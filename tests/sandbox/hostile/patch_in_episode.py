"""From an episode, changes its own memory, its own code and the guest's, and looks for the changes in the next one."""

import os
import sys

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        self.found: list[str] = []

    def retrieve(self, query: Query) -> Memory:
        found = list(self.found)
        if query.observation == "attack":
            self.found.append("the object was changed")
            type(self).retrieve = lambda *_: Memory(["the class was changed"])  # type: ignore[method-assign]
            sys.modules["sandbox.guest.frames"].encode = lambda _: b'{"result":[["i","x"]]}'  # type: ignore[attr-defined]
            os.environ["CHANGED"] = "yes"
        return Memory(found + [name for name in os.environ if name == "CHANGED"])
