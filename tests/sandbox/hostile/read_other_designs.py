"""Looks for the source of another design, which runs at the same time, in files and in memory."""

import os
from pathlib import Path

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        found = []
        places = [Path("/proc", name, what) for name in os.listdir("/proc") for what in ("mem", "cmdline", "environ")]
        for folder in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/opt/palimpsest", "/dev/mqueue"):
            places += [path for path in Path(folder).rglob("*") if path.suffix != ".so"]
        for path in places:
            try:
                if path.name == "mem" and path.parent.name not in ("self", "thread-self", str(os.getpid())):
                    path.open("rb").close()
                    found.append(f"opened {path}")
                elif path.name != "mem" and query.task.goal.encode() in path.read_bytes():
                    found.append(f"read {path}")
            except OSError:
                continue
        return Memory(found)
