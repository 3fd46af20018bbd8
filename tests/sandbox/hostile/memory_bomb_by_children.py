"""Takes memory in eight processes, each below the limit of one."""

import os

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        children = []
        for _ in range(8):
            child = os.fork()
            if child == 0:
                taken = [bytearray(b"x") * (1 << 20) for _ in range(30)]
                os._exit(len(taken) % 2)
            children.append(child)
        if any(os.waitpid(child, 0)[1] for child in children):
            raise MemoryError("a child was killed")

    def retrieve(self, query: Query) -> Memory:
        return Memory()
