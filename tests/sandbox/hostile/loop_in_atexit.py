"""Loops when its process is asked to end, and has a thread that never does."""

import atexit
import threading

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        atexit.register(_loop)
        threading.Thread(target=threading.Event().wait).start()

    def retrieve(self, query: Query) -> Memory:
        atexit.register(_loop)
        return Memory(["calm"])


def _loop() -> None:
    while True:
        pass
