"""Takes memory until there is none."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        self.taken = [bytearray(b"x") * (1 << 20) for _ in range(4096)]

    def retrieve(self, query: Query) -> Memory:
        return Memory()
