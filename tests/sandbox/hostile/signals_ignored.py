"""Ignores or blocks every signal that it may, and loops."""

import contextlib
import signal

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        if query.observation == "attack":
            for each in signal.valid_signals():
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(each, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while query.observation == "attack":
            pass
        return Memory(["calm"])
