"""Stops and kills every process that it sees, the supervisor first, and itself last.

It looks whether the first process is a guest's supervisor: where that is the host's own, it must not even be tried.
"""

import contextlib
import os
import signal
from pathlib import Path

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        assert b"sandbox.guest.serve" in Path("/proc/1/cmdline").read_bytes()
        if query.observation == "attack":
            for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
                for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
                    if pid != os.getpid():
                        with contextlib.suppress(OSError):
                            os.kill(pid, number)
            with contextlib.suppress(OSError):
                os.kill(-1, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return Memory(["calm"])
