"""Never answers its first query of an episode that asks it to hang."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        while query.observation == "attack":
            pass
        return Memory(["calm"])
