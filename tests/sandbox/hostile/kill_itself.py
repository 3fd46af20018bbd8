"""Kills its own process in the episode that asks it to."""

import os
import signal

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        if query.observation == "attack":
            os.kill(os.getpid(), signal.SIGKILL)
        return Memory(["calm"])
