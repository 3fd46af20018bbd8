"""Starts a daemon and then hangs, so that its guest is killed before anybody could have ended the daemon."""

import os
import time

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 64)
                time.sleep(600)
            os._exit(0)
        while True:
            pass

    def retrieve(self, query: Query) -> Memory:
        return Memory()
