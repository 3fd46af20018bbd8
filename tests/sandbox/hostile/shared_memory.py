"""Shares a page with all forks of its memory, to tell the next episode what this one saw.

No backend can keep what was shared before the fork from the forks, so that much is for the purity check to find; the
next guest must see nothing.
"""

import mmap

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        self.page = mmap.mmap(-1, mmap.PAGESIZE)

    def retrieve(self, query: Query) -> Memory:
        told = self.page[: self.page.find(b"\0")].decode()
        self.page[:4] = b"told"
        return Memory([told] if told else [])
