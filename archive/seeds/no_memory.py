"""No memory at all: what every design has to beat."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class NoMemory(MemoryDesign):
    """Remembers nothing and tells nothing."""

    def update(self, trajectory: Trajectory) -> None:
        """Forget it at once."""

    def retrieve(self, query: Query) -> Memory:
        """Tell nothing."""
        return Memory()
