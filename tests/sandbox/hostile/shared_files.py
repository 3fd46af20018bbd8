"""Leaves notes for the next episode wherever a file can be left.

Episodes of one guest share its /tmp, so that much is for the purity check to find; the next guest must see nothing.
"""

import contextlib
from pathlib import Path

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        notes = [Path(folder, "palimpsest-note") for folder in ("/tmp", "/dev/shm", "/dev/mqueue", "/var/tmp", "/run")]
        found = [f"read {note}" for note in notes if note.exists()]
        for note in notes:
            with contextlib.suppress(OSError):
                note.write_text("told")
        return Memory(found)
