"""Forks and comes back from every call twice, so that two processes answer for one."""

import os

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        os.fork()

    def manage(self) -> None:
        os.fork()

    def retrieve(self, query: Query) -> Memory:
        os.fork()
        return Memory()
